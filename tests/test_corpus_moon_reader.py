"""The `.mrexpt` file that Moon+ Reader exports."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from quotefind.corpus import BadRecord, Listing, ReadOptions, files_of, read_file, read_stream
from quotefind.records import Quote

HEAD = "7\nindent:false\ntrim:false\n"


def block(
    text: str, *, title: str = "Emma", file: str = "/sdcard/Books/Emma - Jane Austen.epub", note: str = ""
) -> str:
    """Return a highlight as Moon+ Reader writes it."""
    time = "1583232000000"
    return f"#\n1\n{title}\n{file}\n{file.lower()}\n8\n0\n40\n13\n-256\n{time}\n\n{note}\n{text}\n0\n0\n0\n"


def found(text: str) -> list[Quote | BadRecord]:
    """Return the records of an exported file."""
    return list(read_stream(io.BytesIO(text.encode()), "-", ReadOptions(input_format="moon-reader")))


def test_highlights_are_read_with_note_chapter_and_date(tmp_path: Path) -> None:
    """Each has 16 lines after a #; the chapter is counted from 1; a bookmark, which has no text, is left out."""
    path = tmp_path / "Emma.mrexpt"
    path.write_text(
        HEAD + block("Silly things", note="for the<BR>talk") + block("") + block("One half"), newline="\r\n"
    )
    assert files_of(tmp_path) == Listing([path])
    common = {"author": "Jane Austen", "work": "Emma", "source": str(path), "place": "ch. 9"}
    date = "2020-03-03T10:40:00+00:00"
    assert list(read_file(path, ReadOptions())) == [
        Quote("Silly things", **common, line=5, note="for the talk", added=date),
        Quote("One half", **common, line=39, added=date),
    ]


@pytest.mark.parametrize(
    ("title", "file", "author"),
    [
        ("Emma", "/sdcard/Emma - Jane Austen.epub", "Jane Austen"),
        ("Emma", "/sdcard/Jane Austen - Emma.epub", "Jane Austen"),
        ("Emma", "/sdcard/Emma (Austen, Jane) (z-lib.org).epub", "Jane Austen"),
        ("The Time Machine", "/sdcard/the_time_machine - H. G. Wells.fb2", "H. G. Wells"),
        ("Emma", "/sdcard/Emma_ A Novel - Jane Austen.epub", "Jane Austen"),
        ("Emma", "/sdcard/Emmanuel - Some Writer.epub", None),
        ("Emma", "/sdcard/novels - volume 1.epub", None),
        ("Emma", "/sdcard/Emma.epub", None),
    ],
)
def test_the_author_is_in_the_name_of_the_file(title: str, file: str, author: str | None) -> None:
    """It is what the name of the file has beside the title, if the title is there."""
    [quote] = found(HEAD + block("words", title=title, file=file))
    assert isinstance(quote, Quote)
    assert (quote.work, quote.author) == (title, author)


def test_a_note_may_be_the_sign_that_separates() -> None:
    """A # as a note does not end the highlight."""
    first, second = found(HEAD + block("one", note="#") + block("two"))
    assert [quote.text for quote in (first, second) if isinstance(quote, Quote)] == ["one", "two"]


def test_what_is_no_highlight_costs_only_itself() -> None:
    """Lines are missing, or bytes are wrong: a bad record with its line, and the next highlight is read."""
    broken = "#\n1\nEmma\n" + "x\n" * 13
    first, second = found(HEAD + broken + block("two"))
    assert isinstance(first, BadRecord)
    assert (first.where, first.problem.startswith("not a highlight; expected the .mrexpt file")) == ("-:5", True)
    assert isinstance(second, Quote)
    assert found("") == found(HEAD) == []
