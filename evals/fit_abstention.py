"""Fit when to answer: development questions to `bot/restraint.json`.

    python -m evals.fit_abstention --sets FOLDER [--data DIR] [--cache FILE.npz]

FOLDER holds the project's development sets (questions_dev, near_miss_dev, premise_dev, variants_dev). Our own cases of the `dev`
half and `fit_questions.jsonl` (written for this fit from records of that half) are added. Every measured figure is out of fold:
the rows of one record are never on both sides. The threshold is the one that answers a wanted share of the answerable questions
when they are out of fold (split-conformal, so the share holds for new questions of the same kind up to 1/(n+1)).
"""

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.abstention import CONSTANTS, Finding, measurements, signals
from bot.linear import Matrix, Softmax, fit_softmax
from bot.questions import without_asker
from bot.retriever import Retriever
from evals.fitting import FOLDS, OWN, Row, described, own_cases, read_rows, unique
from knowledge.embedding import Embedder, Vectors, open_embedder
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.settings import IndexSettings, silence_libraries

ANSWERED = 0.93  # share of answerable questions that must stay answered
PENALTY = 0.02
LAYERS_EMPHASIS = 0.3  # deviation of each of the layers' 2,304 columns beside the signals, which have 1
# How much a row of each finding counts, since there are far fewer questions without an answer. Of those written for
# this fit alone each counts less, lest the model learn the manner of their writers.
WEIGHTS = {Finding.CARRIED: 1.0, Finding.LACKING: 5.0, Finding.FALSE_PREMISE: 6.0}
WRITTEN = {"fit_near_miss": 0.5, "fit_false_premise": 0.5, "fit_true_premise": 0.35, "fit_answerable": 0.35}
SPECIFIC = 4.0  # answerable questions that look like unanswerable ones count this much
LIKE_UNANSWERABLE = {"premise", "look_alike_control", "fit_carried", "conversation"}
STORED = 400  # questions of the records, each measured with its own vector hidden


def development_rows(sets: Path) -> list[Row]:
    """Every development question with the finding that is right for it."""
    findings = {"abstain": "lacking", "premise": "false_premise", "answer": "carried"}
    rows: list[Row] = []
    for name, key in (("near_miss", "nearest"), ("premise", "relevant")):
        for case in read_rows(sets / f"{name}_dev.jsonl"):
            rows.append(Row(case["question"], findings[case["expected"]], name, case[key][0]))
    for case in own_cases("abstention"):
        named = (case.get("nearest") or case.get("relevant") or [case["id"]])[0]
        rows.append(Row(case["question"], findings[case["expected"]], case["kind"], named))
    rows += [Row(c["question"], findings[c["expected"]], "premise", c["relevant"][0]) for c in own_cases("premise")]
    for case in read_rows(OWN):
        kind = case.get("kind", case["finding"])
        rows.append(Row(case["question"], case["finding"], f"fit_{kind}", case["record"] or case["id"]))
    for case in read_rows(sets / "questions_dev.jsonl"):
        rows.append(Row(case["question"], "carried", "questions", case["relevant"][0]))
    rows += [Row(c["question"], "carried", "answers", c["relevant"][0]) for c in own_cases("answers")]
    rows += [Row(c["standalone"], "carried", "conversation", c["relevant"][0]) for c in own_cases("conversation")]
    rows += [Row(c["base_question"], "carried", "equity", c["relevant"][0]) for c in own_cases("equity")]
    for case in (*read_rows(sets / "variants_dev.jsonl"), *own_cases("robustness")):
        told = case["variants"]
        for text in [case["base_question"], *(told.values() if isinstance(told, dict) else told)]:
            rows.append(Row(text, "carried", "variants", case["relevant"][0]))
    for case in own_cases("safety"):
        if case["expected_outcome"] == "answer" and case.get("relevant"):
            rows.append(Row(case["question"], "carried", "safety", case["relevant"][0]))
    return unique(rows)


def measure(rows: Sequence[Row], index: PassageIndex, embedder: Embedder) -> tuple[list[dict[str, float]], Vectors]:
    """The signals of each question, and what the encoder's layers make of it, as the bot would see it."""
    retriever = Retriever(embedder)
    measured, layers = [], []
    for row in rows:
        searched = retriever.corrected(index, without_asker(row.question))
        encoded = embedder.read([searched])
        vector = encoded.vectors[0]
        own = (
            np.flatnonzero((index.question_vectors @ vector) > 0.9999)
            if row.source == "stored"
            else np.zeros(0, dtype=np.int64)
        )
        kept = index.question_vectors[own].copy()
        index.question_vectors[own] = 0  # a stored question must not find itself
        measured.append(signals(searched, index, retriever.retrieve(index, searched), embedder, vector))
        index.question_vectors[own] = kept
        layers.append(encoded.layers[0])
    return measured, np.array(layers)


