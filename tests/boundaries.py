"""Something done at the n-th point at which what is on the disk changes: a kill, or an error of the system.

Every call of a C function passes a profiler (`sys.setprofile`), so that no code has to be replaced.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Calls that change a file or a directory, by the names that they have in C.
CALLS = frozenset({"write", "fsync", "truncate", "replace", "rename", "unlink", "remove", "rmdir", "mkdir", "open"})
# Functions in which every statement for SQLite counts: others stand between BEGIN and COMMIT and change nothing.
_STATEMENTS_IN = frozenset({"transaction", "connect_to_write"})


@contextmanager
def at_boundary(number: int, act: Callable[[], None], *, statements: bool = True) -> Iterator[list[str]]:
    """Call `act` just before the change with this `number`, counted from 1; give the names of the changes so far.

    Without `statements` those of SQLite do not count.
    """
    seen: list[str] = []

    def profile(frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call":
            return
        name = function.__name__
        of_database = statements and name == "execute" and frame.f_code.co_name in _STATEMENTS_IN
        if name in CALLS or of_database:
            seen.append(name)
            if len(seen) == number:
                act()

    sys.setprofile(profile)
    try:
        yield seen
    finally:
        sys.setprofile(None)


def kill() -> None:
    """End this process at once, as a power switch would."""
    os.kill(os.getpid(), signal.SIGKILL)
