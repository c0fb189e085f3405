"""A command that works on a Ray cluster, watched by the process that was started.

Ray ends the process that uses it, with exit code 1 and without a word, when its own processes on that machine die in
certain moments. Here another process does the work, and this one says what has become of it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from quotefind import interrupts
from quotefind.errors import ModelError, QuotefindError
from quotefind.paths import index_location

# What Ray ends a process with, and what a command ends with that has found nothing.
_SILENT = 1
_IN_ORDER = b"."
_PR_SET_PDEATHSIG = 1

_telling: int | None = None  # in the process that works


def watched(address: str, index: str | None) -> None:
    """Go on in a process of its own, where the system can fork; call it before there are other threads.

    Args:
        address: of the cluster.
        index: the name or path of the index that the command works on.
    """
    if not hasattr(os, "fork"):
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(writing)
        _watch(child, reading, address, index)
    global _telling
    _telling = writing
    os.close(reading)
    _die_with(parent)
    interrupts.listen()


def tell_order() -> None:
    """Tell the process that watches this one, if one does, that what comes now is an end in order."""
    if _telling is not None:
        os.write(_telling, _IN_ORDER)


def _watch(child: int, reading: int, address: str, index: str | None) -> NoReturn:
    """Wait for the process `child`, and end as it does; `reading` is where it says that it ends in order."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: os.kill(child, number))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == _SILENT and not os.read(reading, 1):
        code = ModelError.exit_code
        gone = f"The Ray cluster at {address} does not answer any more: its processes on this machine have ended."
        sys.stderr.write(f"quotefind: {gone} {_state(index)}\n")
        sys.stderr.flush()
    os._exit(code if code >= 0 else 128 - code)  # as a shell says that it was killed


def _die_with(parent: int) -> None:
    """Have this process killed when `parent` is, where the system can do that (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it is gone already
            os._exit(_SILENT)


def _state(index: str | None) -> str:
    """Return a sentence on what state the index is in."""
    from quotefind.stores import open_index
    from quotefind.text import counted

    location = index_location(index)
    try:
        with open_index(location) as opened:
            return f"The index in {location} answers as before: {counted(opened.count, 'quote')}."
    except QuotefindError as error:
        return str(error)
