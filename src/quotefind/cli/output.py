"""Results on stdout: for people as a table, for programs in formats that hold the text unchanged."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quotefind.cli.options import OutputFormat
from quotefind.escaping import markdown
from quotefind.escaping import printable as printable
from quotefind.escaping import to_json as to_json
from quotefind.records import Hit, Pair, Quote
from quotefind.text import fold, guard_formula, with_slashes, wrapped

if TYPE_CHECKING:
    from rich.console import Console

QUOTE_KEYS = ("id", "text", "author", "work", "year", "tags", "source", "line", "proposed", "note", "place", "added")
HIT_KEYS = ("query", "rank", "score", *QUOTE_KEYS)
PAIR_KEYS = ("rank", "score", "a", "b")
INDEX_PAIR_KEYS = ("a_id", "a_author", "b_id", "b_author", "conflict")
_TEXT_KEYS = {"text", "a", "b"}  # which hold the words of a quote, in lines
DIGITS = 6  # of a score: what float32 vectors are good for


def printable_lines(text: str) -> str:
    """Return a text of several lines with everything that a terminal could obey made visible."""
    return "\n".join(map(printable, text.splitlines()))


def attribution(quote: Quote) -> str:
    """Return "Author, Work, place", as far as they are known."""
    return ", ".join(part for part in (quote.author, quote.work, quote.place) if part)


def hit_record(hit: Hit) -> dict[str, Any]:
    """Return `hit` as the object that JSON output holds, its keys in their documented order."""
    return {"query": hit.query, "rank": hit.rank, "score": round(hit.score, DIGITS), **quote_record(hit.quote)}


def quote_record(quote: Quote) -> dict[str, Any]:
    """Return `quote` as the object that JSON output holds, its keys in their documented order."""
    return {key: list(value) if isinstance(value := getattr(quote, key), tuple) else value for key in QUOTE_KEYS}


def pair_record(pair: Pair, keys: Sequence[str]) -> dict[str, Any]:
    """Return `pair` as the object that JSON output holds, with these of its keys."""
    values = {
        "rank": pair.rank,
        "score": round(pair.score, DIGITS),
        "a": pair.a.text,
        "b": pair.b.text,
        "a_id": pair.a.id,
        "a_author": pair.a.author,
        "b_id": pair.b.id,
        "b_author": pair.b.author,
        "conflict": pair.conflict,
    }
    return {key: values[key] for key in keys}


def default_format(wanted: OutputFormat | None, *, otherwise: OutputFormat | None = None) -> OutputFormat:
    """Return the format that is wanted, or else `otherwise`, or else table on a terminal and plain in a pipe."""
    if wanted is not None:
        return wanted
    return otherwise or (OutputFormat.table if sys.stdout.isatty() else OutputFormat.plain)


def show_hits(batches: Iterable[Sequence[Sequence[Hit]]], style: OutputFormat, *, asked: Sequence[str] = ()) -> int:
    """Write the hits as they come, those of one query behind each other; return how many there were.

    A table shows which of the tags that were `asked` for were only proposed for a quote.
    """
    if style is OutputFormat.table:
        return _show_tables(batches, asked)
    records = (hit for batch in batches for hits in batch for hit in hits)
    if style is OutputFormat.plain:
        return _write_lines(records, lambda hit: plain_line(hit.quote))
    if style is OutputFormat.markdown:
        return _write_lines(records, lambda hit: block_quote(hit.quote))
    return write_records(map(hit_record, records), style, HIT_KEYS)


def write_run(answers: Iterable[tuple[str, Sequence[Hit]]], *, by_score: bool) -> int:
    """Write numbered requests with their hits as a TREC run; return how many hits there were.

    The score is the cosine where that made the order, and 1 / rank otherwise. It falls from hit to hit, if only by its
    last digit: trec_eval takes the order from the scores, and that of equal ones from the ids.
    """
    count = 0
    unit = 10**DIGITS
    for number, hits in answers:
        last = 2 * unit
        for hit in hits:
            last = min(round((hit.score if by_score else 1 / hit.rank) * unit), last - 1)
            sys.stdout.write(f"{number} Q0 {hit.quote.id} {hit.rank} {last / unit:.{DIGITS}f} quotefind\n")
        count += len(hits)
    return count


def show_pairs(
    pairs: Sequence[Pair], style: OutputFormat, *, from_index: bool = False, asked: Sequence[str] = ()
) -> int:
    """Write `pairs`, of quotes of an index where `from_index` says so; return how many there were.

    For the tags that were `asked` for, see `show_hits`.
    """
    if style is OutputFormat.table:
        return _show_pair_table(pairs, asked)
    if style is OutputFormat.plain:
        return _write_lines(pairs, lambda pair: f"{pair.score:.4f}\t{plain_line(pair.a)}\t{plain_line(pair.b)}")
    if style is OutputFormat.markdown:
        return _write_lines(pairs, lambda pair: f"{block_quote(pair.a)}\n{block_quote(pair.b)}\n({pair.score:.4f})\n")
    keys = PAIR_KEYS + INDEX_PAIR_KEYS if from_index else PAIR_KEYS
    return write_records((pair_record(pair, keys) for pair in pairs), style, keys)


def write_records(records: Iterable[dict[str, Any]], style: OutputFormat, keys: Sequence[str]) -> int:
    """Write flat records as JSON, JSON Lines, CSV or TSV, as they come; return how many there were."""
    writer = RecordWriter(style, keys)
    for record in records:
        writer.write(record)
    writer.close()
    return writer.count


class RecordWriter:
    """Writes flat records as an array of JSON, as JSON Lines, CSV or TSV, one by one.

    In CSV and TSV no text is a formula to a spreadsheet, and in TSV a quote is on one line, with " / " between its
    lines, so that a row is a line; unless `verbatim`.

    Attributes:
        count: how many were written.
    """

    def __init__(
        self, style: OutputFormat, keys: Sequence[str], *, header: bool = True, verbatim: bool = False
    ) -> None:
        """Begin, with a line of `keys` where `style` has one."""
        self.count = 0
        self._verbatim = verbatim
        self._style = style
        self._keys = keys
        self._csv = None
        if style in (OutputFormat.csv, OutputFormat.tsv):
            self._csv = csv.writer(
                sys.stdout, delimiter="\t" if style is OutputFormat.tsv else ",", lineterminator="\n"
            )
            if header:
                self._csv.writerow(map(self._cell, keys))
        elif style is OutputFormat.json:
            sys.stdout.write("[")

    def write(self, record: dict[str, Any]) -> None:
        """Write one record."""
        if self._csv is not None:
            if self._style is OutputFormat.tsv and not self._verbatim:
                texts = {key: record[key] for key in _TEXT_KEYS if isinstance(record.get(key), str)}
                record = {**record, **{key: with_slashes(text) for key, text in texts.items()}}
            self._csv.writerow([self._cell(record.get(key)) for key in self._keys])
        elif self._style is OutputFormat.json:
            sys.stdout.write(f"{',' if self.count else ''}\n{to_json(record)}")
        else:
            sys.stdout.write(f"{to_json(record)}\n")
        self.count += 1

    def close(self) -> None:
        """Write what ends the whole."""
        if self._style is OutputFormat.json:
            sys.stdout.write("\n]\n" if self.count else "]\n")

    def _cell(self, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = "; ".join(value)
        elif isinstance(value, (list, dict, bool)):
            value = to_json(value)
        if not isinstance(value, str):
            return value
        text = value if self._verbatim else guard_formula(value)
        # A file gets the text unchanged; a terminal must not obey it.
        return printable(text) if sys.stdout.isatty() else text


def console() -> Console:
    """Return a console for stdout that interprets no markup and invents no colours."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise  # rich calls this where it has caught BrokenPipeError, which the error boundary handles

    out = Ours(markup=False, emoji=False, highlight=False, soft_wrap=False)
    if out.no_color:  # by itself rich would still write bold, dim and italic
        out = Ours(markup=False, emoji=False, highlight=False, soft_wrap=False, color_system=None)
    if out.is_dumb_terminal:  # which has a width all the same
        out.width = shutil.get_terminal_size().columns
    return out


