"""What a question takes for granted, and whether the evidence carries it.

A question such as "Since only 12 cases were rewritten, is it worth copying?" asserts something before it asks. `split` finds the
two parts; `contradictions` compares the asserted part with what a record says. What to make of it is decided in `bot/abstention.py`.
"""

# ruff: noqa: E501 - a pattern is read as a whole

import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.lexical import stems
from knowledge.record import Record

_sentence_end = re.compile(r"(?<=[.?!])[\"'”’)]*\s+(?=\S)|\s+[–—-]\s+|;\s+")
_opening = re.compile(
    r"^(?:so,? |and |but |ok,? |well,? )?(since|as|given(?: that)?|because|if|after|when|now that|considering(?: that)?|seeing(?: that)?)\b",
    re.IGNORECASE,
)
_asks = re.compile(
    r"^\W*(?:and |so |but |ok,? |also,? |then |or )*(?:(?:in|at|on|for|to|by|from|of|with|under|about|how|since) )?"
    r"(who|whom|whose|what|what's|whats|when|where|which|why|how|is|are|was|were|do|does|did|has|have|had|can|could|should|would|will"
    r"|any|list|name|give|show|tell|explain|describe|isn't|aren't|don't|doesn't|didn't|may|must)\b",
    re.IGNORECASE,
)
_tag = re.compile(
    r"[,;]?\s*(?:right|correct|yes|no|true|isn't it|wasn't it|aren't they|weren't they|doesn't it|don't they|didn't (?:it|they|he|she|we)"
    r"|is it|was it|did they|haven't they|hasn't it|really)\s*\?",
    re.IGNORECASE,
)
_loaded_why = re.compile(
    r"\b(why (did|does|do|was|were|is|are|has|have|didn't|doesn't|weren't)|how come)\b", re.IGNORECASE
)
_mid_split = re.compile(
    r",?\s+(?:so|and so|but)\s+(?=(?:how|what|why|which|who|where|when|is|are|can|do|does|should)\b)|,\s+(?=(?:how|what|why|which|who|where|when|isn't|doesn't|is|are|do|does|did|can|should)\b)",
    re.IGNORECASE,
)

NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen twenty""".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "dozen": 12}
_compound = re.compile(
    r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[- ](one|two|three|four|five|six|seven|eight|nine)\b",
    re.I,
)
_digits = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?=\b|%|[a-z])")
_ordinal_rank = re.compile(r"\b(first|last|second|third)\b", re.IGNORECASE)

# Each row holds two sides that cannot both be true of one thing; words are matched by their stems.
OPPOSITES: tuple[tuple[str, str], ...] = (
    ("rose raise raised increased increase gained gain improved improve grew higher up", "fell fall dropped drop decreased decrease declined fail failed lower lowered worse worsened worst"),
    ("optional voluntary elective", "required compulsory mandatory obligatory"),
    ("first earliest", "last latest"),
    ("supported support backed back endorsed favour praised applauded thrilled", "opposed oppose criticised criticise rejected denounced objected painful"),
    ("kept keep retained reinstated restored brought", "removed remove dropped drop renamed rename suspended suspend ended abolished paused"),
    ("most majority nearly all overwhelmingly", "few fewer minority none"),
    ("student students learners trainees", "professors dean deans attendings inspectors"),
    ("one single", "several multiple many multi multi-centre multi-site"),
    ("anonymous anonymously", "named identified signed"),
    ("reported report", "unreported"),
    ("low", "high top"),
    ("open free", "paid paywalled rights reserved fee"),
    ("strong solid proven proved proves validated", "limited weak lacked compromised fruitless inconsistent"),
    ("punish disciplined discipline penalty punishment punitive", "growth improvement"),
    ("lasting permanent permanently good", "short-term fade fades faded brief"),
    ("online virtual virtually", "person"),
    ("together", "alone"),
    ("banned ban bans forbid forbidden", "let allow allowed may include includes permits"),
    ("worst", "nuance best"),
    ("boredom", "distress"),
    ("impulsive", "deliberate intentional"),
    ("isolated", "connected connection belonging"),
    ("neutral", "specific"),
)  # fmt: skip
_SIDES = [tuple(frozenset(stems(side)) for side in pair) for pair in OPPOSITES]
_negation = re.compile(
    r"\b(not|no|none|never|without|cannot|nobody|neither|nor|lack(?:ed|s|ing)?|fail(?:ed|s)?|refus\w+|den(?:y|ied|ies)|n't)\b|n['’]t\b",
    re.IGNORECASE,
)
_sweeping = re.compile(
    r"\b(prov(?:ed|es|en)|validated|trial|randomi[sz]ed|control(?:led)? (?:arm|group)|everybody|everyone|all|always|never|alone|only|clearly"
    r"|whole|fully|nobody|none|for good|every|must|forced|guarantee\w*|multi-?\w*|exactly|solid|strong|nearly all|jury|guilty)\b",
    re.IGNORECASE,
)
_name = re.compile(r"(?<=[\w,;:'’\")] )(?:[A-ZÀ-Þ][a-zß-ÿ]\w+|[A-Z]{2,}[A-Za-z0-9]*)")
_not_names = frozenset("I I'm I've I'd Dr Prof PhD MD US UK Black White Asian".split())
_own = re.compile(r"\b(I|I'm|we|we've|I've|my|our|us|me|mine|ours)\b")


@dataclass(frozen=True)
class Parts:
    """A question in two parts. `asserted` is empty where nothing is taken for granted; `tagged` marks "…, right?"."""

    asserted: str
    asked: str
    tagged: bool = False
    loaded: bool = False


def split(question: str) -> Parts:
    """What a question asserts, and what it asks.

    >>> split("Since Bristol was last to sign, what took it so long?")
    Parts(asserted='Bristol was last to sign', asked='what took it so long?', tagged=False, loaded=False)
    """
    tagged = bool(_tag.search(question))
    loaded = bool(_loaded_why.search(question))
    asserted: list[str] = []
    asked: list[str] = []
    for sentence in (part for part in _sentence_end.split(question) if part.strip()):
        if opening := _opening.match(sentence):
            rest = sentence[opening.end() :].strip(" ,")
            halves = (
                re.split(r",\s+(?=[^,]*$)", rest, maxsplit=1)
                if len(_mid_split.split(rest, 1)) < 2
                else _mid_split.split(rest, 1)
            )
            asserted.append(halves[0])
            asked += halves[1:]
        elif _tag.search(sentence):
            asserted.append(_tag.sub("", sentence))
        elif _asks.match(sentence) or (sentence.rstrip().endswith("?") and len(sentence.split()) < 5):
            asked.append(sentence)
            if _loaded_why.search(sentence):
                asserted.append(_loaded_why.sub("", sentence).rstrip("?"))
        else:
            halves = _mid_split.split(sentence, maxsplit=1)
            asserted.append(halves[0])
            asked += halves[1:]
    return Parts(" ".join(asserted).strip(), " ".join(asked).strip() or question, tagged, loaded)


def tells_of_the_asker(question: str) -> bool:
    """Whether what a question asserts is about the person who asks, and of no work, place or figure that a source could deny.

    >>> tells_of_the_asker("I fear retaliation if I complain. What should I do?"), tells_of_the_asker("Is it true that we do?")
    (True, False)
    """
    asserted = split(question).asserted
    begins = " ".join(asserted.split()[:5])  # later a "we" is who asks, not what about
    return (
        bool(_own.search(begins[:1].lower() + begins[1:]) or _own.search(begins))
        and not names(asserted)
        and not numbers(asserted)
    )


def numbers(text: str) -> frozenset[float]:
    """The figures of a text, in digits or in words.

    >>> sorted(numbers("Fifty-five of 1,098 students, 54.8%"))
    [54.8, 55.0, 1098.0]
    """
    text = _compound.sub(lambda m: str(NUMBER_WORDS[m[1].lower()] + NUMBER_WORDS[m[2].lower()]), text)
    found = {float(match[0].replace(",", "").rstrip(".")) for match in _digits.finditer(text)}
    return frozenset(found | {float(NUMBER_WORDS[w]) for w in re.findall(r"[a-z]+", text.lower()) if w in NUMBER_WORDS})


def names(text: str) -> tuple[str, ...]:
    """Words within a sentence that begin with a capital, and acronyms."""
    return tuple(dict.fromkeys(name for name in _name.findall(text) if name not in _not_names))


def opposites(text: frozenset[str], statement: frozenset[str]) -> int:
    """How many pairs of opposites have one side in each of two sets of stems and no side in both."""
    return sum(
        bool(text & one and statement & other and not text & other and not statement & one)
        for pair in _SIDES
        for one, other in (pair, pair[::-1])
    )


@dataclass(frozen=True)
class Contradictions:
    """How an assertion stands against a record; counts of what the record lacks or says otherwise."""

    unknown_numbers: int
    known_numbers: int
    unknown_names: int
    opposite_words: int
    negations_differ: bool
    unknown_sweeping: int
    about_the_asker: bool


def contradictions(asserted: str, record_text: str, statements: Sequence[str]) -> Contradictions:
    """Compare an assertion with a record: its whole text for figures and names, its statements on the subject for direction."""
    figures, known = numbers(asserted), numbers(record_text)
    low = record_text.lower()
    mine = frozenset(stems(asserted))
    near = sorted(statements, key=lambda text: -len(mine & frozenset(stems(text))))[:2]
    theirs = [frozenset(stems(text)) for text in near]
    sweeping = {match.lower() for match in _sweeping.findall(asserted)}
    return Contradictions(
        unknown_numbers=len(figures - known),
        known_numbers=len(figures & known),
        unknown_names=sum(name.lower().removesuffix("s") not in low for name in names(asserted)),
        opposite_words=max((opposites(mine, one) for one in theirs), default=0),
        negations_differ=bool(near) and bool(_negation.search(asserted)) != bool(_negation.search(near[0])),
        unknown_sweeping=sum(word not in low for word in sweeping),
        about_the_asker=bool(_own.search(asserted)),
    )


def record_text(record: Record, searched: str) -> str:
    """Everything a record says of itself, with its identifiers left out."""
    return f"{searched} {record.total_minutes or ''} {record.session_minutes or ''}"
