"""What the verifier must never let through, and what honest rewording it must let pass."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.grounding import CascadeVerifier, Check, Support

SURVEY = (
    "In a 2018 survey of 120 nursing students at Northfield University, 54.8% said that a patient had insulted them."
)
COURSE = "Since 2019 the Harbour Medical School has run a six-week online course on racism for its first-year students."
CAUTION = "The Harbour course was evaluated at a single school, and its gains rest on self-report only."
TRIAL = "Students in the video group may have become more confident, but the authors did not measure behaviour."
PETITION = (
    "After residents handed in a petition in March 2021, the dean of Harbour Medical School removed the portrait."
)


WARDS = (
    "Among the older adults who came to the east ward in the first year, 12 (22%) had a mild form of the illness, 13 (26%) a "
    "moderate form, and 5 were often asked by the nurses to give a second sample of blood before they left. "
    "On the west ward 26% of the younger patients were asked."
)


class WordEmbedder:
    """Vectors that a person can work out: each word adds one to a place given by its first letters."""

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """L2-normalised counts of word beginnings."""
        rows = np.zeros((len(texts), 676), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0] = 0.01
            for word in re.findall(r"[a-z]{2,}", text.lower()):
                row[(ord(word[0]) - 97) * 26 + ord(word[1]) - 97] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class CountingEmbedder(WordEmbedder):
    """Counts how often it was called."""

    calls = 0

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Count, then embed."""
        self.calls += 1
        return super().__call__(texts)


def check(claim: str, *passages: str) -> Check:
    return CascadeVerifier(WordEmbedder()).check(claim, passages)


@pytest.mark.parametrize("passage", [SURVEY, COURSE, CAUTION, TRIAL, PETITION])
def test_a_verbatim_sentence_is_fully_supported(passage: str) -> None:
    assert check(passage, passage).support is Support.FULL
    assert check(passage, CAUTION, passage).support is Support.FULL


def test_markers_are_stripped_before_the_check() -> None:
    assert check(COURSE.rstrip(".") + " [1][E3].", COURSE).support is Support.FULL


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("The Harbour Medical School has run a six-week online course on racism since 2019.", COURSE),
        ("Since 2019 the Harbour Medical School has held a six-week online course on racism for first-years.", COURSE),
        (
            "In a 2018 survey at Northfield, just over half of 120 nursing students said a patient had insulted them.",
            SURVEY,
        ),
        ("The dean of Harbour Medical School took out the portrait after a petition from residents in 2021.", PETITION),
    ],
)
def test_an_honest_paraphrase_is_fully_supported(claim: str, passage: str) -> None:
    assert check(claim, passage).support is Support.FULL


@pytest.mark.parametrize(
    ("kind", "claim", "passage"),
    [
        ("percentage", SURVEY.replace("54.8%", "92.5%"), SURVEY),
        ("count", SURVEY.replace("120", "210"), SURVEY),
        ("year", SURVEY.replace("2018", "2008"), SURVEY),
        ("number in words", COURSE.replace("six-week", "eight-week"), COURSE),
        ("share in words", "More than three quarters of Northfield's nursing students had been insulted.", SURVEY),
        ("unit", COURSE.replace("six-week", "six-month"), COURSE),
        ("group", SURVEY.replace("nursing students", "nursing residents"), SURVEY),
        ("people", TRIAL.replace("Students", "Black students"), TRIAL.replace("Students", "White students")),
        ("name", SURVEY.replace("Northfield", "Southfield"), SURVEY),
        ("month", PETITION.replace("March", "May"), PETITION),
        ("negation added", PETITION.replace("removed", "did not remove"), PETITION),
        ("negation dropped", TRIAL.replace("did not measure behaviour", "measured behaviour"), TRIAL),
        ("direction", TRIAL.replace("more confident", "less confident"), TRIAL),
        ("doubt dropped", TRIAL.replace("may have become", "became"), TRIAL),
        ("order of time", PETITION.replace("After residents", "Before residents"), PETITION),
        ("cause proved", "The Harbour course proved that online teaching ends racism.", CAUTION),
        ("scope", "All medical schools in the country run an online course on racism.", COURSE),
        ("caveat dropped", "The Harbour course has been shown to work at every school.", CAUTION),
        ("made-up detail", COURSE.rstrip(".") + ", paid for by a grant from the city.", COURSE),
        ("another statement", "The dean of Harbour Medical School removed the portrait after a petition.", COURSE),
        ("plan told as done", "The school has made it compulsory.", "The school plans to make it compulsory."),
    ],
)  # fmt: skip
def test_a_corrupted_claim_is_never_fully_supported(kind: str, claim: str, passage: str) -> None:
    assert claim != passage, kind
    assert check(claim, passage).support is not Support.FULL


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("12 (22%)", "12 (26%)"),
        ("blood", "courage"),
        ("illness", "syllabus"),
        ("second", "tearful"),
        ("nurses", "curtains"),
        ("older", "younger"),
        ("adults", "children"),
        ("mild", "severe"),
        ("often", "always"),
    ],
)
def test_one_word_exchanged_in_a_long_quotation_is_never_fully_supported(word: str, other: str) -> None:
    first = WARDS.partition(" On the west")[0]
    assert check(first, WARDS).support is Support.FULL
    changed = check(first.replace(word, other), WARDS)
    assert changed.support is not Support.FULL
    assert other.split()[-1].strip("(%)") in changed.reason


