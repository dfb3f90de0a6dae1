"""What every loader gives back: works with what could be learnt about them, and remarks for the report."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.chunking import Block

_doi = re.compile(r"(?<![\w.])10\.\d{4,9}/[^\s\"<>{}|\\^`\[\]]+", re.ASCII)
_year = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")


@dataclass(frozen=True)
class Work:
    """One work found in a file. Empty means that the file did not say.

    `catalogued` marks an entry of a bibliography; `fields` are those of a record in the project's own form.
    """

    title: str = ""
    authors: tuple[str, ...] = ()
    organization: str = ""
    year: int | None = None
    venue: str = ""
    doi: str = ""
    pmid: str = ""
    url: str = ""
    blocks: tuple[Block, ...] = ()
    catalogued: bool = False
    retracted: str = ""
    fields: dict[str, Any] | None = None


@dataclass(frozen=True)
class Loaded:
    """What a file holds. `notes` are things a person should look at; `unread` are parts that could not be used."""

    works: tuple[Work, ...]
    notes: tuple[str, ...] = field(default=())
    unread: tuple[str, ...] = field(default=())


def find_doi(text: str) -> str:
    """The DOI in a text if it names exactly one, else nothing.

    >>> find_doi("https://doi.org/10.1000/abc(1).")
    '10.1000/abc(1)'
    """
    found = {tidy_doi(match[0]).lower(): tidy_doi(match[0]) for match in _doi.finditer(text)}
    return next(iter(found.values())) if len(found) == 1 else ""


def tidy_doi(text: str) -> str:
    """A DOI without its resolver and without the punctuation that follows it in a sentence; empty if it is none."""
    match = _doi.search(text)
    doi = match[0].rstrip(".,;:'") if match else ""
    while doi.endswith(")") and doi.count(")") > doi.count("("):
        doi = doi[:-1].rstrip(".,;:'")
    return doi


def find_year(text: str) -> int | None:
    """The first year from 1800 to 2099 in a date or a note, else None."""
    match = _year.search(text)
    return int(match[0]) if match else None


def names(text: str) -> tuple[str, ...]:
    """Authors in a field that separates them by semicolons, ' and ' or, where none holds a space before it, commas.

    >>> names("Ada Lee; Bo Chan"), names("Ada Lee, Bo Chan and Cy Diaz"), names("Lee, Ada")
    (('Ada Lee', 'Bo Chan'), ('Ada Lee', 'Bo Chan', 'Cy Diaz'), ('Lee, Ada',))
    """
    text = " ".join(text.split())
    if ";" in text:
        return tuple(part.strip() for part in text.split(";") if part.strip())
    parts = [part for piece in re.split(r" and | & ", text) for part in [piece.strip()] if part]
    if any("," in part for part in parts) and all(" " in bit.strip() for part in parts for bit in part.split(",")):
        parts = [bit.strip() for part in parts for bit in part.split(",") if bit.strip()]
    return tuple(parts)


def with_found_doi(work: Work) -> Work:
    """The work with the one DOI that its beginning names, where it had none."""
    if work.doi:
        return work
    start = ""
    for block in work.blocks:
        start += block.text + "\n"
        if len(start) > 3_000 or (block.page or 1) > 1:
            break
    return replace(work, doi=find_doi(start[:3_500]))
