import shutil
from datetime import date
from pathlib import Path

import pytest

from bot.feedback import Complaint, FeedbackStore
from evals.cases import AbstentionCase, RetrievalCase, load_cases
from evals.settings import EvalSettings
from evals.triage import duplicate_of, triage
from knowledge.errors import EvaluationError

RECORDS = ("vela-2022-eliminating-biases-evidence", "ctb-recognize-allies")
NEW = Complaint(
    day=date(2026, 11, 24),
    wrong="not_an_answer",
    question="Do purple zebras lobby deans?",
    outcome="answer",
    cited=RECORDS[:1],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(EvalSettings().cases, tmp_path / "cases")
    return tmp_path / "cases"


def walk(tmp_path: Path, folder: Path, *typed: str) -> tuple[list[str], list[str]]:
    answers, told = list(typed), []
    decided = triage(FeedbackStore(tmp_path), folder, RECORDS, lambda complaint, prompt: answers.pop(0), told.append)
    return [one.case.id if one.case else f"{one.decision} {one.repeats}".strip() for one in decided], told


def test_one_decision_makes_a_complaint_a_case(tmp_path: Path, folder: Path) -> None:
    FeedbackStore(tmp_path).add(NEW)
    before = len(load_cases(folder).all)
    (name,), _ = walk(tmp_path, folder, f"d {RECORDS[0]}")
    case = next(case for case in load_cases(folder).of(AbstentionCase) if case.id == name)
    assert (case.question, case.nearest, case.expected) == (NEW.question, RECORDS[:1], "abstain")
    assert len(load_cases(folder).all) == before + 1
    assert walk(tmp_path, folder) == ([], []), "what is decided is not asked again"


def test_an_answer_rests_on_what_was_cited_unless_records_are_named(tmp_path: Path, folder: Path) -> None:
    FeedbackStore(tmp_path).add(NEW)
    (name,), _ = walk(tmp_path, folder, "a")
    assert next(c.relevant for c in load_cases(folder).of(RetrievalCase) if c.id == name) == RECORDS[:1]


def test_a_slip_is_asked_again_and_nothing_is_written_for_later(tmp_path: Path, folder: Path) -> None:
    FeedbackStore(tmp_path).add(NEW)
    done, told = walk(tmp_path, folder, "q", "d", "d no-such-record", "")
    assert done == []
    assert len(told) == 3


def test_a_question_that_is_asked_already_is_a_duplicate(tmp_path: Path, folder: Path) -> None:
    store = FeedbackStore(tmp_path)
    store.add(NEW.model_copy(update={"question": "whats the capital, of Mongolia?"}))
    store.add(NEW)
    store.add(NEW.model_copy(update={"day": date(2026, 11, 25), "question": "Do the purple zebras lobby deans"}))
    done, _ = walk(tmp_path, folder, "x")
    assert done[0] == "duplicate scp-0001"
    assert done[1] == "drop"
    assert done[2] == f"duplicate {NEW.id}", "also of a complaint that became no case"
    assert duplicate_of("Do the purple zebras lobby deans", [("n", NEW.question)]) == "n"
    assert duplicate_of("How do I start?", [("n", NEW.question)]) is None


def test_the_store_gives_back_what_was_left_and_names_a_bad_line(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path)
    assert store.all() == []
    store.add(NEW)
    assert store.all() == [NEW]
    assert store.file.stat().st_mode & 0o077 == 0
    with store.file.open("a") as lines:
        lines.write("{}\n")
    with pytest.raises(EvaluationError, match="line 2"):
        store.all()
