"""The sources and files that an index in a Lance dataset was made from, stored with every version."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from itertools import starmap
from typing import NamedTuple

from quotefind.index.schema import SCHEMA, statements


class SourceRow(NamedTuple):
    """A row of the table `sources`."""

    number: int
    location: str
    options: str


class FileRow(NamedTuple):
    """A row of the table `files`, with the SHA-256 in hexadecimal.

    The next update reads a file without a SHA-256 again, even if its size and time are unchanged.
    """

    number: int
    source: int
    path: str
    size: int | None
    modified: int | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class SourceTables:
    """The rows of the tables `sources` and `files` of `index.schema`."""

    sources: list[SourceRow]
    files: list[FileRow]

    @staticmethod
    def of(connection: sqlite3.Connection) -> SourceTables:
        """Return what is in the tables of a database."""
        sources = connection.execute("SELECT id, location, options FROM sources ORDER BY id")
        files = connection.execute(
            "SELECT id, source_id, path, size, modified, iif(digest IS NULL, NULL, lower(hex(digest)))"
            " FROM files ORDER BY id"
        )
        return SourceTables(list(starmap(SourceRow, sources)), list(starmap(FileRow, files)))

    @staticmethod
    def unpacked(text: str) -> SourceTables:
        """Return what `packed` made `text` from.

        Raises:
            ValueError, TypeError, zlib.error: `text` does not come from `packed`.
        """
        sources, files = json.loads(zlib.decompress(base64.b85decode(text)))
        return SourceTables(list(starmap(SourceRow, sources)), list(starmap(FileRow, files)))

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
            ((*file[:-1], None if file.digest is None else bytes.fromhex(file.digest)) for file in self.files),
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
        return {source.location for source in self.sources if source.number in numbers}

    def begun(self, before: SourceTables, touched: Collection[int]) -> set[int]:
        """Return the numbers of the sources with a file that is new since `before`, or whose number is in `touched`."""
        known = {file.number for file in before.files}
        return {file.source for file in self.files if file.number in touched or file.number not in known}

    def becoming(self, after: SourceTables, touched: Collection[int]) -> SourceTables:
        """Return the tables of a version between this one and `after`, in which a quote may be as in either.

        They hold the files of both, since a quote may come from any of them. New files, and those whose numbers are in
        `touched`, have no SHA-256: an update that follows an interrupted one reads them again.
        """
        known, sources = {file.number for file in self.files}, {source.number for source in self.sources}
        return SourceTables(
            self.sources + [source for source in after.sources if source.number not in sources],
            [file._replace(digest=None) if file.number in touched else file for file in self.files]
            + [file._replace(digest=None) for file in after.files if file.number not in known],
        )
