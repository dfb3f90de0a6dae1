"""A one-page advocacy plan from a goal and a situation: every line is a cited statement or marked as the person's own words.

Nothing is written for the person: the plan puts statements of the knowledge beside what they said. After editing, a line that
is no longer a statement word for word is their own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.document import OWN, Document, Line, Section, tagged
from bot.recommender import Library
from bot.retriever import Retriever
from knowledge.errors import QuestionError
from knowledge.index import PassageIndex
from knowledge.lexical import stems
from knowledge.passage import Passage, passages_of
from knowledge.record import Facet, Record, Topic

LONGEST_FIELD = 1_000  # characters
WEAKEST = 0.25  # score of a record, below which it says too little about the goal


@dataclass(frozen=True)
class Situation:
    """What the person says about themselves, in their own words; only the goal is needed."""

    goal: str
    role: str = ""
    school: str = ""
    allies: str = ""
    risks: str = ""
    time: str = ""


@dataclass(frozen=True)
class Part:
    """A section of a plan: what is searched beside the goal, which facets and topics it takes, and how many statements."""

    heading: str
    search: str
    facets: tuple[Facet, ...]
    topics: frozenset[Topic]
    most: int
    own: tuple[str, ...] = ()
    about_goal: bool = True


PARTS = (
    Part("Evidence to bring", "findings evidence audit survey results", (Facet.FINDING,), frozenset(), 2),
    Part(
        "Steps",
        "students change curriculum steps meeting dean committee proposal how to",
        (Facet.PRACTICE,),
        frozenset({"advocacy skills", "organising skills", "student-led change", "curriculum reform", "learner activism"}),
        3,
        ("time",),
    ),
    Part(
        "Allies and committees",
        "find allies faculty partners curriculum committee coalition",
        (Facet.PRACTICE, Facet.SUMMARY),
        frozenset({"allyship", "organising skills", "student-led change", "mentorship and support"}),
        2,
        ("allies",),
        about_goal=False,
    ),
    Part(
        "Risks and how to lower them",
        "risks retaliation backlash burnout minority tax protect students safely",
        (Facet.PRACTICE, Facet.CAUTION, Facet.FINDING),
        frozenset({"retaliation", "burnout and wellbeing", "barriers and resistance", "professionalism", "minority tax"}),
        2,
        ("risks",),
        about_goal=False,
    ),
    Part(
        "How to measure progress",
        "measure progress evaluate advocacy outcomes indicators report",
        (Facet.PRACTICE,),
        frozenset({"measuring impact", "report cards"}),
        1,
        about_goal=False,
    ),
)  # fmt: skip


class Planner:
    """Builds plans from one library."""

    def __init__(self, library: Library, retriever: Retriever) -> None:
        self._library = library
        self._retriever = retriever

    def plan(self, situation: Situation) -> Document:
        """The plan as a document. Raises QuestionError without a goal or for a field that is too long."""
        said = {name: " ".join(str(value).split()) for name, value in vars(situation).items()}
        if not re.search(r"\w", said["goal"]):
            raise QuestionError(
                "Say what you want to change, for example: add skin of colour to our lectures.", "empty"
            )
        if long := next((name for name, value in said.items() if len(value) > LONGEST_FIELD), None):
            raise QuestionError(
                f"The field {long} is longer than {LONGEST_FIELD:,} characters; shorten it.", "too_long"
            )
        index = self._library.get()
        sources: list[Record] = []
        opening = [Line(said["goal"], "own")]
        opening += [Line(f"{label}: {said[name]}", "own") for name, label in OPENING if said[name]]
        sections = [Section("Goal", tuple(opening))]
        used: set[str] = set()
        for part in PARTS:
            lines = [Line(said[name], "own") for name in part.own if said[name]]
            for record, passage in self._chosen(index, part, said, used):
                if record not in sources:
                    sources.append(record)
                number = sources.index(record) + 1
                lines += [Line(text, "cited", (number,)) for text in _with_its_caveat(record, passage)]
                used.add(record.id)
            if lines:
                sections.append(Section(part.heading, tuple(lines)))
        return Document("Plan: " + said["goal"], tuple(sections), tuple(sources))

    def _chosen(
        self, index: PassageIndex, part: Part, said: dict[str, str], used: set[str]
    ) -> list[tuple[Record, Passage]]:
        """The best statement of each of the best records for a part, a record serving one part only."""
        query = f"{said['goal']} {part.search} {' '.join(said[name] for name in part.own)}".strip()
        scores = self._retriever.score_records(index, query if part.about_goal else f"{part.search} {said['goal']}")
        words = set(stems(query))
        ranked = sorted(range(len(index.records)), key=lambda n: (-scores[n], index.records[n].id))
        chosen: list[tuple[Record, Passage]] = []
        for number in ranked:
            record = index.records[number]
            if scores[number] < WEAKEST or len(chosen) == part.most:
                break
            if (
                record.id in used
                or used & set(record.related)
                or (part.topics and not part.topics & set(record.topics))
            ):
                continue
            fitting = [p for p in passages_of(record) if p.facet in part.facets]
            if fitting:
                best = max(
                    fitting, key=lambda p: (len(words & set(stems(p.text))), -part.facets.index(p.facet), -p.start)
                )
                chosen.append((record, best))
        return chosen


OPENING = (("role", "Who we are"), ("school", "Where"))


def _with_its_caveat(record: Record, passage: Passage) -> list[str]:
    """A finding with the first caution of its record, any other statement alone."""
    caveats = [p.text for p in passages_of(record) if p.facet is Facet.CAUTION][:1]
    return [passage.text, *(caveats if passage.facet is Facet.FINDING else [])]


# --- editing ---------------------------------------------------------------------------------------------------------


def editable(document: Document) -> str:
    """A plan as plain text that a person can edit: `## heading`, then `- line [1]` or `- line (own words)`."""
    parts = [f"# {document.title}"]
    for section in document.sections:
        parts.append(f"## {section.heading}\n" + "\n".join(f"- {tagged(line)}" for line in section.lines))
    return "\n\n".join(parts) + "\n"


_markers = re.compile(r"\s*((?:\[\d{1,3}\])+)\s*$")
_own = re.compile(rf"\s*\({OWN}\)\s*$")


def read_edited(text: str, sources: Sequence[Record]) -> Document:
    """An edited plan: a line stays cited only while it is, word for word, a statement of the source that it names.

    Anything else, changed, added or with another marker, is the person's own. Sources that no line cites are left out.
    """
    title, heading = "Plan", "Plan"
    sections: list[tuple[str, list[tuple[str, tuple[Record, ...]]]]] = []
    for raw in text.replace("\r\n", "\n").split("\n"):
        line = raw.strip()
        if line.startswith("# "):
            title = line[2:].strip() or title
        elif line.startswith("## "):
            heading = line[3:].strip() or heading
            sections.append((heading, []))
        elif line:
            if not sections:
                sections.append((heading, []))
            words = _own.sub("", line.removeprefix("- "))
            found = _markers.search(words)
            bare = _markers.sub("", words) if found else words
            named = [int(number) for number in re.findall(r"\d+", found[1])] if found else []
            stated = tuple(sources[n - 1] for n in named if 1 <= n <= len(sources) and _says(sources[n - 1], bare))
            if re.search(r"\w", bare):
                sections[-1][1].append((bare, stated))
    cited = [record for _, lines in sections for _, records in lines for record in records]
    kept = list({record.id: record for record in cited}.values())
    return Document(
        title,
        tuple(
            Section(
                heading,
                tuple(
                    Line(words, "cited", tuple(kept.index(r) + 1 for r in records)) if records else Line(words, "own")
                    for words, records in lines
                ),
            )
            for heading, lines in sections
        ),
        tuple(kept),
    )


def _says(record: Record, text: str) -> bool:
    return any(passage.text == text for passage in passages_of(record))
