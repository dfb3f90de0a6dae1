"""Free text to needs: lengths, audiences, formats, places, and what must hold."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.needs import audiences, fold, looks_for_resources, minutes, read_need, with_options
from knowledge.errors import SettingsError

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "evals" / "cases" / "parse.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_audience_and_minutes_of_a_case_are_read(case: dict) -> None:
    need = read_need(case["text"])
    assert set(need.audience) == set(case["audience"])
    assert (need.min_minutes, need.max_minutes) == (case["min_minutes"], case["max_minutes"])
    if case["origin"] == "development":
        assert (need.format, need.country) == (case["format"], case["country"])


@given(hours=st.integers(1, 12), minutes_more=st.sampled_from([0, 15, 30, 45]))
def test_a_length_reads_the_same_however_it_is_written(hours: int, minutes_more: int) -> None:
    total = 60 * hours + minutes_more
    decimal = f"{hours + minutes_more / 60:g}"
    for text in (
        f"residents, {total} minutes",
        f"residents, {decimal} hours",
        f"residents, {decimal}h",
        f"residents, {hours} h {minutes_more} min" if minutes_more else f"residents, {hours} hr",
    ):
        assert minutes(fold(text)) == (None, total), text


@given(low=st.integers(1, 200), more=st.integers(1, 200))
def test_a_range_fills_both_bounds(low: int, more: int) -> None:
    assert minutes(fold(f"between {low} and {low + more} minutes")) == (low, low + more)
    assert minutes(fold(f"{low}-{low + more} min")) == (low, low + more)


@given(text=st.text(max_size=300))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    need = read_need(text)
    assert need.max_minutes is None or need.max_minutes > 0


def test_who_asks_is_not_who_is_taught() -> None:
    assert audiences(fold("I am a clerkship director; my third-years get 75 minutes")) == ("clinical students",)
    assert audiences(fold("the chair agreed to give us a slot with the residents")) == ("residents",)
    assert audiences(fold("I direct the residency")) == ("residents",)


def test_a_journey_is_no_session_and_a_total_is_not_its_length() -> None:
    assert minutes(fold("I drive 50 minutes each way")) == (None, None)
    assert minutes(fold("four sessions of 45 minutes, three hours in total")) == (None, 45)


def test_a_wish_need_not_hold_and_a_demand_must() -> None:
    assert "format" not in read_need("residents, preferably online").hard
    assert "format" in read_need("residents, it has to be online").hard
    assert "evaluated" not in read_need("one hour for residents, ideally evaluated").hard
    assert "evaluated" in read_need("one hour for residents that has been evaluated").hard


def test_the_patients_and_people_named_by_origin_are_no_country() -> None:
    assert read_need("African American patients, American Indian health, Latin American medicine").country is None
    assert read_need("a workshop for residents in British Columbia").country == "Canada"
    assert read_need("we teach in English").country is None


def test_an_option_wins_over_the_text_and_must_hold() -> None:
    need = with_options(read_need("one hour for residents, preferably online"), max_minutes=45, format="Lecture")
    assert (need.max_minutes, need.format, need.audience) == (45, "lecture", ("residents",))
    assert {"max_minutes", "format"} <= need.hard


def test_an_option_outside_the_vocabulary_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="Choose from: medical students"):
        with_options(read_need("x"), audience=["surgeon barbers"])
    with pytest.raises(SettingsError, match="above 0"):
        with_options(read_need("x"), max_minutes=0)


def test_a_request_for_something_to_teach_with_is_told_from_a_question() -> None:
    assert looks_for_resources("I need a 60 minute workshop for residents on microaggressions")
    assert looks_for_resources("Is there an online module on implicit bias for dental students?")
    assert not looks_for_resources("Does implicit bias training work?")
    assert not looks_for_resources("How did students at Brown change their lectures?")
