"""Text files: one quote per line, or several lines with the attribution on a separate line below."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from typing import TextIO

from quotefind.corpus.attribution import Attribution, is_closed, own_line_attribution, split_attribution
from quotefind.corpus.author_names import is_likely_name
from quotefind.corpus.columns import find_columns
from quotefind.corpus.fields import LONGEST_NAME, FlawError, bad, checked_tags, make_quote, raw_problem
from quotefind.corpus.lines import each_line
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.verse import is_verse, join_lines
from quotefind.records import Quote

_SAMPLED = 1_000  # lines examined to find out how most lines of the file are written
_MOST_LINES = 60  # of one quote
_BULLET = re.compile(r"\s*(?:[*•‣◦▪·]|[-–+])\s+(?=\S)")
_NUMBERED = re.compile(r"\s*(?P<number>[0-9]{1,4})[.)]\s+(?=\S)")
_OPENING = {"“": "”", '"': '"', "„": "“”", "«": "»", "「": "」", "『": "』"}
# Below quotes that were copied from a web page.
_TAGS = re.compile(r"\s*tags:\s*(?P<tags>\S.*)\s*", re.IGNORECASE)
_LIKES = re.compile(r"\s*(?:[0-9][0-9,.]{0,12} )?likes?\s*", re.IGNORECASE)
_BULLET_ONLY = re.compile(r"\s*[*•‣◦▪·]")
_LONGEST_ATTRIBUTION = 1_000  # characters
_MOST_QUOTED = 20  # lines between two quotation marks
_WRAPPED = 40  # characters; a shorter line was not wrapped
_KINDLE = "=========="

_Line = tuple[int, str | FlawError]


@dataclass(frozen=True, slots=True)
class _Habits:
    """How most lines of a file are written.

    Attributes:
        hyphens: whether most entries name their author after a hyphen, or in brackets.
        numbers: whether the lines are a numbered list.
        bullets: whether most lines begin with a hyphen or an en dash.
        paragraphs: whether most paragraphs end with an attribution on a separate line.
        cells: the positions of text, author and work between tabs, -1 for a missing one; None if it is not a table.
    """

    hyphens: bool = False
    numbers: bool = False
    bullets: bool = False
    paragraphs: bool = False
    cells: tuple[int, int, int] | None = None


def read_plain(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a text file.

    A line is a quote, with `— Author, Work` after the words, unless a separate line below is an attribution: then the
    lines above it, up to the last blank line, quote or attribution, are one quote. List markers are dropped. If tabs
    separate two or three cells in most lines, these are text, author and work.
    """
    lines = each_line(stream)
    sample = list(islice(lines, _SAMPLED))
    habits = _habits([line for _, line in sample if isinstance(line, str)])
    entries = _Entries(name, habits)
    for number, raw in chain(sample, lines):
        line, problem = ("", str(raw)) if isinstance(raw, FlawError) else (raw, _problem(raw, options))
        if problem is not None:
            yield from entries.flush()
            yield bad(name, number, problem)
        elif habits.cells is not None and "\t" in line:
            yield from entries.flush()
            yield from _cells(name, number, line, habits.cells)
        else:
            yield from entries.add(number, line)
    yield from entries.flush()


def _problem(line: str, options: ReadOptions) -> str | None:
    """Return why `line` cannot be part of a quote, or None."""
    if line.strip() == _KINDLE:
        return "this line separates Kindle clippings; read the file with --input-format kindle"
    return raw_problem(line, options.encoding)


