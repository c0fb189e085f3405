"""Read sources into a temporary table before anything is changed; memory use does not grow with their size."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from quotefind.corpus import BadRecord
from quotefind.errors import ModelError, SourceError
from quotefind.index.changes import ChangedFile, quotes_of
from quotefind.index.sources import options_argument
from quotefind.progress import Progress
from quotefind.text import one_line, quote_id, text_digest

_LISTED = 3
_TELL_EVERY = 20_000

_SCHEMA = """
CREATE TEMP TABLE staged (
    n INTEGER PRIMARY KEY, file INTEGER, line INTEGER, name TEXT, digest BLOB,
    text TEXT, author TEXT, work TEXT, year INTEGER, tags TEXT, note TEXT,
    place TEXT, added TEXT, verse TEXT, quote_id INTEGER
);
"""
_INDEXES = """
CREATE INDEX temp.staged_name ON staged (name);
CREATE INDEX temp.staged_digest ON staged (digest);
CREATE INDEX temp.staged_said ON staged (digest) WHERE author IS NOT NULL;
"""


@dataclass(slots=True)
class Staged:
    """What was read.

    Attributes:
        bad: the number of records that are not quotes.
        first_bad: the first of these, and what is wrong with them.
        remarks: the parsers' remarks on files.
        filled: locations of the sources that have quotes.
    """

    bad: int = 0
    first_bad: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)


def stage(
    connection: sqlite3.Connection,
    files: list[ChangedFile],
    progress: Progress,
    stream: BinaryIO | None,
    *,
    argument: str,
    give_up: Callable[[], bool] = lambda: False,
) -> Staged:
    """Read `files` into the temporary table `staged`, whose column `file` holds positions in `files`.

    A file in a folder that cannot be read, or has no quotes, is skipped; its replacement in `files` has the reason.

    Args:
        connection: to the database of the index; only its temporary tables are written.
        files: the files to read.
        progress: called with the number of quotes read.
        stream: the stream to read for "-".
        argument: the command-line words that name the index, for messages.
        give_up: called now and then; once it returns True, reading stops with a TimeoutError.

    Raises:
        SourceError: a file that the user named cannot be read, or has a record that does not decode, unless its source
            skips these.
        TimeoutError: `give_up` returned True.
    """
    connection.executescript("DROP TABLE IF EXISTS temp.staged;" + _SCHEMA)
    staged = Staged()
    reading = _Reading(staged, progress, stream, argument, give_up)
    connection.execute("BEGIN")
    try:
        connection.executemany(
            "INSERT INTO staged (file, line, name, digest, text, author, work, year, tags, note, place, added, verse)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            reading.rows(files),
        )
        connection.executemany("DELETE FROM staged WHERE file = ?", reading.failed)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.executescript(_INDEXES)
    return staged


@dataclass(slots=True)
class _Reading:
    """The reading of several files.

    Attributes:
        staged: what was read so far, without skipped files.
        progress, stream, argument, give_up: see `stage`.
        failed: the positions of files that were skipped after some of their quotes were read.
        records: the number of quotes read.
    """

    staged: Staged
    progress: Progress
    stream: BinaryIO | None
    argument: str
    give_up: Callable[[], bool]
    failed: list[tuple[int]] = field(default_factory=list)
    records: int = 0

    def rows(self, files: list[ChangedFile]) -> Iterator[tuple[object, ...]]:
        """Yield the rows for all `files`, and replace the files that are skipped."""
        for number, file in enumerate(files):
            if file.problem:
                continue
            bad, first_bad, remarks = self.staged.bad, len(self.staged.first_bad), len(self.staged.remarks)
            records = self.records
            try:
                yield from self._rows_of(number, file)
            except (SourceError, ModelError) as error:  # an extra may be missing
                if not file.in_folder:
                    raise
                files[number] = file.skipped(error)
                if self.records > records:
                    self.failed.append((number,))
                self.staged.bad = bad
                del self.staged.first_bad[first_bad:], self.staged.remarks[remarks:]
                continue
            if self.records > records:
                self.staged.filled.add(file.source.location)

    def _rows_of(self, number: int, file: ChangedFile) -> Iterator[tuple[object, ...]]:
        for quote in quotes_of(file, self.stream, lambda remark: self.staged.remarks.append(remark.text)):
            if isinstance(quote, BadRecord):
                _count_bad(quote, file, self.staged, self.argument)
                continue
            self.records += 1
            if self.records % _TELL_EVERY == 0:
                self.progress("reading", self.records)
                if self.give_up():
                    raise TimeoutError
            yield (
                number,
                quote.line,
                quote_id(quote.text, quote.author),
                text_digest(quote.text),
                one_line(quote.text),
                quote.author,
                quote.work,
                quote.year,
                json.dumps(quote.tags, ensure_ascii=False) if quote.tags else "[]",
                quote.note,
                quote.place,
                quote.added,
                quote.text if "\n" in quote.text else None,
            )


def _count_bad(record: BadRecord, file: ChangedFile, staged: Staged, argument: str) -> None:
    """Count a skipped record; raise SourceError for bytes that do not decode: the encoding of the file is wrong."""
    if record.is_undecodable and not file.source.skip_bad:
        if file.in_folder:
            raise SourceError(f"{record.where}: {record.problem}; or add --skip-bad to skip such records")
        raise SourceError(
            f"{record.where}: {record.problem}. Nothing was changed. To skip such records: "
            f"quotefind index {shlex.quote(file.source.location)}{options_argument(file.source)} --skip-bad{argument}"
        )
    staged.bad += 1
    if len(staged.first_bad) < _LISTED:
        staged.first_bad.append(f"{record.where}: {record.problem}")
