"""Chat-model servers on loopback that speak the protocols of OpenAI and Ollama, and do what a test tells them.

`python -m tests.bot.protocol_servers openai` runs one as a process of its own, which a test can kill.
"""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Dialect = Literal["openai", "ollama"]


@dataclass(frozen=True)
class Answer:
    """What a server does with one request.

    `text` may be made from the prompt. `drop_after` cuts the connection after so many pieces, `hang_after` sends no more
    after so many, `close_after` ends the reply there in good order but without an end mark.
    """

    text: str | Callable[[str], str] = ""
    status: int = 200
    raw: bytes | None = None
    piece_characters: int = 7
    seconds_between: float = 0.0
    drop_after: int | None = None
    hang_after: int | None = None
    close_after: int | None = None
    ends: str | None = "stop"


@dataclass
class ModelServer:
    """Hands out its answers in order, the last one for ever, keeps what it was asked, and notices when nobody reads on."""

    dialect: Dialect
    answers: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def prompt(self, number: int = -1) -> str:
        """Everything that a request said to the model."""
        return "\n".join(message["content"] for message in self.requests[number]["messages"])


def evidence_in(prompt: str) -> dict[str, str]:
    """The evidence of a prompt by key, as the contract describes its lines."""
    return dict(re.findall(r"^\[(E\d+)\] (.+)$", prompt, re.MULTILINE))


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def model_server(dialect: Dialect, *answers: Answer) -> Iterator[ModelServer]:
    """A running server; its `url` is what UPSTANDER_MODEL_URL takes."""
    state = ModelServer(dialect, list(answers))
    server = _QuietServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_port}" + ("/v1" if dialect == "openai" else "")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(state: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append({"path": self.path, "authorization": self.headers.get("Authorization"), **request})
            answer = state.next_answer()
            if answer.status != 200:
                body = json.dumps({"error": {"message": "key sk-secret-4711 is bad", "code": "x"}}).encode()
                self._head(answer.status, "application/json", length=len(body))
                self.wfile.write(body)
                return
            kind = "text/event-stream" if state.dialect == "openai" else "application/x-ndjson"
            self._head(200, kind, chunked=True)
            try:
                self._stream(answer, "\n".join(message["content"] for message in request["messages"]))
            except (BrokenPipeError, ConnectionResetError):
                state.hung_up.set()
                self.close_connection = True

        def _stream(self, answer: Answer, prompt: str) -> None:
            if answer.raw is not None:
                self._chunk(answer.raw)
                self._chunk(b"")
                return
            text = answer.text(prompt) if callable(answer.text) else answer.text
            pieces = [
                text[at : at + answer.piece_characters] for at in range(0, len(text), answer.piece_characters)
            ] or [""]
            for number, piece in enumerate(pieces):
                if number == answer.drop_after:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                if number == answer.hang_after:
                    state.released.wait(30)
                    return
                if number == answer.close_after:
                    self._chunk(b"")
                    return
                self._chunk(_piece(state.dialect, piece))
                state.written.append(piece)
                time.sleep(answer.seconds_between)
            if answer.ends:
                self._chunk(_end(state.dialect, answer.ends))
            self._chunk(b"")

        def _head(self, status: int, kind: str, length: int | None = None, chunked: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if length is not None:
                self.send_header("Content-Length", str(length))
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler


def _openai_line(delta: dict[str, str], finish: str | None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


def _ollama_line(content: str, done: str | None) -> bytes:
    chunk: dict[str, Any] = {
        "model": "scripted",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": content},
        "done": done is not None,
    }
    if done is not None:
        chunk["done_reason"] = done
    return (json.dumps(chunk) + "\n").encode()


def _piece(dialect: Dialect, text: str) -> bytes:
    if dialect == "openai":
        return _openai_line({"role": "assistant", "content": text}, None)
    return _ollama_line(text, None)


def _end(dialect: Dialect, reason: str) -> bytes:
    return _openai_line({}, reason) + b"data: [DONE]\n\n" if dialect == "openai" else _ollama_line("", reason)


def _quotes_then_waits(prompt: str) -> str:
    """Two whole lines of evidence, then a line that takes for ever."""
    first, second, third = list(evidence_in(prompt).items())[:3]
    lines = [f"{text} [{key}]\n" for key, text in (first, second)]
    return "".join(lines) + third[1] + " and" * 10_000


if __name__ == "__main__":
    with model_server(sys.argv[1], Answer(_quotes_then_waits, piece_characters=40, seconds_between=0.05)) as running:  # type: ignore[arg-type]
        sys.stdout.write(running.url + "\n")
        sys.stdout.flush()
        threading.Event().wait()
