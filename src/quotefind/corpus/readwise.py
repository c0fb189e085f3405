"""Readwise: the CSV file that it exports, and the JSON that its API returns.

The CSV file has the columns Highlight, Book Title, Book Author, Note, Tags, Location Type, Location, Highlighted at and
Document tags. The JSON is `{"results": [{"title", "author", "book_tags", "highlights": [{"text", "note", "tags",
"location", "location_type", "highlighted_at"}]}]}`, or only the books. In both, words at the beginning of a note may be
instructions: `.h1` to `.h6` make the highlight a heading, `.c1`, `.c2` and so on join highlights into one, and any
other `.word` is a tag.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from quotefind.corpus.fields import FlawError, bad, make_quote, raw_problem
from quotefind.corpus.json_file import Cursor
from quotefind.corpus.lines import LONGEST_RECORD, Lines
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import place
from quotefind.corpus.values import as_string, as_tags
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import one_line, unguard_formula

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "text": ("highlight",),
    "title": ("book title", "title"),
    "author": ("book author", "author"),
    "note": ("note",),
    "tags": ("tags",),
    "document_tags": ("document tags",),
    "kind": ("location type",),
    "location": ("location",),
    "added": ("highlighted at", "date"),
}
_INSTRUCTION = re.compile(r"\.(?P<word>[^\W\d_][\w/&-]*)(?=\s|$)")
_HEADING = re.compile("h[1-6]")
_PART = re.compile("c(?P<number>[0-9]{1,3})")
_PICTURE = re.compile(r"!\[[^\[\]]*\]\([^()\s]*\)")
_ADDRESS = re.compile(r"\s*(?:https?://|www\.)\S+\s*")
_EXPECTED = "expected the CSV file that Readwise exports, or the JSON of its API"
_QUOTING = "a cell that begins with a quotation mark must end with one, and double those inside"


@dataclass(slots=True)
class _Highlight:
    """A highlight, and the instructions in its note.

    Attributes:
        heading: its level from 1 to 6 if it is the title of a chapter, else 0.
        part: its number if it is a part of a highlight, else 0.
        chapters: the titles of the chapters that it is in.
    """

    line: int
    text: str
    title: str | None
    author: str | None
    note: str
    tags: list[str]
    kind: str
    location: str
    added: object
    heading: int = 0
    part: int = 0
    chapters: tuple[str, ...] = ()
    parts: list[_Highlight] = field(default_factory=list)
    is_joined: bool = False

    def number(self) -> float | None:
        """Return the location as a number, to sort the highlights of a book."""
        try:
            return float(self.location)
        except ValueError:
            return None


def read_readwise(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights that Readwise exports, in the order of the file.

    The place is the chapter, if headings are marked, and the page or the location. A highlight without words, such as a
    picture or a link, is not a quote.

    Raises:
        SourceError: it is neither such a table nor such JSON.
    """
    head = []
    first = ""
    while not first and (line := stream.readline(LONGEST_RECORD + 2)):
        head.append(line)
        first = line.lstrip("\ufeff \t\r\n")[:1]
    if not first:
        return
    if first in "[{":
        found = list(_from_json(Cursor("".join(head).lstrip("\ufeff") + stream.read(), name), name))
    else:
        found = list(_from_table(_Rejoined("".join(head), stream), name, options))
    books: dict[str, list[_Highlight]] = {}
    for item in found:
        if isinstance(item, _Highlight):
            _obey_note(item)
            books.setdefault(item.title or "", []).append(item)
    for highlights in books.values():
        _arrange(highlights)
    for item in found:
        if isinstance(item, BadRecord):
            yield item
        elif not item.heading and not item.is_joined and _has_words(item.text):
            yield _quote(item, name, options)


class _Rejoined:
    """A stream whose first lines have been read."""

    def __init__(self, head: str, stream: TextIO) -> None:
        self._head = io.StringIO(head)
        self._stream = stream

    def readline(self, size: int = -1) -> str:
        """Return the next line, or its first `size` characters."""
        return self._head.readline(size) or self._stream.readline(size)


def _from_table(stream: _Rejoined, name: str, options: ReadOptions) -> Iterator[_Highlight | BadRecord]:
    """Yield the rows of the CSV file."""
    lines = Lines(stream)  # type: ignore[arg-type]
    reader = csv.reader(lines, delimiter=options.delimiter or ",", strict=True)
    columns: dict[str, int] | None = None
    while True:
        lines.begin()
        line = lines.number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield bad(name, line, f"not a row of a table: {error}; {_QUOTING}")
            continue
        except FlawError as flaw:
            yield bad(name, line, str(flaw))
            continue
        if columns is None:
            columns = _columns(row, f"{name}:{line}", options)
        elif problem := raw_problem("".join(row), options.encoding):
            yield bad(name, line, problem)
        elif "".join(row).strip():
            cells = {key: unguard_formula(row[at]) for key, at in columns.items() if at < len(row)}
            tags = as_tags(cells.get("tags", "")) + as_tags(cells.get("document_tags", ""))
            yield _highlight(line, cells, tags)


def _columns(header: list[str], where: str, options: ReadOptions) -> dict[str, int]:
    """Return the position of each column; options such as `--text-column` may set others."""
    named = {
        "text": options.text_column,
        "author": options.author_column,
        "title": options.work_column,
        "tags": options.tags_column,
        "note": options.note_column,
    }
    known = [cell.strip().casefold() for cell in header]
    found: dict[str, int] = {}
    for key, usual in _COLUMNS.items():
        said = named.get(key)
        wanted = usual if said is None else (said.strip().casefold(),)
        at = next((known.index(column) for column in wanted if column in known), None)
        if at is not None:
            found[key] = at
        elif said is not None or key == "text":
            listed = ", ".join(repr(column[:60]) for column in header[:20])
            raise SourceError(f"{where}: no column {said or 'Highlight'!r}; the columns are {listed}; {_EXPECTED}")
    if options.tags_column is not None:
        found.pop("document_tags", None)
    return found


