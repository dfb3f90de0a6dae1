"""Limits for files from outside, and what each file really is.

Figures and their reasons: docs/ingestion.md. A file is refused with one sentence: what is wrong, and what to do.
"""

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from knowledge.errors import RecordError

MEMORY_BYTES = 768 << 20  # address space of the process that reads one file
CPU_SECONDS = 60
WALL_SECONDS = 90
TEXT_BYTES = 5_000_000
BINARY_BYTES = 50_000_000
FOLDER_DEPTH = 20
FOLDER_FILES = 20_000
ZIP_MEMBERS = 2_000
ZIP_BYTES = 200_000_000
ZIP_RATIO = 100
ZIP_RATIO_FROM = 1_000_000  # bytes; small parts of ordinary files compress better than ZIP_RATIO

TYPES = {
    ".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text", ".pdf": "pdf", ".docx": "docx",
    ".pptx": "pptx", ".epub": "epub", ".html": "html", ".htm": "html", ".xhtml": "html", ".csv": "csv", ".json": "json",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".bib": "bibtex", ".bibtex": "bibtex", ".ris": "ris",
}  # fmt: skip
ZIPPED = {"docx": "word/document.xml", "pptx": "ppt/presentation.xml", "epub": "META-INF/container.xml"}
OTHER_REMEDIES = {
    ".doc": "save it as .docx", ".docm": "save it as .docx without macros", ".rtf": "save it as .docx",
    ".odt": "save it as .docx", ".ppt": "save it as .pptx", ".xls": "export the sheet as .csv",
    ".xlsx": "export the sheet as .csv", ".ods": "export the sheet as .csv", ".odp": "save it as .pptx",
    ".pptm": "save it as .pptx without macros", ".pages": "export it as .docx", ".key": "export it as .pptx",
    ".zip": "unpack it and add the folder", ".7z": "unpack it and add the folder", ".rar": "unpack it and add the folder",
    ".gz": "unpack it and add the folder", ".tar": "unpack it and add the folder", ".enw": "export it as .ris",
    ".nbib": "export it as .ris", ".tex": "add the PDF that it makes", ".eml": "save its text as .txt",
    ".msg": "save its text as .txt", ".url": "add the address itself with --allow-urls",
    ".webloc": "add the address itself with --allow-urls", ".png": "run text recognition (OCR) and save it as .pdf",
    ".jpg": "run text recognition (OCR) and save it as .pdf", ".tiff": "run text recognition (OCR) and save it as .pdf",
    ".mht": "save the page as .html", ".mhtml": "save the page as .html", ".xml": "export it as .ris, .bib or .json",
}  # fmt: skip
_SIGNATURES = (
    (b"%PDF-", "a PDF"), (b"PK\x03\x04", "a zip archive"), (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old or encrypted Office file"), (b"\x7fELF", "a program"), (b"MZ\x90", "a program"),
    (b"\x89PNG", "an image"), (b"\xff\xd8\xff", "an image"), (b"GIF8", "an image"), (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "an archive"), (b"Rar!", "an archive"), (b"BZh", "an archive"), (b"\xfd7zXZ", "an archive"),
    (b"{\\rtf", "a rich-text file"), (b"SQLite format 3", "a database"), (b"%!PS", "a PostScript file"),
    (b"MIME-Version:", "a web archive or mail"), (b"From: <Saved by", "a web archive"),
)  # fmt: skip
_odd_name = re.compile(
    r"[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]|[\\]|^\.\.|%2f|%5c", re.I
)

Suspicion = Callable[[str], Sequence[str]]
"""Reasons, one short phrase each, for which a text should be looked at before it is relied on."""


def kind_of(name: str) -> str:
    """The loader that a file's name asks for. Raises RecordError."""
    if odd := _odd_name.search(name):
        what = f"the hidden character U+{ord(odd[0]):04X}" if len(odd[0]) == 1 and odd[0] != "\\" else repr(odd[0])
        raise RecordError(f"Its name holds {what}, as names made to deceive do; rename it.")
    suffix = Path(name).suffix.lower()
    if suffix not in TYPES:
        remedy = OTHER_REMEDIES.get(suffix, "use Markdown, text, PDF, DOCX, PPTX, HTML, EPUB, CSV, JSON, BibTeX or RIS")
        raise RecordError(f"There is no reader for {suffix or 'a name without an ending'}; {remedy}.")
    return TYPES[suffix]


def read_bytes(path: Path, kind: str) -> bytes:
    """A regular file's bytes, within the limit of its kind; never follows a link or waits for a pipe. Raises RecordError."""
    most = BINARY_BYTES if kind in ("pdf", *ZIPPED) else TEXT_BYTES
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise RecordError(f"It cannot be opened ({error.strerror}); check that it is a file you may read.") from error
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise RecordError("It is not a regular file; copy its content into one.")
        if about.st_size > most:
            raise RecordError(f"It has {about.st_size:,} bytes, more than the {most:,} allowed; split it.")
        data = file.read(most + 1)
    if len(data) > most:
        raise RecordError(f"It grew beyond {most:,} bytes while it was read; split it.")
    if not data.strip():
        raise RecordError("It is empty; add a file with content or leave it out.")
    return data


def check_content(data: bytes, kind: str) -> None:
    """Raises RecordError unless the content is what the name says, as far as its first bytes tell."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    found = next((what for mark, what in _SIGNATURES if start.startswith(mark)), None)
    if kind == "pdf":
        # The mark may stand anywhere in the first kilobyte, as other readers allow.
        if b"%PDF-" not in data[:1024]:
            raise RecordError(f"It is named .pdf but is {found or 'no PDF'}; correct its ending or export it again.")
    elif kind in ZIPPED:
        if found == "an old or encrypted Office file":
            raise RecordError(
                f"It is encrypted or in an old format; open it and save it as .{kind} without a password."
            )
        if found != "a zip archive":
            raise RecordError(
                f"It is named .{kind} but is {found or 'something else'}; correct its ending or save it again."
            )
        check_zip(data, kind)
    elif found:
        raise RecordError(f"It is named as text but is {found}; correct its ending.")


def check_zip(data: bytes, kind: str) -> None:
    """Raises RecordError for an archive that is damaged, unpacks to too much, or is not of the kind; unpacks nothing."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            declared = kind != "epub" and next((m.filename for m in members if _declares(archive, m)), None)
    except _ZIP_FAULTS as error:
        raise RecordError(f"It is a damaged .{kind} file; open it in its program and save it again.") from error
    seen = [member.filename for member in members]
    parts = [re.split(r"[\\/]", name) for name in seen]
    if len(members) > ZIP_MEMBERS:
        raise RecordError(f"It holds {len(members):,} parts, more than any real .{kind}; do not use it.")
    if len({name.lower() for name in seen}) < len(seen):
        raise RecordError("It holds two parts of one name, so that programs differ on what it says; save it again.")
    if any(
        ".." in pieces or name.startswith(("/", "\\")) or ":" in name for name, pieces in zip(seen, parts, strict=True)
    ):
        raise RecordError("It holds a part whose name leads out of the file; do not use it.")
    if any(member.flag_bits & 1 for member in members):
        raise RecordError("It is protected by a password; save it without one.")
    if ZIPPED[kind] not in seen:
        raise RecordError(f"It is no .{kind} inside; correct its ending or save it again.")
    total = sum(member.file_size for member in members)
    bombs = [m for m in members if m.file_size > max(ZIP_RATIO_FROM, ZIP_RATIO * max(1, m.compress_size))]
    if total > ZIP_BYTES or bombs:
        raise RecordError(
            f"It would unpack to {total:,} bytes, as archives made to exhaust a machine do; do not use it."
        )
    if declared:
        raise RecordError(
            f"It declares XML entities (in {declared}), as files made to exhaust a machine do; do not use it."
        )
    if any(name.lower().endswith("vbaproject.bin") for name in seen):
        raise RecordError(f"It holds macros; save it as .{kind} without them.")


_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, OSError, EOFError)


