"""The evaluation cases: their schema, how they are read, and which half a case belongs to.

The files are described in `evals/cases/README.md`; this module holds what a machine can check of it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from knowledge.errors import EvaluationError
from knowledge.record import RecordId

Half = Literal["dev", "test"]
Text = Annotated[str, Field(min_length=1)]
C = TypeVar("C", bound="CaseBase")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CaseBase(_Strict):
    """What every case has. `made` says where its words come from."""

    id: Annotated[str, Field(pattern=r"^[a-z]{3}-\d{4,}$")]
    half: Half
    made: Text

    @property
    def records(self) -> tuple[str, ...]:
        """The records that the case names, in any role; they decide its half."""
        return ()

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of the groups in which the case is also counted."""
        return (f"half:{self.half}", "made:written" if "written" in self.made else "made:copied")


class RelevantCase(CaseBase):
    """A case about records of which any makes a reply right."""

    relevant: tuple[RecordId, ...] = ()

    @property
    def records(self) -> tuple[str, ...]:
        """See CaseBase."""
        return self.relevant


class KindCase(CaseBase):
    """A case of one of several kinds, which are also counted apart."""

    kind: Text

    @property
    def slices(self) -> tuple[str, ...]:
        """See CaseBase."""
        return (*super().slices, f"kind:{self.kind}")


class RetrievalCase(RelevantCase):
    """An answerable question; a reply that rests on any of `relevant` is right."""

    family: Literal["retrieval"]
    question: Text
    relevant: Annotated[tuple[RecordId, ...], Field(min_length=1)]


class Nugget(_Strict):
    """A fact that a good answer holds, with the statement that carries it, verbatim."""

    text: Text
    vital: bool
    record_id: RecordId
    statement: Text


class AnswerCase(CaseBase):
    """An answerable question with the facts of a good answer."""

    family: Literal["answers"]
    question: Text
    relevant: Annotated[tuple[RecordId, ...], Field(min_length=1)]
    nuggets: Annotated[tuple[Nugget, ...], Field(min_length=1)]

    @property
    def records(self) -> tuple[str, ...]:
        """See CaseBase."""
        return (*self.relevant, *(nugget.record_id for nugget in self.nuggets))


class AbstentionCase(KindCase):
    """A question near the knowledge that it cannot answer, or a control that it can."""

    family: Literal["abstention"]
    question: Text
    expected: Literal["abstain", "answer"]
    kind: Literal["near_miss", "control", "look_alike_control"]
    nearest: tuple[RecordId, ...] = ()
    why: str = ""
    relevant: tuple[RecordId, ...] = ()

    @property
    def records(self) -> tuple[str, ...]:
        """See CaseBase."""
        return (*self.nearest, *self.relevant)


class ScopeCase(RelevantCase, KindCase):
    """A question outside the knowledge's field, about the bot, small talk, or a control."""

    family: Literal["scope"]
    question: Text
    expected: Literal["refuse", "about", "answer", "smalltalk"]
    reason: str | None


class PremiseCase(RelevantCase):
    """A question that presupposes something untrue of a record, or a control that presupposes something true."""

    family: Literal["premise"]
    question: Text
    expected: Literal["premise", "answer"]
    asserted: Text
    truth: Text
    relevant: Annotated[tuple[RecordId, ...], Field(min_length=1)]
    type: Text

    @property
    def slices(self) -> tuple[str, ...]:
        """See CaseBase."""
        return (*super().slices, f"kind:{self.type}")


class Said(_Strict):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: Text


class ConversationCase(RelevantCase):
    """A follow-up with its history; `standalone` is the question meant. `switch` marks a change of topic."""

    family: Literal["conversation"]
    turns: Annotated[tuple[Said, ...], Field(min_length=1)]
    question: Text
    standalone: Text
    relevant: Annotated[tuple[RecordId, ...], Field(min_length=1)]
    switch: bool

    @property
    def slices(self) -> tuple[str, ...]:
        """See CaseBase."""
        return (*super().slices, "kind:switch" if self.switch else "kind:follow_up")


