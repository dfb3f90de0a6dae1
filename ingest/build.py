"""Bring the index to what records and documents say: plan, embed only what is new, write a new generation, switch to it."""

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ingest import apart
from ingest.add import Additions
from ingest.documents import DocumentStore, Holding
from ingest.report import BuildReport, FileReport, Progress, no_progress
from knowledge.embedding import Embedder, Vectors
from knowledge.errors import IndexCorrupt, IndexMissing, IndexNotWritten, RecordError, ServerAway
from knowledge.generation import GenerationStore, Manifest
from knowledge.index import (
    RECORDS,
    RETRACTED,
    PassageIndex,
    content_digest,
    fingerprint,
    problems,
    read_records,
    shown,
    sweep_server,
    write_generation,
)
from knowledge.passage import passages_of_all
from knowledge.record import Record, check_relations, read_record
from knowledge.settings import ChromaAddress, IndexSettings
from knowledge.suspicion import suspicions_of, visible

logger = logging.getLogger(__name__)

VERIFY_SECONDS = 300
EMBED_BATCH = 128
BYTES_A_PASSAGE = 12_000  # on disk, with Chroma's preallocation; measured 8,500 at 1,000 passages and 4,600 at 10,000
BYTES_AT_LEAST = 8_000_000

Reader = Callable[[Mapping[str, Holding], Sequence[Record]], Additions]
"""Given the documents and the curated records that are there, says what to put and what to drop."""


@dataclass(frozen=True)
class _Plan:
    """What the next generation holds, and how that differs from the live one."""

    report: BuildReport
    records: list[Record]


