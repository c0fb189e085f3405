"""A private place for what torch keeps on the disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


@contextmanager
def private_scratch() -> Iterator[None]:
    """Have torch's compiler, which exporting and training load, keep its files in a directory that is gone at the end.

    By itself it takes, and reads, `torchinductor_USER` in the shared temporary directory: a name that anybody on the
    machine can have made before. A directory that the user has set stays.
    """
    if _VARIABLE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="quotefind-torch-", ignore_cleanup_errors=True) as directory:
        os.environ[_VARIABLE] = directory
        try:
            yield
        finally:
            os.environ.pop(_VARIABLE, None)
