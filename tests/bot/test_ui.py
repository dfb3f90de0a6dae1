import logging
import re
import socket
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest

from bot.llm import destinations
from bot.reply import Citation, Event, Outcome, Reason, Reply, ShownClaim, Source, Stage, Turn
from bot.settings import ChatSettings
from bot.ui import answer, conversation, welcome
from bot.ui.page import build_page, serve
from knowledge.errors import IndexCorrupt, SettingsError
from knowledge.passage import passages_of
from knowledge.record import Facet, Record
from tests.fakes import record

HOSTILE = (
    '<script>x()</script><img src=x onerror="x()"> ![x](http://evil.test/x.png) [a](javascript:x) '
    "</div></article> &amp; {{x}} ${x} `x`"
)
TAGS = {*"article section div span h2 h3 h4 h5 p ul ol li dl dt dd blockquote button a".split()}
PLAIN = record(
    "plain",
    (Facet.FINDING, "Training helped."),
    (Facet.CAUTION, "At one school only."),
    (Facet.SUMMARY, "A study."),
    title="A plain title",
    authors=("A. One",),
    year=2024,
    url="https://example.org/paper",
)


class ScriptedEngine:
    """Yields the events that it was given, raises the exceptions, and keeps what it was asked."""

    def __init__(self, *events: Event | Exception) -> None:
        self.events = events
        self.asked: list[tuple[str, list[Turn]]] = []

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        self.asked.append((question, list(history)))
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event


