"""JSON: strings or objects in an array, in an object that contains one, or in another common layout."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import TextIO

from quotefind.corpus.formats import FORMATS, format_of_json
from quotefind.corpus.nested import Node, quotes_in
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.errors import SourceError
from quotefind.records import Quote

_BLANKS = re.compile(r"[ \t\r\n]*")
_EXPECTED = "expected an array of strings or objects, or an object that holds one"
# The most values in a file; each takes about 100 bytes of memory.
_MOST_VALUES = 6_000_000


def read_json(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of a JSON file, each with the line on which it begins.

    A file with the keys of a specific format is read in that format, unless `options` set a format.

    Raises:
        SourceError: it is not valid JSON, has too many values, or has no quotes because no key holds a text.
    """
    text = stream.read()
    check_values(text, name)
    cursor = Cursor(text, name)
    if not cursor.peek():
        return
    if cursor.peek() not in "[{":
        raise cursor.error(_EXPECTED)
    begin, value = cursor.value()
    if options.input_format is None and (special := format_of_json(value)):
        yield from special.records(io.StringIO(text), name, options)
    elif cursor.peek() == "{":  # one object per line, under the name of a JSON file
        yield from FORMATS["jsonl"].records(io.StringIO(text), name, options)
    else:
        cursor.finish()
        yield from quotes_in(_JsonNode(cursor, begin, value), name, options)


def check_values(text: str, name: str) -> None:
    """Refuse a text whose values would take gigabytes of memory.

    Raises:
        SourceError: it has more than 6,000,000 values.
    """
    if len(text) > _MOST_VALUES and sum(map(text.count, ",[{")) > _MOST_VALUES:
        raise SourceError(
            f"{name}: more than {_MOST_VALUES:,} values, too many to hold in memory; split it, or make it JSON Lines, "
            "which is read line by line: jq -c '.[]' FILE > FILE.jsonl"
        )


class _JsonNode:
    """A value of a JSON text, see `nested.Node`."""

    def __init__(self, cursor: Cursor, begin: int, value: object) -> None:
        self._cursor = cursor
        self._begin = begin
        self.value = value

    @property
    def line(self) -> int:
        return self._cursor.line(self._begin)

    def members(self) -> Iterator[tuple[str, Node]]:
        self._cursor.at = self._begin
        for key, begin, value in self._cursor.members():
            yield key, _JsonNode(self._cursor, begin, value)

    def elements(self) -> Iterator[Node]:
        self._cursor.at = self._begin
        for begin, value in self._cursor.elements():
            yield _JsonNode(self._cursor, begin, value)


class Cursor:
    """Walks a JSON text element by element, because `json.load` does not report the position of each.

    Attributes:
        text: the whole text.
        at: the position to continue reading from; while `elements` or `members` yields, the end of the yielded value.
    """

    def __init__(self, text: str, name: str) -> None:
        """Walk `text`, which is called `name` in messages."""
        self.text = text
        self.at = 0
        self._name = name
        self._line, self._counted = 1, 0
        self._decode = json.JSONDecoder().raw_decode

    def error(self, problem: str) -> SourceError:
        """Return an error with the line of the next character that is not a blank."""
        self.peek()
        return SourceError(f"{self._name}:{self.text.count(chr(10), 0, self.at) + 1}: {problem}")

    def line(self, at: int) -> int:
        """Return the line of the character at `at`, counted from 1; fast for places close to each other."""
        if at < self._counted:
            self._line -= self.text.count("\n", at, self._counted)
        self._line += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def peek(self) -> str:
        """Skip blanks and return the next character; "" at the end."""
        match = _BLANKS.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> str:
        """Skip blanks, read the next character and return it.

        Raises:
            SourceError: it is not in `expected`.
        """
        found = self.peek()
        if not found or found not in expected:
            raise self.error(f"not valid JSON: expected {' or '.join(expected)}, found {found or 'the end'!r}")
        self.at += 1
        return found

    def finish(self) -> None:
        """Raise SourceError if anything but blanks is left."""
        if found := self.peek():
            raise self.error(f"not valid JSON: expected the end, found {found!r}")

    def elements(self) -> Iterator[tuple[int, object]]:
        """Read the array at the cursor, yielding start and value of each element."""
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        more = True
        while more:
            found = self.value()
            end = self.at
            yield found
            self.at = end
            more = self.take(",]") == ","

    def members(self) -> Iterator[tuple[str, int, object]]:
        """Read the object at the cursor, yielding key, start of the value and value of each member."""
        self.take("{")
        if self.peek() == "}":
            self.at += 1
            return
        more = True
        while more:
            _, key = self.value()
            if not isinstance(key, str):
                raise self.error("not valid JSON: expected a key in double quotes")
            self.take(":")
            found = self.value()
            end = self.at
            yield key, *found
            self.at = end
            more = self.take(",}") == ","

    def value(self) -> tuple[int, object]:
        """Read the JSON value at the cursor; return where it begins, and the value."""
        self.peek()
        begin = self.at
        try:
            value, self.at = self._decode(self.text, begin)
        except json.JSONDecodeError as error:
            self.at = error.pos
            raise self.error(f"not valid JSON at column {error.colno}: {error.msg}") from None
        except ValueError as error:  # a number with thousands of digits
            raise self.error(f"cannot be read: {error}") from None
        except RecursionError:
            raise self.error("nested too deeply") from None
        return begin, value
