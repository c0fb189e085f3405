"""The part of an index that an update touches, as a database in a temporary file.

The same SQL statements as for a local index decide what is new, changed or removed; they work on the tables of
`index.schema`. Here these tables hold only the quotes that were read, and the stored quotes that share a text with them
or come from a changed file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from quotefind.index.changes import Changes
from quotefind.index.lance.dataset import readable_source_tables
from quotefind.index.lance.rows import in_parts, json_of, record_of
from quotefind.index.schema import SCHEMA, add_functions, statements, transaction
from quotefind.text import fold

if TYPE_CHECKING:
    from quotefind.index.lance.versions import Versions

# The most digests, files or rows that one condition names.
_AT_ONCE = 2000
# The columns of a stored quote that are loaded.
_TAKEN = [
    "row", "id", "digest", "checksum", "text", "chars", "author", "work", "year", "tags", "proposed", "note",
    "place", "added", "verse", "truncated", "seal", "files", "lines",
]  # fmt: skip
# The stored quotes, with the checksums and places that the dataset has: the difference to `quotes` is what changed.
_STORED = "CREATE TABLE stored (row INTEGER PRIMARY KEY, seal INTEGER NOT NULL, places TEXT NOT NULL)"
_PLACES = """
(SELECT json_group_array(json_array(file_id, line)) FROM
    (SELECT file_id, line FROM places WHERE places.quote_id = quotes.id ORDER BY file_id))
"""
_QUOTES = f"""
SELECT quotes.row, lower(hex(digest)), quotes.seal, {_PLACES}, quotes.name, text, authors.name, works.name, year, note,
    place, added, verse, tags, proposed
FROM quotes
LEFT JOIN authors ON authors.id = author_id
LEFT JOIN works ON works.id = work_id
"""
_CHANGED = f"""
EXISTS (SELECT 1 FROM stored
    WHERE stored.row = quotes.row AND (stored.seal <> quotes.seal OR stored.places <> {_PLACES}))
