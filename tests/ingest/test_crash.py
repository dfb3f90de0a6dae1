"""The harshest moments, a few of each; the scripts beside this file run as many as wanted."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.build import build
from knowledge.errors import IndexNotWritten
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.record import Facet, render_record
from knowledge.settings import IndexSettings
from tests.fakes import LetterEmbedder, record
from tests.ingest import crash, reading_along

pytestmark = pytest.mark.real


def test_a_killed_build_add_or_remove_leaves_the_old_or_the_new_index_and_a_plain_rerun_completes(
    tmp_path: Path,
) -> None:
    seen = crash.rounds(3, tmp_path, seed=7)
    assert seen["killed"] == 3


def test_answers_never_mix_generations_while_the_index_is_rebuilt(tmp_path: Path) -> None:
    seen = reading_along.run(tmp_path, 100, 3)
    assert seen["asked"] >= 100
    assert (seen["not answered"], seen["mixed"], seen["generation with two versions"]) == (0, 0, 0)
    assert seen["generations"] >= 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("looks_first", [True, False], ids=["said before", "said in the middle"])
def test_a_full_disk_is_said_and_the_index_in_use_stays(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks_first: bool
) -> None:
    settings = IndexSettings(data=small_disk / "data", records=tmp_path / "records")
    settings.records.mkdir()
    (settings.records / "one.md").write_text(render_record(record("one", (Facet.SUMMARY, "First."))))
    live = build(settings, LetterEmbedder).generation
    if not looks_first:
        monkeypatch.setattr("ingest.build._check_space", lambda settings, rows: None)
    letters = [(chr(97 + n % 26), chr(97 + n // 26 % 26), chr(97 + n // 676)) for n in range(3_000)]
    many = [
        (Facet.FINDING, f"{a * 900} {b * 400} {c * 200}") for a, b, c in letters
    ]  # so that no two vectors are equal
    for at in range(0, len(many), 300):
        (settings.records / f"many-{at}.md").write_text(render_record(record(f"many-{at}", *many[at : at + 300])))
    with pytest.raises(IndexNotWritten, match=r"The index in use is unchanged; free some space"):
        build(settings, LetterEmbedder)
    store = GenerationStore(settings.index_folder)
    assert store.current() == live
    assert [item.id for item in PassageIndex.open(store, "letters").records] == ["one"]
    for path in settings.records.glob("many-*.md"):
        path.unlink()
    (settings.records / "two.md").write_text(render_record(record("two", (Facet.SUMMARY, "Second."))))
    assert build(settings, LetterEmbedder).published
