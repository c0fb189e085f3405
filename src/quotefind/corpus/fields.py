"""From the raw fields of a record to a checked quote, the same for every format."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import islice

from quotefind.corpus.author_names import real_author
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote
from quotefind.text import normalise, piles_marks

# Field of a quote -> the names its column or key usually has; where several are there, the first of these is taken.
USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "quote", "quotation", "content", "highlight"),
    "author": ("author", "by", "book author"),
    "work": ("work", "source", "book", "title", "book title"),
    "year": ("year",),
    "tags": ("tags", "themes", "topics", "subjects", "category", "document tags"),
    "note": ("note", "annotation"),
    "place": ("place",),
    "added": ("added",),
}

# What no text can hold: NUL, and half of a surrogate pair.
UNUSABLE = re.compile("[\0\ud800-\udfff]")

# A quote, not a book; a name, not a text. What is longer would be shown, compared and searched in vain, and slowly.
LONGEST_TEXT = 200_000
LONGEST_NAME = 1_000
MOST_TAGS = 1_000

# Of names that a message lists: how many, and how much of each.
_LISTED = 20
_LISTED_CHARACTERS = 60

# "a, b", "a;b", "a|b", and "a #b", as people write tags into one cell.
_TAG_SEPARATOR = re.compile(r"[,;|]|\s#")
# How Python writes a list, and so do programs that put one into a cell: "['a', 'b']".
_LIST = re.compile(r"""\s*\[\s*(?P<parts>['"].*['"])?\s*\]\s*""", re.DOTALL)
_YEAR = re.compile(r"(-?[0-9]{1,4})(?:\.0+)?|([0-9]{1,4}) ?BCE?")  # with .0 where a table had gaps
_LARGEST_YEAR = 9999
_JSON_KINDS = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a string"}


class FlawError(Exception):
    """What is wrong with one record; it never leaves the package, a `BadRecord` carries its message."""


def unusable(raw: str) -> re.Match[str] | None:
    """Return the first character of `raw` that no text can hold, or None."""
    if raw.isascii():  # much faster than the search, and true of most records
        return UNUSABLE.search(raw) if "\0" in raw else None
    return UNUSABLE.search(raw)


def raw_problem(raw: str, encoding: str) -> str | None:
    """Return what makes the decoded text of a record unusable, or None.

    Bytes that do not decode arrive as lone surrogates (PEP 383), so that the record can be named by its line.
    """
    found = unusable(raw)
    if found is None:
        return None
    if found.group() == "\0":
        return "holds a NUL character; expected text"
    return f"not valid {encoding}; say --encoding NAME if it is in another encoding"


def kind(value: object) -> str:
    """Return what JSON calls a value, for messages."""
    return _JSON_KINDS.get(type(value), "a list" if isinstance(value, list) else "an object")


def listed(names: Iterable[str]) -> str:
    """Return `names` for a message: quoted, escaped, on one line, the first 20 of them where there are more."""
    some = [repr(name[:_LISTED_CHARACTERS]) for name in islice(names, _LISTED + 1)]
    return ", ".join(some[:_LISTED] + ["…"] * (len(some) > _LISTED)) or "none"


def find_columns(names: Iterable[str], options: ReadOptions) -> dict[str, str | None]:
    """Return for each field of a quote the one of `names` that holds it, or None.

    Case and surrounding blanks are ignored. A name given in `options` is the only one that counts for its field.
    """
    known: dict[str, str] = {}
    for name in names:
        known.setdefault(name.strip().casefold(), name)
    found: dict[str, str | None] = {}
    for field, usual in USUAL_NAMES.items():
        said = named_column(field, options)
        wanted = usual if said is None else (said.strip().casefold(),)
        found[field] = next((known[name] for name in wanted if name in known), None)
    return found


def named_column(field: str, options: ReadOptions) -> str | None:
    """Return the column that `options` name for a field, or None."""
    column: str | None = getattr(options, f"{field}_column", None)
    return column


def check_length(what: str, text: str, longest: int) -> None:
    """Refuse a text that it would take for ever to normalise.

    Raises:
        FlawError: it has more than `longest` characters, or letters with more accents than any letter has.
    """
    if len(text) > longest:
        raise FlawError(f"{what} has {len(text):,} characters; expected at most {longest:,}")
    if piles_marks(text):
        raise FlawError(f"{what} piles more than 100 accents on one letter; expected letters")


def checked_text(text: object, *, keep_lines: bool = False) -> str:
    """Return the normalised words of a quote, with their line breaks where `keep_lines` says so.

    Raises:
        FlawError: it is not a string, is longer than a quote, or holds no word.
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
    """Return an author or a work with its white space folded; None for null, for blanks, and for an unknown author.

    Raises:
        FlawError: it is not a string, or longer than a name.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise FlawError(f"the {field} is {kind(value)}; expected a string or null")
    check_length(f"the {field}", value, LONGEST_NAME)
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    name = " ".join(value.split())
    return (real_author(name) if field == "author" else name) or None


def checked_year(value: object) -> int | None:
    """Return the year, negative for BCE; None for null and for a string that is not plainly one year.

    Raises:
        FlawError: it is neither a whole number nor a string, or no year that a work can have.
    """
    if value is None:
        return None
    if isinstance(value, str):
        match = _YEAR.fullmatch(value.strip())
        if match is None:
            return None
        return int(match[1]) if match[1] else -int(match[2])
    if isinstance(value, float) and value.is_integer():  # what tables with gaps make of whole numbers
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise FlawError(
            f"the year is {'not a whole number' if isinstance(value, float) else kind(value)}; expected one"
        )
    if abs(value) > _LARGEST_YEAR:
        raise FlawError(f"the year is beyond {_LARGEST_YEAR}; expected a year, negative for BCE")
    return value


def checked_tags(value: object) -> tuple[str, ...]:
    """Return the tags of a list of strings, or of one string, see `split_tags`.

    Raises:
        FlawError: it is neither, or there are more of them than a quote can have.
    """
    if value is None or value == "":
        return ()
    parts = split_tags(value) if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise FlawError(f"the tags are {kind(value)}; expected a list of strings or one string")
    if len(parts) > MOST_TAGS:
        raise FlawError(f"there are {len(parts):,} tags; expected at most {MOST_TAGS:,}")
    tags: dict[str, None] = {}
    for part in parts:
        if not isinstance(part, str):
            raise FlawError(f"a tag is {kind(part)}; expected a string")
        tag = checked_name("tag", part.strip().lstrip("# "))
        if tag:
            tags[tag] = None
    return tuple(tags)


def split_tags(cell: str) -> list[str]:
    """Return the tags in one cell: of a list as JSON or Python writes it, or what `,`, `;`, `|` or ` #` separates."""
    if cell[:1] == "[" and cell[-1:] == "]":
        try:
            parts = json.loads(cell)
        except (ValueError, RecursionError):
            parts = None
        if isinstance(parts, list) and all(isinstance(part, str) and not unusable(part) for part in parts):
            return parts
    if written := _LIST.fullmatch(cell):
        return [part.strip().strip("'\"") for part in _TAG_SEPARATOR.split(written["parts"] or "")]
    return _TAG_SEPARATOR.split(cell)


def checked_note(value: object) -> str | None:
    """Return a note with its white space folded; None for null and for nothing but blanks.

    Raises:
        FlawError: it is not a string, or longer than a quote.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise FlawError(f"the note is {kind(value)}; expected a string or null")
    check_length("the note", value, LONGEST_TEXT)
    return " ".join(unicodedata.normalize("NFC", value).split()) or None


def checked_added(value: object) -> str | None:
    """Return a date, or a date and a time to the second, as ISO 8601; None for what is no such date."""
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
    """Return the quote that these raw fields make, or what is wrong with them; `name` and `line` say where.

    With `keep_lines` the line breaks of the text are meant, as in verse; otherwise they are those of wrapped prose.
    """
    try:
        return Quote(
            text=checked_text(text, keep_lines=keep_lines),
            author=checked_name("author", author),
            work=checked_name("work", work),
            year=checked_year(year),
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
    """Return the record of `name` at `line` as one that is no quote."""
    return BadRecord(f"{name}:{line}", problem)
