"""Measure the verifier's score on public claim-evidence sets that the user names.

    python evals/measure_grounding.py PUBLIC_FOLDER ENCODER_FOLDER [--split dev] [--memory FILE]

For each set: AUC and balanced accuracy of `score`, and what share of supported and unsupported claims is shown. Without
a test split the threshold is chosen on one half of the evidences and measured on the other, both ways, five
times. Intervals are cluster bootstraps by evidence.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped,unused-ignore]

sys.path.insert(0, str(Path(__file__).parent.parent))

from bot.grounding import CascadeVerifier, Support
from evals.labelled import RememberingEncoder, public

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEFT_OUT_OF_MEAN = {"wice", "perturb"}
"""The study's mean is over eleven sets: wice is wice_oracle with longer evidence, perturb is made by rule."""


def balanced(accepted: Flags, truth: Flags) -> float:
    """Mean of the shares of supported claims accepted and of unsupported claims refused."""
    return float((accepted[truth].mean() + 1 - accepted[~truth].mean()) / 2)


def best_cut(score: Floats, truth: Flags) -> float:
    """The threshold with the best balanced accuracy."""
    cuts = np.unique(np.quantile(score, np.linspace(0, 1, 201)))
    return float(max(cuts, key=lambda cut: balanced(score >= cut, truth)))


def halves(score: Floats, truth: Flags, groups: NDArray[np.int_], rounds: int = 5) -> float:
    """Balanced accuracy with the threshold chosen on other evidence, mean of several splits."""
    results = []
    for seed in range(rounds):
        names = np.random.default_rng(seed).permutation(groups.max() + 1)
        first = np.isin(groups, names[: len(names) // 2])
        accepted = np.zeros(len(truth), bool)
        for part in (first, ~first):
            accepted[~part] = score[~part] >= best_cut(score[part], truth[part])
        results.append(balanced(accepted, truth))
    return float(np.mean(results))


def interval(score: Floats, truth: Flags, groups: NDArray[np.int_], draws: int = 200) -> tuple[float, float]:
    """95 % bootstrap interval of the AUC."""
    rows = [np.flatnonzero(groups == g) for g in range(groups.max() + 1)]
    random = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        at = np.concatenate([rows[g] for g in random.integers(0, len(rows), len(rows))])
        if 0 < truth[at].sum() < len(at):
            found.append(roc_auc_score(truth[at], score[at]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line per set and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--rows", type=int, default=0, help="at most so many rows of a set, evenly spaced; 0 for all")
    args = parser.parse_args(argv)
    embed = RememberingEncoder(args.encoder, args.memory)
    verifier = CascadeVerifier(embed)
    means = []
    for path in sorted(args.folder.glob("grounding_*.jsonl")):
        cases = public(path, args.split)
        if args.rows and len(cases) > args.rows:
            cases = [cases[i * len(cases) // args.rows] for i in range(args.rows)]
        start = time.perf_counter()
        checks = verifier.check_all([(c.claim, c.passages) for c in cases])
        spent = (time.perf_counter() - start) * 1000 / max(1, len(cases))
        score = np.array([c.score for c in checks])
        shown = np.array([c.support is Support.FULL for c in checks])
        truth = np.array([c.supported for c in cases])
        groups = np.unique([c.group for c in cases], return_inverse=True)[1]
        auc, accuracy = roc_auc_score(truth, score), halves(score, truth, groups)
        low, high = interval(score, truth, groups)
        name = path.stem.removeprefix("grounding_")
        print(
            f"{name:14s} n={len(cases):5d} AUC {auc:.3f} [{low:.3f}, {high:.3f}] balanced {accuracy:.3f}  shown: "
            f"supported {shown[truth].mean():.3f} unsupported {shown[~truth].mean():.3f} "
            f"precision {truth[shown].mean() if shown.any() else float('nan'):.3f}  {spent:.1f} ms",
            flush=True,
        )
        if name == "perturb":
            kinds = np.array([c.kind for c in cases])
            print("   shown by kind: " + ", ".join(f"{k} {shown[kinds == k].mean():.2f}" for k in sorted(set(kinds))))
            strict = balanced(shown, truth)
            print(f"   balanced accuracy of FULL itself {strict:.3f}")
        if name not in LEFT_OUT_OF_MEAN:
            means.append((auc, accuracy))
    print("mean of 11: AUC {:.3f} balanced {:.3f}".format(*np.mean(means, axis=0)))
    embed.save()


if __name__ == "__main__":
    main()
