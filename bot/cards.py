"""Resources as cards, side by side, and as a list: stored fields and verbatim statements, in Markdown.

Everything that a card says is a field of the record or a statement of it with a numbered source; what the record does not
state is said to be unknown.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.recommender import NearMiss, Recommendation, Recommended, spoken
from bot.render import KINDS, TIERS, escape, reference
from knowledge.errors import SettingsError
from knowledge.passage import Passage, passages_of
from knowledge.record import Facet, Record
from knowledge.teaching import session_length, teaching_of

UNKNOWN = "not stated"
COMPARED = (2, 4)
ACCESS = {"open": "open to read", "abstract-only": "only the abstract is open", "paywalled": "behind a paywall"}
_materials = re.compile(
    r"\b(slides?|guides?|download\w*|toolkit|worksheets?|handouts?|supplies|materials|glossary|videos?|films?"
    r"|podcast|cases and|primer"
    r"|name bank|templates?|image(?:s| handbook)|PDF)\b",
    re.IGNORECASE,
)
_licence = re.compile(
    r"\b(licen[cs]e|Creative Commons|reproduc\w+|permission|free of charge|no-cost|account|cost of \$|copied)\b"
)


@dataclass(frozen=True)
class Card:
    """What a course director wants to know about one resource; empty tuples and None where the record does not say."""

    record: Record
    what: tuple[Passage, ...]
    audience: tuple[str, ...]
    time: str | None
    format: str | None
    delivery: tuple[str, ...]
    materials: tuple[Passage, ...]
    results: tuple[Passage, ...]
    evaluated: str | None
    cautions: tuple[Passage, ...]
    licence: tuple[Passage, ...]
    access: str | None


def card(record: Record) -> Card:
    """A record as a card."""
    teaching = teaching_of(record)
    passages = passages_of(record)
    of_facet = {facet: tuple(p for p in passages if p.facet is facet) for facet in Facet}
    useful = [*of_facet[Facet.PRACTICE], *of_facet[Facet.SUMMARY]]
    licence = tuple(p for p in passages if _licence.search(p.text))
    evaluation = teaching.evaluated
    return Card(
        record,
        of_facet[Facet.SUMMARY] or tuple(passages[:1]),
        record.audience,
        length_text(record),
        record.format,
        tuple(teaching.delivery),
        tuple(p for p in useful if _materials.search(p.text) and p not in of_facet[Facet.SUMMARY][:1])[:2],
        of_facet[Facet.FINDING],
        None
        if evaluation is None
        else ", ".join(filter(None, ["yes" if evaluation.value else "no", evaluation.design, evaluation.outcome])),
        of_facet[Facet.CAUTION],
        licence,
        ACCESS.get(record.source.access or ""),
    )


def length_text(record: Record) -> str | None:
    """The length as the record puts it, else the minutes of one sitting."""
    if record.duration:
        return record.duration
    length = session_length(record, teaching_of(record))
    if length is None:
        return f"{record.total_minutes} minutes in total" if record.total_minutes else None
    return f"{length[0]} minutes" if length[0] == length[1] else f"{length[0]} to {length[1]} minutes"


def kind_and_tier(record: Record) -> str:
    """For example 'workshop, peer-reviewed'."""
    return f"{KINDS.get(record.source.kind, record.source.kind)}, {TIERS[record.source.tier]}"


def card_markdown(of: Card, number: int = 1) -> str:
    """A card for a person; every quoted statement carries the card's number."""
    record = of.record
    head = f"### {number}. {escape(record.source.title)}"
    parts = [head, "\n".join(f"- **{name}:** {escape(value)}" for name, value in facts(of))]
    for name, passages in said(of):
        if passages:
            parts.append(f"**{name}**\n\n" + "\n".join(f"- {quoted(passage, number)}" for passage in passages))
    parts.append(f"{number}. {reference(record.source)}")
    return "\n\n".join(parts) + "\n"


def said(of: Card) -> list[tuple[str, tuple[Passage, ...]]]:
    """The statements of a card under their headings."""
    return [
        ("What it is", of.what[:2]),
        ("Materials", of.materials),
        ("Results", of.results[:3]),
        ("Cautions", of.cautions),
        ("Licence", of.licence[:1]),
    ]


def quoted(passage: Passage, number: int) -> str:
    """A statement word for word with the number of its source."""
    return f"{escape(passage.text)} \\[{number}\\]"


Cell = str | tuple[Passage, ...]


