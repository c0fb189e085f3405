"""The lines of a stream, with a limit on the length of a line and of a record of several lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import TextIO

from quotefind.corpus.fields import FlawError

# The most characters that are held in memory for a line, or for a record of several lines. The longest text of a quote
# (see `fields`) fits, even if JSON escapes each of its characters.
LONGEST_RECORD = 2_000_000

# A function that returns the tags of the entry that a line ends, or None if the line does not end an entry.
Ends = Callable[[str], list[str] | None]

_CHUNK = 1 << 16

# This is set for the whole process; the default, 128 KiB, is less than a long passage. `Lines` refuses longer records.
csv.field_size_limit(LONGEST_RECORD)


class Lines(Iterator[str]):
    """The lines of a stream; a record that is too long raises `FlawError`, and reading continues with the next line.

    Attributes:
        number: the number of the last line, counted from 1.
    """

    def __init__(self, stream: TextIO, longest: int = LONGEST_RECORD) -> None:
        """Read `stream`, and refuse records of more than `longest` characters."""
        self.number = 0
        self._stream = stream
        self._longest = self._left = longest
        self._within = False  # in a line that was refused, before its end

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
        """Start a new record at the next line."""
        self._left = self._longest


def each_line(stream: TextIO, longest: int = LONGEST_RECORD) -> Iterator[tuple[int, str | FlawError]]:
    """Yield each line of `stream` with its number, or the error if it is too long; each line is a record."""
    lines = Lines(stream, longest)
    while True:
        lines.begin()
        try:
            yield lines.number + 1, next(lines)
        except StopIteration:
            return
        except FlawError as flaw:
            yield lines.number, flaw


def entries(stream: TextIO, ends: Ends) -> Iterator[tuple[int, list[str] | FlawError, list[str]]]:
    """Yield each entry that is not blank: the number of its first line, its lines or an error, and its tags.

    `ends` returns the tags of the entry that a line ends, or None if the line does not end an entry.
    """
    source = Lines(stream)
    first = 0
    lines: list[str] = []
    flaw: FlawError | None = None
    while True:
        try:
            line = next(source)
        except StopIteration:
            break
        except FlawError as error:
            first = first or source.number
            lines, flaw = [], error  # the rest of the entry is skipped
            source.begin()
            continue
        if (tags := ends(line)) is not None:
            if lines or flaw:
                yield first, flaw or lines, tags
            first, lines, flaw = 0, [], None
            source.begin()
        elif lines or not (flaw or not line.strip("\ufeff").strip()):
            first = first or source.number
            lines.append(line)
        else:
            source.begin()
    if lines or flaw:
        yield first, flaw or lines, []


def _goes_on(line: str) -> bool:
    return bool(line) and line[-1] not in "\r\n"
