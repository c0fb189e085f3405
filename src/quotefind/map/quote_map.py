"""A map before it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quotefind.records import Quote
from quotefind.topics.topic import Topic


@dataclass(frozen=True, slots=True)
class QuoteMap:
    """Quotes on a plane.

    Attributes:
        title: the heading.
        quotes: the n quotes.
        positions: (n, 2) float32, their positions; the mean is 0, the larger of the two standard deviations 1.
        topics: the topics, the largest first.
        topic_of: (n,) int64, the position of each quote's topic in `topics`.
        query: the query whose hits are marked; None if there is none.
        hits: (h,) int64, the positions in `quotes` of the hits of `query`, best first.
        scores: (h,) float64, the cosine similarity of each hit to the query, in [-1, 1].
    """

    title: str
    quotes: tuple[Quote, ...]
    positions: NDArray[np.float32]
    topics: tuple[Topic, ...]
    topic_of: NDArray[np.int64]
    query: str | None
    hits: NDArray[np.int64]
    scores: NDArray[np.float64]
