"""Write files beside the old ones and then rename them, so that an old file stays until the new one is complete."""

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
    """Yield a stream for each of `paths`; the files are replaced at the end, unless an error ends the block.

    A file keeps its permissions; a new one gets the user's usual permissions. Links are followed. Anything but a
    regular file, such as /dev/stdout or a pipe, is written to directly.

    Raises:
        OSError: a file cannot be written; the old one is unchanged.
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
            with suppress(OSError):  # it was renamed
                beside.unlink()


def _opened(path: Path, made: list[tuple[Path, Path]]) -> BinaryIO:
    """Open the file that will become `path`; add its temporary path to `made`."""
    try:
        mode: int | None = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        return path.open("wb")  # not resolved: the target of /dev/stdout may have no name
    path = Path(os.path.realpath(path))
    beside = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}.part")
    try:
        stream = beside.open("xb")
    except OSError as error:
        error.filename = str(path)  # the name that the user knows
        raise
    made.append((beside, path))
    if mode is not None:
        beside.chmod(stat.S_IMODE(mode))
    return stream
