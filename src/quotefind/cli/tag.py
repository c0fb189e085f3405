"""`quotefind tag`."""

from __future__ import annotations

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
from quotefind.text import counted

if TYPE_CHECKING:
    from quotefind.tagging import Proposals


def tag(
    ctx: typer.Context,
    tags: Annotated[
        Path | None,
        typer.Option(
            "--tags", metavar="FILE", help="Tags to choose from, one per line. The default is a built-in list."
        ),
    ] = None,
    top: Annotated[int, typer.Option("-k", "--top", min=1, metavar="N", help="Propose at most N tags per quote.")] = 3,
    min_score: MinScoreOption = None,
    author: AuthorOption = None,
    work: WorkOption = None,
    max_chars: MaxCharsOption = None,
    write: Annotated[
        bool, typer.Option("--write", help='Store the proposals in the index. "find --tag TAG --proposed" uses them.')
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove all stored proposals.")] = False,
    wait: WaitOption = 0.0,
    index: IndexOption = None,
    no_refresh: NoRefreshOption = False,
    style: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Propose tags for quotes that have none.

    The tags closest in meaning to a quote are proposed for it. Nothing is stored without --write.

    \b
        quotefind tag
        quotefind tag --tags my-tags.txt --format csv > proposals.csv
        quotefind tag --write && quotefind find hope --tag grief --proposed
    """
    _check_usage(write=write, forget=forget, wait=wait)
    if forget:
        others = {
            "--tags": tags,
            "--top": top != 3,
            "--min-score": min_score is not None,
            "--author": author,
            "--work": work,
            "--max-chars": max_chars,
            "--no-refresh": no_refresh,
            "--format": given(ctx, "style"),
        }
        for option in (option for option, value in others.items() if value):
            raise UsageError(f"--forget removes all proposals, so {option} has no effect. Leave it out.")
        _forget(index, wait=wait, quiet=quiet)
        return
    from quotefind.tagging import propose_tags, read_tags

    where = session.filter_of(author, work, None, max_chars)
    candidates = read_tags(tags)
    style = output.default_format(style)
    with session.opened(index, refresh=not no_refresh) as opened:
        proposals = propose_tags(
            opened, session.encoder_of(opened), candidates, top=top, min_score=min_score, where=where
        )
        count = 0 if write else proposal_output.show(proposals, style)
    if write:
        proposals, count = _write(opened.location, proposals, style, wait=wait, quiet=quiet)
    _report(proposals, count, where=bool(where), write=write, quiet=quiet)


def _check_usage(*, write: bool, forget: bool, wait: float) -> None:
    if write and forget:
        raise UsageError("Give either --write or --forget, not both.")
    if wait and not (write or forget):
        raise UsageError("--wait works with --write and --forget only. A report needs no lock.")


def _write(
    location: Location, proposals: Proposals, style: OutputFormat, *, wait: float, quiet: bool
) -> tuple[Proposals, int]:
    """Store the proposals, then show them, so that they are stored even if nobody reads the output to its end.

    The index is read while the lock is held, so that nothing changes between reading and storing. It is closed before
    the writer, so that SQLite can empty its log.
    """
    from quotefind.stores import open_index, open_to_write

    with (
        session.progress_bar(quiet=quiet) as progress,
        open_to_write(location, session.encoder_opener(), wait=wait) as writer,
        open_index(location) as opened,
    ):
        proposals = proposals.again(opened)
        if any(True for _ in proposals):  # an unsuitable list of tags must not delete earlier proposals
            proposals.write(writer, progress)
    with open_index(location) as opened:
        proposals = proposals.again(opened)
        return proposals, proposal_output.show(proposals, style)


def _forget(name: str | None, *, wait: float, quiet: bool) -> None:
    from quotefind.stores import open_to_write

    with open_to_write(index_location(name), session.encoder_opener(), wait=wait) as writer:
        count = writer.forget_proposals()
    if not quiet:
        session.warn(f"proposals removed from {counted(count, 'quote')}")


def _report(proposals: Proposals, count: int, *, where: bool, write: bool, quiet: bool) -> None:
    """Say on stderr how many tags were proposed; end with 1 if there are none."""
    untagged = len(proposals.rows)
    if not untagged:
        session.warn("every quote has tags of its own" + (", with these filters" if where else ""))
    elif not count:
        which = "the one quote" if untagged == 1 else f"any of {untagged:,} quotes"
        kept = "; nothing is stored, and earlier proposals are kept" if write else ""
        session.warn(f"no tag scores {proposals.min_score:g} or more for {which} without tags{kept}")
    elif not quiet:
        stored = "stored: find --tag TAG --proposed uses them" if write else "--write stores them"
        session.warn(f"tags proposed for {count:,} of {untagged:,} quotes without tags; {stored}")
    if not count:
        raise typer.Exit(1)
