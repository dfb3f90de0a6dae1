"""Question to evidence: search by meaning and by words, fused into one score that is comparable between questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.reply import Evidence
from knowledge.embedding import Embedder, Vectors
from knowledge.index import PassageIndex, searched_text
from knowledge.lexical import LexicalIndex, stems
from knowledge.passage import Hit
from knowledge.record import Facet
from knowledge.spelling import Speller

CANDIDATES = 100  # rows taken from each search before fusion
RECORDS_NAMED = 20
QUESTIONS_COMPARED = 2
ALIKE = 0.4  # cosine above which another question is of interest too; below it, suggestions read as beside the point
RECORDS_OFFERED = 8
PASSAGES_OFFERED = 24


@dataclass(frozen=True)
class Weights:
    """How much each signal counts; fitted on the development questions only (evals/fit_retrieval.py, docs/decisions/0005).

    A record scores with its best passage's cosine, the mean cosine of its two nearest questions, and the BM25 of all its
    words as a share of the IDF of the question's words. A passage adds its own cosine and BM25 share to its record's score.
    """

    passage_cosine: float = 0.12
    question_cosine: float = 0.30
    record_words: float = 0.58
    own_cosine: float = 0.2
    own_words: float = 0.2


@dataclass(frozen=True)
class Retrieval:
    """What was found, best first: evidence, records, and the records' own questions like this one."""

    evidence: tuple[Evidence, ...]
    record_ids: tuple[str, ...]
    near_questions: tuple[tuple[str, str], ...]
    best_score: float
    answerable: bool


