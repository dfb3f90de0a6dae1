"""CSV, JSON and JSON lines: one work a row, as CSL-JSON or with plain column names, or a record in the project's own form."""

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import StringIO
from typing import Any, NoReturn

from pydantic import ValidationError

from ingest.loaders.bibliography import csl_work
from ingest.loaders.work import Loaded, Work
from ingest.safety import check_depth, decode
from knowledge.errors import RecordError
from knowledge.record import Record, Source

MOST_ROWS = 20_000
DEEPEST = 20


def load_csv(data: bytes) -> Loaded:
    """The rows of a table whose first row names its columns, 'title' among them. Raises RecordError."""
    text = decode(data)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.reader(StringIO(text, newline=""), dialect, strict=True)
    try:
        rows = [row for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise RecordError(
            f"Line {reader.line_num:,} is no row of a table ({error}); export it as CSV again."
        ) from error
    columns = [name.strip().lower() for name in rows[0]] if rows else []
    if "title" not in columns:
        raise RecordError(
            "Its first row names no column 'title'; name the columns title, authors, year, doi, url, abstract …"
        )
    if twice := next((name for name in columns if name and columns.count(name) > 1), None):
        raise RecordError(f"It names the column {twice!r} twice; rename one.")
    unread = [
        f"row {number:,} has {len(row)} cells instead of {len(columns)}"
        for number, row in enumerate(rows[1:], start=2)
        if len(row) != len(columns)
    ]
    items = [dict(zip(columns, row, strict=True)) for row in rows[1:] if len(row) == len(columns)]
    return _loaded(((number, item) for number, item in enumerate(items, start=2)), "row", unread)


def load_json(data: bytes) -> Loaded:
    """The items of a JSON list, or the one object. Raises RecordError."""
    value = _parse(decode(data), "")
    items = (
        value
        if isinstance(value, list)
        else value.get("items") or value.get("records") or [value]
        if isinstance(value, dict)
        else None
    )
    if not isinstance(items, list):
        raise RecordError("It holds no list of works; export it as CSL-JSON.")
    return _loaded(enumerate(items, start=1), "item", [])


def load_jsonl(data: bytes) -> Loaded:
    """The object on each line. Raises RecordError for a line that is none, with its number."""
    lines = [(number, text) for number, text in enumerate(decode(data).split("\n"), start=1) if text.strip()]
    return _loaded(((number, _parse(text, f"Line {number:,}: ")) for number, text in lines), "line", [])


def _parse(text: str, where: str) -> Any:
    check_depth(text, DEEPEST)
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise RecordError(
            f"{where}It is no JSON (line {error.lineno}, column {error.colno}: {error.msg}); export it again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}It is no strict JSON ({error}); export it again.") from error


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"holds the number {word}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for name, _ in pairs if [key for key, _ in pairs].count(name) > 1)
        raise ValueError(f"has the key {twice!r} twice")
    return made


def _loaded(items: Iterable[tuple[int, Any]], what: str, unread: list[str]) -> Loaded:
    works: list[Work] = []
    for number, item in items:
        if not isinstance(item, Mapping):
            raise RecordError(f"{what.capitalize()} {number:,} is no object with a title; export it again.")
        if "statements" in item:
            works.append(Work(fields=_record_fields(item, f"{what} {number:,}")))
        elif (work := csl_work(item)).title:
            works.append(work)
        else:
            unread.append(f"{what} {number:,} has no title")
        if len(works) > MOST_ROWS:
            raise RecordError(f"It holds more than {MOST_ROWS:,} rows; split it.")
    if not works:
        raise RecordError(
            f"It holds no work that can be used ({'; '.join(unread[:3]) or 'it has no rows'}); add titles."
        )
    return Loaded(tuple(works), unread=tuple(unread))


def _record_fields(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        return Record.model_validate(_nested(item)).model_dump(mode="json")
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "record"
        raise RecordError(
            f"The record on {where} cannot be used: field {field}: {problem['msg'].removeprefix('Value error, ')}; correct it."
        ) from error


def _nested(item: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose source may stand flat among its fields, and whose day of checking may be missing: it was read today."""
    fields = dict(item)
    if "source" not in fields:
        fields["source"] = {name: fields.pop(name) for name in Source.model_fields if name in fields}
    fields.setdefault("checked", datetime.now(UTC).date())
    return fields
