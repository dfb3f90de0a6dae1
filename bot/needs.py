"""Free text to a Need: who is to be taught, how long, how, about what, where, and which of it must hold.

Rules only, so that each reading can be shown back and corrected. Conventions of lengths (a half-day is 240 minutes, a full
day 480, a lunch hour 60; one length is a limit, a range is both) follow `evals/cases/README.md`. An option given by name
wins over the text.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, cast, get_args

from bot.need_words import ASKERS, NUMBERS, Named, words
from knowledge.errors import SettingsError
from knowledge.record import Audience, Kind, Topic

Format = Literal["in person", "online", "self-paced", "simulation", "workshop", "lecture", "case-based"]
Constraint = Literal[
    "audience", "max_minutes", "min_minutes", "topics", "format", "country", "kind", "evaluated", "open_access"
]
DELIVERY: tuple[Format, ...] = ("in person", "online", "self-paced")
# Asked for by name, these are what is wanted; the others are often only how a need is worded.
HARD_KINDS: frozenset[Kind] = frozenset(
    {"review", "checklist", "framework", "guide", "workshop", "curriculum", "course"}
)
HALF_DAY, FULL_DAY = 240, 480  # minutes
PART_OF_HOUR = {"h": 30, "q": 15, "3": 45}  # minutes, by how 'half', 'quarter' and '3 quarters' begin
LONGEST_NEED = 4_000  # characters
LONGEST = 16 * 60  # a longer stretch is a shift or a deadline, not a session


@dataclass(frozen=True)
class Need:
    """What somebody looks for. `hard` names the constraints that must hold; all others are wishes."""

    text: str = ""
    audience: tuple[Audience, ...] = ()
    max_minutes: int | None = None
    min_minutes: int | None = None
    topics: tuple[Topic, ...] = ()
    format: Format | None = None
    country: str | None = None
    kind: tuple[Kind, ...] = ()
    evaluated: bool | None = None
    open_access: bool | None = None
    hard: frozenset[Constraint] = field(default=frozenset())


def read_need(text: str) -> Need:
    """The need in a person's own words; what is not said stays None or empty."""
    folded = fold(text)
    audience = audiences(folded)
    shortest, longest = minutes(folded)
    wanted_format, format_is_hard = wanted(folded)
    country, country_is_hard = country_of(unicodedata.normalize("NFC", text))
    kind = tuple(cast(Kind, name) for name in _found(words().kinds, folded))
    topics = tuple(cast(Topic, name) for name in _found(words().topics, folded))
    evaluated = True if _evaluated.search(folded) else None
    open_access = True if _open_access.search(folded) else None
    hard: set[Constraint] = set()
    for name, given in (
        ("audience", bool(audience)),
        ("max_minutes", longest is not None),
        ("min_minutes", shortest is not None),
        ("topics", any(topic in words().narrow_topics for topic in topics)),
        ("format", format_is_hard),
        ("country", country_is_hard),
        ("kind", any(name in HARD_KINDS for name in kind)),
        ("evaluated", evaluated is not None and not _wished(_evaluated, folded)),
        ("open_access", open_access is not None and not _wished(_open_access, folded)),
    ):
        if given:
            hard.add(cast(Constraint, name))
    return Need(
        text, audience, longest, shortest, topics, wanted_format, country, kind, evaluated, open_access, frozenset(hard)
    )


def with_options(
    need: Need,
    *,
    audience: Sequence[str] = (),
    max_minutes: int | None = None,
    min_minutes: int | None = None,
    topics: Sequence[str] = (),
    format: str | None = None,
    country: str | None = None,
    kind: Sequence[str] = (),
    evaluated: bool | None = None,
    open_access: bool | None = None,
) -> Need:
    """The need with what was chosen by name, which wins over the text and must hold.

    Raises SettingsError for a value outside the vocabulary of the records.
    """
    given = {
        "audience": tuple(_member(value, Audience, "audience") for value in audience) or None,
        "max_minutes": _positive(max_minutes, "max-minutes"),
        "min_minutes": _positive(min_minutes, "min-minutes"),
        "topics": tuple(_member(value, Topic, "topic") for value in topics) or None,
        "format": _member(format, Format, "format") if format else None,
        "country": (country_of(country)[0] or country) if country else None,
        "kind": tuple(_member(value, Kind, "kind") for value in kind) or None,
        "evaluated": evaluated,
        "open_access": open_access,
    }
    given = {name: value for name, value in given.items() if value is not None}
    return replace(need, **given, hard=need.hard | cast(frozenset[Constraint], frozenset(given)))  # type: ignore[arg-type]


