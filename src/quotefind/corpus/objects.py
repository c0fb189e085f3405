"""Turn keyed values into quotes: the rows of a table and the objects of JSON, YAML and TOML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from quotefind.corpus.author_names import real_author
from quotefind.corpus.columns import Columns, columns_used, find_columns
from quotefind.corpus.fields import bad, make_quote, raw_problem
from quotefind.corpus.names import author_and_work
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.corpus.values import as_place, as_string, as_tags
from quotefind.records import Quote
from quotefind.text import quote_id

# The most sets of keys to remember: files have one or two, but a hostile file must not fill the memory.
_MOST_SHAPES = 1000
_MOST_KEYS = 100
_ID = re.compile("[0-9a-f]{16}")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")


class Records:
    """Makes quotes from objects, and remembers which of their keys it used.

    Attributes:
        name: the file, for messages.
        options: how to read it.
    """

    def __init__(self, name: str, options: ReadOptions) -> None:
        """Make quotes of the file called `name`."""
        self.name = name
        self.options = options
        self._shapes: dict[tuple[str, ...], Columns] = {}
        self._used: dict[str, dict[str, None]] = {}
        self._names: dict[str, None] = {}

    def columns(self, keys: Iterable[str]) -> Columns:
        """Return which of `keys` hold each field of a quote."""
        shape = tuple(keys)
        columns = self._shapes.get(shape)
        if columns is None:
            columns = find_columns(shape, self.options)
            if len(shape) <= _MOST_KEYS and len(self._shapes) < _MOST_SHAPES:
                self._shapes[shape] = columns
        return columns

    def use(self, columns: Columns, names: Iterable[str]) -> None:
        """Remember that `columns` were used in an object with the keys `names`."""
        for field, used in columns.items():
            self._used.setdefault(field, {}).update(dict.fromkeys(used))
        if len(self._names) < _MOST_KEYS:
            self._names.update(dict.fromkeys(names))

    def quote(
        self, line: int, value: Mapping[str, object], around: Mapping[str, object] | None = None
    ) -> Quote | BadRecord:
        """Return the quote in an object with a text.

        Args:
            line: the line of the object.
            value: its keys and values.
            around: fields that hold where the object says nothing, such as the author of the list it is in; its "tags"
                are added.
        """
        columns = self.columns(value)
        fields = {field: value[names[0]] for field, names in columns.items() if names}
        tags: list[str] = [tag for name in columns["tags"] for tag in as_tags(value[name])]
        if around:
            fields = {**around, **{field: held for field, held in fields.items() if as_string(held) is not None}}
            tags += as_tags(around.get("tags"))
        place = as_place(*(fields.get(part) for part in ("place", "chapter", "page", "location", "locationtype")))
        text, note = fields.get("text"), fields.get("note")
        known = (fields.get("year"), tags, note, place, fields.get("added"))
        names = as_string(fields.get("author")), as_string(fields.get("work"))
        said = make_quote(self.name, line, text, *names, *known, keep_lines=True)
        if isinstance(said, Quote) and not _is_own(said, fields.get("id")):
            text, author, work = (_unescaped(value) for value in (text, *names))
            if (text, author, work) != (fields.get("text"), *names):
                said = make_quote(self.name, line, text, author, work, *known, keep_lines=True)
            if isinstance(said, Quote):
                said = self._credited(said, fields)
        return self._checked(said, line)

    def _credited(self, quote: Quote, fields: Mapping[str, object]) -> Quote:
        """Return `quote` with its author in the usual form, and the work if the author cell also names one."""
        if quote.author is None or isinstance(fields.get("author"), list | Mapping):
            return quote
        author, work = author_and_work(quote.author)
        if (author, work) == (quote.author, None):
            return quote
        if work is not None and quote.work is not None:
            return quote if work != quote.work else replace(quote, author=real_author(author))
        return replace(quote, author=real_author(author), work=work or quote.work)

    def text(self, line: int, text: str, around: Mapping[str, object] | None = None) -> Quote | BadRecord:
        """Return the quote in a string."""
        known = around or {}
        fields = [known.get(field) for field in ("author", "work", "year", "tags")]
        return self._checked(make_quote(self.name, line, _unescaped(text), *fields, keep_lines=True), line)

    def _checked(self, record: Quote | BadRecord, line: int) -> Quote | BadRecord:
        if not isinstance(record, Quote):
            return record
        strings = (record.text, record.author, record.work, record.note, record.place, *record.tags)
        joined = "".join(filter(None, strings))
        problem = raw_problem(joined, self.options.encoding)
        return bad(self.name, line, problem) if problem else record

    def remark(self) -> Iterator[Remark]:
        """Yield a remark on the keys that were used and those that were not, if it is not obvious."""
        used = {field: tuple(names) for field, names in self._used.items()}
        if used.get("text") and (said := columns_used(used, self._names)):
            yield Remark(f"{self.name}: {said}")


def _is_own(quote: Quote, identifier: object) -> bool:
    """Whether quotefind wrote this record, so that its id matches the quote; its fields are then used unchanged."""
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        return False
    return identifier == quote_id(quote.text, quote.author)


def _unescaped(value: object) -> object:
    """Return a string with its HTML entities replaced by their characters; anything else as it is."""
    if not isinstance(value, str) or "&" not in value or not _ENTITY.search(value):
        return value
    from html import unescape

    return _ENTITY.sub(lambda entity: unescape(entity[0]), value)
