"""Moon+ Reader: the `.mrexpt` file that it exports.

The file has a head of some lines, and then, for each highlight, a line `#` and these lines: ID, title, file, file in
lower case, chapter, a number, position, length, colour, time in milliseconds, bookmark, note, text and three numbers
for the style. In notes and texts `<BR>` is a line break. The author is only part of the file name, if at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TextIO

from quotefind.corpus.fields import FlawError, bad, make_quote, raw_problem
from quotefind.corpus.kindle import names_in_order, split_book
from quotefind.corpus.lines import Lines
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import since_epoch
from quotefind.corpus.verse import join_lines
from quotefind.records import Quote
from quotefind.text import fold

_TITLE, _FILE, _CHAPTER, _TIME, _NOTE, _TEXT = 1, 2, 4, 9, 11, 12
_MOST_LINES = 20  # of a highlight: 16, and room for what a newer version adds
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_EXPECTED = "expected the .mrexpt file of Moon+ Reader: 16 lines for each highlight, after a line with # only"


def read_moon_reader(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of a `.mrexpt` file, each with its note. Bookmarks have no text, and are left out.

    The place is the number of the chapter in the table of contents; the file counts from 0.
    """
    for line, fields in _blocks(stream):
        if isinstance(fields, FlawError):
            yield bad(name, line, str(fields))
        elif problem := raw_problem("".join(fields), options.encoding):
            yield bad(name, line, problem)
        elif len(fields) <= _TEXT or not fields[_TIME].lstrip("-").isdecimal():
            yield bad(name, line, f"not a highlight; {_EXPECTED}")
        elif any(map(str.isalnum, fields[_TEXT])):
            yield _quote(name, line, fields)


def _blocks(stream: TextIO) -> Iterator[tuple[int, list[str] | FlawError]]:
    """Yield the number of the first line of each highlight, and its lines, or what is wrong with them."""
    lines = Lines(stream)
    fields: list[str] | None = None  # None in the head of the file, and after anything but a highlight
    first = 0
    while True:
        try:
            line = next(lines).rstrip("\r\n")
        except StopIteration:
            break
        except FlawError as flaw:
            yield lines.number if fields is None else first, flaw
            fields = None
            lines.begin()
            continue
        if line.strip() == "#" and (fields is None or len(fields) > _TEXT):  # earlier, it is the note
            if fields:
                yield first, fields
            fields, first = [], lines.number + 1
            lines.begin()
        elif fields is not None and len(fields) < _MOST_LINES:
            fields.append(line)
        else:
            lines.begin()
    if fields and any(map(str.strip, fields)):
        yield first, fields


def _quote(name: str, line: int, fields: list[str]) -> Quote | BadRecord:
    title = fields[_TITLE].strip()
    chapter = fields[_CHAPTER].strip()
    where = f"ch. {int(chapter) + 1}" if chapter.isdecimal() and len(chapter) < 6 else None
    note = _BREAK.sub(" ", fields[_NOTE])
    added = since_epoch(fields[_TIME], unit=0.001)
    text = join_lines(_BREAK.split(fields[_TEXT]))
    author = _author(title, fields[_FILE])
    return make_quote(name, line, text, author, title, note=note, place=where, added=added, keep_lines=True)


def _author(title: str, file: str) -> str | None:
    """Return the author in the name of a file: `Title - Author`, `Author - Title` or `Title (Author)`.

    A subtitle may follow the title there.
    """
    stem = PurePosixPath(file.replace("\\", "/")).stem
    known = f"{fold(title)} "
    book, author = split_book(stem)
    if author is not None and f"{fold(book)} ".startswith(known):
        return author
    before, _, after = stem.rpartition(" - ")
    if f"{fold(before)} ".startswith(known):
        return names_in_order(after)
    before, _, after = stem.partition(" - ")
    return names_in_order(before) if f"{fold(after)} ".startswith(known) else None
