"""JSON files of reading tools: Bookcision, Foliate, Readest and calibre.

- Bookcision: one book of a Kindle, `{"asin", "title", "authors", "highlights": [{"text", "isNoteOnly", "location":
  {"value"}, "note"}]}`.
- Foliate: one book, `{"metadata": {"title", "creator" or "author"}, "annotations": [{"text", "note", "created"}]}`.
- Readest: one book, `{"book": {"title", "author"}, "annotations": […]}` as exported, or `{"booknotes": […]}` as the app
  keeps it, each with `type`, `text`, `note`, `page` and `createdAt` in milliseconds.
- calibre: `{"type": "calibre_annotation_collection", "annotations": […]}`, or `calibre_highlights` and `highlights`,
  each with `type`, `highlighted_text`, `notes`, `timestamp` and `toc_family_titles`. It does not name the book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

from quotefind.corpus.fields import bad, make_quote, raw_problem
from quotefind.corpus.json_file import Cursor
from quotefind.corpus.kindle import names_in_order
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import place, since_epoch
from quotefind.corpus.values import as_string
from quotefind.errors import SourceError
from quotefind.records import Quote

_MOST_AUTHORS = 20

_Object = Mapping[str, object]
# A function from an entry to text, note, place and date; None if it is not a highlight, such as a bookmark.
_Fields = Callable[[_Object], tuple[object, object, str | None, object] | None]


def read_bookcision(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of a file that Bookcision downloads. A note without a highlight is not a quote."""

    def fields(entry: _Object) -> tuple[object, object, str | None, object] | None:
        location = entry.get("location")
        where = place(location=location.get("value") if isinstance(location, dict) else location)
        return None if entry.get("isNoteOnly") is True else (entry.get("text"), entry.get("note"), where, None)

    return _read(stream, name, options, ("highlights",), fields)


def read_foliate(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the annotations of a file that Foliate exports, or keeps for a book."""

    def fields(entry: _Object) -> tuple[object, object, str | None, object]:
        return entry.get("text"), entry.get("note"), None, entry.get("created")

    return _read(stream, name, options, ("annotations",), fields)


def read_readest(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the annotations and excerpts of a file that Readest exports, or keeps for a book."""

    def fields(entry: _Object) -> tuple[object, object, str | None, object] | None:
        if entry.get("type") == "bookmark" or entry.get("deletedAt"):
            return None
        added = since_epoch(entry.get("createdAt"), unit=0.001)
        return entry.get("text"), entry.get("note"), place(page=entry.get("page")), added

    return _read(stream, name, options, ("annotations", "booknotes"), fields)


def read_calibre(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of a file that calibre exports. The chapter is the last of the titles that lead to it."""

    def fields(entry: _Object) -> tuple[object, object, str | None, object] | None:
        inner = entry.get("annotation")
        data = inner if isinstance(inner, dict) else entry
        if data.get("type", "highlight") != "highlight" or data.get("removed"):
            return None
        titles = data.get("toc_family_titles")
        chapter = titles[-1] if isinstance(titles, list) and titles else None
        return data.get("highlighted_text"), data.get("notes"), place(chapter), data.get("timestamp")

    return _read(stream, name, options, ("annotations", "highlights"), fields)


def _read(
    stream: TextIO, name: str, options: ReadOptions, keys: tuple[str, ...], fields: _Fields
) -> Iterator[Quote | BadRecord]:
    """Yield the quotes in the array under the first of `keys` that exists."""
    cursor = Cursor(stream.read(), name)
    if not cursor.peek():
        return
    members = {key: (begin, value) for key, begin, value in cursor.members()}
    cursor.finish()
    array = next((members[key] for key in keys if isinstance(members.get(key, (0, None))[1], list)), None)
    if array is None:
        raise SourceError(f"{name}: no array under {' or '.join(keys)}; expected what the reading tool exports")
    book = _book({key: value for key, (_, value) in members.items()})
    cursor.at = array[0]
    for begin, entry in cursor.elements():
        line = cursor.line(begin)
        if not isinstance(entry, dict):
            yield bad(name, line, "expected an object with the text of a highlight")
            continue
        found = fields(entry)
        if found is None or not _has_words(found[0]):
            continue
        text, note, where, added = found
        title, author = _book(entry) if book == (None, None) else book
        record = make_quote(name, line, text, author, title, note=note, place=where, added=added, keep_lines=True)
        yield _checked(record, name, line, options)


def _has_words(text: object) -> bool:
    """Whether a text has words; a value that is not a string counts, so that `make_quote` reports it."""
    return any(map(str.isalnum, text)) if isinstance(text, str) else text is not None


def _book(about: _Object) -> tuple[str | None, str | None]:
    """Return the title and author in an object, at the top level or under "metadata" or "book"."""
    for part in (about.get("metadata"), about.get("book"), about):
        if isinstance(part, dict):
            title = _name(part.get("title"))
            written = next((part[key] for key in ("authors", "author", "creator") if part.get(key)), None)
            people = written if isinstance(written, list) else [written]
            authors = [names_in_order(name) for name in map(_name, people[:_MOST_AUTHORS]) if name]
            if title or any(authors):
                return title, ", ".join(filter(None, authors)) or None
    return None, None


def _name(value: object) -> str | None:
    """Return a name: a string, an object with a name, or an object of names by language, English first."""
    for _ in range(3):
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict) and as_string(value) is None:
            value = value.get("name") or value.get("en") or next(iter(value.values()), None)
    return as_string(value) if isinstance(value, str | dict) else None


def _checked(record: Quote | BadRecord, name: str, line: int, options: ReadOptions) -> Quote | BadRecord:
    """Return `record`, or a bad record if it contains a character that is not valid in text."""
    if isinstance(record, BadRecord):
        return record
    strings = (record.text, record.author, record.work, record.note, record.place)
    problem = raw_problem("".join(filter(None, strings)), options.encoding)
    return bad(name, line, problem) if problem else record