class Page(HTMLParser):
    """What a browser would make of HTML: tags with their attributes, and the text inside elements by class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(html)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("class") or ""
        self.tags.append((tag, dict(attrs)))
        self._open.append((tag, kind))
        self.texts.setdefault(kind, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, kind in self._open:
            self.texts[kind][-1] += data

    def having(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]


def claim(of: Record, number: int, marker: int = 1, limits: bool = False) -> ShownClaim:
    passage = passages_of(of)[number]
    return ShownClaim(passage.text, passage.facet, 1.0, (Citation(marker, passage),), limits)


def reply(*claims: ShownClaim, sources: Sequence[Record] = (PLAIN,), **fields: Any) -> Reply:
    numbered = tuple(Source(number, item) for number, item in enumerate(sources, 1))
    return Reply(
        **{"question": "q", "standalone_question": "q", "outcome": Outcome.ANSWER, **fields},
        claims=claims,
        sources=numbered,
    )


def views(
    engine: ScriptedEngine, question: str = "Why?", past: tuple[conversation.Exchange, ...] = ()
) -> list[conversation.View]:
    return list(conversation.ask(engine, question, past))


def test_a_marker_is_a_button_that_names_its_source_and_opens_the_passage_to_the_letter() -> None:
    page = Page(answer.complete(reply(claim(PLAIN, 0)), 3))
    [marker] = page.having("button", **{"class": "marker"})
    assert marker["aria-label"] == "Source 1: A plain title"
    assert page.having("div", id=str(marker["popovertarget"]), role="dialog")
    [passage] = page.having("blockquote")
    assert passage["data-passage-id"] == passages_of(PLAIN)[0].id
    assert page.texts["passage"] == ["Training helped."]


def test_what_a_marker_opens_shows_the_record_with_the_cited_statement_marked() -> None:
    html = answer.complete(reply(claim(PLAIN, 0)), 1)
    page = Page(html)
    assert page.texts["cited"] == ["Training helped."]
    assert "<h5>Findings</h5>" in html
    assert "<h5>Cautions</h5><ul><li>At one school only.</li></ul>" in html
    for term, value in {
        "Authors": "A. One",
        "Year": "2024",
        "Kind": "Study",
        "Evidence": "Peer-reviewed",
        "Read on": "2 January 2026",
    }.items():
        assert f"<dt>{term}</dt><dd>{value}</dd>" in html
    [link] = page.having("a")
    assert (link["href"], link["rel"]) == ("https://example.org/paper", "noopener noreferrer")


def test_a_source_that_was_added_here_is_marked_in_plain_words() -> None:
    mine = record("mine", (Facet.FINDING, "It rose."), tier="unreviewed")
    html = answer.complete(reply(claim(mine, 0), sources=(mine,)), 1)
    assert "Added here, not reviewed" in html
    assert "**" not in html


def test_every_id_on_the_page_is_its_own_also_in_a_later_answer_that_cites_the_same() -> None:
    full = reply(claim(PLAIN, 0), claim(PLAIN, 1, limits=True), nearest=(PLAIN, PLAIN))
    page = Page(answer.complete(full, 1) + answer.complete(full, 2))
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids)) > 8


@pytest.mark.parametrize(
    "place", ["statement", "title", "author", "venue", "question", "message", "notice", "nearest", "link"]
)
def test_text_from_outside_stays_text(place: str) -> None:
    hostile = record(
        "hostile",
        (Facet.FINDING, HOSTILE if place == "statement" else "Fine."),
        title=HOSTILE if place in ("title", "nearest") else "Fine",
        authors=(HOSTILE,) if place == "author" else None,
        venue=HOSTILE if place == "venue" else None,
        url="https://evil.test/'onmouseover='x()" if place == "link" else None,
    )
    answered = reply(
        claim(hostile, 0),
        sources=(hostile,),
        nearest=(hostile,),
        message=HOSTILE if place == "message" else "",
        notices=(HOSTILE,) if place == "notice" else (),
    )
    html = answer.exchange(1, HOSTILE if place == "question" else "q", answer.complete(answered, 1)) + answer.sources(
        answered
    )
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= TAGS
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert {found["href"] for found in page.having("a")} <= {"https://evil.test/'onmouseover='x()"}
    assert place == "link" or html.count("&lt;script&gt;x()&lt;/script&gt;") >= 1


def test_hostile_text_is_shown_as_it_was_written() -> None:
    hostile = record("hostile", (Facet.FINDING, HOSTILE))
    page = Page(answer.complete(reply(claim(hostile, 0), sources=(hostile,)), 1))
    assert page.texts["claim"] == page.texts["passage"] == page.texts["cited"] == [HOSTILE]


def test_a_caveat_stands_behind_its_finding_and_groups_have_the_headings_of_the_renderer() -> None:
    html = answer.complete(reply(claim(PLAIN, 2), claim(PLAIN, 0), claim(PLAIN, 1, limits=True)), 1)
    shown = re.sub(r"<div popover.*?</div></div>", "", html)
    assert re.findall(r"<h3>(.*?)</h3>", shown) == ["What has been found"]
    assert re.search(
        r'Training helped\..*<li class="limit"><strong class="caution">Caution:</strong>.*At one school', shown
    )


@pytest.mark.parametrize(
    ("withheld", "sentence"),
    [
        (1, "1 sentence was withheld because its sources do not fully support it."),
        (2, "2 sentences were withheld because their sources do not fully support them."),
    ],
)
def test_withheld_sentences_are_said(withheld: int, sentence: str) -> None:
    assert sentence in answer.complete(reply(claim(PLAIN, 0), withheld=withheld), 1)
    assert "withheld" not in answer.complete(reply(claim(PLAIN, 0)), 1)


def test_an_answer_from_one_source_says_so() -> None:
    assert "rests on 1 source" in answer.complete(reply(claim(PLAIN, 0)), 1)


@pytest.mark.parametrize("outcome", [Outcome.ABSTAIN, Outcome.REFUSE, Outcome.SUPPORT, Outcome.CLARIFY])
def test_an_outcome_that_is_no_answer_looks_like_help_and_points_at_the_nearest_records(outcome: Outcome) -> None:
    page = Page(
        answer.complete(
            reply(sources=(), outcome=outcome, reason=Reason.NO_EVIDENCE, message="Come\n\nback.", nearest=(PLAIN,)), 1
        )
    )
    assert page.texts["aside"] == [f"{answer.OUTCOME_TITLES[outcome]}Comeback."]
    [pointer] = page.having("button", **{"class": "pointer"})
    assert page.having("div", id=str(pointer["popovertarget"]))
    assert page.having("blockquote") == [], "nothing is cited"


def test_the_list_of_sources_has_the_numbers_of_the_markers() -> None:
    page = Page(answer.sources(reply(claim(PLAIN, 0), claim(PLAIN, 1))))
    [entry] = page.having("li")
    assert entry["value"] == "1"
    assert page.texts["title"] == ["A plain title"]
    assert any("2 statements used" in text for text in page.texts["small"])


def test_stages_then_claims_then_the_reply_are_shown() -> None:
    shown = claim(PLAIN, 0)
    engine = ScriptedEngine(Stage("Looking…"), shown, reply(shown, follow_ups=("And then?",)))
    start, stage, growing, last = views(engine)
    assert (start.running, stage.status, growing.running, last.running) == (True, "Looking…", True, False)
    assert "Why?" in start.transcript
    assert "Training helped." in growing.transcript
    assert '<span class="marker">1</span>' in growing.transcript
    assert "popovertarget" in last.transcript
    assert last.status == "Answer ready: 1 statement from 1 source."
    assert last.follow_ups == ("And then?",)


def test_earlier_turns_are_given_to_the_engine_and_stay_on_the_page() -> None:
    engine = ScriptedEngine(reply(claim(PLAIN, 0)))
    first = views(engine, "One?")[-1]
    second = views(engine, "Two?", first.past)[-1]
    assert engine.asked[1] == ("Two?", [Turn("user", "One?"), Turn("assistant", "Training helped.")])
    assert second.transcript.startswith(first.transcript)
    assert "exchange-2-0-0" in second.transcript


def test_a_long_conversation_keeps_its_latest_exchanges() -> None:
    past: tuple[conversation.Exchange, ...] = ()
    for _ in range(conversation.MOST_EXCHANGES + 5):
        past = views(ScriptedEngine(reply(claim(PLAIN, 0))), past=past)[-1].past
    assert [exchange.number for exchange in past] == list(range(6, conversation.MOST_EXCHANGES + 6))


def test_a_stopped_answer_keeps_its_claims_and_says_that_it_was_stopped() -> None:
    running = views(ScriptedEngine(Stage("Looking…"), claim(PLAIN, 0)))[-1]
    view = conversation.stopped(running.past)
    assert "Training helped." in view.transcript
    assert conversation.STOPPED in view.transcript
    assert not view.running


def test_a_known_fault_shows_its_sentence() -> None:
    view = views(ScriptedEngine(Stage("Looking…"), IndexCorrupt("Rebuild <the> index.")))[-1]
    assert "Rebuild &lt;the&gt; index." in view.transcript
    assert not view.running


def test_an_unknown_fault_shows_a_neutral_sentence_and_neither_page_nor_log_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        view = views(ScriptedEngine(ValueError("cannot read 'my secret question'")), "my secret question")[-1]
    assert conversation.UNEXPECTED in view.transcript
    assert "cannot read" not in view.transcript
    assert "secret" not in caplog.text
    assert re.search(r"unexpected ValueError at test_ui\.py:\d+", caplog.text)


def test_the_page_says_where_words_go() -> None:
    assert welcome.privacy(destinations(ChatSettings())) == "Nothing you type leaves this machine."
    assert welcome.privacy(destinations(ChatSettings(model="ollama:x"))) == "Nothing you type leaves this machine."
    afar = destinations(ChatSettings(model="openai:x", model_url="https://a.example/v1", verifier="chat:anthropic:y"))
    assert welcome.privacy(afar).startswith("Your words leave this machine")
    assert all(place in welcome.privacy(afar) for place in afar)
    assert len(afar) == 2
    assert "&lt;b&gt;" in welcome.notice(["<b>"])


def test_asking_and_recommending_are_the_only_interfaces_and_nothing_is_sent_or_kept() -> None:
    page = build_page(ScriptedEngine(), ChatSettings())  # type: ignore[arg-type]
    named = {fn.api_name for fn in page.fns.values() if fn.api_visibility == "public"}
    assert named == {"ask", "recommend"}
    assert page.analytics_enabled is False


def test_an_address_that_is_taken_is_said_in_a_sentence() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsError, match=r"cannot listen on 127.0.0.1.*--port"),
    ):
        serve(ScriptedEngine(), ChatSettings(port=taken.getsockname()[1]))  # type: ignore[arg-type]
