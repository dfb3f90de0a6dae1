"""The passages of all records, searchable by meaning and by words. Door to Chroma.

`write_generation` makes one immutable build; `PassageIndex.open` reads the live one. Meaning is searched in Chroma; the
same vectors lie beside it in `vectors.npy`, which judges Chroma (`problems`) and replaces it when it cannot be opened.
"""

import logging
import random
import secrets
import shutil
import tempfile
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
from chromadb.api import ClientAPI
from chromadb.api.client import Client
from chromadb.api.collection_configuration import CreateHNSWConfiguration
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings
from chromadb.errors import ChromaError, InternalError, NotFoundError, RateLimitError, UniqueConstraintError
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from knowledge.embedding import Vectors
from knowledge.errors import IndexCorrupt, IndexNotWritten, IndexStale, IndexUnusable, ServerAway
from knowledge.generation import (
    REBUILD,
    GenerationStore,
    Manifest,
    damaged_files,
    read_manifest,
    write_manifest,
)
from knowledge.lexical import LexicalIndex
from knowledge.passage import passages_of_all
from knowledge.record import Record
from knowledge.settings import ChromaAddress, digest

logger = logging.getLogger(__name__)

FORMAT = 1  # raise it when files, tokens or offsets change their meaning
PASSAGES, QUESTIONS = "passages", "questions"
RECORDS, RETRACTED = "records.jsonl", "retracted.jsonl"
ADD_BATCH = 200
COPY_PREFIX, COPY_LOCK = "upstander-reader-", "held"
# At Chroma's defaults (100, 100, 16) some own vectors were missed (docs/decisions/0003).
GRAPH: CreateHNSWConfiguration = {
    "space": "cosine",  # trap: the default is l2, and a collection that exists keeps its own without a word
    "ef_search": 200,
    "ef_construction": 400,
    "max_neighbors": 32,
}
OWN_VECTORS_CHECKED = 20_000  # rows up to which each is looked for
SAMPLED_VECTORS = 2_000
OPEN_TRIES = 3
WAITS_SECONDS = (0.2, 0.8, 3.0)
AWAY_SECONDS = 15.0  # after an outage, before the server is asked again


def fingerprint(embedder_identity: str) -> str:
    """What must be equal for a reader to use an index: format, tokens and embedding model."""
    return digest({"format": FORMAT, "embedder": embedder_identity})


def searched_text(record: Record) -> str:
    """All of a record's words, with the questions that it answers: what the word search sees of the record as a whole."""
    source = record.source
    parts: list[str] = [source.title, source.title, *(statement.text for statement in record.statements)]
    parts += [excerpt.text for excerpt in record.document.excerpts] if record.document else []
    parts += [*record.questions, *(source.authors or ()), *record.audience, *record.topics, *record.strategies]
    for value in (
        source.organization, source.year, source.venue, source.kind, record.country, record.setting,
        record.format, record.duration,
    ):  # fmt: skip
        parts += [str(value)] if value else []
    return " ".join(parts)


def shown(records: Sequence[Record]) -> list[Record]:
    """Records without those that were retracted or withdrawn, which are kept apart and never searched."""
    return [record for record in records if not record.retracted]


def read_records(folder: Path, name: str = RECORDS) -> list[Record]:
    """The records of a generation that may be shown, or those of another file of it. Raises IndexCorrupt."""
    try:
        with (folder / name).open(encoding="utf-8") as file:
            return [Record.model_validate_json(line) for line in file]
    except (OSError, ValueError) as error:
        raise IndexCorrupt(f"The index {folder.name} cannot be read. {REBUILD}") from error


