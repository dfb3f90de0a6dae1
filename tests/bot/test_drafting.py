from dataclasses import replace

import pytest

from bot.drafting import DraftLine, ExtractiveDrafter, facet_order
from bot.reply import Evidence
from knowledge.record import Facet
from tests.fakes import evidence, record, scored

S, F, P, C = Facet.SUMMARY, Facet.FINDING, Facet.PRACTICE, Facet.CAUTION
HOW = "How do I start?"


def draft(items: list[Evidence], question: str = HOW) -> list[DraftLine]:
    return list(ExtractiveDrafter().draft(question, items))


def texts(items: list[Evidence], question: str = HOW) -> list[str]:
    return [line.text for line in draft(items, question)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("How do I get race-based eGFR out of our lectures?", P),
        ("what can students do about a biased slide", P),
        ("Does implicit bias training work?", F),
        ("How many schools dropped race from eGFR?", F),
        ("Is it safe to sign an open letter?", C),
        ("I fear retaliation. How do I speak up?", C),
        ("What are the limits of this study?", C),
        ("What does the study not say?", C),
        ("What is power mapping?", S),
    ],
)
def test_the_question_decides_what_comes_first(question: str, first: Facet) -> None:
    assert facet_order(question)[0] is first
    assert sorted(facet_order(question)) == sorted(Facet)


def test_statements_are_verbatim_and_carry_their_key() -> None:
    assert texts(evidence(record("r", (P, "Write to the dean.")))) == ["Write to the dean. [E1]"]


def test_a_finding_has_its_records_caution_behind_it() -> None:
    items = evidence(
        record("r", (F, "Scores rose by half."), (P, "Meet the course director first."), (C, "One site only."))
    )
    assert draft(items, "Does it work?") == [
        DraftLine("Scores rose by half. [E1]"),
        DraftLine("One site only. [E3]", limits=True),
        DraftLine("Meet the course director first. [E2]"),
    ]


def test_a_caution_without_what_it_limits_stays_away() -> None:
    items = evidence(
        record("r", (P, "Write to the dean.")), record("s", (C, "One hospital took part."), (F, "Pain fell."))
    )
    write, caution, finding = (
        replace(item, hit=replace(item.hit, dense=n)) for item, n in zip(items, [0.9, 0.4, 0.5], strict=True)
    )
    assert texts([write, caution, scored(finding, 0.1)]) == ["Write to the dean. [E1]"]
    fitting = replace(caution, hit=replace(caution.hit, dense=0.6))
    assert texts([write, fitting, scored(finding, 0.1)]) == ["Write to the dean. [E1]", "One hospital took part. [E2]"]


def test_a_caution_leads_only_when_limits_are_asked_for() -> None:
    items = evidence(record("r", (C, "One site only."), (F, "Scores rose by half.")))
    assert texts(items, "Does it work?")[0] == "Scores rose by half. [E2]"
    assert texts(items, "What are the limits?")[0] == "One site only. [E1]"


def test_at_most_eight_statements_and_three_of_a_record() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    records = [
        record(f"r{n}", *[(P, f"{letters[n * 4 + m] * 5} {letters[n * 4 + m] * 7}") for m in range(4)])
        for n in range(4)
    ]
    lines = texts(evidence(*records, scores=[0.9] * 16))
    assert len(lines) == 8
    keys = [int(line.split("[E")[1].rstrip("]")) - 1 for line in lines]
    assert max(sum(key // 4 == n for key in keys) for n in range(4)) == 3


def test_two_statements_that_say_the_same_are_shown_once() -> None:
    items = evidence(record("r", (P, "Write a letter to the dean.")), record("s", (P, "Write the dean a letter.")))
    assert texts(items) == ["Write a letter to the dean. [E1]"]


def test_two_records_of_one_work_do_not_stand_side_by_side() -> None:
    one = record("one", (P, "Write to the dean."), related=["other"])
    other = record("other", (P, "Ask for a meeting."), related=["one"])
    assert texts(evidence(one, other)) == ["Write to the dean. [E1]"]


def test_a_much_weaker_statement_is_left_out() -> None:
    items = evidence(record("r", (P, "Write to the dean.")), record("s", (P, "Ask for a meeting.")), scores=[0.9, 0.5])
    assert texts(items) == ["Write to the dean. [E1]"]


def test_among_equals_the_stronger_tier_comes_first() -> None:
    personal = record("a", (P, "Write to the dean."), tier="personal")
    reviewed = record("b", (P, "Ask for a meeting."), tier="peer-reviewed")
    assert texts(evidence(personal, reviewed, scores=[0.9, 0.9]))[0] == "Ask for a meeting. [E2]"


def test_the_order_of_equal_evidence_does_not_matter() -> None:
    items = evidence(record("a", (P, "Write to the dean.")), record("b", (P, "Ask for a meeting.")), scores=[0.9, 0.9])
    assert sorted(texts(items)) == sorted(texts(items[::-1]))
    assert texts(items)[0] == texts(items[::-1])[0]


def test_no_evidence_makes_no_draft() -> None:
    assert texts([]) == []
