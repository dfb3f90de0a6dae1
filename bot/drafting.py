"""Question and evidence to a draft. The default drafter needs no model: it picks and orders verbatim statements."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from bot.reply import Evidence
from knowledge.lexical import stems
from knowledge.record import Facet, Tier

MOST_STATEMENTS = 8
MOST_PER_RECORD = 3
NEAR_DUPLICATE = 0.6  # share of stems in common (Jaccard) above which two statements say the same
SCORE_WINDOW = 0.2  # a statement this far below the best one is left out
# Fitted on the development half of the answer cases (docs/decisions/0013-answers-without-a-model.md): what a work is
# answers fewer questions than what it found or advises.
WANTED_FACET_BONUS = 0.03
SUMMARY_PENALTY = 0.1
# What kind of source a statement rests on decides between statements that answer equally well, no more.
TIER_BONUS: dict[Tier, float] = {
    "peer-reviewed": 0.03,
    "institutional": 0.02,
    "guide": 0.01,
    "news": 0.0,
    "personal": -0.02,
    "unreviewed": -0.02,
}

_asks_safety = re.compile(
    r"\b(safe\w*|risk\w*|retaliat\w*|afraid|fear\w*|scared|backlash|danger\w*|in trouble|consequences|get (fired|expelled)"
    r"|burn\w* bridges|hurt my|career)\b",
    re.IGNORECASE,
)
_asks_limits = re.compile(
    r"\b(careful|caution\w*|caveats?|limit(s|ations?)|weakness\w*|downsides?|criticisms?|gaps?|missing|trust|reliable"
    r"|(not|n't|n’t) (say|tell|show|report|cover|address|know)|leaves? out|how (strong|good) is)\b",
    re.IGNORECASE,
)
_asks_effect = re.compile(
    r"\b(do(es)?|did|has|have|is there)\b.{0,60}\b(work\w*|effective\w*|help\w*|evidence|results?|outcomes?|change\w*|improve\w*)"
    r"|\b(evidence|effect\w*|outcomes?|results?|findings?|found|find|show(n|ed)?|measured|how (many|much|often|common))\b",
    re.IGNORECASE,
)
_asks_how = re.compile(
    r"\bhow (do|can|could|should|would|to|might|did)\b|\bwhat (can|should|could|steps)\b|\bsteps\b|\b(start|prepare|respond)\b",
    re.IGNORECASE,
)
_asks_what_it_is = re.compile(
    r"\b(what|who) (is|are|was|were) (the|a|an)?\b|\bwhat does .{1,60} mean\b|\bdefin\w+", re.IGNORECASE
)


@dataclass(frozen=True)
class DraftLine:
    """One sentence with its markers at its end, `text [E1][E3]`; `limits` marks a caveat on the line before it."""

    text: str
    limits: bool = False


class Drafter(Protocol):
    """Writes a draft from evidence; what it writes is unchecked."""

    @property
    def name(self) -> str:
        """What a reply calls this drafter."""

    def draft(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftLine]:
        """Lines of a draft, the most important first. May raise ModelError."""


def cautions_left(told: AbstractSet[str], evidence: Sequence[Evidence]) -> Iterator[DraftLine]:
    """For each record of which a finding has been told but no caution, its best caution, word for word.

    `told` are ids of passages. A chat model may leave a caution out; its reader should have it all the same.
    """
    of_records = {
        item.record.id for item in evidence if item.passage.id in told and item.passage.facet is Facet.FINDING
    }
    best: dict[str, Evidence] = {}
    for item in sorted(evidence, key=lambda item: (item.passage.id not in told, -item.hit.score)):
        if item.passage.facet is Facet.CAUTION and item.record.id in of_records:
            best.setdefault(item.record.id, item)
    for item in best.values():
        if item.passage.id not in told:
            yield DraftLine(f"{item.passage.text} [{item.key}]")


def facet_order(question: str) -> tuple[Facet, ...]:
    """The order in which a question wants its answer: limits and risks, effects, or steps first.

    >>> facet_order("Does implicit bias training work?")[0]
    <Facet.FINDING: 'finding'>
    """
    s, f, p, c = Facet.SUMMARY, Facet.FINDING, Facet.PRACTICE, Facet.CAUTION
    if _asks_limits.search(question) or _asks_safety.search(question):
        return c, p, f, s
    if _asks_what_it_is.search(question):
        return s, f, p, c
    if _asks_how.search(question):
        return p, f, c, s
    if _asks_effect.search(question):
        return f, c, p, s
    return f, p, c, s


class ExtractiveDrafter:
    """Answers in the records' own statements, word for word."""

    name = "extractive"

    def draft(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftLine]:
        """The best statement first, then the others by facet, each finding with its record's caution behind it."""
        order = facet_order(question)
        chosen = _choose(evidence, order, cautions_may_lead=bool(_asks_limits.search(question)))
        cautions = _caution_behind(chosen)
        behind = {caution.key for caution in cautions.values()}
        statements = [item for item in chosen if item.key not in behind]
        for item in statements[:1] + sorted(statements[1:], key=lambda item: order.index(item.passage.facet)):
            yield DraftLine(f"{item.passage.text} [{item.key}]")
            if caution := cautions.get(item.key):
                yield DraftLine(f"{caution.passage.text} [{caution.key}]", limits=True)


