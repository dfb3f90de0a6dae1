"""python -m evals: run the suites, compare two runs, ask the gate, look at complaints, export, measure speed."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bot.assembly import assemble
from bot.feedback import Complaint, FeedbackStore
from bot.settings import ChatSettings
from evals.bench import SIDES, measure, table
from evals.cases import CaseSet, load_cases
from evals.compare import as_text, compare
from evals.exchange import export
from evals.gate import judge_run, read_gate
from evals.offline import offline
from evals.public import PublicLab
from evals.report import junit, page, remember
from evals.results import Check, Run, as_baseline, read_run, write_run
from evals.run import ALL_SUITES, FAST_CASES, open_lab, run
from evals.settings import EvalSettings
from evals.subject import Asker
from evals.triage import shown, triage
from knowledge.embedding import open_embedder
from knowledge.errors import ChatbotError, EvaluationError
from knowledge.settings import IndexSettings, log_to_stderr, silence_libraries

EXIT_RED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code of the contract: 1 for a red gate too."""
    silence_libraries()
    options = _parser().parse_args(arguments)
    log_to_stderr(logging.DEBUG if options.debug else logging.WARNING)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except ChatbotError as error:
        if options.debug:
            raise
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, help="folder of index, added documents and feedback (UPSTANDER_DATA)")
    shared.add_argument("--model", help="'extractive' or a chat model as provider:name (UPSTANDER_MODEL)")
    shared.add_argument("--cases", type=Path, help="folder of the cases (UPSTANDER_CASES)")
    shared.add_argument("--debug", action="store_true", help="log every step and show tracebacks")
    parser = argparse.ArgumentParser(prog="python -m evals", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="run | compare | gate | triage | export | bench")
    runs = commands.add_parser("run", parents=[shared], help="ask the cases and measure the replies")
    runs.add_argument("--suite", nargs="+", metavar="NAME", help=f"only these: {', '.join(ALL_SUITES)}")
    runs.add_argument("--half", choices=("dev", "test", "all"), default="all", help="which half of the cases")
    runs.add_argument(
        "--fast", action="store_true", help=f"at most {FAST_CASES} cases a family, the same ones every time"
    )
    runs.add_argument("--public", type=Path, metavar="DIR", help="folder of the public sets (UPSTANDER_PUBLIC_EVALS)")
    runs.add_argument("--whole", action="store_true", help="all rows of the public sets instead of a fixed sample")
    runs.add_argument("--judge", metavar="PROVIDER:MODEL", help="a chat model that judges claims too; it only advises")
    runs.add_argument("--json", type=Path, metavar="FILE", help="write the run")
    runs.add_argument("--html", type=Path, metavar="FILE", help="write the report, one page without outside requests")
    runs.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML for a CI server")
    runs.add_argument("--gate", action="store_true", help="ask the gate at once; exit code 1 if it is red")
    runs.set_defaults(command=_run)
    compares = commands.add_parser("compare", parents=[shared], help="two runs: what differs, and what of it is real")
    compares.add_argument("before", type=Path, metavar="A.json")
    compares.add_argument("after", type=Path, metavar="B.json")
    compares.set_defaults(command=_compare)
    gates = commands.add_parser("gate", parents=[shared], help="may this run's change be merged? exit code 1 if not")
    gates.add_argument("run", type=Path, metavar="A.json")
    gates.add_argument("--baseline", type=Path, metavar="FILE", help="instead of evals/baseline.json")
    gates.add_argument("--accept", action="store_true", help="make this run the new baseline, for review in a change")
    gates.set_defaults(command=_gate)
    triages = commands.add_parser("triage", parents=[shared], help="turn complaints that readers left into cases")
    triages.set_defaults(command=_triage)
    exports = commands.add_parser("export", parents=[shared], help="cases and replies for RAGAS or DeepEval")
    exports.add_argument("form", choices=("ragas", "deepeval"))
    exports.add_argument("--half", choices=("dev", "test", "all"), default="all", help="which half of the cases")
    exports.add_argument("--out", type=Path, metavar="FILE", help="write here instead of to standard output")
    exports.set_defaults(command=_export)
    benches = commands.add_parser("bench", parents=[shared], help="speed and memory beside the tutorial pipeline")
    benches.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    benches.set_defaults(command=_bench)
    return parser


