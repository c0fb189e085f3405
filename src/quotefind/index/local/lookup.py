"""An index opened for a quote or two: its database alone, without the matrix and without NumPy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from quotefind.index.filters import Filter, sql
from quotefind.index.local import database
from quotefind.index.local.manifest import missing_index, read_manifest
from quotefind.index.local.quotes import checked_quotes
from quotefind.records import Quote


class LocalLookup:
    """One committed state of the database of an index; see `open_lookup`."""

    def __init__(self, directory: Path, connection: sqlite3.Connection) -> None:
        """Read what `connection` shows."""
        self._directory = directory
        self._connection = connection

    def ids(self, where: Filter, most: int) -> list[str]:
        """Return the ids of quotes that satisfy `where`, in no order; `most` of them where there are more."""
        condition, values = sql(where)
        found = self._connection.execute(f"SELECT name FROM quotes WHERE {condition} LIMIT ?", (*values, most))
        return [name for (name,) in found]

    def first_id(self, where: Filter, start: str) -> str | None:
        """Return the least id from `start` on that satisfies `where`; from the beginning again where there is none."""
        condition, values = sql(where)
        for beginning in (start, ""):
            # By the ids in their order, of which the first few will do: whatever else SQLite could sort.
            found = self._connection.execute(
                f"SELECT name FROM quotes INDEXED BY sqlite_autoindex_quotes_1 WHERE name >= ? AND {condition}"
                " ORDER BY name LIMIT 1",
                (beginning, *values),
            ).fetchone()
            if found:
                return str(found[0])
        return None

    def quote(self, quote_id: str) -> Quote:
        """Return the quote with this id, which is in the index.

        Raises:
            IndexUnusableError: it is not what was written.
        """
        for _, _, quote in checked_quotes(self._directory, self._connection, "name = ?", [quote_id]):
            return quote
        raise database.damaged(self._directory, f"quote {quote_id} cannot be found again")


@contextmanager
def open_lookup(directory: Path, *, missing_ok: bool = False) -> Iterator[LocalLookup | None]:
    """Give the index in `directory`; None, where `missing_ok` says so, if none was ever made there.

    What is done within may meet damage too.

    Raises:
        IndexUnusableError: it cannot be used.
    """
    with database.damage_reported(directory):
        if missing_ok and not database.exists(directory) and not any(directory.glob("vectors-*.npy")):
            yield None
            return
        if not database.exists(directory):
            raise missing_index(directory)
        with closing(database.connect_to_read(directory)) as connection:
            connection.execute("BEGIN")
            if read_manifest(connection, directory) is None:
                if not missing_ok or any(directory.glob("vectors-*.npy")):
                    raise missing_index(directory)
                yield None
                return
            yield LocalLookup(directory, connection)
