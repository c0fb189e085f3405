"""A map before it is a page: where the quotes stand, which hits are marked, and the pictures of it."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library
from map_tools import make_map as a_map
from map_tools import plain_quotes
from PIL import Image
from test_topics import planted

from quotefind import extras
from quotefind.errors import ModelError
from quotefind.index.filters import Filter
from quotefind.map import layout, picture
from quotefind.map.layout import make_map
from quotefind.map.projection import project
from quotefind.records import Quote
from quotefind.search import FindOptions, find
from quotefind.similarity import unit_rows
from quotefind.stores import open_index

SVG = "{http://www.w3.org/2000/svg}"


def test_neighbours_stay_neighbours() -> None:
    """Vectors about the same direction stand together: nearly all of the ten nearest places are of the same group."""
    vectors, truth = planted([60, 60, 60, 60])
    places = project(vectors)
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    nearest = np.argsort(distances, axis=1)[:, 1:11]
    assert (truth[nearest] == truth[:, None]).mean() > 0.98
    assert places.dtype == np.float32


def test_places_are_scaled_and_the_same_for_a_seed() -> None:
    """The mean is 0 and the larger spread 1; the same vectors and seed stand in the same places."""
    vectors, _ = planted([40, 30])
    places = project(vectors, seed=3)
    assert np.allclose(places.mean(axis=0), 0, atol=1e-5)
    assert places.std(axis=0).max() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(places, project(vectors, seed=3))


@given(st.integers(1, 25), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_few_and_equal_vectors_have_places(n: int, different: int) -> None:
    """Any number of vectors, equal ones among them, gets finite places."""
    rows = np.random.default_rng(different).normal(size=(different, 6))
    places = project(unit_rows(rows[np.arange(n) % different]))
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()


def test_progress_of_placing_is_told() -> None:
    """The iterations are told, up to the last one."""
    told: list[tuple[str, int, int]] = []
    project(planted([40])[0], progress=lambda stage, done=0, total=0: told.append((stage, done, total)))
    assert told[-1] == ("placing", 750, 750)
    assert len(told) > 10


@pytest.fixture
def collection(library: Library) -> Library:
    """An index of thirty quotes about the sea and twenty about war."""
    sea = [f"ship sails the wide sea to port number{number} — Ann Sailor" for number in range(30)]
    war = [f"king makes a long war with sword number{number} — Bob King" for number in range(20)]
    library.update(library.write("quotes.txt", *sea, *war))
    return library


def test_a_map_of_an_index(collection: Library) -> None:
    """Every quote has a place and a topic, those of the hits are marked, and no stored quote is encoded."""
    encoded = len(collection.encoder.encoded)
    with open_index(collection.directory) as index:
        (hits,) = find(index, collection.encoder, ["a long war"], FindOptions(top=3))
        made = make_map(index, "Mine", topics=2, hits=hits)
    assert len(collection.encoder.encoded) == encoded
    assert (len(made.quotes), made.positions.shape, made.title, made.query) == (50, (50, 2), "Mine", "a long war")
    assert [made.quotes[place].id for place in made.hits] == [hit.quote.id for hit in hits]
    assert made.scores.tolist() == [hit.score for hit in hits]
    of_topic = [{made.quotes[place].author for place in np.flatnonzero(made.topic_of == topic)} for topic in (0, 1)]
    assert of_topic == [{"Ann Sailor"}, {"Bob King"}]


def test_a_map_under_conditions(collection: Library) -> None:
    """Only quotes that satisfy the conditions are on the map; where none does it is empty."""
    with open_index(collection.directory) as index:
        assert {quote.author for quote in make_map(index, "", where=Filter(authors=("bob",))).quotes} == {"Bob King"}
        assert make_map(index, "", where=Filter(authors=("nobody",))).quotes == ()


def test_too_many_quotes_are_sampled_with_all_hits(collection: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the most that a map holds, a sample is placed that holds every hit; topics are those of all quotes."""
    monkeypatch.setattr(layout, "MOST", 12)
    with open_index(collection.directory) as index:
        (hits,) = find(index, collection.encoder, ["a long war"], FindOptions(top=6))
        made = make_map(index, "Mine", topics=2, hits=hits)
        again = make_map(index, "Mine", topics=2, hits=hits)
    assert 12 <= len(made.quotes) <= 18
    assert made.quotes == again.quotes
    assert [made.quotes[place].id for place in made.hits] == [hit.quote.id for hit in hits]
    assert sum(topic.size for topic in made.topics) == 50


