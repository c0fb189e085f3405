"""Clusters of unit vectors, and a choice of their number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors

# Returns the vectors (n, d) at positions (n,).
VectorsAt = Callable[[NDArray[np.int64]], Vectors]

# Principal components that k-means works on: it is faster there, and less disturbed by noise.
_DIMENSIONS = 50
# The most vectors in memory at once; if there are more, mini-batches of all of them follow a sample.
_SAMPLE = 50_000
_BLOCK = 8192
# The most vectors that the number of topics is chosen on.
_CHOOSING = 10_000
_CANDIDATES = (2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 50, 60)
# The fewest quotes that a topic may have on average.
_FEWEST = 5
_STARTS = 4


def cluster(
    vectors: VectorsAt, n: int, *, topics: int | None = None, seed: int = 0, progress: Progress = silent
) -> NDArray[np.int64]:
    """Return for each of n vectors the number (n,) int64 of its cluster: 0 is the largest.

    The method is k-means (scikit-learn) on the first 50 principal components, in one thread, so that the result depends
    only on the vectors and `seed`. If there are more than 50,000 vectors, k-means on a sample gives the initial
    centres, and mini-batches of all vectors refine them (Sculley, "Web-Scale K-Means Clustering", WWW 2010); apart
    from the sample, this takes twelve bytes of memory per vector.

    Args:
        vectors: returns the unit vectors (m, d) float32 at positions (m,).
        n: the number of vectors, at least 1.
        topics: the number of clusters; None for `best_number`. There are fewer if fewer vectors differ.
        seed: the seed of the sample and of the initial centres.
        progress: called after each step.
    """
    from threadpoolctl import threadpool_limits

    if n < 2 or (topics is None and n < 2 * _FEWEST) or topics == 1:
        return np.zeros(n, np.int64)
    random = np.random.default_rng(seed)
    sample = np.arange(n) if n <= _SAMPLE else np.sort(random.choice(n, _SAMPLE, replace=False))
    # With several threads, float32 sums would depend on their order.
    with threadpool_limits(limits=1):
        known = vectors(sample)
        if np.ptp(known, axis=0).max() == 0:  # equal vectors have no components
            return np.zeros(n, np.int64)
        reduced, reduce = _principal(known)
        most = len(np.unique(reduced, axis=0))
        if topics is None:
            some = reduced if len(reduced) <= _CHOOSING else random.permutation(reduced)[:_CHOOSING]
            topics = best_number(some, most=min(most, n // _FEWEST), seed=seed, progress=progress)
        model = _fitted(reduced, min(topics, most), seed, _STARTS)
        if len(sample) == n:
            return _largest_first(model.labels_)
        model = _in_mini_batches(model, vectors, reduce, random.permutation(n), seed, progress)
        numbers = np.empty(n, np.int32)
        for start in range(0, n, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, n))
            numbers[block] = model.predict(reduce(vectors(block)))
            progress("assigning", int(block[-1]) + 1, n)
    return _largest_first(numbers)


def best_number(reduced: NDArray[np.float32], *, most: int, seed: int = 0, progress: Progress = silent) -> int:
    """Return the best number of clusters for `reduced` (n, d): from 1 to `most`, and at most 60.

    It is the number with the highest Bayesian information criterion for spherical Gaussians of equal variance (Pelleg
    and Moore, "X-means: Extending K-means with Efficient Estimation of the Number of Clusters", ICML 2000), among 1
    and sixteen numbers from 2 to 60.
    """
    best, highest = (
        1,
        _criterion(reduced, np.zeros(len(reduced), np.int64), float(reduced.var(axis=0).sum()) * len(reduced)),
    )
    numbers = [number for number in _CANDIDATES if number <= most]
    for done, number in enumerate(numbers, 1):
        model = _fitted(reduced, number, seed, 2)
        value = _criterion(reduced, model.labels_, float(model.inertia_))
        if value > highest:
            best, highest = number, value
        progress("counting topics", done, len(numbers))
    return best


def _criterion(reduced: NDArray[np.float32], numbers: NDArray[Any], inertia: float) -> float:
    """Return the Bayesian information criterion of a clustering whose squared distances sum to `inertia`."""
    n, d = reduced.shape
    sizes = np.bincount(numbers).astype(np.float64)
    k = len(sizes)
    variance = max(inertia / (d * max(n - k, 1)), np.finfo(np.float64).tiny)
    fit = float(sizes @ np.log(sizes / n)) - n * d / 2 * float(np.log(2 * np.pi * variance)) - d * (n - k) / 2
    parameters = k - 1 + k * d + 1
    return float(fit - parameters / 2 * np.log(n))


def _principal(sample: Vectors) -> tuple[NDArray[np.float32], Callable[[Vectors], NDArray[np.float32]]]:
    """Return `sample` (n, d) projected on its first principal components, and the function that projects others."""
    from sklearn.decomposition import PCA

    model = PCA(min(_DIMENSIONS, *sample.shape), svd_solver="covariance_eigh").fit(sample)

    def reduce(vectors: Vectors) -> NDArray[np.float32]:
        return np.ascontiguousarray(model.transform(vectors), np.float32)

    return reduce(sample), reduce


def _fitted(reduced: NDArray[np.float32], number: int, seed: int, starts: int) -> Any:
    from sklearn.cluster import KMeans

    return KMeans(number, n_init=starts, random_state=seed).fit(reduced)


def _in_mini_batches(
    model: Any,
    vectors: VectorsAt,
    reduce: Callable[[Vectors], NDArray[np.float32]],
    order: NDArray[np.int64],
    seed: int,
    progress: Progress,
) -> Any:
    """Return `model` refined by mini-batches of all vectors, in random `order` (n,)."""
    from sklearn.cluster import MiniBatchKMeans

    centres = model.cluster_centers_
    moved = MiniBatchKMeans(len(centres), init=centres, n_init=1, random_state=seed, batch_size=_BLOCK)
    for start in range(0, len(order), _BLOCK):
        moved.partial_fit(reduce(vectors(np.sort(order[start : start + _BLOCK]))))
        progress("clustering", min(start + _BLOCK, len(order)), len(order))
    return moved


def _largest_first(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Return the clusters renumbered by size, the largest first, then by their first member; none is empty."""
    _, first, renumbered, sizes = np.unique(numbers, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places[renumbered]
