"""The same generations with their vectors on a Chroma server: started here on loopback, stopped, and started again."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import chromadb
import pytest

from ingest.build import build, remove
from ingest.documents import DocumentStore, Holding
from ingest.keeping import backup, restore
from knowledge import index as module
from knowledge.errors import ServerAway
from knowledge.generation import GenerationStore
from knowledge.index import LiveIndex, PassageIndex, problems, server_prefix
from knowledge.record import Document, Excerpt, Facet, render_record
from knowledge.settings import IndexSettings
from tests.fakes import LetterEmbedder, record

pytestmark = pytest.mark.real


class Server:
    """`chroma run` on a free port of this machine."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = Path(sys.executable).with_name("chroma")
        command = [program, "run", "--path", self.folder, "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not start")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def collections(self) -> list[str]:
        return sorted(item.name for item in chromadb.HttpClient("127.0.0.1", self.port).list_collections())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> IndexSettings:
    settings = IndexSettings(data=tmp_path / "data", records=tmp_path / "records", chroma_url=server.url)
    settings.records.mkdir()
    write(settings, "one", "First work.")
    return settings


def write(settings: IndexSettings, name: str, text: str) -> None:
    item = record(name, (Facet.SUMMARY, text), questions=[f"what is {name}?"])
    (settings.records / f"{name}.md").write_text(render_record(item))


def opened(settings: IndexSettings) -> PassageIndex:
    return PassageIndex.open(GenerationStore(settings.index_folder), "letters", chroma=settings.chroma)


def test_a_generation_lives_on_the_server_and_old_ones_are_removed_there(
    settings: IndexSettings, server: Server
) -> None:
    for word in ("apple", "buzz", "cocoa", "dodo"):
        write(settings, word, f"Work on {word * 5}.")
        assert build(settings, LetterEmbedder).published
    store = GenerationStore(settings.index_folder)
    kept = [store.manifest(name).server for name in store.generations()]
    assert server.collections() == sorted(f"{prefix}-{part}" for prefix in kept for part in ("passages", "questions"))
    assert len(kept) == settings.keep_generations
    index = opened(settings)
    assert index.dense_search == "chroma"
    assert [index.nearest_passages(vector, 1) for vector in index.vectors] == [[row] for row in range(5)]
    assert problems(store.path(store.current()), settings.chroma) == []
    assert not build(settings, LetterEmbedder).published
    assert not list(store.builds.rglob("chroma.sqlite3"))


def test_answers_go_on_while_the_server_is_away_and_use_it_again_when_it_is_back(
    settings: IndexSettings, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.0)
    build(settings, LetterEmbedder)
    index = opened(settings)
    vector = index.vectors[0]
    assert index._dense.nearest("passages", vector, 1) == [0]
    server.stop()
    with pytest.raises(ServerAway, match=r"does not answer\. Start it"):
        index._dense.nearest("passages", vector, 1)
    assert index.nearest_passages(vector, 1) == [0]
    LiveIndex(GenerationStore(settings.index_folder), "letters", settings.chroma).get()  # opens all the same
    server.start()
    assert index._dense.nearest("passages", vector, 1) == [0]