def _from_json(cursor: Cursor, name: str) -> Iterator[_Highlight | BadRecord]:
    """Yield the highlights of the books in the JSON of the API."""
    if cursor.peek() == "{":
        members = {key: (begin, value) for key, begin, value in cursor.members()}
        cursor.finish()
        key = next((key for key in ("results", "highlights") if isinstance(members.get(key, (0, 0))[1], list)), None)
        if key is None:
            raise SourceError(f"{name}: no results; {_EXPECTED}")
        about = {key: value for key, (_, value) in members.items()} if key == "highlights" else {}
        cursor.at = members[key][0]
        yield from _from_elements(cursor, name, about)
    else:
        yield from _from_elements(cursor, name, {})
        cursor.finish()


def _from_elements(cursor: Cursor, name: str, about: Mapping[str, object]) -> Iterator[_Highlight | BadRecord]:
    """Yield the highlights in the array at the cursor: of `about`, or of the books in it."""
    for begin, value in cursor.elements():
        if not isinstance(value, dict):
            yield bad(name, cursor.line(begin), "expected an object, as the API of Readwise returns")
        elif isinstance(value.get("highlights"), list) and not about:
            end, cursor.at = cursor.at, begin
            within = next((at for key, at, _ in cursor.members() if key == "highlights"), begin)
            cursor.at = within
            yield from _from_elements(cursor, name, value)
            cursor.at = end
        elif not value.get("is_deleted"):
            book_tags = about.get("book_tags") or about.get("tags")
            tags = as_tags(value.get("tags")) + as_tags(book_tags)
            title = about.get("title") or about.get("readable_title") or value.get("title")
            author = about.get("author") or value.get("author")
            cells = {
                "text": value.get("text"), "title": title, "author": author, "note": value.get("note"),
                "kind": value.get("location_type"), "location": value.get("location"),
                "added": value.get("highlighted_at"),
            }  # fmt: skip
            yield _highlight(cursor.line(begin), cells, tags)


def _highlight(line: int, cells: Mapping[str, object], tags: list[str]) -> _Highlight:
    text, title, author, note, kind, location = (
        as_string(cells.get(key)) or "" for key in ("text", "title", "author", "note", "kind", "location")
    )
    tags = [tag.strip().removeprefix(".") for tag in tags]
    tags = [tag for tag in tags if not (_HEADING.fullmatch(tag) or _PART.fullmatch(tag))]
    text = _PICTURE.sub("", text)
    title = one_line(title)
    return _Highlight(line, text, title, author, note, tags, kind.casefold(), location.strip(), cells.get("added"))


def _obey_note(highlight: _Highlight) -> None:
    """Remove the instructions from the beginning of the note, and follow them."""
    note = highlight.note.strip()
    while found := _INSTRUCTION.match(note):
        word = found["word"]
        if _HEADING.fullmatch(word):
            highlight.heading = int(word[1])
        elif part := _PART.fullmatch(word):
            highlight.part = int(part["number"])
        else:
            highlight.tags.append(word)
        note = note[found.end() :].lstrip()
    highlight.note = note


def _arrange(highlights: list[_Highlight]) -> None:
    """Give the highlights of one book their chapters, and join highlights that are split into parts."""
    numbers = [highlight.number() for highlight in highlights]
    ordered = highlights
    is_ordered = None not in numbers
    if is_ordered:
        ordered = sorted(highlights, key=lambda h: (h.number() or 0.0, not h.heading, h.part, h.line))
    chapters: dict[int, str] = {}
    whole: _Highlight | None = None
    for highlight in ordered:
        if highlight.heading:
            chapters = {level: title for level, title in chapters.items() if level < highlight.heading}
            chapters[highlight.heading] = one_line(highlight.text)
        elif is_ordered:
            highlight.chapters = tuple(chapters.values())
        if highlight.part == 1:
            whole = highlight
        elif highlight.part and whole is not None:
            highlight.is_joined = True
            whole.parts.append(highlight)
        elif not highlight.heading:
            whole = None


def _quote(highlight: _Highlight, name: str, options: ReadOptions) -> Quote | BadRecord:
    parts = [highlight, *highlight.parts]
    text = " ".join(part.text.strip() for part in parts) if len(parts) > 1 else highlight.text
    note = " ".join(part.note for part in parts if part.note)
    tags = [tag for part in parts for tag in part.tags]
    page = highlight.location if highlight.kind == "page" else None
    location = highlight.location if highlight.kind in ("location", "") else None
    where = place(", ".join(highlight.chapters), page, location)
    record = make_quote(
        name, highlight.line, text, highlight.author, highlight.title, None, tags, note, where, highlight.added,
        keep_lines=len(parts) == 1,
    )  # fmt: skip
    if isinstance(record, Quote):  # JSON can escape characters that are not valid in text
        strings = (record.text, record.author, record.work, record.note, record.place, *record.tags)
        if problem := raw_problem("".join(filter(None, strings)), options.encoding):
            return bad(name, highlight.line, problem)
    return record


def _has_words(text: str) -> bool:
    """Whether there are words apart from pictures and links."""
    return any(map(str.isalnum, _ADDRESS.sub("", text)))
