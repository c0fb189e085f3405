"""Check every vector and every checksum of an index in a Lance dataset."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from quotefind.index.lance.bm25 import tokenize
from quotefind.index.lance.dataset import damaged, reported
from quotefind.index.lance.filters import in_files, listed
from quotefind.index.lance.rows import folded, is_intact, vectors_of
from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors
from quotefind.text import counted, fold, quote_id, text_digest

if TYPE_CHECKING:
    from quotefind.index.lance.reader import LanceIndex

# How far from 1 the length of a float32 unit row may be.
_LENGTH = 1e-4
_LISTED = 5
_BATCH = 8192


def verify(index: LanceIndex, progress: Progress = silent) -> int:
    """Check that a version is complete and consistent; return how many quotes were checked.

    Every vector is finite, has length 1 and matches its CRC-32. Every quote matches its hashes and its checksum. The
    columns for filters and full-text search match the quotes. Every quote is there once, and comes from a known file.
    The indexes cover every quote.

    Raises:
        IndexUnusableError: something is wrong; the message lists the first problems.
    """
    problems: list[str] = []
    rows: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    names: list[np.ndarray[Any, np.dtype[np.uint64]]] = []
    files = {number for (number,) in index.source_tables.execute("SELECT id FROM files")}
    words = done = 0
    with reported(index.location):
        for batch in index.dataset.to_batches(batch_size=_BATCH):
            vectors = vectors_of(batch, index.manifest.dimension)
            records = batch.drop_columns(["vector"]).to_pylist()
            tokens = tokenize([record["text"] for record in records])
            for record, vector, known in zip(records, vectors, tokens, strict=True):
                problems += _wrong_vector(record, vector)
                problems += _wrong(record, known, files)
                words += record["word_count"]
            rows.append(batch["row"].to_numpy())
            names.append(_numbers(record["id"] for record in records))
            done += len(batch)
            progress("verifying", done, index.count)
        _look_up(index)
        incomplete = [
            f"its index of {known.field_names[0]} lacks {counted(index.count - known.num_rows_indexed, 'quote')}"
            for known in index.dataset.describe_indices()
            if known.num_rows_indexed < index.count
        ]
    if _different(rows) != done or _different(names) != done:
        problems.append("a quote is there twice, or two quotes have the same row")
    if words != index.manifest.words:
        problems.append(f"full-text search counts {index.manifest.words} words, but there are {words}")
    problems += incomplete
    if problems:
        more = f"; and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        raise damaged(index.location, "; ".join(problems[:_LISTED]) + more)
    return done


def _look_up(index: LanceIndex) -> None:
    """Look up the first quote in every way that quotes are looked up, to notice a missing index of Lance."""
    for record in index.dataset.to_table(columns=["row", "id", "digest", "files", "words"], limit=1).to_pylist():
        for column in ("row", "id", "digest"):
            index.dataset.to_table(columns=["row"], filter=f"{column} = {listed([record[column]])}")
        index.dataset.to_table(columns=["row"], filter=in_files(record["files"]))
        index.search_words(record["words"].split()[:1], 1)
        index.search(index.vectors(np.array([record["row"]])), 1)


def _numbers(ids: Iterable[str]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return ids as numbers (n,): as text, the ids of a large index would take much memory."""
    digits = re.compile("[0-9a-f]{1,16}")
    return np.array([int(name, 16) if digits.fullmatch(name) else 0 for name in ids], np.uint64)


def _different(parts: Sequence[np.ndarray[Any, np.dtype[Any]]]) -> int:
    return len(np.unique(np.concatenate(parts))) if parts else 0


def _wrong_vector(record: dict[str, Any], vector: Vectors) -> Iterator[str]:
    """Yield what is wrong with the vector (d,) of a quote."""
    if not abs(float(np.linalg.norm(vector)) - 1) < _LENGTH:  # true for NaN too
        yield f"the vector of row {record['row']} is not a unit vector"
    elif zlib.crc32(vector.tobytes()) != record["checksum"]:
        yield f"the vector of row {record['row']} does not match its checksum"


def _wrong(record: dict[str, Any], tokens: list[str], files: set[int]) -> Iterator[str]:
    """Yield what is wrong with a quote."""
    name, text, author, work = record["id"], record["text"], record["author"], record["work"]
    if text_digest(text).hex() != record["digest"] or quote_id(text, author) != name:
        yield f"quote {name} was stored with another text or author"
    elif not is_intact(record):
        yield f"quote {name} was stored with another work, year, place, date, note, lines or tags"
    found_by = (
        len(text),
        f" {fold(author)}" if author else None,
        f" {fold(work)}" if work else None,
        folded(record["tags"]),
        folded(record["proposed"]),
    )
    stored = tuple(record[key] for key in ("chars", "author_folded", "work_folded", "tags_folded", "proposed_folded"))
    if found_by != stored:
        yield f"quote {name} is found by a length, a name or a tag that it does not have"
    if " ".join(tokens) != record["words"] or len(tokens) != record["word_count"]:
        yield f"quote {name} is found by words that it does not have"
    if not record["files"] or len(record["files"]) != len(record["lines"]) or not files.issuperset(record["files"]):
        yield f"quote {name} belongs to no source"
