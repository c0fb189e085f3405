"""The table of all formats, and how to find the format of a file: by its name, its first bytes or its JSON keys."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from quotefind.corpus.opening import head_of, is_gzip
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.errors import SourceError, UsageError
from quotefind.records import Quote

_Read = Callable[[Any, str, ReadOptions], Iterator[Quote | BadRecord | Remark]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        name: its name for `--input-format`.
        suffixes: the file name suffixes of the format, in lower case, with the dot; `.gz` may follow each.
        description: the content of such a file, in one line.
        reader: the module and the function that parse it, imported when needed.
        names: well-known names of such files, in any case, with `*` for any part; they take precedence over suffixes.
        binary: whether the parser takes bytes, not text.
        signature: a pattern that matches the beginning of such a file: its first 65,536 bytes in UTF-8, without a byte
            order mark. It identifies the format if the file name implies none, or only one of `inside`.
        inside: the general formats that the name of such a file may imply, such as "txt" or "csv".
        shapes: for JSON, the keys that identify such a file; all keys of one of the tuples must be present. "a.b" is
            the key b in the object under a; in an array, the first object counts. A `.json` file with such keys has
            this format.
        longest: for parsers that need the whole text in memory, the maximum number of characters.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    reader: tuple[str, str]
    names: tuple[str, ...] = ()
    binary: bool = False
    signature: re.Pattern[bytes] | None = None
    inside: tuple[str, ...] = ()
    shapes: tuple[tuple[str, ...], ...] = ()
    longest: int = 100_000_000

    def read(
        self,
        stream: TextIO | BinaryIO,
        name: str,
        options: ReadOptions,
        tell: Callable[[Remark], None] | None = None,
    ) -> Iterator[Quote | BadRecord]:
        """Yield the records of `stream`, which is called `name`, and holds text unless the format is binary.

        `tell` is called with the parser's remarks on the whole file.
        """
        for record in self.records(stream, name, options):
            if isinstance(record, Remark):
                if tell is not None:
                    tell(record)
            else:
                yield record

    def records(
        self, stream: TextIO | BinaryIO, name: str, options: ReadOptions
    ) -> Iterator[Quote | BadRecord | Remark]:
        """Yield the records and remarks of the parser."""
        module, function = self.reader
        read: _Read = getattr(import_module(f"quotefind.corpus.{module}"), function)
        return read(stream, name, options)


def _begins(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL | re.IGNORECASE | re.MULTILINE)


_TABLE = (
    Format(
        "txt", (".txt",), "one quote per line, `— Author, Work` after it or on the line below", ("plain", "read_plain")
    ),
    Format(
        "fortune",
        (),
        "entries between lines of %, `-- Author` below; NAME with NAME.dat beside it",
        ("fortune", "read_fortune"),
    ),
    Format(
        "tfortune", (".tfortunes",), "entries, each with a line `---- tag, tag` below", ("fortune", "read_tfortune")
    ),
    Format(
        "jotquote", (), "one quote per line: `quote | author | publication | tag, tag`", ("jotquote", "read_jotquote")
    ),
    Format(
        "csv",
        (".csv",),
        "a table with a header; cells separated by commas, semicolons, tabs or |",
        ("table", "read_csv"),
        signature=_begins(rb"sep=.\r?\n"),
    ),
    Format("tsv", (".tsv", ".tab"), "a table with a header, cells separated by tabs", ("table", "read_tsv")),
    Format(
        "readwise",
        (),
        "the CSV file that Readwise exports, or the JSON of its API: highlights with their notes",
        ("readwise", "read_readwise"),
        signature=_begins(rb'"?Highlight"?,(?:"?Book Title"?,"?Book Author"?,|"?Title"?,"?Author"?,"?URL"?,"?Note"?,)'),
        inside=("csv", "txt"),
        shapes=(("results.highlights",), ("highlights.location_type",), ("results.text", "results.book_id")),
    ),
    Format(
        "bookcision",
        (),
        "the JSON file that Bookcision downloads: highlights of a Kindle with their notes",
        ("highlights_json", "read_bookcision"),
        shapes=(("highlights.isNoteOnly",), ("asin", "highlights.text")),
    ),
    Format(
        "foliate",
        (),
        "the JSON file that Foliate exports: annotations of a book",
        ("highlights_json", "read_foliate"),
        shapes=(("annotations.value", "metadata"), ("annotations.color", "annotations.text", "metadata")),
    ),
    Format(
        "readest",
        (),
        "the JSON file that Readest exports or keeps: annotations of a book",
        ("highlights_json", "read_readest"),
        shapes=(("$format", "annotations", "book"), ("booknotes.cfi",)),
    ),
    Format(
        "calibre",
        (".calibre_annotation_collection", ".calibre_highlights"),
        "the JSON file of annotations that calibre exports",
        ("highlights_json", "read_calibre"),
        shapes=(
            ("type", "version", "annotations.type"),
            ("type", "version", "highlights.type"),
            ("annotations.highlighted_text",),
            ("highlights.highlighted_text",),
        ),
    ),
    Format(
        "json",
        (".json",),
        "an array of strings or objects, also inside other objects",
        ("json_file", "read_json"),
        signature=_begins(rb'\s*(?:\[\s*(?:"|\{\s*")|\{\s*"[^"\n]{1,80}"\s*:(?!.*\}[ \t\r]*\n\{))'),
    ),
    Format(
        "jsonl",
        (".jsonl", ".ndjson"),
        "one JSON string or object per line",
        ("json_lines", "read_json_lines"),
        signature=_begins(rb'\s*\{\s*"[^"\n]{1,80}"\s*:[^\n]*\}[ \t\r]*\n\{'),
    ),
    Format(
        "yaml",
        (".yml", ".yaml"),
        "a list of strings or objects, with the keys and layouts of JSON",
        ("lists", "read_yaml"),
        longest=4_000_000,
    ),
    Format(
        "toml",
        (".toml",),
        "arrays of tables or strings, with the keys and layouts of JSON",
        ("lists", "read_toml"),
        longest=4_000_000,
    ),
    Format(
        "md",
        (".md", ".markdown"),
        "block quotes, the author at their end, below or in a heading; Obsidian, Readwise, KOReader; lists of quotes",
        ("markdown", "read_markdown"),
        longest=20_000_000,
    ),
    Format(
        "org",
        (".org",),
        "quote and verse blocks, `--- Author` at their end or below, or in a headline",
        ("org", "read_org"),
    ),
    Format(
        "html",
        (".html", ".htm", ".xhtml"),
        "block quotes of a web page, with the author in <footer>, <cite> or a line with a dash",
        ("html_quotes", "read_html"),
        signature=_begins(rb"\s*(?:<!DOCTYPE html|<html\b)"),
    ),
    Format(
        "kindle-notebook",
        (),
        "the notebook that a Kindle app exports, as HTML or CSV: highlights with their notes",
        ("kindle_notebook", "read_kindle_notebook"),
        signature=_begins(
            rb"""\s*<.*class=["'](?:notebookFor|noteHeading)["']|"?[^"\n]{0,60}Kindle[^"\n]{0,60}"?,,,\r?\n"""
        ),
        inside=("html", "csv", "txt"),
    ),
    Format(
        "kindle",
        (),
        "the clippings of a Kindle: highlights, with the notes beside them",
        ("kindle", "read_kindle"),
        names=("My Clippings*.txt", "Meine Clippings*.txt", "Mis recortes*.txt", "*-myClippings.txt"),
        signature=_begins(rb"[^\n]+\n- [^\n]+\n.{0,20000}?^={10}\r?$"),
        inside=("txt",),
    ),
    Format(
        "apple-books",
        (),
        "the database of Apple Books on a Mac: highlights with their notes",
        ("apple_books", "read_apple_books"),
        names=("AEAnnotation*.sqlite",),
        binary=True,
        signature=_begins(rb"SQLite format 3\0.*ZAEANNOTATION"),
    ),
    Format(
        "kobo",
        (),
        "the database of a Kobo: highlights, with the notes beside them",
        ("kobo", "read_kobo"),
        names=("KoboReader.sqlite",),
        binary=True,
        signature=_begins(rb"SQLite format 3\0"),
    ),
    Format(
        "koreader",
        (),
        "KOReader's file beside a book, or the JSON file that it exports",
        ("koreader", "read_koreader"),
        names=("metadata.*.lua",),
        signature=_begins(rb"(?:--[^\n]*\n)?\s*return \{\s*\[?\W"),
        shapes=(("documents.entries",), ("entries", "title", "author")),
    ),
    Format(
        "moon-reader",
        (".mrexpt",),
        "the file that Moon+ Reader exports: highlights with their notes",
        ("moon_reader", "read_moon_reader"),
    ),
    Format(
        "parquet",
        (".parquet",),
        "a table; needs `quotefind[arrow]`",
        ("arrow", "read_parquet"),
        binary=True,
        signature=_begins(rb"PAR1"),
    ),
    Format(
        "arrow",
        (".arrow", ".feather"),
        "a table, as a file or a stream; needs `quotefind[arrow]`",
        ("arrow", "read_arrow"),
        binary=True,
        signature=_begins(rb"ARROW1"),
    ),
)
FORMATS: dict[str, Format] = {entry.name: entry for entry in _TABLE}

