"""Turn a `Filter` into a condition in Lance's SQL."""

from __future__ import annotations

from collections.abc import Iterable

from quotefind.index.filters import Filter, beginning_of
from quotefind.text import fold

_MOST_CHARS = 2**31 - 1


def condition_of(where: Filter | None) -> str | None:
    """Return `where` as SQL over the columns of `dataset.schema`; None if it sets no condition."""
    if not where:
        return None
    conditions = [
        "(" + " OR ".join(f"contains({column}, {literal(beginning_of(fold(name)))})" for name in names) + ")"
        for column, names in (("author_folded", where.authors), ("work_folded", where.works))
        if names
    ]
    if where.tags:
        wanted = f"[{listed(map(fold, where.tags))}]"
        columns = ("tags_folded", "proposed_folded") if where.proposed else ("tags_folded",)
        conditions.append("(" + " OR ".join(f"array_has_any({column}, {wanted})" for column in columns) + ")")
    if where.untagged:
        conditions.append("array_length(tags) = 0")
    if where.max_chars is not None:
        # Lance refuses a number that does not fit into the column.
        conditions.append(f"chars <= {max(min(where.max_chars, _MOST_CHARS), -1)}")
    return " AND ".join(conditions)


def literal(text: str) -> str:
    """Return `text` as an SQL string: in quotation marks, with those inside doubled; nothing else is special."""
    return "'" + text.replace("'", "''") + "'"


def listed(values: Iterable[str | int]) -> str:
    """Return `values` for the brackets of SQL's IN."""
    return ", ".join(literal(value) if isinstance(value, str) else str(value) for value in values)


def in_files(files: Iterable[int]) -> str:
    """Return the condition that a quote was read from any of `files`, given by their numbers."""
    return f"array_has_any(files, [{listed(files)}])"


def both(condition: str | None, other: str) -> str:
    """Return the condition that both conditions hold."""
    return other if condition is None else f"({condition}) AND ({other})"
