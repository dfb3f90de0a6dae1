"""An uploaded deck or outline to slides, in memory: Markdown, text, PPTX, DOCX, PDF. Door to python-pptx, python-docx and pypdf.

Nothing is written anywhere. Sizes are checked before a library reads a byte; alternative texts of images count as text. A
process of its own, with limits on memory and time, does the reading (`python -m bot.decks .pptx`, bytes in and JSON out).
"""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import pptx
import pypdf
from docx.opc.exceptions import PackageNotFoundError as NoDocument
from lxml.etree import XMLSyntaxError
from pptx.exc import PackageNotFoundError as NoPresentation
from pptx.exc import PythonPptxError
from pypdf.errors import PyPdfError

from bot.review import ReviewError, Slide, read_slides

MOST_BYTES = 50_000_000
MOST_UNPACKED = 200_000_000  # bytes
MOST_PARTS = 5_000
MOST_SLIDES = 1_000
MOST_RATIO = 200  # unpacked to packed: text compresses to about a twentieth
MEMORY_BYTES = 1 << 30  # address space of the process that reads
CPU_SECONDS = 30
WALL_SECONDS = 60
FORMATS = (".md", ".markdown", ".txt", ".pptx", ".docx", ".pdf")


def read_deck(name: str, content: bytes) -> tuple[Slide, ...]:
    """The slides of an upload, by the ending of its name. Raises ReviewError saying what to do."""
    ending = "." + name.lower().rpartition(".")[2]
    if ending not in FORMATS:
        raise ReviewError(f"A file that ends in {ending!r} cannot be reviewed; give one of {', '.join(FORMATS)}.")
    if len(content) > MOST_BYTES:
        raise ReviewError(f"The file is larger than {MOST_BYTES // 1_000_000} MB; save it without its images.")
    if ending in (".md", ".markdown", ".txt"):
        try:
            return read_slides(content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise ReviewError("The file is not UTF-8 text; save it as UTF-8.") from error
    try:
        if ending == ".pdf":
            return _checked(_pdf(content))
        _check_archive(content)
        return _checked(_pptx(content) if ending == ".pptx" else _docx(content))
    except (
        PyPdfError, NoDocument, NoPresentation, PythonPptxError, XMLSyntaxError, zipfile.BadZipFile, KeyError, ValueError,
        AttributeError, IndexError, RecursionError, OSError,
    ) as error:  # fmt: skip
        # The libraries answer a damaged file with whatever its damage leads to.
        raise ReviewError(
            "The file is damaged or protected; save it again without a password, or paste its text."
        ) from error


def read_apart(name: str, content: bytes) -> tuple[Slide, ...]:
    """`read_deck` in a process of its own, which is all that a hostile file can harm. Raises ReviewError."""
    ending = "." + name.lower().rpartition(".")[2]  # the name itself may tell who and what, and processes are listed
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bot.decks", ending],
            input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=WALL_SECONDS, check=False,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise ReviewError("Reading the file took too much time or memory; review one lecture at a time.") from error
    if "error" in answer:
        raise ReviewError(answer["error"])
    return tuple(Slide(number, title, tuple(lines)) for number, title, lines in answer["slides"])


def main(ending: str) -> None:
    """What the process does: bound itself, read, and write what it read."""
    _limit()
    try:
        answer: dict[str, Any] = {
            "slides": [[s.number, s.title, s.lines] for s in read_deck(f"deck{ending}", sys.stdin.buffer.read())]
        }
    except ReviewError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))


def _limit() -> None:
    if sys.platform != "win32":
        import resource

        for what, most in (
            (resource.RLIMIT_AS, MEMORY_BYTES),
            (resource.RLIMIT_CPU, CPU_SECONDS),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
        ):
            resource.setrlimit(what, (most, most))


def _checked(slides: Iterator[Slide]) -> tuple[Slide, ...]:
    read = tuple(slides)
    if not any(line for slide in read for line in (slide.title, *slide.lines)):
        raise ReviewError("The file holds no text, perhaps only pictures; paste the words of your slides.")
    return read


def _check_archive(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED or unpacked > MOST_RATIO * max(len(content), 1):
            raise ReviewError("The file unpacks to far more than its size; save it again from your slide program.")


def _pptx(content: bytes) -> Iterator[Slide]:
    for number, slide in enumerate(pptx.Presentation(io.BytesIO(content)).slides, start=1):
        if number > MOST_SLIDES:
            raise ReviewError(f"The deck has more than {MOST_SLIDES:,} slides; review one lecture at a time.")
        title = slide.shapes.title
        lines = [line for shape in slide.shapes if shape != title for line in _shape_lines(shape)]
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame:
            lines += _lines(slide.notes_slide.notes_text_frame.text)
        yield Slide(number, (title.text_frame.text.strip() if title is not None else ""), tuple(lines))


def _shape_lines(shape: Any) -> Iterator[str]:
    if shape.has_text_frame:
        yield from _lines(shape.text_frame.text)
    if getattr(shape, "has_table", False) and shape.has_table:
        for row in shape.table.rows:
            yield from _lines(" | ".join(cell.text for cell in row.cells))
    for inner in getattr(shape, "shapes", ()):
        yield from _shape_lines(inner)
    description = shape._element.xpath(".//p:cNvPr/@descr")
    if description and shape.shape_type is not None and not shape.has_text_frame:
        yield f"![{description[0].strip()}]()"


def _docx(content: bytes) -> Iterator[Slide]:
    file = docx.Document(io.BytesIO(content))
    number, title, lines = 0, "", list[str]()
    for paragraph in file.paragraphs:
        if (paragraph.style.name if paragraph.style else "").startswith(("Heading", "Title")):
            if title or lines:
                yield Slide(number, title, tuple(lines))
            number, title, lines = number + 1, paragraph.text.strip(), []
        else:
            lines += _lines(paragraph.text)
    for table in file.tables:
        for row in table.rows:
            lines += _lines(" | ".join(cell.text for cell in row.cells))
    yield Slide(number, title, tuple(lines))


def _pdf(content: bytes) -> Iterator[Slide]:
    reader = pypdf.PdfReader(io.BytesIO(content))
    if len(reader.pages) > MOST_SLIDES:
        raise ReviewError(f"The file has more than {MOST_SLIDES:,} pages; review one lecture at a time.")
    for number, page in enumerate(reader.pages, start=1):
        lines = list(_lines(page.extract_text()))
        yield Slide(number, lines[0] if lines else "", tuple(lines[1:]))


def _lines(text: str) -> list[str]:
    return [line.strip(" \t•–") for line in text.replace("\v", "\n").split("\n") if line.strip(" \t•–")]


if __name__ == "__main__":
    main(sys.argv[1])
