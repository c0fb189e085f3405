"""Find the files of a source."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from quotefind.corpus.formats import known_format
from quotefind.corpus.ignoring import GIT, OWN, Rules
from quotefind.errors import SourceError
from quotefind.paths import LANCE, own_locations
from quotefind.text import is_unicode

_FORTUNE_COMPANIONS = (".dat", ".u8")  # the random-access table, and the link that says "this is UTF-8"
# The files in the directory of an index, and those that only an index has.
_INDEX_FILE = re.compile(r"index\.sqlite(-wal|-shm|-journal)?|vectors-\d+\.npy|writer\.(lock|json)")
_INDEX_ONLY = re.compile(r"vectors-\d+\.npy|writer\.(lock|json)")
_LANCE_ONLY = ("_versions", "_transactions", "_quotefind_writer.json")


class Reason(Enum):
    """Why a file or folder is skipped: its description in the singular and the plural."""

    UNKNOWN = ("file of unknown format", "files of unknown format")
    NOWHERE = ("link to nowhere", "links to nowhere")
    SPECIAL = ("pipe, socket or device", "pipes, sockets or devices")
    NAME = ("file whose name is not valid UTF-8", "files whose names are not valid UTF-8")
    UNLISTED = ("folder that cannot be searched", "folders that cannot be searched")
    INDEX = ("folder that belongs to an index of this program", "folders that belong to an index of this program")
    GIT = ("file or folder listed in .gitignore", "files or folders listed in .gitignore")
    EXCLUDED = ("excluded file or folder", "excluded files or folders")


class Skipped(NamedTuple):
    """A file or folder that is not read, and why."""

    path: Path
    reason: Reason


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a source.

    Attributes:
        files: the files to read, sorted by path.
        skipped: files and folders that are not read, sorted by path.
    """

    files: list[Path]
    skipped: list[Skipped] = field(default_factory=list)


def files_of(source: Path, exclude: Collection[str] = ()) -> Listing:
    """Return the files of a source to read, and its files and folders that are skipped.

    A source that is a file is read whatever its name is. A folder is searched recursively, except for hidden files and
    folders, those that the user leaves out (see `ignoring`), and the indexes and other data of this program. Each
    folder is visited once and each file is read once, however many links lead to it.

    Args:
        source: a file or a folder.
        exclude: patterns, as in a `.gitignore`, of files and folders to leave out.

    Raises:
        SourceError: the source does not exist, is neither a file nor a folder, or cannot be listed.
        UsageError: one of `exclude` is not a valid pattern.
    """
    try:
        mode = source.stat().st_mode
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise SourceError(f"{source}: {problem}; expected a file or a folder") from None
    if stat.S_ISREG(mode):
        return Listing([source])
    if not stat.S_ISDIR(mode):
        raise SourceError(f"{source}: neither a file nor a folder; read a pipe as - with --input-format NAME")
    walk = _Walk(source, exclude)
    skipped = walk.skipped
    files: list[tuple[Path, bool]] = []
    for entry in sorted(walk.found, key=lambda entry: entry.path.replace(os.sep, "/")):
        path = Path(entry.path)
        if _is_fortune_companion(path):
            continue
        reason = None if entry.is_regular and is_unicode(entry.path) else _reason(entry)
        if reason is None and not _has_known_format(path):
            reason = Reason.UNKNOWN
        if reason is None:
            files.append((path, entry.is_link))
        else:
            skipped.append(Skipped(path, reason))
    return Listing(_each_once(files), sorted(skipped, key=lambda one: str(one.path).replace(os.sep, "/")))


class _Found(NamedTuple):
    """An entry of a folder: its path, its mode (0 if unknown), and whether it is a link."""

    path: str  # a `Path` takes ten times as long to make, which matters in a folder of a million files
    mode: int
    is_link: bool

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)


def _reason(entry: _Found) -> Reason | None:
    """Return why an entry that is not a regular file with a proper name is skipped."""
    if not is_unicode(entry.path):
        return Reason.NAME
    if entry.is_link and not entry.mode:
        return Reason.NOWHERE
    # The mode is unknown if the folder may be listed but not entered.
    return Reason.SPECIAL if entry.mode and not entry.is_regular else None


