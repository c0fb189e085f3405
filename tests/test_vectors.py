"""The matrix on disk: a plain .npy file that grows at its end."""

import io
import pickle
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotefind.errors import IndexUnusableError
from quotefind.index.local.vectors import MatrixWriter, header, open_matrix

_HEADER = 128


def some_rows(count: int, dim: int = 4, first: int = 0) -> np.ndarray:
    """Return rows of which each number occurs once."""
    return np.arange(first * dim, (first + count) * dim, dtype=np.float32).reshape(count, dim)


def written(path: Path, *parts: np.ndarray, rows: int = 0, dim: int = 4) -> None:
    """Append `parts` to the matrix at `path`, of which `rows` count."""
    matrix = MatrixWriter(path, rows=rows, dim=dim)
    for part in parts:
        matrix.append(part)
    matrix.close()


def test_numpy_reads_it(tmp_path: Path) -> None:
    """np.load maps the file without pickle, and finds every row that was appended."""
    path = tmp_path / "m.npy"
    written(path, some_rows(3), some_rows(2, first=3))
    matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    assert matrix.dtype == np.dtype("<f4")
    assert matrix.tolist() == some_rows(5).tolist()
    assert path.stat().st_size == _HEADER + 5 * 4 * 4


def test_it_grows_where_it_stopped(tmp_path: Path) -> None:
    """A second writer adds behind the rows that are there and leaves these as they are."""
    path = tmp_path / "m.npy"
    written(path, some_rows(3))
    before = path.read_bytes()[_HEADER:]
    written(path, some_rows(2, first=3), rows=3)
    assert path.read_bytes()[_HEADER:].startswith(before)
    assert np.load(path).tolist() == some_rows(5).tolist()


@pytest.mark.parametrize("extra", [b"", b"\x01", b"\x01" * 16, b"\x01" * 100])
def test_rows_that_do_not_count_are_cut_off(tmp_path: Path, extra: bytes) -> None:
    """What a killed writer left behind the rows that count is gone when the next one opens the file."""
    path = tmp_path / "m.npy"
    written(path, some_rows(5))
    with path.open("ab") as file:
        file.write(extra)
    written(path, rows=3)
    assert path.stat().st_size == _HEADER + 3 * 4 * 4
    assert np.load(path).tolist() == some_rows(3).tolist()


def test_readers_see_the_rows_that_count(tmp_path: Path) -> None:
    """A reader takes as many rows as the database says, though the file has more; none is a matrix of none."""
    path = tmp_path / "m.npy"
    written(path, some_rows(5))
    assert open_matrix(path, rows=3, dim=4, fix="").tolist() == some_rows(3).tolist()
    assert open_matrix(path, rows=0, dim=4, fix="").shape == (0, 4)
    assert not open_matrix(path, rows=5, dim=4, fix="").flags.writeable


def test_a_matrix_without_rows_can_be_read(tmp_path: Path) -> None:
    """A new matrix is a valid file of no rows."""
    path = tmp_path / "m.npy"
    written(path)
    assert np.load(path, allow_pickle=False).shape == (0, 4)
    assert open_matrix(path, rows=0, dim=4, fix="").shape == (0, 4)


@given(st.integers(0, 10**9), st.integers(1, 10**5))
def test_the_header_has_a_fixed_length(rows: int, dim: int) -> None:
    """The header has 128 bytes however many rows there are, so it can be written in place, and NumPy understands it."""
    data = header(rows, dim)
    assert len(data) == _HEADER
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(_after_magic(data))
    assert (shape, fortran, dtype) == ((rows, dim), False, np.dtype("<f4"))


def _after_magic(data: bytes) -> io.BytesIO:
    stream = io.BytesIO(data)
    assert np.lib.format.read_magic(stream) == (1, 0)
    return stream


def _save(array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, array)


def _save_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=some_rows(5))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:60]), id="half a header"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1]), id="short by a byte"),
        pytest.param(lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), id="no npy"),
        pytest.param(lambda path: path.write_bytes(pickle.dumps(some_rows(5))), id="pickle"),
        pytest.param(_save(np.array([[{}] * 4] * 5, dtype=object)), id="objects"),
        pytest.param(_save(some_rows(5).astype(np.float64)), id="float64"),
        pytest.param(_save(some_rows(5).astype(">f4")), id="big-endian"),
        pytest.param(_save(some_rows(5, dim=3)), id="other width"),
        pytest.param(_save(some_rows(4)), id="fewer rows"),
        pytest.param(_save(np.arange(20, dtype=np.float32)), id="one dimension"),
        pytest.param(_save_archive, id="npz"),
    ],
)
def test_another_file_in_its_place_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """A file that is damaged, short, a pickle or of other numbers is an error that names it and says what mends it."""
    path = tmp_path / "m.npy"
    written(path, some_rows(5))
    damage(path)
    with pytest.raises(IndexUnusableError, match=r"m\.npy.*Mend it so\."):
        open_matrix(path, rows=5, dim=4, fix="Mend it so.")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_file_is_private(tmp_path: Path) -> None:
    """Only the user can read the matrix."""
    written(tmp_path / "m.npy", some_rows(1))
    assert stat.S_IMODE((tmp_path / "m.npy").stat().st_mode) == 0o600
