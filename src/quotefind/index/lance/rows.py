"""Make rows of the dataset from quotes, and quotes from rows."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from quotefind.index.lance.bm25 import tokenize
from quotefind.index.schema import quote_checksum
from quotefind.records import Quote
from quotefind.similarity import Vectors
from quotefind.text import fold

if TYPE_CHECKING:
    import pyarrow as pa

# The columns that a quote is made from.
SHOWN = ["row", "id", "text", "author", "work", "year", "tags", "proposed", "note"]
SHOWN += ["place", "added", "verse", "files", "lines", "seal"]


def record_of(
    row: int,
    digest: str,
    shown: Sequence[Any],
    places: Sequence[tuple[int, int | None]],
) -> dict[str, Any]:
    """Return the row of a quote, without the columns that come from its vector and its terms.

    Args:
        row, digest: see `dataset.schema`.
        shown: id, text, author, work, year, note, place, added, verse, and tags and proposed as JSON arrays.
        places: numbers of the files that hold it, each with the line.
    """
    name, text, author, work, year, note, place, added, verse, tags, proposed = shown
    own, others = json.loads(tags), json.loads(proposed)
    placed = sorted(places)
    return {
        "row": row,
        "id": name,
        "digest": digest,
        "text": text,
        "chars": len(text),
        "author": author,
        "work": work,
        "year": year,
        "tags": own,
        "proposed": others,
        "note": note,
        "place": place,
        "added": added,
        "verse": verse,
        "author_folded": f" {fold(author)}" if author else None,
        "work_folded": f" {fold(work)}" if work else None,
        "tags_folded": folded(own),
        "proposed_folded": folded(others),
        "seal": quote_checksum(name, text, author, work, year, tags, proposed, note, place, added, verse),
        "files": [file for file, _ in placed],
        "lines": [line for _, line in placed],
    }


def folded(tags: Sequence[str]) -> list[str]:
    """Return `tags` in the form that filters look for, each once."""
    return list(dict.fromkeys(tag for tag in map(fold, tags) if tag))


def is_intact(record: Mapping[str, Any]) -> bool:
    """Whether everything that a hit shows of `record` matches its checksum."""
    stored: int = record["seal"]
    return _checksum(record, record["proposed"]) == stored


def _checksum(record: Mapping[str, Any], proposed: Sequence[str]) -> int:
    shown = (record["id"], record["text"], record["author"], record["work"], record["year"], json_of(record["tags"]))
    more = (record["note"], record["place"], record["added"], record["verse"])
    return quote_checksum(*shown, json_of(proposed), *more)


def json_of(tags: Sequence[str]) -> str:
    """Return `tags` as the database stores them."""
    return json.dumps(list(tags), ensure_ascii=False) if tags else "[]"


def with_proposed(record: dict[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """Return `record` with other proposed tags, and the checksum that follows."""
    return {
        **record,
        "proposed": list(tags),
        "proposed_folded": folded(tags),
        "seal": _checksum(record, tags),
    }


def quote_of(record: Mapping[str, Any], paths: Mapping[int, str]) -> Quote:
    """Return the quote that `record` holds; `paths` are the paths of files by their numbers."""
    first = min(zip(record["files"], record["lines"], strict=True), default=(None, None))[0]
    line = record["lines"][record["files"].index(first)] if first is not None else None
    return Quote(
        record["verse"] or record["text"],
        record["author"],
        record["work"],
        record["year"],
        tuple(record["tags"]),
        paths.get(first) if first is not None else None,
        line,
        record["id"],
        tuple(record["proposed"]),
        record["note"],
        record["place"],
        record["added"],
    )


def vectors_of(table: pa.Table | pa.RecordBatch, dimension: int) -> Vectors:
    """Return the column of vectors as (n, d) float32."""
    column = table["vector"]
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    if not chunks:
        return np.empty((0, dimension), np.float32)
    return np.concatenate([chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension) for chunk in chunks])


def with_vectors(records: pa.Table, vectors: Vectors, truncated: Sequence[bool], schema: pa.Schema) -> pa.Table:
    """Return whole rows of the dataset: `records` with the columns that come from their vectors (n, d) and terms."""
    import pyarrow as pa

    words = tokenize(records["text"].to_pylist())
    rows = np.ascontiguousarray(vectors, np.float32)
    columns = {name: records[name] for name in records.schema.names}
    columns |= {
        "words": pa.array([" ".join(tokens) for tokens in words], pa.string()),
        "word_count": pa.array(map(len, words), pa.int32()),
        "truncated": pa.array(truncated, pa.bool_()),
        "checksum": pa.array([zlib.crc32(row.tobytes()) for row in rows], pa.int64()),
        # A two-dimensional array would be stored as a tensor, which Lance cannot search.
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel(), pa.float32()), rows.shape[1]),
    }
    return pa.table([columns[name] for name in schema.names], schema=schema)


def in_parts(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield `values` in lists of `size`; the last may be shorter."""
    remaining = iter(values)
    while part := list(islice(remaining, size)):
        yield part
