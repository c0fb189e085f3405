"""What Readwise exports: its CSV file and the JSON of its API, with what its users write into notes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from quotefind.corpus import BadRecord, ReadOptions, read_file, read_stream
from quotefind.errors import SourceError
from quotefind.records import Quote

HEADER = (
    "Highlight,Book Title,Book Author,Amazon Book ID,Note,Color,Tags,Location Type,Location,Highlighted at,"
    "Document tags\n"
)


def records(text: str, **options: Any) -> list[Quote | BadRecord]:
    """Return the records of what Readwise exports, which are all quotes or bad records."""
    read = read_stream(io.BytesIO(text.encode("utf-8", "surrogateescape")), "-", ReadOptions("readwise", **options))
    return [record for record in read if isinstance(record, Quote | BadRecord)]


def rows(*cells: tuple[str, str, str]) -> list[tuple[str, str | None, tuple[str, ...], str | None]]:
    """Return text, note, tags and place of the quotes in a table of one book made of (words, note, page)."""
    lines = [f'"{text}",Emma,Jane Austen,,"{note}",,,page,{page},,\n' for text, note, page in cells]
    found = records(HEADER + "".join(lines))
    return [(quote.text, quote.note, quote.tags, quote.place) for quote in found if isinstance(quote, Quote)]


def test_headings_are_chapters_and_no_quotes() -> None:
    """.h1 to .h6 make a heading, which holds for what comes after it in the book, whatever the order of the file."""
    assert rows(
        ("Last words", "", "40"),
        ("Chapter 2", ".h2", "30"),
        ("in chapter 1", "mine", "21"),
        ("Chapter 1", ".h2 not said", "20"),
        ("Volume One", ".h1", "10"),
        ("Preface words", "", "3"),
        ("Volume Two", ".h1", "39"),
    ) == [
        ("Last words", None, (), "Volume Two, p. 40"),
        ("in chapter 1", "mine", (), "Volume One, Chapter 1, p. 21"),
        ("Preface words", None, (), "p. 3"),
    ]


def test_words_with_a_dot_at_the_beginning_of_a_note_are_tags() -> None:
    """The rest of the note stays; a dot elsewhere, or before a digit, is no tag."""
    assert rows(
        ("one", ".favorite .deep-work Key idea", "1"),
        ("two", "see .5 and .net", "2"),
        ("three", ".5 of it", "3"),
        ("four", ".glück", "4"),
    ) == [
        ("one", "Key idea", ("favorite", "deep-work"), "p. 1"),
        ("two", "see .5 and .net", (), "p. 2"),
        ("three", ".5 of it", (), "p. 3"),
        ("four", None, ("glück",), "p. 4"),
    ]


def test_parts_are_one_quote() -> None:
    """.c1, .c2 and so on are joined in the order of their numbers, with their notes, at the place of the first."""
    assert rows(
        ("and goes on,", ".c2 second", "7"),
        ("It begins", ".c1 .best first", "7"),
        ("and ends.", ".c3", "8"),
        ("Another", "", "9"),
        ("not a part", ".c2", "10"),
    ) == [
        ("It begins and goes on, and ends.", "first second", ("best",), "p. 7"),
        ("Another", None, (), "p. 9"),
        ("not a part", None, (), "p. 10"),
    ]


def test_what_has_no_words_is_no_quote() -> None:
    """Pictures and links are left out; a picture within words is dropped, the words stay."""
    found = rows(
        ("![](https://example.org/x.png)", "", "1"),
        ("https://example.org/only-a-link", "", "2"),
        ("before ![a b](https://example.org/x.png) after", "", "3"),
        ("see https://example.org/x", "", "4"),
    )
    assert [text for text, *_ in found] == ["before after", "see https://example.org/x"]


@pytest.mark.parametrize(
    ("kind", "location", "place"),
    [
        ("page", "12", "p. 12"),
        ("location", "3140", "location 3140"),
        ("", "37", "location 37"),
        ("order", "5", None),
        ("page", "", None),
    ],
)
def test_the_place_is_the_page_or_the_location(kind: str, location: str, place: str | None) -> None:
    """What only counts highlights is no place; the date is kept."""
    [quote] = records(f"{HEADER}Words,Emma,Jane Austen,,,,,{kind},{location},2020-10-05 10:15:00+00:00,\n")
    assert isinstance(quote, Quote)
    assert (quote.place, quote.added) == (place, "2020-10-05T10:15:00+00:00")


def test_a_csv_file_of_readwise_is_known_by_its_header(tmp_path: Path) -> None:
    """Without an option its headings are no quotes; lines, formulas and bad rows are as in any table."""
    path = tmp_path / "readwise-data.csv"
    good = '"One\ntwo",Emma,Jane Austen,,\'=not()a formula,,"a, b",page,1,,"[\'c\']"\n'
    path.write_bytes(f'{HEADER}Part One,Emma,Jane Austen,,.h1,,,,,,\n{good}"open"x,\n'.encode() + b"caf\xe9,,,\n")
    found = [record for record in read_file(path, ReadOptions(encoding="ascii")) if not isinstance(record, str)]
    quote = next(record for record in found if isinstance(record, Quote))
    assert (quote.text, quote.note, quote.tags, quote.line) == ("One\ntwo", "=not()a formula", ("a", "b", "c"), 3)
    assert [record.where.rpartition(":")[2] for record in found if isinstance(record, BadRecord)] == ["5", "6"]


def test_the_file_that_readwise_imports_is_known_too(tmp_path: Path) -> None:
    """Its template has other columns, and notes mean the same."""
    path = tmp_path / "import.csv"
    path.write_text(
        "Highlight,Title,Author,URL,Note,Location,Date\nOne,Emma,Jane Austen,,.h1,1,\ntwo,Emma,Jane Austen,,.x y,9,\n"
    )
    [quote] = [record for record in read_file(path, ReadOptions()) if isinstance(record, Quote)]
    assert (quote.text, quote.tags, quote.note, quote.place) == ("two", ("x",), "y", "One, location 9")


def api(**page: Any) -> str:
    """Return a page of the API as JSON."""
    return json.dumps({"count": 1, "nextPageCursor": None, **page}, indent=1)


def test_the_json_of_the_api_is_read(tmp_path: Path) -> None:
    """Books with their highlights, known by their keys; tags are objects, deleted highlights are left out."""
    emma = {
        "title": "Emma",
        "author": "Jane Austen",
        "book_tags": [{"id": 1, "name": "novel"}],
        "highlights": [
            {"text": "Volume One", "location": 1, "location_type": "page", "note": ".h1", "tags": [{"name": "h1"}]},
            {
                "text": "Silly\nthings",
                "location": 14,
                "location_type": "page",
                "note": ".love nice",
                "tags": [{"id": 2, "name": "favorite"}],
                "highlighted_at": "2020-03-03T10:00:00.123Z",
            },
            {"text": "deleted", "is_deleted": True},
        ],
    }
    other = {"title": "Walden", "author": None, "highlights": [{"text": "Simplify.", "note": None, "location": None}]}
    path = tmp_path / "export.json"
    for text in (api(results=[emma, other]), json.dumps([emma, other], indent=1)):
        path.write_text(text)
        first, second = read_file(path, ReadOptions())
        assert isinstance(first, Quote)
        assert isinstance(second, Quote)
        assert "Silly" in text.splitlines()[(first.line or 0)]
        assert (first.text, first.author, first.work) == ("Silly\nthings", "Jane Austen", "Emma")
        assert (first.note, first.tags) == ("nice", ("favorite", "novel", "love"))
        assert (first.place, first.added) == ("Volume One, p. 14", "2020-03-03T10:00:00+00:00")
        assert (second.text, second.author, second.work, second.place) == ("Simplify.", None, "Walden", None)


def test_highlights_without_books_are_read() -> None:
    """The other list of the API has no titles."""
    [quote] = records(api(results=[{"id": 1, "text": "Know thyself.", "note": "", "book_id": 3, "tags": []}]))
    assert isinstance(quote, Quote)
    assert (quote.text, quote.work) == ("Know thyself.", None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("quote,by\na,b\n", "no column 'Highlight'; the columns are 'quote', 'by'; expected the CSV file"),
        ('{"detail": "Invalid token."}', "no results; expected the CSV file that Readwise exports, or the JSON"),
        ('{"results": [', "no valid JSON|not valid JSON"),
    ],
)
def test_anything_else_is_refused(text: str, problem: str) -> None:
    """The message says what is missing and what was expected."""
    with pytest.raises(SourceError, match=problem):
        records(text)
    assert records("") == []