def _member(value: str, vocabulary: object, option: str) -> str:
    names = get_args(vocabulary)
    if value.strip().lower() not in names:
        raise SettingsError(f"There is no {option} {value!r}. Choose from: {', '.join(names)}.")
    return value.strip().lower()


def _positive(value: int | None, option: str) -> int | None:
    if value is not None and value < 1:
        raise SettingsError(f"--{option} is {value}; give a number of minutes above 0.")
    return value


# --- the text as the rules read it -----------------------------------------------------------------------------------


def fold(text: str) -> str:
    """The text in lower case with plain dashes, quotes and digits: 'Forty-five min' and '45 min' read alike.

    >>> fold("Forty–five  minutes, 1½ h")
    '45 minutes, 1.5 h'
    """
    text = text.replace("½", " 1/2").replace("¼", " 1/4").replace("¾", " 3/4")
    text = unicodedata.normalize("NFKC", text).replace("⁄", "/").lower()
    text = re.sub(r"[‐-―−]", "-", text).replace("×", "x").replace("’", "'").replace("′", "'").replace("&", " and ")
    text = re.sub(r"(\w)- (to|or|and) ", r"\1 \2 ", " ".join(text.split()))  # 'twenty- to thirty-minute'
    text = re.sub(rf"\b({_tens})[- ]({_ones})\b", lambda m: str(NUMBERS[m[1]] + NUMBERS[m[2]]), text)
    text = re.sub(
        r"\b(?:an?|one|1) hundred(?: and (\d+|[a-z]+))?\b(?=[ -]min)",
        lambda m: str(100 + (int(m[1]) if (m[1] or "").isdigit() else NUMBERS.get(m[1] or "", 0))),
        text,
    )
    text = re.sub(rf"\b({'|'.join(NUMBERS)})\b", lambda m: str(NUMBERS[m[1]]), text)
    text = re.sub(r"\b(\d+) (\d)/(\d)\b", lambda m: f"{int(m[1]) + int(m[2]) / int(m[3]):g}", text)
    return re.sub(r"(?<!\S)(\d)/([24])(?= ?-?(?:an? )?h)", lambda m: f"{int(m[1]) / int(m[2]):g}", text)


_tens = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_ones = "one|two|three|four|five|six|seven|eight|nine"
_wish = re.compile(
    r"\b(prefer\w*|ideally|if possible|would be (?:nice|good|great|lovely|a plus|helpful)|would help"
    r"|nice to have|bonus|happy with"
    r"|at least surveyed|i will be asked)\b"
)


def _wished(pattern: re.Pattern[str], folded: str) -> bool:
    """Does every clause that holds the pattern also say that it is only a wish?"""
    clauses = [clause for clause in re.split(r"[.;!?]|, (?:and|but) | - ", folded) if pattern.search(clause)]
    return bool(clauses) and all(_wish.search(clause) for clause in clauses)


def _found(table: Sequence[Named], folded: str) -> list[str]:
    """The names whose pattern occurs outside a negation, in the order of the table, each once."""
    names: list[str] = []
    for entry in table:
        if entry.name not in names and any(not _negated(folded, m.start()) for m in entry.pattern.finditer(folded)):
            names.append(entry.name)
    return names


def subject_words(text: str) -> list[str]:
    """The words of a text that name a subject, such as 'pulse oximetry', in their order."""
    folded = fold(text)
    tables = [topic.pattern for topic in words().topics if topic.name in words().subject_topics]
    matches = [m for pattern in tables for m in pattern.finditer(folded) if not _negated(folded, m.start())]
    # A short form ("derm", "pft") says nothing about what records mention.
    return [m[0] for m in sorted(matches, key=lambda m: m.start()) if len(m[0]) > 5]


