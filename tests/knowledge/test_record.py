from pathlib import Path

import pytest

from knowledge.errors import RecordError
from knowledge.record import Facet, check_relations, parse_record, read_record, render_record
from tests.fakes import record

RECORDS = sorted((Path(__file__).parents[2] / "knowledge" / "records").glob("*.md"))

GOOD = """---
id: two-facts
source:
  title: Two facts
  kind: study
  tier: peer-reviewed
checked: 2026-01-02
---

# Two facts

## Findings

- The share rose.

## Cautions

- One site only.
"""


def test_a_file_becomes_a_record_and_the_same_file_again() -> None:
    read = parse_record(GOOD, "two-facts.md")
    assert [(s.facet, s.text) for s in read.statements] == [
        (Facet.FINDING, "The share rose."),
        (Facet.CAUTION, "One site only."),
    ]
    assert parse_record(render_record(read), "two-facts.md") == read


def test_each_statement_stands_in_the_text_at_its_offsets() -> None:
    mixed = record("mixed", (Facet.CAUTION, "Last."), (Facet.SUMMARY, "First."), (Facet.CAUTION, "Last, too."))
    assert [mixed.text[start:end] for _, start, end in mixed.spans()] == ["Last.", "First.", "Last, too."]


def test_a_wrapped_statement_is_one_line_again() -> None:
    assert (
        parse_record(GOOD.replace("The share rose.", "The share\n  rose."), "f").statements[0].text == "The share rose."
    )


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (("kind: study", "kind: rumour"), "field source.kind: Input should be 'study'"),
        (("kind: study", "kind: study\n  kind: survey"), "has the key 'kind' twice"),
        (("kind: study", "kind: study\n  note: hello"), "field source.note: Extra inputs are not permitted"),
        (("checked: 2026-01-02", "checked: yesterday"), "field checked: Input should be a valid date"),
        (("checked: 2026-01-02\n", ""), "field checked: Field required"),
        (("---\nid", "id"), "has no front matter"),
        (("id: two-facts", "id: &a two-facts\nsetting: *a"), "uses an alias"),
        (("id: two-facts", "id: !!python/name:os.system two-facts"), "could not determine a constructor"),
        (("id: two-facts", "id: ../two-facts"), "field id: String should match pattern"),
        (("# Two facts", "# Three facts"), "differs from the field source.title"),
        (("# Two facts\n", ""), "has no '# Title' line"),
        (("## Findings", "## Results"), "cannot read the line '## Results'"),
        (("- The share rose.", "The share rose."), "cannot read the line 'The share rose.'"),
        (("One site only.", "The share rose."), "says twice: 'The share rose.'"),
        (("The share rose.", "The share\u200b rose."), "invisible character U+200B"),
        (("The share rose.", "The share\u202e rose."), "invisible character U+202E"),
        (("- The share rose.\n\n## Cautions\n\n- One site only.\n", ""), "field statements"),
    ],
)
def test_a_bad_record_is_refused_with_file_and_reason(damage: tuple[str, str], says: str) -> None:
    assert damage[0] in GOOD
    with pytest.raises(RecordError) as error:
        parse_record(GOOD.replace(*damage), "two-facts.md")
    assert str(error.value).startswith("two-facts.md: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00bad", "is not UTF-8 text (byte 0)"),
        (GOOD.encode().replace(b"id: two-facts", b"id: other"), "the file is named 'bad'"),
        (b"x" * 1_000_001, "is larger than"),
        (b"", "has no front matter"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bad.md"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"bad\.md") as error:
        read_record(path)
    assert says in str(error.value)


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "two-facts.md"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_record(path) == parse_record(GOOD, "two-facts.md")


def test_related_records_name_each_other() -> None:
    one, other = record("one", (Facet.SUMMARY, "A."), related=["other"]), record("other", (Facet.SUMMARY, "B."))
    with pytest.raises(RecordError, match=r"other\.md does not name 'one'"):
        check_relations([one, other])
    with pytest.raises(RecordError, match="there is no record 'other'"):
        check_relations([one])


def test_every_curated_record_reads_and_is_in_the_form_that_the_program_writes() -> None:
    records = [read_record(path) for path in RECORDS]
    assert len(records) == 379
    assert sum(len(item.statements) for item in records) == 2019
    assert [
        path.name for path, item in zip(RECORDS, records, strict=True) if render_record(item) != path.read_text()
    ] == []
    check_relations(records)


def test_a_record_that_was_read_on_a_page_says_where() -> None:
    """Sixteen records were seen as an index copy only, and have neither address nor DOI."""
    without = [item.id for item in map(read_record, RECORDS) if not item.source.link]
    assert len(without) == 16
