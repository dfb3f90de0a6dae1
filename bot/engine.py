"""Question to reply: the table of contents of this folder."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from bot.care import Care, Judgement, Understanding, cautions
from bot.drafting import Drafter
from bot.grounding import Check, Verifier
from bot.questions import check_question
from bot.recommender import Recommender
from bot.reply import Event, Outcome, Reason, Reply, Source, Stage, Turn
from bot.retriever import Retrieval, Retriever
from bot.suggestions import follow_ups, resources
from bot.writing import Writing
from knowledge.errors import QuestionError
from knowledge.index import PassageIndex
from knowledge.suspicion import doubtful

logger = logging.getLogger(__name__)

UNSUPPORTED = "I found passages on this, but nothing in them answers the question well enough to show."
NEAREST = 3


class Library(Protocol):
    """Where the index of the moment comes from."""

    def get(self) -> PassageIndex:
        """One generation, to be kept for the whole of an answer."""


class Engine:
    """Answers questions from one library with one drafter and one verifier.

    `fallback` drafts where the drafter fails or where nothing of its draft is supported.
    """

    def __init__(
        self,
        library: Library,
        retriever: Retriever,
        drafter: Drafter,
        verifier: Verifier,
        care: Care,
        most_characters: int,
        fallback: Drafter | None = None,
    ) -> None:
        self._library = library
        self._retriever = retriever
        self._drafter = drafter
        self._fallback = fallback
        self._verifier = verifier
        self._care = care
        self._most_characters = most_characters

    @property
    def library(self) -> Library:
        """Where this engine reads its index; the evaluation looks passages up in the same one."""
        return self._library

    @property
    def retriever(self) -> Retriever:
        """The search behind every reply; the evaluation reads its scores, which a reply does not carry."""
        return self._retriever

    @property
    def verifier(self) -> Verifier:
        """The check that every shown claim has passed; the evaluation measures it alone."""
        return self._verifier

    def reply(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        """The whole reply at once."""
        for event in self.stream(question, history):
            if isinstance(event, Reply):
                return event
        raise AssertionError("a stream ends with a reply")

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        """Stages, then each claim as soon as its verdict is in, at last the whole reply.

        Raises IndexUnusable or ModelError; what a person may do about a question is a reply, not an error.
        """
        clock = Clock()
        try:
            question = check_question(question, self._most_characters)
        except QuestionError as error:
            yield Reply(question[:200], "", Outcome.CLARIFY, Reason(error.reason), str(error), model=self._drafter.name)
            return
        index = self._library.get()
        understood = self._care.understand(question, history, index)
        if judgement := self._care.at_once(understood, index):
            yield self._signed(self._without_claims(understood, judgement), index, clock)
            return
        yield Stage(f"Searching {len(index.passages):,} checked statements…")
        found = self._retriever.retrieve(index, understood.searched)
        judgement = self._care.judge(understood, index, found)
        clock.lap("retrieve")
        logger.info("retrieved evidence=%d ms=%.0f", len(found.evidence), clock.laps["retrieve"])
        if not judgement.with_claims:
            yield self._signed(self._without_claims(understood, judgement, found, index), index, clock)
            return
        yield Stage("Choosing what answers the question…")
        writing = Writing()
        drafters = (self._drafter, self._fallback) if self._fallback else (self._drafter,)
        yield Stage("Checking every sentence against its source…")
        about = judgement.about
        evidence = [item for item in found.evidence if about in ("", item.record.id)]
        yield from writing.claims(drafters, clock.timing(self._verifier), understood.searched, evidence)
        clock.lap("draft")
        if not writing.shown:
            if judgement.outcome is not Outcome.SUPPORT:
                judgement = Judgement(Outcome.ABSTAIN, Reason.UNSUPPORTED, UNSUPPORTED, about=about)
            yield self._signed(self._without_claims(understood, judgement, found, index, writing), index, clock)
            return
        cited = {number: index.records[index.record_number[record]] for record, number in writing.numbers.items()}
        reply = Reply(
            question=question,
            standalone_question=understood.standalone,
            outcome=judgement.outcome,
            reason=judgement.reason,
            message=judgement.message,
            claims=tuple(writing.shown),
            withheld=writing.withheld,
            sources=tuple(Source(number, record) for number, record in cited.items()),
            retrieved=found.record_ids,
            follow_ups=follow_ups(found, writing.numbers, understood.standalone),
            notices=(
                *understood.notices,
                *self._resources(understood, judgement),
                *cautions(understood.standalone, writing.shown),
                *writing.notices,
            ),
            model=", ".join(writing.drafters),
        )
        yield self._signed(reply, index, clock)

    def _without_claims(
        self,
        understood: Understanding,
        judgement: Judgement,
        found: Retrieval | None = None,
        index: PassageIndex | None = None,
        writing: Writing | None = None,
    ) -> Reply:
        """A reply of words alone; an abstention points at the nearest records."""
        near = found.record_ids if found and judgement.outcome is Outcome.ABSTAIN else ()
        near = tuple(sorted(near, key=lambda name: name != judgement.about))[:NEAREST]
        return Reply(
            question=understood.question,
            standalone_question=understood.standalone,
            outcome=judgement.outcome,
            reason=judgement.reason,
            message=judgement.message,
            withheld=writing.withheld if writing else 0,
            nearest=tuple(r for name in near if not doubtful(r := index.records[index.record_number[name]]))
            if index
            else (),
            retrieved=found.record_ids if found else (),
            notices=(
                *understood.notices,
                *self._resources(understood, judgement),
                *(writing.notices if writing else ()),
            ),
            model=self._drafter.name,
        )

    def _resources(self, understood: Understanding, judgement: Judgement) -> tuple[str, ...]:
        if judgement.outcome not in (Outcome.ANSWER, Outcome.ABSTAIN):
            return ()
        # From what is searched, so that it does not depend on who asks.
        return resources(understood.searched, Recommender(self._library, self._retriever))

    def _signed(self, reply: Reply, index: PassageIndex, clock: "Clock") -> Reply:
        """The reply with what made it: generation, searches and times."""
        return replace(
            reply,
            generation=index.manifest.id,
            searches=(index.dense_search, "bm25"),
            timings_ms=clock.timings(),
        )


class Clock:
    """Milliseconds spent in each stage of one reply."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self.laps = {"retrieve": 0.0, "draft": 0.0, "verify": 0.0}

    def lap(self, stage: str) -> None:
        """Put the time since the last lap down to a stage."""
        now = time.perf_counter()
        self.laps[stage] += 1e3 * (now - self._last)
        self._last = now

    def timing(self, verifier: Verifier) -> "TimedVerifier":
        """The verifier, with its time put down to `verify` and what passes between two checks to `draft`."""
        return TimedVerifier(verifier, self)

    def timings(self) -> dict[str, float]:
        """All stages and the total, rounded to a tenth."""
        total = 1e3 * (time.perf_counter() - self._started)
        return {stage: round(ms, 1) for stage, ms in {**self.laps, "total": total}.items()}


class TimedVerifier:
    """A verifier whose time is measured; drafting and checking take turns while an answer is written."""

    def __init__(self, verifier: Verifier, clock: Clock) -> None:
        self._verifier = verifier
        self._clock = clock

    def check(self, claim: str, passages: Sequence[str]) -> Check:
        """See Verifier."""
        self._clock.lap("draft")
        check = self._verifier.check(claim, passages)
        self._clock.lap("verify")
        return check
