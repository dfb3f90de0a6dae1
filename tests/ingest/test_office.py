"""What Word and its kin put into a document beside plain paragraphs."""

from docx.oxml.ns import nsdecls

from ingest.loaders.office import load_docx
from tests.ingest.files import a_docx, rezipped

MAIN, RELATIONS, TYPES = "word/document.xml", "word/_rels/document.xml.rels", "[Content_Types].xml"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def texts(data: bytes) -> list[tuple[str, tuple[str, ...]]]:
    (work,) = load_docx(data).works
    return [(block.text, block.headings) for block in work.blocks]


def with_body(xml: str) -> bytes:
    """A document whose body begins with some XML."""
    return rezipped(a_docx("Last."), lambda p: {**p, MAIN: p[MAIN].replace(b"<w:p>", xml.encode() + b"<w:p>", 1)})


def run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def test_footnotes_are_kept_at_the_end() -> None:
    notes = (
        f'<w:footnotes {nsdecls("w")}><w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p>'
        f'</w:footnote><w:footnote w:id="1"><w:p>{run("See the minutes of May.")}</w:p></w:footnote></w:footnotes>'
    ).encode()
    relation = f'<Relationship Id="rId77" Type="{OFFICE}/footnotes" Target="footnotes.xml"/></Relationships>'.encode()
    kind = (
        b'<Override PartName="/word/footnotes.xml" ContentType="application/vnd.openxmlformats-officedocument'
        b'.wordprocessingml.footnotes+xml"/></Types>'
    )
    data = rezipped(
        a_docx("It was agreed."),
        lambda p: {
            **p,
            RELATIONS: p[RELATIONS].replace(b"</Relationships>", relation),
            TYPES: p[TYPES].replace(b"</Types>", kind),
            "word/footnotes.xml": notes,
        },
    )
    assert texts(data) == [("It was agreed.", ()), ("See the minutes of May.", ("Notes",))]


def test_of_tracked_changes_the_new_text_is_read() -> None:
    changed = (
        f'<w:p>{run("We asked for ")}<w:del w:id="1" w:author="x"><w:r><w:delText>one</w:delText></w:r></w:del>'
        f'<w:ins w:id="2" w:author="x">{run("two")}</w:ins>{run(" sessions.")}'
        f'<w:moveFrom w:id="3" w:author="x">{run(" In May.")}</w:moveFrom></w:p>'
        f'<w:p><w:moveTo w:id="4" w:author="x">{run("In May.")}</w:moveTo></w:p>'
    )
    assert [text for text, _ in texts(with_body(changed))] == ["We asked for two sessions.", "In May.", "Last."]


def test_a_text_box_is_read_once() -> None:
    box = f"<w:txbxContent><w:p>{run('Inside the box.')}</w:p></w:txbxContent>"
    drawn = (
        f'<w:p>{run("Before.")}<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f'<mc:Choice Requires="wps">{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>'
    )
    assert [text for text, _ in texts(with_body(drawn))] == ["Before.", "Inside the box.", "Last."]


def test_a_heading_is_known_by_its_outline_level_too() -> None:
    heading = f'<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr>{run("Why now")}</w:p>'
    assert texts(with_body(heading)) == [("Last.", ("Why now",))]
