"""The suite measures what it says: hand-worked figures, and denominators that do not hide cases."""

import math
from pathlib import Path

import pytest

from bot.assembly import assemble_recommender
from evals.recommendation import CASES, mean, measure, ndcg, proportion, read_rows
from knowledge.settings import IndexSettings


def test_ndcg_of_a_hand_worked_list() -> None:
    judged = {"a": 3, "b": 2, "c": 0}
    ideal = 7 / math.log2(2) + 3 / math.log2(3)
    assert ndcg(["a", "b"], judged, 3) == 1.0
    assert ndcg(["x", "a"], judged, 3) == pytest.approx((7 / math.log2(3)) / ideal)
    assert ndcg([], judged, 3) == 0.0


def test_no_case_is_not_a_perfect_score() -> None:
    assert proportion("x", []).value is None
    assert mean("x", []).value is None


def test_an_interval_holds_its_share_and_narrows_with_more_cases() -> None:
    few, many = proportion("x", [True] * 9 + [False]), proportion("x", ([True] * 9 + [False]) * 10)
    for measured in (few, many):
        assert measured.low < measured.value < measured.high
    assert many.high - many.low < few.high - few.low


def test_there_are_enough_judged_needs_and_each_names_known_records() -> None:
    rows = read_rows(CASES / "needs.jsonl")
    names = {path.stem for path in (Path(__file__).parents[2] / "knowledge" / "records").glob("*.md")}
    assert len(rows) >= 80
    assert {name for row in rows for name in row["judgements"]} - names == set()
    assert all(row["expected_none"] is (max(row["judgements"].values()) < 2) for row in rows)


@pytest.mark.real
def test_the_suite_runs_and_keeps_its_floors(built_data: Path) -> None:
    parts = measure(assemble_recommender(IndexSettings(data=built_data)))
    figures = {m.name: m.value for part in parts.values() for m in part}
    assert figures["hard constraints kept"] == 1.0
    assert figures["a fitting record in the list"] >= 0.85
    assert figures["reasons that are statements"] == 1.0
    assert figures["none fits, and it says so"] == 1.0
    assert figures["both read"] >= 0.95
    assert figures["flags that are problems (precision)"] >= 0.8