def test_a_picture_as_svg() -> None:
    """The SVG is well-formed, holds a mark for each quote and a name for each topic, and is the same each time."""
    made = a_map(plain_quotes(60), ["love, heart", "war, king", "sea, ship"])
    drawn, complete = picture.draw_picture(made, "svg")
    root = ET.fromstring(drawn)
    assert complete
    assert len([use for use in root.iter(f"{SVG}use") if "fill-opacity: 0.85" in use.get("style", "")]) == 60
    text = drawn.decode()
    assert all(f"<!-- {name} -->" in text for name in ("love, heart", "war, king", "sea, ship"))
    assert picture.draw_picture(made, "svg")[0] == drawn


def test_a_picture_as_png() -> None:
    """The PNG has its documented size, its points their colours, and is the same each time."""
    made = a_map(plain_quotes(60), ["love, heart", "war, king", "sea, ship"])
    drawn, complete = picture.draw_picture(made, "png")
    with Image.open(io.BytesIO(drawn)) as image:
        assert (image.size, image.format, complete) == ((1650, 1440), "PNG", True)
        colours = {pixel for _, pixel in image.convert("RGB").getcolors(1 << 21) or []}
    assert len(colours) > 20
    assert picture.draw_picture(made, "png")[0] == drawn


def test_texts_in_a_picture_are_only_texts() -> None:
    """A title and a request are neither markup, nor formulas, nor what XML forbids."""
    hostile = "</svg><script>alert(1)</script> $\\frac{a}{b}$ -- \x00\x1b[31m\u202e & <b>"
    made = replace(a_map(plain_quotes(20), ["a", "b"], query=hostile, hits=[1, 5]), title=hostile)
    drawn, _ = picture.draw_picture(made, "svg")
    root = ET.fromstring(drawn)
    assert [node for node in root.iter() if "script" in node.tag or node.tag == "b"] == []
    assert not re.search(rb"[\x00-\x08\x0b-\x1f]", drawn)


def test_names_in_a_picture_do_not_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many topics and hits there are, the texts that are written do not overlap, and none is cut off."""
    boxes = []
    written = picture._write_ranks_and_names

    def keep(axes: object, quote_map: object) -> None:
        written(axes, quote_map)  # type: ignore[arg-type]
        boxes.extend([text.get_window_extent() for text in axes.texts[1:]])  # type: ignore[attr-defined]
        boxes.append(axes.figure.bbox)  # type: ignore[attr-defined]

    monkeypatch.setattr(picture, "_write_ranks_and_names", keep)
    names = [f"misfortune, {second}, honesty" for second in ("war", "sea", "love", "age", "time", "art")] * 7
    positions = np.random.default_rng(0).normal(size=(420, 2))
    made = a_map(plain_quotes(420), names, positions=positions.tolist(), query="q", hits=range(0, 420, 42))
    picture.draw_picture(made, "png")
    *texts, page = boxes
    assert len(texts) > 25
    assert [(i, j) for i, a in enumerate(texts) for j, b in enumerate(texts[:i]) if a.overlaps(b)] == []
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in texts)


@pytest.mark.parametrize("count", [1, 2])
def test_a_picture_of_few_quotes(count: int) -> None:
    """One quote, or two in the same place, are a picture too."""
    made = a_map([Quote(f"Text {n}") for n in range(count)], ["word"], positions=[(0.0, 0.0)] * count)
    drawn, _ = picture.draw_picture(made, "svg")
    assert ET.fromstring(drawn).tag == f"{SVG}svg"


def test_missing_signs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no font has a sign, the picture says that it is not complete; it says nothing by itself."""
    monkeypatch.setattr(picture, "_FONTS", ("DejaVu Sans",))
    _, complete = picture.draw_picture(a_map(plain_quotes(5), ["愛情"]), "png")
    assert not complete


def test_a_missing_extra_is_named(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra `map`, nothing is computed: the error names the packages and the command that installs them."""
    library.update(library.write("a.txt", "one", "two"))
    monkeypatch.setattr(extras.util, "find_spec", lambda name: None if name == "bokeh" else True)
    with open_index(library.directory) as index, pytest.raises(ModelError, match=r"bokeh.*'quotefind\[map\]'") as error:
        make_map(index, "title")
    assert error.value.exit_code == 5
