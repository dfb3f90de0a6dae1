import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.judge import float_of, judge, light_edits, mutants, numbers_in

SAYS = "In 2021, some students at Harvard surveyed 142 residents over three weeks, and trust did not rise."


@pytest.mark.parametrize(
    ("claim", "objection"),
    [
        (SAYS.replace("142", "412"), "number"),
        (SAYS.replace("three weeks", "three months"), "number"),
        (SAYS.replace("did not rise", "did rise"), "negation"),
        (SAYS.replace("Harvard", "Yale"), "name"),
        (SAYS.replace("residents", "nurses"), "group"),
        (SAYS.replace("some students", "all students"), "scope"),
        (SAYS.replace("rise", "fall"), "direction"),
        (SAYS.replace("some ", ""), "scope"),
        ('Trust "collapsed entirely" among students at Harvard who surveyed 142 residents.', "quotation"),
        ("Petitions should be short.", "words"),
    ],
)
def test_a_claim_with_one_thing_changed_is_refused_for_it(claim: str, objection: str) -> None:
    found = judge(claim, [SAYS])
    assert not found.supported
    assert objection in {text.split(":")[0] for text in found.objections}


@pytest.mark.parametrize(
    "claim",
    [
        SAYS,
        SAYS.replace("2021", "2021").replace("three weeks", "3 weeks"),
        "Some students at Harvard surveyed 142 residents in 2021 over three weeks, and trust did not rise.",
    ],
)
def test_what_the_passage_says_is_accepted_in_other_order_and_spelling(claim: str) -> None:
    assert judge(claim, [SAYS]).supported


def test_a_claim_without_citation_is_not_supported() -> None:
    assert judge("Anything.", []).objections == ("no citation",)


def test_two_passages_support_together_what_neither_says_alone() -> None:
    parts = ["The workshop lasts 90 minutes.", "The workshop is led by two residents."]
    claim = "The workshop lasts 90 minutes and is led by two residents."
    assert judge(claim, parts).supported
    assert not judge(claim, parts[:1]).supported


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty-eight of 1,755", {"28", "1755"}),
        ("forty thousand people", {"40000"}),
        ("a 90-minute session, p < .05", {"90"}),
        ("no numbers", set()),
    ],
)
def test_numbers_are_read_in_figures_and_in_words(text: str, numbers: set[str]) -> None:
    assert numbers <= numbers_in(text)


@given(st.text(max_size=200).filter(lambda text: any(map(str.isalnum, text))))
def test_any_text_supports_itself_and_can_be_mutated(text: str) -> None:
    found = judge(text, [text])
    assert found.supported
    for _, mutant in mutants(text, ["Tuskegee"]):
        assert mutant != text
    list(light_edits(text))


def test_mutations_change_one_thing_and_are_the_same_in_every_run() -> None:
    says = SAYS.replace("residents", "nurses").replace("students", "people")
    once, again = (list(mutants(says, ["Tuskegee", "Atlanta"])) for _ in range(2))
    assert once == again
    assert {kind for kind, _ in once} >= {"number", "name", "group", "scope"}
    assert float_of("3.5.1") == 3.51
