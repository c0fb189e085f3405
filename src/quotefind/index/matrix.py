"""The matrix on disk: a plain `.npy` file of float32 rows that only grows at its end.

The header has a fixed length, so that the number of rows in it can be written again in place. A row counts once the
database says so; what lies behind that number never happened, and the next writer cuts it off.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np

from quotefind.errors import IndexUnusableError
from quotefind.similarity import Vectors

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = 128
_ITEM = 4


def header(rows: int, dim: int) -> bytes:
    """Return the 128 bytes that begin a `.npy` file (format 1.0) of `rows` x `dim` little-endian float32.

    The format is that of NumPy's own documentation, numpy.lib.format.
    """
    description = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}"
    length = _HEADER - len(_MAGIC) - 2
    return _MAGIC + length.to_bytes(2, "little") + description.ljust(length - 1).encode("ascii") + b"\n"


def rows_in(path: Path, dim: int) -> int:
    """Return how many whole rows of `dim` float32 the file at `path` has room for, by its size."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return max(0, path.stat().st_size - _HEADER) // (dim * _ITEM)


class MatrixWriter:
    """Appends rows to the matrix at `path`, of which `rows` count."""

    def __init__(self, path: Path, *, rows: int, dim: int) -> None:
        """Open the file, made if `rows` is 0, and cut off what lies behind the rows that count."""
        self.path = path
        self.rows = rows
        self._dim = dim
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0) | (os.O_CREAT if rows == 0 else 0)
        self._file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
        self._file.truncate(max(_HEADER, self._end(rows)))
        self._write_header()

    def append(self, vectors: Vectors) -> None:
        """Write `vectors` (n, dim) behind the last row; they are on the disk when this returns."""
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


def open_matrix(path: Path, *, rows: int, dim: int, mend: str) -> Vectors:
    """Return the first `rows` rows of the matrix at `path`, mapped into memory, read-only.

    Raises:
        IndexUnusableError: the file is missing, is no such matrix or has fewer rows; the message ends with `mend`.
    """
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise IndexUnusableError(f"{path} cannot be read as a matrix ({error}). {mend}") from error
    fits = isinstance(matrix, np.ndarray) and matrix.dtype == np.dtype("<f4") and matrix.ndim == 2
    if not fits or matrix.shape[1] != dim or len(matrix) < rows:
        shape = getattr(matrix, "shape", "none")
        kind = getattr(matrix, "dtype", "unknown")
        raise IndexUnusableError(
            f"{path} is not the matrix of this index: it holds {kind} of shape {shape}, expected float32 of at least "
            f"{rows} rows of {dim}. {mend}"
        )
    return np.asarray(matrix[:rows]) if rows == 0 else matrix[:rows]
