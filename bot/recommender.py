"""A need to the few resources that fit: hard constraints are kept, near misses are named, every reason is the record's own.

What must hold decides who is on the list; how well a record matches the words, topics and wishes, and how strong its evidence is,
decides the order. A value that the record does not state counts as not met: an unknown length is a near miss.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.needs import Constraint, Format, Need, required_topics, speaks_of_a_session, subject_words
from bot.retriever import Retriever
from knowledge.index import PassageIndex
from knowledge.lexical import stems
from knowledge.passage import Passage, passage_id, passages_of
from knowledge.record import Audience, Facet, Kind, Record, Tier, Topic
from knowledge.teaching import Teaching, session_length, statement_with, teaching_of

RESULTS = 3
NEAR_MISSES = 5
MOST_REASONS = 3
MOST_BROKEN = 2  # a record that breaks more is not near
LEAST_SHARE = 0.5  # of the first result's share of the subjects, below which a record only touches the subject
FAR_BELOW = 0.2  # of a score: off the topic and this much worse than the best is not shown to fill the list
ONE_MORE_BROKEN = 0.12  # of a score: about the difference between a record on the topic and one beside it
# What is written for whoever teaches or decides fits any audience; a session, or its evaluation, was made for one.
FOR_ANY_AUDIENCE: frozenset[Kind] = frozenset({
    "review", "framework", "checklist", "toolkit", "guide", "policy", "statement", "standard", "commentary", "report",
    "collection", "competencies", "news", "case-study", "survey", "qualitative-study",
})  # fmt: skip
TEACHING: frozenset[Kind] = frozenset({"workshop", "curriculum", "course", "elective"})
STUDENTS: tuple[Audience, ...] = ("pre-clinical students", "clinical students")
PROFESSIONS: frozenset[Audience] = frozenset({
    "nurses", "pharmacists", "physician assistants", "dental", "public health", "fellows", "community partners",
})  # fmt: skip
REGIONS = {"North America": ("United States", "Canada")}
METHODS: dict[Format, tuple[str, ...]] = {
    "simulation": ("simulat", "standardized", "standardised", "actor", "osce", "sp "),
    "workshop": ("workshop", "session", "role-play", "interactive"),
    "lecture": ("lecture", "presentation", "talk"),
    "case-based": ("case", "vignette"),
}
EVIDENCE: dict[Tier, float] = {
    "peer-reviewed": 1.0, "institutional": 0.6, "guide": 0.5, "news": 0.1, "personal": 0.0, "unreviewed": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """What each sign of fit adds to a score; fitted on the development needs only (docs/decisions/0011)."""

    match: float = 1.0
    topics: float = 0.18
    audience: float = 0.03
    profession: float = 0.06
    teaching: float = 0.03
    format: float = 0.02
    country: float = 0.05
    kind: float = 0.08
    evaluated: float = 0.05
    evidence: float = 0.02
    length: float = 0.04
    off_topic: float = 0.10
    sameness: float = 0.04


@dataclass(frozen=True)
class Candidate:
    """A record with its score, how it stands to each constraint (None where it does not say) and which hard ones it breaks.

    `share` is that of the subjects asked for that it has (`topic_share`).
    """

    record: Record
    teaching: Teaching
    score: float
    share: float
    states: dict[Constraint, bool | None]
    broken: tuple[Constraint, ...]


@dataclass(frozen=True)
class Why:
    """A reason in the record's own words."""

    text: str
    passage_id: str


@dataclass(frozen=True)
class Recommended:
    """A resource on the list; `unmet` are the wishes that it does not meet or does not speak of."""

    record: Record
    teaching: Teaching
    score: float
    why: tuple[Why, ...]
    unmet: tuple[Constraint, ...]


@dataclass(frozen=True)
class NearMiss:
    """A record that is close but breaks a constraint; `unknown` when it only does not state the value."""

    record: Record
    broken: tuple[Constraint, ...]
    unknown: bool
    score: float


@dataclass(frozen=True)
class Recommendation:
    """The list for a need. `left_out` says in sentences what it does not hold."""

    need: Need
    results: tuple[Recommended, ...]
    near_misses: tuple[NearMiss, ...]
    left_out: tuple[str, ...]
    generation: str = ""

    @property
    def relaxed(self) -> tuple[Constraint, ...]:
        """The wishes that some resource on the list does not meet."""
        return tuple(dict.fromkeys(name for result in self.results for name in result.unmet))


