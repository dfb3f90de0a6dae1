from collections.abc import Iterator, Sequence

import pytest

from bot.drafting import DraftLine, ExtractiveDrafter
from bot.reply import Evidence
from bot.writing import NOTHING_HELD, THE_REST, WITHOUT_MODEL, Writing
from knowledge.errors import ModelError
from knowledge.record import Facet
from tests.fakes import ScriptedDrafter, WordVerifier, evidence, record

RECORD = record("a", (Facet.FINDING, "it rose"), (Facet.CAUTION, "one site"), (Facet.PRACTICE, "start small"))
FOUND = evidence(RECORD, record("b", (Facet.FINDING, "it fell")))


class BreakingDrafter(ScriptedDrafter):
    """Writes its lines and then fails."""

    def draft(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftLine]:
        yield from super().draft(question, evidence)
        raise ModelError("The model is gone.")


def write(*drafters: ScriptedDrafter | ExtractiveDrafter) -> Writing:
    writing = Writing()
    assert list(writing.claims(drafters, WordVerifier(), "?", FOUND)) == writing.shown
    return writing


def texts(writing: Writing) -> list[str]:
    return [("  " if claim.limits else "") + claim.text for claim in writing.shown]


def test_each_claim_is_shown_before_the_next_is_written() -> None:
    class Watched(ScriptedDrafter):
        def draft(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftLine]:
            for line in super().draft(question, evidence):
                written.append(line.text)
                yield line

    written: list[str] = []
    claims = Writing().claims(
        [Watched("it rose [E1]", "", "it fell [E4]", "", "start small [E3]")], WordVerifier(), "?", FOUND
    )
    assert next(claims).text == "it rose"
    assert written == ["it rose [E1]", ""]
    assert next(claims).text == "it fell"
    claims.close()
    assert written[-1] == ""
    assert "start small [E3]" not in written


def test_a_withheld_claim_is_counted_and_never_shown() -> None:
    writing = write(ScriptedDrafter("it rose [E1]", "it exploded [E1]", "it fell [E9]", "it fell"))
    assert (texts(writing), writing.withheld) == (["it rose", "one site"], 3)


def test_a_finding_goes_with_its_caveat_and_a_caveat_with_its_finding() -> None:
    kept = write(ScriptedDrafter("it rose [E1]", DraftLine("one site [E2]", limits=True)))
    assert texts(kept) == ["it rose", "  one site"]
    lost = write(ScriptedDrafter("it rose [E1]", DraftLine("one planet [E2]", limits=True), "it fell [E4]"))
    assert (texts(lost), lost.withheld) == (["it fell"], 2)
    headless = write(ScriptedDrafter("it exploded [E1]", DraftLine("one site [E2]", limits=True)))
    assert (texts(headless), headless.withheld) == ([], 2)


def test_a_caution_that_a_model_left_out_follows_word_for_word() -> None:
    assert texts(write(ScriptedDrafter("it rose [E1]", "start small [E3]"))) == ["it rose", "start small", "one site"]
    assert texts(write(ScriptedDrafter("it rose one site [E1][E2]"))) == ["it rose one site"]
    assert texts(write(ScriptedDrafter("start small [E3]", "it fell [E4]"))) == ["start small", "it fell"]


def test_markers_are_numbered_in_the_order_of_what_is_shown() -> None:
    writing = write(ScriptedDrafter("it exploded [E1]", "it fell [E4]", "it rose [E1]"))
    assert [claim.citations[0].marker for claim in writing.shown[:2]] == [1, 2]
    assert writing.numbers == {"b": 1, "a": 2}


def test_a_model_that_fails_at_once_is_replaced_by_the_sources_own_words() -> None:
    writing = write(BreakingDrafter(), ExtractiveDrafter())
    assert texts(writing) == texts(write(ExtractiveDrafter()))
    assert writing.notices == [f"The model is gone. {WITHOUT_MODEL}"]
    assert writing.drafters == ["extractive"]


def test_what_was_checked_before_a_failure_stays_and_only_what_is_new_follows() -> None:
    writing = write(BreakingDrafter("it rose [E1]", "", "it exploded [E1]", "it fell [E4]"), ExtractiveDrafter())
    # "it fell" was complete, but a caveat on it may have been lost; the caution on "it rose" stands by itself.
    assert texts(writing) == ["it rose", "one site", "it fell", "start small"]
    assert writing.notices == [f"The model is gone. {THE_REST}"]
    assert writing.drafters == ["scripted", "extractive"]


def test_a_draft_of_which_nothing_holds_is_replaced() -> None:
    writing = write(ScriptedDrafter("it exploded [E1]", "trust me"), ExtractiveDrafter())
    assert writing.shown[0].text == "it rose"
    assert (writing.withheld, writing.notices) == (2, [f"{NOTHING_HELD} {WITHOUT_MODEL}"])


def test_a_model_that_finds_no_answer_is_believed() -> None:
    writing = write(ScriptedDrafter(), ExtractiveDrafter())
    assert (writing.shown, writing.notices) == ([], [])


def test_the_failure_of_the_last_drafter_is_a_fault() -> None:
    with pytest.raises(ModelError):
        write(BreakingDrafter("it rose [E1]"))
