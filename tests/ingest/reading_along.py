"""One process asks questions while another rebuilds the index; every answer must come from one generation.

python -m tests.ingest.reading_along 2000 10
"""

import multiprocessing
import queue
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bot.drafting import ExtractiveDrafter
from bot.engine import Engine
from bot.grounding import CascadeVerifier
from bot.reply import Outcome
from bot.retriever import Retriever
from ingest.build import build
from knowledge.generation import GenerationStore
from knowledge.index import LiveIndex
from knowledge.record import Facet, render_record
from knowledge.settings import IndexSettings
from tests.fakes import GivenCare, LetterEmbedder, record

WORKS = 8


def write_version(settings: IndexSettings, version: int) -> None:
    """All records, each statement naming the version."""
    settings.records.mkdir(exist_ok=True)
    for number in range(WORKS):
        facts = [(Facet.FINDING, f"Petition {number} point {n} passed, says version {version}.") for n in range(4)]
        item = record(f"work-{number}", *facts, questions=[f"did petition {number} pass?"])
        (settings.records / f"work-{number}.md").write_text(render_record(item))


def ask(settings: IndexSettings, questions: int, results: Any, enough: Any) -> None:
    """Ask until `questions` were asked and the rebuilds are over; report counts of generations, mixtures and faults."""
    store = GenerationStore(settings.index_folder)
    library = LiveIndex(store, LetterEmbedder.identity)
    engine = Engine(library, Retriever(LetterEmbedder()), ExtractiveDrafter(), CascadeVerifier(), GivenCare(), 1_000)
    seen: Counter[str] = Counter()
    generations: dict[str, set[str]] = {}
    number = 0
    while number < questions or not enough.is_set():
        reply = engine.reply(f"did petition {number % WORKS} pass?")
        versions = {claim.text.rsplit(" ", 1)[1] for claim in reply.claims}
        generations.setdefault(reply.generation, set()).update(versions)
        seen["asked"] += 1
        seen["not answered"] += reply.outcome is not Outcome.ANSWER
        seen["mixed"] += len(versions) > 1
        seen["by exact search"] += "exact" in reply.searches
        number += 1
    seen["generations"] = len(generations)
    seen["generation with two versions"] = sum(len(versions) > 1 for versions in generations.values())
    results.put(dict(seen))


def run(folder: Path, questions: int, rebuilds: int) -> dict[str, int]:
    """Counts from a reader in another process during some rebuilds here."""
    settings = IndexSettings(data=folder / "data", records=folder / "records")
    write_version(settings, 0)
    build(settings, LetterEmbedder)
    context = multiprocessing.get_context("spawn")
    results, enough = context.Queue(), context.Event()
    reader = context.Process(target=ask, args=(settings, questions, results, enough))
    reader.start()
    for version in range(1, rebuilds + 1):
        write_version(settings, version)
        assert build(settings, LetterEmbedder).published
        time.sleep(0.2)
    enough.set()
    alive = True
    while True:  # a reader that died would leave the queue empty for ever
        try:
            seen: dict[str, int] = results.get(timeout=1)
            break
        except queue.Empty:
            assert alive, f"the reader ended with exit code {reader.exitcode}"
            alive = reader.is_alive()
    reader.join(60)
    return seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="upstander-") as place:
        sys.stdout.write(f"{run(Path(place), int(sys.argv[1]), int(sys.argv[2]))}\n")
