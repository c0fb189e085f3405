"""The notebook of a book that Kindle apps export: an HTML page, or, from some of them, a CSV file.

The page has `<div class="bookTitle">`, `<div class="authors">` ("Last, First; Last, First"), and then, again and again,
`sectionHeading` (the chapter), `noteHeading` ("Highlight(yellow) - Page 29 · Location 364") and `noteText`. Some apps
close these elements with the wrong tags, so only their beginnings count here. The CSV file begins with the title and
the author, each on a line of its own; below a line of dashes is a table of type, location, star and words.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

from quotefind.corpus.fields import bad, make_quote, raw_problem
from quotefind.corpus.html_tags import TagParser
from quotefind.corpus.kindle import entry_kind, label_place, names_in_order
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import place
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import one_line

_LONGEST = 50_000_000  # characters: more than the notes on any book
_FIELDS = ("bookTitle", "authors", "citation", "sectionHeading", "noteHeading", "noteText")
_FAR = 30  # locations (of about 25 words) between the beginning of a highlight and the note at its end
_DASHES = re.compile(r"-{10,}")
_BY = re.compile(r"(?:by|von|de|di|par|por|van|av|przez|автор:?|著者:?|作者:?)[\s:：]\s*(?=\S)", re.IGNORECASE)
_EXPECTED = "expected the notebook that a Kindle app exports, as HTML or CSV"


@dataclass(slots=True)
class _Entry:
    """A highlight or a note: the line and the text of its heading, its words, its chapter, and its first location."""

    line: int
    heading: str
    text: str
    chapter: str = ""
    notes: list[str] = field(default_factory=list)


def read_kindle_notebook(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of a notebook with their notes, chapters and places.

    A note belongs to the highlight before it, if that is near. A note without a highlight is not a quote.
    """
    text = stream.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise SourceError(f"{name}: longer than {_LONGEST:,} characters; {_EXPECTED}")
    if not text.strip():
        return
    title, authors, entries = _from_html(text) if text.lstrip("\ufeff \r\n\t")[:1] == "<" else _from_csv(text, name)
    author = names_in_order(one_line(authors)) if authors.strip() else None
    for entry in _joined(entries):
        raw = "".join((title, authors, entry.text, entry.chapter, entry.heading, *entry.notes))
        if problem := raw_problem(raw, options.encoding):
            yield bad(name, entry.line, problem)
            continue
        page, location = label_place(_after_type(entry.heading))
        where = place(entry.chapter, page, location)
        yield make_quote(name, entry.line, entry.text, author, title, note=" ".join(entry.notes), place=where)


def _joined(entries: Iterable[_Entry]) -> Iterator[_Entry]:
    """Yield the highlights, each with the notes that come after it."""
    highlight: _Entry | None = None
    for entry in entries:
        if not any(map(str.isalnum, entry.text)):
            continue
        kind = entry_kind(_type(entry.heading))
        if kind == "highlight":
            if highlight is not None:
                yield highlight
            highlight = entry
        elif kind == "note" and highlight is not None and _is_near(highlight, entry):
            highlight.notes.append(entry.text)
    if highlight is not None:
        yield highlight


def _is_near(highlight: _Entry, note: _Entry) -> bool:
    """Whether a note is at the beginning of a highlight, whose end is unknown, or soon after."""
    (page, location), (note_page, note_location) = (label_place(_after_type(e.heading)) for e in (highlight, note))
    begin, end = location or page, note_location or note_page
    if not begin.isdecimal() or not end.isdecimal() or bool(location) != bool(note_location):
        return begin == end
    return 0 <= int(end) - int(begin) <= (_FAR if location else 1)


def _type(heading: str) -> str:
    """Return the part of a heading with the type of the entry: "Highlight(yellow)" in "Highlight(yellow) - Page 29"."""
    return re.split(r"\s[-–—]\s|\(", heading, maxsplit=1)[0].casefold()


def _after_type(heading: str) -> str:
    """Return the part of a heading with the place of the entry; a chapter may come before the page."""
    where = re.split(r"\s[-–—]\s|\)\s*[-–—]?\s*", heading, maxsplit=1)[-1]
    return where.rpartition(" > ")[2] if " > " in where and re.search("[0-9]", where.rpartition(" > ")[2]) else where


class _Page(TagParser):
    """Collects the fields of a page, each with its line; the next field ends the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, int, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = next((value for key, value in attrs if key == "class" and value in _FIELDS), None)
        if kind is not None:
            self.fields.append((kind, self.getpos()[0], []))
        elif tag == "br" and self.fields:
            self.fields[-1][2].append("\n")

    def handle_data(self, data: str) -> None:
        if self.fields:
            self.fields[-1][2].append(data)


def _from_html(text: str) -> tuple[str, str, list[_Entry]]:
    """Return title, authors and entries of a notebook that is an HTML page."""
    page = _Page()
    page.parse(text)
    title = authors = chapter = ""
    entries: list[_Entry] = []
    heading: str | None = None
    for kind, line, parts in page.fields:
        words = one_line("".join(parts))
        if kind == "bookTitle":
            title = title or words
        elif kind == "authors":
            authors = authors or words
        elif kind == "sectionHeading":
            chapter = words
        elif kind == "noteHeading":
            heading = words
        elif kind == "noteText" and heading is not None:
            entries.append(_Entry(line, heading, words, chapter))
            heading = None
    return title, authors, entries


def _from_csv(text: str, name: str) -> tuple[str, str, list[_Entry]]:
    """Return title, authors and entries of a notebook that is a CSV file."""
    about: list[str] = []
    entries: list[_Entry] = []
    rows = csv.reader(io.StringIO(text))
    dashes = header = False
    line = 1
    try:
        for row in rows:
            first = row[0].strip() if row else ""
            if not dashes:
                dashes = _DASHES.fullmatch(first) is not None
                about.append(first)
            elif first and not header:
                header = True
            elif first and len(row) >= 4:
                entries.append(_Entry(line, f"{first} - {row[1]}", row[3]))
            line = rows.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{name}:{line}: not a row of a table: {error}; {_EXPECTED}") from error
    if not header or len(about) < 3:
        raise SourceError(f"{name}: no table below a line of dashes; {_EXPECTED}")
    authors = about[2].strip()
    by = _BY.match(authors)
    return one_line(about[1]), authors[by.end() :] if by else authors, entries
