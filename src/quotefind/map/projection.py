"""The position of each quote on a map: near quotes of similar meaning."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors

# About this many neighbours are kept close.
_PERPLEXITY = 30.0
# Fewer quotes are placed by their principal components.
_FEWEST = 10
# Up to this many quotes are placed faster by one thread.
_ALONE = 5000
_EARLY, _ITERATIONS = 250, 500
_BETWEEN_REPORTS = 25


def project(vectors: Vectors, *, seed: int = 0, progress: Progress = silent) -> NDArray[np.float32]:
    """Return a position (n, 2) float32 for each of `vectors`: mean 0, the larger of the two standard deviations 1.

    The method is t-SNE (van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008) by openTSNE (Poličar,
    Stražar and Zupan, JSS 2024), with cosine distances, starting from the first two principal components. It keeps more
    neighbours close than the alternatives in `benchmarks/map.py`. The same vectors and `seed` give the same positions
    on the same machine.

    Args:
        vectors: (n, d) float32 unit rows.
        seed: the seed of the search for neighbours.
        progress: called every 25 iterations.
    """
    if not len(vectors):
        return np.empty((0, 2), np.float32)
    if len(vectors) < _FEWEST:
        return _scaled(_principal(vectors))
    from openTSNE import TSNE

    done = 0

    def report(*_: object) -> None:
        nonlocal done
        done += _BETWEEN_REPORTS
        progress("placing", min(done, _EARLY + _ITERATIONS), _EARLY + _ITERATIONS)

    model = TSNE(
        perplexity=min(_PERPLEXITY, (len(vectors) - 1) / 3),
        metric="cosine",
        early_exaggeration_iter=_EARLY,
        n_iter=_ITERATIONS,
        n_jobs=(os.cpu_count() or 1) if len(vectors) > _ALONE else 1,
        random_state=seed,
        callbacks=report,
        callbacks_every_iters=_BETWEEN_REPORTS,
    )
    # If all vectors are equal, there are no principal components.
    if np.ptp(vectors, axis=0).max() == 0:
        return np.zeros((len(vectors), 2), np.float32)
    return _scaled(np.asarray(model.fit(vectors)))


def _principal(vectors: Vectors) -> NDArray[np.float64]:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(vectors), 2))
    width = min(2, len(lengths))
    places[:, :width] = left[:, :width] * lengths[:width]
    return places


def _scaled(places: NDArray[np.float64]) -> NDArray[np.float32]:
    places = places - places.mean(axis=0)
    spread = float(places.std(axis=0).max())
    return (places / spread if spread > 1e-9 else places * 0).astype(np.float32)
