"""Decides whether a claim may be shown: only what its cited passages fully support.

The cascade, cheapest first:

1. nothing to check, or nothing to check it against: not supported;
2. an address, markup or a named source that no passage carries: not supported;
3. every sentence of the claim stands in a passage as it is: supported;
4. a rule that allows no exception (a number, a name, a date, a quotation): not supported;
5. a fitted score over the alignment and the softer findings: supported above a cut, and partly or not below it.

The constants of step 5 are fitted by `evals/fit_verifier.py`, which also writes their measured error beside them into
`grounding.json`. Reading passages and retrieving them is left to others.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from math import exp
from pathlib import Path
from typing import Any, Protocol

from bot import wording
from bot.alignment import Alignment, Embed, align, readable, split
from bot.contradiction import Finding, findings, foreign_parts, named_source
from bot.evidence import features

CONSTANTS = Path(__file__).with_name("grounding.json")

Tree = Sequence[Sequence[float]]
"""Nodes as [feature, threshold, left, right, value]; a leaf has feature -1."""

FORBIDDEN = frozenset(
    {
        "number", "number exchanged", "name", "calendar", "quote", "mixed", "question", "first person",
        "negation edited", "doubt edited", "opposite edited", "group edited", "word edited", "causation",
    }
)  # fmt: skip
"""Rules without exception: a claim that breaks one is never shown, whatever its score."""

WORTH = (
    "question", "first person", "negation edited", "doubt edited", "opposite edited", "group edited", "word edited",
    "causation", "quote",
    "number exchanged", "number", "name", "mixed", "calendar", "turned", "denies", "affirms", "group",
    "opposite", "exchanged word", "certainty", "cause", "reach", "all of a few", "order of time", "plan told as done",
    "negation dropped", "negation added", "new group", "caveat dropped", "doubt dropped", "small number", "binding",
    "exchanged verb", "inserted word", "perception dropped", "plan dropped", "reach new", "now", "bound", "few",
)  # fmt: skip
"""The order in which findings are told: the first that applies is the reason."""


class Support(StrEnum):
    """How far the passages carry a claim. Only FULL may be shown."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


@dataclass(frozen=True)
class Check:
    """A verdict, the score behind it (0..1, also a ranking) and one short sentence for a person."""

    support: Support
    score: float
    reason: str


class Verifier(Protocol):
    """Whatever can judge a claim against passages."""

    def check(self, claim: str, passages: Sequence[str]) -> Check:
        """The verdict on one claim."""
        ...


