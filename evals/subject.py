"""What is evaluated: an engine that answers, and the knowledge that its answers are held against.

The knowledge is read from the curated files, not from the index, so that an index that says something else is seen.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.contract import reply_json
from bot.reply import Reply, Turn
from knowledge.errors import ChatbotError
from knowledge.index import PassageIndex
from knowledge.record import Record, read_record
from knowledge.settings import IndexSettings


class Answering(Protocol):
    """Anything that replies as the engine does."""

    def reply(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        """The whole reply. May raise a ChatbotError."""


@dataclass(frozen=True)
class Asked:
    """A question with its reply, the reply's JSON and the milliseconds that passed outside. `fault` if there was none."""

    question: str
    history: tuple[Turn, ...]
    reply: Reply | None
    json: Mapping[str, Any]
    wall_ms: float
    fault: str = ""
    cpu_ms: float = 0.0

    @property
    def outcome(self) -> str:
        """The contract's outcome, or 'fault'."""
        return str(self.json.get("outcome", "fault"))

    @property
    def reason(self) -> str | None:
        """The contract's reason."""
        return self.json.get("reason")

    @property
    def retrieved(self) -> list[str]:
        """Record ids, best first."""
        return list(self.json.get("retrieved", ()))

    @property
    def cited(self) -> list[str]:
        """Record ids that shown claims cite, each once, in order."""
        return list(dict.fromkeys(c["record_id"] for claim in self.json.get("claims", ()) for c in claim["citations"]))

    @property
    def markdown(self) -> str:
        """What a person is shown."""
        return str(self.json.get("markdown", ""))

    @property
    def declined(self) -> bool:
        """Whether the structured outcome says that no answer is given; never judged by words."""
        return self.outcome in ("abstain", "refuse", "clarify")


class Asker:
    """Asks each question once and remembers the reply."""

    def __init__(self, engine: Answering) -> None:
        self.engine = engine
        self.asked: dict[tuple[str, tuple[Turn, ...]], Asked] = {}

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Asked:
        """The reply to a question in its conversation."""
        key = (question, tuple(history))
        if key not in self.asked:
            self.asked[key] = self.again(question, history)
        return self.asked[key]

    def again(self, question: str, history: Sequence[Turn] = ()) -> Asked:
        """The reply, asked for anew."""
        reply, fault = None, ""
        started, busy = time.perf_counter(), time.process_time()
        try:
            reply = self.engine.reply(question, tuple(history))
        except ChatbotError as error:
            fault = f"{type(error).__name__}: {error}"
        wall, cpu = 1e3 * (time.perf_counter() - started), 1e3 * (time.process_time() - busy)
        return Asked(question, tuple(history), reply, reply_json(reply) if reply else {}, wall, fault, cpu)


@dataclass(frozen=True)
class Knowledge:
    """The records that answers may rest on: the curated files, and what a user added to the index.

    `stale` names records whose curated file differs from the index.
    """

    records: Mapping[str, Record]
    stale: tuple[str, ...] = ()
    statements: Mapping[str, frozenset[str]] = field(default_factory=dict)
    questions: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read_knowledge(settings: IndexSettings, index: PassageIndex) -> Knowledge:
    """The curated files as they are now, with the index's other records. Raises RecordError."""
    curated = {path.stem: read_record(path) for path in sorted(settings.records.glob("*.md")) if path.is_file()}
    indexed = {record.id: record for record in index.records}
    stale = [name for name, record in curated.items() if indexed.get(name) != record]
    records = indexed | curated
    return Knowledge(
        records,
        tuple(stale),
        {name: frozenset(s.text for s in record.statements) for name, record in records.items()},
        {name: frozenset(record.questions) for name, record in records.items()},
    )
