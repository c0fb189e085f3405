"""Ctrl-C ends the program within a second, whatever it is doing.

Python raises KeyboardInterrupt between two steps of the main thread. A single step may take long (loading a library, a
statement of SQLite), and an exception raised in a destructor is lost. So a thread waits for the signal as well, and if
the program has not ended half a second later, it ends the process. That is safe at any moment, because all files are
written so that the process may be killed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

EXIT_CODE = 130
# Seconds that the main thread has to clean up and to tell the user what to do next.
_GRACE = 0.5
_MESSAGE = "quotefind: interrupted"
# Removes a progress bar, and shows the cursor that it has hidden.
_TIDY = "\r\x1b[2K\x1b[?25h"

_reporting = threading.Lock()
_reported = False
_hints: tuple[str, ...] = ()
_interrupted_at: float | None = None


def install() -> None:
    """Have SIGINT end this process with exit code 130 within a second; call it first, in the main thread.

    If the program was started with the signal ignored (nohup, or `&` in a script), it stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _unraisable
    start_watcher()


def start_watcher() -> None:
    """Start the thread that waits for the signal; a forked process has no such thread and must call this again."""
    if os.name == "nt" or signal.getsignal(signal.SIGINT) is not _interrupt:
        return  # on Windows, only a socket can receive the signal
    try:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        threading.Thread(target=_end_late, args=(reading,), name="interrupts", daemon=True).start()
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    except (OSError, RuntimeError):  # no file or thread is left: go on without
        pass


def was_interrupted() -> bool:
    """Whether the signal came, whatever became of the KeyboardInterrupt."""
    return _interrupted_at is not None


def was_reported() -> bool:
    """Whether the interrupt has been reported to the user."""
    return _reported


def report(*hints: str) -> None:
    """Write to stderr that the program was interrupted, and `hints` on what to do next."""
    global _reported
    with _reporting:
        _reported = True
        with suppress(OSError, ValueError):  # stderr is closed
            print("; ".join((_MESSAGE, *hints)), file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def hint(text: str) -> Iterator[None]:
    """Have an interrupt in this block also print `text`, what to do next; it becomes a note of KeyboardInterrupt."""
    global _hints
    _hints = (text,)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(text)
        raise
    finally:
        _hints = ()


@contextmanager
def wakeup_lent() -> Iterator[None]:
    """Let other code, such as asyncio, use Python's wakeup file descriptor for signals during this block."""
    number = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(number, warn_on_full_buffer=False)


def exit_now() -> NoReturn:
    """End the process at once with exit code 130, after reporting the interrupt if that was not done."""
    try:
        if _reporting.acquire(blocking=False) and not _reported:
            _write("; ".join((_MESSAGE, *_hints)) + "\n")
        if "multiprocessing.process" in sys.modules:  # torch encodes on several devices in processes of their own
            for child in sys.modules["multiprocessing.process"].active_children():
                child.kill()
    finally:
        os._exit(EXIT_CODE)


def _interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt, but only once: a second one would disturb the clean-up."""
    global _interrupted_at
    now = time.monotonic()
    if _interrupted_at is None:
        _interrupted_at = now
        raise KeyboardInterrupt
    if now - _interrupted_at > _GRACE:
        exit_now()


def _end_late(reading: int) -> None:
    """Wait until SIGINT is among the signals that arrive, give the main thread time to end, then end the process."""
    while (numbers := os.read(reading, 64)) and signal.SIGINT not in numbers:
        pass
    if numbers:
        time.sleep(_GRACE)
        exit_now()


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Ignore an interrupt that was lost in a destructor: the program ends all the same."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)


def _write(text: str) -> None:
    """Write `text` to stderr if that is possible at once, whatever the main thread is doing with the stream."""
    from select import select

    if sys.__stderr__ is None:
        return
    number = sys.__stderr__.fileno()
    if os.name == "nt" or select([], [number], [], 0)[1]:
        tidy = _TIDY if os.isatty(number) and os.environ.get("TERM") != "dumb" else ""
        os.write(number, (tidy + text).encode())
