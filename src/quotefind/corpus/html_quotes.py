"""HTML: block quotes, and quotations that fill a paragraph, with the attribution in or after them.

The page is parsed with the standard library, which needs no dependency, bears bad markup and knows the line of each
tag; the tree that other parsers build is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TextIO

from quotefind.corpus.attribution import Attribution, own_line_attribution, parse_attribution, split_attribution
from quotefind.corpus.fields import bad, make_quote, raw_problem
from quotefind.corpus.html_tags import TagParser
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import one_line

_LONGEST = 50_000_000  # characters: far more than any page that people save
# What begins a new line of text in a browser; everything else is inline.
_BLOCKS_WRITTEN = """
    address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer
    form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p pre section summary table tbody td tfoot th
    thead tr ul
"""
_BLOCKS = frozenset(_BLOCKS_WRITTEN.split())
_HIDDEN = frozenset(("script", "style", "template", "title", "textarea", "select", "svg", "math", "button", "iframe"))
_CREDITS = frozenset(("footer", "figcaption"))
_CREDIT_CLASS = re.compile(
    r"(?:^|[\s_-])(?:author|attribution|attrib|source|byline|credit|citation|cite)s?(?=$|[\s_-])"
)
_TITLES = frozenset(("cite", "i", "em"))
_FOOTNOTE = re.compile(r"\[[^\[\]]{1,20}\]|[0-9]{1,3}|[*†‡]")
_DASH = re.compile(r"[\s―—–~-]*")
_LEAD = re.compile(r"[\s―—–~-]*(?:by\s+)?", re.IGNORECASE)
_BY = re.compile(r"\s*,?\s*by\s+", re.IGNORECASE)
_HANDLE = re.compile(r"\s*\(@\w{1,30}\).*", re.DOTALL)  # of a social network; a date comes after it
_NEAR = 5  # runs after a quotation in which the caption of its figure is
_FEWEST_WORDS = 4  # in a <q> that fills a paragraph and has no attribution


@dataclass(slots=True)
class _Run:
    """The text between two line beginnings, in parts.

    Attributes:
        line: its first line, counted from 1.
        quote: the number of the block quote that it is in, or 0.
        figure: the number of the figure that it is in, or 0.
        is_credit: whether the markup says that it is an attribution.
        parts: its text, and the kind of each part: "" plain, "q" a quotation, or "cite", "i" or "em".
    """

    line: int
    quote: int
    figure: int
    is_credit: bool
    parts: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        """Return the words, with quotation marks around quotations, and a line break for each <br>."""
        return "".join(f"“{text.strip()}”" if kind == "q" else text for kind, text in self.parts)

    def has_words(self) -> bool:
        """Whether it contains any words."""
        return any(text.strip() for _, text in self.parts)


def read_html(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotations of an HTML page: `<blockquote>`, and `<q>` that fills its paragraph.

    The attribution is in `<footer>`, `<cite>` or `<figcaption>`, or on a line with a dash at the end of the block or
    right after it. In the attribution, `<cite>` or italics after the name is the work. `<br>` marks the lines of verse.
    """
    text = stream.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise SourceError(f"{name}: longer than {_LONGEST:,} characters; expected a page")
    page = _Page()
    page.parse(text)
    page.end()
    for line, words, has_lines, credit in _quotations(page.runs):
        author, work, place = (credit.author, credit.work, credit.place) if credit else (None, None, None)
        if problem := raw_problem("".join(filter(None, (words, author, work, place))), options.encoding):
            yield bad(name, line, problem)
        elif any(map(str.isalnum, words)):
            yield make_quote(name, line, words, author, work, place=place, keep_lines=has_lines)


