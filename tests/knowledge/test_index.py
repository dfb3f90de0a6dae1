import multiprocessing
import os
import shutil
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest

from knowledge.errors import IndexCorrupt, IndexStale
from knowledge.generation import GenerationStore, write_manifest
from knowledge.index import LiveIndex, PassageIndex, fingerprint, problems, write_generation
from knowledge.passage import passages_of_all
from knowledge.record import Facet, Record
from tests.fakes import LetterEmbedder, record

pytestmark = pytest.mark.real  # an embedded Chroma

RECORDS = [
    record("apple", (Facet.SUMMARY, "aaaa bbb"), (Facet.FINDING, "abab cc"), questions=["who ate the apple?"]),
    record("zebra", (Facet.SUMMARY, "zzzz yy"), questions=["how many stripes?", "zoo or no zoo?"]),
]


def publish(store: GenerationStore, records: list[Record]) -> str:
    embedder = LetterEmbedder()
    with store.writing(), store.building() as folder:
        manifest = write_generation(
            folder,
            records,
            embedder.embed([passage.text for passage in passages_of_all(records)]),
            embedder.embed([question for item in records for question in item.questions]),
            fingerprint("letters"),
        )
        store.publish(folder, manifest)
    return manifest.id


@pytest.fixture
def store(tmp_path: Path) -> GenerationStore:
    store = GenerationStore(tmp_path)
    publish(store, RECORDS)
    return store


def test_what_was_written_is_read(store: GenerationStore) -> None:
    index = PassageIndex.open(store, "letters")
    assert index.records == RECORDS
    assert index.dense_search == "chroma"
    assert [index.passages[row].text for row in index.nearest_passages(LetterEmbedder().embed(["zz"])[0], 2)][
        0
    ] == "zzzz yy"
    assert index.owners.tolist() == [0, 0, 1]
    assert index.question_owners.tolist() == [0, 1, 1]
    assert index.nearest_questions(LetterEmbedder().embed(["zoo or no zoo?"])[0], 1) == [2]
    assert problems(store.path(store.current())) == []


def test_another_embedding_model_is_refused_with_the_remedy(store: GenerationStore) -> None:
    with pytest.raises(IndexStale, match="Run: python -m ingest build"):
        PassageIndex.open(store, "another model")


def test_reading_does_not_touch_the_published_files(store: GenerationStore) -> None:
    before = {path: path.read_bytes() for path in store.path(store.current()).rglob("*") if path.is_file()}
    PassageIndex.open(store, "letters").nearest_passages(LetterEmbedder().embed(["a"])[0], 1)
    assert {path: path.read_bytes() for path in store.path(store.current()).rglob("*") if path.is_file()} == before


CHROMA_DAMAGE = {
    "folder gone": lambda folder: shutil.rmtree(folder),
    "database gone": lambda folder: (folder / "chroma.sqlite3").unlink(),
    "database empty": lambda folder: (folder / "chroma.sqlite3").write_bytes(b""),
    "database text": lambda folder: (folder / "chroma.sqlite3").write_text("hello"),
    "database cut": lambda folder: (folder / "chroma.sqlite3").write_bytes(
        (folder / "chroma.sqlite3").read_bytes()[:9000]
    ),
    "bytes changed": lambda folder: flip(folder / "chroma.sqlite3"),
    "vectors gone": lambda folder: [shutil.rmtree(path) for path in folder.iterdir() if path.is_dir()],
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("damage", CHROMA_DAMAGE.values(), ids=CHROMA_DAMAGE)
def test_answers_go_on_by_exact_search_when_chroma_is_damaged(store: GenerationStore, damage) -> None:
    whole = PassageIndex.open(store, "letters")
    folder = store.path(store.current())
    damage(folder / "chroma")
    index = PassageIndex.open(store, "letters")
    vector = LetterEmbedder().embed(["abc"])[0]
    assert index.dense_search == "exact"
    assert index.nearest_passages(vector, 3) == whole.nearest_passages(vector, 3)
    assert problems(folder) != []


@pytest.mark.parametrize(
    "name", ["records.jsonl", "vectors.npy", "questions.npy", "words/records/vocab.index.json", "manifest.json"]
)
@pytest.mark.parametrize("damage", [Path.unlink, flip], ids=["gone", "changed"])
def test_other_damage_is_said_and_never_read(store: GenerationStore, name: str, damage) -> None:
    damage(store.path(store.current()) / name)
    with pytest.raises(IndexCorrupt, match="Run: python -m ingest build"):
        PassageIndex.open(store, "letters")


def test_a_store_that_lost_vectors_but_opens_fails_its_check(store: GenerationStore) -> None:
    """Rehash the damage: only the search by own vector can find this one."""
    folder = store.path(store.current())
    np.save(folder / "vectors.npy", np.roll(np.load(folder / "vectors.npy"), 1, axis=0))
    old = store.manifest(store.current())
    (folder / "manifest.json").unlink()
    write_manifest(folder, fingerprint=old.fingerprint, content=old.content, records=2, passages=3, questions=3)
    assert any("does not find it by its own vector" in problem for problem in problems(folder))


def test_a_reader_picks_up_a_new_generation_and_keeps_the_old_for_the_answer_under_way(store: GenerationStore) -> None:
    live = LiveIndex(store, "letters")
    under_way = live.get()
    publish(store, RECORDS[:1])
    assert [item.id for item in live.get().records] == ["apple"]
    assert under_way.nearest_passages(LetterEmbedder().embed(["zz"])[0], 1) == [2]


def test_a_reader_stays_on_the_old_generation_when_the_new_one_is_damaged(store: GenerationStore) -> None:
    live = LiveIndex(store, "letters")
    (store.path(publish(store, RECORDS[:1])) / "records.jsonl").write_text("{}")
    assert len(live.get().records) == 2


def test_hundreds_of_equal_passages_hide_neither_themselves_nor_others(tmp_path: Path) -> None:
    # As in an export whose abstracts say that there is none; digits count nothing in letter vectors, so the first are equal.
    facts = [(Facet.FINDING, f"No abstract was given in {number}.") for number in range(400)]
    facts += [(Facet.FINDING, f"{40 * chr(97 + n % 26)} {20 * chr(97 + n // 26)}") for n in range(200)]
    store = GenerationStore(tmp_path)
    publish(store, [record("export", *facts)])
    assert problems(store.path(store.current())) == []
    index = PassageIndex.open(store, "letters")
    assert index.nearest_passages(index.vectors[399], 400) == list(range(400))
    assert set(index.nearest_passages(index.vectors[399], 402)) > set(range(400))
    assert index.nearest_passages(index.vectors[450], 1) == [450]


def test_the_private_copy_of_a_killed_reader_is_removed_by_the_next_one(
    store: GenerationStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "copies"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    other = multiprocessing.get_context("spawn").Process(target=open_and_die, args=(store.folder,))
    other.start()
    other.join()
    assert len(list(place.glob("upstander-*"))) == 1
    mine = PassageIndex.open(store, "letters")
    beside = PassageIndex.open(store, "letters")
    assert len(list(place.glob("upstander-*"))) == 2, "those in use stay"
    assert mine.nearest_passages(mine.vectors[0], 1) == [0]
    mine.close()
    beside.close()
    assert list(place.glob("upstander-*")) == []


def open_and_die(folder: Path) -> None:
    index = PassageIndex.open(GenerationStore(folder), "letters")
    assert index.dense_search == "chroma"
    os.kill(os.getpid(), signal.SIGKILL)
