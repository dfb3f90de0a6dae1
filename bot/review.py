"""Text of slides or an outline to passages that the knowledge's checklists would question, each with its quote and cited reason.

Rules only, kept in `checklist.yaml`: a line is questioned if a pattern meets it and nothing in it corrects or explains. It
suggests and does not accuse: precision comes before recall, and the whole text is read in memory and kept nowhere.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from bot.document import Document, Line, Section
from knowledge.errors import ChatbotError
from knowledge.passage import Passage, passages_of
from knowledge.record import Record

LONGEST_TEXT = 2_000_000  # characters


class ReviewError(ChatbotError):
    """A text or file cannot be reviewed."""

    exit_code = 2


@dataclass(frozen=True)
class Slide:
    """One slide or section: its number from 1 (0 for what stands before the first), its title, its lines."""

    number: int
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Reason:
    """A record that justifies a rule, with words of the statement to be shown."""

    record: str
    words: str = ""


@dataclass(frozen=True)
class Rule:
    """One thing that a checklist questions."""

    code: str
    problem: str
    suggest: str
    flags: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    reasons: tuple[Reason, ...]
    lone: bool = False
    caption: bool = False


@dataclass(frozen=True)
class Coverage:
    """A subject that an outline may leave out; asked only of a text that touches `when`."""

    topic: str
    when: re.Pattern[str] | None
    words: tuple[re.Pattern[str], ...]
    reason: Reason


@dataclass(frozen=True)
class Checklist:
    """All rules, the words for groups of people, and the words of lines that criticise."""

    rules: tuple[Rule, ...]
    coverage: tuple[Coverage, ...]
    group: re.Pattern[str]
    critical: tuple[re.Pattern[str], ...]


@dataclass(frozen=True)
class Finding:
    """A line worth a second look: the quote as it stands in the upload, and statements of the knowledge that say why."""

    slide: int
    quote: str
    code: str
    problem: str
    suggest: str
    why: tuple[Passage, ...]


@dataclass(frozen=True)
class Gap:
    """A subject that the text does not touch, with a statement that says why it belongs there."""

    topic: str
    why: tuple[Passage, ...]


@dataclass(frozen=True)
class Review:
    """What a review found, in the order of the slides."""

    slides: int
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]


@cache
def checklist() -> Checklist:
    """The rules of `checklist.yaml`, which is part of the program and tested with it."""
    table = yaml.safe_load(files("bot").joinpath("checklist.yaml").read_text(encoding="utf-8"))
    group = "(?:" + "|".join(table["groups"]) + ")"

    def compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(pattern.replace("{group}", group), re.IGNORECASE) for pattern in patterns)

    return Checklist(
        rules=tuple(
            Rule(
                row["code"],
                row["problem"],
                row["suggest"],
                compiled(row.get("flags", [])),
                compiled(row.get("unless", [])),
                tuple(_reason(reason) for reason in row["reasons"]),
                lone=row.get("lone", False),
                caption="caption" in row,
            )
            for row in table["rules"]
        ),
        coverage=tuple(
            Coverage(
                row["topic"],
                compiled([row["when"]])[0] if "when" in row else None,
                compiled(row["words"]),
                _reason(row["reason"]),
            )
            for row in table["coverage"]
        ),
        group=re.compile(group, re.IGNORECASE),
        critical=compiled(table["critical"]),
    )


def _reason(row: Mapping[str, Any]) -> Reason:
    return Reason(row["record"], row.get("words", ""))


def review(slides: Sequence[Slide], records: Mapping[str, Record]) -> Review:
    """Question what the checklists question. A rule whose records are not in the index says nothing."""
    rules = checklist()
    captions = [line for slide in slides for line in slide.lines if _caption.match(line)]
    shows_light_skin = any(_light_skin.search(line) for line in captions)
    findings = []
    for slide in slides:
        about_risk = bool(_risk_factors.search(slide.title)) or any(_risk_factors.search(line) for line in slide.lines)
        for line in slide.lines:
            for sentence in sentences(line):
                rule = _questioned(sentence, line, rules, about_risk, shows_light_skin)
                why = _why(rule.reasons, records) if rule else ()
                if rule and why:
                    findings.append(Finding(slide.number, sentence, rule.code, rule.problem, rule.suggest, why))
    text = "\n".join(line for slide in slides for line in (slide.title, *slide.lines))
    gaps = [
        Gap(item.topic, why)
        for item in rules.coverage
        if (item.when is None or item.when.search(text))
        and not any(words.search(text) for words in item.words)
        and (why := _why((item.reason,), records))
    ]
    return Review(len([slide for slide in slides if slide.number]), tuple(findings), tuple(gaps))


def _questioned(sentence: str, line: str, rules: Checklist, about_risk: bool, shows_light_skin: bool) -> Rule | None:
    """The first rule that questions a sentence, if any."""
    criticised = any(pattern.search(line) for pattern in rules.critical)
    if _caption.match(sentence):
        infection = _infection.search(sentence) and _dark_skin.search(sentence) and shows_light_skin
        return next((rule for rule in rules.rules if rule.caption), None) if infection else None
    for rule in rules.rules:
        if criticised and rule.code in EXPLAINED:
            continue
        if any(pattern.search(line) for pattern in rule.unless):
            continue
        met = any(pattern.search(sentence) for pattern in rule.flags)
        # In a list of risk factors a group that stands alone is itself the claim.
        lone = rule.lone and about_risk and len(sentence.split()) <= LONE_WORDS and _is_group(sentence, rules)
        if met or lone:
            return rule
    return None


LONE_WORDS = 5
EXPLAINED = frozenset({
    "biological-risk", "no-structural-causes", "race-corrected-formula", "race-based-guideline", "race-ancestry-confusion",
    "race-in-stem",
})  # fmt: skip
_caption = re.compile(r"^!\[")
_light_skin = re.compile(r"\b(?:light|fair|white|pale) skin\b|\bskin type (?:i|ii|1|2)\b|\b(?:white"
r"|caucasian) (?:patient|child|man|woman)", re.I)  # fmt: skip
_dark_skin = re.compile(r"\b(?:black|dark|brown|african)\b", re.I)
_infection = re.compile(
    r"\b(?:tinea|ringworm|syphilis|scabies|hiv|aids|sti|std|gonorrh\w+|lepr\w+|impetigo|mpox|monkeypox|herpes"
    r"|candid\w+|lice|tubercul\w+"
    r"|chancre|warts?|fung\w+|infect\w+)\b",
    re.I,
)
_risk_factors = re.compile(r"\brisk factors?\b|\bat risk\b|\bwho gets\b", re.I)
_ethnicity = re.compile(r"\b(?:black|white|asian|hispanic|african|latin\w+|ethnic\w*|race)\b", re.I)


def _is_group(sentence: str, rules: Checklist) -> bool:
    return bool(rules.group.search(sentence) or re.fullmatch(r"(?:\W*(?:black|african|asian|hispanic"
    r"|south asian|ethnicity|race|non-white))+\W*", sentence, re.I))  # fmt: skip


def _why(reasons: Sequence[Reason], records: Mapping[str, Record]) -> tuple[Passage, ...]:
    """The statements that justify a rule, as far as their records are known."""
    found = []
    for reason in reasons:
        record = records.get(reason.record)
        passage = next((p for p in passages_of(record) if reason.words in p.text), None) if record else None
        found += [passage] if passage else []
    return tuple(found)


_sentence_end = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"(])")
_abbreviation = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|e\.g|i\.e|vs|approx|St|No)\.$")


def sentences(line: str) -> list[str]:
    """The sentences of a line; an abbreviation ends none."""
    parts: list[str] = []
    for piece in _sentence_end.split(line.strip()):
        if parts and _abbreviation.search(parts[-1]):
            parts[-1] += " " + piece
        elif piece:
            parts.append(piece)
    return parts


_slide_heading = re.compile(r"^#{1,6}\s*(?:slide\s*(?P<number>\d+)\s*[:.-]?\s*)?(?P<title>.*)$", re.I)
_bullet = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+")


def read_slides(text: str) -> tuple[Slide, ...]:
    """Slides of a Markdown or plain text: a heading begins one; `## Slide 4: Title` gives it its number.

    Raises ReviewError for a text without words or one that is too long.
    """
    if len(text) > LONGEST_TEXT:
        raise ReviewError(f"The text is longer than {LONGEST_TEXT:,} characters; review one lecture at a time.")
    slides: list[Slide] = []
    number, title, lines = 0, "", list[str]()
    for raw in text.replace("\r\n", "\n").split("\n"):
        heading = _slide_heading.match(raw) if raw.startswith("#") else None
        if heading or raw.strip() == "\f":
            if title or lines:
                slides.append(Slide(number, title, tuple(lines)))
            named = heading["number"] if heading else None
            number = int(named) if named else number + (1 if number or slides else 0)
            title, lines = (heading["title"].strip() if heading else ""), []
        elif raw.strip() and raw.strip() != "---":
            lines.append(_bullet.sub("", raw).strip())
    if title or lines:
        slides.append(Slide(number, title, tuple(lines)))
    if not any(re.search(r"\w", line) for slide in slides for line in (slide.title, *slide.lines)):
        raise ReviewError("There is no text to review; paste the words of your slides or outline.")
    return tuple(slides)


INTRODUCTION = (
    "These lines may be worth a second look. A rule cannot know your context: each is a suggestion with its source, "
    "not a verdict."
)
NOTHING = "The checklists question nothing here. They look for known patterns only, so this is no certificate."


def review_document(found: Review, records: Mapping[str, Record], title: str = "Review of a teaching text") -> Document:
    """A review as a document: each quote is the person's own, each reason a cited statement."""
    numbers: dict[str, int] = {}

    def cited(passages: Sequence[Passage]) -> Iterator[Line]:
        for passage in passages:
            number = numbers.setdefault(passage.record_id, len(numbers) + 1)
            yield Line(passage.text, "cited", (number,))

    sections = [Section("How to read this", (Line(INTRODUCTION if found.findings else NOTHING, "frame"),))]
    for finding in found.findings:
        lines = [Line(f"“{finding.quote}”", "own"), Line(finding.suggest, "frame"), *cited(finding.why[:2])]
        sections.append(Section(f"Slide {finding.slide}: {finding.problem}", tuple(lines)))
    if found.gaps:
        lines = [
            line
            for gap in found.gaps
            for line in (Line(f"Not found in the text: {gap.topic}.", "frame"), *cited(gap.why))
        ]
        sections.append(Section("What the text does not cover", tuple(lines)))
    return Document(title, tuple(sections), tuple(records[name] for name in numbers))
