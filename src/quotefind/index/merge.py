"""From the staged records to the index: which quotes are new, changed or gone."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from quotefind.index.changes import ChangedFile, Changes
from quotefind.index.schema import DROP_UNUSED_TAGS, RENEW_CHECKSUMS, quote_checksum, transaction
from quotefind.index.sources import STANDARD_INPUT, Source, options_text
from quotefind.index.summary import Summary
from quotefind.text import fold

_NAMES_KEPT = 50_000

# A record without author says the same as one with author, so it is taken for a repeat of that one. Without an index
# of its own, a text that stands there N times would be compared N * N times.
_GIVE_AUTHOR = """
UPDATE staged SET (name, author) = (
    SELECT name, author FROM staged AS other INDEXED BY staged_said
    WHERE other.digest = staged.digest AND other.author IS NOT NULL ORDER BY n LIMIT 1
) WHERE author IS NULL AND EXISTS (
    SELECT 1 FROM staged AS other INDEXED BY staged_said
    WHERE other.digest = staged.digest AND other.author IS NOT NULL
)"""
_DROP_REPEATS = "DELETE FROM staged WHERE n NOT IN (SELECT min(n) FROM staged GROUP BY file, name)"
_FIND_BY_NAME = "UPDATE staged SET quote_id = (SELECT id FROM quotes WHERE quotes.name = staged.name)"
# The same text, in the same file, under another author: that file changed its mind, if nobody else holds the quote.
_AUTHOR_CHANGED = """
SELECT staged.name, staged.author, quotes.id FROM staged
JOIN quotes ON quotes.digest = staged.digest
JOIN places ON places.quote_id = quotes.id AND places.file_id = staged.file
WHERE staged.quote_id IS NULL
AND NOT EXISTS (SELECT 1 FROM staged AS other WHERE other.digest = staged.digest AND other.quote_id = quotes.id)
AND NOT EXISTS (SELECT 1 FROM places AS held WHERE held.quote_id = quotes.id AND held.file_id <> staged.file)
ORDER BY n"""
# CROSS JOIN keeps the order: SQLite knows nothing of the size of a temporary table.
_AUTHOR_FOUND = """
SELECT staged.name, staged.author, quotes.id FROM staged
CROSS JOIN quotes ON quotes.digest = staged.digest AND quotes.author_id IS NULL
WHERE staged.quote_id IS NULL AND staged.author IS NOT NULL
ORDER BY n"""
_ATTACH_AUTHORLESS = """
UPDATE staged SET quote_id = (SELECT min(id) FROM quotes WHERE quotes.digest = staged.digest)
WHERE quote_id IS NULL AND author IS NULL"""
# The file that held a quote first decides what is said of it.
_ATTRIBUTION_CHANGED = """
SELECT quotes.id, staged.author, staged.work, staged.year, staged.tags, staged.note FROM staged
JOIN quotes ON quotes.id = staged.quote_id AND quotes.name = staged.name
LEFT JOIN authors ON authors.id = author_id
LEFT JOIN works ON works.id = work_id
WHERE (authors.name IS NOT staged.author OR works.name IS NOT staged.work OR quotes.year IS NOT staged.year
       OR quotes.tags <> staged.tags OR quotes.note IS NOT staged.note)
