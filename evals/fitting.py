"""What the fit scripts share: development questions, folds that keep a record together, shares with their intervals."""

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASES = Path(__file__).with_name("cases")
OWN = Path(__file__).with_name("fit_questions.jsonl")
MESSAGES = Path(__file__).with_name("fit_messages.jsonl")
FOLDS = 8


@dataclass(frozen=True)
class Row:
    """A question with its right label, the set that it comes from, and what keeps related rows in one fold."""

    question: str
    label: str
    source: str
    group: str

    @property
    def fold(self) -> int:
        """The same number for all rows of a group."""
        return zlib.crc32(self.group.encode()) % FOLDS


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def own_cases(family: str, half: str = "dev") -> list[dict[str, Any]]:
    """The cases of one of our families and half."""
    return [row for row in read_rows(CASES / f"{family}.jsonl") if row["half"] == half]


def held_out(family: str) -> list[dict[str, Any]]:
    """Cases of the test half that were not copied from a development set, so that nothing was fitted to them."""
    return [row for row in own_cases(family, "test") if not row["made"].startswith("copied")]


def unique(rows: Sequence[Row]) -> list[Row]:
    """Each question once, with the first label that it came with."""
    return list({row.question.strip().lower(): row for row in reversed(rows)}.values())[::-1]


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share. Formula: Wilson 1927, z = 1.96."""
    if not of:
        return 0.0, 1.0
    z, share = 1.96, right / of
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


def described(right: int, of: int) -> str:
    """A share with its counts and interval, for reading.

    >>> described(9, 10)
    '9/10 = 0.90 [0.60, 0.98]'
    """
    low, high = wilson(right, of)
    return f"{right}/{of} = {right / of if of else 0:.2f} [{low:.2f}, {high:.2f}]"
