"""Filters: which quotes a search may find.

`FIELDS` is the table of all conditions. SQL, the conditions of a Lance dataset (`index.lance.filters`) and the check of
a quote in memory are all derived from it, according to the kind of each field.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from quotefind.errors import UsageError
from quotefind.index.schema import integers
from quotefind.text import fold, fold_name, last_name_first, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quotefind.records import Quote


class Kind(Enum):
    """How a condition compares, which also determines the type of its value."""

    NAME = "any of some names, given by the beginnings of words"
    TAG = "any of some tags, given whole"
    AT_MOST = "at most a number"
    EMPTY = "nothing at all, if true"


@dataclass(frozen=True, slots=True)
class Field:
    """A condition that a filter can set.

    Attributes:
        name: the attribute of `Filter` that holds its value.
        option: the command-line option; None if there is none.
        kind: how it compares.
        of: the part of a quote that it looks at: "author", "work", "tags" or "chars".
    """

    name: str
    option: str | None
    kind: Kind
    of: str


FIELDS = (
    Field("authors", "--author", Kind.NAME, "author"),
    Field("works", "--work", Kind.NAME, "work"),
    Field("tags", "--tag", Kind.TAG, "tags"),
    Field("max_chars", "--max-chars", Kind.AT_MOST, "chars"),
    Field("untagged", None, Kind.EMPTY, "tags"),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on quotes. A quote must satisfy all that are set; of several values of one condition, any may match.

    Case and accents do not matter. An author or work matches if its name contains the given words in a row, starting at
    the beginning of a word ("emily bron" finds Emily Brontë), or anywhere in scripts without case. "Jane Austen" also
    matches "Austen, Jane". A tag matches as a whole; with `proposed`, proposed tags count too. `untagged` means only
    quotes without tags of their own. A single string is one name.

    Raises:
        UsageError: a name has no letter or digit, or `proposed` is set without tags.
    """

    authors: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_chars: int | None = None
    proposed: bool = False
    untagged: bool = False

    def __post_init__(self) -> None:
        """Refuse names without a letter or digit, which would match everything, and values that have no effect."""
        for field in FIELDS:
            if field.kind not in (Kind.NAME, Kind.TAG):
                continue
            value = getattr(self, field.name)
            names = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(self, field.name, names)
            for name in names:
                if not fold(name):
                    what = (field.option or field.name).removeprefix("--")
                    raise UsageError(f"The {what} {name!r} has no letter or digit, so it names nothing.")
        if self.proposed and not self.tags:
            raise UsageError("Matching proposed tags has no effect without a tag. Give a tag as well.")

    def __bool__(self) -> bool:
        """Whether any condition is set."""
        return any(True for _ in self.conditions())

    def conditions(self) -> Iterator[tuple[Field, Any]]:
        """Yield the fields that set a condition, each with its value."""
        for field in FIELDS:
            value = getattr(self, field.name)
            if value is not None and value is not False and value != ():
                yield field, value

    def admits(self, quote: Quote) -> bool:
        """Whether `quote` satisfies all conditions; `sql` is the same check for a database."""
        return all(_ADMITS[field.kind](field, value, self.proposed, quote) for field, value in self.conditions())


def beginning_of(name: str) -> str:
    """Return the string to look for to find `name` in a folded text that begins with a blank.

    The string begins with a blank, so that a word matches from its beginning, unless its script has no case: then words
    may not be separated by blanks.
    """
    folded = fold(name)
    first = folded[0]
    return folded if first.isalpha() and first.upper() == first.lower() else f" {folded}"


def _value(field: Field, quote: Quote) -> Any:
    """Return the part of `quote` that `field` looks at."""
    return len(one_line(quote.text)) if field.of == "chars" else getattr(quote, field.of)


def name_parts(field: Field, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the strings to look for in any name, see `beginning_of`, and those to look for in names with a comma.

    The latter make "Jane Austen" find "Austen, Jane" and the other way round.
    """
    if field.of != "author":
        return [*map(beginning_of, names)], []
    anywhere = dict.fromkeys(part for name in names for part in (beginning_of(name), beginning_of(fold_name(name))))
    turned = dict.fromkeys(beginning_of(way) for name in names for way in last_name_first(fold_name(name)))
    return list(anywhere), list(turned)


def _admits_name(field: Field, names: tuple[str, ...], _: bool, quote: Quote) -> bool:
    found = _value(field, quote)
    if not found:
        return False
    anywhere, turned = name_parts(field, names)
    folded = f" {fold(found)}"
    return any(part in folded for part in anywhere) or ("," in found and any(part in folded for part in turned))


def _admits_tag(_: Field, tags: tuple[str, ...], proposed: bool, quote: Quote) -> bool:
    carried = (*quote.tags, *quote.proposed) if proposed else quote.tags
    return not set(map(fold, tags)).isdisjoint(map(fold, carried))


_ADMITS: dict[Kind, Callable[[Field, Any, bool, Quote], bool]] = {
    Kind.NAME: _admits_name,
    Kind.TAG: _admits_tag,
    Kind.AT_MOST: lambda field, limit, _, quote: bool(_value(field, quote) <= limit),
    Kind.EMPTY: lambda field, _, __, quote: not _value(field, quote),
}


def sql(where: Filter) -> tuple[str, list[str | int]]:
    """Return `where` as a condition on a row of the table `quotes`, and the values of its parameters."""
    conditions: list[str] = []
    values: list[str | int] = []
    for field, value in where.conditions():
        condition, parameters = _SQL[field.kind](field, value, where.proposed)
        conditions.append(condition)
        values += parameters
    return " AND ".join(conditions) or "1", values


def _sql_name(field: Field, names: tuple[str, ...], _: bool) -> tuple[str, list[str | int]]:
    anywhere, turned = name_parts(field, names)
    within = "instr(' ' || folded, ?)"
    any_name = " OR ".join([within] * len(anywhere))
    if turned:
        any_name += f" OR (instr(name, ',') AND ({' OR '.join([within] * len(turned))}))"
    return f"{field.of}_id IN (SELECT id FROM {field.of}s WHERE {any_name})", [*anywhere, *turned]


def _sql_tag(_: Field, tags: tuple[str, ...], proposed: bool) -> tuple[str, list[str | int]]:
    marks = ", ".join("?" for _ in tags)
    tables = ("quote_tags", "proposed_tags") if proposed else ("quote_tags",)
    carriers = [
        f"SELECT quote_id FROM {table} JOIN tags ON tags.id = tag_id WHERE folded IN ({marks})" for table in tables
    ]
    return f"id IN ({' UNION ALL '.join(carriers)})", [*map(fold, tags)] * len(tables)


_SQL: dict[Kind, Callable[[Field, Any, bool], tuple[str, list[str | int]]]] = {
    Kind.NAME: _sql_name,
    Kind.TAG: _sql_tag,
    Kind.AT_MOST: lambda field, limit, _: (f"{field.of} <= ?", [limit]),
    Kind.EMPTY: lambda field, _, __: (f"{field.of} = '[]'", []),
}


def matching_rows(connection: sqlite3.Connection, where: Filter) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row numbers (n,) of the quotes that satisfy `where`, ascending, and the CRC-32 (n,) of each row."""
    import numpy as np

    condition, values = sql(where)
    statement = f"SELECT row, checksum FROM quotes WHERE {condition} ORDER BY row"
    rows, checksums = integers(connection.execute(statement, values)).reshape(-1, 2).T
    return np.ascontiguousarray(rows), checksums
