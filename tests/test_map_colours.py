"""Colours of topics, and the places of their names: legible, apart where topics are close, always the same."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
from map_tools import TOPICS, make_map, plain_quotes

from quotefind.map.colours import DARK, DARK_PAPER, LIGHT, LIGHT_PAPER, OPACITY, assign_colours
from quotefind.map.places import densest_places

STYLE = (files("quotefind.map") / "assets" / "page.css").read_text(encoding="utf-8")


def rgb(colour: str) -> np.ndarray:
    """Return red, green and blue of '#rrggbb', each in [0, 1]."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def luminance(colour: np.ndarray) -> float:
    """Return the relative luminance as WCAG 2.2 defines it."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it, from 1 to 21."""
    dark, light = sorted([luminance(a), luminance(b)])
    return (light + 0.05) / (dark + 0.05)


def variables(theme: str) -> dict[str, str]:
    """Return the colours that the style of the page names, in a theme."""
    selector = ':root[data-theme="dark"]' if theme == "dark" else ":root"
    block = STYLE.split(f"{selector} {{", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block))


@pytest.mark.parametrize(("palette", "paper"), [(LIGHT, LIGHT_PAPER), (DARK, DARK_PAPER)], ids=["light", "dark"])
def test_every_colour_is_seen_on_its_paper(palette: tuple[str, ...], paper: str) -> None:
    """Each colour has a contrast of 3:1 to the paper, as WCAG 1.4.11 wants of graphics, also with a point's opacity."""
    for colour in palette:
        assert contrast(rgb(colour), rgb(paper)) >= 3
        assert contrast(OPACITY * rgb(colour) + (1 - OPACITY) * rgb(paper), rgb(paper)) >= 3


@pytest.mark.parametrize(("theme", "paper"), [("light", LIGHT_PAPER), ("dark", DARK_PAPER)])
def test_text_of_the_page_is_legible(theme: str, paper: str) -> None:
    """Text has a contrast of 4.5:1 to what is below it, edges and the focus 3:1; the paper is that of the palette."""
    colours = variables(theme)
    assert colours["paper"] == paper
    for ground in ("paper", "raised"):
        for text in ("ink", "quiet"):
            assert contrast(rgb(colours[text]), rgb(colours[ground])) >= 4.5
        for line in ("edge", "accent"):
            assert contrast(rgb(colours[line]), rgb(colours[ground])) >= 3
    # A button that is on.
    assert contrast(rgb(colours["ink"]), rgb(colours["line"])) >= 4.5


def test_faint_points_recede() -> None:
    """A point that a filter dims has less than half the contrast of any that is left."""
    for theme, palette in (("light", LIGHT), ("dark", DARK)):
        colours = variables(theme)
        faint = contrast(rgb(colours["faint"]), rgb(colours["paper"]))
        assert 1.1 < faint < min(contrast(rgb(colour), rgb(colours["paper"])) for colour in palette) / 2


def test_as_many_topics_as_colours_all_differ() -> None:
    """No colour comes twice before each came once."""
    made = make_map(plain_quotes(8 * 5), [f"topic {at}" for at in range(len(LIGHT))])
    assert sorted(assign_colours(made.positions, made.topic_of, made.topics)) == list(range(len(LIGHT)))


def test_neighbours_differ() -> None:
    """With 60 topics on a grid, no topic has the colour of one beside, above, below or diagonally next to it."""
    grid = [(column, row) for row in range(6) for column in range(10)]
    made = make_map(plain_quotes(60), [f"topic {at}" for at in range(60)], positions=grid)
    colours = dict(zip(grid, assign_colours(made.positions, made.topic_of, made.topics).tolist(), strict=True))
    for (column, row), colour in colours.items():
        around = [(column + across, row + down) for across in (-1, 0, 1) for down in (-1, 0, 1) if across or down]
        assert colour not in [colours[place] for place in around if place in colours]


def test_a_name_belongs_where_most_of_its_quotes_are() -> None:
    """The place is a quote in the dense part, not the mean of all, which may lie where there is none."""
    positions = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.1), (0.1, 0.1), (0.05, 0.05), (9.0, 9.0), (-7.0, 8.0)]
    place = densest_places(np.array(positions, dtype=np.float32), np.zeros(7, dtype=np.int64), 1)
    assert place.tolist() == [[pytest.approx(0.05), pytest.approx(0.05)]]


def test_topics_without_room_have_places() -> None:
    """A topic of quotes at one place stands there; a topic of none at 0, 0; both without a warning."""
    positions = np.full((4, 2), 3.0, dtype=np.float32)
    places = densest_places(positions, np.zeros(4, dtype=np.int64), 2)
    assert places.tolist() == [[3.0, 3.0], [0.0, 0.0]]
    assert places.dtype == np.float32


def test_many_quotes_are_looked_at_in_part() -> None:
    """Of 5,000 quotes, 4,000 of them in one spot, the place is in that spot."""
    rng = np.random.default_rng(2)
    positions = np.concatenate([rng.normal(4, 0.1, (4000, 2)), rng.normal(-4, 2, (1000, 2))]).astype(np.float32)
    place = densest_places(positions, np.zeros(5000, dtype=np.int64), 1)[0]
    assert np.abs(place - 4).max() < 0.2


def test_colours_are_always_the_same() -> None:
    """The same map gives the same colours."""
    made = make_map(plain_quotes(100), TOPICS)
    first, second = (assign_colours(made.positions, made.topic_of, made.topics) for _ in range(2))
    assert first.tolist() == second.tolist()
    assert first.dtype == np.int64