_negation = re.compile(
    r"(?:\bno|\bnot(?: (?:another|a|an|just|just another|one more|one-off|yet another|for|the|only))*|\bnothing"
    r"|\bwithout"
    r"|\brather than(?: (?:another|a|an|one more))?|\binstead of(?: (?:another|a|an))?|\bnever|\bother than"
    r"|\bexcept|\bnot in an?)"
    r"(?: one-off| more)?[ -]$"
)


def _negated(folded: str, start: int) -> bool:
    return bool(_negation.search(folded[:start]))


# --- how long --------------------------------------------------------------------------------------------------------

_number = r"\d+(?:[.,]\d+)?"
_hours = r"(?:h(?:ou)?rs?\b|hrs?\b|h\b)"
_mins = r"(?:min(?:ute)?s?\b|m(?=[ .,;)]|$)|'(?!\w))"
_length = re.compile(
    # 1h30, 1 hr 15 min
    rf"(?P<hm>{_number})[ -]?(?:hours?|hrs?|h)\.?(?:,? (?:and )?|-)?(?P<hm_min>\d{{1,2}})"
    rf"(?:[ -]?{_mins}|(?=[ ,.;):]|$))"
    rf"|(?P<h_colon>\d):(?P<h_colon_min>[0-5]\d)[ -]?{_hours}"
    rf"|(?P<half_after>(?:{_number}|an?))[ -]and[ -](?:a[ -])?(?P<half_part>half"
    rf"|quarter|3[ -]quarters?)[ -]?hours?\b"  # one and a half hours
    rf"|(?P<hour_and>(?:(?:{_number}|an?)[ -])?{_hours}) and "
    rf"(?P<and_part>a half|half|a quarter|3[ -]quarters?|\d{{1,2}}(?: {_mins})?)"
    r"|(?P<quarters>(?:3|an?|1)[ -]?quarters?|quarter|3/4|0\.75|half|0\.5)[ -](?:of[ -])?(?:an?[ -])?hours?\b"
    rf"|(?P<hours>{_number})(?! hour-?long \w+s\b)[ -]?{_hours}"  # 'two hour-long sessions' are of one hour
    rf"|(?P<mins>{_number})[ -]?{_mins}"
    r"|(?P<couple>(?:a )?couple(?: of)?) hours"
    r"|\b(?P<a_hour>an?)[ -]hours?\b"
    r"|(?P<lone_hour>(?<!per )(?<!office )(?<!rush )(?<!after )(?<!happy )(?<!credit )(?<!contact )\bhour(?:[ -]?long)?\b(?!s))"
    r"|(?P<half_day>\b(?:academic )?(?:half|1/2|0\.5)[ -](?:an? )?days?\b|\bahd\b)"
    r"|(?P<part_of_day>\b(?:mornings?|afternoons?)\b)"
    r"|(?P<day>\b(?:full|whole|entire|all|an?|[1-5])[ -]days?\b|\bday-?long\b)"
)
_per = re.compile(r"^(?:hours?|h|times|once|twice|minutes|mins?)[ -]$")
_not_a_session = re.compile(
    r"\b(?:drive|driving|commute|commuting|walk|away by|flight|train ride)\b[^.;]{0,12}$|\b(?:before"
    r"|after) the \d+[- ]$"
)
_not_a_session_after = re.compile(
    r"^ (?:each way|drive|commute|ago|away|late|earlier|after|from now|by train|per week in total|of credits?"
    r"|credits?|cme|shifts?|call\b(?!-))"
    r"|^-(?:shift|call)"
)
_total = re.compile(
    r"^[ ,(]*(?:in (?:total|all)|total\b|altogether|overall|all told|over the (?:year|term|block|course))"
)
_total_before = re.compile(r"(?:\btotal(?:ling| of|:|s)?|\baltogether|adds? up to) $")
_at_least = re.compile(
    r"(?:\bat least|\ba minimum of|\bminimum(?: of)?|\bmin\.|\bno(?:t|thing)? (?:less|shorter|fewer) than|\bupwards of"
    r"|(?<!no )(?<!not )(?<!nothing )(?<!never )\b(?:longer|more) than|\bnot under) (?:about )?$"
)
_or_more = re.compile(
    r"^(?: each)?,? (?:or (?:more|longer)|minimum\b|at (?:the (?:very )?)?least|and up\b|plus\b(?! \w))|^\+"
)
_at_most = re.compile(
    r"(?:\bat (?:the )?(?:very )?most|\bno(?:t|thing)? (?:more|longer|over) than|\bno longer than"
    r"|\bmax(?:imum)?(?: of)?:?|\bup to|\bunder"
    r"|\bless than|\bwithin|\bnot over|\bcannot exceed|\bcap(?:ped)?(?: of| at)?|\blimit(?:ed)?(?: of| to| is)?"
    r"|\bshorter than) "
    r"(?:about |an? )?$"
)
_most_after = re.compile(
    r"^(?: each)?,? ?(?:max(?:imum)?\b(?! (?:of )?\d)|tops\b|at (?:the (?:very )?)?most|or (?:less|under"
    r"|shorter)|at the outside|limit)"
)
_then_most = re.compile(
    rf"^,? (?:or )?({_number})(?: {_hours})?,? (?:max\b|maximum|tops\b|at (?:the (?:very )?)?most|at a push)"
)
_no_length_after_part_of_day = re.compile(
    r"^[ -](?:report|huddle|rounds?|meeting|hand-?(?:over|off)|sign-?(?:out|in)|conference|briefing|tea|clinic|email)"
)