def write_generation(
    folder: Path,
    records: Sequence[Record],
    vectors: Vectors,
    question_vectors: Vectors,
    fingerprint: str,
    chroma: ChromaAddress | None = None,
    library: str = "",
) -> Manifest:
    """Write all files of a generation into an empty folder, and its Chroma collections there or to a server.

    `vectors` has a row for each passage of the `shown` records in order, `question_vectors` one for each of their questions;
    the retracted ones lie in a file of their own, for those who cite them already. `library` tells apart the collections of
    several libraries on one server. Raises ServerAway or IndexNotWritten.
    """
    content = content_digest(records)
    retracted = [record for record in records if record.retracted]
    records = shown(records)
    passages = passages_of_all(records)
    questions = [question for record in records for question in record.questions]
    if len(vectors) != len(passages) or len(question_vectors) != len(questions):
        raise ValueError("one vector a passage and one a question")
    for name, listed in ((RECORDS, records), (RETRACTED, retracted)):
        with (folder / name).open("w", encoding="utf-8") as file:
            file.writelines(record.model_dump_json() + "\n" for record in listed)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "questions.npy", question_vectors)
    LexicalIndex.build([passage.searched for passage in passages]).save(folder / "words" / "passages")
    LexicalIndex.build([searched_text(record) for record in records]).save(folder / "words" / "records")
    rows = {
        PASSAGES: ([passage.id for passage in passages], [passage.text for passage in passages], vectors),
        QUESTIONS: ([f"q{row}" for row in range(len(questions))], questions, question_vectors),
    }
    server = f"{server_prefix(library)}{content[:12]}-{secrets.token_hex(4)}" if chroma else None
    if chroma and server:
        _write_to_server(chroma, server, rows)
    else:
        _write_embedded(folder / "chroma", rows)
    return write_manifest(
        folder,
        fingerprint=fingerprint,
        content=content,
        server=server,
        records=len(records),
        passages=len(passages),
        questions=len(questions),
    )


def content_digest(records: Sequence[Record]) -> str:
    """Hash of everything that an index is made from, by id; equal content needs no new generation."""
    return digest([record.model_dump(mode="json") for record in records])


def _client(folder: Path) -> Client:
    settings = Settings(anonymized_telemetry=False, allow_reset=False)
    client = chromadb.PersistentClient(str(folder), settings=settings)
    assert isinstance(client, Client)  # its declared type lacks `close`
    return client


Rows = dict[str, tuple[list[str], list[str], Vectors]]
"""For each collection its ids, texts and vectors."""


def _write_embedded(folder: Path, rows: Rows) -> None:
    try:
        client = _client(folder)
        try:
            for name, (ids, texts, vectors) in rows.items():
                _fill(_create(client, name), ids, texts, vectors)
        finally:
            client.close()
    except ChromaError as error:
        # Trap: on a full disk Chroma names everything but the cause.
        raise IndexNotWritten(
            f"Chroma could not write the new index ({shutil.disk_usage(folder.parent).free >> 20:,} MB are free on that disk). "
            "The index in use is unchanged; free some space, then run the same command again."
        ) from error


def _create(client: ClientAPI, name: str) -> Collection:
    return client.create_collection(name, configuration={"hnsw": GRAPH}, embedding_function=None)


def _fill(
    collection: Collection,
    ids: Sequence[str],
    texts: Sequence[str],
    vectors: Vectors,
    run: Callable[[Callable[[], None]], None] = lambda call: call(),
) -> None:
    rows = list(twins(vectors))
    for at in range(0, len(rows), ADD_BATCH):
        some = rows[at : at + ADD_BATCH]
        # Trap: `add` keeps the old row of an existing id silently; `upsert` does not.
        batch = partial(
            collection.upsert,
            ids=[ids[row] for row in some],
            embeddings=vectors[some],
            documents=[texts[row] for row in some],
            metadatas=[{"row": row} for row in some],
        )
        run(batch)


def twins(vectors: Vectors) -> dict[int, list[int]]:
    """The first row of each distinct vector to all rows that have it.

    Only first rows go into Chroma: beside 200 equal vectors its graph loses others, and exports without abstracts, say,
    have hundreds of passages of one text.
    """
    firsts: dict[bytes, int] = {}
    rows: dict[int, list[int]] = {}
    for row, vector in enumerate(vectors):
        rows.setdefault(firsts.setdefault(vector.tobytes(), row), []).append(row)
    return rows


def server_prefix(library: str) -> str:
    """How the names of all collections of one library begin."""
    return f"upstander-{library}-"


def _server_client(address: ChromaAddress) -> ClientAPI:
    """A client of a server. Raises ServerAway."""
    place = urlsplit(address.url)
    secure = place.scheme == "https"
    try:
        return chromadb.HttpClient(
            host=place.hostname or "",
            port=place.port or (443 if secure else 8000),
            ssl=secure,
            headers={"x-chroma-token": address.token} if address.token else None,
            settings=Settings(anonymized_telemetry=False, allow_reset=False),
            tenant=address.tenant,
            database=address.database,
        )
    except (ValueError, ChromaError, httpx.HTTPError) as error:
        raise _away(address) from error


def _away(address: ChromaAddress) -> ServerAway:
    return ServerAway(
        f"The Chroma server at {address.url} does not answer. Start it (chroma run --path FOLDER) or correct "
        "UPSTANDER_CHROMA_URL, then run the same command again; answers go on by exact search until then."
    )


