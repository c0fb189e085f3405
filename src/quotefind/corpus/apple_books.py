"""Apple Books: the highlights in its database on a Mac, `AEAnnotation….sqlite`.

The app keeps highlights in `~/Library/Containers/com.apple.iBooksX/Data/Documents/AEAnnotation/`, and the titles and
authors of the books in another database, `BKLibrary….sqlite`, in the folder `BKLibrary` next to that one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from quotefind.corpus.database import columns_of, open_copy
from quotefind.corpus.fields import bad, make_quote, raw_problem
from quotefind.corpus.opening import open_regular
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import place, since_epoch
from quotefind.corpus.verse import join_lines
from quotefind.errors import SourceError
from quotefind.records import Quote

_EPOCH = 978_307_200  # of dates in Apple's databases: 2001-01-01, in seconds after 1970
_HIGHLIGHTS = """
SELECT CAST(ZANNOTATIONSELECTEDTEXT AS TEXT), {note}, CAST(ZANNOTATIONASSETID AS TEXT), {chapter}, {created}
FROM ZAEANNOTATION
WHERE trim(coalesce(ZANNOTATIONSELECTEDTEXT, ''), char(9, 10, 13, 32, 160)) <> '' {deleted}
ORDER BY ZANNOTATIONASSETID, {start} rowid
"""
_EXPECTED = "expected the AEAnnotation….sqlite of Apple Books"
_EXPECTED_LIBRARY = "expected the BKLibrary….sqlite of Apple Books"


def read_apple_books(stream: BinaryIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of Apple Books, book by book; the line of each is its number among them.

    Title and author are looked up in the library's database, if it is in the same folder or in `BKLibrary` next to
    it. Deleted highlights and bookmarks are left out.
    """
    books = _books(name, options)
    with open_copy(stream, name, options, _EXPECTED) as connection:
        for number, fields in enumerate(connection.execute(_query(connection, name)), 1):
            text, note, asset, chapter, created = fields
            title, author = books.get(asset, (None, None))
            raw = (text, note, chapter, title, author)
            if problem := raw_problem("".join(field for field in raw if isinstance(field, str)), options.encoding):
                yield bad(name, number, problem)
                continue
            where, added = place(chapter), since_epoch(created, begins=_EPOCH)
            words = join_lines(text.splitlines())
            yield make_quote(name, number, words, author, title, note=note, place=where, added=added, keep_lines=True)


def _query(connection: sqlite3.Connection, name: str) -> str:
    """Return the query for the highlights, without the columns that other versions lack."""
    columns = columns_of(connection, "ZAEANNOTATION")
    if not {"zannotationselectedtext", "zannotationassetid"} <= columns:
        raise SourceError(f"{name}: no table ZAEANNOTATION with the columns of highlights; {_EXPECTED}")

    def value(column: str, kind: str = "TEXT") -> str:
        return f"CAST({column} AS {kind})" if column.casefold() in columns else "NULL"

    return _HIGHLIGHTS.format(
        note=value("ZANNOTATIONNOTE"),
        chapter=value("ZFUTUREPROOFING5"),
        created=value("ZANNOTATIONCREATIONDATE", "REAL"),
        deleted="AND coalesce(ZANNOTATIONDELETED, 0) = 0" if "zannotationdeleted" in columns else "",
        start="ZPLLOCATIONRANGESTART," if "zpllocationrangestart" in columns else "",
    )


def _books(name: str, options: ReadOptions) -> dict[str, tuple[str | None, str | None]]:
    """Return title and author of each book by its ID; nothing if there is no library beside the file `name`."""
    folder = Path(name).absolute().parent
    found = sorted(path for where in (folder, folder.parent / "BKLibrary") for path in where.glob("BKLibrary*.sqlite"))
    if not found:
        return {}
    path = str(found[0])
    try:
        with open_regular(found[0]) as stream, open_copy(stream, path, options, _EXPECTED_LIBRARY) as connection:
            if not {"zassetid", "ztitle", "zauthor"} <= columns_of(connection, "ZBKLIBRARYASSET"):
                raise SourceError(f"{path}: no table ZBKLIBRARYASSET with titles; {_EXPECTED_LIBRARY}")
            rows = connection.execute(
                "SELECT CAST(ZASSETID AS TEXT), CAST(ZTITLE AS TEXT), CAST(ZAUTHOR AS TEXT) FROM ZBKLIBRARYASSET"
            )
            return {asset: (title, author) for asset, title, author in rows}
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror or error}") from error
