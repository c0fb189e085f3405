"""`quotefind map`."""

from __future__ import annotations

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


def map_(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it: FILE.html, FILE.png or FILE.svg.")
    ],
    query: Annotated[
        str | None, typer.Option("--query", metavar="TEXT", help="Mark the quotes that answer this request.")
    ] = None,
    top: Annotated[int, typer.Option("-k", "--top", min=1, metavar="N", help="Of --query: how many to mark.")] = 5,
    topics: TopicsOption = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="What stands above it; else the name of the index.")
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
    """Draw a collection: every quote a point, near those that mean the like, coloured by topic.

    \b
    quotefind map --output quotes.html
    quotefind map --output quotes.html --query "courage in small things"
    quotefind map --output emerson.svg --author Emerson --topics 6
    """
    kind = output.suffix.lower()
    if kind not in _KINDS:
        raise UsageError(f"--output {output}: a map is written as {', '.join(_KINDS[:-1])} or {_KINDS[-1]}.")
    if output.is_dir():
        raise UsageError(f"--output {output} is a directory; name a file in it, as {output / 'map'}{kind}.")
    if not output.parent.is_dir():
        raise UsageError(f"--output {output}: there is no directory {output.parent}.")
    if query is None and top != 5:
        raise UsageError("--top says how many hits of --query to mark; give --query too.")
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
                with replacing(output) as (file,):
                    file.write(drawn)
        left_out = len(opened.rows_where(where)) - len(quote_map.quotes)
    if not quote_map.quotes:
        session.warn("no quotes" + (" under these conditions" if where else "") + ", so no map")
        raise typer.Exit(1)
    if left_out:
        session.warn(f"a map has room for {len(quote_map.quotes):,} quotes; {left_out:,} by chance are not on it")
    if not quiet:
        quotes, topics_ = counted(len(quote_map.quotes), "quote"), counted(len(quote_map.topics), "topic")
        session.warn(f"{output}: {quotes}, {topics_}")


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
        session.warn("the fonts of this machine lack signs of some names of topics; boxes stand for them")
    return picture
