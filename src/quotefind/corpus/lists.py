"""YAML and TOML: lists of quotes, such as `_data/quotes.yml` of a web site, with the keys and layouts of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from quotefind.corpus.fields import UNUSABLE, bad, raw_problem
from quotefind.corpus.nested import Node, PlainNode, quotes_in
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.errors import SourceError
from quotefind.records import Quote

if TYPE_CHECKING:
    import yaml

_DEEPEST = 30  # levels of a YAML file
_TABLE = re.compile(r"^[ \t]*\[\[", re.MULTILINE)


def read_yaml(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of a YAML file, each with the line on which it begins. Nothing in it is run.

    Raises:
        SourceError: it is not valid YAML, uses aliases, is nested too deeply, or no key holds a text.
    """
    import yaml

    text = stream.read()
    if problem := _problem(text, name, options):
        yield problem
        return
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        _check_events(yaml.parse(text, Loader=loader), name)
        roots = list(yaml.compose_all(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise SourceError(f"{where}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SourceError(f"{name}: not valid YAML: {' '.join(str(error).split())[:200]}") from None
    for root in roots:
        if root is not None and root.value:
            yield from quotes_in(_YamlNode(root), name, options)


def read_toml(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of a TOML file; those in an array of tables have the line of their header.

    Raises:
        SourceError: it is not valid TOML, or no key holds a text.
    """
    import tomllib

    text = stream.read()
    if problem := _problem(text, name, options):
        yield problem
        return
    if not text.strip():
        return
    try:
        value = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SourceError(f"{name}: not valid TOML: {error}") from None
    headers = [text.count("\n", 0, found.start()) + 1 for found in _TABLE.finditer(text)]
    yield from quotes_in(_TomlNode(value, headers), name, options)


def _problem(text: str, name: str, options: ReadOptions) -> BadRecord | None:
    """Return a bad record for the first character that these parsers refuse, because they read a file as a whole."""
    found = UNUSABLE.search(text)
    if found is None:
        return None
    problem = raw_problem(found.group(), options.encoding) or ""
    return bad(name, text.count("\n", 0, found.start()) + 1, problem)


def _check_events(events: Iterator[yaml.Event], name: str) -> None:
    """Refuse aliases, with which a small file can expand to gigabytes, and deep nesting, before building anything."""
    import yaml

    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            line = _line(event)
            raise SourceError(f"{name}:{line}: an alias (*{event.anchor}) is not supported; replace it with its value")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise SourceError(f"{name}:{_line(event)}: nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(what: yaml.Event | yaml.Node) -> int:
    return what.start_mark.line + 1 if what.start_mark else 1


class _YamlNode:
    """A node of a YAML file, see `nested.Node`."""

    def __init__(self, node: yaml.Node) -> None:
        self._node = node
        self.value = _value(node)

    @property
    def line(self) -> int:
        return _line(self._node)

    def members(self) -> Iterator[tuple[str, Node]]:
        for key, value in self._node.value:
            yield _key(key), _YamlNode(value)

    def elements(self) -> Iterator[Node]:
        for value in self._node.value:
            yield _YamlNode(value)


def _value(node: yaml.Node) -> object:
    """Return the value of a node; an invalid scalar, or one of a type that JSON lacks, is returned as a string."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return {_key(key): _value(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(value) for value in node.value]
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    try:
        if kind in ("int", "float", "bool"):
            return yaml.constructor.SafeConstructor().construct_object(node)
    except (ValueError, OverflowError, yaml.YAMLError):
        pass
    return node.value


def _key(node: yaml.Node) -> str:
    return node.value if isinstance(node.value, str) else "?"


class _TomlNode(PlainNode):
    """A value of a TOML file; `headers` are the lines of the headers of its arrays of tables, in their order."""

    def __init__(self, value: object, headers: list[int], line: int = 1) -> None:
        super().__init__(value, line)
        self._headers = headers

    def members(self) -> Iterator[tuple[str, Node]]:
        for key, value in self.value.items() if isinstance(self.value, dict) else ():
            yield key, _TomlNode(value, self._headers, self.line)

    def elements(self) -> Iterator[Node]:
        for value in self.value if isinstance(self.value, list) else ():
            line = self._headers.pop(0) if self._headers and isinstance(value, dict) else self.line
            yield _TomlNode(value, self._headers, line)
