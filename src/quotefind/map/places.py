"""Where the name of a topic belongs on a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of a larger topic as many quotes, evenly spread over the collection, stand for all.
_LOOKED_AT = 400


def densest_places(positions: NDArray[np.float32], topic_of: NDArray[np.int64], topics: int) -> NDArray[np.float32]:
    """Return (topics, 2) float32: for each topic, the position of its quote that has most others around it.

    The density is a sum of Gaussians about the other quotes of the topic, a quarter of their median distance wide
    (Silverman, "Density Estimation for Statistics and Data Analysis", 1986, section 4.2). A topic without quotes is
    placed at 0, 0.

    Args:
        positions: (n, 2) float32.
        topic_of: (n,) int64, the topic of each quote.
        topics: how many topics there are.
    """
    places = np.zeros((topics, 2), dtype=np.float32)
    for topic in range(topics):
        own = positions[topic_of == topic]
        own = own[:: -(-len(own) // _LOOKED_AT) or 1]
        if len(own) == 0:
            continue
        squares = ((own[:, None] - own[None]) ** 2).sum(axis=2, dtype=np.float64)
        width = np.median(squares) / 16 or 1.0
        places[topic] = own[np.exp(-squares / (2 * width)).sum(axis=1).argmax()]
    return places
