"""Check every row and every checksum of a local index."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from quotefind.errors import IndexUnusableError
from quotefind.index.local.database import FILE_NAME, address_of, damage_reported, index_again
from quotefind.index.local.reader import LocalIndex
from quotefind.index.local.vectors import damaged_matrix, matrix_checksum, row_checksum
from quotefind.index.schema import quote_checksum
from quotefind.paths import index_argument
from quotefind.progress import Progress, silent
from quotefind.text import fold, quote_id, text_digest

_TELL_EVERY = 50_000
# How far from 1 the length of a float32 unit row may be.
_LENGTH = 1e-4
_QUOTES = """
SELECT row, digest, checksum, seal, chars, quotes.name, text, authors.name, works.name, year, tags, proposed, note,
    place, added, verse,
    (SELECT json_group_array(folded) FROM quote_tags JOIN tags ON tags.id = tag_id WHERE quote_id = quotes.id),
    (SELECT json_group_array(folded) FROM proposed_tags JOIN tags ON tags.id = tag_id WHERE quote_id = quotes.id)
FROM quotes
LEFT JOIN authors ON authors.id = author_id
LEFT JOIN works ON works.id = work_id
ORDER BY row
"""


def verify(index: LocalIndex, progress: Progress = silent) -> int:
    """Check that database and matrix are intact and belong together; return the number of quotes checked.

    Every row must be finite, have length 1 and match its CRC-32. Every quote must match its id and its checksum. What
    filters look at must agree with the quotes. Every row of the matrix must belong to one quote, or be marked as dead.
    Full-text search must know every quote.

    Raises:
        IndexUnusableError: something is wrong; the message lists the first problems and says how to fix them.
    """
    database_path = index.directory / FILE_NAME
    manifest, connection = index.manifest, index.connection
    with damage_reported(index.directory):
        (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if state != "ok":
            raise IndexUnusableError(f"{database_path} is damaged ({state}). {index_again(index.directory)}")
        in_database, in_matrix = _check_quotes(index, progress)
        in_database += _check_names(connection)
        (quotes,) = connection.execute("SELECT count(*) FROM quotes").fetchone()
        (known,) = connection.execute("SELECT count(*) FROM words_docsize").fetchone()
        (placed,) = connection.execute("SELECT count(DISTINCT quote_id) FROM places").fetchone()
    if quotes + len(np.unique(index.dead)) != manifest.rows:
        in_matrix.append(f"{manifest.rows} rows, but {quotes} quotes and {len(index.dead)} dead rows")
    if not in_matrix and matrix_checksum(index.matrix) != manifest.matrix_checksum:
        in_matrix.append("it does not match its checksum")
    if known != quotes:
        in_database.append(f"full-text search knows {known} of {quotes} quotes")
    elif not _words_are_whole(index.directory):
        in_database.append("full-text search does not match the quotes")
    if placed != quotes:
        in_database.append(f"{quotes - placed} quotes belong to no source")
    if in_database:
        raise IndexUnusableError(f"{database_path} is damaged: {_list(in_database)}. {index_again(index.directory)}")
    if in_matrix:
        raise damaged_matrix(index.directory / manifest.matrix, _list(in_matrix), index_argument(index.directory))
    return int(quotes)


def _check_quotes(index: LocalIndex, progress: Progress) -> tuple[list[str], list[str]]:
    in_database: list[str] = []
    in_matrix: list[str] = []
    for number, values in enumerate(index.connection.execute(_QUOTES), 1):
        row, checksum = values[0], values[2]
        in_database += _check_quote(values)
        if not (isinstance(row, int) and 0 <= row < index.manifest.rows):
            in_database.append(f"quote {values[5]} has row {row}, beyond the matrix")
            continue
        vector = index.matrix[row]
        if not abs(float(np.linalg.norm(vector)) - 1) < _LENGTH:  # also if it is not a number
            in_matrix.append(f"row {row} is not a unit vector")
        elif row_checksum(vector) != checksum:
            in_matrix.append(f"row {row} does not match its checksum")
        if number % _TELL_EVERY == 0:
            progress("verifying", number, index.count)
    return in_database, in_matrix


def _check_quote(values: tuple[Any, ...]) -> Iterator[str]:
    """Yield the problems of a row of `_QUOTES`."""
    _, digest, _, checksum, chars, name, text, author, work, year, tags, proposed, *more = values
    more, found_by = more[:-2], more[-2:]
    if not isinstance(text, str) or text_digest(text) != digest or quote_id(text, author) != name:
        yield f"quote {name} does not have the text or author that it was stored with"
    elif quote_checksum(name, text, author, work, year, tags, proposed, *more) != checksum:
        yield f"quote {name} was stored with another work, year, place, date, note, lines or tags"
    elif len(text) != chars or _folded(tags) != set(json.loads(found_by[0])):
        yield f"quote {name} is found by a length or tag that it does not have"
    elif _folded(proposed) != set(json.loads(found_by[1])):
        yield f"quote {name} is found by a proposed tag that it does not have"


def _folded(tags: str) -> set[str]:
    return {folded for tag in json.loads(tags) if (folded := fold(tag))}


def _check_names(connection: sqlite3.Connection) -> list[str]:
    return [
        f"{table[:-1]} {name!r} is found by another name"
        for table in ("authors", "works")
        for name, folded in connection.execute(f"SELECT name, folded FROM {table}")
        if fold(name) != folded
    ]


def _words_are_whole(directory: Path) -> bool:
    """Whether FTS5's own check finds no problem; it is skipped if the database cannot be opened for writing."""
    try:
        connection = sqlite3.connect(f"{address_of(directory)}?mode=rw", uri=True, timeout=0, isolation_level=None)
    except sqlite3.OperationalError:
        return True
    try:
        connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    except sqlite3.OperationalError:  # another process is writing, or this one may not
        return True
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()
    return True


def _list(finds: list[str]) -> str:
    return "; ".join(finds[:5]) + (f"; and {len(finds) - 5} more" if len(finds) > 5 else "")
