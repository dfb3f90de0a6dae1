"""Fit the constants of bot/grounding.py on labelled claims, and say how well they do on records they did not see.

    python evals/fit_verifier.py CLAIMS KNOWLEDGE_JSONL ENCODER [--public FOLDER] [--memory FILE] [--write]

Cross-validation is grouped by record: all claims about a record fall into one fold, and a claim that cites two records
ties them. The cut is chosen inside each training part, so the figures owe nothing to the fold they are measured on.
"""

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped,unused-ignore]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped,unused-ignore]

sys.path.insert(0, str(Path(__file__).parent.parent))

from bot import wording
from bot.contradiction import foreign_parts, named_source
from bot.evidence import features
from bot.grounding import CONSTANTS, FORBIDDEN, Constants, examine, plain, verbatim
from evals.labelled import Case, RememberingEncoder, claims, drafts, public, read_jsonl

Floats = NDArray[np.float64]

FOLDS, SEEDS, BAGS = 5, (0, 1), 5
PRECISION = 0.95
"""Wanted share of truly supported claims among those shown; the cut is the lowest that keeps it in training folds."""

NOT_IN_TREES = {
    # Shapes of the labelled set rather than signs of support: how long a claim is, how many records it cites.
    "sentences", "cosine second", "words",
    # Only for the general score.
    "number missing", "polarity", "strict",
} | {f"rule {rule}" for rule in FORBIDDEN}  # fmt: skip
TEACHING = {"word edited"}
"""Rules whose cases the trees learn from, though the rule decides: what else speaks against such a claim is typical."""
RAISING = {"cosine", "cosine best", "exact", "family", "synonym", "aligned", "soft", "verbatim", "clean"}
EITHER_WAY = {"length", "order", "order of all", "bigrams", "passage told", "rule reordered", "rule derived"}
"""Features whose effect is left to the data; any other may only lower the score."""

GENERAL = (
    "cosine best", "family", "number missing", "polarity", "soft", "exact", "bigrams", "strict",
    "rule number exchanged",
    "rule affirms", "rule denies", "rule exchanged word", "rule exchanged verb", "rule inserted word", "rule quote",
    "rule name", "rule group", "rule new group", "rule negation edited", "rule doubt edited", "rule opposite edited",
    "missing weight",
)  # fmt: skip


def inverse_frequency(knowledge: Path) -> dict[str, float]:
    """How much each common word of the statements tells, 0.25 (in most) to 1 (never seen: not listed)."""
    seen: Counter[str] = Counter()
    total = 0
    for record in read_jsonl(knowledge):
        for statement in record["statements"]:  # type: ignore[attr-defined]
            total += 1
            seen.update({t.lemma for t in wording.tokens(wording.clean(statement["text"]))})
    scale = math.log(total + 1)
    return {w: max(0.25, round(math.log((total + 1) / (n + 1)) / scale, 3)) for w, n in sorted(seen.items()) if n >= 4}


class Table:
    """Features of many cases, with what the exact rules already decided about each."""

    def __init__(self, cases: Sequence[Case], embed: RememberingEncoder, idf: dict[str, float]) -> None:
        """Measure every case once."""
        self.cases = list(cases)
        self.truth = np.array([c.supported for c in cases])
        self.groups = np.array([c.group for c in cases])
        rows, refused, quoted, taught = [], [], [], []
        self.names: list[str] = []
        for case in cases:
            text = plain(case.claim)
            laid, found = examine(text, case.passages, idf, embed) if case.verifiable else (None, [])
            values = features(laid, found, idf) if laid is not None else {}
            self.names = self.names or list(values)
            rows.append(values)
            exact = case.verifiable and verbatim(text, case.passages)
            quoted.append(exact)
            broken = {f.rule for f in found} & FORBIDDEN
            impossible = (
                laid is None
                or foreign_parts(wording.strip_markers(case.claim), case.passages) is not None
                or (not exact and named_source(text, case.passages) is not None)
            )
            refused.append(impossible or (not exact and bool(broken)))
            taught.append(not impossible and (exact or broken <= TEACHING))
        self.matrix = np.array([[row.get(n, 0.0) for n in self.names] for row in rows])
        self.refused, self.quoted, self.taught = np.array(refused), np.array(quoted), np.array(taught)

    def columns(self, names: Sequence[str]) -> Floats:
        """The named features of every case."""
        return self.matrix[:, [self.names.index(n) for n in names]]

    def verdict(self, chance: Floats, cut: float) -> NDArray[np.bool_]:
        """What would be shown at this cut."""
        shown: NDArray[np.bool_] = (self.quoted | (chance >= cut)) & ~self.refused
        return shown


def tree_names(names: Sequence[str]) -> list[str]:
    """The features that the trees may look at."""
    return [n for n in names if n not in NOT_IN_TREES]


