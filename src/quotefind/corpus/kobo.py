"""The database of a Kobo, `KoboReader.sqlite`: the highlights with their notes, chapters and dates."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import BinaryIO

from quotefind.corpus.database import columns_of, open_copy
from quotefind.corpus.fields import bad, make_quote, raw_problem
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import percent, place
from quotefind.corpus.verse import join_lines
from quotefind.errors import SourceError
from quotefind.records import Quote

# The highlights of a deleted book stay in the database. Page bookmarks and drawings have no text. The title of a
# chapter is that of its entry in the table of contents, whose ID begins with its own ID and "-", or else its own.
_HIGHLIGHTS = """
SELECT CAST(Bookmark.Text AS TEXT), {annotation}, book.title, book.author, {created}, {progress}, {chapter}
FROM Bookmark LEFT JOIN (SELECT ContentID, {title} AS title, {author} AS author FROM content) AS book
    ON book.ContentID = Bookmark.VolumeID
WHERE trim(coalesce(Bookmark.Text, ''), char(9, 10, 13, 32, 160)) <> ''
{visible}
ORDER BY Bookmark.VolumeID, Bookmark.rowid
"""
_CHAPTER = """coalesce(
    (SELECT CAST(entry.Title AS TEXT) FROM content AS entry
        WHERE entry.ContentID > Bookmark.ContentID || '-' AND entry.ContentID < Bookmark.ContentID || '.'
        ORDER BY entry.ContentID LIMIT 1),
    (SELECT CAST(entry.Title AS TEXT) FROM content AS entry
        WHERE entry.ContentID = Bookmark.ContentID AND entry.ContentID <> Bookmark.VolumeID))"""
_FILE = re.compile(r".*\.x?html?\b.*|\S*/\S*", re.IGNORECASE | re.DOTALL)  # instead of a title
_EXPECTED = "expected the KoboReader.sqlite of a Kobo"


def read_kobo(stream: BinaryIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights in the database of a Kobo, book by book; the line of each is its number among them.

    The place of a highlight is its chapter, and how far into the chapter it is, in percent.
    """
    with open_copy(stream, name, options, _EXPECTED) as connection:
        for number, fields in enumerate(connection.execute(_query(connection, name)), 1):
            text, note, title, author, created, progress, chapter = fields
            if problem := raw_problem("".join(field for field in fields if isinstance(field, str)), options.encoding):
                yield bad(name, number, problem)
                continue
            where, words = None, join_lines(text.splitlines())
            if chapter and not _FILE.fullmatch(chapter):
                where = ", ".join(filter(None, (place(chapter), percent(progress))))
            yield make_quote(name, number, words, author, title, note=note, place=where, added=created, keep_lines=True)


def _query(connection: sqlite3.Connection, name: str) -> str:
    """Return the query for the highlights, without the columns that older databases lack."""
    columns = {table: columns_of(connection, table) for table in ("Bookmark", "content")}
    for table, found in columns.items():
        if not found:
            raise SourceError(f"{name}: no table {table}; {_EXPECTED}")
    if not {"text", "volumeid"} <= columns["Bookmark"] or "contentid" not in columns["content"]:
        raise SourceError(f"{name}: a table without the columns of highlights; {_EXPECTED}")

    def value(table: str, column: str, kind: str = "TEXT") -> str:
        return f"CAST({table}.{column} AS {kind})" if column.casefold() in columns[table] else "NULL"

    has_chapters = "contentid" in columns["Bookmark"] and "title" in columns["content"]
    hidden = "AND lower(coalesce(Bookmark.Hidden, 'false')) NOT IN ('true', '1')"
    return _HIGHLIGHTS.format(
        annotation=value("Bookmark", "Annotation"),
        title=value("content", "Title"),
        author=value("content", "Attribution"),
        created=value("Bookmark", "DateCreated"),
        progress=value("Bookmark", "ChapterProgress", "REAL"),
        chapter=_CHAPTER if has_chapters else "NULL",
        visible=hidden if "hidden" in columns["Bookmark"] else "",
    )
