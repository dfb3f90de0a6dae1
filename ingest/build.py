"""Bring the index to what the records say: plan the difference, embed only that, write a new generation, switch to it."""

import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from knowledge.embedding import Embedder, Vectors
from knowledge.errors import IndexCorrupt, IndexMissing, RecordError
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex, content_digest, fingerprint, problems, write_generation
from knowledge.passage import passages_of_all
from knowledge.record import Record, check_relations, read_record
from knowledge.settings import IndexSettings
from knowledge.suspicion import suspicions_of, visible

logger = logging.getLogger(__name__)

VERIFY_SECONDS = 300
EMBED_BATCH = 128

Progress = Callable[[str, int, int], None]
"""Told the stage's name, how much is done and how much there is."""


@dataclass(frozen=True)
class FileReport:
    """What became of one file."""

    path: str
    status: Literal["added", "changed", "unchanged", "refused", "flagged"]
    records: int
    reason: str | None
    seconds: float


@dataclass(frozen=True)
class BuildReport:
    """What a build did, or with `dry_run` would do. Counts are of records."""

    generation: str | None
    published: bool
    dry_run: bool
    added: int
    changed: int
    removed: int
    unchanged: int
    files: tuple[FileReport, ...]

    @property
    def refused(self) -> tuple[FileReport, ...]:
        """The files that could not be used."""
        return tuple(file for file in self.files if file.status == "refused")

    @property
    def flagged(self) -> tuple[FileReport, ...]:
        """The files that stay out of answers until a person has reviewed them."""
        return tuple(file for file in self.files if file.status == "flagged")

    def as_json(self) -> dict[str, Any]:
        """The report in the contract's form."""
        return asdict(self)


def no_progress(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


def build(
    settings: IndexSettings,
    open_embedder: Callable[[], Embedder],
    *,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> BuildReport:
    """Publish a generation of all records that can be read; running it twice changes nothing.

    A record that cannot be read is reported, and stays as the live generation has it. Raises IndexBusy, IndexCorrupt
    (the new build failed its check; the live one is untouched) or RecordError (no record can be used).
    """
    store = GenerationStore(settings.index_folder)
    if dry_run:
        return _plan(settings, _live(store))[0]
    with store.writing():
        live = _live(store)
        report, records = _plan(settings, live)
        embedder = open_embedder()
        if live and live.manifest.content == content_digest(records):
            same_vectors = live.manifest.fingerprint == fingerprint(embedder.identity)
            if same_vectors and not problems(store.path(live.manifest.id)):
                store.sweep(settings.keep_generations)
                return replace(report, generation=live.manifest.id)
        vectors, question_vectors = _embed(records, embedder, live, progress)
        with store.building() as folder:
            progress("writing", 0, 1)
            manifest = write_generation(folder, records, vectors, question_vectors, fingerprint(embedder.identity))
            progress("checking", 0, 1)
            if found := verified_apart(folder):
                raise IndexCorrupt(f"The new index failed its check ({found[0]}) The index in use is unchanged.")
            store.publish(folder, manifest)
        store.sweep(settings.keep_generations)
        logger.info("published generation=%s records=%d passages=%d", manifest.id, len(records), manifest.passages)
        return replace(report, generation=manifest.id, published=True)


def verified_apart(folder: Path) -> list[str]:
    """What is wrong with a generation, found out in another process, which a bad store may crash or hang."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        return pool.submit(problems, folder).result(VERIFY_SECONDS)
    except BrokenProcessPool:
        return ["opening it crashed."]
    except TimeoutError:
        return [f"opening it took more than {VERIFY_SECONDS} seconds."]
    finally:
        for process in (pool._processes or {}).values():
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _live(store: GenerationStore) -> PassageIndex | None:
    """The live generation, whatever its fingerprint; None when there is none that can be read."""
    try:
        name = store.current()
        return PassageIndex(store.path(name), store.manifest(name))
    except (IndexMissing, IndexCorrupt):
        return None


def _plan(settings: IndexSettings, live: PassageIndex | None) -> tuple[BuildReport, list[Record]]:
    """Read every record file and compare with the live generation."""
    before = {record.id: record for record in live.records} if live else {}
    records: dict[str, Record] = {}
    quarantined: list[Record] = []
    files = []
    for path in _record_files(settings.records):
        started = time.perf_counter()
        reason = None
        status: Literal["added", "changed", "unchanged", "refused", "flagged"]
        try:
            record = read_record(path)
            known = before.get(record.id)
            if (reason := doubt(record)) is None:
                status = "added" if known is None else "unchanged" if known == record else "changed"
                records[record.id] = record
            else:
                status = "flagged"
                quarantined.append(record)
        except RecordError as error:
            status, reason = "refused", str(error)
            if (kept := before.get(path.stem)) and doubt(kept) is None:
                reason += " Until then its last good version stays in the index."
                records[kept.id] = kept
        files.append(FileReport(path.name, status, int(reason is None), reason, time.perf_counter() - started))
    if not records:
        raise RecordError(f"No record can be used in {settings.records}. {files[0].reason if files else ''}".strip())
    check_relations([*records.values(), *quarantined])
    count = {status: sum(file.status == status for file in files) for status in ("added", "changed", "unchanged")}
    report = BuildReport(
        generation=live.manifest.id if live else None,
        published=False,
        dry_run=True,
        removed=len(before.keys() - records.keys()),
        files=tuple(files),
        **count,
    )
    return report, [records[name] for name in sorted(records)]


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
    texts = [passage.text for passage in passages_of_all(records)]
    questions = [question for record in records for question in record.questions]
    known: dict[str, Vectors] = {}
    if live and live.manifest.fingerprint == fingerprint(embedder.identity):
        known = {passage.text: vector for passage, vector in zip(live.passages, live.vectors, strict=True)}
        asked = [question for record in live.records for question in record.questions]
        known |= dict(zip(asked, live.question_vectors, strict=True))
    new = sorted({text for text in (*texts, *questions) if text not in known})
    for at in range(0, len(new), EMBED_BATCH):
        progress("embedding", at, len(new))
        batch = new[at : at + EMBED_BATCH]
        known |= dict(zip(batch, embedder.embed(batch), strict=True))
    progress("embedding", len(new), len(new))
    logger.info("embedded new=%d kept=%d", len(new), len(texts) + len(questions) - len(new))
    dimension = len(next(iter(known.values())))
    return _stack(texts, known, dimension), _stack(questions, known, dimension)


def _stack(texts: Sequence[str], known: dict[str, Vectors], dimension: int) -> Vectors:
    return np.array([known[text] for text in texts], dtype=np.float32).reshape(len(texts), dimension)
