"""Limits of memory, threads and open files, and the messages for when they are too low."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from quotefind.errors import ModelError, QuotefindError


@dataclass(frozen=True, slots=True)
class MemoryRequirement:
    """The memory that some work takes, in bytes: all mapped memory, and the writable part of it."""

    address_space: int
    data: int


# Measured with two cores, rounded up: NumPy and SQLite; these and ONNX Runtime; preparing the default
# model; torch exporting another model.
# With less memory, a library aborts the process, waits forever, or fails with a misleading error: no exception that
# could be caught. That is why these limits are checked in advance.
LIBRARIES = MemoryRequirement(320_000_000, 110_000_000)
ENCODING = MemoryRequirement(680_000_000, 180_000_000)
PREPARING = MemoryRequirement(900_000_000, 520_000_000)
TORCH = MemoryRequirement(3_500_000_000, 2_100_000_000)
# Files open at once: streams, database, log, matrix, model, and files that libraries open briefly.
_FILES = 32

_MEMORY = "There is not enough memory. Close other programs, or raise the limit (ulimit -v, ulimit -d)."
_THREADS = "No more threads can be started. Raise the limit of processes (ulimit -u) or of memory (ulimit -v)."
# Messages of libraries that have no exception of their own for it.
_MEMORY_MESSAGES = (
    "bad_alloc",
    "bad allocation",
    "failed to allocate memory",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "failed to map segment",  # while loading a library
)
_THREAD_MESSAGES = (
    "can't start new thread",
    "pthread_create",
    "pthread_setaffinity",
    "resource temporarily unavailable",
)


def check(required: MemoryRequirement, *, mapped: int = 0) -> None:
    """Check that the limits of this process allow the memory that is `required`, and enough open files.

    `mapped` is the size in bytes of other files that are mapped into memory.

    Raises:
        ModelError: a limit is too low.
    """
    if sys.platform == "win32":
        return
    import resource

    for kind, option, needed in (
        (resource.RLIMIT_AS, "ulimit -v", required.address_space + mapped),
        (resource.RLIMIT_DATA, "ulimit -d", required.data),
    ):
        allowed, _ = resource.getrlimit(kind)
        if allowed != resource.RLIM_INFINITY and allowed < needed:
            raise ModelError(
                f"There is not enough memory: the limit is {_megabytes(allowed)} ({option}), "
                f"but {_megabytes(needed)} are needed."
            )
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < _FILES:
        raise ModelError(f"The limit of open files is too low: {allowed}. Raise it: ulimit -n {8 * _FILES}")


def shortage(error: BaseException) -> str | None:
    """Return a message if `error` or one of its causes is a lack of memory, threads or open files; else None."""
    for cause in _causes(error):
        number = cause.errno if isinstance(cause, OSError) else None
        name = getattr(cause, "sqlite_errorname", "")
        if isinstance(cause, MemoryError) or number == errno.ENOMEM or name in ("SQLITE_NOMEM", "SQLITE_IOERR_NOMEM"):
            return _MEMORY
        if number in (errno.EMFILE, errno.ENFILE) and isinstance(cause, OSError):
            at = f" (at {cause.filename})" if cause.filename else ""
            return f"Too many files are open{at}. Raise the limit: ulimit -n {8 * _FILES}"
        if isinstance(cause, QuotefindError | OSError):
            continue
        message = str(cause).casefold()
        if any(words in message for words in _MEMORY_MESSAGES):
            return _MEMORY
        if any(words in message for words in _THREAD_MESSAGES):
            return _THREADS
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
