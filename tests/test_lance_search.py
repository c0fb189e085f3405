"""Searching a Lance index: every answer is that of a local index with the same quotes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from two_stores import Both, quick

from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.lance import vector_index
from quotefind.index.lance.filters import literal
from quotefind.search import FindOptions, find
from quotefind.similarity import unit_rows
from quotefind.stores import open_index, verify
from quotefind.tagging import propose_tags
from quotefind.text import fold

lance = pytest.importorskip("lance", reason="the extra scale is not installed")

WORDS = ("hope", "fear", "dust", "snake_case", "café", "love")
AUTHORS = (None, "Emily Brontë", "Charlotte O'Brontë", "Robert'); DROP TABLE quotes; --", '100% "Quoted" \\n', "曹雪芹")
WORKS = (None, "Wuthering Heights", "It's a %_work", "紅樓夢")
TAGS = ("self-love", "it's", "hope", "New York", "Été")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Two indexes of the same 72 quotes: some by two authors, some removed, some with proposed tags."""
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        both = Both(tmp_path_factory.mktemp("search"))
        gone = both.write("gone.txt", "hope that is gone", "dust that is gone")
        both.update(gone)
        both.write("gone.txt", "fear 9", "hope hope and hope, the house that no one's hope has built")
        records = []
        for number, words in enumerate(itertools.product(WORDS, WORDS, ("", "and more of it"))):
            record: dict[str, Any] = {"text": " ".join([*words, str(number % 3)]).replace("  ", " ")}
            names = {"author": AUTHORS[number % 6], "work": WORKS[number % 4]}
            records.append({**record, **{k: v for k, v in names.items() if v}, "tags": list(TAGS[: number % 6])})
        records += [records[7] | {"author": "Somebody Else"}, records[13] | {"author": "Somebody Else"}]
        both.update(both.write("a.jsonl", *map(json.dumps, records)))
        both.update()
        for library in both.libraries:
            with open_index(library.directory) as index, library.writer() as writer:
                propose_tags(index, library.encoder, ["hope", "it's"], min_score=0.2).write(writer)
        both.agree()
        yield both


def test_the_name_of_a_last_quote_is_completed(tmp_path: Path) -> None:
    """Names are completed from all quotes, however many come before the one that has the name."""
    both = Both(tmp_path)
    lines = [f"A line with the number {number}. -- Common Author" for number in range(10_001)]
    both.lance.update(both.write("many.txt", "\n\n".join([*lines, "The last line. -- Rare Author"])))
    with open_index(both.lance.directory) as index:
        assert index.count == 10_002
        assert index.names("author", "rar") == ["Rare Author"]


FILTERS = {
    "author": Filter(authors=("bronte",)),
    "author in words": Filter(authors=("emily bron",)),
    "author with a quotation mark": Filter(authors=("o'bronte",)),
    "author with SQL": Filter(authors=("robert'); drop",)),
    "author with signs": Filter(authors=('100% "quoted"',)),
    "author in a script without case": Filter(authors=("雪芹",)),
    "two authors": Filter(authors=("emily", "曹")),
    "no such author": Filter(authors=("' OR '1'='1",)),
    "not the middle of a word": Filter(authors=("ronte",)),
    "work": Filter(works=("heights",)),
    "work with a quotation mark": Filter(works=("it's a",)),
    "work in a script without case": Filter(works=("樓夢",)),
    "tag": Filter(tags=("hope",)),
    "tag with a quotation mark": Filter(tags=("IT'S",)),
    "tag with an accent": Filter(tags=("ete",)),
    "tags": Filter(tags=("new york", "été")),
    "no part of a tag": Filter(tags=("york",)),
    "proposed": Filter(tags=("hope",), proposed=True),
    "proposed with a quotation mark": Filter(tags=("it's",), proposed=True),
    "length": Filter(max_chars=16),
    "no length": Filter(max_chars=0),
    "untagged": Filter(untagged=True),
    "untagged and proposed": Filter(tags=("hope",), proposed=True, untagged=True),
    "all": Filter(authors=("bronte",), works=("heights", "it's"), tags=("hope", "it's"), max_chars=30),
}
EMPTY = {"no such author", "not the middle of a word", "no part of a tag", "no length"}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_admits_the_same(both: Both, name: str) -> None:
    """Both find the rows of the quotes that `Filter.admits` admits, and so do the hits of a search."""
    where = FILTERS[name]
    rows = both.matching(where)
    assert (rows == []) == (name in EMPTY)
    with open_index(both.lance.directory) as index:
        every = index.rows_where(Filter()).tolist()
        admitted = [row for row, quote in zip(every, index.quotes(every), strict=True) if where.admits(quote)]
    assert rows == admitted
    (hits,) = both.find(["hope and dust"], where=where, top=100)
    assert len(hits) == len(rows)


