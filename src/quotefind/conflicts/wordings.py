"""Which quotes of an index have the same words, and which may have nearly the same."""

from __future__ import annotations

import zlib
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from quotefind.conflicts.words import is_near, words_of
from quotefind.index.interface import Index
from quotefind.progress import Progress

# Quotes whose texts are in memory at once: they can be long. Pairs are only numbers.
_BATCH = 256
_PAIRS = 4096
# Bits of the Bloom filter of the words of a quote; see `Wordings.may_be_near`.
_BITS = 256
_ONES = np.array([number.bit_count() for number in range(256)], np.uint8)


class Wordings:
    """A summary of each quote's words: a hash of 8 bytes, their number, and a set of them as 32 bytes of bits.

    Quotes with the same hash have the same words, called a wording; its first quote represents it.

    Attributes:
        first: (m,) int64, ascending: the first row of each wording.
        repeated: (r,) int64, ascending: those of `first` whose wording more than one quote has.
    """

    def __init__(self, index: Index, rows: NDArray[np.int64], progress: Progress) -> None:
        """Read the quotes in `rows` (n,), ascending."""
        keys = np.empty(len(rows), np.uint64)
        counts = np.empty(len(rows), np.int32)
        sets = np.zeros((len(rows), _BITS // 8), np.uint8)
        for start in range(0, len(rows), _BATCH):
            for at, quote in enumerate(index.quotes(rows[start : start + _BATCH].tolist()), start):
                words = words_of(quote.text)
                counts[at] = len(words)
                # A text without letters and digits has no words.
                keys[at] = int.from_bytes(blake2b((" ".join(words) or quote.text).encode(), digest_size=8).digest())
                for word in words:
                    bit = zlib.crc32(word.encode()) % _BITS
                    sets[at, bit // 8] |= 1 << bit % 8
            progress("reading", min(start + _BATCH, len(rows)), len(rows))
        _, first, self._wording, times = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        self._rows = rows
        self._by_wording = np.argsort(self._wording, kind="stable")
        self._ends = np.cumsum(times)
        self.repeated = np.sort(rows[first[times > 1]])
        first.sort()
        self.first = rows[first]
        self._counts, self._sets = counts[first], sets[first]

    def rows_like(self, row: int) -> NDArray[np.int64]:
        """Return the rows (n,), ascending, of all quotes with the same words as the quote in `row`."""
        wording = self._wording[np.searchsorted(self._rows, row)]
        start = self._ends[wording - 1] if wording else 0
        return self._rows[self._by_wording[start : self._ends[wording]]]

    def may_be_near(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask (m,) of those of `pairs` (m, 2), of rows in `first`, that may satisfy `words.is_near`.

        No other pair does: a word that only one of two quotes has is not shared, and each bit that only one of them has
        is set by at least one such word. So the bits give an upper bound of the shared words.
        """
        found = np.empty(len(pairs), bool)
        for start in range(0, len(pairs), _PAIRS):
            a, b = np.searchsorted(self.first, pairs[start : start + _PAIRS]).T
            of_a, of_b = self._counts[a], self._counts[b]
            common = np.minimum(
                of_a - _alone(self._sets[a], self._sets[b]), of_b - _alone(self._sets[b], self._sets[a])
            )
            shorter = np.maximum(np.minimum(of_a, of_b), 1)
            share = 2 * common / np.maximum(of_a + of_b, 1)
            found[start : start + _PAIRS] = is_near(share, common / shorter, shorter)
        return found


def _alone(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return (m,) the number of bits that are set in each row of `a` (m, bytes) and not in the same row of `b`."""
    alone: NDArray[np.int64] = _ONES[a & ~b].sum(axis=1, dtype=np.int64)
    return alone
