"""Turn the raw fields of a record into a checked quote; the same for every format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from itertools import islice

from quotefind.corpus.author_names import real_author
from quotefind.corpus.options import WRONG_ENCODING, BadRecord
from quotefind.corpus.values import as_added, as_note, as_string, as_tags, as_text, as_year
from quotefind.records import Quote
from quotefind.text import normalise, piles_marks

# Characters that no text can hold: NUL, and half of a surrogate pair.
UNUSABLE = re.compile("[\0\ud800-\udfff]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")

# Characters of a text and of a name. Anything longer is a book, not a quote; a text, not a name.
LONGEST_TEXT = 200_000
LONGEST_NAME = 1_000
MOST_TAGS = 1_000

# The number of names that a message lists, and the length of each.
_LISTED = 20
_LISTED_CHARACTERS = 60

_JSON_KINDS = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a string"}


class FlawError(Exception):
    """What is wrong with one record. It never leaves the package: a `BadRecord` carries its message."""


def unusable(raw: str) -> re.Match[str] | None:
    """Return the first character of `raw` that no text can hold, or None."""
    if raw.isascii():  # much faster than the search, and true of most records
        return UNUSABLE.search(raw) if "\0" in raw else None
    return UNUSABLE.search(raw)


def raw_problem(raw: str, encoding: str) -> str | None:
    """Return why the decoded text of a record is unusable, or None.

    Bytes that do not decode arrive as lone surrogates (PEP 383), so that the message can name the line.
    """
    found = unusable(raw)
    if found is None:
        return None
    if found.group() == "\0":
        return "holds a NUL character; expected text"
    if not _ESCAPED_BYTE.match(found.group()):
        return "holds half of a surrogate pair; expected text"
    return f"not valid {encoding}; {WRONG_ENCODING}"


def kind(value: object) -> str:
    """Return the JSON name of the type of a value, for messages."""
    return _JSON_KINDS.get(type(value), "a list" if isinstance(value, list) else "an object")


def listed(names: Iterable[str]) -> str:
    """Return `names` for a message: quoted, escaped, on one line, and at most 20 of them."""
    some = [repr(name[:_LISTED_CHARACTERS]) for name in islice(names, _LISTED + 1)]
    return ", ".join(some[:_LISTED] + ["…"] * (len(some) > _LISTED)) or "none"


def check_length(what: str, text: str, longest: int) -> None:
    """Refuse a text that would take too long to normalise.

    Raises:
        FlawError: it has more than `longest` characters, or a letter with an absurd number of accents.
    """
    if len(text) > longest:
        raise FlawError(f"{what} has {len(text):,} characters; expected at most {longest:,}")
    if piles_marks(text):
        raise FlawError(f"{what} piles more than 100 accents on one letter; expected letters")


def checked_text(text: object, *, keep_lines: bool = False) -> str:
    """Return the normalised words of a quote, with their line breaks if `keep_lines` is set.

    Raises:
        FlawError: it is not a string, is too long for a quote, or contains no words.
    """
    if not isinstance(text, str):
        raise FlawError(f"the text is {kind(text)}; expected a string")
    check_length("the text", text, LONGEST_TEXT)
    normal = normalise(text, keep_lines=keep_lines)
    if not normal:
        raise FlawError("the text is empty; expected the words of a quote")
    if not (normal[0].isalnum() or any(map(str.isalnum, normal))):
        raise FlawError("the text holds no letter and no digit; expected the words of a quote")
    return normal


def checked_name(field: str, value: object) -> str | None:
    """Return the author, the work or the like that a value names, on one line; None if it names nothing.

    Raises:
        FlawError: it is too long for a name.
    """
    name = as_string(value)
    if name is None:
        return None
    check_length(f"the {field}", name, LONGEST_NAME)
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    name = " ".join(name.split())
    return (real_author(name) if field == "author" else name) or None


def checked_tags(value: object) -> tuple[str, ...]:
    """Return the tags that a value names (see `values.as_tags`), each once and without a leading "#".

    Raises:
        FlawError: there are too many tags for a quote, or one is too long for a name.
    """
    parts = as_tags(value)
    if len(parts) > MOST_TAGS:
        raise FlawError(f"there are more than {MOST_TAGS:,} tags; expected fewer")
    tags: dict[str, None] = {}
    for part in parts:
        tag = checked_name("tag", part.strip().lstrip("# "))
        if tag:
            tags[tag] = None
    return tuple(tags)


def checked_note(value: object) -> str | None:
    """Return a note with its white space collapsed; None if there is none.

    Raises:
        FlawError: it is too long for a quote.
    """
    note = as_note(value)
    if note is None:
        return None
    check_length("the note", note, LONGEST_TEXT)
    return " ".join(unicodedata.normalize("NFC", note).split()) or None


def checked_added(value: object) -> str | None:
    """Return a date, or a date and a time to the second, as ISO 8601; None if the value is neither."""
    value = as_added(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        return None
    text = value.strip()
    try:
        if len(text) <= len("2026-01-31"):
            return date.fromisoformat(text).isoformat()
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError:
        return None


def make_quote(
    name: str,
    line: int,
    text: object,
    author: object = None,
    work: object = None,
    year: object = None,
    tags: object = None,
    note: object = None,
    place: object = None,
    added: object = None,
    *,
    keep_lines: bool = False,
) -> Quote | BadRecord:
    """Return the quote with these raw values, or a bad record that says what is wrong with them at `name`:`line`.

    A value may be anything that JSON can hold; see `values`. With `keep_lines`, the line breaks of the text are
    intended, as in verse; otherwise they are treated as those of wrapped prose.
    """
    try:
        return Quote(
            text=checked_text(as_text(text), keep_lines=keep_lines),
            author=checked_name("author", author),
            work=checked_name("work", work),
            year=as_year(year),
            tags=checked_tags(tags),
            source=name,
            line=line,
            note=checked_note(note),
            place=checked_name("place", place),
            added=checked_added(added),
        )
    except FlawError as flaw:
        return bad(name, line, str(flaw))


def bad(name: str, line: int, problem: str) -> BadRecord:
    """Return a record of `name` at `line` that is not a quote."""
    return BadRecord(f"{name}:{line}", problem)
