"""What has changed in the sources of an index since its last update."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from quotefind.corpus import (
    BadRecord,
    Listing,
    Reason,
    Remark,
    Skipped,
    files_of,
    format_of,
    open_regular,
    read_file,
    read_stream,
)
from quotefind.errors import SourceError
from quotefind.index.sources import STANDARD_INPUT, Source, remembered
from quotefind.paths import BUNDLED, bundled_quotes
from quotefind.records import Quote
from quotefind.text import is_unicode

if TYPE_CHECKING:
    from quotefind.index.interface import Index

_CHUNK = 1 << 20
# Stored instead of the SHA-256 of a file in a folder that could not be read, or holds no quotes. A search does not read
# such a file again while its size and time are the same.
SKIPPED = b""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that must be read.

    Attributes:
        source: its source.
        name: its name in the index.
        path: its path; None for standard input.
        size, modified: in bytes, and in nanoseconds since the epoch; None if unknown.
        digest: its SHA-256, or `SKIPPED`; None for standard input.
        problem: why it is skipped; '' if it is not.
        known: whether it was skipped before, and has not changed.
    """

    source: Source
    name: str
    path: Path | None
    size: int | None = None
    modified: int | None = None
    digest: bytes | None = None
    problem: str = ""
    known: bool = False

    @property
    def in_folder(self) -> bool:
        """Whether the user named a folder that contains it, not the file itself."""
        return self.name != self.source.location

    def skipped(self, problem: object) -> ChangedFile:
        """Return this file as one that is skipped because of `problem`."""
        return replace(self, digest=SKIPPED, problem=str(problem))


