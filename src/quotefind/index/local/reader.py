"""A local index opened for searching: one committed state, unaffected by writers."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quotefind.errors import IndexUnusableError
from quotefind.index.filters import Filter, matching_rows
from quotefind.index.interface import Index, SourceInfo
from quotefind.index.local import database
from quotefind.index.local.manifest import LocalManifest, missing_index, read_deferred, read_manifest
from quotefind.index.local.quotes import checked_quotes
from quotefind.index.local.vectors import damaged_matrix, first_changed, has_rows, matrix_checksum, open_matrix
from quotefind.index.schema import integers
from quotefind.paths import index_argument
from quotefind.records import Quote
from quotefind.similarity import Ranking, Vectors, check_queries, top_k
from quotefind.text import fold, text_digest

# For each kind of name: its table, and the column to show.
_NAMES = {"author": ("authors", "name"), "work": ("works", "name"), "tag": ("tags", "folded")}
# The number of parameters in one SQL statement; SQLite has a limit above it.
_PARAMETERS = 500
# k1 + 1 in FTS5's BM25: the most that a term contributes, in units of its idf.
_LARGEST_TERM = 2.2
# If more than one in this many rows is needed, the checksum of the whole matrix is faster than a CRC-32 per row.
_FEW = 20


class LocalIndex(Index):
    """An index in a local directory: a SQLite database and a matrix.

    Attributes:
        directory: the directory of the index.
        matrix: (rows, d) float32, mapped into memory, including dead rows.
    """

    def __init__(self, directory: Path) -> None:
        """Open the index in `directory`.

        Raises:
            IndexUnusableError: there is no index, or its files do not belong together.
        """
        self.location = self.directory = directory
        self._argument = index_argument(directory)
        self._selected: tuple[Filter, NDArray[np.int64]] | None = None
        for attempt in range(10):
            with database.damage_reported(directory):
                if not database.exists(directory):
                    raise missing_index(directory)
                self._connection = database.connect_to_read(directory)
                try:
                    self._connection.execute("BEGIN")
                    self._state = self._current_state()
                    manifest = read_manifest(self._connection, directory)
                    if manifest is None:
                        raise missing_index(directory)
                    self._manifest = manifest
                    self.deferred = read_deferred(self._connection)
                    self.matrix = open_matrix(
                        directory / manifest.matrix,
                        rows=manifest.rows,
                        dim=manifest.dimension,
                        fix=f"To fix it: quotefind index --rebuild{self._argument}",
                    )
                    break
                except FileNotFoundError as error:
                    # A writer may have replaced the matrix since its name was read.
                    self._connection.close()
                    if attempt == 9:
                        raise IndexUnusableError(
                            f"{error.filename} is missing. To fix it: quotefind index --rebuild{self._argument}"
                        ) from error
                except BaseException:
                    self._connection.close()
                    raise

    @staticmethod
    def exists(directory: Path) -> bool:
        """Whether there is an index in `directory`, usable or not."""
        with database.damage_reported(directory):
            if not database.exists(directory):
                return has_rows(directory)
            connection = database.connect_to_read(directory)
            try:
                return read_manifest(connection, directory) is not None or has_rows(directory)
            finally:
                connection.close()

    @property
    def manifest(self) -> LocalManifest:
        """See `Index.manifest`."""
        return self._manifest

    @property
    def mapped(self) -> int:
        """See `Index.mapped`."""
        return self.matrix.nbytes

    def close(self) -> None:
        """See `Index.close`."""
        self._connection.close()

    def release(self) -> None:
        """See `Index.release`."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def reacquire(self) -> bool:
        """See `Index.reacquire`."""
        with database.damage_reported(self.directory):
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            try:
                return self._current_state() == self._state
            except FileNotFoundError:
                return False

    def _current_state(self) -> tuple[int, int, int]:
        """Return values that change with each commit of another process, and when the database file is replaced."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        status = (self.directory / database.FILE_NAME).stat()
        return version, status.st_dev, status.st_ino

    @cached_property
    def count(self) -> int:
        """See `Index.count`."""
        return self.manifest.rows - len(self.dead)

    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Ranking]:
        """See `Index.search`."""
        check_queries(queries, self.manifest.dimension)
        rows = None
        if where:
            rows = self.rows_where(where)
        else:
            self._check_matrix()
        without = self.dead if rows is None and len(self.dead) else None
        try:
            return top_k(self.matrix, queries, k, rows=rows, without=without)
        except (ValueError, IndexError) as error:  # a dead row beyond the matrix is an IndexError
            raise self._damaged_matrix(str(error)) from error

    def search_words(self, words: Sequence[str], k: int, where: Filter | None = None) -> Ranking:
        """See `Index.search_words`."""
        if not words:
            return Ranking(np.empty(0, np.int64), np.empty(0, np.float64))
        # In quotation marks a word is text and never an operator. A NUL would end the expression.
        phrases = [f'"{word.translate({0: None, 34: None})}"' for word in words]
        rows: list[int] = []
        scores: list[float] = []
        with database.damage_reported(self.directory):
            most = _LARGEST_TERM * sum(map(self._rarity, phrases))
            found = self._connection.execute(
                "SELECT row, bm25(words) FROM words JOIN quotes ON quotes.id = words.rowid"
                " WHERE words MATCH ? ORDER BY bm25(words), row",
                (" OR ".join(phrases),),
            )
            allowed = None if not where else frozenset(self.rows_where(where).tolist())
            for row, negated in found:
                if allowed is None or row in allowed:
                    rows.append(row)
                    scores.append(min(-negated / most, 1.0))
                    if len(rows) == k:
                        break
        return Ranking(np.array(rows, np.int64), np.array(scores, np.float64))

    def _rarity(self, phrase: str) -> float:
        """Return the idf of a phrase, as FTS5 computes it."""
        (holding,) = self._connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (phrase,)).fetchone()
        return max(math.log((self.count - holding + 0.5) / (holding + 0.5)), 1e-6)

    def rows_where(self, where: Filter) -> NDArray[np.int64]:
        """See `Index.rows_where`."""
        if self._selected is None or self._selected[0] != where:
            with database.damage_reported(self.directory):
                rows, checksums = matching_rows(self._connection, where)
            if _FEW * len(rows) > len(self.matrix):
                self._check_matrix()
            else:
                self._check_rows(rows, checksums)
            self._selected = where, rows
        return self._selected[1]

    def _check_matrix(self) -> None:
        """Make sure that the matrix matches its checksum, the first time that all of it is needed."""
        if not self._whole:
            raise self._damaged_matrix("it does not match its checksum")

    @cached_property
    def _whole(self) -> bool:
        return matrix_checksum(self.matrix) == self.manifest.matrix_checksum

    def _check_rows(self, rows: NDArray[np.int64], checksums: Iterable[int]) -> None:
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.matrix):
            raise self._damaged_database("a quote has a row beyond the matrix")
        changed = first_changed(self.matrix[rows], checksums)
        if changed is not None:
            raise self._damaged_matrix(f"row {rows[changed]} does not match its checksum")

    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """See `Index.vectors`."""
        return np.asarray(self.matrix[rows])

    def digest(self, rows: NDArray[np.int64]) -> str:
        """See `Index.digest`."""
        from hashlib import sha256  # loads OpenSSL, which searches do not need

        with database.damage_reported(self.directory):
            stored = self._connection.execute("SELECT row, checksum FROM quotes ORDER BY row")
            known = integers(stored).reshape(-1, 2)
        wanted = known[np.isin(known[:, 0], rows)]
        return sha256(self.manifest.fingerprint.encode() + wanted.tobytes()).hexdigest()

    def quotes(self, rows: Iterable[int]) -> list[Quote]:
        """See `Index.quotes`."""
        wanted = [int(row) for row in rows]
        found: dict[int, Quote] = {}
        with database.damage_reported(self.directory):
            for start in range(0, len(wanted), _PARAMETERS):
                part = wanted[start : start + _PARAMETERS]
                marks = ", ".join("?" for _ in part)
                rows, checksums = [], []
                for row, checksum, quote in checked_quotes(self.directory, self._connection, f"row IN ({marks})", part):
                    found[row] = quote
                    rows.append(row)
                    checksums.append(checksum)
                self._check_rows(np.array(rows, np.int64), checksums)
        try:
            return [found[row] for row in wanted]
        except KeyError as error:
            raise self._damaged_database(f"row {error} of the matrix belongs to no quote") from error

    def row_of(self, quote_id: str) -> int | None:
        """See `Index.row_of`."""
        beginning = quote_id.lower()
        with database.damage_reported(self.directory):
            found = self._connection.execute(
                "SELECT row FROM quotes WHERE name >= ? AND name < ? LIMIT 2", (beginning, f"{beginning}g")
            ).fetchall()
        return found[0][0] if len(found) == 1 else None

    def rows_with_text(self, text: str) -> list[int]:
        """See `Index.rows_with_text`."""
        with database.damage_reported(self.directory):
            found = self._connection.execute("SELECT row FROM quotes WHERE digest = ?", (text_digest(text),))
            return [row for (row,) in found]

    def rows_with_proposals(self) -> NDArray[np.int64]:
        """See `Index.rows_with_proposals`."""
        with database.damage_reported(self.directory):
            return integers(self._connection.execute("SELECT row FROM quotes WHERE proposed <> '[]' ORDER BY row"))

    def ids_by_tag(self) -> dict[str, list[str]]:
        """See `Index.ids_by_tag`."""
        found: dict[str, list[str]] = {}
        with database.damage_reported(self.directory):
            for tag, name in self._connection.execute(
                "SELECT folded, name FROM tags JOIN quote_tags ON tag_id = tags.id JOIN quotes ON quotes.id = quote_id"
                " ORDER BY folded, row"
            ):
                found.setdefault(tag, []).append(name)
        return found

    def names(self, kind: str, beginning: str, limit: int = 50) -> list[str]:
        """See `Index.names`."""
        table, column = _NAMES[kind]
        with database.damage_reported(self.directory):
            found = self._connection.execute(
                f"SELECT {column} FROM {table} WHERE instr(' ' || folded, ?) ORDER BY folded LIMIT ?",
                (f" {fold(beginning)}", limit),
            )
            return [name for (name,) in found]

    def sources(self) -> list[SourceInfo]:
        """See `Index.sources`."""
        with database.damage_reported(self.directory):
            return [
                SourceInfo(*values)
                for values in self._connection.execute(
                    "SELECT location, count(DISTINCT files.id), count(DISTINCT quote_id) FROM sources"
                    " LEFT JOIN files ON files.source_id = sources.id LEFT JOIN places ON places.file_id = files.id"
                    " GROUP BY sources.id ORDER BY sources.id"
                )
            ]

    def statistics(self) -> dict[str, int]:
        """See `Index.statistics`."""
        with database.damage_reported(self.directory):
            authors, works, truncated, proposed = self._connection.execute(
                "SELECT count(DISTINCT author_id), count(DISTINCT work_id), coalesce(sum(truncated), 0),"
                " coalesce(sum(proposed <> '[]'), 0) FROM quotes"
            ).fetchone()
            (tags,) = self._connection.execute("SELECT count(DISTINCT tag_id) FROM quote_tags").fetchone()
        return {"authors": authors, "works": works, "tags": tags, "truncated": truncated, "with_proposals": proposed}

    def storage(self) -> dict[str, Any]:
        """See `Index.storage`."""
        return {
            "matrix": self.manifest.matrix,
            "rows": self.manifest.rows,
            "dead_rows": len(self.dead),
            "bytes": sum(path.stat().st_size for path in self.directory.iterdir() if path.is_file()),
        }

    @property
    def connection(self) -> sqlite3.Connection:
        """The read-only connection, in the transaction that holds this state."""
        return self._connection

    @property
    def source_tables(self) -> sqlite3.Connection:
        """See `Index.source_tables`."""
        return self._connection

    @cached_property
    def dead(self) -> NDArray[np.int64]:
        """The rows (n,) of the matrix that belong to no quote, ascending."""
        with database.damage_reported(self.directory):
            rows = self._connection.execute("SELECT row FROM dead WHERE row < ? ORDER BY row", (self.manifest.rows,))
            return integers(rows)

    def _damaged_matrix(self, what: str) -> IndexUnusableError:
        return damaged_matrix(self.directory / self.manifest.matrix, what, self._argument)

    def _damaged_database(self, what: str) -> IndexUnusableError:
        return database.damaged(self.directory, what)
