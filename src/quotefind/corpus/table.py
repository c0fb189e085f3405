"""Tables with a header: CSV and TSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TextIO

from quotefind.corpus.fields import (
    USUAL_NAMES,
    FlawError,
    bad,
    find_columns,
    listed,
    make_quote,
    named_column,
    raw_problem,
    split_tags,
)
from quotefind.corpus.lines import Lines
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import unguard_formula

_DOCUMENT_TAGS = "document tags"
_QUOTING = "a cell that begins with a quotation mark ends with one, and holds others doubled"

_Row = tuple[int, list[str] | csv.Error | FlawError]


def read_csv(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a table whose cells are separated by commas, or as `options` say."""
    return _read_table(stream, name, options, options.delimiter or ",")


def read_readwise(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of the CSV file that Readwise exports: a table, and nothing but such a table."""
    if options.text_column is None:
        options = replace(options, text_column="Highlight")
    return _read_table(stream, name, options, options.delimiter or ",")


def read_tsv(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a table whose cells are separated by tabs, quoted as in CSV where need be."""
    return _read_table(stream, name, options, "\t")


def _read_table(stream: TextIO, name: str, options: ReadOptions, delimiter: str) -> Iterator[Quote | BadRecord]:
    rows = _rows(stream, delimiter)
    first = next(rows, None)
    if first is None:
        return
    line, header = first
    if not isinstance(header, list):
        raise SourceError(f"{name}:{line}: the header is no row of a table: {header}")
    if problem := raw_problem("".join(header), options.encoding):
        raise SourceError(f"{name}:{line}: {problem}")
    positions = _positions(header, f"{name}:{line}", options)
    for line, row in rows:
        if isinstance(row, csv.Error):
            yield bad(name, line, f"no row of a table: {row}; {_QUOTING}")
        elif isinstance(row, FlawError):
            yield bad(name, line, str(row))
        elif problem := raw_problem("".join(row), options.encoding):
            yield bad(name, line, problem)
        elif len(row) > len(header):
            yield bad(
                name, line, f"{len(row)} cells, expected {len(header)}; put a cell that holds the separator in quotes"
            )
        else:
            row.append("")  # what a column that is not there, or not in this row, holds
            cells = [unguard_formula(row[at]) if at < len(row) else "" for at in positions]
            text, author, work, year, tags, note, place, added, more_tags = cells
            tags_of_both = split_tags(tags) + split_tags(more_tags)
            yield make_quote(name, line, text, author, work, year, tags_of_both, note, place, added, keep_lines=True)


def _rows(stream: TextIO, delimiter: str) -> Iterator[_Row]:
    """Yield each row that is not blank with the number of its first line; an error in place of a row that is none."""
    lines = Lines(stream)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        line = lines.number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, FlawError) as error:
            yield line, error
        else:
            if "".join(row).strip():
                yield line, row


def _positions(header: list[str], where: str, options: ReadOptions) -> tuple[int, ...]:
    """Return the position of each field of a quote in the rows, -1 (see above) for one that the table does not have.

    Behind them comes that of the tags of the document, which Readwise has beside those of the highlight.
    """
    columns = find_columns(header, options)
    check_columns(header, columns, where, options, ", or with --delimiter what stands between the cells")
    positions = [-1 if column is None else header.index(column) for column in columns.values()]
    folded = [column.strip().casefold() for column in header]
    more = options.tags_column is None and _DOCUMENT_TAGS in folded
    return (*positions, folded.index(_DOCUMENT_TAGS) if more else -1)


def check_columns(
    names: Sequence[str], columns: Mapping[str, str | None], where: str, options: ReadOptions, hint: str = ""
) -> None:
    """Refuse a table in which a column that `options` name is missing, or of which none holds the text.

    Args:
        names: of all its columns.
        columns: which of them holds each field of a quote, as `find_columns` found them.
        where: the table, for the message.
        options: how it is read.
        hint: what else could mend it, for the message.

    Raises:
        SourceError: such a column is missing; it names the columns that there are.
    """
    for field, column in columns.items():
        said = named_column(field, options)
        if column is None and said is not None:
            raise SourceError(f"{where}: no column {said!r}; the columns are {listed(names)}")
    if columns["text"] is None:
        raise SourceError(
            f"{where}: no column holds the text (expected one named {listed(USUAL_NAMES['text'])}); "
            f"the columns are {listed(names)}; say which with --text-column NAME{hint}"
        )