"""


def open_workspace() -> sqlite3.Connection:
    """Return an empty workspace database; closing it deletes it."""
    # A temporary file. Lance reads from it in another thread while this one waits.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA foreign_keys = ON")
    add_functions(connection)
    for statement in statements(SCHEMA):
        if "VIRTUAL TABLE" not in statement:  # full-text search is not needed here
            connection.execute(statement)
    connection.execute(_STORED)
    return connection


class Workspace:
    """The database of one update.

    Attributes:
        connection: to the database.
    """

    def __init__(self, connection: sqlite3.Connection, versions: Versions) -> None:
        """Load stored quotes from the newest of `versions` at the time."""
        self.connection = connection
        self._versions = versions

    def begin(self) -> None:
        """Empty the database and load the sources of the newest version."""
        for name in ("places", "quote_tags", "proposed_tags", "quotes", "stored", "files", "sources"):
            self.connection.execute(f"DELETE FROM {name}")
        with readable_source_tables(self._versions.location):
            self._versions.source_tables.fill(self.connection)

    def load(self, changes: Changes, gone: set[str]) -> set[int]:
        """Load the stored quotes that share a text with staged quotes or come from a file that changed or is removed.

        Args:
            changes: what is staged.
            gone: locations of sources that are removed.

        Returns:
            The numbers of all files that changed or are removed.
        """
        files = self._files(changes, gone)
        if self._versions.count():
            staged = self.connection.execute("SELECT DISTINCT digest FROM staged")
            self._take_over("digest", (digest.hex() for (digest,) in staged))
            self._take_over("files", files)
        return set(files)

    def _files(self, changes: Changes, gone: set[str]) -> list[int]:
        execute = self.connection.execute
        numbers = [number for number, _ in changes.gone]
        for file in changes.changed:
            numbers += [
                number
                for (number,) in execute(
                    "SELECT files.id FROM files JOIN sources ON sources.id = source_id WHERE location = ? AND path = ?",
                    (file.source.location, file.name),
                )
            ]
        return numbers + self.files_of(gone)

    def files_of(self, locations: Iterable[str]) -> list[int]:
        """Return the numbers of the files of the sources at `locations`."""
        return [
            number
            for location in locations
            for (number,) in self.connection.execute(
                "SELECT files.id FROM files JOIN sources ON sources.id = source_id WHERE location = ?", (location,)
            )
        ]

    def count_stored(self, files: Sequence[int] | None) -> int:
        """Return how many of the loaded quotes the dataset holds: all, or those that it has from any of `files`."""
        if files is None:
            return int(self.connection.execute("SELECT count(*) FROM stored").fetchone()[0])
        self.connection.execute("CREATE TEMP TABLE IF NOT EXISTS named (file_id INTEGER PRIMARY KEY)")
        self.connection.execute("DELETE FROM named")
        self.connection.executemany("INSERT INTO named VALUES (?)", ((file,) for file in files))
        found = self.connection.execute(
            "SELECT count(*) FROM stored WHERE EXISTS (SELECT 1 FROM json_each(places) JOIN named"
            " ON file_id = json_extract(json_each.value, '$[0]'))"
        )
        return int(found.fetchone()[0])

    def _take_over(self, column: str, values: Iterable[Any]) -> None:
        for part in in_parts(values, _AT_ONCE):
            for batch in self._versions.rows_with(column, part, _TAKEN):
                with transaction(self.connection):
                    for record in batch.to_pylist():
                        self._insert(record)

    def _insert(self, record: dict[str, Any]) -> None:
        execute = self.connection.execute
        if execute("SELECT 1 FROM stored WHERE row = ?", (record["row"],)).fetchone():
            return
        places = sorted(zip(record["files"], record["lines"], strict=True))
        execute(
            "INSERT INTO stored VALUES (?, ?, ?)",
            (record["row"], record["seal"], json.dumps(places, separators=(",", ":"))),
        )
        execute(
            "INSERT OR IGNORE INTO quotes (name, digest, row, checksum, text, chars, author_id, work_id, year, tags,"
            " proposed, note, place, added, verse, truncated, seal)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record["id"],
                bytes.fromhex(record["digest"]),
                record["row"],
                record["checksum"],
                record["text"],
                record["chars"],
                self._name("authors", record["author"]),
                self._name("works", record["work"]),
                record["year"],
                json_of(record["tags"]),
                json_of(record["proposed"]),
                record["note"],
                record["place"],
                record["added"],
                record["verse"],
                record["truncated"],
                record["seal"],
            ),
        )
        # An interrupted update may have stored a quote again before it renamed or deleted the old row. Then the second
        # row belongs to no quote, and is removed.
        (number,) = execute("SELECT id FROM quotes WHERE name = ?", (record["id"],)).fetchone()
        self.connection.executemany(
            "INSERT OR IGNORE INTO places (file_id, quote_id, line) VALUES (?, ?, ?)",
            ((file, number, line) for file, line in places),
        )

    def _name(self, table: str, name: str | None) -> int | None:
        if name is None:
            return None
        self.connection.execute(f"INSERT OR IGNORE INTO {table} (name, folded) VALUES (?, ?)", (name, fold(name)))
        return int(self.connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()[0])

    def find_new(self) -> int:
        """Find the quotes that the dataset lacks, and return how many of their texts it lacks."""
        execute = self.connection.execute
        execute("DROP TABLE IF EXISTS encode")
        execute("CREATE TABLE encode (row INTEGER PRIMARY KEY)")
        execute(
            "INSERT INTO encode SELECT min(row) FROM quotes WHERE row NOT IN (SELECT row FROM stored) GROUP BY digest"
            " HAVING digest NOT IN (SELECT digest FROM quotes WHERE row IN (SELECT row FROM stored))"
        )
        return int(execute("SELECT count(*) FROM encode").fetchone()[0])

    def to_encode(self, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the new row of the first quote with each text that the dataset lacks, by row number."""
        # The plus sign keeps SQLite from scanning all of `encode` for each part.
        yield from self._chunks("+quotes.row IN (SELECT row FROM encode)", at_a_time)

    def to_copy(self, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the new rows of the other new quotes, whose texts the dataset has by then, by row number."""
        yield from self._chunks(
            "quotes.row NOT IN (SELECT row FROM encode) AND quotes.row NOT IN (SELECT row FROM stored)", at_a_time
        )

    def note_stored(self, rows: Iterable[int]) -> None:
        """Note that the dataset now holds the quotes in `rows` as they are here."""
        with transaction(self.connection):
            self.connection.executemany(
                f"INSERT INTO stored SELECT row, seal, {_PLACES} FROM quotes WHERE row = ?", ((row,) for row in rows)
            )

    def changed(self, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the new row of each stored quote that has changed, by row number."""
        yield from self._chunks(_CHANGED, at_a_time)

    def _chunks(self, condition: str, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of quotes that satisfy `condition`; the database may change between two parts."""
        last = -1
        while True:
            found = self.connection.execute(
                f"{_QUOTES} WHERE quotes.row > ? AND {condition} ORDER BY quotes.row LIMIT ?", (last, at_a_time)
            )
            records = [record_of(row, digest, shown, json.loads(places)) for row, digest, _, places, *shown in found]
            if not records:
                return
            last = records[-1]["row"]
            yield records

    def removed_rows(self) -> Iterator[list[int]]:
        """Yield the row numbers of stored quotes that are no longer quotes, in parts."""
        found = self.connection.execute("SELECT row FROM stored WHERE row NOT IN (SELECT row FROM quotes)")
        yield from in_parts((row for (row,) in found), _AT_ONCE)
