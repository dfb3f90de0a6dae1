"""The exact rules: what in a claim speaks against its passages, each with a reason that a person can read.

A rule never says that a claim is supported. How much each finding weighs is fitted on labelled claims (`grounding`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache

from bot import wording
from bot.alignment import Alignment, Reading, acronym_of, content_of, is_content, read, word_score
from bot.quantities import Bound, Kind, Quantity, match
from bot.wording import Token, lemma_of, lexicon

ALIGNED = 0.7
"""A link this good counts as a counterpart."""


@dataclass(frozen=True)
class Finding:
    """One thing that speaks against the claim. `rule` names the rule."""

    rule: str
    reason: str
    amount: float = 1.0


@cache
def _set(name: str) -> frozenset[str]:
    return frozenset(lexicon()[name])


@cache
def _lemmas(name: str) -> frozenset[str]:
    return frozenset(lemma_of(w) for w in lexicon()[name])


@cache
def _groups(name: str) -> dict[str, int]:
    table: dict[str, int] = {}
    for number, words in enumerate(lexicon()[name]):
        for word in words:
            table[lemma_of(word)] = number
    return table


@cache
def _quantifiers() -> dict[str, str]:
    return {word: level for level, words in lexicon()["quantifiers"].items() for word in words}


def used_sentences(laid: Alignment) -> list[Reading]:
    """The sentences that carry the claim: the best one and each that alone answers a fifth of its words."""
    share = [0.0] * len(laid.support)
    for link in laid.links:
        if link.score >= ALIGNED:
            share[link.sentence] += 1 / max(1, len(laid.links))
    return [r for i, r in enumerate(laid.support) if i == 0 or share[i] >= 0.15]


def findings(laid: Alignment) -> list[Finding]:
    """Everything that speaks against the claim, in the order of the rules below."""
    used = used_sentences(laid)
    rules: tuple[Iterable[Finding], ...] = (
        numbers(laid),
        names(laid),
        groups(laid, used),
        calendar(laid),
        polarity(laid, used),
        denied(laid, used),
        opposites(laid, used),
        certainty(laid, used),
        quantity_words(laid, used),
        time_order(laid, used),
        dropped(laid, used),
        quotations(laid),
        exchanged(laid, used),
        turned(laid, used),
        edited(laid, used),
        exchanged_in_place(laid, used),
        speaker(laid),
        mixed(laid),
        rewritten(laid, used),
    )
    return [finding for rule in rules for finding in rule]


def numbers(laid: Alignment) -> Iterable[Finding]:
    """A number of the claim that the passages do not bear out, or bear out for something else."""
    for number in laid.claim.numbers:
        matches = [(r, match(number, r.numbers, r.text)) for r in laid.support]
        good = [(r, m) for r, m in matches if m.found]
        swapped = _exchanged_number(laid, number)
        if swapped:
            yield Finding("number exchanged", f"the passage says {swapped}, the claim {number.text}")
            continue
        if not good:
            seen = [q for r in laid.support for q in r.numbers if q.kind == number.kind]
            told = (
                f"the passage says {seen[0].text}, the claim {number.text}"
                if seen
                else f"{number.text} is not in the passage"
            )
            gravity = 1.0 if seen else 0.5
            rule = (
                "small number"
                if number.kind in {Kind.COUNT, Kind.ORDINAL, Kind.TIMES} and number.value in {1, 2, 3, 4}
                else "number"
            )
            yield Finding(rule, told, gravity)
            continue
        clash = _counts_other(laid, number, [(r, m.where) for r, m in good])
        if clash:
            yield Finding("number exchanged", f"the passage says {clash}, the claim {number.text}")
            continue
        if not any(m.bound_ok for _, m in good):
            yield Finding("bound", f"the claim's '{_with_bound(laid, number)}' is not the passage's bound")
        if not any(m.exact for _, m in good):
            yield Finding("derived", f"{number.text} is worked out from the passage", 1.0)
        elif not any(_bound_to_same(laid.claim, number, r, m.where) for r, m in good if m.exact):
            yield Finding("binding", f"{number.text} counts something else in the passage")


def _exchanged_number(laid: Alignment, number: Quantity) -> str | None:
    """Another number that stands in the same place of a near-quotation."""
    mine, best = laid.claim, laid.support[0]
    if any(q.value == number.value and q.kind == number.kind for r in laid.support[1:] for q in r.numbers):
        return None
    for tag, a, b, c, d in _changes(mine, best):
        if tag != "replace" or not a <= number.first < b or b - a > 5 or d - c > 8:
            continue
        others = [q for q in best.numbers if c <= q.first < d and q.kind == number.kind]
        if any(q.value == number.value for q in best.numbers if c - 1 <= q.first <= d):
            return None
        close = [q for q in best.numbers if c - 1 <= q.first <= d]
        if others and not match(number, close, "").found:
            return others[0].text
    return None


def _counts_other(laid: Alignment, number: Quantity, good: Sequence[tuple[Reading, tuple[int, ...]]]) -> str | None:
    """Another number of the passage that counts what the claim's number counts ('six institutions' for three)."""
    head = next((t for t in laid.claim.words[number.last + 1 : number.last + 3] if is_content(t)), None)
    if head is None or number.kind not in {Kind.COUNT, Kind.SHARE, Kind.ORDINAL}:
        return None
    for reading, where in good:
        if not where:
            return None
        spots = [t.at for t in reading.words if t.lemma == head.lemma]
        if not spots or any(0 < at - w <= 4 for at in spots for w in where):
            return None
        nearest = [q for q in reading.numbers if any(0 < at - q.last <= 2 for at in spots) and q.kind == number.kind]
        if nearest and nearest[0].value != number.value:
            return nearest[0].text
    return None


