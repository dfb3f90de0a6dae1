"""Shared by all tests: no address but loopback can be reached, and the index of the real records is built once."""

import os
import socket
from pathlib import Path

import pytest

from knowledge.settings import IndexSettings, silence_libraries

silence_libraries()
# Trap: settings of the person's own shell must not reach a test.
for name in [name for name in os.environ if name.startswith("UPSTANDER_")]:
    del os.environ[name]


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave the machine, and every look-up of a name."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(
            ("127.", "::1", "localhost")
        ):
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    def guarded_look_up(host, *arguments, **options):
        if host not in (None, "", "localhost", "::1", "0.0.0.0") and not str(host).startswith("127."):
            raise AssertionError(f"a test tried to look up {host}")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


@pytest.fixture(scope="session")
def built_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index of all curated records, made with the packaged weights."""
    from ingest.build import build
    from knowledge.embedding import open_embedder

    settings = IndexSettings(data=tmp_path_factory.mktemp("data"))
    report = build(settings, lambda: open_embedder(settings.embedder, settings.models_folder))
    assert report.published
    assert not report.refused
    return settings.data


@pytest.fixture(scope="session")
def real_engine(built_data: Path):
    """The engine that people get by default, over all curated records."""
    from bot.assembly import assemble
    from bot.settings import ChatSettings

    return assemble(ChatSettings(), IndexSettings(data=built_data))
