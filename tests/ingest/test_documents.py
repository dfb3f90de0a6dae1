"""Adding, changing and removing documents, and going back, with a small library and a real Chroma."""

import json
import zipfile
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import build as building
from ingest.add import find, read_all
from ingest.build import add, build, remove, verified_apart
from ingest.documents import DocumentStore, Holding, resemblance, sketch
from ingest.keeping import backup, restore, rollback
from ingest.reading import read
from ingest.report import BuildReport, no_progress
from knowledge.errors import IndexBusy, IndexCorrupt, IndexMissing, IndexNotWritten, RecordError
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.record import Document, Excerpt, Facet, render_record
from knowledge.settings import IndexSettings
from tests.fakes import LetterEmbedder, record
from tests.ingest.files import BODY, OTHER, a_record

pytestmark = pytest.mark.real  # an embedded Chroma, checked in another process


@pytest.fixture
def settings(tmp_path: Path) -> IndexSettings:
    (tmp_path / "records").mkdir()
    one = record("one", (Facet.SUMMARY, "First work."), (Facet.FINDING, "It rose."), questions=["did it rise?"])
    (tmp_path / "records" / "one.md").write_text(render_record(one))
    return IndexSettings(data=tmp_path / "data", records=tmp_path / "records")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def put(
    settings: IndexSettings, place: Path, embedder: LetterEmbedder | None = None, **corrections: object
) -> BuildReport:
    def reader(held, curated):
        return read_all(
            list(find(place)), held, curated, today=date(2026, 1, 2), corrections=corrections, progress=no_progress,
            read=read,
        )  # fmt: skip

    return add(settings, lambda: embedder or LetterEmbedder(), reader)


def opened(settings: IndexSettings) -> PassageIndex:
    return PassageIndex.open(GenerationStore(settings.index_folder), "letters")


def ids(settings: IndexSettings) -> list[str]:
    return [item.id for item in opened(settings).records]


def test_a_document_is_added_once_and_its_passages_are_owned_by_it(settings: IndexSettings, inbox: Path) -> None:
    (inbox / "note.txt").write_text(BODY)
    first = put(settings, inbox)
    assert [file.status for file in first.files] == ["added"]
    index = opened(settings)
    name = first.files[0].id
    assert [index.records[n].id for n in index.owners] == [passage.record_id for passage in index.passages]
    assert sum(passage.record_id == name for passage in index.passages) == 1
    again = LetterEmbedder()
    second = put(settings, inbox, again)
    assert ([file.status for file in second.files], second.published, again.embedded) == (["unchanged"], False, [])


def test_a_changed_document_keeps_its_id_and_only_its_new_text_is_embedded(
    settings: IndexSettings, inbox: Path
) -> None:
    (inbox / "note.md").write_text("# T\n\n## A\n\nIt stays as it is.\n\n## B\n\nIt will be changed.\n")
    before = put(settings, inbox).files[0].id
    (inbox / "note.md").write_text("# T\n\n## A\n\nIt stays as it is.\n\n## B\n\nIt was changed.\n")
    later = LetterEmbedder()
    report = put(settings, inbox, later)
    assert [(file.status, file.id) for file in report.files] == [("changed", before)]
    assert later.embedded == ["B: It was changed."]


def test_a_document_that_breaks_stays_as_it_was(settings: IndexSettings, inbox: Path) -> None:
    (inbox / "note.txt").write_text(BODY)
    before = put(settings, inbox).files[0].id
    (inbox / "note.txt").write_bytes(b"\xff\xfe\xff")
    report = put(settings, inbox)
    assert report.files[0].status == "refused"
    assert f"stays ({before})" in str(report.files[0].reason)
    assert before in ids(settings)


SECRET = b"quixotic"


def traces(settings: IndexSettings) -> list[Path]:
    """The files below the data folder that hold the secret word, in text or in a name."""
    return [
        path
        for path in settings.data.rglob("*")
        if SECRET.decode() in path.name or (path.is_file() and SECRET in path.read_bytes().lower())
    ]


