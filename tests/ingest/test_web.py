import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest.loaders import web
from ingest.loaders.web import fetch, fetched
from knowledge.errors import RecordError

PAGE = b"<html><title>A page</title><p>It has text.</p></html>"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/drip":
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            for _ in range(50):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
            return
        status, headers, body = {
            "/page.html": (200, {"content-type": "text/html; charset=utf-8"}, PAGE),
            "/image": (200, {"content-type": "image/png"}, b"x"),
            "/big": (200, {"content-type": "text/html"}, b"x" * 5_000),
            "/inside": (302, {"location": "http://169.254.169.254/latest/meta-data"}, b""),
            "/file": (302, {"location": "file:///etc/passwd"}, b""),
            "/loop": (302, {"location": "/loop"}, b""),
            "/moved": (302, {"location": "/page.html"}, b""),
        }.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("path", ["/page.html", "/moved"])
def test_a_page_is_fetched_and_keeps_its_address(site: str, path: str) -> None:
    with fetched([site + path], allowed=True, loopback=True) as (place,):
        (found,) = place.files
        assert found.path.read_bytes() == PAGE
        assert found.path.name == "page.html"
        assert place.origins == {found.path: site + path}
    assert not found.path.exists()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/inside", "private or local"),
        ("/file", "no http or https"),
        ("/loop", "more than 3 times"),
        ("/image", "no reader"),
        ("/none", "404"),
    ],
)
def test_what_a_server_must_not_do_is_refused(
    site: str, tmp_path: Path, path: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", _numeric)
    with pytest.raises(RecordError, match=says):
        fetch(site + path, tmp_path / "f", loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://10.0.0.1/", "http://192.168.1.1/", "http://169.254.169.254/", "http://[::1]/",
        "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/", "http://localhost/", "http://127.0.0.1:22/", "http://me:you@127.0.0.1/",
        "ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "http://127.0.0.1:99999/",
    ],
)  # fmt: skip
def test_private_and_odd_addresses_are_never_asked(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The filter must refuse by the address itself, before any connection is made.
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it connected"))
    monkeypatch.setattr("socket.getaddrinfo", _numeric)
    with pytest.raises(RecordError):
        fetch(url, tmp_path / "f")


def test_a_name_that_changes_its_address_is_asked_at_the_one_that_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is checked, this machine ever after."""
    answers = iter(["93.184.216.34"])
    asked: list[str] = []

    def connect(_: socket.socket, address: tuple[str, int]) -> None:
        asked.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.getaddrinfo", lambda host, port, *_, **__: _numeric(_answer(host, answers), port))
    monkeypatch.setattr("socket.socket.connect", connect)
    with pytest.raises(RecordError, match="could not be fetched"):
        fetch("http://rebind.example/page.html", tmp_path / "f")
    assert asked == ["93.184.216.34"]


def _answer(host: str, answers: Iterator[str]) -> str:
    return host if host[0].isdigit() else next(answers, "127.0.0.1")


def _numeric(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
    plain = "127.0.0.1" if host == "localhost" else host.strip("[]")
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    return [(family, socket.SOCK_STREAM, 6, "", (plain, port))]


def test_size_and_time_are_bounded(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 4_000)
    monkeypatch.setattr(web, "TOTAL_SECONDS", 1.0)
    with fetched([site + "/big", site + "/drip"], allowed=True, loopback=True) as (big, drip):
        assert "larger than" in big.files[0].reason
        assert "more than 1 seconds" in drip.files[0].reason


def test_nothing_is_fetched_unless_asked(site: str) -> None:
    with fetched([site + "/page.html"], allowed=False, loopback=True) as (place,):
        assert place.files[0].status == "refused"
        assert "--allow-urls" in place.files[0].reason
