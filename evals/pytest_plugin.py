"""Each case as a test: `python -m pytest -p evals.pytest_plugin evals/cases [-m case] [-k ans-0001]`.

The chosen cases are run together through the suites once; a case that failed there fails here, with the same words. A case
that the baseline knows as failing is an expected failure, so that only what got worse is red. Door to pytest.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.settings import ChatSettings
from evals.cases import FAMILIES, AnyCase, CaseSet, read_case
from evals.results import Failure, read_run
from evals.run import open_lab
from evals.settings import EvalSettings
from evals.suites import SUITES
from knowledge.settings import IndexSettings

# Where the cases of a family are judged. `grounding`, `judge` and `speed` look at replies, not at cases.
SUITES_OF = {
    "retrieval": ("retrieval",), "answers": ("retrieval", "answers"), "abstention": ("abstention",), "scope": ("abstention",),
    "premise": ("abstention",), "conversation": ("conversation",), "robustness": ("robustness",), "equity": ("equity",),
    "safety": ("safety",), "injection": ("safety",), "claims": ("verifier",),
}  # fmt: skip
failures_of_run = pytest.StashKey[dict[str, list[Failure]]]()
known_failures = pytest.StashKey[frozenset[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the data folder whose index is asked."""
    parser.addoption(
        "--evals-data", type=Path, default=None, help="folder of index and added documents (UPSTANDER_DATA)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker."""
    config.addinivalue_line("markers", "case: an evaluation case, asked of the real engine")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Case files are collected, other JSON lines are not."""
    if file_path.suffix == ".jsonl" and file_path.stem in FAMILIES and (file_path.parent / "halves.json").exists():
        collector: pytest.Collector = CaseFile.from_parent(parent, path=file_path)
        return collector
    return None


class CaseFile(pytest.File):
    """A family's file."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each line."""
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip():
                case = read_case(line, f"{self.path.name}:{number}")
                item = CaseItem.from_parent(self, name=case.id)
                item.case = case
                item.add_marker("case")
                yield item


class CaseFailed(AssertionError):
    """A case that went wrong, with what the report says of it."""


class CaseItem(pytest.Item):
    """One case."""

    case: AnyCase

    def runtest(self) -> None:
        """Look the case up in the one run over all chosen cases."""
        stash = self.session.stash
        if failures_of_run not in stash:
            items = [item for item in self.session.items if isinstance(item, CaseItem)]
            stash[failures_of_run] = _run(self.config, CaseSet(item.case for item in items))
        failures = stash[failures_of_run].get(self.case.id, [])
        if failures:
            if known_failures not in stash:
                stash[known_failures] = _known()
            if self.case.id in stash[known_failures]:
                pytest.xfail(f"the baseline fails it too: {failures[0].why}")
            raise CaseFailed("\n\n".join(_words(failure) for failure in failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """The case's own words, without a traceback."""
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands."""
        return self.path, 0, self.name


def _words(failure: Failure) -> str:
    return (
        f"{failure.measure}: {failure.why}\nquestion: {failure.question}\nexpected: {failure.expected}\n"
        f"answer:   {failure.answer[:600]}"
    )


def _run(config: pytest.Config, cases: CaseSet) -> dict[str, list[Failure]]:
    found: dict[str, list[Failure]] = defaultdict(list)
    wanted = {suite for case in cases.all for suite in SUITES_OF[case.family]}
    with open_lab(ChatSettings(), IndexSettings.from_env(data=config.getoption("--evals-data")), cases) as lab:
        for name in [name for name in SUITES if name in wanted]:
            for failure in SUITES[name](lab).failures:
                found[failure.case].append(failure)
    return found


def _known() -> frozenset[str]:
    """Cases whose score in the baseline is not perfect under some measure."""
    file = EvalSettings.from_env().baseline
    if not file.exists():
        return frozenset()
    run = read_run(file)
    worse = {
        case.split(":")[0]
        for suite in run.suites
        for name, scores in suite.scores.items()
        for case, value in scores.items()
        if value is not None and (value > 0 if suite.figures[name].better == "lower" else value < 1)
    }
    return frozenset(worse)
