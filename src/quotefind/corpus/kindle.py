"""The clippings of a Kindle: highlights become quotes, the notes beside them their notes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from quotefind.corpus.fields import LONGEST_TEXT, FlawError, bad, check_length, make_quote, raw_problem
from quotefind.corpus.lines import entries
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote
from quotefind.text import fold

_SEPARATOR = re.compile(r"={10,}\s*")
_EXPECTED = 'expected a title, below it a line such as "- Your Highlight on page 12 | Location 180-182", and the words'

# What the label calls a note and a bookmark, in the languages of the device. All else that has words is a highlight.
_NOTE = re.compile(r"\b(?:note|notiz|nota|notitie|notatka|anteckning|заметка|примечание)\b|メモ|笔记|筆記|注释|메모")
_BOOKMARK = re.compile(
    r"\b(?:bookmark|lesezeichen|signet|marcador|segnalibro|bladwijzer|закладка)\b|ブックマーク|しおり|书签|書籤|북마크"
)
_HIGHLIGHT = re.compile(
    r"\b(?:highlight|markierung|surlign\w+|subrayado|evidenziazione|destaque|markering)\b|ハイライト|标注|標註|하이라이트"
)
_BAR = re.compile("[|｜]")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[.,'’](?=[0-9]{3}(?![0-9]))")
_ROMAN = re.compile(r"\b[ivxlcdm]{1,12}\b", re.IGNORECASE)
_RANGE = re.compile(r"(?P<first>[0-9]{1,12})(?:\s*[-–]\s*(?P<last>[0-9]{1,12}))?")
# "<You have reached the clipping limit for this item>", in the place of the words or behind their beginning.
_LIMIT = re.compile(r"\s*<[^<>]{20,200}>\s*$")

# A highlight is compared with so many that begin before it and overlap with it. On one page there are few.
_COMPARED = 30

_OPENING, _CLOSING = "(（", ")）"
_NOBODY = re.compile(r"unknown(?: author)?|unbekannt|inconnu(?: e)?|desconocido|sconosciuto|desconhecido")
_SUFFIX = re.compile(r"(?:jr|sr|esq|ph\.?\s?d|m\.?d|ii|iii|iv)\b\.?", re.IGNORECASE)
_PARTICLE = re.compile(r"(?:d[eaiu]|del|della|der|la|le|van|von|ten|zu|ibn|bin|al|el)\b", re.IGNORECASE)
_INITIAL = re.compile(r"\b\w\.")


@dataclass(slots=True)
class _Entry:
    """What stands between two separators.

    Its place goes from `first` to `last`; where that has no number, it is `page`, such as xvi.
    """

    line: int
    book: str
    label: str
    text: str
    first: int | None = None
    last: int | None = None
    page: str = ""
    folded: str = ""
    within: _Entry | None = None
    note: str = ""

    def overlaps(self, other: _Entry) -> bool:
        """Whether the places of both have something in common."""
        if self.first is None or self.last is None or other.first is None or other.last is None:
            return self.page == other.page and self.first == other.first
        return self.first <= other.last and other.first <= self.last


def read_kindle(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of a `My Clippings.txt`, each with its note, in the order in which they stand there.

    What an entry is follows from its second line, in whatever language: bookmarks have no words, notes are known by
    their name. Dates are not looked at. The Kindle only ever appends: where a highlight was resized, it stands there
    again. So a highlight is left out where another one of the same book, on an overlapping place, holds its words; of
    equal ones the last stays. A note belongs to the highlight that ends on its place, else to one that reaches over
    it, and of several to the nearest in the file; of the notes on one place the last counts. A note on its own is no
    quote.
    """
    found: list[_Entry | BadRecord] = []
    for line, lines, _ in entries(stream, _separates):
        if isinstance(lines, FlawError):
            found.append(bad(name, line, str(lines)))
        elif problem := raw_problem("".join(lines), options.encoding):
            found.append(bad(name, line, problem))
        else:
            found.append(_entry(name, line, lines))
    books: dict[str, tuple[list[_Entry], list[_Entry]]] = {}
    for entry in found:
        if isinstance(entry, _Entry) and entry.text:
            highlights, notes = books.setdefault(entry.book, ([], []))
            (notes if _is_note(entry.label) else highlights).append(entry)
    for highlights, notes in books.values():
        _leave_out(highlights)
        _join(highlights, notes)
    kept = {id(entry) for highlights, _ in books.values() for entry in highlights if entry.within is None}
    for entry in found:
        if isinstance(entry, BadRecord):
            yield entry
        elif id(entry) in kept:
            title, author = split_book(entry.book)
            yield make_quote(name, entry.line, entry.text, author, title, note=entry.note)


def split_book(line: str) -> tuple[str, str | None]:
    """Return title and author of `Title (Author)`: what stands in the last brackets, which may hold brackets."""
    line = line.strip()
    depth = 0
    for at in range(len(line) - 1, -1, -1):
        depth += (line[at] in _CLOSING) - (line[at] in _OPENING)
        if depth <= 0:
            break
    else:
        return line, None
    title, inner = line[:at].rstrip(), line[at + 1 : -1]
    if line[-1] not in _CLOSING or not title or not any(map(str.isalpha, inner)):
        return line, None
    if _NOBODY.fullmatch(fold(inner)):
        return title, None
    return title, ", ".join(map(_in_order, filter(None, map(str.strip, inner.split(";"))))) or None


