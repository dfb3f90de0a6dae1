"""Draft lines to claims: which evidence does each line name?"""

import re
from collections.abc import Mapping

from bot.reply import Claim, Evidence

_marker = re.compile(r"\s*\[(E?\d{1,4})\]")


def read_claim(line: str, evidence: Mapping[str, Evidence], limits: bool = False) -> Claim | None:
    """The claim on one line of a draft, `text [E1][E3]`; None for a line without words.

    A marker that names no evidence is kept in `unknown_markers`, so that the check sees it.

    >>> read_claim("Start small. [E9]", {}).unknown_markers
    ('E9',)
    """
    keys = list(dict.fromkeys(_marker.findall(line)))
    text = " ".join(_marker.sub("", line).split())
    if not re.search(r"\w", text):
        return None
    cited = tuple(evidence[key] for key in keys if key in evidence)
    return Claim(text, cited, tuple(key for key in keys if key not in evidence), limits)