class _Entries:
    """Collects lines until it is known whether an attribution follows them."""

    def __init__(self, name: str, habits: _Habits) -> None:
        self._name = name
        self._habits = habits
        self._lines: list[tuple[int, str]] = []  # those of the last paragraph without an attribution yet
        self._ended = False  # a blank line came after them
        self._last: Quote | BadRecord | None = None  # the last quote, whose tags may follow

    def add(self, number: int, line: str) -> Iterator[Quote | BadRecord]:
        """Take the next line and yield the quotes that it completes."""
        if line.isspace():
            self._ended = bool(self._lines)
            return
        if isinstance(self._last, Quote) and (tags := _TAGS.fullmatch(line)):
            with suppress(FlawError):
                self._last = replace(self._last, tags=checked_tags(tags["tags"][:LONGEST_NAME]))
            return
        if self._last is not None and _LIKES.fullmatch(line):
            return
        yield from self._complete()
        if (attribution := self._attribution(line)) is not None:
            if self._lines:
                yield from self._attributed(attribution)
            else:
                yield bad(
                    self._name,
                    number,
                    "an attribution without a quote before it; expected both on one line, or the quote above it",
                )
            return
        if self._ended or len(self._lines) >= _MOST_LINES:
            yield from self.flush()
        line = self._unmarked(line)
        words, found = split_attribution(line, loose=self._habits.hyphens)
        if found is None:
            self._lines.append((number, line))
            return
        first = _first_line([text for _, text in self._lines], words)
        above, self._lines = self._lines[first:], self._lines[:first]
        yield from self.flush()
        if above:
            number, words = above[0][0], join_lines([*(text for _, text in above), words])
        yield self._quote(number, words, found)

    def _complete(self) -> Iterator[Quote | BadRecord]:
        """Yield the last quote, which is now complete."""
        if self._last is not None:
            yield self._last
            self._last = None

    def flush(self) -> Iterator[Quote | BadRecord]:
        """Yield the quotes of the remaining lines, which have no attribution below them."""
        yield from self._complete()
        lines, self._lines, self._ended = self._lines, [], False
        last = len(lines)
        quotes: list[Quote | BadRecord] = []
        while last:
            texts = [text for _, text in lines[:last]]
            first = 0 if self._habits.paragraphs else _first_line(texts[:-1], texts[-1])
            words, attribution = split_attribution(join_lines(texts[first:]), loose=self._habits.hyphens)
            quotes.append(self._quote(lines[first][0], words, attribution))
            last = first
        yield from reversed(quotes)

    def _attribution(self, line: str) -> Attribution | None:
        """Return the attribution that `line` states on its own, or None."""
        if len(line) > _LONGEST_ATTRIBUTION or _BULLET_ONLY.match(line):
            return None
        begin = line.lstrip()[0]
        if not self._lines and not line.lstrip().startswith(("—", "―", "--")):
            return None  # an item of a list, or a text in brackets
        if self._ended and begin not in "—―-–":
            return None
        return own_line_attribution(line, after_hyphen=not self._habits.bullets or line[0].isspace())

    def _attributed(self, attribution: Attribution) -> Iterator[Quote | BadRecord]:
        """Yield the quotes of the lines above an attribution, which belongs to the last of them."""
        lines, self._lines, self._ended = self._lines, [], False
        texts = [text for _, text in lines]
        apart = len(texts) > 1 and texts[-2].rstrip()[-1] in ".!?:" and _is_quotation(texts[-1].strip())
        first = len(texts) - 1 if apart and not self._habits.paragraphs else 0
        poem = is_verse(texts) and not all(is_closed(text.rstrip()) for text in texts)
        if not first and len(lines) > 2 and not self._habits.paragraphs and not poem:
            first = _first_line(texts[:-1], texts[-1])
        self._lines = lines[:first]
        yield from self.flush()
        self._last = self._quote(lines[first][0], join_lines(texts[first:]), attribution)

    def _unmarked(self, line: str) -> str:
        """Return `line` without the marker of a list item."""
        if self._habits.numbers and (marker := _NUMBERED.match(line)):
            return line[marker.end() :]
        marker = _BULLET.match(line)
        return line[marker.end() :] if marker else line

    def _quote(self, number: int, words: str, attribution: Attribution | None) -> Quote | BadRecord:
        credit = attribution or Attribution(None, None)
        return make_quote(
            self._name,
            number,
            words,
            credit.author,
            credit.work,
            credit.year,
            place=credit.place,
            keep_lines="\n" in words.strip(),
        )


def _habits(lines: Sequence[str]) -> _Habits:
    """Return how most of `lines`, the first lines of a file, are written."""
    full = [line for line in lines if not line.isspace()]
    if not full:
        return _Habits()
    short = [line if len(line) <= 5_000 else line[-5_000:] for line in full]
    texts = [line for line in short if not own_line_attribution(line)]
    loose = sum(_is_attributed_by_hyphen(line) for line in texts)
    numbers = [int(marker["number"]) for line in full if (marker := _NUMBERED.match(line))]
    in_order = sum(second == first + 1 for first, second in pairwise(numbers))
    ends = _ends(lines)
    return _Habits(
        hyphens=len(texts) > 1 and loose > len(texts) / 2,
        numbers=bool(numbers) and (numbers[0] == 1 or in_order > 0),
        bullets=sum(line.lstrip()[:2] in ("- ", "– ") for line in full) > len(full) / 2,
        paragraphs=len(ends) > 1 and sum(ends) > len(ends) / 2,
        cells=_cell_positions(full),
    )


