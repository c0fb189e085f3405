"""How many threads NumPy multiplies with: one at first, and all processors once there is much to multiply.

OpenBLAS starts its threads while NumPy is imported, which costs a short command a fifth of its time.
"""

from __future__ import annotations

import os
import sys

_VARIABLE = "OPENBLAS_NUM_THREADS"
_limited = False


def import_numpy() -> None:
    """Import NumPy with one thread, unless it is there already or the user has set the number."""
    global _limited
    if "numpy" in sys.modules or _VARIABLE in os.environ or "OMP_NUM_THREADS" in os.environ:
        return
    os.environ[_VARIABLE] = "1"
    try:
        import numpy  # noqa: F401
    finally:
        del os.environ[_VARIABLE]  # other processes and libraries decide for themselves
    _limited = True


def use_all_threads() -> None:
    """Multiply with all processors from now on, where `import_numpy` has limited NumPy to one thread."""
    global _limited
    if _limited:
        from threadpoolctl import threadpool_limits

        threadpool_limits(processors(), user_api="blas")
        _limited = False


def processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such function
        return os.cpu_count() or 1
