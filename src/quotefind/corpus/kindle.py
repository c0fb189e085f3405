"""The clippings of a Kindle: highlights become quotes, and notes are attached to their highlights."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from quotefind.corpus.author_names import real_author
from quotefind.corpus.fields import LONGEST_TEXT, FlawError, bad, check_length, make_quote, raw_problem
from quotefind.corpus.lines import entries
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.corpus.places import place, worded_date
from quotefind.corpus.verse import join_lines
from quotefind.records import Quote
from quotefind.text import fold

_SEPARATOR = re.compile(r"={10,}\s*")
_EXPECTED = 'expected a title, then a line such as "- Your Highlight on page 12 | Location 180-182", then the words'

# The words for a note and a bookmark in labels, in the languages of the device. Other entries with text are highlights.
_NOTE = re.compile(
    r"\b(?:note|notiz|nota|notitie|notatka|anteckning|notat|poznámka|muistiinpano|jegyzet|notunuz|заметка|примечание)\b"
    r"|メモ|笔记|筆記|注释|注釋|메모|노트"
)
_BOOKMARK = re.compile(
    r"\b(?:bookmark|lesezeichen|signet|marcador|segnalibro|bladwijzer|zakładka|bokmärke|záložka|könyvjelző|закладка)\b"
    r"|ブックマーク|しおり|书签|書籤|북마크"
)
_HIGHLIGHT = re.compile(
    r"\b(?:highlight|markierung|surlign\w+|subrayado|evidenziazione|destaque|markering)\b|ハイライト|标注|標註|하이라이트"
)
_BAR = re.compile("[|｜]")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[.,'’](?=[0-9]{3}(?![0-9]))")
# Separators of the ends of a range: a dash, or "to" in the languages of the device ("100 t/m 105").
_TO = "t/m|tot|to|through|bis|à|au|a|al|ao|até|hasta|fino a|do|až|до|по|till|til|ila|ile|至|到|から|에서"
_RANGE = re.compile(
    rf"(?P<first>[0-9]{{1,12}})(?:\s*(?:[-–—~～〜至到]|(?<=\s)(?:{_TO})(?=\s))\s*(?P<last>[0-9]{{1,12}}))?",
    re.IGNORECASE,
)
_PAGE = re.compile(
    r"p[aá]g|seite|síðu|str(?:on|án|\.)|стр|sida|side\b|sivu|sayfa|oldal|ページ|页|頁|페이지|쪽", re.IGNORECASE
)
_PAGE_AFTER = re.compile(r"\s*(?:ページ|页|頁|페이지|쪽|\.?\s*oldal|\.?\s*sayfa)")
_LOCATION = re.compile(r"lo[ck]|pos|pozi|emplacement|staðs|mest|мест|позиц|plats|konum|位置|위치|#", re.IGNORECASE)
_ROMAN = re.compile(r"(?<=\s)(?P<page>[ivxlcdm]{1,12})(?:\s*[-–]\s*(?P=page))?(?![\w])", re.IGNORECASE)
# "<You have reached the clipping limit for this item>", instead of the words or after the first of them.
_LIMIT = re.compile(r"\s*<[^<>]{20,200}>\s*$")

# A highlight is compared with this many highlights that begin before it. There are few on one page.
_COMPARED = 30

_OPENING, _CLOSING = "(（", ")）"
# The site that a file was downloaded from: a domain, or the name of a well-known site.
_SITE = re.compile(
    r"(?:https?://)?(?:[\w-]+\.)+(?:org|com|net|io|cc|to|li|rs|is|me|info|pub|st|se|sk|lc|id|gs|ru|in|xyz|club|site)"
    r"|z-?lib(?:rary)?|lib(?:rary )?gen(?:esis)?|anna['’]?s archive|pdf ?drive|ocean ?of ?pdf|e?bookfi|b-ok",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"(?:jr|sr|esq|ph\.?\s?d|m\.?d|ii|iii|iv)\b\.?", re.IGNORECASE)
_PARTICLE = re.compile(r"(?:d[eaiu]|del|della|der|la|le|van|von|ten|zu|ibn|bin|al|el)\b", re.IGNORECASE)
_INITIAL = re.compile(r"\b\w\.")


@dataclass(slots=True)
class _Entry:
    """The text between two separators.

    It extends from location (or, without one, page) `first` to `last`. `page` is the page as in the label, which may be
    a Roman numeral.
    """

    line: int
    book: str
    label: str
    date: str
    text: str
    first: int | None = None
    last: int | None = None
    page: str = ""
    location: str = ""
    folded: str = ""
    within: _Entry | None = None
    note: str = ""

    def overlaps(self, other: _Entry) -> bool:
        """Whether both overlap in the book."""
        if self.first is None or self.last is None or other.first is None or other.last is None:
            return self.page == other.page and self.first == other.first
        return self.first <= other.last and other.first <= self.last

    def key(self) -> tuple[int | None, str]:
        """Return where it ends; if that is not a number, the page."""
        return self.last, self.page if self.last is None else ""


def read_kindle(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the highlights of a `My Clippings.txt`, each with its note, in the order of the file.

    The second line of an entry says what it is, in any language: bookmarks have no words, and notes are recognised by
    their name. It also has the page, the location and the date. Line breaks in a highlight are kept if it is verse.

    A Kindle only ever appends, so a resized highlight is in the file twice. A highlight is therefore left out if
    another one in the same book overlaps it and contains its words; of equal highlights the last one is kept. A note
    belongs to the highlight that ends at its place, else to one that covers it, and among several to the nearest in the
    file. Of several notes in one place the last counts. A note without a highlight is not a quote.
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
            (notes if entry_kind(entry.label) == "note" else highlights).append(entry)
    for highlights, notes in books.values():
        _leave_out(highlights)
        _join(highlights, notes)
    kept = {id(entry) for highlights, _ in books.values() for entry in highlights if entry.within is None}
    for entry in found:
        if isinstance(entry, BadRecord):
            yield entry
        elif id(entry) in kept:
            title, author = split_book(entry.book)
            where = place(page=entry.page, location=entry.location)
            added = worded_date(entry.date)
            yield make_quote(
                name, entry.line, entry.text, author, title, note=entry.note, place=where, added=added, keep_lines=True
            )


def split_book(line: str) -> tuple[str, str | None]:
    """Return title and author of `Title (Author)`; the author is in the last brackets, which may contain brackets.

    The name of a download site in brackets is ignored: "Title (Author) (z-lib.org)".
    """
    title, inner = _last_brackets(line)
    while inner is not None and _SITE.fullmatch(inner):
        line = title
        title, inner = _last_brackets(line)
    if inner is None or not any(map(str.isalpha, inner)):
        return line.strip(), None
    before, site = _last_brackets(title)
    if site is not None and _SITE.fullmatch(site):
        title = before
    return title, names_in_order(inner)


def _last_brackets(line: str) -> tuple[str, str | None]:
    """Return the text before the brackets at the end of `line`, and the text in them; None if there are none."""
    line = line.strip()
    depth = 0
    for at in range(len(line) - 1, -1, -1):
        depth += (line[at] in _CLOSING) - (line[at] in _OPENING)
        if depth <= 0:
            break
    else:
        return line, None
    title = line[:at].rstrip()
    return (title, line[at + 1 : -1].strip()) if line[-1] in _CLOSING and title else (line, None)


def names_in_order(names: str) -> str | None:
    """Return the authors in `Last, First; Last, First` as `First Last, First Last`; None for "Unknown"."""
    if real_author(names.removesuffix("(e)")) is None:  # the French "Inconnu(e)"
        return None
    return ", ".join(map(_in_order, filter(None, map(str.strip, names.split(";"))))) or None


def _in_order(author: str) -> str:
    """Return `Austen, Jane` as `Jane Austen`; two names, and a name with a title, stay as they are."""
    family, comma, given = (part.strip() for part in author.partition(","))
    if not comma or not family or not given or "," in given or _SUFFIX.fullmatch(given):
        return author
    several = " " in family and " " in given
    if several and not _PARTICLE.match(family) and not _INITIAL.search(given):
        return author
    return f"{given} {family}"


def _separates(line: str) -> list[str] | None:
    """Return no tags if `line` ends an entry, else None."""
    return [] if line[0] == "=" and _SEPARATOR.fullmatch(line) else None


def _entry(name: str, line: int, lines: Sequence[str]) -> _Entry | BadRecord:
    """Return the entry in `lines`; the text of a bookmark is empty."""
    # Byte order marks occur within the file, because a Kindle writes one whenever it opens the file.
    book, label, *words = [line.replace("\ufeff", "") for line in [*lines, ""]]
    label = label.strip()
    is_known = any(pattern.search(label.casefold()) for pattern in (_HIGHLIGHT, _NOTE, _BOOKMARK))
    if label[:1] not in ("-", "–", "—") and not is_known:
        return bad(name, line, f"not a clipping; {_EXPECTED}")
    text = join_lines(_LIMIT.sub("", "".join(words)).strip().splitlines())
    try:
        check_length("the text", text, LONGEST_TEXT)
        check_length("the title", book + label, LONGEST_TEXT)
    except FlawError as flaw:
        return bad(name, line, str(flaw))
    parts = _BAR.split(label)
    label, date = ("|".join(parts[:-1]), parts[-1]) if len(parts) > 1 else (parts[0], "")
    if entry_kind(label) == "bookmark" or not any(map(str.isalnum, text)):  # or the picture of a page
        text = ""
    entry = _Entry(line, book.strip(), label, date, text)
    _set_place(entry)
    return entry


def _set_place(entry: _Entry) -> None:
    """Read page and location from the label; the entry is at the location, which is more exact, or at the page."""
    entry.page, entry.location = label_place(entry.label)
    first, _, last = (entry.location or entry.page).partition("-")
    if first.isdecimal():
        entry.first, entry.last = int(first), int(last or first)


def label_place(label: str) -> tuple[str, str]:
    """Return the page and the location in a label, in any language; "" for one that is missing.

    Each is a number or a range ("180-182"); the page may be a Roman numeral.
    """
    label = _BETWEEN_DIGITS.sub("", label)
    page = location = ""
    end = 0
    for found in _RANGE.finditer(label):
        first = int(found["first"])
        last = _end(found["first"], found["last"] or found["first"])
        written = str(first) if last == first else f"{first}-{last}"
        before = label[end : found.start()]
        end = found.end()
        if _PAGE_AFTER.match(label, end) or _last(_PAGE, before) > _last(_LOCATION, before):
            page = written
        else:
            location = written
    if not page and (word := _PAGE.search(label)) and (roman := _ROMAN.search(label, word.end())):
        page = roman["page"].casefold()
    return page, location


def _last(pattern: re.Pattern[str], text: str) -> int:
    """Return where the last match of `pattern` in `text` begins, -1 if there is none."""
    return max((found.start() for found in pattern.finditer(text)), default=-1)


def _end(first: str, last: str) -> int:
    """Return the end of a range, which may be abbreviated: 1234-56 ends at 1256, 1998-02 at 2002."""
    if int(last) >= int(first) or len(last) >= len(first):
        return max(int(first), int(last))
    end = int(first[: -len(last)] + last)
    return end if end >= int(first) else end + 10 ** len(last)


def entry_kind(label: str) -> str:
    """Return "highlight", "note" or "bookmark" for a label in any language."""
    label = label.casefold()
    if _HIGHLIGHT.search(label) is None:
        if _NOTE.search(label):
            return "note"
        if _BOOKMARK.search(label):
            return "bookmark"
    return "highlight"


def _leave_out(highlights: list[_Entry]) -> None:
    """Mark the highlights of a book that another one contains; the other one is kept."""
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
    """Whether `one` is kept instead of `other`: it has all words of `other`, and has more or comes later."""
    if one.folded == other.folded:
        return one.line > other.line
    return other.folded in one.folded


def _join(highlights: list[_Entry], notes: list[_Entry]) -> None:
    """Attach to each highlight that is kept the notes in its place."""
    by_end: dict[tuple[int | None, str], list[_Entry]] = {}
    for entry in sorted(highlights, key=_line):
        by_end.setdefault(entry.key(), []).append(entry)
    by_begin = sorted((entry for entry in highlights if entry.first is not None), key=_first)
    counted = {note.key(): note for note in notes}
    for note in sorted(counted.values(), key=_line):
        found = by_end.get(note.key())
        if found is None and note.first is not None:
            begin = bisect_right(by_begin, note.first, key=_first)
            found = [entry for entry in by_begin[max(0, begin - _COMPARED) : begin] if entry.overlaps(note)]
            found.sort(key=_line)
        if not found:
            continue
        at = bisect_right(found, note.line, key=_line)  # the nearest in the file is just before or after
        entry = min(found[max(0, at - 1) : at + 1], key=lambda entry: abs(entry.line - note.line))
        while entry.within is not None:
            entry = entry.within
        entry.note = f"{entry.note} {note.text}".strip()


def _line(entry: _Entry) -> int:
    return entry.line


def _first(entry: _Entry) -> int:
    return entry.first or 0
