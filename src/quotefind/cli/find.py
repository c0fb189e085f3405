"""`quotefind find`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quotefind.cli import output, session, supervisor
from quotefind.cli.options import (
    AuthorOption,
    CopyOption,
    DiverseOption,
    ExactOption,
    FindFormatOption,
    HybridOption,
    IndexOption,
    LikeOption,
    MaxCharsOption,
    MinScoreOption,
    NoRefreshOption,
    OnePerAuthorOption,
    OutputFormat,
    ProposedOption,
    QueriesOption,
    RayOption,
    Read0Option,
    TagOption,
    TopOption,
    UnlikeOption,
    WorkersOption,
    WorkOption,
    given,
)
from quotefind.errors import SourceError, UsageError

if TYPE_CHECKING:
    from quotefind.encoders import Encoder
    from quotefind.index.interface import Index
    from quotefind.records import Hit, Quote
    from quotefind.search import FindOptions


def find(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS…",
            help='What you are looking for; "-" reads requests from stdin, one a line. Without any, a prompt.',
        ),
    ] = None,
    top: TopOption = 5,
    min_score: MinScoreOption = None,
    author: AuthorOption = None,
    work: WorkOption = None,
    tag: TagOption = None,
    proposed: ProposedOption = False,
    max_chars: MaxCharsOption = None,
    like: LikeOption = None,
    unlike: UnlikeOption = None,
    diverse: DiverseOption = False,
    one_per_author: OnePerAuthorOption = False,
    hybrid: HybridOption = False,
    queries: QueriesOption = None,
    read0: Read0Option = False,
    copy: CopyOption = False,
    index: IndexOption = None,
    exact: ExactOption = False,
    ray: RayOption = None,
    workers: WorkersOption = None,
    style: FindFormatOption = None,
    no_refresh: NoRefreshOption = False,
) -> None:
    """Find the quotes that mean what you ask for.

    \b
    quotefind find quotes about family
    quotefind find "hope in hard times" --author "Emily Dickinson" -k 3
    quotefind find courage --format json | jq -r '.[0].text'
    """
    from quotefind.search import FindOptions

    options = FindOptions(
        top=top,
        min_score=min_score,
        where=session.filter_of(author, work, tag, max_chars, proposed=proposed),
        like=like,
        unlike=tuple(unlike or ()),
        diverse=diverse,
        one_per_author=one_per_author,
        hybrid=hybrid,
    )
    many = queries is not None or words == ["-"]
    supervisor.supervise(ray, index)
    cluster = session.ray_cluster(ray, workers)
    if not (words or many or read0 or copy or like is not None) and _on_terminal():
        from quotefind.cli.prompt import open_prompt

        fits = style if style is not OutputFormat.trec or given(ctx, "style") else None
        search_session = session.search_session(index, refresh=not no_refresh, cluster=cluster, exact=exact)
        open_prompt(search_session, options, fits or OutputFormat.table)
        return
    asked = _requests(words or [], queries, like=like is not None, read0=read0, many=many)
    style = output.default_format(style, otherwise=OutputFormat.jsonl if many else None)
    first: list[Hit] = []  # of all
    with session.opened(index, refresh=not no_refresh, cluster=cluster, exact=exact) as opened:
        if style is OutputFormat.trec:
            count = output.write_run(_numbered(opened, asked, options, first), by_score=not (hybrid or diverse))
        else:
            hits = _answers(opened, asked, options, first)
            count = output.show_hits(hits, style, asked=options.where.tags if proposed else ())
    if not count:
        session.warn("nothing found" + (" under these conditions" if options.where or min_score is not None else ""))
        raise typer.Exit(1)
    if copy:
        _copy(first[0].quote)


def _copy(quote: Quote) -> None:
    """Put `quote` on the clipboard, with its attribution, and say so."""
    from quotefind.cli import clipboard

    clipboard.copy(output.clipping(quote))
    session.warn(f"on the clipboard: {output.plain_line(quote)}")


def _on_terminal() -> bool:
    """Whether somebody sits there who can type and read."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _requests(words: list[str], queries: Path | None, *, like: bool, read0: bool, many: bool) -> Iterator[list[str]]:
    """Return the requests in batches: what is there is answered together, and nobody waits for more."""
    if many:
        from quotefind.cli.query_stream import query_batches

        if queries is not None and words:
            raise UsageError("Give either words or --queries, not both.")
        return query_batches(queries, separator="\0" if read0 else "\n")
    if read0:
        raise UsageError("--read0 is for many requests: find - or --queries FILE.")
    request = " ".join(words).strip()
    if not request and not like:
        raise UsageError(
            'Say what you are looking for, as in: quotefind find "quotes about family". To read requests from standard '
            "input, one a line: quotefind find -"
        )
    return iter([[request]])


def _numbered(
    index: Index, requests: Iterator[list[str]], options: FindOptions, first: list[Hit]
) -> Iterator[tuple[str, Sequence[Hit]]]:
    """Yield the hits of each request with its number: what stands before a tab, or else its place."""
    numbers: list[str] = []  # of the batch that is being answered
    seen: set[str] = set()

    def texts() -> Iterator[list[str]]:
        for batch in requests:
            parts = [request.partition("\t") for request in batch]
            places = range(len(seen) + 1, len(seen) + len(parts) + 1)
            numbers[:] = [
                number.strip() if tab else str(place) for place, (number, tab, _) in zip(places, parts, strict=True)
            ]
            for number in numbers:
                _add_number(number, seen)
            yield [text if tab else number for number, tab, text in parts]

    for answers in _answers(index, texts(), options, first):
        yield from zip(numbers, answers, strict=True)


def _add_number(number: str, seen: set[str]) -> None:
    """Add the number of a request to those `seen`; raise SourceError where it cannot stand in a run, or did already."""
    if number.split() != [number] or output.printable(number) != number:
        raise SourceError(f"What stands before a tab has to be the number of the request, one word: {number[:60]!r}.")
    if number in seen:
        raise SourceError(f"Two requests have the number {number}; in a run each needs its own.")
    seen.add(number)


def _answers(
    index: Index, requests: Iterator[list[str]], options: FindOptions, first: list[Hit]
) -> Iterator[Sequence[Sequence[Hit]]]:
    """Yield the hits of each batch of requests; put the very first one into `first`."""
    from quotefind.search import find as find_hits

    encoder: Encoder | None = None
    for batch in requests:
        encoder = encoder or session.encoder_of(index)
        hits = find_hits(index, encoder, batch, options)  # which first looks whether these are requests
        session.warn_of_long(encoder, batch)
        first += [hit for found in hits for hit in found][: 1 - len(first)]
        yield hits
        sys.stdout.flush()
