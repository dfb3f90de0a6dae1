"""The schema that a curator fills in, and its Markdown form.

A record is one reviewed work: where it comes from, what it is about, and self-contained statements of what it says.
Its Markdown file is the truth; `read_record` and `render_record` are each other's inverse.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from knowledge.errors import RecordError

FRONT_MATTER_LIMIT = 64_000  # characters; a real record's front matter has about 2,000
RECORD_LIMIT = 1_000_000  # bytes

Kind = Literal[
    "study", "qualitative-study", "survey", "review", "case-study", "curriculum", "workshop", "course", "elective",
    "toolkit", "checklist", "framework", "competencies", "guide", "collection", "policy", "standard", "statement",
    "report", "commentary", "news", "document", "reference",
]  # fmt: skip
Tier = Literal["peer-reviewed", "institutional", "guide", "news", "personal", "unreviewed"]
Access = Literal["open", "abstract-only", "paywalled"]
Audience = Literal[
    "medical students", "pre-clinical students", "clinical students", "residents", "fellows", "faculty",
    "institutional leaders", "interprofessional", "nurses", "pharmacists", "physician assistants", "dental",
    "public health", "community partners",
]  # fmt: skip
Topic = Literal[
    "accreditation", "admissions and pathways", "advocacy skills", "allyship", "anti-asian racism",
    "anti-black racism", "anti-racism fundamentals", "assessment and grading", "barriers and resistance",
    "bias training limits", "burnout and wellbeing", "caste discrimination", "clinical algorithms",
    "communication skills", "community engagement", "competencies", "cultural safety", "curriculum mapping",
    "curriculum reform", "decolonising curriculum", "dental education", "dermatology and skin of color",
    "evaluation evidence", "faculty development", "genetics and ancestry", "graduate medical education",
    "health equity", "history of racism", "implicit bias", "indigenous health", "institutional policy",
    "interprofessional education", "latinx health", "learner activism", "learning environment",
    "legislation and politics", "measuring impact", "mentorship and support", "microaggressions", "minority tax",
    "mistreatment reporting", "nursing education", "organising skills", "patient bias",
    "petitions and open letters", "pharmacy education", "physician assistant education", "professionalism",
    "protest", "race as social construct", "race in teaching materials", "race-based medicine", "report cards",
    "reproductive justice", "retaliation", "simulation", "social determinants of health", "specialty training",
    "stigmatizing language", "structural competency", "structural racism", "student-led change",
    "upstander skills",
]  # fmt: skip
Strategy = Literal[
    "accountability-monitoring", "accreditation-leverage", "allyship-bystander", "audit",
    "clinical-practice-change", "coalition-building", "community-outreach", "curriculum-advocacy",
    "direct-action", "faculty-development", "media", "mentorship", "organising-skills", "peer-teaching",
    "petition", "policy-advocacy", "reporting", "research-scholarship", "self-care", "skills-training",
    "stakeholder-collaboration",
]  # fmt: skip


class Facet(StrEnum):
    """What a statement tells: what the work is, what it found, what to do, what to be careful about."""

    SUMMARY = "summary"
    FINDING = "finding"
    PRACTICE = "practice"
    CAUTION = "caution"


HEADINGS = {
    Facet.SUMMARY: "Summary",
    Facet.FINDING: "Findings",
    Facet.PRACTICE: "In practice",
    Facet.CAUTION: "Cautions",
}
FACETS = {heading: facet for facet, heading in HEADINGS.items()}


# Joiners are letters' own business in scripts that need them (Arabic, Persian, Indic ones) and inside emoji.
HIDDEN = re.compile(
    r"[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
    r"|(?<![\u0590-\u0fff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
)


def _one_line(text: str) -> str:
    if text != " ".join(text.split()):
        raise ValueError("must be one line without doubled or outer spaces")
    # Trap: an invisible character would survive every visual review and still reach the reader and the embedder.
    if hidden := HIDDEN.search(text):
        raise ValueError(f"holds the invisible character U+{ord(hidden[0]):04X}; delete it")
    return text


Line = Annotated[str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(_one_line)]
RecordId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Doi = Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/\S+$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"]+$", max_length=2_000)]

_frozen = ConfigDict(frozen=True, extra="forbid")


class Statement(BaseModel):
    """One self-contained sentence of a record, fit to be shown alone with its citation."""

    model_config = _frozen

    facet: Facet
    text: Line


class Source(BaseModel):
    """Where a record comes from. None means that the page did not show it, never that it does not exist."""

    model_config = _frozen

    title: Line
    title_is_descriptive: bool = Field(default=False, description="true where the real title was not seen")
    authors: tuple[Line, ...] | None = Field(default=None, min_length=1)
    organization: Line | None = None
    year: Annotated[int, Field(ge=1800, le=2100)] | None = None
    venue: Line | None = None
    doi: Doi | None = None
    pmid: Annotated[str, StringConstraints(pattern=r"^\d{1,9}$")] | None = None
    pmcid: Annotated[str, StringConstraints(pattern=r"^PMC\d{1,9}$")] | None = None
    url: Url | None = None
    kind: Kind
    tier: Tier
    access: Access | None = None

    @property
    def link(self) -> str | None:
        """The address a reader can follow: the page that was read, else the DOI's."""
        return self.url or (f"https://doi.org/{self.doi}" if self.doi else None)