def visible(quote: Quote) -> Quote:
    """Return `quote` with everything in it that a terminal could obey made visible."""
    shown = (part and printable(part) for part in (quote.author, quote.work, quote.note, quote.place, quote.added))
    author, work, note, place, added = shown
    text, tags = printable_lines(quote.text), tuple(map(printable, quote.tags))
    return replace(quote, text=text, author=author, work=work, tags=tags, note=note, place=place, added=added)


def plain_line(quote: Quote) -> str:
    """Return `quote` on one line, as it is written into a pipe."""
    text, by = with_slashes(quote.text), attribution(quote)
    return printable(f"{text} — {by}" if by else text)


def clipping(quote: Quote) -> str:
    """Return `quote` as it is put on the clipboard: on one line, or the attribution below the lines of verse."""
    if "\n" not in quote.text:
        return plain_line(quote)
    by = attribution(quote)
    return printable_lines(f"{quote.text}\n— {by}" if by else quote.text)


def paragraph(quote: Quote) -> str:
    """Return `quote` in lines that fit the terminal, broken between words, its attribution below."""
    width = shutil.get_terminal_size().columns
    by = attribution(quote)
    lines = [*quote.text.split("\n"), *([f"— {by}"] if by else [])]
    return "".join(f"{wrapped(printable(line), width)}\n" for line in lines)


