"""The quotations that come with the program: format, order, tags and breadth, as quotes/README.md states them."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from quotefind.text import fold, normalise, one_line

QUOTES = Path(__file__).resolve().parent.parent / "quotes"
KEYS = ["text", "author", "work", "year", "tags"]
ASKED_FOR_MOST = [
    "love",
    "family",
    "friendship",
    "death",
    "time",
    "work",
    "courage",
    "hope",
    "fear",
    "truth",
    "beauty",
    "art",
    "music",
    "books",
    "education",
    "children",
    "nature",
    "money",
    "power",
    "war",
    "peace",
    "freedom",
    "justice",
    "faith",
    "happiness",
    "grief",
    "solitude",
    "ageing",
    "change",
    "success",
    "failure",
    "patience",
    "anger",
    "forgiveness",
    "pride",
    "humour",
    "travel",
    "home",
    "science",
    "virtue",
]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Return the lines of the collection as they stand in the file."""
    content = (QUOTES / "quotes.jsonl").read_bytes().decode("utf-8")
    assert content.endswith("\n")
    assert not content.startswith("\ufeff")
    assert "\r" not in content
    return content[:-1].split("\n")


@pytest.fixture(scope="module")
def quotes(lines: list[str]) -> list[dict[str, Any]]:
    """Return the records of the collection."""
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def tags() -> list[str]:
    """Return the list of tags."""
    content = (QUOTES / "tags.txt").read_text(encoding="utf-8")
    assert content.endswith("\n")
    return content[:-1].split("\n")


def letters_and_digits(text: str) -> str:
    """Return what is left of `text` when two printings of it are compared."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKD", text).casefold())


def without_accents(text: str) -> str:
    """Return `text` in lower case and without accents, as the authors are sorted."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()


def test_each_line_is_the_compact_json_of_its_record(lines: list[str], quotes: list[dict[str, Any]]) -> None:
    """Every line is compact JSON that is not escaped where it need not be."""
    for line, quote in zip(lines, quotes, strict=True):
        assert line == json.dumps(quote, ensure_ascii=False, separators=(",", ":"))


def test_keys_and_types(quotes: list[dict[str, Any]]) -> None:
    """Every record has the five keys in their order, each of its type."""
    for quote in quotes:
        assert list(quote) == KEYS, quote
        assert all(isinstance(quote[key], str) for key in ("text", "author", "work")), quote
        assert quote["year"] is None or type(quote["year"]) is int, quote
        assert isinstance(quote["tags"], list), quote
        assert all(isinstance(tag, str) for tag in quote["tags"]), quote


def test_every_quote_has_author_and_work(quotes: list[dict[str, Any]]) -> None:
    """There is no quotation without author and work, and no exception to that."""
    for quote in quotes:
        for key in ("author", "work"):
            value = quote[key]
            assert value, quote
            assert value == " ".join(value.split()) == unicodedata.normalize("NFC", value), quote


def test_there_are_enough(quotes: list[dict[str, Any]], tags: list[str]) -> None:
    """The collection is as broad as promised."""
    assert len(quotes) >= 1500
    assert len({quote["author"] for quote in quotes}) >= 120
    assert len(tags) >= 100


@pytest.mark.parametrize("tag", ASKED_FOR_MOST)
def test_a_tag_asked_for_often_has_enough(quotes: list[dict[str, Any]], tag: str) -> None:
    """Each of the forty tags that people ask for most has at least eight quotations."""
    assert sum(tag in quote["tags"] for quote in quotes) >= 8


def test_the_forty_tags_are_forty() -> None:
    """The list of tags asked for most is complete and without repeats."""
    assert len(ASKED_FOR_MOST) == len(set(ASKED_FOR_MOST)) == 40


def test_tags(quotes: list[dict[str, Any]], tags: list[str]) -> None:
    """Every record has one to four different tags, all of them from the list."""
    known = set(tags)
    for quote in quotes:
        tags = quote["tags"]
        assert 1 <= len(tags) <= 4, quote
        assert len(set(tags)) == len(tags), quote
        assert known.issuperset(tags), quote


