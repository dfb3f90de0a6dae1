import multiprocessing
from pathlib import Path

import pytest

from knowledge.errors import IndexBusy, IndexCorrupt, IndexMissing
from knowledge.generation import GenerationStore, damaged_files, read_manifest, write_manifest


def publish(store: GenerationStore, content: str) -> str:
    with store.building() as folder:
        (folder / "part").mkdir()
        (folder / "part" / "file").write_text(content)
        manifest = write_manifest(folder, fingerprint="f", content=content * 12, records=1, passages=1, questions=0)
        store.publish(folder, manifest)
    return manifest.id


def test_a_published_generation_is_live_whole_and_the_only_thing_left(tmp_path: Path) -> None:
    store = GenerationStore(tmp_path)
    with store.writing():
        name = publish(store, "a")
    assert store.current() == name
    assert damaged_files(store.path(name), store.manifest(name)) == []
    assert [path.name for path in store.builds.iterdir()] == [name]


def test_without_a_generation_the_reader_is_told_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="Run: python -m ingest build"):
        GenerationStore(tmp_path).current()


@pytest.mark.parametrize("pointer", ["", "../../etc", "20260101T000000Z-xyz", "\x00", "ü"])
def test_a_garbled_pointer_is_no_path(tmp_path: Path, pointer: str) -> None:
    (tmp_path / "CURRENT").write_text(pointer)
    with pytest.raises(IndexCorrupt):
        GenerationStore(tmp_path).current()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "part" / "file").unlink(), "part/file is missing"),
        (lambda folder: (folder / "part" / "file").write_text("b"), "part/file is changed"),
        (lambda folder: (folder / "more").write_text(""), "more does not belong there"),
    ],
)
def test_any_change_to_a_generation_shows(tmp_path: Path, damage, says: str) -> None:
    store = GenerationStore(tmp_path)
    with store.writing():
        folder = store.path(publish(store, "a"))
    damage(folder)
    assert damaged_files(folder, read_manifest(folder)) == [says]


def test_a_build_that_fails_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    store = GenerationStore(tmp_path)
    with store.writing():
        before = publish(store, "a")
        with pytest.raises(OSError, match="disk full"), store.building():
            raise OSError("disk full")
    assert store.current() == before
    assert store.generations() == [before]


def test_the_live_generation_and_the_newest_others_are_kept(tmp_path: Path) -> None:
    store = GenerationStore(tmp_path)
    with store.writing():
        names = [publish(store, letter) for letter in "abcd"]
        store.switch(names[0])
        (store.builds / ".tmp-of-a-killed-build").mkdir()
        assert store.sweep(keep=2) == names[1:3]
        assert store.generations() == [names[0], names[3]]
        assert store.sweep(keep=1) == [names[3]]
    assert [path.name for path in store.builds.iterdir()] == [names[0]]


def hold(folder: Path, held, done) -> None:
    with GenerationStore(folder).writing():
        held.set()
        done.wait(30)


def test_one_process_writes_and_a_killed_one_frees_the_place(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    writer = context.Process(target=hold, args=(tmp_path, held, done))
    writer.start()
    assert held.wait(30)
    with pytest.raises(IndexBusy, match="Another process is writing"), GenerationStore(tmp_path).writing():
        pass
    writer.kill()
    writer.join()
    with GenerationStore(tmp_path).writing():
        pass
