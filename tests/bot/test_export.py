"""Exports open in other programs and come back: DOCX, PDF, RIS, BibTeX, CSL-JSON, CSV."""

import csv
import io
import json
import logging
import zipfile
from datetime import date
from pathlib import Path

import bibtexparser
import docx
import pypdf
import pytest
import rispy
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.citing import bibtex, csl_name, csv_text, references, ris
from bot.document import Document, Line, Section
from bot.export import FORMATS, export, reading_list, syllabus_entry
from knowledge.errors import SettingsError
from knowledge.record import Facet, read_record
from tests.fakes import record

RECORDS = Path(__file__).parents[2] / "knowledge" / "records"
REAL = [
    read_record(RECORDS / f"{name}.md")
    for name in (
        "koh-2026-complexity-of-race", "yale-erase-ing-patient-mistreatment", "core-maori-public-health-competencies",
        "utah-nursing-faculty-racist-patient-module", "daily-iowan-2020-programs-activism",
    )
]  # fmt: skip
SMALL = Document(
    "A plan", (Section("Goal", (Line("More light & shade.", "own"), Line("It helps.", "cited", (1,)))),), (REAL[0],)
)


def test_a_docx_has_real_headings_lists_and_references() -> None:
    content = io.BytesIO(export(SMALL, "docx"))
    names = zipfile.ZipFile(content).namelist()
    assert len(names) == len(set(names))
    file = docx.Document(content)
    assert [(p.style.name, p.text) for p in file.paragraphs] == [
        ("Title", "A plan"),
        ("Heading 1", "Goal"),
        ("List Bullet", "More light & shade. (own words)"),
        ("List Bullet", "It helps. [1]"),
        ("Heading 1", "References"),
        ("Bibliography", "1. " + references([REAL[0]], "vancouver")[0]),
    ]


def test_a_pdf_has_its_text_outline_title_and_language() -> None:
    file = pypdf.PdfReader(io.BytesIO(export(reading_list(REAL, "List for Māori health"), "pdf", "apa")))
    text = " ".join(" ".join(page.extract_text() for page in file.pages).split())
    assert "List for Māori health" in text
    assert "Koh, S. (2026)." in text
    assert file.metadata.title == "List for Māori health"
    assert file.trailer["/Root"]["/Lang"] == "en-GB"
    assert file.outline[0].title == "List for Māori health"
    assert [entry.title for entry in file.outline[1]][-1] == "References"