@pytest.mark.parametrize(
    "claim",
    [
        COURSE + " See https://example.org/course",
        COURSE + " [Read more](http://example.org)",
        COURSE + " ![map](map.png)",
        "<b>" + COURSE + "</b>",
        COURSE + " doi 10.1000/xyz123",
        COURSE + " More at harbour-course.org",
    ],
)
def test_an_address_or_markup_that_the_passage_lacks_is_refused(claim: str) -> None:
    assert check(claim, COURSE).support is Support.NONE


def test_an_address_that_the_passage_has_may_stay() -> None:
    passage = "The course is described at https://example.org/course for everyone."
    assert check(passage, passage).support is Support.FULL


@pytest.mark.parametrize(
    "claim",
    [
        "According to Miller et al. 2017, the Harbour Medical School has run a six-week online course on racism.",
        "A Lancet review says that the Harbour Medical School has run a six-week online course on racism.",
        "In Miller (2017), the Harbour Medical School has run a six-week online course on racism.",
    ],
)
def test_a_source_that_the_passage_does_not_name_is_refused(claim: str) -> None:
    verdict = check(claim, COURSE)
    assert verdict.support is Support.NONE
    assert "source" in verdict.reason


def test_a_quotation_must_be_verbatim() -> None:
    passage = 'One resident said that "nobody asked us before the portrait went up" at Harbour.'
    assert check('One resident at Harbour said that "nobody asked us".', passage).support is not Support.NONE
    wrong = check('One resident at Harbour said that "they never listened to us".', passage)
    assert wrong.support is Support.NONE
    assert "quotation" in wrong.reason


def test_a_question_or_the_writers_own_voice_is_no_supported_claim() -> None:
    assert (
        check("Has the Harbour Medical School run a six-week online course on racism since 2019?", COURSE).support
        is Support.NONE
    )
    assert check("I am sure that the Harbour Medical School has run an online course.", COURSE).support is Support.NONE


def test_a_claim_may_join_two_passages_but_not_cross_them() -> None:
    one = "The Northfield workshop reached 310 residents."
    other = "The Harbour workshop reached 95 midwives."
    assert check("The Northfield workshop reached 95 midwives.", one, other).support is not Support.FULL


@pytest.mark.parametrize("claim", ["", "   ", "...", "[1]", "[E2] [E3]"])
def test_an_empty_claim_is_never_supported(claim: str) -> None:
    assert check(claim, COURSE).support is Support.NONE


def test_without_an_embedder_only_verbatim_sentences_are_accepted() -> None:
    verifier = CascadeVerifier()
    assert verifier.check(COURSE, [COURSE]).support is Support.FULL
    assert (
        verifier.check("The Harbour Medical School has run an online course on racism.", [COURSE]).support
        is not Support.FULL
    )


def test_the_reason_says_what_differs() -> None:
    assert check(SURVEY.replace("54.8%", "92.5%"), SURVEY).reason == "the passage says 54.8%, the claim 92.5%"
    assert "Southfield" in check(SURVEY.replace("Northfield", "Southfield"), SURVEY).reason


def test_many_claims_cost_one_call_of_the_embedder() -> None:
    embed = CountingEmbedder()
    CascadeVerifier(embed).check_all(
        [(SURVEY, [COURSE, SURVEY]), ("The course runs online.", [COURSE]), ("", [COURSE])]
    )
    assert embed.calls == 1


def test_one_check_alone_and_among_others_agree() -> None:
    pairs = [("The course runs online.", [COURSE]), (SURVEY.replace("120", "121"), [SURVEY]), (CAUTION, [CAUTION])]
    verifier = CascadeVerifier(WordEmbedder())
    assert verifier.check_all(pairs) == [verifier.check(*pair) for pair in pairs]


WORDS = st.sampled_from(
    [
        "teachers",
        "students",
        "learned",
        "about",
        "racism",
        "in",
        "clinics",
        "during",
        "placements",
        "with",
        "local",
        "partners",
    ]
)
SENTENCES = st.lists(WORDS, min_size=3, max_size=12).map(lambda words: " ".join(words).capitalize() + ".")


@settings(max_examples=60, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=5), st.data())
def test_any_sentence_of_a_passage_is_fully_supported_by_it(written: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(written))
    assert check(chosen, " ".join(written)).support is Support.FULL


@settings(max_examples=60, deadline=None)
@given(st.integers(100, 9999), st.integers(0, 3), st.integers(1, 9))
def test_a_changed_digit_is_never_fully_supported(number: int, place: int, step: int) -> None:
    digits = list(str(number))
    at = place % len(digits)
    digits[at] = str((int(digits[at]) + step) % 10)
    assume(digits[0] != "0")
    passage = f"The Harbour workshop reached {number} residents in three towns."
    assert check(passage.replace(str(number), "".join(digits)), passage).support is not Support.FULL


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.lists(st.sampled_from(["", "  ", "\n"]), max_size=3))
def test_nothing_is_supported_by_empty_passages(claim: str, passages: list[str]) -> None:
    assert check(claim, *passages).support is Support.NONE


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=120), st.lists(st.text(max_size=120), max_size=3))
def test_no_text_breaks_the_verifier(claim: str, passages: list[str]) -> None:
    verdict = check(claim, *passages)
    assert 0 <= verdict.score <= 1
    assert verdict.reason
