"""Words, sentences and word relations as the verifier sees them; it judges no claim.

Lemmas, synonyms, antonyms and word families come from WordNet 3.0 (`words.json.gz`), similarities of single words from
the encoder (`wordvectors.npz`); both are written by `evals/build_words.py`. Nothing is loaded before the first use.
"""

import gzip
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.lexical import stem_words

FOLDER = Path(__file__).parent

Pair = tuple[str, str]

# A decimal point or thousands comma belongs to the number; a hyphen separates words ("third-year" is two).
TOKEN = re.compile(r"[$£€]?\d+(?:[.,]\d+)*(?:st|nd|rd|th|s)?\b%?|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|%")
MARKER = re.compile(r"\s*\[(?:\^|[A-Z]{1,2})?\d{1,3}(?:\s*[,;–-]\s*[A-Z]{0,2}\d{1,3})*\]")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“'(\[]?[A-Z0-9])|\n+")
ABBREVIATION = re.compile(r"\b(?:[A-Z]|al|vs|e\.g|i\.e|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|Rep|Sen|approx|ca|cf|etc|Inc|Jr)\.$")
QUOTE = re.compile(r"[\"“”]([^\"“”]{4,}?)[\"“”]")


@dataclass(frozen=True)
class Token:
    """One word or number.

    `opening` marks the first word of a sentence, whose capital says nothing; `broken` a word after a comma or stop.
    """

    text: str
    low: str
    lemma: str
    at: int
    opening: bool = False
    proper: bool = False
    broken: bool = False

    @property
    def is_number(self) -> bool:
        """True for digits, with or without a sign."""
        return any(c.isdigit() for c in self.text)

    @property
    def is_capital(self) -> bool:
        """True where the capital letter shows a name rather than the start of a sentence."""
        inner = any(c.isupper() for c in self.text[1:])
        return inner or (self.text[:1].isupper() and (self.proper or not self.opening))

    @property
    def is_name(self) -> bool:
        """True for a capital word that is no common word: 'Harvard', but not the 'University' after it."""
        return self.is_capital and (self.proper or any(c.isupper() for c in self.text[1:]))


@cache
def lexicon() -> dict[str, Any]:
    """The hand-made word lists of the rules, as in `lexicon.yaml`."""
    import yaml

    data: dict[str, Any] = yaml.load(
        (FOLDER / "lexicon.yaml").read_text(encoding="utf-8"), yaml.BaseLoader
    )  # "no" and "on" stay words
    return data


@cache
def _words() -> dict[str, Any]:
    with gzip.open(FOLDER / "words.json.gz", "rt", encoding="utf-8") as file:
        data: dict[str, Any] = json.load(file)
    return data


@cache
def _families() -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    groups = [list(pair) for pair in _words()["families"]] + list(lexicon()["families"])
    for group in groups:
        for word in group:
            table.setdefault(lemma_of(word), set()).update(lemma_of(w) for w in group)
    return table


@cache
def _synonyms() -> dict[str, set[int]]:
    table: dict[str, set[int]] = {}
    for number, group in enumerate(lexicon()["synonyms"]):
        for word in group:
            table.setdefault(lemma_of(word), set()).add(number)
    return table


@cache
def _antonyms() -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}

    def put(left: str, right: str) -> None:
        table.setdefault(left, set()).add(right)
        table.setdefault(right, set()).add(left)

    for left, right in _words()["antonyms"]:
        put(left, right)
    for one, other in lexicon()["antonyms"]:
        for left in one:
            for right in other:
                put(lemma_of(left), lemma_of(right))
    return table


@cache
def _vectors() -> tuple[dict[str, int], NDArray[np.float32]]:
    with np.load(FOLDER / "wordvectors.npz") as data:
        rows = {str(word): at for at, word in enumerate(data["words"])}
        vectors = data["vectors"].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows, vectors


@cache
def stop_words() -> frozenset[str]:
    """Function words: they need no counterpart in the passage. Negations and quantifiers are judged by rules."""
    return frozenset(lexicon()["stop_words"])


