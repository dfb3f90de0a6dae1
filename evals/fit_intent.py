"""Fit what a message wants: example sentences and development questions to `bot/intent.json`.

    python -m evals.fit_intent --sets FOLDER [--public FILE] [--data DIR] [--cache FILE.npz]

FOLDER holds the project's development sets (questions_dev, near_miss_dev, premise_dev, scope_dev). FILE is a public out-of-scope set
as JSON lines with `text` and `kind` (far or near_medical are used; sources and licences in docs/decisions/0009); it is read, never copied.
`fit_messages.jsonl` beside this file holds messages that were written for this fit alone, with their intents; `order` and `plain` are
single sentences, from which a second model learns what an order to the program looks like.
"""

# ruff: noqa: E501 - prose and patterns are read as a whole

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bot.intent import (
    CONSTANTS,
    CRY,
    ORDER,
    PENALTY,
    PLAIN,
    SURE_CRY,
    SURE_ORDER,
    Intent,
    IntentReader,
    examples,
    intent_row,
    line_of,
    sentences,
)
from bot.linear import Matrix, Softmax, fit_softmax
from evals.fitting import FOLDS, MESSAGES, Row, described, own_cases, read_rows, unique
from knowledge.embedding import Embedder, Encoded, open_embedder
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.settings import IndexSettings, silence_libraries

# How much a row counts by where it comes from, before the classes are brought nearer to each other.
WEIGHTS = {"written": 2.0, "example": 3.0, "public": 0.5, "scope": 2.0, "safety": 2.0, "questions": 1.5}


def lines(rows: Sequence[Row], loudest: Mapping[str, list[str]] | None = None) -> list[Row]:
    """What the second model learns from: written sentences, cries for help (as a whole, or of each its `loudest` sentence), and each
    sentence of harmless messages.
    """
    found = [
        Row(line_of(c["text"]), c["intent"], "written", c["id"])
        for c in read_rows(MESSAGES)
        if c["intent"] in (ORDER, PLAIN)
    ]
    cries = [row for row in rows if row.label == Intent.CRISIS]
    found += [
        Row(line_of(part), CRY, "messages", row.group)
        for row in cries
        for part in (loudest or {}).get(row.question, [row.question])
    ]
    told = [row for row in rows if row.label not in (Intent.CRISIS, Intent.OUT_OF_SCOPE)]
    found += [Row(line_of(part), PLAIN, "messages", row.group) for row in told for part in sentences(row.question)]
    return unique(found)


def development_rows(sets: Path, public: Path | None) -> list[Row]:
    """Sentences with their intents."""
    known, _ = examples()
    rows = [Row(text, str(intent), "example", text) for intent, texts in known.items() for text in texts]
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
    rows += [
        Row(c["text"], c["intent"], "written", c["id"])
        for c in read_rows(MESSAGES)
        if c["intent"] not in (ORDER, PLAIN)
    ]
    if public is not None:
        for case in read_rows(public):
            if case["kind"] in ("far", "near_medical"):
                rows.append(Row(case["text"], "out_of_scope", "public", case["id"]))
    return unique(rows)


def fit(rows: Sequence[Row], x: Matrix) -> Softmax:
    """The model on some rows; a class counts with the square root of its size."""
    sizes = Counter(row.label for row in rows)
    weights = [WEIGHTS[row.source] / sizes[row.label] ** 0.5 for row in rows]
    return fit_softmax(x, [row.label for row in rows], weights, PENALTY)


def fit_lines(rows: Sequence[Row], layers: Matrix) -> Softmax:
    """The model of single sentences; each source of a class counts with the square root of its size."""
    sizes = Counter((row.label, row.source) for row in rows)
    weights = [sizes[row.label, row.source] ** -0.5 for row in rows]
    return fit_softmax(layers, [row.label for row in rows], weights, PENALTY)


class Encoder:
    """What the encoder makes of single texts, kept between runs in `file`."""

    def __init__(self, embedder: Embedder, file: Path | None) -> None:
        self._embedder = embedder
        self._file = file
        self._known: dict[str, Encoded] = {}
        if file and file.exists():
            kept = np.load(file)
            rows = zip(kept["texts"].tolist(), kept["vectors"][:, None], kept["layers"][:, None], strict=True)
            self._known = {text: Encoded(vectors, layers) for text, vectors, layers in rows}

    def read(self, text: str) -> Encoded:
        """One text."""
        if text not in self._known:
            self._known[text] = self._embedder.read([text])
        return self._known[text]

    def layers(self, texts: Sequence[str]) -> Matrix:
        """The layers of some texts, a row each."""
        return np.vstack([self.read(text).layers for text in texts]).astype(np.float64)

    def keep(self) -> None:
        """Write what is known."""
        if self._file:
            every = list(self._known.values())
            vectors, layers = (np.vstack([getattr(one, name) for one in every]) for name in ("vectors", "layers"))
            np.savez(self._file, texts=list(self._known), vectors=vectors, layers=layers)


