from pathlib import Path

import pytest

from bot.care import Care, Judgement
from bot.drafting import Drafter, DraftLine, ExtractiveDrafter
from bot.engine import Engine
from bot.reply import Outcome, Reason, Reply, ShownClaim, Stage
from bot.retriever import Retriever
from knowledge.record import Facet, Record
from tests.fakes import FixedLibrary, GivenCare, LetterEmbedder, ScriptedDrafter, WordVerifier, record, small_index

PETITION = record(
    "petition",
    (Facet.PRACTICE, "students sign a petition"),
    (Facet.FINDING, "the petition won"),
    (Facet.CAUTION, "one school only"),
    questions=["How can students petition a dean for change?"],
)
LETTER = record(
    "letter", (Facet.PRACTICE, "write a letter to deans"), questions=["Which letters do deans answer quickly?"]
)
QUESTION = "how can students sign a petition"


def engine(folder: Path, drafter: Drafter, *records: Record, care: Care | None = None) -> Engine:
    library = FixedLibrary(small_index(folder / "index", *(records or (PETITION, LETTER))))
    retriever = Retriever(LetterEmbedder())
    return Engine(library, retriever, drafter, WordVerifier(), care or GivenCare(), most_characters=200)


def test_an_answer_has_cited_claims_numbered_sources_and_its_provenance(tmp_path: Path) -> None:
    reply = engine(tmp_path, ExtractiveDrafter()).reply(QUESTION)
    assert reply.outcome is Outcome.ANSWER
    first = reply.claims[0]
    assert first.text == first.citations[0].passage.text == "students sign a petition"
    assert [(source.marker, source.record.id) for source in reply.sources][0] == (1, "petition")
    assert {c.marker for claim in reply.claims for c in claim.citations} == {source.marker for source in reply.sources}
    assert set(reply.retrieved) == {"petition", "letter"}
    assert reply.searches == ("exact", "bm25")
    assert set(reply.timings_ms) == {"retrieve", "draft", "verify", "total"}


def test_an_unsupported_line_is_withheld_and_counted(tmp_path: Path) -> None:
    reply = engine(tmp_path, ScriptedDrafter("students sign a petition [E1]", "students burn a petition [E1]")).reply(
        QUESTION
    )
    assert [claim.text for claim in reply.claims] == ["students sign a petition"]
    assert reply.withheld == 1


@pytest.mark.parametrize(
    "line", ["students sign a petition [E99]", "students sign a petition", "students sign a petition [E1][E99]"]
)
def test_a_line_whose_markers_name_no_evidence_is_withheld(tmp_path: Path, line: str) -> None:
    reply = engine(tmp_path, ScriptedDrafter(line)).reply(QUESTION)
    assert (reply.outcome, reply.reason, reply.claims, reply.withheld) == (Outcome.ABSTAIN, Reason.UNSUPPORTED, (), 1)
    assert [item.id for item in reply.nearest][0] == "petition"


@pytest.mark.parametrize(
    "lines",
    [
        ("the petition won [E1][E2][E3]", DraftLine("one city only [E1][E2][E3]", limits=True)),
        ("the petition lost [E1][E2][E3]", DraftLine("one school only [E1][E2][E3]", limits=True)),
    ],
    ids=["caveat fails", "finding fails"],
)
def test_a_finding_and_its_caveat_are_shown_together_or_not_at_all(
    tmp_path: Path, lines: tuple[str, DraftLine]
) -> None:
    reply = engine(tmp_path, ScriptedDrafter(*lines, "students sign a petition [E1]")).reply(QUESTION)
    assert [claim.text for claim in reply.claims] == ["students sign a petition"]
    assert reply.withheld == 2


def test_sources_are_numbered_in_the_order_in_which_they_are_shown(tmp_path: Path) -> None:
    drafter = ScriptedDrafter()
    bot = engine(tmp_path, drafter)
    bot.reply(QUESTION)
    key = {item.passage.text: item.key for item in drafter.offered}
    drafter.lines = [
        DraftLine(f"{text} [{key[text]}]")
        for text in ("students burn it all", "write a letter to deans", "the petition won")
        if text in key
    ]
    reply = bot.reply(QUESTION)
    assert [(source.marker, source.record.id) for source in reply.sources] == [(1, "letter"), (2, "petition")]


def test_where_the_evidence_does_not_carry_an_answer_nothing_is_claimed_and_no_drafter_is_asked(tmp_path: Path) -> None:
    drafter = ScriptedDrafter("students sign a petition [E1]")
    care = GivenCare(Judgement(Outcome.ABSTAIN, Reason.NO_EVIDENCE, "I do not know."))
    reply = engine(tmp_path, drafter, care=care).reply(QUESTION)
    assert (reply.outcome, reply.reason, reply.claims, reply.sources) == (Outcome.ABSTAIN, Reason.NO_EVIDENCE, (), ())
    assert drafter.offered == []
    assert {item.id for item in reply.nearest} == {"petition", "letter"}


def test_what_is_no_question_is_asked_back(tmp_path: Path) -> None:
    bot = engine(tmp_path, ExtractiveDrafter())
    assert [(bot.reply(q).outcome, bot.reply(q).reason) for q in ("  ", "x" * 201)] == [
        (Outcome.CLARIFY, Reason.EMPTY),
        (Outcome.CLARIFY, Reason.TOO_LONG),
    ]


def test_a_stream_shows_stages_then_claims_then_the_same_claims_in_the_reply(tmp_path: Path) -> None:
    events = list(engine(tmp_path, ExtractiveDrafter()).stream(QUESTION))
    kinds = [type(event) for event in events]
    assert kinds[0] is Stage
    assert kinds[-1] is Reply
    assert kinds.index(ShownClaim) > max(place for place, kind in enumerate(kinds) if kind is Stage)
    assert tuple(event for event in events if isinstance(event, ShownClaim)) == events[-1].claims


def test_follow_ups_are_questions_of_records_and_not_the_question_itself(tmp_path: Path) -> None:
    reply = engine(tmp_path, ScriptedDrafter("students sign a petition [E1]")).reply(
        "How can students petition a dean?"
    )
    assert reply.follow_ups == ("Which letters do deans answer quickly?",)
