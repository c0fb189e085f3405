"""`quotefind today`."""

from __future__ import annotations

from typing import Annotated

import typer

from quotefind.cli import output, session
from quotefind.cli.options import (
    AuthorOption,
    FormatOption,
    IndexOption,
    MaxCharsOption,
    ProposedOption,
    TagOption,
)
from quotefind.errors import UsageError


def today(
    tag: TagOption = None,
    proposed: ProposedOption = False,
    author: AuthorOption = None,
    max_chars: MaxCharsOption = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Show the quote of this day instead.")
    ] = None,
    index: IndexOption = None,
    style: FormatOption = None,
) -> None:
    """Show the quote of the day.

    The same day, collection and filters give the same quote. The index is used as it is, without a refresh. While there
    is none, the quote comes from the bundled quotes.

    \b
        quotefind today
        quotefind today --tag courage --max-chars 120
        quotefind today --date 2027-01-01 --format json | jq -r '.[0].text'
    """
    from datetime import date as calendar_date

    from quotefind.paths import index_location
    from quotefind.today import quote_of_the_day

    try:
        day = calendar_date.today() if date is None else calendar_date.fromisoformat(date)
    except ValueError as error:
        raise UsageError(f"--date {date!r} is not a date. Write it as YYYY-MM-DD, for example 2027-01-31.") from error
    where = session.filter_of(author, None, tag, max_chars, proposed=proposed)
    quote = quote_of_the_day(index_location(index), day, where)
    if quote is None:
        raise session.nothing_found(filtered=bool(where))
    output.show_quote(quote, output.default_format(style))
