"""Lays a claim against its passages, word by word; what it finds is measured here and judged in `grounding`.

A long passage is read sentence by sentence: the few sentences that carry most of the claim are kept as its support.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bot import wording
from bot.quantities import Quantity, quantities
from bot.wording import Token

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

KEPT_SENTENCES = 4
READ_SENTENCES = 24
"""Of a longer text only the sentences with most words of the claim are compared by vector (a page has hundreds)."""


@dataclass(frozen=True)
class Link:
    """The word of the passage that a word of the claim answers to, and how well (0..1)."""

    claim: Token
    seen: Token | None
    score: float
    sentence: int = -1


@dataclass(frozen=True)
class Reading:
    """One sentence of a passage, taken apart once."""

    text: str
    words: tuple[Token, ...]
    lemmas: frozenset[str]
    lows: frozenset[str]
    numbers: tuple[Quantity, ...]


@dataclass
class Alignment:
    """A claim laid against the sentences that support it best, best first."""

    claim: Reading
    support: list[Reading]
    passage_of: list[int]
    links: list[Link]
    cosines: list[float] = field(default_factory=list)
    all_lows: frozenset[str] = frozenset()
    all_text: str = ""


@lru_cache(maxsize=20_000)
def read(sentence: str) -> Reading:
    """A cleaned sentence as the verifier sees it."""
    words = wording.tokens(sentence)
    return Reading(
        sentence,
        words,
        frozenset(t.lemma for t in words),
        frozenset(t.low for t in words),
        tuple(quantities(words)),
    )


@lru_cache(maxsize=4_000)
def split(passage: str) -> tuple[str, ...]:
    """The cleaned sentences of a passage."""
    return tuple(wording.sentences(wording.clean(passage)))


def is_content(token: Token) -> bool:
    """True for a word that needs a counterpart in the passage."""
    stops = wording.stop_words()
    if token.is_number:
        return False
    return len(token.low) > 1 and token.low not in stops and (token.lemma not in stops or token.is_capital)


def content_of(reading: Reading) -> list[Token]:
    """The words that need a counterpart; those that spell a number are judged as numbers instead."""
    spelled = {at for q in reading.numbers for at in range(q.first, q.last + 1)}
    return [t for t in reading.words if is_content(t) and t.at not in spelled]


def word_score(claim: Token, seen: Token) -> float:
    """How well a word of the passage bears out a word of the claim, 0..1."""
    left, right = claim.lemma, seen.lemma
    if left == right or claim.low == seen.low:
        return 1.0
    if wording.opposite(left, right):
        return 0.0
    if claim.is_capital and seen.is_capital and not wording.kin(left, right):
        return 0.0
    if wording.related(left, right):
        return 0.95
    if wording.synonymous(left, right):
        return 0.9
    if wording.broader(left, right):
        return 0.75
    near = wording.nearness(left, right)
    # Near words are often siblings rather than synonyms, so nearness alone never counts for more than a wider kind.
    return 0.72 * min(1.0, (near - 0.35) / 0.4) if near > 0.45 else 0.0


def weight(lemma: str, idf: Mapping[str, float]) -> float:
    """How much a word tells, 0.3..1; a word never seen tells most."""
    return idf.get(lemma, 1.0)


def acronym_of(name: str, words: Sequence[Token]) -> bool:
    """True when the capitals of a run of words spell the name (AAMC, Association of American Medical Colleges)."""
    letters = name.rstrip("s").upper()
    if not 2 < len(letters) < 9 or not letters.isalpha():
        return False
    initials = "".join(t.text[0].upper() for t in words if t.text[:1].isupper())
    return letters in initials


def _rows(reading: Reading, passages: Sequence[str]) -> list[tuple[int, str]]:
    """The sentences worth comparing, each with the number of its passage."""
    rows = [(at, s) for at, p in enumerate(passages) for s in split(p)]
    if len(rows) > READ_SENTENCES:
        lemmas = _asked(reading)
        order = sorted(range(len(rows)), key=lambda i: -len(lemmas & _bag(rows[i][1])))[:READ_SENTENCES]
        rows = [rows[i] for i in sorted(order)]
    return rows


def _asked(reading: Reading) -> set[str]:
    return {t.lemma for t in content_of(reading)} | {t.low for t in reading.words if t.is_number}


def readable(claim: str, passages: Sequence[str]) -> list[str]:
    """The sentences of the passages that a check of the claim will ask vectors for."""
    return [s for _, s in _rows(read(wording.clean(claim)), passages)]


def align(claim: str, passages: Sequence[str], idf: Mapping[str, float], embed: Embed | None) -> Alignment:
    """The claim laid against the best sentences of its passages."""
    reading = read(wording.clean(claim))
    rows = _rows(reading, passages)
    content = content_of(reading)
    lemmas = _asked(reading)
    cosines = np.zeros(len(rows), np.float32)
    if embed is not None and rows:
        vectors = embed([reading.text, *(s for _, s in rows)])
        cosines = vectors[1:] @ vectors[0]
    readings = [read(s) for _, s in rows]
    total = sum(weight(m, idf) for m in lemmas) or 1.0

    def mass(words: set[str] | frozenset[str]) -> float:
        return sum(weight(m, idf) for m in words) / total

    left = set(lemmas)
    chosen: list[int] = []
    for _ in range(min(KEPT_SENTENCES, len(rows))):
        gains = [
            -math.inf if i in chosen else mass(left & _bag(r.text)) + 0.5 * float(cosines[i]) * (not chosen)
            for i, r in enumerate(readings)
        ]
        best = int(np.argmax(gains))
        if chosen and gains[best] <= 0.02 and len(rows) > KEPT_SENTENCES:
            break
        chosen.append(best)
        left -= _bag(readings[best].text)
    support = [readings[i] for i in chosen]
    links = [_link(token, support) for token in content]
    return Alignment(
        reading,
        support,
        [rows[i][0] for i in chosen],
        links,
        [float(cosines[i]) for i in chosen],
        frozenset(t for r in readings for t in r.lows),
        wording.clean(" ".join(passages)),
    )


@lru_cache(maxsize=20_000)
def _bag(sentence: str) -> frozenset[str]:
    reading = read(sentence)
    return reading.lemmas | {t.low for t in reading.words if t.is_number}


def _link(token: Token, support: Sequence[Reading]) -> Link:
    best = Link(token, None, 0.0)
    for number, reading in enumerate(support):
        if token.lemma in reading.lemmas or token.low in reading.lows:
            seen = next(t for t in reading.words if t.lemma == token.lemma or t.low == token.low)
            return Link(token, seen, 1.0, number)
    for number, reading in enumerate(support):
        for seen in reading.words:
            if seen.is_number or (seen.low in wording.stop_words() and not seen.is_capital):
                continue
            score = word_score(token, seen)
            if score > best.score:
                best = Link(token, seen, score, number)
        if token.is_capital and best.score < 0.9 and token.text.isupper() and acronym_of(token.text, reading.words):
            best = Link(token, reading.words[0], 0.9, number)
        full = wording.lexicon()["acronyms"].get(token.low)
        if full and token.is_capital and full in reading.text.lower():
            best = Link(token, reading.words[0], 0.95, number)
    if best.score < 0.9 and token.is_capital:
        for number, reading in enumerate(support):
            for seen in reading.words:
                full = wording.lexicon()["acronyms"].get(seen.low)
                if full and seen.is_capital and re.search(rf"\b{re.escape(token.low)}\b", full):
                    return Link(token, seen, 0.9, number)
    return best