def _changes(mine: Reading, best: Reading) -> list[tuple[str, int, int, int, int]]:
    """The edits that lead from the passage's sentence to the claim; none unless it is a near-quotation."""
    return list(_edits(mine.text, best.text))


@lru_cache(maxsize=4_000)
def _edits(mine: str, best: str) -> tuple[tuple[str, int, int, int, int], ...]:
    left, right = read(mine).words, read(best).words
    matcher = SequenceMatcher(None, [t.lemma for t in left], [t.lemma for t in right], autojunk=False)
    if sum(b.size for b in matcher.get_matching_blocks()) < 0.55 * len(left):
        return ()
    return tuple(matcher.get_opcodes())


def _kept(edits: Sequence[tuple[str, int, int, int, int]]) -> int:
    """How many words of the claim the edits leave as they stand in the passage."""
    return sum(b - a for tag, a, b, _, _ in edits if tag == "equal")


def _with_bound(laid: Alignment, number: Quantity) -> str:
    before = laid.claim.words[max(0, number.first - 2) : number.first]
    words = [t.text for t in before] if number.bound is not Bound.EXACT else []
    return " ".join([*words, number.text])


def _bound_to_same(claim: Reading, number: Quantity, seen: Reading, where: Sequence[int]) -> bool:
    """True when a word beside the number in the claim stands beside it in the passage, too."""
    if number.kind in {Kind.YEAR, Kind.DECADE, Kind.MONEY}:
        return True
    beside = _beside(claim.words, number.first, number.last, 3)
    if not beside:
        return True
    for at in where:
        around = _beside(seen.words, at, at, 6)
        if any(word_score(one, other) >= 0.7 for one in beside for other in around):
            return True
    return False


def _beside(words: Sequence[Token], first: int, last: int, reach: int) -> list[Token]:
    after = [t for t in words[last + 1 : last + 1 + reach] if not t.is_number and len(t.low) > 2]
    before = [t for t in words[max(0, first - reach) : first] if is_content(t)]
    stops = wording.stop_words()
    return [t for t in after if t.low not in stops] + (before if reach > 3 or not after else [])


def names(laid: Alignment) -> Iterable[Finding]:
    """A proper name of the claim that no passage carries."""
    whole = laid.all_text.lower()
    for link in laid.links:
        token = link.claim
        if not token.is_capital or token.is_number or link.score >= ALIGNED:
            continue
        low = token.low.removesuffix("'s")
        if re.search(rf"\b{re.escape(low)}", whole):
            continue
        yield Finding("name" if token.is_name else "common name", f"'{token.text}' is not named in the passage")