REQUESTS = ("hope", "café and fear", "snake_case", "quotes about the dust of cafe", "nothing known", "hope's 1")
WAYS = {
    "plain": {},
    "one": {"top": 1},
    "everything": {"top": 1000},
    "least score": {"min_score": 0.4},
    "unreachable score": {"min_score": 1.1},
    "diverse": {"diverse": True},
    "one of each author": {"one_per_author": True, "top": 20},
    "words": {"hybrid": True},
    "words of all": {"hybrid": True, "top": 100},
    "words and diverse": {"hybrid": True, "diverse": True, "top": 12},
    "words, each author once": {"hybrid": True, "one_per_author": True},
    "words with a filter": {"hybrid": True, "where": Filter(authors=("bronte",), tags=("it's",)), "top": 30},
    "words with a least score": {"hybrid": True, "min_score": 0.3, "top": 30},
    "diverse with a filter": {"diverse": True, "where": Filter(works=("heights",)), "top": 9},
    "away from": {"unlike": ("fear", "dust 1")},
    "like a text": {"like": "love and dust"},
    "like a text it holds": {"like": "hope fear 2", "top": 8},
    "like a text away from another": {"like": "café love", "unlike": ("dust",), "hybrid": True, "diverse": True},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_search_gives_the_same(both: Both, way: str) -> None:
    """For many queries at once both return the same hits in the same order, with scores within 1e-5."""
    found = both.find(REQUESTS, **WAYS[way])
    assert len(found) == len(REQUESTS)
    assert any(found) == (way != "unreachable score")


def test_hits_like_a_quote(both: Both) -> None:
    """Quotes like one named by its id, or the beginning of it, are the same in both, without that quote."""
    quote = next(quote for quote in both.lance.quotes() if quote.author == "Somebody Else")
    assert quote.id is not None
    for like in (quote.id, quote.id[:10], quote.id.upper()[:12]):
        (hits,) = both.find([""], like=like, top=100)
        assert quote.id not in {name for name, _ in hits}
        assert len(hits) == both.lance_count() - 2
    (hits,) = both.find(["fear"], like=quote.id, unlike=("hope",), top=4)
    assert len(hits) == 4


def test_an_unknown_id_is_refused(both: Both) -> None:
    """An unknown id is an error, and so is an empty query."""
    with open_index(both.lance.directory) as index:
        with pytest.raises(UsageError, match="has the id"):
            find(index, both.lance.encoder, [""], FindOptions(like="0123456789abcdef"))
        with pytest.raises(UsageError, match="empty"):
            find(index, both.lance.encoder, [" "])
        assert index.row_of("") is None
        assert index.row_of("' OR 1=1 --") is None


def test_ties_go_by_row(both: Both) -> None:
    """Quotes with equal scores are in the order in which they were added, however few are asked for."""
    request = both.lance.encoder.vectors(["words that nothing shares 0"])
    with open_index(both.lance.directory) as index, open_index(both.matrix.directory) as matrix:
        (whole,) = matrix.search(request, matrix.count)
        for k in (1, 2, 5, 20, matrix.count, matrix.count + 5):
            (ranking,) = index.search(request, k)
            assert ranking.rows.tolist() == whole.rows[:k].tolist()


def test_what_stands_beside_a_search(both: Both) -> None:
    """Both stores return the same vectors, digests, rows with proposals and rows with a text."""
    with open_index(both.lance.directory) as index, open_index(both.matrix.directory) as matrix:
        rows = index.rows_where(Filter())
        np.testing.assert_array_equal(index.vectors(rows[::-1]), matrix.vectors(rows[::-1]))
        twice = [int(rows[3]), int(rows[0]), int(rows[3])]
        assert index.quotes(twice) == matrix.quotes(twice)
        assert index.quotes([]) == []
        assert index.rows_with_proposals().tolist() == matrix.rows_with_proposals().tolist() != []
        assert index.ids_by_tag() == matrix.ids_by_tag()
        assert index.digest(rows) == index.digest(rows) != index.digest(rows[1:])
        with pytest.raises(ValueError, match="finite"):
            index.search(np.full((1, 32), np.nan, np.float32), 3)


@pytest.mark.parametrize("text", ["", "'", "''", "a'b", "\\'", '"', "--", ";", "%_", "\n", "\x00x", "曹", "🜚'"])
def test_a_literal_is_that_text(tmp_path: Path, text: str) -> None:
    """The SQL literal of any text is equal to that text and to no other."""
    import pyarrow as pa

    held = pa.table({"text": [text, text + "x", "other"]})
    dataset = lance.write_dataset(held, str(tmp_path / "texts.lance"))
    found = dataset.to_table(filter=f"text = {literal(text)}")["text"].to_pylist()
    assert found == [text]


NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["'", "' OR ''='", "%", "_", "\\", "emily", "o'b", "紅", "è"]
)