class _Walk:
    """The search of everything below a folder.

    Attributes:
        found: everything that is neither a folder nor hidden.
        skipped: what is left out, and the folders that are not searched.
    """

    def __init__(self, root: Path, exclude: Collection[str]) -> None:
        """Search `root`.

        Links to folders are followed after all real folders, so that a file is named by its real path if it has one
        here.

        Raises:
            SourceError: `root` cannot be listed.
            UsageError: one of `exclude` is not a valid pattern.
        """
        self.found: list[_Found] = []
        self.skipped: list[Skipped] = []
        self._root = root
        self._own = _identities(own_locations())
        self._visited: set[tuple[int, int]] = set()
        self._folders: list[tuple[Path, Rules]] = []
        self._links = deque[tuple[Path, Rules]]()
        try:
            self._search(root, Rules.of(root, exclude))
        except OSError as error:
            where = error.filename or root
            what = "read" if Path(where).name == OWN else "listed"
            raise SourceError(f"{where}: cannot be {what}: {error.strerror or error}") from None
        while self._folders or self._links:
            folder, rules = self._folders.pop() if self._folders else self._links.popleft()
            try:
                self._search(folder, rules)
            except FileNotFoundError:
                continue  # it vanished after its parent was listed
            except OSError:
                self.skipped.append(Skipped(folder, Reason.UNLISTED))

    def _search(self, folder: Path, rules: Rules) -> None:
        """Sort the entries of `folder`, to which `rules` apply.

        Raises:
            OSError: it cannot be listed, or its own rules cannot be read.
        """
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._visited:
            return
        self._visited.add(identity)
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=attrgetter("name"))
        names = {entry.name for entry in listed}
        is_index = _is_index(names)
        is_kept_by_us = _is_dataset(folder, names) or (identity in self._own and folder != self._root)
        if is_kept_by_us or (is_index and folder != self._root):
            self.skipped.append(Skipped(folder, Reason.INDEX))
        if is_kept_by_us:
            return
        rules = rules.inside(folder, names)
        for entry in listed:
            # Of an index, only its own files are left out: the user may keep others beside them.
            if entry.name[0] != "." and not (is_index and _INDEX_FILE.fullmatch(entry.name)):
                self._sort(entry, rules)

    def _sort(self, entry: os.DirEntry[str], rules: Rules) -> None:
        mode = _mode(entry)
        is_folder = stat.S_ISDIR(mode)
        if by := rules.leaves_out(entry.path, is_folder=is_folder):
            self.skipped.append(Skipped(Path(entry.path), Reason.GIT if by == GIT else Reason.EXCLUDED))
        elif not is_folder:
            self.found.append(_Found(entry.path, mode, entry.is_symlink()))
        else:
            (self._links if entry.is_symlink() else self._folders).append((Path(entry.path), rules))


def _identities(paths: list[Path]) -> set[tuple[int, int]]:
    """Return the device and inode numbers of those `paths` that exist."""
    found = set()
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return found


def _is_index(names: Collection[str]) -> bool:
    """Whether a folder with these `names` is a local index, or the remains of one that was being written."""
    own = [name for name in names if _INDEX_FILE.fullmatch(name)]
    return bool(own) and (len(own) == len(names) or ("index.sqlite" in own and any(map(_INDEX_ONLY.fullmatch, own))))


def _is_dataset(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder with these `names` is a Lance dataset."""
    return folder.suffix.casefold() == LANCE and any(name in names for name in _LANCE_ONLY)


def _mode(entry: os.DirEntry[str]) -> int:
    """Return the mode of `entry`; 0 if it is unknown, as for a link to nothing or to itself."""
    try:
        if entry.is_file(follow_symlinks=False):  # known from the folder, at no cost
            return stat.S_IFREG
        return entry.stat().st_mode
    except OSError:
        return 0


def _each_once(files: list[tuple[Path, bool]]) -> list[Path]:
    """Return one path per real file: its own if listed, else the first link. Each input says whether it is a link."""
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


def _has_known_format(path: Path) -> bool:
    try:
        return known_format(path) is not None
    except OSError:  # a folder that may be listed but not entered
        return False


def _is_fortune_companion(path: Path) -> bool:
    """Whether a file only belongs to the fortune file beside it."""
    if path.suffix not in _FORTUNE_COMPANIONS:
        return False
    try:
        fortune = path.with_suffix("")
        known = known_format(fortune) if fortune.is_file() else None
    except OSError:
        return False
    return known is not None and known.name == "fortune"