class Forest:
    """Several runs of boosted trees on bootstrap samples; their margins are averaged, which steadies the cut."""

    def __init__(self, columns: Floats, truth: NDArray[np.bool_], names: Sequence[str]) -> None:
        """Grow trees whose answer can never rise with a finding, nor fall with a better alignment."""
        signs = [1 if n in RAISING else 0 if n in EITHER_WAY else -1 for n in names]
        self.models = []
        for seed in range(BAGS):
            rows = np.random.default_rng(seed).choice(len(truth), len(truth))
            model = HistGradientBoostingClassifier(
                max_iter=80, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=10, l2_regularization=1.0,
                monotonic_cst=signs, random_state=0, early_stopping=False,
            )  # fmt: skip
            self.models.append(model.fit(columns[rows], truth[rows]))

    def chance(self, columns: Floats) -> Floats:
        """The chance of support, per row."""
        margin: Floats = np.mean([m.decision_function(columns) for m in self.models], axis=0)
        return 1 / (1 + np.exp(-margin))

    def base(self) -> float:
        """The margin before any tree."""
        return float(np.mean([m._baseline_prediction.ravel()[0] for m in self.models]))

    def trees(self) -> list[list[list[float]]]:
        """All trees, their values scaled so that a plain sum is the mean margin."""
        return [nodes(t[0], 1 / BAGS) for m in self.models for t in m._predictors]


def cut_for(chance: Floats, table: Table, rows: NDArray[np.bool_]) -> float:
    """The lowest cut that keeps the wanted precision among these rows."""
    free = rows & ~table.refused & ~table.quoted
    order = np.argsort(-chance[free])
    hits = np.cumsum(table.truth[free][order])
    precision = hits / np.arange(1, len(order) + 1)
    good = np.flatnonzero(precision >= PRECISION)
    return float(chance[free][order][good[-1]]) if len(good) else 1.0


def folds(groups: NDArray[np.str_], seed: int) -> NDArray[np.int_]:
    """A fold number per row; one group never falls into two."""
    names = sorted(set(groups))
    np.random.default_rng(seed).shuffle(names)
    number = {name: at % FOLDS for at, name in enumerate(names)}
    return np.array([number[g] for g in groups])


def cross_validate(table: Table) -> tuple[Floats, list[NDArray[np.bool_]]]:
    """Mean chance of each row from models that did not see its records, and what each round would show.

    The cut of a fold comes from the other folds' chances, so no claim has a say in the cut that it is judged by.
    """
    names = tree_names(table.names)
    columns = table.columns(names)
    mean = np.zeros(len(table.truth))
    shown = []
    for seed in SEEDS:
        number = folds(table.groups, seed)
        chance = np.zeros(len(table.truth))
        for fold in range(FOLDS):
            train, held = (number != fold) & table.taught, number == fold
            chance[held] = Forest(columns[train], table.truth[train], names).chance(columns[held])
        verdict = np.zeros(len(table.truth), bool)
        for fold in range(FOLDS):
            held = number == fold
            verdict[held] = table.verdict(chance, cut_for(chance, table, ~held))[held]
        mean += chance / len(SEEDS)
        shown.append(verdict)
    return mean, shown


def interval(hits: int, total: int) -> str:
    """A share with its 95 % Wilson interval, as text."""
    if not total:
        return "   -"
    p, z = hits / total, 1.96
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"{p:.3f} [{middle - half:.2f}, {middle + half:.2f}] n={total}"


def report(title: str, table: Table, shown: list[NDArray[np.bool_]], rows: NDArray[np.bool_], chance: Floats) -> None:
    """Overall figures and a line per kind, over the mean of the rounds."""
    truth = table.truth
    share = np.mean(shown, axis=0)
    good, bad = rows & truth, rows & ~truth
    sens, spec = share[good].mean(), 1 - share[bad].mean()
    precision = share[good].sum() / max(1e-9, share[rows].sum())
    area = roc_auc_score(truth[rows], np.where(table.refused, 0, chance)[rows])
    print(f"\n{title}: n={rows.sum()} sensitivity {sens:.3f} specificity {spec:.3f} balanced {(sens + spec) / 2:.3f} "
          f"precision {precision:.3f} AUC {area:.3f}")  # fmt: skip
    draws = np.random.default_rng(0)
    names = sorted(set(table.groups[rows]))
    by_group = {g: np.flatnonzero(rows & (table.groups == g)) for g in names}
    samples = []
    for _ in range(1000):
        at = np.concatenate([by_group[g] for g in draws.choice(names, len(names))])
        t, s = truth[at], share[at]
        samples.append([s[t].mean(), 1 - s[~t].mean(), s[t].sum() / s.sum(), (s[t].mean() + 1 - s[~t].mean()) / 2])
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    for figure, a, b in zip(("sensitivity", "specificity", "precision", "balanced"), low, high, strict=True):
        print(f"  95 % by record: {figure} [{a:.3f}, {b:.3f}]")
    kinds: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for row in np.flatnonzero(rows).tolist():
        kinds[(bool(truth[row]), table.cases[row].kind)].append(row)
    for (supported, kind), those in sorted(kinds.items(), reverse=True):
        right = share[those] if supported else 1 - share[those]
        word = "shown   " if supported else "withheld"
        print(f"  {word} {kind:20s} {interval(round(float(right.sum())), len(those))}")


