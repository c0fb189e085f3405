"""The one table of formats, and which one a file has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TextIO

from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.errors import SourceError, UsageError
from quotefind.records import Quote

_Read = Callable[[TextIO, str, ReadOptions], Iterator[Quote | BadRecord]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        name: what `--input-format` calls it.
        suffixes: the endings that say so, in lower case, with the dot; each may have `.gz` behind it.
        description: what such a file holds, in one line.
        reader: the module and function that read it, imported when a file of this kind is.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    reader: tuple[str, str]

    def read(self, stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
        """Return the records in the decoded text of `stream`, whose source is called `name`."""
        module, function = self.reader
        read: _Read = getattr(import_module(f"quotefind.corpus.{module}"), function)
        return read(stream, name, options)


_TABLE = (
    ("txt", (".txt",), "one quote a line, ` — Author, Work` or ` -- Author` behind it", ("plain", "read_plain")),
    (
        "fortune",
        (),
        "entries between lines of %, `-- Author` below; NAME with NAME.dat beside it",
        ("fortune", "read_fortune"),
    ),
    ("csv", (".csv",), "a table with a header, cells separated by commas", ("table", "read_csv")),
    ("tsv", (".tsv",), "a table with a header, cells separated by tabs", ("table", "read_tsv")),
    (
        "json",
        (".json",),
        "an array of strings or objects, or an object that holds one",
        ("json_file", "read_json"),
    ),
    ("jsonl", (".jsonl", ".ndjson"), "one JSON string or object a line", ("json_lines", "read_json_lines")),
    (
        "md",
        (".md", ".markdown"),
        "block quotes, `— Author` at their end or below them",
        ("markdown", "read_markdown"),
    ),
)
FORMATS: dict[str, Format] = {entry[0]: Format(*entry) for entry in _TABLE}

_BY_SUFFIX = {suffix: entry for entry in FORMATS.values() for suffix in entry.suffixes}


def format_of(path: Path, options: ReadOptions) -> Format:
    """Return the format of a file: the one that `options` name, else by its suffix, else by its well-known name.

    Raises:
        SourceError: neither its suffix nor its name says.
        UsageError: `options` name a format that there is not.
    """
    if options.input_format is not None:
        return format_named(options.input_format)
    found = known_format(path)
    if found is None:
        raise SourceError(
            f"{path}: its name does not say what it holds (known suffixes: {', '.join(_BY_SUFFIX)}, "
            f"each also with .gz); say --input-format NAME ({', '.join(FORMATS)})"
        )
    return found


def format_named(name: str) -> Format:
    """Return the format with this name.

    Raises:
        UsageError: there is none.
    """
    if name not in FORMATS:
        raise UsageError(f"no input format {name!r}; the formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def known_format(path: Path) -> Format | None:
    """Return the format that the name of a file says, or None."""
    if is_gzip(path):
        path = path.with_suffix("")
    suffix = path.suffix.lower()
    if suffix:
        return _BY_SUFFIX.get(suffix)
    return FORMATS["fortune"] if path.with_name(f"{path.name}.dat").is_file() else None


def is_gzip(path: Path) -> bool:
    """Whether the name of a file says that it is compressed by gzip."""
    return path.suffix.lower() == ".gz"
