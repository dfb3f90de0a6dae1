import pytest
from fastapi.testclient import TestClient

from bot.settings import ChatSettings
from bot.ui import server
from bot.ui.page import build_app
from bot.ui.server import (
    AT_ONCE,
    HEADERS,
    MOST_BODY_BYTES,
    MOST_UPLOAD_BYTES,
    PER_MINUTE,
    UPLOADS_AT_ONCE,
    Guard,
    TokenBuckets,
)
from knowledge.errors import IndexMissing

JOIN = "/gradio_api/queue/join"
UPLOAD = "/gradio_api/upload"


class ReadyEngine:
    """Holds an index or cannot, and is never asked anything: readiness must not cost an answer."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.library = self

    def get(self) -> None:
        if self.fault:
            raise self.fault


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def echo(scope, receive, send) -> None:
    """An application that sends back what it was sent."""
    body = (await receive())["body"] if scope["method"] == "POST" else b"page"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=9")]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guarded(clock: Clock) -> TestClient:
    return TestClient(Guard(echo, clock))


@pytest.fixture(scope="module")
def page() -> TestClient:
    return TestClient(build_app(ReadyEngine(), ChatSettings()))  # type: ignore[arg-type]


def test_every_reply_carries_the_headers_once(guarded: TestClient) -> None:
    for reply in (guarded.get("/"), guarded.post("/gradio_api/upload"), guarded.post(JOIN)):
        for name, value in HEADERS.items():
            assert reply.headers.get_list(name) == [value]


def test_nothing_can_be_loaded_from_or_sent_to_another_origin() -> None:
    for directive in server.CONTENT_SECURITY_POLICY.split("; "):
        sources = directive.split()[1:]
        assert set(sources) <= {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [UPLOAD, f"{UPLOAD}/", "/upload", "/gradio_api/run/predict", "/login", "/"])
def test_what_is_no_question_is_refused(guarded: TestClient, method: str, path: str) -> None:
    assert guarded.request(method, path, content=b"x").status_code == 403


def test_a_question_reaches_the_application_whole(guarded: TestClient) -> None:
    body = b"x" * MOST_BODY_BYTES
    assert guarded.post(JOIN, content=body).content == body
    assert guarded.post("/gradio_api/call/ask", content=b"y").content == b"y"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://testserver"}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://evil.test"}, 403),
        ({"origin": "http://testserver.evil.test"}, 403),
        ({"origin": "http://testserver", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://testserver", "sec-fetch-site": "same-site"}, 403),
    ],
)
def test_a_file_is_taken_from_a_page_of_the_same_address_only(guarded: TestClient, headers: dict, status: int) -> None:
    assert guarded.post(UPLOAD, content=b"x", headers=headers).status_code == status
    for path in ("/upload", "/gradio_api/upload/x", "/gradio_api/upload_progress", "/gradio_api/component_server"):
        assert guarded.post(path, content=b"x", headers=headers).status_code == 403
    assert guarded.put(UPLOAD, content=b"x", headers=headers).status_code == 403


def test_a_file_may_be_larger_than_a_question_but_has_limits_of_its_own(guarded: TestClient, clock: Clock) -> None:
    ours = {"sec-fetch-site": "same-origin"}
    assert guarded.post(UPLOAD, content=b"x" * MOST_UPLOAD_BYTES, headers=ours).status_code == 200
    assert guarded.post(UPLOAD, content=b"x" * (MOST_UPLOAD_BYTES + 1), headers=ours).status_code == 413
    assert [guarded.post(UPLOAD, headers=ours).status_code for _ in range(UPLOADS_AT_ONCE - 1)] == [200] * (
        UPLOADS_AT_ONCE - 2
    ) + [429]
    assert guarded.post(JOIN).status_code == 200, "questions have a bucket of their own"


def test_a_body_that_is_too_long_is_refused_whatever_its_header_says(guarded: TestClient) -> None:
    assert guarded.post(JOIN, content=b"x" * (MOST_BODY_BYTES + 1)).status_code == 413
    chunks = (b"x" * 1_000 for _ in range(MOST_BODY_BYTES // 1_000 + 1))
    assert guarded.post(JOIN, content=chunks).status_code == 413


def test_more_questions_than_a_person_asks_are_told_when_to_come_back(guarded: TestClient, clock: Clock) -> None:
    assert [guarded.post(JOIN).status_code for _ in range(AT_ONCE + 1)] == [200] * AT_ONCE + [429]
    refused = guarded.post(JOIN)
    assert refused.headers["retry-after"] == str(60 // PER_MINUTE)
    assert guarded.get("/").status_code == 200
    assert guarded.post("/gradio_api/cancel").status_code == 200, "an answer can always be stopped"
    clock.now += 60 / PER_MINUTE
    assert [guarded.post(JOIN).status_code for _ in range(2)] == [200, 429]


def test_clients_do_not_share_a_bucket_and_the_oldest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(server, "CLIENTS_REMEMBERED", 2)
    buckets = TokenBuckets(1, 60, clock)
    assert [buckets.take(client) for client in ("a", "b", "a")] == [0, 0, 1]
    assert buckets.take("c") == 0
    assert buckets.take("b") == 0, "b was the oldest"


def test_health_needs_no_index_and_readiness_does(page: TestClient) -> None:
    assert page.get("/healthz").text == "ok"
    assert page.head("/healthz").status_code == 200
    assert page.get("/readyz").text == "ready"
    broken = TestClient(build_app(ReadyEngine(IndexMissing("There is no index in /a/b.")), ChatSettings()))  # type: ignore[arg-type]
    assert broken.get("/healthz").status_code == 200
    assert (broken.get("/readyz").status_code, broken.get("/readyz").text) == (503, "not ready")


def test_the_page_has_a_neutral_title_and_no_door_but_its_own(page: TestClient) -> None:
    home = page.get("/")
    assert home.status_code == 200
    assert "Questions and sources" in home.text
    assert page.post("/gradio_api/upload", files={"files": b"x"}).status_code == 403
    for path in ("/docs", "/openapi.json", "/gradio_api/file=/etc/passwd", "/gradio_api/runs", "/monitoring/summary"):
        assert page.get(path).status_code in (403, 404), path
