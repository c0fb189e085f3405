"""Files that the program keeps for itself: opened so that nothing put in their place is followed, run or waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# A pipe in the place of a file would otherwise be waited for; to a regular file it means nothing.
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# What `check_own` raises where something else than a file stands at its place.
OTHER_KINDS = (errno.ELOOP, errno.EINVAL)


def open_own(path: Path, flags: int) -> int:
    """Open the regular file at `path` with the `flags` of `os.open`, and return its descriptor.

    Where it is made, it is for this user alone.

    Raises:
        OSError: it cannot be opened, or is a link, a directory, a pipe or a device.
    """
    check_own(path)
    descriptor = os.open(path, flags | _FLAGS, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


def check_own(path: Path) -> None:
    """Look whether what stands at `path`, if anything does, is a regular file.

    Raises:
        OSError: it is a link, which is not followed, a directory, a pipe or a device.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "it is a symbolic link, and none is followed here", str(path))
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise OSError(errno.EINVAL, f"it is {what}", str(path))


def sync_directory(directory: Path) -> None:
    """Have the names in `directory` on the disk when this returns, where the system can do that."""
    if os.name == "nt":  # which opens no directories, and writes names with their files
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)
