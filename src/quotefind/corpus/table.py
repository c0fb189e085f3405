"""Tables with a header: CSV and TSV, with any separator between cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain, islice
from typing import TextIO

from quotefind.corpus.columns import check_columns, find_columns, proposal
from quotefind.corpus.fields import FlawError, bad, raw_problem
from quotefind.corpus.lines import Lines
from quotefind.corpus.objects import Records
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import unguard_formula

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|"}
_QUOTING = "a cell that begins with a quotation mark must end with one, and double those inside"
_NO_HEADER = "if its first line is not a header, add one, such as quote,author"
_SAMPLE = 20  # rows that show which column is likely to hold the text

_Row = tuple[int, list[str] | csv.Error | FlawError]


def read_csv(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of a table; the separator is inferred from the header line, unless `options` set it.

    Raises:
        SourceError: it has no header with a column for the text.
    """
    return _read_table(stream, name, options, ",")


def read_tsv(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of a table whose cells are most likely separated by tabs, and quoted as in CSV."""
    return _read_table(stream, name, options, "\t")


def _read_table(stream: TextIO, name: str, options: ReadOptions, usual: str) -> Iterator[Quote | BadRecord | Remark]:
    lines = Lines(stream)
    separator = options.delimiter
    try:
        first = next((line for line in lines if line.strip("\ufeff\r\n \t")), None)
        begin = lines.number
        if first is not None and first[:4].casefold() == "sep=" and len(first.rstrip("\r\n")) == 5:  # for Excel
            separator = separator or first[4]
            lines.begin()
            begin = lines.number + 1
            first = next(lines, None)
    except FlawError as flaw:
        raise SourceError(f"{name}:{lines.number}: the header is {flaw}") from None
    if first is None:
        return
    if separator is None:
        separator, count = _separator(first, usual, options)
        if separator != usual:
            yield Remark(f"{name}: cells are separated by {_SEPARATORS[separator]} ({count} in the header)")
    rows = _rows(first, begin, lines, separator)
    line, header = next(rows, (begin, []))
    if not header:
        return
    if not isinstance(header, list):
        raise SourceError(f"{name}:{line}: the header is not a row of a table: {header}; {_QUOTING}")
    if problem := raw_problem("".join(header), options.encoding):
        raise SourceError(f"{name}:{line}: {problem}")
    records = Records(name, options)
    columns = find_columns(header, options)
    if not columns["text"]:
        sample = [dict(zip(header, row, strict=False)) for _, row in islice(rows, _SAMPLE) if isinstance(row, list)]
        hint = proposal(sample, columns)
        check_columns(header, columns, f"{name}:{line}", options, f"{hint}; {_NO_HEADER}" if hint else _NO_HEADER)
    check_columns(header, columns, f"{name}:{line}", options)
    records.use(columns, header)
    yield from _quotes(rows, header, separator, records)
    yield from records.remark()


def _separator(header: str, usual: str, options: ReadOptions) -> tuple[str, int]:
    """Return the separator of the cells of a header line, and how often it occurs; `usual` if nothing contradicts it.

    A separator that yields a column for the text is preferred; among several, the most frequent one.
    """
    best, most = usual, (False, -1)
    for separator in dict.fromkeys((usual, *_SEPARATORS)):
        try:
            cells = next(csv.reader([header], delimiter=separator, skipinitialspace=separator != "\t"), [])
        except csv.Error:
            continue
        score = (bool(find_columns(cells, options)["text"]) and len(cells) > 1, len(cells) - 1)
        if score > most:
            best, most = separator, score
    return best, most[1]


def _quotes(rows: Iterator[_Row], header: list[str], separator: str, records: Records) -> Iterator[Quote | BadRecord]:
    width = len(header)
    for line, row in rows:
        if isinstance(row, csv.Error):
            yield bad(records.name, line, f"not a row of a table: {row}; {_QUOTING}")
            continue
        if isinstance(row, FlawError):
            yield bad(records.name, line, str(row))
            continue
        if width == 1:  # a single column has no separators
            row = [separator.join(row)]
        if any(map(str.strip, row[width:])):
            problem = f"{len(row)} cells, expected {width}; put a cell that holds the separator in quotation marks"
            yield bad(records.name, line, problem)
            continue
        yield records.quote(line, dict(zip(header, map(unguard_formula, row), strict=False)))


def _rows(first: str, begin: int, lines: Lines, separator: str) -> Iterator[_Row]:
    """Yield the header and each row that is not blank, with the number of its first line, or why it is not a row.

    Args:
        first: the line that was already read.
        begin: its number.
        lines: the lines after it.
        separator: the separator of the cells.
    """
    skips = separator != "\t" and separator in first  # in a table with one column, all blanks belong to the text
    reader = csv.reader(chain([first], lines), delimiter=separator, strict=True, skipinitialspace=skips)
    line = begin
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, FlawError) as error:
            yield line, error
        else:
            if "".join(row).strip():
                yield line, row
        lines.begin()
        line = lines.number + 1
