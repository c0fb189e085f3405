"""Store and delete proposed tags in a Lance dataset; each takes several commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from quotefind.index.lance.dataset import CHANGE, damaged, reported
from quotefind.index.lance.rows import in_parts, is_intact, with_proposed
from quotefind.index.lance.versions import DERIVED, Versions
from quotefind.records import Quote

# Quotes that are written at a time.
_AT_ONCE = 1000


def propose(versions: Versions, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
    """Commit proposed tags; return how many quotes were left alone because they have changed since they were read."""
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
    """Delete all proposed tags; return how many quotes had any."""
    with reported(versions.location):
        rows = versions.newest.to_table(columns=["row"], filter="array_length(proposed) > 0")["row"].to_numpy()
    for start in range(0, len(rows), _AT_ONCE):
        records = _records(versions, "row", rows[start : start + _AT_ONCE].tolist())
        for record in records:
            if not is_intact(record):
                raise damaged(versions.location, f"quote {record['id']} does not match its checksum")
        _change(versions, [with_proposed(record, ()) for record in records])
    return len(rows)


def _records(versions: Versions, column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    names = [name for name in versions.schema.names if name not in DERIVED]
    return [record for batch in versions.rows_with(column, values, names) for record in batch.to_pylist()]


def _change(versions: Versions, records: list[dict[str, Any]]) -> None:
    """Commit changed quotes, in a version that is incomplete until the whole change is done."""
    if records:
        if versions.current.unfinished != CHANGE:
            versions.commit(replace(versions.current, unfinished=CHANGE), versions.source_tables)
        versions.merge(records)
