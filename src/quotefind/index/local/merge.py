"""Add new quotes to a local index: their vectors are appended to the matrix, one commit per chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing

import numpy as np

from quotefind.encoders import Encoder, encode
from quotefind.index.local.manifest import State
from quotefind.index.local.vectors import (
    MatrixWriter,
    check_rows,
    matrix_checksum,
    open_matrix,
    row_checksum,
)
from quotefind.index.merge import Added, Merge, StagedQuote
from quotefind.index.schema import transaction
from quotefind.progress import Progress
from quotefind.similarity import Vectors

# Quotes per commit: a killed run loses at most this many.
_CHUNK = 1024

# By the digest of a text: its vector (d,), and whether the encoder truncated it.
_Found = dict[bytes, tuple[Vectors, bool]]


def add(state: State, merge: Merge, open_encoder: Callable[[], Encoder], progress: Progress) -> Added:
    """Store the new quotes of `merge` with their vectors; texts that are already in the index are not encoded again.

    Raises:
        IndexUnusableError: the row of a known text is damaged.
    """
    (total,) = state.connection.execute("SELECT count(DISTINCT digest) FROM staged WHERE quote_id IS NULL").fetchone()
    added = Added()
    if not total:
        return added
    manifest = state.require()
    with closing(MatrixWriter(state.matrix, rows=manifest.rows, dim=manifest.dimension)) as matrix:
        for quotes in merge.new_quotes(_CHUNK):
            texts = {quote.digest: quote.text for quote in quotes}
            found = _known(state, matrix, texts)
            missing = {digest: text for digest, text in texts.items() if digest not in found}
            started = time.monotonic()
            if missing:
                found |= _encoded(missing, open_encoder(), added.encoded, total, progress)
            seconds = time.monotonic() - started
            _store(state, merge, quotes, found, matrix)
            truncated = sum(found[quote.digest][1] for quote in quotes)
            added += Added(len(quotes), len(missing), truncated, seconds)
    return added


def _known(state: State, matrix: MatrixWriter, digests: Mapping[bytes, str]) -> _Found:
    """Return the vectors that the index already has for texts with these `digests`."""
    rows: list[int] = []
    checksums: list[int] = []
    truncated: dict[bytes, bool] = {}
    for digest in digests:
        found = state.connection.execute(
            "SELECT row, checksum, truncated FROM quotes WHERE digest = ?", (digest,)
        ).fetchone()
        if found:
            rows.append(found[0])
            checksums.append(found[1])
            truncated[digest] = bool(found[2])
    if not rows:
        return {}
    vectors = open_matrix(matrix.path, rows=matrix.rows, dim=state.require().dimension, fix="")[rows]
    check_rows(matrix.path, rows, vectors, checksums, state.argument)
    return {digest: (vector, cut) for vector, (digest, cut) in zip(vectors, truncated.items(), strict=True)}


def _encoded(texts: Mapping[bytes, str], encoder: Encoder, done: int, total: int, progress: Progress) -> _Found:
    """Encode `texts`; `done` of the `total` texts of this update are already encoded."""
    vectors, truncated = encode(encoder, list(texts.values()), lambda stage, n=0, _=0: progress(stage, done + n, total))
    return {digest: (vector, cut) for digest, vector, cut in zip(texts, np.asarray(vectors), truncated, strict=True)}


def _store(state: State, merge: Merge, quotes: list[StagedQuote], found: _Found, matrix: MatrixWriter) -> None:
    """Commit `quotes` with their vectors."""
    first = matrix.rows
    rows = np.stack([found[quote.digest][0] for quote in quotes])
    with transaction(state.connection):
        matrix.append(rows)
        for row, (vector, quote) in enumerate(zip(rows, quotes, strict=True), first):
            number = merge.insert(quote, row, row_checksum(vector), truncated=found[quote.digest][1])
            state.connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, quote.text))
        checksum = (state.require().matrix_checksum + matrix_checksum(rows)) % 2**32
        state.store(rows=matrix.rows, matrix_checksum=checksum)
