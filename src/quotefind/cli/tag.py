"""`quotefind tag`."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quotefind.cli import output, proposal_output, session
from quotefind.cli.options import (
    AuthorOption,
    FormatOption,
    IndexOption,
    MaxCharsOption,
    MinScoreOption,
    NoRefreshOption,
    OutputFormat,
    QuietOption,
    WaitOption,
    WorkOption,
    given,
)
from quotefind.errors import UsageError
from quotefind.paths import Location, index_location

if TYPE_CHECKING:
    from quotefind.tagging import Proposals


def tag(
    ctx: typer.Context,
    themes: Annotated[
        Path | None,
        typer.Option("--themes", metavar="FILE", help="Themes, one a line, instead of those of the bundled quotes."),
    ] = None,
    top: Annotated[
        int, typer.Option("-k", "--top", min=1, metavar="N", help="How many themes a quote gets at most.")
    ] = 3,
    min_score: MinScoreOption = None,
    author: AuthorOption = None,
    work: WorkOption = None,
    max_chars: MaxCharsOption = None,
    write: Annotated[
        bool, typer.Option("--write", help="Store what is proposed, marked as proposed: find --tag THEME --proposed.")
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Only remove everything that was proposed.")] = False,
    wait: WaitOption = 0.0,
    index: IndexOption = None,
    no_refresh: NoRefreshOption = False,
    style: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Propose themes for quotes that have none.

    The themes whose meaning is nearest to that of the quote, of those of the bundled quotes, or of a list of your own.
    Nothing is stored without --write.

    \b
    quotefind tag
    quotefind tag --themes my-themes.txt --format csv > proposals.csv
    quotefind tag --write && quotefind find hope --tag grief --proposed
    """
    _check_usage(write=write, forget=forget, wait=wait)
    if forget:
        others = {
            "--themes": themes,
            "--top": top != 3,
            "--min-score": min_score is not None,
            "--author": author,
            "--work": work,
            "--max-chars": max_chars,
            "--no-refresh": no_refresh,
            "--format": given(ctx, "style"),
        }
        for option in (option for option, value in others.items() if value):
            raise UsageError(f"--forget removes everything that was proposed; {option} does nothing beside it.")
        _forget(index, wait=wait, quiet=quiet)
        return
    from quotefind.tagging import propose_tags, read_themes

    where = session.filter_of(author, work, None, max_chars)
    listed = read_themes(themes)
    style = output.default_format(style)
    with session.opened(index, refresh=not no_refresh) as opened:
        proposals = propose_tags(opened, session.encoder_of(opened), listed, top=top, min_score=min_score, where=where)
        count = 0 if write else proposal_output.show(proposals, style)
    if write:
        proposals, count = _write(opened.location, proposals, style, wait=wait, quiet=quiet)
    _say(proposals, count, where=bool(where), write=write, quiet=quiet)


def _check_usage(*, write: bool, forget: bool, wait: float) -> None:
    if write and forget:
        raise UsageError("Give either --write or --forget, not both.")
    if isnan(wait):
        raise UsageError("--wait needs a number of seconds.")
    if wait and not (write or forget):
        raise UsageError("--wait is for --write and --forget; a report waits for nobody.")


def _write(
    location: Location, proposals: Proposals, style: OutputFormat, *, wait: float, quiet: bool
) -> tuple[Proposals, int]:
    """Store the proposals, then show them: a report that nobody reads to its end is stored all the same.

    Nothing changes between reading and storing, because the index is read while the lock is held; and it is closed
    before the writer, so that SQLite can empty its log.
    """
    from quotefind.stores import open_index, open_to_write

    with (
        session.progress_bar(quiet=quiet) as progress,
        open_to_write(location, session.encoder_opener(), wait=wait) as writer,
        open_index(location) as opened,
    ):
        proposals = proposals.again(opened)
        if any(True for _ in proposals):  # an unsuitable list of themes must not take away what another one gave
            proposals.write(writer, progress)
    with open_index(location) as opened:
        proposals = proposals.again(opened)
        return proposals, proposal_output.show(proposals, style)


def _forget(name: str | None, *, wait: float, quiet: bool) -> None:
    from quotefind.stores import open_to_write

    with open_to_write(index_location(name), session.encoder_opener(), wait=wait) as writer:
        count = writer.forget_proposals()
    if not quiet:
        session.warn(f"what was proposed for {count} quotes is forgotten")


def _say(proposals: Proposals, count: int, *, where: bool, write: bool, quiet: bool) -> None:
    """Say on stderr what was proposed; end with 1 where it is nothing."""
    looked_at = len(proposals.rows)
    if not looked_at:
        session.warn(f"no quote {'under these conditions ' if where else ''}lacks tags of its own")
    elif not count:
        many = "the one quote" if looked_at == 1 else f"any of {looked_at:,} quotes"
        left = "; nothing is stored, and what was proposed before stays" if write else ""
        session.warn(f"no theme scores {proposals.min_score:g} or more for {many} without tags{left}")
    elif not quiet:
        stored = "stored: find --tag THEME --proposed uses them" if write else "--write stores them"
        session.warn(f"themes proposed for {count} of {looked_at} quotes without tags; {stored}")
    if not count:
        raise typer.Exit(1)