@dataclass(frozen=True)
class _Length:
    """One length in a text, in minutes; `rank` 0 is a figure, 1 a bare hour, 2 a word for a part of a day."""

    start: int
    end: int
    minutes: float
    rank: int
    unit: float


def minutes(folded: str) -> tuple[int | None, int | None]:
    """The shortest and the longest session that a text asks for, in minutes, None where it sets no bound.

    >>> minutes(fold("between 60 and 90 minutes")), minutes(fold("at least two hours")), minutes(fold("6 x 2h"))
    ((60, 90), (120, None), (None, 120))
    """
    if clock := _clock_hours(folded):
        return None, clock
    lengths = list(_lengths(folded))
    if not lengths:
        return None, None
    rank = min(length.rank for length in lengths)
    lengths = [length for length in lengths if length.rank == rank]
    parts = [n for n in lengths if not (_total.match(folded[n.end :]) or _total_before.search(folded[: n.start]))]
    lengths = parts or lengths
    shortest: float | None = None
    longest: float | None = None
    limited = [n for n in lengths if _at_most.search(folded[: n.start]) or _most_after.match(folded[n.end :])]
    floors = [n for n in lengths if _at_least.search(folded[: n.start]) or _or_more.match(folded[n.end :])]
    if span := next(filter(None, (_range(folded, lengths, n) for n in lengths)), None):
        return span
    if floors:
        shortest = min(n.minutes for n in floors)
    ceilings = limited or [n for n in lengths if n not in floors]
    if ceilings:
        longest = ceilings[0].minutes
        if more := _then_most.match(folded[ceilings[0].end :]):
            longest = max(longest, float(more[1].replace(",", ".")) * ceilings[0].unit)
        if not limited:
            longest += sum(n.minutes for n in _joined(folded, ceilings))
    return (None if shortest is None else round(shortest)), (None if longest is None else round(longest))


def _lengths(folded: str) -> Iterator[_Length]:
    for match in _length.finditer(folded):
        before, after = folded[: match.start()], folded[match.end() :]
        if _not_a_session.search(before) or _not_a_session_after.match(after):
            continue
        kind = match.lastgroup
        groups = match.groupdict()
        value, unit, rank = 0.0, 60.0, 0
        if groups["hm"]:
            value = _value(groups["hm"]) * 60 + float(groups["hm_min"])
        elif groups["h_colon"]:
            value = float(groups["h_colon"]) * 60 + float(groups["h_colon_min"])
        elif groups["half_after"]:
            value = _value(groups["half_after"]) * 60 + PART_OF_HOUR[groups["half_part"][0]]
        elif groups["hour_and"]:
            part = groups["and_part"]
            named = re.search(r"half|3[ -]quarter|quarter", part)
            value = _value(groups["hour_and"]) * 60 + (PART_OF_HOUR[named[0][0]] if named else _value(part))
        elif groups["quarters"]:
            word = groups["quarters"]
            value = 30 if word in ("half", "0.5") else 45 if word.startswith(("3", "0.75")) else 15
        elif groups["hours"]:
            value = _value(groups["hours"]) * 60
        elif groups["mins"]:
            value, unit = _value(groups["mins"]), 1.0
        elif groups["couple"]:
            value = 120
        elif groups["a_hour"]:
            value = 60
        elif groups["lone_hour"]:
            value, rank = 60, 1
        elif kind == "half_day":
            value, rank = HALF_DAY, 2
        elif kind == "part_of_day":
            if _no_length_after_part_of_day.match(after) or re.search(
                r"\b(?:good|this|every|tomorrow|yesterday) $", before
            ):
                continue
            value, rank = HALF_DAY, 2
        elif kind == "day":
            if re.search(r"\b(?:hours?|h|times|once|twice|minutes|mins?|in|within|next|every|some)[ -]$", before):
                continue
            if re.match(r"^(?:'| (?:from|before|notice|ago|after|later|off|or so before|in advance)\b)", after):
                continue
            value, rank = FULL_DAY, 2
        if 0 < value <= LONGEST:
            yield _Length(match.start(), match.end(), value, rank, unit)


