"""Find quotes in the nested values of JSON, YAML and TOML.

The supported layouts are a list of strings or objects; such a list in an object, with author and title beside it; a
list of books with their highlights; an object of subjects or authors, each with a list; and the tables that pandas
writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from quotefind.corpus.columns import Columns, folded, named_column, proposal
from quotefind.corpus.fields import bad, kind, listed
from quotefind.corpus.layouts import split_rows, table_rows
from quotefind.corpus.names import is_person
from quotefind.corpus.objects import Records
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.corpus.values import as_string, as_tags, as_text
from quotefind.errors import SourceError
from quotefind.records import Quote

_Found = Iterator[Quote | BadRecord | Remark]

# Keys of lists that hold quotes, whatever else is beside them; the first one found counts.
_LISTS = (
    *(
        "quotes",
        "quotations",
        "highlights",
        "annotations",
        "clippings",
        "entries",
        "items",
        "results",
        "records",
        "data",
    ),
    *("zitate", "citations", "citas", "frases", "citazioni", "citacoes", "citaten", "cytaty", "цитаты", "名言", "语录"),
)
# Keys of objects with details about the values beside them.
_DETAILS = {"metadata", "meta", "book", "info", "document", "doc_props"}
_OF_BOOKS = ("highlights", "annotations", "clippings")
# Keys of lists that hold something else.
_OTHERS = {
    *("tags", "keywords", "authors", "author", "categories", "topics", "genres", "columns", "index"),
    *("files", "dependencies", "scripts", "contributors"),
}
_DEEPEST = 6
_LOOKED_AT = 20  # elements of a list that are examined to find out what it holds
_WORDS = 4  # the fewest in a string of a list whose key does not say that it holds quotes
_LETTERS = 8  # the fewest in such a string in a script without blanks
_MOST_WITHOUT_TEXT = 100


class Node(Protocol):
    """A value and where it is.

    Attributes:
        value: a value of JSON: a dict, a list, a string, a number, a boolean or None.
    """

    value: object

    @property
    def line(self) -> int:
        """The line on which the value begins, counted from 1."""

    def members(self) -> Iterator[tuple[str, Node]]:
        """Yield key and value of each member of an object; finish with one before asking for the next."""

    def elements(self) -> Iterator[Node]:
        """Yield each element of a list; finish with one before asking for the next."""


class PlainNode:
    """A value whose parts have no lines of their own; see `Node`."""

    def __init__(self, value: object, line: int) -> None:
        """Make a node of a value that begins at `line`."""
        self.value = value
        self.line = line

    def members(self) -> Iterator[tuple[str, Node]]:
        """Yield key and value of each member."""
        for key, value in self.value.items() if isinstance(self.value, dict) else ():
            yield key, PlainNode(value, self.line)

    def elements(self) -> Iterator[Node]:
        """Yield each element."""
        for value in self.value if isinstance(self.value, list) else ():
            yield PlainNode(value, self.line)


def quotes_in(root: Node, name: str, options: ReadOptions) -> _Found:
    """Yield the quotes in `root`, the invalid records among them, and remarks on how it was read.

    Raises:
        SourceError: there are no quotes, because no key holds a text.
    """
    records = Records(name, options)
    yield from _checked(_Walk(records).walk(root, {}, 0))
    yield from records.remark()


def each_object(nodes: Iterator[Node | BadRecord], name: str, options: ReadOptions) -> _Found:
    """Yield the quotes in a sequence of values, as `quotes_in` does for one."""
    records = Records(name, options)
    walk = _Walk(records)

    def found() -> Iterator[Quote | BadRecord | Remark]:
        for node in nodes:
            if isinstance(node, BadRecord):
                yield node
            else:
                yield from walk.element(node, {}, 1)

    yield from _checked(found())
    yield from records.remark()


class _NoText(BadRecord):
    """A record that has no text; if no record has one, that is an error of the whole file."""


def _checked(found: _Found) -> _Found:
    """Yield everything in `found`, but raise SourceError if it begins with many records that all lack a text."""
    waiting: list[_NoText] = []
    others = 0
    for record in found:
        if isinstance(record, _NoText):
            waiting.append(record)
            if len(waiting) < _MOST_WITHOUT_TEXT:
                continue
            break
        if isinstance(record, Quote):
            yield from waiting
            yield record
            yield from found
            return
        others += not isinstance(record, Remark)
        yield record
    if waiting and not others:
        raise SourceError(f"{waiting[0].where}: {waiting[0].problem}")
    yield from waiting
    yield from found


class _Walk:
    """Walks through nested values; `around` holds the fields that apply to all quotes in a value."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def walk(self, node: Node, around: Mapping[str, object], depth: int) -> _Found:
        """Yield the quotes in a value that should hold quotes."""
        if depth > _DEEPEST:
            yield bad(self._records.name, node.line, "nested too deeply; expected a string or an object")
        elif isinstance(node.value, list):
            if depth == 0 and (rows := split_rows(node.value, self._records.columns)):
                yield from self._table(rows, node.line)
                return
            for element in node.elements():
                yield from self.element(element, around, depth + 1)
        elif isinstance(node.value, dict):
            yield from self._object(node, node.value, around, depth)
        else:
            yield self._unexpected(node)

    def element(self, node: Node, around: Mapping[str, object], depth: int) -> _Found:
        """Yield the quotes of an element of a list, usually one."""
        value = node.value
        if isinstance(value, str):
            yield self._records.text(node.line, value, around)
        elif isinstance(value, dict):
            yield from self._object(node, value, around, depth)
        else:
            yield self._unexpected(node)

    def _unexpected(self, node: Node) -> BadRecord:
        return bad(self._records.name, node.line, f"found {kind(node.value)}; expected a string or an object")

    def _object(self, node: Node, value: dict[str, object], around: Mapping[str, object], depth: int) -> _Found:
        columns = self._records.columns(value)
        rows = None if depth else table_rows(value, self._records.columns)
        if rows is not None:
            yield from self._table(rows, node.line)
            return
        has_text = _has_text(value, columns, depth)
        held = (
            {} if has_text and not any(map(_is_list_of_objects, value.values())) else self._lists(value, around, depth)
        )
        if held and not (has_text and next(iter(held.values()))):
            yield from self._members(node, held, self._around(value, columns, around, held, depth), depth)
        elif not has_text and (texts := _texts_of_people(value)) is not None:
            yield from self._pairs(node, texts, around)
        elif columns["text"]:
            self._records.use(columns, value)
            yield self._records.quote(node.line, value, around)  # a bad record if something is wrong with the text
        else:
            yield self._without_text(node, value, columns)

    def _lists(self, value: dict[str, object], around: Mapping[str, object], depth: int) -> dict[str, str | None]:
        """Return the keys that hold quotes, each with the field that the key itself gives, if any."""
        if depth >= _DEEPEST:
            return {}
        usual = {folded(key): key for key in value}
        lists = [usual[name] for name in _LISTS if name in usual and isinstance(value[usual[name]], list | dict)]
        for key in lists:
            if self._holds(value[key], called=True):
                return {key: None}
        held = [key for key, part in value.items() if folded(key) not in _OTHERS and self._holds(part)]
        if not held:
            return {key: None for key in lists[:1] if not value[key]}  # an empty list of quotes
        people = sum(map(is_person, held)) * 2 >= len(held) and not any(key[:1].islower() for key in held)
        if people and "author" not in around and not self._have_authors(value, held):
            return dict.fromkeys(held, "author")
        if len(held) == 1 or all(key.strip().isdigit() for key in held):  # a list by its own name; records by numbers
            return dict.fromkeys(held)
        return dict.fromkeys(held, "tags")

    def _have_authors(self, value: dict[str, object], held: Sequence[str]) -> bool:
        """Whether the objects in these lists name their own authors."""
        parts = (part for key in held[:_LOOKED_AT] for part in _some(value[key]))
        return any(isinstance(part, dict) and self._records.columns(part)["author"] for part in parts)

    def _holds(self, part: object, *, called: bool = False, depth: int = 0) -> bool:
        """Whether `part` holds quotes; strings must be sentences, unless the key says that it is a list of quotes."""
        if depth > _DEEPEST or not isinstance(part, list | dict):
            return False
        if isinstance(part, dict) and _has_text(part, self._records.columns(part), 1):
            return True
        some = _some(part)
        strings = [element for element in some if isinstance(element, str)]
        if isinstance(part, list) and strings and (called or sum(map(_is_sentence, strings)) * 2 >= len(strings)):
            return True
        if called and isinstance(part, list) and any(isinstance(element, dict) for element in some):
            return True
        return any(self._holds(element, depth=depth + 1) for element in some)

    def _around(
        self,
        value: dict[str, object],
        columns: Columns,
        around: Mapping[str, object],
        held: Mapping[str, str | None],
        depth: int,
    ) -> dict[str, object]:
        """Return the fields of an object that apply to the quotes in its lists."""
        own: dict[str, object] = {
            field: value[names[0]]
            for field, names in columns.items()
            if field in ("author", "work", "year")
            and names
            and names[0] not in held
            and as_string(value[names[0]]) is not None
        }
        # A title is only that of the list, unless an author is beside it; a name may be that of anything.
        author = columns["author"][0] if "author" in own else ""
        if folded(author) == "name" and not is_person(str(own["author"])):
            title = own.pop("author")
            if depth:
                own["tags"] = [as_string(title)]
        of_books = any(folded(key) in _OF_BOOKS for key in held)
        if "work" in own and "author" not in own and not depth and not of_books:
            del own["work"]
        for key in _DETAILS & value.keys():
            details = value[key]
            if isinstance(details, dict):
                more = self._records.columns(details)
                named = {field: details[more[field][0]] for field in ("author", "work", "year") if more[field]}
                own = {**named, **own}
        tags = [tag for name in columns["tags"] if name not in held for tag in as_tags(value[name])]
        tags += [*as_tags(own.pop("tags", None)), *as_tags(around.get("tags"))]
        self._records.use(
            {
                **{field: columns[field] for field in own if columns.get(field)},
                "tags": tuple(columns["tags"]) if tags else (),
            },
            [key for key in value if key not in held],
        )
        return {**around, **own, **({"tags": tags} if tags else {})}

    def _members(self, node: Node, held: Mapping[str, str | None], around: Mapping[str, object], depth: int) -> _Found:
        fields = set(filter(None, held.values()))
        if fields:
            what = "the author of" if fields == {"author"} else "a tag of"
            yield Remark(f"{self._records.name}:{node.line}: each key ({listed(held)}) became {what} its quotes")
        for key, member in node.members():
            if key not in held:
                continue
            field = held[key]
            more = dict(around)
            if field == "tags":
                more["tags"] = [*as_tags(around.get("tags")), key]
            elif field is not None:
                more[field] = key
            yield from self.walk(member, more, depth + 1)

    def _pairs(self, node: Node, keys_are_texts: bool, around: Mapping[str, object]) -> _Found:
        what = "text" if keys_are_texts else "author"
        yield Remark(f"{self._records.name}:{node.line}: each key became the {what} of a quote")
        for key, member in node.members():
            text, author = (key, member.value) if keys_are_texts else (member.value, key)
            yield self._records.quote(member.line, {"text": text, "author": author}, around)

    def _table(self, rows: Iterator[dict[str, object]], line: int) -> _Found:
        for row in rows:
            columns = self._records.columns(row)
            self._records.use(columns, row)
            yield self._records.quote(line, row)

    def _without_text(self, node: Node, value: dict[str, object], columns: Columns) -> _NoText:
        options = self._records.options
        said = named_column("text", options)
        missing = "no key holds the text" if said is None else f"no key {said!r}"
        hint = proposal([value], columns) or "expected a text, or a list of quotes under a key such as 'quotes'"
        return _NoText(f"{self._records.name}:{node.line}", f"{missing}; the keys are {listed(value)}; {hint}")


