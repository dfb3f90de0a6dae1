"""Text in, text out: Unicode form, white space, and characters that nobody sees. Done before offsets exist."""

import re
import unicodedata
from collections import Counter

# Each class by the name under which a report counts it. Order matters only for reading.
_REMOVED = {
    "control characters": r"[\u0000-\u0008\u000b-\u001f\u007f-\u0084\u0086-\u009f]",
    "text-direction controls": r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]",
    "invisible tag characters": r"[\U000e0000-\U000e007f]",
    "zero-width characters": r"[\u200b\u2060-\u2065\u206a-\u206f\ufeff\u180e]",
    # Joiners belong to scripts that need them and to emoji; elsewhere they only hide something.
    "stray joiners": r"(?<![\u0590-\u0fff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]",
    "stray variation selectors": (
        r"(?<![\u0023\u002a\u0030-\u0039\u2000-\u3299\U0001f000-\U0001faff])[\ufe00-\ufe0f]"
        r"|[\U000e0100-\U000e01ef]"
    ),
    "broken characters": r"[\ud800-\udfff]",
}
# A soft hyphen or a byte order mark is a trace of typesetting, not a sign of anything.
_HARMLESS = re.compile("[\u00ad\ufeff]")
_removed = {name: re.compile(pattern) for name, pattern in _REMOVED.items()}
_line_end = re.compile(r"\r\n?|[\u0085\u2028\u2029\u000b\u000c]")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "\u00a0": " ", "\u202f": " "})


def clean(text: str) -> tuple[str, Counter[str]]:
    r"""The text in NFC with `\n` line ends and without unseen characters, and how many of each class were removed.

    >>> clean("ra\u202ece\r\n")
    ('race\n', Counter({'text-direction controls': 1}))
    """
    counts: Counter[str] = Counter()
    text = _HARMLESS.sub("", _line_end.sub("\n", text))
    for name, pattern in _removed.items():
        text, count = pattern.subn("", text)
        if count:
            counts[name] = count
    return unicodedata.normalize("NFC", text).translate(_LIGATURES), counts


def one_line(text: str) -> str:
    r"""Cleaned text on one line without doubled spaces.

    >>> one_line(" A\n  title ")
    'A title'
    """
    cleaned = clean(text)[0]
    # Trap: removing a character can bring another one, such as a joiner, to the wrong place.
    while (again := clean(cleaned)[0]) != cleaned:
        cleaned = again
    return " ".join(cleaned.split())


def shortened(text: str, most: int) -> str:
    """One line of at most `most` characters, cut at a word."""
    line = one_line(text)
    return line if len(line) <= most else line[: most - 1].rsplit(" ", 1)[0] + "…"


def noted(counts: Counter[str]) -> list[str]:
    """What was removed, as one sentence for a report; a handful of control characters is not worth one."""
    return (
        [
            "Removed "
            + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
            + "; compare with the original."
        ]
        if counts
        else []
    )
