"""Derived values: each is justified by words of its record, and none survives without them."""

from pathlib import Path

import pytest

from knowledge.record import Facet, read_record
from knowledge.teaching import Evaluation, Session, Teaching, read_teaching, says, session_length, teaching_of
from tests.fakes import record

RECORDS = Path(__file__).parents[2] / "knowledge" / "records"


@pytest.mark.parametrize("name", sorted(read_teaching()))
def test_every_derived_value_quotes_its_record(name: str) -> None:
    curated, derived = read_record(RECORDS / f"{name}.md"), read_teaching()[name]
    quotes = [*derived.delivery.values()]
    quotes += [derived.evaluated.quote] if derived.evaluated else []
    quotes += [derived.session.quote] if derived.session else []
    assert quotes
    assert [quote for quote in quotes if not says(curated, quote)] == []


def test_a_derived_length_is_given_only_where_the_record_has_none() -> None:
    both = [
        name for name, t in read_teaching().items() if t.session and read_record(RECORDS / f"{name}.md").session_minutes
    ]
    assert both == []


def test_a_value_whose_words_left_the_record_is_unknown() -> None:
    known = {"a": Teaching(evaluated=Evaluation(value=True, quote="scores rose"), delivery={"online": "by video"})}
    before = record("a", (Facet.FINDING, "After it, scores rose."), format="by video")
    after = record("a", (Facet.FINDING, "After it, nothing was measured."), format="by video")
    assert teaching_of(before, known).evaluated is not None
    assert teaching_of(after, known).evaluated is None
    assert teaching_of(after, known).delivery == {"online": "by video"}


def test_the_length_is_the_field_then_the_derived_range_then_unknown() -> None:
    ranged = Teaching(session=Session(shortest=60, longest=90, quote="x"))
    assert session_length(record("a", (Facet.SUMMARY, "x"), session_minutes=45), ranged) == (45, 45)
    assert session_length(record("a", (Facet.SUMMARY, "x")), ranged) == (60, 90)
    assert session_length(record("a", (Facet.SUMMARY, "x"), total_minutes=600), Teaching()) is None


def test_a_range_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match="shortest is longer"):
        Session(shortest=90, longest=60, quote="x")
