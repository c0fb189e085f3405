"""The one table of formats, and which one a file has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from quotefind.corpus.fortune import read_fortune
from quotefind.corpus.json_file import read_json
from quotefind.corpus.json_lines import read_json_lines
from quotefind.corpus.markdown import read_markdown
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.plain import read_plain
from quotefind.corpus.table import read_csv, read_tsv
from quotefind.errors import SourceError, UsageError
from quotefind.records import Quote

Reader = Callable[[TextIO, str, ReadOptions], Iterator[Quote | BadRecord]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        name: what `--input-format` calls it.
        suffixes: the endings that say so, in lower case, with the dot; each may have `.gz` behind it.
        description: what such a file holds, in one line.
        read: from decoded text, the name of the source and the options to its records.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    read: Reader


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("txt", (".txt",), "one quote a line, ` — Author, Work` or ` -- Author` behind it", read_plain),
        Format(
            "fortune", (), "entries between lines of %, `-- Author` below; NAME with NAME.dat beside it", read_fortune
        ),
        Format("csv", (".csv",), "a table with a header, cells separated by commas", read_csv),
        Format("tsv", (".tsv",), "a table with a header, cells separated by tabs", read_tsv),
        Format("json", (".json",), "an array of strings or objects, or an object that holds one", read_json),
        Format("jsonl", (".jsonl", ".ndjson"), "one JSON string or object a line", read_json_lines),
        Format("md", (".md", ".markdown"), "block quotes, `— Author` at their end or below them", read_markdown),
    )
}

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
