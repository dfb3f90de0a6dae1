"""Does the cited text say it? Deterministic checks, written apart from the bot's own and sharing nothing with them.

A bot that is graded by its own checker is grounded by construction, so this module may not import `bot.grounding`
(tests/test_architecture.py). What it lets pass and what it refuses is measured on human-labelled claims and on mutations
of true ones (`mutants`), and both figures stand beside every groundedness that rests on it.
"""

import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from knowledge.lexical import stems

# Shares of a claim's stems that its passages must hold; fitted on the development half of evals/cases/claims.jsonl.
WHOLE = 0.62
CLOSE = 0.8  # a claim this near to a passage repeats it, so that a hedge it leaves out counts
NEAR = 0.9  # nearer than this, a claim is the passage with something changed

_quotes = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-", "\u00a0": " "})
_number = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_word = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_quoted = re.compile(r'"([^"]{4,}?)[.,]?"')

NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen twenty""".split()
    )
} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "once": "1", "twice": "2", "dozen": "12",
}  # fmt: skip
# A bare "one" or "first" is more often grammar than a count.
SOFT_NUMBERS = frozenset({"0", "1", "2"})

UNITS = frozenset(("minut", "hour", "day", "week", "month", "percent", "decad"))  # stems

NEGATORS = frozenset(
    """not no never nor neither none without cannot nobody nothing nowhere hardly barely fail fails failed failing lack
    lacks lacked lacking absence absent unable refuse refuses refused decline declined reject rejects rejected deny
    denied""".split()
)
OPPOSITES = (
    (
        "rise rises rose risen rising increase increases increased increasing grew grow grows higher gain "
        "gains gained more up improve improves improved improving better greater strengthen strengthened "
        "upward",
        "fall falls fell fallen falling decrease decreases decreased decreasing decline declines declined "
        "lower drop drops dropped less fewer down worsen worsens worsened worse smaller weaken weakened "
        "downward reduce reduces reduced reducing shrank",
    ),
    (
        "required requires require mandatory compulsory must obliged",
        "optional voluntary elective choose may",
    ),
    (
        "before beforehand prior precede preceded",
        "after afterwards following later",
    ),
    (
        "support supports supported supporting endorse endorses endorsed favour favoured favor favored agreed agree",
        "oppose opposes opposed opposing against disagree disagreed",
    ),
    (
        "allow allows allowed permit permits permitted",
        "forbid forbids forbade forbidden ban bans banned prohibit prohibits prohibited bar barred",
    ),
    (
        "include includes included including",
        "exclude excludes excluded excluding omit omits omitted",
    ),
    (
        "add added adds adopt adopts adopted introduce introduced keep kept retain retained",
        "remove removes removed drop dropped abolish abolished end ended repeal repealed withdraw withdrew withdrawn",
    ),
    (
        "most majority",
        "few minority least",
    ),
    (
        "anonymous anonymously",
        "named signed",
    ),
    (
        "formal formally",
        "informal informally",
    ),
    (
        "shortage scarcity",
        "surplus excess",
    ),
    (
        "open free public publicly",
        "closed paid private confidential paywalled",
    ),
    (
        "internal internally",
        "external externally",
    ),
    (
        "success succeed succeeded successful",
        "failure fail failed unsuccessful",
    ),
    (
        "significant significantly",
        "insignificant nonsignificant",
    ),
)
GROUPS = tuple(
    frozenset(words.split())
    for words in (
        "student students learner learners undergraduate undergraduates preclinical",
        "resident residents intern interns registrar registrars housestaff",
        "trainee trainees",
        "fellow fellows",
        "faculty teacher teachers professor professors lecturer lecturers educator educators "
        "instructor instructors tutor tutors",
        "dean deans provost chancellor",
        "nurse nurses nursing midwife midwives",
        "pharmacist pharmacists pharmacy",
        "dentist dentists dental dentistry",
        "physician physicians doctor doctors clinician clinicians surgeon surgeons consultant consultants",
        "patient patients",
        "staff employee employees administrator administrators",
        "parent parents family families caregiver caregivers",
        "community communities",
        "applicant applicants",
        "black african-american",
        "white caucasian",
        "asian",
        "hispanic latino latina latinx latine",
        "indigenous aboriginal maori māori native first-nations",
        "dalit adivasi",
        "muslim", "jewish", "christian", "hindu", "sikh",
        "women woman female",
        "men man male",
        "medical medicine",
        "law",
        "veterinary",
        "paramedic paramedics",
        "psychologist psychologists",
        "physiotherapist physiotherapists",
    )
)  # fmt: skip
STRONGER = frozenset(
    """all every always only everyone everywhere entire entirely completely whole wholly universally any anywhere prove
    proves proved proven guarantee guarantees guaranteed ensure ensures cause causes caused demonstrate demonstrates
    demonstrated definitely certainly undoubtedly conclusively permanently nationwide worldwide globally national
    any unanimous unanimously eliminate eliminates eliminated eradicate eradicated exclusively alone solely clearly
    establish establishes established consistently objective objectively lasting enough sufficient identical fully
    invariably standard cure cures solved solves""".split()
)
HEDGES = frozenset(
    """may might could some sometimes suggest suggests suggested seem seems appear appears possibly perhaps likely
    about almost nearly roughly approximately several often usually tend tends partly only self-reported self-rated
    themselves perceived pilot small preliminary limited""".split()
)
NOT_NAMES = frozenset(
    """the a an in on at of for from by with and but or if when while after before during since because although though
    under over this that these those it its he she they their his her we you i as to is are was were who which what
    how where why one some many most no not yes both each every all there here students residents faculty medical
    using use schools teachers participants january february march april may june july august september october
    november december monday tuesday wednesday thursday friday saturday sunday""".split()
)


@dataclass(frozen=True)
class Judgement:
    """A verdict with the share of the claim's words that its passages hold, and every objection found."""

    supported: bool
    coverage: float
    objections: tuple[str, ...] = ()
    verbatim: bool = False


