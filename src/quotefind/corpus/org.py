"""Org: quote blocks, with the attribution behind a dash at their end or in the line behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from quotefind.corpus.blocks import About, is_credit, split_block
from quotefind.corpus.fields import LONGEST_NAME, LONGEST_TEXT, FlawError, bad, check_length, make_quote, raw_problem
from quotefind.corpus.lines import Lines
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote

_BEGIN = re.compile(r"\s*#\+begin_quote\b", re.IGNORECASE)
_END = re.compile(r"\s*#\+end_quote\s*", re.IGNORECASE)
_HEADLINE = re.compile(r"\*+[ \t]")
_KEYWORD = re.compile(r"\s*#\+(?P<key>[a-z_]+):[ \t]*(?P<value>.*)", re.IGNORECASE)
_COMMENT = re.compile(r"\s*#(?:\s|\+|$)")
_ESCAPED = re.compile(r"^(\s*),(?=,*(?:\*|#\+))")
_BREAK = re.compile(r"\\\\\s*$")
_LINK = re.compile(r"\[\[([^\[\]\n]{1,2000})\](?:\[([^\[\]\n]{1,2000})\])?\]")
_FOOTNOTE = re.compile(r"\[fn:[^\[\]\n]{0,200}\]")
_EMPHASIS = re.compile(
    r"""(?:^|(?<=[\s\-–—({'"“]))(?P<mark>[*/_+=~])(?P<words>(?!\s)[^\n]{1,200}?(?<!\s))(?P=mark)(?=$|[\s\-–—.,;:!?'")}\]”])""",
    re.MULTILINE,
)
# A document that is to be exported: its author is who wrote the document.
_EXPORTED = {"email", "options", "latex_class", "latex_header", "html_head", "html_doctype", "export_file_name"}


def read_org(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quote blocks of an Org file, without their markup.

    A quote without an attribution is by `#+author:` and from `#+title:`, as in a note on a book; not where only the
    title is there, nor in a document that is to be exported (it has `#+email:`, `#+options:` or the like), where these
    name the document and its writer.
    All quotes have the tags of `#+filetags:`.
    """
    about: dict[str, str] = {}
    waiting: tuple[int, list[str]] | None = None  # a block that was closed; the line behind it may be its attribution
    for number, line, block in _parts(stream):
        if block is None and waiting is not None and not line.strip():
            continue
        if waiting is not None:
            credit = line if block is None and is_credit(line) else ""
            yield from _quote(name, *waiting, credit, about, options)
            waiting = None
        if isinstance(block, FlawError):
            yield bad(name, number, str(block))
        elif block is not None:
            waiting = number, block
        elif keyword := _KEYWORD.match(line):
            if problem := raw_problem(keyword["value"], options.encoding):
                yield bad(name, number, problem)
            else:
                about.setdefault(keyword["key"].casefold(), keyword["value"].strip())
    if waiting is not None:
        yield from _quote(name, *waiting, "", about, options)


def _parts(stream: TextIO) -> Iterator[tuple[int, str, list[str] | FlawError | None]]:
    """Yield each line outside of quote blocks, and each block: the number of its first line, and the lines in it."""
    source = Lines(stream)
    first = 0  # of the block that is open
    lines: list[str] = []
    flaw: FlawError | None = None
    while True:
        try:
            line = next(source)
        except StopIteration:
            break
        except FlawError as error:
            lines, flaw = [], error if first else None
            source.begin()
            continue
        if not first:
            source.begin()
            if _BEGIN.match(line):
                first = source.number
            else:
                yield source.number, line, None
        elif _END.fullmatch(line):
            yield first, "", flaw or lines
            first, lines, flaw = 0, [], None
        elif _HEADLINE.match(line):
            yield first, "", _unclosed()
            first, lines, flaw = 0, [], None
            yield source.number, line, None
        elif flaw:
            source.begin()
        else:
            lines.append(line)
    if first:
        yield first, "", flaw or _unclosed()


def _unclosed() -> FlawError:
    return FlawError("a quote block without an end; expected #+end_quote")


def _quote(
    name: str, number: int, lines: Sequence[str], credit: str, keywords: dict[str, str], options: ReadOptions
) -> Iterator[Quote | BadRecord]:
    """Yield the quote that the lines of a block make, which begins at line `number`, if there are words in it."""
    raw = "".join(lines)
    if problem := raw_problem(raw + credit, options.encoding):
        yield bad(name, number, problem)
        return
    try:
        check_length("the text", raw, LONGEST_TEXT)
    except FlawError as flaw:
        yield bad(name, number, str(flaw))
        return
    words, attribution = split_block(_blocks(lines), _plain(credit[:LONGEST_TEXT]).strip())
    about = _about(keywords)
    if attribution or any(map(str.isalnum, words)):
        credited = attribution or about
        yield make_quote(name, number, words, credited.author, credited.work, tags=[*about.tags])


def _blocks(lines: Sequence[str]) -> list[str]:
    """Return the paragraphs of a block; an item of a list that stands alone at its end keeps its dash."""
    kept = ["" if _COMMENT.match(line) else _BREAK.sub("", _ESCAPED.sub(r"\1", line)).strip() for line in lines]
    if sum(line.startswith("- ") for line in kept) == 1:
        last = next(at for at in range(len(kept) - 1, -1, -1) if kept[at])
        if kept[last].startswith("- "):
            kept[last] = f"— {kept[last][2:]}"
    text = re.sub(r"\n{2,}", "\n\n", "\n".join(kept).strip())
    return [block for block in _plain(text).split("\n\n") if block.strip()]


def _plain(text: str) -> str:
    """Return `text` without markup, links as they are shown."""
    text = _LINK.sub(lambda link: link[2] or link[1].partition("::")[0].removeprefix("file:"), text)
    text = _FOOTNOTE.sub("", text)
    for _ in range(3):  # emphasis in emphasis
        bare = _EMPHASIS.sub(r"\g<words>", text)
        if bare == text:
            break
        text = bare
    return text


def _about(keywords: dict[str, str]) -> About:
    tags = tuple(tag for tag in keywords.get("filetags", "").split(":") if tag.strip() and len(tag) <= LONGEST_NAME)
    if not _EXPORTED.isdisjoint(keywords):
        return About(tags=tags)
    author, work = (_plain(keywords.get(key, "")[:LONGEST_NAME]) or None for key in ("author", "title"))
    return About(author, work if author else None, tags)