def build(
    settings: IndexSettings,
    open_embedder: Callable[[], Embedder],
    *,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> BuildReport:
    """Publish a generation of all records and documents that can be read; running it twice changes nothing.

    A record that cannot be read is reported, and stays as the live generation has it. Raises IndexBusy, IndexCorrupt
    (the new build failed its check), IndexNotWritten, ServerAway (the live one is untouched each time) or RecordError (no
    record can be used).
    """
    store = GenerationStore(settings.index_folder)
    if dry_run:
        return _plan(settings, _live(store)).report
    with store.writing():
        return _bring_up_to_date(settings, store, open_embedder, progress, settings.keep_generations)


def add(
    settings: IndexSettings, open_embedder: Callable[[], Embedder], read: Reader, *, progress: Progress = no_progress
) -> BuildReport:
    """Put what `read` gives among the documents, then build. Killed at any moment, the same call completes it.

    Raises what `build` raises.
    """
    store = GenerationStore(settings.index_folder)
    documents = DocumentStore(settings.documents_folder)
    with store.writing():
        documents.sweep()
        additions = read(documents.load()[0], _curated(settings.records)[0])
        with disk_faults(settings):
            for holding in additions.holdings:
                documents.put(holding)
            for name in additions.replaced:
                documents.drop(name)
        report = _bring_up_to_date(settings, store, open_embedder, progress, settings.keep_generations)
        return replace(report, files=(*additions.files, *report.refused))


def remove(
    settings: IndexSettings,
    open_embedder: Callable[[], Embedder],
    names: Sequence[str],
    *,
    progress: Progress = no_progress,
) -> BuildReport:
    """Remove added documents by record id with every trace: all older generations, which may hold them, go as well.

    Killed at any moment, the same call completes it.
    Raises RecordError for an id that is no added document's (nothing is removed then), and what `build` raises.
    """
    store = GenerationStore(settings.index_folder)
    documents = DocumentStore(settings.documents_folder)
    with store.writing():
        store.sweep_remains()
        held, damaged = documents.load()
        # A removal that was killed half way may have dropped the file only, or left an older generation.
        there = {*held, *damaged, *(record.id for name in store.generations() for record in _documents_in(store, name))}
        curated = {record.id for record in _curated(settings.records)[0]}
        for name in names:
            if name in curated:
                raise RecordError(f"{name} is a curated record; delete its file {name}.md in a pull request instead.")
            if name not in there:
                raise RecordError(f"No added document has the id {name}; see the ids with: python -m ingest status")
        for name in names:
            documents.drop(name)
        return _bring_up_to_date(settings, store, open_embedder, progress, keep=1)


def _bring_up_to_date(
    settings: IndexSettings,
    store: GenerationStore,
    open_embedder: Callable[[], Embedder],
    progress: Progress,
    keep: int,
) -> BuildReport:
    """Call it as the writer."""
    live = _live(store)
    plan = _plan(settings, live)
    embedder = open_embedder()
    if live and _is_current(live.manifest, plan.records, embedder, settings):
        progress("checking", 0, 1)
        if not verified_apart(store.path(live.manifest.id), settings.chroma):
            _sweep(settings, store, keep)
            return replace(plan.report, generation=live.manifest.id, dry_run=False)
    vectors, question_vectors = _embed(shown(plan.records), embedder, live, progress)
    store.sweep_remains()
    _check_space(settings, len(vectors) + len(question_vectors))
    with disk_faults(settings), store.building() as folder:
        progress("writing", 0, 1)
        library = store.library() if settings.chroma else ""
        identity = fingerprint(embedder.identity)
        manifest = _written_apart(folder, plan.records, vectors, question_vectors, identity, settings.chroma, library)
        progress("checking", 0, 1)
        if found := verified_apart(folder, settings.chroma):
            raise IndexCorrupt(f"The new index failed its check ({found[0]}) The index in use is unchanged.")
        store.publish(folder, manifest)
    _sweep(settings, store, keep)
    logger.info("published generation=%s records=%d passages=%d", manifest.id, len(plan.records), manifest.passages)
    return replace(plan.report, generation=manifest.id, published=True, dry_run=False)


def _is_current(manifest: Manifest, records: Sequence[Record], embedder: Embedder, settings: IndexSettings) -> bool:
    return (
        manifest.content == content_digest(records)
        and manifest.fingerprint == fingerprint(embedder.identity)
        and (manifest.server is not None) == (settings.chroma is not None)
    )


def _sweep(settings: IndexSettings, store: GenerationStore, keep: int) -> None:
    """Remove old generations, here and on the server."""
    store.sweep(keep)
    if settings.chroma:
        kept = [server for name in store.generations() if (server := store.manifest(name).server)]
        try:
            sweep_server(settings.chroma, store.library(), kept)
        except ServerAway as error:
            logger.warning("old collections stay on the server until the next build: %s", error)


def _check_space(settings: IndexSettings, rows: int) -> None:
    """Raises IndexNotWritten where the disk has less room than the new generation is known to need."""
    needed = BYTES_AT_LEAST + rows * BYTES_A_PASSAGE
    free = shutil.disk_usage(settings.index_folder).free
    if free < needed:
        raise _no_space(settings, free, needed)


def _no_space(settings: IndexSettings, free: int, needed: int | None = None) -> IndexNotWritten:
    need = f"about {needed / 1e6:,.0f} MB are needed" if needed else "that was not enough"
    return IndexNotWritten(
        f"The disk of {settings.data} is full: {free / 1e6:,.0f} MB are free and {need}. "
        "The index in use is unchanged; free some space, then run the same command again."
    )


@contextmanager
def disk_faults(settings: IndexSettings) -> Iterator[None]:
    """Say what a failed write means. Raises IndexNotWritten."""
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(settings.data).free
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or free < BYTES_AT_LEAST:
            raise _no_space(settings, free) from error
        raise IndexNotWritten(
            f"The new index could not be written ({error.strerror or error}: {error.filename or settings.data}). "
            "The index in use is unchanged; correct that, then run the same command again."
        ) from error


def _written_apart(folder: Path, *content: Any) -> Manifest:
    """`write_generation` in a fresh process. Raises IndexNotWritten and what that raises.

    Trap: Chroma's library writes the unused part of its buffers to disk as it finds it in memory. This process has seen what
    is being removed, and words of it were found in the new index.
    """
    try:
        return apart.fresh(write_generation, folder, *content)
    except apart.Died as error:
        raise IndexNotWritten(
            f"Writing the new index ended before its time ({error}), perhaps for want of memory. "
            "The index in use is unchanged; run the same command again."
        ) from error


def verified_apart(folder: Path, chroma: ChromaAddress | None = None, search_too: bool = True) -> list[str]:
    """What is wrong with a generation, found out in another process, which a bad store may crash or hang."""
    try:
        return apart.fresh(problems, folder, chroma, search_too, seconds=VERIFY_SECONDS)
    except apart.Died:
        return ["opening it crashed."]
    except TimeoutError:
        return [f"opening it took more than {VERIFY_SECONDS} seconds."]


def _live(store: GenerationStore) -> PassageIndex | None:
    """The live generation, whatever its fingerprint; None when there is none that can be read."""
    try:
        name = store.current()
        return PassageIndex(store.path(name), store.manifest(name))
    except (IndexMissing, IndexCorrupt):
        return None


def _documents_in(store: GenerationStore, generation: str) -> list[Record]:
    """The added documents that a generation holds; none where it cannot be read."""
    found = []
    for name in (RECORDS, RETRACTED):
        with suppress(IndexCorrupt):
            found += [record for record in read_records(store.path(generation), name) if record.document]
    return found


def _plan(settings: IndexSettings, live: PassageIndex | None) -> _Plan:
    """Read every record file and every document, and compare with the live generation."""
    before = {record.id: record for record in (*live.records, *live.retracted)} if live else {}
    curated, files = _curated(settings.records, before)
    check_relations(curated)
    doubts = {f"{record.id}.md": reason for record in curated if (reason := doubt(record))}
    files = [
        replace(file, status="flagged", records=0, reason=doubts[file.path]) if file.path in doubts else file
        for file in files
    ]
    records = {record.id: record for record in curated if f"{record.id}.md" not in doubts}
    held, damaged = DocumentStore(settings.documents_folder).load()
    for name, holding in held.items():
        if name in records and not records[name].document:
            reason = f"Its id is that of the curated record {name}; remove the document and add it under another name."
            files.append(FileReport(f"documents/{name}.json", "refused", 0, reason, 0.0))
        else:
            records[name] = holding.record
    for name in damaged:
        reason = "The file of this added document is damaged; delete it and add the document again."
        if kept := before.get(name):
            reason += " Until then its last good version stays in the index."
            records[name] = kept
        files.append(FileReport(f"documents/{name}.json", "refused", 0, reason, 0.0))
    if not records:
        first = next((file.reason for file in files if file.reason), "")
        raise RecordError(f"No record can be used in {settings.records}. {first}".strip())
    unchanged = sum(before.get(name) == record for name, record in records.items())
    added = len(records.keys() - before.keys())
    report = BuildReport(
        generation=live.manifest.id if live else None,
        published=False,
        dry_run=True,
        added=added,
        changed=len(records) - added - unchanged,
        removed=len(before.keys() - records.keys()),
        unchanged=unchanged,
        files=tuple(files),
    )
    return _Plan(report, [records[name] for name in sorted(records)])


def _curated(folder: Path, before: Mapping[str, Record] | None = None) -> tuple[list[Record], list[FileReport]]:
    """The curated records, one that cannot be read as it was `before`, and a line for each file."""
    before = before or {}
    records, files = [], []
    for path in _record_files(folder):
        started = time.perf_counter()
        reason = None
        try:
            record = read_record(path)
            known = before.get(record.id)
            status = "added" if known is None else "unchanged" if known == record else "changed"
            records.append(record)
        except RecordError as error:
            status, reason = "refused", str(error)
            if kept := before.get(path.stem):
                reason += " Until then its last good version stays in the index."
                records.append(kept)
        files.append(FileReport(path.name, status, int(reason is None), reason, time.perf_counter() - started))
    return records, files


def doubt(record: Record) -> str | None:
    """Why a record stays out of answers until a person has reviewed it, in one sentence; None when it may be used."""
    if record.reviewed or not (found := suspicions_of(record)):
        return None
    text, reasons = next(iter(found.items()))
    shown = visible(text)[:80]
    return (
        f"{record.id}.md: the text {shown!r} {' and '.join(reasons)}, so nothing of the record is used. Delete the text, "
        "or, if it is harmless, write 'reviewed:' and today's date into the front matter."
    )


def _record_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RecordError(f"There is no records folder {folder}. Correct or unset UPSTANDER_RECORDS.")
    # Trap: a symbolic link could lead anywhere on the machine.
    return sorted(path for path in folder.glob("*.md") if path.is_file() and not path.is_symlink())


def _embed(
    records: Sequence[Record], embedder: Embedder, live: PassageIndex | None, progress: Progress
) -> tuple[Vectors, Vectors]:
    """Vectors of all passages and of all questions; texts that the live generation holds keep their vectors."""
    texts = [passage.searched for passage in passages_of_all(records)]
    questions = [question for record in records for question in record.questions]
    known: dict[str, Vectors] = {}
    if live and live.manifest.fingerprint == fingerprint(embedder.identity):
        known = {passage.searched: vector for passage, vector in zip(live.passages, live.vectors, strict=True)}
        asked = [question for record in live.records for question in record.questions]
        known |= dict(zip(asked, live.question_vectors, strict=True))
    new = sorted({text for text in (*texts, *questions) if text not in known})
    for at in range(0, len(new), EMBED_BATCH):
        progress("embedding", at, len(new))
        batch = new[at : at + EMBED_BATCH]
        known |= dict(zip(batch, embedder.embed(batch), strict=True))
    progress("embedding", len(new), len(new))
    logger.info("embedded new=%d kept=%d", len(new), len(texts) + len(questions) - len(new))
    # A library of catalogue entries alone has no text, and still needs a width.
    dimension = len(next(iter(known.values()))) if known else embedder.embed(["width"]).shape[1]
    return _stack(texts, known, dimension), _stack(questions, known, dimension)


def _stack(texts: Sequence[str], known: dict[str, Vectors], dimension: int) -> Vectors:
    return np.array([known[text] for text in texts], dtype=np.float32).reshape(len(texts), dimension)
