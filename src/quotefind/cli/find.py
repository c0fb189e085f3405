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
from quotefind.text import is_blank

if TYPE_CHECKING:
    from quotefind.encoders import Encoder
    from quotefind.index.interface import Index
    from quotefind.records import Hit
    from quotefind.search import FindOptions


def find(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS…",
            help='The query. "-" reads one query per line from stdin. If omitted on a terminal, a prompt opens.',
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
    """Find quotes that mean what you ask for.

    All words form one query, so quotation marks are optional.

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
    if not (words or many or read0 or copy or like is not None) and _is_interactive():
        from quotefind.cli.prompt import open_prompt

        fits = style if style is not OutputFormat.trec or given(ctx, "style") else None
        search_session = session.search_session(index, refresh=not no_refresh, cluster=cluster, exact=exact)
        open_prompt(search_session, options, fits or OutputFormat.table)
        return
    invalid: list[str] = []  # queries that are not UTF-8
    batches = _query_batches(words or [], queries, invalid, like=like is not None, read0=read0, many=many)
    style = output.default_format(style, otherwise=OutputFormat.jsonl if many else None)
    first: list[Hit] = []  # of all queries
    with session.opened(index, refresh=not no_refresh, cluster=cluster, exact=exact) as opened:
        if style is OutputFormat.trec:
            count = output.write_run(_numbered(opened, batches, options, first), by_score=not (hybrid or diverse))
        else:
            hits = _answers(opened, batches, options, first)
            count = output.show_hits(hits, style, asked=options.where.tags if proposed else ())
    if invalid:
        raise SourceError(f"{'; '.join(invalid)}. All other queries were answered.")
    if not count:
        raise session.nothing_found(filtered=bool(options.where) or min_score is not None)
    if copy:
        session.copy(first[0].quote)


def _is_interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _query_batches(
    words: list[str], queries: Path | None, invalid: list[str], *, like: bool, read0: bool, many: bool
) -> Iterator[list[str]]:
    """Return the queries in batches: those that have arrived are answered together, without waiting for more."""
    if many:
        from quotefind.cli.query_stream import query_batches

        if queries is not None and words:
            raise UsageError("Give either words or --queries, not both.")
        return query_batches(queries, separator="\0" if read0 else "\n", invalid=invalid)
    if read0:
        raise UsageError("--read0 works with many queries only: find - or --queries FILE.")
    query = " ".join(words).strip()
    if is_blank(query) and not like:
        raise UsageError(
            'Say what you are looking for, for example: quotefind find "quotes about family". To read one query per '
            "line from stdin: quotefind find -"
        )
    return iter([[query]])


def _numbered(
    index: Index, batches: Iterator[list[str]], options: FindOptions, first: list[Hit]
) -> Iterator[tuple[str, Sequence[Hit]]]:
    """Yield the hits of each query with its number: the word before a tab, or else its position."""
    numbers: list[str] = []  # of the batch that is being answered
    seen: set[str] = set()

    def texts() -> Iterator[list[str]]:
        for batch in batches:
            parts = [query.partition("\t") for query in batch]
            positions = range(len(seen) + 1, len(seen) + len(parts) + 1)
            numbers[:] = [
                number.strip() if tab else str(position)
                for position, (number, tab, _) in zip(positions, parts, strict=True)
            ]
            for number in numbers:
                _add_number(number, seen)
            yield [text if tab else number for number, tab, text in parts]

    for answers in _answers(index, texts(), options, first):
        yield from zip(numbers, answers, strict=True)


def _add_number(number: str, seen: set[str]) -> None:
    """Add the number of a query to `seen`; raise SourceError if it is no single word, or not the first of its kind."""
    if number.split() != [number] or output.printable(number) != number:
        raise SourceError(f"The text before a tab must be the number of the query, a single word: {number[:60]!r}.")
    if number in seen:
        raise SourceError(f"Two queries have the number {number}. In a run, each needs its own.")
    seen.add(number)


def _answers(
    index: Index, batches: Iterator[list[str]], options: FindOptions, first: list[Hit]
) -> Iterator[Sequence[Sequence[Hit]]]:
    """Yield the hits of each batch of queries, and put the first hit of all into `first`."""
    from quotefind.search import find as find_hits

    encoder: Encoder | None = None
    for batch in batches:
        encoder = encoder or session.encoder_of(index)
        hits = find_hits(index, encoder, batch, options)
        session.warn_if_truncated(encoder, batch)
        first += [hit for found in hits for hit in found][: 1 - len(first)]
        yield hits
        sys.stdout.flush()
