"""Merge staged quotes into the index: find out which are new, changed or gone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from quotefind.index.changes import ChangedFile, Changes
from quotefind.index.schema import DROP_UNUSED_TAGS, RENEW_CHECKSUMS, quote_checksum, transaction
from quotefind.index.sources import STANDARD_INPUT, Source, options_text
from quotefind.text import fold

_NAMES_KEPT = 50_000

# A quote without an author repeats the quote with the same text and an author. Without the index `staged_said`, a text
# that occurs N times would be compared N * N times.
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
# If the same text in the same file has another author now, the file was corrected, unless another file holds the quote.
_AUTHOR_CHANGED = """
SELECT staged.name, staged.author, quotes.id FROM staged
JOIN quotes ON quotes.digest = staged.digest
JOIN places ON places.quote_id = quotes.id AND places.file_id = staged.file
WHERE staged.quote_id IS NULL
AND NOT EXISTS (SELECT 1 FROM staged AS other WHERE other.digest = staged.digest AND other.quote_id = quotes.id)
AND NOT EXISTS (SELECT 1 FROM places AS held WHERE held.quote_id = quotes.id AND held.file_id <> staged.file)
ORDER BY n"""
# CROSS JOIN keeps this order of the tables: SQLite does not know the size of a temporary table.
_AUTHOR_FOUND = """
SELECT staged.name, staged.author, quotes.id FROM staged
CROSS JOIN quotes ON quotes.digest = staged.digest AND quotes.author_id IS NULL
WHERE staged.quote_id IS NULL AND staged.author IS NOT NULL
ORDER BY n"""
_ATTACH_AUTHORLESS = """
UPDATE staged SET quote_id = (SELECT min(id) FROM quotes WHERE quotes.digest = staged.digest)
WHERE quote_id IS NULL AND author IS NULL"""
# The first file that holds a quote decides its work, year, tags, note, place, date and lines.
_ATTRIBUTION_CHANGED = """
SELECT quotes.id, staged.author, staged.work, staged.year, staged.tags, staged.note, staged.place, staged.added,
    staged.verse FROM staged
JOIN quotes ON quotes.id = staged.quote_id AND quotes.name = staged.name
LEFT JOIN authors ON authors.id = author_id
LEFT JOIN works ON works.id = work_id
WHERE (authors.name IS NOT staged.author OR works.name IS NOT staged.work OR quotes.year IS NOT staged.year
       OR quotes.tags <> staged.tags OR quotes.note IS NOT staged.note OR quotes.place IS NOT staged.place
       OR quotes.added IS NOT staged.added OR quotes.verse IS NOT staged.verse)
AND staged.file <= (SELECT coalesce(min(file_id), staged.file) FROM places WHERE places.quote_id = quotes.id)
ORDER BY n DESC"""


_COUNTS = """
SELECT count(*), count(DISTINCT quote_id), count(DISTINCT iif(quotes.author_id IS NULL, quote_id, NULL))
FROM staged LEFT JOIN quotes ON quotes.id = quote_id
"""


class StagedQuote(NamedTuple):
    """A row of the table `staged`: a quote as it is in the source."""

    n: int
    file: int
    line: int | None
    name: str
    digest: bytes
    text: str
    author: str | None
    work: str | None
    year: int | None
    tags: str
    note: str | None
    place: str | None
    added: str | None
    verse: str | None


@dataclass(frozen=True, slots=True)
class Added:
    """What a store did to add new quotes.

    Attributes:
        quotes: the number of quotes added.
        encoded: the number of texts encoded; other quotes share the vector of a known text.
        truncated: the number of these quotes that are longer than the encoder reads.
        seconds: the time spent encoding.
    """

    quotes: int = 0
    encoded: int = 0
    truncated: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Texts encoded per second; 0 if none were."""
        return self.encoded / self.seconds if self.encoded and self.seconds else 0.0

    def __add__(self, other: Added) -> Added:
        """Return the sum of both."""
        return Added(
            self.quotes + other.quotes,
            self.encoded + other.encoded,
            self.truncated + other.truncated,
            self.seconds + other.seconds,
        )


