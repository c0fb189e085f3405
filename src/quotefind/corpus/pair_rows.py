"""Rows of two texts from a TSV, CSV or JSON Lines file, as a stream."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from quotefind.corpus.fields import FlawError, check_length
from quotefind.corpus.lines import Lines, each_line
from quotefind.errors import SourceError, UsageError
from quotefind.text import normalise

FORMATS = ("tsv", "csv", "jsonl")
_BATCH = 1024
_LONGEST_ROW = 1_000_000  # characters; a row without an end is refused before it fills the memory
# Names that say which two columns are meant; otherwise the first two are.
KNOWN_COLUMNS = (
    ("sentence_0", "sentence_1"),
    ("query", "quote"),
    ("anchor", "positive"),
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("a", "b"),
)
# A first line is a header if each of its cells is a name, without blanks or marks.
_COLUMN_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class PairRow:
    """A row: all its columns, its two texts, the columns that hold these, and its "path:line"."""

    values: dict[str, Any]
    texts: tuple[str, str]
    where: str
    columns: tuple[str, str]


def format_of(path: Path | None, input_format: str | None) -> str:
    """Return "tsv", "csv" or "jsonl" for the file at `path`, or for standard input (None), which is TSV by default.

    Raises:
        UsageError: the format is unknown.
    """
    suffix = "tsv" if path is None else path.suffix.lower().lstrip(".")
    kind = input_format or ("jsonl" if suffix == "ndjson" else suffix)
    if kind not in FORMATS:
        raise UsageError(
            "A file of pairs is tsv, csv or jsonl; if its name does not say which, add --input-format NAME."
        )
    return kind


def read_rows(
    source: Path | BinaryIO, kind: str, *, header: bool = True, tell: Callable[[str], None] | None = None
) -> Iterator[PairRow]:
    """Yield the rows of a file, or of standard input.

    Args:
        source: the file or stream to read.
        kind: "tsv", "csv" or "jsonl".
        header: False to read the first line as a pair, whatever it looks like.
        tell: called with a sentence on which columns are used, if their names do not say it.

    Raises:
        SourceError: the file cannot be read, or a row lacks two texts or has more than 1,000,000 characters.
    """
    name = str(source) if isinstance(source, Path) else "standard input"
    try:
        with _opened(source) as stream:
            rows = _json_rows(stream, name) if kind == "jsonl" else _table_rows(stream, name, kind, header, tell)
            for line, values, columns in rows:
                where = f"{name}:{line}"
                yield PairRow(values, _texts(values, columns, where), where, columns)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}.") from error


def in_batches(rows: Iterator[PairRow]) -> Iterator[list[PairRow]]:
    """Yield `rows`, up to 1,024 at a time."""
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _opened(source: Path | BinaryIO) -> TextIO:
    # Bytes that are not UTF-8 become lone surrogates, so that the message can name the line.
    raw = source.open("rb") if isinstance(source, Path) else source
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _table_rows(
    stream: TextIO, name: str, kind: str, header: bool, tell: Callable[[str], None] | None
) -> Iterator[tuple[int, dict[str, Any], tuple[str, str]]]:
    lines = Lines(stream, _LONGEST_ROW)
    reader = csv.reader(lines, delimiter="\t" if kind == "tsv" else ",", strict=True)
    keys: list[str] = []
    columns = ("", "")
    line = 1
    try:
        for cells in reader:
            lines.begin()
            if cells and not keys:
                named = header and all(_COLUMN_NAME.fullmatch(cell) for cell in cells) and len(set(cells)) == len(cells)
                keys = cells if named else [f"column_{number}" for number in range(1, len(cells) + 1)]
                if len(keys) < 2:
                    raise SourceError(f"{name}:{line}: expected two columns, found {len(keys)}.")
                columns = _columns(keys)
                if named:
                    if columns not in KNOWN_COLUMNS and tell:
                        tell(f"using {name}:1 as the header, and its first two columns; --no-header if it is a pair")
                    line = reader.line_num + 1
                    continue
            if len(cells) > len(keys):
                raise SourceError(f"{name}:{line}: expected {len(keys)} columns, found {len(cells)}.")
            if cells:
                yield line, dict(zip(keys, cells + [""] * (len(keys) - len(cells)), strict=True)), columns
            line = reader.line_num + 1
    except (csv.Error, FlawError) as error:
        raise SourceError(f"{name}:{line}: not a {kind.upper()} row ({error}).") from error


def _json_rows(stream: TextIO, name: str) -> Iterator[tuple[int, dict[str, Any], tuple[str, str]]]:
    for number, line in each_line(stream, _LONGEST_ROW):
        if isinstance(line, FlawError):
            raise SourceError(f"{name}:{number}: not JSON ({line}).")
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{name}:{number}: not JSON ({error}).") from error
        if isinstance(value, list):
            value = {f"column_{position}": item for position, item in enumerate(value, 1)}
        if not isinstance(value, dict) or len(value) < 2:
            raise SourceError(f"{name}:{number}: expected an object or array with two texts.")
        yield number, value, _columns(list(value))


def _columns(keys: list[str]) -> tuple[str, str]:
    found = next((pair for pair in KNOWN_COLUMNS if set(pair) <= set(keys)), None)
    return found or (keys[0], keys[1])


def _texts(values: dict[str, Any], columns: tuple[str, str], where: str) -> tuple[str, str]:
    texts = []
    for column in columns:
        text = values.get(column)
        if isinstance(text, str):
            try:
                check_length(f"{column!r}", text, _LONGEST_ROW)
            except FlawError as flaw:
                raise SourceError(f"{where}: {flaw}.") from flaw
        if not isinstance(text, str) or not normalise(text):
            raise SourceError(f"{where}: expected a text in {column!r}.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise SourceError(f"{where}: {column!r} is not valid UTF-8.")
        texts.append(text)
    return texts[0], texts[1]
