"""Numbers in a text: digits, words, shares, dates; and whether a passage bears out the number of a claim."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from bot.wording import Token


class Kind(StrEnum):
    """What a number counts; only like kinds are compared."""

    COUNT = "count"
    SHARE = "share"
    YEAR = "year"
    DECADE = "decade"
    ORDINAL = "ordinal"
    MONEY = "money"
    TIMES = "times"


class Bound(StrEnum):
    """How exactly the number is meant."""

    EXACT = "exact"
    ABOUT = "about"
    OVER = "over"
    UNDER = "under"


@dataclass(frozen=True)
class Quantity:
    """A number as it is meant. `vague` marks a fraction in words: 'a third' bears some rounding, '33 %' none."""

    value: float
    kind: Kind
    bound: Bound
    text: str
    first: int
    last: int
    vague: bool = False
    minutes: float | None = None
    """The length of time that is meant, where a unit of time follows."""


UNITS = {
    w: i
    for i, w in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
TENS = {
    w: 10 * i for i, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
ORDINALS = {
    w: i
    for i, w in enumerate(
        ["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"], 2
    )
}
PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifth": 5, "fifths": 5, "sixth": 6,
    "sixths": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10, "sevenths": 7, "ninths": 9,
}  # fmt: skip
DECADES = {
    w: 10 * i
    for i, w in enumerate(
        ["twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties"], 2
    )
}
TIMES = {"twice": 2.0, "double": 2.0, "doubled": 2.0, "doubles": 2.0, "triple": 3.0, "tripled": 3.0, "thrice": 3.0,
         "quadrupled": 4.0, "halved": 0.5, "halves": 0.5}  # fmt: skip
OVER = re.compile(
    r"(?:more than|over|upwards of|above|at least|exceed\w*|beyond|just over|slightly over|a little over|well over)$"
)
UNDER = re.compile(r"(?:fewer than|less than|under|below|at most|up to|no more than|not even|just under|just short of|"
                   r"nearly|almost|close to|approaching|not quite)$")  # fmt: skip
ABOUT = re.compile(r"(?:about|around|roughly|approximately|some|or so|circa|an estimated|most)$")


def quantities(words: Sequence[Token]) -> list[Quantity]:
    """Every number of the text, in order; 'one' and 'first' are words, not numbers, unless a share needs them."""
    found: list[Quantity] = []
    at = 0
    while at < len(words):
        number = _share(words, at) or _digits(words, at) or _spelled(words, at) or _special(words, at)
        if number is None:
            at += 1
            continue
        found.append(number)
        at = number.last + 1
    return found


def _bound(words: Sequence[Token], at: int) -> Bound:
    before = " ".join(t.low for t in words[max(0, at - 4) : at])
    before = re.sub(r" (?:a|an|the|just|only|one|in)$", "", before) if not OVER.search(before) else before
    for pattern, bound in ((OVER, Bound.OVER), (UNDER, Bound.UNDER), (ABOUT, Bound.ABOUT)):
        if pattern.search(before):
            return bound
    return Bound.EXACT


MINUTES = {"minute": 1, "hour": 60, "day": 1440, "week": 10_080, "month": 43_800, "year": 525_600}


def _make(words: Sequence[Token], first: int, last: int, value: float, kind: Kind, vague: bool = False) -> Quantity:
    text = " ".join(t.text for t in words[first : last + 1]).replace(" %", "%")
    unit = 0.0
    if kind in {Kind.COUNT, Kind.SHARE} and "%" not in text:
        unit = next((MINUTES[t.lemma] for t in words[last + 1 : last + 2] if t.lemma in MINUTES), 0.0)
    amount = value / 100 if kind is Kind.SHARE else value
    return Quantity(value, kind, _bound(words, first), text, first, last, vague, amount * unit or None)


def _plain(words: Sequence[Token], at: int) -> tuple[float, int] | None:
    """A whole number in digits or words starting here, and its last token."""
    text = words[at].low
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+|\d+", text):
        return float(text.replace(",", "")), at
    total = current = 0.0
    last = -1
    for here in range(at, len(words)):
        low = words[here].low
        if last >= 0 and words[here].broken:
            break
        if low in UNITS and (last < 0 or words[here - 1].low in TENS or words[here - 1].low in {*SCALES, "and"}):
            current += UNITS[low]
        elif low in TENS and (last < 0 or words[here - 1].low in {*SCALES, "and"}):
            current += TENS[low]
        elif low in SCALES and last >= 0:
            current = max(current, 1) * SCALES[low]
            if SCALES[low] > 100:
                total, current = total + current, 0.0
        elif low == "dozen":
            return max(current, 1) * 12, here
        elif low == "and" and last >= 0 and words[here - 1].low in SCALES:
            if here + 1 < len(words) and (words[here + 1].low in UNITS or words[here + 1].low in TENS):
                continue
            break
        else:
            break
        last = here
    return (total + current, last) if last >= 0 else None


def _share(words: Sequence[Token], at: int) -> Quantity | None:
    low = words[at].low
    following = [t.low for t in words[at + 1 : at + 4]]
    if (
        low in {"a", "one"}
        and [*following, "", "", ""][0] in MINUTES
        and [t.low for t in words[at + 2 : at + 5]] == ["and", "a", "half"]
    ):
        return replace(_make(words, at, at + 4, 1.5, Kind.COUNT), minutes=1.5 * MINUTES[following[0]])
    units = [w for w in following[:2] if w in MINUTES]
    if low == "half" and units and following[0] in {*MINUTES, "a", "an"}:
        return replace(_make(words, at, at, 0.5, Kind.COUNT), minutes=0.5 * MINUTES[units[0]])
    if low in {"half", "halves"} and (not following or following[0] not in {"day", "hour", "days", "way", "hours"}):
        return _make(words, at, at, 50.0, Kind.SHARE, vague=True)
    if low in {"a", "one"} and following and following[0] in PARTS:
        ordinal = len(following) > 1 and following[1] in {"year", "time", "day", "party", "author"}
        if not ordinal:
            return _make(words, at, at + 1, 100.0 / PARTS[following[0]], Kind.SHARE, vague=True)
    plain = _plain(words, at)
    if plain is None:
        return None
    value, last = plain
    rest = [t.low for t in words[last + 1 : last + 4]]
    if rest == ["and", "a", "half"]:
        return _make(words, at, last + 3, value + 0.5, Kind.COUNT)
    if rest and rest[0] in PARTS and value < PARTS[rest[0]] and (rest[0].endswith("s") or value == 1):
        return _make(words, at, last + 1, 100.0 * value / PARTS[rest[0]], Kind.SHARE, vague=True)
    if len(rest) > 1 and rest[0] in {"in", "of", "out"} and value < 20:
        skip = 2 if rest[0] == "out" and rest[1] == "of" else 1
        if last + 1 + skip < len(words):
            base = _plain(words, last + 1 + skip)
            if (
                base
                and base[0] in {3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 50, 100}
                and value < base[0]
                and rest[0] != "of"
            ):
                return _make(words, at, base[1], 100.0 * value / base[0], Kind.SHARE, vague=True)
    if rest and rest[0] in {"percent", "%"}:
        return _make(words, at, last + 1, value, Kind.SHARE)
    if len(rest) > 1 and rest[:2] == ["per", "cent"]:
        return _make(words, at, last + 2, value, Kind.SHARE)
    return None


def _digits(words: Sequence[Token], at: int) -> Quantity | None:
    text = words[at].low
    if not any(c.isdigit() for c in text):
        return None
    body = re.sub(r"[^\d.,]", "", text).rstrip(".,")
    try:
        value = float(body.replace(",", ""))
    except ValueError:
        return None
    following = words[at + 1].low if at + 1 < len(words) else ""
    if (
        text.endswith("%")
        or following in {"percent", "%"}
        or (following == "per" and at + 2 < len(words) and words[at + 2].low == "cent")
    ):
        return _make(words, at, at + (0 if text.endswith("%") else 1), value, Kind.SHARE)
    if text[0] in "$£€":
        scale = SCALES.get(following, 1)
        return _make(words, at, at + (scale > 1), value * scale, Kind.MONEY)
    if re.fullmatch(r"(?:19|20)\d0s", text):
        return _make(words, at, at, value, Kind.DECADE)
    if re.fullmatch(r"\d+(?:st|nd|rd|th)", text):
        return _make(words, at, at, value, Kind.ORDINAL)
    if re.fullmatch(r"(?:1[789]|20)\d\d", text):
        return _make(words, at, at, value, Kind.YEAR)
    scale = SCALES.get(following, 1)
    return _make(words, at, at + (scale > 1), value * scale, Kind.COUNT)


def _spelled(words: Sequence[Token], at: int) -> Quantity | None:
    plain = _plain(words, at)
    if plain is None or (plain[0] == 1 and plain[1] == at):
        return None
    value, last = plain
    times = last + 1 < len(words) and words[last + 1].low == "times"
    return _make(words, at, last, value, Kind.TIMES if times else Kind.COUNT)


def _special(words: Sequence[Token], at: int) -> Quantity | None:
    low = words[at].low
    if low in TIMES:
        return _make(words, at, at, TIMES[low], Kind.TIMES)
    if low in DECADES:
        return _make(words, at, at, float(DECADES[low]), Kind.DECADE)
    if low in ORDINALS and not (at + 1 < len(words) and words[at + 1].low in {"hand"}):
        return _make(words, at, at, float(ORDINALS[low]), Kind.ORDINAL)
    return None


@dataclass(frozen=True)
class Match:
    """How one number of the claim stands to the passage. `exact` is False for a number that was worked out."""

    found: bool
    exact: bool
    bound_ok: bool
    where: tuple[int, ...] = ()


ALIKE = {
    frozenset({Kind.COUNT, Kind.ORDINAL}), frozenset({Kind.COUNT, Kind.TIMES}), frozenset({Kind.COUNT, Kind.MONEY}),
    frozenset({Kind.COUNT, Kind.YEAR}),
}  # fmt: skip


def match(claim: Quantity, passage: Sequence[Quantity], text: str) -> Match:
    """Whether the numbers of one passage bear out a number of the claim.

    >>> from bot.wording import tokens
    >>> seen = quantities(tokens("Of 190 participants, 138 answered."))
    >>> match(quantities(tokens("73% answered"))[0], seen, "").found
    True
    """
    same = [p for p in passage if _same(claim, p)]
    if same:
        return Match(True, True, any(_bounds_agree(claim, p) for p in same), tuple(p.first for p in same))
    near = [p for p in passage if _covers(claim, p) or _as_long(claim, p)]
    if near:
        return Match(True, False, True, tuple(p.first for p in near))
    if claim.kind is Kind.SHARE and _ratio(claim, passage):
        return Match(True, False, True)
    if claim.kind is Kind.COUNT and claim.value < 100:
        years = [p.value for p in passage if p.kind is Kind.YEAR]
        if len(years) <= 4 and claim.value in {abs(a - b) for a, b in combinations(years, 2)}:
            return Match(True, False, True)
        if claim.value <= 8 and claim.value in _listed(text):
            return Match(True, False, True)
    if claim.kind is Kind.COUNT and claim.bound is Bound.ABOUT and claim.value % 1:
        scores = [p.value for p in passage if p.kind is Kind.COUNT and p.value % 1]
        if len(scores) <= 3 and any(abs(abs(a - b) - claim.value) < 0.06 for a, b in combinations(scores, 2)):
            return Match(True, False, True)
    if claim.kind is Kind.COUNT and claim.value >= 10:
        counts = [p.value for p in passage if p.kind is Kind.COUNT]
        if 2 <= len(counts) <= 5 and claim.value in {a + b for a, b in combinations(counts, 2)}:
            return Match(True, False, True)
    return Match(False, False, False)


def _same(claim: Quantity, seen: Quantity) -> bool:
    if Kind.DECADE in {claim.kind, seen.kind}:
        return claim.kind == seen.kind and claim.value % 100 == seen.value % 100
    kinds = frozenset({claim.kind, seen.kind})
    if len(kinds) > 1 and kinds not in ALIKE:
        return False
    return abs(claim.value - seen.value) < (0.7 if claim.vague or seen.vague else 1e-9)


def _as_long(claim: Quantity, seen: Quantity) -> bool:
    """True for one length of time in two units (90 minutes, an hour and a half)."""
    if claim.minutes is None or seen.minutes is None:
        return False
    return abs(claim.minutes - seen.minutes) <= 0.02 * seen.minutes


def _bounds_agree(claim: Quantity, seen: Quantity) -> bool:
    if claim.bound == seen.bound or claim.bound is Bound.ABOUT:
        return True
    # 'more than 3,000' may be told as 'about 3,000', and 'at least 80' as 'over 80', but not the other way about.
    return claim.bound is Bound.EXACT and seen.bound is Bound.ABOUT


def _covers(claim: Quantity, seen: Quantity) -> bool:
    """True when a rounded or bounded number of the claim holds for the exact one."""
    kinds = frozenset({claim.kind, seen.kind})
    if (len(kinds) > 1 and kinds not in ALIKE) or Kind.YEAR in kinds or Kind.ORDINAL in kinds:
        return False
    if Kind.DECADE in kinds or Kind.TIMES in kinds:
        return False
    return _holds(claim, seen.value)


def _holds(claim: Quantity, value: float) -> bool:
    target, share = claim.value, claim.kind is Kind.SHARE
    if claim.bound is Bound.OVER:
        return target < value <= (target + 20 if share else target * 1.25)
    if claim.bound is Bound.UNDER:
        return (target - 8 if share else target * 0.85) <= value < target
    if claim.bound is Bound.ABOUT:
        return abs(value - target) <= (3.5 if share else target * 0.06)
    return claim.vague and abs(value - target) <= 2.0


def _ratio(claim: Quantity, passage: Sequence[Quantity]) -> bool:
    """True when the share is that of two counts of the passage."""
    counts = [p.value for p in passage if p.kind in {Kind.COUNT, Kind.YEAR} and p.value >= 1]
    if len(counts) > 8:
        return False
    for one, other in combinations(counts, 2):
        low, high = min(one, other), max(one, other)
        if low < high and high >= 5:
            share = 100 * low / high
            digits = len(claim.text.rstrip("%").partition(".")[2]) if "." in claim.text else 0
            if round(share, digits) == claim.value or _holds(claim, share):
                return True
    return False


def _listed(text: str) -> set[int]:
    """Lengths of the enumerations of a sentence: 'a, b and c' is 3."""
    sizes: set[int] = set()
    for run in re.findall(r"[^.;:]*", text):
        commas = run.count(",")
        if re.search(r"\b(?:and|or)\b", run):
            sizes |= {commas + 2, commas + 1} if commas else {2}
    semicolons = text.count(";")
    return sizes | ({semicolons + 1} if semicolons else set())
