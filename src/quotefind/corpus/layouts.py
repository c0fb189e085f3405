"""The layouts in which pandas and other programs write a table as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from quotefind.corpus.columns import Columns

_LOOKED_AT = 20  # rows, to find out what a list holds
_MOST_COLUMNS = 1000

_Rows = Iterator[dict[str, object]]
_Find = Callable[[Iterable[str]], Columns]  # which columns hold the fields of a quote


def table_rows(value: dict[str, object], find: _Find) -> _Rows | None:
    """Return the rows of a table in an object, or None if it holds something else.

    The layouts are {"text": {"0": …}}, the default of pandas; {"text": […]}; and {"columns": […], "data": [[…]]}.
    """
    names, data = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(data, list):
        return split_rows([names, *data], find)
    texts = find(value)["text"] if len(value) <= _MOST_COLUMNS else ()
    first = value[texts[0]] if texts else None
    if not first or not isinstance(first, dict | list):
        return None
    some = first.values() if isinstance(first, dict) else first
    if any(isinstance(part, dict | list) for part in islice(some, _LOOKED_AT)):
        return None
    if isinstance(first, dict):
        columns = {name: part for name, part in value.items() if isinstance(part, dict) and part.keys() == first.keys()}
        numbered = all(key.isdigit() for key in first)
        if len(columns) == len(value) and (len(value) > 1 or numbered):
            return ({name: part[row] for name, part in columns.items()} for row in first)
        return None
    lists = {name: part for name, part in value.items() if isinstance(part, list) and len(part) == len(first)}
    if len(lists) == len(value) > 1:
        return (dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True))
    return None


def split_rows(rows: list[object], find: _Find) -> _Rows | None:
    """Return the rows of a list of lists whose first list names the columns, or None if it is something else."""
    if len(rows) < 2 or not all(isinstance(row, list) for row in islice(rows, _LOOKED_AT)):
        return None
    names, *_ = rows
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not find(names)["text"]:
        return None
    return (dict(zip(names, row, strict=False)) for row in islice(rows, 1, None) if isinstance(row, list))
