"""Files, folders and addresses to holdings: find them, read each apart, make records, notice what is there already.

Nothing here writes; `ingest.build` does.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ingest import safety
from ingest.documents import SAME_TEXT, Holding, record_id, resemblance, sketch, texts_of, title_key
from ingest.reading import READER, Reading, ReadWork, read_apart
from ingest.report import FileReport, Progress
from knowledge.errors import RecordError
from knowledge.record import Document, Record, Source
from knowledge.suspicion import suspicions


@dataclass(frozen=True)
class Found:
    """A file to read, or, with `status`, one that will not be read and why."""

    path: Path
    shown: str
    status: str = ""
    reason: str = ""


@dataclass
class Additions:
    """What reading gave: holdings to keep, ids that they replace, a report line for each file."""

    holdings: list[Holding] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    files: list[FileReport] = field(default_factory=list)


def find(path: Path) -> Iterator[Found]:
    """The files below a path in order of their names; links, pipes and hidden files are named, never opened."""
    top = Path(os.path.abspath(path))
    try:
        about = os.lstat(top)
    except (OSError, ValueError) as error:
        raise RecordError(f"{shown_name(str(path))}: There is no such file or folder; check the path.") from error
    if stat.S_ISDIR(about.st_mode):
        yield from _walk(top, top, 0)
    else:
        yield _judged(top, top.name, about)


def _walk(folder: Path, top: Path, depth: int) -> Iterator[Found]:
    shown = shown_name(str(folder.relative_to(top)))
    if depth > safety.FOLDER_DEPTH:
        yield Found(folder, shown, "refused", f"It lies more than {safety.FOLDER_DEPTH} folders deep; move it up.")
        return
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        yield Found(folder, shown, "refused", f"The folder cannot be read ({error.strerror}); check its permissions.")
        return
    for entry in entries:
        path = Path(entry.path)
        name = shown_name(str(path.relative_to(top)))
        try:
            about = entry.stat(follow_symlinks=False)
        except OSError as error:
            yield Found(path, name, "refused", f"It cannot be looked at ({error.strerror}); check its permissions.")
            continue
        if stat.S_ISDIR(about.st_mode) and not entry.name.startswith("."):
            yield from _walk(path, top, depth + 1)
        else:
            yield _judged(path, name, about)


def _judged(path: Path, name: str, about: os.stat_result) -> Found:
    name = shown_name(name)
    if stat.S_ISLNK(about.st_mode):
        return Found(path, name, "refused", "It is a link, which could lead anywhere; add the file that it points to.")
    if path.name.startswith((".", "~$")) or path.name.endswith(("~", ".tmp", ".part", ".crdownload")):
        return Found(path, name, "skipped", "It is a hidden or temporary file; rename it if you mean it.")
    if not stat.S_ISREG(about.st_mode):
        return Found(path, name, "refused", "It is no regular file but a pipe or device; copy its content into a file.")
    return Found(path, name)


def shown_name(name: str) -> str:
    """A file's name fit for a terminal and for JSON: what cannot be shown stands as an escape."""
    return "".join(
        c
        if c.isprintable() and not 0x202A <= ord(c) <= 0x2069
        else c.encode("unicode_escape", "surrogatepass").decode()
        for c in name
    )


def read_all(
    files: Sequence[Found],
    known: Mapping[str, Holding],
    curated: Sequence[Record],
    *,
    today: date,
    corrections: Mapping[str, object],
    progress: Progress,
    suspicion: safety.Suspicion = suspicions,
    read: Callable[[Path, str, safety.Suspicion], Reading] = read_apart,
    origins: Mapping[Path, str] | None = None,
) -> Additions:
    """Read each file apart and compare it with what is there. `origins` gives the address of a file that was fetched."""
    made = Additions()
    shelf = _Shelf(curated, known.values())
    for number, found in enumerate(files):
        progress("reading", number, len(files))
        started = time.perf_counter()
        if found.status:
            made.files.append(FileReport(found.shown, found.status, 0, found.reason, 0.0))
            continue
        origin = (origins or {}).get(found.path) or str(found.path)
        try:
            line = _add_one(found, origin, made, shelf, today, corrections, suspicion, read)
        except RecordError as error:
            skipped = str(error).startswith("There is no reader")
            line = FileReport(found.shown, "skipped" if skipped else "refused", 0, str(error), 0.0)
            if kept := shelf.from_origin(origin):
                line = replace(
                    line, reason=f"{error} Until then what was read before stays ({', '.join(sorted(kept)[:3])})."
                )
        made.files.append(replace(line, seconds=round(time.perf_counter() - started, 3)))
    progress("reading", len(files), len(files))
    return made


