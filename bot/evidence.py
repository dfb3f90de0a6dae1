"""Turns a laid-out claim and its findings into the numbers that the score weighs."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from bot import wording
from bot.alignment import Alignment, is_content, weight, word_score
from bot.contradiction import ALIGNED, Finding, used_sentences

RULES = (
    "number", "small number", "bound", "derived", "binding", "name", "near group", "group", "new group", "calendar",
    "negation softened", "negation added", "denial softened", "negation dropped", "negation count", "weak negation",
    "opposite doubtful", "opposite", "certainty", "cause", "doubt dropped", "perception dropped", "reach", "reach new",
    "few", "order of time", "plan told as done", "plan dropped", "deed told as plan", "now", "caveat dropped", "quote",
    "exchange", "reordered", "exchanged word", "exchanged verb", "inserted word", "number exchanged", "turned",
    "denies",
    "denies softly", "affirms", "affirms softly", "all of a few",
    "negation edited", "doubt edited", "opposite edited", "group edited", "word edited", "question", "first person", "mixed",
    "causation",
    "limit dropped", "common name",
)  # fmt: skip


POLARITY = {
    "negation added", "negation dropped", "opposite", "negation edited", "opposite edited", "affirms", "denies",
}  # fmt: skip
HARMLESS = {
    "perception dropped",
    "plan dropped",
    "deed told as plan",
    "caveat dropped",
    "weak negation",
    "reordered",
    "derived",
}


def _strict(laid: Alignment, found: Sequence[Finding]) -> bool:
    """True for a near-quotation: every content word and number in one or two sentences, and nothing against it."""
    if any(f.rule not in HARMLESS for f in found):
        return False
    window = laid.support[:1] if len(laid.support[0].words) >= 0.8 * len(laid.claim.words) else laid.support[:2]
    lemmas = {m for r in window for m in r.lemmas}
    return all(t.lemma in lemmas for t in laid.claim.words if is_content(t) or t.is_number)


def features(laid: Alignment, found: Sequence[Finding], idf: Mapping[str, float]) -> dict[str, float]:
    """Everything the score is a sum of, by name; shares lie in 0..1, counts are capped."""
    links = laid.links
    weights = [weight(k.claim.lemma, idf) for k in links]
    total = sum(weights) or 1.0

    def share(cut: float) -> float:
        return sum(w for w, k in zip(weights, links, strict=True) if k.score >= cut) / total

    missing = [(w, k) for w, k in zip(weights, links, strict=True) if k.score < 0.5]
    best = laid.support[0]
    used = used_sentences(laid)
    mine = [t.lemma for t in laid.claim.words]
    common = wording.longest_common(mine, [t.lemma for t in best.words])
    content = [t for r in used for t in r.words if is_content(t)]
    answered = [t for t in content if any(word_score(k.claim, t) >= ALIGNED for k in links)]
    bigrams = set(pairwise(mine))
    seen = {
        p for r in laid.support for p in zip([t.lemma for t in r.words], [t.lemma for t in r.words][1:], strict=False)
    }
    cosine = laid.cosines[0]
    top = sorted(laid.cosines, reverse=True)
    values = {
        "cosine": cosine,
        "cosine best": top[0],
        "cosine second": top[1] if len(top) > 1 else 0.0,
        "exact": share(1.0),
        "family": share(0.95),
        "synonym": share(0.9),
        "aligned": share(ALIGNED),
        "soft": sum(w * k.score for w, k in zip(weights, links, strict=True)) / total,
        "missing share": sum(w for w, _ in missing) / total,
        "missing count": min(6, len(missing)) / 6,
        "missing weight": max((w for w, _ in missing), default=0.0),
        "missing mass": min(5.0, sum(w for w, _ in missing)) / 5,
        "order": common / max(1, len(mine)),
        "order of all": 2 * common / max(1, len(mine) + len(best.words)),
        "bigrams": len(bigrams & seen) / max(1, len(bigrams)),
        "passage told": len(answered) / max(1, len(content)),
        "length": min(2.0, len(mine) / max(1, sum(len(r.words) for r in used))) / 2,
        "words": min(40, len(mine)) / 40,
        "sentences": (len(used) - 1) / 3,
        "verbatim": float(laid.claim.text.rstrip(".") in laid.all_text),
        "clean": float(not found),
        "strict": float(_strict(laid, found)),
        "number missing": float(any(f.rule in {"number", "small number", "number exchanged"} for f in found)),
        "polarity": float(any(f.rule in POLARITY for f in found)),
    }
    for rule in RULES:
        values["rule " + rule] = min(3.0, sum(f.amount for f in found if f.rule == rule))
    return values
