"""KOReader: the Lua file that it keeps next to each book, and the JSON file that it exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from quotefind.corpus.fields import bad, make_quote, raw_problem, unusable
from quotefind.corpus.json_file import Cursor
from quotefind.corpus.lua import Table, read_lua
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import place, since_epoch
from quotefind.corpus.verse import join_lines
from quotefind.errors import SourceError
from quotefind.records import Quote

_LONGEST_SIDECAR = 50_000_000  # characters: more than thousands of highlights of one book need
_EXPECTED = "expected what KOReader exports: an object with the keys title, author and entries, or documents"


def read_koreader(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of a `metadata.….lua`, or of the JSON file that KOReader exports, each with its note.

    Only JSON begins with a brace. No Lua is run. Page bookmarks are not quotes. The place of a highlight is its chapter
    and its page.
    """
    text = stream.read(_LONGEST_SIDECAR + 1)
    if text.lstrip()[:1] == "{":
        yield from _exported(Cursor(text + stream.read(), name), name, options)
    elif len(text) > _LONGEST_SIDECAR:
        raise SourceError(f"{name}: longer than {_LONGEST_SIDECAR:,} characters; expected the highlights of one book")
    elif text.strip():
        yield from _sidecar(read_lua(text, name), name, options)


def _sidecar(book: Table, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights in KOReader's file about a book, in the order of the book if the file gives it."""
    about = [part for key in ("doc_props", "stats") if isinstance(part := book.get(key), Table)]
    title, authors = (next((part[key] for part in about if part.get(key)), None) for key in ("title", "authors"))
    annotations = book.get("annotations")
    if isinstance(annotations, Table):
        found = [(entry, entry.get("note")) for entry in annotations.values_in_order() if _is_highlight(entry)]
    else:  # before KOReader 2024.07
        found = list(_by_page(book))
    for entry, note in found:
        if entry.get("text"):  # an entry without one is a part of a picture
            where = place(entry.get("chapter"), _page(entry))
            fields = (entry["text"], _authors(authors), title, note, where, entry.get("datetime"))
            yield _quote(name, entry.line, fields, options)


def _page(entry: Mapping[Any, Any]) -> object:
    """Return the page of a highlight, in the numbering of the publisher if known; "page" may also be a path."""
    return next((page for key in ("pageref", "pageno", "page") if place(page=(page := entry.get(key)))), None)


def _is_highlight(entry: Table) -> bool:
    """Whether an annotation marks words; a page bookmark has no drawing style."""
    return bool(entry.get("drawer"))


def _by_page(book: Table) -> Iterator[tuple[Table, object]]:
    """Yield each highlight of the older layout, and its note, which is in the bookmark with the same time."""
    highlight, bookmarks = book.get("highlight"), book.get("bookmarks")
    if not isinstance(highlight, Table):
        return
    notes: dict[object, object] = {}
    for bookmark in bookmarks.values_in_order() if isinstance(bookmarks, Table) else []:
        notes[bookmark.get("datetime")] = bookmark.get("text")
    numbers = {id(entries): number for number, entries in highlight.items()}
    for entries in highlight.values_in_order():
        for entry in entries.values_in_order():
            entry.setdefault("pageno", numbers[id(entries)])
            moment, text, note = entry.get("datetime"), entry.get("text"), notes.get(entry.get("datetime"))
            # KOReader's own notes end with the moment, in any language: "Page 12 the words @ 2021-05-01 …"
            automatic = isinstance(note, str) and isinstance(moment, str) and note.endswith(moment)
            yield entry, None if automatic or note == text else note


def _exported(cursor: Cursor, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of an exported file, which holds one book or several."""
    begins = _members(cursor)
    if "documents" not in begins:
        yield from _document(cursor, begins, name, options)
        return
    cursor.at = begins["documents"][0]
    documents = [begin for begin, value in cursor.elements() if isinstance(value, dict)]
    for begin in documents:
        cursor.at = begin
        yield from _document(cursor, _members(cursor, whole=False), name, options)


def _members(cursor: Cursor, *, whole: bool = True) -> dict[str, tuple[int, Any]]:
    """Return the positions and values of the members of the object at the cursor."""
    found = {key: (begin, value) for key, begin, value in cursor.members()}
    if whole:
        cursor.finish()
    return found


def _document(
    cursor: Cursor, members: dict[str, tuple[int, Any]], name: str, options: ReadOptions
) -> Iterator[Quote | BadRecord]:
    if "entries" not in members:
        raise cursor.error(f"no entries; {_EXPECTED}")
    title, author = (members.get(key, (0, None))[1] for key in ("title", "author"))
    cursor.at = members["entries"][0]
    if cursor.peek() == "{" and not members["entries"][1]:
        return  # how an empty table of Lua is written
    for begin, entry in cursor.elements():
        line = cursor.line(begin)
        if not isinstance(entry, dict):
            yield bad(name, line, "expected an object with the key text")
        elif entry.get("text") and entry.get("sort") != "bookmark":
            where, added = place(entry.get("chapter"), _page(entry)), since_epoch(entry.get("time"))
            fields = (entry["text"], _authors(author), title, entry.get("note"), where, added)
            yield _quote(name, line, fields, options)


def _authors(names: object) -> object:
    """Return several authors, one per line, as one name."""
    return ", ".join(filter(None, map(str.strip, names.split("\n")))) if isinstance(names, str) else names


def _quote(name: str, line: int, fields: tuple[object, ...], options: ReadOptions) -> Quote | BadRecord:
    text, author, work, note, where, added = fields
    raw = "".join(field for field in fields if isinstance(field, str))
    if unusable(raw) and (problem := raw_problem(raw, options.encoding)):
        return bad(name, line, problem)
    if isinstance(text, str):
        text = join_lines(text.splitlines())
    return make_quote(name, line, text, author, work, note=note, place=where, added=added, keep_lines=True)
