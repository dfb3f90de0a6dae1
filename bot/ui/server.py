"""What stands between the network and the page: limits on what may be sent, and headers on everything that goes out.

Pure ASGI, since `@app.middleware("http")` breaks streamed routes. It never looks into a body. The one thing that may be sent
besides a question is a file to review, from the page itself.
"""

import json
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 64_000
MOST_UPLOAD_BYTES = 20_000_000
AT_ONCE = 30  # each press of a button beside the chat counts as well
PER_MINUTE = 60
UPLOADS_AT_ONCE = 3
UPLOADS_PER_MINUTE = 6
CLIENTS_REMEMBERED = 10_000

# Gradio needs 'unsafe-inline' and 'unsafe-eval'. What counts is that nothing can be loaded from, or sent to, another origin.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "media-src 'self' data: blob:",
        "object-src 'none'",
        "frame-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # On assets too: a shared computer need not remember that the page was open.
    "cache-control": "no-store",
}
_asks = re.compile(r"/gradio_api/(queue/join|call/(v2/)?[\w-]+)/?")
_uploads = re.compile(r"/gradio_api/upload/?")
_ends = re.compile(r"/gradio_api/(cancel|reset)/?")


class TokenBuckets:
    """For each client a bucket of `at_once` tokens that fills at `per_minute`."""

    def __init__(self, at_once: int, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = at_once
        self._rate = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = self._clock()
        tokens, then = self._buckets.pop(client, (float(self._size), now))
        tokens = min(self._size, tokens + (now - then) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[client] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > CLIENTS_REMEMBERED:
            self._buckets.popitem(last=False)
        return wait


class Guard:
    """ASGI middleware. A question, its end, and a file from the page itself can be sent; all else but reading is refused."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._questions = TokenBuckets(AT_ONCE, PER_MINUTE, clock)
        self._files = TokenBuckets(UPLOADS_AT_ONCE, UPLOADS_PER_MINUTE, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in HEADERS]
                message["headers"] = kept + [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        if scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send_with_headers)
            return
        asks, sends = _asks.fullmatch(scope["path"]), _uploads.fullmatch(scope["path"])
        allowed = asks or (sends and _from_this_page(scope)) or _ends.fullmatch(scope["path"])
        if scope["method"] != "POST" or not allowed:
            await _refuse(send_with_headers, 403, "This page takes questions, and files to review from itself, only.")
            return
        buckets, rate = (
            (self._files, f"{UPLOADS_PER_MINUTE} files") if sends else (self._questions, f"{PER_MINUTE} questions")
        )
        # The client's own address: a forwarded one could be made up.
        wait = buckets.take((scope.get("client") or ("",))[0]) if asks or sends else 0.0
        if wait:
            seconds = math.ceil(wait)
            text = f"That is more than {rate} a minute; please try again in {seconds} seconds."
            await _refuse(send_with_headers, 429, text, ("retry-after", str(seconds)))
            return
        most = MOST_UPLOAD_BYTES if sends else MOST_BODY_BYTES
        body = await _read(receive, most)
        if body is None:
            await _refuse(send_with_headers, 413, f"That is longer than {most:,} bytes; please shorten it.")
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send_with_headers)


def _from_this_page(scope: Scope) -> bool:
    """Does a browser say that the request comes from a page of this very address? Other programs say nothing, so no."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    site: str | None = headers.get(b"sec-fetch-site")
    if site:
        return site == "same-origin"
    # Browsers leave it out where the address is neither https nor this machine.
    origin = headers.get(b"origin", "")
    return bool(origin and urlsplit(origin).netloc == headers.get(b"host"))


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body, or None as soon as it is longer than `most` bytes, whatever its header says."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body"):
            return bytes(body)


async def _refuse(send: Send, status: int, text: str, *headers: tuple[str, str]) -> None:
    body = json.dumps({"detail": text}).encode()
    given = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
    encoded = [(name.encode(), value.encode()) for name, value in given]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
