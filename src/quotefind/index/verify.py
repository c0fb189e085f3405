"""Every row and every hash of an index looked at."""

from __future__ import annotations

import zlib

import numpy as np

from quotefind.errors import IndexUnusableError
from quotefind.index.database import FILE_NAME, damage_reported
from quotefind.index.reader import Index
from quotefind.paths import index_argument
from quotefind.progress import Progress, silent
from quotefind.text import quote_id, text_digest

_TELL_EVERY = 50_000
# How far from 1 the length of a float32 unit row may be.
_LENGTH = 1e-4


def verify(index: Index, progress: Progress = silent) -> int:
    """Check that database and matrix are whole and belong together; return how many quotes were checked.

    Every row is finite, of length 1 and the one that was written (CRC-32); every text and name has its hash; every row
    of the matrix belongs to one quote or is known to be dead; full-text search knows every quote.

    Raises:
        IndexUnusableError: something is wrong; the message lists the first finds and says what mends them.
    """
    database_path = index.directory / FILE_NAME
    connection = index.connection
    with damage_reported(index.directory):
        (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if state != "ok":
            raise IndexUnusableError(
                f"{database_path} is damaged ({state}). Delete {index.directory} and index its sources again."
            )
        in_database, in_matrix = _check_quotes(index, progress)
        (quotes,) = connection.execute("SELECT count(*) FROM quotes").fetchone()
        (known,) = connection.execute("SELECT count(*) FROM words_docsize").fetchone()
        (placed,) = connection.execute("SELECT count(DISTINCT quote_id) FROM places").fetchone()
    if quotes + len(np.unique(index.dead)) != index.manifest.rows:
        in_matrix.append(f"{index.manifest.rows} rows, but {quotes} quotes and {len(index.dead)} dead rows")
    if known != quotes:
        in_database.append(f"full-text search knows {known} of {quotes} quotes")
    if placed != quotes:
        in_database.append(f"{quotes - placed} quotes belong to no source")
    if in_database:
        raise IndexUnusableError(
            f"{database_path} is damaged: {_list(in_database)}. Delete {index.directory} and index its sources again."
        )
    if in_matrix:
        raise IndexUnusableError(
            f"{index.directory / index.manifest.matrix} is damaged: {_list(in_matrix)}. "
            f"To mend it: quotefind index --rebuild{index_argument(index.directory)}"
        )
    return int(quotes)


def _check_quotes(index: Index, progress: Progress) -> tuple[list[str], list[str]]:
    in_database, in_matrix = [], []
    statement = (
        "SELECT row, quotes.name, digest, checksum, text, authors.name FROM quotes"
        " LEFT JOIN authors ON authors.id = author_id ORDER BY row"
    )
    for number, (row, name, digest, checksum, text, author) in enumerate(index.connection.execute(statement), 1):
        if text_digest(text) != digest or quote_id(text, author) != name:
            in_database.append(f"quote {name} has not the text or author that it was stored with")
        if not 0 <= row < index.manifest.rows:
            in_database.append(f"quote {name} has row {row}, beyond the matrix")
            continue
        vector = index.matrix[row]
        if not abs(float(np.linalg.norm(vector)) - 1) < _LENGTH:  # also where it is not a number
            in_matrix.append(f"row {row} is no unit vector")
        elif zlib.crc32(vector.tobytes()) != checksum:
            in_matrix.append(f"row {row} is not what was written")
        if number % _TELL_EVERY == 0:
            progress("verifying", number, index.count)
    return in_database, in_matrix


def _list(finds: list[str]) -> str:
    return "; ".join(finds[:5]) + (f"; and {len(finds) - 5} more" if len(finds) > 5 else "")
