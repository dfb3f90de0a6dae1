"""The unit that is embedded, retrieved and cited."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.record import Facet, Record


@dataclass(frozen=True)
class Passage:
    """A piece of a record's text, with `record.text[start:end] == text`.

    `id` names record and content, so it stays the same while both do.
    """

    id: str
    record_id: str
    facet: Facet
    text: str
    start: int
    end: int

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Hit:
    """A passage found for a question.

    `score` orders hits and is comparable between questions; `dense` is the cosine similarity to the question and
    `lexical` the BM25 score, each None where that search did not find the passage.
    """

    passage: Passage
    score: float
    dense: float | None = None
    lexical: float | None = None


def passages_of(record: Record) -> list[Passage]:
    """One passage a statement, in the record's order."""
    return [
        Passage(
            passage_id(record.id, statement.facet, statement.text),
            record.id,
            statement.facet,
            statement.text,
            start,
            end,
        )
        for statement, start, end in record.spans()
    ]


def passage_id(record_id: str, facet: Facet, text: str) -> str:
    """The record's id and twelve hexadecimal digits that hash facet and text."""
    content = hashlib.sha256(f"{facet}\n{text}".encode())
    return f"{record_id}:{content.hexdigest()[:12]}"


def passages_of_all(records: Sequence[Record]) -> list[Passage]:
    """The passages of several records, in order."""
    return [passage for record in records for passage in passages_of(record)]
