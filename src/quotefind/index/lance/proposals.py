"""Tags proposed for the quotes of an index in a Lance dataset, or forgotten; each is a run of commits of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from quotefind.index.lance.dataset import CHANGE, damaged, reported
from quotefind.index.lance.rows import in_parts, is_intact, with_proposed
from quotefind.index.lance.versions import DERIVED, Versions
from quotefind.records import Quote

# Quotes that are written at once.
_AT_ONCE = 1000


def propose(versions: Versions, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
    """Commit proposed tags; return how many quotes are not any more what was read, and are left alone."""
    left_alone = 0
    for part in in_parts(((quote, tags) for quote, tags in proposed if tuple(tags) != quote.proposed), _AT_ONCE):
        wanted = {quote.id or "": (quote, tags) for quote, tags in part}
        changed = []
        for record in _records(versions, "id", list(wanted)):
            quote, tags = wanted[record["id"]]
            known = ("work", "year", "note", "place", "added")
            same = tuple(record["proposed"]) == quote.proposed and (record["verse"] or record["text"]) == quote.text
            same = same and all(record[name] == getattr(quote, name) for name in known)
            if same and not record["tags"] and is_intact(record):
                changed.append(with_proposed(record, tags))
        left_alone += len(part) - len(changed)
        _change(versions, changed)
    return left_alone


def forget(versions: Versions) -> int:
    """Commit that nothing is proposed for any quote; return for how many something was."""
    with reported(versions.location):
        rows = versions.newest.to_table(columns=["row"], filter="array_length(proposed) > 0")["row"].to_numpy()
    for start in range(0, len(rows), _AT_ONCE):
        records = _records(versions, "row", rows[start : start + _AT_ONCE].tolist())
        for record in records:
            if not is_intact(record):
                raise damaged(versions.location, f"quote {record['id']} is not what was written")
        _change(versions, [with_proposed(record, ()) for record in records])
    return len(rows)


def _records(versions: Versions, column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    names = [name for name in versions.schema.names if name not in DERIVED]
    return [record for batch in versions.rows_with(column, values, names) for record in batch.to_pylist()]


def _change(versions: Versions, records: list[dict[str, Any]]) -> None:
    """Commit what is now said of quotes, as a part of something that is whole only with the rest of it."""
    if records:
        if versions.current.unfinished != CHANGE:
            versions.commit(replace(versions.current, unfinished=CHANGE), versions.source_tables)
        versions.merge(records)
