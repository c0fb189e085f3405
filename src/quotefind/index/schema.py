"""The tables of an index, the checksum of a quote, and the SQLite helpers of both stores.

A local index keeps these tables in its database. A Lance dataset has its own columns; its updates work on these tables
in a temporary database that holds only the quotes that the update touches.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# How full-text search splits texts into words.
TOKENIZER = "porter unicode61 remove_diacritics 2"

# The tags that `quotefind tag` proposed, for filters. A hit shows `quotes.proposed`.
PROPOSED_TAGS = """
CREATE TABLE proposed_tags (
    tag_id INTEGER NOT NULL REFERENCES tags (id),
    quote_id INTEGER NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    PRIMARY KEY (tag_id, quote_id)
) WITHOUT ROWID;
CREATE INDEX proposed_tags_quote ON proposed_tags (quote_id);
"""
SCHEMA = f"""
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- What the user named, and the files found there. A file has no digest until all of it was indexed.
CREATE TABLE sources (id INTEGER PRIMARY KEY, location TEXT NOT NULL UNIQUE, options TEXT NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES sources (id),
    path TEXT NOT NULL,
    size INTEGER, modified INTEGER, digest BLOB,
    UNIQUE (source_id, path)
);

CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE TABLE works (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE TABLE tags (id INTEGER PRIMARY KEY, folded TEXT NOT NULL UNIQUE);

CREATE TABLE quotes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,      -- text.quote_id
    digest BLOB NOT NULL,           -- text.text_digest; quotes with the same digest share a vector
    row INTEGER NOT NULL,           -- in the matrix
    checksum INTEGER NOT NULL,      -- CRC-32 of the row
    text TEXT NOT NULL,
    chars INTEGER NOT NULL,
    author_id INTEGER REFERENCES authors (id),
    work_id INTEGER REFERENCES works (id),
    year INTEGER,
    tags TEXT NOT NULL,             -- a JSON array, as in the source
    proposed TEXT NOT NULL DEFAULT '[]',  -- a JSON array of what `quotefind tag` proposed, apart from `tags`
    note TEXT,                      -- the collector's own remark
    place TEXT,                     -- where in the work
    added TEXT,                     -- the day on which it was collected, ISO 8601
    verse TEXT,                     -- the text with its line breaks, where it has some; `text` is on one line
    truncated INTEGER NOT NULL,     -- whether the encoder cut the text
    seal INTEGER NOT NULL           -- `quote_checksum`; the column got its name in format 2
);
CREATE UNIQUE INDEX quotes_row ON quotes (row);
CREATE INDEX quotes_digest ON quotes (digest);
CREATE INDEX quotes_author ON quotes (author_id);
CREATE INDEX quotes_work ON quotes (work_id);
CREATE TABLE quote_tags (
    tag_id INTEGER NOT NULL REFERENCES tags (id),
    quote_id INTEGER NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    PRIMARY KEY (tag_id, quote_id)
) WITHOUT ROWID;
CREATE INDEX quote_tags_quote ON quote_tags (quote_id);
{PROPOSED_TAGS}
CREATE TABLE places (
    file_id INTEGER NOT NULL REFERENCES files (id),
    quote_id INTEGER NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    line INTEGER,
    PRIMARY KEY (file_id, quote_id)
) WITHOUT ROWID;
CREATE INDEX places_quote ON places (quote_id);
-- Rows of the matrix that no longer belong to a quote.
CREATE TABLE dead (row INTEGER PRIMARY KEY);
-- The rows written so far of a matrix that will replace this one.
CREATE TABLE rewritten (
    quote_id INTEGER PRIMARY KEY REFERENCES quotes (id) ON DELETE CASCADE,
    row INTEGER NOT NULL, checksum INTEGER NOT NULL, truncated INTEGER NOT NULL
);

CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'quotes', content_rowid = 'id', tokenize = '{TOKENIZER}'
);
"""

# The columns that `quote_checksum` covers, in its order: CHECKED, `proposed`, MORE_CHECKED.
CHECKED = """
name, text, (SELECT name FROM authors WHERE id = author_id), (SELECT name FROM works WHERE id = work_id), year, tags
"""
MORE_CHECKED = "note, place, added, verse"
# Renews the checksum of quotes whose attribution was changed; a condition may follow.
RENEW_CHECKSUMS = f"UPDATE quotes SET seal = quote_checksum({CHECKED}, proposed, {MORE_CHECKED})"

# Deletes tags that no quote has any longer.
DROP_UNUSED_TAGS = """
DELETE FROM tags WHERE NOT EXISTS (SELECT 1 FROM quote_tags WHERE tag_id = tags.id)
AND NOT EXISTS (SELECT 1 FROM proposed_tags WHERE tag_id = tags.id)
"""


def quote_checksum(
    name: str,
    text: str,
    author: str | None,
    work: str | None,
    year: int | None,
    tags: str,
    proposed: str = "[]",
    note: str | None = None,
    place: str | None = None,
    added: str | None = None,
    verse: str | None = None,
) -> int:
    """Return the CRC-32 of everything that a hit shows of a quote; SQLite does not notice changed bytes.

    Args:
        name: the id.
        text: the text on one line.
        author, work, year, note, place, added: as in `Quote`.
        tags, proposed: JSON arrays.
        verse: the text with its line breaks; None if it has none.
    """
    # Missing values are left out, so that checksums from formats without these columns stay valid.
    more = [proposed, note, place, added, verse]
    while more and more[-1] in (None, "[]"):
        more.pop()
    shown = (name, text, author, work, year, tags, *more)
    # JSON in ASCII is the same in every version of Python; `repr` depends on the Unicode tables of the version.
    return zlib.crc32(json.dumps(shown).encode("ascii"))


def add_functions(connection: sqlite3.Connection) -> None:
    """Add the function `quote_checksum`, with all its arguments, to the SQL of `connection`."""
    connection.create_function("quote_checksum", 11, quote_checksum, deterministic=True)


def integers(found: Iterable[tuple[int, ...]]) -> NDArray[np.int64]:
    """Return all numbers of a query result in one array (n,).

    Raises:
        sqlite3.DatabaseError: a value is not an integer, because the database is damaged.
    """
    import numpy as np  # here, because `today` must not load it

    try:
        return np.fromiter((number for row in found for number in row), np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise sqlite3.DatabaseError(f"not an integer where one was written: {error}") from error


def statements(script: str) -> Iterator[str]:
    """Yield the statements of `script`, so that they can share one transaction."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end; roll back on an error or an interrupt."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
