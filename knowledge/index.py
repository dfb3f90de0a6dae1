"""The passages of all records, searchable by meaning and by words. Door to Chroma.

`write_generation` makes one immutable build; `PassageIndex.open` reads the live one. Meaning is searched in Chroma; the
same vectors lie beside it in `vectors.npy`, which judges Chroma (`problems`) and replaces it when it cannot be opened.
"""

import logging
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import chromadb
import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings
from chromadb.errors import ChromaError
from numpy.typing import NDArray

from knowledge.embedding import Vectors
from knowledge.errors import IndexCorrupt, IndexStale, IndexUnusable
from knowledge.generation import (
    REBUILD,
    GenerationStore,
    Manifest,
    damaged_files,
    read_manifest,
    write_manifest,
)
from knowledge.lexical import LexicalIndex
from knowledge.passage import Passage, passages_of_all
from knowledge.record import Record
from knowledge.settings import digest

logger = logging.getLogger(__name__)

FORMAT = 1  # raise it when files, tokens or offsets change their meaning
PASSAGES, QUESTIONS = "passages", "questions"
ADD_BATCH = 200
SEARCH_WIDTH = 200  # HNSW ef_search; at the default of 100, Chroma missed some own vectors (docs/decisions/0003)
OWN_VECTORS_CHECKED = 20_000


def fingerprint(embedder_identity: str) -> str:
    """What must be equal for a reader to use an index: format, tokens and embedding model."""
    return digest({"format": FORMAT, "embedder": embedder_identity})


def searched_text(record: Record) -> str:
    """All of a record's words, with the questions that it answers: what the word search sees of the record as a whole."""
    source = record.source
    parts: list[str] = [source.title, source.title, *(statement.text for statement in record.statements)]
    parts += [*record.questions, *(source.authors or ()), *record.audience, *record.topics, *record.strategies]
    for value in (
        source.organization, source.year, source.venue, source.kind, record.country, record.setting,
        record.format, record.duration,
    ):  # fmt: skip
        parts += [str(value)] if value else []
    return " ".join(parts)


def write_generation(
    folder: Path,
    records: Sequence[Record],
    vectors: Vectors,
    question_vectors: Vectors,
    fingerprint: str,
) -> Manifest:
    """Write all files of a generation into an empty folder.

    `vectors` has a row for each passage of `records` in order, `question_vectors` one for each of their questions.
    """
    passages = passages_of_all(records)
    questions = [question for record in records for question in record.questions]
    if len(vectors) != len(passages) or len(question_vectors) != len(questions):
        raise ValueError("one vector a passage and one a question")
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(record.model_dump_json() + "\n" for record in records)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "questions.npy", question_vectors)
    LexicalIndex.build([passage.text for passage in passages]).save(folder / "words" / "passages")
    LexicalIndex.build([searched_text(record) for record in records]).save(folder / "words" / "records")
    _write_chroma(folder / "chroma", passages, vectors, questions, question_vectors)
    return write_manifest(
        folder,
        fingerprint=fingerprint,
        content=content_digest(records),
        records=len(records),
        passages=len(passages),
        questions=len(questions),
    )


def content_digest(records: Sequence[Record]) -> str:
    """Hash of everything that an index is made from; equal content needs no new generation."""
    return digest([record.model_dump(mode="json") for record in records])


def _client(folder: Path) -> Client:
    settings = Settings(anonymized_telemetry=False, allow_reset=False)
    client = chromadb.PersistentClient(str(folder), settings=settings)
    assert isinstance(client, Client)  # its declared type lacks `close`
    return client


def _write_chroma(
    folder: Path, passages: Sequence[Passage], vectors: Vectors, questions: Sequence[str], question_vectors: Vectors
) -> None:
    client = _client(folder)
    try:
        _fill(client, PASSAGES, [passage.id for passage in passages], [passage.text for passage in passages], vectors)
        _fill(client, QUESTIONS, [f"q{row}" for row in range(len(questions))], questions, question_vectors)
    finally:
        client.close()


def _fill(client: Client, name: str, ids: Sequence[str], texts: Sequence[str], vectors: Vectors) -> None:
    collection = client.create_collection(
        name,
        # Trap: the default distance is l2, and a collection that exists keeps its own without a word.
        configuration={"hnsw": {"space": "cosine", "ef_search": SEARCH_WIDTH}},
        embedding_function=None,
    )
    for at in range(0, len(ids), ADD_BATCH):
        end = min(at + ADD_BATCH, len(ids))
        # Trap: `add` keeps the old row of an existing id silently; `upsert` does not.
        collection.upsert(
            ids=list(ids[at:end]),
            embeddings=vectors[at:end],
            documents=list(texts[at:end]),
            metadatas=[{"row": row} for row in range(at, end)],
        )