def fit(rows: Sequence[Row], x: Matrix, signal_count: int) -> Softmax:
    """The model on some rows; the columns after the signals are layers of the encoder."""
    weights = [
        WRITTEN.get(r.source)
        or WEIGHTS[Finding(r.label)] * (SPECIFIC if r.label == "carried" and r.source in LIKE_UNANSWERABLE else 1.0)
        for r in rows
    ]
    emphasis = np.where(np.arange(x.shape[1]) < signal_count, 1.0, LAYERS_EMPHASIS)
    return fit_softmax(x, [row.label for row in rows], weights, PENALTY, emphasis)


def out_of_fold(rows: Sequence[Row], x: Matrix, signal_count: int) -> list[dict[str, float]]:
    """For each row, the probabilities of a model that saw no row of its record."""
    folds = np.array([row.fold for row in rows])
    found: list[dict[str, float]] = [{} for _ in rows]
    for fold in range(FOLDS):
        model = fit([row for row in rows if row.fold != fold], x[folds != fold], signal_count)
        for place in np.flatnonzero(folds == fold):
            found[place] = model.probabilities(x[place])
    return found


def threshold(rows: Sequence[Row], found: Sequence[dict[str, float]]) -> float:
    """The least probability that is answered, such that `ANSWERED` of the answerable questions are (split conformal)."""
    scores = sorted(
        p["carried"]
        for row, p in zip(rows, found, strict=True)
        if row.label == "carried" and row.source in ("questions", "answers")
    )
    return scores[max(math.floor((1 - ANSWERED) * (len(scores) + 1)) - 1, 0)]


def decided(found: dict[str, float], above: float) -> str:
    """The finding at a threshold."""
    if found["carried"] >= above:
        return "carried"
    return "lacking" if found["lacking"] >= found["false_premise"] else "false_premise"


def report(rows: Sequence[Row], found: Sequence[dict[str, float]], above: float) -> dict[str, str]:
    """Share of right findings by set and label, and the false-answer rate, each with n and interval."""
    right: dict[str, list[bool]] = defaultdict(list)
    for row, p in zip(rows, found, strict=True):
        finding = decided(p, above)
        right[f"{row.source}: {row.label} found"].append(finding == row.label)
        if row.label != "carried":
            right[f"all: {row.label} found"].append(finding == row.label)
            right["all: answered although not carried"].append(finding == "carried")
        else:
            right["all: carried answered"].append(finding == "carried")
    return {name: described(sum(values), len(values)) for name, values in sorted(right.items())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure and write the constants."""
    parser = argparse.ArgumentParser(prog="python -m evals.fit_abstention", description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the development sets")
    parser.add_argument("--data", type=Path, help="folder of the index (UPSTANDER_DATA)")
    parser.add_argument("--cache", type=Path, help="file that keeps the measured signals between runs")
    options = parser.parse_args(arguments)
    silence_libraries()
    settings = IndexSettings.from_env(data=options.data)
    embedder = open_embedder(settings.embedder, settings.models_folder)
    index = PassageIndex.open(GenerationStore(settings.index_folder), embedder.identity)
    rows = development_rows(options.sets)
    stored = [Row(q, "carried", "stored", r.id) for r in index.records for q in r.questions]
    step = max(len(stored) // STORED, 1)
    rows = unique([*rows, *stored[::step]])
    if options.cache and options.cache.exists():
        kept = np.load(options.cache)
        names, values, layers = kept["names"].tolist(), kept["values"], kept["layers"]
        assert len(values) == len(rows), "the cache is of other rows: delete it"
    else:
        measured, layers = measure(rows, index, embedder)
        names = list(measured[0])
        values = np.array([[one[name] for name in names] for one in measured])
        if options.cache:
            np.savez_compressed(options.cache, names=names, values=values, layers=layers)
    written: dict[str, object] = {"embedder": embedder.identity, "signals": names}
    for key, used in (("with_layers", True), ("without_layers", False)):
        x = np.array(
            [
                measurements(dict(zip(names, row, strict=True)), names, own if used else None)
                for row, own in zip(values, layers, strict=True)
            ]
        )
        found = out_of_fold(rows, x, len(names))
        above = threshold(rows, found)
        figures = report(rows, found, above)
        written[key] = {
            "answer_above": round(above, 4),
            "measured_out_of_fold": figures,
            "model": fit(rows, x, len(names)).as_json(),
        }
        sys.stdout.write(f"{key}: answer above {above:.3f}\n" + "".join(f"  {k}: {v}\n" for k, v in figures.items()))
    CONSTANTS.write_text(json.dumps(written, ensure_ascii=False, indent=None) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
