"""The database of a Kobo, `KoboReader.sqlite`: highlights become quotes, what was written beside them their notes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from quotefind.corpus.fields import bad, make_quote, raw_problem
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.seekable import on_disk
from quotefind.errors import SourceError
from quotefind.records import Quote

_LARGEST_ROW = 16_000_000  # bytes, with the drawings that stand in some
# Steps of SQLite's machine: some seconds. A hundred thousand highlights take a few million.
_MOST_STEPS = 200_000_000
_STEPS_AT_ONCE = 1_000_000

# A book that was deleted leaves its highlights behind. Bookmarks of a page and drawings hold no text.
_HIGHLIGHTS = """
SELECT CAST(Bookmark.Text AS TEXT), {annotation}, {title}, {author}
FROM Bookmark LEFT JOIN content ON content.ContentID = Bookmark.VolumeID
WHERE trim(coalesce(Bookmark.Text, ''), char(9, 10, 13, 32, 160)) <> ''
{visible}
ORDER BY Bookmark.VolumeID, Bookmark.rowid
"""
_EXPECTED = "expected the KoboReader.sqlite of a Kobo"


def read_kobo(stream: BinaryIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights in the database of a Kobo, book by book; the line of each is its number among them.

    The database is never written to, not even beside: it is copied, and the copy opened as one that cannot change.
    Nothing in it is trusted: no views, no functions of its schema, values and time have their bounds.
    """
    with on_disk(stream) as path:
        mode = "rw" if _copy_log(name, path, options.max_bytes) else "ro&immutable=1"
        connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True)
        try:
            yield from _read(connection, name, options)
        except (sqlite3.Error, MemoryError) as error:  # the latter where damage names an absurd size
            reason = " ".join(str(error).split()) or "damaged"
            raise SourceError(f"{name}: no database that can be read ({reason}); {_EXPECTED}") from error
        finally:
            connection.close()


def _copy_log(name: str, copy: Path, max_bytes: int) -> bool:
    """Copy the log beside the database, whose newest highlights may be there only, beside its `copy`, if it has one."""
    log = Path(f"{name}-wal")
    try:
        if not (log.is_file() and 0 < log.stat().st_size <= max_bytes):
            return False
        shutil.copyfile(log, f"{copy}-wal")
    except OSError as error:
        raise SourceError(f"{log} cannot be read: {error.strerror or error}.") from error
    return True


def _read(connection: sqlite3.Connection, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    _distrust(connection)
    for number, fields in enumerate(connection.execute(_query(connection, name)), 1):
        text, note, title, author = fields
        if problem := raw_problem("".join(field for field in fields if field), options.encoding):
            yield bad(name, number, problem)
        else:
            yield make_quote(name, number, text, author, title, note=note)


def _distrust(connection: sqlite3.Connection) -> None:
    """Set the bounds of what the file can have SQLite do."""
    left = _MOST_STEPS // _STEPS_AT_ONCE

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_ROW)
    connection.set_progress_handler(stop, _STEPS_AT_ONCE)
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")


def _query(connection: sqlite3.Connection, name: str) -> str:
    """Return what to ask for: older databases lack some columns."""
    for table in ("Bookmark", "content"):
        kind = connection.execute("SELECT type FROM sqlite_schema WHERE name = ? COLLATE NOCASE", (table,)).fetchone()
        if kind != ("table",):
            raise SourceError(f"{name}: no table {table}; {_EXPECTED}")
    columns = {
        table: {column.casefold() for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")}
        for table in ("Bookmark", "content")
    }
    if not {"text", "volumeid"} <= columns["Bookmark"] or "contentid" not in columns["content"]:
        raise SourceError(f"{name}: a table without the columns of highlights; {_EXPECTED}")

    def value(table: str, column: str) -> str:
        return f"CAST({table}.{column} AS TEXT)" if column.casefold() in columns[table] else "NULL"

    hidden = "AND lower(coalesce(Bookmark.Hidden, 'false')) NOT IN ('true', '1')"
    return _HIGHLIGHTS.format(
        annotation=value("Bookmark", "Annotation"),
        title=value("content", "Title"),
        author=value("content", "Attribution"),
        visible=hidden if "hidden" in columns["Bookmark"] else "",
    )
