"""One evaluation run: open the subject, ask everything, check every reply, hand back a Run."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bot.__main__ import answers
from bot.assembly import assemble
from bot.engine import Engine
from bot.recommender import Recommender
from bot.reply import Reply, ShownClaim
from bot.settings import ChatSettings
from evals.cases import CaseSet, load_halves, problems
from evals.invariants import World, check_index, check_replies
from evals.public import PUBLIC_SUITES, PublicLab
from evals.results import Check, Run, Suite, not_measured
from evals.subject import Asked, Asker, read_knowledge
from evals.suites import SUITES, ChatJudge, Lab
from knowledge.embedding import Embedder, Vectors, open_embedder
from knowledge.errors import ChatbotError, EvaluationError
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex, write_generation
from knowledge.passage import passages_of_all
from knowledge.record import Record
from knowledge.settings import IndexSettings

logger = logging.getLogger(__name__)

FAST_CASES = 24  # of each family in the fast subset
ASKED_TWICE = 20
BATCH_LINES = 5
THREADS = 4
ALL_SUITES = (*SUITES, *PUBLIC_SUITES)
Progress = Callable[[str], None]


@contextmanager
def open_lab(
    chat: ChatSettings, index: IndexSettings, cases: CaseSet, chat_judge: ChatJudge | None = None
) -> Iterator[Lab]:
    """A lab over the real engine. Raises IndexUnusable, SettingsError, ModelError or RecordError."""
    engine = assemble(chat, index)
    live = engine.library.get()
    knowledge = read_knowledge(index, live)
    embedder = open_embedder(index.embedder, index.models_folder)
    with tempfile.TemporaryDirectory(prefix="upstander-evals-") as folder:

        def with_records(records: Sequence[Record]) -> Engine:
            return assemble(chat, write_with_records(index, live, embedder, records, Path(folder)))

        yield Lab(
            cases=cases,
            asker=Asker(engine),
            world=World(knowledge, live, engine.reply("?").model if chat.model != "extractive" else "extractive"),
            verifier=engine.verifier,
            retrieval_score=lambda question: engine.retriever.retrieve(live, question).best_score,
            with_records=with_records,
            chat_judge=chat_judge,
            reference_ms=reference_work,
            recommender=Recommender(engine.library, engine.retriever),
        )


def write_with_records(
    settings: IndexSettings, live: PassageIndex, embedder: Embedder, records: Sequence[Record], folder: Path
) -> IndexSettings:
    """A data folder with the live index and some more records, through the real index code; only the new is embedded."""
    data = folder / "data"
    store = GenerationStore(data / "index")
    # The encoder is not copied: it is 90 MB and nobody writes to it.
    data.mkdir(parents=True, exist_ok=True)
    if settings.models_folder.is_dir() and not (data / "models").exists():
        os.symlink(settings.models_folder.resolve(), data / "models")
    every = [*live.records, *records]
    vectors = np.vstack([live.vectors, embedder.embed([passage.text for passage in passages_of_all(records)])])
    questions = [question for record in records for question in record.questions]
    question_vectors = (
        np.vstack([live.question_vectors, embedder.embed(questions)]) if questions else live.question_vectors
    )
    with store.writing(), store.building() as build:
        manifest = write_generation(build, every, vectors, question_vectors, live.manifest.fingerprint)
        store.publish(build, manifest)
    return settings.model_copy(update={"data": data})


def reference_work() -> tuple[float, float]:
    """Milliseconds (passed, of processor time) of a fixed piece of work: multiplying, and sorting in Python; medians of nine.

    Trap: NumPy's sort and OpenSSL's hashes have code of their own for some processors, several times as fast as for others.
    """
    matrix = np.random.default_rng(0).random((600, 600), dtype=np.float32)
    times = []
    for _ in range(9):
        started, busy = time.perf_counter(), time.process_time()
        matrix @ matrix
        sorted(range(40_000), key=lambda number: number * 7_919 % 40_009)
        times.append((1e3 * (time.perf_counter() - started), 1e3 * (time.process_time() - busy)))
    wall, cpu = np.median(np.array(times), axis=0)
    return float(wall), float(cpu)


def run(
    lab: Lab,
    suites: Sequence[str],
    *,
    cases_folder: Path,
    half: str = "all",
    fast: bool = False,
    public: PublicLab | None = None,
    embed: Callable[[Sequence[str]], Vectors] | None = None,
    progress: Progress = lambda _: None,
) -> Run:
    """Run the named suites in the order of the table. A suite that needs what is not there is 'not measured'."""
    unknown = [name for name in suites if name not in ALL_SUITES]
    if unknown:
        raise EvaluationError(f"There is no suite {unknown[0]!r}. The suites are: {', '.join(ALL_SUITES)}.")
    started = time.perf_counter()
    done: list[Suite] = []
    for name in [name for name in SUITES if name in suites]:
        progress(name)
        done.append(SUITES[name](lab))
        logger.info("suite=%s seconds=%.1f", name, done[-1].seconds)
    for name in [name for name in PUBLIC_SUITES if name in suites]:
        progress(name)
        if public is None:
            done.append(
                not_measured(name, "no folder of public sets was named (--public DIR or UPSTANDER_PUBLIC_EVALS)")
            )
        else:
            done.append(PUBLIC_SUITES[name](lab, public))
    progress("checks")
    asked = list(lab.asker.asked.values())
    checks = check_replies(asked, lab.world) if asked else []
    checks += [check_cases(lab, cases_folder), *check_answering(lab)]
    if embed is not None:
        checks += check_index(lab.world, lambda texts: embed(texts))
    manifest = lab.world.index.manifest
    return Run(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        model=lab.world.model,
        knowledge=manifest.content,
        generation=manifest.id,
        index=manifest.fingerprint,
        cases=lab.cases.digest,
        half=half,
        fast=fast,
        seconds=round(time.perf_counter() - started, 1),
        searches=next((tuple(a.json["searches"]) for a in asked if a.json.get("searches")), ()),
        clusters={case: cluster for case, cluster in lab.clusters.items() if case != cluster},
        checks=tuple(checks),
        suites=tuple(done),
    )


def check_cases(lab: Lab, folder: Path) -> Check:
    """The case files agree with the records and with their halves."""
    wrong = problems(lab.cases, load_halves(folder), lab.world.knowledge.statements)
    return Check(
        name="cases.current",
        about="Cases name records that exist, quote what they say now, and lie in the right half.",
        tested=len(lab.cases.all), failed=len(wrong), problems=tuple(wrong[:10]),
    )  # fmt: skip


def check_answering(lab: Lab) -> list[Check]:
    """Asking twice, in threads, as a stream and in a batch gives the same reply; what is no question is not answered."""
    asked = [one for one in lab.asker.asked.values() if not one.history and not one.fault][:ASKED_TWICE]
    engine = lab.asker.engine
    again = [lab.asker.again(one.question) for one in asked]
    with ThreadPoolExecutor(THREADS) as pool:
        at_once = list(pool.map(lambda one: lab.asker.again(one.question), asked))
    changed = [
        f"{one.question[:70]!r} is answered otherwise when asked {how}"
        for how, others in (("again", again), ("beside others", at_once))
        for one, other in zip(asked, others, strict=True)
        if _timeless(one.json) != _timeless(other.json)
    ]
    exact = lab.world.model == "extractive"  # a chat model may word an answer anew
    about = "The same question gets the same reply, also beside others."
    checks = [
        _check("reply.repeatable", about, 2 * len(asked), changed if exact else []),
        _check("reply.edges", "What is no question, or too long, is not answered.", len(EDGES), list(_edges(lab))),
    ]
    # A stand-in for the engine need not stream.
    if isinstance(engine, Engine):
        about = "A stream shows the reply's claims and no others."
        checks.append(_check("reply.stream", about, len(asked), list(_streams(engine, asked)) if exact else []))
        about = "A batch gives each line's reply, in order, and goes on past a bad line."
        some = asked[:BATCH_LINES]
        checks.append(_check("reply.batch", about, len(some) + 1, list(_batches(engine, some)) if exact else []))
    return checks


EDGES = (("", "empty"), ("   ", "empty"), ("?!…", "empty"), ("\u200b\u200b", "empty"), ("why " * 20_000, "too_long"))


def _edges(lab: Lab) -> Iterator[str]:
    for text, reason in EDGES:
        asked = lab.asker.again(text)
        if (asked.outcome, asked.reason) != ("clarify", reason) or asked.cited:
            yield f"{text[:10]!r} gets {asked.outcome} ({asked.reason}) instead of clarify ({reason})"


def _streams(engine: Engine, asked: Sequence[Asked]) -> Iterator[str]:
    for one in asked:
        events = list(engine.stream(one.question))
        shown = [event for event in events if isinstance(event, ShownClaim)]
        last = events[-1] if events else None
        if not isinstance(last, Reply) or [c.text for c in shown] != [c.text for c in last.claims]:
            yield f"{one.question[:70]!r} streams other claims than its reply has"


def _batches(engine: Engine, asked: Sequence[Asked]) -> Iterator[str]:
    lines = [json.dumps({"id": number, "question": one.question}) for number, one in enumerate(asked)]
    lines.insert(1, "{")
    try:
        got = list(answers(engine, lines))
    except ChatbotError as error:
        yield f"a batch ended with: {error}"
        return
    wanted = [one.json for one in asked]
    replies = [value for value in got if "error" not in value]
    in_order = [value.get("id") for value in replies] == list(range(len(asked)))
    if not in_order or len(got) != len(lines) or len(got) - len(replies) != 1:
        yield f"{len(lines)} lines, one of them bad, gave {len(replies)} replies and {len(got) - len(replies)} errors"
    for number, (got_json, meant) in enumerate(zip(replies, wanted, strict=False)):
        if _timeless(got_json) != _timeless(meant):
            yield f"line {number} differs from the reply to its question"


def _check(name: str, about: str, tested: int, wrong: Sequence[str]) -> Check:
    return Check(name=name, about=about, tested=tested, failed=len(wrong), problems=tuple(wrong[:10]))


def _timeless(value: object) -> object:
    return {k: v for k, v in value.items() if k not in ("timings_ms", "id")} if isinstance(value, dict) else value
