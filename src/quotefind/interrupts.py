"""Ctrl-C ends the program within a second, whatever it is doing.

Python raises KeyboardInterrupt between two steps of the main thread. A single step may take long (a library that is
loaded, a statement of SQLite), and what is raised in a destructor is lost. So a thread waits for the signal as well,
and where the program has not ended in order half a second later, it ends the process. That is safe at any moment: all
that is kept on disk is written so that a process can be killed.
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
# Seconds that the main thread has to clean up, and to say what its user may do now.
_GRACE = 0.5
_MESSAGE = "quotefind: interrupted"
# Away with a progress bar; the cursor, which it has hidden, is shown again.
_TIDY = "\r\x1b[2K\x1b[?25h"

_speaking = threading.Lock()
_said = False
_advice: tuple[str, ...] = ()
_came: float | None = None  # when the signal did


def watch() -> None:
    """Have SIGINT end this process with exit code 130 within a second; call it first, in the main thread.

    Where whoever started the program has it ignore the signal (nohup, or `&` in a script), that is respected.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _unraisable
    listen()


def listen() -> None:
    """Start the thread that waits for the signal; a process that was forked has none, and calls it again."""
    if os.name == "nt" or signal.getsignal(signal.SIGINT) is not _interrupt:
        return  # there, only a socket can be told of a signal
    try:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        threading.Thread(target=_end_late, args=(reading,), name="interrupts", daemon=True).start()
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    except (OSError, RuntimeError):  # no file or thread is left: then without
        pass


def came() -> bool:
    """Whether the program was interrupted, whatever became of the KeyboardInterrupt."""
    return _came is not None


def said() -> bool:
    """Whether the user was told."""
    return _said


def say(*advice: str) -> None:
    """Say on stderr that the program was interrupted, and what its user may do now."""
    global _said
    with _speaking:
        _said = True
        with suppress(OSError, ValueError):  # nobody listens
            print("; ".join((_MESSAGE, *advice)), file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def advice(text: str) -> Iterator[None]:
    """Have an interrupt in this block say `text` too, what the user may do now; it is a note of KeyboardInterrupt."""
    global _advice
    _advice = (text,)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(text)
        raise
    finally:
        _advice = ()


@contextmanager
def lent() -> Iterator[None]:
    """Let another be told of signals in this block, as asyncio wants to be; after it the thread of `watch` is."""
    number = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(number, warn_on_full_buffer=False)


def leave() -> NoReturn:
    """End the process at once with exit code 130, having said why unless that was said."""
    try:
        if _speaking.acquire(blocking=False) and not _said:
            _write("; ".join((_MESSAGE, *_advice)) + "\n")
        if "multiprocessing.process" in sys.modules:  # torch has several devices encode in processes of their own
            for child in sys.modules["multiprocessing.process"].active_children():
                child.kill()
    finally:
        os._exit(EXIT_CODE)


def _interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt, once: a second signal would come while the program cleans up."""
    global _came
    now = time.monotonic()
    if _came is None:
        _came = now
        raise KeyboardInterrupt
    if now - _came > _GRACE:
        leave()


def _end_late(reading: int) -> None:
    """Wait for SIGINT in the bytes of the signals that come, then for the main thread to end; then end the process."""
    while (numbers := os.read(reading, 64)) and signal.SIGINT not in numbers:
        pass
    if numbers:
        time.sleep(_GRACE)
        leave()


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Say nothing of an interrupt that was lost in a destructor: the program ends all the same."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)


def _write(text: str) -> None:
    """Write `text` to stderr if it can take it now, whatever the main thread does with that stream."""
    from select import select

    if sys.__stderr__ is None:
        return
    number = sys.__stderr__.fileno()
    if os.name == "nt" or select([], [number], [], 0)[1]:
        tidy = _TIDY if os.isatty(number) and os.environ.get("TERM") != "dumb" else ""
        os.write(number, (tidy + text).encode())
