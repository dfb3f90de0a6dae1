"""Resources, comparisons and documents as HTML for the page; every text from outside is escaped, as in `answer`."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from itertools import count

from bot.cards import NAMES, breaks, card, comparison, facts, said
from bot.document import Document, Line
from bot.recommender import Recommendation, Recommended, spoken
from bot.reply import Citation
from bot.ui.answer import byline, link, marker, paragraphs, sheet, title
from knowledge.passage import Passage, passages_of
from knowledge.record import Record

MEDIA = {
    "md": "text/markdown",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "bib": "application/x-bibtex",
    "ris": "application/x-research-info-systems",
    "json": "application/vnd.citationstyles.csl+json",
    "csv": "text/csv",
}


def recommendation(found: Recommendation) -> str:
    """How the need was read, a card for each resource, near misses, and what is left out."""
    places = count()
    parts = [f'<p class="read-as"><strong>Read as:</strong> {escape(spoken(found.need))}</p>']
    if found.results:
        cards = "".join(_card(result, number, places) for number, result in enumerate(found.results, 1))
        parts.append(f'<ol class="cards">{cards}</ol>')
    else:
        parts.append('<div class="aside"><h3>Nothing in the knowledge fits all that must hold</h3></div>')
    if found.near_misses:
        misses = "".join(
            f'<li>{_pointer(miss.record, f"near-{place}")}<span class="small">{byline(miss.record.source)}</span>'
            f'<span class="breaks">{escape("; ".join(breaks(miss)))}</span></li>'
            for place, miss in enumerate(found.near_misses)
        )
        parts.append(f'<h3>Near misses, and what they break</h3><ul class="pointers">{misses}</ul>')
    if found.left_out:
        sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in found.left_out)
        parts.append(f"<h3>What this list leaves out</h3><ul>{sentences}</ul>")
    return f'<div class="answer wide" id="found">{"".join(parts)}</div>'


def _card(result: Recommended, number: int, places: Iterator[int]) -> str:
    record = result.record
    of = card(record)
    passages = {passage.id: passage for passage in passages_of(record)}
    why = [passages[reason.passage_id] for reason in result.why]
    unmet = ", ".join(NAMES[name] for name in result.unmet)
    more = "".join(
        f"<h5>{name}</h5>{_statements(left, record, number, places)}"
        for name, statements in said(of)
        if (left := [p for p in statements if p not in why])
    )
    return (
        f'<li class="card"><h3>{number}. {title(record.source)}</h3>'
        f'<p class="small">{byline(record.source)}</p>{_list(facts(of))}'
        f"<h4>Why it fits</h4>{_statements(why, record, number, places)}"
        + (f'<p class="note">Wishes not met or not stated: {escape(unmet)}.</p>' if unmet else "")
        + (f'<details class="more"><summary>Materials, results, cautions</summary>{more}</details>' if more else "")
        + f"{link(record.source)}</li>"
    )


def _statements(statements: Sequence[Passage], record: Record, number: int, places: Iterator[int]) -> str:
    items = (
        f'<li><span class="claim">{escape(p.text)}</span>'
        f"{marker(Citation(number, p), record, f'found-{next(places)}')}</li>"
        for p in statements
    )
    return f"<ul>{''.join(items)}</ul>"


def _list(rows: Sequence[tuple[str, str]]) -> str:
    return f'<dl class="facts">{"".join(f"<dt>{term}</dt><dd>{escape(value)}</dd>" for term, value in rows)}</dl>'


def _pointer(record: Record, name: str) -> str:
    return (
        f'<button type="button" class="pointer" popovertarget="{name}" aria-haspopup="dialog">{title(record.source)}'
        f"</button>{sheet(name, record)}"
    )


def compared(records: Sequence[Record]) -> str:
    """Two to four resources side by side. Raises SettingsError for another number."""
    places = count()
    rows = []
    for name, cells in comparison(records):
        shown = [
            escape(cell)
            if isinstance(cell, str)
            else _statements(cell, record, number, places).replace("found-", "side-")
            for number, (cell, record) in enumerate(zip(cells, records, strict=True), 1)
        ]
        rows.append(f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in shown)}</tr>')
    heads = "".join(f'<th scope="col">{number}. {title(r.source)}</th>' for number, r in enumerate(records, 1))
    return (
        '<div class="answer wide"><div class="scroll" role="region" tabindex="0" aria-label="Resources side by side">'
        f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></div>"
    )


def document(shown: Document, prefix: str, own: str) -> str:
    """A document with a button at each cited line, `own` at each line of the person's, and its sources."""
    places = count()
    sections = "".join(
        f"<section><h3>{escape(section.heading)}</h3>"
        f"<ul>{''.join(_line(line, shown, prefix, own, places) for line in section.lines)}</ul></section>"
        for section in shown.sections
    )
    sources = "".join(
        f'<li value="{number}"><span class="title">{title(r.source)}</span> '
        f'<span class="small">{byline(r.source)}</span>{link(r.source)}</li>'
        for number, r in enumerate(shown.sources, 1)
    )
    listed = f'<section><h3>Sources</h3><ol class="references">{sources}</ol></section>' if sources else ""
    return f'<article class="answer document"><h2>{escape(shown.title)}</h2>{sections}{listed}</article>'


def _line(line: Line, shown: Document, prefix: str, own: str, places: Iterator[int]) -> str:
    text = f'<span class="claim">{escape(line.text)}</span>'
    if line.origin == "own":
        return f'<li class="own">{text} <span class="tag">{own}</span></li>'
    buttons = []
    for number in line.markers:
        record = shown.sources[number - 1]
        passage = next(p for p in passages_of(record) if p.text == line.text)
        buttons.append(marker(Citation(number, passage), record, f"{prefix}-{next(places)}"))
    return f"<li>{text}{''.join(buttons)}</li>"


def file(name: str, content: bytes) -> str:
    """A link that holds a file itself, so that none is written on the machine that serves the page."""
    data = base64.b64encode(content).decode()
    address = f"data:{MEDIA[name.rpartition('.')[2]]};base64,{data}"
    return f'<p role="status"><a class="save" download="{escape(name)}" href="{address}">Save {escape(name)}</a></p>'


def told(message: str) -> str:
    """A sentence on what to do, in place of a result."""
    return f'<div class="answer"><div class="aside" role="status">{paragraphs(message)}</div></div>'