class Library(Protocol):
    """Where the index of the moment comes from."""

    def get(self) -> PassageIndex:
        """One generation, to be kept for the whole of a recommendation."""


class Recommender:
    """Finds resources for needs in one library."""

    def __init__(self, library: Library, retriever: Retriever, weights: Weights | None = None) -> None:
        self.library = library
        self._retriever = retriever
        self._weights = weights or Weights()

    def recommend(self, need: Need, most: int = RESULTS) -> Recommendation:
        """Up to `most` resources that keep every hard constraint, best first, and what came close."""
        index = self.library.get()
        match = self._retriever.score_records(index, need.text or described(need))
        rarity = _topic_rarity(index.records)
        candidates = []
        for number, record in enumerate(index.records):
            teaching = teaching_of(record)
            states = {name: meets(record, teaching, need, name) for name in asked(need)}
            score = self._score(need, record, teaching, float(match[number]), states, rarity)
            share = topic_share(required_topics(need), record, rarity)
            broken = tuple(name for name, state in states.items() if name in need.hard and state is not True)
            candidates.append(Candidate(record, teaching, round(score, 4), share, states, broken))
        candidates.sort(key=lambda candidate: (-candidate.score, candidate.record.id))
        results = tuple(
            Recommended(
                fit.record,
                fit.teaching,
                fit.score,
                reasons(need, fit.record, fit.teaching),
                tuple(name for name, state in fit.states.items() if state is not True),
            )
            for fit in self._varied(need, [c for c in candidates if not c.broken], most)
        )
        shown = {name for result in results for name in (result.record.id, *result.record.related)}
        near = sorted(
            (c for c in candidates if 0 < len(c.broken) <= MOST_BROKEN and c.record.id not in shown),
            key=lambda c: (-(c.score - ONE_MORE_BROKEN * len(c.broken)), c.record.id),
        )
        return Recommendation(
            need,
            results,
            tuple(
                NearMiss(c.record, c.broken, all(c.states[name] is None for name in c.broken), c.score)
                for c in near[:NEAR_MISSES]
            ),
            left_out(need, results, candidates, index),
            index.manifest.id,
        )

    def _score(
        self,
        need: Need,
        record: Record,
        teaching: Teaching,
        match: float,
        states: dict[Constraint, bool | None],
        rarity: dict[str, float],
    ) -> float:
        weights = self._weights
        score = weights.match * match
        if need.topics:
            score += weights.topics * topic_share(need.topics, record, rarity)
            score -= weights.off_topic * (not on_topic(record, need))
        if need.audience:
            made_for = set(record.audience)
            met = sum(bool(_widened((one,)) & made_for) for one in need.audience)
            score += weights.audience * met / len(need.audience)
            professions = PROFESSIONS & set(need.audience)
            score += weights.profession * (len(professions & made_for) / len(professions) if professions else 0)
        if need.max_minutes or need.min_minutes or speaks_of_a_session(need.text):
            score += weights.teaching * (record.source.kind in TEACHING)
        for name, weight in (
            ("format", weights.format),
            ("country", weights.country),
            ("kind", weights.kind),
            ("evaluated", weights.evaluated),
        ):
            score += weight * any(state is True for asked_for, state in states.items() if asked_for == name)
        score += weights.evidence * EVIDENCE[record.source.tier]
        score += weights.evidence * bool(teaching.evaluated and teaching.evaluated.value)
        length = session_length(record, teaching)
        if need.max_minutes and length:
            score += weights.length * min(1.0, length[1] / need.max_minutes)
        return score

    def _varied(self, need: Need, fitting: Sequence["Candidate"], most: int) -> list["Candidate"]:
        """The best, each a little less attractive the more of its topics are on the list; one record of the same work."""
        chosen: list[Candidate] = []
        left = [
            c
            for c in fitting[: max(10 * most, 30)]
            if on_topic(c.record, need) or c.score >= fitting[0].score - FAR_BELOW
        ]
        while left and len(chosen) < most:
            listed = [c.record for c in chosen]
            best = max(left, key=lambda c: c.score - self._weights.sameness * sameness(c.record, listed))
            chosen.append(best)
            left = [
                c
                for c in left
                if c is not best and c.record.id not in best.record.related and c.share >= LEAST_SHARE * chosen[0].share
            ]
        return chosen


