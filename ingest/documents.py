"""The added documents on disk: one JSON file a record, from which the library can be rebuilt without the originals.

    documents/<record id>.json    where it was read from, the hash of its bytes, and the whole record

Each file is replaced in one atomic step. Finds the same work under another name by DOI and by text.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from knowledge.record import Record

SKETCH = 64  # smallest hashes kept of a text
SHINGLE = 5  # words
SAME_TEXT = 0.85  # share of shingles in common (Jaccard, estimated from the sketches)
SKETCHED_WORDS = 30  # shorter texts are compared as a whole only


class Holding(BaseModel):
    """One added record and where it comes from. `reader` is the version of the loaders that read it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str
    sha256: str
    reader: int
    sketch: tuple[int, ...]
    record: Record


class DocumentStore:
    """The folder of added documents. Write to it only as the one writer of the index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self) -> tuple[dict[str, Holding], list[str]]:
        """All holdings by record id, and the ids of those whose file is damaged."""
        found, damaged = {}, []
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []:
            try:
                holding = Holding.model_validate_json(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                damaged.append(path.stem)
                continue
            if holding.record.id == path.stem:
                found[path.stem] = holding
            else:
                damaged.append(path.stem)
        return found, damaged

    def put(self, holding: Holding) -> None:
        """Write or replace one holding."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{holding.record.id}.json"
        partial = self.folder / f".{holding.record.id}.{os.getpid()}.tmp"
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.write(holding.model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def drop(self, record_id: str) -> None:
        """Remove one holding."""
        (self.folder / f"{record_id}.json").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a killed writer left half written."""
        for path in self.folder.glob(".*.tmp") if self.folder.is_dir() else []:
            path.unlink(missing_ok=True)


def sketch(texts: Iterable[str]) -> tuple[int, ...]:
    """The smallest hashes of a text's runs of words, by which near copies are found; empty for a short text.

    Broder 1997, "On the resemblance and containment of documents" (bottom-k sketch).
    """
    words = re.findall(r"\w+", " ".join(texts).lower())
    if len(words) < SKETCHED_WORDS:
        return ()
    runs = {" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}
    return tuple(sorted(int.from_bytes(hashlib.blake2b(run.encode(), digest_size=6).digest()) for run in runs)[:SKETCH])


def resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """The estimated share of runs of words that two texts have in common, 0..1."""
    if not one or not other:
        return 0.0
    smallest = sorted({*one, *other})[:SKETCH]
    both = set(one) & set(other)
    return sum(value in both for value in smallest) / len(smallest)


def texts_of(record: Record) -> list[str]:
    """All texts of a record that passages are made from."""
    return [
        *(s.text for s in record.statements),
        *(e.text for e in (record.document.excerpts if record.document else ())),
    ]


def record_id(name: str, content: str, taken: Iterable[str]) -> str:
    """An id from a name a person knows and a hash of the content, different from all that are taken.

    >>> record_id("Ünder Strain (2020).pdf", "ab12cd34ef", [])
    'under-strain-2020-ab12cd34'
    """
    plain = unicodedata.normalize("NFKD", Path(name).stem).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:48].strip("-") or "document"
    known = set(taken)
    made, number = f"{slug}-{content[:8]}", 1
    while made in known:
        number += 1
        made = f"{slug}-{content[:8]}-{number}"
    return made


def title_key(record: Record) -> str:
    """What two entries of one work have in common: the letters of the title, and the year."""
    return re.sub(r"\W+", "", record.source.title.lower()) + str(record.source.year or "")
