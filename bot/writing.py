"""Drafts to shown claims: each is checked and passed on as soon as it is complete, and a failing drafter is replaced."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from bot.citations import read_claim, unfit
from bot.drafting import Drafter, DraftLine, cautions_left
from bot.grounding import Check, Support, Verifier
from bot.reply import Citation, Claim, Evidence, ShownClaim
from knowledge.errors import ModelError

logger = logging.getLogger(__name__)

NOTHING_HELD = "Nothing that the model wrote could be confirmed in the sources."
WITHOUT_MODEL = "What follows are the sources' own statements, chosen without a model."
THE_REST = (
    "What it had written until then was checked; the rest are the sources' own statements, chosen without a model."
)


@dataclass
class Writing:
    """One answer in the making: what is shown so far, what was withheld, and what its reader should know about it."""

    shown: list[ShownClaim] = field(default_factory=list)
    withheld: int = 0
    notices: list[str] = field(default_factory=list)
    drafters: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    """The marker of each record that is cited."""

    def claims(
        self, drafters: Sequence[Drafter], verifier: Verifier, question: str, evidence: Sequence[Evidence]
    ) -> Iterator[ShownClaim]:
        """Claims of the first drafter; of the next one what is new, if the first fails or nothing of its draft is supported.

        Raises ModelError when the last drafter fails.
        """
        by_key = {item.key: item for item in evidence}
        for drafter in drafters:
            last = drafter is drafters[-1]
            try:
                for group in with_their_limits(drafter.draft(question, evidence), by_key, self._told()):
                    for claim in self._checked(group, verifier):
                        if drafter.name not in self.drafters:
                            self.drafters.append(drafter.name)
                        yield claim
            except ModelError as error:
                if last:
                    raise
                self.notices.append(f"{error} {THE_REST if self.shown else WITHOUT_MODEL}")
            else:
                if last or self.shown or not self.withheld:
                    break
                self.notices.append(f"{NOTHING_HELD} {WITHOUT_MODEL}")
        for group in with_their_limits(cautions_left(self._told(), evidence), by_key):
            yield from self._checked(group, verifier)

    def _told(self) -> set[str]:
        """The ids of all passages that are cited so far."""
        return {citation.passage.id for claim in self.shown for citation in claim.citations}

    def _checked(self, group: Sequence[Claim], verifier: Verifier) -> Iterator[ShownClaim]:
        """The group as it is shown: whole or not at all.

        A finding is not shown without the caveat on it, nor a caveat without its finding.
        """
        checks = [check_claim(claim, verifier) for claim in group]
        if any(check.support is not Support.FULL for check in checks):
            self.withheld += len(group)
            return
        for claim, check in zip(group, checks, strict=True):
            self.shown.append(self._numbered(claim, check.score))
            yield self.shown[-1]

    def _numbered(self, claim: Claim, score: float) -> ShownClaim:
        citations = tuple(
            Citation(self.numbers.setdefault(item.record.id, len(self.numbers) + 1), item.passage)
            for item in claim.cited
        )
        return ShownClaim(claim.text, claim.cited[0].passage.facet, score, citations, claim.limits)


def check_claim(claim: Claim, verifier: Verifier) -> Check:
    """The verdict on a claim: of the verifier, unless the claim may not be shown whatever its passages say."""
    reason = unfit(claim)
    if reason is None:
        check = verifier.check(claim.text, [item.passage.text for item in claim.cited])
    else:
        check = Check(Support.NONE, 0.0, reason)
    if check.support is not Support.FULL:
        logger.debug("withheld: %s", check.reason)
    return check


def with_their_limits(
    lines: Iterable[DraftLine], evidence: Mapping[str, Evidence], told: AbstractSet[str] = frozenset()
) -> Iterator[list[Claim]]:
    """Claims, each together with the caveats that follow it; a line without words says that none follows.

    Claims from passages whose ids are in `told` are left out; a caveat on one of them then stands by itself.
    """
    group: list[Claim] = []
    for line in lines:
        claim = read_claim(line.text, evidence, line.limits)
        limits = claim is not None and claim.limits
        if group and not limits:
            yield group
            group = []
        if claim is None or (claim.cited and all(item.passage.id in told for item in claim.cited)):
            continue
        group.append(claim if group else replace(claim, limits=False))
    if group:
        yield group