def _in_order(author: str) -> str:
    """Return `Austen, Jane` as `Jane Austen`; what may be two names, or is a name with a title, stays."""
    family, comma, given = (part.strip() for part in author.partition(","))
    if not comma or not family or not given or "," in given or _SUFFIX.fullmatch(given):
        return author
    several = " " in family and " " in given
    if several and not _PARTICLE.match(family) and not _INITIAL.search(given):
        return author
    return f"{given} {family}"


def _separates(line: str) -> list[str] | None:
    """Return no tags where `line` ends an entry, else None."""
    return [] if line[0] == "=" and _SEPARATOR.fullmatch(line) else None


def _entry(name: str, line: int, lines: Sequence[str]) -> _Entry | BadRecord:
    """Return the entry that `lines` make; its text is empty where it is a bookmark."""
    # A byte order mark stands not only at the beginning: a Kindle writes one whenever it begins to write.
    book, label, *words = [line.replace("\ufeff", "") for line in [*lines, ""]]
    label = label.strip()
    known = label.casefold()
    is_highlight = _HIGHLIGHT.search(known) is not None
    is_bookmark = not is_highlight and _BOOKMARK.search(known) is not None
    if label[:1] not in ("-", "–", "—") and not (is_highlight or is_bookmark or _NOTE.search(known)):
        return bad(name, line, f"no clipping; {_EXPECTED}")
    text = _LIMIT.sub("", "".join(words)).strip()
    try:
        check_length("the text", text, LONGEST_TEXT)
        check_length("the title", book + label, LONGEST_TEXT)
    except FlawError as flaw:
        return bad(name, line, str(flaw))
    parts = _BAR.split(_BETWEEN_DIGITS.sub("", label))
    label = "|".join(parts[:-1] or parts)  # without the date
    if is_bookmark or not any(map(str.isalnum, text)):  # or the picture of a page
        text = ""
    entry = _Entry(line, book.strip(), label, text)
    if places := list(_RANGE.finditer(label)):  # of page and location the location, which comes last
        first, last = places[-1]["first"], places[-1]["last"] or places[-1]["first"]
        entry.first, entry.last = int(first), _end(first, last)
    else:
        entry.page = " ".join(_ROMAN.findall(label)[-1:]).casefold()
    return entry


def _end(first: str, last: str) -> int:
    """Return where a range ends that may be written short: 1234-56 ends at 1256, 1998-02 at 2002."""
    if int(last) >= int(first) or len(last) >= len(first):
        return max(int(first), int(last))
    end = int(first[: -len(last)] + last)
    return end if end >= int(first) else end + 10 ** len(last)


def _is_note(label: str) -> bool:
    label = label.casefold()
    return _NOTE.search(label) is not None and _HIGHLIGHT.search(label) is None


def _leave_out(highlights: list[_Entry]) -> None:
    """Mark the highlights of a book that stand within another one, which is there in their place."""
    for entry in highlights:
        entry.folded = fold(entry.text)
    kept: deque[_Entry] = deque(maxlen=_COMPARED)
    for entry in sorted(highlights, key=lambda entry: (_first(entry), entry.line)):
        for other in [other for other in kept if other.overlaps(entry)]:
            if _holds(other, entry):
                entry.within = other
                break
            if _holds(entry, other):
                other.within = entry
                kept.remove(other)
        if entry.within is None:
            kept.append(entry)


def _holds(one: _Entry, other: _Entry) -> bool:
    """Whether `one` stays where both are there: it has all words of the other, and more or later."""
    if one.folded == other.folded:
        return one.line > other.line
    return other.folded in one.folded


def _join(highlights: list[_Entry], notes: list[_Entry]) -> None:
    """Give each highlight that stays the notes on its place."""
    by_end: dict[tuple[int | None, str], list[_Entry]] = {}
    for entry in sorted(highlights, key=_line):
        by_end.setdefault((entry.last, entry.page), []).append(entry)
    by_begin = sorted((entry for entry in highlights if entry.first is not None), key=_first)
    counted = {(note.last, note.page): note for note in notes}
    for note in sorted(counted.values(), key=_line):
        found = by_end.get((note.last, note.page))
        if found is None and note.first is not None:
            begin = bisect_right(by_begin, note.first, key=_first)
            found = [entry for entry in by_begin[max(0, begin - _COMPARED) : begin] if entry.overlaps(note)]
            found.sort(key=_line)
        if not found:
            continue
        at = bisect_right(found, note.line, key=_line)  # the nearest in the file stands on one side of it
        entry = min(found[max(0, at - 1) : at + 1], key=lambda entry: abs(entry.line - note.line))
        while entry.within is not None:
            entry = entry.within
        entry.note = f"{entry.note} {note.text}".strip()


def _line(entry: _Entry) -> int:
    return entry.line


def _first(entry: _Entry) -> int:
    return entry.first or 0
