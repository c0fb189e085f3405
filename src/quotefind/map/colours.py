"""The colours of the topics on a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quotefind.map.places import densest_places
from quotefind.topics.topic import Topic

# One hue in each place of both, found by a search: far apart in OKLab, also as seen with protanopia, deuteranopia and
# tritanopia, while each has a contrast of 3:1 to its paper even where it is drawn with OPACITY.
LIGHT = ("#235bc8", "#c70548", "#9b7802", "#1a838f", "#9c5eef", "#266a46", "#863806", "#78356e")
DARK = ("#3f7ffb", "#ff9c80", "#e8e04a", "#5fe3f3", "#c3a0ff", "#6fb52a", "#a8773c", "#dd479f")
LIGHT_PAPER = "#fbfaf7"
DARK_PAPER = "#15171b"
OPACITY = 0.85


def assign_colours(
    positions: NDArray[np.float32], topic_of: NDArray[np.int64], topics: Sequence[Topic]
) -> NDArray[np.int64]:
    """Return (t,) int64, for each topic the number of its colour in LIGHT and in DARK.

    There are more topics than colours that people can tell apart, so colours come again. The topics, in their order,
    each take the colour whose nearest bearer so far is farthest away: topics close to each other differ.

    Args:
        positions: (n, 2) float32, where the quotes stand.
        topic_of: (n,) int64, the topic of each quote.
        topics: the t topics.
    """
    places = densest_places(positions, topic_of, len(topics))
    colours = np.zeros(len(topics), dtype=np.int64)
    nearest = np.full((len(topics), len(LIGHT)), np.inf)  # of each topic the nearest bearer of each colour
    for topic in range(len(topics)):
        colours[topic] = nearest[topic].argmax()
        distances = np.linalg.norm(places - places[topic], axis=1)
        np.minimum(nearest[:, colours[topic]], distances, out=nearest[:, colours[topic]])
    return colours