class ChromaSearch:
    """A private copy of a generation's Chroma folder, opened for reading.

    A copy, since opening a store rewrites pages of it and a read-only store cannot be opened at all.
    """

    def __init__(self, published: Path) -> None:
        """Copy and open. Raises IndexCorrupt."""
        self._folder = tempfile.TemporaryDirectory(prefix="upstander-", ignore_cleanup_errors=True)
        try:
            copy = Path(self._folder.name) / "chroma"
            shutil.copytree(published, copy)
            self._client = _client(copy)
            self._collections = {
                name: self._client.get_collection(name, embedding_function=None) for name in (PASSAGES, QUESTIONS)
            }
        except (ChromaError, OSError, ValueError) as error:
            self._folder.cleanup()
            raise IndexCorrupt(f"The Chroma store of the index cannot be opened. {REBUILD}") from error
        self.close = weakref.finalize(self, _give_back, self._client, self._folder)

    def nearest(self, collection: str, vector: Vectors, count: int) -> list[int]:
        """Row numbers of what lies nearest to a unit vector, best first. Raises IndexCorrupt."""
        try:
            found = self._collections[collection].query(
                query_embeddings=vector[None, :], n_results=count, include=["metadatas"]
            )
        except ChromaError as error:
            raise IndexCorrupt(f"The Chroma store of the index cannot be searched. {REBUILD}") from error
        return [int(str(metadata["row"])) for metadata in (found["metadatas"] or [[]])[0]]


def _give_back(client: Client, folder: "tempfile.TemporaryDirectory[str]") -> None:
    """Close a client, which frees its file handles, and remove its copy."""
    client.close()
    folder.cleanup()


class ExactSearch:
    """Every vector compared: the fallback for Chroma, and its judge."""

    def __init__(self, passages: Vectors, questions: Vectors) -> None:
        self._vectors = {PASSAGES: passages, QUESTIONS: questions}

    def nearest(self, collection: str, vector: Vectors, count: int) -> list[int]:
        """See ChromaSearch."""
        similarity = self._vectors[collection] @ vector
        return [int(row) for row in np.argsort(-similarity, kind="stable")[:count]]

    def close(self) -> None:
        """Nothing to give back."""