T = TypeVar("T")


def _patiently(address: ChromaAddress, call: Callable[[], T], waits: Sequence[float] = WAITS_SECONDS) -> T:
    """The result of a call that may be repeated, tried again after each wait. Raises ServerAway."""
    for wait in (*waits, None):
        try:
            return call()
        # Chroma passes on httpx's errors, and says ValueError when it cannot connect at first.
        except (httpx.HTTPError, RateLimitError, ServerAway, InternalError) as error:
            if wait is None:
                raise _away(address) from error
            time.sleep(wait * random.uniform(0.8, 1.2))
    raise AssertionError("the last try returns or raises")


def _write_to_server(address: ChromaAddress, prefix: str, rows: Rows) -> None:
    client = _patiently(address, partial(_server_client, address))
    for name, (ids, texts, vectors) in rows.items():
        # A repeated creation may find what the first try left.
        collection = _patiently(address, partial(_get_or_create, client, f"{prefix}-{name}"))
        _fill(collection, ids, texts, vectors, lambda call: _patiently(address, call))


def _get_or_create(client: ClientAPI, name: str) -> Collection:
    try:
        return _create(client, name)
    except (UniqueConstraintError, InternalError):
        return client.get_collection(name, embedding_function=None)


def sweep_server(address: ChromaAddress, library: str, keep: Sequence[str]) -> None:
    """Delete a library's collections that belong to none of the generations in `keep`. Raises ServerAway."""
    client = _patiently(address, partial(_server_client, address))
    for collection in _patiently(address, client.list_collections):
        name = collection.name
        if name.startswith(server_prefix(library)) and name.rsplit("-", 1)[0] not in keep:
            try:
                _patiently(address, partial(client.delete_collection, name))
            except NotFoundError:
                continue  # an earlier try got through


class ChromaSearch:
    """A private copy of a generation's Chroma folder, opened for reading.

    A copy, since opening a store rewrites pages of it and a read-only store cannot be opened at all.
    """

    def __init__(self, published: Path) -> None:
        """Copy and open. Raises IndexCorrupt."""
        sweep_copies()
        with ExitStack() as held:
            try:
                folder = tempfile.TemporaryDirectory(prefix=COPY_PREFIX, ignore_cleanup_errors=True)
                copy = Path(held.enter_context(folder)) / "chroma"
                # Any thread may be the one that gives it back.
                held.enter_context(FileLock(copy.with_name(COPY_LOCK), thread_local=False))
                shutil.copytree(published, copy)
                client = _client(copy)
                held.callback(client.close)  # frees its file handles
                self._collections = {
                    name: client.get_collection(name, embedding_function=None) for name in (PASSAGES, QUESTIONS)
                }
            except (ChromaError, OSError, ValueError) as error:
                raise IndexCorrupt(f"The Chroma store of the index cannot be opened. {REBUILD}") from error
            self.close = weakref.finalize(self, held.pop_all().close)

    def nearest(self, collection: str, vector: Vectors, count: int) -> list[int]:
        """Row numbers of what lies nearest to a unit vector, best first. Raises IndexCorrupt."""
        try:
            found = self._collections[collection].query(
                query_embeddings=vector[None, :], n_results=count, include=["metadatas"]
            )
        except ChromaError as error:
            raise IndexCorrupt(f"The Chroma store of the index cannot be searched. {REBUILD}") from error
        return [int(str(metadata["row"])) for metadata in (found["metadatas"] or [[]])[0]]


class ServerSearch:
    """A generation's collections on a Chroma server. While the server is away it says so at once, and asks again later."""

    def __init__(self, address: ChromaAddress, prefix: str) -> None:
        self._address = address
        self._prefix = prefix
        self._collections: dict[str, Collection] = {}
        self._away_until = 0.0

    def nearest(self, collection: str, vector: Vectors, count: int) -> list[int]:
        """See ChromaSearch. Raises ServerAway, or IndexCorrupt when the server does not know the collection."""
        if time.monotonic() < self._away_until:
            raise _away(self._address)
        try:
            return _patiently(self._address, partial(self._query, collection, vector, count), WAITS_SECONDS[:1])
        except ServerAway:
            self._away_until = time.monotonic() + AWAY_SECONDS
            self._collections.clear()
            raise
        except ChromaError as error:
            raise IndexCorrupt(f"The Chroma server at {self._address.url} has lost the index. {REBUILD}") from error

    def _query(self, collection: str, vector: Vectors, count: int) -> list[int]:
        if collection not in self._collections:
            self._collections[collection] = _server_client(self._address).get_collection(
                f"{self._prefix}-{collection}", embedding_function=None
            )
        found = self._collections[collection].query(
            query_embeddings=vector[None, :], n_results=count, include=["metadatas"]
        )
        return [int(str(metadata["row"])) for metadata in (found["metadatas"] or [[]])[0]]

    def close(self) -> None:
        """Nothing to give back: the connection is shared and closes with the process."""


