"""Stand-ins that a person can compute by hand. Each satisfies the protocol of the real part."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from bot.care import Judgement, Understanding
from bot.drafting import DraftLine
from bot.grounding import Check, Support
from bot.intent import Intent, Reading
from bot.reply import Evidence, Outcome, Turn
from bot.retriever import Retrieval
from knowledge.embedding import Encoded, Vectors
from knowledge.index import PassageIndex, fingerprint, write_generation
from knowledge.passage import Hit, passages_of, passages_of_all
from knowledge.record import Facet, Record, Source, Statement


class LetterEmbedder:
    """A text's vector counts how often each letter a..z occurs in it, scaled to length 1."""

    identity = "letters"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def knows(self, word: str) -> bool:
        return False

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        rows = [[text.lower().count(chr(97 + letter)) for letter in range(26)] for text in texts]
        counts = np.array(rows, dtype=np.float32).reshape(len(texts), 26)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)

    def read(self, texts: Sequence[str]) -> Encoded:
        vectors = self.embed(texts)
        return Encoded(vectors, np.hstack([vectors**2, vectors]))


class ScriptedDrafter:
    """Hands out lines that were written beforehand."""

    name = "scripted"

    def __init__(self, *lines: str | DraftLine) -> None:
        self.lines = [DraftLine(line) if isinstance(line, str) else line for line in lines]
        self.offered: list[Evidence] = []

    def draft(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftLine]:
        self.offered = list(evidence)
        yield from self.lines


class FixedLibrary:
    """Always the same index."""

    def __init__(self, index: PassageIndex) -> None:
        self.index = index

    def get(self) -> PassageIndex:
        return self.index


def small_index(folder: Path, *records: Record) -> PassageIndex:
    """A real index of a few records in a folder, with letter vectors and without Chroma."""
    embedder = LetterEmbedder()
    folder.mkdir(parents=True, exist_ok=True)
    manifest = write_generation(
        folder,
        records,
        embedder.embed([passage.text for passage in passages_of_all(records)]),
        embedder.embed([question for item in records for question in item.questions]),
        fingerprint(embedder.identity),
    )
    return PassageIndex(folder, manifest)


class ScriptedChat:
    """A chat model that hands out its replies in order, a word at a time, and keeps what it was asked."""

    name = "scripted:chat"

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str]] = []

    def stream(self, instructions: str, material: str) -> Iterator[str]:
        self.asked.append((instructions, material))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        yield from re.findall(r"\S+\s*", reply)


class WordVerifier:
    """Supports a claim fully when every word of it stands in its passages."""

    def check(self, claim: str, passages: Sequence[str]) -> Check:
        known = set(" ".join(passages).split())
        unknown = [word for word in claim.split() if word not in known]
        return (
            Check(Support.NONE, 0.0, f"no passage has {unknown[0]}")
            if unknown
            else Check(Support.FULL, 1.0, "all there")
        )


def record(name: str, *statements: tuple[Facet, str], questions: Sequence[str] = (), **fields: object) -> Record:
    """A record with an invented source; fields of source and record may be given by name."""
    of_source = {key: fields.pop(key) for key in list(fields) if key in Source.model_fields}
    source = {"title": f"Work {name}", "kind": "study", "tier": "peer-reviewed", **of_source}
    return Record.model_validate(
        {
            "id": name,
            "source": source,
            "checked": date(2026, 1, 2),
            "questions": tuple(questions),
            "statements": [Statement(facet=facet, text=text) for facet, text in statements],
            **fields,
        }
    )


def evidence(*records: Record, scores: Sequence[float] = ()) -> list[Evidence]:
    """All passages of some records as evidence E1, E2 …, with falling or given scores."""
    found = [(passage, item) for item in records for passage in passages_of(item)]
    falling = scores or [1 - 0.01 * place for place in range(len(found))]
    return [
        Evidence(f"E{place + 1}", Hit(passage, falling[place]), item) for place, (passage, item) in enumerate(found)
    ]


def scored(item: Evidence, score: float) -> Evidence:
    """The same evidence with another score."""
    return replace(item, hit=replace(item.hit, score=score))


class GivenCare:
    """Gives one judgement to every question; by default all are answered."""

    def __init__(self, judgement: Judgement | None = None, at_once: Judgement | None = None) -> None:
        self._judgement = judgement or Judgement(Outcome.ANSWER, with_claims=True)
        self._at_once = at_once

    def understand(self, question: str, history: Sequence[Turn], index: PassageIndex) -> Understanding:
        return Understanding(question, question, question, False, True, Reading(Intent.KNOWLEDGE, {}))

    def at_once(self, understood: Understanding, index: PassageIndex) -> Judgement | None:
        return self._at_once

    def judge(self, understood: Understanding, index: PassageIndex, found: Retrieval) -> Judgement:
        return self._judgement
