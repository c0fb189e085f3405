"""JSON: an array of strings or objects, or an object that holds one such array."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import TextIO

from quotefind.corpus.fields import listed
from quotefind.corpus.formats import format_of_json
from quotefind.corpus.objects import object_reader
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.errors import SourceError
from quotefind.records import Quote

_BLANKS = re.compile(r"[ \t\r\n]*")
_USUAL_KEYS = ("quotes", "quotations", "highlights", "items", "data")
_EXPECTED = "expected an array of strings or objects, or an object that holds one"


def read_json(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a JSON file, each with the line on which it stands."""
    cursor = Cursor(stream.read(), name)
    text = cursor.text
    opening = cursor.peek()
    if not opening:
        return
    if opening in "{[" and options.input_format is None and (special := format_of_json(_sample(Cursor(text, name)))):
        yield from special.read(io.StringIO(text), name, options)
        return
    if opening == "{":
        cursor.at = _array_within(cursor)  # the whole object has been read here, and is sound
    elif opening != "[":
        raise cursor.error(_EXPECTED)
    read = object_reader(name, options)
    for begin, value in cursor.elements():
        yield read(cursor.line(begin), text[begin : cursor.at], value)
    if opening == "[":
        cursor.finish()


def _sample(cursor: Cursor) -> object:
    """Return the object at the cursor, or an array of the first element of the array there."""
    if cursor.peek() == "{":
        return {key: value for key, _, value in cursor.members()}
    return [value for _, value in islice(cursor.elements(), 1)]


def _array_within(cursor: Cursor) -> int:
    """Return where the array of quotes begins in the object at the cursor."""
    keys: list[str] = []
    filled: dict[str, int] = {}
    empty: dict[str, int] = {}
    for key, begin, value in cursor.members():
        keys.append(key)
        if isinstance(value, list) and (not value or isinstance(value[0], str | dict)):
            (filled if value else empty)[key] = begin
    cursor.finish()
    arrays = filled or empty
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    usual = next((arrays[key] for key in _USUAL_KEYS if key in arrays), None)
    if usual is None:
        cursor.at = 0
        problem = "several arrays could hold the quotes" if arrays else "no array holds quotes"
        raise cursor.error(f"{problem}; the keys are {listed(keys)}; {_EXPECTED}")
    return usual


class Cursor:
    """A JSON text that is walked element by element, because `json.load` forgets where each one stood.

    Attributes:
        text: the whole text.
        at: where to read on; while `elements` or `members` yields, the end of the value that it has yielded.
    """

    def __init__(self, text: str, name: str) -> None:
        """Walk `text`, which is called `name` in messages."""
        self.text = text
        self.at = 0
        self._name = name
        self._line, self._counted = 1, 0
        self._decode = json.JSONDecoder().raw_decode

    def error(self, problem: str) -> SourceError:
        """Return an error that names the line of the next character that is no blank."""
        self.peek()
        return SourceError(f"{self._name}:{self.text.count(chr(10), 0, self.at) + 1}: {problem}")

    def line(self, at: int) -> int:
        """Return the line of the character at `at`, counted from 1; fast for places that follow each other."""
        if at < self._counted:
            self._line, self._counted = 1, 0
        self._line += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def peek(self) -> str:
        """Skip blanks and return the next character; nothing at the end."""
        match = _BLANKS.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> str:
        """Skip blanks, step over the next character and return it.

        Raises:
            SourceError: it is none of `expected`.
        """
        found = self.peek()
        if not found or found not in expected:
            raise self.error(f"no valid JSON: expected {' or '.join(expected)}, found {found or 'the end'!r}")
        self.at += 1
        return found

    def finish(self) -> None:
        """Raise SourceError unless nothing but blanks is left."""
        if found := self.peek():
            raise self.error(f"no valid JSON: expected the end, found {found!r}")

    def elements(self) -> Iterator[tuple[int, object]]:
        """Step over the array at the cursor, yielding start and value of each element."""
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        more = True
        while more:
            yield self._value()
            more = self.take(",]") == ","

    def members(self) -> Iterator[tuple[str, int, object]]:
        """Step over the object at the cursor, yielding key, start of the value and value of each member."""
        self.take("{")
        if self.peek() == "}":
            self.at += 1
            return
        more = True
        while more:
            _, key = self._value()
            if not isinstance(key, str):
                raise self.error("no valid JSON: expected a key in double quotes")
            self.take(":")
            yield key, *self._value()
            more = self.take(",}") == ","

    def _value(self) -> tuple[int, object]:
        """Step over the JSON value at the cursor and return its start and the value."""
        self.peek()
        begin = self.at
        try:
            value, self.at = self._decode(self.text, begin)
        except json.JSONDecodeError as error:
            self.at = error.pos
            raise self.error(f"no valid JSON at column {error.colno}: {error.msg}") from None
        except ValueError as error:  # a number with thousands of digits
            raise self.error(f"no JSON that can be read: {error}") from None
        except RecursionError:
            raise self.error("nested too deeply") from None
        return begin, value
