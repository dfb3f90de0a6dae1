"""Plans: every line is a statement with its source or the person's own, also after editing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assembly import assemble_planner
from bot.document import Document, Line, Section
from bot.plan import Planner, Situation, editable, read_edited
from knowledge.errors import QuestionError
from knowledge.record import Facet
from knowledge.settings import IndexSettings
from tests.fakes import record

ONE = record("one", (Facet.PRACTICE, "Bring a friend."), (Facet.SUMMARY, "A guide."))
TWO = record("two", (Facet.PRACTICE, "Ask twice."))
PLAN = Document(
    "Plan: more light",
    (
        Section("Goal", (Line("more light", "own"),)),
        Section("Steps", (Line("Bring a friend.", "cited", (1,)), Line("Ask twice.", "cited", (2,)))),
    ),
    (ONE, TWO),
)


def backed(document: Document) -> bool:
    return all(
        line.origin == "own"
        or all(any(s.text == line.text for s in document.sources[m - 1].statements) for m in line.markers)
        for section in document.sections
        for line in section.lines
    )


def test_an_unedited_plan_comes_back_as_it_was() -> None:
    assert read_edited(editable(PLAN), PLAN.sources) == PLAN


def test_a_changed_statement_is_the_persons_own_and_its_source_goes() -> None:
    edited = read_edited(editable(PLAN).replace("Bring a friend.", "Bring ten friends."), PLAN.sources)
    assert edited.sections[1].lines == (Line("Bring ten friends.", "own"), Line("Ask twice.", "cited", (1,)))
    assert edited.sources == (TWO,)


def test_a_marker_put_behind_other_words_backs_nothing() -> None:
    edited = read_edited("## Steps\n- We will win. [1]\n- Bring a friend. [2]\n- Bring a friend. [9]", PLAN.sources)
    assert [line.origin for line in edited.sections[0].lines] == ["own", "own", "own"]


@given(text=st.text(max_size=200))
def test_any_edit_leaves_only_backed_or_own_lines(text: str) -> None:
    assert backed(read_edited(text + "\n" + editable(PLAN), PLAN.sources))


@pytest.fixture(scope="module")
def planner(built_data: Path) -> Planner:
    return assemble_planner(IndexSettings(data=built_data))


@pytest.mark.real
def test_a_real_plan_has_all_parts_and_nothing_unbacked(planner: Planner) -> None:
    situation = Situation(
        "Show skin of colour in our dermatology lectures", "second-year student representatives", "Example School",
        "one lecturer is on our side", "we fear bad evaluations", "until June",
    )  # fmt: skip
    plan = planner.plan(situation)
    assert [section.heading for section in plan.sections] == [
        "Goal", "Evidence to bring", "Steps", "Allies and committees", "Risks and how to lower them", "How to measure progress",
    ]  # fmt: skip
    assert backed(plan)
    own = {line.text for section in plan.sections for line in section.lines if line.origin == "own"}
    assert {"one lecturer is on our side", "we fear bad evaluations", "until June"} <= own
    assert any("skin" in line.text for line in plan.sections[1].lines)


@pytest.mark.real
def test_a_plan_without_a_goal_asks_for_one(planner: Planner) -> None:
    with pytest.raises(QuestionError, match="what you want to change"):
        planner.plan(Situation(" "))
    with pytest.raises(QuestionError, match="shorten"):
        planner.plan(Situation("x" * 1_001))
