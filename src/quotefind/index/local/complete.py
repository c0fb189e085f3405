"""Names in a local index, for completion: read fast, without NumPy, and without changing any file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from quotefind.private_files import check_private
from quotefind.text import fold

if TYPE_CHECKING:
    import sqlite3

# As in `database`, which is not used here: it may wait for a writer, and let SQLite make files.
FILE_NAME = "index.sqlite"
# Names, and how many quotes have each. Of a tag only the folded form has a table.
_COUNTED = {
    "authors": "SELECT name, (SELECT count(*) FROM quotes WHERE author_id = authors.id) FROM authors",
    "works": "SELECT name, (SELECT count(*) FROM quotes WHERE work_id = works.id) FROM works",
    "tags": "SELECT folded, (SELECT count(*) FROM quote_tags WHERE tag_id = tags.id) FROM tags",
}
# The time limit in seconds, and after how many of its steps SQLite checks it.
_SECONDS, _STEPS = 0.5, 10_000


def names_in(directory: Path, kind: str, typed: str, most: int = 100) -> list[str]:
    """Return names in an index that begin with what was typed, or have a word that does.

    Case and accents do not matter. Names that begin with it come first, then the most frequent.

    Args:
        directory: that of the index. Nothing in it is changed or made, and no lock is waited for.
        kind: "authors", "works" or "tags".
        typed: the beginning of a name; empty for all.
        most: how many names to return at most.

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
    """Open the database for reading so that no file appears beside it: none is needed while nobody writes."""
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