AND staged.file <= (SELECT coalesce(min(file_id), staged.file) FROM places WHERE places.quote_id = quotes.id)
ORDER BY n DESC"""


class Application(ABC):
    """One update of an index from what `staging.stage` has read; where vectors go, each kind of store knows.

    Attributes:
        unsettled: the ids of files that have to be read again to say what their quotes are.
        encoded: how many texts were encoded.
        rate: texts encoded in a second; 0 where none was.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Prepare to change the database behind `connection`."""
        self._connection = connection
        self._changes = Changes()
        self._file_ids: list[int] = []
        (self._last_old,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM quotes").fetchone()
        self._updated: set[int] = set()
        self.unsettled: set[int] = set()
        self._ids: dict[tuple[str, str], int] = {}
        self._added = self._reused = self._repeats = self._truncated = 0

    def run(self, changes: Changes, sources: list[Source], gone: set[str]) -> None:
        """Bring the staged `changes` in: remember `sources`, forget those at the locations `gone`."""
        self._changes = changes
        self._file_ids = []
        self.unsettled = set()
        with transaction(self._connection):
            self._remember(sources)
            self._register_files()
            self._resolve()
            self._update_attributions()
            self._connection.executemany(f"{RENEW_CHECKSUMS} WHERE id = ?", ((quote_id,) for quote_id in self._updated))
        self._add_new()
        with transaction(self._connection):
            self._settle_places(gone)
            self._remove_orphans()
            self._forget(gone)
            self._finish()
        self._count(sources)
        self._connection.execute("DROP TABLE temp.staged")

    def report(self, summary: Summary) -> None:
        """Write what was done into `summary`."""
        summary.added = self._added
        summary.updated = len(self._updated)
        summary.reused = self._reused
        summary.repeats = self._repeats
        summary.truncated = self._truncated
        summary.encoded = self.encoded
        summary.rate = self.rate

    @property
    @abstractmethod
    def encoded(self) -> int:
        """How many texts were encoded."""

    @property
    @abstractmethod
    def rate(self) -> float:
        """Texts encoded in a second; 0 where none was."""

    @abstractmethod
    def _add_new(self) -> None:
        """Add the quotes that are staged and have no `quote_id` yet, with their vectors."""

    @abstractmethod
    def _forget_lost(self) -> None:
        """Take the quotes in the table `lost` out of all that the store keeps beside the database's tables."""

    @abstractmethod
    def _finish(self) -> None:
        """Store what is true of the whole index now, in the last transaction."""

    def _remember(self, sources: list[Source]) -> None:
        for source in sources:
            self._connection.execute(
                "INSERT INTO sources (location, options) VALUES (?, ?)"
                " ON CONFLICT (location) DO UPDATE SET options = excluded.options",
                (source.location, options_text(source)),
            )

    def _register_files(self) -> None:
        execute = self._connection.execute
        for file in self._changes.changed:
            (source_id,) = execute("SELECT id FROM sources WHERE location = ?", (file.source.location,)).fetchone()
            execute("INSERT OR IGNORE INTO files (source_id, path) VALUES (?, ?)", (source_id, file.name))
            found = execute("SELECT id FROM files WHERE source_id = ? AND path = ?", (source_id, file.name))
            self._file_ids.append(found.fetchone()[0])
        execute("DROP TABLE IF EXISTS temp.staged_files")
        execute("CREATE TEMP TABLE staged_files (position INTEGER PRIMARY KEY, file_id INTEGER)")
        self._connection.executemany("INSERT INTO staged_files VALUES (?, ?)", enumerate(self._file_ids))
        execute("UPDATE staged SET file = (SELECT file_id FROM staged_files WHERE position = file)")

    def _resolve(self) -> None:
        execute = self._connection.execute
        execute(_GIVE_AUTHOR)
        self._repeats += execute(_DROP_REPEATS).rowcount
        execute(_FIND_BY_NAME)
        self._rename(_AUTHOR_CHANGED)
        self._rename(_AUTHOR_FOUND)
        execute(_ATTACH_AUTHORLESS)
        execute("CREATE INDEX temp.staged_quote ON staged (file, quote_id)")

    def _rename(self, statement: str) -> None:
        """Give quotes the author, and so the name, that the records found by `statement` have for them."""
        done: set[str | int] = set()
        for name, author, quote_id in self._connection.execute(statement).fetchall():
            if name in done or quote_id in done:
                continue
            done |= {name, quote_id}
            self._updated.add(quote_id)
            self._connection.execute(
                "UPDATE quotes SET name = ?, author_id = ? WHERE id = ?",
                (name, self._id_of("authors", author), quote_id),
            )
            self._connection.execute("UPDATE staged SET quote_id = ? WHERE name = ?", (quote_id, name))

    def _update_attributions(self) -> None:
        for quote_id, author, work, year, tags, note in self._connection.execute(_ATTRIBUTION_CHANGED).fetchall():
            self._updated.add(quote_id)
            self._connection.execute(
                "UPDATE quotes SET author_id = ?, work_id = ?, year = ?, tags = ?, note = ? WHERE id = ?",
                (self._id_of("authors", author), self._id_of("works", work), year, tags, note, quote_id),
            )
            self._connection.execute("DELETE FROM quote_tags WHERE quote_id = ?", (quote_id,))
            self._tag(quote_id, tags)
            if tags != "[]":  # what was proposed was proposed because there were none
                self._connection.execute("UPDATE quotes SET proposed = '[]' WHERE id = ?", (quote_id,))
                self._connection.execute("DELETE FROM proposed_tags WHERE quote_id = ?", (quote_id,))

    def _new_records(self, at_a_time: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the staged records of new quotes, one a quote, in their order."""
        last = 0
        while True:
            records = self._connection.execute(
                "SELECT n, file, line, name, digest, text, author, work, year, tags, note FROM staged"
                " WHERE n > ? AND quote_id IS NULL ORDER BY n LIMIT ?",
                (last, at_a_time),
            ).fetchall()
            if not records:
                return
            last = records[-1][0]
            once: dict[str, tuple[Any, ...]] = {}
            for record in records:
                once.setdefault(record[3], record)
            yield list(once.values())

    def _insert(self, row: int, checksum: int, record: tuple[Any, ...], *, truncated: bool = False) -> int:
        """Insert the quote of a staged `record`, whose vector is in `row`; return its number in the database."""
        _, file, line, name, digest, text, author, work, year, tags, note = record
        inserted = self._connection.execute(
            "INSERT INTO quotes (name, digest, row, checksum, text, chars, author_id, work_id, year, tags, note,"
            " truncated, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                name,
                digest,
                row,
                checksum,
                text,
                len(text),
                self._id_of("authors", author),
                self._id_of("works", work),
                year,
                tags,
                note,
                truncated,
                quote_checksum(name, text, author, work, year, tags, note=note),
            ),
        )
        quote_id = inserted.lastrowid or 0
        self._tag(quote_id, tags)
        self._connection.execute(
            "INSERT INTO places (file_id, quote_id, line) VALUES (?, ?, ?)", (file, quote_id, line)
        )
        self._connection.execute("UPDATE staged SET quote_id = ? WHERE name = ?", (quote_id, name))
        return quote_id

    def _id_of(self, table: str, name: str | None) -> int | None:
        if name is None:
            return None
        if (table, name) not in self._ids:
            if len(self._ids) > _NAMES_KEPT:
                self._ids.clear()
            self._connection.execute(f"INSERT OR IGNORE INTO {table} (name, folded) VALUES (?, ?)", (name, fold(name)))
            found = self._connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,))
            self._ids[table, name] = found.fetchone()[0]
        return self._ids[table, name]

    def _tag(self, quote_id: int, tags: str) -> None:
        if tags == "[]":
            return
        for folded in _folded_tags(tags):
            self._connection.execute("INSERT OR IGNORE INTO tags (folded) VALUES (?)", (folded,))
            self._connection.execute(
                "INSERT OR IGNORE INTO quote_tags (tag_id, quote_id) SELECT id, ? FROM tags WHERE folded = ?",
                (quote_id, folded),
            )

    def _settle_places(self, gone: set[str]) -> None:
        execute = self._connection.execute
        execute("CREATE TEMP TABLE IF NOT EXISTS lost (quote_id INTEGER PRIMARY KEY)")
        execute("DELETE FROM lost")
        execute(
            "INSERT INTO places (file_id, quote_id, line) SELECT file, quote_id, min(line) FROM staged WHERE true"
            " GROUP BY file, quote_id ON CONFLICT DO UPDATE SET line = excluded.line"
        )
        for file, file_id in zip(self._changes.changed, self._file_ids, strict=True):
            if file.name != STANDARD_INPUT:  # what comes on standard input is added to what came before
                self._drop_places(
                    "file_id = ? AND quote_id NOT IN (SELECT quote_id FROM staged WHERE file = ?)", (file_id, file_id)
                )
            self._note_file(file, file_id)
        for file in self._changes.touched:
            (file_id,) = execute(
                "SELECT files.id FROM files JOIN sources ON sources.id = source_id WHERE location = ? AND path = ?",
                (file.source.location, file.name),
            ).fetchone()
            self._note_file(file, file_id)
        gone_files = [file_id for file_id, _ in self._changes.gone]
        for location in gone:
            found = execute(
                "SELECT files.id FROM files JOIN sources ON sources.id = source_id WHERE location = ?", (location,)
            )
            gone_files += [file_id for (file_id,) in found]
        for file_id in gone_files:
            self._drop_places("file_id = ?", (file_id,))
            execute("DELETE FROM files WHERE id = ?", (file_id,))

    def _drop_places(self, condition: str, values: tuple[int, ...]) -> None:
        self._connection.execute(f"INSERT OR IGNORE INTO lost SELECT quote_id FROM places WHERE {condition}", values)
        self._connection.execute(f"DELETE FROM places WHERE {condition}", values)

    def _note_file(self, file: ChangedFile, file_id: int) -> None:
        self._connection.execute(
            "UPDATE files SET size = ?, modified = ?, digest = ? WHERE id = ?",
            (file.size, file.modified, file.digest, file_id),
        )

    def _remove_orphans(self) -> None:
        execute = self._connection.execute
        self._unsettle()
        self._forget_lost()
        removed = execute("DELETE FROM quotes WHERE id IN (SELECT quote_id FROM lost)").rowcount
        if removed or self._updated:
            for table, column in (("authors", "author_id"), ("works", "work_id")):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE NOT EXISTS (SELECT 1 FROM quotes WHERE {column} = {table}.id)"
                )
            self._connection.execute(DROP_UNUSED_TAGS)

    def _unsettle(self) -> None:
        """Have the files read again that are left to say what a quote is, now that another said so and is gone."""
        execute = self._connection.execute
        for (file_id,) in execute(
            "SELECT DISTINCT file_id FROM places JOIN files ON files.id = file_id"
            " WHERE quote_id IN (SELECT quote_id FROM lost) AND path <> ?",
            (STANDARD_INPUT,),
        ).fetchall():
            self.unsettled.add(file_id)
            execute("UPDATE files SET digest = NULL WHERE id = ?", (file_id,))
        execute("DELETE FROM lost WHERE EXISTS (SELECT 1 FROM places WHERE places.quote_id = lost.quote_id)")

    def _forget(self, gone: set[str]) -> None:
        for location in gone:
            self._connection.execute("DELETE FROM sources WHERE location = ?", (location,))

    def _count(self, sources: list[Source]) -> None:
        """Count the records that said something again, and the quotes of `sources` that are as they were."""
        execute = self._connection.execute
        (staged, distinct) = execute("SELECT count(*), count(DISTINCT quote_id) FROM staged").fetchone()
        self._repeats += staged - distinct
        (remembered,) = execute("SELECT count(*) FROM sources").fetchone()
        held = self._held(None if len(sources) == remembered else [source.location for source in sources])
        self._updated = {quote_id for quote_id in self._updated if quote_id <= self._last_old}
        self._reused = held - self._added - len(self._updated)

    def _held(self, locations: list[str] | None) -> int:
        """Return how many quotes the sources at `locations` hold; all where it is None."""
        if locations is None:
            return int(self._connection.execute("SELECT count(*) FROM quotes").fetchone()[0])
        marks = ", ".join("?" for _ in locations)
        held = self._connection.execute(
            "SELECT count(DISTINCT quote_id) FROM places JOIN files ON files.id = file_id"
            f" JOIN sources ON sources.id = source_id WHERE location IN ({marks})",
            locations,
        )
        return int(held.fetchone()[0])


def _folded_tags(tags: str) -> list[str]:
    return [folded for tag in json.loads(tags) if (folded := fold(tag))]
