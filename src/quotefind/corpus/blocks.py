"""Quotations set off as blocks in Markdown and Org: their words, their attribution and other details."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from quotefind.corpus.attribution import (
    Attribution,
    is_closed,
    name_attribution,
    own_line_attribution,
    parse_attribution,
    place_of,
    split_attribution,
)
from quotefind.corpus.author_names import is_likely_name
from quotefind.corpus.fields import checked_added
from quotefind.corpus.front_matter import tags_in
from quotefind.corpus.places import worded_date
from quotefind.corpus.verse import join_lines

_STRONG_DASH = re.compile(r"\s*(?:—|―|--|~)[\s—―~–-]*(?=\S)")
_ANY_DASH = re.compile(r"\s*[—―~–-]+\s*")
_FIELD = re.compile(
    r"(?:[-*+]\s+)?(?P<key>tags?|notes?|my note|comment|location|page|date|added|highlighted(?: at| on)?)\s*::?\s*"
    r"(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
_IN_BRACKETS_LAST = re.compile(r"\s*\[?\((?P<inner>[^()]{1,80})\)\]?\s*$")
_LOCATION_LAST = re.compile(
    r"\s+[—–-]+\s*(?P<kind>location|loc\.?|page|p\.)\s*:?\s*(?P<number>[\w–-]{1,20})\s*$", re.IGNORECASE
)
_LINK_LAST = re.compile(r"\s*(?:\(?(?:View (?:Highlight|Tweet)|Open in \w+|View in book)\)?|🔗|¶)\s*$", re.IGNORECASE)
_LINKED_NUMBER = re.compile(r"\(\[(?P<number>[0-9]{1,7}(?:[-–][0-9]{1,7})?)\]\([^()\s]*\)\)")
_OPENING, _CLOSING = ('"', "“", "„", "«"), ('"', "”", "“", "»")
_TIME = re.compile(r"Time [0-9:]+|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a block, without its markup.

    Attributes:
        text: the words.
        marked: whether all of it is emphasised.
        credit: whether it is marked up as an attribution.
        hard: whether the line break after it is intended.
        raw: the line with its markup.
    """

    text: str
    marked: bool = False
    credit: bool = False
    hard: bool = False
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """The content of a block: its words with the intended line breaks, and other details."""

    words: str = ""
    attribution: Attribution | None = None
    place: str | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()
    added: str | None = None


def is_credit(line: str) -> bool:
    """Whether `line`, which follows a block, begins like an attribution."""
    return _STRONG_DASH.match(line) is not None


def split_block(paragraphs: Sequence[Sequence[Line]], after: str = "") -> Block:
    """Return the content of the paragraphs of a quotation; `after` is the attribution that follows it, or "".

    The attribution is in the last lines of the block; or it is `after`; or it follows the last words. Lines of tags,
    notes and places are removed first.
    """
    known = Block()
    body: list[list[Line]] = []
    for at, paragraph in enumerate(paragraphs):
        kept: list[Line] = []
        for line in paragraph:
            found = field_of(line.text, line.raw, known) if at or kept else None
            if found is None:
                kept.append(line)
            else:
                known = found
        if kept:
            body.append(kept)
    body, known = _without_location(body, known)
    body, attribution = _cut(body)
    if attribution is None and after:
        attribution, added = credit_after(after)
        known = replace(known, added=known.added or added)
        if attribution is None and added is None:
            after = ""
    words = joined(body)
    if attribution is None and (remark := _remark(body)):
        words, known = joined([*body[:-1], body[-1][:-1]]), replace(known, note=known.note or remark)
    if attribution is None:
        words, attribution = _split_in_line(words)
    body_place = attribution.place if attribution else None
    return replace(known, words=words, attribution=attribution, place=known.place or body_place)


def parse_credit(line: str) -> Attribution | None:
    """Return the attribution of a line that begins with a dash."""
    return own_line_attribution(line) if _ANY_DASH.match(line) else None


def credit_after(line: str) -> tuple[Attribution | None, str | None]:
    """Return the attribution and the date in a line after a quotation; None for each that is missing."""
    dash = _ANY_DASH.match(line)
    if dash and (added := _date(line[dash.end() :])):
        return None, added
    return own_line_attribution(line), None


def field_of(text: str, raw: str, known: Block) -> Block | None:
    """Return `known` with the field in a line such as `Tags: #a #b` or `Note: …`; None for any other line."""
    if _LINK_LAST.fullmatch(text):
        return known
    found = _FIELD.fullmatch(text.strip())
    if found is None:
        return None
    key, value = found["key"].casefold(), found["value"].strip()
    if key.startswith("tag"):
        written = raw.partition(":")[2].lstrip(":*_ ") if "[[" in raw else value
        return replace(known, tags=(*known.tags, *tags_in(written)))
    if key in ("note", "notes", "my note", "comment"):
        return replace(known, note=" ".join(filter(None, (known.note, value))))
    if key in ("location", "page"):
        return replace(known, place=known.place or (f"{key} {value}" if value[:1].isdigit() else value) or None)
    return replace(known, added=known.added or _date(value))


