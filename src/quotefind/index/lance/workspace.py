"""The part of an index that an update touches, as a database in a temporary file.

What a quote is, the statements over the tables of `index.database` decide, the same for every kind of index. Here these
tables hold, beside what was read anew, only the stored quotes that have something to do with it: those with one of its
texts, and those in one of the files that have changed.
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

# How many digests, files or rows one condition names.
_AT_ONCE = 2000
# What is taken over of a stored quote.
_TAKEN = [
    "row", "id", "digest", "checksum", "text", "chars", "author", "work", "year", "tags", "proposed", "note",
    "place", "added", "verse", "truncated", "seal", "files", "lines",
]  # fmt: skip
# Quotes as they are stored, or will be: what has become of them since can be seen from their seals and places.
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
    """Return an empty working database; it is deleted as it is closed."""
    # A file in the directory for temporary ones. Lance reads from it in a thread of its own, while this one waits.
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
    """The working database of one update.

    Attributes:
        connection: to it.
    """

    def __init__(self, connection: sqlite3.Connection, versions: Versions) -> None:
        """Take what is stored from the newest version in `versions`, whichever that is at the time."""
        self.connection = connection
        self._versions = versions

    def begin(self) -> None:
        """Begin an update with the sources of the newest version, and nothing else."""
        for name in ("places", "quote_tags", "proposed_tags", "quotes", "stored", "files", "sources"):
            self.connection.execute(f"DELETE FROM {name}")
        with readable_source_tables(self._versions.location):
            self._versions.source_tables.fill(self.connection)

    def load(self, changes: Changes, gone: set[str]) -> set[int]:
        """Take over the stored quotes that have something to do with what is staged, or with files that go.

        Args:
            changes: what is staged.
            gone: locations of sources that are to be removed.

        Returns:
            The numbers of all files that have changed or go.
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
        """Return how many of the quotes here the dataset holds: all, or those that it says stand in any of `files`."""
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
        # An update that was stopped may have stored a quote anew before the old row was renamed or deleted: the second
        # row belongs to no quote any more, and goes.
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
        """Find the quotes that the dataset does not hold, and which of their texts it does not know; count these."""
        execute = self.connection.execute
        execute("DROP TABLE IF EXISTS encode")
        execute("CREATE TABLE encode (row INTEGER PRIMARY KEY)")
        execute(
            "INSERT INTO encode SELECT min(row) FROM quotes WHERE row NOT IN (SELECT row FROM stored) GROUP BY digest"
            " HAVING digest NOT IN (SELECT digest FROM quotes WHERE row IN (SELECT row FROM stored))"
        )
        return int(execute("SELECT count(*) FROM encode").fetchone()[0])

    def to_encode(self, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield what the dataset is to hold of the first quote with each text that it does not know, by row."""
        # With the sign SQLite goes on from the last row; without, it goes through all of `encode` each time.
        yield from self._chunks("+quotes.row IN (SELECT row FROM encode)", at_a_time)

    def to_copy(self, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield what it is to hold of the other new quotes, whose vectors it knows by then, by row."""
        yield from self._chunks(
            "quotes.row NOT IN (SELECT row FROM encode) AND quotes.row NOT IN (SELECT row FROM stored)", at_a_time
        )

    def note_stored(self, rows: Iterable[int]) -> None:
        """Note that the dataset holds the quotes in `rows` now, as they are here."""
        with transaction(self.connection):
            self.connection.executemany(
                f"INSERT INTO stored SELECT row, seal, {_PLACES} FROM quotes WHERE row = ?", ((row,) for row in rows)
            )

    def changed(self, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield what the dataset is to hold of each stored quote that is not any more what it was, by row."""
        yield from self._chunks(_CHANGED, at_a_time)

    def _chunks(self, condition: str, at_a_time: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the records of quotes that satisfy a condition; between two chunks the database may change."""
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
        """Yield the rows of the stored quotes that are no quotes any more, some at a time."""
        found = self.connection.execute("SELECT row FROM stored WHERE row NOT IN (SELECT row FROM quotes)")
        yield from in_parts((row for (row,) in found), _AT_ONCE)
