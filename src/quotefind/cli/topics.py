"""`quotefind topics`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quotefind.cli import output, session
from quotefind.cli.options import (
    AuthorOption,
    FormatOption,
    IndexOption,
    MaxCharsOption,
    NoRefreshOption,
    OutputFormat,
    ProposedOption,
    QuietOption,
    SeedOption,
    TagOption,
    TopicsOption,
    WorkOption,
)

if TYPE_CHECKING:
    from quotefind.topics.topic import Topic

TOPIC_KEYS = ("topic", "label", "terms", "size", "quotes")
QUOTE_KEYS = ("id", "text", "author", "work", "score")
# In CSV and TSV each central quote is a row.
ROW_KEYS = (*TOPIC_KEYS[:-1], *QUOTE_KEYS)


def topics(
    number: TopicsOption = None,
    top: Annotated[
        int, typer.Option("-k", "--top", min=0, metavar="N", help="Show the N most central quotes of each topic.")
    ] = 3,
    author: AuthorOption = None,
    work: WorkOption = None,
    tag: TagOption = None,
    proposed: ProposedOption = False,
    max_chars: MaxCharsOption = None,
    seed: SeedOption = 0,
    index: IndexOption = None,
    style: FormatOption = None,
    no_refresh: NoRefreshOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what a collection is about.

    Quotes of similar meaning form a topic. Each topic has a label, the words that set it apart from the others, and its
    most central quotes.

    \b
        quotefind topics
        quotefind topics --topics 12 --author Emerson -k 1
        quotefind topics --format json | jq -r '.[].label'
    """
    from quotefind.topics.finding import find_topics

    where = session.filter_of(author, work, tag, max_chars, proposed=proposed)
    with session.opened(index, refresh=not no_refresh) as opened, session.progress_bar(quiet=quiet) as progress:
        found = find_topics(opened, topics=number, where=where, central=top, seed=seed, progress=progress)
    _show(found.topics, output.default_format(style))
    if not found.topics:
        raise session.nothing_found("no quotes to group", filtered=bool(where))


def _show(topics: Sequence[Topic], style: OutputFormat) -> None:
    if style is OutputFormat.table:
        _show_table(topics)
    elif style is OutputFormat.plain:
        for topic in topics:
            label = output.printable(topic.label)
            for quote in topic.central or (None,):
                shown = [output.plain_line(quote)] if quote else []
                print(str(topic.number), str(topic.size), label, *shown, sep="\t")  # noqa: T201
    elif style is OutputFormat.markdown:
        for topic in topics:
            print(f"## {output.escaped(topic.label)} ({topic.size:,})\n")  # noqa: T201
            for quote in topic.central:
                print(output.block_quote(quote))  # noqa: T201
    elif style in (OutputFormat.csv, OutputFormat.tsv):
        rows = ({**record, **quote} for record in map(_record, topics) for quote in record["quotes"] or [{}])
        output.write_records(rows, style, ROW_KEYS)
    else:
        output.write_records(map(_record, topics), style, TOPIC_KEYS)


def _record(topic: Topic) -> dict[str, Any]:
    """Return `topic` as its JSON object."""
    quotes = [
        {**{key: getattr(quote, key) for key in QUOTE_KEYS[:-1]}, QUOTE_KEYS[-1]: round(score, output.DIGITS)}
        for quote, score in zip(topic.central, topic.scores, strict=True)
    ]
    values = (topic.number, topic.label, list(topic.terms), topic.size, quotes)
    return dict(zip(TOPIC_KEYS, values, strict=True))


def _show_table(topics: Sequence[Topic]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not topics:
        return
    out = output.console()
    wide = out.width >= 72
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", justify="right", style="dim")
    table.add_column("quotes", justify="right")
    table.add_column("topic", overflow="fold", ratio=1, min_width=18)
    if wide:
        table.add_column("most central", overflow="fold", ratio=3)
    most = topics[0].size
    for topic in topics:
        about = Text(output.printable(topic.label), style="bold")
        rest = ", ".join(topic.terms[3:])
        if rest:
            about.append(f"\n{output.printable(rest)}", style="not bold dim")
        size = f"{topic.size:,}\n{'█' * max(round(8 * topic.size / most), 1)}"
        central = Text("\n").join(_central(topic))
        row = [Text(str(topic.number)), Text(size)]
        if wide:
            table.add_row(*row, about, central)
        else:
            table.add_row(*row, Text("\n").join((about, central)) if central else about)
        if topic is not topics[-1]:
            table.add_row()
    out.print(table)


def _central(topic: Topic) -> list[Any]:
    from rich.text import Text

    return [
        Text(output.printable_lines(quote.text))
        + (Text(f" — {by}", style="italic") if (by := output.printable(output.attribution(quote))) else "")
        for quote in topic.central
    ]