def strip_markers(text: str) -> str:
    """The text without citation markers such as [1], [E3] or [2, 4]."""
    return MARKER.sub("", text).strip()


def clean(text: str) -> str:
    """The text without citation markers, with plain quotes, dashes and spaces."""
    text = unicodedata.normalize("NFKC", text)
    text = text.translate(str.maketrans("“”‘’‐‑‒–—−", "\"\"''-----" + "-"))
    return re.sub(r"\s+", " ", MARKER.sub("", text)).strip()


def sentences(text: str) -> list[str]:
    """The sentences of a text; an abbreviation or an initial does not end one."""
    parts: list[str] = []
    start = 0
    for end in SENTENCE_END.finditer(text):
        piece = text[start : end.start()].strip()
        if piece and not ABBREVIATION.search(piece):
            parts.append(piece)
            start = end.end()
    rest = text[start:].strip()
    return [*parts, rest] if rest else parts


SUFFIXES = (
    ("n", (("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("ies", "y"))),
    ("v", (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""))),
    ("a", (("er", ""), ("est", ""), ("er", "e"), ("est", "e"), ("ier", "y"), ("iest", "y"))),
)
SPELLINGS = (
    (re.compile(r"(?<=\w{3})is(e|es|ed|ing|ation|ations)$"), r"iz\1"),
    (re.compile(r"(?<=\w{3})ys(e|es|ed|ing)$"), r"yz\1"),
    (re.compile(r"(?<=\w{2})our(s|ed|ing|able|ful|ite|al)?$"), r"or\1"),
    (re.compile(r"(?<=\w{2})tre(s|d)?$"), r"ter\1"),
    (re.compile(r"gramme(s)?$"), r"gram\1"),
    (re.compile(r"aed"), "ed"),
    (re.compile(r"aec"), "ec"),
    (re.compile(r"oed"), "ed"),
    (re.compile(r"(?<=\w{2})ll(ed|ing|er|ers)$"), r"l\1"),
    (re.compile(r"(?<=\w)efence"), "efense"),
    (re.compile(r"icence"), "icense"),
    (re.compile(r"enrol$"), "enroll"),
    (re.compile(r"lment$"), "llment"),
)


@lru_cache(maxsize=50_000)
def lemma_of(word: str) -> str:
    """The dictionary form in American spelling; the stem of a word that the dictionary does not have."""
    low = word.lower().removesuffix("'s").removesuffix("'")
    for form in _spellings(low):
        found = _lookup(form)
        if found:
            return found
    forms = _spellings(low)
    return stem_words([forms[-1]])[0] if len(low) > 3 else low


def _spellings(low: str) -> list[str]:
    changed = low
    for pattern, to in SPELLINGS:
        changed = pattern.sub(to, changed)
    return [changed, low] if changed != low else [low]


def _lookup(form: str) -> str | None:
    table = _words()
    bases = [b for b in table["exceptions"].get(form, []) if b != form]
    if bases:
        return str(bases[0])
    verb_like = form.endswith(("ing", "ed"))
    if form in table["lemmas"] and not (verb_like and len(form) > 5 and _detached(form, "v")):
        return form
    for tag in "vna" if verb_like else "nva":
        base = _detached(form, tag)
        if base:
            return base
    return None


def _detached(form: str, tag: str) -> str | None:
    table = _words()["lemmas"]
    for kind, rules in SUFFIXES:
        if kind != tag:
            continue
        for end, to in rules:
            base = form[: -len(end)] + to
            if form.endswith(end) and len(base) > 1 and tag in table.get(base, {}):
                return base
            doubled = len(base) > 3 and end in {"ed", "ing"} and form.endswith(end) and base[-1] == base[-2]
            if doubled and tag in table.get(base[:-1], {}):
                return base[:-1]
    return None


@cache
def _phrases() -> tuple[re.Pattern[str], dict[str, str]]:
    """One pattern for all the phrases that stand for a single word, with that word."""
    table = {form: word for word, forms in lexicon()["phrases"].items() for form in forms}
    longest = sorted(table, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest)) + r")\b", re.IGNORECASE), table


