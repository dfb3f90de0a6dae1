"""The vocabulary of a conversation: what is offered, claimed, judged and answered. Nothing here decides anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from knowledge.passage import Hit, Passage
from knowledge.record import Facet, Record


class Outcome(StrEnum):
    """What kind of reply it is."""

    ANSWER = "answer"
    ABSTAIN = "abstain"
    REFUSE = "refuse"
    SUPPORT = "support"
    CLARIFY = "clarify"


class Reason(StrEnum):
    """Why a reply is not a plain answer."""

    NO_EVIDENCE = "no_evidence"
    UNSUPPORTED = "unsupported"
    UNSUPPORTED_PREMISE = "unsupported_premise"
    OUT_OF_SCOPE = "out_of_scope"
    HARMFUL = "harmful"
    PROFESSIONAL_ADVICE = "professional_advice"
    CRISIS = "crisis"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    LANGUAGE = "language"


@dataclass(frozen=True)
class Turn:
    """One message of the conversation so far."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True)
class Evidence:
    """A passage offered for this question under a key such as E1, with the record it comes from."""

    key: str
    hit: Hit
    record: Record

    @property
    def passage(self) -> Passage:
        """The passage that is offered."""
        return self.hit.passage


@dataclass(frozen=True)
class Claim:
    """One unchecked sentence of a draft with the evidence that it names.

    `limits` is true for a caveat on the claim before it: the two are shown together or not at all.
    """

    text: str
    cited: tuple[Evidence, ...]
    unknown_markers: tuple[str, ...] = ()
    limits: bool = False


@dataclass(frozen=True)
class Citation:
    """A shown claim's link to a passage; `marker` is the number of its record in the list of sources."""

    marker: int
    passage: Passage


@dataclass(frozen=True)
class ShownClaim:
    """A claim that its passages fully support. `support` is the check's score, 0..1."""

    text: str
    facet: Facet
    support: float
    citations: tuple[Citation, ...]
    limits: bool = False


@dataclass(frozen=True)
class Source:
    """A record in the list under an answer."""

    marker: int
    record: Record


@dataclass(frozen=True)
class Reply:
    """Everything that a reader, a program or an evaluation may want to know about one reply.

    `message` is what is said beside or instead of claims. `retrieved` are record ids, best first, before any threshold.
    `nearest` are records to point at when there is no answer. `searches` names the searches that ran.
    """

    question: str
    standalone_question: str
    outcome: Outcome
    reason: Reason | None = None
    message: str = ""
    claims: tuple[ShownClaim, ...] = ()
    withheld: int = 0
    sources: tuple[Source, ...] = ()
    nearest: tuple[Record, ...] = ()
    retrieved: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    model: str = "extractive"
    generation: str = ""
    searches: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A line that says what is being done, while a reply is made."""

    text: str


Event = Stage | ShownClaim | Reply
"""What a stream yields: stages, then claims as soon as their verdict is in, at last the whole reply."""
