"""Markdown by reading tools: Readwise, KOReader, and Obsidian's plugins for Readwise, Kindle and Kobo."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from quotefind.corpus.author_names import real_author
from quotefind.corpus.blocks import Block, Line, field_of, joined, without_location
from quotefind.corpus.fields import LONGEST_NAME, FlawError
from quotefind.corpus.front_matter import About, linked_names, tags_in
from quotefind.corpus.markdown_text import Texts
from quotefind.corpus.nodes import Found, Node
from quotefind.corpus.places import place as book_place
from quotefind.corpus.places import worded_date

_HIGHLIGHTS = re.compile(
    r"\W*(?:(?:my |kindle |kobo |readwise |book )?highlights\b|new highlights added|highlights first synced).*",
    re.IGNORECASE,
)
_PAGE = re.compile(r"page (?P<page>\S{1,20}) @ (?P<when>.{1,60})", re.IGNORECASE)
_LINK_TO_BOOK = re.compile(r"\s*\[?View in book\b")  # to a file, which is no link in CommonMark
_KEY = re.compile(r"[-*+\s]*\**(?P<key>[A-Za-z][A-Za-z ]{1,24}?)\**\s*::?\**\s*(?P<value>\S.*)")
_AUTHORS = ("author", "authors", "book author")
_TITLES = ("full title", "title", "book title", "book")
_TAGS = ("document tags", "tags")
_MARKER = re.compile(r"\s\^[A-Za-z0-9-]{1,64}\s*$|\]\((?:kindle|https?)://\S*\)\)?\s*$")
_LINK_TO_KINDLE = re.compile(r"(?:—|–|-)\s*(?:location|page):?\s*\[[^\]\n]{1,20}\]\(")


def highlights(nodes: Sequence[Node], texts: Texts, about: About) -> list[Found]:
    """Return the highlights, in lists or paragraphs, of a file that a reading tool wrote; none for any other file."""
    if koreader := list(_koreader(nodes, texts)):
        return koreader
    if any(node.kind == "quote" for node in nodes):
        return []  # a template that writes highlights as block quotes
    begin = next((at for at, node in enumerate(nodes) if _is_highlights(node, texts)), None)
    if begin is None:
        begin = next(
            (
                at - 1
                for at, node in enumerate(nodes)
                if node.kind == "paragraph" and _LINK_TO_KINDLE.search(node.inline.content)
            ),
            None,
        )
    if begin is None:
        return []
    known = _metadata(nodes[: begin + 1], texts, about)
    if known.author is None and known.work is None:
        return []
    found: list[Found] = []
    chapter: str | None = None
    level = nodes[begin].level if begin >= 0 and nodes[begin].kind == "heading" else 0
    section: list[Node] = []
    for node in [*nodes[begin + 1 :], None]:
        is_title = node is not None and node.kind == "heading" and node.markup != "-"
        if node is not None and not is_title:
            section.append(node)
            continue
        found += _section(section, texts, known, chapter)
        section, chapter = [], None
        if node is None or _is_highlights(node, texts):
            continue
        if node.level <= level:
            break  # a summary, or notes of the reader
        chapter = texts.plain(node.inline).strip() or None
    return found


def _is_highlights(node: Node, texts: Texts) -> bool:
    """Whether a heading announces highlights."""
    if node.kind != "heading" or not node.tokens or len(node.inline.content) > LONGEST_NAME:
        return False
    return _HIGHLIGHTS.fullmatch(texts.plain(node.inline)) is not None


def metadata(nodes: Sequence[Node], about: About) -> About:
    """Return `about` with what lines such as `- Author: [[Name]]` before the first quote of a note add to it."""
    first = next((at for at, node in enumerate(nodes) if node.kind == "quote"), len(nodes))
    found = _values([node for node in nodes[:first] if node.kind == "list"])
    if about.author is not None or not any(key in found for key in _AUTHORS):
        return about
    return _with(about, found, None)


def _metadata(nodes: Sequence[Node], texts: Texts, about: About) -> About:
    """Return what a file of highlights says about its book: in front matter, in lines of keys, or in its heading."""
    titles = (node for node in nodes if node.kind == "heading" and node.level == 1 and node.tokens)
    title = next((texts.plain(node.inline) for node in titles), None)
    if title is not None and (_HIGHLIGHTS.fullmatch(title) or title.casefold().strip() in ("about", "metadata")):
        title = None
    return _with(about, _values(nodes), title)


def _with(about: About, found: dict[str, str], title: str | None) -> About:
    author = about.author or next((linked_names(found[key]) for key in _AUTHORS if key in found), None)
    author = re.sub(r"\s+on Twitter$", "", author) if author else None
    work = about.work or next((linked_names(found[key]) for key in _TITLES if key in found), None) or title
    tags = [tag for key in _TAGS if key in found for tag in tags_in(found[key])]
    return About(
        real_author(author[:LONGEST_NAME]) if author else None,
        work[:LONGEST_NAME].strip() or None if work else None,
        (*about.tags, *(tag for tag in tags if tag not in about.tags)),
    )


def _values(nodes: Sequence[Node]) -> dict[str, str]:
    """Return the values of keys in the lines of lists and paragraphs; links between notes keep their brackets."""
    found: dict[str, str] = {}
    for node in nodes:
        if node.kind not in ("list", "paragraph"):
            continue
        for token in node.tokens:
            if token.type == "inline":
                for line in token.content[:20_000].split("\n"):
                    if key := _KEY.fullmatch(line[:2_000]):
                        found.setdefault(key["key"].strip().casefold(), key["value"].strip())
    return found


def _section(nodes: Sequence[Node], texts: Texts, about: About, chapter: str | None) -> Iterator[Found]:
    """Yield the highlights in the part of a document under one heading."""
    marked = any(_is_marked(node) for node in nodes if node.kind in ("paragraph", "heading"))
    each = not marked and not any(node.kind in ("rule", "heading") for node in nodes)  # paragraph is one
    waiting: list[Node] = []
    for node in nodes:
        if node.kind not in ("paragraph", "heading"):
            if waiting:
                yield _highlight(waiting, texts, about, chapter)
                waiting = []
            for item in node.items() if node.kind == "list" else ():
                if item:
                    yield _highlight(item, texts, about, chapter)
            continue
        again = marked and _is_marked(node) and any(map(_is_marked, waiting))
        if waiting and (again or (each and not _is_field(node, texts))):
            yield _highlight(waiting, texts, about, chapter)
            waiting = []
        waiting.append(node)
        if node.kind == "heading":  # a line of dashes below a paragraph makes it one
            yield _highlight(waiting, texts, about, chapter)
            waiting = []
    if waiting:
        yield _highlight(waiting, texts, about, chapter)


def _is_marked(node: Node) -> bool:
    """Whether a paragraph ends with the link to a highlight, or with an Obsidian block id."""
    return _MARKER.search(node.inline.content[-2_000:]) is not None if node.tokens else False


def _is_field(node: Node, texts: Texts) -> bool:
    try:
        lines = texts.lines(node.inline)
    except FlawError:
        return False
    return bool(lines) and field_of(lines[0].text, lines[0].raw, Block()) is not None


def _highlight(nodes: Sequence[Node], texts: Texts, about: About, chapter: str | None) -> Found:
    """Return the highlight in some paragraphs, or in an item of a list: the text, then notes and tags."""
    lines = (nodes[0].lines[0], nodes[-1].lines[1])
    body: list[list[Line]] = []
    notes: list[str] = []
    known = Block()
    complete = False  # the text has ended
    try:
        for node in nodes:
            for token in (token for token in node.tokens if token.type == "inline"):
                kept: list[Line] = []
                for line in texts.lines(token):
                    field = field_of(line.text, line.raw, known) if body or kept else None
                    if field is not None:
                        known = field
                    elif complete or node.kind == "list":
                        notes.append(line.text.strip())
                    else:
                        kept.append(line)
                if kept:
                    text, place = without_location(kept[-1].text, kept[-1].raw)
                    known = replace(known, place=known.place or place)
                    body.append([*kept[:-1], replace(kept[-1], text=text)])
            complete = complete or (node.kind in ("paragraph", "heading") and _is_marked(node))
    except FlawError as flaw:
        return Found(lines, flaw)
    place = ", ".join(filter(None, (chapter, known.place))) or None
    note = " ".join(filter(None, (known.note, *notes))) or None
    return Found(lines, replace(known, words=joined(body), place=place, note=note), about)


def _koreader(nodes: Sequence[Node], texts: Texts) -> Iterator[Found]:
    """Yield the highlights that KOReader exports, each under a heading `### Page 35 @ …`."""
    if not any(node.kind == "heading" and _page(node, texts) for node in nodes):
        return
    about, chapter = About(), None
    for at, node in enumerate(nodes):
        if node.kind != "heading" or not node.tokens:
            continue
        words = " ".join(texts.plain(node.inline).split())[:LONGEST_NAME]
        if (page := _page(node, texts)) is not None:
            end = next((other for other in range(at + 1, len(nodes)) if _is_heading(nodes[other])), len(nodes))
            yield _koreader_highlight(nodes[at:end], texts, about, chapter, page)
        elif node.level == 1:
            about, chapter = About(None, words or None), None
        elif node.level == 5:
            about = replace(about, author=real_author(words) if words else None)
        elif node.level == 2 and node.markup != "-":
            chapter = words or None


def _is_heading(node: Node) -> bool:
    return node.kind == "heading" and node.markup.startswith("#")


def _page(node: Node, texts: Texts) -> re.Match[str] | None:
    """Return the page and the date in the heading of a highlight of KOReader."""
    if node.level != 3 or not node.tokens or len(node.inline.content) > LONGEST_NAME:
        return None
    return _PAGE.fullmatch(texts.plain(node.inline).strip())


def _koreader_highlight(
    nodes: Sequence[Node], texts: Texts, about: About, chapter: str | None, page: re.Match[str]
) -> Found:
    """Return the highlight under a heading: its text, and its note after a line of dashes."""
    lines = (nodes[0].lines[0], nodes[-1].lines[1])
    body: list[list[Line]] = []
    notes: list[str] = []
    after_rule = False
    try:
        for node in nodes[1:]:
            if node.kind == "rule":
                after_rule = bool(body)
            for token in node.tokens:
                if token.type != "inline":
                    continue
                found = [line for line in texts.lines(token) if not _LINK_TO_BOOK.match(line.text)]
                if after_rule:
                    notes += [line.text for line in found]
                elif found:
                    body.append(found)
            after_rule = after_rule or (node.kind == "heading" and node.markup == "-")
    except FlawError as flaw:
        return Found(lines, flaw)
    where = book_place(chapter, page["page"])
    note = " ".join(" ".join(notes).split()) or None
    return Found(lines, Block(joined(body), None, where, note, (), worded_date(page["when"])), about)
