"""What the curator's guide says is what the program does."""

import re
from pathlib import Path

from knowledge.record import Record, Source, parse_record, render_record

GUIDE = (Path(__file__).parents[2] / "knowledge" / "README.md").read_text(encoding="utf-8")


def test_the_worked_example_is_a_record_in_the_programs_own_form() -> None:
    (example,) = re.findall(r"```markdown\n(.*?)```", GUIDE, re.DOTALL)
    assert render_record(parse_record(example, "example-2025-lecture-check.md")) == example


def test_every_field_is_explained() -> None:
    fields = (set(Record.model_fields) | set(Source.model_fields)) - {"id", "source", "statements", "document"}
    assert [name for name in sorted(fields) if f"`{name}`" not in GUIDE and f"`source.{name}`" not in GUIDE] == []
