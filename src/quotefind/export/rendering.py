"""How each file format writes a quote: first the usual way, then others in case it does not read back the same."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from quotefind.corpus import FORMATS
from quotefind.corpus.fields import checked_tags
from quotefind.escaping import markdown, to_json
from quotefind.records import Quote
from quotefind.text import guard_formula, one_line, wrapped

_FIELDS = ("id", "text", "author", "work", "year", "tags", "note", "place", "added")
# Parsers drop a pair of marks around a whole text, and do not look for an attribution inside it.
_MARKS = ("“”", '""', "«»", "‘’", "「」", "『』")
# The width of the lines of a fortune, in characters: a terminal of 80 columns need not wrap them.
_WIDTH = 76
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format to export to.

    Attributes:
        name: its name for `--format`.
        parser: the name of its parser in `corpus.FORMATS`.
        ways: yields pieces of a file that could represent a quote, the usual one first.
        begin: the text before the first piece.
        between: the text between two pieces.
        end: the text after the last piece.
        complete: whether the format can hold every field of a quote, not only text, author and work.
    """

    name: str
    parser: str
    ways: Callable[[Quote], Iterator[str]]
    begin: str = ""
    between: str = ""
    end: str = ""
    complete: bool = True

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of file names of this format, in lower case."""
        return FORMATS[self.parser].suffixes


def block_quote(quote: Quote) -> str:
    """Return `quote` as a Markdown block quote, with hard line breaks, and the attribution below."""
    parts = [markdown(quote.author)] if quote.author else []
    parts += [f"*{markdown(quote.work)}*"] if quote.work else []
    parts += [markdown(quote.place)] if quote.place else []
    return block(quote.text, ", ".join(parts))


def block(words: str, credit: str) -> str:
    """Return `words` as a Markdown block quote, and below them `credit`, which is already Markdown."""
    # Two blanks at the end of a line are a hard break in every Markdown; an empty line is a new paragraph.
    paragraphs = ("  \n> ".join(map(markdown, stanza.split("\n"))) for stanza in words.split("\n\n"))
    by = f">\n> — {credit}\n" if credit else ""
    return "> {}\n{}".format("\n>\n> ".join(paragraphs), by)


def _json(quote: Quote) -> str:
    return to_json({field: getattr(quote, field) for field in _FIELDS})


def _json_line(quote: Quote) -> Iterator[str]:
    yield f"{_json(quote)}\n"


def _json_item(quote: Quote) -> Iterator[str]:
    yield f"\n{_json(quote)}"


def _row(quote: Quote, delimiter: str) -> str:
    tags = "; ".join(quote.tags)
    if checked_tags(tags) != quote.tags:  # a tag contains a separator
        tags = json.dumps(quote.tags, ensure_ascii=False)
    strings = (quote.text, quote.author, quote.work, tags, quote.note, quote.place, quote.added)
    text, author, work, tags, *rest = (guard_formula(string or "") for string in strings)
    out = io.StringIO()
    row = (quote.id, text, author, work, "" if quote.year is None else quote.year, tags, *rest)
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow(row)
    return out.getvalue()


def _csv(quote: Quote) -> Iterator[str]:
    yield _row(quote, ",")


def _tsv(quote: Quote) -> Iterator[str]:
    yield _row(quote, "\t")


def _credits(quote: Quote) -> Iterator[str]:
    """Yield the ways to write author and work after a dash, without the dash; "" if neither is known."""
    author, work = quote.author, quote.work
    titles = _marked(work) if work else []
    if author:
        yield from [f"{author}, {title}" for title in titles] or [author]
        yield from [f"{title}, {author}" for title in titles[1:]]  # for names with a comma
        yield f"by {author}, {titles[0]}" if titles else f"by {author}"
        yield f"{author}, {work}." if work else f"{author}."  # parsers drop the last full stop
    elif titles:
        yield from [*titles, f"from {work}", f"from {work}."]
    else:
        yield ""


def _words_and_credits(quote: Quote) -> Iterator[tuple[str, str]]:
    """Yield the ways to write text and attribution; the last ones change the text, but at least read as a quote."""
    yield from product(_marked(quote.text), list(_credits(quote)))
    bare = one_line(_CONTROLS.sub(" ", quote.text))
    begin = next((at for at, character in enumerate(bare) if character.isalnum()), 0)
    yield from product(dict.fromkeys((bare, bare[begin:])), [*_credits(quote), ""])


def _marked(text: str) -> list[str]:
    """Return `text`, and `text` in up to two kinds of quotation marks that do not occur in it."""
    usable = [marks for marks in _MARKS if not set(marks) & set(text)]
    return [text, *(f"{marks[0]}{text}{marks[1]}" for marks in usable[:2])]


def _plain(quote: Quote) -> Iterator[str]:
    for words, credit in _words_and_credits(replace(quote, text=one_line(quote.text))):
        yield f"{words} — {credit}\n" if credit else f"{words}\n"


def _fortune(quote: Quote) -> Iterator[str]:
    for words, credit in _words_and_credits(quote):
        by = f"\t\t-- {credit}\n" if credit else ""
        if "\n" not in words:
            yield f"{wrapped(words, _WIDTH)}\n{by}%\n"
        yield f"{words}\n{by}%\n"  # in case one of the wrapped lines would have a meaning of its own


def _markdown(quote: Quote) -> Iterator[str]:
    yield block_quote(quote)
    yield block_quote(replace(quote, place=None))
    for words, credit in _words_and_credits(quote):
        yield block(words, markdown(credit))


FILE_FORMATS = {
    file_format.name: file_format
    for file_format in (
        FileFormat("jsonl", "jsonl", _json_line),
        FileFormat("csv", "csv", _csv, begin=f"{','.join(_FIELDS)}\n"),
        FileFormat("tsv", "tsv", _tsv, begin="\t".join(_FIELDS) + "\n"),
        FileFormat("json", "json", _json_item, begin="[", between=",", end="\n]\n"),
        FileFormat("markdown", "md", _markdown, between="\n", complete=False),
        FileFormat("plain", "txt", _plain, complete=False),
        FileFormat("fortune", "fortune", _fortune, complete=False),
    )
}
