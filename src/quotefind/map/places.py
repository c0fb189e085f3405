"""The position of a topic's name on a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The most quotes, of a topic and of the whole map, that densities are computed from: an evenly spread sample of more.
_OF_TOPIC = 400
_OF_ALL = 2000


def densest_places(positions: NDArray[np.float32], topic_of: NDArray[np.int64], topics: int) -> NDArray[np.float32]:
    """Return for each topic the position (topics, 2) float32 of the quote in its densest region.

    It maximises the density of the topic times the topic's share of the density of all quotes: a place with many quotes
    of the topic and few others. Densities are sums of Gaussians whose standard deviation is a quarter of the median
    distance within the topic (Silverman, "Density Estimation for Statistics and Data Analysis", 1986, section 4.2). A
    topic without quotes is placed at (0, 0).

    Args:
        positions: (n, 2) float32, the positions of the quotes.
        topic_of: (n,) int64, the topic of each quote.
        topics: the number of topics.
    """
    places = np.zeros((topics, 2), dtype=np.float32)
    everyone = positions[:: -(-len(positions) // _OF_ALL) or 1]
    for topic in range(topics):
        members = positions[topic_of == topic]
        if len(members) == 0:
            continue
        own = members[:: -(-len(members) // _OF_TOPIC)]
        squares = _squares(own, own)
        width = float(np.median(squares)) / 16 or 1.0
        of_topic = np.exp(-squares / (2 * width)).sum(axis=1) * (len(members) / len(own))
        of_all = np.exp(-_squares(own, everyone) / (2 * width)).sum(axis=1) * (len(positions) / len(everyone))
        # The sample of all quotes may lack neighbours that the sample of the topic has.
        places[topic] = own[(of_topic**2 / np.maximum(of_all, of_topic)).argmax()]
    return places


def _squares(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the squared distances (n, m) of positions (n, 2) and (m, 2)."""
    distances: NDArray[np.float64] = ((a[:, None] - b[None]) ** 2).sum(axis=2, dtype=np.float64)
    return distances
