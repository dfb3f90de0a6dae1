"""BibTeX, RIS and CSL-JSON: each entry a work; its abstract, where there is one, is its text. Doors to bibtexparser and rispy."""

import html
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import rispy
from bibtexparser.entrypoint import parse_string
from bibtexparser.middlewares import LatexDecodingMiddleware
from bibtexparser.model import DuplicateBlockKeyBlock, DuplicateFieldKeyBlock, ParsingFailedBlock
from rispy.parser import ParseError

from ingest.chunking import Block
from ingest.loaders.work import Loaded, Work, find_year, tidy_doi
from ingest.safety import decode
from knowledge.errors import RecordError

MOST_ENTRIES = 20_000
_retracted = re.compile(r"^\W*(retracted( article)?|withdrawn|retraction of)\b[\s:.\]]", re.IGNORECASE)


def load_bibtex(data: bytes) -> Loaded:
    """The entries of a BibTeX file; entries that cannot be read are named. Raises RecordError."""
    text = decode(data)
    if "@" not in text:
        raise RecordError("It holds no BibTeX entry; export it again.")
    # Its remarks on broken entries reach the report instead.
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)
    library = parse_string(text, append_middleware=[LatexDecodingMiddleware()])
    unread = []
    for block in library.failed_blocks:
        line = (block.start_line or 0) + 1
        what = (
            "a key that occurs before" if isinstance(block, DuplicateBlockKeyBlock)
            else "a field twice" if isinstance(block, DuplicateFieldKeyBlock)
            else "no end" if isinstance(block, ParsingFailedBlock) else "an error"
        )  # fmt: skip
        unread.append(f"the entry on line {line:,} has {what}")
    works = [_bibtex_work({field.key.lower(): str(field.value) for field in entry.fields}) for entry in library.entries]
    return _loaded(works, unread)


def _bibtex_work(fields: Mapping[str, str]) -> Work:
    def get(*names: str) -> str:
        found = next((fields[name] for name in names if fields.get(name)), "")
        return " ".join(re.sub(r"[{}]", "", found).split())

    note = get("note", "annote")
    return _entry(
        title=get("title"),
        authors=[_turned(name) for name in re.split(r"\s+and\s+", get("author", "editor")) if name],
        organization=get("institution", "organization", "school", "publisher"),
        year=find_year(get("year", "date", "urldate")),
        venue=get("journal", "journaltitle", "booktitle", "series"),
        doi=tidy_doi(get("doi")) or tidy_doi(get("url")),
        pmid=get("pmid"),
        url=get("url", "howpublished").removeprefix("\\url"),
        abstract=get("abstract"),
        retracted=note if re.search(r"\bretract|\bwithdrawn", note, re.IGNORECASE) else "",
    )


def load_ris(data: bytes) -> Loaded:
    """The entries of a RIS file. Raises RecordError, also for an entry without an end, which would swallow the next one."""
    text = decode(data)
    begun, ended = (len(re.findall(rf"^{tag}  ?-", text, re.MULTILINE)) for tag in ("TY", "ER"))
    if not begun:
        raise RecordError("It holds no RIS entry (no line 'TY  -'); export it again.")
    if begun != ended:
        raise RecordError(
            f"{begun} entries begin (TY) but {ended} end (ER), so it was cut or joined wrongly; export it again."
        )
    try:
        entries = rispy.loads(text, skip_unknown_tags=True)
    except (ParseError, ValueError, KeyError, TypeError, OSError) as error:
        raise RecordError("It is a damaged RIS file; export it again.") from error
    return _loaded([_ris_work(entry) for entry in entries], [])


