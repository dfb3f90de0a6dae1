"""The fixed, reviewed texts that are shown instead of or beside claims: support, refusals, and what the bot says about itself."""

# ruff: noqa: E501 - a pattern is read as a whole

import re
from functools import cache
from pathlib import Path

from knowledge.index import PassageIndex

_about_topics: tuple[tuple[str, str], ...] = (
    ("privacy", r"\b(log|logs|logged|stor\w+|keep|kept|private|privacy|see what|track\w*|save\w*|delete|remember|history|leave my|my computer|offline|server|internet connection|sell|ip address|anonymous|what i type|forget)\b"),
    ("language", r"\b(languages?|speak|spanish|french|english|urdu|arabic|german|portuguese|translate|swahili|hindi|chinese)\b"),
    ("advice", r"\b(lawyer|attorney|legal advice|doctor|physician|therapist|medical advice|counsel\w+)\b"),
    ("date", r"\b(up to date|updated?|recent|latest|how old|how new|last time|current|cut-?off)\b"),
    ("mistakes", r"\b(mistake|error|report|wrong answer|feedback|correct you|complain)\b"),
    ("checking", r"\b(check\w*|trust|wrong|make .{0,12}up|made up|invent\w*|hallucinat\w*|reliable|verif\w+|accurate|sure|lie|lying|bias(ed)?|number in brackets)\b"),
    ("sources", r"\b(sources?|facts|where .{0,20}(from|get)|references|database|the web|google|internet|papers|articles|records|library|look things up|training data)\b"),
    ("limits", r"\b(can'?t|cannot|limit\w*|won'?t|not able|weakness\w*|refuse)\b"),
)  # fmt: skip


@cache
def _sections(name: str) -> dict[str, str]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    parts = re.split(r"^# (\w+)\n", text, flags=re.MULTILINE)
    return {heading: body.strip() for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def fixed_text(name: str) -> str:
    """A text of `support.md` by its heading."""
    return _sections("support.md")[name]


def about_text(question: str, index: PassageIndex) -> str:
    """What the bot says about itself to this question: one section of `about.md`, with the figures of the live index."""
    found = (topic for topic, pattern in _about_topics if re.search(pattern, question, re.IGNORECASE))
    newest = max((record.checked for record in index.records), default=None)
    checked = f"{newest.day} {newest:%B %Y}" if newest else "no day"
    text = _sections("about.md")[next(found, "what")]
    return text.format(records=f"{len(index.records):,}", passages=f"{len(index.passages):,}", checked=checked)