def joined(paragraphs: Sequence[Sequence[Line]]) -> str:
    """Return the lines as one text, with only the intended line breaks."""
    if any(line.hard for paragraph in paragraphs for line in paragraph[:-1]):
        parts = ["".join(line.text.strip() + ("\n" if line.hard else " ") for line in lines) for lines in paragraphs]
        return "\n\n".join(part.strip() for part in parts)
    lines: list[str] = []
    if all(len(paragraph) == 1 for paragraph in paragraphs):
        return " ".join(line.text.strip() for paragraph in paragraphs for line in paragraph)
    for paragraph in paragraphs:
        lines += [""] * bool(lines) + [line.text for line in paragraph]
    return join_lines(lines)


def without_location(text: str, raw: str = "") -> tuple[str, str | None]:
    """Return `text` without the place, or the link to it, that a reading tool writes at its end; and the place.

    `raw` is the text with its markup, which distinguishes the number of a location from a number in brackets.
    """
    place = None
    if number := _LINKED_NUMBER.search(raw):
        text = text.rstrip().removesuffix(f"({number['number']})")
        place = f"location {number['number']}"
    for _ in range(3):
        if found := _LOCATION_LAST.search(text):
            kind = "page" if found["kind"].casefold().startswith("p") else "location"
            text, place = text[: found.start()], f"{kind} {found['number']}"
        elif (found := _IN_BRACKETS_LAST.search(text)) and (inner := found["inner"].strip(" []")):
            if _LINK_LAST.fullmatch(inner) or inner.casefold() == "link":
                text = text[: found.start()]
            elif place_of(inner) or _TIME.fullmatch(inner):
                text, place = text[: found.start()], inner
            else:
                break
        elif found := _LINK_LAST.search(text):
            text = text[: found.start()]
        else:
            break
    return text, place


def _without_location(body: list[list[Line]], known: Block) -> tuple[list[list[Line]], Block]:
    """Return the body without the place at the end of one of its last lines, and `known` with that place."""
    if not body:
        return body, known
    last = body[-1][-1]
    text, place = without_location(last.text, last.raw)
    if text == last.text:
        return body, known
    lines = [*body[-1][:-1], *([replace(last, text=text)] if text.strip() else [])]
    return [*body[:-1], *([lines] if lines else [])], replace(known, place=known.place or place)


def _cut(body: list[list[Line]]) -> tuple[list[list[Line]], Attribution | None]:
    """Return the body without the lines of its attribution, and the attribution."""
    if not body or (len(body) == 1 and len(body[0]) == 1):
        return body, None
    lines = body[-1]
    first = 0 if len(body) > 1 else 1
    for at in range(len(lines) - 1, first - 1, -1):
        if _STRONG_DASH.match(lines[at].text):
            credit = " ".join(line.text for line in lines[at:])
            if (attribution := own_line_attribution(credit)) is not None:
                return [*body[:-1], *([lines[:at]] if at else [])], attribution
    last = lines[-1]
    attribution = own_line_attribution(last.text)
    if attribution is None and last.credit:
        dash = _ANY_DASH.match(last.text)
        attribution = parse_attribution(last.text[dash.end() if dash else 0 :], own_line=True)
    if attribution is None and last.marked:
        others = [line.marked for paragraph in body for line in paragraph][:-1]
        attribution = name_attribution(last.text, least=2 if all(others) else 1)
    if attribution is None and is_likely_name(last.text.strip(), least=2):
        before = " ".join(line.text.strip() for paragraph in body for line in paragraph).removesuffix(last.text.strip())
        if before.strip()[:1] in _OPENING and before.strip()[-1:] in _CLOSING:
            attribution = name_attribution(last.text, least=2)
    if attribution is None:
        return body, None
    return [*body[:-1], *([lines[:-1]] if len(lines) > 1 else [])], attribution


def _remark(body: list[list[Line]]) -> str | None:
    """Return the emphasised remark below a text in quotation marks, which is not part of the text."""
    lines = [line for paragraph in body for line in paragraph]
    if len(lines) < 2 or not lines[-1].marked or any(line.marked for line in lines[:-1]):
        return None
    text = " ".join(line.text.strip() for line in lines[:-1])
    return lines[-1].text.strip() if text[:1] in '"“„«' and text[-1:] in '"”“»' else None


def _split_in_line(words: str) -> tuple[str, Attribution | None]:
    """Return the words and the attribution in their last line; before two words, a hyphen needs no full stop."""
    rest, attribution = split_attribution(words)
    if attribution is not None:
        return rest, attribution
    rest, attribution = split_attribution(words, loose=True)
    if attribution is None or attribution.author is None or not is_likely_name(attribution.author, least=2):
        return words, None
    is_title = all(not word[0].islower() for word in rest.split())
    return (words, None) if is_title and not is_closed(rest) else (rest, attribution)


def _date(text: str) -> str | None:
    """Return the date that `text` consists of, as ISO 8601, or None."""
    text = text.strip(" []()*_")
    if len(text) > 60 or not any(map(str.isdigit, text)):
        return None
    begins = re.match(r"[^\W\d_]{0,10},?\s*[0-9]|[^\W\d_]+ [0-9]", text)
    return checked_added(text) or (worded_date(text) if begins else None)
