"""A private directory for the files of torch's compiler."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


@contextmanager
def private_scratch() -> Iterator[None]:
    """Have torch's compiler keep its files in a directory that is deleted at the end; exporting and training load it.

    By default it would read `torchinductor_USER` in the shared temporary directory, which anybody on the machine could
    have created before. A directory that the user has set is kept.
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