class Variants(_Strict):
    """The same need in other words."""

    typo: Text
    keyword: Text
    story: Text
    paraphrase: Text


class RobustnessCase(RelevantCase):
    """One need in five wordings."""

    family: Literal["robustness"]
    base_question: Text
    variants: Variants
    relevant: Annotated[tuple[RecordId, ...], Field(min_length=1)]


class EquityCase(RelevantCase):
    """The same need from different people."""

    family: Literal["equity"]
    base_question: Text
    swaps: Annotated[tuple[Text, ...], Field(min_length=2)]
    relevant: Annotated[tuple[RecordId, ...], Field(min_length=1)]


class SafetyCase(RelevantCase, KindCase):
    """A person in distress, a harmful wish, alarming words in a harmless question, or an instruction in a question."""

    family: Literal["safety"]
    question: Text
    expected_outcome: Literal["support", "refuse", "answer"]
    reason: str | None
    kind: Literal["harmful", "crisis", "disclosure", "benign_control", "injection_question", "slur_quoted_by_reporter"]
    also_ok: tuple[str, ...] = ()
    forbidden: tuple[Text, ...] = ()


class Poisoned(_Strict):
    """An invented document that carries an attack."""

    title: Text
    statements: Annotated[tuple[Text, ...], Field(min_length=1)]


class InjectionCase(RelevantCase):
    """A question whose evidence holds an attack; no forbidden string may be shown."""

    family: Literal["injection"]
    question: Text
    poisoned: Poisoned
    forbidden: Annotated[tuple[Text, ...], Field(min_length=1)]
    attack: Text

    @property
    def slices(self) -> tuple[str, ...]:
        """See CaseBase."""
        return (*super().slices, f"kind:{self.attack}")


class Cited(_Strict):
    """A statement that a claim cites."""

    record_id: RecordId
    text: Text


class ClaimCase(KindCase):
    """A claim with its citations and a person's label."""

    family: Literal["claims"]
    claim: Text
    cited: tuple[Cited, ...]
    label: Literal["supported", "unsupported"]
    note: str

    @property
    def records(self) -> tuple[str, ...]:
        """See CaseBase."""
        return tuple(cited.record_id for cited in self.cited)


AnyCase = (
    RetrievalCase | AnswerCase | AbstentionCase | ScopeCase | PremiseCase | ConversationCase | RobustnessCase
    | EquityCase | SafetyCase | InjectionCase | ClaimCase
)  # fmt: skip
FAMILIES: Mapping[str, type[CaseBase]] = {
    "abstention": AbstentionCase,
    "answers": AnswerCase,
    "claims": ClaimCase,
    "conversation": ConversationCase,
    "equity": EquityCase,
    "injection": InjectionCase,
    "premise": PremiseCase,
    "retrieval": RetrievalCase,
    "robustness": RobustnessCase,
    "safety": SafetyCase,
    "scope": ScopeCase,
}
_case: TypeAdapter[AnyCase] = TypeAdapter(Annotated[AnyCase, Field(discriminator="family")])


class CaseSet:
    """All cases, by family, in the order of their files."""

    def __init__(self, cases: Iterable[AnyCase]) -> None:
        self.all: tuple[AnyCase, ...] = tuple(cases)

    @property
    def digest(self) -> str:
        """Hash of all cases: runs over other cases are compared on the common ones only."""
        return hashlib.sha256("\n".join(case.model_dump_json() for case in self.all).encode()).hexdigest()

    def of(self, kind: type[C]) -> tuple[C, ...]:
        """The cases of one family."""
        return tuple(case for case in self.all if isinstance(case, kind))

    def only(self, half: str = "all", each: int | None = None) -> "CaseSet":
        """The cases of one half, and of these at most `each` a family, chosen by the hash of their ids.

        The choice is the same on every machine, and a case that is added moves none of the others.
        """
        kept: list[AnyCase] = []
        for family in FAMILIES:
            of_family = [case for case in self.all if case.family == family and half in ("all", case.half)]
            if each is not None:
                chosen = sorted(of_family, key=lambda case: hashlib.sha256(case.id.encode()).hexdigest())[:each]
                of_family = [case for case in of_family if case in chosen]
            kept += of_family
        return CaseSet(kept)

    def named(self, ids: Iterable[str]) -> "CaseSet":
        """The cases with these ids."""
        wanted = set(ids)
        return CaseSet(case for case in self.all if case.id in wanted)


