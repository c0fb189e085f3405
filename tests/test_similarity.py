"""Ranking by cosine similarity, against a naive reference."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from quotefind.similarity import (
    SCORE_ERROR,
    Ranking,
    Vectors,
    candidates,
    cosine_scores,
    scores_at,
    top_k,
    unit_rows,
)


def naive(matrix: Vectors, query: Vectors, k: int, rows: set[int]) -> list[tuple[int, float]]:
    """Return (row, score) of the k best of `rows`: every score alone, then one sort."""
    scored = [(row, float(cosine_scores(matrix[row : row + 1], query[None])[0, 0])) for row in sorted(rows)]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[: max(k, 0)]


def pairs(ranking: Ranking) -> list[tuple[int, float]]:
    """Return (row, score) of a ranking."""
    return list(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True))


def random_units(count: int, dim: int, seed: int = 0) -> Vectors:
    """Return random unit rows."""
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)))


@st.composite
def problems(draw: st.DrawFn) -> tuple[Vectors, Vectors, int]:
    """Matrices in which equal rows and equal scores are frequent, with queries and a number of hits."""
    dim = draw(st.integers(1, 6))
    n = draw(st.one_of(st.integers(1, 20), st.integers(60, 200)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = generator.integers(-2, 3, size=(n, dim)) if draw(st.booleans()) else generator.normal(size=(n, dim))
    values[~values.any(axis=1), 0] = 1
    queries = np.concatenate((generator.normal(size=(2, dim)), values[:1]))
    return unit_rows(values), unit_rows(queries), draw(st.integers(0, 30))


@given(problems())
def test_the_best_rows_are_found(problem: tuple[Vectors, Vectors, int]) -> None:
    """Each query gets the k best rows with their scores, equal scores by row, k clamped."""
    matrix, queries, k = problem
    found = [pairs(ranking) for ranking in top_k(matrix, queries, k)]
    assert found == [naive(matrix, query, k, set(range(len(matrix)))) for query in queries]


@given(problems(), st.data())
def test_only_the_rows_asked_for_are_ranked(problem: tuple[Vectors, Vectors, int], data: st.DataObject) -> None:
    """`rows` are the only ones considered, `without` never, be they given alone or together."""
    matrix, queries, k = problem
    numbers = st.sets(st.integers(0, len(matrix) - 1))
    rows, without = data.draw(st.none() | numbers), data.draw(st.none() | numbers)
    found = top_k(
        matrix,
        queries,
        k,
        rows=None if rows is None else np.array(sorted(rows), np.int64),
        without=None if without is None else np.array(sorted(without), np.int64),
    )
    left = (set(range(len(matrix))) if rows is None else rows) - (without or set())
    assert [pairs(ranking) for ranking in found] == [naive(matrix, query, k, left) for query in queries]


@settings(max_examples=15, deadline=None)
@given(st.integers(8100, 8400), st.integers(1, 400), st.integers(0, 100))
def test_blocks_have_no_seams(n: int, k: int, seed: int) -> None:
    """A matrix of more than one block, with each row in it about three times, is ranked as a whole."""
    matrix = random_units(n // 3, 8, seed)[np.random.default_rng(seed).integers(0, n // 3, n)]
    (ranking,) = top_k(matrix, matrix[:1], k)
    scores = cosine_scores(matrix, matrix[:1])[:, 0]
    assert ranking.rows.tolist() == np.lexsort((np.arange(n), -scores))[:k].tolist()
    assert ranking.scores.tolist() == scores[ranking.rows].tolist()


@pytest.mark.parametrize("dim", [1, 7, 32, 384, 385])
@pytest.mark.parametrize("n", [63, 64, 65, 8191, 8193])
def test_equal_rows_get_equal_scores(n: int, dim: int) -> None:
    """Equal rows score the same to the last bit wherever they stand, and so come in the order of the rows."""
    matrix = np.repeat(random_units(1, dim), n, axis=0)
    (ranking,) = top_k(matrix, random_units(1, dim, seed=1), n)
    assert len(set(ranking.scores.tolist())) == 1
    assert ranking.rows.tolist() == list(range(n))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 40))
def test_scores_are_cosines(n: int, q: int, dim: int) -> None:
    """A score is the sum of the products, in [-1, 1], and 1 for a row with itself."""
    matrix, queries = random_units(n, dim), random_units(q, dim, seed=1)
    scores = cosine_scores(matrix, queries)
    for row in range(n):
        for column in range(q):
            exact = math.fsum(a * b for a, b in zip(matrix[row].tolist(), queries[column].tolist(), strict=True))
            assert scores[row, column] == pytest.approx(max(-1, min(1, exact)), abs=1e-15)
    assert np.diag(cosine_scores(matrix, matrix)) == pytest.approx(np.ones(n), abs=1e-6)
    assert np.abs(cosine_scores(matrix, -matrix)).max() <= 1


@pytest.mark.parametrize("k", [0, -1])
def test_nothing_asked_for_is_nothing_found(k: int) -> None:
    """Where no hit is wanted, or no row may answer, each query has an empty ranking."""
    matrix = random_units(5, 4)
    assert [pairs(ranking) for ranking in top_k(matrix, matrix[:2], k)] == [[], []]
    assert pairs(top_k(matrix, matrix[:1], 3, rows=np.empty(0, np.int64))[0]) == []
    assert pairs(top_k(matrix, matrix[:1], 3, without=np.arange(5))[0]) == []
    assert pairs(top_k(matrix[:0], matrix[:1], 3)[0]) == []
    assert top_k(matrix, matrix[:0], 3) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_query_that_is_no_number_is_refused(bad: float) -> None:
    """NaN and infinity in a query are an error, never an order of hits."""
    matrix = random_units(5, 4)
    query = matrix[:1].copy()
    query[0, 2] = bad
    with pytest.raises(ValueError, match="not finite"):
        top_k(matrix, query, 3)


@pytest.mark.parametrize("shape", [(1, 3), (4,), (1, 1, 4)])
def test_shapes_have_to_fit(shape: tuple[int, ...]) -> None:
    """A query of another length than the rows is refused."""
    with pytest.raises(ValueError, match="do not fit"):
        top_k(random_units(5, 4), np.ones(shape, np.float32), 3)


def test_a_mapped_matrix_is_ranked_like_one_in_memory(tmp_path: Path) -> None:
    """A memory-mapped, read-only matrix gives the same ranking."""
    matrix = random_units(500, 16)
    np.save(tmp_path / "m.npy", matrix)
    mapped = np.load(tmp_path / "m.npy", mmap_mode="r")
    for options in ({}, {"rows": np.arange(3, 480)}, {"without": np.arange(0, 500, 7)}):
        here, there = top_k(matrix, matrix[:3], 20, **options), top_k(mapped, matrix[:3], 20, **options)
        assert [pairs(ranking) for ranking in here] == [pairs(ranking) for ranking in there]


@given(st.integers(1, 20), st.integers(1, 40), st.floats(1e-3, 1e3))
def test_rows_are_scaled_to_length_one(n: int, dim: int, factor: float) -> None:
    """Unit rows have length 1, float32, and keep their direction."""
    values = np.random.default_rng(n).normal(size=(n, dim)) * factor
    rows = unit_rows(values)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows.astype(np.float64), axis=1) == pytest.approx(np.ones(n), abs=1e-6)
    lengths: NDArray[np.float64] = np.linalg.norm(values, axis=1, keepdims=True)
    assert rows == pytest.approx(values / lengths, abs=1e-6)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_vector_without_direction_is_refused(bad: list[float]) -> None:
    """A zero row, and one that is not finite, cannot be scaled."""
    with pytest.raises(ValueError, match="zero or not finite"):
        unit_rows(np.array([[1.0, 0.0], bad]))


def exact_dot(a: Vectors, b: Vectors) -> float:
    """Return the dot product of two float32 rows, rounded once."""
    return math.fsum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def nearly_equal_rows(count: int, seed: int = 0) -> Vectors:
    """Return unit rows so close to each other that float32 scores come in another order than exact ones."""
    generator = np.random.default_rng(seed)
    return unit_rows(generator.normal(size=384) + 3e-6 * generator.normal(size=(count, 384)))


def test_what_float32_cannot_tell_apart_is_ranked_exactly() -> None:
    """Among rows whose scores differ by less than float32's rounding, the best by exact sums are found, in order."""
    matrix = nearly_equal_rows(64 * 40)
    query = unit_rows(matrix[:1] + random_units(1, 384, seed=1))
    exact = [exact_dot(row, query[0]) for row in matrix]
    in_float32 = (matrix @ query[0]).astype(np.float64)
    expected = sorted(range(len(matrix)), key=lambda row: -exact[row])[:3]
    assert expected != np.argsort(-in_float32, kind="stable")[:3].tolist()
    (found,) = top_k(matrix, query, 3)
    assert found.rows.tolist() == expected
    assert found.scores == pytest.approx([exact[row] for row in expected], abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_float32_scores_are_off_by_less_than_the_margin(seed: int) -> None:
    """Float32 products of unit rows, random or nearly equal, differ from exact sums by less than SCORE_ERROR."""
    rows = np.concatenate((random_units(50, 384, seed), nearly_equal_rows(50, seed)))
    in_float32 = rows @ rows.T
    off = max(abs(float(in_float32[i, j]) - exact_dot(rows[i], rows[j])) for i in range(100) for j in range(0, 100, 7))
    assert 0 < off < SCORE_ERROR


def test_candidates_are_what_may_reach_the_cut() -> None:
    """A score below the cut by less than the margin is a candidate, one further below or left out is not."""
    scores = np.array([[0.5, 0.5 - 3e-6, 0.5 - 6e-6, -np.inf], [-1.0, 0.4, 0.6, 0.5]], np.float32)
    assert candidates(scores, 0.5).tolist() == [[0, 0], [0, 1], [1, 2], [1, 3]]
    cuts = np.array([[0.5], [0.6]], np.float32)
    assert candidates(scores, cuts).tolist() == [[0, 0], [0, 1], [1, 2]]
    assert candidates(scores, -np.inf).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [1, 3]]


