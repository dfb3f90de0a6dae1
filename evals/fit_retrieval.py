"""Fit the three weights of `bot.retriever.Weights` on answerable questions, cross-validated over records.

    python -m evals.fit_retrieval QUESTIONS.jsonl [--data DIR]

Each line is {"question", "relevant": [record id]}. A softmax over all records makes the right one likely; folds are groups of
records, so no question is judged by weights that saw its record. Prints recall@5 and MRR@10 with intervals for the weights
in use, for the fitted ones (out of fold), and the weights of the whole set, which a person may then copy into the code.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.retriever import QUESTIONS_COMPARED, Weights, most_words_can_score
from evals.metrics import Estimate, estimate
from knowledge.embedding import Embedder, open_embedder
from knowledge.errors import ChatbotError, EvaluationError
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.lexical import stems
from knowledge.settings import IndexSettings, silence_libraries

FOLDS, STEPS, RATE, SHRINK = 5, 400, 0.5, 1e-3
FEATURES = ("passage_cosine", "question_cosine", "record_words")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A question with the numbers of its relevant records."""

    question: str
    relevant: tuple[int, ...]


def features(index: PassageIndex, embedder: Embedder, questions: Sequence[str]) -> Array:
    """The three signals of every record for every question, shape (questions, records, 3), as the retriever computes them."""
    vectors = embedder.embed(questions)
    found = np.zeros((len(questions), len(index.records), len(FEATURES)))
    passage_rows = _rows(index.owners, len(index.records))
    question_rows = _rows(index.question_owners, len(index.records))
    for number, (question, vector) in enumerate(zip(questions, vectors, strict=True)):
        terms = stems(question)
        passage, own = index.vectors @ vector, index.question_vectors @ vector
        found[number, :, 0] = [passage[a:b].max() if b > a else 0.0 for a, b in passage_rows]
        found[number, :, 1] = [
            np.sort(own[a:b])[-QUESTIONS_COMPARED:].mean() if b > a else 0.0 for a, b in question_rows
        ]
        found[number, :, 2] = index.record_words.scores(terms) / most_words_can_score(index.record_words, terms)
    return found


def _rows(owners: NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    first = np.searchsorted(owners, np.arange(count))
    last = np.searchsorted(owners, np.arange(count), side="right")
    return list(zip(first.tolist(), last.tolist(), strict=True))


def fit(values: Array, asked: Sequence[Asked]) -> Array:
    """Weights that make a relevant record likely under a softmax over all records (ListNet's top-one loss, Cao et al. 2007).

    Plain gradient steps on standardised signals; the loss is convex, so the start does not matter.
    """
    spread = values.std(axis=(0, 1)) + 1e-9
    scaled = values / spread
    target = np.zeros(values.shape[:2])
    for row, one in enumerate(asked):
        target[row, list(one.relevant)] = 1 / len(one.relevant)
    weights = np.zeros(values.shape[2])
    for _ in range(STEPS):
        scores = scaled @ weights
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        gradient = np.einsum("qr,qrf->f", likely - target, scaled) / len(asked) + 2 * SHRINK * weights
        weights -= RATE * gradient
    found: Array = weights / spread
    return found


def ranks(values: Array, weights: Array, asked: Sequence[Asked]) -> NDArray[np.int64]:
    """The rank of each question's best relevant record, from 1."""
    scores = values @ weights
    best = np.array([scores[row, list(one.relevant)].max() for row, one in enumerate(asked)])
    found: NDArray[np.int64] = (scores > best[:, None]).sum(axis=1) + 1
    return found


def folds_of(asked: Sequence[Asked], records: int, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each question: that of its first relevant record."""
    fold = np.random.default_rng(seed).permutation(records) % FOLDS
    return np.array([fold[one.relevant[0]] for one in asked])


def out_of_fold(values: Array, asked: Sequence[Asked], records: int) -> NDArray[np.int64]:
    """Ranks under weights that were fitted without the question's record."""
    fold = folds_of(asked, records)
    found = np.zeros(len(asked), dtype=np.int64)
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if len(inside):
            weights = fit(values[outside], [asked[int(row)] for row in outside])
            found[inside] = ranks(values[inside], weights, [asked[int(row)] for row in inside])
    return found


def quality(found: NDArray[np.int64], asked: Sequence[Asked]) -> tuple[Estimate, Estimate]:
    """Recall@5 and MRR@10 with intervals over records."""
    owners = [str(one.relevant[0]) for one in asked]
    recall = estimate([float(rank <= 5) for rank in found], owners)
    return recall, estimate([1 / rank if rank <= 10 else 0.0 for rank in found], owners)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and print."""
    silence_libraries()
    parser = argparse.ArgumentParser(prog="python -m evals.fit_retrieval", description=__doc__.split("\n")[0])
    parser.add_argument("questions", type=Path, metavar="QUESTIONS.jsonl")
    parser.add_argument("--data", type=Path, help="folder of the index (UPSTANDER_DATA)")
    options = parser.parse_args(arguments)
    try:
        settings = IndexSettings.from_env(data=options.data)
        embedder = open_embedder(settings.embedder, settings.models_folder)
        index = PassageIndex.open(GenerationStore(settings.index_folder), embedder.identity)
        asked = read_questions(options.questions, index)
    except ChatbotError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    values = features(index, embedder, [one.question for one in asked])
    in_use = Weights()
    now = np.array([in_use.passage_cosine, in_use.question_cosine, in_use.record_words])
    fitted = fit(values, asked)
    fitted /= fitted.sum()
    say = sys.stdout.write
    say(f"{len(asked)} questions, {len(index.records)} records, {FOLDS} folds over records\n")
    for label, found in (
        ("in use", ranks(values, now, asked)),
        ("fitted, out of fold", out_of_fold(values, asked, len(index.records))),
    ):
        recall, reciprocal = quality(found, asked)
        say(f"{label:20} recall@5 {_text(recall)}  MRR@10 {_text(reciprocal)}\n")
    say(
        "fitted on all: "
        + ", ".join(f"{name}={value:.3f}" for name, value in zip(FEATURES, fitted, strict=True))
        + "\n"
    )
    index.close()
    return 0


def read_questions(file: Path, index: PassageIndex) -> list[Asked]:
    """The questions whose relevant records are in the index. Raises EvaluationError."""
    asked = []
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            numbers = tuple(index.record_number[name] for name in row["relevant"] if name in index.record_number)
            if numbers:
                asked.append(Asked(str(row["question"]), numbers))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f'{file} cannot be read. Write {{"question": "…", "relevant": ["…"]}} on each line.'
        ) from error
    if not asked:
        raise EvaluationError(f"{file} has no question on a record of the index. Build the index first.")
    return asked


def _text(found: Estimate) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