class _Shelf:
    """What the library holds while files are added to it."""

    def __init__(self, curated: Sequence[Record], holdings: Iterable[Holding]) -> None:
        self.holdings: dict[str, Holding] = {}
        self.curated = {record.id for record in curated}
        self.files: dict[str, str] = {}
        self._dois: dict[str, str] = {}
        self._titles: dict[str, str] = {}
        for record in curated:
            self._note(record)
        for holding in holdings:
            self.put(holding)

    def put(self, holding: Holding, file: str = "") -> None:
        self.holdings[holding.record.id] = holding
        self._note(holding.record)
        if file:
            self.files[holding.record.id] = file

    def _note(self, record: Record) -> None:
        if record.source.doi:
            self._dois.setdefault(record.source.doi.lower(), record.id)
        self._titles.setdefault(title_key(record), record.id)

    def from_origin(self, origin: str) -> dict[str, Holding]:
        return {name: holding for name, holding in self.holdings.items() if holding.origin == origin}

    def same_doi(self, doi: str | None) -> str | None:
        return self._dois.get(doi.lower()) if doi else None

    def same_entry(self, record: Record) -> str | None:
        return self.same_doi(record.source.doi) or self._titles.get(title_key(record))

    def same_bytes(self, holding: Holding) -> str | None:
        """The id of a holding from another place with the very same bytes and text."""
        for name, other in self.holdings.items():
            same = other.sha256 == holding.sha256 and texts_of(other.record) == texts_of(holding.record)
            if same and other.origin != holding.origin:
                return name
        return None

    def same_text(self, holding: Holding) -> str | None:
        texts = texts_of(holding.record)
        for name, other in self.holdings.items():
            if other.origin == holding.origin:
                continue
            if resemblance(holding.sketch, other.sketch) >= SAME_TEXT or (texts and texts == texts_of(other.record)):
                return name
        return None


def _add_one(
    found: Found, origin: str, made: Additions, shelf: _Shelf, today: date, corrections: Mapping[str, object],
    suspicion: safety.Suspicion, read: Callable[[Path, str, safety.Suspicion], Reading],
) -> FileReport:  # fmt: skip
    """Read one file into `made`. Raises RecordError."""
    kind = safety.kind_of(found.path.name)
    reading = read(found.path, kind, suspicion)
    before = shelf.from_origin(origin)
    if not corrections and before and all(h.sha256 == reading.sha256 and h.reader == READER for h in before.values()):
        return FileReport(found.shown, "unchanged", len(before), None, 0.0)
    reasons = list(reading.flags)
    if reading.unread:
        shown = "; ".join(reading.unread[:3]) + (
            f" and {len(reading.unread) - 3} more" if len(reading.unread) > 3 else ""
        )
        reasons.append(f"Left out: {shown}; correct the file and add it again.")
    kept: list[Holding] = []
    doubles: list[str] = []
    for work in reading.works:
        record = _record(work, reading, found.path.name, before, shelf, today, corrections, kept)
        holding = Holding(
            origin=origin, sha256=reading.sha256, reader=READER, sketch=sketch(texts_of(record)), record=record
        )
        same = None
        if work.catalogued:
            same = shelf.same_entry(record)
            same = same if same not in before else None
            same = same or next((k.record.id for k in kept if _one_entry(k.record, record)), None)
        elif same := shelf.same_bytes(holding):
            pass
        elif other := shelf.same_text(holding):
            reasons.append(f"Its text is nearly that of {other}; remove one of them.")
        elif (other := shelf.same_doi(record.source.doi)) and other not in before:
            reasons.append(f"It has the DOI of {other}, which stays as it is; remove one if they are the same.")
        if same:
            doubles.append(same)
        else:
            kept.append(holding)
    if doubles and not kept:
        return FileReport(
            found.shown, "skipped", 0, f"The same work is in the library already as {doubles[0]}; nothing to do.", 0.0
        )
    if doubles:
        reasons.append(
            f"{len(doubles)} works are in the library already (such as {doubles[0]}) and were not added again."
        )
    made.replaced |= before.keys() - {holding.record.id for holding in kept}
    for name in before:
        shelf.holdings.pop(name)
    for holding in kept:
        shelf.put(holding, found.shown)
    made.holdings += kept
    first = kept[0].record
    if retracted := [holding.record for holding in kept if holding.record.retracted]:
        shown = f"{retracted[0].source.title[:80]!r} ({retracted[0].retracted})"
        reasons.append(f"{len(retracted)} works are marked as retracted and are never shown, such as {shown}.")
    status = "flagged" if reasons and not _only_doubles(reasons) else "changed" if before else "added"
    return FileReport(found.shown, status, len(kept), " ".join(reasons) or None, 0.0, first.id, _metadata(first))


