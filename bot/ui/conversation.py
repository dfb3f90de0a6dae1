"""A conversation as the page shows it, moment by moment. Knows nothing of widgets; it lives in memory only."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bot.reply import Event, Reply, ShownClaim, Stage, Turn
from bot.ui import answer
from knowledge.errors import ChatbotError

logger = logging.getLogger(__name__)

MOST_EXCHANGES = 20  # how many stay on the page, and in the memory of the engine
STOPPED = "You stopped this answer before it was finished."
UNEXPECTED = "Something went wrong on my side, and nothing was stored. Please ask again."


@dataclass(frozen=True)
class Exchange:
    """A question with what was answered: as text for the engine, as HTML for the page."""

    number: int
    question: str
    answered: str
    html: str


@dataclass(frozen=True)
class View:
    """What the page shows at one moment. `past` is what it will show when this moment is the last: stopped, or finished."""

    past: tuple[Exchange, ...] = ()
    transcript: str = ""
    status: str = ""
    running: bool = False
    sources: str = ""
    follow_ups: tuple[str, ...] = ()


class Answers(Protocol):
    """What answers questions."""

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        """See bot.engine.Engine."""


def ask(engine: Answers, question: str, past: tuple[Exchange, ...]) -> Iterator[View]:
    """The page while a question is answered: the question, stages, each claim, at last the whole reply or what went wrong."""
    number = past[-1].number + 1 if past else 1
    past = past[1 - MOST_EXCHANGES :]
    before = _transcript(past)

    def exchange(html: str, answered: str = "") -> Exchange:
        return Exchange(number, question, answered, answer.exchange(number, question, html))

    def running(status: str, claims: Sequence[ShownClaim]) -> View:
        so_far, if_stopped = exchange(answer.partial(claims)), exchange(answer.partial(claims, STOPPED))
        return View((*past, if_stopped), before + so_far.html, status, running=True)

    def finished(html: str, answered: str, heard: str) -> View:
        last = exchange(html, answered)
        return View((*past, last), before + last.html, heard)

    status = ""
    claims: list[ShownClaim] = []
    yield running(status, claims)
    try:
        for event in engine.stream(question, turns(past)):
            if isinstance(event, Reply):
                view = finished(answer.complete(event, number), _text(event), answer.spoken(event))
                yield replace(view, sources=answer.sources(event), follow_ups=event.follow_ups)
            elif isinstance(event, Stage):
                status = event.text
                yield running(status, claims)
            else:
                claims.append(event)
                yield running(status, claims)
    except ChatbotError as error:
        yield finished(answer.said(str(error)), str(error), str(error))
    except Exception as error:
        log_unexpected(error)
        yield finished(answer.said(UNEXPECTED), UNEXPECTED, UNEXPECTED)


def stopped(past: tuple[Exchange, ...]) -> View:
    """The page after an answer was stopped."""
    return View(past, _transcript(past), "Stopped.")


def turns(past: Sequence[Exchange]) -> list[Turn]:
    """The conversation as the engine takes it."""
    return [turn for e in past for turn in (Turn("user", e.question), Turn("assistant", e.answered))]


def log_unexpected(error: Exception) -> None:
    """Say what kind of fault it was and where, without its message, which may hold words of the question."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"
    logger.error("unexpected %s at %s", type(error).__name__, where)


def _transcript(past: Sequence[Exchange]) -> str:
    return "".join(exchange.html for exchange in past)


def _text(reply: Reply) -> str:
    return " ".join(filter(None, [reply.message, *(claim.text for claim in reply.claims)]))