def asked(need: Need) -> list[Constraint]:
    """The constraints that a need states, hard or wished."""
    given: list[tuple[Constraint, object]] = [
        ("audience", need.audience),
        ("max_minutes", need.max_minutes),
        ("min_minutes", need.min_minutes),
        ("topics", need.topics),
        ("format", need.format),
        ("country", need.country),
        ("kind", need.kind),
        ("evaluated", need.evaluated),
        ("open_access", need.open_access),
    ]
    return [name for name, value in given if value not in (None, ())]


def meets(record: Record, teaching: Teaching, need: Need, name: Constraint) -> bool | None:
    """Does the record keep a constraint? None when it does not say."""
    length = session_length(record, teaching)
    if name == "audience":
        if record.source.kind in FOR_ANY_AUDIENCE and length is None:
            return True
        return bool(_widened(need.audience) & set(record.audience)) if record.audience else None
    if name == "max_minutes":
        return None if length is None else length[0] <= (need.max_minutes or 0)
    if name == "min_minutes":
        return None if length is None else length[1] >= (need.min_minutes or 0)
    if name == "topics":
        return on_topic(record, need)
    if name == "country":
        return _is_in(record.country, need.country)
    if name == "kind":
        return record.source.kind in need.kind
    if name == "evaluated":
        return None if teaching.evaluated is None else teaching.evaluated.value is need.evaluated
    if name == "open_access":
        return None if record.source.access is None else (record.source.access == "open") is need.open_access
    if need.format in METHODS:
        words = " ".join([record.source.title, record.source.kind, record.format or "", record.duration or ""]).lower()
        return any(word in words for word in METHODS[need.format]) or None
    return need.format in teaching.delivery if teaching.delivery else None


def _is_in(place: str | None, country: str | None) -> bool | None:
    if place is None or country is None:
        return None
    return country in REGIONS.get(place, tuple(place.split(" and ")))


def _widened(audience: Sequence[Audience]) -> set[Audience]:
    """Medical students are pre-clinical and clinical ones, and each of these is a medical student."""
    wide = set(audience)
    if "medical students" in wide:
        wide |= set(STUDENTS)
    elif wide & set(STUDENTS):
        wide.add("medical students")
    return wide


def _topic_rarity(records: Sequence[Record]) -> dict[str, float]:
    """How much it says that a record has a topic: the logarithm of one over the share of records with it."""
    counts = Counter(topic for record in records for topic in record.topics)
    return {topic: math.log(1 + len(records) / count) for topic, count in counts.items()}


def topic_share(wanted: Sequence[Topic], record: Record, rarity: dict[str, float]) -> float:
    """How many of the wanted topics a record has, 0..1, a rare one counting more; 1 if none is wanted."""
    total = sum(rarity.get(topic, 1.0) for topic in wanted)
    return sum(rarity.get(topic, 1.0) for topic in wanted if topic in record.topics) / total if wanted else 1.0


def on_topic(record: Record, need: Need) -> bool:
    """Does the record share a topic that the need is about? True when the need names none."""
    return not need.topics or bool(set(required_topics(need)) & set(record.topics))


def sameness(record: Record, others: Sequence[Record]) -> float:
    """The largest share of topics in common with one of the others (Jaccard), 0 for none."""
    mine = set(record.topics)
    return max((len(mine & set(o.topics)) / (len(mine | set(o.topics)) or 1) for o in others), default=0.0)


def described(need: Need) -> str:
    """A need that was given by options alone, as words to search with."""
    parts = [*need.topics, *need.kind, *need.audience, need.format or "", need.country or ""]
    return " ".join(part for part in parts if part) or "teaching resources"


def reasons(need: Need, record: Record, teaching: Teaching) -> tuple[Why, ...]:
    """What it is, why it matches, what was found, and what to be careful about: up to four of its own statements."""
    passages = passages_of(record)
    asked_words = set(stems(need.text or described(need)))

    def overlap(passage: Passage) -> int:
        return len(asked_words & set(stems(passage.text)))

    chosen: list[Passage] = []
    summaries = [p for p in passages if p.facet is Facet.SUMMARY] or passages
    chosen.append(max(summaries, key=lambda p: (overlap(p), -p.start)))
    if teaching.session and need.max_minutes:
        chosen += _of_quote(passages, record, teaching.session.quote)
    if teaching.evaluated:
        chosen += _of_quote(passages, record, teaching.evaluated.quote)
    others = sorted(
        (p for p in passages if p.facet in (Facet.PRACTICE, Facet.FINDING)), key=lambda p: (-overlap(p), p.start)
    )
    chosen = list(dict.fromkeys([*chosen, *others]))[:MOST_REASONS]
    # A finding is not shown without the caveat on it.
    if any(p.facet is Facet.FINDING for p in chosen):
        chosen += [p for p in passages if p.facet is Facet.CAUTION][:1]
    return tuple(Why(passage.text, passage.id) for passage in chosen)