def _value(text: str) -> float:
    found = re.match(_number, text)
    return float(found[0].replace(",", ".")) if found else 1.0


# Trap: 'year 3 - 2 hours' is no range, so the number may not belong to a year, a week or 'PGY'.
_range_start = re.compile(
    r"(?:(?P<between>\bbetween|\bfrom|\beither) )?(?<!year )(?<!years )(?<!pgy )(?<!fy )(?<!week )(?<![\w.])"
    rf"(?P<low>{_number})(?P<joint>(?: ?(?:-|to|or|and) ?| ?- ?to ?- ?))(?:about )?$"
)


def _range(folded: str, lengths: Sequence[_Length], last: _Length) -> tuple[int, int] | None:
    """The bounds if `last` ends a range such as '60-90 min', 'one to two hours' or '45 minutes to an hour'."""
    before = folded[: last.start]
    bare = _range_start.search(before)
    if bare and (bare["joint"].strip() != "and" or bare["between"] == "between"):
        low = _value(bare["low"]) * last.unit
        if low < last.minutes:
            return round(low), round(last.minutes)
    for first in lengths:
        if first.end <= last.start and first.minutes < last.minutes:
            between = folded[first.end : last.start]
            if re.fullmatch(r" ?(?:-|to|or|up to|or up to|or even) ?(?:about |maybe |even )?", between):
                return round(first.minutes), round(last.minutes)
            if between.strip() == "and" and re.search(r"\bbetween $", folded[: first.start]):
                return round(first.minutes), round(last.minutes)
    if or_more := re.match(rf"^ or ({_number})\b(?! ?(?:{_mins}|people|students))", folded[last.end :]):
        high = _value(or_more[1]) * last.unit
        if high > last.minutes:  # 'an hour or two'
            return round(last.minutes), round(high)
    return None


def _joined(folded: str, lengths: Sequence[_Length]) -> Iterator[_Length]:
    """Lengths that continue the first one: a 20-minute film followed by 40 minutes of discussion is an hour."""
    for first, second in pairwise(lengths):
        between = folded[first.end : second.start]
        if not re.search(r"(?:\bplus\b|\+|\bfollowed by\b|\band then\b|, then\b)", between) or len(between) > 45:
            return
        yield second


_clock = re.compile(
    r"\b(?P<from>from |between |\()?(?P<h1>\d{1,2})(?:[:.](?P<m1>[0-5]\d))? ?(?P<p1>[ap]\.?m\.?|noon)?"
    r" ?(?:-|to|until|till|and) ?(?P<h2>\d{1,2})(?:[:.](?P<m2>[0-5]\d))? ?(?P<p2>[ap]\.?m\.?|noon"
    r"|o'clock)?(?P<close>\))?"
    rf"(?! ?-?(?:{_mins}|{_hours}|%|people|students|residents|weeks?|sessions?|years?|\d))"
)


