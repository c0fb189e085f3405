"""The parts of a document in order (headings, paragraphs, block quotes, lists), and the quotes found in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quotefind.corpus.blocks import Block
from quotefind.corpus.fields import FlawError
from quotefind.corpus.front_matter import About

if TYPE_CHECKING:
    from markdown_it.token import Token

_KINDS = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "blockquote_open": "quote",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "hr": "rule",
    "html_block": "html",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a document.

    Attributes:
        kind: "heading", "paragraph", "quote", "list", "rule", "html" or "other".
        lines: the number of its first line, from 0, and of the line after its last.
        tokens: its tokens, without its own opening and closing tokens.
        level: the level of a heading, 1 to 6.
        markup: its markup characters.
        content: the content of a block of HTML.
    """

    kind: str
    lines: tuple[int, int]
    tokens: Sequence[Token] = ()
    level: int = 0
    markup: str = ""
    content: str = ""

    @property
    def inline(self) -> Token:
        """The text of a heading or a paragraph."""
        return self.tokens[0]

    def items(self) -> list[list[Node]]:
        """Return the parts of each item of a list."""
        return [nodes_of(inner) for _, inner in _parts(self.tokens)]


@dataclass(frozen=True, slots=True)
class Found:
    """A quote that was found: its lines, from 0, its content or what is wrong with it, and its attribution.

    `about` overrides the front matter of the note for this quote; None to use the front matter.
    """

    lines: tuple[int, int]
    block: Block | FlawError
    about: About | None = None


def nodes_of(tokens: Sequence[Token]) -> list[Node]:
    """Return the outermost parts of the document with these tokens."""
    nodes = []
    for token, inner in _parts(tokens):
        lines = (token.map[0], token.map[1]) if token.map else (0, 0)
        level = int(token.tag[1:]) if token.type == "heading_open" else 0
        nodes.append(Node(_KINDS.get(token.type, "other"), lines, inner, level, token.markup, token.content))
    return nodes


def _parts(tokens: Sequence[Token]) -> Iterator[tuple[Token, Sequence[Token]]]:
    """Yield each outermost token, and the tokens between it and its closing token."""
    at = 0
    while at < len(tokens):
        end = at
        if tokens[at].nesting == 1:
            end = next(
                close
                for close in range(at + 1, len(tokens))
                if tokens[close].nesting == -1 and tokens[close].level == tokens[at].level
            )
        yield tokens[at], tokens[at + 1 : end]
        at = end + 1
