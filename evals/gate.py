"""May this change be merged? A run against the thresholds of `gate.yaml` and against the baseline.

Checks without exception and deterministic figures block; what a chat model judged advises. A baseline of other knowledge is
not compared with: a better record is no better code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.compare import comparable, compare
from evals.results import Figure, Run
from knowledge.errors import EvaluationError

LOST_SHARE = 0.02  # of a measure's scored cases that may become unscored


class Rule(BaseModel):
    """Thresholds of one figure. `why` is for the reviewer of a change to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_least: float | None = None
    at_most: float | None = None
    may_drop: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="worse than the baseline by this much, at most"
    )
    may_grow: Annotated[float, Field(ge=1)] | None = Field(default=None, description="times the baseline, at most")
    optional: bool = Field(default=False, description="may be 'not measured'")
    blocks: bool = True
    why: str = ""


class Gate(BaseModel):
    """The reviewed file. `may_drop` and `real_drops` hold for every deterministic figure that no rule names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checks: Annotated[tuple[str, ...], Field(min_length=1)]
    may_drop: Annotated[float, Field(ge=0)]
    real_drops: bool
    not_compared: tuple[str, ...] = ()
    figures: Mapping[str, Rule]


@dataclass(frozen=True)
class Finding:
    """One sentence on one rule. `blocks` findings turn the gate red."""

    name: str
    text: str
    blocks: bool


@dataclass(frozen=True)
class Verdict:
    """The gate's answer: red if any finding blocks; `notes` say what was not compared."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def red(self) -> bool:
        """Whether the change must not be merged."""
        return any(finding.blocks for finding in self.findings)

    def as_text(self) -> str:
        """The verdict for a terminal."""
        lines = [f"{'BLOCKS ' if f.blocks else 'advises'}  {f.name}: {f.text}" for f in self.findings]
        lines += [f"note     {note}" for note in self.notes]
        return "\n".join([*lines, "The gate is red." if self.red else "The gate is green."]) + "\n"


def read_gate(file: Path) -> Gate:
    """The thresholds. Raises EvaluationError naming the field."""
    try:
        return Gate.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise EvaluationError(f"{file} cannot be read. Restore it from the project.") from error
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise EvaluationError(f"{file}: field {field}: {problem['msg']}. Correct it.") from error


def judge_run(run: Run, gate: Gate, baseline: Run | None) -> Verdict:
    """Every check and every figure against the gate, then against the baseline if it is of the same knowledge and model."""
    findings = [*_checks(run, gate)]
    notes: list[str] = []
    figures = run.figures()
    for name, rule in gate.figures.items():
        findings += _absolute(name, rule, figures.get(name), run.fast)
    why = "there is no baseline" if baseline is None else comparable(baseline, run)
    if why or baseline is None:
        notes.append(f"not compared with the baseline: {why}. Only the checks and the fixed thresholds apply.")
    else:
        findings += _relative(run, gate, baseline)
    return Verdict(tuple(findings), tuple(notes))


def _checks(run: Run, gate: Gate) -> list[Finding]:
    found = {check.name: check for check in run.checks}
    missing = [
        Finding(name, "was not tested", True) for name in gate.checks if name not in found or not found[name].tested
    ]
    broken = [
        Finding(
            check.name,
            f"{check.failed} of {check.tested}: {check.problems[0] if check.problems else check.about}",
            True,
        )
        for check in run.checks
        if not check.ok
    ]
    return missing + broken


def _absolute(name: str, rule: Rule, figure: Figure | None, fast: bool) -> list[Finding]:
    if figure is None or figure.value is None:
        if rule.optional or (rule.at_least is None and rule.at_most is None):
            return []
        return [Finding(name, "was not measured", rule.blocks)]
    # A small sample is red only if its whole interval is: it cannot show more.
    best = figure.value
    if fast:
        end = figure.high if figure.better == "higher" else figure.low
        best = figure.value if end is None else end
    if rule.at_least is not None and best < rule.at_least:
        return [Finding(name, f"{figure} is below {rule.at_least:g}. {rule.why}".strip(), rule.blocks)]
    if rule.at_most is not None and best > rule.at_most:
        return [Finding(name, f"{figure} is above {rule.at_most:g}. {rule.why}".strip(), rule.blocks)]
    return []


def _relative(run: Run, gate: Gate, baseline: Run) -> list[Finding]:
    findings = []
    same_cases = run.cases == baseline.cases
    for row in compare(baseline, run):
        rule = gate.figures.get(row.name, Rule())
        if row.before is None or row.after is None or row.before.value is None or row.after.value is None:
            continue
        blocks = rule.blocks and not row.after.judged
        sign = 1 if row.better == "higher" else -1
        if rule.may_grow is not None:
            if row.after.value > rule.may_grow * row.before.value:
                findings.append(
                    Finding(
                        row.name,
                        f"{row.after.value:.3g} is more than {rule.may_grow:g} times {row.before.value:.3g}",
                        blocks,
                    )
                )
            continue
        if any(row.name.startswith(prefix) for prefix in gate.not_compared):
            continue
        allowed = gate.may_drop if rule.may_drop is None else rule.may_drop
        if row.difference is not None:
            drop = -sign * row.difference.value
            real = row.difference.real and drop > 0 and gate.real_drops and rule.may_drop is None
            if drop > allowed or real:
                low, high = sorted((-sign * row.difference.low, -sign * row.difference.high))
                text = f"worse by {drop:.3f} [{low:.3f}, {high:.3f}] on {row.difference.pairs} cases of the baseline"
                findings.append(Finding(row.name, text, blocks))
        elif same_cases and -sign * (row.after.value - row.before.value) > allowed:
            findings.append(Finding(row.name, f"{row.after.value:.3f} after {row.before.value:.3f}", blocks))
    if run.searches != baseline.searches:
        findings.append(Finding("searches", f"{', '.join(run.searches)} after {', '.join(baseline.searches)}", True))
    return findings + _lost(run, baseline, gate)


def _lost(run: Run, baseline: Run, gate: Gate) -> list[Finding]:
    """Measures whose cases were scored and are not any more: a figure must not rise by falling silent."""
    findings = []
    before = baseline.scores()
    for name, scores in run.scores().items():
        if any(name.startswith(prefix) for prefix in (*gate.not_compared, "grounding.")):
            continue
        scored = [case for case in scores if before.get(name, {}).get(case) is not None]
        lost = [case for case in scored if scores[case] is None]
        if len(lost) > max(1, LOST_SHARE * len(scored)):
            findings.append(
                Finding(name, f"{len(lost)} of {len(scored)} cases are no longer scored ({lost[0]} …)", True)
            )
    return findings
