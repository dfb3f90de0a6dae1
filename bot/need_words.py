"""The words in which people state needs, read from `need_words.yaml`, and who in a text asks rather than learns."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip

# (side of the mention, whether it holds for faculty and leaders only, pattern): who asks, decides or teaches is not taught.
ASKERS: tuple[tuple[str, bool, re.Pattern[str]], ...] = (
    ("before", False, re.compile(
        r"\b(?:i am|i'm|im(?= (?:an?|the) )|as|we are|we're|this is|speaking as|i work as|being)"
        r" (?:an? |the |your |1 of the |in (?:my|the) )?"
        r"(?:(?!for\b|with\b|to\b|of\b|in\b|on\b|and\b)[\w/'-]+ ){0,3}$")),
    ("before", False, re.compile(
        r"\b(?:led|taught|run|given|facilitated|delivered|presented|written|designed|made|requested|hosted"
        r"|moderated) by "
        r"(?:(?:a|an|our|the|my|senior|trained|2|some|few) )*$")),
    ("before", False, re.compile(
        r"\bi (?:direct|run|lead|co-?lead|coordinate|co-ordinate|organi[sz]e|manage|oversee|chair|head"
        r"|write for) (?:an?|the|our|my|this)?"
        r" ?(?:[\w/'-]+ ){0,3}$")),
    ("before", False, re.compile(
        r"\b(?:who|that) (?:teach|supervise|precept|train|mentor|assess|evaluate) (?:(?:our|the|my|\w+) )?$")),
    ("before", True, re.compile(r"\b(?:me|i)(?:,| \() ?(?:the |an? |our |your )?(?:\w+ )?$")),
    ("before", True, re.compile(r"\bwith (?:(?:trained|volunteer|senior|peer|small-group) )+$")),
    ("before", True, re.compile(
        r"\b(?:ask|tell|show|convince|persuade|from|by|approach|email|told|meet|meeting with|report to"
        r"|answer to) (?:(?:our|the|my|a|an) )?$")),
    ("before", True, re.compile(r"\b(?:have|has|got|with) (?:[\w,]+ ){0,4}(?:a few|some|enough|several|\d+) $")),
    ("after", False, re.compile(r"^ as (?:our |the )?(?:co-?)?(?:leaders?|facilitators?|teachers?|tutors?"
    r"|hosts?|speakers?)\b")),
    ("after", False, re.compile(
        r"^ (?:will |can |could |would |who |are going to |is going to )*(?:teach|lead|run|facilitate|deliver"
        r"|present|co-?teach|host)"
        r"(?:s|es|ing)?\b(?! (?:but|and then) )")),
    ("after", False, re.compile(r"^ here\b(?! (?:need|want|get|have))")),
    ("after", True, re.compile(
        r"^ (?:has |have |just |is |are |now )*(?:wants?|wanted|asks?|asked|asking|agreed|told|gave|given me"
        r"|says|said|approved|offered"
        r"|insists?|requires?|expects?|called|handed|say|make)\b")),
    ("after", True, re.compile(r"^ (?:to facilitate|to help (?:run|lead)|available|as helpers)\b")),
)  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A name of the knowledge's vocabulary with the pattern of the words for it."""

    name: str
    pattern: re.Pattern[str]
    sure: bool = True


@dataclass(frozen=True)
class AudienceWords:
    """The words for one or two audiences; `sure` when they name people and not only a programme."""

    audiences: tuple[str, ...]
    pattern: re.Pattern[str]
    sure: bool = True


@dataclass(frozen=True)
class Words:
    """All tables, in their order."""

    years: tuple[AudienceWords, ...]
    audiences: tuple[AudienceWords, ...]
    formats: tuple[Named, ...]
    kinds: tuple[Named, ...]
    topics: tuple[Named, ...]
    countries: tuple[Named, ...]
    narrow_topics: frozenset[str]
    setting_topics: frozenset[str]
    subject_topics: frozenset[str]


@cache
def words() -> Words:
    """The tables of `need_words.yaml`, which is part of the program and tested with it."""
    table = yaml.safe_load(files("bot").joinpath("need_words.yaml").read_text(encoding="utf-8"))
    return Words(
        years=tuple(_audience(row) for row in table["years"]),
        audiences=tuple(_audience(row) for row in table["audiences"]),
        formats=_named(table["formats"]),
        kinds=_named(table["kinds"]),
        topics=_named(table["topics"]),
        countries=_named(table["countries"]),
        narrow_topics=frozenset(table["narrow_topics"]),
        setting_topics=frozenset(table["setting_topics"]),
        subject_topics=frozenset(table["subject_topics"]),
    )


def _pattern(row: dict[str, Any]) -> re.Pattern[str]:
    return re.compile("|".join(row["words"]))


def _named(rows: list[dict[str, Any]]) -> tuple[Named, ...]:
    return tuple(Named(row["name"], _pattern(row), row.get("sure", True)) for row in rows)


def _audience(row: dict[str, Any]) -> AudienceWords:
    names = row["audience"] if isinstance(row["audience"], list) else [row["audience"]]
    return AudienceWords(tuple(names), _pattern(row), row.get("sure", True))
