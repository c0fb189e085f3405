"""Fortune files: entries between lines of `%`, or above lines of tags, with an indented attribution at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TextIO

from quotefind.corpus.attribution import Attribution, is_closed, parse_attribution, split_attribution
from quotefind.corpus.author_names import is_likely_name
from quotefind.corpus.fields import FlawError, bad, make_quote, raw_problem
from quotefind.corpus.lines import Ends, entries
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.verse import join_lines
from quotefind.records import Quote

_DASHED = re.compile(r"(?P<indent>\s*)(?:--+|—|―|[-~](?=\s))[\s—-]*(?=\S)")
_MOST_TAIL_LINES = 3
# A typewriter wrote an accent, went one column back and wrote the letter.
_ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", ",": "\u0327", "~": "\u0303"}


def read_fortune(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a fortune file; entries without a letter or digit, mostly drawings, are skipped."""
    yield from _read(stream, name, options, _percent)


def read_tfortune(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a tfortune file: entries, each with a line of tags below, `---- tag, another tag`."""
    yield from _read(stream, name, options, _tag_line)


def _percent(line: str) -> list[str] | None:
    """Return no tags if `line` ends an entry, else None."""
    return [] if line[0] == "%" and line.rstrip() in ("%", "%%") else None


def _tag_line(line: str) -> list[str] | None:
    """Return the tags of the entry that `line` ends, else None. Tags may contain blanks, but no commas."""
    return line[4:].split(",") if (line.startswith("----") and line[4:5].isspace()) or line == "----" else None


def _read(stream: TextIO, name: str, options: ReadOptions, ends: Ends) -> Iterator[Quote | BadRecord]:
    for number, lines, tags in entries(stream, ends):
        if isinstance(lines, FlawError):
            yield bad(name, number, str(lines))
            continue
        if problem := raw_problem("".join([*lines, *tags]), options.encoding):
            yield bad(name, number, problem)
            continue
        words, credit = _split(list(map(_struck_over, lines)))
        if any(map(str.isalnum, words)):
            said = credit or Attribution(None, None)
            yield make_quote(
                name, number, words, said.author, said.work, said.year, tags, place=said.place, keep_lines=True
            )


def _split(lines: list[str]) -> tuple[str, Attribution | None]:
    """Return the words and the attribution of an entry.

    The attribution starts at the last line that begins with a dash, and ends with the entry. A remark in square
    brackets after it belongs to the words.
    """
    last = next((at for at in range(len(lines) - 1, 0, -1) if _DASHED.match(lines[at])), None)
    if last is None or not (dash := _DASHED.match(lines[last])):
        return _split_in_line(lines)
    end = next((at for at in range(last + 1, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
    tail = [line for line in lines[last + 1 : end] if not line.isspace()]
    indented = bool(dash["indent"])
    before = _DASHED.match(lines[last - 1])
    if (
        len(tail) > _MOST_TAIL_LINES
        or (indented and not all(line[0].isspace() for line in tail))
        or (before and (before["indent"] or not indented))  # a list, of which this is the last point
    ):
        return join_lines(lines), None
    credit = " ".join([lines[last][dash.end() :], *tail])
    if not indented and credit[0].islower():
        return join_lines(lines), None  # a sentence that was broken at its dash
    attribution = parse_attribution(credit, own_line=True)
    if attribution is None:
        return join_lines(lines), None
    words = join_lines(lines[:last])
    return ("\n" if "\n" in words else " ").join([words, *map(str.strip, lines[end:])]), attribution


def _split_in_line(lines: list[str]) -> tuple[str, Attribution | None]:
    """Return the words and the attribution of an entry whose attribution follows the last words on the same line."""
    words, attribution = split_attribution("".join(lines))
    if attribution is None or not (is_closed(words) or _stands_out(words, attribution)):
        return join_lines(lines), None
    return join_lines(words.splitlines()), attribution


def _stands_out(words: str, attribution: Attribution) -> bool:
    """Whether the author is clearly a name after `words` without a full stop, unlike "Garbage In -- Gospel Out"."""
    if attribution.author is None or not is_likely_name(attribution.author):
        return False
    return any(part[0].islower() for part in words.split())


def _struck_over(line: str) -> str:
    r"""Return a line with backspaces as it looks in print: `_\bn` becomes n, `'\be` becomes é."""
    if "\b" not in line:
        return line
    cells: list[str] = []
    column = 0
    for character in line.removesuffix("\n"):
        if character == "\b":
            column = max(column - 1, 0)
            continue
        if column == len(cells):
            cells.append(character)
        elif character != "_":
            accent = _ACCENTS.get(cells[column], "") if character.isalpha() else ""
            cells[column] = character + accent
        column += 1
    return "".join(cells) + ("\n" if line.endswith("\n") else "")
