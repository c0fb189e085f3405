"""The front matter of a note: YAML between lines of `---`, or TOML between lines of `+++`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quotefind.corpus.author_names import real_author
from quotefind.corpus.fields import LONGEST_NAME, MOST_TAGS, unusable

_LONGEST = 30_000  # characters
_DEEPEST = 4  # levels of keys that are searched
_END = {
    "---": re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE),
    "+++": re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE),
}
_LINE = re.compile(r"(?P<key>[A-Za-z][\w -]{0,40}?)[ \t]*:[ \t]+(?P<value>\S.*)")
_WIKI = re.compile(r"\[\[([^\[\]|]*)(?:\|([^\[\]]*))?\]\]")
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_URL = re.compile(r"(?:[a-z]{2,10}://|www\.)", re.IGNORECASE)

_AUTHORS = ("author", "authors", "by", "writer", "creator", "autor", "auteur", "autore", "bookauthor", "book-author")
_WORKS = ("book", "work", "booktitle", "book-title", "book_title")
_TITLES = ("title", "full-title", "full_title", "source")  # of the note itself, unless it names an author
_TAGS = ("tags", "tag", "keywords")
# A page for publication: its author wrote the page, not the quotes in it.
_PUBLISHED = ("layout", "draft", "slug", "permalink")


@dataclass(frozen=True, slots=True)
class About:
    """The front matter of a note: author and work of quotes without an attribution, and tags for all quotes."""

    author: str | None = None
    work: str | None = None
    tags: tuple[str, ...] = ()


def front_matter(source: str) -> tuple[About, str]:
    """Return the front matter of a note, and the note with blank lines instead of it, so that line numbers stay.

    The keys `author`, `book`, `title` and `tags` are read; without an author, `title` is only the title of the note. A
    key that is missing at the top level is looked for in the levels below. In a page for publication (which has a
    `layout`, `draft`, `slug` or `permalink`), the author is whoever wrote the page, and is not read.
    """
    mark = source[:3]
    opening = source.find("\n")
    if mark not in _END or opening < 0 or source[:opening].rstrip() != mark:
        return About(), source
    closing = _END[mark].search(source, opening + 1, opening + _LONGEST)
    if closing is None:
        return About(), source
    rest = "\n" * source.count("\n", 0, closing.end()) + source[closing.end() :]
    text = source[opening + 1 : closing.start()]
    if unusable(text):
        return About(author=text), rest  # the parser of the note says what is wrong with it
    return _about(_yaml(text) if mark == "---" else _toml(text)), rest


def clean_links(text: str) -> str:
    """Return `text` with links between notes replaced by the words that they show: `[[Seneca|the Younger]]`."""
    return _WIKI.sub(lambda link: link[2] or link[1].split("#")[0].rpartition("/")[2] or link[1], text)


def linked_names(text: str) -> str:
    """Return the names in a value of a note: the words that its links show, without quotation marks."""
    return _MARKDOWN_LINK.sub(r"\1", clean_links(text)).strip().strip("\"'*_").strip()


def tags_in(value: str) -> list[str]:
    """Return the tags in one value: links between notes, words after `#`, or what commas or blanks separate."""
    if links := _WIKI.findall(value):
        return [shown or name.rpartition("/")[2] for name, shown in links]
    return [tag for tag in (part.strip("#").strip() for part in re.split(r"[\s,]+", value)) if tag]


def _yaml(text: str) -> Mapping[str, Any]:
    """Return the values of YAML as strings, lists and mappings; an empty mapping if it uses aliases.

    An alias could expand to more than fits into memory. If the text is not valid YAML, such as
    `title: Cosmos: a voyage`, the plain lines `key: value` count.
    """
    import yaml  # not at the top: most notes have no front matter, and other formats never

    class Loader(yaml.BaseLoader):
        """Reads all scalars as strings, so that `no` and `1984` stay unchanged, and refuses aliases."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise _AliasError
            return super().compose_node(parent, index)

    try:
        found = yaml.load(text, Loader)
    except (_AliasError, RecursionError):
        return {}
    except (yaml.YAMLError, ValueError, LookupError, TypeError):
        lines = map(_LINE.fullmatch, text.split("\n"))
        return {line["key"]: line["value"].strip().strip("\"'") for line in lines if line}
    return found if isinstance(found, dict) else {}


class _AliasError(Exception):
    """The text contains an alias, which could expand to anything."""


def _toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return {}


def _about(values: Mapping[str, Any]) -> About:
    """Return what the values say about the quotes of a note."""
    levels = list(_levels(values, 0))
    keys = {key for level in levels[:1] for key in level}
    written = _first(levels, _TAGS)
    if isinstance(written, list):  # each item is one tag, however many words it has
        tags = [clean_links(tag).strip().strip("#") for tag in _strings(written)]
    else:
        tags = [tag for value in _strings(written) for tag in tags_in(value)]
    tags = [tag for tag in tags if tag and len(tag) <= LONGEST_NAME][:MOST_TAGS]
    author = work = None
    if keys.isdisjoint(_PUBLISHED):
        author = _name(_first(levels, _AUTHORS), ", ")
        works = (*_WORKS, *_TITLES) if author else _WORKS
        work = next((name for key in works if (name := _name(_first(levels, (key,)), ", "))), None)
    return About(real_author(author) if author else None, work, tuple(tags))


def _levels(values: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    """Yield the mapping and the mappings in it, outer ones first, with keys in lower case."""
    yield {str(key).strip().casefold(): value for key, value in values.items() if isinstance(key, str)}
    if depth < _DEEPEST:
        for value in values.values():
            if isinstance(value, dict):
                yield from _levels(value, depth + 1)


def _first(levels: Sequence[dict[str, Any]], keys: Sequence[str]) -> Any:
    """Return the first value of any of `keys`, outer levels first; None if there is none."""
    for level in levels:
        for key in keys:
            if (value := level.get(key)) not in (None, "", [], {}) and not isinstance(value, dict):
                return value
    return None


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings of a value; an unquoted `[[Name]]` is a list in a list, and means a link."""
    if isinstance(value, list):
        for part in value[:MOST_TAGS]:
            if isinstance(part, list) and len(part) == 1 and isinstance(part[0], str):
                yield f"[[{part[0]}]]"
            elif not isinstance(part, list | dict):
                yield str(part)
    elif value is not None and not isinstance(value, dict):
        text = str(value)
        yield "" if text in ("~", "null", "|", ">") else text


def _name(value: Any, between: str) -> str | None:
    """Return a name or a title; None if the value is something else, such as an address or a text."""
    names = [name for text in _strings(value) if (name := linked_names(text))]
    name = between.join(names)
    return None if not name or len(name) > LONGEST_NAME or _URL.match(name) else name
