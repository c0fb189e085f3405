"""How each format writes a quote: the usual way first, then others for quotes that would not be read back right."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from quotefind.corpus import FORMATS
from quotefind.corpus.fields import checked_tags
from quotefind.escaping import markdown, to_json
from quotefind.records import Quote
from quotefind.text import guard_formula, wrapped

_FIELDS = ("id", "text", "author", "work", "year", "tags", "note")
# Readers drop a pair of marks around a whole text, and find no attribution within.
_MARKS = ("“”", '""', "«»", "‘’", "「」", "『』")
# Width of a line of a fortune, which nothing breaks once more on a terminal of 80 columns.
_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Shape:
    """A format to write.

    Attributes:
        name: what `--format` calls it.
        reader: the name in `corpus.FORMATS` of the one that reads it.
        ways: gives the pieces of a file that could stand for a quote, the usual one first.
        begin: what stands before the first piece.
        between: what stands between two.
        end: what stands behind the last.
        whole: whether it has places for years, tags and notes.
    """

    name: str
    reader: str
    ways: Callable[[Quote], Iterator[str]]
    begin: str = ""
    between: str = ""
    end: str = ""
    whole: bool = True

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of names of files of this format, in lower case."""
        return FORMATS[self.reader].suffixes


def block_quote(quote: Quote) -> str:
    """Return `quote` as a block quote of Markdown, its attribution below, the title in italics."""
    parts = [markdown(quote.author)] if quote.author else []
    parts += [f"*{markdown(quote.work)}*"] if quote.work else []
    return _block_quote(quote.text, ", ".join(parts))


def _block_quote(words: str, credit: str) -> str:
    by = f">\n> — {credit}\n" if credit else ""
    return f"> {markdown(words)}\n{by}"


def _json(quote: Quote) -> str:
    return to_json({field: getattr(quote, field) for field in _FIELDS})


def _json_line(quote: Quote) -> Iterator[str]:
    yield f"{_json(quote)}\n"


def _json_item(quote: Quote) -> Iterator[str]:
    yield f"\n{_json(quote)}"


def _row(quote: Quote, delimiter: str) -> str:
    tags = "; ".join(quote.tags)
    if checked_tags(tags) != quote.tags:  # a tag holds what would part it from itself
        tags = json.dumps(quote.tags, ensure_ascii=False)
    strings = (quote.text, quote.author or "", quote.work or "", tags, quote.note or "")
    text, author, work, tags, note = map(guard_formula, strings)
    out = io.StringIO()
    row = (quote.id, text, author, work, "" if quote.year is None else quote.year, tags, note)
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow(row)
    return out.getvalue()


def _csv(quote: Quote) -> Iterator[str]:
    yield _row(quote, ",")


def _tsv(quote: Quote) -> Iterator[str]:
    yield _row(quote, "\t")


def _credits(quote: Quote) -> Iterator[str]:
    """Yield the ways to write author and work behind a dash, without it; nothing where neither is known."""
    author, work = quote.author, quote.work
    titles = _marked(work) if work else []
    if author:
        yield from [f"{author}, {title}" for title in titles] or [author]
        yield from [f"{title}, {author}" for title in titles[1:]]  # for names with a comma
        yield f"by {author}, {titles[0]}" if titles else f"by {author}"
        yield f"{author}, {work}." if work else f"{author}."  # of a line of its own the full stop is dropped
    elif titles:
        yield from [*titles, f"from {work}", f"from {work}."]
    else:
        yield ""


def _said(quote: Quote) -> Iterator[tuple[str, str]]:
    """Yield the ways to write words and attribution."""
    yield from product(_marked(quote.text), list(_credits(quote)))


def _marked(text: str) -> list[str]:
    """Return `text`, and `text` in two kinds of quotation marks that do not occur in it."""
    usable = [marks for marks in _MARKS if not set(marks) & set(text)]
    return [text, *(f"{marks[0]}{text}{marks[1]}" for marks in usable[:2])]


def _plain(quote: Quote) -> Iterator[str]:
    for words, credit in _said(quote):
        yield f"{words} — {credit}\n" if credit else f"{words}\n"


def _fortune(quote: Quote) -> Iterator[str]:
    for words, credit in _said(quote):
        by = f"\t\t-- {credit}\n" if credit else ""
        yield f"{wrapped(words, _WIDTH)}\n{by}%\n"
        yield f"{words}\n{by}%\n"  # where a line of its own would mean something


def _markdown(quote: Quote) -> Iterator[str]:
    yield block_quote(quote)
    for words, credit in _said(quote):
        yield _block_quote(words, markdown(credit))


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("jsonl", "jsonl", _json_line),
        Shape("csv", "csv", _csv, begin=f"{','.join(_FIELDS)}\n"),
        Shape("tsv", "tsv", _tsv, begin="\t".join(_FIELDS) + "\n"),
        Shape("json", "json", _json_item, begin="[", between=",", end="\n]\n"),
        Shape("markdown", "md", _markdown, between="\n", whole=False),
        Shape("plain", "txt", _plain, whole=False),
        Shape("fortune", "fortune", _fortune, whole=False),
    )
}