def plain(text: str) -> str:
    """A text as it is compared: one kind of quote and dash, single spaces, no Markdown escapes."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_quotes).split())


def is_verbatim(claim: str, passages: Sequence[str]) -> bool:
    """Whether a passage holds the claim word for word."""
    wanted = plain(claim)
    return bool(wanted) and any(wanted in plain(passage) for passage in passages)


def judge(claim: str, passages: Sequence[str], context: str = "") -> Judgement:
    """Whether the passages, taken together, say the claim. What they do not mention is not supported.

    `context` is what may be named without being cited: a record's title, authors and place.
    """
    if not passages:
        return Judgement(False, 0.0, ("no citation",))
    if is_verbatim(claim, passages):
        return Judgement(True, 1.0, (), verbatim=True)
    said, told = plain(claim), plain(" ".join(passages))
    known = f"{told} {plain(context)}"
    coverage = coverage_of(said, known)
    objections = [
        *_numbers(said, known),
        *_quotations(said, told),
        *_names(said, known),
        *_negation(said, passages),
        *_opposites(said, told),
        *_groups(said, known),
        *_scope(said, told),
        *_hedges(said, passages, coverage),
    ]
    if coverage < WHOLE:
        objections.append(f"words: {coverage:.0%} of them are in the cited text")
    return Judgement(not objections, coverage, tuple(objections))


@lru_cache(maxsize=20_000)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stems(text))


def coverage_of(claim: str, known: str) -> float:
    """Share of the claim's stems that the cited text holds, numbers written out or not; 1 for a claim without stems."""
    wanted = {NUMBER_WORDS.get(stem, stem) for stem in _stems(claim)}
    held = {NUMBER_WORDS.get(stem, stem) for stem in _stems(known)}
    return len(wanted & held) / len(wanted) if wanted else 1.0


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'").removesuffix("'s") for word in _word.findall(text)]


def numbers_in(text: str) -> set[str]:
    """The numbers of a text, written in figures or words, without thousands commas."""
    found = {number.rstrip(".,").replace(",", "") for number in _number.findall(text)}
    # Trap: figures may stand inside a word, as in T1.5 or a 90-minute session; the pattern finds the latter only.
    words = [word for part in _words(text) for word in part.split("-")]
    total = 0
    for word in [*words, ""]:
        value = int(NUMBER_WORDS.get(word, 0))
        if total and word in ("hundred", "thousand", "million"):
            total *= {"hundred": 100, "thousand": 1_000, "million": 1_000_000}[word]
        elif total >= 20 and total % 10 == 0 and 0 < value < 10:
            total += value  # twenty-eight
        else:
            found |= {str(total)} if total else set()
            total = value
    return found


