"""The pairs of query and quotation that the model is trained with, as quotes/README.md states their rules."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from quotefind.training.pairs_file import read_pairs

QUOTES = Path(__file__).resolve().parent.parent / "quotes"
KEYS = ["query", "quote", "author", "kind", "tag", "tags", "split"]
# The openings of the model card that this program started from.
CARD = [
    "I need a quote about",
    "Looking for",
    "Searching for a quote that captures",
    "A quote about",
    "Need some quotes",
    "quotes about",
    "Need a quote to remind me",
]


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, Any]]:
    """Return the pairs."""
    return [json.loads(line) for line in (QUOTES / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def quotes() -> dict[str, dict[str, Any]]:
    """Return the bundled quotations by their text on one line."""
    lines = (QUOTES / "quotes.jsonl").read_text(encoding="utf-8").splitlines()
    return {" ".join(quote["text"].split()): quote for quote in map(json.loads, lines)}


@pytest.fixture(scope="module")
def ways() -> list[str]:
    """Return the ways of asking."""
    return (QUOTES / "templates.txt").read_text(encoding="utf-8").splitlines()


def words(text: str) -> list[str]:
    """Return the words of `text` in lower case."""
    return re.findall(r"[^\W\d_]+", text.casefold())


def test_each_pair_is_about_a_bundled_quotation(pairs: list[dict[str, Any]], quotes: dict[str, dict[str, Any]]) -> None:
    """Every record has its keys in order, and a quotation of the collection with its author and tags."""
    for pair in pairs:
        assert list(pair) == KEYS
        quote = quotes[pair["quote"]]
        assert pair["author"] == quote["author"]
        assert {tag.replace("-", " ") for tag in quote["tags"]} <= set(pair["tags"])
        assert (pair["kind"] == "tag") == (pair["tag"] is not None)
        assert pair["tag"] is None or pair["tag"] in pair["tags"]
        assert pair["kind"] in ("tag", "paraphrase", "free")
        assert pair["query"] == " ".join(pair["query"].split()) != ""


def test_there_are_enough_and_no_repeats(pairs: list[dict[str, Any]], quotes: dict[str, dict[str, Any]]) -> None:
    """There are at least as many as the model card was trained with, some for each quotation, none twice."""
    assert sum(pair["split"] == "train" for pair in pairs) >= 2652
    assert {pair["quote"] for pair in pairs} == quotes.keys()
    counted = Counter((pair["query"].casefold(), pair["quote"]) for pair in pairs)
    assert [pair for pair, count in counted.items() if count > 1] == []


def test_no_author_is_on_both_sides(pairs: list[dict[str, Any]]) -> None:
    """An author is trained with or held out, never both; about a sixth of the pairs is held out."""
    sides: dict[str, set[str]] = {}
    for pair in pairs:
        sides.setdefault(pair["author"], set()).add(pair["split"])
    assert {author: side for author, side in sides.items() if len(side) > 1} == {}
    held_out = sum(pair["split"] == "held-out" for pair in pairs)
    assert 0.1 < held_out / len(pairs) < 0.3
    assert {pair["split"] for pair in pairs} == {"train", "held-out"}


def test_there_are_sixty_ways_of_asking(pairs: list[dict[str, Any]], ways: list[str]) -> None:
    """Every way of asking in the list is used, at least sixty of them, the model card's among them."""
    used = {way for pair in pairs if pair["tag"] for way in ways if way.replace("{}", pair["tag"]) == pair["query"]}
    assert used == set(ways)
    assert len(used) >= 60
    for opening in CARD:
        assert any(way.startswith(opening) for way in used), opening


def test_free_queries_begin_in_many_ways(pairs: list[dict[str, Any]]) -> None:
    """No three words open more than a fiftieth of the free queries, and hardly any query is asked twice."""
    queries = [pair["query"] for pair in pairs if pair["kind"] == "free"]
    openings = Counter(" ".join(words(query)[:3]) for query in queries)
    assert max(openings.values()) < len(queries) / 50
    assert len(set(queries)) > 0.99 * len(queries)


def test_no_query_gives_its_quotation_away(pairs: list[dict[str, Any]], ways: list[str]) -> None:
    """A query shares no five words in a row with its quotation, and no more than two of its longer words."""
    asking = {word for way in ways for word in words(way)}
    for pair in pairs:
        said, asked = words(pair["quote"]), words(pair["query"])
        runs = {tuple(said[at : at + 5]) for at in range(len(said) - 4)}
        assert not runs & {tuple(asked[at : at + 5]) for at in range(len(asked) - 4)}, pair
        assert len({word for word in set(said) & set(asked) - asking if len(word) > 5}) <= 2, pair


def test_no_query_names_the_author(pairs: list[dict[str, Any]]) -> None:
    """A query does not name who wrote the quotation."""
    for pair in pairs:
        name = words(pair["author"])[-1]
        assert len(name) < 5 or name not in words(pair["query"]), pair


def test_the_file_can_be_trained_with(pairs: list[dict[str, Any]]) -> None:
    """`quotefind train` reads the file, with its split, its tags and the tags of the quotations."""
    read = read_pairs(QUOTES / "pairs.jsonl")
    assert len(read) == len(pairs)
    assert [pair.held_out for pair in read] == [pair["split"] == "held-out" for pair in pairs]
    assert [pair.tag for pair in read] == [pair["tag"] for pair in pairs]
