"""Which quotes a search may answer with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quotefind.errors import UsageError
from quotefind.index.database import integers
from quotefind.text import fold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quotefind.records import Quote


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on quotes. Each that is given must hold; of several values for one, any may hold.

    Case and accents do not matter. An author or work matches where the words stand in its name one after the other,
    from the beginning of a word on ("emily bron" finds Emily Brontë), or anywhere in scripts without case. A tag
    matches whole.

    Raises:
        UsageError: a name holds no letter or digit.
    """

    authors: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_chars: int | None = None

    def __post_init__(self) -> None:
        """Refuse names that hold no letter or digit: they would match everything."""
        for option, names in (("--author", self.authors), ("--work", self.works), ("--tag", self.tags)):
            for name in names:
                if not fold(name):
                    raise UsageError(f"{option} {name!r} names nothing; it needs a letter or a digit.")

    def __bool__(self) -> bool:
        """Whether any condition is set."""
        return bool(self.authors or self.works or self.tags or self.max_chars is not None)

    def admits(self, quote: Quote) -> bool:
        """Whether `quote` satisfies all conditions; `sql` says the same to a database."""
        for names, found in ((self.authors, quote.author), (self.works, quote.work)):
            if names and not any(_beginning(fold(name)) in f" {fold(found)}" for name in names if found):
                return False
        tags = {fold(tag) for tag in self.tags}
        if tags and tags.isdisjoint(map(fold, quote.tags)):
            return False
        return self.max_chars is None or len(quote.text) <= self.max_chars


def _beginning(folded: str) -> str:
    """Return what to look for: with a blank before it, unless its script has no case and so perhaps no blanks."""
    first = folded[0]
    return folded if first.isalpha() and first.upper() == first.lower() else f" {folded}"


def sql(where: Filter) -> tuple[str, list[str | int]]:
    """Return `where` as a condition on a row of the table of quotes, and the values of its parameters."""
    conditions: list[str] = []
    values: list[str | int] = []
    for table, column, names in (("authors", "author_id", where.authors), ("works", "work_id", where.works)):
        if names:
            # Both sides begin with a space, so that a word matches from its beginning.
            any_name = " OR ".join("instr(' ' || folded, ?)" for _ in names)
            conditions.append(f"{column} IN (SELECT id FROM {table} WHERE {any_name})")
            values += [_beginning(fold(name)) for name in names]
    if where.tags:
        marks = ", ".join("?" for _ in where.tags)
        conditions.append(
            f"id IN (SELECT quote_id FROM quote_tags JOIN tags ON tags.id = tag_id WHERE folded IN ({marks}))"
        )
        values += [fold(tag) for tag in where.tags]
    if where.max_chars is not None:
        conditions.append("chars <= ?")
        values.append(where.max_chars)
    return " AND ".join(conditions) or "1", values


def matching_rows(connection: sqlite3.Connection, where: Filter) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row numbers (n,) of the quotes that satisfy `where`, ascending, and the CRC-32 (n,) of each row."""
    import numpy as np

    condition, values = sql(where)
    statement = f"SELECT row, checksum FROM quotes WHERE {condition} ORDER BY row"
    rows, checksums = integers(connection.execute(statement, values)).reshape(-1, 2).T
    return np.ascontiguousarray(rows), checksums