def _of_quote(passages: Sequence[Passage], record: Record, quote: str) -> list[Passage]:
    statement = statement_with(record, quote)
    if statement is None:
        return []
    wanted = passage_id(record.id, statement.facet, statement.text)
    return [passage for passage in passages if passage.id == wanted]


# --- what the list leaves out ----------------------------------------------------------------------------------------

SAID_OF: dict[Constraint, tuple[str, str]] = {
    "audience": ("is for other learners", "does not say for whom it is"),
    "max_minutes": ("takes longer", "does not state its length"),
    "min_minutes": ("is shorter", "does not state its length"),
    "topics": ("is on another topic", "is on another topic"),
    "format": ("is given in another way", "does not say how it is given"),
    "country": ("is from another country", "does not name a country"),
    "kind": ("is of another kind", "is of another kind"),
    "evaluated": ("was not evaluated", "reports no evaluation that was read"),
    "open_access": ("is not openly readable", "does not say whether it is open"),
}
MOST_UNMENTIONED = 3


def left_out(
    need: Need,
    results: Sequence[Recommended],
    candidates: Sequence[Candidate],
    index: PassageIndex,
) -> tuple[str, ...]:
    """Sentences on what the list does not hold: wanted topics and words that no result has, and what one constraint excluded."""
    sentences: list[str] = []
    if not results:
        sentences.append(f"Nothing in the knowledge keeps all of this: {spoken(need)}.")
    listed = {topic for result in results for topic in result.record.topics}
    missing = [topic for topic in required_topics(need) if topic not in listed]
    if results and missing:
        sentences.append(f"Nothing on this list is tagged {_any_of(missing)}.")
    sentences += list(_unmentioned(need, results, index))[:MOST_UNMENTIONED]
    topical = [c for c in candidates if not need.topics or set(need.topics) & set(c.record.topics)]
    for name in asked(need):
        only = [c for c in topical if c.broken == (name,)]
        for unknown, verdict in zip((False, True), SAID_OF[name], strict=True):
            count = sum((c.states[name] is None) is unknown for c in only)
            if count and name != "topics":
                verb = verdict if count == 1 else _plural(verdict)
                sentences.append(f"Left out: {count} that would fit otherwise but {verb}.")
    return tuple(sentences)


def _unmentioned(need: Need, results: Sequence[Recommended], index: PassageIndex) -> Iterator[str]:
    """A sentence for each subject in the person's own words that no result, or no record at all, speaks of."""
    listed = {stem for result in results for stem in stems(result.record.text)}
    for phrase in dict.fromkeys(subject_words(need.text)):
        wanted = set(stems(phrase))
        if results and not wanted <= listed:
            known = any(wanted <= set(stems(record.text)) for record in index.records)
            yield f"Nothing on this list mentions “{phrase}”." if known else f"No record mentions “{phrase}”."


def _any_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def _plural(verdict: str) -> str:
    for single, many in (
        ("is ", "are "),
        ("was ", "were "),
        ("takes ", "take "),
        ("does ", "do "),
        ("reports ", "report "),
    ):
        if verdict.startswith(single):
            return many + verdict.removeprefix(single)
    return verdict


def spoken(need: Need) -> str:
    """The need's constraints in a line, the hard ones marked 'must'."""
    parts: list[str] = []
    for name in asked(need):
        value = getattr(need, name)
        if name == "max_minutes":
            text = f"up to {value} minutes"
        elif name == "min_minutes":
            text = f"at least {value} minutes"
        elif name == "evaluated":
            text = "evaluated" if value else "not evaluated"
        elif name == "open_access":
            text = "open access"
        elif isinstance(value, tuple):
            text = ("about " if name == "topics" else "") + " or ".join(value)
        else:
            text = str(value)
        parts.append(text + (" (must)" if name in need.hard else " (wish)"))
    return "; ".join(parts) or "no constraint"
