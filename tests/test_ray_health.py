"""Checking whether the head of a cluster answers at an address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from quotefind.index.lance.ray_health import expect_answer, is_here

# The first frame of a gRPC server; a page of an HTTP/1 server.
SETTINGS = bytes([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 255, 255])
PAGE = b"HTTP/1.0 400 Bad request\r\n\r\n"


@contextmanager
def server(answer: bytes | None) -> Iterator[tuple[str, int]]:
    """Yield the address of a server that sends `answer` to its clients; with None it sends nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                assert connection.recv(100).startswith(b"PRI * HTTP/2.0")
                connection.sendall(answer or b"")

        thread = threading.Thread(target=serve)
        if answer is not None:
            thread.start()
        yield listening.getsockname()
        if answer is not None:
            thread.join()


def test_a_head_answers() -> None:
    """A server that answers like gRPC passes as a head."""
    with server(SETTINGS) as head:
        expect_answer(head, 5.0)


@pytest.mark.parametrize("said", [PAGE, b""])
def test_something_else_is_no_head(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server does not pass, nor a server that hangs up; with TLS any answer passes."""
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    with server(said) as head, pytest.raises(ConnectionError, match="not the head of a Ray cluster"):
        expect_answer(head, 5.0)
    monkeypatch.setenv("RAY_USE_TLS", "1")
    with server(said) as head:
        expect_answer(head, 5.0)


def test_a_stopped_head_is_noticed() -> None:
    """A server that accepts connections but never answers, like a stopped process, does not pass."""
    with server(None) as head, pytest.raises(TimeoutError):
        expect_answer(head, 0.2)


def test_addresses_of_this_machine() -> None:
    """A loopback address is on this machine; an address reserved for documentation (RFC 5737), or none, is not."""
    assert is_here("127.0.0.7")
    assert not is_here("203.0.113.7")
    assert not is_here("")
