"""Read quotes from the database of a local index, and compare each with its checksum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from quotefind.index.local import database
from quotefind.index.schema import quote_checksum
from quotefind.records import Quote

_QUOTES = """
SELECT quotes.row, checksum, seal, quotes.name, text, authors.name, works.name, year, tags, proposed, note, place,
    added, verse, path, min(places.file_id), line
FROM quotes
LEFT JOIN authors ON authors.id = author_id
LEFT JOIN works ON works.id = work_id
LEFT JOIN places ON places.quote_id = quotes.id
LEFT JOIN files ON files.id = places.file_id
WHERE quotes.{condition}
GROUP BY quotes.id
"""


def checked_quotes(
    directory: Path, connection: sqlite3.Connection, condition: str, values: Sequence[int | str]
) -> Iterator[tuple[int, int, Quote]]:
    """Yield the row, its CRC-32 and the quote for each quote in `directory` that satisfies `condition`.

    `condition` is SQL that begins with a column of the table `quotes`; `values` are its parameters.

    Raises:
        IndexUnusableError: a quote does not match its checksum.
    """
    for row, of_row, of_quote, name, *shown, path, _, line in connection.execute(
        _QUOTES.format(condition=condition), values
    ):
        if quote_checksum(name, *shown) != of_quote:
            raise database.damaged(directory, f"quote {name} does not match its checksum")
        text, author, work, year, tags, proposed, note, place, added, verse = shown
        own, others = tuple(json.loads(tags)), tuple(json.loads(proposed))
        yield row, of_row, Quote(verse or text, author, work, year, own, path, line, name, others, note, place, added)