class Retriever:
    """Finds the evidence for a question in one generation of the index."""

    def __init__(self, embedder: Embedder, weights: Weights | None = None, threshold: float = 0.28) -> None:
        self._embedder = embedder
        self._weights = weights or Weights()
        self._threshold = threshold
        self._spelling: tuple[str, Speller] | None = None

    def retrieve(self, index: PassageIndex, question: str) -> Retrieval:
        """Rank records, then the passages of the best ones."""
        read = self.corrected(index, question)
        (vector,) = self._embedder.embed([read])
        terms = stems(read)
        near = index.nearest_questions(vector, CANDIDATES)
        scores = self._record_scores(index, vector, terms, near)
        ranked = sorted(np.flatnonzero(np.isfinite(scores)), key=lambda n: (-scores[n], index.records[n].id))
        hits = self._passage_hits(index, vector, terms, scores, [int(number) for number in ranked[:RECORDS_OFFERED]])
        evidence = tuple(
            Evidence(f"E{place}", hit, index.records[index.record_number[hit.passage.record_id]])
            for place, hit in enumerate(offered(hits), start=1)
        )
        best = float(scores[ranked[0]]) if ranked else 0.0
        return Retrieval(
            evidence=evidence,
            record_ids=tuple(index.records[number].id for number in ranked[:RECORDS_NAMED]),
            near_questions=_alike(index, vector, near),
            best_score=best,
            answerable=bool(evidence) and best >= self._threshold,
        )

    def corrected(self, index: PassageIndex, question: str) -> str:
        """The question as it is searched, with misspelt words mended."""
        return self._speller(index).correct(question)

    def score_records(self, index: PassageIndex, text: str) -> NDArray[np.float64]:
        """How well each record matches a text, in the index's order: the score that ranks records, for all of them."""
        read = self.corrected(index, text)
        (vector,) = self._embedder.embed([read])
        terms = stems(read)
        words = index.record_words.scores(terms) / most_words_can_score(index.record_words, terms)
        return self._fused(index, vector, words, np.arange(len(index.records)))

    def _speller(self, index: PassageIndex) -> Speller:
        """The speller of a generation's words, made once for each generation."""
        if self._spelling is None or self._spelling[0] != index.manifest.id:
            self._spelling = (index.manifest.id, Speller(map(searched_text, index.records), self._embedder.knows))
        return self._spelling[1]

    def _record_scores(
        self, index: PassageIndex, vector: Vectors, terms: Sequence[str], near: Sequence[int]
    ) -> NDArray[np.float64]:
        """The fused score of each candidate record, minus infinity for the others; shape (number of records,)."""
        words = index.record_words.scores(terms) / most_words_can_score(index.record_words, terms)
        candidates = {int(index.owners[row]) for row in index.nearest_passages(vector, CANDIDATES)}
        candidates |= {int(index.question_owners[row]) for row in near}
        candidates |= {int(number) for number in np.argsort(-words)[:CANDIDATES] if words[number] > 0}
        chosen = np.array(sorted(candidates), dtype=np.int64)
        scores = np.full(len(index.records), -np.inf)
        scores[chosen] = self._fused(index, vector, words, chosen)
        return scores

    def _fused(
        self, index: PassageIndex, vector: Vectors, words: NDArray[np.floating[Any]], chosen: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The fused score of the chosen records; `words` has the share of BM25 of every record."""
        passage = _nearest_of_each(index.vectors, index.owners, vector, chosen, 1)
        question = _nearest_of_each(index.question_vectors, index.question_owners, vector, chosen, QUESTIONS_COMPARED)
        # An added document has no questions of its own; its passages stand in, so that it is not ranked as if it had bad ones.
        asked = np.bincount(index.question_owners, minlength=len(index.records))[chosen] > 0
        question = np.where(asked, question, passage)
        weights = self._weights
        fused: NDArray[np.float64] = (
            weights.passage_cosine * passage + weights.question_cosine * question + weights.record_words * words[chosen]
        )
        return fused

    def _passage_hits(
        self,
        index: PassageIndex,
        vector: Vectors,
        terms: Sequence[str],
        record_scores: NDArray[np.float64],
        records: Sequence[int],
    ) -> list[Hit]:
        """The passages of some records, best first."""
        rows = [int(row) for number in records for row in np.flatnonzero(index.owners == number)]
        cosine = index.vectors[rows] @ vector
        bm25 = index.passage_words.scores(terms)[rows]
        words = bm25 / most_words_can_score(index.passage_words, terms)
        weights = self._weights
        hits = [
            Hit(
                index.passages[row],
                score=float(
                    record_scores[index.owners[row]] + weights.own_cosine * cosine[n] + weights.own_words * words[n]
                ),
                dense=float(cosine[n]),
                lexical=float(bm25[n]),
            )
            for n, row in enumerate(rows)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))


def _alike(index: PassageIndex, vector: Vectors, near: Sequence[int]) -> tuple[tuple[str, str], ...]:
    """Record id and text of the records' own questions that are alike enough to be of interest too."""
    return tuple(
        (index.records[index.question_owners[row]].id, index.questions[row])
        for row in near
        if index.question_vectors[row] @ vector >= ALIKE
    )


def offered(hits: Sequence[Hit]) -> list[Hit]:
    """The best hits, and behind them the best caution of each of their records that is left without one.

    A finding is shown with a caution of its record, however little that caution has to do with the question's words.
    """
    best = list(hits[:PASSAGES_OFFERED])
    cautions: dict[str, Hit] = {}
    for hit in hits:
        if hit.passage.facet is Facet.CAUTION:
            cautions.setdefault(hit.passage.record_id, hit)
    offered_records = dict.fromkeys(hit.passage.record_id for hit in best)
    return best + [cautions[name] for name in offered_records if name in cautions and cautions[name] not in best]


def most_words_can_score(words: LexicalIndex, terms: Sequence[str]) -> float:
    """The sum of the terms' IDF, which bounds from below what a text that repeats them all would score; 1 for no terms.

    Dividing by it makes BM25 comparable between short and long questions.
    """
    return sum(words.idf(term) for term in terms) or 1.0


def _nearest_of_each(
    vectors: Vectors, owners: NDArray[np.int64], vector: Vectors, chosen: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """For each chosen owner the mean cosine of its `count` vectors nearest to `vector`, 0 for one without any.

    Only rows of chosen owners are compared, so the cost follows the candidates and not the size of the index.
    `owners` is sorted; the result has shape (len(chosen),).
    """
    first, last = np.searchsorted(owners, chosen), np.searchsorted(owners, chosen, side="right")
    return np.array(
        [
            float(np.sort(vectors[a:b] @ vector)[-count:].mean()) if b > a else 0.0
            for a, b in zip(first, last, strict=True)
        ]
    )