def _ends(lines: Sequence[str]) -> list[bool]:
    """Return, for each paragraph of several lines, whether its last line is an attribution."""
    found = []
    for before, line, following in zip(lines, lines[1:], [*lines[2:], "\n"], strict=False):
        if following.isspace() and not line.isspace() and not before.isspace():
            found.append(len(line) <= 1_000 and own_line_attribution(line) is not None)
    return found


def _is_attributed_by_hyphen(line: str) -> bool:
    """Whether `line` ends with a hyphen and a name, or with a name in brackets, whatever comes before."""
    words, attribution = split_attribution(line, loose=True)
    rest = line[len(words) :].lstrip()
    return bool(attribution and attribution.author) and rest[:1] in ("-", "–", "(") and rest[1:2] != "-"


def _is_quotation(line: str) -> bool:
    """Whether one pair of quotation marks encloses all of `line`."""
    closing = _OPENING.get(line[:1])
    return closing is not None and len(line) > 2 and line[-1] in closing and not any(m in line[1:-1] for m in closing)


def _first_line(lines: Sequence[str], last: str) -> int:
    """Return the position in `lines` where the quote begins that `last`, the line below them, ends; else their number.

    That is the line that opens the quotation that `last` closes, or begins the wrapped sentence that `last` continues.
    """
    for at in range(len(lines) - 1, max(len(lines) - _MOST_QUOTED, 0) - 1, -1):
        begin = lines[at].lstrip()
        if closing := _OPENING.get(begin[0]):
            if last.rstrip()[-1:] in closing and not any(
                mark in "".join([begin[1:], *lines[at + 1 :]]) for mark in closing
            ):
                return at
            break
    at, following = len(lines), last
    while (
        at
        and following.lstrip()[0].islower()
        and len(lines[at - 1]) >= _WRAPPED
        and not is_closed(lines[at - 1].rstrip())
    ):
        at -= 1
        following = lines[at]
    return len(lines) if following.lstrip()[0].islower() else at


def _cell_positions(lines: Sequence[str]) -> tuple[int, int, int] | None:
    """Return the positions of text, author and work between the tabs of `lines`; None if these are not a table.

    A header may name them; otherwise the longest cells are the texts, and the cells most like names are the authors.
    """
    rows = [[cell.strip() for cell in line.strip("\n").split("\t")] for line in lines]
    width, often = Counter(map(len, rows)).most_common(1)[0]
    if not 2 <= width <= 6 or often < 0.8 * len(rows):
        return None
    header = find_columns(rows[0], ReadOptions())
    if header["text"]:
        found = [
            rows[0].index(columns[0]) if (columns := header[field]) else -1 for field in ("text", "author", "work")
        ]
        return found[0], found[1], found[2]
    rows = [row for row in rows if len(row) == width]
    lengths = [sum(len(row[at]) for row in rows) for at in range(width)]
    text = max(range(width), key=lambda at: lengths[at])
    names = [sum(is_likely_name(row[at].lstrip("—–-― ")[:100]) for row in rows) for at in range(width)]
    author = max((at for at in range(width) if at != text), key=lambda at: names[at])
    if names[author] < 0.6 * len(rows):
        return None
    rest = [at for at in range(width) if at not in (text, author) and not all(row[at].isdigit() for row in rows)]
    return text, author, rest[0] if rest else -1


def _cells(name: str, number: int, line: str, positions: tuple[int, int, int]) -> Iterator[Quote | BadRecord]:
    """Yield the quote in a row of a table, or nothing for its header."""
    cells = [*(cell.strip() for cell in line.split("\t")), ""]
    if number == 1 and find_columns(cells, ReadOptions())["text"]:
        return
    text, author, work = (cells[at] if at < len(cells) else "" for at in positions)
    yield make_quote(name, number, text, author.lstrip("—–-―~ "), work)
