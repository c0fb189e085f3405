"""From an index to a file that `index` reads again as the same collection, as far as its format can say it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from quotefind.corpus import FORMATS, BadRecord, ReadOptions
from quotefind.corpus.formats import known_format
from quotefind.errors import UsageError
from quotefind.export.rendering import SHAPES, Shape
from quotefind.export.replacing import replacing
from quotefind.export.strfile import StrfileIndex
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.progress import Progress, silent
from quotefind.records import Quote

# Quotes that are in memory at once.
_BLOCK = 500
# So many of those that could not be kept are named.
_NAMED = 3
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(slots=True)
class Exported:
    """What was written, and what the format could not keep of it.

    Attributes:
        quotes: how many were written.
        tagged: how many have tags, and no place for them.
        dated: how many have a year, and no place for it.
        noted: how many have a note, and no place for it.
        changed: how many would be read back with other words, another author or another work.
        examples: ids of a few of these.
    """

    quotes: int = 0
    tagged: int = 0
    dated: int = 0
    noted: int = 0
    changed: int = 0
    examples: list[str] = field(default_factory=list)


def format_of(output: Path | None, named: str | None) -> Shape:
    """Return the format that is `named`, or else that of the suffix of `output`, or else JSON Lines for a stream.

    Raises:
        UsageError: the name of the file does not say, or `index` would take it for something else.
    """
    suffix = output.suffix.lower() if output else ""
    if named is not None:
        shape = SHAPES[named]
        if not shape.suffixes and suffix:
            raise UsageError(f"A {named} file is known by having no suffix; give --output a name without {suffix}.")
        _check_name(output, shape)
        return shape
    if output is None:
        return SHAPES["jsonl"]
    for shape in SHAPES.values():
        if suffix in shape.suffixes:
            _check_name(output, shape)
            return shape
    known = ", ".join(suffix for shape in SHAPES.values() for suffix in shape.suffixes)
    raise UsageError(f"{output}: its name does not say which format ({known}); say --format ({', '.join(SHAPES)}).")


def _check_name(output: Path | None, shape: Shape) -> None:
    """Refuse a name by which `index` would read the file in another format."""
    implied = known_format(output) if output else None
    if output and implied and implied.name != shape.reader and implied.name != "fortune":
        raise UsageError(f"{output.name} is a name of {implied.name} files; give a {shape.name} file another one.")


def export_quotes(
    index: Index,
    output: Path | BinaryIO,
    shape: Shape | None = None,
    where: Filter | None = None,
    *,
    shown: Callable[[Quote], Quote] | None = None,
    progress: Progress = silent,
) -> Exported:
    """Write the quotes of `index` that satisfy `where`, in the order of its rows, to a file or a stream, in UTF-8.

    Each quote is read back by the reader of the format before it is written, and said in another way where that makes
    it come back right. A fortune file gets its index beside it. Where there are no quotes, no file is touched.

    Args:
        index: what to take them from.
        output: a path, where the old file stays until the new one is whole; or a stream.
        shape: a format, as `format_of` gives it; None for what that gives for `output`.
        where: which quotes.
        shown: what to write in the place of a quote.
        progress: told how many are written.

    Raises:
        UsageError: the name of the file does not say which format.
        IndexUnusableError: what is stored is not what was written.
        OSError: the output cannot be written.
    """
    shape = shape or format_of(output if isinstance(output, Path) else None, None)
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
    with _opened(output, shape) as streams:
        for piece in _pieces(blocks(), shape, exported):
            data = piece.encode("utf-8")
            streams[0].write(data)
            if shape.name == "fortune":
                table.add(len(data) - 2)
        for stream in streams[1:]:
            stream.write(table.table())
    return exported


def _opened(output: Path | BinaryIO, shape: Shape) -> AbstractContextManager[list[BinaryIO]]:
    if not isinstance(output, Path):
        return nullcontext([output])
    beside = [output.with_name(f"{output.name}.dat")] if shape.name == "fortune" else []
    return replacing(output, *beside)


def _pieces(blocks: Iterator[list[Quote]], shape: Shape, exported: Exported) -> Iterator[str]:
    """Yield what a file of all `blocks` consists of."""
    before = shape.begin
    for quotes in blocks:
        for piece in _rendered(quotes, shape, exported):
            if not exported.quotes and f"{before}{piece}"[0] == _BYTE_ORDER_MARK:
                before = _BYTE_ORDER_MARK  # readers drop the first one
            yield f"{before}{piece}"
            before = shape.between
            exported.quotes += 1
    if not exported.quotes:
        yield f"{before}{shape.end.lstrip()}"
    elif shape.end:
        yield shape.end


def _rendered(quotes: Sequence[Quote], shape: Shape, exported: Exported) -> list[str]:
    """Return a piece for each of `quotes`, the first way of writing it that is read back right."""
    pieces = [next(shape.ways(quote)) for quote in quotes]
    read = _read(pieces, shape)
    for at, quote in enumerate(quotes):
        if len(read) != len(quotes) or not _same(read[at], quote, shape):
            pieces[at], kept = _best(quote, shape)
            if not kept:
                exported.changed += 1
                if quote.id and len(exported.examples) < _NAMED:
                    exported.examples.append(quote.id)
        if not shape.whole:
            exported.tagged += bool(quote.tags)
            exported.dated += quote.year is not None
            exported.noted += quote.note is not None
    return pieces


def _best(quote: Quote, shape: Shape) -> tuple[str, bool]:
    """Return the first piece that is read back as `quote`, else the first with its text, else the usual one; which."""
    pieces = list(shape.ways(quote))
    read = _read(pieces, shape)
    if len(read) != len(pieces):  # one of them would be read as several quotes, or as none
        pieces = [piece for piece in pieces if len(_read([piece], shape)) == 1] or pieces[:1]
        read = _read(pieces, shape)
    for piece, found in zip(pieces, read, strict=False):
        if _same(found, quote, shape):
            return piece, True
    with_text = (
        piece
        for piece, found in zip(pieces, read, strict=False)
        if isinstance(found, Quote) and found.text == quote.text
    )
    return next(with_text, pieces[0]), False


def _read(pieces: Sequence[str], shape: Shape) -> list[Quote | BadRecord]:
    """Return what the reader of the format finds in a file of `pieces`."""
    content = f"{shape.begin}{shape.between.join(pieces)}{shape.end}"
    records = FORMATS[shape.reader].read(io.StringIO(content), "", ReadOptions())
    return list(islice(records, len(pieces) + 1))


def _same(read: Quote | BadRecord, quote: Quote, shape: Shape) -> bool:
    """Whether `read` says all of `quote` that the format has a place for."""
    if not isinstance(read, Quote) or (read.text, read.author, read.work) != (quote.text, quote.author, quote.work):
        return False
    return not shape.whole or (read.year, read.tags, read.note) == (quote.year, quote.tags, quote.note)