def sweep_copies() -> None:
    """Remove the private copies of readers that were killed: the operating system has dropped their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{COPY_PREFIX}*"):
        # One without a lock is being made, or is another person's.
        with suppress(OSError, Timeout):
            if (lock := folder / COPY_LOCK).is_file() and not lock.is_symlink():
                with FileLock(lock, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)


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


Search = ChromaSearch | ServerSearch | ExactSearch


class PassageIndex:
    """One generation, read: records, passages, their vectors and their words. Safe to use from several threads."""

    def __init__(self, folder: Path, manifest: Manifest, dense: Search | None = None) -> None:
        self.manifest = manifest
        self.vectors: Vectors
        self.records = read_records(folder)
        # Generations of an older version have no such file.
        self.retracted = read_records(folder, RETRACTED) if (folder / RETRACTED).exists() else []
        try:
            self.vectors = np.load(folder / "vectors.npy", allow_pickle=False)
            self.question_vectors: Vectors = np.load(folder / "questions.npy", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexCorrupt(f"The index {manifest.id} cannot be read. {REBUILD}") from error
        self.passages = passages_of_all(self.records)
        self.questions = [question for record in self.records for question in record.questions]
        self.passage_words = LexicalIndex.load(folder / "words" / "passages", len(self.passages))
        self.record_words = LexicalIndex.load(folder / "words" / "records", len(self.records))
        self._exact = ExactSearch(self.vectors, self.question_vectors)
        self._dense: Search = dense or self._exact

    @classmethod
    def open(
        cls,
        store: GenerationStore,
        embedder_identity: str,
        generation: str | None = None,
        chroma: ChromaAddress | None = None,
    ) -> "PassageIndex":
        """The live generation (or the one named), checked file by file.

        Raises IndexMissing, IndexStale or IndexCorrupt. A Chroma store that cannot be opened is replaced by exact search.
        """
        name = generation or store.current()
        for _ in range(OPEN_TRIES):
            try:
                return cls._open(store, embedder_identity, name, chroma)
            except IndexUnusable:
                # A writer may have published twice meanwhile and removed what was being opened.
                if generation or (newer := store.current()) == name:
                    raise
                name = newer
        return cls._open(store, embedder_identity, name, chroma)

    @classmethod
    def _open(
        cls, store: GenerationStore, embedder_identity: str, name: str, chroma: ChromaAddress | None
    ) -> "PassageIndex":
        started = time.perf_counter()
        folder = store.path(name)
        manifest = read_manifest(folder)
        if manifest.fingerprint != fingerprint(embedder_identity):
            raise IndexStale(f"The index was built with another embedding model or an older version. {REBUILD}")
        damage = damaged_files(folder, manifest)
        if any(not problem.startswith("chroma/") for problem in damage):
            raise IndexCorrupt(f"The index {name} is damaged ({damage[0]}). {REBUILD}")
        # Trap: a damaged store can take the process down with it, so it is not even tried.
        dense = None if damage else _open_search(folder, manifest, chroma)
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
        return "exact" if isinstance(self._dense, ExactSearch) else "chroma"

    def nearest_passages(self, vector: Vectors, count: int) -> list[int]:
        """Row numbers of the passages nearest to a unit vector, best first."""
        return self._nearest(PASSAGES, self._twins, vector, count)

    def nearest_questions(self, vector: Vectors, count: int) -> list[int]:
        """Row numbers of the records' own questions nearest to a unit vector, best first."""
        return self._nearest(QUESTIONS, self._question_twins, vector, count)

    def _nearest(self, collection: str, twins: dict[int, list[int]], vector: Vectors, count: int) -> list[int]:
        if not twins or not count:
            return []
        try:
            found = self._dense.nearest(collection, vector, min(count, len(twins)))
            # A generation of an older version may have given Chroma every row.
            return list(dict.fromkeys(twin for row in found for twin in twins.get(row, [row])))[:count]
        except ServerAway as error:
            logger.warning("searching exactly meanwhile: %s", error)
        except IndexCorrupt:
            logger.warning("chroma failed while searching: searching exactly from now on")
            self._dense = self._exact
        return self._exact.nearest(collection, vector, count)

    @cached_property
    def _twins(self) -> dict[int, list[int]]:
        return twins(self.vectors)

    @cached_property
    def _question_twins(self) -> dict[int, list[int]]:
        return twins(self.question_vectors)

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
        counts = Counter(passage.record_id for passage in self.passages)
        return np.repeat(np.arange(len(self.records), dtype=np.int64), [counts[record.id] for record in self.records])

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

    def __init__(self, store: GenerationStore, embedder_identity: str, chroma: ChromaAddress | None = None) -> None:
        """Open the live generation. Raises what PassageIndex.open raises."""
        self._store = store
        self._identity = embedder_identity
        self._chroma = chroma
        self._lock = threading.Lock()
        self._index = PassageIndex.open(store, embedder_identity, chroma=chroma)

    def get(self) -> PassageIndex:
        """The index to answer one question from; keep it for the whole answer, so that no answer mixes generations."""
        with self._lock:
            try:
                if self._store.current() != self._index.manifest.id:
                    # The old one is closed when the last answer that uses it lets go of it.
                    self._index = PassageIndex.open(self._store, self._identity, chroma=self._chroma)
            except IndexUnusable as error:
                logger.warning("staying on generation=%s: %s", self._index.manifest.id, error)
            return self._index


