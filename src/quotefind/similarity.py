"""Pure functions on arrays of unit vectors. All scores are cosine similarities; larger is better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quotefind.blas import use_all_threads

Vectors = NDArray[np.float32]

# Rows scored at a time: 8192 x 384 float32 are 12 MB, enough for BLAS to run at full speed. For a few queries on all
# rows of the matrix, larger blocks take no memory and save calls.
_BLOCK = 8192
_LARGE_BLOCK = 65536
_FEW = 8
# From this many scores on, more than one thread is faster.
_MANY = 200_000
# Pairs of rows copied at a time: 6 MB.
_PAIRS = 2048
# Above this share of the rows it is faster to score all and exclude some than to select rows.
_MOST = 0.2
# The first pass keeps only the maximum of each group of rows; the k best rows are in the k best groups.
_GROUP = 64
# Float32 dot products of unit vectors are off by less than this. A first pass in float32 keeps every row that can be
# among the best; these are scored again in float64.
SCORE_ERROR = 4e-6


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best rows for one query, best first; equal scores in the order of the rows.

    Attributes:
        rows: (k,) int64, row numbers of the matrix.
        scores: (k,) float64, cosine similarity in [-1, 1].
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


def unit_rows(vectors: NDArray[np.floating]) -> Vectors:
    """Return `vectors` (n, d) as float32 with every row scaled to length 1.

    Raises:
        ValueError: a row is not finite, or is zero and so has no direction.
    """
    rows = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("a vector is zero or not finite")
    return np.ascontiguousarray(rows / lengths, dtype=np.float32)


def check_queries(queries: Vectors, dim: int) -> None:
    """Check that `queries` is an array (q, dim) of finite numbers.

    Raises:
        ValueError: it is not.
    """
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise ValueError(f"the query vectors have shape {queries.shape}; the index needs (q, {dim})")
    if not np.isfinite(queries).all():
        raise ValueError("a query vector is not finite")


def cosine_scores(matrix: Vectors, vectors: Vectors) -> NDArray[np.float64]:
    """Return the cosine similarities (n, q) float64 of unit rows `matrix` (n, d) with unit rows `vectors` (q, d).

    Equal rows get equal scores: each is summed in float64 and in the same order, whatever the other rows are.
    """
    scores: NDArray[np.float64] = np.einsum("nd,qd->nq", matrix, vectors, dtype=np.float64, casting="safe")
    return scores.clip(-1.0, 1.0)


def candidates(scores: Vectors, cut: float | Vectors) -> NDArray[np.int64]:
    """Return the positions (m, 2), in order, of the `scores` (n, q) that in float64 may be `cut` or more.

    `scores` are float32 dot products of unit rows, -inf where left out; `cut` is one number, or one per row (n, 1).
    """
    return np.argwhere(scores >= np.maximum(cut - np.float32(SCORE_ERROR), np.float32(-2.0)))


def scores_at(positions: NDArray[np.int64], left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Return the cosine similarities (m,) float64 of unit rows of `left` (n, d) and `right` (q, d).

    `positions` (m, 2) are the numbers of the two rows. Rows are copied a block at a time.
    """
    scores = np.empty(len(positions), np.float64)
    for start in range(0, len(positions), _PAIRS):
        a, b = positions[start : start + _PAIRS].T
        scores[start : start + _PAIRS] = np.einsum("nd,nd->n", left[a], right[b], dtype=np.float64, casting="safe")
    return scores.clip(-1.0, 1.0)


