import json
from pathlib import Path

import pytest

from evals.cases import (
    FAMILIES,
    AnswerCase,
    ClaimCase,
    as_line,
    half_of,
    load_cases,
    load_halves,
    problems,
    read_case,
)
from evals.settings import EvalSettings
from knowledge.errors import EvaluationError
from knowledge.record import read_record
from knowledge.settings import IndexSettings

FOLDER = EvalSettings().cases
ROW = {"id": "ret-0001", "family": "retrieval", "half": "dev", "made": "written", "question": "Why?", "relevant": ["a"]}


def test_every_case_quotes_its_records_as_they_are_and_lies_in_its_half() -> None:
    records = [read_record(path) for path in sorted(IndexSettings().records.glob("*.md"))]
    statements = {record.id: frozenset(s.text for s in record.statements) for record in records}
    assert problems(load_cases(FOLDER), load_halves(FOLDER), statements) == []


def test_there_are_enough_cases_in_each_family_that_carries_a_gate() -> None:
    cases = load_cases(FOLDER)
    assert len(cases.all) >= 900
    assert min(sum(case.family == family for case in cases.all) for family in FAMILIES) >= 60
    assert sum(any(nugget.vital for nugget in case.nuggets) for case in cases.of(AnswerCase)) >= 120


def test_a_case_is_read_back_from_its_own_line() -> None:
    for case in load_cases(FOLDER).only(each=5).all:
        assert read_case(as_line(case), "here") == case


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question": ""}, "question"),
        ({"relevant": []}, "relevant"),
        ({"half": "train"}, "half"),
        ({"colour": "red"}, "colour"),
        ({"family": "unknown"}, "here"),
        ({"id": "1"}, "id"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], says: str) -> None:
    with pytest.raises(EvaluationError, match="here") as error:
        read_case(json.dumps({**ROW, **change}), "here")
    assert says in str(error.value)


def test_a_doubled_id_is_refused(tmp_path: Path) -> None:
    for family in FAMILIES:
        (tmp_path / f"{family}.jsonl").write_text("")
    (tmp_path / "retrieval.jsonl").write_text(f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n")
    with pytest.raises(EvaluationError, match=r"retrieval.jsonl:2: has the id ret-0001 of retrieval.jsonl:1"):
        load_cases(tmp_path)


def test_what_is_wrong_with_a_case_is_said() -> None:
    case = ClaimCase.model_validate_json(
        json.dumps(
            {"id": "clm-0001", "family": "claims", "half": "dev", "made": "w", "claim": "x", "kind": "number", "note": "",
             "cited": [{"record_id": "a", "text": "old"}], "label": "supported"}
        )
    )  # fmt: skip

    class One:
        all = (case,)

    assert problems(One(), {"a": "dev"}, {"a": frozenset({"new"})})[0].startswith(
        "clm-0001 quotes what a no longer says"
    )  # type: ignore[arg-type]
    assert "does not exist" in problems(One(), {}, {})[0]  # type: ignore[arg-type]
    assert "half" in problems(One(), {"a": "test"}, {"a": frozenset({"old"})})[0]  # type: ignore[arg-type]


def test_records_of_both_halves_have_no_half_together() -> None:
    assert half_of(["a", "b"], "x-0001", {"a": "dev", "b": "test"}) is None
    assert half_of([], "x-0001", {}) in ("dev", "test")


def test_a_subset_is_the_same_every_time_and_grows_without_moving_others() -> None:
    cases = load_cases(FOLDER)
    small, larger = cases.only(each=5), cases.only(each=9)
    assert {case.id for case in small.all} < {case.id for case in larger.all}
    assert {case.half for case in cases.only("dev").all} == {"dev"}
