"""From a source to the files in it."""

from __future__ import annotations

import os
import stat
from collections import deque
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from quotefind.corpus.formats import known_format
from quotefind.errors import SourceError

_FORTUNE_COMPANIONS = (".dat", ".u8")  # the random-access table, and the link that says "this is UTF-8"


def files_of(source: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a source to read, and the files in it that were passed over.

    A file is itself, whatever its name. A folder is searched recursively, hidden files and folders left out; each
    folder is visited once and each file read once, however many links lead there. Passed over is what has no known
    format. Both lists are sorted by path.

    Raises:
        SourceError: there is no such source, it is neither file nor folder, or it cannot be listed.
    """
    try:
        mode = source.stat().st_mode
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise SourceError(f"{source}: {problem}; expected a file or a folder") from None
    if stat.S_ISREG(mode):
        return [source], []
    if not stat.S_ISDIR(mode):
        raise SourceError(f"{source}: neither a file nor a folder; read a pipe as - with --input-format NAME")
    files: list[tuple[Path, bool]] = []
    passed: list[Path] = []
    for found in sorted(_walk(source), key=lambda found: found.path.replace(os.sep, "/")):
        path = Path(found.path)
        if found.is_regular and known_format(path) is not None:
            files.append((path, found.is_link))
        elif not _is_fortune_companion(path):
            passed.append(path)
    return _each_once(files), passed


class _Found(NamedTuple):
    """What a folder holds: where, whether it is a regular file or a link to one, and whether it is a link."""

    path: str  # a `Path` takes ten times as long to make, which tells in a folder of a million files
    is_regular: bool
    is_link: bool


def _walk(root: Path) -> list[_Found]:
    """Return everything below `root` that is no folder and not hidden.

    Links to folders wait until the real folders are done, so that a file is named by its real path where it has one.
    """
    found: list[_Found] = []
    visited: set[tuple[int, int]] = set()
    folders, links = [root], deque[Path]()
    while folders or links:
        folder = folders.pop() if folders else links.popleft()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                listed = sorted((entry for entry in entries if entry.name[0] != "."), key=attrgetter("name"))
        except OSError as error:
            raise SourceError(f"{folder}: cannot be listed: {error.strerror or error}") from None
        for entry in listed:
            mode = _mode(entry)
            if not stat.S_ISDIR(mode):
                found.append(_Found(entry.path, stat.S_ISREG(mode), entry.is_symlink()))
            elif entry.is_symlink():
                links.append(Path(entry.path))
            else:
                folders.append(Path(entry.path))
    return found


def _mode(entry: os.DirEntry[str]) -> int:
    """Return what `entry` is, 0 where that cannot be known: a link to nothing or to itself."""
    try:
        if entry.is_file(follow_symlinks=False):  # the folder says so, which costs nothing
            return stat.S_IFREG
        return entry.stat().st_mode
    except OSError:
        return 0


def _each_once(files: list[tuple[Path, bool]]) -> list[Path]:
    """Return one path for each real file: itself if it is there, else the first link. With each: whether it is one."""
    if not any(is_link for _, is_link in files):
        return [path for path, _ in files]
    real_folder = lru_cache(maxsize=None)(os.path.realpath)
    taken = set()
    for path, is_link in files:
        if not is_link:
            folder, name = os.path.split(str(path))
            taken.add(f"{real_folder(folder)}{os.sep}{name}")
    kept: list[Path] = []
    for path, is_link in files:
        if is_link:
            real = os.path.realpath(path)
            if real in taken:
                continue
            taken.add(real)
        kept.append(path)
    return kept


def _is_fortune_companion(path: Path) -> bool:
    """Whether a file only accompanies the fortune file beside it."""
    if path.suffix not in _FORTUNE_COMPANIONS:
        return False
    fortune = path.with_suffix("")
    known = known_format(fortune) if fortune.is_file() else None
    return known is not None and known.name == "fortune"