def put_secret(settings: IndexSettings, passages: int = 1) -> str:
    """Add a document with the secret word in every passage; returns its id."""
    words = (f"{40 * chr(97 + n % 26)} {20 * chr(97 + n // 26)}{20 * ' quixotic'}" for n in range(passages))
    document = Document(name="quixotic.txt", sha256="0" * 64, excerpts=tuple(Excerpt(text=text) for text in words))
    item = record("note", (Facet.SUMMARY, "x")).model_copy(update={"statements": (), "document": document})
    holding = Holding(origin="quixotic.txt", sha256="0" * 64, reader=1, sketch=(), record=item)
    DocumentStore(settings.documents_folder).put(holding)
    build(settings, LetterEmbedder)
    assert traces(settings)
    return item.id


def test_removing_a_document_leaves_no_trace_of_it(settings: IndexSettings) -> None:
    name = put_secret(settings)
    report = remove(settings, LetterEmbedder, [name])
    assert report.removed == 1
    assert traces(settings) == []
    with pytest.raises(RecordError, match="No added document has the id"):
        remove(settings, LetterEmbedder, [name])
    with pytest.raises(RecordError, match="curated record"):
        remove(settings, LetterEmbedder, ["one"])


def test_words_of_a_removed_document_do_not_reach_the_new_index_from_memory(settings: IndexSettings) -> None:
    # Chroma writes buffers as it found them: of ten removals in one process, most left words before this was cured.
    for number in range(26):
        facts = [(Facet.FINDING, f"{chr(97 + number) * 9} {chr(97 + n) * 6} fell.") for n in range(10)]
        (settings.records / f"work-{number}.md").write_text(render_record(record(f"work-{number}", *facts)))
    left = []
    for _ in range(3):
        remove(settings, LetterEmbedder, [put_secret(settings, passages=200)])
        left += traces(settings)
    assert left == []


def test_a_removal_takes_older_and_newer_generations_with_it(settings: IndexSettings) -> None:
    build(settings, LetterEmbedder)
    name = put_secret(settings)
    rollback(settings)  # the newer generation, which holds the document, is not the live one now
    remove(settings, LetterEmbedder, [name])
    assert traces(settings) == []
    assert GenerationStore(settings.index_folder).generations() == [GenerationStore(settings.index_folder).current()]


@pytest.mark.parametrize("done", ["switched", "sweeping"])
def test_a_removal_killed_before_its_end_is_completed_by_the_same_command(
    settings: IndexSettings, monkeypatch: pytest.MonkeyPatch, done: str
) -> None:
    name = put_secret(settings)
    if done == "switched":
        monkeypatch.setattr(GenerationStore, "sweep", killed)
    else:
        monkeypatch.setattr("knowledge.generation.shutil.rmtree", lambda *_, **__: None)
        monkeypatch.setattr("ingest.build._sweep", lambda _, store, keep: killed(store.sweep(keep)))
    with pytest.raises(KeyboardInterrupt):
        remove(settings, LetterEmbedder, [name])
    assert traces(settings)
    monkeypatch.undo()
    with suppress(RecordError):  # when nothing of it is known any more
        remove(settings, LetterEmbedder, [name])
    assert traces(settings) == []


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_removal_killed_after_the_file_went_is_completed_by_the_same_command(
    settings: IndexSettings, inbox: Path
) -> None:
    (inbox / "note.txt").write_text(BODY)
    name = str(put(settings, inbox).files[0].id)
    DocumentStore(settings.documents_folder).drop(name)
    assert name in ids(settings)
    remove(settings, LetterEmbedder, [name])
    assert ids(settings) == ["one"]


