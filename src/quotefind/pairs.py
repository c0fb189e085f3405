"""Pair: how close texts are to each other, and which quotes of an index are closest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quotefind.encoders import Encoder
from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.reader import Index
from quotefind.progress import Progress, silent
from quotefind.records import Pair, Quote
from quotefind.search import FindOptions, find
from quotefind.similarity import Vectors, cosine_scores
from quotefind.text import is_unicode, normalise

# A block of scores is 2048 x 2048 float32, 16 MB, whatever the size of the index.
_BLOCK = 2048
# As in similarity: what float32 may be off by.
_MARGIN = 4e-6


def similarities(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the cosine similarity (n, n) float64 of each of `texts` with each, in [-1, 1].

    Raises:
        UsageError: a text is empty.
    """
    vectors = encoder.encode_quotes([_checked(text) for text in texts])
    return cosine_scores(vectors, vectors)


def score_pairs(encoder: Encoder, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Return the cosine similarity of the two texts of each of `pairs`, in order; each text is encoded once.

    Raises:
        UsageError: a text is empty.
    """
    texts = list(dict.fromkeys(_checked(text) for pair in pairs for text in pair))
    number = {text: position for position, text in enumerate(texts)}
    vectors = encoder.encode_quotes(texts).astype(np.float64)
    a = vectors[[number[_checked(first)] for first, _ in pairs]]
    b = vectors[[number[_checked(second)] for _, second in pairs]]
    return [float(score) for score in np.einsum("nd,nd->n", a, b).clip(-1, 1)]


def companions(
    index: Index, encoder: Encoder, text: str, top: int, *, min_score: float | None = None, where: Filter | None = None
) -> list[Pair]:
    """Return the `top` quotes of `index` that go best with `text`, which is itself left out.

    Raises:
        UsageError: `text` is empty.
    """
    text = _checked(text)
    options = FindOptions(top=top, min_score=min_score, where=where or Filter(), like=text)
    (hits,) = find(index, encoder, [""], options)
    return [Pair(hit.rank, hit.score, Quote(text), hit.quote) for hit in hits]


def closest_pairs(
    index: Index,
    top: int,
    *,
    min_score: float | None = None,
    where: Filter | None = None,
    progress: Progress = silent,
) -> list[Pair]:
    """Return the `top` closest pairs of quotes of `index`, closest first; ties by row.

    Exact: every pair is compared, block by block, in memory that does not grow with the index. The time grows with the
    square of the number of quotes.
    """
    rows = index.rows_where(where or Filter())
    best_rows = np.empty((0, 2), np.int64)
    best_scores = np.empty(0, np.float64)
    cut = -np.inf if min_score is None else min_score
    blocks = -(-len(rows) // _BLOCK)
    done, total = 0, blocks * (blocks + 1) // 2
    for i in range(0, len(rows), _BLOCK):
        left = index.vectors(rows[i : i + _BLOCK])
        for j in range(i, len(rows), _BLOCK):
            right = left if i == j else index.vectors(rows[j : j + _BLOCK])
            near = _near(left, right, cut, top, within=i == j)
            if len(near):
                scores = _exact(left, right, near)
                pairs = np.column_stack((rows[i + near[:, 0]], rows[j + near[:, 1]]))
                best_rows, best_scores = _best(
                    np.concatenate((best_rows, pairs)), np.concatenate((best_scores, scores)), top, min_score
                )
                if len(best_scores) == top:
                    cut = max(cut, best_scores[-1])
            done += 1
            progress("comparing", done, total)
    quotes = iter(index.quotes(best_rows.ravel().tolist()))
    return [
        Pair(rank, score, a, b)
        for rank, (score, a, b) in enumerate(zip(best_scores.tolist(), quotes, quotes, strict=True), 1)
    ]


def _near(left: Vectors, right: Vectors, cut: float, top: int, *, within: bool) -> NDArray[np.int64]:
    """Return the positions (m, 2) in `left` and `right` of the pairs that can be among the `top` and above `cut`."""
    scores = left @ right.T
    if within:
        scores[np.tril_indices(len(left))] = -np.inf
    count = scores.size - (len(left) * (len(left) + 1) // 2 if within else 0)
    if top < count:
        highest = float(np.partition(scores, scores.size - top, axis=None)[scores.size - top]) if cut < 0.5 else cut
        cut = max(cut, highest)
    return np.argwhere(scores >= max(cut - _MARGIN, -2.0))


def _exact(left: Vectors, right: Vectors, near: NDArray[np.int64]) -> NDArray[np.float64]:
    parts = [
        np.einsum("nd,nd->n", left[part[:, 0]], right[part[:, 1]], dtype=np.float64, casting="safe")
        for part in np.array_split(near, -(-len(near) // _BLOCK))
    ]
    return np.concatenate(parts).clip(-1, 1)


def _best(
    pairs: NDArray[np.int64], scores: NDArray[np.float64], top: int, min_score: float | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -scores))
    if min_score is not None:
        order = order[scores[order] >= min_score]
    order = order[:top]
    return pairs[order], scores[order]


def _checked(text: str) -> str:
    text = normalise(text)
    if not text:
        raise UsageError("A text to compare is empty.")
    if not is_unicode(text):
        raise UsageError("A text to compare is not valid UTF-8.")
    return text
