"""Open a file, and look at its first bytes."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from quotefind.errors import SourceError

HEAD = 1 << 16  # bytes examined to recognise a format


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read its bytes; anything else, such as a pipe that may never end, is refused.

    Raises:
        SourceError: it is not a regular file, or no longer one.
        OSError: it cannot be opened.
    """
    # Opening a FIFO would wait for a writer; Windows has neither FIFOs nor this flag.
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise SourceError(f"{path}: no longer a file; read a pipe as - with --input-format NAME")
    return stream


def head_of(path: Path) -> bytes:
    """Return the first 65,536 bytes of a file, unpacked; none if it cannot be read, which reading it reports."""
    try:
        with open_regular(path) as stream:
            if is_gzip(path):
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    return unpacked.read(HEAD)
            return stream.read(HEAD)
    except (OSError, EOFError, zlib.error, SourceError):
        return b""


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed with gzip, by its name."""
    return path.suffix.lower() == ".gz"
