"""One writer at a time; the operating system holds the lock, so a dead writer never blocks others."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from quotefind.errors import IndexLockedError, IndexUnusableError
from quotefind.index.interface import now
from quotefind.paths import make_private
from quotefind.private_files import NOT_REGULAR, check_private, open_private

_LOCK = "writer.lock"
_HOLDER = "writer.json"


@contextmanager
def writer_lock(directory: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of the index in `directory`, which is created if missing; wait up to `wait` seconds for the lock.

    Raises:
        IndexUnusableError: another process holds it (the message says which, and since when), or the directory
            cannot be written.
    """
    try:
        make_private(directory)
        check_private(directory / _LOCK)
        lock = FileLock(directory / _LOCK, timeout=wait, mode=0o600)
        lock.acquire()
    except Timeout as error:
        raise IndexLockedError(f"The index in {directory} is being written by {_holder(directory)}.") from error
    except OSError as error:
        raise _cannot_be_written(directory, error) from error
    holder = directory / _HOLDER
    try:
        who = {"process": os.getpid(), "machine": socket.gethostname(), "since": now()}
        try:
            descriptor = open_private(holder, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(who, file)
        except OSError as error:
            raise _cannot_be_written(directory, error) from error
        yield
    finally:
        with suppress(OSError):  # the file only says who holds the lock
            holder.unlink()
        lock.release()


def release_for_good(directory: Path) -> None:
    """Delete the files of the lock, which must be held; a process that waits for it notices and creates them again."""
    for name in (_HOLDER, _LOCK):
        with suppress(OSError):  # Windows keeps a file that is open
            (directory / name).unlink()


def _cannot_be_written(directory: Path, error: OSError) -> IndexUnusableError:
    path = error.filename or directory
    fix = f" Delete {path}; the next run creates it again." if error.errno in NOT_REGULAR else ""
    return IndexUnusableError(f"The index in {directory} cannot be written: {path}: {error.strerror or error}.{fix}")


def _holder(directory: Path) -> str:
    try:
        who = json.loads((directory / _HOLDER).read_text(encoding="utf-8"))
        return f"process {who['process']} on {who['machine']} since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
