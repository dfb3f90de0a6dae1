"""Markdown: its text under its headings; or a record in the project's own form. Door to markdown-it.

Images, links' addresses, raw HTML and code are left out: what a reader would not read as text is no text.
"""

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.chunking import Block
from ingest.loaders.work import Loaded, Work, find_year, names, tidy_doi, with_found_doi
from ingest.safety import decode
from knowledge.errors import RecordError
from knowledge.record import parse_front_matter, parse_record


def load(data: bytes, name: str) -> Loaded:
    """The one work in a Markdown file. Raises RecordError."""
    text = decode(data).replace("\r\n", "\n")
    fields: dict[str, Any] = {}
    if text.startswith("---\n"):
        fields, body = parse_front_matter(text, name)
        if "id" in fields or "statements" in fields or isinstance(fields.get("source"), dict):
            return Loaded((Work(fields=parse_record(text, name).model_dump(mode="json")),))
        text = body
    title, blocks = markdown_blocks(text)
    work = Work(
        title=line(fields.get("title")) or title,
        authors=authors(fields.get("authors") or fields.get("author")),
        year=find_year(line(fields.get("year") or fields.get("date"))),
        venue=line(fields.get("venue")),
        doi=tidy_doi(line(fields.get("doi"))),
        url=line(fields.get("url")),
        blocks=tuple(blocks),
    )
    return Loaded((with_found_doi(work),))


def line(value: Any) -> str:
    """A field as text; a list or a table is none."""
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def authors(value: Any) -> tuple[str, ...]:
    """Authors as a list of names or as one text."""
    if isinstance(value, list):
        return tuple(name for item in value if (name := line(item)))
    return names(line(value))


def markdown_blocks(text: str) -> tuple[str, list[Block]]:
    """The first top heading as title, and the text blocks under the headings after it. Raises RecordError."""
    try:
        tokens = MarkdownIt("commonmark", {"html": True, "maxNesting": 50}).enable("table").parse(text)
    except RecursionError as error:
        raise RecordError("It is nested too deeply; flatten its lists and quotes.") from error
    title = ""
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    for number, token in enumerate(tokens):
        if token.type != "inline":
            continue
        words = _words(token.children or ())
        opened = tokens[number - 1]
        if opened.type == "heading_open":
            level = int(opened.tag[1])
            if level == 1 and not title and not blocks:
                title = words
                continue
            headings = [heading for heading in headings if heading[0] < level] + [(level, words)]
        elif words:
            blocks.append(Block(words, tuple(heading for _, heading in headings if heading)))
    return title, blocks


def _words(tokens: Sequence[Token]) -> str:
    shown = ("text", "code_inline", "softbreak", "hardbreak")
    return "".join(token.content or " " for token in tokens if token.type in shown).strip()