def test_a_pdf_and_a_docx_of_any_persons_words_open(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    odd = "nul \x00, bell \x07, \ud800, emoji 🙂, العربية and a very" + "long" * 200 + " word"
    document = Document("T\x00", (Section("S", (Line(odd, "own"),)),), ())
    assert pypdf.PdfReader(io.BytesIO(export(document, "pdf"))).pages
    assert docx.Document(io.BytesIO(export(document, "docx"))).paragraphs


def test_ris_comes_back_through_an_independent_parser() -> None:
    entries = rispy.loads(ris(REAL))
    assert [entry["id"] for entry in entries] == [r.id for r in REAL]
    for entry, original in zip(entries, REAL, strict=True):
        assert entry["title"] == original.source.title
        assert entry.get("doi") == original.source.doi
        assert entry.get("year") == (str(original.source.year) if original.source.year else None)
        assert len(entry.get("authors", [])) == len(original.source.authors or [original.source.organization])


def test_bibtex_comes_back_through_an_independent_parser() -> None:
    library = bibtexparser.parse_string(bibtex(REAL))
    assert library.failed_blocks == []
    assert [entry.key for entry in library.entries] == [r.id for r in REAL]
    for entry, original in zip(library.entries, REAL, strict=True):
        fields = {name: field.value for name, field in entry.fields_dict.items()}
        assert fields["title"].strip("{}") == original.source.title
        assert fields.get("doi") == original.source.doi


@settings(max_examples=50, deadline=None)
@given(
    title=st.text(
        st.characters(categories=("L", "N", "P", "S"), exclude_characters="\\"), min_size=1, max_size=60
    ).filter(
        lambda text: text.isprintable() and text == " ".join(text.split()) and text.count("{") == text.count("}") == 0
    )
)
def test_a_title_with_special_characters_survives_ris_and_breaks_no_bibtex(title: str) -> None:
    odd = record("a", (Facet.SUMMARY, "S."), title=title)
    assert rispy.loads(ris([odd]))[0]["title"] == title
    assert bibtexparser.parse_string(bibtex([odd])).failed_blocks == []


def test_csl_json_and_csv_hold_the_fields_of_the_record() -> None:
    items = json.loads(export(reading_list(REAL), "json"))
    assert items[0]["author"] == [{"family": "Koh", "given": "Shawn"}]
    rows = list(csv.DictReader(io.StringIO(export(reading_list(REAL), "csv").decode("utf-8-sig"))))
    assert rows[0]["session_minutes"] == "90"
    assert rows[0]["audience"] == "pre-clinical students; faculty"


def test_a_cell_that_a_spreadsheet_would_run_is_quoted() -> None:
    assert "'=HYPERLINK" in csv_text([record("a", (Facet.SUMMARY, "S."), title='=HYPERLINK("x")')])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Shawn Koh", {"family": "Koh", "given": "Shawn"}),
        ("Desiree de la Torre", {"family": "de la Torre", "given": "Desiree"}),
        ("Dereck W. Paul Jr.", {"family": "Paul", "given": "Dereck W.", "suffix": "Jr."}),
        ("White Coats for Black Lives", {"literal": "White Coats for Black Lives"}),
        ("anonymous Māori medical student", {"literal": "anonymous Māori medical student"}),
        ("@lizstein_", {"literal": "@lizstein_"}),
        ("Shaista", {"literal": "Shaista"}),
    ],
)
def test_a_name_is_parted_only_where_its_form_is_plain(name: str, expected: dict) -> None:
    assert csl_name(name) == expected


def test_references_follow_their_styles_and_show_only_known_fields() -> None:
    assert references(REAL[:1], "vancouver")[0].startswith("Koh S. Exploring the Complexity")
    assert references(REAL[:1], "apa")[0].startswith("Koh, S. (2026). Exploring")
    assert "(n.d.)" in references([REAL[3]], "apa")[0]
    undated = record("a", (Facet.SUMMARY, "S."), title="Page", title_is_descriptive=True, checked=date(2026, 1, 2))
    assert "[Page]" in references([undated], "apa")[0]


def test_every_record_has_a_reference_in_each_style() -> None:
    records = [read_record(path) for path in sorted(RECORDS.glob("*.md"))][::20]
    for style in ("vancouver", "apa"):
        for original, text in zip(records, references(records, style), strict=True):
            assert original.source.title.split()[0].strip("“\"'[") in text


def test_a_line_is_cited_exactly_if_it_names_sources_and_sources_exist() -> None:
    with pytest.raises(ValueError, match="cited line"):
        Line("x", "own", (1,))
    with pytest.raises(ValueError, match="cited line"):
        Line("x", "cited")
    with pytest.raises(ValueError, match="names no source"):
        Document("t", (Section("s", (Line("x", "cited", (2,)),)),), (REAL[0],))


def test_a_syllabus_entry_cites_what_it_says() -> None:
    entry = syllabus_entry(REAL[0])
    texts = [line.text for section in entry.sections for line in section.lines if line.origin == "cited"]
    assert "Time: 90 minutes" in texts
    assert any("required 90-minute" in text for text in texts)


def test_an_unknown_format_or_style_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match=", ".join(FORMATS)):
        export(SMALL, "odt")
    with pytest.raises(SettingsError, match="vancouver, apa"):
        export(SMALL, "md", "harvard")
