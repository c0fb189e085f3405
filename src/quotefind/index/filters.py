"""Which quotes a search may answer with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quotefind.errors import UsageError
from quotefind.index.schema import integers
from quotefind.text import fold, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quotefind.records import Quote


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on quotes. Each that is given must hold; of several values for one, any may hold.

    Case and accents do not matter. An author or work matches where the words stand in its name one after the other,
    from the beginning of a word on ("emily bron" finds Emily Brontë), or anywhere in scripts without case. A tag
    matches whole; with `proposed`, a tag that was proposed for a quote counts like one of its own. `untagged`: only
    quotes that have no tags of their own.

    Raises:
        UsageError: a name holds no letter or digit, or `proposed` is set without tags.
    """

    authors: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_chars: int | None = None
    proposed: bool = False
    untagged: bool = False

    def __post_init__(self) -> None:
        """Refuse names that hold no letter or digit: they would match everything; and what would do nothing."""
        for option, names in (("--author", self.authors), ("--work", self.works), ("--tag", self.tags)):
            for name in names:
                if not fold(name):
                    raise UsageError(f"{option} {name!r} names nothing; it needs a letter or a digit.")
        if self.proposed and not self.tags:
            raise UsageError("--proposed lets --tag match proposed tags too; say which, as in --tag love --proposed.")

    def __bool__(self) -> bool:
        """Whether any condition is set."""
        return bool(self.authors or self.works or self.tags or self.max_chars is not None or self.untagged)

    def admits(self, quote: Quote) -> bool:
        """Whether `quote` satisfies all conditions; `sql` says the same to a database."""
        for names, found in ((self.authors, quote.author), (self.works, quote.work)):
            if names and not any(beginning_of(fold(name)) in f" {fold(found)}" for name in names if found):
                return False
        tags = {fold(tag) for tag in self.tags}
        carried = (*quote.tags, *quote.proposed) if self.proposed else quote.tags
        if (tags and tags.isdisjoint(map(fold, carried))) or (self.untagged and quote.tags):
            return False
        return self.max_chars is None or len(one_line(quote.text)) <= self.max_chars


def beginning_of(folded: str) -> str:
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
            values += [beginning_of(fold(name)) for name in names]
    if where.tags:
        marks = ", ".join("?" for _ in where.tags)
        tables = ("quote_tags", "proposed_tags") if where.proposed else ("quote_tags",)
        carriers = [
            f"SELECT quote_id FROM {table} JOIN tags ON tags.id = tag_id WHERE folded IN ({marks})" for table in tables
        ]
        conditions.append(f"id IN ({' UNION ALL '.join(carriers)})")
        values += [fold(tag) for tag in where.tags] * len(tables)
    if where.untagged:
        conditions.append("tags = '[]'")
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
