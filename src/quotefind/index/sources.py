"""What an index is made from: the sources it remembers, and which of their files have changed."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quotefind.corpus import BadRecord, ReadOptions, files_of, format_of, open_regular, read_file, read_stream
from quotefind.errors import SourceError
from quotefind.paths import BUNDLED, bundled_quotes
from quotefind.records import Quote
from quotefind.text import is_unicode

if TYPE_CHECKING:
    from quotefind.index.interface import Index

STANDARD_INPUT = "-"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A source and how it is to be read.

    Attributes:
        location: an absolute path, "bundled", or "-" for standard input.
        options: how it is read.
        skip_bad: whether records that are no quotes are counted and passed over.
    """

    location: str
    options: ReadOptions = field(default_factory=ReadOptions)
    skip_bad: bool = False


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file whose quotes have to be read again; `path` is None for standard input."""

    source: Source
    name: str
    path: Path | None
    size: int | None = None
    modified: int | None = None
    digest: bytes | None = None


@dataclass(slots=True)
class Changes:
    """What has happened to the remembered sources since they were indexed.

    Attributes:
        changed: files that are new or whose content is another.
        touched: files with another time but the same content.
        gone: files (id, path) that no source holds any more.
        vanished: locations of whole sources that are not there (a disk not mounted, perhaps).
        passed_over: files in folders whose format is not known.
        unchanged: how many files are as they were.
    """

    changed: list[ChangedFile] = field(default_factory=list)
    touched: list[ChangedFile] = field(default_factory=list)
    gone: list[tuple[int, str]] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)
    unchanged: int = 0

    def __bool__(self) -> bool:
        """Whether the quotes of the index can be others than those of its sources."""
        return bool(self.changed or self.gone)


def location_of(argument: str) -> str:
    """Return what is remembered for a SOURCE as it was given."""
    if argument == STANDARD_INPUT or (argument == BUNDLED and not Path(argument).exists()):
        return argument
    return os.path.abspath(Path(argument).expanduser())  # noqa: PTH100 - it also takes out ".."


def remembered(connection: sqlite3.Connection) -> list[Source]:
    """Return the sources of the index, in the order in which they came."""
    sources = []
    for location, text in connection.execute("SELECT location, options FROM sources ORDER BY id"):
        try:
            options = json.loads(text)
            skip_bad = options.pop("skip_bad")
            sources.append(Source(location, ReadOptions(**options), skip_bad))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise sqlite3.DatabaseError(f"no options of a source: {error}") from error
    return sources


def options_text(source: Source) -> str:
    """Return how `source` is read, as it is stored."""
    return json.dumps({**asdict(source.options), "skip_bad": source.skip_bad})


def options_argument(source: Source) -> str:
    """Return the command-line words that say how `source` is read, with a leading space, or ''."""
    usual = asdict(ReadOptions())
    return "".join(
        f" --{name.replace('_', '-')} {shlex.quote(str(value))}"
        for name, value in asdict(source.options).items()
        if value != usual[name]
    )


def is_stale(index: Index) -> bool:
    """Whether a file of `index` was added, removed or changed in size or time; no file is read.

    A file that cannot be looked at counts as changed, so that the update that follows says what is wrong with it.
    """
    try:
        changes = find_changes(index.ledger, remembered(index.ledger), named=set(), by_content=False)
    except SourceError:
        return True
    # What is not there may be there for another machine that the index is shared with.
    return bool(changes or (changes.vanished and not index.shared))


def source_with(ledger: sqlite3.Connection, file: Path) -> str | None:
    """Return the source that `file` was read from, by whatever name or link; None where it is of none."""
    known = ledger.execute(
        "SELECT location, path FROM files JOIN sources ON sources.id = source_id ORDER BY files.id"
    ).fetchall()
    for location, path in known:
        with suppress(OSError):  # it is not there any more, or was never a file
            if Path(path).samefile(file) or Path(location, path).samefile(file):
                return str(location)
    return None


def find_changes(
    connection: sqlite3.Connection, sources: list[Source], *, named: set[str], by_content: bool = True
) -> Changes:
    """Compare `sources` with what the index knows of their files; only what changed in size or time is read.

    Args:
        connection: to the index.
        sources: those to look at.
        named: locations that the user has named now; where one of these is not there, that is an error.
        by_content: read what has another size or time, to see whether its content is another too.

    Raises:
        SourceError: a named source is not there or cannot be read.
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
        read_anew = source.location in stored and stored[source.location] != source
        if source.location == STANDARD_INPUT:
            if source.location in named:
                changes.changed.append(ChangedFile(source, STANDARD_INPUT, None))
            continue
        found = _files(source, changes, must_exist=source.location in named)
        if found is None:
            continue
        if known and not found and source.location not in named:
            # A folder that suddenly holds nothing is more likely a disk that is not mounted.
            changes.vanished.append(source.location)
            continue
        for name, path in found.items():
            _, size, modified, digest = known.pop(name, (None, None, None, None))
            _compare(source, name, path, (size, modified, None if read_anew else digest), changes, by_content)
        changes.gone += [(file_id, path) for path, (file_id, *_) in known.items()]
    return changes


def is_there(source: Source) -> bool:
    """Whether `source` has any file that can be read again."""
    return source.location != STANDARD_INPUT and bool(_files(source, Changes(), must_exist=False))


def quotes_of(file: ChangedFile, stream: BinaryIO | None) -> Iterator[Quote | BadRecord]:
    """Return what `file` holds; `stream` is read where it stands for standard input."""
    if file.path is not None:
        return read_file(file.path, file.source.options, size=file.size)
    if stream is None:
        raise SourceError("Standard input cannot be read here.")
    return read_stream(stream, STANDARD_INPUT, file.source.options)


def _files(source: Source, changes: Changes, *, must_exist: bool) -> dict[str, Path] | None:
    """Return the files of `source` under the names that are remembered; None where it is not there."""
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
            changes.changed.append(ChangedFile(source, name, path))
            return
        now = _digest(path, min(status.st_size, source.options.max_bytes + 1))  # what is larger will not be read
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    file = ChangedFile(source, name, path, status.st_size, status.st_mtime_ns, now)
    (changes.touched if now == digest else changes.changed).append(file)


def _digest(path: Path, size: int) -> bytes:
    """Return the SHA-256 of the first `size` bytes of a file: of all that it held when it was looked at."""
    from hashlib import sha256  # loads OpenSSL, which a search does not need

    digest = sha256()
    with open_regular(path) as stream:
        while size > 0 and (chunk := stream.read(min(size, _CHUNK))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.digest()
