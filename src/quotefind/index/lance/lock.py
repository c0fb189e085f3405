"""One writer of an index at a time, on any machine: a lock that its holder renews.

The lock is a small file beside the data, so it works on every storage that Lance supports. If two processes find it
free at the same moment, both write it, and the one that wrote last holds it. The other notices when it reads the file
again, which it does before every step.

The clocks of the machines must agree within `SECONDS` minus `_RENEW`.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import getnode, uuid4

from quotefind.errors import IndexLockedError
from quotefind.index.interface import now
from quotefind.index.lance.dataset import import_lance, reported, storage_options

if TYPE_CHECKING:
    from lance.file import LanceFileSession

    from quotefind.paths import Location

_FILE = "_quotefind_writer.json"
# A lock that was not renewed for this long is free; on its own machine it is free as soon as its process is gone.
SECONDS = 120.0
_RENEW = 20.0
# How long to wait before checking who wrote last, and before trying again.
_SETTLE, _RETRY = 0.2, 1.0


class WriterLock:
    """The lock of the index at `location`, held until it is closed."""

    def __init__(self, location: Location, token: str, until: float) -> None:
        """Renew in the background the lock that was taken with `token` and is valid `until` that time."""
        self._location = location
        self._token = token
        self._until = until
        self._ended = threading.Event()
        self._taken: str | None = None
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Check that this process still holds the lock.

        Raises:
            IndexLockedError: another process holds it, or could hold it.
            OSError, RuntimeError, ValueError: the storage does not answer.
        """
        held = _read(self._location)
        if held.get("token") != self._token:
            self._taken = _described(held)
        if self._taken is None and time.time() < self._until:
            return
        who = f"is now being written by {self._taken}" if self._taken else "may now be written by another process"
        raise IndexLockedError(
            f"The index in {self._location} {who}, because this process could not renew its lock for {SECONDS:.0f} "
            "seconds. Everything committed is safe; run the command again."
        )

    def close(self) -> None:
        """Release the lock, unless another process holds it."""
        self._ended.set()
        self._thread.join()
        with suppress(OSError, RuntimeError, ValueError):  # then it expires
            if _read(self._location).get("token") == self._token:
                _write(self._location, {})

    def _renew(self) -> None:
        while not self._ended.wait(_RENEW):
            with suppress(OSError, RuntimeError, ValueError):  # what Lance raises if the storage does not answer
                held = _read(self._location)
                if held.get("token") != self._token:
                    self._taken = _described(held)
                    return
                entry = _mine(self._token)
                _write(self._location, entry)
                self._until = entry["until"]


@contextmanager
def writer_lock(location: Location, *, wait: float = 0.0) -> Iterator[WriterLock]:
    """Hold the lock of the index at `location`; wait up to `wait` seconds for it.

    Raises:
        IndexLockedError: another process holds it; the message names the process.
        IndexUnusableError: the storage cannot be used.
    """
    token, end = uuid4().hex, time.monotonic() + wait
    with reported(location):
        while True:
            asked = time.monotonic()
            held = _read(location)
            if _free(held):
                entry = _mine(token)
                _write(location, entry)
                # Others need about as long as this took. A slower one takes the lock from this process, which notices.
                time.sleep(max(_SETTLE, 2 * (time.monotonic() - asked)))
                held = _read(location)
                if held.get("token") == token:
                    break
            if time.monotonic() >= end:
                raise IndexLockedError(f"The index in {location} is being written by {_described(held)}.")
            time.sleep(min(_RETRY, max(end - time.monotonic(), 0.0)))
    held_here = WriterLock(location, token, entry["until"])
    try:
        yield held_here
    finally:
        held_here.close()


def clear(location: Location) -> None:
    """Delete the lock file in a directory where no index was made; on other storage it stays."""
    if isinstance(location, Path):
        with suppress(OSError):  # the directory holds something else
            if not _read(location):  # otherwise another writer has begun
                (location / _FILE).unlink()
                location.rmdir()


def _mine(token: str) -> dict[str, Any]:
    who = {"process": os.getpid(), "machine": socket.gethostname(), "system": _system(), "since": now()}
    return {"token": token, "until": time.time() + SECONDS, **who}


def _free(held: dict[str, Any]) -> bool:
    if not held or held["until"] < time.time():
        return True
    if held.get("system") != _system():
        return False
    try:
        os.kill(int(held["process"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, KeyError, TypeError, ValueError):
        return False
    return False


def _system() -> str:
    """Return a name of this machine or container: processes with the same name can see each other."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return f"{socket.gethostname()} {getnode()}"


def _described(held: dict[str, Any]) -> str:
    try:
        return f"process {held['process']} on {held['machine']} since {held['since']}"
    except KeyError:
        return "another process"


def _read(location: Location) -> dict[str, Any]:
    """Return the content of the lock file; empty if there is none, or if it is not a lock.

    Raises:
        OSError, RuntimeError, ValueError: the storage does not answer.
    """
    try:
        text = (location / _FILE).read_bytes() if isinstance(location, Path) else _read_remote(location)
    except FileNotFoundError:
        return {}
    try:
        held = json.loads(text)
    except ValueError:  # written by something else
        return {}
    whole = isinstance(held, dict) and isinstance(held.get("until"), int | float)
    return held if whole else {}


def _write(location: Location, entry: dict[str, Any]) -> None:
    """Replace the lock file by `entry`, atomically."""
    text = json.dumps(entry).encode()
    if isinstance(location, Path):
        location.mkdir(parents=True, exist_ok=True)
        beside = location / f"{_FILE}.{uuid4().hex}"
        beside.write_bytes(text)
        beside.replace(location / _FILE)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        path.write_bytes(text)
        _session(location).upload_file(str(path), _FILE)


def _read_remote(location: str) -> bytes:
    session = _session(location)
    if not session.contains(_FILE):
        raise FileNotFoundError(_FILE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        session.download_file(_FILE, str(path))
        return path.read_bytes()


def _session(location: str) -> LanceFileSession:
    import_lance()
    from lance.file import LanceFileSession

    return LanceFileSession(location, storage_options=storage_options(location))