def _numbers(claim: str, known: str) -> Iterator[str]:
    missing = numbers_in(claim) - numbers_in(known)
    written = {n.replace(",", "") for n in _number.findall(claim)}
    for number in sorted(missing):
        if number in written or number not in SOFT_NUMBERS:
            yield f"number: {number} is not in the cited text"
    held = _stems(known)
    yield from (f"number: {unit} is not in the cited text" for unit in sorted(_stems(claim) & UNITS - held))


def _quotations(claim: str, told: str) -> Iterator[str]:
    for quotation in _quoted.findall(claim):
        if quotation.lower() not in told.lower():
            yield f"quotation: {quotation!r} is not in the cited text"


def _names(claim: str, known: str) -> Iterator[str]:
    held = set(_words(known)) | {part for word in _words(known) for part in word.split("-")}
    tokens = list(_word.finditer(claim))
    for place, token in enumerate(tokens):
        word = token[0].removesuffix("'s").removesuffix("’s")
        starts = place == 0 or claim[: token.start()].rstrip().endswith((".", "?", "!", ":", '"'))
        is_name = word[:1].isupper() and (not starts or word[1:].lower() != word[1:])
        parts = {word.lower(), *word.lower().split("-")} - NOT_NAMES - {""}
        # An acronym may stand for words of the text.
        if (
            is_name
            and parts
            and not parts & held
            and not _abbreviates(word, known)
            and not _stems_stand_in(word, known)
        ):
            yield f"name: {word} is not in the cited text"


def _stems_stand_in(word: str, known: str) -> bool:
    return bool(_stems(word)) and _stems(word) <= _stems(known)


def _abbreviates(word: str, known: str) -> bool:
    """Whether a word of capitals is made of initials that follow each other in the text."""
    if not word.isupper() or len(word) < 2:
        return False
    initials = "".join(w[0] for w in _word.findall(known) if w[0].isupper()).upper()
    return word in initials


def _best_window(claim: str, passages: Sequence[str]) -> str:
    """The passage that shares most stems with the claim."""
    return max(passages, key=lambda passage: len(_stems(claim) & _stems(plain(passage))), default="")


def _count_negations(text: str) -> int:
    return sum(word in NEGATORS or word.endswith("n't") for word in _words(text))


def _negation(claim: str, passages: Sequence[str]) -> Iterator[str]:
    told = plain(_best_window(claim, passages) if len(passages) > 1 else passages[0])
    everything = plain(" ".join(passages))
    said = _count_negations(claim)
    if said and not _count_negations(everything):
        yield "negation: the claim denies what the cited text does not"
    elif (
        not said and _count_negations(told) and coverage_of(claim, told) >= WHOLE and coverage_of(told, claim) >= WHOLE
    ):
        yield "negation: the cited text denies and the claim does not"
    elif said != _count_negations(told) and min(coverage_of(claim, told), coverage_of(told, claim)) >= NEAR:
        yield "negation: the claim repeats the cited text with another number of denials"


def _opposites(claim: str, told: str) -> Iterator[str]:
    said, known = set(_words(claim)), set(_words(told))
    for one, other in OPPOSITES:
        first, second = set(one.split()), set(other.split())
        for mine, theirs in ((first, second), (second, first)):
            if said & mine and not said & theirs and known & theirs and not known & mine:
                yield f"direction: {sorted(said & mine)[0]} against {sorted(known & theirs)[0]}"


def _groups(claim: str, known: str) -> Iterator[str]:
    said = {part for word in _words(claim) for part in (word, *word.split("-"))}
    held = {part for word in _words(known) for part in (word, *word.split("-"))}
    for group in GROUPS:
        if said & group and not held & group:
            yield f"group: {sorted(said & group)[0]} is not in the cited text"


def _scope(claim: str, told: str) -> Iterator[str]:
    held = {stem for word in _words(told) if word in STRONGER for stem in _stems(word)} | set(_words(told))
    for word in dict.fromkeys(_words(claim)):
        if word in STRONGER and word not in held and not _stems_stand_in(word, told):
            yield f"scope: {word} is stronger than the cited text"


