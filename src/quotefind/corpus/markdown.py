"""Markdown: block quotes, with the attribution behind a dash at their end or in the paragraph behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from quotefind.corpus.attribution import Attribution, parse_attribution, split_attribution
from quotefind.corpus.fields import (
    LONGEST_TEXT,
    UNUSABLE,
    FlawError,
    bad,
    check_length,
    make_quote,
    raw_problem,
    unusable,
)
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote

if TYPE_CHECKING:
    from markdown_it.token import Token

_DASHED = re.compile(r"\s*(?:—|―|–|--)[\s—―–-]*(?=\S)")
_DASHED_BEHIND = re.compile(r"\s*(?:—|―|--)[\s—―-]*(?=\S)")
_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)


def read_markdown(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the outermost block quotes of a Markdown (CommonMark) file, without their markup."""
    from markdown_it import MarkdownIt  # not at the top: the other formats must not wait for it

    source = stream.read()
    lines = source.split("\n") if unusable(source) else []
    # What stands outside of block quotes need not be looked into.
    parser = MarkdownIt("commonmark").disable("inline")
    links: dict[str, Any] = {}
    tokens = parser.parse(UNUSABLE.sub("\ufffd", source) if lines else source, links)

    def plain(inline: Token) -> str:
        check_length("the text", inline.content, LONGEST_TEXT)
        children: list[Token] = []
        parser.inline.parse(inline.content, parser, links, children)
        return _plain(children)

    for begin, end in _block_quotes(tokens):
        first, last = tokens[begin].map or [0, 0]
        behind = tokens[end + 1 : end + 3]
        follows = behind[1] if len(behind) == 2 and behind[0].type == "paragraph_open" else None
        try:
            credit = plain(follows) if follows and len(follows.content) <= LONGEST_TEXT else ""
            blocks = _blocks(tokens[begin + 1 : end], plain)
        except FlawError as flaw:
            yield bad(name, first + 1, str(flaw))
            continue
        if not _DASHED_BEHIND.match(credit):
            credit = ""
        elif follows and follows.map:
            last = follows.map[1]
        if problem := raw_problem("\n".join(lines[first:last]), options.encoding):
            yield bad(name, first + 1, problem)
            continue
        words, attribution = _split(blocks, credit)
        if attribution is not None:
            yield make_quote(name, first + 1, words, attribution.author, attribution.work)
        elif any(map(str.isalnum, words)):  # else it held nothing but code or a picture
            yield make_quote(name, first + 1, words)


def _block_quotes(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield where each block quote that stands in no other one opens and closes."""
    depth, begin = 0, 0
    for at, token in enumerate(tokens):
        if token.type == "blockquote_open":
            begin = begin if depth else at
            depth += 1
        elif token.type == "blockquote_close":
            depth -= 1
            if not depth:
                yield begin, at


def _blocks(tokens: Sequence[Token], plain: Callable[[Token], str]) -> list[str]:
    """Return the text of each paragraph, heading and list item; a list of one item at the end keeps its dash."""
    blocks = [plain(token) for token in tokens if token.type == "inline"]
    if blocks and tokens[-1].type == "bullet_list_close" and tokens[-1].markup == "-":
        level = tokens[-1].level
        begin = max(at for at, token in enumerate(tokens) if token.type == "bullet_list_open" and token.level == level)
        if sum(token.type == "inline" for token in tokens[begin:]) == 1:
            blocks[-1] = f"— {blocks[-1]}"
    return blocks


def _plain(children: Sequence[Token]) -> str:
    """Return the text of inline tokens without their markup, a line for each line."""
    parts = []
    for child in children:
        if child.type in ("softbreak", "hardbreak") or (
            child.type == "html_inline" and _BREAK_TAG.fullmatch(child.content)
        ):
            parts.append("\n")
        elif child.type in ("text", "text_special", "code_inline", "image"):
            parts.append(child.content)
    return "".join(parts)


def _split(blocks: list[str], behind: str) -> tuple[str, Attribution | None]:
    """Return the words and the attribution of a block quote; `behind` is the credit that follows it, or nothing."""
    whole = "\n".join(blocks)
    lines = blocks[-1].split("\n") if blocks else []
    last = next((at for at in range(len(lines) - 1, -1, -1) if _DASHED.match(lines[at])), None)
    if last is not None:
        credit = _parsed(" ".join(lines[last:]))
        if credit is not None:
            return "\n".join([*blocks[:-1], *lines[:last]]), credit
    if behind and (credit := _parsed(behind)) is not None:
        return whole, credit
    return split_attribution(whole)


def _parsed(credit: str) -> Attribution | None:
    """Return the attribution of a line that begins with a dash."""
    dash = _DASHED.match(credit)
    return parse_attribution(credit[dash.end() :], own_line=True) if dash else None
