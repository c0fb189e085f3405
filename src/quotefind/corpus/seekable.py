"""Turn a stream into a file that can be read at any position, as databases need."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def on_disk(stream: BinaryIO) -> Iterator[Path]:
    """Copy `stream` to a private temporary file, deleted at the end; a copy does not change while it is read."""
    with tempfile.TemporaryDirectory(prefix="quotefind-", ignore_cleanup_errors=True) as directory:
        path = Path(directory) / "copy"
        with path.open("wb") as out:
            shutil.copyfileobj(stream, out)
        yield path
