"""What stands between lines of `---` at the top of a Markdown note: as much of YAML as such notes use, and no more."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from quotefind.corpus.blocks import About
from quotefind.corpus.fields import LONGEST_NAME, MOST_TAGS

_LONGEST = 100_000  # characters
_END = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_KEY = re.compile(r"(?P<key>[A-Za-z][\w -]*?)[ \t]*:(?:[ \t]+(?P<value>.*))?")
_ITEM = re.compile(r"[ \t]*-[ \t]+(?P<value>.+)")
_COMMENT = re.compile(r"(?:^|[ \t])#(?=[ \t]).*")
_WIKI = re.compile(r"\[\[([^\[\]|]*)(?:\|([^\[\]]*))?\]\]")
_URL = re.compile(r"[a-z]{2,10}://", re.IGNORECASE)

_AUTHORS = ("author", "authors", "by")
_WORKS = ("book", "work")
_TITLES = ("title", "source")  # of a note, unless it names an author as well
_TAGS = ("tags", "tag", "keywords")
# A page that is to be published: its author is who wrote the page.
_PUBLISHED = ("layout", "draft", "slug", "permalink")


def front_matter(source: str) -> tuple[About, str]:
    """Return what a note says of itself, and the note with blank lines in the place of that, so that lines stay.

    Known are `author`, `book`, `title`, which without an author is only that of the note, and `tags`. In a page that is
    to be published (it has a `layout`, `draft`, `slug` or `permalink`) the author is who wrote the page, and not who is
    quoted in it.
    """
    if not source.startswith("---"):
        return About(), source
    opening = source.find("\n")
    if opening < 0 or source[:opening].rstrip() != "---":
        return About(), source
    closing = _END.search(source, opening + 1, opening + _LONGEST)
    if closing is None:
        return About(), source
    values = _values(source[opening + 1 : closing.start()].split("\n"))
    tags = tuple(tag for value in _first(values, _TAGS) for tag in _words(value) if len(tag) <= LONGEST_NAME)
    author = work = None
    if not any(key in values for key in _PUBLISHED):
        author = _name(", ".join(_first(values, _AUTHORS)))
        works = (*_WORKS, *_TITLES) if author else _WORKS
        work = next((name for key in works if (name := _name(", ".join(values.get(key, ()))))), None)
    rest = "\n" * source.count("\n", 0, closing.end()) + source[closing.end() :]
    return About(author, work, tags[:MOST_TAGS]), rest


def clean_links(text: str) -> str:
    """Return `text` with the words that links between notes show: `[[Seneca|the Younger]]` is `the Younger`."""
    return _WIKI.sub(lambda link: link[2] or link[1].split("#")[0].rpartition("/")[2] or link[1], text)


def _values(lines: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each key at the margin; what is nested otherwise than in a list is passed over."""
    values: dict[str, list[str]] = {}
    within: list[str] | None = None
    for line in lines:
        if found := _KEY.fullmatch(line.rstrip()):
            within = values.setdefault(found["key"].strip().casefold(), [])
            value = _COMMENT.sub("", found["value"] or "").strip()
            if value in ("", "|", ">", "null", "~"):
                continue
            value = clean_links(value)
            if value[0] == "[" and value[-1] == "]":
                within += filter(None, map(_bare, next(csv.reader([value[1:-1]], skipinitialspace=True), [])))
            else:
                within.append(_bare(value))
        elif within is not None and (item := _ITEM.fullmatch(line.rstrip())):
            within.append(_bare(clean_links(_COMMENT.sub("", item["value"]).strip())))
        elif line.strip() and not line[0].isspace():
            within = None
    return values


def _bare(value: str) -> str:
    """Return a value without the quotation marks around it."""
    value = value.strip()
    return value[1:-1].strip() if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _first(values: dict[str, list[str]], keys: Sequence[str]) -> list[str]:
    return next((values[key] for key in keys if values.get(key)), [])


def _name(value: str) -> str | None:
    """Return a name or a title; None where it is none, but an address or a text."""
    return None if not value or len(value) > LONGEST_NAME or _URL.match(value) else value


def _words(value: str) -> list[str]:
    """Return the tags of one value: they hold no blanks, and commas may stand between them."""
    return [tag for tag in (part.strip("#") for part in re.split(r"[\s,]+", value)) if tag]
