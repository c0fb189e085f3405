"""Results on stdout: a table for people, and formats that keep the text unchanged for programs."""

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
_TEXT_KEYS = {"text", "a", "b"}  # the keys whose values can be verse
DIGITS = 6  # of a score: more than this is noise in float32 vectors


def printable_lines(text: str) -> str:
    """Return a text of several lines, with control characters escaped and line breaks kept."""
    return "\n".join(map(printable, text.splitlines()))


def attribution(quote: Quote) -> str:
    """Return "Author, Work, place", or whichever of these are known."""
    return ", ".join(part for part in (quote.author, quote.work, quote.place) if part)


def hit_record(hit: Hit) -> dict[str, Any]:
    """Return `hit` as its JSON object, with the keys in their documented order."""
    return {"query": hit.query, "rank": hit.rank, "score": round(hit.score, DIGITS), **quote_record(hit.quote)}


def quote_record(quote: Quote) -> dict[str, Any]:
    """Return `quote` as its JSON object, with the keys in their documented order."""
    return {key: list(value) if isinstance(value := getattr(quote, key), tuple) else value for key in QUOTE_KEYS}


def pair_record(pair: Pair, keys: Sequence[str]) -> dict[str, Any]:
    """Return `pair` as its JSON object, with only these `keys`."""
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
    """Return `wanted`, or else `otherwise`, or else a table on a terminal and plain lines in a pipe."""
    if wanted is not None:
        return wanted
    return otherwise or (OutputFormat.table if sys.stdout.isatty() else OutputFormat.plain)


def show_hits(batches: Iterable[Sequence[Sequence[Hit]]], style: OutputFormat, *, asked: Sequence[str] = ()) -> int:
    """Write the hits as they come, query by query; return how many there were.

    A table says which of the tags `asked` for were only proposed for a quote.
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
    """Write numbered queries with their hits as a TREC run; return how many hits there were.

    The score is the cosine if that decided the order, and 1 / rank otherwise. Each score is lower than the one before,
    if only in its last digit, because trec_eval sorts by score, and equal scores by id.
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


def show_quote(quote: Quote, style: OutputFormat) -> None:
    """Write one quote that has no score, because it was not searched for."""
    if style is OutputFormat.table:
        sys.stdout.write(paragraph(quote))
    elif style is OutputFormat.plain:
        sys.stdout.write(f"{plain_line(quote)}\n")
    elif style is OutputFormat.markdown:
        sys.stdout.write(f"{block_quote(quote)}\n")
    else:
        write_records([quote_record(quote)], style, QUOTE_KEYS)


def show_pairs(
    pairs: Sequence[Pair], style: OutputFormat, *, from_index: bool = False, asked: Sequence[str] = ()
) -> int:
    """Write `pairs`; return how many there were.

    With `from_index`, the pairs are quotes of an index and have ids and authors. For `asked`, see `show_hits`.
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
    """Writes flat records one by one, as a JSON array, JSON Lines, CSV or TSV.

    In CSV and TSV no cell can be a spreadsheet formula. In TSV, " / " replaces line breaks, so that a row is a line.
    Neither is done if `verbatim`.

    Attributes:
        count: the number of records written so far.
    """

    def __init__(
        self, style: OutputFormat, keys: Sequence[str], *, header: bool = True, verbatim: bool = False
    ) -> None:
        """Write what comes before the first record: a line of `keys` in CSV and TSV, if `header` is true."""
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
        """Write what comes after the last record."""
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
        # A file gets the text unchanged; a terminal must not interpret it.
        return printable(text) if sys.stdout.isatty() else text


def console() -> Console:
    """Return a console for stdout that interprets no markup and highlights nothing."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            raise  # rich calls this inside its except block; the error boundary handles the error

    out = _Console(markup=False, emoji=False, highlight=False, soft_wrap=False)
    if out.no_color:  # otherwise rich would still write bold, dim and italic
        out = _Console(markup=False, emoji=False, highlight=False, soft_wrap=False, color_system=None)
    if out.is_dumb_terminal or out.width < 1:  # rich assumes 80 columns on the former, and takes COLUMNS=0 literally
        out.width = shutil.get_terminal_size().columns
    return out


def visible(quote: Quote) -> Quote:
    """Return `quote` with all control characters escaped."""
    shown = (part and printable(part) for part in (quote.author, quote.work, quote.note, quote.place, quote.added))
    author, work, note, place, added = shown
    text, tags = printable_lines(quote.text), tuple(map(printable, quote.tags))
    return replace(quote, text=text, author=author, work=work, tags=tags, note=note, place=place, added=added)


def plain_line(quote: Quote) -> str:
    """Return `quote` and its attribution on one line, for a pipe."""
    text, by = with_slashes(quote.text), attribution(quote)
    return printable(f"{text} — {by}" if by else text)


def clipping(quote: Quote) -> str:
    """Return `quote` for the clipboard: on one line, or, if it is verse, with the attribution below its lines."""
    if "\n" not in quote.text:
        return plain_line(quote)
    by = attribution(quote)
    return printable_lines(f"{quote.text}\n— {by}" if by else quote.text)


def paragraph(quote: Quote) -> str:
    """Return `quote` wrapped to the width of the terminal, with the attribution below."""
    width = shutil.get_terminal_size().columns
    by = attribution(quote)
    lines = [*quote.text.split("\n"), *([f"— {by}"] if by else [])]
    return "".join(f"{wrapped(printable(line), width)}\n" for line in lines)


def block_quote(quote: Quote) -> str:
    """Return `quote` as a Markdown block quote, with the attribution below."""
    from quotefind.export.rendering import block_quote as rendered

    return rendered(visible(quote))


def block(text: str, by: str) -> str:
    """Return `text` as a block quote of Markdown, `by` below."""
    from quotefind.export.rendering import block as rendered

    return rendered(printable_lines(text), escaped(by))


def escaped(text: str) -> str:
    """Return `text` escaped for Markdown."""
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
    """Return the author and work as a table cell, followed by those of the tags `asked` for that were only proposed."""
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
    """Write names and values: a table on a terminal, tab-separated lines in a pipe."""
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
