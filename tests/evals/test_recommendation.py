"""The suite `recommendation`: it can fail, hides no case, and keeps its floors."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.assembly import assemble_recommender
from bot.needs import read_need
from bot.recommender import Recommendation, Recommender
from bot.review import Finding
from evals.gate import read_gate
from evals.recommendation import CASES, MEASURES, flags_on, kept_by_each, read_rows, recommendation
from evals.results import Tally
from knowledge.settings import IndexSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def recommender(built_data: Path) -> Recommender:
    return assemble_recommender(IndexSettings(data=built_data))


def test_there_are_enough_judged_needs_and_each_names_known_records() -> None:
    rows = read_rows(CASES / "needs.jsonl")
    names = {path.stem for path in (ROOT / "knowledge" / "records").glob("*.md")}
    assert len(rows) >= 80
    assert {name for row in rows for name in row["judgements"]} - names == set()
    assert all(row["expected_none"] is (max(row["judgements"].values()) < 2) for row in rows)


def test_every_case_has_an_id_of_its_own_and_every_deck_a_key() -> None:
    ids = [row["id"] for name in ("needs", "parse") for row in read_rows(CASES / f"{name}.jsonl")]
    assert len(ids) == len(set(ids))
    key = read_rows(CASES / "slides" / "key.jsonl")
    assert {row["file"] for row in key} == {path.name for path in (CASES / "slides").glob("*.md")}
    for row in key:
        assert (CASES / "slides" / row["file"]).read_text(encoding="utf-8").count(row["span"]) == 1


def test_a_flag_counts_for_its_own_line_only() -> None:
    row = {"slide": 2, "span": "Black race"}
    finding = Finding(2, "Black race", "biological-risk", "", "", ())
    assert list(flags_on(row, [finding])) == [finding]
    assert list(flags_on(row, [replace(finding, slide=3), replace(finding, quote="Age")])) == []


@pytest.mark.real
def test_a_result_that_breaks_what_must_hold_is_seen(recommender: Recommender) -> None:
    row = next(row for row in read_rows(CASES / "needs.jsonl") if "max_minutes" in row["hard"])
    reply = recommender.recommend(read_need("workshop for residents"))
    short: Recommendation = recommender.recommend(read_need(row["need"]))
    assert all(kept_by_each(row, short))
    strict = {**row, "constraints": {**row["constraints"], "max_minutes": 1}}
    assert not any(kept_by_each(strict, reply))


@pytest.mark.real
def test_the_suite_keeps_the_floors_of_the_gate(recommender: Recommender) -> None:
    suite = recommendation(recommender, Tally("recommendation", {}))
    assert suite.figures.keys() == MEASURES.keys()
    assert all(figure.scored > 0 for figure in suite.figures.values())
    rules = read_gate(ROOT / "evals" / "gate.yaml").figures
    floors = {name.split(".", 1)[1]: rule for name, rule in rules.items() if name.startswith("recommendation.")}
    assert len(floors) >= 8
    for name, rule in floors.items():
        value = suite.figures[name].value
        assert value is not None
        assert rule.at_least is not None
        assert value >= rule.at_least, name
