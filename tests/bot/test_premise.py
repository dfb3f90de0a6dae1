import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.premise import contradictions, names, numbers, split

STATEMENTS = [
    "All 17 Canadian schools endorsed the commitment.",
    "The seminar was required and scores rose from 54.8% to 92.5%.",
]


@pytest.mark.parametrize(
    ("question", "asserted", "asked"),
    [
        (
            "Since only 12 cases were rewritten, is it worth copying?",
            "only 12 cases were rewritten",
            "is it worth copying?",
        ),
        (
            "Bristol was the last to sign. Why did it take so long?",
            "Bristol was the last to sign.  it take so long",
            "Why did it take so long?",
        ),
        ("Which schools have signed?", "", "Which schools have signed?"),
        ("The test found many students silent. reasons?", "The test found many students silent.", "reasons?"),
    ],
)
def test_what_is_asserted_is_told_from_what_is_asked(question: str, asserted: str, asked: str) -> None:
    parts = split(question)
    assert (parts.asserted, parts.asked) == (asserted, asked)


def test_a_tag_question_asserts_the_whole() -> None:
    parts = split("The videos cost $5,000, right?")
    assert parts.tagged
    assert parts.asserted == "The videos cost $5,000"


def test_figures_in_words_and_digits_are_the_same() -> None:
    assert numbers("Fifty-five of twelve") == numbers("55 of 12")


def test_a_figure_that_the_record_lacks_is_counted() -> None:
    found = contradictions("only 11 of 17 schools endorsed it", " ".join(STATEMENTS), STATEMENTS)
    assert (found.unknown_numbers, found.known_numbers) == (1, 1)


def test_a_name_that_the_record_lacks_is_counted() -> None:
    assert contradictions("the schools at Harvard endorsed it", " ".join(STATEMENTS), STATEMENTS).unknown_names == 1


def test_the_other_side_of_a_pair_of_opposites_is_counted() -> None:
    assert contradictions("the seminar was optional", " ".join(STATEMENTS), STATEMENTS).opposite_words >= 1
    assert contradictions("the seminar was required", " ".join(STATEMENTS), STATEMENTS).opposite_words == 0


@given(st.text(max_size=300))
def test_any_text_can_be_split_and_compared(text: str) -> None:
    parts = split(text)
    contradictions(parts.asserted, "a record", ["a statement"])
    assert isinstance(names(text), tuple)
