"""An index opened to be searched: one committed state, whatever writers do beside it."""

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

# For each kind of name: its table, and the column that people read.
_NAMES = {"author": ("authors", "name"), "work": ("works", "name"), "tag": ("tags", "folded")}
# SQLite takes many more parameters in one statement, but not without limit.
_PARAMETERS = 500
# k1 + 1 in FTS5's BM25: what a term contributes at most, in units of its idf.
_LARGEST_TERM = 2.2
# Above one of so many rows it is faster to check the whole matrix by its sum than these rows by their CRC-32.
_FEW = 20


class LocalIndex(Index):
    """An index in a directory of this machine: a SQLite database and a matrix.

    Attributes:
        directory: where it lies.
        matrix: (rows, d) float32, mapped into memory; dead rows are among them.
    """

    def __init__(self, directory: Path) -> None:
        """Open the index in `directory`.

        Raises:
            IndexUnusableError: there is none, or its files do not belong together.
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
                    # A writer may have put another matrix in its place since we read the name.
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
        """Whether there is an index in `directory`, be it usable or not."""
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
        """What is true of the whole of it."""
        return self._manifest

    @property
    def mapped(self) -> int:
        """How many bytes of its files are mapped into the memory of this process."""
        return self.matrix.nbytes

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()

    def release(self) -> None:
        """Let go of the state that this holds, so that no writer has to keep it; see `reacquire`."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def reacquire(self) -> bool:
        """Hold the state again that `release` let go of; return whether it is still that of the index.

        If it is not, this is to be closed, and the index opened again.
        """
        with database.damage_reported(self.directory):
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            try:
                return self._current_state() == self._state
            except FileNotFoundError:
                return False

    def _current_state(self) -> tuple[int, int, int]:
        """Return what changes with each commit of another process, and where another database is put in the place."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        status = (self.directory / database.FILE_NAME).stat()
        return version, status.st_dev, status.st_ino

    @cached_property
    def count(self) -> int:
        """How many quotes it holds."""
        return self.manifest.rows - len(self.dead)

    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Ranking]:
        """Return for each of `queries` (q, d) the `k` nearest quotes that satisfy `where`, by cosine similarity.

        Raises:
            IndexUnusableError: a row that is ranked is not what was written.
            ValueError: `queries` do not have the dimension of the index, or are not finite.
        """
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
        """Return at most `k` quotes that hold any of `words`, best first by BM25 (SQLite's FTS5); ties by row.

        A score is in (0, 1]: BM25 as a share of what it could reach at most, the sum over all words of idf (k1 + 1), so
        that one word found counts much where one was asked for, and little where ten were. BM25: Robertson and
        Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
        """
        if not words:
            return Ranking(np.empty(0, np.int64), np.empty(0, np.float64))
        # In quotation marks, every word is only text; none is an operator. A NUL would end the expression.
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
        """Return the rows (n,) of the quotes that satisfy `where`, ascending; without conditions, of all.

        Raises:
            IndexUnusableError: one of these rows is not what was written.
        """
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
        """Look whether the matrix is what was written, the first time that all of it is needed."""
        if not self._whole:
            raise self._damaged_matrix("it is not what was written")

    @cached_property
    def _whole(self) -> bool:
        return matrix_checksum(self.matrix) == self.manifest.matrix_checksum

    def _check_rows(self, rows: NDArray[np.int64], checksums: Iterable[int]) -> None:
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.matrix):
            raise self._damaged_database("a quote has a row beyond the matrix")
        changed = first_changed(self.matrix[rows], checksums)
        if changed is not None:
            raise self._damaged_matrix(f"row {rows[changed]} is not what was written")

    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors (n, d) of `rows`, which `search`, `rows_where` or `quotes` has given, and so checked."""
        return np.asarray(self.matrix[rows])

    def digest(self, rows: NDArray[np.int64]) -> str:
        """Return the SHA-256, in hexadecimal, of what decides the vectors of `rows` (n,): the model, and each row."""
        from hashlib import sha256  # loads OpenSSL, which a search does not need

        with database.damage_reported(self.directory):
            stored = self._connection.execute("SELECT row, checksum FROM quotes ORDER BY row")
            known = integers(stored).reshape(-1, 2)
        wanted = known[np.isin(known[:, 0], rows)]
        return sha256(self.manifest.fingerprint.encode() + wanted.tobytes()).hexdigest()

    def quotes(self, rows: Iterable[int]) -> list[Quote]:
        """Return the quotes in `rows`, in that order.

        Raises:
            IndexUnusableError: what the database holds of one, or its row of the matrix, is not what was written.
        """
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
        """Return the row of the quote whose id is, or alone begins with, `quote_id`; None where there is none."""
        beginning = quote_id.lower()
        with database.damage_reported(self.directory):
            found = self._connection.execute(
                "SELECT row FROM quotes WHERE name >= ? AND name < ? LIMIT 2", (beginning, f"{beginning}g")
            ).fetchall()
        return found[0][0] if len(found) == 1 else None

    def rows_with_text(self, text: str) -> list[int]:
        """Return the rows of the quotes with exactly this normalised text, whoever is said to have written it."""
        with database.damage_reported(self.directory):
            found = self._connection.execute("SELECT row FROM quotes WHERE digest = ?", (text_digest(text),))
            return [row for (row,) in found]

    def rows_with_proposals(self) -> NDArray[np.int64]:
        """Return the rows (n,) of the quotes that carry proposed tags, ascending."""
        with database.damage_reported(self.directory):
            return integers(self._connection.execute("SELECT row FROM quotes WHERE proposed <> '[]' ORDER BY row"))

    def ids_by_tag(self) -> dict[str, list[str]]:
        """Return for each tag, folded, the ids of the quotes that carry it as their own."""
        found: dict[str, list[str]] = {}
        with database.damage_reported(self.directory):
            for tag, name in self._connection.execute(
                "SELECT folded, name FROM tags JOIN quote_tags ON tag_id = tags.id JOIN quotes ON quotes.id = quote_id"
                " ORDER BY folded, row"
            ):
                found.setdefault(tag, []).append(name)
        return found

    def names(self, kind: str, beginning: str, limit: int = 50) -> list[str]:
        """Return at most `limit` names with a word that starts as `beginning` does, by alphabet.

        Case and accents do not matter, as in a filter; `kind` is "author", "work" or "tag".
        """
        table, column = _NAMES[kind]
        with database.damage_reported(self.directory):
            found = self._connection.execute(
                f"SELECT {column} FROM {table} WHERE instr(' ' || folded, ?) ORDER BY folded LIMIT ?",
                (f" {fold(beginning)}", limit),
            )
            return [name for (name,) in found]

    def sources(self) -> list[SourceInfo]:
        """Return the sources that it remembers, in the order in which they came."""
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
        """Return how many authors, works, tags, texts cut by the encoder and quotes with proposed tags it holds."""
        with database.damage_reported(self.directory):
            authors, works, truncated, proposed = self._connection.execute(
                "SELECT count(DISTINCT author_id), count(DISTINCT work_id), coalesce(sum(truncated), 0),"
                " coalesce(sum(proposed <> '[]'), 0) FROM quotes"
            ).fetchone()
            (tags,) = self._connection.execute("SELECT count(DISTINCT tag_id) FROM quote_tags").fetchone()
        return {"authors": authors, "works": works, "tags": tags, "truncated": truncated, "with_proposals": proposed}

    def storage(self) -> dict[str, Any]:
        """Return what there is to say of how and in how many bytes it is stored; "bytes" is always among it."""
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
        """The same: the whole database is in it."""
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
