"""python -m ingest: bring the index up to date and look at its state."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ingest.build import build, verified_apart
from knowledge.embedding import open_embedder
from knowledge.errors import ChatbotError
from knowledge.generation import GenerationStore
from knowledge.index import fingerprint
from knowledge.settings import IndexSettings, log_to_stderr, silence_libraries


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code of the contract."""
    silence_libraries()
    parser = _parser()
    options = parser.parse_args(arguments)
    log_to_stderr(logging.DEBUG if options.debug else logging.WARNING)
    try:
        settings = IndexSettings.from_env(data=options.data)
        command = {"build": _build, "status": _status, "verify": _verify}[options.command]
        return command(settings, options)
    except ChatbotError as error:
        if options.debug:
            raise
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped. The index in use is unchanged; run the same command to start again.", file=sys.stderr)
        return 130
    except OSError as error:
        if options.debug:
            raise
        print(f"{error.strerror or error}: {error.filename or settings.data}. Nothing was changed.", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, help="folder of index, added documents and feedback (UPSTANDER_DATA)")
    shared.add_argument("--json", action="store_true", help="print JSON on standard output and nothing else there")
    shared.add_argument("--debug", action="store_true", help="log every step and show tracebacks")
    parser = argparse.ArgumentParser(prog="python -m ingest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build_command = commands.add_parser("build", parents=[shared], help="bring the index to what the records say")
    build_command.add_argument("--dry-run", action="store_true", help="check the records and say what would change")
    commands.add_parser("status", parents=[shared], help="which index is live and whether it is whole")
    commands.add_parser("verify", parents=[shared], help="check every file, offset and vector of the live index")
    return parser


def _build(settings: IndexSettings, options: argparse.Namespace) -> int:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def progress(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        report = build(
            settings,
            lambda: open_embedder(settings.embedder, settings.models_folder),
            dry_run=options.dry_run,
            progress=progress,
        )
    if options.json:
        _print_json(report.as_json())
    else:
        for file in report.refused:
            print(f"refused  {file.reason}")
        for file in report.flagged:
            print(f"flagged  {file.reason}")
        verb = "Would have" if options.dry_run else "Published" if report.published else "Nothing to publish:"
        print(
            f"{verb} {report.added} new, {report.changed} changed, {report.removed} removed, "
            f"{report.unchanged} unchanged, {len(report.refused)} refused and {len(report.flagged)} flagged records."
        )
    return 2 if report.refused else 0


def _status(settings: IndexSettings, options: argparse.Namespace) -> int:
    store = GenerationStore(settings.index_folder)
    manifest = store.manifest(store.current())
    embedder = open_embedder(settings.embedder, settings.models_folder)
    found = verified_apart(store.path(manifest.id))
    stale = manifest.fingerprint != fingerprint(embedder.identity)
    status = {
        "generation": manifest.id,
        "records": manifest.records,
        "passages": manifest.passages,
        "fingerprint": manifest.fingerprint,
        "built": manifest.built.isoformat(),
        "healthy": not found and not stale,
        "stale": stale,
        "data": str(settings.data),
    }
    if options.json:
        _print_json(status)
    else:
        for name, value in status.items():
            print(f"{name:12} {value}")
    return 0


def _verify(settings: IndexSettings, options: argparse.Namespace) -> int:
    store = GenerationStore(settings.index_folder)
    found = verified_apart(store.path(store.current()))
    if options.json:
        _print_json({"ok": not found, "problems": found})
    else:
        print("\n".join(found) or "The index is whole.")
    return 1 if found else 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