def _one_entry(one: Record, other: Record) -> bool:
    same_doi = one.source.doi and other.source.doi and one.source.doi.lower() == other.source.doi.lower()
    return bool(same_doi) or title_key(one) == title_key(other)


def _only_doubles(reasons: Sequence[str]) -> bool:
    return all("in the library already" in reason for reason in reasons)


def _metadata(record: Record) -> dict[str, Any]:
    """What was understood about a work, for a person to correct."""
    source = record.source
    return {
        "title": source.title,
        "authors": list(source.authors or ()),
        "year": source.year,
        "doi": source.doi,
        "url": source.url,
    }


def _record(
    work: ReadWork, reading: Reading, name: str, before: Mapping[str, Holding], shelf: _Shelf, today: date,
    corrections: Mapping[str, object], kept: Sequence[Holding],
) -> Record:  # fmt: skip
    """The record of a work; one that was read from the same place before keeps its id. Raises RecordError."""
    plain = " ".join(shown_name(name).split())
    taken = {holding.record.id for holding in kept}
    try:
        document = Document(name=plain, sha256=reading.sha256, excerpts=work.excerpts, flags=reading.flags)
        if work.fields:
            record = Record.model_validate({**work.fields, "document": document})
            _check_free(record.id, before, shelf, taken)
            # What nobody of this project reviewed does not get a reviewed source's standing.
            source = record.source.model_copy(update={"tier": "unreviewed"})
            return record.model_copy(update={"source": source, "related": ()})
        source = Source.model_validate(
            {
                "title": work.title or Path(plain).stem.strip(),
                "title_is_descriptive": not work.title,
                "authors": work.authors or None,
                "organization": work.organization or None,
                "year": work.year,
                "venue": work.venue or None,
                "doi": work.doi or None,
                "pmid": work.pmid or None,
                "url": work.url or None,
                "kind": "document" if work.excerpts else "reference",
                "tier": "unreviewed",
                **corrections,
            }
        )
        label = source.title if work.catalogued else name
        old = sorted(name for name, holding in before.items() if name not in taken)
        same = [name for name in old if before[name].record.source.title == source.title] or (
            old if not work.catalogued else []
        )
        identity = same[0] if same else record_id(label, reading.sha256, {*shelf.curated, *shelf.holdings, *taken})
        return Record(id=identity, source=source, checked=today, retracted=work.retracted or None, document=document)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "record"
        raise RecordError(
            f"Its field {place} cannot be used: {problem['msg'].removeprefix('Value error, ')}; correct it."
        ) from error


def _check_free(name: str, before: Mapping[str, Holding], shelf: _Shelf, taken: set[str]) -> None:
    if name in shelf.curated:
        raise RecordError(f"Its id {name!r} is that of a curated record; give it another id.")
    if name in taken or (name in shelf.holdings and name not in before):
        where = shelf.files.get(name) or "an added document" if name not in taken else "the same file"
        raise RecordError(f"Its id {name!r} is taken by {where}; give it another id.")