def groups(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """A role or a people of the claim that the passages do not speak of."""
    for kind in ("roles", "peoples"):
        table = _groups(kind)
        seen = {table[m]: m for r in used for m in r.lemmas if m in table}
        words = {m for r in laid.support for m in r.lemmas}
        for token in laid.claim.words:
            if token.lemma not in table or table[token.lemma] in seen or token.lemma in words:
                continue
            if words & {lemma_of(w) for w in lexicon()["wider_roles"].get(token.lemma, ())}:
                continue
            link = next((k for k in laid.links if k.claim.at == token.at), None)
            if link is not None and link.score >= 0.95:
                continue
            others = sorted(m for g, m in seen.items())
            told = (
                f"the passage speaks of {others[0]}, the claim of {token.text}"
                if others
                else f"the passage does not speak of {token.text}"
            )
            near = link is not None and link.score >= ALIGNED
            yield Finding("near group" if near else ("group" if others else "new group"), told)


def calendar(laid: Alignment) -> Iterable[Finding]:
    """A month, a weekday or a season that the passages do not have."""
    for name in ("months", "weekdays", "seasons"):
        for token in laid.claim.words:
            if token.low in _set(name) and token.low not in laid.all_lows:
                if (name != "seasons" and not token.text[0].isupper()) or (token.low == "fall"):
                    continue
                yield Finding("calendar", f"the passage does not say '{token.text}'")


def _negated(reading: Reading, strict: bool = True) -> list[Token]:
    words = _set("strict_negations" if strict else "negations")
    return [t for t in reading.words if t.low in words or t.low.endswith("n't")]


def polarity(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """A negation in one of claim and passage, and nothing like it in the other."""
    mine = _negated(laid.claim)
    theirs = [t for r in used for t in _negated(r)]
    loose_mine = _negated(laid.claim, strict=False) or _prefixed(laid.claim)
    loose_theirs = [t for r in used for t in _negated(r, strict=False) or _prefixed(r)]
    if mine and not theirs:
        rule = "negation softened" if loose_theirs else "negation added"
        yield Finding(rule, f"the claim says '{mine[0].text}', the passage does not deny it")
    if theirs and not mine:
        rule = "denial softened" if loose_mine else "negation dropped"
        yield Finding(rule, f"the passage says '{theirs[0].text}', the claim leaves it out")
    if len(mine) != len(theirs) and mine and theirs:
        yield Finding("negation count", "claim and passage do not deny the same things")
    elif not mine and not theirs and bool(loose_mine) != bool(loose_theirs):
        yield Finding("weak negation", "only one of claim and passage has a negative word")


def denied(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """A word that only one side denies, though both sides have it."""
    mine, theirs = _denied_words(laid.claim), {m for r in used for m in _denied_words(r)}
    plain_mine = {t.lemma for t in laid.claim.words} - mine
    plain_theirs = {m for r in used for m in r.lemmas} - theirs
    added = [m for m in mine if m in plain_theirs]
    dropped_words = [m for m in theirs if m in plain_mine and m not in mine]
    soft_theirs = any(_negated(r, strict=False) or _prefixed(r) for r in used)
    soft_mine = bool(_negated(laid.claim, strict=False) or _prefixed(laid.claim))
    if added and not theirs:
        yield Finding("denies" if not soft_theirs else "denies softly", f"the passage does not deny '{added[0]}'")
    if dropped_words and not mine:
        told = f"the passage denies '{dropped_words[0]}', the claim does not"
        yield Finding("affirms" if not soft_mine else "affirms softly", told)


@cache
def lexicon_groups() -> frozenset[str]:
    """Every role and people of the lexicon."""
    return frozenset({*_groups("roles"), *_groups("peoples")})


def _denied_words(reading: Reading) -> set[str]:
    words: set[str] = set()
    for token in _negated(reading):
        for after in reading.words[token.at + 1 : token.at + 6]:
            if after.broken or after.low in {"and", "but"}:
                break
            if is_content(after) or after.lemma in {"show", "find", "include", "use", "work", "report"}:
                words.add(after.lemma)
            if len(words) >= 2 or after.lemma in lexicon_groups():
                break
    return words


def _prefixed(reading: Reading) -> list[Token]:
    return [
        t
        for t in reading.words
        if re.match(r"(?:un|in|im|dis|non|mis)[a-z]{4,}", t.low)
        and wording.known(re.sub(r"^(?:un|in|im|dis|non|mis)", "", t.low))
    ]


def opposites(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """A word of the claim whose antonym stands in the passage, while the word itself does not."""
    for token in laid.claim.words:
        for reading in used:
            if token.lemma in reading.lemmas or token.low in reading.lows:
                continue
            against = next((t for t in reading.words if wording.opposite(token.lemma, t.lemma)), None)
            if against is None or against.lemma in laid.claim.lemmas:
                continue
            synonym = any(word_score(token, t) >= 0.9 for t in reading.words)
            if not is_content(token) and token.low not in {"before", "after"}:
                break
            rule = "opposite doubtful" if synonym or not is_content(against) else "opposite"
            yield Finding(rule, f"the passage says '{against.text}', the claim '{token.text}'")
            break


def certainty(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """A word of certainty, of cause or of reach that the passages do not use, or a doubt that the claim drops."""
    seen = {m for r in used for m in r.lemmas} | {t for r in used for t in r.lows}
    hedged = [t for r in used for t in r.words if t.low in _set("modals")]
    for token in laid.claim.words:
        if token.low == "only" and seen & {"just", "merely", "single", "sole", "solely", "alone", "one"}:
            continue
        if token.low in _set("certainty") and token.lemma not in seen and token.low not in seen:
            yield Finding("certainty", f"the claim's '{token.text}' is stronger than the passage")
    for token in laid.claim.words:
        if token.low in _set("causation") and not seen & {"cause", "prove", "guarantee", "proof"}:
            yield Finding("causation", f"the claim says '{token.text}', the passage does not")
            break
    if not seen & _lemmas("causes"):
        for token in laid.claim.words:
            if token.low in _set("causes"):
                yield Finding("cause", f"the claim's '{token.text}' states a cause, the passage does not")
                break
    if hedged and not any(t.low in _set("hedges") for t in laid.claim.words):
        yield Finding("doubt dropped", f"the passage's '{hedged[0].text}' is left out")
    perceived = {
        "rate",
        "self",
        "perceive",
        "feel",
        "report",
        "believe",
        "view",
        "opinion",
        "say",
        "confidence",
        "comfort",
        "intend",
        "intention",
    }
    if any(t.lemma in perceived for r in used for t in r.words) and not any(
        t.lemma in perceived | {"accord", "think", "note", "judge", "argue"} for t in laid.claim.words
    ):
        yield Finding("perception dropped", "the passage reports what people said of themselves, the claim a fact")


RANK = {"few": 0, "one": 0, "some": 1, "most": 2, "all": 3}


def quantity_words(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """All for most, most for some: a claim whose quantifier reaches further than the passage's."""
    table = _quantifiers()
    shares = [q.value for r in used for q in r.numbers if q.kind is Kind.SHARE]
    seen = {table[t.low] for r in used for t in r.words if t.low in table}
    for token in laid.claim.words:
        level = table.get(token.low)
        if level not in {"all", "most"} or level in seen:
            continue
        if any(token.lemma in r.lemmas for r in used):
            continue
        if level == "most" and (any(s > 50 for s in shares) or "all" in seen):
            continue
        if level == "all" and any(s == 100 for s in shares):
            continue
        low = bool(seen & {"some", "few", "one"}) or bool(shares)
        yield Finding("reach" if low else "reach new", f"the claim's '{token.text}' reaches further than the passage")
    for token, after in zip(laid.claim.words, laid.claim.words[1:], strict=False):
        if token.low in {"all", "every", "both"} and not after.is_number:
            for reading in used:
                pairs = zip(reading.words, reading.words[1:], strict=False)
                counted = [
                    two
                    for one, two in pairs
                    if one.low in {"all", "of"} and any(q.first == two.at for q in reading.numbers)
                ]
                if (
                    counted
                    and token.low in reading.lows
                    and not any(n.value == q.value for n in laid.claim.numbers for r in used for q in r.numbers)
                ):
                    yield Finding(
                        "all of a few",
                        f"the passage says 'all {counted[0].text}', the claim '{token.text} {after.text}'",
                    )
    if "few" in {table.get(t.low) for t in laid.claim.words} and not seen & {"few", "one"}:
        yield Finding("few", "the claim speaks of few, the passage does not")


def time_order(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """Before for after, or a plan told as done."""
    for one, other in (("before", "after"), ("after", "before")):
        mine = [t for t in laid.claim.words if t.low in _set(one)]
        if not mine or any(t.low in _set(other) for t in laid.claim.words):
            continue
        lows = {t.low for r in used for t in r.words}
        if lows & _set(other) and not lows & _set(one):
            yield Finding("order of time", f"the claim says '{mine[0].text}', the passage the reverse")
    planned = [t for r in used for t in r.words if t.low in _set("planned")]
    mine_planned = [t for t in laid.claim.words if t.low in _set("planned")]
    done = [t for t in laid.claim.words if t.low in _set("done")]
    seen_done = {t.low for r in used for t in r.words} & _set("done")
    if planned and ((done and not seen_done) or not mine_planned):
        yield Finding(
            "plan told as done" if done and not seen_done else "plan dropped",
            f"the passage's '{planned[0].text}' is a plan or a wish",
        )
    if mine_planned and not planned:
        yield Finding("deed told as plan", f"the claim's '{mine_planned[0].text}' is not in the passage")
    if {t.low for t in laid.claim.words} & {"now", "today", "currently", "nowadays"} and not {
        t for r in used for t in r.lows
    } & {"now", "today", "currently", "current", "still"}:
        yield Finding("now", "the passage does not speak of today")


STARK = frozenset({
    "only", "not", "cannot", "nothing", "no", "unclear", "unknown", "self-report", "opinion", "limits", "limited",
    "limitation", "partisan", "rather", "instead", "unverified", "single", "blog", "personal", "report", "reports",
    "without", "self", "never", "solely", "merely", "broadly", "preliminary", "cross",
    "imply", "implied", "low", "small", "differ",
})  # fmt: skip


def dropped(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """A limit that the best sentence states and the claim leaves out."""
    limits = [t for t in used[0].words if t.low in _set("limits")]
    bare = [t for t in limits if t.low in STARK]
    if (
        bare
        and not any(t.low in STARK or t.low in _set("negations") for t in laid.claim.words)
        and not _prefixed(laid.claim)
    ):
        yield Finding("limit dropped", f"the passage's '{bare[0].text}' is left out", min(3, len(bare)))
    kept = [t for t in laid.claim.words if t.low in _set("limits") or t.low in _set("hedges")]
    if limits and not kept:
        yield Finding("caveat dropped", f"the passage's caution ('{limits[0].text}') is left out", min(3, len(limits)))


def quotations(laid: Alignment) -> Iterable[Finding]:
    """Words in quotation marks that no passage has in this order."""
    whole = " ".join(t.low for t in wording.tokens(laid.all_text))
    for quote in wording.QUOTE.findall(laid.claim.text):
        words = [t.low for t in wording.tokens(quote)]
        if len(words) > 1 and " ".join(words) not in whole:
            yield Finding("quote", f"the quotation '{quote[:40]}' is not in the passage")


def exchanged(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """Two names, groups or numbers that have changed places between claim and passage."""
    tables = {**_groups("roles"), **_groups("peoples")}
    reading = used[0]
    marks: list[tuple[int, int]] = []
    for token in laid.claim.words:
        key = token.is_number or token.lemma in tables or (token.is_capital and is_content(token))
        if key:
            seen = [t.at for t in reading.words if t.lemma == token.lemma]
            if len(seen) == 1:
                marks.append((token.at, seen[0]))
    content = [(k.claim.at, k.seen.at) for k in laid.links if k.seen is not None and k.score >= 0.9 and k.sentence == 0]
    crossed = sum(_crosses(a, b) for i, a in enumerate(marks) for b in marks[i + 1 :])
    if crossed and len(content) > 3 and not _rotated(laid.claim, reading):
        whole = sum(_crosses(a, b) for i, a in enumerate(content) for b in content[i + 1 :])
        straight = 1 - whole / (len(content) * (len(content) - 1) / 2)
        # A fronted clause moves whole blocks; an exchange moves two words past everything else.
        yield Finding("exchange" if straight > 0.6 else "reordered", "two names or groups have changed places", crossed)


def _rotated(mine: Reading, best: Reading) -> bool:
    """True when one clause was moved to the other end; words of the passage may be left out."""
    left, right = [t.lemma for t in mine.words], [t.lemma for t in best.words]
    starts = [i for i, m in enumerate(left) if m == right[0]]
    return any(wording.longest_common(left[i:] + left[:i], right) >= 0.95 * len(left) for i in starts)


def _crosses(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return (one[0] - other[0]) * (one[1] - other[1]) < 0


def rewritten(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """In a near-quotation, each content word that was exchanged for another or put in."""
    mine, best = laid.claim.words, used[0].words
    content = set(content_of(laid.claim))
    for tag, a, b, c, d in _changes(laid.claim, used[0]):
        new = [
            t
            for t in mine[a:b]
            if t in content and (not _answered_by(t, used[0]) or _more_often(t, laid.claim, used[0], known=True))
        ]
        if tag not in {"replace", "delete"}:
            continue
        old = [t for t in best[c:d] if is_content(t)]
        lost = [t for t in old if not any(word_score(n, t) >= ALIGNED for n in mine)]
        for token in new:
            if not lost:
                yield Finding("inserted word", f"'{token.text}' is not in the passage")
                continue
            near = max(wording.nearness(token.lemma, t.lemma) for t in lost)
            verb = wording.is_verb(token.lemma) and any(wording.is_verb(t.lemma) for t in lost)
            rule = "exchanged verb" if verb else "exchanged word"
            yield Finding(rule, f"the passage says '{lost[0].text}', the claim '{token.text}'", 1.2 - near)


PIVOTS = {
    "than": 1, "outnumber": 1, "exceed": 1, "whereas": 1, "while": 1, "instead": 1, "against": 1,
    "before": 1, "after": -1, "then": 1, "but": 1, "cause": 1, "raise": 1, "follow": -1, "precede": 1, "compare": 1,
}  # fmt: skip


def turned(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """The sides of a comparison or a sequence that have changed places ('A more than B' for 'B more than A')."""
    for pivot in laid.claim.words:
        way = PIVOTS.get(pivot.lemma) or (1 if pivot.low == "not" and pivot.broken else None)
        if way is None or {"before", "after"} <= laid.claim.lemmas:
            continue
        for reading in used:
            for other in reading.words:
                turn = PIVOTS.get(other.lemma) or (1 if other.low == "not" and other.broken else None)
                alike = other.lemma == pivot.lemma or {other.lemma, pivot.lemma} <= {"before", "after", "then"}
                if turn is None or not alike:
                    continue
                left, right = _sides(laid.claim.words, pivot.at)
                first, last = _sides(reading.words, other.at)
                if way != turn:
                    first, last = last, first
                straight = len(left & first) + len(right & last)
                crossed = len(left & last) + len(right & first)
                if crossed >= 2 and crossed > straight and left & last and right & first:
                    yield Finding("turned", f"what stands on either side of '{pivot.text}' has changed places")
                    return


def _sides(words: Sequence[Token], at: int) -> tuple[set[str], set[str]]:
    left = {t.lemma for t in words[max(0, at - 12) : at] if is_content(t)}
    right = {t.lemma for t in words[at + 1 : at + 13] if is_content(t)}
    return left - right, right - left


def _more_often(token: Token, mine: Reading, seen: Reading, known: bool = False) -> bool:
    """True when the claim has the word more often than the sentence; with `known`, only of words that it has."""
    count = sum(t.lemma == token.lemma for t in seen.words)
    return (count > 0 or not known) and sum(t.lemma == token.lemma for t in mine.words) > count


def _answered_by(token: Token, reading: Reading) -> bool:
    return token.lemma in reading.lemmas or any(
        word_score(token, t) >= ALIGNED for t in reading.words if not t.is_number
    )


def edited(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """In a near-quotation: a negation, a doubt, a direction or a group that was put in, taken out or exchanged."""
    mine, best = laid.claim.words, used[0].words
    edits = _changes(laid.claim, used[0])
    if _kept(edits) < 0.7 * len(mine):
        return
    negative, modal = _set("strict_negations"), _set("modals") | {"can"}
    tables = {**_groups("roles"), **_groups("peoples")}
    for tag, a, b, c, d in edits:
        if tag == "equal" or (b == len(mine) and tag == "insert"):
            continue
        new, old = mine[a:b], best[c:d]
        nots = [t for t in new if t.low in negative], [t for t in old if t.low in negative]
        loose = any(
            t.low in _set("negations") or re.match(r"(?:un|in|im|dis)", t.low)
            for t in (*new, *old)
            if t.low not in negative
        )
        if bool(nots[0]) != bool(nots[1]) and not loose and len(new) < 5 and len(old) < 5:
            word = (nots[0] or nots[1])[0].text
            yield Finding("negation edited", f"only the {'claim' if nots[0] else 'passage'} says '{word}'")
        doubts = [t for t in old if t.low in modal]
        if doubts and not any(t.low in modal | _set("hedges") for t in new) and len(old) < 4 and b < len(mine):
            yield Finding("doubt edited", f"the passage's '{doubts[0].text}' is left out")
        turned_word = next(((n, o) for n in new for o in old if wording.opposite(n.lemma, o.lemma)), None)
        if turned_word and len(new) < 5:
            yield Finding(
                "opposite edited", f"the passage says '{turned_word[1].text}', the claim '{turned_word[0].text}'"
            )
        groups_new = {tables[t.lemma] for t in new if t.lemma in tables and _more_often(t, laid.claim, used[0])}
        groups_old = {tables[t.lemma]: t for t in old if t.lemma in tables}
        if groups_new and groups_old and not groups_new & groups_old.keys():
            told = next(t for t in new if tables.get(t.lemma) in groups_new)
            wider = {lemma_of(w) for w in lexicon()["wider_roles"].get(told.lemma, ())}
            if not wider & {t.lemma for t in old} and not any(word_score(told, t) >= 0.9 for t in old):
                yield Finding(
                    "group edited",
                    f"the passage says '{next(iter(groups_old.values())).text}', the claim '{told.text}'",
                )


def exchanged_in_place(laid: Alignment, used: Sequence[Reading]) -> Iterable[Finding]:
    """In a near-quotation: one number or content word put where the passage has another that means something else."""
    mine, best = laid.claim.words, used[0].words
    edits = _changes(laid.claim, used[0])
    if len(mine) < 6 or _kept(edits) < NEAR_QUOTATION * len(mine):
        return
    for tag, a, b, c, d in edits:
        if tag != "replace":
            continue
        new, old = mine[a:b], best[c:d]
        for mine_number, its in zip(_figures(new), _figures(old), strict=False):
            kept = any(its == other for other in _figures(mine))
            if abs(mine_number - its) >= 1 and not kept:
                yield Finding("number exchanged", f"the passage says '{its:g}', the claim '{mine_number:g}'")
        told = [t for t in new if is_content(t) and not t.is_number]
        lost = [t for t in old if is_content(t) and not t.is_number]
        if len(told) != 1 or not 1 <= len(lost) <= 2:
            continue
        (word,) = told
        surer = word.low in _set("certainty") and not any(t.low in _set("certainty") for t in lost)
        answered = _answered_by(word, used[0]) and not _more_often(word, laid.claim, used[0], known=True)
        if surer or not (answered or any(_may_stand_for(word, t) for t in lost)):
            yield Finding("word edited", f"the passage says '{lost[0].text}', the claim '{word.text}'")


NEAR_QUOTATION = 0.8  # share of the claim's words that stand in the passage's order
NEAR_WORDS = 0.4  # cosine of two single words from which one may be a rewording of the other
# Both chosen on claims_dev and the development rows of grounding_perturb (docs/decisions/0014-the-verifier.md).


def _may_stand_for(word: Token, other: Token) -> bool:
    return (
        word_score(word, other) >= ALIGNED
        or wording.nearness(word.lemma, other.lemma) >= NEAR_WORDS
        or wording.broader(word.lemma, other.lemma)
    )


def _figures(words: Sequence[Token]) -> list[float]:
    bare = (t.low.strip("$%").replace(",", "") for t in words)
    return [float(figure) for figure in bare if re.fullmatch(r"\d+(?:\.\d+)?", figure)]


def speaker(laid: Alignment) -> Iterable[Finding]:
    """A question, or a claim in the first person: no passage can bear it out."""
    text = re.sub(wording.QUOTE, "", laid.claim.text)
    if text.rstrip(" \"'").endswith("?"):
        yield Finding("question", "a question claims nothing")
    own = [
        t
        for t in wording.tokens(text)
        if t.text in {"I", "I'm", "I've", "I'd", "I'll", "i"} or t.low in {"my", "myself"}
    ]
    if own and not any(t.low in {"i", "my", "me"} for r in laid.support for t in r.words):
        yield Finding("first person", "the claim speaks of its writer, the passage does not")


def mixed(laid: Alignment) -> Iterable[Finding]:
    """A number of one record beside a name that only another record has."""
    if len(set(laid.passage_of)) < 2:
        return
    homes: dict[int, set[int]] = {}
    for at, reading in enumerate(laid.support):
        for number in laid.claim.numbers:
            if match(number, reading.numbers, reading.text).found:
                homes.setdefault(number.first, set()).add(laid.passage_of[at])
    for number in laid.claim.numbers:
        if number.first not in homes or number.kind is Kind.YEAR or number.value < 5:
            continue
        near = [
            k for k in laid.links if k.claim.is_capital and k.score >= ALIGNED and abs(k.claim.at - number.first) <= 6
        ]
        for link in near:
            where = {laid.passage_of[i] for i, r in enumerate(laid.support) if link.claim.lemma in r.lemmas}
            between = laid.claim.words[min(link.claim.at, number.first) + 1 : max(link.claim.at, number.first) + 1]
            if not where or where & homes[number.first] or any(t.broken or t.low == "and" for t in between):
                continue
            others = [
                t
                for r, p in zip(laid.support, laid.passage_of, strict=True)
                if p in homes[number.first]
                for t in r.words
                if t.is_capital
            ]
            if others:
                yield Finding("mixed", f"'{link.claim.text}' and {number.text} come from different sources")
                return


def foreign_parts(claim: str, passages: Sequence[str]) -> str | None:
    """An address, an identifier, an image, a link or HTML of the claim that no passage has."""
    whole = " ".join(passages)
    for pattern in (
        r"!?\[[^\]]*\]\([^)]*\)",
        r"<\s*/?\s*[a-zA-Z][^>]*>",
        r"(?:https?://|www\.)\S+",
        r"\b10\.\d{4,9}/\S+",
        r"\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|io|ca|uk|au)(?:/\S*)?\b",
        r"\b(?:PMID|PMCID|doi|arXiv|ISBN)\b:?\s*\S+",
        r"javascript:\S*|data:\w+/\S*",
    ):
        for found in re.findall(pattern, claim, flags=re.IGNORECASE):
            if found.rstrip(".,;)") not in whole:
                return str(found)[:60]
    return None


def named_source(claim: str, passages: Sequence[str]) -> str | None:
    """A source that the claim names (an author with a year, a journal, a kind of study) and no passage carries."""
    whole = " ".join(passages)
    lows = {t.low for t in wording.tokens(wording.clean(whole))}
    text = wording.clean(claim)

    def carried(name: str) -> bool:
        low = name.lower().removesuffix("'s")
        full = lexicon()["acronyms"].get(low, low)
        return low in whole.lower() or full in whole.lower() or acronym_of(low, wording.tokens(wording.clean(whole)))

    no_names = {"by", "since", "from", *wording.stop_words(), *lexicon()["months"], *lexicon()["seasons"]}
    for name in re.findall(r"\b([A-Z][\w'-]+)(?: et al\.?,?| and colleagues,?|,)? \(?(?:19|20)\d\d\b", text):
        if not carried(name) and name.lower() not in no_names:
            return str(name)
    for name in re.findall(r"\b([A-Z][\w'-]+)(?: et al\b| and colleagues\b)", text):
        if not carried(name):
            return str(name)
    kinds = _set("sources")
    for token in wording.tokens(text):
        low = token.low.removesuffix("'s")
        full = lexicon()["acronyms"].get(low)
        if full and full in whole.lower():
            continue
        if low in kinds and low not in lows and lemma_of(low) not in {lemma_of(w) for w in lows}:
            if low in {"who", "nature", "science", "report"} and not (token.is_capital and token.text.isupper()):
                continue
            if not token.is_capital and low in {"journal", "review", "commission", "report", "consensus"}:
                continue
            return token.text
    return None
