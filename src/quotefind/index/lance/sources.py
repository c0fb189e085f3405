"""The sources and files that an index in a Lance dataset was made from, stored with every version."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from quotefind.index.schema import SCHEMA, statements


@dataclass(frozen=True, slots=True)
class SourceTables:
    """The rows of the tables `sources` and `files` of `index.schema`.

    Attributes:
        sources: number, location and options of each source.
        files: number, number of the source, path, size, time and SHA-256 (in hexadecimal) of each file. The next update
            reads a file without a SHA-256 again, even if its size and time are unchanged.
    """

    sources: list[tuple[Any, ...]]
    files: list[tuple[Any, ...]]

    @staticmethod
    def of(connection: sqlite3.Connection) -> SourceTables:
        """Return what is in the tables of a database."""
        return SourceTables(
            connection.execute("SELECT id, location, options FROM sources ORDER BY id").fetchall(),
            connection.execute(
                "SELECT id, source_id, path, size, modified, iif(digest IS NULL, NULL, lower(hex(digest)))"
                " FROM files ORDER BY id"
            ).fetchall(),
        )

    @staticmethod
    def unpacked(text: str) -> SourceTables:
        """Return what `packed` made `text` from.

        Raises:
            ValueError, TypeError, zlib.error: `text` does not come from `packed`.
        """
        sources, files = json.loads(zlib.decompress(base64.b85decode(text)))
        return SourceTables([tuple(source) for source in sources], [tuple(file) for file in files])

    def packed(self) -> str:
        """Return the tables as text."""
        return base64.b85encode(zlib.compress(json.dumps([self.sources, self.files]).encode("ascii"))).decode("ascii")

    def fill(self, connection: sqlite3.Connection) -> None:
        """Insert the rows into the empty tables of a database.

        Raises:
            ValueError, TypeError, sqlite3.Error: a row does not fit into its table.
        """
        connection.executemany("INSERT INTO sources VALUES (?, ?, ?)", self.sources)
        connection.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)",
            ((*known, digest and bytes.fromhex(digest)) for *known, digest in self.files),
        )

    def database(self) -> sqlite3.Connection:
        """Return the tables as a database in memory; it raises what `fill` raises."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        for statement in statements(SCHEMA):
            if "TABLE sources" in statement or "TABLE files" in statement:
                connection.execute(statement)
        self.fill(connection)
        return connection

    def locations(self, numbers: Collection[int]) -> set[str]:
        """Return the locations of the sources with these `numbers`."""
        return {location for number, location, _ in self.sources if number in numbers}

    def begun(self, before: SourceTables, touched: Collection[int]) -> set[int]:
        """Return the numbers of the sources with a file that is new since `before`, or whose number is in `touched`."""
        known = {file[0] for file in before.files}
        return {source for file, source, *_ in self.files if file in touched or file not in known}

    def becoming(self, after: SourceTables, touched: Collection[int]) -> SourceTables:
        """Return the tables of a version between this one and `after`, in which a quote may be as in either.

        They hold the files of both, since a quote may come from any of them. New files, and those whose numbers are in
        `touched`, have no SHA-256: an update that follows an interrupted one reads them again.
        """
        known, sources = {file[0] for file in self.files}, {source[0] for source in self.sources}
        return SourceTables(
            self.sources + [source for source in after.sources if source[0] not in sources],
            [_without_digest(file) if file[0] in touched else file for file in self.files]
            + [_without_digest(file) for file in after.files if file[0] not in known],
        )


def _without_digest(file: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*file[:-1], None)
