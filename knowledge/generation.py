"""Immutable builds of the index on disk, and the one pointer that says which is live.

    index/library                      a random name, made when a Chroma server is first used
    index/CURRENT                      the live generation's id
    index/lock                         held by the one writer
    index/builds/<id>/manifest.json    counts, fingerprint, and the SHA-256 of every other file
    index/builds/.tmp-*                a build under way, or the remains of one that was killed

Nothing here knows what is in a generation. A published folder is never opened for writing: readers take a private copy of
what they must open that way (docs/decisions/0003-generations.md).
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from knowledge.errors import IndexBusy, IndexCorrupt, IndexMissing

REBUILD = "Run: python -m ingest build"
MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What a generation must hold to be whole. `server` begins the names of its collections on a Chroma server, if it has any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    built: datetime
    fingerprint: str
    content: str
    records: int
    passages: int
    questions: int
    server: str | None = None
    files: dict[str, str]


class GenerationStore:
    """The generations below one index folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.builds = folder / "builds"
        self._pointer = folder / "CURRENT"

    def current(self) -> str:
        """The id of the live generation. Raises IndexMissing or IndexCorrupt."""
        try:
            name = self._pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise IndexMissing(f"There is no index in {self.folder}. {REBUILD}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise IndexCorrupt(f"The pointer {self._pointer} cannot be read. {REBUILD}") from error
        # Trap: an emptied or garbled pointer must not become a path.
        if not re.fullmatch(r"[0-9TZ]+-[0-9a-f]{12}", name):
            raise IndexCorrupt(f"The pointer {self._pointer} names no generation. {REBUILD}")
        return name

    def path(self, generation: str) -> Path:
        """The folder of a generation, which need not exist."""
        return self.builds / generation

    def generations(self) -> list[str]:
        """The ids of all published generations, oldest first."""
        if not self.builds.is_dir():
            return []
        return sorted(path.name for path in self.builds.iterdir() if path.is_dir() and not path.name.startswith("."))

    def manifest(self, generation: str) -> Manifest:
        """The manifest of a generation. Raises IndexCorrupt."""
        return read_manifest(self.path(generation))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer. Raises IndexBusy at once while another process writes.

        The operating system drops the lock of a process that died, so no lock outlives its writer.
        """
        self.builds.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "lock", timeout=0):
                yield
        except Timeout as error:
            raise IndexBusy(
                f"Another process is writing the index in {self.folder}. Wait until it has finished, then try again."
            ) from error

    @contextmanager
    def building(self) -> Iterator[Path]:
        """An empty folder beside the generations, removed at the end unless `publish` took it. Holds no lock itself."""
        folder = Path(tempfile.mkdtemp(prefix=".tmp-", dir=self.builds))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, folder: Path, manifest: Manifest) -> None:
        """Make a finished, verified build the live generation, in one atomic step that survives a power cut."""
        for path in sorted(folder.rglob("*")):
            _sync(path)
        _sync(folder)
        os.replace(folder, self.path(manifest.id))
        _sync(self.builds)
        self.switch(manifest.id)

    def switch(self, generation: str) -> None:
        """Point at another published generation."""
        partial = self.folder / f".CURRENT-{os.getpid()}"
        partial.write_text(generation + "\n", encoding="ascii")
        _sync(partial)
        os.replace(partial, self._pointer)
        _sync(self.folder)

    def library(self) -> str:
        """A short random name of this library, made once, that tells it apart from others on a shared server."""
        path = self.folder / "library"
        if not path.is_file():
            partial = self.folder / f".library-{os.getpid()}"
            partial.write_text(secrets.token_hex(6), encoding="ascii")
            os.replace(partial, path)
        return path.read_text(encoding="ascii")

    def sweep_remains(self) -> None:
        """Remove what dead builds left, so that it does not take the room of the next one. Call it as the writer."""
        for path in self.builds.glob(".tmp-*"):
            shutil.rmtree(path, ignore_errors=True)

    def sweep(self, keep: int) -> list[str]:
        """Remove what dead builds left, and all generations but the live one and the `keep - 1` newest others.

        Call it as the writer. Returns the ids of the removed generations.
        """
        self.sweep_remains()
        live = self.current()
        others = [name for name in self.generations() if name != live]
        old = others[: max(0, len(others) - keep + 1)]
        for name in old:
            # Renamed first: a reader never sees a generation that is half gone.
            doomed = self.builds / f".tmp-{name}"
            os.replace(self.path(name), doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        return old


def write_manifest(
    folder: Path,
    *,
    fingerprint: str,
    content: str,
    records: int,
    passages: int,
    questions: int,
    server: str | None = None,
) -> Manifest:
    """Hash every file of a finished build and write its manifest."""
    built = datetime.now(UTC)
    manifest = Manifest(
        id=f"{built:%Y%m%dT%H%M%S%fZ}-{content[:12]}",
        built=built,
        fingerprint=fingerprint,
        content=content,
        records=records,
        passages=passages,
        questions=questions,
        server=server,
        files=_hashes(folder),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a build's folder. Raises IndexCorrupt."""
    try:
        return Manifest.model_validate(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise IndexCorrupt(f"The index {folder.name} has no readable manifest. {REBUILD}") from error


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """What differs between a build's folder and its manifest, one phrase a file; empty when all is whole."""
    found = _hashes(folder)
    problems = [f"{name} is missing" for name in manifest.files if name not in found]
    problems += [f"{name} is changed" for name, sha in manifest.files.items() if found.get(name, sha) != sha]
    problems += [f"{name} does not belong there" for name in found if name not in manifest.files]
    return problems


def _hashes(folder: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _sync(path: Path) -> None:
    """Force a file or a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
