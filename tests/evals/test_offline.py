import socket

import pytest

from evals.offline import NetworkUsed, offline


def test_a_connection_that_leaves_the_machine_raises_and_is_remembered() -> None:
    with offline() as tried:
        with socket.socket() as outside, pytest.raises(NetworkUsed, match=r"192\.0\.2\.1"):
            outside.connect(("192.0.2.1", 80))
        with pytest.raises(NetworkUsed, match=r"example\.org"):
            socket.getaddrinfo("example.org", 443)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, pytest.raises(NetworkUsed):
            datagrams.sendto(b"x", ("192.0.2.2", 53))
    assert tried == ["192.0.2.1", "example.org", "192.0.2.2"]


def test_loopback_works_and_the_guard_is_taken_off_again() -> None:
    before = socket.socket.connect
    with offline() as tried, socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.socket() as client:
            client.connect(server.getsockname())
    assert tried == []
    assert socket.socket.connect is before
