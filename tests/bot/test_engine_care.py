from pathlib import Path

import pytest

from bot.care import Judgement
from bot.engine import Engine
from bot.reply import Outcome, Reason
from bot.retriever import Retriever
from knowledge.index import PassageIndex, write_generation
from knowledge.passage import passages_of_all
from knowledge.record import Facet
from tests.fakes import GivenCare, LetterEmbedder, ScriptedDrafter, WordVerifier, record

RECORD = record("one", (Facet.FINDING, "Apples are red."), questions=["What colour are apples?"])


class OneIndex:
    def __init__(self, index: PassageIndex) -> None:
        self._index = index

    def get(self) -> PassageIndex:
        return self._index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PassageIndex:
    folder: Path = tmp_path_factory.mktemp("generation")
    embedder = LetterEmbedder()
    texts = [passage.text for passage in passages_of_all([RECORD])]
    manifest = write_generation(
        folder, [RECORD], embedder.embed(texts), embedder.embed(list(RECORD.questions)), "letters"
    )
    return PassageIndex(folder, manifest)


def engine(index: PassageIndex, care: GivenCare, drafter: ScriptedDrafter) -> Engine:
    return Engine(OneIndex(index), Retriever(LetterEmbedder()), drafter, WordVerifier(), care, 500)


def test_a_reply_at_once_asks_no_drafter_and_shows_no_claim(index: PassageIndex) -> None:
    drafter = ScriptedDrafter("Apples are red. [E1]")
    care = GivenCare(at_once=Judgement(Outcome.SUPPORT, Reason.CRISIS, "Call someone."))
    reply = engine(index, care, drafter).reply("apples?")
    assert (reply.outcome, reply.message, reply.claims, reply.retrieved) == (Outcome.SUPPORT, "Call someone.", (), ())
    assert drafter.offered == []


def test_an_abstention_names_the_nearest_records(index: PassageIndex) -> None:
    care = GivenCare(Judgement(Outcome.ABSTAIN, Reason.NO_EVIDENCE, "Not in the knowledge."))
    reply = engine(index, care, ScriptedDrafter()).reply("apples?")
    assert [near.id for near in reply.nearest] == ["one"]


def test_a_premise_reply_keeps_its_reason_and_shows_checked_claims_only(index: PassageIndex) -> None:
    care = GivenCare(Judgement(Outcome.ABSTAIN, Reason.UNSUPPORTED_PREMISE, "The sources say:", with_claims=True))
    reply = engine(index, care, ScriptedDrafter("Apples are red. [E1]", "Apples are blue. [E1]")).reply(
        "why are apples blue?"
    )
    assert (reply.outcome, reply.reason) == (Outcome.ABSTAIN, Reason.UNSUPPORTED_PREMISE)
    assert [claim.text for claim in reply.claims] == ["Apples are red."]
    assert reply.withheld == 1


@pytest.mark.parametrize(("about", "shown"), [("one", ["Apples are red."]), ("two", [])])
def test_a_corrected_premise_is_answered_from_the_record_that_it_is_about(
    index: PassageIndex, about: str, shown: list[str]
) -> None:
    care = GivenCare(Judgement(Outcome.ABSTAIN, Reason.UNSUPPORTED_PREMISE, "They say:", with_claims=True, about=about))
    reply = engine(index, care, ScriptedDrafter("Apples are red. [E1]")).reply("why are apples blue?")
    assert [claim.text for claim in reply.claims] == shown
    assert reply.reason is (Reason.UNSUPPORTED_PREMISE if shown else Reason.UNSUPPORTED)
    assert [near.id for near in reply.nearest] == ([] if shown else ["one"])


def test_support_stays_support_when_no_claim_can_be_shown(index: PassageIndex) -> None:
    care = GivenCare(Judgement(Outcome.SUPPORT, message="I am sorry.", with_claims=True))
    reply = engine(index, care, ScriptedDrafter("Apples are blue. [E1]")).reply("apples?")
    assert (reply.outcome, reply.message, reply.claims) == (Outcome.SUPPORT, "I am sorry.", ())
