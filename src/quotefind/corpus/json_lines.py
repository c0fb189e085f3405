"""JSON Lines: one string or object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO

from quotefind.corpus.fields import FlawError, bad, raw_problem
from quotefind.corpus.lines import each_line
from quotefind.corpus.nested import Node, PlainNode, each_object
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.records import Quote


def read_json_lines(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord | Remark]:
    """Yield the quotes of a file with one JSON string or object per line; blank lines are skipped.

    Raises:
        SourceError: it has no quotes because no key holds a text.
    """
    return each_object(_values(stream, name, options), name, options)


def _values(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Node | BadRecord]:
    decode = json.JSONDecoder().decode
    for number, line in each_line(stream):
        if isinstance(line, FlawError):
            yield bad(name, number, str(line))
            continue
        if line.isspace():
            continue
        try:
            value = decode(line)
        except json.JSONDecodeError as error:
            problem = raw_problem(line, options.encoding) or f"not valid JSON at column {error.colno}: {error.msg}"
        except ValueError as error:  # a number with thousands of digits
            problem = f"cannot be read: {error}"
        except RecursionError:
            problem = "nested too deeply"
        else:
            yield PlainNode(value, number)
            continue
        yield bad(name, number, f"{problem}; expected one string or object")