def _ris_work(entry: Mapping[str, Any]) -> Work:
    def get(*names: str) -> str:
        value = next((entry[name] for name in names if entry.get(name)), "")
        return " ".join(str(value[0] if isinstance(value, list) else value).split())

    authors = entry.get("authors") or entry.get("first_authors") or entry.get("secondary_authors") or []
    return _entry(
        title=get("title", "primary_title", "translated_title", "short_title"),
        authors=[_turned(str(name)) for name in authors],
        organization=get("publisher"),
        year=find_year(get("year", "publication_year", "date")),
        venue=get("journal_name", "secondary_title", "alternate_title1", "alternate_title3"),
        doi=tidy_doi(get("doi")) or tidy_doi(get("urls", "url")),
        url=get("urls", "url"),
        abstract=get("abstract", "notes_abstract"),
        retracted=(get("type_of_reference") == "RTRCT" and "marked as retracted") or "",
    )


def csl_work(item: Mapping[str, Any]) -> Work:
    """A work from an item of CSL-JSON, or of plain rows with like names."""

    def get(*names: str) -> str:
        value = next((item[name] for name in names if item.get(name)), "")
        value = value[0] if isinstance(value, list) and value else value
        return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""

    issued = item.get("issued")
    date = (
        str(issued.get("date-parts") or issued.get("raw") or issued.get("literal") or "")
        if isinstance(issued, Mapping)
        else get("issued")
    )
    return _entry(
        title=get("title"),
        authors=_csl_names(item.get("author") or item.get("authors") or item.get("editor")),
        organization=get("organization", "publisher"),
        year=find_year(date) or find_year(get("year", "date", "publication_year")),
        venue=get("container-title", "venue", "journal"),
        doi=tidy_doi(get("DOI", "doi")) or tidy_doi(get("URL", "url")),
        pmid=get("PMID", "pmid"),
        url=get("URL", "url", "link"),
        abstract=get("abstract", "summary", "description", "text"),
        retracted=get("retracted") if get("retracted").lower() not in ("false", "no", "0") else "",
    )


def _csl_names(value: object) -> list[str]:
    if isinstance(value, str):
        return [_turned(name.strip()) for name in re.split(r";| and ", value) if name.strip()]
    found = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, Mapping):
            parts = [item.get(key) for key in ("given", "non-dropping-particle", "family", "literal", "name")]
            found.append(" ".join(part for part in parts if isinstance(part, str) and part))
        elif isinstance(item, str):
            found.append(_turned(item))
    return [name for name in found if name]


def _turned(name: str) -> str:
    """'Lee, Ada' as 'Ada Lee'; what has no or several commas stays."""
    parts = [part.strip() for part in name.split(",")]
    return " ".join(reversed(parts)) if len(parts) == 2 and all(parts) else name.strip()


def _entry(
    *, title: str, authors: Sequence[str], organization: str = "", year: int | None, venue: str, doi: str, pmid: str = "",
    url: str, abstract: str, retracted: str,
) -> Work:  # fmt: skip
    title = _without_tags(title)
    abstract = _without_tags(abstract)
    said = _retracted.match(title)
    return Work(
        title=title,
        authors=tuple(_without_tags(name) for name in authors),
        organization=organization,
        year=year,
        venue=_without_tags(venue),
        doi=doi,
        pmid=pmid if re.fullmatch(r"\d{1,9}", pmid) else "",
        url=url if re.match(r"https?://", url) else "",
        blocks=(Block(abstract),) if abstract else (),
        catalogued=True,
        retracted=retracted or (f"its title begins with {said[0].strip()!r}" if said else ""),
    )


def _without_tags(text: str) -> str:
    """Databases put <i>, <jats:p> and entities into titles and abstracts."""
    return " ".join(html.unescape(re.sub(r"</?[A-Za-z][\w:]*(\s[^<>]*)?/?>", " ", text)).split())


def _loaded(works: Sequence[Work], unread: list[str]) -> Loaded:
    if len(works) > MOST_ENTRIES:
        raise RecordError(f"It holds {len(works):,} entries, more than {MOST_ENTRIES:,}; split it.")
    titled = [work for work in works if work.title]
    if len(titled) < len(works):
        unread.append(f"{len(works) - len(titled)} entries have no title")
    if not titled:
        raise RecordError(
            f"It holds no entry that can be used ({'; '.join(unread[:3]) or 'none was found'}); export it again."
        )
    return Loaded(tuple(titled), unread=tuple(unread))