class _Page(TagParser):
    """Divides a page into runs. Tags need not match, because open elements are only counted."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[_Run] = []
        self._run: _Run | None = None
        self._hidden: str | None = None
        self._open = dict.fromkeys(("blockquote", "figure", "pre", "q", "sup", *_CREDITS, *_TITLES), 0)
        self._quotes = self._figures = 0
        self._begun = 0  # the line of the tag that began the quotation
        self._note: list[str] = []
        self._credit_tag: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden is not None:
            return
        if tag in _HIDDEN:
            self._hidden = tag
            return
        if tag == "br":
            self._add("\n")
        if tag in _BLOCKS:
            self.end()
            if self._credit_tag == "p":  # <p> needs no end tag
                self._credit_tag = None
        if not self._open.get(tag, 1):
            self._enter(tag)
        if self._credit_tag is None and self._is_credit(attrs):
            self._credit_tag = tag
            self.end()
        if tag in self._open:
            self._open[tag] += 1

    def _enter(self, tag: str) -> None:
        """Number the block quote or the figure that begins, and remember the line of a quotation."""
        if tag == "blockquote":
            self._quotes += 1
        if tag == "figure":
            self._figures += 1
        if tag == "blockquote" or (tag == "q" and not self._open["blockquote"]):
            self._begun = self.getpos()[0]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br" or tag in _BLOCKS:
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden is not None:
            if tag == self._hidden:
                self._hidden = None
            return
        if tag in _BLOCKS:
            self.end()
        if tag == "sup" and self._open[tag] == 1:
            self._end_note()
        if self._open.get(tag, 0) > 0:
            self._open[tag] -= 1
        if tag == self._credit_tag:
            self.end()
            self._credit_tag = None

    def handle_data(self, data: str) -> None:
        if self._hidden is None:
            self._add(data if self._open["pre"] else re.sub(r"\s+", " ", data))

    def end(self) -> None:
        """End the current run, if there is one."""
        self._end_note()
        if self._run is not None and self._run.has_words():
            grouped = groupby(self._run.parts, key=itemgetter(0))
            self._run.parts = [(kind, "".join(text for _, text in parts)) for kind, parts in grouped]
            self.runs.append(self._run)
        self._run = None

    def _add(self, text: str) -> None:
        if self._open["sup"]:
            self._note.append(text)
            return
        if self._run is None:
            if not text.strip():
                return
            is_credit = any(self._open[tag] for tag in _CREDITS) or self._credit_tag is not None
            quote = self._quotes if self._open["blockquote"] else 0
            figure = self._figures if self._open["figure"] else 0
            line = self._begun if quote or self._open["q"] else self.getpos()[0]
            self._run = _Run(line, quote, figure, is_credit)
        kind = "q" if self._open["q"] else next((tag for tag in _TITLES if self._open[tag]), "")
        self._run.parts.append((kind, text))

    def _end_note(self) -> None:
        """Drop superscript text if it is a footnote mark, else keep it as text."""
        raised, self._note = "".join(self._note).strip(), []
        if raised and not _FOOTNOTE.fullmatch(raised):
            opened, self._open["sup"] = self._open["sup"], 0
            self._add(raised)
            self._open["sup"] = opened

    def _is_credit(self, attrs: list[tuple[str, str | None]]) -> bool:
        """Whether the class of an element in or after a quotation says that it is an attribution."""
        if not self._quotes or any(self._open[tag] for tag in _CREDITS):
            return False
        return any(key == "class" and value and _CREDIT_CLASS.search(value.lower()) for key, value in attrs)


def _quotations(runs: list[_Run]) -> Iterator[tuple[int, str, bool, Attribution | None]]:
    """Yield the line, the words, whether their line breaks are intended, and the attribution of each quotation."""
    at = 0
    while at < len(runs):
        run = runs[at]
        begin = at
        if run.quote:
            while at < len(runs) and runs[at].quote == run.quote:
                at += 1
            yield from _block(runs[begin:at], _credit_after(runs, at, run.figure))
            continue
        at += 1
        if not run.is_credit and (quotation := _inline(run, _credit_after(runs, at, run.figure))) is not None:
            yield quotation


def _credit_after(runs: list[_Run], at: int, figure: int) -> Attribution | None:
    """Return the attribution right after a quotation, at `at`, or in the caption of its figure."""
    if figure:
        caption = (run for run in runs[at : at + _NEAR] if run.figure == figure and run.is_credit)
        if (run := next(caption, None)) is not None:
            return _credit(run)
    if at >= len(runs) or runs[at].quote or runs[at].figure != figure:
        return None
    run = runs[at]
    if run.is_credit or all(kind in _TITLES for kind, text in run.parts if text.strip(" -–—―~")):
        return _credit(run)
    return own_line_attribution(run.text().strip())


def _block(runs: list[_Run], after: Attribution | None) -> Iterator[tuple[int, str, bool, Attribution | None]]:
    """Yield the quotation that a block quote holds, if it holds one."""
    marked = [run for run in runs if run.is_credit]
    words = [run for run in runs if not run.is_credit]
    if not words:
        return
    line = words[0].line
    credit = next(filter(None, map(_credit, marked)), None) or _cut_cite(words)
    texts = [run.text().strip() for run in words if run.has_words()]
    if credit is None:
        texts, credit = _cut_dashed(texts)
    has_lines = any("\n" in text for text in texts)
    text = "\n\n".join(texts) if has_lines else " ".join(texts)
    if text:
        yield line, text, has_lines, credit or after


def _cut_dashed(texts: list[str]) -> tuple[list[str], Attribution | None]:
    """Return the paragraphs of a quotation without the attribution after a dash at their end, and the attribution."""
    *before, last = texts
    *lines, line = last.split("\n")
    if (before or lines) and (credit := own_line_attribution(_HANDLE.sub("", line.strip()))) is not None:
        return [*before, "\n".join(lines).strip()] if lines else before, credit
    words, credit = split_attribution(line)
    return [*before, "\n".join([*lines, words])], credit


def _cut_cite(words: list[_Run]) -> Attribution | None:
    """Remove the `<cite>` at the end of the last run, and return the attribution in it."""
    parts = words[-1].parts
    last = next((at for at in range(len(parts) - 1, -1, -1) if parts[at][1].strip()), None)
    if last is None or parts[last][0] != "cite":
        return None
    first = last
    while first > 0 and (parts[first - 1][0] == "cite" or not _DASH.sub("", parts[first - 1][1], count=1)):
        first -= 1
    rest = "".join(text for _, text in parts[:first])
    if not rest.strip() and len(words) == 1:
        return None  # there is nothing else, so these are the words
    credit = _credit(_Run(0, 0, 0, is_credit=True, parts=parts[first : last + 1]))
    if credit is not None:
        words[-1].parts = [
            (kind, text.rstrip(" —–―~-") if at == first - 1 else text) for at, (kind, text) in enumerate(parts[:first])
        ]
        if not words[-1].has_words():
            words.pop()
    return credit


def _credit(run: _Run) -> Attribution | None:
    """Return the attribution in a run, in which a title may be marked up after the name."""
    parts = run.parts
    credit = ""
    for at, (kind, text) in enumerate(parts):
        title, before = text.strip(" ,"), _LEAD.sub("", credit, count=1)
        after = parts[at + 1][1] if at + 1 < len(parts) else ""
        if kind in _TITLES and not before and (by := _BY.match(after)):  # <cite>Emma</cite> by Jane Austen
            author = one_line(f"{after[by.end() :]}{''.join(text for _, text in parts[at + 2 :])}").strip(" ,;.")
            return Attribution(author, one_line(title)) if author else None
        is_title = kind in _TITLES and before and title[:1] not in ("“", '"', "") and after.lstrip()[:1] != "("
        credit += f" “{title}”" if is_title else text
    credit = _HANDLE.sub("", _LEAD.sub("", one_line(credit), count=1))
    return parse_attribution(re.sub(r"\s+([,;.])", r"\1", credit).rstrip(" ,;"), own_line=True)


def _inline(run: _Run, after: Attribution | None) -> tuple[int, str, bool, Attribution | None] | None:
    """Return the quotation of a paragraph that consists of `<q>` and perhaps its attribution."""
    parts = [(kind, text) for kind, text in run.parts if text.strip()]
    if not parts or parts[0][0] != "q" or sum(kind == "q" for kind, _ in parts) > 1:
        return None
    words = parts[0][1].strip()
    rest = [part for part in parts[1:] if part[1].strip(" .")]
    if not rest:
        credit = after
        if credit is None and len(words.split()) < _FEWEST_WORDS:
            return None
    elif rest[0][0] == "cite" or _DASH.match(rest[0][1]).end() or rest[0][1].strip()[:1] == "(":  # type: ignore[union-attr]
        text = "".join(text for _, text in rest).strip()
        if text[0] == "(" and text[-1] == ")":
            rest = [(kind, part.strip(" ()")) for kind, part in rest]
        credit = _credit(_Run(0, 0, 0, is_credit=True, parts=rest))
        if credit is None:
            return None
    else:
        return None
    return run.line, words, "\n" in words, credit
