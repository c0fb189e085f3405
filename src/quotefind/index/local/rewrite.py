"""Write a new matrix that replaces the old one: without dead rows, or with the vectors of another model.

The table `rewritten` lists the rows committed so far. The new matrix replaces the old one in one transaction. After a
run was killed, the next one continues from its last commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from quotefind.encoders import Encoder, encode
from quotefind.errors import IndexUnusableError
from quotefind.index.local.manifest import LocalManifest, State
from quotefind.index.local.proposals import forget
from quotefind.index.local.vectors import (
    MatrixWriter,
    check_rows,
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

# A function from the rows, checksums and texts of some quotes to their vectors, and whether each text was truncated.
_Make = Callable[[list[int], list[int], list[str]], tuple[Vectors, list[bool] | None]]


def compact(state: State, progress: Progress) -> int:
    """Drop the rows that belong to no quote; return their number."""
    manifest = state.require()
    (dead,) = state.connection.execute("SELECT count(*) FROM dead").fetchone()
    if not dead:
        return 0
    path = state.matrix
    matrix = open_matrix(path, rows=manifest.rows, dim=manifest.dimension, fix="Try --rebuild.")

    def copied(rows: list[int], checksums: list[int], _: list[str]) -> tuple[Vectors, None]:
        vectors = np.asarray(matrix[rows])
        check_rows(path, rows, vectors, checksums, state.argument)
        return vectors, None

    model: dict[str, str | int] = {"fingerprint": manifest.fingerprint, "dimension": manifest.dimension}
    _rewrite(state, model, copied, progress, "compacting")
    return int(dead)


def rebuild(state: State, encoder: Encoder, progress: Progress) -> tuple[int, int]:
    """Encode every quote with `encoder`, which becomes the encoder of the index.

    Returns:
        The number of quotes encoded, and the number whose proposed tags were dropped because the model has changed.
    """
    encoded = 0

    def encode_all(_: list[int], __: list[int], texts: list[str]) -> tuple[Vectors, list[bool]]:
        nonlocal encoded
        encoded += len(texts)
        return encode(encoder, texts)

    model: dict[str, str | int] = {
        "model": encoder.name,
        "fingerprint": encoder.fingerprint,
        "dimension": encoder.dim,
        "pooling": encoder.pooling,
        "max_tokens": encoder.max_tokens,
    }
    dropped = _rewrite(state, model, encode_all, progress, "encoding")
    return encoded, dropped


def remove_leftovers(directory: Path, manifest: LocalManifest | None) -> None:
    """Delete matrices that a killed run left and nothing refers to."""
    if manifest is None:
        return
    for path in directory.glob("vectors-*.npy"):
        if path.name not in (manifest.matrix, manifest.rewrite):
            with suppress(OSError):  # Windows keeps files that a reader has mapped; the next writer tries again
                path.unlink()


def _rewrite(state: State, changes: dict[str, str | int], make: _Make, progress: Progress, stage: str) -> int:
    """Fill a new matrix with the vectors from `make`, replace the old one, and store `changes` in the manifest.

    Tags proposed with another model are dropped; return the number of quotes that had such tags.
    """
    connection = state.connection
    manifest = state.require()
    fingerprint, dim = changes["fingerprint"], int(changes["dimension"])
    if manifest.rewrite_fingerprint != fingerprint or not _can_continue(state, dim):
        with transaction(connection):
            connection.execute("DELETE FROM rewritten")
            number = int(re.sub(r"\D", "", manifest.matrix)) + 1
            state.store(rewrite=f"vectors-{number}.npy", rewrite_fingerprint=fingerprint)
    path = state.directory / state.require().rewrite
    (total,) = connection.execute("SELECT count(*) FROM quotes").fetchone()
    (rows, done) = connection.execute(_WRITTEN).fetchone()
    matrix = MatrixWriter(path, rows=rows, dim=dim)
    try:
        while done < total:
            done += _copy_chunk(state, matrix, make)
            progress(stage, done, total)
        rows = matrix.rows
    finally:
        matrix.close()
    checked_sum = _check_copy(state, path, rows, dim)
    old = state.directory / manifest.matrix
    forgotten = 0
    with transaction(connection):
        if fingerprint != manifest.fingerprint:
            forgotten = forget(connection)
        # A unique index is checked row by row, so it would not allow rows to be exchanged.
        connection.execute("DROP INDEX quotes_row")
        connection.execute(
            "UPDATE quotes SET row = new.row, checksum = new.checksum, truncated = new.truncated"
            " FROM rewritten AS new WHERE new.quote_id = quotes.id"
        )
        connection.execute("CREATE UNIQUE INDEX quotes_row ON quotes (row)")
        connection.execute("DELETE FROM rewritten")
        connection.execute("DELETE FROM dead")
        # Quotes that a killed run had copied and that were removed later have left gaps.
        connection.execute(
            "WITH RECURSIVE number (row) AS (SELECT 0 UNION ALL SELECT row + 1 FROM number WHERE row + 1 < ?)"
            " INSERT INTO dead SELECT row FROM number WHERE row NOT IN (SELECT row FROM quotes) AND ? > ?",
            (rows, rows, total),
        )
        state.store(
            matrix=path.name, rows=rows, matrix_checksum=checked_sum, rewrite="", rewrite_fingerprint="", **changes
        )
    with suppress(OSError):  # see remove_leftovers
        old.unlink(missing_ok=True)
    return forgotten


def _can_continue(state: State, dim: int) -> bool:
    """Whether the new matrix that a killed run had started still exists."""
    (rows, _) = state.connection.execute(_WRITTEN).fetchone()
    path = state.directory / state.require().rewrite
    return path.is_file() and rows_in(path, dim) >= rows


def _check_copy(state: State, path: Path, rows: int, dim: int) -> int:
    """Compare the new matrix, parts of which an earlier run may have written, with its checksums.

    Returns:
        The `matrix_checksum` of the new matrix.

    Raises:
        IndexUnusableError: the matrix is damaged, and has been deleted; the next run starts over.
    """
    matrix = open_matrix(path, rows=rows, dim=dim, fix="Try again.")
    noted = state.connection.execute("SELECT row, checksum FROM rewritten ORDER BY row")
    while part := noted.fetchmany(_CHUNK):
        if first_changed(matrix[[row for row, _ in part]], (checksum for _, checksum in part)) is not None:
            path.unlink()
            raise IndexUnusableError(f"{path} was damaged while it was written, and is deleted. Run the command again.")
    return matrix_checksum(matrix)


def _copy_chunk(state: State, matrix: MatrixWriter, make: _Make) -> int:
    quotes = state.connection.execute(
        "SELECT id, row, checksum, text, truncated FROM quotes WHERE id NOT IN (SELECT quote_id FROM rewritten)"
        " ORDER BY id LIMIT ?",
        (_CHUNK,),
    ).fetchall()
    ids, rows, checksums, texts, were_cut = map(list, zip(*quotes, strict=True))
    vectors, truncated = make(rows, checksums, texts)
    cut = were_cut if truncated is None else truncated
    first = matrix.rows
    with transaction(state.connection):
        matrix.append(vectors)
        state.connection.executemany(
            "INSERT INTO rewritten (quote_id, row, checksum, truncated) VALUES (?, ?, ?, ?)",
            [
                (quote_id, row, row_checksum(vector), was_cut)
                for row, (quote_id, vector, was_cut) in enumerate(zip(ids, vectors, cut, strict=True), first)
            ],
        )
    return len(quotes)
