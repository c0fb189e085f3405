"""The matrix on disk: a plain `.npy` file of float32 rows that only grows at its end.

The header has a fixed length, so that its number of rows can be rewritten in place. A row counts only once its number
is committed to the database; the next writer cuts off any rows after that.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from quotefind.errors import IndexUnusableError
from quotefind.private_files import check_private, open_private, sync_directory
from quotefind.similarity import Vectors

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = 128
_ITEM = 4
_ROWS = re.compile(rb"'shape': \(([0-9]{1,15}), ")


def header(rows: int, dim: int) -> bytes:
    """Return the 128-byte header of a `.npy` file (format 1.0) of `rows` x `dim` little-endian float32.

    The format is described in NumPy's documentation, numpy.lib.format.
    """
    description = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}"
    length = _HEADER - len(_MAGIC) - 2
    return _MAGIC + length.to_bytes(2, "little") + description.ljust(length - 1).encode("ascii") + b"\n"


def rows_in(path: Path, dim: int) -> int:
    """Return the number of complete rows of `dim` float32 in the file at `path`, judging by its size."""
    check_private(path)
    return max(0, path.stat().st_size - _HEADER) // (dim * _ITEM)


class MatrixWriter:
    """Appends rows to the matrix at `path`, which has `rows` valid rows."""

    def __init__(self, path: Path, *, rows: int, dim: int) -> None:
        """Open the file, creating it if `rows` is 0, and cut off everything after the valid rows."""
        self.path = path
        self.rows = rows
        self._dim = dim
        self._file = os.fdopen(open_private(path, os.O_RDWR | (os.O_CREAT if rows == 0 else 0)), "r+b", buffering=0)
        try:
            self._file.truncate(max(_HEADER, self._end(rows)))
            self._write_header()
            if rows == 0:
                sync_directory(path.parent)  # otherwise a power failure could lose the file that the database refers to
        except BaseException:
            self._file.close()
            raise

    def append(self, vectors: Vectors) -> None:
        """Write `vectors` (n, dim) after the last row; they are on disk when this returns."""
        data = memoryview(np.ascontiguousarray(vectors, "<f4").tobytes())
        self._file.seek(self._end(self.rows))
        while data:
            data = data[self._file.write(data) :]
        self.rows += len(vectors)
        self._write_header()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        self._file.write(header(self.rows, self._dim))
        os.fsync(self._file.fileno())

    def _end(self, rows: int) -> int:
        return _HEADER + rows * self._dim * _ITEM


def open_matrix(path: Path, *, rows: int, dim: int, fix: str) -> Vectors:
    """Return the first `rows` rows of the matrix at `path`, mapped into memory, read-only.

    No more are mapped, because a writer may cut off and add rows after them at any time.

    Raises:
        IndexUnusableError: the file is not such a matrix, or has fewer rows; the message ends with `fix`.
        FileNotFoundError: it is missing.
    """
    try:
        with os.fdopen(open_private(path, os.O_RDONLY), "rb", buffering=0) as file:
            start = file.read(_HEADER)
            if len(start) < _HEADER:
                raise ValueError("it is cut short")
            if not _is_header(start, rows, dim):  # a writer may be writing it right now
                file.seek(0)
                start = file.read(_HEADER)
            size = os.fstat(file.fileno()).st_size
            if not _is_header(start, rows, dim) or size < _HEADER + rows * dim * _ITEM:
                raise IndexUnusableError(
                    f"{path} is not the matrix of this index: it has {size} bytes and begins with {start[:80]!r}, "
                    f"expected float32 of at least {rows} rows of {dim}. {fix}"
                )
            if rows == 0:  # an empty range cannot be mapped
                return np.empty((0, dim), np.float32)
            return np.memmap(file, "<f4", "r", offset=_HEADER, shape=(rows, dim))
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise IndexUnusableError(f"{path} cannot be read: {error.strerror}; check its permissions.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise IndexUnusableError(f"{path} cannot be read as a matrix ({reason}). {fix}") from error


def _is_header(start: bytes, rows: int, dim: int) -> bool:
    """Whether `start` is exactly what `header` returns for at least `rows` rows of `dim`."""
    stated = _ROWS.search(start)
    return stated is not None and int(stated[1]) >= rows and start == header(int(stated[1]), dim)


def has_rows(directory: Path) -> bool:
    """Whether there is a matrix with rows in `directory`, whatever the database says."""
    return any(path.is_file() and path.stat().st_size > _HEADER for path in directory.glob("vectors-*.npy"))


def damaged_matrix(path: Path, what: str, argument: str) -> IndexUnusableError:
    """Return the error for a damaged matrix: `what` says how, `argument` names its index on a command line."""
    return IndexUnusableError(f"{path} is damaged: {what}. To fix it: quotefind index --rebuild{argument}")


def matrix_checksum(rows: Vectors) -> int:
    """Return the checksum of `rows` (n, d): the sum of all 32-bit words modulo 2^32.

    It is as fast as memory, unlike a CRC. It does not detect swapped rows, but the CRC-32 of each row does.
    """
    words = np.ascontiguousarray(rows, "<f4").view("<u4")
    return int(np.add.reduce(words, axis=None, dtype=np.uint32))


def check_length(path: Path, rows: int, dim: int, argument: str) -> None:
    """Make sure that the matrix at `path` has at least `rows` rows of `dim`.

    Raises:
        IndexUnusableError: it is missing, or too short.
    """
    if not rows:
        return
    fix = f"To fix it: quotefind index --rebuild{argument}"
    try:
        there = rows_in(path, dim)
    except OSError as error:
        raise IndexUnusableError(f"{path} cannot be opened: {error.strerror or error}. {fix}") from error
    if there < rows:
        raise IndexUnusableError(f"{path} is cut short: it holds {there} rows of {dim}, expected {rows}. {fix}")


def check_rows(path: Path, rows: Sequence[int], vectors: Vectors, checksums: Iterable[int], argument: str) -> None:
    """Make sure that `vectors` (n, d), read from `rows` of the matrix at `path`, have these CRC-32 `checksums`.

    Raises:
        IndexUnusableError: a row does not match its checksum.
    """
    position = first_changed(vectors, checksums)
    if position is not None:
        raise damaged_matrix(path, f"row {rows[position]} does not match its checksum", argument)


def first_changed(rows: Vectors, checksums: Iterable[int]) -> int | None:
    """Return the position of the first of `rows` (n, d) whose CRC-32 differs from `checksums`; None if all match."""
    for position, (row, checksum) in enumerate(zip(np.ascontiguousarray(rows), checksums, strict=True)):
        if row_checksum(row) != checksum:
            return position
    return None


def row_checksum(row: Vectors) -> int:
    """Return the CRC-32 of the bytes of a row (d,)."""
    return zlib.crc32(row.data)
