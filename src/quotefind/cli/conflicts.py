"""`quotefind pair --conflicts`: which quotes disagree with each other, but not which is right."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer

from quotefind.cli import output, session
from quotefind.cli.options import OutputFormat
from quotefind.paths import checkpoints_directory
from quotefind.text import counted, with_slashes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from quotefind.conflicts.groups import ConflictGroup
    from quotefind.index.filters import Filter
    from quotefind.index.interface import Index
    from quotefind.records import Quote

GROUP_KEYS = ("group", "differs", "score", "quotes")
QUOTE_KEYS = ("id", "text", "author", "work", "year", "tags", "source", "line")
# In CSV and TSV a quote is a row.
ROW_KEYS = (*GROUP_KEYS[:-1], *QUOTE_KEYS)
# At most this many names, titles or years are listed in a heading; the quotes below it show the rest.
_MOST_NAMED = 5
_NARROW = 72
# The white space before a word, and the word.
_UNIT = re.compile(r"(\s*)(\S+)")


def report_conflicts(
    index: Index, style: OutputFormat, *, top: int | None, min_score: float | None, where: Filter, quiet: bool
) -> None:
    """Write the groups of quotes of `index` that disagree."""
    from quotefind.conflicts.groups import Difference, conflict_groups

    with session.progress_bar(quiet=quiet) as progress:
        groups = conflict_groups(
            index,
            top=top,
            min_score=min_score,
            where=where,
            progress=progress,
            checkpoints=checkpoints_directory(),
            warn=session.warn,
        )
    count = of_names = 0

    def counted_groups() -> Iterable[ConflictGroup]:
        nonlocal count, of_names
        for group in groups:
            count += 1
            of_names += Difference.author in group.differs
            yield group

    _show(counted_groups(), style)
    if not count:
        session.warn("no quotes have the same or nearly the same words")
        raise typer.Exit(1)
    if not quiet:
        sys.stdout.flush()
        found = counted(count, "group")
        named = f", {of_names:,} with different names" if of_names else ""
        session.warn(f"{found}{named}; quotefind cannot tell which name or wording is right")


def _show(groups: Iterable[ConflictGroup], style: OutputFormat) -> None:
    if style is OutputFormat.table:
        out = output.console()
        for group in groups:
            _print_table(group, out)
    elif style in (OutputFormat.plain, OutputFormat.markdown):
        write = _plain if style is OutputFormat.plain else _markdown
        for group in groups:
            sys.stdout.write(write(group))
    elif style in (OutputFormat.csv, OutputFormat.tsv):
        rows = ({**_summary(group), **_record(quote)} for group in groups for quote in group.quotes)
        output.write_records(rows, style, ROW_KEYS)
    else:
        whole = ({**_summary(group), "quotes": [_record(quote) for quote in group.quotes]} for group in groups)
        output.write_records(whole, style, GROUP_KEYS)


def _summary(group: ConflictGroup) -> dict[str, Any]:
    values = (group.number, [difference.value for difference in group.differs], round(group.score, 6))
    return dict(zip(GROUP_KEYS[:-1], values, strict=True))


def _record(quote: Quote) -> dict[str, Any]:
    return {key: list(quote.tags) if key == "tags" else getattr(quote, key) for key in QUOTE_KEYS}


def _heading(group: ConflictGroup) -> str:
    """Return a sentence on where the quotes of `group` disagree."""
    from quotefind.conflicts.groups import Difference
    from quotefind.conflicts.names import distinct

    names = distinct([quote.author for quote in group.quotes])
    works = distinct([quote.work for quote in group.quotes])
    years = sorted({quote.year for quote in group.quotes if quote.year is not None})
    nameless = sum(not quote.author for quote in group.quotes)
    phrases = {
        Difference.author: f"names differ: {_listed(names)}",
        Difference.spelling: f"perhaps one name in different spellings: {_listed(names)}",
        Difference.unnamed: f"{'one has' if nameless == 1 else f'{nameless:,} have'} no author",
        Difference.work: f"works differ: {_listed(works)}",
        Difference.year: f"years differ: {_listed([str(year) for year in years])}",
        Difference.words: "words differ",
        Difference.shortened: "words left out",
        Difference.punctuation: "punctuation, case or accents differ",
    }
    return "; ".join(phrases[difference] for difference in group.differs)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return " | ".join([*names[:_MOST_NAMED], *([f"and {more:,} more"] if more > 0 else [])])


def _origin(quote: Quote) -> str:
    """Return the source and line of `quote`."""
    return ":".join(str(part) for part in (quote.source, quote.line) if part is not None)


def _plain(group: ConflictGroup) -> str:
    lines = [f"{group.number}\t{output.printable(_heading(group))}\n"]
    for quote in group.quotes:
        parts = (with_slashes(quote.text), output.attribution(quote), _origin(quote))
        lines.append("".join(f"\t{output.printable(part)}" for part in parts) + "\n")
    return "".join([*lines, "\n"])


def _markdown(group: ConflictGroup) -> str:
    lines = [f"## {group.number}. {output.escaped(_heading(group))}\n"]
    for quote in group.quotes:
        by = " — ".join(part for part in (output.attribution(quote), _origin(quote)) if part)
        lines.append(output.block(quote.text, by))
    return "\n".join([*lines, ""])


def _print_table(group: ConflictGroup, out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    out.print(Text(f"{group.number}  {output.printable(_heading(group))}", style="bold"))
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(width=1)
    table.add_column(ratio=3, overflow="fold")
    wide = out.width >= _NARROW
    if wide:
        table.add_column(ratio=2, overflow="fold")
    # Without styles a terminal cannot underline words.
    for text, quote in zip(_marked(group.quotes, styled=out.color_system is not None), group.quotes, strict=True):
        parts = [Text(output.printable(part)) for part in (output.attribution(quote), _origin(quote)) if part]
        if wide:
            table.add_row("", text, Text("\n").join(parts))
        else:
            table.add_row("", Text("\n").join([text, *(Text("— ") + part for part in parts)]))
    out.print(table)
    out.print()


def _marked(quotes: Sequence[Quote], *, styled: bool) -> list[Text]:
    """Return the texts; underlined are words that the first text lacks, and in the first, words that others lack."""
    from quotefind.conflicts.words import unshared, words_of

    units = [_UNIT.findall(quote.text) for quote in quotes]
    words = [[(word, at) for at, (_, unit) in enumerate(parts) for word in words_of(unit)] for parts in units]
    marks: list[set[int]] = [set() for _ in quotes]
    for number in range(1, len(quotes)):
        alone = unshared([word for word, _ in words[0]], [word for word, _ in words[number]])
        marks[0] |= {words[0][place][1] for place in alone[0]}
        marks[number] |= {words[number][place][1] for place in alone[1]}
    return [_underlined(parts, marked, styled=styled) for parts, marked in zip(units, marks, strict=True)]


def _underlined(units: Sequence[tuple[str, str]], marked: Collection[int], *, styled: bool) -> Text:
    from rich.text import Text

    text = Text()
    for is_marked, run in groupby(range(len(units)), key=marked.__contains__):
        gap, words = "", ""
        for blanks, unit in (units[at] for at in run):
            gap, words = (
                (gap, f"{words}{blanks}{output.printable(unit)}") if words else (blanks, output.printable(unit))
            )
        text.append(gap)
        text.append(
            f"_{words}_" if is_marked and not styled else words, style="underline" if is_marked and styled else ""
        )
    return text
