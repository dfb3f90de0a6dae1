"""Kill the real program at random moments and look at what is left. The suite runs a few rounds; by hand, as many as wanted:

    python -m tests.ingest.crash 100

Half of the kills are aimed at the moments in which the index is saved, which destroyed Chroma stores written in place
(docs/decisions/0003-generations.md).
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ingest.build import verified_apart
from knowledge.embedding import open_embedder
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.record import Facet, render_record
from knowledge.settings import IndexSettings
from tests.fakes import record

ROOT = Path(__file__).parents[2]
LONGEST_RUN_SECONDS = 120
PARTS = ("chroma", "manifest.json", "vectors.npy")


class Library:
    """A small library on disk, and the program run on it as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.settings = IndexSettings(data=folder / "data", records=folder / "records")
        self.inbox = folder / "inbox"
        self.store = GenerationStore(self.settings.index_folder)
        self.settings.records.mkdir()
        self.inbox.mkdir()
        self.embedder = open_embedder("packaged", self.settings.models_folder)
        for number in range(12):
            self.write_record(number, 0)

    def write_record(self, number: int, version: int) -> None:
        """A record whose text names its version."""
        facts = [(Facet.FINDING, f"Finding {n} of work {number} in version {version} was noted.") for n in range(6)]
        item = record(f"work-{number}", *facts, questions=[f"what did work {number} find?"])
        (self.settings.records / f"work-{number}.md").write_text(render_record(item))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `python -m ingest` in a process group of its own."""
        environment = {
            **os.environ,
            "UPSTANDER_DATA": str(self.settings.data),
            "UPSTANDER_RECORDS": str(self.settings.records),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "ingest", *arguments],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run it to the end; exit code and what it complained of."""
        process = self.start(*arguments)
        _, complaint = process.communicate(timeout=LONGEST_RUN_SECONDS)
        return process.returncode, complaint.decode()

    def texts(self) -> frozenset[str]:
        """All passages of the live index, each found by a search for its own vector."""
        index = PassageIndex.open(self.store, self.embedder.identity)
        try:
            for row in range(0, len(index.passages), 7):
                assert index.passages[index.nearest_passages(index.vectors[row], 1)[0]].text
            assert index.dense_search == "chroma"
            return frozenset(passage.text for passage in index.passages)
        finally:
            index.close()

    def holding(self, words: bytes) -> list[Path]:
        """The files below the data folder in which the words stand."""
        return [path for path in self.settings.data.rglob("*") if path.is_file() and words in path.read_bytes()]


def kill(
    process: subprocess.Popen[bytes], library: Library, aimed: bool, rng: random.Random, usual_seconds: float
) -> bool:
    """Kill a run with its whole group at a random moment, or near the save; false when it had ended before."""
    if aimed:
        wanted, deadline = rng.choice(PARTS), time.monotonic() + LONGEST_RUN_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if any((folder / wanted).exists() for folder in library.store.builds.glob(".tmp-*")):
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.3))
    else:
        time.sleep(rng.uniform(0, usual_seconds * 1.05))
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return not ended


def rounds(count: int, folder: Path, seed: int = 1) -> Counter[str]:
    """Kill `count` runs of build, add and remove; counts of what happened. Raises AssertionError at the first loss."""
    rng = random.Random(seed)
    library = Library(folder)
    started = time.monotonic()
    assert library.run("build") == (0, "")
    usual = time.monotonic() - started
    seen: Counter[str] = Counter()
    attempt = 0
    while seen["killed"] < count:
        attempt += 1
        before = library.texts()
        action = ("build", "add", "remove")[attempt % 3]
        if action == "build":
            library.write_record(rng.randrange(12), attempt)
            arguments = ["build"]
        elif action == "add":
            (library.inbox / f"note-{attempt}.txt").write_text(
                f"Note {attempt} was written by hand. It has two sentences."
            )
            arguments = ["add", str(library.inbox)]
        else:
            documents = sorted(path.stem for path in library.settings.documents_folder.glob("*.json"))
            for path in library.inbox.iterdir():
                path.unlink()
            arguments = ["remove", *documents] if documents else ["build"]
        aimed = attempt % 2 == 0
        started = time.monotonic()
        killed = kill(library.start(*arguments), library, aimed, rng, usual)
        seen["killed" if killed else "ended before"] += 1
        seen["aimed at the save"] += killed and aimed
        seen[f"{action} killed"] += killed
        after = library.texts()
        assert verified_apart(library.store.path(library.store.current())) == []
        seen["old index"] += after == before
        seen["new index"] += after != before
        code, complaint = library.run(*arguments)
        if action == "remove" and code == 2:
            assert "No added document has the id" in complaint, complaint  # the killed run had finished its work
            code, complaint = library.run("build")
        assert (code, complaint) == (0, ""), complaint
        final = library.texts()
        expected = {path.stem for path in library.settings.documents_folder.glob("*.json")}
        assert len(final) == 72 + len(expected)
        assert after in (before, final), "neither the old nor the new index"
        if action == "remove":
            assert expected == set()
            assert library.holding(b"written by hand") == []
        assert list(library.store.builds.glob(".tmp-*")) == []
        if attempt % 10 == 0:
            sys.stderr.write(f"{dict(seen)}\n")
    return seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="upstander-") as place:
        sys.stdout.write(f"{dict(rounds(int(sys.argv[1]), Path(place)))}\n")
