"""A reply as Markdown for a person: headings, claims with their markers, numbered sources."""

import re
from collections.abc import Iterable, Sequence

from bot.reply import Outcome, Reply, ShownClaim, Source
from knowledge.record import Facet
from knowledge.record import Source as Origin

GROUP_HEADINGS = {
    Facet.SUMMARY: "What there is",
    Facet.FINDING: "What has been found",
    Facet.PRACTICE: "What people do or advise",
    Facet.CAUTION: "What to be careful about",
}
KINDS = {"case-study": "case study", "qualitative-study": "qualitative study", "reference": "catalogue entry"}
TIERS = {
    "peer-reviewed": "peer-reviewed",
    "institutional": "an institution's own page",
    "guide": "practical guide",
    "news": "news report",
    "personal": "personal account or opinion",
    "unreviewed": "added here, not reviewed",
}
MOST_AUTHORS = 3
ONE_SOURCE = "All of this rests on 1 source: treat it with care."

_special = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def escape(text: str) -> str:
    r"""Text from outside as plain Markdown text: nothing in it formats, links or loads anything.

    >>> escape("p < .001 in *all* [1]")
    'p \\\\< .001 in \\\\*all\\\\* \\\\[1\\\\]'
    """
    return _special.sub(r"\\\1", text)


def markers(claim: ShownClaim) -> str:
    """The claim's markers, `[1][3]`, each once."""
    numbers = dict.fromkeys(citation.marker for citation in claim.citations)
    return "".join(f"[{number}]" for number in numbers)


def groups(claims: Sequence[ShownClaim]) -> list[tuple[str | None, list[ShownClaim]]]:
    """Claims under their headings, in the draft's order; the first claim leads and has none.

    A caveat stays with the claim before it, whatever its own facet.
    """
    grouped: list[tuple[str | None, list[ShownClaim]]] = []
    facet: Facet | None = None
    for claim in claims:
        if not grouped:
            grouped.append((None, [claim]))
        elif claim.limits or claim.facet is facet:
            grouped[-1][1].append(claim)
        else:
            facet = claim.facet
            grouped.append((GROUP_HEADINGS[facet], [claim]))
    return grouped


def markdown(reply: Reply) -> str:
    """What a person is shown."""
    parts: list[str] = []
    parts += [f"*{escape(notice)}*" for notice in reply.notices]
    if reply.message:
        parts.append(reply.message)
    for heading, claims in groups(reply.claims):
        lines = [f"  - *Caution:* {_line(c)}" if c.limits else f"- {_line(c)}" for c in claims]
        if heading is None:
            lines[0] = lines[0].removeprefix("- ")
            lines[1:] = [line.removeprefix("  ") for line in lines[1:]]
            parts += ["\n\n".join([lines[0], *(["\n".join(lines[1:])] if lines[1:] else [])])]
        else:
            parts += [f"**{heading}**", "\n".join(lines)]
    if reply.sources:
        if len(reply.sources) == 1 and reply.outcome is Outcome.ANSWER:
            parts.append(f"*{ONE_SOURCE}*")
        parts += ["**Sources**", "\n".join(source_line(source) for source in reply.sources)]
    if reply.nearest:
        parts += ["**Nearest in the knowledge**", "\n".join(f"- {reference(r.source)}" for r in reply.nearest)]
    if reply.follow_ups:
        parts += ["**You could ask next**", "\n".join(f"- {escape(question)}" for question in reply.follow_ups)]
    return "\n\n".join(parts) + "\n"


def _line(claim: ShownClaim) -> str:
    return f"{escape(claim.text)} {escape(markers(claim))}"


def source_line(source: Source) -> str:
    """A numbered entry of the list of sources, with the kind and tier of evidence and the day it was read."""
    origin = source.record.source
    kind = KINDS.get(origin.kind, origin.kind)
    read = f"{source.record.checked.day} {source.record.checked:%B %Y}"
    tier = f"**{TIERS[origin.tier]}**" if origin.tier == "unreviewed" else TIERS[origin.tier]
    return f"{source.marker}. {reference(origin)} — {kind}, {tier}; read {read}."


def reference(origin: Origin) -> str:
    """Authors (year). Title. Venue. Link.

    Only what the page showed: a title that merely describes the work stands in square brackets.
    """
    who = authors(origin.authors) or origin.organization
    title = escape(origin.title)
    title = f"\\[{title}\\]" if origin.title_is_descriptive else f"*{title}*"
    year = f"({origin.year})" if origin.year else "(no date shown)"
    head = f"{escape(who)} {year}. {title}." if who else f"{title} {year}."
    tail: Iterable[str] = filter(None, [origin.venue and escape(origin.venue) + ".", _link(origin)])
    return " ".join([head, *tail])


def authors(names: Sequence[str] | None) -> str | None:
    """Up to three names, then 'et al.'.

    >>> authors(["A. One", "B. Two", "C. Three", "D. Four"])
    'A. One, B. Two, C. Three, et al.'
    """
    if not names:
        return None
    real = [name for name in names if name != "et al."]
    more = len(real) > MOST_AUTHORS or len(real) < len(names)
    return ", ".join(real[:MOST_AUTHORS]) + (", et al." if more else "")


def _link(origin: Origin) -> str | None:
    """A link from the record's own field; the address was checked by the schema."""
    return f"<{origin.link}>" if origin.link else None