def loudest_of(rows: Sequence[Row], encoder: Encoder) -> dict[str, list[str]]:
    """Of each cry of several sentences the one that a first model, fitted to whole messages, takes for it most."""
    first = lines(rows)
    model = fit_lines(first, encoder.layers([row.question for row in first]))
    found = {}
    for row in rows:
        parts = sentences(row.question)
        if row.label == Intent.CRISIS and len(parts) > 1:
            shares = [model.probabilities(one)[CRY] for one in encoder.layers([line_of(part) for part in parts])]
            found[row.question] = [parts[int(np.argmax(shares))]]
    return found


def measure_lines(rows: Sequence[Row], layers: Matrix) -> dict[str, str]:
    """Out of fold, for each kind of sentence: the shares that are read as a cry and as an order."""
    found: dict[str, list[bool]] = defaultdict(list)
    folds = np.array([row.fold for row in rows])
    for fold in range(FOLDS):
        model = fit_lines([row for row in rows if row.fold != fold], layers[folds != fold])
        for place in np.flatnonzero(folds == fold):
            row, shares = rows[int(place)], model.probabilities(layers[place])
            for kind, least in ((CRY, SURE_CRY), (ORDER, SURE_ORDER)):
                read_so = shares[kind] >= least
                found[f"{row.source} {row.label} read as {kind}"].append(read_so)
                if read_so != (row.label == kind):
                    sys.stdout.write(
                        f"{row.label} {'read' if read_so else 'not read'} as {kind}: {row.question[:110]}\n"
                    )
    return {name: described(sum(values), len(values)) for name, values in sorted(found.items())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure out of fold and write the constants."""
    parser = argparse.ArgumentParser(prog="python -m evals.fit_intent", description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the development sets")
    parser.add_argument("--public", type=Path, help="public out-of-scope set, JSON lines")
    parser.add_argument("--data", type=Path, help="folder of the index (UPSTANDER_DATA)")
    parser.add_argument("--cache", type=Path, help="file that keeps what the encoder made of the texts between runs")
    options = parser.parse_args(arguments)
    silence_libraries()
    settings = IndexSettings.from_env(data=options.data)
    embedder = open_embedder(settings.embedder, settings.models_folder)
    index = PassageIndex.open(GenerationStore(settings.index_folder), embedder.identity)
    rows = development_rows(options.sets, options.public)
    encoder = Encoder(embedder, options.cache)
    x = np.array([intent_row(encoder.read(row.question), index.question_vectors) for row in rows])
    folds = np.array([row.fold for row in rows])
    _, patterns = examples()
    parts = lines(rows, loudest_of(rows, encoder))
    layers = encoder.layers([row.question for row in parts])
    encoder.keep()
    part_folds = np.array([row.fold for row in parts])
    right: dict[str, list[bool]] = defaultdict(list)
    for fold in range(FOLDS):
        reader = IntentReader(
            fit([row for row in rows if row.fold != fold], x[folds != fold]),
            patterns,
            fit_lines([row for row in parts if row.fold != fold], layers[part_folds != fold]),
        )
        for place in np.flatnonzero(folds == fold):
            row = rows[int(place)]
            if row.source == "public":
                continue
            texts = reader.read_as(row.question)
            read = reader.read(row.question, texts, [encoder.read(t) for t in texts], index.question_vectors)
            right[f"{row.source}: {row.label}"].append(read.intent == row.label)
            if row.label in ("crisis", "disclosure"):
                right["support offered"].append(read.intent in (Intent.CRISIS, Intent.DISCLOSURE))
            if read.intent != row.label:
                sys.stdout.write(f"{row.label} read as {read.intent} ({row.source}): {row.question[:110]}\n")
    figures = {name: described(sum(values), len(values)) for name, values in sorted(right.items())}
    sys.stdout.write("".join(f"  {k}: {v}\n" for k, v in figures.items()))
    measured = measure_lines(parts, layers)
    sys.stdout.write("".join(f"  {k}: {v}\n" for k, v in measured.items()))
    constants = {
        "embedder": embedder.identity,
        "measured_out_of_fold": figures | measured,
        "model": fit(rows, x).as_json(),
        "lines": fit_lines(parts, layers).as_json(),
    }
    CONSTANTS.write_text(json.dumps(constants, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