def _declares(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Whether an XML part begins with a document type, which no office program writes."""
    if member.flag_bits & 1 or not member.filename.lower().endswith((".xml", ".rels")):
        return False
    with archive.open(member) as part:
        return b"<!DOCTYPE" in part.read(1024).replace(b"\0", b"")  # NULs: it may be UTF-16


def decode(data: bytes) -> str:
    """Text in UTF-8, or in UTF-16 or UTF-32 where a byte order mark says so. Raises RecordError with the first bad byte."""
    encoding = "utf-8-sig"
    # Trap: the mark of UTF-32 begins with that of UTF-16.
    for mark, named in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            encoding = named
            break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise RecordError(f"It is not UTF-8 text (byte {error.start:,}); save it as UTF-8.") from error
    if "\0" in text:
        raise RecordError(
            f"It holds a NUL (character {text.index(chr(0)):,}), so it is no plain text; save it as UTF-8 text."
        )
    if sum(text.count(chr(code)) for code in (*range(1, 9), *range(14, 32))) > len(text) // 100:
        raise RecordError("It is full of control characters, so it is no plain text; save it as UTF-8 text.")
    return text


def check_depth(text: str, most: int = 100) -> None:
    """Raises RecordError for JSON nested more than `most` deep, without parsing it."""
    depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        depth += (match[0] in "[{") - (match[0] in "]}")
        if depth > most:
            raise RecordError(f"It is nested more than {most} deep; flatten it.")
