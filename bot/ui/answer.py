"""A reply as HTML for the page: groups of claims, and a button behind each that opens the passage and its record.

Every piece of text is escaped here and none passes through Markdown: titles, statements and questions are outside text.
What a button opens is a popover, so it needs no round trip and no script, and it stays open while the page around it grows
(a `<details>` or `<dialog>` would lose its `open` when the page is drawn anew).
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import count

from bot.render import KINDS, ONE_SOURCE, TIERS, authors, groups
from bot.reply import Citation, Outcome, Reply, ShownClaim, Source
from knowledge.passage import Passage, passages_of
from knowledge.record import HEADINGS, Record
from knowledge.record import Source as Origin

OUTCOME_TITLES = {
    Outcome.ABSTAIN: "I have no answer to this",
    Outcome.REFUSE: "This is not something I can help with",
    Outcome.SUPPORT: "Please look after yourself first",
    Outcome.CLARIFY: "Let me make sure I understand",
}
ACCESS = {"open": "free to read", "abstract-only": "only the abstract was read", "paywalled": "behind a paywall"}


def exchange(number: int, question: str, answer: str) -> str:
    """A question and what was said to it, as one article of the conversation."""
    return (
        f'<article class="exchange" id="exchange-{number}">'
        f'<h2 class="question" tabindex="-1"><span class="unseen">You asked: </span>{escape(question)}</h2>'
        f"{answer}</article>"
    )


def partial(claims: Sequence[ShownClaim], note: str = "") -> str:
    """The claims so far; their markers become buttons when the list of sources is complete."""
    return _answer("", _claims(claims, {}, ""), paragraphs(note, "note"))


def complete(reply: Reply, number: int) -> str:
    """The whole reply to the question of that number. Outcomes that are no answer look like help, not like a fault."""
    notices = "".join(paragraphs(notice, "note") for notice in reply.notices)
    heading = OUTCOME_TITLES.get(reply.outcome)
    message = (f"<h3>{heading}</h3>" if heading else "") + paragraphs(reply.message)
    if heading:
        message = f'<div class="aside" data-outcome="{reply.outcome}">{message}</div>'
    by_marker = {source.marker: source.record for source in reply.sources}
    return _answer(
        notices + message,
        _claims(reply.claims, by_marker, f"exchange-{number}"),
        _withheld(reply.withheld)
        + (paragraphs(ONE_SOURCE, "note") if reply.outcome is Outcome.ANSWER and len(reply.sources) == 1 else "")
        + _nearest(reply.nearest, f"exchange-{number}"),
    )


def said(message: str) -> str:
    """A plain message in the place of an answer."""
    return _answer(f'<div class="aside">{paragraphs(message)}</div>', "", "")


def sources(reply: Reply) -> str:
    """The numbered list of sources of one answer; empty when it has none."""
    if not reply.sources:
        return ""
    uses = [citation.marker for claim in reply.claims for citation in claim.citations]
    entries = "".join(_entry(source, uses.count(source.marker)) for source in reply.sources)
    return f'<section aria-labelledby="sources-title"><h2 id="sources-title">Sources</h2><ol>{entries}</ol></section>'


def spoken(reply: Reply) -> str:
    """The reply in a few words, for those who hear the page."""
    if reply.claims:
        return f"Answer ready: {_number(len(reply.claims), 'statement')} from {_number(len(reply.sources), 'source')}."
    return "Reply ready."


def _answer(before: str, claims: str, after: str) -> str:
    # Three parts that are always there: the page is updated node by node, and a part that came late would shift the rest.
    return f'<div class="answer"><div>{before}</div><div>{claims}</div><div>{after}</div></div>'


def _claims(claims: Sequence[ShownClaim], by_marker: dict[int, Record], prefix: str) -> str:
    places = count()
    parts = []
    for heading, group in groups(claims):
        lines = [(claim.limits, _claim(claim, by_marker, f"{prefix}-{next(places)}")) for claim in group]
        if heading is None:
            parts.append(f'<div class="lead">{lines.pop(0)[1]}</div>')
        else:
            parts.append(f"<h3>{heading}</h3>")
        items = (f'<li class="limit">{line}</li>' if limits else f"<li>{line}</li>" for limits, line in lines)
        parts.append(f"<ul>{''.join(items)}</ul>" if lines else "")
    return "".join(parts)


def _claim(claim: ShownClaim, by_marker: dict[int, Record], prefix: str) -> str:
    caution = '<strong class="caution">Caution:</strong> ' if claim.limits else ""
    markers = "".join(
        marker(citation, by_marker.get(citation.marker), f"{prefix}-{place}")
        for place, citation in enumerate(claim.citations)
    )
    return f'{caution}<span class="claim">{escape(claim.text)}</span>{markers}'


def marker(citation: Citation, record: Record | None, name: str) -> str:
    """A button that opens the cited passage; a bare number where the record is not known yet. `name` is unique on the page."""
    if record is None:
        return f'<span class="marker">{citation.marker}</span>'
    label = f"Source {citation.marker}: {record.source.title}"
    return (
        f'<button type="button" class="marker" popovertarget="{name}" aria-haspopup="dialog" aria-label="{escape(label)}">'
        f"{citation.marker}</button>{sheet(name, record, citation)}"
    )


def sheet(name: str, record: Record, citation: Citation | None = None) -> str:
    """What a marker opens: the cited passage, its record's particulars, and all that the record says."""
    kicker, quote = "Nearest in the knowledge", ""
    if citation:
        kicker = f"Source {citation.marker}"
        passage = citation.passage
        quote = (
            f'<h4>Cited passage</h4><blockquote class="passage" data-passage-id="{escape(passage.id)}" '
            f'data-digest="{passage.digest}">{escape(passage.text)}</blockquote>'
        )
    return (
        f'<div popover class="sheet" id="{name}" role="dialog" aria-labelledby="{name}-title" '
        f'data-record-id="{escape(record.id)}">'
        f'<div class="bar"><span>{kicker}</span>'
        f'<button type="button" popovertarget="{name}" popovertargetaction="hide" autofocus>Close</button></div>'
        f'<div class="body"><h3 id="{name}-title">{title(record.source)}</h3>{quote}'
        f"{_particulars(record)}{link(record.source)}"
        '<h4>All that our record says</h4><p class="small">Short notes, made when the source was read. '
        "For its own words, open the source.</p>"
        f"{_statements(record, citation.passage if citation else None)}</div></div>"
    )


