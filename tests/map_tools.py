"""What the tests of maps share: maps made up so that it is known where everything is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quotefind.map.quote_map import QuoteMap
from quotefind.records import Quote
from quotefind.topics.topic import Topic


def make_map(
    quotes: Sequence[Quote],
    labels: Sequence[str] = (),
    *,
    positions: Sequence[tuple[float, float]] | None = None,
    query: str | None = None,
    hits: Sequence[int] = (),
    title: str = "A few quotes",
) -> QuoteMap:
    """Return a map of `quotes`: quote i in topic i modulo their number; the topics in a ring, without positions.

    The hits have the scores 0.9, 0.85, 0.8 and so on.
    """
    count = max(1, len(labels))
    topic_of = np.arange(len(quotes), dtype=np.int64) % count
    sizes = np.bincount(topic_of, minlength=count)
    topics = tuple(
        Topic(at + 1, (label,) if label else (), int(sizes[at]), (), ()) for at, label in enumerate(labels or ("",))
    )
    if positions is None:
        rng = np.random.default_rng(5)
        angles = topic_of * (2 * np.pi / count)
        placed = np.stack([np.cos(angles), np.sin(angles)], axis=1) + rng.normal(0, 0.12, (len(quotes), 2))
    else:
        placed = np.array(positions).reshape(-1, 2)
    return QuoteMap(
        title=title,
        quotes=tuple(quotes),
        positions=placed.astype(np.float32),
        topics=topics,
        topic_of=topic_of,
        query=query,
        hits=np.array(hits, dtype=np.int64),
        scores=np.array([0.9 - 0.05 * rank for rank in range(len(hits))], dtype=np.float64),
    )


TOPICS = ("love, friends, heart", "war, peace, swords", "sea, ships, wind", "time, years, age", "truth, lies, honesty")


def plain_quotes(count: int) -> list[Quote]:
    """Return `count` quotes that differ: by Zoë Åkerlund, B. Brown and nobody in turn, and of five topics in turn."""
    subjects = ("Love", "War", "The sea", "Time", "The truth")
    authors = ("Zoë Åkerlund", "B. Brown", None)
    works = ("Collected Letters", None)
    return [
        Quote(f"{subjects[i % 5]} is what number {i} was about.", authors[i % 3], works[i % 2], 1900 + i % 100)
        for i in range(count)
    ]
