"""The text of Markdown paragraphs and lists as a person sees it, line by line, without the markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from quotefind.corpus.blocks import Line
from quotefind.corpus.fields import LONGEST_NAME, LONGEST_TEXT, check_length
from quotefind.corpus.front_matter import clean_links
from quotefind.corpus.nodes import Node

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)
_CREDIT_TAG = re.compile(r"<(?P<end>/?)(?:cite|footer|figcaption)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")

_EMBEDDED = re.compile(r"!\[\[[^\[\]\n]{1,300}\]\]")
_COMMENT = re.compile(r"%%[^%]*%%")
_MARKED = re.compile(r"==([^=\n]+)==|\+\+([^+\n]+)\+\+|~~([^~\n]+)~~")
_BLOCK_ID = re.compile(r"(?:^|(?<=\s))\^[A-Za-z0-9-]{1,64}\s*$")


class Texts:
    """Turns the inline tokens of one document into lines."""

    def __init__(self, parser: MarkdownIt, references: dict[str, Any]) -> None:
        """Use `parser` and the link references that it found in the document."""
        self._parser = parser
        self._references = references

    def lines(self, inline: Token) -> list[Line]:
        """Return the lines of an inline token.

        Raises:
            FlawError: it is too long for a quote.
        """
        check_length("the text", inline.content, LONGEST_TEXT)
        children: list[Token] = []
        self._parser.inline.parse(inline.content, self._parser, self._references, children)
        raw = inline.content.split("\n")
        return list(_lines(children, raw))

    def plain(self, inline: Token) -> str:
        """Return the text of an inline token, a line for each line."""
        return "\n".join(line.text for line in self.lines(inline))


def heading_words(nodes: Sequence[Node], texts: Texts) -> dict[int, str]:
    """Return the text of each heading by its position in `nodes`."""
    headings = ((at, node) for at, node in enumerate(nodes) if node.kind == "heading" and node.tokens)
    return {at: texts.plain(node.inline) for at, node in headings if len(node.inline.content) <= LONGEST_NAME}


def html_lines(content: str) -> list[Line]:
    """Return the lines of a block of HTML within a quotation, those in `<footer>` and `<cite>` as attributions."""
    found = []
    for part in _BREAK_TAG.sub("\n", content).split("\n"):
        text = without_obsidian(_TAG.sub("", part)).strip()
        if text:
            found.append(Line(text, credit=_CREDIT_TAG.match(part.strip()) is not None, raw=part))
    return found


def _lines(children: Sequence[Token], raw: Sequence[str]) -> Iterator[Line]:
    """Yield the lines of inline tokens; an attribution in tags at the end of a line becomes a separate line."""
    line = _Parts()
    depth = number = 0  # how deep emphasis is nested; which line of `raw`
    for child in children:
        if child.type in ("softbreak", "hardbreak") or _is_break(child):
            is_tag = child.type == "html_inline"
            if line.parts or is_tag or not line.after_tag:
                yield from line.ended(raw[number], hard=child.type != "softbreak")
            line = _Parts(after_tag=is_tag)
            number = min(number + (not is_tag), len(raw) - 1)
        elif child.type == "html_inline":
            line.add_tag(child.content)
        elif child.type in ("em_open", "strong_open"):
            depth += 1
        elif child.type in ("em_close", "strong_close"):
            depth -= 1
        elif child.type in ("text", "text_special", "code_inline", "image"):
            line.add(child.content, in_emphasis=depth > 0)
    if line.parts:
        yield from line.ended(raw[number], hard=False)


class _Parts:
    """The parts of one line."""

    def __init__(self, *, after_tag: bool = False) -> None:
        self.parts: list[str] = []
        self.after_tag = after_tag  # the line before it ended in <br>
        self._plain = False  # some letters are not in emphasis
        self._credit: int | None = None  # the part with which an element for attributions begins
        self._credit_end: int | None = None

    def add(self, text: str, *, in_emphasis: bool) -> None:
        self.parts.append(text)
        if any(map(str.isalnum, text)):
            self._plain = self._plain or not in_emphasis
            if self._credit_end is not None:
                self._credit = self._credit_end = None  # the sentence goes on after it

    def add_tag(self, tag: str) -> None:
        if (found := _CREDIT_TAG.fullmatch(tag)) is None:
            return
        if not found["end"]:
            self._credit = len(self.parts) if self._credit is None else self._credit
        elif self._credit is not None:
            self._credit_end = len(self.parts)

    def ended(self, raw: str, *, hard: bool) -> Iterator[Line]:
        """Yield the line, or two lines if it ends with an attribution."""
        begin = without_obsidian("".join(self.parts[: self._credit])) if self._credit is not None else ""
        rest = without_obsidian("".join(self.parts[self._credit or 0 :]))
        if begin.strip():
            yield Line(begin, raw=raw)
        yield Line(rest, not self._plain and any(map(str.isalnum, rest)), self._credit is not None, hard, raw)


def _is_break(child: Token) -> bool:
    return child.type == "html_inline" and _BREAK_TAG.fullmatch(child.content) is not None


def without_obsidian(text: str) -> str:
    """Return `text` without syntax that Obsidian hides or displays differently."""
    if "[[" in text:
        text = clean_links(_EMBEDDED.sub("", text))
    if "%%" in text:
        text = _COMMENT.sub("", text)
    if "==" in text or "++" in text or "~~" in text:
        text = _MARKED.sub(lambda mark: mark[1] or mark[2] or mark[3], text)
    return _BLOCK_ID.sub("", text) if "^" in text else text
