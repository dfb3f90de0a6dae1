"""What a run leaves behind: its schema, its JSON, and how scores become figures."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.metrics import Estimate, estimate
from knowledge.errors import EvaluationError

SCHEMA = 1
Better = Literal["higher", "lower"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(_Strict):
    """A figure with its 95 % interval; `value` None means not measured or not estimable, never 0."""

    value: float | None
    low: float | None = None
    high: float | None = None
    scored: int = 0
    unscored: int = 0

    @classmethod
    def of(cls, found: Estimate) -> "Interval":
        """An estimate, rounded for the file."""
        value, low, high = (None if x is None else round(float(x), 5) for x in (found.value, found.low, found.high))
        return cls(value=value, low=low, high=high, scored=found.scored, unscored=found.unscored)

    def __str__(self) -> str:
        if self.value is None:
            return "not estimable" if self.scored else "not measured"
        between = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{between} n={self.scored}" + (f" unscored={self.unscored}" if self.unscored else "")


class Figure(Interval):
    """A named figure: what it says, which way is better, and its slices (half, kind, provenance)."""

    about: str
    better: Better = "higher"
    judged: bool = False
    slices: Mapping[str, Interval] = Field(default_factory=dict)


class Failure(_Strict):
    """A case that went wrong, with what a person needs to see why."""

    case: str
    measure: str
    why: str
    question: str
    expected: str
    answer: str
    evidence: tuple[str, ...] = ()


class Plot(_Strict):
    """Points of one drawing: a line, bars, or steps."""

    title: str
    kind: Literal["line", "bars", "histogram"]
    x: str
    y: str
    series: Mapping[str, tuple[tuple[float, float], ...]]
    labels: tuple[str, ...] = ()


class Suite(_Strict):
    """One suite's outcome. `scores` hold each case's value under each measure, for paired comparison."""

    name: str
    status: Literal["measured", "not measured"]
    reason: str = ""
    figures: Mapping[str, Figure] = Field(default_factory=dict)
    scores: Mapping[str, Mapping[str, float | None]] = Field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    plots: tuple[Plot, ...] = ()
    seconds: float = 0.0


class Check(_Strict):
    """A rule that must hold without exception; `problems` are the first exceptions found."""

    name: str
    about: str
    tested: int
    failed: int
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the rule was tested and held."""
        return self.failed == 0


class Run(_Strict):
    """A whole run. Runs are compared only where `knowledge` is equal."""

    schema_version: int = SCHEMA
    made: str
    model: str
    knowledge: str
    generation: str
    index: str
    cases: str
    half: str
    fast: bool
    seconds: float
    searches: tuple[str, ...] = ()
    clusters: Mapping[str, str] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    suites: tuple[Suite, ...] = ()

    def figures(self) -> dict[str, Figure]:
        """All figures under `suite.name`."""
        return {f"{suite.name}.{name}": figure for suite in self.suites for name, figure in suite.figures.items()}

    def scores(self) -> dict[str, Mapping[str, float | None]]:
        """All scores under `suite.measure`."""
        return {f"{suite.name}.{name}": scores for suite in self.suites for name, scores in suite.scores.items()}