@lru_cache(maxsize=20_000)
def tokens(text: str) -> tuple[Token, ...]:
    """The words and numbers of a text in order, hyphenated words taken apart."""
    found: list[Token] = []
    end = 0
    pattern, table = _phrases()
    text = pattern.sub(lambda m: table[m.group().lower()], text)
    for match in TOKEN.finditer(text):
        word = match.group()
        if not word.lower().startswith("let"):
            word = word.removesuffix("'s")
        gap = text[end : match.start()]
        opening = not found or bool(re.search(r"[.!?:;]['\")]*\s+['\"(]*$|\n", gap)) or (gap.strip() == '"')
        low = word.lower().replace("’", "'")
        found.append(
            Token(word, low, lemma_of(low), len(found), opening, _is_proper(low), bool(re.search(r"[,;:.()]", gap)))
        )
        end = match.end()
    return tuple(found)


@cache
def _proper() -> frozenset[str]:
    return frozenset(_words()["proper"])


@lru_cache(maxsize=50_000)
def _is_proper(low: str) -> bool:
    """True for a word that the dictionary has with a capital only, or not at all."""
    if not low.isalpha() or len(low) < 3 or low in stop_words() or low in lexicon()["plain_words"]:
        return False
    return low in _proper() or (_lookup(low) is None and all(_lookup(form) is None for form in _spellings(low)))


def kin(left: str, right: str) -> bool:
    """True for words of one listed family; names need more than a common beginning (George is not Georgetown)."""
    return left == right or right in _families().get(left, ())


@lru_cache(maxsize=100_000)
def related(left: str, right: str) -> bool:
    """True for words of one family: to apologise and an apology, a nurse and nursing."""
    if left == right:
        return True
    if right in _families().get(left, ()):
        return True
    short, long = sorted((left, right), key=len)
    if len(short) < 5:
        return False
    stems = stem_words([left, right])
    return bool(stems[0] == stems[1]) or (len(short) > 5 and long.startswith(short[:-1]) and len(long) - len(short) < 6)


@lru_cache(maxsize=100_000)
def synonymous(left: str, right: str) -> bool:
    """True when both lemmas share one of their common senses, in WordNet or in the project's list."""
    if _synonyms().get(left, set()) & _synonyms().get(right, set()):
        return True
    one, other = _words()["lemmas"].get(left, {}), _words()["lemmas"].get(right, {})
    return any(set(one[t][:4]) & set(other[t][:4]) for t in one.keys() & other.keys())


def known(lemma: str) -> bool:
    """True for a lemma that the dictionary has."""
    return lemma in _words()["lemmas"]


def is_verb(lemma: str) -> bool:
    """True for a lemma that can be a verb."""
    return "v" in _words()["lemmas"].get(lemma, {})


@lru_cache(maxsize=100_000)
def broader(left: str, right: str) -> bool:
    """True when the first lemma names a kind that the second belongs to (people, physicians)."""
    one, other = _words()["lemmas"].get(left, {}), _words()["lemmas"].get(right, {})
    parents = _words()["hypernyms"]
    for tag in one.keys() & other.keys() & {"n", "v"}:
        for sense in other[tag][:2]:
            first = parents.get(str(sense), [])
            second = [g for p in first for g in parents.get(str(p), [])]
            if set(one[tag][:2]) & set(first + second):
                return True
    return False


@lru_cache(maxsize=100_000)
def opposite(left: str, right: str) -> bool:
    """True for antonyms, in WordNet or in the project's list."""
    return right in _antonyms().get(left, ())


@lru_cache(maxsize=200_000)
def nearness(left: str, right: str) -> float:
    """Cosine of the two words' vectors; 0 for a word without one. Opposites are near, too: ask `opposite` first."""
    rows, vectors = _vectors()
    one, other = rows.get(left), rows.get(right)
    if one is None or other is None:
        return 0.0
    return float(vectors[one] @ vectors[other])


def longest_common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for word in left:
        previous = 0
        for at, other in enumerate(right, 1):
            previous, row[at] = row[at], previous + 1 if word == other else max(row[at], row[at - 1])
    return row[-1]
