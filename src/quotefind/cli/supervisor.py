"""Run a command that uses a Ray cluster in a child process, and report how it ended.

When Ray's own processes on this machine die, Ray may end the process that uses it with exit code 1 and no message.
Therefore a child process does the work. The process that the user started waits for it and prints the missing message.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import NoReturn

from quotefind import interrupts
from quotefind.errors import ModelError, QuotefindError
from quotefind.paths import index_location

# The exit code when Ray ends the process; also that of a search without hits and of a program error.
_RAY_EXIT = 1
_ORDERLY = b"."
_PR_SET_PDEATHSIG = 1

_report: int | None = None  # in the child: the pipe on which it says that it ends in order


def supervise(address: str | None, index: str | None) -> None:
    """Fork if `address` names the head of a Ray cluster: the child returns, and the parent waits and then exits.

    Call it before the process has other threads. It does nothing without a cluster, for "local", and on systems that
    cannot fork.

    Args:
        address: what the user gave as --ray.
        index: name or path of the index that the command works on.

    Raises:
        UsageError: `address` is not the address of a cluster.
    """
    if address is None:
        return
    from quotefind.index.lance.ray_health import head_of

    if head_of(address) is None or not hasattr(os, "fork"):
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(writing)
        _wait_for(child, reading, address, index)
    global _report
    _report = writing
    os.close(reading)
    atexit.register(report_orderly_end)  # Python calls it after a traceback too; Ray's own exit does not
    _die_with(parent)
    interrupts.start_watcher()


def report_orderly_end() -> None:
    """Tell the parent, if there is one, that this process ends by itself and has said why."""
    if _report is not None:
        os.write(_report, _ORDERLY)


def _wait_for(child: int, reading: int, address: str, index: str | None) -> NoReturn:
    """Wait for the process `child`, pass signals on to it, and exit as it did; it reports on the pipe `reading`."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: os.kill(child, number))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == _RAY_EXIT and not os.read(reading, 1):
        code = ModelError.exit_code
        gone = f"The Ray cluster at {address} no longer answers: its processes on this machine have ended."
        sys.stderr.write(f"quotefind: {gone} {_state(index)}\n")
        sys.stderr.flush()
    os._exit(code if code >= 0 else 128 - code)  # as a shell reports a process that was killed


def _die_with(parent: int) -> None:
    """Have the system kill this process when `parent` dies, where it can do that (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it is already dead
            os._exit(_RAY_EXIT)


def _state(index: str | None) -> str:
    """Return a sentence on the state of the index."""
    from quotefind.stores import open_index
    from quotefind.text import counted

    location = index_location(index)
    try:
        with open_index(location) as opened:
            return f"The index in {location} is unchanged: {counted(opened.count, 'quote')}."
    except QuotefindError as error:
        return str(error)
