"""Word documents and slide decks: visible text under its headings. Doors to python-docx and python-pptx."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import docx
import pptx
from docx.opc.exceptions import OpcError
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from lxml.etree import LxmlError
from pptx.exc import PythonPptxError

from ingest.chunking import Block
from ingest.loaders.work import Loaded, Work, names, with_found_doi
from knowledge.errors import RecordError

SMALLEST_HALF_POINTS = 5
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
DAMAGED = "It is a damaged .{} file ({}); open it in its program and save it again."
_FAULTS = (
    OpcError,
    PythonPptxError,
    LxmlError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    NotImplementedError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_docx(data: bytes) -> Loaded:
    """The one work in a Word document. Raises RecordError."""
    try:
        return _load_docx(data)
    except RecursionError as error:
        raise RecordError(DAMAGED.format("docx", "nested too deeply")) from error
    except _FAULTS as error:
        raise RecordError(DAMAGED.format("docx", type(error).__name__)) from error


def _load_docx(data: bytes) -> Loaded:
    document = docx.Document(BytesIO(data))
    body = document.element.body
    levels = {style.style_id: _level(style) for style in document.styles if style.type == 1}
    title = ""
    hidden = 0
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    for paragraph in _shown_paragraphs(body):
        text, unseen = _paragraph(paragraph)
        hidden += unseen
        if not text:
            continue
        style = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        level = levels.get(style.get(qn("w:val"))) if style is not None else None
        level = level if level is not None else _outline(paragraph)
        if level == 0 and not title:
            title = text
        elif level:
            headings = [heading for heading in headings if heading[0] < level] + [(level, text)]
        else:
            blocks.append(Block(text, tuple(heading for _, heading in headings)))
    for note in _notes(document):
        text, unseen = _paragraph(note)
        hidden += unseen
        blocks += [Block(text, ("Notes",))] if text else []
    about = document.core_properties
    if not title and (about.title or "").strip():
        title = about.title
    if not title and headings and (blocks and blocks[0].headings):
        title = blocks[0].headings[0]
    author = about.author if about.author and about.author.lower() not in ("python-docx", "unknown", "user") else ""
    # The day on which the file was made is not the year of the work, so it is not taken for one.
    work = Work(title=title, authors=names(author), blocks=tuple(blocks))
    notes = [f"Left out {hidden:,} characters that the document hides; compare with it."] if hidden else []
    # A link that a reader clicks is ordinary; what a word processor loads by itself is not.
    if any(r.is_external and not r.reltype.endswith("/hyperlink") for r in _relations(document)):
        notes.append("It asks for parts from outside, such as a template or a picture; nothing was loaded.")
    parts = [str(part.partname) for part in document.part.package.iter_parts()]
    commands = any(
        "DDE" in (node.text or "").upper().split() or "DDEAUTO" in (node.text or "").upper()
        for node in body.iter(qn("w:instrText"))
    )
    if commands or any("/embeddings/" in name or "/activex/" in name.lower() for name in parts):
        notes.append("It holds embedded files or commands, which were left out; nothing of them was run.")
    return Loaded((with_found_doi(work),), tuple(notes))


def _relations(document: Any) -> Iterator[Any]:
    """All relations of a document's parts."""
    yield from document.part.rels.values()
    for part in document.part.package.iter_parts():
        yield from part.rels.values()


def _level(style: Any) -> int | None:
    """0 for the title, 1 to 9 for headings and for styles made from them, else None."""
    while style is not None:
        if style.name == "Title":
            return 0
        if match := re.fullmatch(r"[Hh]eading (\d)", style.name or ""):
            return int(match[1])
        if level := _outline(style.element):
            return level
        style = style.base_style
    return None


def _outline(element: Any) -> int | None:
    """The outline level that a paragraph or style states itself, 1 to 9, else None."""
    stated = element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
    level = int(stated.get(qn("w:val"), "9")) + 1 if stated is not None else 10
    return level if level < 10 else None


def _shown_paragraphs(root: Any) -> Iterator[Any]:
    """All paragraphs; of two forms of a drawing, which repeat its text, only the first."""
    for paragraph in root.iter(qn("w:p")):
        if next(paragraph.iterancestors(FALLBACK), None) is None:
            yield paragraph