def test_corrections_win_over_what_was_read(settings: IndexSettings, inbox: Path) -> None:
    (inbox / "note.txt").write_text(BODY)
    put(settings, inbox)
    report = put(settings, inbox / "note.txt", title="The right title", authors=["Ada Lee"], year="2020")
    assert report.files[0].metadata == {
        "title": "The right title", "authors": ["Ada Lee"], "year": 2020, "doi": None, "url": None,
    }  # fmt: skip
    refused = put(settings, inbox / "note.txt", doi="not a doi").files[0]
    assert (refused.status, "source.doi" in str(refused.reason) or "doi" in str(refused.reason)) == ("refused", True)


def test_an_added_record_of_the_own_form_keeps_its_statements_but_not_its_standing(
    settings: IndexSettings, inbox: Path
) -> None:
    (inbox / "r.md").write_text(a_record())
    put(settings, inbox)
    added = next(item for item in opened(settings).records if item.id == "a-report")
    assert added.source.tier == "unreviewed"
    assert [passage.facet for passage in opened(settings).passages if passage.record_id == "a-report"] == [
        Facet.FINDING
    ]


def test_a_work_that_is_in_the_library_by_doi_is_not_catalogued_again(settings: IndexSettings, inbox: Path) -> None:
    known = record("known", (Facet.SUMMARY, "Known."), doi="10.1234/KNOWN")
    (settings.records / "known.md").write_text(render_record(known))
    (inbox / "refs.bib").write_text("@article{a, title={Any}, doi={10.1234/known}}\n@book{b, title={New}}\n")
    report = put(settings, inbox)
    assert (report.files[0].status, report.files[0].records) == ("added", 1)
    assert "such as known" in str(report.files[0].reason)


def test_a_damaged_file_of_a_document_is_named_and_its_last_good_version_stays(
    settings: IndexSettings, inbox: Path
) -> None:
    (inbox / "note.txt").write_text(BODY)
    name = str(put(settings, inbox).files[0].id)
    (settings.documents_folder / f"{name}.json").write_text("{")
    report = build(settings, LetterEmbedder)
    assert [file.path for file in report.refused] == [f"documents/{name}.json"]
    assert name in ids(settings)


def test_a_retracted_work_is_said_and_kept_out_of_all_that_is_searched(settings: IndexSettings, inbox: Path) -> None:
    (inbox / "refs.bib").write_text("@article{a, title={RETRACTED: A study}, abstract={It was all true. Really so.}}")
    (settings.records / "two.md").write_text(
        render_record(record("two", (Facet.SUMMARY, "Gone."), questions=["is it gone?"], retracted="by its journal"))
    )
    report = put(settings, inbox)
    assert report.files[0].status == "flagged"
    assert "1 works are marked as retracted" in str(report.files[0].reason)
    index = opened(settings)
    assert [item.id for item in index.records] == ["one"]
    assert index.questions == ["did it rise?"]
    assert sorted(item.id for item in index.retracted) == sorted([str(report.files[0].id), "two"])
    assert "really" not in index.record_words
    again = build(settings, LetterEmbedder)
    assert (again.published, again.added, again.unchanged) == (False, 0, 3)
    remove(settings, LetterEmbedder, [str(report.files[0].id)])
    assert [item.id for item in opened(settings).retracted] == ["two"]
    (settings.records / "two.md").write_text(render_record(record("two", (Facet.SUMMARY, "Back."))))
    assert build(settings, LetterEmbedder).changed == 1
    assert ids(settings) == ["one", "two"]


def test_a_name_with_spaces_at_odd_places_is_no_fault(settings: IndexSettings, inbox: Path) -> None:
    (inbox / " two  words .txt").write_text(BODY)
    (file,) = put(settings, inbox).files
    assert (file.status, file.metadata and file.metadata["title"]) == ("added", "two words")


def test_rollback_goes_back_one_generation_and_a_build_goes_forward_again(settings: IndexSettings, inbox: Path) -> None:
    first = build(settings, LetterEmbedder).generation
    with pytest.raises(IndexMissing, match="no whole generation before"):
        rollback(settings)
    (inbox / "note.txt").write_text(BODY)
    put(settings, inbox)
    assert rollback(settings) == first
    assert ids(settings) == ["one"]
    assert build(settings, LetterEmbedder).added == 1


