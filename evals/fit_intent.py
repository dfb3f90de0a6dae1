"""Fit what a message wants: example sentences and development questions to `bot/intent.json`.

    python -m evals.fit_intent --sets FOLDER [--public FILE] [--data DIR] [--cache FILE.npz]

FOLDER holds the project's development sets (questions_dev, near_miss_dev, premise_dev, scope_dev). FILE is a public out-of-scope set
as JSON lines with `text` and `kind` (far or near_medical are used; sources and licences in docs/decisions/0009); it is read, never copied.
"""

# ruff: noqa: E501 - prose and patterns are read as a whole

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.intent import CONSTANTS, NEARNESS, PENALTY, Intent, IntentReader, examples, intent_row
from bot.linear import Softmax, fit_softmax
from evals.fitting import FOLDS, Row, described, own_cases, read_rows, unique
from knowledge.embedding import open_embedder
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.settings import IndexSettings, silence_libraries

# How much a row counts by where it comes from, before the classes are brought nearer to each other.
WEIGHTS = {"example": 3.0, "public": 0.5, "scope": 2.0, "safety": 2.0, "questions": 1.5}


def development_rows(sets: Path, public: Path | None) -> list[Row]:
    """Sentences with their intents."""
    sentences, _ = examples()
    rows = [Row(text, str(intent), "example", text) for intent, texts in sentences.items() for text in texts]
    of_scope = {"refuse": "out_of_scope", "about": "about", "smalltalk": "small_talk", "answer": "knowledge"}
    for case in own_cases("scope"):
        intent = "professional_advice" if case["reason"] else of_scope[case["expected"]]
        rows.append(Row(case["question"], intent, "scope", case["id"]))
    rows += [Row(c["question"], of_scope[c["expected"]], "scope", c["id"]) for c in read_rows(sets / "scope_dev.jsonl")]
    of_safety = {"crisis": "crisis", "disclosure": "disclosure", "harmful": "harmful"}
    for case in own_cases("safety"):
        if case["kind"] != "injection_question":
            rows.append(Row(case["question"], of_safety.get(case["kind"], "knowledge"), "safety", case["id"]))
    for name in ("questions", "near_miss", "premise"):
        rows += [Row(c["question"], "knowledge", "questions", c["id"]) for c in read_rows(sets / f"{name}_dev.jsonl")]
    for case in (*own_cases("equity"), *own_cases("robustness")):
        rows.append(Row(case["base_question"], "knowledge", "questions", case["id"]))
    if public is not None:
        for case in read_rows(public):
            if case["kind"] in ("far", "near_medical"):
                rows.append(Row(case["text"], "out_of_scope", "public", case["id"]))
    return unique(rows)


def fit(rows: Sequence[Row], x: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Softmax:
    """The model on some rows; a class counts with the square root of its size."""
    sizes = Counter(row.label for row in rows)
    weights = [WEIGHTS[row.source] / sizes[row.label] ** 0.5 for row in rows]
    return fit_softmax(x, [row.label for row in rows], weights, PENALTY, standardise=NEARNESS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure out of fold and write the constants."""
    parser = argparse.ArgumentParser(prog="python -m evals.fit_intent", description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the development sets")
    parser.add_argument("--public", type=Path, help="public out-of-scope set, JSON lines")
    parser.add_argument("--data", type=Path, help="folder of the index (UPSTANDER_DATA)")
    parser.add_argument("--cache", type=Path, help="file that keeps the sentence vectors between runs")
    options = parser.parse_args(arguments)
    silence_libraries()
    settings = IndexSettings.from_env(data=options.data)
    embedder = open_embedder(settings.embedder, settings.models_folder)
    index = PassageIndex.open(GenerationStore(settings.index_folder), embedder.identity)
    rows = development_rows(options.sets, options.public)
    known: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    if options.cache and options.cache.exists():
        kept = np.load(options.cache)
        known = dict(zip(kept["texts"], kept["vectors"], strict=True))
    new = [row.question for row in rows if row.question not in known]
    known.update(zip(new, embedder.embed(new), strict=True))
    if options.cache:
        np.savez_compressed(options.cache, texts=list(known), vectors=np.array(list(known.values())))
    x = np.array([intent_row(known[row.question], index.question_vectors) for row in rows])
    folds = np.array([row.fold for row in rows])
    _, patterns = examples()
    right: dict[str, list[bool]] = defaultdict(list)
    for fold in range(FOLDS):
        reader = IntentReader(fit([row for row in rows if row.fold != fold], x[folds != fold]), patterns)
        for place in np.flatnonzero(folds == fold):
            row = rows[place]
            if row.source == "public":
                continue
            read = reader.read(row.question, [row.question], [known[row.question]], index.question_vectors)
            right[f"{row.source}: {row.label}"].append(read.intent == row.label)
            if row.label in ("crisis", "disclosure"):
                right["support offered"].append(read.intent in (Intent.CRISIS, Intent.DISCLOSURE))
            if read.intent != row.label:
                sys.stdout.write(f"{row.label} read as {read.intent} ({row.source}): {row.question[:110]}\n")
    figures = {name: described(sum(values), len(values)) for name, values in sorted(right.items())}
    sys.stdout.write("".join(f"  {k}: {v}\n" for k, v in figures.items()))
    constants = {"embedder": embedder.identity, "measured_out_of_fold": figures, "model": fit(rows, x).as_json()}
    CONSTANTS.write_text(json.dumps(constants, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