def _hedges(claim: str, passages: Sequence[str], coverage: float) -> Iterator[str]:
    told = plain(_best_window(claim, passages))
    lost = (set(_words(told)) & HEDGES) - set(_words(claim))
    # Only where the claim otherwise repeats the passage: a paraphrase may hedge in words that no list knows.
    if coverage >= CLOSE and coverage_of(told, claim) >= CLOSE and lost and not set(_words(claim)) & HEDGES:
        yield f"scope: the cited text says {sorted(lost)[0]}"


# --- mutations: does the judge see a planted error? ---------------------------------------------------------------

_SWAPS = {
    "students": "residents", "residents": "students", "faculty": "patients", "nurses": "physicians", "black": "white",
    "white": "Asian", "women": "men", "indigenous": "Hispanic", "patients": "faculty",
    "trainees": "deans", "physicians": "nurses",
}  # fmt: skip
_WIDER = (
    ("some", "all"), ("several", "all"), ("many", "all"), ("most", "all"), ("may", "will always"), ("can", "always"),
    ("often", "always"),
    ("suggests", "proves"), ("one", "every"), ("about", "exactly"), ("self-reported", "objectively measured"),
)  # fmt: skip
MUTATIONS = ("number", "negation", "name", "group", "scope")


def mutants(statement: str, names: Sequence[str], seed: int = 0) -> Iterator[tuple[str, str]]:
    """(kind, false sentence) for each kind of mutation that the statement allows; one changed thing each.

    `names` are capitalised words of other records, from which a replacement is drawn with a fixed seed.
    """
    rng = random.Random(f"{seed}:{statement}")
    if found := list(_number.finditer(statement)):
        number = rng.choice(found)
        digits = number[0].replace(",", "")
        changed = str(int(digits) + rng.choice((3, 7, 10))) if digits.isdigit() else f"{float_of(digits) + 1.5:g}"
        yield "number", statement[: number.start()] + changed + statement[number.end() :]
    if match := re.search(r"\b(is|are|was|were|has|have|had|can|should|may|must|did|do|will)\b(?! not\b)", statement):
        yield "negation", statement[: match.end()] + " not" + statement[match.end() :]
    inner = [m for m in re.finditer(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b", statement) if m[0].lower() not in NOT_NAMES]
    others = sorted(name for name in set(names) if name.lower() not in statement.lower())
    if inner and others:
        name = rng.choice(inner)
        yield "name", statement[: name.start()] + rng.choice(others) + statement[name.end() :]
    groups = [m for m in re.finditer(r"[A-Za-z]+", statement) if m[0].lower() in _SWAPS]
    groups = [m for m in groups if _SWAPS[m[0].lower()].lower() not in statement.lower()]
    if groups:
        group = rng.choice(groups)
        yield "group", statement[: group.start()] + _SWAPS[group[0].lower()] + statement[group.end() :]
    for narrow, wide in _WIDER:
        if match := re.search(rf"\b{narrow}\b", statement):
            yield "scope", statement[: match.start()] + wide + statement[match.end() :]
            break


def float_of(digits: str) -> float:
    """A number with one decimal point; further points (a version, a date) are dropped."""
    head, _, tail = digits.partition(".")
    return float(f"{head}.{tail.replace('.', '')}")


def light_edits(statement: str) -> Iterator[str]:
    """True rewordings of a statement that a fair judge accepts: other order, another spelling, a number in words."""
    if match := re.fullmatch(r"(In|During|After|Before|At) ([^,]{4,60}), (.+)\.", statement):
        rest = match[3]
        yield f"{rest[0].upper()}{rest[1:]} {match[1].lower()} {match[2]}."
    words = {
        number: word
        for word, number in NUMBER_WORDS.items()
        if word in ("three", "four", "five", "six", "seven", "eight", "nine")
    }
    if match := re.search(r"(?<![\w.,-])[3-9](?![\w.,%-])", statement):
        yield statement[: match.start()] + words[match[0]] + statement[match.end() :]
    if "program " in statement:
        yield statement.replace("program ", "programme ", 1)
