"""`quotefind today`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from quotefind.cli import completion, output, session
from quotefind.cli.options import AuthorOption, FormatOption, IndexOption, MaxCharsOption, OutputFormat, ProposedOption
from quotefind.errors import UsageError

if TYPE_CHECKING:
    from quotefind.records import Quote


def today(
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            "--theme",
            metavar="THEME",
            autocompletion=completion.tags,
            help="Only quotes with this tag; repeatable.",
        ),
    ] = None,
    proposed: ProposedOption = False,
    author: AuthorOption = None,
    max_chars: MaxCharsOption = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="The quote of this day instead.")
    ] = None,
    index: IndexOption = None,
    style: FormatOption = None,
) -> None:
    """Show the quote of the day, at once: for the greeting of a shell, or a newsletter.

    The same day, collection and theme give the same quote. The index answers as it is, and is not refreshed; as long
    as there is none, the bundled quotes answer.

    \b
    quotefind today
    quotefind today --theme courage --max-chars 120
    quotefind today --date 2027-01-01 --format json | jq -r '.[0].text'
    """
    from datetime import date as day

    from quotefind.paths import index_location
    from quotefind.today import quote_of_the_day

    try:
        wanted = day.fromisoformat(date) if date is not None else day.today()
    except ValueError as error:
        raise UsageError(f"--date {date!r} is no day; it is written YYYY-MM-DD, as in 2027-01-31.") from error
    where = session.filter_of(author, None, tag, max_chars, proposed=proposed)
    quote = quote_of_the_day(index_location(index), wanted, where)
    if quote is None:
        session.warn("nothing found" + (" under these conditions" if where else ""))
        raise typer.Exit(1)
    _show(quote, output.default_format(style))


def _show(quote: Quote, style: OutputFormat) -> None:
    if style is OutputFormat.table:
        sys.stdout.write(output.paragraph(quote))
    elif style is OutputFormat.plain:
        sys.stdout.write(f"{output.plain_line(quote)}\n")
    elif style is OutputFormat.markdown:
        sys.stdout.write(f"{output.block_quote(quote)}\n")
    else:
        output.write_records([output.quote_record(quote)], style, output.QUOTE_KEYS)
