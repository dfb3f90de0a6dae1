"""Speed and memory, side by side in one run with what one would use instead: the tutorial pipeline.

The alternative is LangChain's own: `langchain-chroma` over a SentenceTransformer, on the same statements and the same
weights. Each side runs in a process of its own, so that neither warms or weighs on the other. Door to langchain-chroma.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.assembly import assemble
from bot.settings import ChatSettings
from evals.cases import CaseSet, RetrievalCase, load_cases
from evals.metrics import Mean, hit_at, mean
from evals.settings import EvalSettings
from knowledge.embedding import TorchEncoder, open_embedder, packaged_identity, packaged_model_folder
from knowledge.errors import EvaluationError
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.settings import IndexSettings, silence_libraries

QUESTIONS = 60
PASSAGES_EMBEDDED = 256
SIDES = ("ours", "tutorial")


def questions(cases: CaseSet) -> list[RetrievalCase]:
    """The questions that both sides are asked."""
    return list(cases.only("dev", QUESTIONS).of(RetrievalCase))


def measure(side: str, data: Path) -> dict[str, Any]:
    """One side in a fresh process. Raises EvaluationError with the end of its messages."""
    command = [sys.executable, "-m", "evals.bench", side, str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EvaluationError(f"The side {side} could not be measured: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def table(results: dict[str, dict[str, Any]]) -> str:
    """Both sides as a table; a side that is not installed is 'not measured'."""
    names = list(dict.fromkeys(name for result in results.values() for name in result))
    lines = [f"{'':38}" + "".join(f"{side:>16}" for side in results)]
    for name in names:
        cells = "".join(f"{_cell(result.get(name)):>16}" for result in results.values())
        lines.append(f"{name:38}{cells}")
    if busy := _load():
        lines.append(
            f"Load average {busy:.1f} on {os.cpu_count()} cores: quote times only from a machine that is idle."
        )
    return "\n".join(lines) + "\n"


def _load() -> float | None:
    """The load of the last minute where the platform tells it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _cell(value: object) -> str:
    return "not measured" if value is None else f"{value:,.3g}" if isinstance(value, float) else str(value)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / (1 << 10)


def _timed(ask: Callable[[str], Sequence[str]], cases: Sequence[RetrievalCase]) -> dict[str, float | None]:
    """Median and 95th percentile of warm questions, and how many find a relevant record among five."""
    waits, works, hits = [], [], []
    for case in cases:
        started, busy = time.perf_counter(), time.process_time()
        ranked = ask(case.question)
        waits.append(1e3 * (time.perf_counter() - started))
        works.append(1e3 * (time.process_time() - busy))
        hits.append(hit_at(ranked, case.relevant, 5))
    found: Mean = mean(hits)
    return {
        "warm question p50 (ms)": float(np.percentile(waits, 50)),
        "warm question p95 (ms)": float(np.percentile(waits, 95)),
        "of processor time p50 (ms)": float(np.percentile(works, 50)),
        "relevant record among five": found.value,
    }


def ours(data: Path) -> dict[str, Any]:
    """The whole engine: search, draft, check and render, as a reader gets it."""
    started = time.perf_counter()
    settings = IndexSettings(data=data)
    engine = assemble(ChatSettings(), settings)
    engine.reply("How can students change what a lecture says?")
    cold = time.perf_counter() - started
    cases = questions(load_cases(EvalSettings().cases))
    warm = _timed(lambda question: engine.reply(question).retrieved, cases)
    index = engine.library.get()
    search = _timed(lambda question: engine.retriever.retrieve(index, question).record_ids, cases)
    memory = _peak_mb()
    embedder = open_embedder(settings.embedder, settings.models_folder)
    texts = [passage.text for passage in index.passages[:PASSAGES_EMBEDDED]]
    started = time.perf_counter()
    embedder.embed(texts)
    return {
        "first answer, process warm-up aside (s)": cold,
        **warm,
        "of it search alone p50 (ms)": search["warm question p50 (ms)"],
        "peak memory (MB)": memory,
        "passages embedded a second": len(texts) / (time.perf_counter() - started),
        "sentences checked against sources": "all",
    }


def tutorial(data: Path) -> dict[str, Any]:
    """Search alone, by langchain-chroma over SentenceTransformer vectors of the same statements; nothing is checked."""
    settings = IndexSettings(data=data)
    started = time.perf_counter()
    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings

    encoder = TorchEncoder(str(packaged_model_folder()), packaged_identity())

    class SentenceTransformerEmbeddings(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[float(x) for x in row] for row in encoder.embed(texts)]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    loaded = time.perf_counter() - started
    index = PassageIndex.open(GenerationStore(settings.index_folder), packaged_identity())
    texts = [passage.text for passage in index.passages]
    owners = [{"record_id": passage.record_id} for passage in index.passages]
    index.close()
    with tempfile.TemporaryDirectory() as folder:
        store = Chroma(
            "tutorial", SentenceTransformerEmbeddings(), persist_directory=folder,
            collection_configuration={"hnsw": {"space": "cosine"}},
        )  # fmt: skip
        started = time.perf_counter()
        store.add_texts(texts, owners)
        filled = time.perf_counter() - started

        def ask(question: str) -> list[str]:
            found = store.similarity_search(question, k=20)
            return list(dict.fromkeys(document.metadata["record_id"] for document in found))

        started = time.perf_counter()
        ask("How can students change what a lecture says?")
        first = time.perf_counter() - started
        warm = _timed(ask, questions(load_cases(EvalSettings().cases)))
    return {
        "first answer, process warm-up aside (s)": loaded + first,
        **warm,
        "of it search alone p50 (ms)": warm["warm question p50 (ms)"],
        "peak memory (MB)": _peak_mb(),
        "passages embedded a second": len(texts) / filled,
        "sentences checked against sources": "none",
    }


def main(arguments: Sequence[str]) -> int:
    """One side, as a line of JSON on standard output."""
    silence_libraries()
    side, data = arguments
    try:
        found = {"ours": ours, "tutorial": tutorial}[side](Path(data))
    except ImportError:
        found = {}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