def _texts_of_people(value: dict[str, object]) -> bool | None:
    """Return whether an object of strings has texts as keys and people as values (True), or the reverse (False).

    Return None for anything else.
    """
    some = list(islice(value.items(), _LOOKED_AT))
    if len(some) < 2 or not all(isinstance(held, str) for _, held in some):
        return None
    pairs = [(key, str(held)) for key, held in some]
    for at in (0, 1):
        people = sum(is_person(pair[1 - at]) for pair in pairs)
        if people * 2 >= len(pairs) and all(_is_sentence(pair[at]) for pair in pairs):
            return at == 0
    return None


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _some(part: object) -> list[object]:
    """Return the first elements of a list, or the first values of an object."""
    values = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return list(islice(values, _LOOKED_AT))


def _has_text(value: Mapping[str, object], columns: Columns, depth: int) -> bool:
    """Whether an object has its own text; a list of strings is the lines of a text only in an element of a list."""
    if not columns["text"]:
        return False
    text = value[columns["text"][0]]
    if isinstance(text, list) and (not depth or folded(columns["text"][0]) in _LISTS):
        return False
    return isinstance(as_text(text), str) or text is None


def _is_sentence(text: str) -> bool:
    """Whether a string has the length of a quote: some words, or some letters of a script without blanks."""
    return len(text.split(None, _WORDS)) >= _WORDS or (len(text) >= _LETTERS and " " not in text and not text.isascii())
