"""Going back: to the generation before, or to a backup file. The live index stays until its successor is checked."""

import hashlib
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

from ingest.build import disk_faults, verified_apart
from ingest.documents import DocumentStore, Holding
from knowledge.errors import IndexCorrupt, IndexMissing, RecordError
from knowledge.generation import GenerationStore, read_manifest
from knowledge.settings import IndexSettings

LIST = "backup.json"
FORMAT = 1
MOST_BYTES = 200_000_000_000
_name = re.compile(r"(index|documents)/[^/\\:]+(/[^/\\:]+)*")


def rollback(settings: IndexSettings) -> str:
    """Make the newest whole generation before the live one live; returns its id. Raises IndexMissing or IndexBusy."""
    store = GenerationStore(settings.index_folder)
    with store.writing():
        live = store.current()
        for name in reversed([name for name in store.generations() if name < live]):
            if not verified_apart(store.path(name), settings.chroma):
                store.switch(name)
                return name
    raise IndexMissing(
        "There is no whole generation before the live one. Restore a backup: python -m ingest restore FILE"
    )


def backup(settings: IndexSettings, file: Path) -> int:
    """Write the live generation and the added documents to one zip file with a list of checksums; returns its size.

    Raises IndexMissing, IndexCorrupt (a damaged index is no backup) or IndexNotWritten.
    """
    store = GenerationStore(settings.index_folder)
    partial = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with store.writing():
        live = store.current()
        if found := verified_apart(store.path(live), settings.chroma):
            raise IndexCorrupt(
                f"The live index is damaged ({found[0]}) Mend it before the backup: python -m ingest build"
            )
        parts = {f"index/{path.relative_to(store.path(live)).as_posix()}": path for path in _files(store.path(live))}
        parts |= {f"documents/{path.name}": path for path in sorted(settings.documents_folder.glob("*.json"))}
        try:
            with disk_faults(settings), zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                sums = {}
                for name, path in parts.items():
                    with path.open("rb") as opened:
                        sums[name] = hashlib.file_digest(opened, "sha256").hexdigest()
                    archive.write(path, name)
                archive.writestr(LIST, json.dumps({"format": FORMAT, "generation": live, "files": sums}, indent=1))
            with disk_faults(settings), partial.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(partial, file)
        finally:
            partial.unlink(missing_ok=True)
    return file.stat().st_size


def restore(settings: IndexSettings, file: Path) -> str:
    """Bring back generation and documents of a backup, checked before they take over; returns the generation's id.

    Raises RecordError for a file that is no whole backup (nothing is changed then), IndexCorrupt or IndexNotWritten.
    """
    store = GenerationStore(settings.index_folder)
    documents = DocumentStore(settings.documents_folder)
    with store.writing(), store.building() as folder:
        with disk_faults(settings):
            generation = _unpack(file, folder)
        built, wanted = folder / "index", folder / "documents"
        # The server may have lost this generation's collections since; the next build makes them again.
        if found := verified_apart(built, settings.chroma, search_too=read_manifest(built).server is None):
            raise IndexCorrupt(
                f"The index in {file} fails its check ({found[0]}) Nothing was changed; use another backup."
            )
        holdings = [
            Holding.model_validate_json(path.read_text(encoding="utf-8")) for path in sorted(wanted.glob("*.json"))
        ]
        with disk_faults(settings):
            for holding in holdings:
                documents.put(holding)
            held, damaged = documents.load()
            for name in {*held, *damaged} - {holding.record.id for holding in holdings}:
                documents.drop(name)
            if store.path(generation).exists():
                # The same generation is here; it may be what is damaged, so it gives way to the checked copy.
                os.replace(store.path(generation), store.builds / f".tmp-{generation}")
            store.publish(built, read_manifest(built))
        store.sweep(settings.keep_generations)
    return generation


def _unpack(file: Path, folder: Path) -> str:
    """Unpack a backup whose every part matches its checksum; returns the generation's id. Raises RecordError."""
    try:
        with zipfile.ZipFile(file) as archive:
            listed = json.loads(archive.read(LIST))
            sums, generation = dict(listed["files"]), str(listed["generation"])
            members = {member.filename: member for member in archive.infolist()}
            if listed["format"] != FORMAT or members.keys() != {*sums, LIST} or not all(map(_is_inside, sums)):
                raise RecordError(
                    f"{file} is no backup of this program, or parts of it are missing. Nothing was changed."
                )
            if sum(member.file_size for member in members.values()) > MOST_BYTES:
                raise RecordError(f"{file} would unpack to more than {MOST_BYTES:,} bytes. Nothing was changed.")
            for name, wanted in sums.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                with target.open("rb") as unpacked:
                    if hashlib.file_digest(unpacked, "sha256").hexdigest() != wanted:
                        raise RecordError(f"{file} is damaged at {name}. Nothing was changed; use another backup.")
        if read_manifest(folder / "index").id != generation:
            raise RecordError(f"{file} holds another index than it says. Nothing was changed; use another backup.")
        return generation
    except FileNotFoundError as error:
        raise RecordError(f"There is no backup {file}. Check the path.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, NotImplementedError, EOFError) as error:
        raise RecordError(f"{file} is no whole backup. Nothing was changed; use another one.") from error


def _is_inside(name: str) -> bool:
    return bool(_name.fullmatch(name)) and not any(part in (".", "..") for part in name.split("/"))


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]
