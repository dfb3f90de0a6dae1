"""Blocks of text to excerpts: whole sentences, packed up to a size, never across a heading.

Sizes: docs/decisions/0006-chunking.md. It knows nothing of formats.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.cleaning import one_line
from knowledge.record import Excerpt

TARGET = 500  # characters an excerpt is filled up to
LONGEST = 1_200  # characters above which even one sentence is cut, at a space if there is one
SHORTEST_WORDS = 3  # an excerpt with fewer words says nothing alone

_FULL_STOPS = (".", "!", "?", "…", ":", ";", ",", "。", "！", "？", "”", '"', ")")

_ends = re.compile(r"(?<=[.!?…])[\"'”’)\]]{0,2}\s+(?=[\"'“‘(\[¿¡]?[^\W_a-z])|(?<=[。！？])")
_no_end = re.compile(
    r"(?:\b(?:[A-Z]|Dr|Drs|Mr|Mrs|Ms|Prof|St|Jr|Sr|vs|cf|et al|e\.g|i\.e|Fig|Figs|No|Nos|Vol|pp?|approx|Inc|Ltd|Univ|Dept"
    r"|ed|eds|Ref|Refs|Eq|Sec|Ch))\.$"
)


@dataclass(frozen=True)
class Block:
    """A paragraph, list item or table row as a loader found it."""

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None


def sentences(text: str) -> list[str]:
    """The sentences of one line of text, which joined with single spaces give it back.

    >>> sentences("Dr. A. Lee asked why. Nobody knew (et al. did).")
    ['Dr. A. Lee asked why.', 'Nobody knew (et al. did).']
    """
    found, start = [], 0
    for match in _ends.finditer(text):
        if not _no_end.search(text[max(0, match.start() - 12) : match.start()]):
            found.append(text[start : match.end()].strip())
            start = match.end()
    found.append(text[start:].strip())
    return [piece for sentence in found if sentence for piece in _cut(sentence)]


def _cut(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST:
        at = sentence.rfind(" ", LONGEST // 2, LONGEST)
        at = at if at > 0 else LONGEST
        yield sentence[:at].strip()
        sentence = sentence[at:].strip()
    yield sentence


def excerpts(blocks: Sequence[Block], target: int = TARGET) -> list[Excerpt]:
    """Excerpts of at most `target` characters, or one longer sentence; text that repeats is kept once."""
    made: dict[str, Excerpt] = {}

    def add(parts: list[str], headings: tuple[str, ...], page: int | None) -> None:
        text = " ".join(parts)
        if len(re.findall(r"\w+", text)) >= SHORTEST_WORDS:
            made.setdefault(text, Excerpt(text=text, headings=headings, page=page))

    parts: list[str] = []
    place: tuple[tuple[str, ...], int | None] = ((), None)
    for block in blocks:
        headings = tuple(line for heading in block.headings if (line := one_line(heading)[:300].strip()))
        for number, sentence in enumerate(sentences(one_line(block.text))):
            full = sum(map(len, parts)) + len(parts) + len(sentence) > target
            if parts and (full or (headings, block.page) != place):
                add(parts, *place)
                parts = []
            if not parts:
                place = (headings, block.page)
            elif number == 0 and not parts[-1].endswith(_FULL_STOPS):
                parts.append("·")  # items of a list would run into each other
            parts.append(sentence)
    if parts:
        add(parts, *place)
    return list(made.values())