class Excerpt(BaseModel):
    """A few whole sentences of an added document, on one line, and where they stand in it."""

    model_config = _frozen

    text: Line
    headings: tuple[Line, ...] = Field(default=(), description="the headings above it, outermost first")
    page: Annotated[int, Field(ge=1)] | None = Field(default=None, description="page or slide on which it begins")


class Document(BaseModel):
    """What was taken from a file or address that nobody has reviewed; without excerpts it is a catalogue entry."""

    model_config = _frozen

    name: Line = Field(description="the file's name or the address")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="of the bytes that were read"
    )
    excerpts: tuple[Excerpt, ...] = ()
    flags: tuple[Line, ...] = Field(default=(), description="what a person should look at before relying on it")


class Record(BaseModel):
    """One work: its source, its facets and its statements; or, with `document`, an added one that nobody has reviewed."""

    model_config = _frozen

    id: RecordId
    source: Source
    audience: tuple[Audience, ...] = ()
    topics: tuple[Topic, ...] = ()
    strategies: tuple[Strategy, ...] = ()
    country: Line | None = None
    setting: Line | None = None
    format: Line | None = None
    duration: Line | None = None
    session_minutes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    total_minutes: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    related: tuple[RecordId, ...] = Field(default=(), description="records of the same work; an answer shows one")
    questions: tuple[Line, ...] = Field(default=(), description="questions that the statements answer; only searched")
    checked: date = Field(description="the day on which the source was read")
    reviewed: date | None = Field(
        default=None, description="the day on which a person found texts harmless that look meant for a machine"
    )
    retracted: Line | None = Field(
        default=None, description="why the source no longer counts, if it was retracted or withdrawn"
    )
    statements: tuple[Statement, ...] = ()
    document: Document | None = None

    @model_validator(mode="after")
    def _say_each_thing_once(self) -> "Record":
        texts = [statement.text for statement in self.statements]
        if self.document:
            texts += [excerpt.text for excerpt in self.document.excerpts]
        elif not texts:
            raise ValueError("has no statement")
        if twice := next((text for text in texts if texts.count(text) > 1), None):
            raise ValueError(f"says twice: {twice!r}")
        if self.id in self.related:
            raise ValueError("names itself in related")
        return self

    @cached_property
    def _layout(self) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
        """The text, and for each statement and for each excerpt the offset at which it starts."""
        parts = [f"# {self.source.title}\n"]
        length = len(parts[0])
        starts: dict[int, int] = {}
        for facet, heading in HEADINGS.items():
            of_facet = [(number, s.text) for number, s in enumerate(self.statements) if s.facet is facet]
            if of_facet:
                parts.append(f"\n## {heading}\n\n")
                length += len(parts[-1])
            for number, text in of_facet:
                starts[number] = length + len("- ")
                parts.append(f"- {text}\n")
                length += len(parts[-1])
        excerpts = []
        headings: tuple[str, ...] = ()
        for excerpt in self.document.excerpts if self.document else ():
            if excerpt.headings != headings:
                headings = excerpt.headings
                parts.append(f"\n## {' › '.join(headings)}\n" if headings else "\n---\n")
                length += len(parts[-1])
            excerpts.append(length + len("\n"))
            parts.append(f"\n{excerpt.text}\n")
            length += len(parts[-1])
        return "".join(parts), tuple(starts[number] for number in range(len(self.statements))), tuple(excerpts)

    @property
    def text(self) -> str:
        """The Markdown body: the title, then the statements as lists under one heading for each facet.

        A document's excerpts follow, one paragraph each, under their headings. Offsets of passages count characters of this text.
        """
        return self._layout[0]

    def spans(self) -> Iterator[tuple[Statement, int, int]]:
        """Each statement with the offsets for which `text[start:end] == statement.text`."""
        for statement, start in zip(self.statements, self._layout[1], strict=True):
            yield statement, start, start + len(statement.text)

    def excerpt_spans(self) -> Iterator[tuple[Excerpt, int, int]]:
        """Each excerpt of an added document with the offsets for which `text[start:end] == excerpt.text`."""
        excerpts = self.document.excerpts if self.document else ()
        for excerpt, start in zip(excerpts, self._layout[2], strict=True):
            yield excerpt, start, start + len(excerpt.text)