def _particulars(record: Record) -> str:
    origin = record.source
    rows = {
        "Authors": authors(origin.authors),
        "Organization": origin.organization,
        "Year": str(origin.year) if origin.year else "no date shown",
        "Published in": origin.venue,
        "Kind": _kind(origin).capitalize(),
        "Evidence": TIERS[origin.tier].capitalize(),
        "Access": ACCESS[origin.access].capitalize() if origin.access else None,
        "Read on": _read_on(record),
    }
    return f"<dl>{''.join(f'<dt>{term}</dt><dd>{escape(value)}</dd>' for term, value in rows.items() if value)}</dl>"


def _statements(record: Record, cited: Passage | None) -> str:
    passages = passages_of(record)
    parts = []
    for facet, heading in HEADINGS.items():
        items = [
            f'<li class="cited" aria-current="true">{escape(passage.text)}</li>'
            if cited and passage.id == cited.id
            else f"<li>{escape(passage.text)}</li>"
            for passage in passages
            if passage.facet is facet
        ]
        if items:
            parts.append(f"<h5>{heading}</h5><ul>{''.join(items)}</ul>")
    return "".join(parts)


def _entry(source: Source, uses: int) -> str:
    record = source.record
    return (
        f'<li value="{source.marker}"><span class="title">{title(record.source)}</span>'
        f'<span class="small">{byline(record.source)}</span>'
        f'<span class="small"><span class="tier">{TIERS[record.source.tier].capitalize()}</span> · {_kind(record.source)} · '
        f"read {_read_on(record)} · {_number(uses, 'statement')} used</span>"
        f"{link(record.source)}</li>"
    )


def _nearest(records: Sequence[Record], prefix: str) -> str:
    if not records:
        return ""
    items = "".join(
        f'<li><button type="button" class="pointer" popovertarget="{prefix}-near-{place}" aria-haspopup="dialog">'
        f'{title(record.source)}</button> <span class="small">{byline(record.source)}</span>'
        f"{sheet(f'{prefix}-near-{place}', record)}</li>"
        for place, record in enumerate(records)
    )
    return f'<h3>Nearest in the knowledge</h3><ul class="pointers">{items}</ul>'


def _withheld(number: int) -> str:
    if not number:
        return ""
    one = number == 1
    return paragraphs(
        f"{_number(number, 'sentence')} {'was' if one else 'were'} withheld because {'its' if one else 'their'} "
        f"sources do not fully support {'it' if one else 'them'}.",
        "note",
    )


def title(origin: Origin) -> str:
    """The title; in square brackets where it merely describes the work."""
    return f"[{escape(origin.title)}]" if origin.title_is_descriptive else escape(origin.title)


def byline(origin: Origin) -> str:
    """Who, where and when."""
    parts: Iterable[str | None] = (
        authors(origin.authors) or origin.organization,
        origin.venue,
        str(origin.year) if origin.year else "no date shown",
    )
    return escape(" · ".join(part for part in parts if part))


def _kind(origin: Origin) -> str:
    return KINDS.get(origin.kind, origin.kind)


def _read_on(record: Record) -> str:
    return f"{record.checked.day} {record.checked:%B %Y}"


def link(origin: Origin) -> str:
    """A link from the record's own field, whose scheme was checked by the schema; it tells the other site nothing."""
    if not origin.link:
        return ""
    address = escape(origin.link)
    host = escape(origin.link.split("/")[2])
    return (
        f'<a class="source" href="{address}" target="_blank" rel="noopener noreferrer">'
        f'<span class="verb">Open the source</span> <span class="small">{host} (new tab)</span></a>'
    )


def paragraphs(text: str, kind: str = "") -> str:
    """The blocks of a text as paragraphs of one class."""
    return "".join(f'<p class="{kind}">{escape(block)}</p>' for block in _blocks(text))


def _blocks(text: str) -> Iterator[str]:
    yield from (block.strip() for block in text.split("\n\n") if block.strip())


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
