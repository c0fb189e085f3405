"""The lines of a stream, of which none, and no record of several, goes on for ever."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TextIO

from quotefind.corpus.fields import FlawError

# Characters of a line, or of a record of several lines, that are held in memory at most. A text as long as a quote may
# be (see `fields`) fits, also where JSON escapes every character of it.
LONGEST_RECORD = 2_000_000

_CHUNK = 1 << 16

# One limit for the whole process, 128 KiB by default, which a long passage exceeds; `Lines` says what is too long.
csv.field_size_limit(LONGEST_RECORD)


class Lines(Iterator[str]):
    """The lines of a stream; where a record gets too long, `FlawError`, and then the line behind it.

    Attributes:
        number: of the last line, counted from 1.
    """

    def __init__(self, stream: TextIO, longest: int = LONGEST_RECORD) -> None:
        """Read `stream`, and refuse records of more than `longest` characters."""
        self.number = 0
        self._stream = stream
        self._longest = self._left = longest
        self._within = False  # a line that was refused, whose end was not reached yet

    def __next__(self) -> str:
        """Return the next line, with its end.

        Raises:
            FlawError: the record is too long.
        """
        while self._within:
            self._within = _goes_on(self._stream.readline(_CHUNK))
        line = self._stream.readline(self._left + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._left -= len(line)
        if self._left < 0:
            self._within = _goes_on(line)
            raise FlawError(f"longer than {self._longest:,} characters; expected a record with an end")
        return line

    def begin(self) -> None:
        """Begin a record with the next line."""
        self._left = self._longest


def each_line(stream: TextIO, longest: int = LONGEST_RECORD) -> Iterator[tuple[int, str | FlawError]]:
    """Yield the number of each line of `stream`, every one a record, and the line, or why it is none."""
    lines = Lines(stream, longest)
    while True:
        lines.begin()
        try:
            yield lines.number + 1, next(lines)
        except StopIteration:
            return
        except FlawError as flaw:
            yield lines.number, flaw


def _goes_on(line: str) -> bool:
    return bool(line) and line[-1] not in "\r\n"