@dataclass(frozen=True)
class Constants:
    """Everything that was fitted. `general` ranks any text, `trees` decide on claims about the project's records."""

    names: tuple[str, ...]
    trees: tuple[Tree, ...]
    base: float
    cut: float
    partial: float
    general: Mapping[str, float]
    blend: float
    idf: Mapping[str, float] = field(repr=False)

    @classmethod
    def load(cls, path: Path = CONSTANTS) -> "Constants":
        """The constants of a file written by `evals/fit_verifier.py`."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            tuple(data["names"]),
            tuple(data["trees"]),
            data["base"],
            data["cut"],
            data["partial"],
            data["general"],
            data["blend"],
            data["idf"],
        )


@cache
def default_constants() -> Constants:
    """The shipped constants, read once."""
    return Constants.load()


class CascadeVerifier:
    """The transparent cascade of the module docstring.

    `embed` returns L2-normalised rows; pass one that remembers the vectors of passage sentences, and a check costs the
    embedding of the claim alone. Without `embed` nothing but verbatim sentences is accepted: the score needs vectors.
    """

    def __init__(self, embed: Embed | None = None, constants: Constants | None = None) -> None:
        """Keep the embedder and the constants; nothing is loaded or computed here."""
        self._embed = embed
        self._constants = constants or default_constants()

    def check(self, claim: str, passages: Sequence[str]) -> Check:
        """The verdict on one claim against the union of its cited passages."""
        return self.check_all([(claim, passages)])[0]

    def check_all(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[Check]:
        """The verdicts on many claims, with one call of the embedder."""
        embed = self._remember(pairs)
        return [self._judge(claim, [p for p in passages if p.strip()], embed) for claim, passages in pairs]

    def _remember(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> Embed | None:
        """An embedder that already holds every text that the checks will ask for; quotations need none."""
        if self._embed is None:
            return None
        needed = [(claim, passages) for claim, passages in pairs if not verbatim(plain(claim), passages)]
        texts = list(dict.fromkeys(t for claim, passages in needed for t in texts_of(claim, passages)))
        if not texts:
            return None
        rows = self._embed(texts)
        at = {text: i for i, text in enumerate(texts)}
        return lambda asked: rows[[at[text] for text in asked]]

    def _judge(self, claim: str, passages: Sequence[str], embed: Embed | None) -> Check:
        text = plain(claim)
        if not re.search(r"\w", text):
            return Check(Support.NONE, 0.0, "there is no claim to check")
        if not passages:
            return Check(Support.NONE, 0.0, "no passage is cited")
        foreign = foreign_parts(wording.strip_markers(claim), passages)
        if foreign is not None:
            return Check(Support.NONE, 0.0, f"'{foreign}' is not in the passage")
        if verbatim(text, passages):
            return Check(Support.FULL, 1.0, "the passage says this word for word")
        laid, found = examine(text, passages, self._constants.idf, embed)
        if laid is None:
            return Check(Support.NONE, 0.0, "the claim says nothing that can be checked")
        values = features(laid, found, self._constants.idf)
        score = general_score(values, self._constants)
        chance = tree_score(values, self._constants)
        blended = (1 - self._constants.blend) * score + self._constants.blend * chance
        source = named_source(text, passages)
        if source is not None:
            return Check(Support.NONE, min(blended, 0.3), f"names a source that the passage does not ({source})")
        broken = [f for f in found if f.rule in FORBIDDEN]
        reason = told(found)
        if broken:
            return Check(Support.NONE, blended, told(broken))
        if chance >= self._constants.cut and embed is not None:
            if len(wording.sentences(text)) < 2 or self._each_sentence(text, passages, embed):
                return Check(Support.FULL, max(blended, 0.5), "every part of the claim is in the passage")
            return Check(Support.PARTIAL, blended, "only some of its sentences are in the passage")
        if chance >= self._constants.partial:
            return Check(
                Support.PARTIAL, blended, reason or missing(laid) or "the passage says something near this, not this"
            )
        return Check(Support.NONE, blended, reason or missing(laid) or "the passage does not say this")

    def _each_sentence(self, text: str, passages: Sequence[str], embed: Embed) -> bool:
        return all(self._judge(s, passages, embed).support is Support.FULL for s in wording.sentences(text))


def plain(claim: str) -> str:
    """The claim without markers; a line in capitals is read in small letters, lest every word look like a name."""
    text = wording.clean(claim)
    letters = [c for c in text if c.isalpha()]
    if len(letters) > 12 and sum(c.isupper() for c in letters) > 0.8 * len(letters):
        text = text.capitalize()
    return text


def texts_of(claim: str, passages: Sequence[str]) -> list[str]:
    """Every text whose vector the check of a claim needs."""
    text = plain(claim)
    parts = wording.sentences(text)
    own = [text, *parts] if len(parts) > 1 else [text]
    return [*own, *(s for part in own for s in readable(part, passages))]


def verbatim(text: str, passages: Sequence[str]) -> bool:
    """True when every sentence of the claim is a sentence of a passage, or the passage itself."""

    def bare(sentence: str) -> str:
        return sentence.strip(" .\"'")

    seen = {bare(s) for p in passages for s in (*split(p), wording.clean(p))}
    parts = wording.sentences(text)
    return bare(text) in seen or (bool(parts) and all(bare(s) in seen for s in parts))


def examine(
    text: str, passages: Sequence[str], idf: Mapping[str, float], embed: Embed | None
) -> tuple[Alignment | None, list[Finding]]:
    """The claim laid against its passages with all that speaks against it; nothing when there is nothing to lay."""
    laid = align(text, passages, idf, embed)
    if not laid.support or not (laid.links or laid.claim.numbers):
        return None, []
    return laid, findings(laid)


def told(found: Sequence[Finding]) -> str:
    """The reason of the finding that a person should read first."""
    order = {rule: at for at, rule in enumerate(WORTH)}
    first = min(found, key=lambda f: order.get(f.rule, len(order)), default=None)
    return first.reason if first is not None and first.rule in order else ""


def missing(laid: Alignment) -> str:
    """The weightiest word of the claim without a counterpart, as a reason."""
    gone = [k.claim.text for k in laid.links if k.score < 0.5]
    return f"the passage says nothing of '{max(gone, key=len)}'" if gone else ""


def general_score(values: Mapping[str, float], constants: Constants) -> float:
    """A weighted sum that ranks claims about any text; 0..1, with no meaning as a probability."""
    total = sum(w * values.get(name, 1.0) for name, w in constants.general.items())
    return 1 / (1 + exp(-total))


def tree_score(values: Mapping[str, float], constants: Constants) -> float:
    """The fitted chance that the claim is supported: a sum of small decision trees, then a logistic curve."""
    row = [values[name] for name in constants.names]
    total = constants.base
    for tree in constants.trees:
        at = 0
        while tree[at][0] >= 0:
            feature, threshold, left, right, _ = tree[at]
            at = int(left if row[int(feature)] <= threshold else right)
        total += tree[at][4]
    return 1 / (1 + exp(-total))
