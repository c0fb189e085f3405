"""SQLite databases of reading tools; they are copied before they are opened, and not trusted."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from quotefind.corpus.options import ReadOptions
from quotefind.corpus.seekable import on_disk
from quotefind.errors import SourceError

_LARGEST_ROW = 16_000_000  # bytes, including the drawings that some rows hold
# Steps of SQLite's virtual machine: some seconds. A hundred thousand highlights take a few million.
_MOST_STEPS = 200_000_000
_STEPS_AT_ONCE = 1_000_000


@contextmanager
def open_copy(stream: BinaryIO, name: str, options: ReadOptions, expected: str) -> Iterator[sqlite3.Connection]:
    """Copy the database in `stream`, and the log beside the file `name`, and open the copy for reading.

    Neither the original nor anything beside it is ever written to. Nothing in the database is trusted: views and
    functions in its schema are not run, and the size of a value and the time of a query are limited. Text that is not
    UTF-8 becomes lone surrogates (PEP 383).

    Args:
        stream: the bytes of the database.
        name: its path, also used in messages.
        options: how to read it; `max_bytes` also limits its log.
        expected: what was expected, for messages ("expected the database of …").

    Raises:
        SourceError: it is not a database, or is damaged; also raised while the caller reads from it.
    """
    with on_disk(stream) as path:
        mode = "rw" if _copy_log(name, path, options.max_bytes) else "ro&immutable=1"
        connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True)
        try:
            _distrust(connection)
            yield connection
        except (sqlite3.Error, MemoryError) as error:  # the latter if damaged bytes name an absurd size
            reason = " ".join(str(error).split()) or "damaged"
            raise SourceError(f"{name}: not a readable database ({reason}); {expected}") from error
        finally:
            connection.close()


def columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of the columns of `table`, in lower case; an empty set if it is missing or a view."""
    found = connection.execute("SELECT type FROM sqlite_schema WHERE name = ? COLLATE NOCASE", (table,)).fetchone()
    if found != ("table",):
        return set()
    return {column.casefold() for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")}


def _copy_log(name: str, copy: Path, max_bytes: int) -> bool:
    """Copy the log beside the database, which may hold the newest highlights, to `copy`; return whether it exists."""
    log = Path(f"{name}-wal")
    try:
        if not (log.is_file() and 0 < log.stat().st_size <= max_bytes):
            return False
        shutil.copyfile(log, f"{copy}-wal")
    except OSError as error:
        raise SourceError(f"{log} cannot be read: {error.strerror or error}.") from error
    return True


def _distrust(connection: sqlite3.Connection) -> None:
    """Limit what the file can make SQLite do."""
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
