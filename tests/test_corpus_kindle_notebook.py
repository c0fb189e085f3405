"""The notebook that the Kindle apps export, as HTML in two layouts and as CSV."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from quotefind.corpus import BadRecord, ReadOptions, read_file, read_stream
from quotefind.errors import SourceError
from quotefind.records import Quote

FIXTURES = Path(__file__).parent / "fixtures" / "kindle-notebook"


def found(text: str, encoding: str = "utf-8") -> list[Quote | BadRecord]:
    """Return the records of a notebook."""
    return list(read_stream(io.BytesIO(text.encode()), "-", ReadOptions("kindle-notebook", encoding)))


def page(*entries: tuple[str, str]) -> str:
    """Return the HTML of a notebook made of (heading, words)."""
    fields = "".join(f'<div class="noteHeading">{a}</div><div class="noteText">{b}</div>\n' for a, b in entries)
    return f'<div class="bookTitle">Emma</div><div class="authors">Austen, Jane</div>\n{fields}'


def test_the_page_of_the_app_is_known_by_what_is_in_it() -> None:
    """Highlights have note, chapter, page and location; bookmarks and notes far from a highlight are left out."""
    path = FIXTURES / "app.html"
    book = {"author": "Ruth Roe, Jan Doe", "work": "The Letters of a Gardener", "source": str(path)}
    assert list(read_file(path, ReadOptions())) == [
        Quote(
            "Seeds keep their own calendar & their own counsel.",
            **book,
            line=20,
            note="for the talk",
            place="First Spring, p. 12, location 1180",
        ),
        Quote("Patience is a tool that nobody lends.", **book, line=36, place="Second Spring, location 2004"),
    ]


def test_the_page_with_tags_that_do_not_match_is_read() -> None:
    """The Mac app closes headings with the wrong tags and puts the section before the page; German works the same."""
    first, second = read_file(FIXTURES / "mac.html", ReadOptions())
    assert isinstance(first, Quote)
    assert isinstance(second, Quote)
    assert (first.text, first.note) == ("Wer sät, muss warten können.", "für den Mai")
    assert (first.author, first.work) == ("Ruth Roe", "Die Briefe einer Gärtnerin")
    assert (first.place, second.place) == ("I. Vor dem Säen, p. 7, location 119", "I. Vor dem Säen, p. 9, location 150")
    assert (second.text, second.note) == ("Regen zählt nicht mit.", None)


def test_the_csv_file_is_known_by_its_head() -> None:
    """Title and author are above the table; words may go over lines, and a page may be there for a location."""
    path = FIXTURES / "app.csv"
    first, second = read_file(path, ReadOptions())
    assert first == Quote(
        'Seeds keep their own "calendar", and their own counsel.',
        "Ruth Roe",
        "THE LETTERS OF A GARDENER",
        source=str(path),
        line=9,
        note="for the talk",
        place="location 1180",
    )
    assert isinstance(second, Quote)
    assert (second.place, second.line) == ("p. 40", 12)


@pytest.mark.parametrize(
    ("place", "note"),
    [
        ("Page 12 · Location 364", "mine"),
        ("Page 13 · Location 380", "mine"),
        ("Page 40 · Location 900", None),
        ("Page 11 · Location 300", None),
    ],
)
def test_a_note_belongs_to_the_highlight_before_it_if_it_is_near(place: str, note: str | None) -> None:
    """Only where a highlight begins is known, so a note some locations later counts as one on it."""
    [quote] = found(page(("Highlight(yellow) - Page 12 · Location 364", "words"), (f"Note - {place}", "mine")))
    assert isinstance(quote, Quote)
    assert quote.note == note


def test_several_notes_on_one_highlight_are_one_note() -> None:
    """They are joined in their order."""
    note = "Note - Page 3"
    [quote] = found(page(("Highlight(yellow) - Page 3", "words"), (note, "first"), (note, "second")))
    assert isinstance(quote, Quote)
    assert quote.note == "first second"


def test_bytes_that_do_not_decode_cost_one_highlight() -> None:
    """The record is named by its line, and the next one is read."""
    first, second = found(page(("Highlight - Page 3", "café"), ("Highlight - Page 4", "tea")), "ascii")
    assert isinstance(first, BadRecord)
    assert (first.where, first.problem[:15]) == ("-:2", "not valid ascii")
    assert isinstance(second, Quote)


def test_another_table_is_refused() -> None:
    """A CSV file without the line of dashes is an error that says what was expected."""
    with pytest.raises(SourceError, match=r"^-: no table below a line of dashes; expected the notebook"):
        found("quote,author\na,b\n")
    assert found("") == []
