"""Markdown block quotes, with the attribution in them, after them, or in a heading."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from quotefind.corpus.attribution import Attribution, name_attribution, own_line_attribution, place_of
from quotefind.corpus.blocks import Block, Line, credit_after, field_of, is_credit, split_block
from quotefind.corpus.fields import FlawError
from quotefind.corpus.front_matter import About
from quotefind.corpus.headings import credit_by_headings
from quotefind.corpus.html_quotes import read_html
from quotefind.corpus.markdown_text import Texts, heading_words, html_lines
from quotefind.corpus.nodes import Found, Node
from quotefind.corpus.options import ReadOptions
from quotefind.records import Quote

_CALLOUT = re.compile(r"\[!(?P<kind>[\w-]+)(?:\|[^\]\n]*)?\][+-]?[ \t]*(?P<title>[^\n]*)")
_QUOTED = ("quote", "cite")  # other call-outs hold the words of the note's writer
_CITEKEY = re.compile(r"\[?@[\w:.-]+\]?")


def block_quotes(nodes: Sequence[Node], texts: Texts, about: About) -> list[Found]:
    """Return the outermost block quotes, including call-outs of the types quote and cite.

    The title of a call-out is its attribution if it has no other and the note names no author.
    """
    found: dict[int, list[Found]] = {}
    used: set[int] = set()
    for at, node in enumerate(nodes):
        if node.kind == "quote" and at not in used:
            quote, after = _quote(nodes, at, texts, about)
            used.update(range(at + 1, at + 1 + after))
            found[at] = [quote] if quote else []
        elif node.kind == "html" and "<blockquote" in node.content.casefold():
            found[at] = _html_quotes(node)
        elif node.kind == "list" and any(token.type == "blockquote_open" for token in node.tokens):
            found[at] = [quote for item in node.items() for quote in block_quotes(item, texts, about)]
    if not any(found.values()):
        return []
    words = heading_words(nodes, texts)
    quotes = credit_by_headings(nodes, found, used, words, about)
    return _of_a_book(nodes, quotes, words, about)


def _of_a_book(nodes: Sequence[Node], quotes: list[Found], words: Mapping[int, str], about: About) -> list[Found]:
    """Return the quotes with their book and chapters, if a plugin wrote the highlights of a book, each with its date.

    In that case the first heading is the title, and the headings below it are the chapters.
    """
    dated = [isinstance(quote.block, Block) and quote.block.added is not None for quote in quotes]
    first = next(iter(words), None)
    if about.author or about.work or not all(dated) or first is None or nodes[first].level != 1:
        return quotes
    book = About(None, words[first], about.tags)
    chapters = [(nodes[at].lines[0], words[at]) for at in words if nodes[at].level > 1]
    found = []
    for quote in quotes:
        chapter = next((title for line, title in reversed(chapters) if line < quote.lines[0]), None)
        block = quote.block
        if isinstance(block, Block) and block.place is None:
            block = replace(block, place=chapter)
        found.append(replace(quote, block=block, about=book))
    return found


def _quote(nodes: Sequence[Node], at: int, texts: Texts, about: About) -> tuple[Found | None, int]:
    """Return the block quote at `at`, if it is one, and how many of the nodes after it belong to it."""
    node = nodes[at]
    first, last = node.lines
    try:
        paragraphs, note = _paragraphs(node, texts)
        callout = _CALLOUT.match(paragraphs[0][0].text) if paragraphs and paragraphs[0] else None
        if callout and callout["kind"].casefold() not in _QUOTED:
            return None, 0
        title = callout["title"].strip() if callout else ""
        if callout:
            paragraphs = [
                lines for lines in (paragraphs[0][1:], *paragraphs[1:]) if any(line.text.strip() for line in lines)
            ]
            if not paragraphs:
                paragraphs, title = [[Line(title)]], ""
        after, extra, count = _after(nodes, at, texts)
        block = split_block(paragraphs, after)
    except FlawError as flaw:
        return Found((first, last), flaw), 0
    if after and block.attribution is None and block.added is None:
        count = 0
    block = replace(
        block,
        note=" ".join(filter(None, (block.note, note, extra.note))) or None,
        tags=(*block.tags, *extra.tags),
        place=block.place or extra.place,
        added=block.added or extra.added,
    )
    if title and title.casefold() not in _QUOTED:
        block = _with_title(block, title, about)
    if not block.attribution and not any(map(str.isalnum, block.words)):
        return None, 0  # it contains only code or a picture
    if count:
        last = nodes[at + count].lines[1]
    return Found((first, last), block), count


def _paragraphs(node: Node, texts: Texts) -> tuple[list[list[Line]], str]:
    """Return the lines of each paragraph, heading and item of a list, and the note in a call-out within."""
    paragraphs: list[list[Line]] = []
    note: list[str] = []
    for token in node.tokens:
        if token.type == "html_block":
            paragraphs.append(html_lines(token.content))
        elif token.type == "inline":
            lines = texts.lines(token)
            callout = _CALLOUT.match(lines[0].text) if lines and paragraphs else None
            if callout and callout["kind"].casefold() not in _QUOTED:
                note += [line.text for line in lines[1:]]
            elif note or callout:
                note += [line.text for line in lines]
            else:
                paragraphs.append(lines)
    if paragraphs and node.tokens[-1].type == "bullet_list_close" and paragraphs[-1]:
        level = node.tokens[-1].level
        opens = [
            at for at, token in enumerate(node.tokens) if token.type == "bullet_list_open" and token.level == level
        ]
        if sum(token.type == "inline" for token in node.tokens[opens[-1] :]) == 1:
            last = paragraphs[-1][0]  # the only item of the last list, which may be an attribution
            paragraphs[-1][0] = replace(last, text=f"- {last.text}")
    return [lines for lines in paragraphs if lines], " ".join(note).strip()


def _has_words(lines: Sequence[Line]) -> bool:
    return any(line.text.strip() for line in lines)


def _after(nodes: Sequence[Node], at: int, texts: Texts) -> tuple[str, Block, int]:
    """Return the attribution after the block quote at `at`, other facts stated there, and the number of their nodes."""
    credit, extra, count = "", Block(), 0
    for node in nodes[at + 1 : at + 4]:
        if node.kind == "quote" and not count and (note := _annotation(nodes[at], node, texts)):
            extra, count = replace(extra, note=note), 1
            continue
        lines = _lines_after(node, texts)
        known: Block | None = extra if lines else None
        for line in lines:
            known = known and field_of(line.text, line.raw, known)
        if known is not None:
            extra, count = known, count + 1
            continue
        words = " ".join(line.text for line in lines)
        if credit or not lines or not _is_attribution(node, lines, words):
            break
        mark = "- " if node.kind == "list" else "— " if lines[0].marked and not is_credit(words) else ""
        credit, count = f"{mark}{words}", count + 1
    return credit, extra, count


def _lines_after(node: Node, texts: Texts) -> list[Line]:
    """Return the lines of a paragraph, or of a short list without anything in its items, after a block quote."""
    if node.kind == "paragraph":
        return texts.lines(node.inline)
    if node.kind != "list" or len(node.tokens) > 6 * 5:
        return []
    items = node.items()
    if not all(len(item) == 1 and item[0].kind == "paragraph" for item in items):
        return []
    return [line for item in items for line in texts.lines(item[0].inline)]


def _is_attribution(node: Node, lines: Sequence[Line], words: str) -> bool:
    """Whether a paragraph, or a list of one item, that follows a block quote is its attribution."""
    if node.kind == "list":
        return len(lines) == 1 and node.markup in "-" and own_line_attribution(f"- {words}") is not None
    if is_credit(words):
        attribution, added = credit_after(words)
        return attribution is not None or added is not None
    if len(lines) > 1:
        return False
    if lines[0].marked:
        return name_attribution(words, least=2) is not None
    return own_line_attribution(words) is not None


def _annotation(quote: Node, node: Node, texts: Texts) -> str | None:
    """Return the text of a `[!note]` call-out without a title, which annotates the quote call-out right before it."""
    inlines = [token for token in node.tokens if token.type == "inline"]
    before = next((token for token in quote.tokens if token.type == "inline"), None)
    if not inlines or before is None or not _CALLOUT.match(before.content):
        return None
    callout = _CALLOUT.match(inlines[0].content)
    if callout is None or callout["title"].strip() or callout["kind"].casefold() in _QUOTED:
        return None
    return " ".join(texts.plain(token) for token in inlines).partition("]")[2].lstrip("+-").strip() or None


def _with_title(block: Block, title: str, about: About) -> Block:
    """Return `block` with the information in the title of its call-out: an attribution, a place or a section title."""
    if block.attribution is not None:
        return block
    if place := place_of(title):
        return replace(block, place=block.place or place)
    if about.author is not None:
        if about.work is None:
            return replace(block, attribution=Attribution(about.author, title))
        return replace(block, place=block.place or title)
    if _CITEKEY.fullmatch(title):
        return replace(block, attribution=Attribution(None, title.strip("[]")))
    attribution = own_line_attribution(title) if is_credit(title) else name_attribution(title)
    return replace(block, attribution=attribution, place=block.place or (attribution.place if attribution else None))


def _html_quotes(node: Node) -> list[Found]:
    """Return the quotations in a block of HTML."""
    found = []
    for quote in read_html(io.StringIO(node.content), "-", ReadOptions()):
        if isinstance(quote, Quote):
            known = bool(quote.author or quote.work)
            attribution = Attribution(quote.author, quote.work) if known else None
            first = node.lines[0] + (quote.line or 1) - 1
            found.append(Found((first, node.lines[1]), Block(quote.text, attribution, quote.place)))
    return found
