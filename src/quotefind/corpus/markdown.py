"""Markdown: block quotes, with the attribution behind a dash at their end or in the paragraph behind them.

What Obsidian adds is known: call-outs, links between notes, names of blocks, and what a note says of itself at its top.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from quotefind.corpus.attribution import Attribution, parse_attribution
from quotefind.corpus.blocks import About, is_credit, parse_credit, split_block
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
from quotefind.corpus.front_matter import clean_links, front_matter
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote

if TYPE_CHECKING:
    from markdown_it.token import Token

_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)

_CALLOUT = re.compile(r"\[!(?P<kind>[\w-]+)(?:\|[^\]\n]*)?\][+-]?[ \t]*(?P<title>[^\n]*)(?:\n|$)")
_QUOTED = ("quote", "cite")  # others hold what the writer of the note says
_EMBEDDED = re.compile(r"!\[\[[^\[\]\n]{1,300}\]\]")
_COMMENT = re.compile(r"%%[^%]*%%")
_MARKED = re.compile(r"==([^=\n]+)==")
_BLOCK_ID = re.compile(r"(?:^|(?<=\s))\^[A-Za-z0-9-]{1,64}\s*$")


def read_markdown(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the outermost block quotes of a Markdown (CommonMark) file, without their markup.

    A call-out is one if it is a `[!quote]`; the title of that is its attribution, if it has no other. A quote without
    an attribution is by the author, and from the book, that the note names at its top; all have the tags of the note.
    """
    from markdown_it import MarkdownIt  # not at the top: the other formats must not wait for it

    about, source = front_matter(stream.read())
    if problem := raw_problem("".join((about.author or "", about.work or "", *about.tags)), options.encoding):
        yield bad(name, 1, problem)
        about = About()
    lines = source.split("\n") if unusable(source) else []
    # What stands outside of block quotes need not be looked into.
    parser = MarkdownIt("commonmark").disable("inline")
    links: dict[str, Any] = {}
    tokens = parser.parse(UNUSABLE.sub("\ufffd", source) if lines else source, links)

    def plain(inline: Token) -> str:
        check_length("the text", inline.content, LONGEST_TEXT)
        children: list[Token] = []
        parser.inline.parse(inline.content, parser, links, children)
        return _without_obsidian(_plain(children))

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
        if not is_credit(credit):
            credit = ""
        elif follows and follows.map:
            last = follows.map[1]
        if problem := raw_problem("\n".join(lines[first:last]), options.encoding):
            yield bad(name, first + 1, problem)
            continue
        words, attribution = _split(blocks, credit)
        if attribution or any(map(str.isalnum, words)):  # else it held nothing but code or a picture
            credited = attribution or about
            yield make_quote(name, first + 1, words, credited.author, credited.work, tags=[*about.tags])


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
    """Return the words and the attribution of a block quote or call-out; `behind` is the credit that follows it.

    A call-out that is not a quotation has no words.
    """
    callout = _CALLOUT.match(blocks[0]) if blocks else None
    if callout is None:
        return split_block(blocks, behind)
    if callout["kind"].casefold() not in _QUOTED:
        return "", None
    title = callout["title"].strip()
    blocks = [block for block in (blocks[0][callout.end() :], *blocks[1:]) if block.strip()]
    if not blocks:
        return split_block([title], behind)
    words, attribution = split_block(blocks, behind)
    if attribution is None and title.casefold() not in _QUOTED:
        attribution = parse_credit(title) or parse_attribution(title)
    return words, attribution


def _without_obsidian(text: str) -> str:
    """Return `text` without what Obsidian shows otherwise, or not at all."""
    if "[[" in text:
        text = clean_links(_EMBEDDED.sub("", text))
    if "%%" in text:
        text = _COMMENT.sub("", text)
    if "==" in text:
        text = _MARKED.sub(r"\1", text)
    return _BLOCK_ID.sub("", text) if "^" in text else text