class Tally:
    """Collects scores, failures and special figures of one suite while it runs."""

    def __init__(self, name: str, clusters: dict[str, str]) -> None:
        self.name = name
        self._started = time.perf_counter()
        self._clusters = clusters
        self._scores: dict[str, dict[str, float | None]] = defaultdict(dict)
        self._slices: dict[str, tuple[str, ...]] = {}
        self._about: dict[str, tuple[str, Better, bool]] = {}
        self._special: dict[str, Figure] = {}
        self._failures: list[Failure] = []
        self.plots: list[Plot] = []

    def measure(self, name: str, about: str, better: Better = "higher", judged: bool = False) -> None:
        """Announce a measure, so that it appears even when nothing could be scored."""
        self._about[name] = (about, better, judged)
        self._scores[name]

    def score(
        self, measure: str, case: str, value: float | bool | None, cluster: str, slices: Sequence[str] = ()
    ) -> None:
        """One case's value under a measure; None = unscored."""
        if measure not in self._about:
            raise ValueError(f"the measure {measure} was not announced")
        self._scores[measure][case] = None if value is None else round(float(value), 4)
        self._clusters[case] = cluster
        self._slices[case] = tuple(slices)

    def fail(self, failure: Failure) -> None:
        """Name a case that went wrong."""
        self._failures.append(failure)

    def special(self, name: str, found: Estimate, about: str, better: Better = "higher", judged: bool = False) -> None:
        """A figure that is no mean of scores, such as an AUROC."""
        self._special[name] = Figure(**Interval.of(found).model_dump(), about=about, better=better, judged=judged)

    def values(self, measure: str) -> Mapping[str, float | None]:
        """The scores of a measure so far."""
        return self._scores[measure]

    def clusters_of(self, cases: Iterable[str]) -> list[str]:
        """The cluster of each case."""
        return [self._clusters[case] for case in cases]

    def result(self) -> Suite:
        """The suite's figures with intervals and slices."""
        figures = {}
        for name, (about, better, judged) in self._about.items():
            scores = self._scores[name]
            whole = self._interval(scores)
            groups: dict[str, dict[str, float | None]] = defaultdict(dict)
            for case, value in scores.items():
                for label in self._slices.get(case, ()):
                    groups[label][case] = value
            slices = {label: self._interval(part) for label, part in sorted(groups.items()) if len(part) < len(scores)}
            figures[name] = Figure(**whole.model_dump(), about=about, better=better, judged=judged, slices=slices)
        return Suite(
            name=self.name,
            status="measured",
            figures=figures | self._special,
            scores=self._scores,
            failures=tuple(self._failures),
            plots=tuple(self.plots),
            seconds=round(time.perf_counter() - self._started, 1),
        )

    def _interval(self, scores: Mapping[str, float | None]) -> Interval:
        return Interval.of(estimate(list(scores.values()), [self._clusters[case] for case in scores]))


def not_measured(name: str, reason: str) -> Suite:
    """A suite that could not run, with the reason; it has no figures, and no zero."""
    return Suite(name=name, status="not measured", reason=reason)


def read_run(file: Path) -> Run:
    """A run from its JSON. Raises EvaluationError."""
    try:
        run = Run.model_validate_json(file.read_bytes())
    except OSError as error:
        raise EvaluationError(
            f"{file} cannot be read ({error.strerror}). Make it with: python -m evals run --json {file}"
        ) from error
    except ValidationError as error:
        raise EvaluationError(
            f"{file} is not a run of this version. Make it anew: python -m evals run --json {file}"
        ) from error
    if run.schema_version != SCHEMA:
        raise EvaluationError(f"{file} has another format. Make it anew: python -m evals run --json {file}")
    return run


def write_run(run: Run, file: Path) -> None:
    """Write a run as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        json.dumps(run.model_dump(mode="json"), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n",
        encoding="utf-8",
    )


def as_baseline(run: Run) -> Run:
    """The run without failing cases, plots and slices: what a comparison needs and a repository may hold.

    Left out too are scores that floors guard as well: the judge's own, and grounding measures that are the same everywhere.
    """
    suites = [
        suite.model_copy(
            update={
                "failures": (),
                "plots": (),
                "figures": {name: figure.model_copy(update={"slices": {}}) for name, figure in suite.figures.items()},
                "scores": {name: scores for name, scores in suite.scores.items() if _worth_keeping(suite.name, scores)},
            }
        )
        for suite in run.suites
    ]
    named = {case for suite in suites for scores in suite.scores.values() for case in scores}
    clusters = {case: cluster for case, cluster in run.clusters.items() if case in named}
    return run.model_copy(update={"suites": tuple(suites), "clusters": clusters})


def _worth_keeping(suite: str, scores: Mapping[str, float | None]) -> bool:
    return suite != "judge" and (
        suite != "grounding" or len({value for value in scores.values() if value is not None}) > 1
    )
