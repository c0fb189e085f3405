"""Proposed tags in a local index, stored separately from the tags of the sources."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from quotefind.index.schema import CHECKED, DROP_UNUSED_TAGS, MORE_CHECKED, quote_checksum, transaction
from quotefind.records import Quote
from quotefind.text import fold, one_line

# A damaged quote keeps its proposed tags, and the checksum that reveals the damage.
_FORGET = f"""
UPDATE quotes SET proposed = '[]', seal = quote_checksum({CHECKED}, '[]', {MORE_CHECKED})
WHERE proposed <> '[]' AND seal = quote_checksum({CHECKED}, proposed, {MORE_CHECKED})
"""


def store(connection: sqlite3.Connection, proposals: Iterable[tuple[Quote, Sequence[str]]]) -> int:
    """Store the tags proposed for each quote in one transaction; return the number of quotes skipped.

    A quote is skipped if it has changed since it was read, or has tags of its own.
    """
    changed = 0
    with transaction(connection):
        for quote, tags in proposals:
            if tuple(tags) != quote.proposed:
                changed += not _replace(connection, quote, tags)
        connection.execute(DROP_UNUSED_TAGS)
    return changed


def forget(connection: sqlite3.Connection) -> int:
    """Drop all proposed tags, in the transaction of the caller; return the number of quotes that had any.

    Raises:
        sqlite3.DatabaseError: a quote with proposed tags does not match its checksum.
    """
    count = connection.execute(_FORGET).rowcount
    damaged = connection.execute("SELECT name FROM quotes WHERE proposed <> '[]'").fetchone()
    if damaged:
        raise sqlite3.DatabaseError(f"quote {damaged[0]} does not match its checksum")
    connection.execute("DELETE FROM proposed_tags")
    connection.execute(DROP_UNUSED_TAGS)
    return count


def _replace(connection: sqlite3.Connection, quote: Quote, tags: Sequence[str]) -> bool:
    """Store `tags` for `quote` if the index still holds it unchanged; return whether it does."""
    shown = (quote.id or "", one_line(quote.text), quote.author, quote.work, quote.year, "[]")
    more = (quote.note, quote.place, quote.added, quote.text if "\n" in quote.text else None)
    before, after = (json.dumps(list(proposed), ensure_ascii=False) for proposed in (quote.proposed, tags))
    found = connection.execute(
        "UPDATE quotes SET proposed = ?, seal = ? WHERE name = ? AND seal = ? AND tags = '[]' RETURNING id",
        (after, quote_checksum(*shown, after, *more), quote.id, quote_checksum(*shown, before, *more)),
    ).fetchone()
    if found is None:
        return False
    connection.execute("DELETE FROM proposed_tags WHERE quote_id = ?", found)
    for folded in map(fold, tags):
        connection.execute("INSERT OR IGNORE INTO tags (folded) VALUES (?)", (folded,))
        connection.execute(
            "INSERT OR IGNORE INTO proposed_tags (tag_id, quote_id) SELECT id, ? FROM tags WHERE folded = ?",
            (*found, folded),
        )
    return True