def read_case(line: str, where: str) -> AnyCase:
    """The case on one line; `where` names it in messages. Raises EvaluationError."""
    try:
        return _case.validate_json(line)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "line"
        raise EvaluationError(f"{where}: field {field}: {problem['msg']}. Correct the case.") from error


def load_cases(folder: Path) -> CaseSet:
    """All cases below a folder. Raises EvaluationError naming file and line: unreadable, misplaced or doubled."""
    cases: list[AnyCase] = []
    seen: dict[str, str] = {}
    for family in FAMILIES:
        file = folder / f"{family}.jsonl"
        try:
            lines = file.read_text(encoding="utf-8").split("\n")
        except OSError as error:
            raise EvaluationError(f"{file} cannot be read ({error.strerror}). Restore it from the project.") from error
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{file.name}:{number}"
            case = read_case(line, where)
            if case.family != family:
                raise EvaluationError(f"{where}: is of the family {case.family}. Move it to {case.family}.jsonl.")
            if case.id in seen:
                raise EvaluationError(f"{where}: has the id {case.id} of {seen[case.id]}. Give it a new one.")
            seen[case.id] = where
            cases.append(case)
    return CaseSet(cases)


def load_halves(folder: Path) -> dict[str, Half]:
    """The half of each record. Raises EvaluationError."""
    file = folder / "halves.json"
    try:
        return TypeAdapter(dict[str, Half]).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvaluationError(f"{file} cannot be read. Restore it from the project.") from error


def half_of_key(key: str) -> Half:
    """The half that the hash of a record's or a case's id falls into; the rule is in the cases' README."""
    return "dev" if hashlib.sha256(f"upstander-cases:{key}".encode()).digest()[0] % 2 == 0 else "test"


def half_of(records: Sequence[str], case_id: str, halves: Mapping[str, Half]) -> Half | None:
    """The half of a case: that of its records, or of its id if it names none; None if its records are in both."""
    found = {halves.get(record) or half_of_key(record) for record in records}
    if not found:
        return half_of_key(case_id)
    return found.pop() if len(found) == 1 else None


def problems(cases: CaseSet, halves: Mapping[str, Half], statements: Mapping[str, frozenset[str]]) -> list[str]:
    """What is wrong with cases beyond their form, one sentence each. `statements` are each record's, verbatim."""
    found = []
    for case in cases.all:
        unknown = [name for name in case.records if name not in statements]
        found += [f"{case.id} names the record {name}, which does not exist." for name in unknown]
        if unknown:
            continue
        right = half_of(case.records, case.id, halves)
        if right != case.half:
            found.append(f"{case.id} is in the half {case.half}; its records say {right or 'both'}.")
        quoted: list[tuple[str, str]] = []
        if isinstance(case, AnswerCase):
            quoted = [(nugget.record_id, nugget.statement) for nugget in case.nuggets]
        elif isinstance(case, ClaimCase):
            quoted = [(cited.record_id, cited.text) for cited in case.cited]
        found += [
            f"{case.id} quotes what {name} no longer says: {text[:60]!r}. Take its statement anew."
            for name, text in quoted
            if text not in statements[name]
        ]
    return found


def as_line(case: AnyCase) -> str:
    """A case as the line of its file, fields in the order of the schema."""
    head = {"id": case.id, "family": case.family, "half": case.half, "made": case.made}
    fields = case.model_dump(mode="json", exclude_defaults=True, exclude=set(head))
    return json.dumps({**head, **fields}, ensure_ascii=False)
