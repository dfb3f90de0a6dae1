"""Decks in other formats are read like their Markdown, and harmful files are refused."""

import io
import zipfile

import docx
import pptx
import pytest

from bot import decks
from bot.decks import FORMATS, read_apart, read_deck
from bot.document import Document, Line, Section
from bot.export import export
from bot.review import ReviewError


def powerpoint() -> bytes:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Risk factors"
    slide.placeholders[1].text = "Age\nAfrican American race"
    slide.notes_slide.notes_text_frame.text = "Say more here"
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def word() -> bytes:
    file = docx.Document()
    file.add_heading("Risk factors", 1)
    file.add_paragraph("Age")
    file.add_paragraph("African American race")
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def test_a_deck_reads_alike_in_every_format() -> None:
    pdf = export(Document("Risk factors", (Section("Age", (Line("African American race", "own"),)),), ()), "pdf")
    markdown = b"## Risk factors\n- Age\n- African American race"
    decks = {"a.md": markdown, "a.PPTX": powerpoint(), "a.docx": word(), "a.pdf": pdf}
    for name, content in decks.items():
        (slide,) = read_deck(name, content)
        assert slide.title == "Risk factors"
        assert any("African American race" in line for line in slide.lines)


def test_speaker_notes_are_read() -> None:
    assert "Say more here" in read_deck("a.pptx", powerpoint())[0].lines


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in (".md", ".markdown", ".txt")])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04" + b"\x00" * 50, b"%PDF-1.7\n%%EOF"])
def test_a_damaged_file_is_refused_in_a_sentence(name: str, content: bytes) -> None:
    with pytest.raises(ReviewError, match=r"damaged|no text"):
        read_deck("a" + name, content)


def test_a_bomb_an_unknown_ending_and_a_huge_file_are_refused() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 20_000_000)
    with pytest.raises(ReviewError, match="unpacks to far more"):
        read_deck("a.docx", bomb.getvalue())
    with pytest.raises(ReviewError, match="cannot be reviewed"):
        read_deck("a.exe", b"x")
    with pytest.raises(ReviewError, match="larger than"):
        read_deck("a.pdf", b"x" * 50_000_001)
    with pytest.raises(ReviewError, match="UTF-8"):
        read_deck("a.txt", b"\xff\xfe\x00")


def test_a_process_of_its_own_reads_the_same_and_says_the_same() -> None:
    for name, content in (("a.md", b"## Risk factors\n- \xc3\x89tude"), ("A.PPTX", powerpoint())):
        assert read_apart(name, content) == read_deck(name, content)
    for name, content in (("a.pptx", b"no deck"), ("a.exe", b"x"), ("a.txt", b"\xff")):
        with pytest.raises(ReviewError) as apart:
            read_apart(name, content)
        with pytest.raises(ReviewError) as here:
            read_deck(name, content)
        assert str(apart.value) == str(here.value)


def test_a_reader_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decks, "WALL_SECONDS", 0.01)
    with pytest.raises(ReviewError, match="too much time or memory"):
        read_apart("a.md", b"## Risk factors")
