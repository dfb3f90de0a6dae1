"""Documents and reading lists as files: Markdown, DOCX, PDF, BibTeX, RIS, CSL-JSON, CSV. Door to python-docx and fpdf2."""

import html
import io
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TextStyle

from bot.cards import card, length_text
from bot.citing import STYLES, bibtex, csl_json_text, csv_text, references, ris
from bot.document import Document, Line, Section, document_markdown, tagged
from bot.recheck import document_receipt
from bot.recommender import Recommendation, spoken
from knowledge.errors import ChatbotError, SettingsError
from knowledge.passage import Passage
from knowledge.record import Record

Format = Literal["md", "docx", "pdf", "bib", "ris", "json", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)
FONT = "Roboto"
LANGUAGE = "en-GB"


class ExportError(ChatbotError):
    """A file cannot be written in the format that was asked for."""


def export(document: Document, format: str, style: str = "vancouver") -> bytes:
    """A document as the bytes of a file. The reference formats hold its sources only.

    Raises SettingsError for an unknown format or style, ExportError if a font is missing.
    """
    if format not in FORMATS:
        raise SettingsError(f"There is no export format {format!r}. Choose from: {', '.join(FORMATS)}.")
    if style not in STYLES:
        raise SettingsError(f"There is no citation style {style!r}. Choose from: {', '.join(STYLES)}.")
    sources = document.sources
    if format == "bib":
        return bibtex(sources).encode()
    if format == "ris":
        return ris(sources).encode()
    if format == "json":
        return csl_json_text(sources).encode()
    if format == "csv":
        # Trap: without the byte order mark a spreadsheet program reads UTF-8 as its own code page.
        return csv_text(sources).encode("utf-8-sig")
    listed = references(sources, "apa" if style == "apa" else "vancouver")
    if format == "docx":
        return _docx(document, listed)
    if format == "pdf":
        return _pdf(document, listed)
    return f"{document_markdown(document, listed)}\n{document_receipt(document)}\n".encode()


def reading_list(records: Sequence[Record], title: str = "Reading list") -> Document:
    """Resources as a document: a section each with its facts and statements."""
    sections = []
    for number, record in enumerate(records, start=1):
        of = card(record)
        facts = [
            ("For", ", ".join(of.audience)),
            ("Time", length_text(record)),
            ("Format", of.format),
            ("Evaluated", of.evaluated),
            ("Access", of.access),
        ]
        lines = [Line(f"{name}: {value or 'not stated'}", "cited", (number,)) for name, value in facts]
        chosen: list[Passage] = [*of.what[:2], *of.materials, *of.results[:2], *of.cautions, *of.licence[:1]]
        lines += [Line(passage.text, "cited", (number,)) for passage in dict.fromkeys(chosen)]
        sections.append(Section(record.source.title, tuple(lines)))
    return Document(title, tuple(sections), tuple(records))


def recommendation_document(found: Recommendation) -> Document:
    """A recommendation as a document: the need in the person's words, each resource with its reasons, what is left out."""
    sections = [Section("Need", (Line(found.need.text or "-", "own"), Line(f"Read as: {spoken(found.need)}", "frame")))]
    for number, result in enumerate(found.results, start=1):
        facts = [", ".join(result.record.audience), length_text(result.record) or "length not stated"]
        lines = [Line("; ".join(facts), "cited", (number,))]
        lines += [Line(why.text, "cited", (number,)) for why in result.why]
        sections.append(Section(result.record.source.title, tuple(lines)))
    if found.left_out:
        sections.append(
            Section("What this list leaves out", tuple(Line(sentence, "frame") for sentence in found.left_out))
        )
    return Document("Resources for teaching", tuple(sections), tuple(result.record for result in found.results))


def syllabus_entry(record: Record) -> Document:
    """One resource as an entry of a syllabus, with the fields that only the course can fill in."""
    of = card(record)
    what = [Line(passage.text, "cited", (1,)) for passage in of.what[:2]]
    prepare = [Line(passage.text, "cited", (1,)) for passage in of.materials]
    return Document(
        f"Session: {record.source.title}",
        (
            Section("Session", (Line("Date, room, teacher: ", "frame"), *what)),
            Section(
                "Learners and time",
                (
                    Line(f"Made for: {', '.join(of.audience) or 'not stated'}", "cited", (1,)),
                    Line(f"Time: {of.time or 'not stated'}", "cited", (1,)),
                ),
            ),
            Section("Preparation and materials", tuple(prepare) or (Line("None stated by the source.", "frame"),)),
            Section(
                "What the evidence says",
                tuple(Line(p.text, "cited", (1,)) for p in (*of.results[:3], *of.cautions))
                or (Line("No result was read.", "frame"),),
            ),
        ),
        (record,),
    )


