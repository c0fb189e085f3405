"""Turn a `Filter` into a condition in Lance's SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from quotefind.index.filters import Field, Filter, Kind, name_parts
from quotefind.text import fold

_LARGEST = 2**31 - 1


def condition_of(where: Filter | None) -> str | None:
    """Return `where` as SQL over the columns of `dataset.schema`; None if it sets no condition."""
    if not where:
        return None
    return " AND ".join(_SQL[field.kind](field, value, where.proposed) for field, value in where.conditions())


def _name(field: Field, names: tuple[str, ...], _: bool) -> str:
    anywhere, turned = name_parts(field, names)
    conditions = [f"contains({field.of}_folded, {literal(part)})" for part in anywhere]
    conditions += [f"(contains({field.of}, ',') AND contains({field.of}_folded, {literal(part)}))" for part in turned]
    return f"({' OR '.join(conditions)})"


def _tag(field: Field, tags: tuple[str, ...], proposed: bool) -> str:
    wanted = f"[{listed(map(fold, tags))}]"
    columns = (field.of, "proposed") if proposed else (field.of,)
    return "(" + " OR ".join(f"array_has_any({column}_folded, {wanted})" for column in columns) + ")"


_SQL: dict[Kind, Callable[[Field, Any, bool], str]] = {
    Kind.NAME: _name,
    Kind.TAG: _tag,
    # Lance refuses a number that does not fit into the column.
    Kind.AT_MOST: lambda field, limit, _: f"{field.of} <= {max(min(limit, _LARGEST), -1)}",
    Kind.EMPTY: lambda field, _, __: f"array_length({field.of}) = 0",
}


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
