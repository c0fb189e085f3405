"""`quotefind map`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quotefind.cli import session
from quotefind.cli.options import (
    AuthorOption,
    IndexOption,
    MaxCharsOption,
    NoRefreshOption,
    ProposedOption,
    QuietOption,
    SeedOption,
    TagOption,
    TopicsOption,
    WorkOption,
)
from quotefind.errors import UsageError
from quotefind.export.replacing import replacing
from quotefind.paths import DEFAULT_INDEX
from quotefind.text import counted

if TYPE_CHECKING:
    from quotefind.index.filters import Filter
    from quotefind.index.interface import Index
    from quotefind.map.quote_map import QuoteMap
    from quotefind.records import Hit

_KINDS = (".html", ".png", ".svg")
_STDOUT = Path("-")


def map_(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write: .html, .png or .svg, or - for HTML on stdout."
        ),
    ],
    query: Annotated[
        str | None, typer.Option("--query", metavar="TEXT", help="Mark the best hits for this query.")
    ] = None,
    top: Annotated[int, typer.Option("-k", "--top", min=1, metavar="N", help="Mark at most N hits of --query.")] = 5,
    topics: TopicsOption = None,
    title: Annotated[
        str | None,
        typer.Option("--title", metavar="TEXT", help="Title of the map. The default is the name of the index."),
    ] = None,
    author: AuthorOption = None,
    work: WorkOption = None,
    tag: TagOption = None,
    proposed: ProposedOption = False,
    max_chars: MaxCharsOption = None,
    seed: SeedOption = 0,
    index: IndexOption = None,
    no_refresh: NoRefreshOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw quotes as a map.

    Every quote is a point. Quotes that mean similar things are near each other, and colours show topics. An HTML map
    can be explored in any browser, offline.

    \b
        quotefind map --output quotes.html
        quotefind map --output quotes.html --query "courage in small things"
        quotefind map --output emerson.svg --author Emerson --topics 6
    """
    kind = _kind(output)
    if query is None and top != 5:
        raise UsageError("--top is the number of hits of --query to mark, so give --query as well.")
    from quotefind.map.layout import make_map

    where = session.filter_of(author, work, tag, max_chars, proposed=proposed)
    with session.opened(index, refresh=not no_refresh) as opened:
        hits = _hits(opened, query, top, where) if query is not None else ()
        with session.progress_bar(quiet=quiet) as progress:
            quote_map = make_map(
                opened, title or _title(index), topics=topics, where=where, hits=hits, seed=seed, progress=progress
            )
            if quote_map.quotes:
                progress("drawing")
                drawn = _drawn(quote_map, kind)
                if output == _STDOUT:
                    sys.stdout.buffer.write(drawn)
                else:
                    with replacing(output) as (file,):
                        file.write(drawn)
        left_out = len(opened.rows_where(where)) - len(quote_map.quotes)
    if not quote_map.quotes:
        raise session.nothing_found("no quotes to draw", filtered=bool(where))
    if left_out:
        session.warn(f"a map holds {len(quote_map.quotes):,} quotes; {left_out:,} chosen at random are left out")
    if not quiet:
        quotes, topics_ = counted(len(quote_map.quotes), "quote"), counted(len(quote_map.topics), "topic")
        session.warn(f"{output}: {quotes}, {topics_}")


def _kind(file: Path) -> str:
    """Return the suffix of a map that can be written to `file`; raise UsageError if none can."""
    if file == _STDOUT:
        if sys.stdout.isatty():
            raise UsageError("A map cannot be shown in a terminal. Redirect stdout to a file.")
        return ".html"
    kind = file.suffix.lower()
    if kind not in _KINDS:
        raise UsageError(f"--output {file}: the name of a map must end in {', '.join(_KINDS[:-1])} or {_KINDS[-1]}.")
    if file.is_dir():
        raise UsageError(f"--output {file} is a directory. Name a file in it, for example {file / 'map'}{kind}.")
    if not file.parent.is_dir():
        raise UsageError(f"--output {file}: the directory {file.parent} does not exist.")
    return kind


def _title(index: str | None) -> str:
    name = Path(index or DEFAULT_INDEX).name
    return "Quotes" if name == DEFAULT_INDEX else name


def _hits(index: Index, query: str, top: int, where: Filter) -> Sequence[Hit]:
    from quotefind.search import FindOptions, find

    (hits,) = find(index, session.encoder_of(index), [query], FindOptions(top=top, where=where))
    return hits


def _drawn(quote_map: QuoteMap, kind: str) -> bytes:
    if kind == ".html":
        from quotefind.map.page import draw_page

        return draw_page(quote_map).encode("utf-8")
    from quotefind.map.picture import draw_picture

    picture, complete = draw_picture(quote_map, kind[1:])
    if not complete:
        session.warn("some topic names have characters that no font on this machine has; they are drawn as boxes")
    return picture
