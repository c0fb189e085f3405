"""The index of a fortune file, as strfile(1) writes it and fortune(6) reads it."""

from __future__ import annotations

import struct
from array import array

from quotefind.errors import UsageError

_VERSION = 2
_LARGEST = 2**32 - 1


class StrfileIndex:
    """Notes where the strings of a fortune file stand; `table` is then what belongs into NAME.dat.

    All numbers have 32 bits, the most significant byte first: version, how many strings there are, the bytes of the
    longest and of the shortest, flags (none), the delimiter and three zeros, and where each string begins, and the last
    ends. (The header is STRFILE in strfile.h of fortune-mod.)
    """

    def __init__(self) -> None:
        """Begin with an empty file."""
        self._offsets = array("Q", [0])
        self._longest = 0
        self._shortest = _LARGEST

    def add(self, length: int) -> None:
        """Note a string of so many bytes, the line of its delimiter (`%`) not among them.

        Raises:
            UsageError: the file gets larger than such an index can say.
        """
        end = self._offsets[-1] + length + 2
        if end > _LARGEST:
            raise UsageError("A fortune file has less than 4 GiB; export fewer quotes, or in another format.")
        self._offsets.append(end)
        self._longest = max(self._longest, length)
        self._shortest = min(self._shortest, length)

    def table(self) -> bytes:
        """Return the index."""
        numbers = (_VERSION, len(self._offsets) - 1, self._longest, self._shortest, 0)
        return struct.pack(f">5I4s{len(self._offsets)}I", *numbers, b"%", *self._offsets)