class _StrictLoader(yaml.SafeLoader):
    """YAML without its surprises: no anchors or aliases, no duplicate keys, and every scalar as it was typed."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(problem="uses an alias (*name); write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(
                problem=f"has the key {twice!r} twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


# Trap: YAML 1.1 reads `no` as False, `2024-05-01` as a date and `1e3` as text; the schema decides types, not YAML.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_front_matter(text: str, file: str) -> tuple[dict[str, Any], str]:
    """Split Markdown into its YAML front matter and its body. Raises RecordError naming `file`."""
    match = re.match(r"\A---\n(.*?)\n---\n", text, re.DOTALL)
    if not match:
        raise RecordError(f"{file}: has no front matter; begin the file with a line '---', the fields, and '---'.")
    if len(match[1]) > FRONT_MATTER_LIMIT:
        raise RecordError(f"{file}: the front matter is longer than {FRONT_MATTER_LIMIT:,} characters; shorten it.")
    try:
        fields = yaml.load(match[1], Loader=_StrictLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark else ""
        raise RecordError(
            f"{file}: the front matter{where} {getattr(error, 'problem', None) or 'is nested too deeply'}."
        ) from error
    if not isinstance(fields, dict):
        raise RecordError(f"{file}: the front matter is not a list of 'field: value' lines.")
    return fields, text[match.end() :]


def parse_record(text: str, file: str) -> Record:
    """The record in a Markdown text; `file` is its name, for messages. Raises RecordError with file, field and reason."""
    fields, body = parse_front_matter(text, file)
    if "statements" in fields or "title" in fields:
        raise RecordError(f"{file}: statements stand as lists in the body and the title under 'source', not here.")
    if "document" in fields:
        raise RecordError(f"{file}: field document: belongs to added documents only; delete it.")
    title, statements = _parse_body(body, file)
    if not statements:
        raise RecordError(f"{file}: field statements: there is none; write at least one '- statement' under a heading.")
    source = fields.get("source")
    if isinstance(source, dict) and source.get("title") != title:
        raise RecordError(f"{file}: the heading '# {title}' differs from the field source.title; make them equal.")
    try:
        return Record.model_validate({**fields, "statements": statements})
    except ValidationError as error:
        raise RecordError(f"{file}: {_first_problem(error)}") from error


def _parse_body(body: str, file: str) -> tuple[str, list[dict[str, str]]]:
    title: str | None = None
    facet: Facet | None = None
    statements: list[dict[str, str]] = []
    for line in body.splitlines():
        if not line.strip():
            continue
        if line.startswith("# ") and title is None:
            title = line[2:]
        elif line.startswith("## ") and line[3:] in FACETS:
            facet = FACETS[line[3:]]
        elif line.startswith("- ") and facet is not None:
            statements.append({"facet": facet, "text": line[2:].strip()})
        elif line.startswith("  ") and statements:  # a statement that a curator wrapped
            statements[-1]["text"] += " " + line.strip()
        else:
            raise RecordError(
                f"{file}: cannot read the line {line[:60]!r}; the body holds '# Title', the headings "
                f"{', '.join(repr('## ' + heading) for heading in FACETS)}, and under them one '- statement' a line."
            )
    if title is None:
        raise RecordError(f"{file}: the body has no '# Title' line.")
    return title, statements


def _first_problem(error: ValidationError) -> str:
    """The first thing wrong, as 'field X: reason', for a person."""
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"]) or "record"
    reason = problem["msg"].removeprefix("Value error, ")
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"field {field}: {reason}{more}."


def read_record(path: Path) -> Record:
    """The record in a Markdown file, whose name is its id. Raises RecordError with file, field and reason."""
    try:
        if path.stat().st_size > RECORD_LIMIT:
            raise RecordError(f"{path.name}: is larger than {RECORD_LIMIT:,} bytes; split it into several records.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path.name}: is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    except OSError as error:
        raise RecordError(f"{path.name}: cannot be read ({error.strerror}).") from error
    record = parse_record(text.replace("\r\n", "\n"), path.name)
    if record.id != path.stem:
        raise RecordError(f"{path.name}: field id: is {record.id!r}, but the file is named {path.stem!r}.")
    return record


def render_record(record: Record) -> str:
    """The Markdown form of a record: front matter without the fields that are unknown, then its text."""
    fields = record.model_dump(mode="json", exclude={"statements"}, exclude_defaults=True)
    front = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False)
    return f"---\n{front}---\n\n{record.text}"


def check_relations(records: Sequence[Record]) -> None:
    """Raise RecordError unless `related` fields name known records, and each names the other."""
    by_id = {record.id: record for record in records}
    for record in records:
        for other in record.related:
            if other not in by_id:
                raise RecordError(f"{record.id}.md: field related: there is no record {other!r}.")
            if record.id not in by_id[other].related:
                raise RecordError(f"{record.id}.md: field related: {other}.md does not name {record.id!r} in return.")
