"""What has changed in the sources of an index since it was updated."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quotefind.corpus import BadRecord, Remark, files_of, format_of, open_regular, read_file, read_stream
from quotefind.errors import SourceError
from quotefind.index.sources import STANDARD_INPUT, Source, remembered
from quotefind.paths import BUNDLED, bundled_quotes
from quotefind.records import Quote
from quotefind.text import is_unicode

if TYPE_CHECKING:
    from quotefind.index.interface import Index

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file whose quotes must be read again; `path` is None for standard input."""

    source: Source
    name: str
    path: Path | None
    size: int | None = None
    modified: int | None = None
    digest: bytes | None = None


@dataclass(slots=True)
class Changes:
    """What has happened to the remembered sources since the last update.

    Attributes:
        changed: files that are new or have other content.
        touched: files with another modification time but the same content.
        gone: files (id, path) that are no longer in any source.
        vanished: locations of whole sources that are missing (perhaps a disk that is not mounted).
        passed_over: files in folders whose format is unknown.
        unchanged: how many files are unchanged.
    """

    changed: list[ChangedFile] = field(default_factory=list)
    touched: list[ChangedFile] = field(default_factory=list)
    gone: list[tuple[int, str]] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)
    unchanged: int = 0

    def __bool__(self) -> bool:
        """Whether the index may differ from its sources."""
        return bool(self.changed or self.gone)


def is_stale(index: Index) -> bool:
    """Whether a file of `index` was added, removed or changed in size or modification time; no file is read.

    A file that cannot be accessed counts as changed, so that the next update reports what is wrong with it.
    """
    try:
        changes = find_changes(index.source_tables, remembered(index.source_tables), named=set(), by_content=False)
    except SourceError:
        return True
    # What is missing here may be there for another machine that shares the index.
    return bool(changes or (changes.vanished and not index.shared))


def mark_of(index: Index) -> str:
    """Return a text that stands for what has changed in the sources of `index`; '' if a source cannot be read.

    It is another once a file changes again, in size or modification time, or the number of quotes.
    """
    try:
        changes = find_changes(index.source_tables, remembered(index.source_tables), named=set(), by_content=False)
    except SourceError:
        return ""
    changed = sorted((file.name, file.size, file.modified) for file in changes.changed)
    state = json.dumps([index.count, changed, sorted(changes.gone)])
    return f"{zlib.crc32(state.encode('ascii')):08x}"


def find_changes(
    connection: sqlite3.Connection, sources: list[Source], *, named: set[str], by_content: bool = True
) -> Changes:
    """Compare `sources` with what the index knows of their files; only files with another size or time are read.

    Args:
        connection: to the index.
        sources: those to check.
        named: locations that the user has named; it is an error if one of them is missing.
        by_content: read files with another size or time, to see whether their content has changed.

    Raises:
        SourceError: a named source is missing or cannot be read.
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
        read_otherwise = source.location in stored and stored[source.location] != source
        if source.location == STANDARD_INPUT:
            if source.location in named:
                changes.changed.append(ChangedFile(source, STANDARD_INPUT, None))
            continue
        found = _files(source, changes, must_exist=source.location in named)
        if found is None:
            continue
        if known and not found and source.location not in named:
            # A folder that is suddenly empty is more likely a disk that is not mounted.
            changes.vanished.append(source.location)
            continue
        for name, path in found.items():
            _, size, modified, digest = known.pop(name, (None, None, None, None))
            _compare(source, name, path, (size, modified, None if read_otherwise else digest), changes, by_content)
        changes.gone += [(file_id, path) for path, (file_id, *_) in known.items()]
    return changes


def is_there(source: Source) -> bool:
    """Whether `source` has any file that can be read again."""
    return source.location != STANDARD_INPUT and bool(_files(source, Changes(), must_exist=False))


def quotes_of(
    file: ChangedFile, stream: BinaryIO | None, tell: Callable[[Remark], None] | None = None
) -> Iterator[Quote | BadRecord]:
    """Return the records of `file`; `stream` is read if it is standard input; `tell` gets remarks on the whole file."""
    if file.path is not None:
        told = tell if file.source.location != BUNDLED else None  # nobody has to check our own file
        return read_file(file.path, file.source.options, size=file.size, tell=told)
    if stream is None:
        raise SourceError("Standard input cannot be read here.")
    return read_stream(stream, STANDARD_INPUT, file.source.options, tell=tell)


def _files(source: Source, changes: Changes, *, must_exist: bool) -> dict[str, Path] | None:
    """Return the files of `source` by the names that are remembered; None if it is missing."""
    if source.location == BUNDLED:
        return {BUNDLED: bundled_quotes()}
    path = Path(source.location)
    if not path.exists() and not must_exist:
        changes.vanished.append(source.location)
        return None
    files, passed_over = files_of(path)
    if path.is_file():
        format_of(path, source.options)
    named = [file for file in files if is_unicode(str(file))]
    changes.passed_over += passed_over + [file for file in files if not is_unicode(str(file))]
    return {str(file): file for file in named}


def _compare(
    source: Source,
    name: str,
    path: Path,
    known: tuple[int | None, int | None, bytes | None],
    changes: Changes,
    by_content: bool,
) -> None:
    size, modified, digest = known
    try:
        status = path.stat()
        if digest is not None and (size, modified) == (status.st_size, status.st_mtime_ns):
            changes.unchanged += 1
            return
        if not by_content:
            changes.changed.append(ChangedFile(source, name, path, status.st_size, status.st_mtime_ns))
            return
        now = _digest(path, min(status.st_size, source.options.max_bytes + 1))  # more will not be read
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    file = ChangedFile(source, name, path, status.st_size, status.st_mtime_ns, now)
    (changes.touched if now == digest else changes.changed).append(file)


def _digest(path: Path, size: int) -> bytes:
    """Return the SHA-256 of the first `size` bytes of a file: all that it held when its size was read."""
    from hashlib import sha256  # loads OpenSSL, which a search does not need

    digest = sha256()
    with open_regular(path) as stream:
        while size > 0 and (chunk := stream.read(min(size, _CHUNK))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.digest()