@dataclass(slots=True)
class Changes:
    """What has happened to the remembered sources since the last update.

    Attributes:
        changed: files that are new, or whose content has changed, including files that cannot be read.
        touched: files whose modification time has changed, but not their content.
        gone: files (id, path) that are no longer in any source.
        vanished: locations of whole sources that are missing, perhaps because a disk is not mounted.
        skipped: files and folders that are not read, each with the location of its source.
        kept: folders that cannot be searched, but have quotes in the index.
        settled: locations of sources with a file that is unchanged or only touched.
    """

    changed: list[ChangedFile] = field(default_factory=list)
    touched: list[ChangedFile] = field(default_factory=list)
    gone: list[tuple[int, str]] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    skipped: list[tuple[str, Skipped]] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether the index may differ from its sources."""
        return bool(self.changed or self.gone)


def is_stale(index: Index) -> bool:
    """Whether a file of `index` was added, removed or changed in size or modification time; no file is read.

    A source that cannot be accessed counts as changed, so that the next update reports the problem.
    """
    try:
        changes = find_changes(index.source_tables, remembered(index.source_tables), named=set(), by_content=False)
    except SourceError:
        return True
    # A source that is missing here may be present on another machine that shares the index.
    return bool(changes or (changes.vanished and not index.shared))


def mark_of(index: Index) -> str:
    """Return a mark that identifies what has changed in the sources of `index`; '' if a source cannot be read.

    The mark differs as soon as another file changes in size or modification time, or the number of quotes changes.
    """
    try:
        changes = find_changes(index.source_tables, remembered(index.source_tables), named=set(), by_content=False)
    except SourceError:
        return ""
    changed = sorted((file.name, file.size, file.modified) for file in changes.changed)
    state = json.dumps([index.count, changed, sorted(changes.gone)])
    return f"{zlib.crc32(state.encode('ascii')):08x}"


def find_changes(
    connection: sqlite3.Connection,
    sources: list[Source],
    *,
    named: set[str],
    by_content: bool = True,
    retry: bool = False,
) -> Changes:
    """Compare `sources` with what the index knows about their files; only files of a new size or time are read.

    An unreadable file in a folder is skipped and does not stop the others. Quotes indexed from it are kept.

    Args:
        connection: to the database of the index.
        sources: the sources to check.
        named: locations named by the user; if one of them is missing, that is an error.
        by_content: read files whose size or time has changed, to see whether their content has changed too.
        retry: treat files that were skipped before as changed, because they may be readable now.

    Raises:
        SourceError: a named source is missing, or a source cannot be read.
    """
    changes = Changes()
    stored = {source.location: source for source in remembered(connection)}
    for source in sources:
        if not is_unicode(source.location):
            raise SourceError(f"The name of {source.location} is not valid UTF-8; rename it.")
        known = {
            path: (file_id, size, modified, digest)
            for file_id, path, size, modified, digest in connection.execute(
                "SELECT files.id, path, size, modified, digest FROM files JOIN sources ON sources.id = source_id"
                " WHERE location = ?",
                (source.location,),
            )
        }
        before = stored.get(source.location, source)
        read_otherwise = (before.options, before.skip_bad) != (source.options, source.skip_bad)
        if source.location == STANDARD_INPUT:
            if source.location in named:
                changes.changed.append(ChangedFile(source, STANDARD_INPUT, None))
            continue
        listing = _listing(source, changes, must_exist=source.location in named)
        if listing is None:
            continue
        for folder in _unlisted(listing):
            below = [name for name in known if name.startswith(os.path.join(folder, ""))]  # noqa: PTH118
            for name in below:
                del known[name]
            changes.kept += [folder] * bool(below)
        if known and not (listing.files or _explained(listing)) and source.location not in named:
            # A folder that is suddenly empty is most likely a disk that is not mounted.
            changes.vanished.append(source.location)
            continue
        for path in listing.files:
            name = BUNDLED if source.location == BUNDLED else str(path)
            _, size, modified, digest = known.pop(name, (None, None, None, None))
            state = _Known(size, modified, None if read_otherwise else digest)
            _compare(source, name, path, state, changes, by_content=by_content, retry=retry)
        changes.gone += [(file_id, path) for path, (file_id, *_) in known.items()]
    return changes


def is_there(source: Source) -> bool:
    """Whether `source` still has a file that can be read."""
    if source.location == STANDARD_INPUT:
        return False
    listing = _listing(source, Changes(), must_exist=False)
    return listing is not None and bool(listing.files)


def quotes_of(
    file: ChangedFile, stream: BinaryIO | None, tell: Callable[[Remark], None] | None = None
) -> Iterator[Quote | BadRecord]:
    """Yield the quotes and invalid records of `file`, or of `stream` for standard input; `tell` gets the remarks."""
    if file.path is not None:
        listener = tell if file.source.location != BUNDLED else None  # users need not check the bundled file
        return read_file(file.path, file.source.options, size=file.size, tell=listener)
    if stream is None:
        raise SourceError("Standard input cannot be read here.")
    return read_stream(stream, STANDARD_INPUT, file.source.options, tell=tell)


def _listing(source: Source, changes: Changes, *, must_exist: bool) -> Listing | None:
    """Return the files in `source`; None if it is missing."""
    if source.location == BUNDLED:
        return Listing([bundled_quotes()])
    path = Path(source.location)
    if not path.exists() and not must_exist:
        changes.vanished.append(source.location)
        return None
    listing = files_of(path, source.exclude)
    if listing.files == [path]:
        format_of(path, source.options)
    changes.skipped += [(source.location, skipped) for skipped in listing.skipped]
    return listing


def _unlisted(listing: Listing) -> list[Path]:
    return [skipped.path for skipped in listing.skipped if skipped.reason is Reason.UNLISTED]


def _explained(listing: Listing) -> bool:
    """Whether there is a reason why a folder has no files: the user excludes them, or a subfolder is unreadable."""
    reasons = {Reason.EXCLUDED, Reason.GIT, Reason.UNLISTED}
    return any(skipped.reason in reasons for skipped in listing.skipped)


class _Known(NamedTuple):
    """What the index knows about a file."""

    size: int | None
    modified: int | None
    digest: bytes | None


def _compare(
    source: Source, name: str, path: Path, known: _Known, changes: Changes, *, by_content: bool, retry: bool
) -> None:
    """Compare a file with what is `known` about it, and record the result in `changes`.

    Raises:
        SourceError: it cannot be read, and the user named it.
    """
    size = modified = digest = None
    problem = ""
    try:
        status = path.stat()
        size, modified = status.st_size, status.st_mtime_ns
        if known.digest is not None and known[:2] == (size, modified) and not (retry and known.digest == SKIPPED):
            if known.digest != SKIPPED:
                changes.settled.add(source.location)
            return
        if by_content:
            digest = _digest(path, min(size, source.options.max_bytes + 1))  # more will not be read
    except (OSError, SourceError) as error:
        problem = f"{path}: cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        if name == source.location:
            raise SourceError(problem) from error
        digest = SKIPPED
    again = known == (size, modified, SKIPPED)
    if problem and (not by_content or (again and not retry)):
        return
    file = ChangedFile(source, name, path, size, modified, digest, problem, again)
    if digest is not None and digest == known.digest and not problem:
        changes.touched.append(file)
        changes.settled.add(source.location)
    else:
        changes.changed.append(file)


def _digest(path: Path, size: int) -> bytes:
    """Return the SHA-256 of the first `size` bytes of a file: all that it held when its size was read."""
    from hashlib import sha256  # loads OpenSSL, which a search does not need

    digest = sha256()
    with open_regular(path) as stream:
        while size > 0 and (chunk := stream.read(min(size, _CHUNK))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.digest()