# --- DOCX ------------------------------------------------------------------------------------------------------------


def _docx(document: Document, listed: Sequence[str]) -> bytes:
    file = docx.Document()
    file.core_properties.title = _xml(document.title)
    file.core_properties.author = ""
    file.core_properties.comments = ""
    file.core_properties.language = LANGUAGE
    _set_language(file)
    style = file.styles.add_style("Bibliography", WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = file.styles["Normal"]
    style.paragraph_format.left_indent = Pt(18)
    style.paragraph_format.first_line_indent = Pt(-18)
    file.add_heading(_xml(document.title), level=0)
    for section in document.sections:
        file.add_heading(_xml(section.heading), level=1)
        for line in section.lines:
            file.add_paragraph(_xml(tagged(line)), style="List Bullet")
    if listed:
        file.add_heading("References", level=1)
        for number, text in enumerate(listed, start=1):
            file.add_paragraph(f"{number}. {_xml(text)}", style="Bibliography")
    _add_receipt(file, document_receipt(document))
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def _add_receipt(file: "docx.document.Document", receipt: str) -> None:
    """A part that Word keeps and does not show, from which `bot.recheck` knows what was cited."""
    content = f'<receipt xmlns="urn:upstander:receipt">{html.escape(receipt)}</receipt>'.encode()
    package = file.part.package
    name = package.next_partname("/customXml/item%d.xml")  # the template has one already
    part = Part(name, "application/xml", content, package)
    file.part.relate_to(part, RELATIONSHIP_TYPE.CUSTOM_XML)


def _set_language(file: "docx.document.Document") -> None:
    """The language that screen readers and spelling use."""
    fonts = file.styles["Normal"].element.get_or_add_rPr()
    language = OxmlElement("w:lang")
    language.set(qn("w:val"), LANGUAGE)
    fonts.append(language)


def _xml(text: str) -> str:
    """The text without characters that XML 1.0 forbids, which would make the file unreadable."""
    return _not_xml.sub("", text)


_not_xml = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# --- PDF -------------------------------------------------------------------------------------------------------------


def _pdf(document: Document, listed: Sequence[str]) -> bytes:
    file = FPDF(format="A4")
    file.set_title(_printable(document.title))
    file.set_lang(LANGUAGE)
    file.set_keywords(document_receipt(document))  # where `bot.recheck` looks for it
    file.set_margin(20)
    file.set_auto_page_break(True, margin=20)
    fonts = _font_folder()
    file.add_font(FONT, "", fonts / "Roboto-Regular.ttf")
    file.add_font(FONT, "B", fonts / "Roboto-Bold.ttf")
    file.set_section_title_styles(
        TextStyle(FONT, "B", 18, b_margin=4), TextStyle(FONT, "B", 13, t_margin=4, b_margin=2)
    )
    file.add_page()
    file.set_font(FONT, size=10.5)
    file.start_section(_printable(document.title))
    for section in document.sections:
        file.start_section(_printable(section.heading), level=1)
        for line in section.lines:
            _paragraph(file, "•  " + _printable(tagged(line)))
    if listed:
        file.start_section("References", level=1)
        for number, text in enumerate(listed, start=1):
            _paragraph(file, f"{number}. {_printable(text)}")
    return bytes(file.output())


def _paragraph(file: FPDF, text: str) -> None:
    file.set_font(FONT, size=10.5)
    file.multi_cell(0, 5.4, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
    file.ln(1.2)


def _printable(text: str) -> str:
    """The text without control characters, which fonts have no glyph for."""
    return "".join(c if c.isprintable() else " " for c in text)


def _font_folder() -> Path:
    spec = find_spec("font_roboto")
    if spec is None or not spec.submodule_search_locations:
        raise ExportError("The font for PDF files is not installed. Run: make setup, or export as docx.")
    return Path(next(iter(spec.submodule_search_locations))) / "files"
