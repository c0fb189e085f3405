"""What the system lets a process have of memory, threads and open files, and what to say where that is not enough."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from quotefind.errors import ModelError, QuotefindError


@dataclass(frozen=True, slots=True)
class Need:
    """What work takes of memory, in bytes: all that is mapped, and what of it can be written."""

    address_space: int
    data: int


# Measured with two cores, and rounded up: what NumPy and SQLite take, what ONNX Runtime takes with them, and what torch
# takes to load a model and export it. With less, some library ends the process by itself, with an exit code that means
# something else here, waits for ever, or says of a model that it cannot be exported.
LIBRARIES = Need(320_000_000, 110_000_000)
ENCODING = Need(680_000_000, 180_000_000)
TORCH = Need(3_500_000_000, 2_100_000_000)
# Files that are open at once: the streams, database, log, matrix, model, and what libraries open for a moment.
_FILES = 32

_MEMORY = "There is not enough memory. Close other programs, or raise the limit (ulimit -v, ulimit -d)."
_THREADS = "No further thread can be started. Raise the limit (ulimit -u), or that of memory (ulimit -v)."
# How libraries say that memory was not enough, as they have no error of their own for it.
_SAID_OF_MEMORY = (
    "bad_alloc",
    "bad allocation",
    "failed to allocate memory",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "failed to map segment",  # of a library that is loaded
)
_SAID_OF_THREADS = (
    "can't start new thread",
    "pthread_create",
    "pthread_setaffinity",
    "resource temporarily unavailable",
)


def check(need: Need, *, mapped: int = 0) -> None:
    """Make sure that the limits of this process allow files enough, and what is needed of memory.

    `mapped` is how many bytes of files are mapped into memory beside.

    Raises:
        ModelError: they do not.
    """
    if sys.platform == "win32":
        return
    import resource

    for kind, option, needed in (
        (resource.RLIMIT_AS, "ulimit -v", need.address_space + mapped),
        (resource.RLIMIT_DATA, "ulimit -d", need.data),
    ):
        allowed, _ = resource.getrlimit(kind)
        if allowed != resource.RLIM_INFINITY and allowed < needed:
            raise ModelError(
                f"There is not enough memory: a process may have {_megabytes(allowed)} ({option}), "
                f"{_megabytes(needed)} are needed."
            )
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < _FILES:
        raise ModelError(f"Too few files may be open at once: {allowed}. Raise the limit: ulimit -n {8 * _FILES}")


def shortage(error: BaseException) -> str | None:
    """Return what to say where `error`, or what led to it, is a want of memory, threads or open files; else None."""
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
        said = str(cause).casefold()
        if any(words in said for words in _SAID_OF_MEMORY):
            return _MEMORY
        if any(words in said for words in _SAID_OF_THREADS):
            return _THREADS
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
