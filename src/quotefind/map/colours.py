"""The colours of the topics on a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quotefind.map.places import densest_places
from quotefind.topics.topic import Topic

# Equal positions have the same hue. The colours were found by a search: far apart in OKLab, also with protanopia,
# deuteranopia and tritanopia, and each with a contrast of 3:1 to its paper even when drawn with OPACITY.
LIGHT = ("#235bc8", "#c70548", "#9b7802", "#1a838f", "#9c5eef", "#266a46", "#863806", "#78356e")
DARK = ("#3f7ffb", "#ff9c80", "#e8e04a", "#5fe3f3", "#c3a0ff", "#6fb52a", "#a8773c", "#dd479f")
LIGHT_PAPER = "#fbfaf7"
DARK_PAPER = "#15171b"
OPACITY = 0.85


def assign_colours(
    positions: NDArray[np.float32], topic_of: NDArray[np.int64], topics: Sequence[Topic]
) -> NDArray[np.int64]:
    """Return for each topic (t,) int64 the position of its colour in LIGHT and DARK.

    There may be more topics than colours that people can tell apart, so colours repeat. Each topic in turn takes the
    colour whose nearest use so far is farthest away, so that neighbouring topics differ.

    Args:
        positions: (n, 2) float32, the positions of the quotes on the map.
        topic_of: (n,) int64, the topic of each quote.
        topics: the t topics.
    """
    places = densest_places(positions, topic_of, len(topics))
    colours = np.zeros(len(topics), dtype=np.int64)
    nearest = np.full((len(topics), len(LIGHT)), np.inf)  # distance from each topic to the nearest topic of each colour
    for topic in range(len(topics)):
        colours[topic] = nearest[topic].argmax()
        distances = np.linalg.norm(places - places[topic], axis=1)
        np.minimum(nearest[:, colours[topic]], distances, out=nearest[:, colours[topic]])
    return colours
