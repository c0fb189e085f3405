"""The one table of formats, and which one a file has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.errors import SourceError, UsageError
from quotefind.records import Quote

_Read = Callable[[Any, str, ReadOptions], Iterator[Quote | BadRecord]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        name: what `--input-format` calls it.
        suffixes: the endings that say so, in lower case, with the dot; each may have `.gz` behind it.
        description: what such a file holds, in one line.
        reader: the module and function that read it, imported when a file of this kind is.
        names: well-known names of such files, in any case, with `*` for any part; they go before the suffix.
        binary: whether the reader takes bytes, not text.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    reader: tuple[str, str]
    names: tuple[str, ...] = ()
    binary: bool = False

    def read(self, stream: TextIO | BinaryIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
        """Return the records in `stream`, decoded unless the format is binary, whose source is called `name`."""
        module, function = self.reader
        read: _Read = getattr(import_module(f"quotefind.corpus.{module}"), function)
        return read(stream, name, options)


_TABLE = (
    Format("txt", (".txt",), "one quote a line, ` — Author, Work` or ` -- Author` behind it", ("plain", "read_plain")),
    Format(
        "fortune",
        (),
        "entries between lines of %, `-- Author` below; NAME with NAME.dat beside it",
        ("fortune", "read_fortune"),
    ),
    Format(
        "tfortune", (".tfortunes",), "entries, each with a line `---- tag, tag` below", ("fortune", "read_tfortune")
    ),
    Format("jotquote", (), "a line a quote: `quote | author | publication | tag, tag`", ("jotquote", "read_jotquote")),
    Format("csv", (".csv",), "a table with a header, cells separated by commas", ("table", "read_csv")),
    Format("tsv", (".tsv",), "a table with a header, cells separated by tabs", ("table", "read_tsv")),
    Format(
        "readwise",
        (),
        "the CSV file that Readwise exports (a .csv file of it is read as well)",
        ("table", "read_readwise"),
    ),
    Format(
        "json", (".json",), "an array of strings or objects, or an object that holds one", ("json_file", "read_json")
    ),
    Format("jsonl", (".jsonl", ".ndjson"), "one JSON string or object a line", ("json_lines", "read_json_lines")),
    Format(
        "md",
        (".md", ".markdown"),
        "block quotes and quote call-outs, `— Author` at their end or below them; notes of Obsidian",
        ("markdown", "read_markdown"),
    ),
    Format("org", (".org",), "quote blocks, `--- Author` at their end or below them", ("org", "read_org")),
    Format(
        "kindle",
        (),
        "the clippings of a Kindle: highlights, with the notes beside them",
        ("kindle", "read_kindle"),
        names=("My Clippings*.txt", "Meine Clippings*.txt", "Mis recortes*.txt"),
    ),
    Format(
        "kobo",
        (),
        "the database of a Kobo: highlights, with the notes beside them",
        ("kobo", "read_kobo"),
        names=("KoboReader.sqlite",),
        binary=True,
    ),
    Format(
        "koreader",
        (),
        "KOReader's file beside a book, or the JSON file that it exports",
        ("koreader", "read_koreader"),
        names=("metadata.*.lua",),
    ),
    Format("parquet", (".parquet",), "a table; needs `quotefind[arrow]`", ("arrow", "read_parquet"), binary=True),
    Format(
        "arrow",
        (".arrow", ".feather"),
        "a table, as a file or a stream; needs `quotefind[arrow]`",
        ("arrow", "read_arrow"),
        binary=True,
    ),
)
FORMATS: dict[str, Format] = {entry.name: entry for entry in _TABLE}

_SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".gsheet")
_NAMES = [(name.casefold(), entry) for entry in _TABLE for name in entry.names]
_BY_NAME = {name: entry for name, entry in _NAMES if "*" not in name}
_BY_PATTERN = [(name, entry) for name, entry in _NAMES if "*" in name]
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
    if found is None and path.suffix.lower() in _SPREADSHEETS:
        raise SourceError(
            f"{path}: a spreadsheet; save it as CSV, and name its columns with --text-column NAME, --author-column "
            "NAME and so on, which are remembered"
        )
    if found is None:
        raise SourceError(
            f"{path}: its name does not say what it holds (known suffixes: {', '.join(_BY_SUFFIX)}, "
            f"each also with .gz); say --input-format NAME ({', '.join(FORMATS)}); quotefind formats shows each. "
            "What is none of these can be made a CSV file, whose columns --text-column NAME and the like name"
        )
    return found


def format_named(name: str) -> Format:
    """Return the format with this name.

    Raises:
        UsageError: there is none.
    """
    if name not in FORMATS:
        raise UsageError(
            f"no input format {name!r}; the formats are {', '.join(FORMATS)}; quotefind formats shows each"
        )
    return FORMATS[name]


def known_format(path: Path) -> Format | None:
    """Return the format that the name of a file says, or None."""
    if is_gzip(path):
        path = path.with_suffix("")
    name = path.name.casefold()
    named = _BY_NAME.get(name) or next((entry for like, entry in _BY_PATTERN if fnmatchcase(name, like)), None)
    if named is not None:
        return named
    suffix = path.suffix.lower()
    if suffix:
        return _BY_SUFFIX.get(suffix)
    return FORMATS["fortune"] if path.with_name(f"{path.name}.dat").is_file() else None


def is_gzip(path: Path) -> bool:
    """Whether the name of a file says that it is compressed by gzip."""
    return path.suffix.lower() == ".gz"