# Common kinds of files that cannot be read, and what to do with them.
_UNREADABLE = {
    "a spreadsheet": (
        (".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".gsheet"),
        "save it as CSV; if its columns have unusual names, add --text-column NAME, --author-column NAME and so on",
    ),
    "a text document": ((".docx", ".doc", ".odt", ".rtf", ".pages"), "save it as plain text, one quote per line"),
    "a PDF": ((".pdf",), "copy the quotes into a text file, one per line"),
    "a book": (
        (".epub", ".mobi", ".azw", ".azw3", ".kfx", ".fb2"),
        "export your highlights from the reading app and index that file",
    ),
    "a presentation": ((".pptx", ".ppt", ".odp", ".key"), "copy the quotes into a text file, one per line"),
    "a picture": (
        (".png", ".jpg", ".jpeg", ".gif", ".webp", ".heic", ".svg"),
        "type the quotes into a text file, one per line",
    ),
    "an archive": ((".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst"), "unpack it and index its files"),
}
_ADVICE = {
    suffix: f"{what} cannot be read; {advice}"
    for what, (suffixes, advice) in _UNREADABLE.items()
    for suffix in suffixes
}
_NAMES = [(name.casefold(), entry) for entry in _TABLE for name in entry.names]
_BY_NAME = {name: entry for name, entry in _NAMES if "*" not in name}
_BY_PATTERN = [(name, entry) for name, entry in _NAMES if "*" in name]
_BY_SUFFIX = {suffix: entry for entry in FORMATS.values() for suffix in entry.suffixes}
_DISGUISES = {name for entry in _TABLE for name in entry.inside}


def format_of(path: Path, options: ReadOptions) -> Format:
    """Return the format of a file: the one in `options`, else by its name, else by its first bytes.

    The signature of a specific format takes precedence over a name that implies a general format, such as `.txt`.

    Raises:
        SourceError: the format cannot be determined.
        UsageError: `options` name a format that does not exist.
    """
    if options.input_format is not None:
        return format_named(options.input_format)
    named = _named_format(path)
    if named is not None:
        return named
    suffix = (path.with_suffix("") if is_gzip(path) else path).suffix.lower()
    if suffix in _ADVICE:
        raise SourceError(f"{path}: {_ADVICE[suffix]}")
    known = known_format(path)
    if known is not None and known.name not in _DISGUISES:
        return known
    found = recognised(head_of(path), known)
    if found is None:
        raise SourceError(
            f"{path}: its format is not recognised by its name or its first bytes; add --input-format NAME, such as "
            "txt (one quote per line) or csv (a table with a header); quotefind formats lists all of them"
        )
    return found


def recognised(head: bytes, known: Format | None) -> Format | None:
    """Return the format whose signature matches the first bytes of a file, else `known`, the format by its name."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "replace").encode("utf-8")
    head = head.removeprefix(codecs.BOM_UTF8)
    for entry in _TABLE:
        if (
            entry.signature is not None
            and (known is None or known.name in entry.inside)
            and entry.signature.match(head)
        ):
            return entry
    return known


def format_named(name: str) -> Format:
    """Return the format with this name.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise UsageError(
            f"no input format {name!r}; the formats are {', '.join(FORMATS)}; quotefind formats shows each"
        )
    return FORMATS[name]


def known_format(path: Path) -> Format | None:
    """Return the format that the name of a file implies, or None."""
    if (named := _named_format(path)) is not None:
        return named
    if is_gzip(path):
        path = path.with_suffix("")
    suffix = path.suffix.lower()
    if suffix:
        return _BY_SUFFIX.get(suffix)
    return FORMATS["fortune"] if path.with_name(f"{path.name}.dat").is_file() else None


def _named_format(path: Path) -> Format | None:
    """Return the format of a file with a well-known name, or None."""
    name = (path.with_suffix("") if is_gzip(path) else path).name.casefold()
    return _BY_NAME.get(name) or next((entry for like, entry in _BY_PATTERN if fnmatchcase(name, like)), None)


def format_of_json(value: object) -> Format | None:
    """Return the format that the keys of a JSON value identify, or None if they identify none."""
    if not isinstance(value, dict | list):
        return None
    for entry in FORMATS.values():
        if any(all(_has(value, key.split(".")) for key in keys) for keys in entry.shapes):
            return entry
    return None


def _has(value: object, keys: list[str]) -> bool:
    """Whether `keys` form a path into a JSON value, through the first object of an array."""
    for key in keys:
        if isinstance(value, list):
            value = next((part for part in value[:10] if isinstance(part, dict)), None)
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
