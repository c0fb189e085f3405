"""Interpret values of JSON, YAML and tables: objects and lists as names, dates as years, and the like."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from itertools import islice

from quotefind.text import is_unicode

# "a, b", "a;b", "a|b", and "a #b", as people write tags into one cell.
_TAG_SEPARATOR = re.compile(r"[,;|，、；]|\s#")
# A list as Python writes it, and programs that put one into a cell: "['a', 'b']".
_LIST = re.compile(r"""\s*\[\s*(?P<parts>['"].*['"])?\s*\]\s*""", re.DOTALL)

# Keys of an object that represents one name or text, as in {"id": 7, "name": "Jane Austen"}.
_NAME_KEYS = (
    "name",
    "fullname",
    "full_name",
    "fullName",
    "displayName",
    "title",
    "label",
    "value",
    "text",
    "rendered",
    "tag",
    "slug",
)
_FAMILY_KEYS = (("first", "last"), ("firstName", "lastName"), ("first_name", "last_name"), ("firstname", "lastname"))
_NOTHING = frozenset(("", "null", "nan", "none", "n/a", "na", "nil", "undefined", "-", "–", "—", "nat", "#n/a"))
_MOST_PARTS = 100  # of a list that becomes one name
_MOST_TAGS = 1_001  # one more than a quote can have

_YEAR = re.compile(
    r"(?:c\.|ca\.?|circa|AD|A\.D\.|um|vers)?\s*(?P<year>-?[0-9]{1,4})(?:\.0+)?\s*"
    r"(?P<era>BCE?|B\.C\.(?:E\.)?|AD|CE|v\. ?Chr\.)?"
    r"|(?P<first>[0-9]{4})-(?:0?[1-9]|1[0-2])(?:-[0-9]{1,2})?(?:[T ][0-9:.,+ -]*Z?)?"  # 1999-03-01, also with a time
    r"|[0-9]{1,2}[./-][0-9]{1,2}[./-](?P<last>[0-9]{4})"
    r"|[^\W\d_]{3,12}\.?(?: [0-9]{1,2}(?:st|nd|rd|th)?)?,? (?P<english>[0-9]{4})",
    re.IGNORECASE,
)
_LARGEST_YEAR = 9999
_DIGITS = re.compile(r"[0-9]+(?:[-–][0-9]+)?|[ivxlc]+")
# Seconds since 1970, from 1990 to 2100; numbers a thousand times as large are milliseconds.
_MOMENTS = range(631_152_000, 4_102_444_800)


def as_string(value: object) -> str | None:
    """Return a value as one string: a number in digits, the name of an object, the parts of a list with commas.

    Return None for null, for what programs write instead of it ("nan", "N/A"), and for values without a name.
    """
    if isinstance(value, str):
        return None if len(value) <= len("undefined") and value.strip().casefold() in _NOTHING else value
    if isinstance(value, bool) or value is None or value != value:  # the last means NaN
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value) if abs(value) < 1e15 else None
    if isinstance(value, list):
        return ", ".join(filter(None, map(as_string, islice(value, _MOST_PARTS)))) or None
    if isinstance(value, Mapping):
        for first, last in _FAMILY_KEYS:
            if isinstance(value.get(last), str):
                return " ".join(str(value[key]) for key in (first, last) if value.get(key))
        return next((found for key in _NAME_KEYS if (found := _scalar(value.get(key)))), None)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return None


def _scalar(value: object) -> str | None:
    return None if isinstance(value, Mapping | list) else as_string(value)


def as_text(value: object) -> object:
    """Return the text of a quote from a list of its lines or an object that holds it; anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "\n".join(islice(value, 10_000))
    if isinstance(value, Mapping):
        return next(
            (value[key] for key in ("text", "value", "content", "plain") if isinstance(value.get(key), str)), value
        )
    return value


def as_tags(value: object) -> list[str]:
    """Return the tags in a string; a list of strings, numbers or objects with names; or an object of such lists."""
    if isinstance(value, str):
        return split_tags(value) if as_string(value) else []
    if isinstance(value, Mapping):
        name = as_string(value)
        if name is not None:
            return split_tags(name)
        return [str(key) for key, held in islice(value.items(), _MOST_TAGS) if held is True or held == 1]
    if isinstance(value, list):
        names = (part if isinstance(part, str) else as_string(part) for part in islice(value, _MOST_TAGS))
        return [name for name in names if name is not None]
    name = as_string(value)
    return [] if name is None else [name]


def split_tags(cell: str) -> list[str]:
    """Return the tags in one cell: a list as JSON or Python writes it, or separated by `,`, `;`, `|` or ` #`."""
    if cell[:1] == "[" and cell[-1:] == "]":
        try:
            parts = json.loads(cell)
        except (ValueError, RecursionError):
            parts = None
        if isinstance(parts, list) and all(map(_is_usable, parts)):
            return parts
    if written := _LIST.fullmatch(cell):
        return [part.strip().strip("'\"") for part in _TAG_SEPARATOR.split(written["parts"] or "")]
    return _TAG_SEPARATOR.split(cell)


def _is_usable(part: object) -> bool:
    """Whether `part` is a string of valid characters; JSON can escape invalid ones."""
    return isinstance(part, str) and "\0" not in part and is_unicode(part)


def as_year(value: object) -> int | None:
    """Return the year in a number, a date or a string that names one year, negative for BCE; None for other values."""
    if isinstance(value, datetime | date):
        return value.year
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= _LARGEST_YEAR else None
    found = _YEAR.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 40 else None
    if found is None:
        return None
    year = int(found["year"] or found["first"] or found["last"] or found["english"])
    return -abs(year) if (found["era"] or "").upper()[:1] in ("B", "V") else year


def as_note(value: object) -> str | None:
    """Return a note; the parts of a list are separated by semicolons."""
    if isinstance(value, list):
        return "; ".join(filter(None, map(as_string, islice(value, _MOST_PARTS)))) or None
    return as_string(value)


def as_place(place: object, chapter: object, page: object, location: object, kind: object) -> str | None:
    """Return the place of a quote, such as "Chapter 2, p. 91, location 1204"; `kind` is the unit of the location."""
    if (said := as_string(place)) is not None:
        return said
    parts = []
    if (name := as_string(chapter)) is not None:
        parts.append(f"ch. {name}" if _is_number(name) else name)
    if (name := as_string(page)) is not None and name != "0":
        parts.append(f"p. {name}" if _is_number(name) else name)
    unit = (as_string(kind) or "location").casefold()
    if (name := as_string(location)) is not None and name != "0" and unit in ("page", "location"):
        parts.append((f"p. {name}" if unit == "page" else f"location {name}") if _is_number(name) else name)
    return ", ".join(parts) or None


def _is_number(name: str) -> bool:
    return bool(_DIGITS.fullmatch(name.strip()))


def as_added(value: object) -> object:
    """Return when a quote was added: a date, a string, or a time in seconds or milliseconds since 1970."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        for moment in (value, value / 1000):
            if _MOMENTS.start <= moment < _MOMENTS.stop:
                return datetime.fromtimestamp(moment, UTC)
        return None
    return value
