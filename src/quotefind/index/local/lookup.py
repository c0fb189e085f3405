"""Look up single quotes in a local index: only its database is opened, without the matrix and NumPy."""

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
        """Use `connection`, which holds one committed state."""
        self._directory = directory
        self._connection = connection

    def ids(self, where: Filter, most: int) -> list[str]:
        """See `Lookup.ids`."""
        condition, values = sql(where)
        found = self._connection.execute(f"SELECT name FROM quotes WHERE {condition} LIMIT ?", (*values, most))
        return [name for (name,) in found]

    def first_id(self, where: Filter, start: str) -> str | None:
        """See `Lookup.first_id`."""
        condition, values = sql(where)
        for beginning in (start, ""):
            # In the order of ids, so that SQLite stops at the first match and sorts nothing.
            found = self._connection.execute(
                f"SELECT name FROM quotes INDEXED BY sqlite_autoindex_quotes_1 WHERE name >= ? AND {condition}"
                " ORDER BY name LIMIT 1",
                (beginning, *values),
            ).fetchone()
            if found:
                return str(found[0])
        return None

    def quote(self, quote_id: str) -> Quote:
        """Return the quote with this id, which must be in the index.

        Raises:
            IndexUnusableError: the quote does not match its checksum.
        """
        for _, _, quote in checked_quotes(self._directory, self._connection, "name = ?", [quote_id]):
            return quote
        raise database.damaged(self._directory, f"quote {quote_id} cannot be found")


@contextmanager
def open_lookup(directory: Path, *, missing_ok: bool = False) -> Iterator[LocalLookup | None]:
    """Open the index in `directory`; yield None if it is missing and `missing_ok` is set.

    Damage found inside the `with` block is reported too.

    Raises:
        IndexUnusableError: the index cannot be used.
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
