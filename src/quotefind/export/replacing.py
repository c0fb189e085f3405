"""Files that are written beside and then put in place, so that the old one is there until the new one is whole."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from quotefind.private_files import sync_directory


@contextmanager
def replacing(*paths: Path) -> Iterator[list[BinaryIO]]:
    """Give a stream for each of `paths`; what was written is put in place at the end, unless an error ends the block.

    A file keeps its permissions, a new one has those that the user's files usually have. A link is followed. What is no
    regular file, as /dev/stdout or a pipe, is written to as it is.

    Raises:
        OSError: a file cannot be written; what was there is there still.
    """
    made: list[tuple[Path, Path]] = []
    try:
        with ExitStack() as stack:
            streams = [stack.enter_context(_opened(path, made)) for path in paths]
            yield streams
            for stream in streams:
                stream.flush()
                if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    os.fsync(stream.fileno())
        for beside, path in made:
            beside.replace(path)
            sync_directory(path.parent)
    finally:
        for beside, _ in made:
            with suppress(OSError):  # it is in its place
                beside.unlink()


def _opened(path: Path, made: list[tuple[Path, Path]]) -> BinaryIO:
    """Open what is to become `path`; note in `made` where it stands until then."""
    try:
        mode: int | None = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        return path.open("wb")  # by its own name: what /dev/stdout leads to may have none
    path = Path(os.path.realpath(path))
    beside = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}.part")
    try:
        stream = beside.open("xb")
    except OSError as error:
        error.filename = str(path)  # which the user knows
        raise
    made.append((beside, path))
    if mode is not None:
        beside.chmod(stat.S_IMODE(mode))
    return stream
