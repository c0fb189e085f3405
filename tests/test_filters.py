"""Filters: the table of conditions, and that each way to apply it says the same as plain words do."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from fake_encoder import FakeEncoder
from library import Library

from quotefind.errors import UsageError
from quotefind.index.filters import FIELDS, Filter, Kind, sql
from quotefind.index.lance.filters import condition_of
from quotefind.records import Quote
from quotefind.stores import open_index


def quote(author: str | None = None, work: str | None = None, *tags: str, text: str = "hope") -> Quote:
    """Return a quote."""
    return Quote(text, author, work, None, tags)


# A condition, a quote that satisfies it and one that does not; each is clear from the words of the documentation.
CASES = {
    "a number begins a word": (Filter(works=("9",)), quote(work="9 letters"), quote(work="1949 letters")),
    "a number inside a title": (Filter(works=("49",)), quote(work="Letters of 49"), quote(work="Letters of 1949")),
    "a name begins a word": (Filter(authors=("ann",)), quote("Anna Ash"), quote("Johann Bach")),
    "words follow each other": (Filter(authors=("emily bron",)), quote("Emily Brontë"), quote("Emily Jane Brontë")),
    "no blanks in Chinese": (Filter(authors=("白",)), quote("李白"), quote("杜甫")),
    "an unknown author": (Filter(authors=("ann",)), quote("Ann"), quote(None)),
    "the last name first": (Filter(authors=("Jane Austen",)), quote("Austen, Jane"), quote("Austen Jane")),
    "asked with the last name first": (Filter(authors=("Austen, Jane",)), quote("Jane Austen"), quote("Jane Ash")),
    "particles": (Filter(authors=("Ludwig van Beethoven",)), quote("Beethoven, Ludwig van"), quote("Beethoven, Karl")),
    "another order is another name": (Filter(authors=("James Henry",)), quote("Henry, James"), quote("Henry James")),
    "any of two names": (Filter(authors=("ann", "bob")), quote("Bob"), quote("Carl")),
    "both an author and a work": (Filter(("ann",), ("sea",)), quote("Ann", "Sea"), quote("Ann", "Land")),
    "a whole tag": (Filter(tags=("love",)), quote(None, None, "Love"), quote(None, None, "love letters")),
    "as long as allowed": (Filter(max_chars=4), quote(text="hope"), quote(text="hopes")),
    "nothing is that short": (Filter(max_chars=1), quote(text="h"), quote(text="ho")),
    "no tags": (Filter(untagged=True), quote(), quote(None, None, "love")),
}


def text_of(name: str, *, right: bool) -> str:
    """Return the text of a quote of a case in the index: its own, or that of the case where only length matters."""
    where, *both = CASES[name]
    return both[not right].text if where.max_chars is not None else f"{name}: {right}"


@pytest.fixture(scope="module", params=["index", "index.lance"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """An index in each store with all quotes of the cases."""
    folder = tmp_path_factory.mktemp("filters")
    made = Library(folder / request.param, folder / "sources", FakeEncoder())
    lines = [
        json.dumps({"text": text_of(name, right=n == 0), "author": q.author, "work": q.work, "tags": list(q.tags)})
        for name, (_, *both) in CASES.items()
        for n, q in enumerate(both)
    ]
    made.update(made.write("a.jsonl", *lines))
    return made


@pytest.mark.parametrize("name", CASES)
def test_a_quote_is_admitted(name: str) -> None:
    """A condition admits the quote that satisfies it, and not the other."""
    where, right, wrong = CASES[name]
    assert (where.admits(right), where.admits(wrong)) == (True, False)


@pytest.mark.parametrize("name", CASES)
def test_both_stores_find_it(library: Library, name: str) -> None:
    """In each store a condition finds the quote that satisfies it, and not the other."""
    with open_index(library.directory) as index:
        found = {quote.text for quote in index.quotes(index.rows_where(CASES[name][0]).tolist())}
    assert text_of(name, right=True) in found
    assert text_of(name, right=False) not in found


def test_the_table_has_every_condition() -> None:
    """Each attribute of a filter is in the table, but for `proposed`, which only changes what a tag matches."""
    assert {field.name for field in FIELDS} == {field.name for field in fields(Filter)} - {"proposed"}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_each_condition_is_known_to_both_stores(field: object) -> None:
    """A condition that is set makes a filter true, and both kinds of SQL name what it looks at."""
    values = {Kind.NAME: ("a",), Kind.TAG: ("a",), Kind.AT_MOST: 0, Kind.EMPTY: True}
    where = Filter(**{field.name: values[field.kind]})  # type: ignore[attr-defined]
    assert where
    assert field.of in sql(where)[0]  # type: ignore[attr-defined]
    assert field.of in (condition_of(where) or "")  # type: ignore[attr-defined]


def test_without_conditions_everything_is_admitted() -> None:
    """A filter without conditions is false, admits every quote, and is no condition of either store."""
    where = Filter()
    assert not where
    assert where.admits(quote())
    assert (sql(where), condition_of(where)) == (("1", []), None)


def test_a_string_is_one_name() -> None:
    """`Filter(authors="Twain")` is a filter for Twain, not for the letters of that name."""
    assert Filter(authors="Twain") == Filter(authors=("Twain",))  # type: ignore[arg-type]
    assert not Filter(authors="Twain").admits(quote("Tom Winter"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "what"), [("authors", "author"), ("works", "work"), ("tags", "tag")])
def test_a_name_without_a_letter_is_refused(field: str, what: str) -> None:
    """A name of signs alone, which would match everything, is an error that says which condition it is for."""
    with pytest.raises(UsageError, match=f"The {what} '!' has no letter or digit"):
        Filter(**{field: ("!",)})  # type: ignore[arg-type]
