"""What stands beside an answer: resources for a question that seeks something to teach with, and nothing for any other."""

from pathlib import Path

import pytest

from bot.care import Judgement
from bot.drafting import ExtractiveDrafter
from bot.needs import looks_for_resources
from bot.recommender import Recommender
from bot.reply import Outcome, Reason
from bot.suggestions import resources
from knowledge.record import Facet, Record
from tests.bot.test_engine import engine
from tests.bot.test_recommender import FixedLibrary, FixedScores, made
from tests.fakes import GivenCare, record

NEED = "I need a 60 minute workshop for residents on microaggressions"


def suggested(question: str, *records: Record) -> tuple[str, ...]:
    return resources(question, Recommender(FixedLibrary(*records), FixedScores()))  # type: ignore[arg-type]


def test_a_need_is_read_back_with_what_fits() -> None:
    (notice,) = suggested(NEED, made("a", 9, session_minutes=45), made("b", 5, session_minutes=90))
    assert "residents (must); up to 60 minutes (must)" in notice
    assert "“Work 9” (45 minutes)" in notice
    assert "Work 5" not in notice


def test_what_keeps_the_hour_but_is_on_another_topic_does_not_fit() -> None:
    (notice,) = suggested(NEED, made("a", 9, session_minutes=45, topics=("indigenous health",)))
    assert "Nothing that I know keeps all that must hold" in notice


@pytest.mark.parametrize(
    "question", ["Does implicit bias training work?", "How did students at Brown change their lectures?", "residents"]
)
def test_any_other_question_gets_nothing(question: str) -> None:
    assert suggested(question, made("a", 9, session_minutes=45)) == ()


def test_an_answer_keeps_its_claims_and_a_refusal_stays_one(tmp_path: Path) -> None:
    item = record("vitals", (Facet.SUMMARY, "a workshop on microaggressions for residents"), audience=("residents",))
    assert looks_for_resources(NEED)
    reply = engine(tmp_path, ExtractiveDrafter(), item).reply(NEED)
    assert [claim.text for claim in reply.claims] == ["a workshop on microaggressions for residents"]
    assert any(notice.startswith("You may be looking for") for notice in reply.notices)
    no = GivenCare(at_once=Judgement(Outcome.REFUSE, Reason.HARMFUL, "No."))
    assert engine(tmp_path / "b", ExtractiveDrafter(), item, care=no).reply(NEED).notices == ()
