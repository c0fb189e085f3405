"""From a JSON value to a quote, for both formats that hold JSON."""

from __future__ import annotations

from collections.abc import Callable

from quotefind.corpus.fields import (
    USUAL_NAMES,
    bad,
    find_columns,
    kind,
    listed,
    make_quote,
    named_column,
    raw_problem,
    unusable,
)
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote

# Remembered sets of keys: files have one or two small ones, but a hostile one must not fill the memory.
_MOST_SHAPES = 1000
_MOST_KEYS = 100


def object_reader(name: str, options: ReadOptions) -> Callable[[int, str, object], Quote | BadRecord]:
    """Return the function that makes the quote at a line of `name` from the raw JSON there and its value."""
    shapes: dict[tuple[str, ...], tuple[str | None, ...]] = {}

    def columns_of(keys: tuple[str, ...]) -> tuple[str | None, ...]:
        columns = shapes.get(keys) or tuple(find_columns(keys, options).values())
        if len(keys) <= _MOST_KEYS and len(shapes) < _MOST_SHAPES:
            shapes[keys] = columns
        return columns

    def read(line: int, raw: str, value: object) -> Quote | BadRecord:
        if problem := raw_problem(raw, options.encoding):
            return bad(name, line, problem)
        if isinstance(value, str):
            record = make_quote(name, line, value, keep_lines=True)
        elif isinstance(value, dict):
            columns = columns_of(tuple(value))
            if columns[0] is None:
                said = named_column("text", options)
                expected = listed(USUAL_NAMES["text"] if said is None else [said])
                hint = (
                    "; what KOReader exports: --input-format koreader" if {"entries", "documents"} & set(value) else ""
                )
                return bad(name, line, f"no text (expected under {expected}); the keys are {listed(value)}{hint}")
            values = [None if column is None else value[column] for column in columns]
            record = make_quote(name, line, *values, keep_lines=True)
        else:
            return bad(name, line, f"found {kind(value)}; expected a string or an object")
        if "\\u" in raw and isinstance(record, Quote) and _has_unusable(record):
            return bad(name, line, "escapes a NUL character or half of a surrogate pair; expected text")
        return record

    return read


def _has_unusable(quote: Quote) -> bool:
    """Whether an escape put a character into `quote` that no text can hold."""
    strings = (quote.text, quote.author, quote.work, quote.note, quote.place, *quote.tags)
    return any(unusable(string) for string in strings if string)
