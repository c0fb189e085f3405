"""The topics of an index: which quotes belong together, what they are about, and which are most typical."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.progress import Progress, silent
from quotefind.records import Quote
from quotefind.similarity import cosine_scores, unit_rows
from quotefind.text import fold
from quotefind.topics.clustering import cluster
from quotefind.topics.terms import terms_by_topic
from quotefind.topics.topic import Topic

_BLOCK = 8192
# The most texts that are read for the terms; of more, a sample is read.
_TEXTS = 100_000
# Quotes read per topic beyond those shown, because some may have the same words.
_SPARE = 20


@dataclass(frozen=True, slots=True)
class Topics:
    """What `find_topics` found.

    Attributes:
        rows: (n,) int64, the clustered rows of the index, ascending.
        topic_of: (n,) int64, the position of each row's topic in `topics`.
        topics: the topics, the largest first.
    """

    rows: NDArray[np.int64]
    topic_of: NDArray[np.int64]
    topics: tuple[Topic, ...]


def find_topics(
    index: Index,
    *,
    topics: int | None = None,
    where: Filter | None = None,
    central: int = 3,
    seed: int = 0,
    progress: Progress = silent,
) -> Topics:
    """Return the topics of the quotes of `index`, from the vectors in it; nothing is encoded.

    Args:
        index: the index whose quotes are clustered.
        topics: the number of topics; None to choose it, see `clustering.best_number`.
        where: cluster only quotes that satisfy this filter.
        central: the number of central quotes per topic: those nearest to its mean, without repeated words.
        seed: the random seed; the same seed gives the same topics.
        progress: called after each step.

    Raises:
        UsageError: `topics` is below 1, or `central` below 0.
    """
    if topics is not None and topics < 1:
        raise UsageError("The number of topics must be at least 1 (--topics 1).")
    if central < 0:
        raise UsageError("The number of central quotes must not be negative.")
    rows = index.rows_where(where or Filter())
    if not len(rows):
        return Topics(rows, np.empty(0, np.int64), ())
    topic_of = cluster(
        lambda positions: index.vectors(rows[positions]), len(rows), topics=topics, seed=seed, progress=progress
    )
    count = int(topic_of.max()) + 1
    scores = _scores(index, rows, topic_of, count)
    terms = _terms(index, rows, topic_of, count, seed, progress)
    found = []
    for number in range(count):
        members = np.flatnonzero(topic_of == number)
        nearest = members[np.lexsort((members, -scores[members]))]
        shown = _different(index, rows, nearest, central)
        found.append(
            Topic(
                number + 1,
                terms[number],
                len(members),
                tuple(quote for _, quote in shown),
                tuple(float(scores[position]) for position, _ in shown),
            )
        )
    return Topics(rows, topic_of, tuple(found))


def _scores(index: Index, rows: NDArray[np.int64], topic_of: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return the cosine similarity (n,) float64 of each row to the mean of its topic."""
    sums = np.zeros((count, index.manifest.dimension))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        vectors = index.vectors(rows[block])
        for number in np.unique(topic_of[block]):
            sums[number] += vectors[topic_of[block] == number].sum(axis=0, dtype=np.float64)
    # Vectors that cancel each other out have no mean direction; any will do.
    sums[~sums.any(axis=1), 0] = 1.0
    means = unit_rows(sums)
    scores = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        near = cosine_scores(index.vectors(rows[block]), means)
        scores[block] = np.take_along_axis(near, topic_of[block, None], axis=1)[:, 0]
    return scores


def _terms(
    index: Index, rows: NDArray[np.int64], topic_of: NDArray[np.int64], count: int, seed: int, progress: Progress
) -> list[tuple[str, ...]]:
    positions = np.arange(len(rows))
    if len(rows) > _TEXTS:
        positions = np.sort(np.random.default_rng(seed).choice(len(rows), _TEXTS, replace=False))

    def texts() -> Iterator[str]:
        for start in range(0, len(positions), _BLOCK):
            block = positions[start : start + _BLOCK]
            yield from (quote.text for quote in index.quotes(rows[block].tolist()))
            progress("reading", start + len(block), len(positions))

    return terms_by_topic(texts(), topic_of[positions].tolist(), count)


def _different(index: Index, rows: NDArray[np.int64], nearest: NDArray[np.int64], most: int) -> list[tuple[int, Quote]]:
    """Return the first `most` positions of `nearest` (m,) with their quotes, skipping repeated words."""
    positions = nearest[: most + _SPARE if most else 0].tolist()
    seen: set[str] = set()
    shown: list[tuple[int, Quote]] = []
    for position, quote in zip(positions, index.quotes(rows[positions].tolist() if positions else []), strict=True):
        words = fold(quote.text)
        if words not in seen and len(shown) < most:
            seen.add(words)
            shown.append((position, quote))
    return shown
