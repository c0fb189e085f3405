"""Read the names in a local index for completion: fast, without NumPy, and without changing any file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from quotefind.private_files import check_private
from quotefind.text import fold

if TYPE_CHECKING:
    import sqlite3

# As in `database`, which is not used here because it may wait for a writer, and let SQLite create files.
FILE_NAME = "index.sqlite"
# Names, and the number of quotes with each. Tags have a table only of their folded form.
_COUNTED = {
    "authors": "SELECT name, (SELECT count(*) FROM quotes WHERE author_id = authors.id) FROM authors",
    "works": "SELECT name, (SELECT count(*) FROM quotes WHERE work_id = works.id) FROM works",
    "tags": "SELECT folded, (SELECT count(*) FROM quote_tags WHERE tag_id = tags.id) FROM tags",
}
# The time limit in seconds, and the number of steps after which SQLite checks it.
_SECONDS, _STEPS = 0.5, 10_000


def names_in(directory: Path, kind: str, typed: str, most: int = 100) -> list[str]:
    """Return names in an index of which a word begins with what was typed.

    Case and accents do not matter. Names whose first word matches come first, then the most frequent.

    Args:
        directory: the directory of the index. No file in it is changed or created, and no lock is waited for.
        kind: "authors", "works" or "tags".
        typed: the beginning of a word; empty for all names.
        most: the maximum number of names.

    Raises:
        OSError, sqlite3.Error: the index cannot be read, or that takes too long.
    """
    words = fold(typed)
    if (typed.strip() and not words) or not (directory / FILE_NAME).exists():
        return []
    with closing(_connect(directory)) as connection:
        found = connection.execute(
            f"SELECT * FROM ({_COUNTED[kind]} WHERE instr(' ' || folded, ?1) ORDER BY instr(' ' || folded, ?1) > 1, 2"
            " DESC, 1) LIMIT ?2",
            (f" {words}" if words else "", most),
        )
        return [str(name) for name, count in found if count]


def _connect(directory: Path) -> sqlite3.Connection:
    """Open the database for reading without creating files beside it; none are needed while nobody is writing."""
    import sqlite3

    path = directory / FILE_NAME
    log, shared = (path.with_name(f"{FILE_NAME}{suffix}") for suffix in ("-wal", "-shm"))
    for own in (path, log, shared):
        check_private(own)
    written = log.exists() and log.stat().st_size and shared.exists()
    how = "mode=ro" if written else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=0)
    end = monotonic() + _SECONDS
    connection.set_progress_handler(lambda: monotonic() > end, _STEPS)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