def _clock_hours(folded: str) -> int | None:
    """Minutes between two times of day, '9 to 1' or '13:00-16:00', if the text gives them as such."""
    for match in _clock.finditer(folded):
        sure = match["p1"] or match["p2"] or (match["m1"] and match["m2"])
        if not (sure or (match["from"] == "(" and match["close"])):
            continue
        start, end = int(match["h1"]) * 60 + int(match["m1"] or 0), int(match["h2"]) * 60 + int(match["m2"] or 0)
        if match["p2"] and match["p2"].startswith("p") and int(match["h2"]) < 12:
            end += 720
            starts_after_noon = (match["p1"] or "p").startswith("p") and start + 720 < end and not match["p1"]
            if (match["p1"] or "").startswith("p") or starts_after_noon:
                start += 720 if int(match["h1"]) < 12 else 0
        if end <= start:
            end += 720
        if 0 < end - start <= 12 * 60:
            return end - start
    return None


# --- who is to be taught ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Mention:
    start: int
    end: int
    audiences: tuple[str, ...]
    sure: bool  # names people; otherwise a programme, or students at large


def audiences(folded: str) -> tuple[Audience, ...]:
    """Who is to be taught, in the order of mention; not who asks, decides or teaches, unless nobody else is named.

    >>> audiences(fold("As a PA I teach med students")), audiences(fold("our chief residents will teach it to the interns"))
    (('medical students',), ('residents',))
    """
    mentions = _without_overlaps([*_year_mentions(folded), *_audience_mentions(folded)])
    mentions = [m for m in mentions if not _negated(folded, m.start) and not _denied(folded, m.end)]
    taught = [m for m in mentions if not _asks_or_teaches(folded, m)]
    people = [m for m in taught if m.sure or _joins_doctors(folded, m, taught)]
    chosen = people or taught or [m for m in mentions if m.sure][:1] or mentions[:1]
    names = list(dict.fromkeys(name for mention in chosen for name in mention.audiences))
    if names == ["medical students"] and not any(m.sure for m in chosen):
        # Students at large beside a clerkship are its students, whoever runs it.
        phases = {name for m in mentions if not m.sure for name in m.audiences} & {"clinical students"}
        names = list(phases) or names
    if "medical students" in names:
        # A year says more than 'medical students'; both halves of the course together are medical students.
        halves = [name for name in names if name in ("pre-clinical students", "clinical students")]
        names = (
            [n for n in names if n not in halves]
            if len(halves) == 2
            else [n for n in names if not halves or n != "medical students"]
        )
    if {"pre-clinical students", "clinical students"} <= set(names) and _whole_course.search(folded):
        names = ["medical students" if n == "pre-clinical students" else n for n in names if n != "clinical students"]
    return tuple(cast(Audience, name) for name in names)


def _joins_doctors(folded: str, mention: _Mention, taught: Sequence[_Mention]) -> bool:
    """'residents and students': students at large are named people where doctors, and nobody else, stand beside them."""
    people = [m for m in taught if m.sure]
    return (
        folded.startswith("student", mention.start)
        and all(set(m.audiences) <= DOCTORS for m in people)
        and any(
            _and.fullmatch(folded[min(m.end, mention.end) : max(m.start, mention.start)])
            for m in people
            if m.end <= mention.start or mention.end <= m.start
        )
    )


DOCTORS = frozenset({"residents", "fellows", "faculty"})
_and = re.compile(r" ?(?:,|/|\+|and|,? and) ?(?:the |our |my |all )?")
_whole_course = re.compile(
    r"\b(?:from|years?) (?:the )?(?:1st|2nd|first|1|2)\b.{0,12}\b(?:to|through|-)|\ball (?:4|5|6|years)\b"
    r"|\bacross\b|m1-m4|ms1-ms4|ms1-4|m1-4"
)


def _audience_mentions(folded: str) -> Iterator[_Mention]:
    for entry in words().audiences:
        for match in entry.pattern.finditer(folded):
            yield _Mention(match.start(), match.end(), entry.audiences, entry.sure)


def _year_mentions(folded: str) -> Iterator[_Mention]:
    for entry in words().years:
        for match in entry.pattern.finditer(folded):
            before, after = folded[: match.start()], folded[match.end() :]
            if not _other_students.match(after) and not _other_students_before.search(before):
                yield _Mention(match.start(), match.end(), entry.audiences, True)


