"""Tables of Apache Parquet and Arrow, an optional part of the program; their columns are found as those of CSV are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from quotefind.corpus.columns import check_columns, find_columns
from quotefind.corpus.objects import Records
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.corpus.seekable import on_disk
from quotefind.errors import SourceError
from quotefind.extras import require
from quotefind.records import Quote

_ROWS_AT_ONCE = 1_000


def read_parquet(stream: BinaryIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of a Parquet file, each with the number of its row as its line.

    Raises:
        ModelError: pyarrow is not installed.
    """
    yield from _read(stream, name, options, partial(_parquet_batches, name=name, longest=options.max_bytes))


def read_arrow(stream: BinaryIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of an Arrow IPC file or stream, which is also Feather, each with the number of its row.

    Raises:
        ModelError: pyarrow is not installed.
    """
    yield from _read(stream, name, options, _arrow_batches)


_Batches = Callable[[Path, Callable[[list[str]], list[str]]], Iterator[Any]]


def _read(stream: BinaryIO, name: str, options: ReadOptions, batches: _Batches) -> Iterator[Quote | BadRecord | Remark]:
    require(f"Reading {name}", "arrow", "pyarrow")
    import pyarrow as pa

    records = Records(name, options)

    def choose(names: list[str]) -> list[str]:
        """Return the columns that are read, each once."""
        columns = find_columns(names, options)
        check_columns(names, columns, name, options)
        records.use(columns, names)
        return [name for used in columns.values() for name in used]

    number = 0
    with on_disk(stream) as path:
        if not path.stat().st_size:
            return
        try:
            for batch in batches(path, choose):
                for row in batch.to_pylist():
                    number += 1
                    yield records.quote(number, row)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise SourceError(f"{name}: not a table that can be read ({reason})") from error
    yield from records.remark()


def _parquet_batches(path: Path, choose: Callable[[list[str]], list[str]], *, name: str, longest: int) -> Iterator[Any]:
    """Yield the rows of a Parquet file in batches; at most the chosen columns of one row group are in memory."""
    from pyarrow import parquet

    with parquet.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
        columns = choose(list(file.schema_arrow.names))
        largest = max((file.metadata.row_group(at).total_byte_size for at in range(file.num_row_groups)), default=0)
        if largest > longest:
            raise SourceError(f"{name}: unpacks to {largest:,} bytes at once; to allow that, raise --max-bytes N")
        yield from file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns, use_threads=False)


def _arrow_batches(path: Path, choose: Callable[[list[str]], list[str]]) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import ipc

    with pa.OSFile(str(path), "rb") as source:
        begins = source.read(6)
        source.seek(0)
        if begins == b"ARROW1":
            with ipc.open_file(source) as file:
                columns = choose(list(file.schema.names))
                for at in range(file.num_record_batches):
                    yield from _slices(file.get_batch(at), columns)
        else:
            with ipc.open_stream(source) as reader:
                columns = choose(list(reader.schema.names))
                for batch in reader:
                    yield from _slices(batch, columns)


def _slices(batch: Any, columns: list[str]) -> Iterator[Any]:
    """Yield the rows of `batch` in slices, after checking that its structure is valid."""
    chosen = batch.select(columns)
    chosen.validate(full=True)
    for begin in range(0, chosen.num_rows, _ROWS_AT_ONCE):
        yield chosen.slice(begin, _ROWS_AT_ONCE)
