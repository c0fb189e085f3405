"""Checks on the head of a Ray cluster that do not need Ray: its address, its token, and whether it answers."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from quotefind.errors import UsageError

LOCAL = "local"
_ADDRESS = re.compile(r"([^/\s]+):(\d+)")
# The first bytes of an HTTP/2 client, with an empty frame of settings; the length of a frame header, and the type that
# the answer must have (RFC 9113, sections 3.4, 4.1 and 6.5).
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_FRAME_HEADER, _SETTINGS = 9, b"\x04"


def head_of(address: str) -> tuple[str, int] | None:
    """Return host and port of the head at `address`; None for `LOCAL`, a cluster that is started here.

    Raises:
        UsageError: `address` is neither.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None and address != LOCAL:
        raise UsageError(
            f"--ray needs the host and port of a cluster's head, as in 10.0.0.1:6379, or local; not {address!r}."
        )
    return (found[1], int(found[2])) if found else None


def expect_answer(head: tuple[str, int], patience: float) -> None:
    """Check that the head of a cluster answers: it speaks HTTP/2, as gRPC does.

    Raises:
        OSError: it does not answer within `patience` seconds.
    """
    with socket.create_connection(head, timeout=patience) as connection:
        connection.sendall(_PREFACE)
        answer = connection.recv(_FRAME_HEADER)
    # With TLS the answer cannot be read here, but there is one.
    if answer[3:4] != _SETTINGS and os.environ.get("RAY_USE_TLS", "0") == "0":
        raise ConnectionError("what answers there is not the head of a Ray cluster")


def has_token() -> bool:
    """Whether this user has a token for a cluster; see `ray get-auth-token`."""
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(given) or (Path.home() / ".ray" / "auth_token").exists()


def is_here(host: str) -> bool:
    """Whether `host` is an address of this machine."""
    try:
        with socket.socket() as listening:
            listening.bind((host, 0))
    except (OSError, UnicodeError):
        return False
    return bool(host)