def _choose(evidence: Sequence[Evidence], order: Sequence[Facet], cautions_may_lead: bool) -> list[Evidence]:
    """At most eight statements, best first, no two alike, three a record and of each work one record.

    A record that shows a finding, or that leads, spends one of its three on its best caution, if it has one. Without what
    it limits, a caution is shown only where nothing in its record fits the question better, and leads only if asked for.
    """
    worth = {item.key: _worth(item, order) for item in evidence}
    nearest: dict[str, float] = {}
    for item in evidence:
        nearest[item.record.id] = max(nearest.get(item.record.id, -1.0), item.hit.dense or 0.0)
    ranked = sorted(evidence, key=lambda item: (-worth[item.key], item.passage.id))
    lead = next((item for item in ranked if cautions_may_lead or item.passage.facet is not Facet.CAUTION), None)
    if lead:
        ranked.remove(lead)
        ranked.insert(0, lead)
    caution_of: dict[str, Evidence] = {}
    for item in ranked:
        if item.passage.facet is Facet.CAUTION:
            caution_of.setdefault(item.record.id, item)
    chosen: list[Evidence] = []
    for item in ranked:
        if worth[item.key] < worth[ranked[0].key] - SCORE_WINDOW:
            break
        caution = caution_of.get(item.record.id)
        limited = item.passage.facet is Facet.FINDING or (not chosen and item.passage.facet is not Facet.CAUTION)
        add = [item, caution] if caution and limited and caution not in chosen else [item]
        of_record = [other for other in chosen if other.record.id == item.record.id]
        beside_the_point = item.passage.facet is Facet.CAUTION and (item.hit.dense or 0.0) < nearest[item.record.id]
        if (
            item not in chosen
            and (of_record or not beside_the_point)
            and len(chosen) + len(add) <= MOST_STATEMENTS
            and len(of_record) + len(add) <= MOST_PER_RECORD
            and not any(other.record.id in item.record.related for other in chosen)
            and not any(_say_the_same(item, other) for other in chosen)
        ):
            chosen += add
    return chosen


def _worth(item: Evidence, order: Sequence[Facet]) -> float:
    facet = item.passage.facet
    return (
        item.hit.score
        + WANTED_FACET_BONUS * (facet is order[0])
        - SUMMARY_PENALTY * (facet is Facet.SUMMARY)
        + TIER_BONUS[item.record.source.tier]
    )


def _say_the_same(one: Evidence, other: Evidence) -> bool:
    first, second = set(stems(one.passage.text)), set(stems(other.passage.text))
    return len(first & second) >= NEAR_DUPLICATE * len(first | second)


def _caution_behind(chosen: Sequence[Evidence]) -> dict[str, Evidence]:
    """For the last finding shown of each record, or else for the leading statement, the key's caution of that record."""
    caution_of = {item.record.id: item for item in chosen[1:] if item.passage.facet is Facet.CAUTION}
    behind = {}
    for record, caution in caution_of.items():
        others = [item for item in chosen if item.record.id == record and item is not caution]
        findings = [item for item in others if item.passage.facet is Facet.FINDING]
        if findings:
            behind[findings[-1].key] = caution
        elif others and others[0] is chosen[0]:
            behind[others[0].key] = caution
    return behind
