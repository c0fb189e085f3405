"""Another matrix in the place of the one there is: without dead rows, or with the vectors of another model.

It is written beside, with its rows noted in the table `rewritten` as they are committed, and takes the place of the
old one in a single transaction. A run that is killed goes on where it last committed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from quotefind.encoders import Encoder
from quotefind.errors import IndexUnusableError
from quotefind.index.local.proposals import forget
from quotefind.index.local.state import WriteState
from quotefind.index.local.vectors import (
    MatrixWriter,
    first_changed,
    matrix_checksum,
    open_matrix,
    row_checksum,
    rows_in,
)
from quotefind.index.schema import transaction
from quotefind.progress import Progress
from quotefind.similarity import Vectors

_CHUNK = 2048
_WRITTEN = "SELECT coalesce(max(row) + 1, 0), count(*) FROM rewritten"

# From the rows, their checksums and the texts of some quotes to their vectors, and whether each text was cut.
_Make = Callable[[list[int], list[int], list[str]], tuple[Vectors, list[bool] | None]]


def compact(index: WriteState, progress: Progress) -> int:
    """Leave out the rows that belong to no quote; return how many there were."""
    manifest = index.require_manifest()
    (dead,) = index.connection.execute("SELECT count(*) FROM dead").fetchone()
    if not dead:
        return 0
    matrix = open_matrix(
        index.directory / manifest.matrix, rows=manifest.rows, dim=manifest.dimension, mend="Try --rebuild."
    )

    def copy(rows: list[int], checksums: list[int], _: list[str]) -> tuple[Vectors, None]:
        vectors = np.asarray(matrix[rows])
        index.check_rows(rows, vectors, checksums)
        return vectors, None

    _rewrite(
        index, {"fingerprint": manifest.fingerprint, "dimension": manifest.dimension}, copy, progress, "compacting"
    )
    return int(dead)


def encode_anew(index: WriteState, encoder: Encoder, progress: Progress) -> tuple[int, int]:
    """Encode every quote with `encoder`, which becomes the one of the index.

    Returned is how many were encoded, and for how many what was proposed is forgotten: with another model, all of it.
    """
    encoded = 0

    def encode(_: list[int], __: list[int], texts: list[str]) -> tuple[Vectors, list[bool]]:
        nonlocal encoded
        encoded += len(texts)
        truncated = [length > encoder.max_tokens for length in encoder.count_tokens(texts)]
        return encoder.encode_quotes(texts), truncated

    changes: dict[str, str | int] = {
        "model": encoder.name,
        "fingerprint": encoder.fingerprint,
        "dimension": encoder.dim,
        "pooling": encoder.pooling,
        "max_tokens": encoder.max_tokens,
    }
    forgotten = _rewrite(index, changes, encode, progress, "encoding")
    return encoded, forgotten


def remove_leftovers(index: WriteState) -> None:
    """Delete matrices that a killed run left behind and nothing refers to any more."""
    if index.manifest is None:
        return
    for path in index.directory.glob("vectors-*.npy"):
        if path.name not in (index.manifest.matrix, index.manifest.rewrite):
            try:
                path.unlink()
            except OSError:  # Windows keeps what a reader has mapped; the next index tries again
                continue


def _rewrite(index: WriteState, changes: dict[str, str | int], make: _Make, progress: Progress, stage: str) -> int:
    """Fill another matrix with what `make` gives, and put it in the place of the old one with these `changes`.

    Tags that were proposed with another model are forgotten; returned is for how many quotes.
    """
    connection = index.connection
    manifest = index.require_manifest()
    fingerprint, dim = changes["fingerprint"], int(changes["dimension"])
    if manifest.rewrite_fingerprint != fingerprint or not _can_go_on(index, dim):
        with transaction(connection):
            connection.execute("DELETE FROM rewritten")
            number = int(re.sub(r"\D", "", manifest.matrix)) + 1
            index.store(rewrite=f"vectors-{number}.npy", rewrite_fingerprint=fingerprint)
    path = index.directory / index.require_manifest().rewrite
    (total,) = connection.execute("SELECT count(*) FROM quotes").fetchone()
    (rows, done) = connection.execute(_WRITTEN).fetchone()
    matrix = MatrixWriter(path, rows=rows, dim=dim)
    try:
        while done < total:
            done += _copy_chunk(index, matrix, make)
            progress(stage, done, total)
        rows = matrix.rows
    finally:
        matrix.close()
    checked_sum = _check_copy(index, path, rows, dim)
    old = index.directory / manifest.matrix
    forgotten = 0
    with transaction(connection):
        if fingerprint != manifest.fingerprint:
            forgotten = forget(connection)
        # A unique index is checked row by row, so it would stand in the way of an exchange.
        connection.execute("DROP INDEX quotes_row")
        connection.execute(
            "UPDATE quotes SET row = new.row, checksum = new.checksum, truncated = new.truncated"
            " FROM rewritten AS new WHERE new.quote_id = quotes.id"
        )
        connection.execute("CREATE UNIQUE INDEX quotes_row ON quotes (row)")
        connection.execute("DELETE FROM rewritten")
        connection.execute("DELETE FROM dead")
        # Quotes that went away after a killed run had copied them have left gaps.
        connection.execute(
            "WITH RECURSIVE number (row) AS (SELECT 0 UNION ALL SELECT row + 1 FROM number WHERE row + 1 < ?)"
            " INSERT INTO dead SELECT row FROM number WHERE row NOT IN (SELECT row FROM quotes) AND ? > ?",
            (rows, rows, total),
        )
        index.store(
            matrix=path.name, rows=rows, matrix_checksum=checked_sum, rewrite="", rewrite_fingerprint="", **changes
        )
    with suppress(OSError):  # see remove_leftovers
        old.unlink(missing_ok=True)
    return forgotten


def _can_go_on(index: WriteState, dim: int) -> bool:
    """Whether what a killed run has written of another matrix is still there."""
    (rows, _) = index.connection.execute(_WRITTEN).fetchone()
    path = index.directory / index.require_manifest().rewrite
    return path.is_file() and rows_in(path, dim) >= rows


def _check_copy(index: WriteState, path: Path, rows: int, dim: int) -> int:
    """Compare the new matrix with what was written, perhaps by an earlier run, and return its `matrix_checksum`.

    Raises:
        IndexUnusableError: it was damaged since; the next run begins it anew.
    """
    matrix = open_matrix(path, rows=rows, dim=dim, mend="Try again.")
    noted = index.connection.execute("SELECT row, checksum FROM rewritten ORDER BY row")
    while part := noted.fetchmany(_CHUNK):
        if first_changed(matrix[[row for row, _ in part]], (checksum for _, checksum in part)) is not None:
            path.unlink()
            raise IndexUnusableError(f"{path} was damaged while it was made, and is deleted. Run the command again.")
    return matrix_checksum(matrix)


def _copy_chunk(index: WriteState, matrix: MatrixWriter, make: _Make) -> int:
    quotes = index.connection.execute(
        "SELECT id, row, checksum, text, truncated FROM quotes WHERE id NOT IN (SELECT quote_id FROM rewritten)"
        " ORDER BY id LIMIT ?",
        (_CHUNK,),
    ).fetchall()
    ids, rows, checksums, texts, were_cut = map(list, zip(*quotes, strict=True))
    vectors, truncated = make(rows, checksums, texts)
    cut = were_cut if truncated is None else truncated
    first = matrix.rows
    with transaction(index.connection):
        matrix.append(vectors)
        index.connection.executemany(
            "INSERT INTO rewritten (quote_id, row, checksum, truncated) VALUES (?, ?, ?, ?)",
            [
                (quote_id, row, row_checksum(vector), was_cut)
                for row, (quote_id, vector, was_cut) in enumerate(zip(ids, vectors, cut, strict=True), first)
            ],
        )
    return len(quotes)
