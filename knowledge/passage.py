"""The unit that is embedded, retrieved and cited."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.record import Facet, Record


@dataclass(frozen=True)
class Passage:
    """A piece of a record's text, with `record.text[start:end] == text`.

    `id` names record and content, so it stays the same while both do. `headings` and `page` are known of added documents only.
    """

    id: str
    record_id: str
    facet: Facet
    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    page: int | None = None

    @property
    def searched(self) -> str:
        """What is embedded and indexed: the text under its nearest heading (docs/decisions/0006-chunking.md)."""
        return f"{self.headings[-1]}: {self.text}" if self.headings else self.text

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return digest_of(self.text)


def digest_of(text: str) -> str:
    """SHA-256 of a passage's text, in hexadecimal, by which a saved answer knows what it cited."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


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
    """One passage a statement, in the record's order, then one an excerpt of an added document.

    What an excerpt tells was never judged, so its facet is the neutral one. A retracted source has none left to cite.
    """
    return [] if record.retracted else [*_statements(record), *_excerpts(record)]


def _excerpts(record: Record) -> list[Passage]:
    return [
        Passage(
            passage_id(record.id, Facet.SUMMARY, excerpt.text),
            record.id,
            Facet.SUMMARY,
            excerpt.text,
            start,
            end,
            excerpt.headings,
            excerpt.page,
        )
        for excerpt, start, end in record.excerpt_spans()
    ]


def _statements(record: Record) -> list[Passage]:
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
