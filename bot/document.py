"""What exports are made of: headings and lines, each line cited, marked as the person's own, or a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.render import escape, reference
from knowledge.record import Record

Origin = Literal["cited", "own", "frame"]
OWN = "own words"


@dataclass(frozen=True)
class Line:
    """One line: `cited` rests on the numbered sources, `own` are the person's words, `frame` is a label or blank to fill in."""

    text: str
    origin: Origin
    markers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if (self.origin == "cited") is not bool(self.markers):
            raise ValueError("a cited line names its sources, and no other line does")


@dataclass(frozen=True)
class Section:
    """A heading with its lines."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Document:
    """A title, sections, and the sources that markers count from 1."""

    title: str
    sections: tuple[Section, ...]
    sources: tuple[Record, ...]

    def __post_init__(self) -> None:
        wrong = [m for s in self.sections for line in s.lines for m in line.markers if not 1 <= m <= len(self.sources)]
        if wrong:
            raise ValueError(f"a marker names no source: {wrong[0]}")


def tagged(line: Line) -> str:
    """A line's text with how it is backed: `[1][2]`, `(own words)`, or nothing for a label."""
    if line.origin == "cited":
        return f"{line.text} {''.join(f'[{marker}]' for marker in line.markers)}"
    return f"{line.text} ({OWN})" if line.origin == "own" else line.text


def document_markdown(document: Document, references: Sequence[str] | None = None) -> str:
    """The document as Markdown; references are formatted by the caller or as the chat shows them."""
    parts = [f"# {escape(document.title)}"]
    for section in document.sections:
        parts.append(f"## {escape(section.heading)}")
        parts.append("\n".join(f"- {escape(tagged(line))}" for line in section.lines))
    if document.sources:
        shown = [escape(text) for text in references] if references else [reference(r.source) for r in document.sources]
        parts += ["## References", "\n".join(f"{number}. {text}" for number, text in enumerate(shown, start=1))]
    return "\n\n".join(parts) + "\n"
