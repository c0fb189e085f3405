"""Where the name of a topic belongs on a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of more quotes as many, evenly spread over the collection, stand for all: of a topic, and of the whole map.
_OF_TOPIC = 400
_OF_ALL = 2000


def densest_places(positions: NDArray[np.float32], topic_of: NDArray[np.int64], topics: int) -> NDArray[np.float32]:
    """Return (topics, 2) float32: for each topic, the position of the quote about which it is most at home.

    That is where the density of the topic, times its share in the density of all quotes, is highest: many of it are
    there, and few of others. The densities are sums of Gaussians, a quarter of the median distance within the topic
    wide (Silverman, "Density Estimation for Statistics and Data Analysis", 1986, section 4.2). A topic without quotes
    is placed at 0, 0.

    Args:
        positions: (n, 2) float32.
        topic_of: (n,) int64, the topic of each quote.
        topics: how many topics there are.
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
        # A sample may lack neighbours that the topic has.
        places[topic] = own[(of_topic**2 / np.maximum(of_all, of_topic)).argmax()]
    return places


def _squares(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the squared distances (n, m) of positions (n, 2) and (m, 2)."""
    distances: NDArray[np.float64] = ((a[:, None] - b[None]) ** 2).sum(axis=2, dtype=np.float64)
    return distances