def test_scores_at_positions_are_exact() -> None:
    """Each pair of rows gets the exact sum of its products, within [-1, 1]."""
    left, right = random_units(40, 384, 1), random_units(90, 384, 2)
    positions = np.array([(i, j) for i in range(40) for j in range(90)])
    expected = [exact_dot(left[i], right[j]) for i, j in positions]
    assert scores_at(positions, left, right) == pytest.approx(expected, abs=1e-14)
    assert scores_at(np.array([[0, 0]]), left, -left).min() >= -1
    assert scores_at(np.empty((0, 2), np.int64), left, right).shape == (0,)


@pytest.mark.parametrize(("sign", "limit"), [(1, 1.0), (-1, -1.0)])
def test_scores_at_positions_stay_within_one(sign: int, limit: float) -> None:
    """Rows that rounding made a little too long get a score of exactly 1 or -1."""
    row = np.array([[np.nextafter(np.float32(1), np.float32(2))]], np.float32)
    assert scores_at(np.array([[0, 0]]), row, sign * row).tolist() == [limit]


def test_a_row_that_is_no_number_is_named() -> None:
    """A matrix with NaN is refused with a message that says so."""
    matrix = random_units(10, 8, 1)
    matrix[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"^a row of the matrix is not finite$"):
        top_k(matrix, random_units(1, 8, 2), 3)