def test_tags_are_sorted_and_used(quotes: list[dict[str, Any]], tags: list[str]) -> None:
    """The list of tags is sorted, lower case, without repeats, and each tag has three quotations or more."""
    assert tags == sorted(set(tags))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", tag) for tag in tags)
    count = Counter(tag for quote in quotes for tag in quote["tags"])
    assert {tag: count[tag] for tag in tags if count[tag] < 3} == {}


def test_sorted_by_author_work_and_text(quotes: list[dict[str, Any]]) -> None:
    """The records are in the order that the README gives, whatever the lines of their texts."""
    keys = [(without_accents(quote["author"]), quote["work"], one_line(quote["text"])) for quote in quotes]
    for before, after in itertools.pairwise(keys):
        assert before < after


def test_no_duplicates_and_no_text_within_another(quotes: list[dict[str, Any]]) -> None:
    """No text stands twice, nor inside another, whatever the punctuation."""
    texts = [letters_and_digits(quote["text"]) for quote in quotes]
    assert [text for text, count in Counter(texts).items() if count > 1] == []
    everything = "\n".join(texts)
    assert [text for text in texts if everything.count(text) > 1] == []


def test_lengths(quotes: list[dict[str, Any]]) -> None:
    """A quotation has 15 to 600 characters."""
    assert [quote for quote in quotes if not 15 <= len(quote["text"]) <= 600] == []


def test_texts_are_in_normal_form(quotes: list[dict[str, Any]]) -> None:
    """The texts are already what reading them makes of them, with the lines of verse."""
    assert [quote for quote in quotes if quote["text"] != normalise(quote["text"], keep_lines=True)] == []


def test_verse_has_its_lines(quotes: list[dict[str, Any]]) -> None:
    """Verse has line breaks, and each of its lines begins as lines of verse do."""
    verse = {quote["work"]: quote["text"] for quote in quotes if "\n" in quote["text"]}
    assert len([quote for quote in quotes if "\n" in quote["text"]]) >= 100
    assert verse["Sonnet 71"] == (
        "Nay, if you read this line, remember not\n"
        "The hand that writ it; for I love you so,\n"
        "That I in your sweet thoughts would be forgot\n"
        "If thinking on me then should make you woe."
    )
    lines = [line for text in verse.values() for line in text.split("\n") if line]
    assert [line for line in lines if line.lstrip("'\"(")[0].islower()] == []


def test_no_control_characters(quotes: list[dict[str, Any]]) -> None:
    """There are no control, format or private characters but line breaks in texts, and no replacement marks."""
    for quote in quotes:
        value = quote["text"].replace("\n", " ") + quote["author"] + quote["work"]
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp") for c in value), quote
        assert "\ufffd" not in value, quote


def test_texts_are_clean(quotes: list[dict[str, Any]]) -> None:
    """Straight quotation marks, pairs closed, no markup, a capital or a mark first, an end of sentence last."""
    for quote in quotes:
        text = quote["text"]
        assert not re.search(r"[“”‘’„«»<>\[\]{}*_|†‡&]|--|\.\.\.|…", text), quote
        assert text.count('"') % 2 == 0, quote
        assert text.count("(") == text.count(")"), quote
        assert not text[0].islower(), quote
        assert re.search(r"[.!?][\"')]*$", text), quote


def test_one_spelling_for_each_author(quotes: list[dict[str, Any]]) -> None:
    """Two authors differ by more than case, accents and punctuation."""
    authors = {quote["author"] for quote in quotes}
    assert len({fold(author) for author in authors}) == len(authors)


def test_years(quotes: list[dict[str, Any]]) -> None:
    """A year is between 3000 BCE and 1930, or not known."""
    assert [quote for quote in quotes if quote["year"] is not None and not -3000 <= quote["year"] <= 1930] == []
