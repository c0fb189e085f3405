"""Read sources into a temporary table before anything is changed, in memory that does not grow with them."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from quotefind.corpus import BadRecord
from quotefind.errors import SourceError
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
    """What was read: how many quotes, how many bad records, the first of these, and what parsers remarked on files."""

    records: int = 0
    bad: int = 0
    first_bad: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def stage(
    connection: sqlite3.Connection,
    files: list[ChangedFile],
    progress: Progress,
    stream: BinaryIO | None,
    *,
    argument: str,
    give_up: Callable[[], bool] = lambda: False,
) -> Staged:
    """Read `files` into the temporary table `staged`; its column `file` is the position in `files`.

    Args:
        connection: to the index; only its temporary database is written.
        files: what to read.
        progress: told how many quotes were read.
        stream: what "-" stands for.
        argument: the command-line words that name the index, for messages.
        give_up: asked now and then; if it says so, reading stops with TimeoutError.

    Raises:
        SourceError: a file cannot be read, or holds a bad record and its source is not to skip these.
        TimeoutError: `give_up` said so.
    """
    connection.executescript("DROP TABLE IF EXISTS temp.staged;" + _SCHEMA)
    staged = Staged()
    connection.execute("BEGIN")
    try:
        connection.executemany(
            "INSERT INTO staged (file, line, name, digest, text, author, work, year, tags, note, place, added, verse)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _rows(files, staged, progress, stream, argument, give_up),
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.executescript(_INDEXES)
    return staged


def _rows(
    files: list[ChangedFile],
    staged: Staged,
    progress: Progress,
    stream: BinaryIO | None,
    argument: str,
    give_up: Callable[[], bool],
) -> Iterator[tuple[object, ...]]:
    for number, file in enumerate(files):
        for quote in quotes_of(file, stream, lambda remark: staged.remarks.append(remark.text)):
            if isinstance(quote, BadRecord):
                _count_bad(quote, file, staged, argument)
                continue
            staged.records += 1
            if staged.records % _TELL_EVERY == 0:
                progress("reading", staged.records)
                if give_up():
                    raise TimeoutError
            tags = json.dumps(quote.tags, ensure_ascii=False) if quote.tags else "[]"
            yield (
                number,
                quote.line,
                quote_id(quote.text, quote.author),
                text_digest(quote.text),
                one_line(quote.text),
                quote.author,
                quote.work,
                quote.year,
                tags,
                quote.note,
                quote.place,
                quote.added,
                quote.text if "\n" in quote.text else None,
            )


def _count_bad(record: BadRecord, file: ChangedFile, staged: Staged, argument: str) -> None:
    """Count a record that is skipped; bytes that do not decode mean that the whole file is read wrongly."""
    if record.is_undecodable and not file.source.skip_bad:
        raise SourceError(
            f"{record.where}: {record.problem}. Nothing was changed. To skip such records: "
            f"quotefind index {shlex.quote(file.source.location)}{options_argument(file.source)} --skip-bad{argument}"
        )
    staged.bad += 1
    if len(staged.first_bad) < _LISTED:
        staged.first_bad.append(f"{record.where}: {record.problem}")