_other_students = re.compile(
    r"^[ -]?(?:(?!and\b|or\b|with\b|to\b|for\b)\w+[ -]){0,3}?(?:residen(?:ts?|cy|cies)|fellows?|registrars?"
    r"|trainees?|nurs\w*|midwi\w*|pharm\w*|dental|dentistry|hygien\w*|pas?\b|pa-s"
    r"|physician assistants?|mph|public health|faculty|psychiatry residents|apprentic\w*)\b"
)
_other_students_before = re.compile(
    r"\b(?:nurs\w*|midwi\w*|pharm\w*|dental|dentistry|hygien\w*|pa|physician assistant|mph|public health"
    r"|residents?|fellows?|residency"
    r"|fellowship)(?: students?| program(?:me)?| school)?,? (?:in )?(?:their )?$"
)


def _without_overlaps(mentions: list[_Mention]) -> list[_Mention]:
    """The longest mention wins where two overlap, so that 'chief residents' is no chief and 'PA' no more than itself."""
    kept: list[_Mention] = []
    for mention in sorted(mentions, key=lambda m: (-(m.end - m.start), m.start)):
        if all(
            # 'residency program director' also names a programme, in case that the director is the one who asks.
            mention.sure < other.sure or mention.end <= other.start or mention.start >= other.end
            for other in kept
        ):
            kept.append(mention)
    return sorted(kept, key=lambda m: m.start)


def _denied(folded: str, end: int) -> bool:
    """'Teaching assistants? no: …' takes the mention back."""
    return bool(re.match(r"^\? ?no\b", folded[end:]))


def _asks_or_teaches(folded: str, mention: _Mention) -> bool:
    before, after = folded[: mention.start], folded[mention.end :]
    leads = {"faculty", "institutional leaders"} & set(mention.audiences)
    named = folded[mention.start : mention.end]
    if leads and _one_role.search(named) and _opens_a_sentence.search(before) and _closes_a_role.match(after):
        return True
    if "community partners" in mention.audiences and _held_with.search(before):
        return True
    return any(
        pattern.search(before if place == "before" else after)
        for place, only_leads, pattern in ASKERS
        if not only_leads or leads
    )


_held_with = re.compile(
    r"\b(?:curricul\w+|electives?|projects?|courses?|learning|partner\w*|work\w*|designed|developed|built|created|led)"
    r" (?:together )?(?:with|by) (?:(?:the|our|local|a) )*$"
)
# 'Nurse educator for a health authority: …' introduces the asker; a plural, or 'faculty', would be an audience.
_one_role = re.compile(
    r"(?:lecturer|educator|director|co-?ordinator|lead|leader|dean|professor|tutor|instructor|teacher|attending"
    r"|consultant|hospitalist"
    r"|chair|officer|supervisor|preceptor|head|dme|dio|cmo|pd|apd|physician|doctor|surgeon)$"
)
_opens_a_sentence = re.compile(r"(?:^|[.!?;] |\+ )(?:(?!for\b|to\b|with\b|a\b|an\b|the\b)[\w/'-]+ ){0,3}$")
_closes_a_role = re.compile(
    r"^ ?(?:$|[,.:;(+-]|here\b|for\b|in\b|at\b|of\b|from\b|needs?\b|wants?\b|seeks?\b|looking\b|writing\b|trying\b)"
)


# --- how, where, what ------------------------------------------------------------------------------------------------

_either = re.compile(r"\b(?:online|zoom|virtual\w*|remote\w*) or (?:live|in[- ]person|face[- ]to[- ]face"
r"|on[- ]?site)|\b(?:live|in[- ]person|face[- ]to[- ]face) or (?:online|on zoom|zoom|virtual\w*"
r"|remote\w*)")  # fmt: skip
_not_online = re.compile(
    r"\b(?:not|nothing|no|never|isn't|without|rather than|instead of) (?:\w+ )?(?:online|virtual|remote|zoom)\b|\bno more zoom\b"
)


def wanted(folded: str) -> tuple[Format | None, bool]:
    """The format that is asked for, and whether it must hold: how people meet must, the method is a wish."""
    if _not_online.search(folded):
        return "in person", not _wished(_not_online, folded)
    if _either.search(folded):
        return None, False
    for entry in words().formats:
        if any(not _negated(folded, m.start()) for m in entry.pattern.finditer(folded)):
            found = cast(Format, entry.name)
            return found, found in DELIVERY and not _wished(entry.pattern, folded)
    return None, False


