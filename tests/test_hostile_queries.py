"""SQL and the syntax of full-text search in requests and conditions: only text, and found where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_tools import Cli
from fake_encoder import FakeEncoder, FakeModels
from hypothesis import given, settings
from hypothesis import strategies as st

from quotefind.corpus.fields import checked_name, make_quote
from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.index.local.writer import open_to_write
from quotefind.index.sources import Source
from quotefind.records import Quote
from quotefind.search import FindOptions, find, search_terms
from quotefind.stores import open_index
from quotefind.text import fold, normalise

SYNTAX = [
    "x' OR 1=1 --",
    'x" OR "1"="1',
    "'; DROP TABLE quotes; --",
    "NEAR(love war, 5)",
    "love AND NOT war",
    "text : love",
    "{text words} : love",
    "words MATCH 'love'",
    "^love*",
    "lo_e lov%",
    "love\\",
    "-love +war",
    "(love",
    "love)",
    '""love""',
    "love\0war",
    "rowid:1 bm25(words)",
    "👩‍👩‍👧 愛 é ﬁ ǅ İ",
    "[love] ?1 :a @b $c",
]
_KEYWORDS = ["love", "NEAR", "AND", "OR", "NOT", "rowid", "text", "words", "NULL", "1e999", "--", "''"]
_SIGNS = '"%_*^:-(){}+,;\\\0\ufffe\u0301👩愛éı²'
_WORDS = st.sampled_from([*_KEYWORDS, *_SIGNS]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_REQUESTS = st.lists(_WORDS, min_size=1, max_size=6).map(" ".join).filter(str.strip)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Index, FakeEncoder]]:
    """An index whose texts, authors, works and tags are SYNTAX, opened, and the encoder that made it."""
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "quotes.jsonl"
    texts = [text.replace("\0", " ") for text in SYNTAX]
    path.write_text("".join(f"{json.dumps({'text': t, 'author': t, 'work': t, 'tags': [t]})}\n" for t in texts))
    encoder = FakeEncoder()
    with open_to_write(folder / "index", FakeModels(encoder)) as writer:
        assert writer.update([Source(str(path))]).added == len(SYNTAX)
    with open_index(folder / "index") as index:
        yield index, encoder


@pytest.mark.parametrize("text", SYNTAX)
def test_a_quote_is_found_by_its_own_words(hostile: tuple[Index, FakeEncoder], text: str) -> None:
    """Whatever the words would mean to SQLite, the quote that holds them is among those that share words."""
    index, encoder = hostile
    stored = normalise(text.replace("\0", " "))
    ranking = index.search_words(search_terms(text), 99)
    assert stored in {quote.text for quote in index.quotes(ranking.rows)}
    [hits] = find(index, encoder, [text], FindOptions(top=99, hybrid=True))
    assert stored in {hit.quote.text for hit in hits}


@pytest.mark.parametrize("text", SYNTAX)
def test_a_condition_is_only_text(hostile: tuple[Index, FakeEncoder], text: str) -> None:
    """An author, a work or a tag is found by its very name, and no name matches all of them."""
    index, _ = hostile
    stored = normalise(text.replace("\0", " "))
    for where in (Filter(authors=(text,)), Filter(works=(text,)), Filter(tags=(text,))):
        found = {quote.text for quote in index.quotes(index.rows_where(where))}
        assert stored in found
        assert all(fold(text) in fold(other) for other in found)


@settings(max_examples=80)
@given(request=_REQUESTS)
def test_no_request_breaks_a_search(hostile: tuple[Index, FakeEncoder], request: str) -> None:
    """Any request is answered, by meaning and by shared words, with all that there is."""
    index, encoder = hostile
    [hits] = find(index, encoder, [request], FindOptions(top=99, hybrid=True))
    assert len(hits) == index.count
    ranking = index.search_words(request.split(), 99)
    assert all(0 < score <= 1 for score in ranking.scores)


@settings(max_examples=80)
@given(
    authors=st.lists(_REQUESTS, max_size=2), works=st.lists(_REQUESTS, max_size=2), tags=st.lists(_REQUESTS, max_size=2)
)
def test_no_condition_breaks_a_search(
    hostile: tuple[Index, FakeEncoder], authors: list[str], works: list[str], tags: list[str]
) -> None:
    """Any condition selects those quotes whose names hold it, or is refused because it names nothing."""
    index, _ = hostile
    try:
        where = Filter(tuple(authors), tuple(works), tuple(tags))
    except UsageError:
        assert not all(map(fold, (*authors, *works, *tags)))
        return
    for quote in index.quotes(index.rows_where(where)):
        assert not authors or any(fold(name) in fold(quote.author or "") for name in authors)
        assert not tags or {fold(tag) for tag in tags} & {fold(tag) for tag in quote.tags}


@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_a_name_is_kept_as_it_is(name: str) -> None:
    """Quotation marks, backslashes and signs of SQL in a name are part of it."""
    quote = make_quote("-", 1, "text", name)
    assert isinstance(quote, Quote)
    assert quote.author == checked_name("author", name)
    assert (quote.author or "").replace(" ", "") == normalise(f"x{name}")[1:].replace(" ", "") or not name.isascii()


@pytest.mark.parametrize("text", [text for text in SYNTAX if "\0" not in text])
def test_the_commands_take_it_for_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The same through the command line: found with exit code 0, in one line of an answer, nothing on stderr."""
    cli = Cli(tmp_path, monkeypatch)
    cli.index([{"text": f"{text} love", "author": text, "tags": [text]}, {"text": "war", "author": "Ann"}])
    for option in ("--author", "--tag"):
        found = cli("find", f"?{text}", "--hybrid", option, text, "--format", "jsonl")
        assert (found.code, found.texts, found.err) == (0, [f"{normalise(text)} love"], "")
