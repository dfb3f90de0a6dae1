"""No connection leaves the machine while the evaluation runs, and none is tried in silence."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from knowledge.errors import EvaluationError


class NetworkUsed(EvaluationError):
    """Something tried to reach another machine during an offline run."""


def is_loopback(host: object) -> bool:
    """Whether an address or a host name is this machine."""
    name = str(host or "").strip("[]").lower()
    return name in ("", "localhost", "::1", "0.0.0.0", "::") or name.startswith(("127.", "::ffff:127."))


@contextmanager
def offline(blocked: bool = True) -> Iterator[list[str]]:
    """Refuse every connection, datagram and look-up that is not loopback; yields the list of what was tried.

    The list matters: a library may swallow the exception, and the run must say so all the same.
    """
    tried: list[str] = []
    if not blocked:
        yield tried
        return
    kept = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    look_up = socket.getaddrinfo

    def refuse(host: object) -> None:
        tried.append(str(host))
        raise NetworkUsed(f"Something tried to reach {host} during an offline evaluation. Find and remove it.")

    def guarded(name: str) -> Any:
        def call(self: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
                refuse(address[0])
            return kept[name](self, *arguments)

        return call

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        if not is_loopback(host.decode() if isinstance(host, bytes) else host):
            refuse(host)
        return look_up(host, *arguments, **options)

    try:
        for name in kept:
            setattr(socket.socket, name, guarded(name))
        socket.getaddrinfo = guarded_look_up
        yield tried
    finally:
        for name, original in kept.items():
            setattr(socket.socket, name, original)
        socket.getaddrinfo = look_up
