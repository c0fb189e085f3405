"""Proposed tags on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from quotefind.cli import output
from quotefind.cli.options import OutputFormat

if TYPE_CHECKING:
    from quotefind.tagging import Proposal

KEYS = ("id", "text", "author", "work", "proposed")
_CELLS = (*KEYS, "scores")
# This many rows of a table are laid out at a time: there may be a million.
_TABLE = 50


def show(proposals: Iterable[Proposal], style: OutputFormat) -> int:
    """Write the proposals as they come; return the number of quotes that have any."""
    if style is OutputFormat.table:
        return _show_tables(iter(proposals))
    if style in (OutputFormat.plain, OutputFormat.markdown):
        count = 0
        for proposal in proposals:
            count += 1
            sys.stdout.write(_plain(proposal) if style is OutputFormat.plain else _markdown(proposal))
        return count
    if style in (OutputFormat.csv, OutputFormat.tsv):
        return output.write_records(map(_cells, proposals), style, _CELLS)
    return output.write_records(map(_record, proposals), style, KEYS)


def _record(proposal: Proposal) -> dict[str, Any]:
    tags = [{"tag": proposed.tag, "score": _rounded(proposed.score)} for proposed in proposal.tags]
    return _quote_record(proposal) | {"proposed": tags}


def _cells(proposal: Proposal) -> dict[str, Any]:
    tags = [proposed.tag for proposed in proposal.tags]
    scores = [str(_rounded(proposed.score)) for proposed in proposal.tags]
    return _quote_record(proposal) | {"proposed": tags, "scores": scores}


def _quote_record(proposal: Proposal) -> dict[str, Any]:
    quote = proposal.quote
    return {"id": quote.id, "text": quote.text, "author": quote.author, "work": quote.work}


def _rounded(score: float) -> float:
    return round(score, output.DIGITS)


def _plain(proposal: Proposal) -> str:
    tags = ", ".join(proposed.tag for proposed in proposal.tags)
    return f"{output.printable(tags)}\t{output.plain_line(proposal.quote)}\n"


def _markdown(proposal: Proposal) -> str:
    tags = ", ".join(f"{output.escaped(proposed.tag)} ({proposed.score:.2f})" for proposed in proposal.tags)
    return f"{output.block_quote(proposal.quote)}\nProposed: {tags}\n\n"


def _show_tables(proposals: Iterator[Proposal]) -> int:
    count = 0
    out = output.console()
    while part := list(islice(proposals, _TABLE)):
        out.print(_table(part, out.width, first=not count))
        count += len(part)
    return count


def _table(proposals: Sequence[Proposal], width: int, *, first: bool) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_header=first, expand=True, padding=(0, 1))
    table.add_column("proposed", ratio=2, overflow="fold")
    table.add_column("quote", ratio=5, overflow="fold")
    wide = width >= 72
    if wide:
        table.add_column("author, work", ratio=2, overflow="fold")
    for proposal in proposals:
        tags = Text("\n").join(
            Text(f"{proposed.score:.2f} ", style="dim").append(output.printable(proposed.tag), style="not dim")
            for proposed in proposal.tags
        )
        quote, by = Text(output.printable_lines(proposal.quote.text)), output.byline(proposal.quote)
        if wide:
            table.add_row(tags, quote, by)
        else:
            table.add_row(tags, Text("\n").join((quote, Text("— ") + by)) if by else quote)
        table.add_row()
    return table