def top_k(
    matrix: Vectors,
    queries: Vectors,
    k: int,
    *,
    rows: NDArray[np.int64] | None = None,
    without: NDArray[np.int64] | None = None,
) -> list[Ranking]:
    """Return for each query the `k` rows of `matrix` with the highest cosine similarity.

    Exact and deterministic: a first pass in float32 finds, block by block, every row that can be among the best. These
    are scored again in float64; ties are broken by row number.

    Args:
        matrix: (n, d) float32 unit rows, in memory or memory-mapped; it is read once.
        queries: (q, d) float32 unit rows.
        k: how many; at most as many as there are rows.
        rows: consider only these rows, ascending; None for all.
        without: never consider these rows.

    Raises:
        ValueError: a query or a row holds NaN, a query infinity, or the shapes do not fit.
    """
    if queries.ndim != 2 or matrix.ndim != 2 or queries.shape[1] != matrix.shape[1]:
        raise ValueError(f"queries {queries.shape} do not fit a matrix {matrix.shape}")
    if not np.isfinite(queries).all():
        raise ValueError("a query vector is not finite")
    if rows is not None and without is not None:
        rows = rows[~np.isin(rows, without)]
        without = None
    if rows is not None and len(rows) > _MOST * len(matrix):
        others = np.ones(len(matrix), bool)
        others[rows] = False
        rows, without = None, np.flatnonzero(others)
    total = len(matrix) if rows is None else len(rows)
    k = min(k, total - (0 if without is None else len(without)))
    if k <= 0 or not len(queries):
        return [Ranking(np.empty(0, np.int64), np.empty(0, np.float64)) for _ in queries]
    if total * len(queries) >= _MANY:
        use_all_threads()
    maxima = _group_maxima(matrix, queries, rows, without)
    if np.isnan(maxima).any():
        raise ValueError("a row of the matrix is not finite")
    excluded = None
    if without is not None:
        excluded = np.zeros(total, bool)
        excluded[without] = True
    return [_rank(matrix, query, k, maxima[:, i], rows, excluded) for i, query in enumerate(queries)]


def _group_maxima(
    matrix: Vectors, queries: Vectors, rows: NDArray[np.int64] | None, without: NDArray[np.int64] | None
) -> Vectors:
    """Return (groups, q) float32: the highest score in each run of `_GROUP` rows (of the selected ones)."""
    total = len(matrix) if rows is None else len(rows)
    columns = np.ascontiguousarray(queries.T)
    maxima = np.empty((-(-total // _GROUP), len(queries)), np.float32)
    size = _LARGE_BLOCK if rows is None and len(queries) <= _FEW else _BLOCK
    for start in range(0, total, size):
        stop = min(start + size, total)
        block = matrix[start:stop] if rows is None else matrix[rows[start:stop]]
        scores = np.full((-(-(stop - start) // _GROUP) * _GROUP, len(queries)), -np.inf, np.float32)
        np.matmul(block, columns, out=scores[: stop - start])
        if without is not None:
            low, high = np.searchsorted(without, (start, stop))
            scores[without[low:high] - start] = -np.inf
        maxima[start // _GROUP : -(-stop // _GROUP)] = scores.reshape(-1, _GROUP, len(queries)).max(axis=1)
    return maxima


def _rank(
    matrix: Vectors,
    query: Vectors,
    k: int,
    maxima: Vectors,
    rows: NDArray[np.int64] | None,
    excluded: NDArray[np.bool_] | None,
) -> Ranking:
    total = len(matrix) if rows is None else len(rows)
    groups = min(k, len(maxima))
    cut = np.partition(maxima, len(maxima) - groups)[len(maxima) - groups]
    chosen = candidates(maxima[:, None], cut)[:, 0]
    positions = (chosen[:, None] * _GROUP + np.arange(_GROUP)).ravel()
    positions = positions[positions < total]
    if excluded is not None:
        positions = positions[~excluded[positions]]
    numbers = positions if rows is None else rows[positions]
    scores = np.concatenate(
        [
            cosine_scores(matrix[numbers[start : start + _BLOCK]], query[None])[:, 0]
            for start in range(0, len(numbers), _BLOCK)
        ]
    )
    order = np.lexsort((numbers, -scores))[:k]
    return Ranking(numbers[order], scores[order])
