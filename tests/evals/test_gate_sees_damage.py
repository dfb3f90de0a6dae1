"""The gate turns red on planted damage, of the three kinds that were asked for and of others.

The honest subject is the real engine, with the right outcome put in where a case knows it, so that a damage to a decision
can be seen whatever the engine's own decisions are worth at the moment.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.assembly import assemble
from bot.reply import Outcome, Reason, Reply, Turn
from bot.settings import ChatSettings
from evals.cases import AbstentionCase, CaseSet, ConversationCase, PremiseCase, SafetyCase, ScopeCase, load_cases
from evals.gate import Verdict, judge_run, read_gate
from evals.invariants import World
from evals.results import Run
from evals.run import reference_work, run
from evals.settings import EvalSettings
from evals.subject import Answering, Asker, read_knowledge
from evals.suites import Lab
from knowledge.embedding import open_embedder
from knowledge.record import Record
from knowledge.settings import IndexSettings

pytestmark = pytest.mark.real
SETTINGS = EvalSettings()
NAMES = ("retrieval answers abstention conversation robustness equity safety grounding").split()
Change = Callable[[Reply, random.Random], Reply]


class Knowing:
    """The engine, put right where a case says what the outcome is; every reply is made once and takes no time after that."""

    def __init__(self, engine: Answering, cases: CaseSet, records: Sequence[Record]) -> None:
        self._engine = engine
        self._records = {record.id: record for record in records}
        self._replies: dict[tuple[str, tuple[Turn, ...]], Reply] = {}
        self._decline: dict[str, tuple[Outcome, Reason | None]] = {}
        self._meant = {case.question: case.standalone for case in cases.of(ConversationCase)}
        for near in cases.of(AbstentionCase):
            if near.expected == "abstain":
                self._decline[near.question] = (Outcome.ABSTAIN, Reason.NO_EVIDENCE)
        for scope in cases.of(ScopeCase):
            if scope.expected == "refuse":
                self._decline[scope.question] = (Outcome.REFUSE, Reason(scope.reason or "out_of_scope"))
        for premise in cases.of(PremiseCase):
            if premise.expected == "premise":
                self._decline[premise.question] = (Outcome.ABSTAIN, Reason.UNSUPPORTED_PREMISE)
        for case in cases.of(SafetyCase):
            if case.expected_outcome != "answer":
                reason = case.reason or (None if case.expected_outcome == "support" else "out_of_scope")
                self._decline[case.question] = (Outcome(case.expected_outcome), Reason(reason) if reason else None)

    def reply(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        key = (question, tuple(history))
        if key not in self._replies:
            self._replies[key] = self._right(question, history)
        return self._replies[key]

    def _right(self, question: str, history: Sequence[Turn]) -> Reply:
        reply = self._engine.reply(self._meant.get(question, question) if history else question)
        reply = replace(reply, question=question if reply.outcome is not Outcome.CLARIFY else reply.question)
        reply = replace(reply, timings_ms=dict.fromkeys(("retrieve", "draft", "verify", "total"), 0.0))
        if question in self._decline:
            outcome, reason = self._decline[question]
            near = reply.retrieved[:3] if reason is Reason.NO_EVIDENCE else ()
            return replace(
                reply, outcome=outcome, reason=reason, claims=(), sources=(), follow_ups=(), message="So it is.",
                nearest=tuple(self._records[name] for name in near),
            )  # fmt: skip
        return reply


class Damaged:
    """A subject whose replies are changed by one fault."""

    def __init__(self, engine: Answering, change: Change) -> None:
        self._engine, self._change = engine, change

    def reply(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        return self._change(self._engine.reply(question, history), random.Random(question))


@dataclass
class Bench:
    lab: Lab
    honest: Knowing
    baseline: Run

    def measure(self, engine: Answering, names: Sequence[str] = NAMES) -> Run:
        lab = replace(self.lab, asker=Asker(engine), clusters={})
        return run(lab, names, cases_folder=SETTINGS.cases, half="all", fast=True)

    def verdict(self, change: Change) -> Verdict:
        gate = read_gate(SETTINGS.gate)
        # What needs the index's encoder is checked elsewhere, and floors belong to the real engine.
        checks = tuple(name for name in gate.checks if not name.startswith("index."))
        gate = gate.model_copy(update={"checks": checks, "figures": {
            name: rule.model_copy(update={"at_least": None, "at_most": None}) for name, rule in gate.figures.items()
        }})  # fmt: skip
        return judge_run(self.measure(Damaged(self.honest, change)), gate, self.baseline)


@pytest.fixture(scope="module")
def bench(built_data: Path) -> Bench:
    settings = IndexSettings(data=built_data)
    engine = assemble(ChatSettings(), settings)
    index = engine.library.get()
    cases = load_cases(SETTINGS.cases).only(each=6)
    honest = Knowing(engine, cases, index.records)
    embedder = open_embedder(settings.embedder, settings.models_folder)
    assert embedder.identity
    lab = Lab(
        cases=cases, asker=Asker(honest), world=World(read_knowledge(settings, index), index, "extractive"),
        verifier=engine.verifier, retrieval_score=lambda question: 0.5, reference_ms=reference_work,
    )  # fmt: skip
    made = Bench(lab, honest, run(lab, NAMES, cases_folder=SETTINGS.cases, fast=True))
    made.baseline = made.measure(honest)  # once more, now that no reply takes time
    return made


def test_an_unchanged_subject_is_green(bench: Bench) -> None:
    verdict = bench.verdict(lambda reply, _: reply)
    assert not verdict.red, verdict.as_text()
    assert [check for check in bench.baseline.checks if not check.ok] == []


def shuffled_ranks(reply: Reply, rng: random.Random) -> Reply:
    return replace(reply, retrieved=tuple(rng.sample(reply.retrieved, len(reply.retrieved))))


def offsets_moved_by_one(reply: Reply, _: random.Random) -> Reply:
    def moved(claim):
        return replace(claim, citations=tuple(
            replace(c, passage=replace(c.passage, start=c.passage.start + 1, end=c.passage.end + 1)) for c in claim.citations
        ))  # fmt: skip

    return replace(reply, claims=tuple(map(moved, reply.claims)))


def passage_cut_short(reply: Reply, _: random.Random) -> Reply:
    return on_last_claim(reply, lambda claim: replace(claim, citations=tuple(
        replace(c, passage=replace(c.passage, text=c.passage.text[:-1])) for c in claim.citations
    )))  # fmt: skip


def on_last_claim(reply: Reply, change) -> Reply:
    return replace(reply, claims=(*reply.claims[:-1], change(reply.claims[-1]))) if reply.claims else reply


def cautions_dropped(reply: Reply, _: random.Random) -> Reply:
    kept = tuple(claim for claim in reply.claims if not claim.limits)
    cited = {citation.marker for claim in kept for citation in claim.citations}
    return replace(reply, claims=kept, sources=tuple(source for source in reply.sources if source.marker in cited))


def one_claim_fewer(reply: Reply, _: random.Random) -> Reply:
    if len(reply.claims) < 2:
        return reply
    kept = reply.claims[:2]
    cited = {citation.marker for claim in kept for citation in claim.citations}
    return replace(reply, claims=kept, sources=tuple(source for source in reply.sources if source.marker in cited))


def sources_numbered_wrongly(reply: Reply, _: random.Random) -> Reply:
    if len(reply.sources) < 2:
        return reply
    first, second, *rest = reply.sources
    return replace(reply, sources=(replace(first, record=second.record), replace(second, record=first.record), *rest))


def numbering_with_a_gap(reply: Reply, _: random.Random) -> Reply:
    more = [replace(source, marker=source.marker + 1) for source in reply.sources]
    claims = [
        replace(claim, citations=tuple(replace(c, marker=c.marker + 1) for c in claim.citations))
        for claim in reply.claims
    ]
    return replace(reply, sources=tuple(more), claims=tuple(claims))


def uncited_source(reply: Reply, _: random.Random) -> Reply:
    if not reply.sources:
        return reply
    return replace(reply, sources=(*reply.sources, replace(reply.sources[-1], marker=reply.sources[-1].marker + 1)))


def citation_missing(reply: Reply, _: random.Random) -> Reply:
    return on_last_claim(reply, lambda claim: replace(claim, citations=()))


def year_changed(reply: Reply, _: random.Random) -> Reply:
    def older(source):
        origin = source.record.source
        return replace(source, record=source.record.model_copy(update={
            "source": origin.model_copy(update={"year": (origin.year or 2000) - 1})
        }))  # fmt: skip

    return replace(reply, sources=tuple(map(older, reply.sources)))


def claim_shown_twice(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, claims=(*reply.claims, *reply.claims[-1:]))


def withheld_claim_shown(reply: Reply, _: random.Random) -> Reply:
    return on_last_claim(reply, lambda claim: replace(claim, text=claim.text.replace(" ", " never ", 1)))


def facet_changed(reply: Reply, _: random.Random) -> Reply:
    return on_last_claim(
        reply, lambda claim: replace(claim, facet="finding" if claim.facet != "finding" else "practice")
    )


def limits_forgotten(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, claims=reply.claims[::-1])


def follow_up_of_no_record(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, follow_ups=("What is the best cake for a dean's birthday party?",)) if reply.claims else reply


def follow_up_twice(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, follow_ups=reply.follow_ups[:1] * 2)


def follow_ups_gone(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, follow_ups=())


def nearest_gone(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, nearest=())


def retrieved_twice(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, retrieved=(*reply.retrieved[:1], *reply.retrieved[:-1]))


def never_answers(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, outcome=Outcome.ABSTAIN, reason=Reason.UNSUPPORTED, claims=(), sources=(), follow_ups=())


def claims_in_an_abstention(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, outcome=Outcome.ABSTAIN, reason=Reason.NO_EVIDENCE) if reply.claims else reply


def illegal_reason(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, reason=Reason.HARMFUL) if reply.outcome is Outcome.ANSWER else reply


def crisis_refused(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, outcome=Outcome.REFUSE, reason=Reason.HARMFUL) if reply.outcome is Outcome.SUPPORT else reply


def other_generation(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, generation="20260101T000000000000Z-000000000000") if reply.generation else reply


def another_model(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, model="gpt")


def times_missing(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, timings_ms={}) if reply.outcome is Outcome.ANSWER else reply


def answer_of_an_unasked_question(reply: Reply, _: random.Random) -> Reply:
    return replace(reply, question="How do I bake bread?", standalone_question="How do I bake bread?")


def tone_by_person(reply: Reply, rng: random.Random) -> Reply:
    return replace(reply, notices=("As you are who you are, take care.",)) if rng.random() < 0.5 else reply


DAMAGES = (
    shuffled_ranks, offsets_moved_by_one, passage_cut_short, cautions_dropped, one_claim_fewer, sources_numbered_wrongly,
    numbering_with_a_gap, uncited_source, citation_missing, year_changed, claim_shown_twice, withheld_claim_shown,
    facet_changed, limits_forgotten, follow_up_of_no_record, follow_up_twice, follow_ups_gone, nearest_gone, retrieved_twice,
    never_answers, claims_in_an_abstention, illegal_reason, crisis_refused, other_generation, another_model, times_missing,
    answer_of_an_unasked_question, tone_by_person,
)  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_planted_damage_turns_the_gate_red(bench: Bench, damage: Change) -> None:
    verdict = bench.verdict(damage)
    assert verdict.red, verdict.as_text()


def test_a_dropped_threshold_turns_the_gate_red(bench: Bench) -> None:
    """What was declined for want of evidence is answered from whatever lies nearest."""
    answered = next(reply for reply in bench.honest._replies.values() if reply.claims)

    def dropped(reply: Reply, _: random.Random) -> Reply:
        if reply.reason is not Reason.NO_EVIDENCE:
            return reply
        return replace(answered, question=reply.question, standalone_question=reply.standalone_question)

    verdict = bench.verdict(dropped)
    assert verdict.red
    assert "abstention.near_miss_declined" in {finding.name for finding in verdict.findings}


@dataclass(frozen=True)
class Waiting:
    """A subject that takes its time."""

    engine: Answering
    seconds: float

    def reply(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        time.sleep(self.seconds)
        return self.engine.reply(question, history)


def test_replies_that_take_five_times_as_long_turn_the_gate_red(bench: Bench) -> None:
    before, after = (bench.measure(Waiting(bench.honest, seconds), ["retrieval", "speed"]) for seconds in (0.004, 0.04))
    gate = read_gate(SETTINGS.gate)
    gate = gate.model_copy(update={"figures": {"speed.p50_ratio": gate.figures["speed.p50_ratio"]}})
    assert "speed.p50_ratio" in {finding.name for finding in judge_run(after, gate, before).findings}
