"""Markdown without block quotes: the list items and paragraphs of a file about quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from quotefind.corpus.attribution import name_attribution
from quotefind.corpus.blocks import Block, Line, credit_after, field_of, split_block
from quotefind.corpus.fields import LONGEST_NAME, FlawError
from quotefind.corpus.front_matter import About
from quotefind.corpus.headings import credit_by_headings
from quotefind.corpus.markdown_text import Texts, heading_words
from quotefind.corpus.nodes import Found, Node

_ABOUT_QUOTES = re.compile(
    r"quotes?|quotations?|sayings?|aphorisms?|proverbs?|citations?|zitate?|sprüche|citas|frases|citazioni|citaten|citat"
    r"|cytaty|citáty|цитаты|名言|語録|语录|epigraphs?|maxims?|commonplace",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")
_MOST_PARAGRAPHS = 100_000


def listed_quotes(nodes: Sequence[Node], texts: Texts, name: str, about: About) -> list[Found]:
    """Return the list items and the paragraphs of a file about quotes; none for any other file.

    A file is about quotes if its name or a heading says so, or if at least half of these have an attribution.
    """
    found: dict[int, list[Found]] = {}
    used: set[int] = set()
    nodes = [_as_heading(node, texts) for node in nodes]
    for at, node in enumerate(nodes[:_MOST_PARAGRAPHS]):
        if at in used or node.kind not in ("list", "paragraph"):
            continue
        if node.kind == "list":
            found[at] = [quote for item in node.items() if (quote := _item(item, texts))]
            continue
        after = _credit(nodes[at + 1], texts) if at + 1 < len(nodes) else ""
        used.update({at + 1} if after else ())
        quote = _paragraph(node, texts, after)
        found[at] = [quote] if quote else []
    quotes = [quote for several in found.values() for quote in several]
    credited = sum(isinstance(quote.block, Block) and _is_credited(quote.block) for quote in quotes)
    if not _is_plain(nodes) or not (2 * credited >= len(quotes) or _is_about_quotes(nodes, texts, name, about)):
        return []
    return credit_by_headings(nodes, found, used, heading_words(nodes, texts), about)


def _as_heading(node: Node, texts: Texts) -> Node:
    """Return a heading for a paragraph that is only a name in bold; any other node as it is."""
    if node.kind == "paragraph" and node.inline.content[:2] in ("**", "__") and len(node.inline.content) < LONGEST_NAME:
        lines = texts.lines(node.inline)
        if len(lines) == 1 and lines[0].marked and name_attribution(lines[0].text):
            return replace(node, kind="heading", level=6)
    return node


def _is_credited(block: Block) -> bool:
    return block.attribution is not None and block.attribution.author is not None


def _is_plain(nodes: Sequence[Node]) -> bool:
    """Whether there are only headings, lists and paragraphs, and no code, as in the documentation of programs."""
    return all(node.kind != "other" for node in nodes)


def _is_about_quotes(nodes: Sequence[Node], texts: Texts, name: str, about: About) -> bool:
    """Whether the name of the file, its tags or its first headings announce quotes."""
    names = [PurePath(name).name.partition(".")[0].replace("_", " "), *about.tags]
    for node in [node for node in nodes if node.kind == "heading" and node.tokens][:3]:
        if len(node.inline.content) < 1_000:
            names.append(texts.plain(node.inline))
    return any(_ABOUT_QUOTES.fullmatch(word) for words in names for word in _WORD.findall(words))


def _item(nodes: Sequence[Node], texts: Texts) -> Found | None:
    """Return the quote in a list item; a nested item may be its attribution, its tags or its note."""
    if not nodes:
        return None
    lines = (nodes[0].lines[0], nodes[-1].lines[1])
    paragraphs: list[list[Line]] = []
    known, after = Block(), ""
    try:
        for node in nodes:
            if node.kind == "paragraph":
                paragraphs.append(texts.lines(node.inline))
            elif node.kind == "list" and paragraphs:
                for line in (line for t in node.tokens if t.type == "inline" for line in texts.lines(t)):
                    if (field := field_of(line.text, line.raw, known)) is not None:
                        known = field
                    elif not after and credit_after(f"- {line.text}")[0] is not None:
                        after = f"- {line.text}"
                    elif not after and credit_after(line.text)[0] is not None:
                        after = line.text
                    else:
                        known = replace(known, note=" ".join(filter(None, (known.note, line.text))))
    except FlawError as flaw:
        return Found(lines, flaw)
    return _found(lines, split_block(paragraphs, after), known)


def _paragraph(node: Node, texts: Texts, after: str) -> Found | None:
    """Return the quote in a paragraph, unless it is an image, a link or the like."""
    try:
        lines = texts.lines(node.inline)
    except FlawError as flaw:
        return Found(node.lines, flaw)
    return _found(node.lines, split_block([lines], after), Block())


def _found(lines: tuple[int, int], block: Block, known: Block) -> Found | None:
    block = replace(
        block, note=block.note or known.note, tags=(*block.tags, *known.tags), added=block.added or known.added
    )
    return Found(lines, block) if any(map(str.isalnum, block.words)) else None


def _credit(node: Node, texts: Texts) -> str:
    """Return the attribution that a paragraph states, or ""."""
    if node.kind != "paragraph" or len(node.inline.content) > 1_000 or "\n" in node.inline.content:
        return ""
    words = texts.plain(node.inline)
    return words if credit_after(words)[0] is not None else ""
