"""BibTeX, RIS and CSL-JSON: each entry a work; its abstract, where there is one, is its text. Doors to bibtexparser and rispy."""

import html
import logging
import re
from collections.abc import Mapping, Sequence
from itertools import count
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
    # Braced groups are kept, since they hold together the names of groups.
    library = parse_string(_prepared(text), append_middleware=[LatexDecodingMiddleware(keep_braced_groups=True)])
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


def _prepared(text: str) -> str:
    """The text with a key for each entry that has none, as EndNote writes them, and with signs that the decoder would drop."""
    number = count()
    text = re.sub(
        r"^(\s*@\w+\s*\{)(?=\s*\w+\s*=)(?<!@string\{)",
        lambda match: f"{match[1]}unnamed-{next(number)},",
        text,
        flags=re.MULTILINE | re.IGNORECASE,
    )
    for name, sign in (("less", "<"), ("greater", ">")):
        text = re.sub(rf"\{{\\text{name}\s*\}}|\\text{name}(\{{\}}|\b ?)", sign, text)
    return text


def _bibtex_names(text: str) -> list[str]:
    """The names in a field: 'Lee, Ada and {A Group and Friends} and others'."""
    groups = re.findall(r"\{([^{}]*)\}", text)
    number = count()
    held = re.sub(r"\{[^{}]*\}", lambda _: f"\0{next(number)}\0", text)
    names = []
    for name in re.split(r"\s+and\s+", held.strip()):
        whole = re.sub(r"\0(\d+)\0", lambda match: groups[int(match[1])], name if "\0" in name else _turned(name, True))
        names += [" ".join(re.sub(r"[{}]", "", whole).split())] if name and name != "others" else []
    return names


def _bibtex_work(fields: Mapping[str, str]) -> Work:
    def get(*names: str) -> str:
        found = next((fields[name] for name in names if fields.get(name)), "")
        return " ".join(re.sub(r"[{}]", "", found).split())

    note = get("note", "annote")
    return _entry(
        title=": ".join(part for part in (get("title"), get("subtitle")) if part),
        authors=_bibtex_names(fields.get("author") or fields.get("editor") or ""),
        organization=get("institution", "organization", "school", "publisher"),
        year=find_year(get("year", "date")),
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
        venue=get("secondary_title", "alternate_title3", "journal_name", "alternate_title2", "alternate_title1"),
        doi=tidy_doi(get("doi")) or tidy_doi(get("urls", "url")),
        pmid=get("accession_number") if get("name_of_database").lower() in ("pubmed", "medline") else "",
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
        year=find_year(date) or find_year(get("year", "date", "publication_year", "publication year")),
        # The latter are columns of exports from Zotero, Scopus and PubMed.
        venue=get("container-title", "venue", "journal", "publication title", "source title", "journal/book"),
        doi=tidy_doi(get("DOI", "doi")) or tidy_doi(get("URL", "url")),
        pmid=get("PMID", "pmid"),
        url=get("URL", "url", "link"),
        abstract=get("abstract", "abstract note", "summary", "description", "text"),
        retracted=get("retracted") if get("retracted").lower() not in ("false", "no", "0") else "",
    )


def _csl_names(value: object) -> list[str]:
    if isinstance(value, str):
        listed = [name.strip(" .") for name in value.split(",")]
        if len(listed) > 1 and all(re.fullmatch(r"\S.* [A-Z]{1,3}", name) for name in listed):
            return listed  # as PubMed has them: Lee A, Chan B.
        return [_turned(name.strip()) for name in re.split(r";| and ", value) if name.strip()]
    found = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, Mapping):
            keys = ("given", "dropping-particle", "non-dropping-particle", "family", "literal", "name")
            name = " ".join(part for key in keys if isinstance(part := item.get(key), str) and part)
            suffix = item.get("suffix")
            found.append(f"{name}, {suffix}" if name and isinstance(suffix, str) and suffix else name)
        elif isinstance(item, str):
            found.append(_turned(item))
    return [name for name in found if name]


def _turned(name: str, junior_second: bool = False) -> str:
    """'Lee, Ada' as 'Ada Lee'; a third part, such as 'Jr.', stands last, and in BibTeX between the two.

    >>> _turned("Lee, Ada"), _turned("King, Martin, Jr."), _turned("King, Jr., Martin", junior_second=True)
    ('Ada Lee', 'Martin King, Jr.', 'Martin King, Jr.')
    """
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 3 and all(parts):
        last, first, junior = (parts[0], parts[2], parts[1]) if junior_second else parts
        return f"{first} {last}, {junior}"
    return " ".join(reversed(parts)) if len(parts) == 2 and all(parts) else name.strip()


def _entry(
    *, title: str, authors: Sequence[str], organization: str = "", year: int | None, venue: str, doi: str, pmid: str = "",
    url: str, abstract: str, retracted: str,
) -> Work:  # fmt: skip
    known = re.search(r"(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/(\d{1,9})\b", url)
    pmid = pmid or (known[1] if known else "")
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
