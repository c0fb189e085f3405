"""JSON Lines: one string or object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO

from quotefind.corpus.fields import FlawError, bad, raw_problem
from quotefind.corpus.lines import each_line
from quotefind.corpus.objects import object_reader
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote


def read_json_lines(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a file with one JSON string or object a line; blank lines are skipped."""
    read = object_reader(name, options)
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
            problem = raw_problem(line, options.encoding) or f"no valid JSON at column {error.colno}: {error.msg}"
        except ValueError as error:  # a number with thousands of digits
            problem = f"no JSON that can be read: {error}"
        except RecursionError:
            problem = "nested too deeply"
        else:
            yield read(number, line, value)
            continue
        yield bad(name, number, f"{problem}; expected one string or object")