@dataclass(slots=True)
class Merge:
    """Merges the staged quotes of some changes into the tables of an index; the store adds the vectors.

    Attributes:
        connection: to the database.
        changes: the changes, whose files are staged.
        gone: locations of sources to remove.
        updated: database ids of the quotes whose attribution has changed.
        repeats: the number of staged quotes that repeat another.
        read: the number of distinct staged quotes.
        without_author: the number of these that have no author.
        unsettled: ids of the files that now decide the attribution of a quote, because the file that did is gone.
    """

    connection: sqlite3.Connection
    changes: Changes
    gone: set[str]
    updated: set[int] = field(default_factory=set)
    repeats: int = 0
    read: int = 0
    without_author: int = 0
    unsettled: set[int] = field(default_factory=set)
    _file_ids: list[int] = field(default_factory=list)
    _ids: dict[tuple[str, str], int] = field(default_factory=dict)

    def resolve(self, sources: list[Source]) -> None:
        """Remember `sources`, find the stored quote for each staged one, and store the changed attributions."""
        with transaction(self.connection):
            self._remember(sources)
            self._register_files()
            self._find_quotes()
            self._update_attributions()
            self.connection.executemany(f"{RENEW_CHECKSUMS} WHERE id = ?", ((quote_id,) for quote_id in self.updated))

    def new_quotes(self, at_a_time: int) -> Iterator[list[StagedQuote]]:
        """Yield the staged quotes that are not stored yet, each once, in order."""
        last = 0
        while True:
            found = self.connection.execute(
                f"SELECT {', '.join(StagedQuote._fields)} FROM staged WHERE n > ? AND quote_id IS NULL"
                " ORDER BY n LIMIT ?",
                (last, at_a_time),
            )
            quotes = [StagedQuote(*row) for row in found]
            if not quotes:
                return
            last = quotes[-1].n
            once: dict[str, StagedQuote] = {}
            for quote in quotes:
                once.setdefault(quote.name, quote)
            yield list(once.values())

    def insert(self, quote: StagedQuote, row: int, checksum: int, *, truncated: bool) -> int:
        """Insert a new quote whose vector is in `row` and has `checksum`; return its database id."""
        more = (quote.note, quote.place, quote.added, quote.verse)
        inserted = self.connection.execute(
            "INSERT INTO quotes (name, digest, row, checksum, text, chars, author_id, work_id, year, tags, note,"
            " place, added, verse, truncated, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                quote.name,
                quote.digest,
                row,
                checksum,
                quote.text,
                len(quote.text),
                self._id_of("authors", quote.author),
                self._id_of("works", quote.work),
                quote.year,
                quote.tags,
                *more,
                truncated,
                quote_checksum(quote.name, quote.text, quote.author, quote.work, quote.year, quote.tags, "[]", *more),
            ),
        )
        quote_id = inserted.lastrowid or 0
        self._tag(quote_id, quote.tags)
        self.connection.execute(
            "INSERT INTO places (file_id, quote_id, line) VALUES (?, ?, ?)", (quote.file, quote_id, quote.line)
        )
        self.connection.execute("UPDATE staged SET quote_id = ? WHERE name = ?", (quote_id, quote.name))
        return quote_id

    def settle(self) -> None:
        """Store which files hold which quotes; afterwards the table `lost` lists the quotes that no file holds."""
        self._settle_places()
        self._unsettle()
        staged, self.read, self.without_author = self.connection.execute(_COUNTS).fetchone()
        self.repeats += staged - self.read

    def drop_lost(self) -> None:
        """Drop the quotes in the table `lost`, and the sources that are gone."""
        execute = self.connection.execute
        removed = execute("DELETE FROM quotes WHERE id IN (SELECT quote_id FROM lost)").rowcount
        if removed or self.updated:
            self._drop_unused_names()
        for location in self.gone:
            execute("DELETE FROM sources WHERE location = ?", (location,))

    def _remember(self, sources: list[Source]) -> None:
        for source in sources:
            self.connection.execute(
                "INSERT INTO sources (location, options) VALUES (?, ?)"
                " ON CONFLICT (location) DO UPDATE SET options = excluded.options",
                (source.location, options_text(source)),
            )

    def _register_files(self) -> None:
        execute = self.connection.execute
        for file in self.changes.changed:
            (source_id,) = execute("SELECT id FROM sources WHERE location = ?", (file.source.location,)).fetchone()
            execute("INSERT OR IGNORE INTO files (source_id, path) VALUES (?, ?)", (source_id, file.name))
            found = execute("SELECT id FROM files WHERE source_id = ? AND path = ?", (source_id, file.name))
            self._file_ids.append(found.fetchone()[0])
        execute("DROP TABLE IF EXISTS temp.staged_files")
        execute("CREATE TEMP TABLE staged_files (position INTEGER PRIMARY KEY, file_id INTEGER)")
        self.connection.executemany("INSERT INTO staged_files VALUES (?, ?)", enumerate(self._file_ids))
        execute("UPDATE staged SET file = (SELECT file_id FROM staged_files WHERE position = file)")

    def _find_quotes(self) -> None:
        execute = self.connection.execute
        execute(_GIVE_AUTHOR)
        self.repeats += execute(_DROP_REPEATS).rowcount
        execute(_FIND_BY_NAME)
        self._rename(_AUTHOR_CHANGED)
        self._rename(_AUTHOR_FOUND)
        execute(_ATTACH_AUTHORLESS)
        execute("CREATE INDEX temp.staged_quote ON staged (file, quote_id)")

    def _rename(self, statement: str) -> None:
        """Give quotes the author, and so the id, of the staged quotes that `statement` finds for them."""
        done: set[str | int] = set()
        for name, author, quote_id in self.connection.execute(statement).fetchall():
            if name in done or quote_id in done:
                continue
            done |= {name, quote_id}
            self.updated.add(quote_id)
            self.connection.execute(
                "UPDATE quotes SET name = ?, author_id = ? WHERE id = ?",
                (name, self._id_of("authors", author), quote_id),
            )
            self.connection.execute("UPDATE staged SET quote_id = ? WHERE name = ?", (quote_id, name))

    def _update_attributions(self) -> None:
        for quote_id, author, work, year, tags, *more in self.connection.execute(_ATTRIBUTION_CHANGED).fetchall():
            self.updated.add(quote_id)
            self.connection.execute(
                "UPDATE quotes SET author_id = ?, work_id = ?, year = ?, tags = ?, note = ?, place = ?, added = ?,"
                " verse = ? WHERE id = ?",
                (self._id_of("authors", author), self._id_of("works", work), year, tags, *more, quote_id),
            )
            self.connection.execute("DELETE FROM quote_tags WHERE quote_id = ?", (quote_id,))
            self._tag(quote_id, tags)
            if tags != "[]":  # tags are only proposed for quotes that have none
                self.connection.execute("UPDATE quotes SET proposed = '[]' WHERE id = ?", (quote_id,))
                self.connection.execute("DELETE FROM proposed_tags WHERE quote_id = ?", (quote_id,))

    def _id_of(self, table: str, name: str | None) -> int | None:
        if name is None:
            return None
        if (table, name) not in self._ids:
            if len(self._ids) > _NAMES_KEPT:
                self._ids.clear()
            self.connection.execute(f"INSERT OR IGNORE INTO {table} (name, folded) VALUES (?, ?)", (name, fold(name)))
            found = self.connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,))
            self._ids[table, name] = found.fetchone()[0]
        return self._ids[table, name]

    def _tag(self, quote_id: int, tags: str) -> None:
        if tags == "[]":
            return
        for folded in _folded_tags(tags):
            self.connection.execute("INSERT OR IGNORE INTO tags (folded) VALUES (?)", (folded,))
            self.connection.execute(
                "INSERT OR IGNORE INTO quote_tags (tag_id, quote_id) SELECT id, ? FROM tags WHERE folded = ?",
                (quote_id, folded),
            )

    def _settle_places(self) -> None:
        execute = self.connection.execute
        execute("CREATE TEMP TABLE IF NOT EXISTS lost (quote_id INTEGER PRIMARY KEY)")
        execute("DELETE FROM lost")
        execute(
            "INSERT INTO places (file_id, quote_id, line) SELECT file, quote_id, min(line) FROM staged WHERE true"
            " GROUP BY file, quote_id ON CONFLICT DO UPDATE SET line = excluded.line"
        )
        for file, file_id in zip(self.changes.changed, self._file_ids, strict=True):
            # Standard input adds to what came before, and what cannot be read keeps it.
            if file.name != STANDARD_INPUT and not file.problem:
                self._drop_places(
                    "file_id = ? AND quote_id NOT IN (SELECT quote_id FROM staged WHERE file = ?)", (file_id, file_id)
                )
            self._note_file(file, file_id)
        for file in self.changes.touched:
            (file_id,) = execute(
                "SELECT files.id FROM files JOIN sources ON sources.id = source_id WHERE location = ? AND path = ?",
                (file.source.location, file.name),
            ).fetchone()
            self._note_file(file, file_id)
        gone_files = [file_id for file_id, _ in self.changes.gone]
        for location in self.gone:
            found = execute(
                "SELECT files.id FROM files JOIN sources ON sources.id = source_id WHERE location = ?", (location,)
            )
            gone_files += [file_id for (file_id,) in found]
        for file_id in gone_files:
            self._drop_places("file_id = ?", (file_id,))
            execute("DELETE FROM files WHERE id = ?", (file_id,))

    def _drop_places(self, condition: str, values: tuple[int, ...]) -> None:
        self.connection.execute(f"INSERT OR IGNORE INTO lost SELECT quote_id FROM places WHERE {condition}", values)
        self.connection.execute(f"DELETE FROM places WHERE {condition}", values)

    def _note_file(self, file: ChangedFile, file_id: int) -> None:
        self.connection.execute(
            "UPDATE files SET size = ?, modified = ?, digest = ? WHERE id = ?",
            (file.size, file.modified, file.digest, file_id),
        )

    def _unsettle(self) -> None:
        """Mark files that still hold a quote to be read again if the file that decided its attribution is gone."""
        execute = self.connection.execute
        for (file_id,) in execute(
            "SELECT DISTINCT file_id FROM places JOIN files ON files.id = file_id"
            " WHERE quote_id IN (SELECT quote_id FROM lost) AND path <> ?",
            (STANDARD_INPUT,),
        ).fetchall():
            self.unsettled.add(file_id)
            execute("UPDATE files SET digest = NULL WHERE id = ?", (file_id,))
        execute("DELETE FROM lost WHERE EXISTS (SELECT 1 FROM places WHERE places.quote_id = lost.quote_id)")

    def _drop_unused_names(self) -> None:
        for table, column in (("authors", "author_id"), ("works", "work_id")):
            self.connection.execute(
                f"DELETE FROM {table} WHERE NOT EXISTS (SELECT 1 FROM quotes WHERE {column} = {table}.id)"
            )
        self.connection.execute(DROP_UNUSED_TAGS)


def held(connection: sqlite3.Connection, locations: Collection[str] | None) -> int:
    """Return the number of quotes in the database from the sources at `locations`; None for all sources."""
    if locations is None:
        return int(connection.execute("SELECT count(*) FROM quotes").fetchone()[0])
    marks = ", ".join("?" for _ in locations)
    found = connection.execute(
        "SELECT count(DISTINCT quote_id) FROM places JOIN files ON files.id = file_id"
        f" JOIN sources ON sources.id = source_id WHERE location IN ({marks})",
        tuple(locations),
    )
    return int(found.fetchone()[0])


def _folded_tags(tags: str) -> list[str]:
    return [folded for tag in json.loads(tags) if (folded := fold(tag))]
