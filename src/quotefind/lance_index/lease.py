"""One writer of an index at a time, on whichever machine it runs: a lease, which its holder renews.

It is a small file beside the data, and so works on every storage that Lance knows. Two processes that ask in the same
moment both see it free; the one that wrote last holds it, and the other finds that out as it reads it again.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from quotefind.errors import IndexLockedError
from quotefind.index.state import now
from quotefind.lance_index.dataset import import_lance, reported, storage_options
from quotefind.paths import index_argument

if TYPE_CHECKING:
    from quotefind.paths import Location

_FILE = "_quotefind_writer.lance"
# A lease that was not renewed for so long is free; on its own machine, it is free as soon as its process is gone.
SECONDS = 120.0
_RENEW = 20.0
# How long to wait before looking who wrote last, and before asking again.
_SETTLE, _RETRY = 0.2, 1.0


class Lease:
    """The right to write the index at `location`, until it is closed."""

    def __init__(self, location: Location, token: str) -> None:
        """Renew the lease that was taken with `token`, in the background."""
        self._location = location
        self._token = token
        self._ended = threading.Event()
        self._taken: str | None = None
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that nobody else holds it by now.

        Raises:
            IndexLockedError: somebody does.
        """
        if self._taken is not None:
            raise IndexLockedError(
                f"The index in {self._location} is being written by {self._taken} by now, because this process did not "
                "answer for too long. What it has committed is safe; run the command again."
            )

    def close(self) -> None:
        """Give it back."""
        self._ended.set()
        self._thread.join()
        if self._taken is None:
            _write(self._location, {})

    def _renew(self) -> None:
        while not self._ended.wait(_RETRY if self._taken else _RENEW):
            try:
                held = _read(self._location)
                if held.get("token", self._token) != self._token:
                    self._taken = _described(held)
                    return
                _write(self._location, _mine(self._token))
            except Exception:
                continue


@contextmanager
def writing(location: Location, *, wait: float = 0.0) -> Iterator[Lease]:
    """Hold the right to write the index at `location`; wait up to `wait` seconds for it.

    Raises:
        IndexLockedError: another process holds it; the message says which, and since when.
        IndexUnusableError: the storage cannot be used.
    """
    token, end = uuid4().hex, time.monotonic() + wait
    with reported(location):
        while True:
            held = _read(location)
            if _free(held):
                _write(location, _mine(token))
                time.sleep(_SETTLE)
                held = _read(location)
                if held.get("token") == token:
                    break
            if time.monotonic() >= end:
                raise IndexLockedError(
                    f"The index in {location} is being written by {_described(held)}. To wait for it, add --wait "
                    f"SECONDS, as in: quotefind index --wait 60{index_argument(location)}"
                )
            time.sleep(min(_RETRY, max(end - time.monotonic(), 0.0)))
    lease = Lease(location, token)
    try:
        yield lease
    finally:
        lease.close()


def clear(location: Location) -> None:
    """Delete what the lease has left in a directory where no index was made; other storage keeps it."""
    if isinstance(location, Path):
        with suppress(OSError):  # something else lies there, or another writer has begun
            (location / _FILE).unlink()
            location.rmdir()


def _mine(token: str) -> dict[str, Any]:
    who = {"process": os.getpid(), "machine": socket.gethostname(), "since": now()}
    return {"token": token, "until": time.time() + SECONDS, **who}


def _free(held: dict[str, Any]) -> bool:
    if held.get("until", 0.0) < time.time():
        return True
    if held.get("machine") != socket.gethostname():
        return False
    try:
        os.kill(int(held["process"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, KeyError, ValueError):
        return False
    return False


def _described(held: dict[str, Any]) -> str:
    try:
        return f"process {held['process']} on {held['machine']} since {held['since']}"
    except KeyError:
        return "another process"


def _address(location: Location) -> str:
    return f"{location}/{_FILE}"


def _read(location: Location) -> dict[str, Any]:
    """Return what the lease says; nothing where there is none, or where it is being written."""
    import_lance()
    from lance.file import LanceFileReader

    try:
        table = LanceFileReader(_address(location), storage_options=storage_options(location)).read_all().to_table()
        held = json.loads(table["lease"][0].as_py())
    except (OSError, ValueError, IndexError, KeyError):
        return {}
    return held if isinstance(held, dict) else {}


def _write(location: Location, lease: dict[str, Any]) -> None:
    import pyarrow as pa
    from lance.file import LanceFileWriter

    schema = pa.schema([("lease", pa.string())])
    with LanceFileWriter(_address(location), schema, storage_options=storage_options(location)) as writer:
        writer.write_batch(pa.record_batch([[json.dumps(lease)]], schema=schema))