_evaluated = re.compile(
    r"\b(?:evaluated|validated|tested|randomi[sz]ed|controlled trial|trial evidence|piloted and|surveyed"
    r"|(?:with|have|has|any|measured|real|proven"
    r"|published) (?:\w+ )?(?:outcomes|results|outcome data|evaluation)|measured|(?:has|have|been|actually"
    r"|ever) (?:been )?shown to"
    r"|shown to (?:work|change)|evidence (?:that|of) (?:it|effect|impact)|proof|trial[- ]level|effect (?:was"
    r"|were) measured|and counted"
    r"|pre[- ]?(?:/|and )?[- ]?post|proven|with (?:outcome|evaluation) data|evidence[- ]based)\b"
)
_open_access = re.compile(
    r"\b(?:open[- ]access|must be free|free (?:web|online|resources?|stuff|material|of charge|to (?:use"
    r"|download|read|access))"
    r"|for free|freely (?:available|accessible)|no paywall|not (?:behind a )?paywall\w*"
    r"|without (?:a )?(?:paywall|subscription|journal access)"
    r"|no (?:journal|library) (?:access|subscription)s?|library (?:cancelled|canceled)|(?:has"
    r"|needs?) to be free|free please|free only)\b"
)


def country_of(text: str) -> tuple[str | None, bool]:
    """The country that a text names, with its own capitals, and whether it is more than the name of an accreditor."""
    for entry in words().countries:
        if entry.pattern.search(text):
            return entry.name, entry.sure
    return None, False


def required_topics(need: Need) -> tuple[Topic, ...]:
    """The topics of which a hard constraint asks one: the narrow ones if any is, else the subjects, else all."""
    narrow = tuple(topic for topic in need.topics if topic in words().narrow_topics)
    return narrow or tuple(topic for topic in need.topics if topic not in words().setting_topics) or need.topics


_session = re.compile(
    r"\b(?:workshops?|sessions?|curricul(?:um|a)|courses?(?! rep)|modules?|seminars?|electives?|simulations?"
    r"|series|didactics?|slots?|lecture slots?"
    r"|training)\b"
)


def speaks_of_a_session(text: str) -> bool:
    """Does the text ask for something to be held with learners, rather than for guidance or evidence?"""
    return bool(_session.search(fold(text)))


_looks = re.compile(
    r"\b(?:looking for|recommend|suggest(?:ions?)?|is there an?|are there any|does anyone have"
    r"|what should i use|need (?:an?|something|some)"
    r"|want (?:an?|something|to run|to teach)|can you find|any(?:thing)? (?:ready|good)|which (?:workshop"
    r"|curricul\w+|resource|course|toolkit)s?)\b"
)
_resource = re.compile(
    r"\b(?:workshops?|sessions?|curricul(?:um|a)|courses?|modules?|toolkits?|resources?|teaching (?:material"
    r"|resource)s?|checklists?|seminars?"
    r"|lectures?|electives?|simulations?|training|slides|slot|didactics?|reading list|syllabus)\b"
)


_asks = re.compile(
    r"(?:^|[.!?;:,] +)(?:and |but |so |then )?(?:did|do|does|how|what|why|who|whose|when|where|has|have|was|were|can|could"
    r"|should|are|is|which|since|because)\b|\benough\b|\bresults\b"
)
_resource_for = re.compile(
    r"\b(?:workshop|session|curriculum|course|module|seminar|elective|simulation|training|lecture|slot|slides|didactics?)\b"
    r"[^?]{0,60}\bfor\b"
)


def looks_for_resources(text: str) -> bool:
    """Does a question ask for something to teach with, rather than for an answer?

    True for a request for a kind of resource with an audience or a length, and for a length with an audience or a kind of
    resource for an audience where nothing is asked.
    """
    folded = fold(text)
    resource, people, long = bool(_resource.search(folded)), bool(audiences(folded)), minutes(folded) != (None, None)
    if resource and _looks.search(folded) and (people or long):
        return True
    return people and not _asks.search(folded) and (long or bool(_resource_for.search(folded)))
