"""Markdown: block quotes, highlights that reading tools write, and lists of quotes.

Obsidian's additions are supported: call-outs, links between notes, block ids and front matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TextIO

from quotefind.corpus.attribution import Attribution
from quotefind.corpus.blocks import Block
from quotefind.corpus.fields import LONGEST_NAME, UNUSABLE, FlawError, bad, make_quote, raw_problem, unusable
from quotefind.corpus.front_matter import About, front_matter, linked_names
from quotefind.corpus.markdown_blocks import block_quotes
from quotefind.corpus.markdown_highlights import highlights, metadata
from quotefind.corpus.markdown_lists import listed_quotes
from quotefind.corpus.markdown_text import Texts
from quotefind.corpus.nodes import nodes_of
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote

_DATAVIEW = re.compile(
    r"^[ \t]*(?:[-*+][ \t]+)?[(\[]?\**(?P<key>author|authors|by|book|title|full title|source)\**::\**[ \t]*"
    r"(?P<value>\S[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)


def read_markdown(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a Markdown (CommonMark) file, without their markup.

    They are the highlights, in a file that a reading tool wrote; else the outermost block quotes, including call-outs
    of the types quote and cite; else, in a file about quotes, the list items and the paragraphs. A quote without an
    attribution gets the author and the book that the note names. All quotes get the tags of the note.
    """
    from markdown_it import MarkdownIt  # not at the top: other formats do not need it

    about, source = front_matter(stream.read())
    if problem := raw_problem("".join((about.author or "", about.work or "", *about.tags)), options.encoding):
        yield bad(name, 1, problem)
        about = About()
    about = _with_fields(about, source)
    lines = source.split("\n") if unusable(source) else []
    # What is outside of quotes need not be parsed inline.
    parser = MarkdownIt("commonmark").disable("inline")
    references: dict[str, Any] = {}
    tokens = parser.parse(UNUSABLE.sub("\ufffd", source) if lines else source, references)
    texts = Texts(parser, references)
    nodes = nodes_of(tokens)
    found = highlights(nodes, texts, about)
    if not found:
        about = metadata(nodes, about)
        found = block_quotes(nodes, texts, about) or listed_quotes(nodes, texts, name, about)
    for quote in found:
        first, last = quote.lines
        if isinstance(quote.block, FlawError):
            yield bad(name, first + 1, str(quote.block))
        elif problem := raw_problem("\n".join(lines[first:last]), options.encoding):
            yield bad(name, first + 1, problem)
        else:
            yield from _quote(name, first + 1, quote.block, quote.about or about)


def _with_fields(about: About, source: str) -> About:
    """Return `about` with what Dataview's fields, such as `Author:: [[Name]]`, add to it."""
    if about.author is not None or "::" not in source:
        return about
    values: dict[str, str] = {}
    for field in _DATAVIEW.finditer(source):
        values.setdefault(field["key"].casefold(), linked_names(field["value"]))
    author = next((values[key] for key in ("author", "authors", "by") if values.get(key)), None)
    if not author or len(author) > LONGEST_NAME:
        return about
    titles = (values.get(key) for key in ("book", "full title", "title", "source"))
    work = about.work or next((title for title in titles if title and len(title) <= LONGEST_NAME), None)
    return replace(about, author=author, work=work)


def _quote(name: str, line: int, block: Block, about: About) -> Iterator[Quote | BadRecord]:
    """Yield the quote in a block, if the block has words."""
    credit = block.attribution
    if credit is None or (credit.author is None and credit.work is None):
        credit = Attribution(about.author, about.work)
    if not credit.author and about.author:
        credit = replace(credit, author=about.author)
    yield make_quote(
        name,
        line,
        block.words,
        credit.author,
        credit.work,
        credit.year,
        tags=list(dict.fromkeys([*about.tags, *block.tags])),
        note=block.note,
        place=block.place,
        added=block.added,
        keep_lines=True,
    )
