"""The head of a Ray cluster, before anything is asked of Ray: is it here, how is it entered, does it answer."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from quotefind.errors import UsageError

LOCAL = "local"
_ADDRESS = re.compile(r"([^/\s]+):(\d+)")
# How a client begins in HTTP/2, with settings of which none are said; the header of a frame, and its type in the answer
# (RFC 9113, sections 3.4, 4.1 and 6.5).
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_FRAME_HEADER, _SETTINGS = 9, b"\x04"


def head_of(address: str) -> tuple[str, int] | None:
    """Return host and port of the head at `address`; None for `LOCAL`, a cluster that is made here.

    Raises:
        UsageError: it is no address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None and address != LOCAL:
        raise UsageError(
            f"--ray wants host and port of a cluster's head, as in 10.0.0.1:6379, or local; not {address!r}."
        )
    return (found[1], int(found[2])) if found else None


def expect_answer(head: tuple[str, int], patience: float) -> None:
    """Make sure that a head of a cluster answers: what listens there, and is not stopped, speaks HTTP/2, as gRPC does.

    Raises:
        OSError: it does not within `patience` seconds.
    """
    with socket.create_connection(head, timeout=patience) as connection:
        connection.sendall(_PREFACE)
        answer = connection.recv(_FRAME_HEADER)
    # What it says behind TLS cannot be understood here, but it has answered.
    if answer[3:4] != _SETTINGS and os.environ.get("RAY_USE_TLS", "0") == "0":
        raise ConnectionError("what answers there is no head of a Ray cluster")


def has_token() -> bool:
    """Whether there is a token with which to ask a cluster of this user; see `ray get-auth-token`."""
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
