"""Export an index to a file that `index` reads back as the same collection, as far as the format allows."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from quotefind.corpus import FORMATS, BadRecord, ReadOptions
from quotefind.corpus.formats import known_format
from quotefind.errors import UsageError
from quotefind.export.rendering import FILE_FORMATS, FileFormat
from quotefind.export.replacing import replacing
from quotefind.export.strfile import StrfileIndex
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.progress import Progress, silent
from quotefind.records import Quote
from quotefind.text import one_line

# Quotes in memory at a time.
_BLOCK = 500
# The number of quotes that are listed as examples of those that would read back differently.
_NAMED = 3
_BYTE_ORDER_MARK = "\ufeff"
# What a format may be unable to hold, besides the line breaks of the text.
_DETAILS = ("tags", "year", "note", "place", "added")
# Follows a piece that is tried: in a text file, a line may continue the line before it.
_NEIGHBOUR = Quote("and another line")


@dataclass(slots=True)
class Exported:
    """What was written, and what the format could not keep of it.

    Attributes:
        quotes: the number of quotes written.
        lost: for each of "tags", "year", "note", "place", "added" and "lines", the number of quotes that lost it.
        changed: the number of quotes that would read back with other words, another author or another work.
        examples: the ids of the first few of those.
    """

    quotes: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    examples: list[str] = field(default_factory=list)


class _Kept(IntEnum):
    """How much of a quote reads back, from worst to best."""

    NOTHING = 0  # it does not read as a quote
    OTHER_WORDS = 1
    WORDS = 2
    ALL_BUT_LINES = 3
    ALL = 4


def choose_format(output: Path | None, named: str | None) -> FileFormat:
    """Return the format `named`, or else the one that the suffix of `output` implies, or JSON Lines for a stream.

    Raises:
        UsageError: the file name does not imply a format, or `index` would read the file in another format.
    """
    suffix = output.suffix.lower() if output else ""
    if named is not None:
        chosen = FILE_FORMATS[named]
        if not chosen.suffixes and suffix:
            raise UsageError(f"A {named} file needs a name without a suffix; remove {suffix} from --output.")
        _check_name(output, chosen)
        return chosen
    if output is None:
        return FILE_FORMATS["jsonl"]
    for chosen in FILE_FORMATS.values():
        if suffix in chosen.suffixes:
            _check_name(output, chosen)
            return chosen
    known = ", ".join(suffix for known in FILE_FORMATS.values() for suffix in known.suffixes)
    raise UsageError(
        f"{output}: the name implies no format ({known}); choose one with --format ({', '.join(FILE_FORMATS)})."
    )


def _check_name(output: Path | None, chosen: FileFormat) -> None:
    """Refuse a file name for which `index` would read the file in another format."""
    implied = known_format(output) if output else None
    if output and implied and implied.name != chosen.parser and implied.name != "fortune":
        raise UsageError(f"{output.name} is the name of a {implied.name} file; rename the {chosen.name} file.")


def export_quotes(
    index: Index,
    output: Path | BinaryIO,
    file_format: FileFormat | None = None,
    where: Filter | None = None,
    *,
    shown: Callable[[Quote], Quote] | None = None,
    progress: Progress = silent,
) -> Exported:
    """Write the quotes of `index` that satisfy `where`, in row order, to a file or a stream, in UTF-8.

    Each quote is first read back with the parser of the format; if the result differs, the quote is written in another
    way. A fortune file is written with its index (NAME.dat). If there are no quotes, no file is touched.

    Args:
        index: the index to export.
        output: a path, where the old file stays until the new one is complete; or a stream.
        file_format: the format; None for the one that `choose_format` returns for `output`.
        where: export only quotes that satisfy this filter.
        shown: a function from each quote to the quote to write instead.
        progress: called with the number of quotes written.

    Raises:
        UsageError: the file name does not imply a format.
        IndexUnusableError: a quote or a vector does not match its checksum.
        OSError: the output cannot be written.
    """
    chosen = file_format or choose_format(output if isinstance(output, Path) else None, None)
    rows = index.rows_where(where or Filter())
    exported = Exported()
    if not len(rows) and isinstance(output, Path):
        return exported

    def blocks() -> Iterator[list[Quote]]:
        for start in range(0, len(rows), _BLOCK):
            quotes = index.quotes(rows[start : start + _BLOCK])
            yield quotes if shown is None else list(map(shown, quotes))
            progress("writing", min(start + _BLOCK, len(rows)), len(rows))

    table = StrfileIndex()
    with _opened(output, chosen) as streams:
        for piece in _pieces(blocks(), chosen, exported):
            data = piece.encode("utf-8")
            streams[0].write(data)
            if chosen.name == "fortune":
                table.add(len(data) - 2)
        for stream in streams[1:]:
            stream.write(table.table())
    return exported


def _opened(output: Path | BinaryIO, chosen: FileFormat) -> AbstractContextManager[list[BinaryIO]]:
    if not isinstance(output, Path):
        return nullcontext([output])
    strfile = [output.with_name(f"{output.name}.dat")] if chosen.name == "fortune" else []
    return replacing(output, *strfile)


def _pieces(blocks: Iterator[list[Quote]], chosen: FileFormat, exported: Exported) -> Iterator[str]:
    """Yield the pieces of a file that holds all `blocks`."""
    before = chosen.begin
    for quotes in blocks:
        for piece in _rendered(quotes, chosen, exported):
            if not exported.quotes and f"{before}{piece}"[0] == _BYTE_ORDER_MARK:
                before = _BYTE_ORDER_MARK  # parsers drop the first one
            yield f"{before}{piece}"
            before = chosen.between
            exported.quotes += 1
    if not exported.quotes:
        yield f"{before}{chosen.end.lstrip()}"
    elif chosen.end:
        yield chosen.end


def _rendered(quotes: Sequence[Quote], chosen: FileFormat, exported: Exported) -> list[str]:
    """Return a piece for each of `quotes`: the first that reads back the same, or else the best one."""
    pieces = [next(chosen.ways(quote)) for quote in quotes]
    read = _read(pieces, chosen)
    others = [
        at for at, quote in enumerate(quotes) if len(read) != len(quotes) or _kept(read[at], quote, chosen) < _Kept.ALL
    ]
    if others:
        for at in others:
            pieces[at] = _best(quotes[at], chosen)
        read = _read(pieces, chosen)  # how a piece reads may depend on the pieces around it
    for at, quote in enumerate(quotes):
        found = read[at] if len(read) == len(quotes) else next(iter(_read([pieces[at]], chosen)), None)
        kept = _kept(found, quote, chosen)
        if kept < _Kept.ALL_BUT_LINES:
            exported.changed += 1
            if quote.id and len(exported.examples) < _NAMED:
                exported.examples.append(quote.id)
        elif kept < _Kept.ALL:
            exported.lost["lines"] += 1
        if not chosen.complete:
            known = [detail for detail in _DETAILS if getattr(quote, detail) not in (None, ())]
            exported.lost.update(detail for detail in known if getattr(found, detail, None) != getattr(quote, detail))
    return pieces


def _best(quote: Quote, chosen: FileFormat) -> str:
    """Return the first piece that keeps the most of `quote`, and that does not join with the piece after it."""
    pieces = list(chosen.ways(quote))
    after = next(chosen.ways(_NEIGHBOUR))
    kept = []
    for piece in pieces:
        read = _read([piece, after], chosen)
        kept.append(_kept(read[0], quote, chosen) if len(read) == 2 else _Kept.NOTHING)
    return pieces[kept.index(max(kept))]


def _read(pieces: Sequence[str], chosen: FileFormat) -> list[Quote | BadRecord]:
    """Return the records that the parser of the format finds in a file of `pieces`."""
    content = f"{chosen.begin}{chosen.between.join(pieces)}{chosen.end}"
    records = FORMATS[chosen.parser].read(io.StringIO(content), "", ReadOptions())
    return list(islice(records, len(pieces) + 1))


def _kept(read: Quote | BadRecord | None, quote: Quote, chosen: FileFormat) -> _Kept:
    """Return how much of `quote` is in `read`, considering only what the format can hold."""
    if not isinstance(read, Quote):
        return _Kept.NOTHING
    if one_line(read.text) != one_line(quote.text):
        return _Kept.OTHER_WORDS
    same = (read.author, read.work) == (quote.author, quote.work)
    if chosen.complete:
        same = same and all(getattr(read, detail) == getattr(quote, detail) for detail in _DETAILS)
    if not same:
        return _Kept.WORDS
    return _Kept.ALL if read.text == quote.text else _Kept.ALL_BUT_LINES