def _settings(options: argparse.Namespace) -> EvalSettings:
    given = {name: getattr(options, name, None) for name in ("cases", "judge", "baseline")}
    return EvalSettings.from_env(**given, public_evals=getattr(options, "public", None))


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    chat = ChatSettings.from_env(model=options.model)
    index = IndexSettings.from_env(data=options.data)
    cases = load_cases(settings.cases).only(options.half, FAST_CASES if options.fast else None)
    # A chat model may live on another machine; nothing else may.
    before = _files(index.data)
    with offline(chat.model == "extractive") as tried:
        made = _measure(options, settings, chat, index, cases)
    used = [f"tried to reach {host}" for host in dict.fromkeys(tried)]
    written = [f"{name} was written" for name, state in _files(index.data).items() if before.get(name) != state]
    made = made.model_copy(
        update={
            "checks": (
                *made.checks,
                Check(name="run.offline", about="Nothing tried to leave the machine.", tested=1,
                      failed=len(used), problems=tuple(used)),
                Check(name="run.no_trace", about="Answering questions wrote nothing to the data folder.", tested=1,
                      failed=len(written), problems=tuple(written[:10])),
            )
        }
    )  # fmt: skip
    _print_run(made)
    baseline = read_run(settings.baseline) if settings.baseline.exists() else None
    verdict = judge_run(made, read_gate(settings.gate), baseline)
    if options.json:
        write_run(made, options.json)
    if options.html:
        history = remember(made, index.data / "evals" / "history.jsonl")
        _write(options.html, page(made, verdict, baseline, history))
    if options.junit:
        _write(options.junit, junit(made, verdict))
    if not options.gate:
        return 0
    print(verdict.as_text(), end="")
    return EXIT_RED if verdict.red else 0


def _files(data: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file that an answer could have written; the evaluation's own folder aside."""
    files = (path for path in data.rglob("*") if path.is_file() and path.relative_to(data).parts[0] != "evals")
    return {str(path.relative_to(data)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _measure(
    options: argparse.Namespace, settings: EvalSettings, chat: ChatSettings, index: IndexSettings, cases: CaseSet
) -> Run:
    def progress(name: str) -> None:
        print(f"… {name}", file=sys.stderr, flush=True)

    embedder = open_embedder(index.embedder, index.models_folder)
    public = None
    if settings.public_evals is not None:
        if not settings.public_evals.is_dir():
            raise EvaluationError(f"There is no folder {settings.public_evals}. Correct or leave out --public.")
        public = PublicLab(settings.public_evals, embedder, index.data / "evals" / "public", options.whole)
    chat_judge = None
    if settings.judge is not None:
        # Trap: langchain takes a second to import, which a run without a judge should not pay for.
        from evals.judge_model import ModelJudge

        chat_judge = ModelJudge(settings.judge)
    with open_lab(chat, index, cases, chat_judge) as lab:
        return run(
            lab, options.suite or ALL_SUITES, cases_folder=settings.cases, half=options.half, fast=options.fast,
            public=public, embed=embedder.embed, progress=progress,
        )  # fmt: skip


def _print_run(made: Run) -> None:
    for suite in made.suites:
        print(
            f"\n{suite.name}"
            + (f": not measured ({suite.reason})" if suite.status == "not measured" else f"  ({suite.seconds:.0f} s)")
        )
        for name, figure in suite.figures.items():
            print(f"  {name:34} {figure}")
    for check in made.checks:
        if not check.ok:
            print(f"BROKEN {check.name}: {check.failed} of {check.tested}", *check.problems[:3], sep="\n    ")
    print(f"\n{made.seconds:.0f} seconds")


def _compare(options: argparse.Namespace) -> int:
    before, after = read_run(options.before), read_run(options.after)
    print(as_text(before, after, compare(before, after)), end="")
    return 0


def _gate(options: argparse.Namespace) -> int:
    settings = _settings(options)
    made = read_run(options.run)
    if options.accept:
        write_run(as_baseline(made), settings.baseline)
        print(f"The baseline is now the run of {made.made}. Commit it with the change that explains it.")
        return 0
    baseline = read_run(settings.baseline) if settings.baseline.exists() else None
    verdict = judge_run(made, read_gate(settings.gate), baseline)
    print(verdict.as_text(), end="")
    return EXIT_RED if verdict.red else 0


def _triage(options: argparse.Namespace) -> int:
    settings, index = _settings(options), IndexSettings.from_env(data=options.data)
    store = FeedbackStore(index.data)
    records = [path.stem for path in index.records.glob("*.md")]

    def ask(complaint: Complaint, prompt: str) -> str:
        print(shown(complaint))
        return input(prompt)

    try:
        decided = triage(store, settings.cases, records, ask, print)
    except EOFError:
        print("\nStopped; what was decided is written.")
        return 0
    print(f"{len(decided)} decided, {sum(one.case is not None for one in decided)} of them now cases.")
    return 0


def _export(options: argparse.Namespace) -> int:
    cases = load_cases(_settings(options).cases).only(options.half)
    engine = assemble(ChatSettings.from_env(model=options.model), IndexSettings.from_env(data=options.data))
    text = export(options.form, cases, Asker(engine))
    if options.out:
        _write(options.out, text)
    else:
        print(text, end="")
    return 0


def _bench(options: argparse.Namespace) -> int:
    data = IndexSettings.from_env(data=options.data).data
    results = {side: measure(side, data) for side in SIDES}
    print(table(results), end="")
    if options.json:
        _write(options.json, json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