@settings(max_examples=60, deadline=None)
@given(
    authors=st.lists(NAMES, max_size=2),
    works=st.lists(NAMES, max_size=2),
    tags=st.lists(NAMES, max_size=2),
    proposed=st.booleans(),
    max_chars=st.none() | st.integers(-1, 40) | st.sampled_from([2**31, 2**40]),
    untagged=st.booleans(),
)
def test_no_text_breaks_a_condition(
    both: Both,
    authors: list[str],
    works: list[str],
    tags: list[str],
    proposed: bool,
    max_chars: int | None,
    untagged: bool,
) -> None:
    """The SQL condition of any filter is valid and admits the quotes that `Filter.admits` admits."""
    known = [tuple(name for name in names if fold(name)) for names in (authors, works, tags)]
    where = Filter(*known, max_chars=max_chars, proposed=proposed and bool(known[2]), untagged=untagged)
    with open_index(both.lance.directory) as index:
        every = index.rows_where(Filter()).tolist()
        admitted = [row for row, quote in zip(every, index.quotes(every), strict=True) if where.admits(quote)]
        assert index.rows_where(where).tolist() == admitted


def many_texts(count: int = 2000) -> list[str]:
    """Return texts of many words, so that their vectors point in all directions."""
    rng = np.random.default_rng(3)
    return [" ".join(f"w{word}" for word in rng.integers(0, 400, 12)) for _ in range(count)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Two indexes of 2000 quotes; the Lance index is approximate, as if these were many."""
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        patch.setattr(vector_index, "LARGE", 200)
        both = Both(tmp_path_factory.mktemp("large"))
        both.update(both.write("a.txt", *many_texts()))
        yield both


def test_an_approximate_index_says_what_it_finds(large: Both) -> None:
    """A large dataset has an approximate index that reaches the required recall, and reports it."""
    with open_index(large.lance.directory) as index:
        facts = index.storage()
        assert facts["search"] == "approximate"
        assert facts["recall_at_10"] >= 0.98
        assert facts["bytes"] > 2000 * 32 * 4
        assert verify(index) == index.count >= 2000
        queries = unit_rows(np.random.default_rng(1).normal(size=(60, 32)).astype(np.float32))
        found = index.search(queries, 10)
    with open_index(large.matrix.directory) as matrix:
        truth = matrix.search(queries, 10)
    shares = [len(set(a.rows) & set(b.rows)) / 10 for a, b in zip(found, truth, strict=True)]
    assert np.mean(shares) >= 0.95
    for one, true in zip(found, truth, strict=True):
        places = dict(zip(true.rows, true.scores, strict=True))
        assert all(abs(places.get(row, score) - score) < 1e-5 for row, score in zip(one.rows, one.scores, strict=True))


def test_recall_is_measured_with_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recall of an approximate index is measured once, when it is built, with queries as users write them."""
    quick(monkeypatch)
    monkeypatch.setattr(vector_index, "LARGE", 1000)
    both = Both(tmp_path)
    both.update(both.write("a.txt", *many_texts(300)))
    encoder = both.lance.encoder
    assert encoder.asked == []
    monkeypatch.setattr(vector_index, "LARGE", 200)
    both.update(both.write("a.txt", *many_texts(301)))
    measured = list(encoder.asked)
    assert "quotes about friendship" in measured
    assert len(measured) == len(set(measured)) > 100
    both.update(both.write("a.txt", *many_texts(302)))
    assert encoder.asked == measured


def test_an_exact_search_beside_an_approximate_index(large: Both) -> None:
    """With `exact` every quote is compared, and the answer is that of a local index, with and without a filter."""
    queries = large.lance.encoder.vectors(many_texts(2040)[1990:])
    for where in (None, Filter(max_chars=45)):
        with open_index(large.matrix.directory) as matrix, open_index(large.lance.directory, exact=True) as index:
            for one, other in zip(index.search(queries, 25, where), matrix.search(queries, 25, where), strict=True):
                assert one.rows.tolist() == other.rows.tolist()
                np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_an_approximate_index_covers_what_came_later(large: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes that were added after the vector index was built are found by it."""
    quick(monkeypatch)
    monkeypatch.setattr(vector_index, "LARGE", 200)
    large.update(large.write("b.txt", "a line that came later than all the others"))
    (hits,) = large.find(["a line that came later than all the others"], top=1)
    assert hits[0][1] == pytest.approx(1.0, abs=1e-5)
