"""What became of files and records, for people and programs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

Progress = Callable[[str, int, int], None]
"""Told the stage's name, how much is done and how much there is."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class FileReport:
    """What became of one file: added, changed, unchanged, flagged (it went in, but look at it), refused or skipped.

    `reason` says what is wrong and what to do; `metadata` what was understood about the first of its works.
    """

    path: str
    status: str
    records: int
    reason: str | None
    seconds: float
    id: str | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class BuildReport:
    """What a build did, or with `dry_run` would do. Counts are of records."""

    generation: str | None
    published: bool
    dry_run: bool
    added: int
    changed: int
    removed: int
    unchanged: int
    files: tuple[FileReport, ...]

    @property
    def refused(self) -> tuple[FileReport, ...]:
        """The files that could not be used."""
        return tuple(file for file in self.files if file.status == "refused")

    @property
    def flagged(self) -> tuple[FileReport, ...]:
        """The files that a person should look at: parts of them, or all, stay out of answers."""
        return tuple(file for file in self.files if file.status == "flagged")

    def as_json(self) -> dict[str, Any]:
        """The report in the contract's form."""
        return asdict(self)