def _notes(document: Any) -> Iterator[Any]:
    """The paragraphs of footnotes and endnotes."""
    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(("/footnotes", "/endnotes")):
            yield from _shown_paragraphs(parse_xml(relation.target_part.blob))


def _paragraph(paragraph: Any) -> tuple[str, int]:
    """The visible text of a paragraph, with tracked insertions and without deletions, and how much is hidden."""
    words: list[str] = []
    hidden = 0
    for run in paragraph.iter(qn("w:r")):
        # A text box is a paragraph within a run of a paragraph; what was moved away stands at its new place too.
        if (
            next(run.iterancestors(qn("w:p"))) is not paragraph
            or next(run.iterancestors(qn("w:moveFrom")), None) is not None
        ):
            continue
        text = "".join(
            node.text or "" if node.tag == qn("w:t") else " "
            for node in run.iterchildren(qn("w:t"), qn("w:tab"), qn("w:br"))
        )
        if _hidden_run(run):
            hidden += len(text)
        else:
            words.append(text)
    return " ".join("".join(words).split()), hidden


def _hidden_run(run: Any) -> bool:
    about = run.find(qn("w:rPr"))
    if about is None:
        return False
    vanish, size, color, shade, light = (
        about.find(qn(f"w:{name}")) for name in ("vanish", "sz", "color", "shd", "highlight")
    )
    if vanish is not None and vanish.get(qn("w:val"), "1") not in ("0", "false", "off"):
        return True
    if (
        size is not None
        and (size.get(qn("w:val")) or "").isdigit()
        and int(size.get(qn("w:val"))) <= SMALLEST_HALF_POINTS
    ):
        return True
    white = color is not None and (color.get(qn("w:val")) or "").upper() in ("FFFFFF", "FEFEFE", "WHITE")
    in_table = next(run.iterancestors(qn("w:tc")), None) is not None  # table heads are often white on a dark cell
    return white and shade is None and light is None and not in_table


def load_pptx(data: bytes) -> Loaded:
    """The one work in a slide deck; a slide is a page and its title a heading. Raises RecordError."""
    try:
        return _load_pptx(data)
    except RecursionError as error:
        raise RecordError(DAMAGED.format("pptx", "nested too deeply")) from error
    except _FAULTS as error:
        raise RecordError(DAMAGED.format("pptx", type(error).__name__)) from error


def _load_pptx(data: bytes) -> Loaded:
    deck = pptx.Presentation(BytesIO(data))
    blocks: list[Block] = []
    hidden = []
    first = ""
    for number, slide in enumerate(deck.slides, start=1):
        if slide.element.get("show") == "0":
            hidden.append(str(number))
            continue
        title_shape = slide.shapes.title
        title = " ".join(title_shape.text_frame.text.split()) if title_shape is not None else ""
        first = first or title
        for text in _shape_texts(slide.shapes, title_shape.shape_id if title_shape is not None else None):
            blocks.append(Block(text, (title,) if title else (), number))
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
            for text in _paragraphs(frame):
                blocks.append(Block(text, (title, "Speaker notes") if title else ("Speaker notes",), number))
    about = deck.core_properties
    title = about.title if about.title and about.title != "PowerPoint Presentation" else first
    author = about.author if about.author and about.author.lower() not in ("python-pptx", "steve canny", "user") else ""
    notes = (f"Left out the hidden slides {', '.join(hidden)}; show them if they matter.",) if hidden else ()
    work = Work(title=title, authors=names(author), blocks=tuple(blocks))
    return Loaded((with_found_doi(work),), notes)


def _shape_texts(shapes: Any, title_id: int | None) -> Iterator[str]:
    for shape in shapes:
        if shape.shape_id == title_id:
            continue
        if shape.shape_type == 6:  # a group
            yield from _shape_texts(shape.shapes, title_id)
        elif shape.has_text_frame:
            yield from _paragraphs(shape.text_frame)
        elif getattr(shape, "has_table", False) and shape.has_table:
            for row in shape.table.rows:
                if text := " · ".join(cell.text.strip() for cell in row.cells if cell.text.strip()):
                    yield text


def _paragraphs(frame: Any) -> Iterator[str]:
    for paragraph in frame.paragraphs:
        if text := " ".join("".join(run.text for run in paragraph.runs).split()):
            yield text
