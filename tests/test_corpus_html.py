"""Quotations in HTML pages, and the attributions in and after them."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from quotefind.corpus import BadRecord, Listing, ReadOptions, files_of, read_file, read_stream
from quotefind.records import Quote


def found(page: str) -> list[Quote | BadRecord]:
    """Return the records of a page."""
    return list(read_stream(io.BytesIO(page.encode("utf-8", "surrogateescape")), "-", ReadOptions("html")))


def credits_of(page: str) -> list[tuple[str, str | None, str | None]]:
    """Return text, author and work of each quote of a page."""
    return [(quote.text, quote.author, quote.work) for quote in found(page) if isinstance(quote, Quote)]


@pytest.mark.parametrize(
    "page",
    [
        "<blockquote><p>Be brief.</p><footer>— Jane Austen, <cite>Emma</cite></footer></blockquote>",
        "<blockquote><p>Be brief.</p><footer>Jane Austen in <cite title='x'>Emma</cite></footer></blockquote>",
        "<blockquote><p>Be brief.</p><footer>by <cite>Jane Austen</cite>, <i>Emma</i></footer></blockquote>",
        "<blockquote><p>Be brief.</p><footer><cite>Emma</cite> by <a href='#'>Jane Austen</a></footer></blockquote>",
        "<blockquote><p>“Be brief.”</p><p class='quote-author'>Jane Austen, Emma</p></blockquote>",
        "<blockquote>Be brief. — Jane Austen, <em>Emma</em></blockquote>",
        "<blockquote>Be brief.<br>— Jane Austen, Emma</blockquote>",
        "<blockquote>Be brief.<br>- Jane Austen, Emma</blockquote>",
        "<blockquote><p>Be brief.</p></blockquote>\n<p>— Jane Austen, <em>Emma</em></p>",
        "<blockquote><p>Be brief.</p></blockquote><cite>Jane Austen, Emma</cite>",
        "<figure><blockquote>Be brief.</blockquote><figcaption>Jane Austen, <cite>Emma</cite></figcaption></figure>",
        "<figure><figure><blockquote>Be brief.</figure><figcaption>Jane Austen, <cite>Emma</figcaption>",
        "<p><q>Be brief.</q> — Jane Austen, <i>Emma</i></p>",
        "<ul><li><q>Be brief.</q> (Jane Austen, <i>Emma</i>)</li></ul>",
        "<p><q>Be brief.</q></p><p>— Jane Austen, <cite>Emma</cite></p>",
    ],
)
def test_the_attribution_is_found_wherever_pages_have_it(page: str) -> None:
    """It is in the block, after it or in the caption, marked or after a dash; a title after the name is the work."""
    assert credits_of(page) == [("Be brief.", "Jane Austen", "Emma")]


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("<p>He said <q>no way at all, sir</q> and left.</p>", []),
        ("<li><q>Word</q></li>", []),
        ("<li><q>All that glitters is not gold.</q></li>", ["All that glitters is not gold."]),
        ("<blockquote><img src='x.png' alt='words'></blockquote>", []),
        ("<blockquote>Hidden<script>x</script> <style>y</style>things</blockquote>", ["Hidden things"]),
        ("<blockquote>In <cite>Emma</cite> she writes well.</blockquote>", ["In Emma she writes well."]),
        ("<blockquote>She said <q>no</q>.</blockquote>", ["She said “no”."]),
        ("<blockquote>One <blockquote>two</blockquote> three</blockquote>", ["One two three"]),
        ("<blockquote>Fact.<sup><a href='#1'>[1]</a></sup> The 4<sup>th</sup>.</blockquote>", ["Fact. The 4th."]),
        ("<blockquote>a &lt;b&gt; &amp; c&nbsp;d<!-- e --></blockquote>", ["a <b> & c d"]),
        ("<blockquote>open <b>for ever", ["open for ever"]),
        ("<blockquote>a</blockquote><blockquote>b</blockquote", ["a", "b"]),
        ("plain text", []),
        ("", []),
    ],
)
def test_what_is_a_quotation(page: str, texts: list[str]) -> None:
    """A block is one, a <q> only where it fills its paragraph; markup, notes and what is hidden are no words."""
    assert [text for text, _, _ in credits_of(page)] == texts


def test_a_page_about_a_book_is_no_notebook_of_a_kindle(tmp_path: Path) -> None:
    """Only the headings of notes make it one; a class that other sites use for titles does not."""
    path = tmp_path / "page.html"
    path.write_text("<html><h1 class='bookTitle'>Emma</h1><blockquote>Be brief.</blockquote></html>")
    assert list(read_file(path, ReadOptions())) == [Quote("Be brief.", source=str(path), line=1)]


def test_line_breaks_of_verse_are_kept_and_those_of_the_source_are_not() -> None:
    """<br> and <pre> keep lines; paragraphs of prose become one text."""
    verse = "Roses are\nred<br>\nViolets are blue<br/>"
    assert credits_of(f"<blockquote><p>{verse}</p><cite>Old Poet</cite></blockquote>") == [
        ("Roses are red\nViolets are blue", "Old Poet", None)
    ]
    assert credits_of("<blockquote><pre>  One\n  two\n</pre></blockquote>") == [("One\ntwo", None, None)]
    assert credits_of("<blockquote><p>one\ntwo</p>\n<p>three</p></blockquote>") == [("one two three", None, None)]


def test_each_quote_has_the_line_on_which_it_begins(tmp_path: Path) -> None:
    """A page in a folder is read by its suffix; bytes that do not decode cost only their own quote."""
    path = tmp_path / "quotes.HTM"
    path.write_bytes(
        b"<html>\n<blockquote>\n<p>one</p>\n</blockquote>\n<blockquote>\xff</blockquote>\n<p>\n<q>a b c d</q>"
    )
    assert files_of(tmp_path) == Listing([path])
    first, second, third = read_file(path, ReadOptions(encoding="ascii"))
    assert first == Quote("one", source=str(path), line=2)
    assert isinstance(second, BadRecord)
    assert second.where == f"{path}:5"
    assert third == Quote("a b c d", source=str(path), line=7)
    [late] = found("<p>text\n<q></p>\n<p>one two three four</q></p>")
    assert isinstance(late, Quote)
    assert late.line == 2


@pytest.mark.parametrize(
    "unit",
    ["<!--", "<a b='", "</", "<![", "<!", "&#", "<sup>", "<b>x</b>", "<blockquote>", "<figure><q>a</q>", "<a b = c,"],
)
def test_a_page_made_to_harm_takes_no_longer_than_another(unit: str) -> None:
    """Whatever is repeated, a page of 200,000 characters is read within two seconds."""
    page = unit * (200_000 // len(unit))
    began = time.process_time()
    found(page)
    found(f"<blockquote>{page}")
    assert time.process_time() - began < 4