def general_weights(tables: dict[str, Table], leave: str | None = None) -> dict[str, float]:
    """Weights of the general score, from what ranks claims within each public set; 'offset' centres it."""
    rows, truth, weights = [], [], []
    for name, table in tables.items():
        if name == "wice" or (leave is not None and name.removesuffix("_oracle") == leave.removesuffix("_oracle")):
            continue
        columns = table.columns(GENERAL)
        good, bad = columns[table.truth], columns[~table.truth]
        # Centred within its set: the sets differ in strictness, and only the ranking inside each is to be learnt.
        rows.append(columns - (good.mean(0) + bad.mean(0)) / 2)
        truth.append(table.truth)
        share = table.truth.mean()
        weights.append(np.where(table.truth, 0.5 / share, 0.5 / (1 - share)) / len(columns) * 500)
    stacked = np.vstack(rows)
    scale = stacked.std(0) + 1e-9
    model = LogisticRegression(C=0.01, fit_intercept=False, max_iter=3000)
    model.fit(stacked / scale, np.concatenate(truth), sample_weight=np.concatenate(weights))
    return dict(zip(GENERAL, (model.coef_[0] / scale).tolist(), strict=True))


def main(argv: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Fit, measure and, if asked, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("knowledge", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--public", type=Path)
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args(argv)
    idf = inverse_frequency(args.knowledge)
    embed = RememberingEncoder(args.encoder, args.memory)
    cases = claims(args.folder / "claims_dev.jsonl")
    if (args.folder / "drafts_dev.jsonl").exists():
        cases += drafts(args.folder / "drafts_dev.jsonl")
    table = Table(cases, embed, idf)
    chance, shown = cross_validate(table)
    report("claims", table, shown, is_claim(table), chance)
    report("drafts", table, shown, ~is_claim(table), chance)
    cut = cut_for(chance, table, np.ones(len(cases), bool))
    say(f"\ncut {cut:.3f}")
    names = tree_names(table.names)
    forest = Forest(table.columns(names)[table.taught], table.truth[table.taught], names)
    sets = {}
    if args.public is not None:
        for path in sorted(args.public.glob("grounding_*.jsonl")):
            sets[path.stem.removeprefix("grounding_")] = Table(public(path), embed, idf)
    embed.save()
    # Without the public sets the weights that rank any text stay as they are.
    kept = {n: w for n, w in Constants.load().general.items() if n != "offset"}
    general = general_weights(sets) if sets else kept
    centre = float(np.median(table.columns(list(general)) @ np.array(list(general.values()))))
    if args.write:
        data = {
            "measured": {
                "claims": figures(table, shown, is_claim(table)),
                "drafts": figures(table, shown, ~is_claim(table)),
                "how": "grouped cross-validation by record, cut chosen within each training part",
            },
            "names": names,
            "base": round(forest.base(), 5),
            "cut": round(cut, 4),
            "partial": round(cut / 3, 4),
            "blend": BLEND,
            "general": {**{n: round(w, 4) for n, w in general.items()}, "offset": round(-centre, 4)},
            "trees": forest.trees(),
            "idf": idf,
        }
        CONSTANTS.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
        say(f"wrote {CONSTANTS.name}: {CONSTANTS.stat().st_size // 1024} kB")


def is_claim(table: Table) -> NDArray[np.bool_]:
    """The rows that are single claims rather than lines of drafts."""
    return np.array([c.source == "claims" for c in table.cases])


BLEND = 0.1
"""Share of the trees in the score that ranks; more of it hurt every public set with long evidence."""


def figures(table: Table, shown: list[NDArray[np.bool_]], rows: NDArray[np.bool_]) -> dict[str, float]:
    """The cross-validated error that is stored beside the constants."""
    share, truth = np.mean(shown, axis=0), table.truth
    sens, spec = float(share[rows & truth].mean()), float(1 - share[rows & ~truth].mean())
    precision = float(share[rows & truth].sum() / share[rows].sum())
    return {
        "n": int(rows.sum()),
        "sensitivity": round(sens, 3),
        "specificity": round(spec, 3),
        "precision": round(precision, 3),
    }


def nodes(predictor: object, scale: float) -> list[list[float]]:
    """A tree as rows of [feature, threshold, left, right, value]; a leaf has feature -1."""
    return [
        [
            -1 if node["is_leaf"] else int(node["feature_idx"]),
            0 if node["is_leaf"] else round(float(node["num_threshold"]), 6),
            int(node["left"]),
            int(node["right"]),
            round(float(node["value"]) * scale, 5) if node["is_leaf"] else 0,
        ]
        for node in predictor.nodes  # type: ignore[attr-defined]
    ]


if __name__ == "__main__":
    main()
