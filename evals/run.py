"""One evaluation run: open the subject, ask everything, check every reply, hand back a Run."""

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bot.__main__ import answers
from bot.assembly import assemble
from bot.engine import Engine
from bot.settings import ChatSettings
from evals.cases import CaseSet, load_halves, problems
from evals.invariants import World, check_index, check_replies
from evals.public import PUBLIC_SUITES, PublicLab
from evals.results import Check, Run, Suite, not_measured
from evals.subject import Asker, read_knowledge
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
    """Milliseconds (passed, of processor time) of a fixed piece of work: hashing, multiplying, sorting; medians of nine."""
    matrix = np.random.default_rng(0).random((600, 600), dtype=np.float32)
    times = []
    for _ in range(9):
        started, busy = time.perf_counter(), time.process_time()
        hashlib.sha256(matrix.tobytes()).digest()
        np.sort(matrix @ matrix, axis=None)
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
    """Asking twice gives the same reply, and a batch gives the replies of its lines, in order, past a bad line."""
    asked = [one for one in lab.asker.asked.values() if not one.history and not one.fault][:ASKED_TWICE]
    changed = []
    for one in asked:
        again = lab.asker.again(one.question)
        if _timeless(one.json) != _timeless(again.json):
            changed.append(f"{one.question[:70]!r} is answered otherwise when asked again")
    lines = [json.dumps({"id": n, "question": one.question}) for n, one in enumerate(asked[:BATCH_LINES])]
    lines.insert(1, "{")
    wrong = []
    try:
        got = list(answers(lab.asker.engine, lines))  # type: ignore[arg-type]
        wanted = [*asked[:1], None, *asked[1:BATCH_LINES]] if asked else [None]
        if len(got) != len(wanted):
            wrong.append(f"{len(got)} replies to {len(wanted)} lines")
        for value, meant in zip(got, wanted, strict=False):
            if meant is None:
                wrong += [] if "error" in value else ["a bad line gave no error object"]
            elif value.get("id") != asked.index(meant) or _timeless(
                {k: v for k, v in value.items() if k != "id"}
            ) != _timeless(meant.json):
                wrong.append(f"line {value.get('id')} differs from the reply to its question")
    except ChatbotError as error:
        wrong.append(f"a batch ended with {error}")
    return [
        Check(name="reply.repeatable", about="The same question gets the same reply.", tested=len(asked),
              failed=len(changed) if lab.world.model == "extractive" else 0, problems=tuple(changed)),
        Check(name="reply.batch", about="A batch gives each line's reply, in order, and goes on past a bad line.",
              tested=len(lines), failed=len(wrong), problems=tuple(wrong)),
    ]  # fmt: skip


def _timeless(value: object) -> object:
    return {k: v for k, v in value.items() if k not in ("timings_ms", "id")} if isinstance(value, dict) else value