def test_a_build_without_the_server_says_so_and_leaves_the_index_as_it_is(
    settings: IndexSettings, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITS_SECONDS", (0.01, 0.01))
    live = build(settings, LetterEmbedder).generation
    server.stop()
    write(settings, "two", "Second work.")
    with pytest.raises(ServerAway, match=r"Start it .* then run the same command again"):
        build(settings, LetterEmbedder)
    assert GenerationStore(settings.index_folder).current() == live
    server.start()
    assert build(settings, LetterEmbedder).published
    # What a failed build left on the server is swept as well.
    assert len(server.collections()) == 4


def test_a_server_killed_during_a_build_costs_nothing(settings: IndexSettings, server: Server) -> None:
    live = build(settings, LetterEmbedder).generation
    before = server.collections()
    facts = [(Facet.FINDING, f"{40 * chr(97 + n % 26)} {20 * chr(97 + n // 26)}") for n in range(676)]
    for at in range(0, 676, 52):
        item = record(f"more-{at}", *facts[at : at + 52])
        (settings.records / f"more-{at}.md").write_text(render_record(item))

    def kill_when_it_writes() -> None:
        while server.collections() == before:
            time.sleep(0.01)
        server.stop()

    killer = threading.Thread(target=kill_when_it_writes)
    killer.start()
    with pytest.raises(ServerAway, match="run the same command again"):
        build(settings, LetterEmbedder)
    killer.join()
    assert GenerationStore(settings.index_folder).current() == live
    index = opened(settings)
    assert index.nearest_passages(index.vectors[0], 1) == [0]  # by exact search
    server.start()
    index = opened(settings)
    assert index._dense.nearest("passages", index.vectors[0], 1) == [0]
    assert build(settings, LetterEmbedder).published
    assert problems(GenerationStore(settings.index_folder).path(opened(settings).manifest.id), settings.chroma) == []
    assert len(server.collections()) == 4


def test_collections_that_were_lost_are_noticed_and_built_again(settings: IndexSettings, server: Server) -> None:
    build(settings, LetterEmbedder)
    client = chromadb.HttpClient("127.0.0.1", server.port)
    for name in server.collections():
        client.delete_collection(name)
    index = opened(settings)
    assert index.nearest_passages(index.vectors[0], 1) == [0]
    assert (
        "has lost the index"
        in problems(GenerationStore(settings.index_folder).path(index.manifest.id), settings.chroma)[0]
    )
    assert build(settings, LetterEmbedder).published


def test_changing_between_server_and_own_store_publishes_anew(settings: IndexSettings) -> None:
    build(settings, LetterEmbedder)
    own = settings.model_copy(update={"chroma_url": None})
    assert opened(own).dense_search == "exact"
    assert build(own, LetterEmbedder).published
    assert opened(own).dense_search == "chroma"


def test_two_libraries_share_a_server_without_touching_each_other(
    settings: IndexSettings, server: Server, tmp_path: Path
) -> None:
    other = settings.model_copy(update={"data": tmp_path / "other"})
    build(settings, LetterEmbedder)
    for number in range(3):
        write(other, "one", f"Version {number}.")
        build(other, LetterEmbedder)
    mine = server_prefix(GenerationStore(settings.index_folder).library())
    assert sum(name.startswith(mine) for name in server.collections()) == 2
    assert opened(settings).dense_search == "chroma"


def test_a_backup_comes_back_though_the_server_lost_its_collections(
    settings: IndexSettings, server: Server, tmp_path: Path
) -> None:
    generation = build(settings, LetterEmbedder).generation
    backup(settings, tmp_path / "copy.zip")
    client = chromadb.HttpClient("127.0.0.1", server.port)
    for name in server.collections():
        client.delete_collection(name)
    assert restore(settings, tmp_path / "copy.zip") == generation
    index = opened(settings)
    assert index.nearest_passages(index.vectors[0], 1) == [0]
    assert build(settings, LetterEmbedder).published
    assert len(server.collections()) == 2


def test_a_removed_document_leaves_the_server(settings: IndexSettings, server: Server) -> None:
    item = record("note", (Facet.SUMMARY, "x")).model_copy(
        update={
            "statements": (),
            "document": Document(name="n", sha256="0" * 64, excerpts=(Excerpt(text="Secret words here."),)),
        }
    )
    holding = Holding(origin="n", sha256="0" * 64, reader=1, sketch=(), record=item)
    DocumentStore(settings.documents_folder).put(holding)
    build(settings, LetterEmbedder)
    remove(settings, LetterEmbedder, ["note"])
    client = chromadb.HttpClient("127.0.0.1", server.port)
    texts = [text for name in server.collections() for text in client.get_collection(name).get()["documents"] or []]
    assert len(server.collections()) == 2
    assert "Secret words here." not in texts
