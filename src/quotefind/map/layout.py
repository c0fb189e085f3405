"""Lay out the quotes of an index as a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quotefind.extras import require
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.map.projection import project
from quotefind.map.quote_map import QuoteMap
from quotefind.progress import Progress, silent
from quotefind.records import Hit
from quotefind.topics.finding import find_topics

# With more points, browsers do not move smoothly, and points cannot be told apart.
MOST = 100_000


def make_map(
    index: Index,
    title: str,
    *,
    topics: int | None = None,
    where: Filter | None = None,
    hits: Sequence[Hit] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> QuoteMap:
    """Return a map of the quotes of `index`, from the vectors in it; nothing is encoded.

    If there are more than 100,000 quotes, the map shows a random sample of 100,000 and all hits; the topics are those
    of all quotes.

    Args:
        index: the index whose quotes are placed.
        title: the heading of the map.
        topics: the number of topics; None to choose it.
        where: place only quotes that satisfy this filter.
        hits: the hits of one query, found by `search.find` with the same filter; they are marked.
        seed: the random seed; the same seed gives the same map on the same machine.
        progress: called after each step.

    Raises:
        ModelError: the extra `map` is not installed.
        UsageError: `topics` is below 1.
    """
    require("A map", "map", "openTSNE", "bokeh", "matplotlib")
    found = find_topics(index, topics=topics, where=where, seed=seed, progress=progress)
    marked = np.array([index.row_of(hit.quote.id or "") for hit in hits], np.int64)
    positions = np.arange(len(found.rows))
    if len(positions) > MOST:
        drawn = np.random.default_rng(seed).choice(positions, MOST, replace=False)
        positions = np.union1d(drawn, np.searchsorted(found.rows, marked))
    rows = found.rows[positions]
    progress("placing")
    return QuoteMap(
        title=title,
        quotes=tuple(index.quotes(rows.tolist())),
        positions=project(index.vectors(rows), seed=seed, progress=progress),
        topics=found.topics,
        topic_of=found.topic_of[positions],
        query=hits[0].query if hits else None,
        hits=np.searchsorted(rows, marked),
        scores=np.array([hit.score for hit in hits], np.float64),
    )
