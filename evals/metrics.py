"""Figures and their uncertainty, defined once. Nothing here knows a bot, a case file or a judge.

A value that could not be computed is None and is counted as unscored: unscored is not zero, and denominators are what was
sent, not what came back. Every interval is a bootstrap over clusters (a question's or a record's cases are drawn together),
95 %, with a fixed seed, so that two runs over equal scores print equal figures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000
SEED = 20_261_122
LEAST_INFORMATIVE = 0.3  # Se + Sp - 1 below this: a correction would divide by noise

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """A mean over the scored values; None when nothing was scored."""

    value: float | None
    scored: int
    unscored: int


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval. `low` and `high` are None where there is none (one cluster or nothing scored)."""

    value: float | None
    low: float | None
    high: float | None
    scored: int
    unscored: int = 0
    clusters: int = 0

    @property
    def note(self) -> str:
        """Why there is no value, for a person."""
        return "not measured" if self.value is None and not self.scored else "not estimable"


@dataclass(frozen=True)
class Difference:
    """B minus A on the same cases, with its 95 % interval."""

    value: float
    low: float
    high: float
    pairs: int

    @property
    def real(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def mean(values: Sequence[float | None]) -> Mean:
    """The mean of what was scored.

    >>> mean([1.0, None, 0.0])
    Mean(value=0.5, scored=2, unscored=1)
    >>> mean([None])
    Mean(value=None, scored=0, unscored=1)
    """
    scored = [value for value in values if value is not None]
    return Mean(sum(scored) / len(scored) if scored else None, len(scored), len(values) - len(scored))


def draws_of(clusters: int, draws: int = DRAWS, seed: int = SEED) -> NDArray[np.int64]:
    """How often each cluster is drawn in each bootstrap sample, shape (draws, clusters).

    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 8 (resampling whole clusters).
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws).astype(np.int64)


def estimate(values: Sequence[float | None], clusters: Sequence[str]) -> Estimate:
    """The mean with its cluster-bootstrap percentile interval."""
    point = mean(values)
    kept = [(name, value) for name, value in zip(clusters, values, strict=True) if value is not None]
    if point.value is None:
        return Estimate(None, None, None, 0, point.unscored)
    names, owner = np.unique([name for name, _ in kept], return_inverse=True)
    if len(names) < 2:
        return Estimate(point.value, None, None, point.scored, point.unscored, len(names))
    sums = np.bincount(owner, weights=[value for _, value in kept])
    counts = np.bincount(owner).astype(float)
    times = draws_of(len(names))
    low, high = (float(end) for end in np.percentile((times @ sums) / (times @ counts), [2.5, 97.5]))
    if point.value in (0.0, 1.0):
        low, high = certain_interval(point.value, len(names))
    return Estimate(point.value, low, high, point.scored, point.unscored, len(names))


def certain_interval(value: float, clusters: int) -> tuple[float, float]:
    """The interval of a share that came out as exactly 0 or 1, where every bootstrap sample would say the same.

    Clopper & Pearson 1934, two-sided 95 %: 1 - 0.025 ** (1 / n) away from the end, with n clusters.

    >>> certain_interval(1.0, 100)
    (0.9637833073548235, 1.0)
    """
    away = 1 - 0.025 ** (1 / clusters)
    return (1 - away, 1.0) if value == 1.0 else (0.0, away)


def estimate_of(
    statistic: Callable[[NDArray[np.int64]], float | None], clusters: Sequence[str], draws: int = 300
) -> Estimate:
    """Any statistic of the rows, given as their numbers, with its cluster-bootstrap interval.

    A draw for which the statistic is None (a class is missing) is left out; draws that all agree give no interval.
    """
    rows = np.arange(len(clusters))
    value = statistic(rows) if len(rows) else None
    if value is None:
        return Estimate(None, None, None, 0, len(clusters))
    names, owner = np.unique(list(clusters), return_inverse=True)
    members = [np.flatnonzero(owner == number) for number in range(len(names))]
    found: list[float] = []
    for times in draws_of(len(names), draws):
        drawn = np.concatenate([np.tile(members[n], int(k)) for n, k in enumerate(times) if k])
        sample = statistic(drawn)
        if sample is not None:
            found.append(sample)
    low, high = np.percentile(found, [2.5, 97.5]) if len(found) > draws / 2 and len(names) > 1 else (None, None)
    if low == high:  # every draw says the same, which bounds nothing
        low = high = None
    return Estimate(
        value, None if low is None else float(low), None if high is None else float(high), len(rows), 0, len(names)
    )


def paired_difference(
    before: Mapping[str, float | None], after: Mapping[str, float | None], clusters: Mapping[str, str]
) -> Difference | None:
    """After minus before over the cases that both scored, with a paired cluster bootstrap; None without such a case."""
    common = [k for k, v in after.items() if v is not None and before.get(k) is not None]
    if not common:
        return None
    gaps = np.array([float(after[k] or 0.0) - float(before[k] or 0.0) for k in common])
    names, owner = np.unique([clusters.get(k, k) for k in common], return_inverse=True)
    sums, counts = np.bincount(owner, weights=gaps), np.bincount(owner).astype(float)
    times = draws_of(len(names))
    low, high = np.percentile((times @ sums) / (times @ counts), [2.5, 97.5])
    return Difference(float(gaps.mean()), float(low), float(high), len(common))


# --- retrieval -----------------------------------------------------------------------------------------------------


def hit_at(ranked: Sequence[str], relevant: Sequence[str], k: int) -> float:
    """1 if any relevant id is among the first k: recall@k where `relevant` means 'any of'."""
    return float(any(name in relevant for name in ranked[:k]))


def recall_at(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float | None:
    """Share of the relevant ids (grade above 0) among the first k; None without a relevant one.

    Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, section 8.3.
    """
    relevant = {name for name, grade in grades.items() if grade > 0}
    return len(relevant & set(ranked[:k])) / len(relevant) if relevant else None


def reciprocal_rank(ranked: Sequence[str], relevant: Sequence[str], k: int = 10) -> float:
    """1 / rank of the first relevant id among the first k, else 0; its mean is MRR@k (Voorhees 1999, TREC-8).

    >>> reciprocal_rank(["a", "b"], ["b"])
    0.5
    """
    return next((1 / rank for rank, name in enumerate(ranked[:k], start=1) if name in relevant), 0.0)


def ndcg(ranked: Sequence[str], grades: Mapping[str, float], k: int = 10) -> float | None:
    """Normalised discounted cumulative gain with gain 2^grade - 1; None without a relevant id.

    Burges et al. 2005 (gain), Järvelin & Kekäläinen 2002 (discount log2(rank + 1)).
    """
    ideal = _dcg(sorted(grades.values(), reverse=True)[:k])
    return _dcg([grades.get(name, 0.0) for name in ranked[:k]]) / ideal if ideal else None


def _dcg(grades: Sequence[float]) -> float:
    return float(sum((2**grade - 1) / np.log2(place + 2) for place, grade in enumerate(grades)))


# --- decisions -----------------------------------------------------------------------------------------------------


def auroc(scores: Sequence[float] | Floats, positive: Sequence[bool] | NDArray[np.bool_]) -> float | None:
    """The chance that a positive scores above a negative, ties counting half; None unless both occur.

    Mann-Whitney form: Hanley & McNeil 1982.

    >>> auroc([0.9, 0.4, 0.4], [True, False, True])
    0.75
    """
    values, labels = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    n_positive, n_negative = int(labels.sum()), int((~labels).sum())
    if not n_positive or not n_negative:
        return None
    _, number, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[number]
    return float((ranks[labels].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def balanced_accuracy(
    decided: Sequence[bool] | NDArray[np.bool_], truth: Sequence[bool] | NDArray[np.bool_]
) -> float | None:
    """Mean of the two classes' accuracies; None unless both occur.

    With `truth` = unanswerable and `decided` = declined this is the balanced abstention accuracy of metrics.md,
    5: (unanswerable recall + answerable acceptance) / 2, UAEval4RAG's two ratios (arXiv 2412.12300).
    """
    said, is_true = np.asarray(decided, dtype=bool), np.asarray(truth, dtype=bool)
    if is_true.all() or not is_true.any():
        return None
    return float((said[is_true].mean() + (~said[~is_true]).mean()) / 2)


def coverage_at(scores: Sequence[float], unanswerable: Sequence[bool], wanted: float = 0.95) -> float | None:
    """Share of answerable questions still answered when the threshold declines `wanted` of the unanswerable ones.

    Higher score = more answerable. El-Yaniv & Wiener 2010 (risk-coverage trade-off).
    """
    values, labels = np.asarray(scores, dtype=float), np.asarray(unanswerable, dtype=bool)
    if labels.all() or not labels.any():
        return None
    # The smallest cut at which at least `wanted` of the unanswerable scores lie below it.
    cut = np.quantile(values[labels], wanted, method="inverted_cdf")
    return float((values[~labels] > cut).mean())


def risk_coverage(scores: Sequence[float], wrong: Sequence[bool]) -> list[tuple[float, float]]:
    """(coverage, risk) when the highest-scored questions are answered first; risk = share wrong among the answered.

    El-Yaniv & Wiener 2010, On the foundations of noise-free selective classification.
    """
    order = np.argsort(-np.asarray(scores, dtype=float), kind="stable")
    errors = np.cumsum(np.asarray(wrong, dtype=float)[order])
    counts = np.arange(1, len(order) + 1)
    return [(float(c / len(order)), float(e / c)) for c, e in zip(counts, errors, strict=True)]


# --- groundedness --------------------------------------------------------------------------------------------------


def groundedness_micro(answers: Sequence[Sequence[bool]]) -> Mean:
    """Supported claims / claims over all answers; an answer without a claim is unscored, never 0 or 1 (metrics.md, 2)."""
    scored = [answer for answer in answers if answer]
    claims = [float(claim) for answer in scored for claim in answer]
    return Mean(sum(claims) / len(claims) if claims else None, len(scored), len(answers) - len(scored))


def groundedness_macro(answers: Sequence[Sequence[bool]]) -> Mean:
    """Mean over answers of the share of their claims that is supported (metrics.md, 2)."""
    return mean([sum(answer) / len(answer) if answer else None for answer in answers])


def citation_recall(supported_by_own_citations: Sequence[bool]) -> float | None:
    """Share of claims that their own cited passages, taken together, support; an uncited claim counts as False.

    Gao et al. 2023 (ALCE), https://arxiv.org/abs/2305.14627; None when there is no claim to judge.

    >>> citation_recall([]) is None
    True
    """
    return mean([float(claim) for claim in supported_by_own_citations]).value


def citation_precision(claim: str, cited: Sequence[str], supports: Callable[[str, Sequence[str]], bool]) -> list[bool]:
    """For each citation of a claim, whether it is right: alone it supports, or without it the rest no longer does.

    ALCE (Gao et al. 2023, arXiv 2305.14627), `eval.py`: only where the whole set supports the claim; else none is right.
    """
    if not cited or not supports(claim, cited):
        return [False] * len(cited)
    return [
        supports(claim, [passage]) or not supports(claim, [*cited[:at], *cited[at + 1 :]])
        for at, passage in enumerate(cited)
    ]


def rogan_gladen(observed: float, sensitivity: float, specificity: float) -> float | None:
    """The share that is truly supported, from the share that a fallible judge accepts; None = not estimable.

    (observed + Sp - 1) / (Se + Sp - 1), cut to 0..1: Rogan & Gladen 1978, Am J Epidemiol 107:71-76. Not estimable
    when Se + Sp - 1 < 0.3 (metrics.md, 3).

    >>> rogan_gladen(0.9, sensitivity=0.9, specificity=0.6)
    1.0
    >>> rogan_gladen(0.9, sensitivity=0.6, specificity=0.5) is None
    True
    """
    informative = sensitivity + specificity - 1
    if informative < LEAST_INFORMATIVE:
        return None
    return float(min(1.0, max(0.0, (observed + specificity - 1) / informative)))


def corrected_groundedness(
    observed: Sequence[float], on_supported: Sequence[float], on_unsupported: Sequence[float], draws: int = DRAWS
) -> Estimate:
    """Groundedness corrected by Rogan-Gladen, with an interval over both samples (the claims and the judge's labels).

    `observed` is 0/1 for each judged claim; the others are the judge's acceptance of claims whose true label is known.
    """
    if not observed or not on_supported or not on_unsupported:
        return Estimate(None, None, None, 0, len(observed))
    samples = [np.asarray(values, dtype=float) for values in (observed, on_supported, on_unsupported)]
    value = rogan_gladen(samples[0].mean(), samples[1].mean(), 1 - samples[2].mean())
    if value is None:
        return Estimate(None, None, None, len(observed))
    rng = np.random.default_rng(SEED)
    means = [rng.binomial(len(s), s.mean(), size=draws) / len(s) for s in samples]  # 0/1 values: exact bootstrap
    drawn = [rogan_gladen(o, se, 1 - fa) for o, se, fa in zip(*means, strict=True)]
    kept = [sample for sample in drawn if sample is not None]
    low, high = np.percentile(kept, [2.5, 97.5]) if len(kept) > draws / 2 else (None, None)
    if low is None or high is None:
        return Estimate(value, None, None, len(observed))
    return Estimate(value, float(low), float(high), len(observed))


# --- agreement -----------------------------------------------------------------------------------------------------


def cohen_kappa(one: Sequence[bool], other: Sequence[bool]) -> float | None:
    """Agreement beyond chance of two raters; None when chance alone would agree always (Cohen 1960)."""
    if not one:
        return None
    first, second = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    agreed = float((first == second).mean())
    chance = float(first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean()))
    return (agreed - chance) / (1 - chance) if chance < 1 else None


def jaccard(one: Sequence[str] | set[str], other: Sequence[str] | set[str]) -> float:
    """Share of the union that both hold; 1 for two empty sets (Jaccard 1912)."""
    first, second = set(one), set(other)
    return len(first & second) / len(first | second) if first | second else 1.0
