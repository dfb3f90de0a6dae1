"""Question to reply: the table of contents of this folder."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from bot.citations import read_claim
from bot.drafting import Drafter, DraftLine
from bot.grounding import Support, Verifier
from bot.questions import check_question
from bot.reply import Citation, Claim, Event, Evidence, Outcome, Reason, Reply, ShownClaim, Source, Stage, Turn
from bot.retriever import Retrieval, Retriever
from bot.suggestions import follow_ups
from knowledge.errors import QuestionError
from knowledge.index import PassageIndex

logger = logging.getLogger(__name__)

NO_EVIDENCE = "The knowledge I work from does not carry an answer to this, so I would rather not give one."
UNSUPPORTED = "I found passages on this, but nothing in them answers the question well enough to show."
NEAREST = 3


class Library(Protocol):
    """Where the index of the moment comes from."""

    def get(self) -> PassageIndex:
        """One generation, to be kept for the whole of an answer."""


class Engine:
    """Answers questions from one library with one drafter and one verifier."""

    def __init__(
        self, library: Library, retriever: Retriever, drafter: Drafter, verifier: Verifier, most_characters: int
    ) -> None:
        self._library = library
        self._retriever = retriever
        self._drafter = drafter
        self._verifier = verifier
        self._most_characters = most_characters

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
        yield Stage(f"Searching {len(index.passages):,} checked statements…")
        found = self._retriever.retrieve(index, question)
        clock.lap("retrieve")
        logger.info("retrieved evidence=%d ms=%.0f", len(found.evidence), clock.laps["retrieve"])
        if not found.answerable:
            yield self._abstention(question, index, found, Reason.NO_EVIDENCE, NO_EVIDENCE, clock)
            return
        yield Stage("Choosing what answers the question…")
        lines = list(self._drafter.draft(question, found.evidence))
        clock.lap("draft")
        yield Stage("Checking every sentence against its source…")
        shown: list[ShownClaim] = []
        numbers: dict[str, int] = {}
        withheld = 0
        for group in _with_their_limits(lines, {item.key: item for item in found.evidence}):
            checked = [self._check(claim, numbers) for claim in group]
            # A finding is not shown without the caveat on it, nor a caveat without its finding.
            if all(claim is not None for claim in checked):
                for claim in checked:
                    if claim is not None:
                        shown.append(claim)
                        yield claim
            else:
                withheld += len(group)
        clock.lap("verify")
        if not shown:
            yield self._abstention(question, index, found, Reason.UNSUPPORTED, UNSUPPORTED, clock, withheld)
            return
        by_number = {number: index.records[index.record_number[record]] for record, number in numbers.items()}
        cited = {citation.marker for claim in shown for citation in claim.citations}
        reply = Reply(
            question=question,
            standalone_question=question,
            outcome=Outcome.ANSWER,
            claims=tuple(shown),
            withheld=withheld,
            sources=tuple(Source(number, record) for number, record in by_number.items() if number in cited),
            retrieved=found.record_ids,
            follow_ups=follow_ups(found, numbers, question),
        )
        yield self._signed(reply, index, clock)

    def _check(self, claim: Claim, numbers: dict[str, int]) -> ShownClaim | None:
        """The claim as it may be shown, or None if its own passages do not fully support it."""
        if claim.unknown_markers or not claim.cited:
            return None
        check = self._verifier.check(claim.text, [evidence.passage.text for evidence in claim.cited])
        if check.support is not Support.FULL:
            logger.debug("withheld: %s", check.reason)
            return None
        citations = tuple(
            Citation(numbers.setdefault(evidence.record.id, len(numbers) + 1), evidence.passage)
            for evidence in claim.cited
        )
        return ShownClaim(claim.text, claim.cited[0].passage.facet, check.score, citations, claim.limits)

    def _abstention(
        self,
        question: str,
        index: PassageIndex,
        found: Retrieval,
        reason: Reason,
        message: str,
        clock: "Clock",
        withheld: int = 0,
    ) -> Reply:
        nearest = tuple(index.records[index.record_number[name]] for name in found.record_ids[:NEAREST])
        reply = Reply(
            question=question,
            standalone_question=question,
            outcome=Outcome.ABSTAIN,
            reason=reason,
            message=message,
            withheld=withheld,
            nearest=nearest,
            retrieved=found.record_ids,
        )
        return self._signed(reply, index, clock)

    def _signed(self, reply: Reply, index: PassageIndex, clock: "Clock") -> Reply:
        """The reply with what made it: drafter, generation, searches and times."""
        return replace(
            reply,
            model=self._drafter.name,
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

    def timings(self) -> dict[str, float]:
        """All stages and the total, rounded to a tenth."""
        total = 1e3 * (time.perf_counter() - self._started)
        return {stage: round(ms, 1) for stage, ms in {**self.laps, "total": total}.items()}


def _with_their_limits(lines: Sequence[DraftLine], evidence: Mapping[str, Evidence]) -> Iterator[list[Claim]]:
    """Claims, each together with the caveats that follow it."""
    group: list[Claim] = []
    for line in lines:
        claim = read_claim(line.text, evidence, line.limits)
        if claim is None:
            continue
        if group and not claim.limits:
            yield group
            group = []
        group.append(claim)
    if group:
        yield group
