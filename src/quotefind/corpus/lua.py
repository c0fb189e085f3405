"""The data that a Lua file returns, read without running it: tables, strings, numbers, true, false and nil."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from quotefind.errors import SourceError

_DEEPEST = 100
_BLANKS = re.compile(r"\s+")
_LONG_BRACKET = re.compile(r"\[(?P<level>=*)\[\n?")
_NUMBER = re.compile(
    r"-?\s*(?:0[xX][0-9a-fA-F]{1,16}|(?:[0-9]{1,100}\.?[0-9]{0,100}|\.[0-9]{1,100})(?:[eE][+-]?[0-9]{1,4})?)"
)
_UNKNOWN = re.compile(r"-?[A-Za-z_][A-Za-z0-9_.]*")  # nan, -inf, math.huge
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ORDINARY = {'"': re.compile(r'[^"\\\n]+'), "'": re.compile(r"[^'\\\n]+")}
_BYTE = re.compile(r"\\(?:x(?P<hex>[0-9a-fA-F]{2})|(?P<decimal>[0-9]{1,3}))")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": "\n"}
_ESCAPES |= {mark: mark for mark in "\\\"'"}


class Table(dict[str | float | bool, Any]):
    """A Lua table; its list part has the keys 1, 2 and so on. `line` is where it begins, counted from 1."""

    line: int = 1

    def values_in_order(self) -> list[Table]:
        """Return the tables in it: those of its list part by number, then the others in the order of the file."""
        numbered = sorted((key, value) for key, value in self.items() if isinstance(key, float))
        named = [value for key, value in self.items() if not isinstance(key, float)]
        return [value for value in [*(value for _, value in numbered), *named] if isinstance(value, Table)]


def read_lua(text: str, name: str) -> Table:
    """Return the table that the Lua file `text`, called `name`, returns.

    A name that is not a keyword refers to a value that is not in the file, and counts as nil.

    Raises:
        SourceError: the file does anything but return such a table.
    """
    parser = _Parser(text, name)
    parser.skip()
    if parser.word("return"):
        parser.skip()
    if parser.peek() != "{":
        parser.fail("expected a table, as in: return { … }")
    table = parser.table(0)
    parser.skip()
    if parser.peek() == ";":
        parser.at += 1
        parser.skip()
    if parser.peek():
        parser.fail(f"expected the end, found {parser.peek()!r}")
    return table


class _Parser:
    """Parses a text from position `at`."""

    def __init__(self, text: str, name: str) -> None:
        self.at = 0
        self._text = text
        self._name = name
        self._line = 1
        self._counted = 0

    def fail(self, problem: str) -> NoReturn:
        """Raise an error that names the current line."""
        raise SourceError(f"{self._name}:{self.line()}: not a Lua table: {problem}")

    def line(self) -> int:
        """Return the line of the next character, counted from 1."""
        self._line += self._text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def peek(self) -> str:
        """Return the next character, or "" at the end."""
        return self._text[self.at : self.at + 1]

    def word(self, wanted: str) -> bool:
        """Skip the word `wanted` if it comes next, and return whether it did."""
        found = _NAME.match(self._text, self.at)
        if found is None or found.group() != wanted:
            return False
        self.at = found.end()
        return True

    def skip(self) -> None:
        """Skip white space and comments."""
        while True:
            blanks = _BLANKS.match(self._text, self.at)
            self.at = blanks.end() if blanks else self.at
            if not self._text.startswith("--", self.at):
                return
            self.at += 2
            if _LONG_BRACKET.match(self._text, self.at):
                self._long_string()
            else:
                end = self._text.find("\n", self.at)
                self.at = len(self._text) if end < 0 else end

    def table(self, depth: int) -> Table:
        """Parse the table that begins here and return it."""
        if depth > _DEEPEST:
            self.fail("nested too deeply")
        table = Table()
        table.line = self.line()
        self.at += 1
        next_number = 1.0
        while True:
            self.skip()
            if self.peek() == "}":
                self.at += 1
                return table
            key = self._key(depth)
            value = self._value(depth)
            if key is None:
                table[next_number] = value
                next_number += 1
            else:
                table[key] = value
            self.skip()
            if self.peek() not in (",", ";", "}") or not self.peek():
                self.fail(f"expected , or }}, found {self.peek() or 'the end'!r}")
            self.at += self.peek() != "}"

    def _key(self, depth: int) -> str | float | bool | None:
        """Parse a key and the = after it, and return the key; None for a value without a key."""
        begin = self.at
        if self.peek() == "[" and not _LONG_BRACKET.match(self._text, self.at):
            self.at += 1
            key: str | float | bool | Table | None = self._value(depth)
            self.skip()
            if self.peek() != "]" or key is None or isinstance(key, Table):
                self.fail('expected a key, as in: ["key"] = ')
            self.at += 1
            self.skip()
            if self.peek() != "=":
                self.fail("expected = after a key")
            self.at += 1
            return key
        name = _NAME.match(self._text, self.at)
        if name is not None:
            self.at = name.end()
            self.skip()
            if self.peek() == "=":
                self.at += 1
                return name.group()
            self.at = begin
        return None

    def _value(self, depth: int) -> Any:
        """Parse a value and return it."""
        self.skip()
        opening = self.peek()
        if opening == "{":
            return self.table(depth + 1)
        if opening in _ORDINARY:
            return self._string(opening)
        if _LONG_BRACKET.match(self._text, self.at):
            return self._long_string()
        if number := _NUMBER.match(self._text, self.at):
            self.at = number.end()
            digits = "".join(number.group().split())
            return float(int(digits, 16)) if "x" in digits.lower() else float(digits)
        name = _UNKNOWN.match(self._text, self.at)
        if name is None:
            self.fail(f"expected a value, found {opening or 'the end'!r}")
        self.at = name.end()
        return {"true": True, "false": False}.get(name.group())

    def _string(self, mark: str) -> str:
        """Parse a string between marks and return it. Bytes that it writes as numbers are decoded as UTF-8."""
        begin = self.at
        self.at += 1
        parts = []
        while True:
            if ordinary := _ORDINARY[mark].match(self._text, self.at):
                parts.append(ordinary.group())
                self.at = ordinary.end()
            following = self.peek()
            if following == mark:
                self.at += 1
                return _decoded("".join(parts))
            if following != "\\":
                self.at = begin
                self.fail("unterminated string")
            parts.append(self._escape())

    def _escape(self) -> str:
        """Parse an escape sequence and return what it means."""
        if byte := _BYTE.match(self._text, self.at):
            number = int(byte["hex"], 16) if byte["hex"] else int(byte["decimal"])
            if number > 255:
                self.fail(f"not a byte: {byte.group()}")
            self.at = byte.end()
            return chr(number) if number < 128 else chr(0xDC00 + number)
        following = self._text[self.at + 1 : self.at + 2]
        self.at += 2
        if following == "z":
            blanks = _BLANKS.match(self._text, self.at)
            self.at = blanks.end() if blanks else self.at
            return ""
        if following not in _ESCAPES:
            self.fail(f"not an escape sequence: \\{following}")
        return _ESCAPES[following]

    def _long_string(self) -> str:
        """Parse a string in long brackets, [[…]] or [==[…]==], and return it."""
        opening = _LONG_BRACKET.match(self._text, self.at)
        if opening is None:
            self.fail("expected [[")
        closing = f"]{opening['level']}]"
        end = self._text.find(closing, opening.end())
        if end < 0:
            self.fail("unterminated string")
        self.at = end + len(closing)
        return self._text[opening.end() : end]


def _decoded(text: str) -> str:
    """Return `text` with the bytes in it decoded as UTF-8 if they are valid."""
    if not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