def comparison(records: Sequence[Record]) -> list[tuple[str, list[Cell]]]:
    """Two to four resources side by side: named rows of fields or statements, one cell a resource.

    Raises SettingsError for another number.
    """
    if not COMPARED[0] <= len(records) <= COMPARED[1]:
        raise SettingsError(f"A comparison holds 2 to 4 resources, not {len(records)}. Choose some of them.")
    cards = [card(record) for record in records]
    columns = [dict(facts(of)) for of in cards]
    rows: list[tuple[str, list[Cell]]] = [(name, [column[name] for column in columns]) for name in columns[0]]
    return [
        *rows,
        ("Country", [c.record.country or UNKNOWN for c in cards]),
        ("What it is", [c.what[:1] or UNKNOWN for c in cards]),
        ("Materials", [c.materials[:1] or UNKNOWN for c in cards]),
        ("Result", [c.results[:1] or UNKNOWN for c in cards]),
        ("Caution", [c.cautions[:1] or UNKNOWN for c in cards]),
    ]


def facts(of: Card) -> list[tuple[str, str]]:
    """The stored fields that decide whether a resource can be used, in words."""
    return [
        ("Kind", kind_and_tier(of.record)),
        ("For", ", ".join(of.audience) or UNKNOWN),
        ("Time", of.time or UNKNOWN),
        ("Format", "; ".join(filter(None, [of.format, ", ".join(of.delivery)])) or UNKNOWN),
        ("Evaluated", of.evaluated or "no evaluation was read"),
        ("Access", of.access or UNKNOWN),
    ]


def comparison_markdown(records: Sequence[Record]) -> str:
    """Two to four resources side by side. Raises SettingsError for another number."""
    rows = comparison(records)
    table = ["| | " + " | ".join(_cell(f"{n}. {r.source.title}") for n, r in enumerate(records, 1)) + " |"]
    table.append("|---|" + "---|" * len(records))
    for name, cells in rows:
        shown = [
            _cell(cell) if isinstance(cell, str) else " ".join(quoted(passage, number) for passage in cell)
            for number, cell in enumerate(cells, 1)
        ]
        table.append(f"| **{name}** | " + " | ".join(shown) + " |")
    sources = "\n".join(f"{n}. {reference(r.source)}" for n, r in enumerate(records, 1))
    return "\n".join(table) + f"\n\n**Sources**\n\n{sources}\n"


def _cell(text: str) -> str:
    return escape(" ".join(text.split()))


def recommendation_markdown(found: Recommendation) -> str:
    """The list for a person: how the need was read, what fits and why, near misses, and what is left out."""
    parts = [f"**Read as:** {escape(spoken(found.need))}"]
    if not found.results:
        parts.append("**Nothing in the knowledge fits all that must hold.**")
    for number, result in enumerate(found.results, start=1):
        parts.append(_result_markdown(result, number))
    if found.near_misses:
        parts += ["**Near misses**", "\n".join(f"- {near_miss_line(miss)}" for miss in found.near_misses)]
    if found.left_out:
        parts += ["**What this list leaves out**", "\n".join(f"- {escape(sentence)}" for sentence in found.left_out)]
    return "\n\n".join(parts) + "\n"


def _result_markdown(result: Recommended, number: int) -> str:
    record = result.record
    facts = [kind_and_tier(record), ", ".join(record.audience), length_text(record) or "length not stated"]
    facts += [record.format] if record.format else []
    lines = [
        f"### {number}. {escape(record.source.title)}",
        "*" + escape(" · ".join(filter(None, facts))) + "*",
        "\n".join(f"- {escape(why.text)} \\[{number}\\]" for why in result.why),
    ]
    if result.unmet:
        lines.append("Wishes not met or not stated: " + ", ".join(NAMES[name] for name in result.unmet) + ".")
    lines.append(f"{number}. {reference(record.source)}")
    return "\n\n".join(lines)


NAMES = {
    "audience": "audience",
    "max_minutes": "longest session",
    "min_minutes": "shortest session",
    "topics": "topic",
    "format": "format",
    "country": "country",
    "kind": "kind of resource",
    "evaluated": "evaluated",
    "open_access": "open access",
}


def near_miss_line(miss: NearMiss) -> str:
    """A near miss with what it breaks, and what it has instead, as Markdown."""
    return f"{reference(miss.record.source)} — {'; '.join(map(escape, breaks(miss)))}"


def breaks(miss: NearMiss) -> list[str]:
    """Each constraint that a near miss breaks, with what it has instead, as plain text."""
    record = miss.record
    told = {
        "audience": ", ".join(record.audience),
        "max_minutes": length_text(record),
        "min_minutes": length_text(record),
        "country": record.country,
        "kind": record.source.kind,
        "format": record.format,
        "topics": ", ".join(record.topics),
        "open_access": ACCESS.get(record.source.access or ""),
        "evaluated": "no evaluation was read",
    }
    return [f"{NAMES[name]}: {told.get(name) or UNKNOWN}" for name in miss.broken]
