"""What a record says about its use in teaching beyond its own fields: was it evaluated, how people meet, how long it takes.

The values stand in `teaching.yaml` with the words of the record that justify them. A value whose words are no longer in the
record is not used, so that an edited record can only lose a derived value, never keep a wrong one.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from knowledge.errors import RecordError
from knowledge.record import Record, Statement

Delivery = Literal["in person", "online", "self-paced"]
Design = Literal["randomised", "controlled", "before-after", "after only", "qualitative"]
MeasuredOutcome = Literal[
    "reaction", "attitude or confidence", "knowledge or skill", "behaviour", "teaching content", "patient experience"
]
Minutes = Annotated[int, Field(ge=1, le=100_000)]

_frozen = ConfigDict(frozen=True, extra="forbid")


class Evaluation(BaseModel):
    """Whether the teaching was evaluated; design and the highest outcome measured, where it was."""

    model_config = _frozen

    value: bool
    design: Design | None = None
    outcome: MeasuredOutcome | None = None
    quote: str = Field(min_length=1)


class Session(BaseModel):
    """The shortest and longest sitting in which it is given, in minutes."""

    model_config = _frozen

    shortest: Minutes
    longest: Minutes
    quote: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Session":
        if self.shortest > self.longest:
            raise ValueError("shortest is longer than longest")
        return self


class Teaching(BaseModel):
    """The derived values of one record, each with the words that justify it."""

    model_config = _frozen

    evaluated: Evaluation | None = None
    delivery: dict[Delivery, str] = Field(default_factory=dict)
    session: Session | None = None


_file = TypeAdapter(dict[str, Teaching])


@cache
def read_teaching() -> Mapping[str, Teaching]:
    """The derived values of all curated records by record id. Raises RecordError."""
    text = files("knowledge").joinpath("teaching.yaml").read_text(encoding="utf-8")
    try:
        return _file.validate_python(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise RecordError(f"teaching.yaml: cannot be read ({error}). Correct the entry that it names.") from error


def teaching_of(record: Record, known: Mapping[str, Teaching] | None = None) -> Teaching:
    """The derived values of a record whose words are still in it."""
    found = (read_teaching() if known is None else known).get(record.id, Teaching())
    return Teaching(
        evaluated=found.evaluated if found.evaluated and says(record, found.evaluated.quote) else None,
        delivery={mode: quote for mode, quote in found.delivery.items() if says(record, quote)},
        session=found.session if found.session and says(record, found.session.quote) else None,
    )


def says(record: Record, quote: str) -> bool:
    """Do these words stand in a statement of the record, or in its format or duration?"""
    return bool(statement_with(record, quote)) or any(
        quote in (text or "") for text in (record.format, record.duration)
    )


def statement_with(record: Record, quote: str) -> Statement | None:
    """The first statement that holds these words."""
    return next((statement for statement in record.statements if quote in statement.text), None)


def session_length(record: Record, teaching: Teaching) -> tuple[int, int] | None:
    """The shortest and longest sitting in minutes, None where the record does not say."""
    if record.session_minutes is not None:
        return record.session_minutes, record.session_minutes
    return (teaching.session.shortest, teaching.session.longest) if teaching.session else None
