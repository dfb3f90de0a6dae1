"""Does a claim's own evidence support it? A claim, and the passages it cites, to a check with a reason."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Support(StrEnum):
    """How far the cited passages carry a claim; only FULL is ever shown."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


@dataclass(frozen=True)
class Check:
    """A verdict on one claim: `score` in 0..1, `reason` one short sentence for a person."""

    support: Support
    score: float
    reason: str


class Verifier(Protocol):
    """Judges claims at run time."""

    def check(self, claim: str, passages: Sequence[str]) -> Check:
        """The verdict on a claim against the passages that it cites, taken together."""


class VerbatimVerifier:
    """Accepts what stands in a passage word for word, and nothing else."""

    def check(self, claim: str, passages: Sequence[str]) -> Check:
        """See Verifier. Differences in white space do not count."""
        wanted = _one_space(claim)
        if wanted and any(wanted in _one_space(passage) for passage in passages):
            return Check(Support.FULL, 1.0, "the passage says it word for word")
        return Check(Support.NONE, 0.0, "no cited passage says it word for word")


def _one_space(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