def test_a_backup_brings_back_index_and_documents(settings: IndexSettings, inbox: Path, tmp_path: Path) -> None:
    (inbox / "note.txt").write_text(BODY)
    name = str(put(settings, inbox).files[0].id)
    generation = GenerationStore(settings.index_folder).current()
    backup(settings, tmp_path / "copy.zip")
    remove(settings, LetterEmbedder, [name])
    (inbox / "note.txt").write_text(OTHER)
    (inbox / "note.txt").rename(inbox / "other.txt")
    put(settings, inbox)
    assert restore(settings, tmp_path / "copy.zip") == generation
    assert ids(settings) == [name, "one"] if name < "one" else ["one", name]
    assert list(DocumentStore(settings.documents_folder).load()[0]) == [name]
    assert verified_apart(GenerationStore(settings.index_folder).path(generation)) == []
    assert not build(settings, LetterEmbedder).published
    elsewhere = IndexSettings(data=tmp_path / "elsewhere", records=settings.records)
    assert restore(elsewhere, tmp_path / "copy.zip") == generation


def spoil(file: Path, how: str) -> None:
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if how == "cut":
        file.write_bytes(file.read_bytes()[:-200])
        return
    if how == "changed":
        parts["index/records.jsonl"] = parts["index/records.jsonl"].replace(b"rose", b"fell")
    if how == "part missing":
        del parts["index/vectors.npy"]
    if how == "path":
        listed = json.loads(parts["backup.json"])
        listed["files"]["index/../../evil"] = "0" * 64
        parts = {**parts, "index/../../evil": b"x", "backup.json": json.dumps(listed).encode()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("how", ["cut", "changed", "part missing", "path"])
def test_a_spoilt_backup_changes_nothing(settings: IndexSettings, tmp_path: Path, how: str) -> None:
    live = build(settings, LetterEmbedder).generation
    backup(settings, tmp_path / "copy.zip")
    spoil(tmp_path / "copy.zip", how)
    with pytest.raises(RecordError, match="Nothing was changed"):
        restore(settings, tmp_path / "copy.zip")
    assert GenerationStore(settings.index_folder).current() == live
    assert not (tmp_path / "evil").exists()
    with pytest.raises(RecordError, match="There is no backup"):
        restore(settings, tmp_path / "nowhere.zip")


def test_a_damaged_index_is_not_backed_up(settings: IndexSettings, tmp_path: Path) -> None:
    build(settings, LetterEmbedder)
    store = GenerationStore(settings.index_folder)
    (store.path(store.current()) / "vectors.npy").unlink()
    with pytest.raises(IndexCorrupt, match="damaged"):
        backup(settings, tmp_path / "copy.zip")
    assert list(tmp_path.glob("*copy*")) == []


def test_the_second_writer_is_told_to_wait(settings: IndexSettings, inbox: Path) -> None:
    store = GenerationStore(settings.index_folder)
    with store.writing(), pytest.raises(IndexBusy, match="Another process is writing"):
        put(settings, inbox)


def test_too_little_room_is_said_before_anything_is_written(
    settings: IndexSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = build(settings, LetterEmbedder).generation
    (settings.records / "two.md").write_text(render_record(record("two", (Facet.SUMMARY, "Second."))))
    monkeypatch.setattr(building, "BYTES_AT_LEAST", 10**18)
    with pytest.raises(IndexNotWritten, match=r"disk of .* is full: .* The index in use is unchanged"):
        build(settings, LetterEmbedder)
    assert GenerationStore(settings.index_folder).current() == live


words = st.lists(st.sampled_from("a b c d e f g h i j k l m n o p".split()), min_size=60, max_size=200).map(" ".join)


@given(words)
def test_a_text_resembles_itself_and_a_near_copy_more_than_another(text: str) -> None:
    assert resemblance(sketch([text]), sketch([text])) == 1.0
    assert resemblance(sketch([text]), sketch(["completely other " * 60])) < 0.1
