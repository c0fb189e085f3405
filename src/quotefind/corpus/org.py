"""Org: quote blocks, with the attribution after a dash at their end, on the line after them, or in a headline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from quotefind.corpus.attribution import Attribution
from quotefind.corpus.blocks import Line, is_credit, split_block
from quotefind.corpus.fields import LONGEST_NAME, LONGEST_TEXT, FlawError, bad, check_length, make_quote, raw_problem
from quotefind.corpus.front_matter import About
from quotefind.corpus.headings import credit_by_headings
from quotefind.corpus.lines import Lines
from quotefind.corpus.nodes import Found, Node
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote

_BEGIN = re.compile(r"\s*#\+begin_(?P<kind>quote|verse)\b", re.IGNORECASE)
_END = re.compile(r"\s*#\+end_(?:quote|verse)\s*", re.IGNORECASE)
_HEADLINE = re.compile(r"(?P<stars>\*+)[ \t]+(?P<words>.*)")
_TAGS_AFTER = re.compile(r"[ \t]+:[\w@#%:]+:[ \t]*$")
_KEYWORD = re.compile(r"\s*#\+(?P<key>[a-z_]+):[ \t]*(?P<value>.*)", re.IGNORECASE)
_COMMENT = re.compile(r"\s*#(?:\s|\+|$)")
_ESCAPED = re.compile(r"^(\s*),(?=,*(?:\*|#\+))")
_BREAK = re.compile(r"\\\\\s*$")
_LINK = re.compile(r"\[\[([^\[\]\n]{1,2000})\](?:\[([^\[\]\n]{1,2000})\])?\]")
_IN_DRAWER = re.compile(r"\s*:[\w-]+:|\s*(?:CLOSED|SCHEDULED|DEADLINE):")
_FOOTNOTE = re.compile(r"\[fn:[^\[\]\n]{0,200}\]")
_EMPHASIS = re.compile(
    r"""(?:^|(?<=[\s\-–—({'"“]))(?P<mark>[*/_+=~])(?P<words>(?!\s)[^\n]{1,200}?(?<!\s))(?P=mark)(?=$|[\s\-–—.,;:!?'")}\]”])""",
    re.MULTILINE,
)
# A document for export: its author wrote the document, not the quotes in it.
_EXPORTED = {"email", "options", "latex_class", "latex_header", "html_head", "html_doctype", "export_file_name"}


def read_org(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quote and verse blocks of an Org file, without their markup.

    A quote without an attribution is by the author in the headline above it, if only quotes are under that headline; or
    by `#+author:` and from `#+title:`, as in a note on a book. These two do not count if there is only a title, or in a
    document for export (with `#+email:`, `#+options:` or the like), where they name the document and its writer. All
    quotes have the tags of `#+filetags:`.
    """
    document = _Document(options)
    for number, line, block in _parts(stream):
        if block is not None:
            document.add_block(number, block)
        elif problem := document.add_line(number, line):
            yield bad(name, number, problem)
    document.end_block("")
    about = _about(document.keywords)
    for quote in credit_by_headings(document.nodes, document.found, set(), document.headlines, about):
        yield from _quote(name, quote, about)


class _Document:
    """The parts of a document read so far: its keywords, headlines and quotes, in order."""

    def __init__(self, options: ReadOptions) -> None:
        self.keywords: dict[str, str] = {}
        self.nodes: list[Node] = []
        self.found: dict[int, list[Found]] = {}  # by the position in `nodes`
        self.headlines: dict[int, str] = {}
        self._options = options
        self._waiting: tuple[int, list[str]] | None = None  # a block that the next line may attribute

    def add_block(self, number: int, block: list[str] | FlawError) -> None:
        """Add a block that begins at line `number`."""
        self.end_block("")
        if isinstance(block, FlawError):
            self._add_found(number, Found((number, number), block))
        else:
            self._waiting = number, block

    def add_line(self, number: int, line: str) -> str | None:
        """Add a line outside of blocks; return what is wrong with it, or None."""
        if self._waiting is not None:
            if not line.strip():
                return None
            if is_credit(line):
                self.end_block(line)
                return None
            self.end_block("")
        if headline := _HEADLINE.match(line):
            self.headlines[len(self.nodes)] = _plain(_TAGS_AFTER.sub("", headline["words"])[:LONGEST_NAME])
            self.nodes.append(Node("heading", (number, number), level=min(len(headline["stars"]), 6)))
        elif keyword := _KEYWORD.match(line):
            if problem := raw_problem(keyword["value"], self._options.encoding):
                return problem
            self.keywords.setdefault(keyword["key"].casefold(), keyword["value"].strip())
        elif line.strip() and not _IN_DRAWER.match(line) and (not self.nodes or self.nodes[-1].kind != "other"):
            self.nodes.append(Node("other", (number, number)))
        return None

    def end_block(self, credit: str) -> None:
        """Add the block that waits for its attribution, `credit`, which may be ""."""
        if self._waiting is not None:
            number, lines = self._waiting
            self._waiting = None
            self._add_found(number, _found(number, lines, credit, self._options))

    def _add_found(self, number: int, found: Found) -> None:
        self.found[len(self.nodes)] = [found]
        self.nodes.append(Node("quote", (number, number)))


class _Verse(list[str]):
    """The lines of a block whose line breaks are intended."""


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
            if begin := _BEGIN.match(line):
                first = source.number
                lines = _Verse() if begin["kind"].casefold() == "verse" else []
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


def _found(number: int, lines: Sequence[str], credit: str, options: ReadOptions) -> Found:
    """Return the quote in a block that begins at line `number`; `credit` is the line after the block."""
    raw = "".join(lines)
    place = (number, number)
    if problem := raw_problem(raw + credit, options.encoding):
        return Found(place, FlawError(problem))
    try:
        check_length("the text", raw, LONGEST_TEXT)
    except FlawError as flaw:
        return Found(place, flaw)
    return Found(place, split_block(_paragraphs(lines), _plain(credit[:LONGEST_TEXT]).strip()))


def _quote(name: str, found: Found, about: About) -> Iterator[Quote | BadRecord]:
    """Yield the quote that was found, if it has words."""
    block, number = found.block, found.lines[0]
    if isinstance(block, FlawError):
        yield bad(name, number, str(block))
    elif block.attribution or any(map(str.isalnum, block.words)):
        credit = block.attribution
        if credit is None or (credit.author is None and credit.work is None):
            credit = Attribution(about.author, about.work)
        tags = [*about.tags, *block.tags]
        yield make_quote(
            name,
            number,
            block.words,
            credit.author,
            credit.work,
            credit.year,
            tags,
            block.note,
            block.place,
            block.added,
            keep_lines=True,
        )


def _paragraphs(lines: Sequence[str]) -> list[list[Line]]:
    """Return the paragraphs of a block; a single list item at its end keeps its dash."""
    verse = isinstance(lines, _Verse)
    paragraphs: list[list[Line]] = [[]]
    for line in lines:
        text = "" if _COMMENT.match(line) else _ESCAPED.sub(r"\1", line).strip()
        bare = _plain(_BREAK.sub("", text)).strip()
        if not bare and paragraphs[-1]:
            paragraphs.append([])
        elif bare:
            marked = _EMPHASIS.fullmatch(text) is not None
            paragraphs[-1].append(Line(bare, marked, hard=verse or _BREAK.search(text) is not None, raw=text))
    return [paragraph for paragraph in paragraphs if paragraph]


def _plain(text: str) -> str:
    """Return `text` without markup; links become their visible text."""
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
