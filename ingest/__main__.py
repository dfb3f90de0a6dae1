"""python -m ingest: bring the index up to date and look at its state."""

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ingest import apart
from ingest.add import Additions, read_all
from ingest.build import add, build, remove, verified_apart
from ingest.documents import DocumentStore, Holding
from ingest.keeping import backup, restore, rollback
from ingest.loaders.web import fetched
from ingest.report import BuildReport, FileReport, Progress
from knowledge.embedding import Embedder, encoder_file, export_encoder, open_embedder
from knowledge.errors import ChatbotError, RecordError
from knowledge.generation import GenerationStore
from knowledge.index import fingerprint
from knowledge.record import Record
from knowledge.settings import IndexSettings, log_to_stderr, silence_libraries


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code of the contract."""
    silence_libraries()
    parser = _parser()
    options = parser.parse_args(arguments)
    log_to_stderr(logging.DEBUG if options.debug else logging.WARNING)
    try:
        settings = IndexSettings.from_env(data=options.data)
        return COMMANDS[options.command](settings, options)
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

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[shared], help=help)

    building = command("build", "bring the index to what records and documents say")
    building.add_argument("--dry-run", action="store_true", help="check the records and say what would change")
    adding = command("add", "add files, folders or addresses, then build")
    adding.add_argument(
        "places", nargs="+", metavar="PATH|URL", help="a file, a folder, or an address (with --allow-urls)"
    )
    adding.add_argument("--allow-urls", action="store_true", help="fetch addresses; nothing is fetched without this")
    for name in ("title", "organization", "year", "venue", "doi", "url"):
        adding.add_argument(f"--{name}", help=f"correct the {name} of the one file that is added")
    adding.add_argument("--author", action="append", dest="authors", help="correct the authors; once for each of them")
    removing = command("remove", "remove added documents with every trace, then build")
    removing.add_argument("ids", nargs="+", metavar="ID", help="an added document's record id")
    command("status", "which index is live, whether it is whole, and which documents were added")
    command("verify", "check every file, offset and vector of the live index")
    command("rollback", "go back to the index before the live one")
    command("backup", "copy the live index and the added documents to one file").add_argument("file", type=Path)
    command("restore", "bring back what a backup holds").add_argument("file", type=Path)
    return parser


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def progress(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        yield progress


def _embedder(settings: IndexSettings) -> Embedder:
    if settings.embedder == "packaged" and not encoder_file(settings.models_folder).exists():
        # What the export takes goes with its process; should that fail, opening tries again and says why.
        with suppress(apart.Died):
            apart.fresh(export_encoder, settings.models_folder)
    return open_embedder(settings.embedder, settings.models_folder)


def _build(settings: IndexSettings, options: argparse.Namespace) -> int:
    with _progress() as progress:
        report = build(settings, lambda: _embedder(settings), dry_run=options.dry_run, progress=progress)
    return _said(report, options)


def _add(settings: IndexSettings, options: argparse.Namespace) -> int:
    corrections = {
        name: getattr(options, name)
        for name in ("title", "organization", "year", "venue", "doi", "url", "authors")
        if getattr(options, name)
    }
    with _progress() as progress, fetched(options.places, allowed=options.allow_urls) as places:
        files = [found for place in places for found in place.files]
        if corrections and len(files) != 1:
            raise RecordError("Corrections are for one file at a time; add it alone.")

        def read(held: Mapping[str, Holding], curated: Sequence[Record]) -> Additions:
            return read_all(
                files,
                held,
                curated,
                today=datetime.now(UTC).date(),
                corrections=corrections,
                progress=progress,
                origins={path: url for place in places for path, url in place.origins.items()},
            )

        report = add(settings, lambda: _embedder(settings), read, progress=progress)
    return _said(report, options)


def _remove(settings: IndexSettings, options: argparse.Namespace) -> int:
    with _progress() as progress:
        return _said(remove(settings, lambda: _embedder(settings), options.ids, progress=progress), options)


def _said(report: BuildReport, options: argparse.Namespace) -> int:
    """Print a report; returns the exit code."""
    if options.json:
        _print_json(report.as_json())
    else:
        for file in report.files:
            if file.metadata or file.reason:
                print(_line(file))
        verb = "Would have" if report.dry_run else "Published" if report.published else "Nothing to publish:"
        refused = f" {len(report.refused)} files were refused." if report.refused else ""
        print(
            f"{verb} {report.added} new, {report.changed} changed, {report.removed} removed "
            f"and {report.unchanged} unchanged records.{refused}"
        )
    return 2 if report.refused else 0


def _line(file: FileReport) -> str:
    """One line for one file: what became of it, what was understood, what is wrong and what to do."""
    about = file.metadata or {}
    authors = ", ".join(about.get("authors", ()))
    understood = " · ".join(
        str(part) for part in (about.get("title"), authors, about.get("year"), about.get("doi")) if part
    )
    more = f" and {file.records - 1} more" if file.records > 1 else ""
    middle = f" [{file.id}] {understood}{more}" if file.metadata else ""
    return f"{file.status:9} {file.path}{middle}{' — ' + file.reason if file.reason else ''}"


def _status(settings: IndexSettings, options: argparse.Namespace) -> int:
    store = GenerationStore(settings.index_folder)
    manifest = store.manifest(store.current())
    embedder = open_embedder(settings.embedder, settings.models_folder)
    found = verified_apart(store.path(manifest.id), settings.chroma)
    held, damaged = DocumentStore(settings.documents_folder).load()
    stale = manifest.fingerprint != fingerprint(embedder.identity)
    status = {
        "generation": manifest.id,
        "records": manifest.records,
        "passages": manifest.passages,
        "fingerprint": manifest.fingerprint,
        "built": manifest.built.isoformat(),
        "healthy": not found and not stale,
        "stale": stale,
        "generations": store.generations(),
        "documents": [
            {"id": name, "name": h.record.document.name if h.record.document else name, "title": h.record.source.title}
            for name, h in held.items()
        ],
        "damaged_documents": damaged,
        "data": str(settings.data),
    }
    if options.json:
        _print_json(status)
    else:
        for name, value in status.items():
            if name == "documents":
                print(f"{name:12} {len(held)}")
                print("".join(f"  {n}  {h.record.source.title}\n" for n, h in held.items()), end="")
            else:
                print(f"{name:12} {value}")
    return 0


def _verify(settings: IndexSettings, options: argparse.Namespace) -> int:
    store = GenerationStore(settings.index_folder)
    found = verified_apart(store.path(store.current()), settings.chroma)
    if options.json:
        _print_json({"ok": not found, "problems": found})
    else:
        print("\n".join(found) or "The index is whole.")
    return 1 if found else 0


def _rollback(settings: IndexSettings, options: argparse.Namespace) -> int:
    generation = rollback(settings)
    if options.json:
        _print_json({"generation": generation})
    else:
        print(f"The index is {generation} again. The next build brings it back to what records and documents say.")
    return 0


def _backup(settings: IndexSettings, options: argparse.Namespace) -> int:
    size = backup(settings, options.file)
    if options.json:
        _print_json({"file": str(options.file), "bytes": size})
    else:
        print(f"Wrote {options.file} ({size:,} bytes). Keep it away from this machine.")
    return 0


def _restore(settings: IndexSettings, options: argparse.Namespace) -> int:
    generation = restore(settings, options.file)
    if options.json:
        _print_json({"generation": generation})
    else:
        print(f"The index is {generation} and the documents are as they were in {options.file}.")
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))


COMMANDS = {
    "build": _build,
    "add": _add,
    "remove": _remove,
    "status": _status,
    "verify": _verify,
    "rollback": _rollback,
    "backup": _backup,
    "restore": _restore,
}

if __name__ == "__main__":
    sys.exit(main())
