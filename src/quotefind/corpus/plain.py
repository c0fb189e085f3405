"""Text files, one quote a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from quotefind.corpus.attribution import parse_attribution, split_attribution
from quotefind.corpus.fields import FlawError, bad, make_quote, raw_problem
from quotefind.corpus.lines import each_line
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.records import Quote


def read_plain(stream: TextIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Yield the quotes of a text file: one a line, blank lines skipped, ` — Author, Work` behind the words."""
    for number, line in each_line(stream):
        if isinstance(line, FlawError):
            yield bad(name, number, str(line))
            continue
        if line.isspace():
            continue
        if problem := raw_problem(line, options.encoding):
            yield bad(name, number, problem)
            continue
        words, attribution = split_attribution(line)
        if attribution is not None:
            yield make_quote(name, number, words, attribution.author, attribution.work)
        elif line.strip() == "==========":
            yield bad(
                name,
                number,
                "no quote, but what parts the clippings of a Kindle; read those with --input-format kindle",
            )
        elif _is_attribution(line):
            yield bad(name, number, "an attribution without a quote before it; expected both on one line")
        else:
            yield make_quote(name, number, words)


def _is_attribution(line: str) -> bool:
    """Whether a line holds nothing but what belongs behind a quote."""
    line = line.lstrip()
    return line.startswith(("—", "--")) and parse_attribution(line.lstrip("—-")) is not None
