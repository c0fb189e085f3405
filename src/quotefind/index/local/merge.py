"""An update of an index in a directory: the vectors of what is new go into the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from quotefind.encoders import Encoder
from quotefind.index.local.encoding import Encoding
from quotefind.index.local.state import WriteState
from quotefind.index.local.vectors import MatrixWriter, matrix_checksum, row_checksum
from quotefind.index.merge import Application
from quotefind.index.schema import transaction
from quotefind.progress import Progress

# Quotes committed at a time: what a killed run can lose.
_CHUNK = 1024


class MatrixApplication(Application):
    """One update of an index in a directory."""

    def __init__(self, index: WriteState, progress: Progress, encoder: Encoder | Callable[[], Encoder]) -> None:
        """Prepare to change `index`; `encoder` is opened when the first text needs it."""
        super().__init__(index.connection)
        self._index = index
        self._encoding = Encoding(index, encoder, progress)

    @property
    def encoded(self) -> int:
        """How many texts were encoded."""
        return self._encoding.encoded

    @property
    def rate(self) -> float:
        """Texts encoded in a second; 0 where none was."""
        return self._encoding.rate

    def _add_new(self) -> None:
        (total,) = self._connection.execute(
            "SELECT count(DISTINCT digest) FROM staged WHERE quote_id IS NULL"
        ).fetchone()
        if not total:
            return
        matrix = self._index.open_matrix()
        try:
            for records in self._new_records(_CHUNK):
                self._add_chunk(records, matrix, total)
        finally:
            matrix.close()

    def _add_chunk(self, records: list[tuple[Any, ...]], matrix: MatrixWriter, total: int) -> None:
        known, cut = self._encoding.vectors_of({record[4]: record[5] for record in records}, matrix, total)
        first = matrix.rows
        rows = np.stack([known[record[4]] for record in records])
        with transaction(self._connection):
            matrix.append(rows)
            for row, (vector, record) in enumerate(zip(rows, records, strict=True), first):
                quote_id = self._insert(row, row_checksum(vector), record, truncated=cut[record[4]])
                self._connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (quote_id, record[5]))
            known_sum = self._index.require_manifest().matrix_checksum
            self._index.store(rows=matrix.rows, matrix_checksum=(known_sum + matrix_checksum(rows)) % 2**32)
        self._added += len(records)
        self._truncated += sum(cut[record[4]] for record in records)

    def _forget_lost(self) -> None:
        self._connection.execute(
            "INSERT INTO dead (row) SELECT row FROM quotes WHERE id IN (SELECT quote_id FROM lost)"
        )
        self._connection.execute(
            "INSERT INTO words (words, rowid, text)"
            " SELECT 'delete', id, text FROM quotes WHERE id IN (SELECT quote_id FROM lost)"
        )

    def _finish(self) -> None:
        rate = self._encoding.rate if self._encoding.encoded >= 32 else self._index.require_manifest().rate
        self._index.store(rate=rate)
