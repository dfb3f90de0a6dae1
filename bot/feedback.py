"""What readers chose to tell us about a reply: the store's schema, one JSON line a complaint.

A complaint is written only when its reader asks for it, after being shown what will be kept. It holds no name, no address
and no time of day. `python -m evals triage` turns complaints into evaluation cases.
"""

import hashlib
import os
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge.errors import EvaluationError

STORE = Path("feedback") / "complaints.jsonl"  # below the data folder
Wrong = Literal["not_true", "not_an_answer", "should_have_declined", "should_have_answered", "unsafe", "other"]


class Complaint(BaseModel):
    """One complaint. `cited` and `nearest` are record ids, so that what was shown can be found again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    wrong: Wrong
    question: Annotated[str, Field(min_length=1, max_length=2_000)]
    comment: Annotated[str, Field(max_length=4_000)] = ""
    outcome: Literal["answer", "abstain", "refuse", "support", "clarify"]
    reason: str | None = None
    cited: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    generation: str = ""
    model: str = "extractive"

    @property
    def id(self) -> str:
        """A name by content: the same complaint has the same name."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class FeedbackStore:
    """The complaints below one data folder."""

    def __init__(self, data: Path) -> None:
        self.file = data / STORE

    def add(self, complaint: Complaint) -> None:
        """Append a complaint, readable by its owner only. Raises OSError."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as lines:
            lines.write(complaint.model_dump_json() + "\n")

    def all(self) -> list[Complaint]:
        """Every complaint, oldest first; none if nobody left one. Raises EvaluationError naming the line."""
        if not self.file.exists():
            return []
        found = []
        for number, line in enumerate(self.file.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip():
                try:
                    found.append(Complaint.model_validate_json(line))
                except ValidationError as error:
                    raise EvaluationError(
                        f"{self.file}, line {number}: is no complaint. Correct or delete the line."
                    ) from error
        return found
