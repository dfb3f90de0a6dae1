"""What stands between the network and the page: limits on what may be sent, and headers on everything that goes out.

Pure ASGI, since `@app.middleware("http")` breaks streamed routes. It never looks into a body.
"""

import json
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 64_000
AT_ONCE = 10
PER_MINUTE = 30
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
    """ASGI middleware. Only a question, and its end, can be sent; everything else that is not reading is refused."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._buckets = TokenBuckets(AT_ONCE, PER_MINUTE, clock)

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
        asks = _asks.fullmatch(scope["path"])
        if scope["method"] != "POST" or not (asks or _ends.fullmatch(scope["path"])):
            await _refuse(send_with_headers, 403, "This page takes questions only.")
            return
        # The client's own address: a forwarded one could be made up.
        wait = self._buckets.take((scope.get("client") or ("",))[0]) if asks else 0.0
        if wait:
            seconds = math.ceil(wait)
            text = f"That is more than {PER_MINUTE} questions a minute; please try again in {seconds} seconds."
            await _refuse(send_with_headers, 429, text, ("retry-after", str(seconds)))
            return
        body = await _read(receive)
        if body is None:
            await _refuse(send_with_headers, 413, f"That is longer than {MOST_BODY_BYTES:,} bytes; please shorten it.")
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send_with_headers)


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None as soon as it is too long, whatever its header says."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return body


async def _refuse(send: Send, status: int, text: str, *headers: tuple[str, str]) -> None:
    body = json.dumps({"detail": text}).encode()
    given = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
    encoded = [(name.encode(), value.encode()) for name, value in given]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
