"""The vectors of texts that come into an index: those of texts that it knows are reused, the others are encoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from quotefind.encoders import Encoder
from quotefind.index.local.state import WriteState
from quotefind.index.local.vectors import MatrixWriter, open_matrix
from quotefind.progress import Progress
from quotefind.similarity import Vectors


class Encoding:
    """Gives vectors in one update of an index.

    Attributes:
        encoded: how many texts were encoded.
    """

    def __init__(self, index: WriteState, encoder: Encoder | Callable[[], Encoder], progress: Progress) -> None:
        """Encode for `index`; `encoder` is opened when the first text needs it."""
        self._index = index
        self._given = encoder
        self._encoder: Encoder | None = None
        self._progress = progress
        self._seconds = 0.0
        self.encoded = 0

    @property
    def rate(self) -> float:
        """Texts encoded in a second; 0 where none was."""
        return self.encoded / self._seconds if self.encoded else 0.0

    def vectors_of(
        self, texts: Mapping[bytes, str], matrix: MatrixWriter, total: int
    ) -> tuple[dict[bytes, Vectors], dict[bytes, bool]]:
        """Return for the digest of each of `texts` its vector (d,), and whether the encoder cut it.

        Args:
            texts: by their digests.
            matrix: where the vectors of known texts are.
            total: how many texts the whole update will encode, for its progress.

        Raises:
            IndexUnusableError: the row of a known text is not what was written.
        """
        known, cut = self._known(texts, matrix)
        missing = [digest for digest in texts if digest not in known]
        if missing:
            vectors, lengths = self._encode([texts[digest] for digest in missing], total)
            known |= zip(missing, vectors, strict=True)
            cut |= zip(missing, lengths, strict=True)
        return known, cut

    def _known(
        self, digests: Mapping[bytes, str], matrix: MatrixWriter
    ) -> tuple[dict[bytes, Vectors], dict[bytes, bool]]:
        rows: dict[bytes, int] = {}
        cut: dict[bytes, bool] = {}
        checksums: list[int] = []
        for digest in digests:
            found = self._index.connection.execute(
                "SELECT row, truncated, checksum FROM quotes WHERE digest = ?", (digest,)
            ).fetchone()
            if found:
                rows[digest], cut[digest] = found[0], bool(found[1])
                checksums.append(found[2])
        if not rows:
            return {}, {}
        dim = self._index.require_manifest().dimension
        vectors = open_matrix(matrix.path, rows=matrix.rows, dim=dim, mend="")[list(rows.values())]
        self._index.check_rows(list(rows.values()), vectors, checksums)
        return dict(zip(rows, vectors, strict=True)), cut

    def _encode(self, texts: list[str], total: int) -> tuple[Vectors, list[bool]]:
        if self._encoder is None:
            self._encoder = self._given() if callable(self._given) else self._given
        started = time.monotonic()
        done = self.encoded
        vectors = self._encoder.encode_quotes(texts, lambda stage, n=0, _=0: self._progress(stage, done + n, total))
        most = self._encoder.max_tokens
        truncated = [length > most for length in self._encoder.count_tokens(texts)]
        self._seconds += time.monotonic() - started
        self.encoded += len(texts)
        return np.asarray(vectors), truncated
