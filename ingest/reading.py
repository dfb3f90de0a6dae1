"""One file to works, in a process of its own with limits on memory and time, which is all that a hostile file can harm."""

import hashlib
import multiprocessing
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest import apart, safety
from ingest.chunking import excerpts
from ingest.cleaning import clean, noted, one_line, shortened
from ingest.loaders import bibliography, epub, html, markdown, office, pdf, tables, text
from ingest.loaders.work import Loaded, Work
from knowledge.errors import RecordError
from knowledge.record import Excerpt, Line
from knowledge.suspicion import suspicions, visible

READER = 2  # raise it when loaders or chunking give other text, so that files are read again
TITLE_CHARACTERS = 500

LOADERS: dict[str, Callable[[bytes], Loaded]] = {
    "text": text.load,
    "pdf": pdf.load,
    "docx": office.load_docx,
    "pptx": office.load_pptx,
    "epub": epub.load,
    "html": html.load,
    "csv": tables.load_csv,
    "json": tables.load_json,
    "jsonl": tables.load_jsonl,
    "bibtex": bibliography.load_bibtex,
    "ris": bibliography.load_ris,
}


class ReadWork(BaseModel):
    """A work as the reading process hands it over: cleaned, cut into excerpts, every text on one line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    authors: tuple[Line, ...]
    organization: str
    year: int | None
    venue: str
    doi: str
    pmid: str
    url: str
    excerpts: tuple[Excerpt, ...]
    catalogued: bool
    retracted: str
    fields: dict[str, Any] | None


class Reading(BaseModel):
    """What came out of one file. `flags` ask for a person's eye; `unread` names entries that were left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    works: tuple[ReadWork, ...]
    flags: tuple[Line, ...]
    unread: tuple[Line, ...]


def read_apart(path: Path, kind: str, suspicion: safety.Suspicion = suspicions) -> Reading:
    """Read a file in another process. `suspicion` must be a function of a module. Raises RecordError.

    A reader that crashes, hangs or grows is ended, and the file refused.
    """
    try:
        answer = apart.answer(_context(), _child, (str(path), kind, suspicion), safety.WALL_SECONDS)
    except TimeoutError as error:
        raise RecordError(
            f"Reading it took more than {safety.WALL_SECONDS} seconds; split it or save it anew."
        ) from error
    except apart.Died as error:
        raise RecordError(_ended(error.exit_code)) from error
    if answer.startswith(b"!"):
        raise RecordError(answer[1:].decode())
    try:
        return Reading.model_validate_json(answer)
    except ValidationError as error:
        raise RecordError("Its reader gave nothing that can be used; save the file anew in its program.") from error


def _context() -> Any:
    """Fork a small process that has the readers loaded; where there is no such thing, start one for each file."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ingest.reading"])
    return context


def _ended(exit_code: int | None) -> str:
    if exit_code is not None and -exit_code in (24, 9):  # SIGXCPU, or SIGKILL by the same limit or for memory
        return f"Reading it took more than {safety.CPU_SECONDS} seconds or too much memory; split it or save it anew."
    return "It is damaged in a way that ends its reader; open it in its program and save it anew."


def _child(pipe: Connection, path: str, kind: str, suspicion: safety.Suspicion) -> None:
    _limit()
    try:
        answer = read(Path(path), kind, suspicion).model_dump_json().encode()
    except RecordError as error:
        answer = b"!" + str(error).encode("utf-8", "replace")
    except MemoryError:
        answer = b"!Reading it needs more than %d MB; split it or save it anew." % (safety.MEMORY_BYTES >> 20)
    pipe.send_bytes(answer)
    pipe.close()


def _limit() -> None:
    """Bound this process for good. Its complaints go nowhere: the report says what matters."""
    sys.stderr = sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    if sys.platform != "win32":
        import resource

        for what, most in (
            (resource.RLIMIT_AS, safety.MEMORY_BYTES),
            (resource.RLIMIT_CPU, safety.CPU_SECONDS),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
        ):
            resource.setrlimit(what, (most, most))
    # Trap: Python's own limit of 1,000 frames is what keeps a deep file from overflowing C's stack.
    threading.stack_size(64 << 20)


def read(path: Path, kind: str, suspicion: safety.Suspicion = suspicions) -> Reading:
    """Read a file in this process. Raises RecordError, MemoryError, or whatever a damaged file does to its parser."""
    data = safety.read_bytes(path, kind)
    safety.check_content(data, kind)
    loaded = markdown.load(data, path.name) if kind == "markdown" else LOADERS[kind](data)
    removed: Counter[str] = Counter()
    works = [_cleaned(work, removed) for work in loaded.works]
    if not any(work.excerpts or work.catalogued or work.fields for work in works):
        raise RecordError("It holds no text that can be read; check what it shows, and save it in another form.")
    doubts = [(excerpt, reasons) for work in works for excerpt in work.excerpts if (reasons := suspicion(excerpt.text))]
    doubtful = [excerpt for excerpt, _ in doubts]
    works = [
        work.model_copy(update={"excerpts": tuple(e for e in work.excerpts if e not in doubtful)}) for work in works
    ]
    flags = [*loaded.notes, *noted(removed), *_kept_out(doubts)]
    return Reading(
        sha256=hashlib.sha256(data).hexdigest(),
        works=tuple(works),
        flags=tuple(shortened(flag, 500) for flag in flags),
        unread=tuple(shortened(part, 300) for part in loaded.unread),
    )


def _kept_out(doubts: Sequence[tuple[Excerpt, Sequence[str]]]) -> list[str]:
    """What to say of passages that look meant for a machine; nothing when there are none."""
    if not doubts:
        return []
    first, reasons = doubts[0]
    return [
        f"{len(doubts)} passages look meant for a machine and stay out of answers: {visible(first.text)[:80]!r} "
        f"{' and '.join(reasons)}."
    ]


def _cleaned(work: Work, removed: Counter[str]) -> ReadWork:
    for part in (work.title, *work.authors, *(block.text for block in work.blocks)):
        removed.update(clean(part)[1])
    doi = one_line(work.doi)
    return ReadWork(
        title=shortened(work.title, TITLE_CHARACTERS),
        authors=tuple(name for author in work.authors[:200] if (name := shortened(author, 200))),
        organization=shortened(work.organization, 300),
        year=work.year if work.year and 1800 <= work.year <= 2100 else None,
        venue=shortened(work.venue, 300),
        doi=doi if re.fullmatch(r"10\.\d{4,9}/\S{1,200}", doi) else "",
        pmid=work.pmid,
        url=work.url if re.fullmatch(r"https?://[^\s<>\"]{1,1900}", work.url) else "",
        excerpts=tuple(excerpts(work.blocks)),
        catalogued=work.catalogued,
        retracted=shortened(work.retracted, 300),
        fields=work.fields,
    )
