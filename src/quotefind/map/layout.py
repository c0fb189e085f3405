"""From an index to a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.map.projection import project
from quotefind.map.quote_map import QuoteMap
from quotefind.progress import Progress, silent
from quotefind.records import Hit
from quotefind.topics.finding import find_topics

# More points than this no browser moves smoothly, and no eye tells apart.
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
    """Return the quotes of `index` on a plane, from the vectors that it holds; nothing is encoded.

    Of more than 100,000 quotes a sample of so many is placed, with all hits; the topics are those of all.

    Args:
        index: whose quotes.
        title: what stands above the map.
        topics: how many topics; None to have it found out.
        where: only quotes that satisfy this.
        hits: what `search.find` answered to one query under the same conditions; they are marked.
        seed: the same seed gives the same map on the same machine.
        progress: told the steps.

    Raises:
        UsageError: `topics` is below 1.
    """
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
