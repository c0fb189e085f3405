"""The names that an index knows: authors, works and tags."""

from __future__ import annotations

from quotefind.index import database
from quotefind.index.reader import Index
from quotefind.text import fold

# For each kind of name: its table, and the column that people read.
_KINDS = {"author": ("authors", "name"), "work": ("works", "name"), "tag": ("tags", "folded")}


def names_with(index: Index, kind: str, beginning: str, limit: int = 50) -> list[str]:
    """Return at most `limit` names with a word that starts as `beginning` does, by alphabet.

    Case and accents do not matter, as in a filter; `kind` is "author", "work" or "tag".
    """
    table, column = _KINDS[kind]
    with database.damage_reported(index.directory):
        found = index.connection.execute(
            f"SELECT {column} FROM {table} WHERE instr(' ' || folded, ?) ORDER BY folded LIMIT ?",
            (f" {fold(beginning)}", limit),
        )
        return [name for (name,) in found]
