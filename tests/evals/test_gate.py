"""The gate and the comparison on small runs that a person can see through."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from evals.compare import as_text, compare
from evals.gate import Gate, Rule, judge_run, read_gate
from evals.report import junit, page, remember
from evals.results import Check, Failure, Plot, Run, Tally, as_baseline, not_measured, read_run, write_run
from evals.settings import EvalSettings
from knowledge.errors import EvaluationError


def a_run(
    values: dict[str, float | None], *, knowledge: str = "k", checks: tuple[Check, ...] = (), judged: bool = False
) -> Run:
    clusters: dict[str, str] = {}
    tally = Tally("retrieval", clusters)
    tally.measure("recall@5", "found", judged=judged)
    for case, value in values.items():
        tally.score("recall@5", case, value, case, ("half:dev",))
    tally.fail(Failure(case="a", measure="recall@5", why="<b>lost</b>", question="Q?", expected="r", answer="<script>"))
    tally.plots.append(
        Plot(title="Ranks", kind="line", x="x", y="y", series={"one": ((0, 0.2), (1, 0.7)), "two": ((0, 1),)})
    )
    return Run(
        made="2026-11-25T00:00:00+00:00", model="extractive", knowledge=knowledge, generation="g", index="i", cases="c",
        half="all", fast=False, seconds=1.0, clusters=clusters, checks=checks,
        suites=(tally.result(), not_measured("retrieval-public", "no folder")),
    )  # fmt: skip


ALL_RIGHT = {str(n): 1.0 for n in range(100)}
TEN_WRONG = {name: float(int(name) >= 10) for name in ALL_RIGHT}
GOOD = Check(name="reply.offsets", about="offsets", tested=5, failed=0)
GATE = Gate(
    checks=("reply.offsets",), may_drop=0.03, real_drops=True, figures={"retrieval.recall@5": Rule(at_least=0.8)}
)


def test_a_run_like_the_baseline_is_green() -> None:
    assert not judge_run(a_run(ALL_RIGHT, checks=(GOOD,)), GATE, a_run(ALL_RIGHT)).red


@pytest.mark.parametrize(
    ("run", "baseline", "names"),
    [
        (a_run(TEN_WRONG, checks=(GOOD,)), a_run(ALL_RIGHT), "retrieval.recall@5"),
        (a_run(dict.fromkeys(ALL_RIGHT, 0.0), checks=(GOOD,)), None, "retrieval.recall@5"),
        (a_run(ALL_RIGHT), None, "reply.offsets"),
        (a_run(ALL_RIGHT, checks=(GOOD.model_copy(update={"tested": 0}),)), None, "reply.offsets"),
        (a_run(ALL_RIGHT, checks=(GOOD, GOOD.model_copy(update={"name": "other", "failed": 1}))), None, "other"),
        (a_run({}, checks=(GOOD,)), None, "retrieval.recall@5"),
        (a_run({**ALL_RIGHT, "0": None, "1": None, "2": None}, checks=(GOOD,)), a_run(ALL_RIGHT), "retrieval.recall@5"),
    ],
    ids=[
        "a real drop",
        "below the floor",
        "untested",
        "tested on nothing",
        "a broken check",
        "not measured",
        "fallen silent",
    ],
)
def test_what_must_turn_the_gate_red(run: Run, baseline: Run | None, names: str) -> None:
    verdict = judge_run(run, GATE, baseline)
    assert verdict.red
    assert names in {finding.name for finding in verdict.findings if finding.blocks}


def test_a_run_on_other_knowledge_is_held_against_fixed_thresholds_only() -> None:
    verdict = judge_run(a_run(TEN_WRONG, knowledge="other", checks=(GOOD,)), GATE, a_run(ALL_RIGHT))
    assert not verdict.red
    assert "other knowledge" in verdict.notes[0]


def test_what_a_chat_model_judged_only_advises() -> None:
    gate = GATE.model_copy(update={"figures": {}})
    verdict = judge_run(a_run(TEN_WRONG, checks=(GOOD,), judged=True), gate, a_run(ALL_RIGHT, judged=True))
    assert [finding.blocks for finding in verdict.findings] == [False]


def test_the_comparison_says_which_differences_are_real() -> None:
    (row, *_) = compare(a_run(ALL_RIGHT), a_run(TEN_WRONG))
    assert (row.verdict, row.difference.pairs if row.difference else 0) == ("worse", 100)
    (row, *_) = compare(a_run(ALL_RIGHT), a_run({**ALL_RIGHT, "0": 0.0}))
    assert row.verdict == "no real change"
    assert "Careful" in as_text(a_run({}), a_run({}, knowledge="other"), [])


def test_a_run_survives_its_file_and_a_baseline_keeps_what_is_compared(tmp_path: Path) -> None:
    run = a_run(ALL_RIGHT, checks=(GOOD,))
    write_run(run, tmp_path / "a.json")
    assert read_run(tmp_path / "a.json") == run
    kept = as_baseline(run)
    assert kept.scores() == run.scores()
    assert kept.suites[0].failures == ()
    (tmp_path / "b.json").write_text('{"schema_version": 1}')
    for file in ("b.json", "none.json"):
        with pytest.raises(EvaluationError, match="python -m evals run"):
            read_run(tmp_path / file)


def test_the_page_loads_nothing_and_shows_what_it_quotes_as_text(tmp_path: Path) -> None:
    run = a_run(ALL_RIGHT, checks=(GOOD,))
    file = tmp_path / "history.jsonl"
    remember(run, file)
    history = remember(run, file)
    assert len(history) == 2
    text = page(run, judge_run(run, GATE, a_run(TEN_WRONG)), a_run(TEN_WRONG), history)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text
    assert "Not measured: no folder" in text
    assert 'lang="en"' in text
    assert "prefers-color-scheme:dark" in text.replace(" ", "")
    assert text.count("<svg") == text.count('role="img"') == 2


def test_junit_counts_failures_and_skips() -> None:
    run = a_run(ALL_RIGHT, checks=(GOOD.model_copy(update={"failed": 2, "problems": ("a\x00b",)}),))
    root = ElementTree.fromstring(junit(run, judge_run(run, GATE, None)))
    counts = {node.get("name"): (node.get("failures"), node.get("skipped")) for node in root}
    assert counts["checks"] == ("1", "0")
    assert counts["retrieval-public"] == ("0", "1")
    assert counts["gate"] == ("1", "0")


def test_the_reviewed_thresholds_can_be_read_and_a_wrong_field_is_named(tmp_path: Path) -> None:
    assert read_gate(EvalSettings().gate).checks
    (tmp_path / "gate.yaml").write_text("checks: [a]\nmay_drop: 0.1\nreal_drops: true\nfigures: {a: {atleast: 1}}")
    with pytest.raises(EvaluationError, match="atleast"):
        read_gate(tmp_path / "gate.yaml")
