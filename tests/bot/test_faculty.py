"""The tabs for faculty: what was understood and corrected, nothing that runs, and an upload that does not stay."""

import base64
import io
import re
from pathlib import Path

import docx
import gradio as gr
import pytest

from bot.document import Document, Line, Section
from bot.export import FORMATS, export
from bot.needs import Need, read_need
from bot.recommender import NearMiss, Recommendation, Recommended, Why
from bot.review import ReviewError
from bot.ui import resources
from bot.ui.faculty import FILES, Reading, take_away, taken, understood
from knowledge.errors import ChatbotError, QuestionError, SettingsError
from knowledge.passage import passages_of
from knowledge.record import Facet, Record
from knowledge.teaching import teaching_of
from tests.bot.test_ui import HOSTILE, Page
from tests.fakes import record

TEXT = "60 minutes for residents, patient bias"
HTML_TAGS = {
    *"article section div span h2 h3 h4 h5 p ul ol li dl dt dd blockquote button a strong details summary".split(),
    *"table thead tbody tr th td".split(),
}


def corrected(last: Reading, text: str = TEXT, **changes: object) -> tuple[Need, Reading]:
    return understood(text, {**last.shown, **changes}, last)


def test_what_was_understood_is_what_the_text_says() -> None:
    need, reading = corrected(Reading())
    assert need == read_need(TEXT)
    assert (reading.shown["audience"], reading.shown["max_minutes"]) == (["residents"], 60)


def test_a_correction_holds_until_the_text_is_another() -> None:
    _, first = corrected(Reading())
    need, second = corrected(first, max_minutes=30, audience=["fellows"])
    assert (need.max_minutes, need.audience) == (30, ("fellows",))
    need, third = corrected(second)
    assert (need.max_minutes, need.audience) == (30, ("fellows",)), "pressing again changes nothing"
    need, _ = corrected(third, "90 minutes for nurses")
    assert (need.max_minutes, need.audience) == (90, ("nurses",))


def test_what_is_emptied_stays_empty_and_need_not_hold() -> None:
    _, first = corrected(Reading())
    need, second = corrected(first, audience=[], max_minutes=None)
    assert (need.audience, need.max_minutes) == ((), None)
    assert not {"audience", "max_minutes"} & need.hard
    assert second.shown["hard"] == []


def test_what_must_hold_is_what_the_person_says() -> None:
    _, first = corrected(Reading())
    need, second = corrected(first, hard=["audience"])
    assert need.hard == {"audience"}
    need, _ = corrected(second, country="Canada")
    assert need.hard == {"audience", "country"}, "a new choice must hold"


def test_options_alone_are_a_need_and_nothing_is_none() -> None:
    need, _ = corrected(Reading(), " ", topics=["microaggressions"], format="online")
    assert (need.topics, need.format) == (("microaggressions",), "online")
    with pytest.raises(QuestionError, match="choose at least one option"):
        corrected(Reading(), " ")


@pytest.mark.parametrize("change", [{"max_minutes": -5}, {"audience": ["<b>"]}])
def test_a_form_that_no_page_sent_is_refused_in_words(change: dict) -> None:
    with pytest.raises(ChatbotError):
        corrected(Reading(), **change)


def hostile(name: str) -> Record:
    facets = (Facet.SUMMARY, Facet.FINDING, Facet.CAUTION, Facet.PRACTICE)
    return record(name, *((facet, f"{facet} slides {HOSTILE}") for facet in facets), title=HOSTILE, venue=HOSTILE)


def safe(html: str) -> Page:
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= HTML_TAGS
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    return page


def test_hostile_text_is_shown_and_does_nothing() -> None:
    one, two = hostile("one"), hostile("two")
    passages = passages_of(one)
    result = Recommended(one, teaching_of(one), 1.0, tuple(Why(p.text, p.id) for p in passages[:2]), unmet=("country",))
    miss = NearMiss(two.model_copy(update={"format": HOSTILE}), ("format",), False, 0.5)
    found = Recommendation(Need(HOSTILE, country=HOSTILE), (result,), (miss,), (HOSTILE,))
    own = Document(HOSTILE, (Section(HOSTILE, (Line(HOSTILE, "own"), Line(passages[0].text, "cited", (1,)))),), (one,))
    for html in (
        resources.recommendation(found),
        resources.compared([one, two]),
        resources.document(own, "line", "your words"),
        resources.told(HOSTILE),
    ):
        safe(html)
        assert "onerror=&quot;x()" in html


def test_every_reason_and_cited_line_opens_the_passage_that_it_quotes() -> None:
    one = record("one", (Facet.SUMMARY, "A workshop."), (Facet.FINDING, "It helped."))
    passages = passages_of(one)
    result = Recommended(one, teaching_of(one), 1.0, tuple(Why(p.text, p.id) for p in passages), ())
    page = safe(resources.recommendation(Recommendation(Need("x"), (result,), (), ())))
    quotes = [quote["data-passage-id"] for quote in page.having("blockquote")]
    assert quotes == [p.id for p in passages]
    targets = [button["popovertarget"] for button in page.having("button", **{"class": "marker"})]
    assert len(targets) == len(set(targets)) == len(quotes)


def test_a_file_is_in_its_link_and_opens() -> None:
    records = [record("one", (Facet.SUMMARY, "A workshop."), title="On “racism” & care")]
    html = resources.file("a.docx", export(take_away(records, "Reading list"), "docx"))
    data = re.search(r'href="data:[^;]+;base64,([^"]+)"', html)
    assert data
    assert docx.Document(io.BytesIO(base64.b64decode(data[1]))).paragraphs[0].text == "Reading list"
    assert set(FILES.values()) == set(FORMATS) == set(resources.MEDIA)


@pytest.mark.parametrize(("number", "layout"), [(0, "Reading list"), (2, "Syllabus entry")])
def test_a_selection_that_makes_no_document_is_said(number: int, layout: str) -> None:
    with pytest.raises(SettingsError):
        take_away([record(f"r{n}", (Facet.SUMMARY, "A workshop.")) for n in range(number)], layout)


def test_an_upload_is_deleted_as_it_is_read(tmp_path: Path) -> None:
    page = gr.Blocks()
    file = tmp_path / "hash" / "deck.md"
    file.parent.mkdir()
    file.write_bytes(b"words")
    page.upload_file_set.add(str(file))
    assert taken(page, {"path": str(file), "orig_name": "My deck.md"}) == ("My deck.md", b"words")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ReviewError, match="choose it again"):
        taken(page, {"path": str(file), "orig_name": "My deck.md"})


@pytest.mark.parametrize("sent", [None, {}, {"path": "/etc/hostname"}, {"path": ["x"]}])
def test_no_other_file_of_the_machine_can_be_read_or_deleted(sent: object, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    page = gr.Blocks()
    for given in (sent, {"path": str(kept)}):
        with pytest.raises(ReviewError):
            taken(page, given)
    assert kept.read_text() == "mine"
