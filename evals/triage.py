"""Complaints to cases: a person decides once for each complaint what should have happened; the case writes itself."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.feedback import Complaint, FeedbackStore
from evals.cases import (
    AnyCase,
    CaseSet,
    Half,
    as_line,
    half_of,
    load_cases,
    load_halves,
    read_case,
)
from evals.metrics import jaccard
from knowledge.errors import EvaluationError
from knowledge.lexical import stems

DUPLICATE = 0.75  # share of stems in common from which two questions ask the same
PREFIX = {"retrieval": "ret", "abstention": "abs", "scope": "scp", "safety": "saf"}
Decision = Literal["answer", "decline", "refuse", "support", "drop", "later"]
KEYS: Mapping[str, Decision] = {"a": "answer", "d": "decline", "r": "refuse", "s": "support", "x": "drop", "": "later"}
HELP = """What should have happened?
  a RECORD…  an answer from these records (none named: the ones it cited)
  d RECORD…  to decline, since no statement answers it (name the nearest records)
  r          to refuse: out of scope or harmful
  s          support first
  x          nothing: no case comes of this
  (enter)    decide later
> """


@dataclass(frozen=True)
class Decided:
    """What came of one complaint: a case, or the id of the case or complaint that it repeats, or nothing."""

    complaint: Complaint
    decision: Decision | Literal["duplicate"]
    case: AnyCase | None = None
    repeats: str = ""


def question_of(case: AnyCase) -> str:
    """The question that a case asks, '' for a claim."""
    return str(getattr(case, "question", getattr(case, "base_question", "")))


def duplicate_of(question: str, known: Iterable[tuple[str, str]]) -> str | None:
    """The id of the first known question (id, text) that asks the same in like words."""
    words = set(stems(question))
    for name, text in known:
        if _letters(text) == _letters(question) or (words and jaccard(words, set(stems(text))) >= DUPLICATE):
            return name
    return None


def _letters(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def make_case(
    complaint: Complaint,
    decision: Decision,
    records: Sequence[str],
    cases: CaseSet,
    halves: Mapping[str, Half],
    known: Iterable[str],
) -> AnyCase:
    """The case of a decision. Raises EvaluationError if it needs records, or they do not exist or lie in both halves."""
    family = {"answer": "retrieval", "decline": "abstention", "refuse": "scope", "support": "safety"}[decision]
    named = list(records) or (list(complaint.cited) if decision == "answer" else [])
    known = set(known)
    if unknown := [name for name in named if name not in known]:
        raise EvaluationError(f"There is no record {unknown[0]}. Name records by their ids.")
    if decision in ("answer", "decline") and not named:
        raise EvaluationError("Name at least one record: the one that answers, or the nearest ones.")
    numbers = [int(case.id.split("-")[1]) for case in cases.all if case.family == family]
    name = f"{PREFIX[family]}-{max(numbers, default=0) + 1:04d}"
    half = half_of(named, name, halves)
    if half is None:
        raise EvaluationError(f"The records {', '.join(named)} lie in different halves. Name records of one half.")
    fields: dict[str, object] = {
        "id": name, "family": family, "half": half, "question": complaint.question,
        "made": f"written by a reader, complaint of {complaint.day:%Y-%m} ({complaint.wrong})",
    }  # fmt: skip
    if decision == "answer":
        fields |= {"relevant": named}
    elif decision == "decline":
        fields |= {
            "expected": "abstain",
            "kind": "near_miss",
            "nearest": named,
            "why": complaint.comment or "left open by the reader",
        }
    elif decision == "refuse":
        fields |= {"expected": "refuse", "kind": "general", "reason": None}
    else:
        fields |= {"expected_outcome": "support", "reason": None, "kind": "disclosure"}
    return read_case(json.dumps(fields), f"complaint {complaint.id}")


def triage(
    store: FeedbackStore,
    folder: Path,
    known_records: Iterable[str],
    ask: Callable[[Complaint, str], str],
    tell: Callable[[str], None],
) -> list[Decided]:
    """Walk through the complaints that are not decided yet; each case is written as soon as it is decided.

    `ask` shows a complaint and returns what the person typed; an answer that makes no case is asked for again.
    """
    done_file = store.file.with_name("triaged.txt")
    done = dict(line.split(" ", 1) for line in _lines(done_file))
    halves = load_halves(folder)
    records = list(known_records)
    decided: list[Decided] = []
    heard: list[tuple[str, str]] = []
    for complaint in store.all():
        if complaint.id in done:
            heard.append((complaint.id, complaint.question))
            continue
        cases = load_cases(folder)
        known = [*((case.id, question_of(case)) for case in cases.all), *heard]
        if repeats := duplicate_of(complaint.question, known):
            tell(f"{complaint.id} asks what {repeats} asks; counted as a duplicate.")
            result = Decided(complaint, "duplicate", repeats=repeats)
        else:
            result = _decide(complaint, cases, halves, records, ask, tell)
        if result.decision == "later":
            continue
        if result.case is not None:
            _append(folder / f"{result.case.family}.jsonl", as_line(result.case))
            tell(f"Wrote {result.case.id} to {result.case.family}.jsonl.")
        outcome = result.case.id if result.case else result.repeats or result.decision
        _append(done_file, f"{complaint.id} {outcome}")
        decided.append(result)
        heard.append((complaint.id, complaint.question))
    return decided


def _decide(
    complaint: Complaint, cases: CaseSet, halves: Mapping[str, Half], records: Sequence[str],
    ask: Callable[[Complaint, str], str], tell: Callable[[str], None],
) -> Decided:  # fmt: skip
    while True:
        key, *named = ask(complaint, HELP).split() or [""]
        decision = KEYS.get(key.lower())
        if decision is None:
            tell(f"{key!r} is none of the letters.")
            continue
        if decision in ("drop", "later"):
            return Decided(complaint, decision)
        try:
            return Decided(complaint, decision, make_case(complaint, decision, named, cases, halves, records))
        except EvaluationError as error:
            tell(str(error))


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if " " in line] if file.exists() else []


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(line + "\n")


def shown(complaint: Complaint) -> str:
    """A complaint as it is put before the person."""
    cited = f"\n  cited: {', '.join(complaint.cited)}" if complaint.cited else ""
    said = f"\n  comment: {complaint.comment}" if complaint.comment else ""
    head = f"\n{complaint.id} ({complaint.day}, {complaint.wrong})\n  asked: {complaint.question}"
    return f"{head}\n  got: {complaint.outcome}{cited}{said}\n"
