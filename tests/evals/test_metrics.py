import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import metrics


def test_unscored_is_counted_and_is_not_zero() -> None:
    assert metrics.mean([1.0, None, 0.5]) == metrics.Mean(0.75, scored=2, unscored=1)
    assert metrics.estimate([None, None], ["a", "b"]).value is None
    assert metrics.groundedness_micro([[True, False], []]) == metrics.Mean(0.5, scored=1, unscored=1)
    assert metrics.groundedness_macro([[True, False, False, False], [True], []]).value == pytest.approx(0.625)
    assert metrics.citation_recall([]) is None


def test_retrieval_figures_agree_with_a_hand_worked_list() -> None:
    ranked = ["a", "b", "c", "d"]
    assert metrics.reciprocal_rank(ranked, ["c"]) == pytest.approx(1 / 3)
    assert metrics.reciprocal_rank(ranked, ["z"]) == 0
    assert metrics.recall_at(ranked, {"b": 1, "z": 1, "a": 0}, 2) == 0.5
    assert metrics.hit_at(ranked, ["d"], 3) == 0
    # gains 3 (grade 2) at rank 2 and 1 (grade 1) at rank 1, against the ideal order
    dcg, ideal = 1 / 1 + 3 / np.log2(3), 3 / 1 + 1 / np.log2(3)
    assert metrics.ndcg(ranked, {"a": 1, "b": 2}) == pytest.approx(dcg / ideal)
    assert metrics.ndcg(ranked, {"a": 0}) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    up = [score for score, positive in rows if positive]
    down = [score for score, positive in rows if not positive]
    found = metrics.auroc([score for score, _ in rows], [positive for _, positive in rows])
    if not up or not down:
        assert found is None
    else:
        pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in up for b in down]
        assert found == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_and_kappa_agree_with_a_library() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    scores, labels = rng.random(200).round(1), rng.random(200) < 0.4
    said = scores > 0.5
    assert metrics.auroc(scores, labels) == pytest.approx(sklearn.roc_auc_score(labels, scores))
    assert metrics.cohen_kappa(list(said), list(labels)) == pytest.approx(sklearn.cohen_kappa_score(said, labels))
    assert metrics.balanced_accuracy(said, labels) == pytest.approx(sklearn.balanced_accuracy_score(labels, said))


def test_a_correction_by_a_judge_that_knows_nothing_is_not_estimable() -> None:
    assert metrics.rogan_gladen(0.9, sensitivity=0.6, specificity=0.6) is None
    found = metrics.corrected_groundedness([1.0] * 50, [1, 0] * 20, [1, 0] * 20)
    assert (found.value, found.note) == (None, "not estimable")


def test_the_correction_finds_the_true_share_again() -> None:
    # 80 % truly supported, seen through a judge with Se .9 and Sp .7
    observed = 0.8 * 0.9 + 0.2 * 0.3
    assert metrics.rogan_gladen(observed, sensitivity=0.9, specificity=0.7) == pytest.approx(0.8)


def test_a_citation_is_right_if_it_supports_alone_or_is_needed() -> None:
    def supports(claim: str, passages: list[str]) -> bool:
        return set(claim.split()) <= set(" ".join(passages).split())

    assert metrics.citation_precision("a b", ["a", "b"], supports) == [True, True]
    assert metrics.citation_precision("a", ["a", "x"], supports) == [True, False]
    assert metrics.citation_precision("a z", ["a", "x"], supports) == [False, False]


def test_clustered_rows_widen_the_interval() -> None:
    values = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0] * 4
    apart = metrics.estimate(values, [str(n) for n in range(len(values))])
    together = metrics.estimate(values, [str(n // 4) for n in range(len(values))])
    assert apart.low is not None
    assert together.low is not None
    assert together.low < apart.low
    assert apart == metrics.estimate(values, [str(n) for n in range(len(values))]), "the seed is fixed"


def test_a_share_of_exactly_one_still_has_an_interval() -> None:
    found = metrics.estimate([1.0] * 100, [str(n) for n in range(100)])
    assert found.low == pytest.approx(0.964, abs=0.001)  # Clopper-Pearson
    assert found.high == 1.0


def test_only_a_difference_whose_interval_leaves_out_zero_is_real() -> None:
    names = [str(n) for n in range(100)]
    clusters = dict(zip(names, names, strict=True))
    before = dict.fromkeys(names, 1.0)
    worse = {name: float(int(name) >= 10) for name in names}
    difference = metrics.paired_difference(before, worse, clusters)
    assert difference is not None
    assert difference.value == pytest.approx(-0.1)
    assert difference.real
    one_off = {**before, "0": 0.0}
    small = metrics.paired_difference(before, one_off, clusters)
    assert small is not None
    assert not small.real
    assert metrics.paired_difference({"a": 1.0}, {"b": 1.0}, {}) is None
    assert metrics.paired_difference({"a": None}, {"a": 1.0}, {}) is None


def test_risk_falls_as_the_surest_answers_are_given_first() -> None:
    assert metrics.risk_coverage([0.9, 0.1], [False, True]) == [(0.5, 0.0), (1.0, 0.5)]
    assert metrics.coverage_at([0.1, 0.2, 0.9, 0.8], [True, True, False, False]) == 1.0