class PassageIndex:
    """One generation, read: records, passages, their vectors and their words. Safe to use from several threads."""

    def __init__(self, folder: Path, manifest: Manifest, dense: ChromaSearch | ExactSearch | None = None) -> None:
        self.manifest = manifest
        self.vectors: Vectors
        try:
            with (folder / "records.jsonl").open(encoding="utf-8") as file:
                self.records = [Record.model_validate_json(line) for line in file]
            self.vectors = np.load(folder / "vectors.npy", allow_pickle=False)
            self.question_vectors: Vectors = np.load(folder / "questions.npy", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexCorrupt(f"The index {manifest.id} cannot be read. {REBUILD}") from error
        self.passages = passages_of_all(self.records)
        self.questions = [question for record in self.records for question in record.questions]
        self.passage_words = LexicalIndex.load(folder / "words" / "passages", len(self.passages))
        self.record_words = LexicalIndex.load(folder / "words" / "records", len(self.records))
        self._dense = dense or ExactSearch(self.vectors, self.question_vectors)

    @classmethod
    def open(cls, store: GenerationStore, embedder_identity: str, generation: str | None = None) -> "PassageIndex":
        """The live generation (or the one named), checked file by file.

        Raises IndexMissing, IndexStale or IndexCorrupt. A Chroma store that cannot be opened is replaced by exact search.
        """
        started = time.perf_counter()
        name = generation or store.current()
        folder = store.path(name)
        manifest = read_manifest(folder)
        if manifest.fingerprint != fingerprint(embedder_identity):
            raise IndexStale(f"The index was built with another embedding model or an older version. {REBUILD}")
        damage = damaged_files(folder, manifest)
        if any(not problem.startswith("chroma/") for problem in damage):
            raise IndexCorrupt(f"The index {name} is damaged ({damage[0]}). {REBUILD}")
        # Trap: a damaged store can take the process down with it, so it is not even tried.
        dense = None if damage else _open_chroma(folder / "chroma")
        if dense is None:
            logger.warning("chroma unusable generation=%s: searching exactly instead", name)
        index = cls(folder, manifest, dense)
        logger.info(
            "opened generation=%s passages=%d ms=%.0f", name, len(index.passages), 1e3 * (time.perf_counter() - started)
        )
        return index

    @property
    def dense_search(self) -> Literal["chroma", "exact"]:
        """Which search by meaning runs."""
        return "chroma" if isinstance(self._dense, ChromaSearch) else "exact"

    def nearest_passages(self, vector: Vectors, count: int) -> list[int]:
        """Row numbers of the passages nearest to a unit vector, best first."""
        return self._nearest(PASSAGES, vector, min(count, len(self.passages)))

    def nearest_questions(self, vector: Vectors, count: int) -> list[int]:
        """Row numbers of the records' own questions nearest to a unit vector, best first."""
        return self._nearest(QUESTIONS, vector, min(count, len(self.question_vectors)))

    def _nearest(self, collection: str, vector: Vectors, count: int) -> list[int]:
        if count == 0:
            return []
        try:
            return self._dense.nearest(collection, vector, count)
        except IndexCorrupt:
            logger.warning("chroma failed while searching: searching exactly from now on")
            self._dense = ExactSearch(self.vectors, self.question_vectors)
            return self._dense.nearest(collection, vector, count)

    @cached_property
    def record_number(self) -> dict[str, int]:
        """Record id to its place in `records`."""
        return {record.id: number for number, record in enumerate(self.records)}

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Passage id to its row."""
        return {passage.id: row for row, passage in enumerate(self.passages)}

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """For each passage row, the number of its record."""
        counts = [len(record.statements) for record in self.records]
        return np.repeat(np.arange(len(self.records), dtype=np.int64), counts)

    @cached_property
    def question_owners(self) -> NDArray[np.int64]:
        """For each question row, the number of its record."""
        counts = [len(record.questions) for record in self.records]
        return np.repeat(np.arange(len(self.records), dtype=np.int64), counts)

    def close(self) -> None:
        """Give back what opening took."""
        self._dense.close()


class LiveIndex:
    """The live generation, whichever it is: picks up a new one without a restart, and stays on the old one if it must."""

    def __init__(self, store: GenerationStore, embedder_identity: str) -> None:
        """Open the live generation. Raises what PassageIndex.open raises."""
        self._store = store
        self._identity = embedder_identity
        self._lock = threading.Lock()
        self._index = PassageIndex.open(store, embedder_identity)

    def get(self) -> PassageIndex:
        """The index to answer one question from; keep it for the whole answer, so that no answer mixes generations."""
        with self._lock:
            try:
                if self._store.current() != self._index.manifest.id:
                    # The old one is closed when the last answer that uses it lets go of it.
                    self._index = PassageIndex.open(self._store, self._identity)
            except IndexUnusable as error:
                logger.warning("staying on generation=%s: %s", self._index.manifest.id, error)
            return self._index


def _open_chroma(folder: Path) -> ChromaSearch | None:
    try:
        return ChromaSearch(folder)
    except IndexCorrupt:
        return None


def problems(folder: Path) -> list[str]:
    """What is wrong with a generation, one sentence each; empty when every record can be read and found.

    Run it in a process of its own: a bad store can crash the process that opens it.
    """
    try:
        manifest = read_manifest(folder)
        if damage := damaged_files(folder, manifest):
            return [f"{folder.name}: {problem}." for problem in damage]
        search = ChromaSearch(folder / "chroma")
        index = PassageIndex(folder, manifest, search)
    except IndexCorrupt as error:
        return [str(error)]
    try:
        return _contradictions(index, search)
    finally:
        index.close()


def _contradictions(index: PassageIndex, search: ChromaSearch) -> list[str]:
    """Where a generation contradicts its own manifest, texts or vectors."""
    found = []
    manifest = index.manifest
    questions = sum(len(record.questions) for record in index.records)
    counts = {
        "records": (len(index.records), manifest.records),
        "passages": (len(index.passages), manifest.passages),
        "vectors": (len(index.vectors), manifest.passages),
        "questions": (questions, manifest.questions),
        "question vectors": (len(index.question_vectors), manifest.questions),
    }
    found += [f"{n} {name} instead of {wanted}." for name, (n, wanted) in counts.items() if n != wanted]
    if content_digest(index.records) != manifest.content:
        found.append("The records differ from those that the manifest names.")
    texts = {record.id: record.text for record in index.records}
    found += [
        f"{passage.id}: its offsets do not hold its text."
        for passage in index.passages
        if texts[passage.record_id][passage.start : passage.end] != passage.text
    ]
    lost = [
        passage.id
        for row, passage in list(enumerate(index.passages))[:OWN_VECTORS_CHECKED]
        # Two passages may share a vector, so the nearest one need only be as near as the passage itself.
        if index.vectors[search.nearest(PASSAGES, index.vectors[row], 1)[0]] @ index.vectors[row] < 1 - 1e-5
    ]
    found += [f"{name}: Chroma does not find it by its own vector." for name in lost]
    return found
