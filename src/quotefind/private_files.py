"""Files that belong to the program alone, opened safely: links are not followed, and pipes are not waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# Opening a pipe would otherwise wait for its other end; for a regular file the flag has no effect.
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# The errno of what `check_private` raises for anything but a regular file.
NOT_REGULAR = (errno.ELOOP, errno.EINVAL)


def open_private(path: Path, flags: int) -> int:
    """Open the regular file at `path` with the `flags` of `os.open`, and return its descriptor.

    A new file is readable by this user alone.

    Raises:
        OSError: it cannot be opened, or is a link, a directory, a pipe or a device.
    """
    check_private(path)
    descriptor = os.open(path, flags | _FLAGS, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return descriptor


def check_private(path: Path) -> None:
    """Check that `path`, if it exists, is a regular file.

    Raises:
        OSError: it is a link, a directory, a pipe or a device.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "it is a symbolic link, which is not followed here", str(path))
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise OSError(errno.EINVAL, f"it is {what}", str(path))


def sync_directory(directory: Path) -> None:
    """Write the entries of `directory` to disk (fsync), if the system supports that."""
    if os.name == "nt":  # directories cannot be opened there; their entries are written with the files
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)