def _open_search(folder: Path, manifest: Manifest, chroma: ChromaAddress | None) -> ChromaSearch | ServerSearch | None:
    """Chroma as the generation has it; None where it cannot be used."""
    if manifest.server:
        return ServerSearch(chroma, manifest.server) if chroma else None
    try:
        return ChromaSearch(folder / "chroma")
    except IndexCorrupt:
        return None


def problems(folder: Path, chroma: ChromaAddress | None = None, search_too: bool = True) -> list[str]:
    """What is wrong with a generation, one sentence each; empty when every record can be read and found.

    Run it in a process of its own: a bad store can crash the process that opens it. Without `search_too` Chroma is left out.
    """
    try:
        manifest = read_manifest(folder)
        if damage := damaged_files(folder, manifest):
            return [f"{folder.name}: {problem}." for problem in damage]
        if not search_too:
            return _contradictions(PassageIndex(folder, manifest))
        if manifest.server and chroma is None:
            return ["The index has its vectors on a Chroma server, but UPSTANDER_CHROMA_URL is not set; set it."]
        search = (
            ServerSearch(chroma, manifest.server) if chroma and manifest.server else ChromaSearch(folder / "chroma")
        )
        index = PassageIndex(folder, manifest, search)
    except IndexCorrupt as error:
        return [str(error)]
    try:
        return _contradictions(index) or _lost(index, search)
    except (IndexCorrupt, ServerAway) as error:
        return [str(error)]
    finally:
        index.close()


def _contradictions(index: PassageIndex) -> list[str]:
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
    if content_digest(sorted([*index.records, *index.retracted], key=lambda record: record.id)) != manifest.content:
        found.append("The records differ from those that the manifest names.")
    texts = {record.id: record.text for record in index.records}
    found += [
        f"{passage.id}: its offsets do not hold its text."
        for passage in index.passages
        if texts[passage.record_id][passage.start : passage.end] != passage.text
    ]
    return found


def _lost(index: PassageIndex, search: ChromaSearch | ServerSearch) -> list[str]:
    """Texts that Chroma does not find by their own vectors."""
    found: list[str] = []
    for collection, vectors in ((PASSAGES, index.vectors), (QUESTIONS, index.question_vectors)):
        lost = [row for row in _rows_checked(len(vectors)) if not _finds(search, collection, vectors, row)]
        found += [f"{collection} {row}: Chroma does not find it by its own vector." for row in lost]
    return found


def _finds(search: ChromaSearch | ServerSearch, collection: str, vectors: Vectors, row: int) -> bool:
    nearest = search.nearest(collection, vectors[row], 1)
    # Two texts may share a vector, so the nearest one need only be as near as the text itself.
    return bool(nearest) and float(vectors[nearest[0]] @ vectors[row]) >= 1 - 1e-5


def _rows_checked(size: int) -> list[int]:
    """All rows, or of a large index both ends, where damage was seen to begin, and others at random."""
    if size <= OWN_VECTORS_CHECKED:
        return list(range(size))
    ends = {*range(100), *range(size - 100, size)}
    return sorted(ends | set(random.sample(range(size), SAMPLED_VECTORS)))