def block_quote(quote: Quote) -> str:
    """Return `quote` as a block quote of Markdown, its attribution below."""
    from quotefind.export.rendering import block_quote as rendered

    return rendered(visible(quote))


def block(text: str, by: str) -> str:
    """Return `text` as a block quote of Markdown, `by` below."""
    from quotefind.export.rendering import block as rendered

    return rendered(printable_lines(text), escaped(by))


def escaped(text: str) -> str:
    """Return `text` for Markdown, where nothing of it is markup."""
    return markdown(printable(text))


def _write_lines(items: Iterable[Any], line: Any) -> int:
    count = 0
    for item in items:
        sys.stdout.write(f"{line(item)}\n")
        count += 1
    return count


def _show_tables(batches: Iterable[Sequence[Sequence[Hit]]], asked: Sequence[str]) -> int:
    out = console()
    count = 0
    for batch in batches:
        for hits in batch:
            if hits:
                out.print(_hit_table(hits, out.width, hits[0].query, asked))
            count += len(hits)
    return count


def _hit_table(hits: Sequence[Hit], width: int, title: str, asked: Sequence[str]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=SIMPLE_HEAD, title=Text(printable(title)), title_style="bold", title_justify="left", padding=(0, 1)
    )
    table.add_column("", justify="right", style="dim")
    table.add_column("score")
    table.add_column("quote", ratio=3, overflow="fold")
    if width >= 72:
        table.add_column("author, work", ratio=1, overflow="fold", min_width=18)
    for hit in hits:
        quote = Text(printable_lines(hit.quote.text))
        by = byline(hit.quote, asked)
        row = [Text(str(hit.rank)), score_cell(hit.score, bar=width >= 60)]
        if width >= 72:
            table.add_row(*row, quote, by)
        else:
            table.add_row(*row, Text("\n").join((quote, Text("— ") + by)) if by else quote)
        if hit is not hits[-1]:
            table.add_row()
    return table


def byline(quote: Quote, asked: Sequence[str] = ()) -> Any:
    """Return author and work as a cell of a table, and below them which of the tags `asked` for were only proposed."""
    from rich.text import Text

    wanted = set(map(fold, asked))
    proposed = [tag for tag in quote.proposed if fold(tag) in wanted]

    parts = [Text(printable(quote.author), style="bold")] if quote.author else []
    source = Text(printable(quote.work), style="italic") if quote.work else Text()
    if quote.place:
        source += Text(printable(f", {quote.place}" if source else quote.place))
    parts += [source] if source else []
    parts += [Text(printable(f"proposed: {', '.join(proposed)}"), style="dim")] if proposed else []
    return Text("\n").join(parts)


def score_cell(score: float, *, bar: bool) -> Any:
    """Return a score as a cell of a table: its colour, and with `bar` its bar, say how high it is."""
    from rich.text import Text

    style = "green" if score >= 0.5 else "yellow" if score >= 0.3 else "dim"
    text = Text(f"{score:.2f}", style=style)
    if bar:
        filled = round(max(score, 0.0) * 8)
        text.append(f" {'█' * filled}{'·' * (8 - filled)}")
    return text


def _show_pair_table(pairs: Sequence[Pair], asked: Sequence[str]) -> int:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not pairs:
        return 0
    out = console()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", justify="right", style="dim")
    table.add_column("score")
    table.add_column("a", ratio=1, overflow="fold")
    table.add_column("b", ratio=1, overflow="fold")
    for pair in pairs:
        sides = []
        for quote in (pair.a, pair.b):
            text = Text(printable_lines(quote.text))
            by = byline(quote, asked)
            sides.append(Text("\n").join((text, by)) if by else text)
        score = score_cell(pair.score, bar=out.width >= 60)
        if pair.conflict:
            score = Text("\n").join((score, Text("names differ", style="red")))
        table.add_row(Text(str(pair.rank)), score, *sides)
        if pair is not pairs[-1]:
            table.add_row()
    out.print(table)
    return len(pairs)


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Write names and values: a table on a terminal, else a line each with a tab between."""
    if not sys.stdout.isatty():
        for name, value in facts:
            print(f"{name}\t{printable(value)}")  # noqa: T201
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in facts:
        table.add_row(Text(name, style="dim"), Text(printable(value), overflow="fold"))
    console().print(table)
