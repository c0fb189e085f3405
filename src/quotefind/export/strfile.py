"""The index of a fortune file, as strfile(1) writes it and fortune(6) reads it."""

from __future__ import annotations

import struct
from array import array

from quotefind.errors import UsageError

_VERSION = 2
_LARGEST = 2**32 - 1


class StrfileIndex:
    """Records the positions of the strings in a fortune file; `table` returns the content of NAME.dat.

    All numbers are 32-bit big-endian: the version, the number of strings, the lengths in bytes of the longest and the
    shortest, flags (none), the delimiter and three zero bytes, the offset of each string, and the offset of the end.
    (The header is STRFILE in strfile.h of fortune-mod.)
    """

    def __init__(self) -> None:
        """Start with an empty file."""
        self._offsets = array("Q", [0])
        self._longest = 0
        self._shortest = _LARGEST

    def add(self, length: int) -> None:
        """Add a string of `length` bytes, not counting the line of its delimiter (`%`).

        Raises:
            UsageError: the file would be larger than 32-bit offsets allow.
        """
        end = self._offsets[-1] + length + 2
        if end > _LARGEST:
            raise UsageError("A fortune file must be smaller than 4 GiB; export fewer quotes, or use another format.")
        self._offsets.append(end)
        self._longest = max(self._longest, length)
        self._shortest = min(self._shortest, length)

    def table(self) -> bytes:
        """Return the index."""
        numbers = (_VERSION, len(self._offsets) - 1, self._longest, self._shortest, 0)
        return struct.pack(f">5I4s{len(self._offsets)}I", *numbers, b"%", *self._offsets)
