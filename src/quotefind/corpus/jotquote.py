"""The quote file of jotquote: one quote per line, in four fields separated by vertical bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from quotefind.corpus.fields import FlawError, bad, make_quote, raw_problem
from quotefind.corpus.lines import each_line
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote

_EXPECTED = "expected quote | author | publication | tag, tag"


def read_jotquote(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a jotquote file: `quote | author | publication | tag, tag`; the last two may be missing.

    Blank lines and lines that begin with `#` are skipped. A field cannot contain a vertical bar.
    """
    for number, line in each_line(stream):
        if isinstance(line, FlawError):
            yield bad(name, number, str(line))
            continue
        if line.isspace() or line.lstrip().startswith("#"):
            continue
        if problem := raw_problem(line, options.encoding):
            yield bad(name, number, problem)
            continue
        fields = line.split("|", 5)
        if not 2 <= len(fields) <= 4:
            yield bad(name, number, f"{'more than 4 fields' if len(fields) > 4 else 'no |'}; {_EXPECTED}")
            continue
        text, author, work, tags = [*fields, "", ""][:4]
        yield make_quote(name, number, text, author, work, tags=tags)
