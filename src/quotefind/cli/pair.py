"""`quotefind pair`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quotefind.cli import output, session, supervisor
from quotefind.cli.conflicts import report_conflicts
from quotefind.cli.options import (
    AuthorOption,
    ConflictsOption,
    ExactOption,
    FormatOption,
    IndexOption,
    MaxCharsOption,
    MinScoreOption,
    NoHeaderOption,
    NoRefreshOption,
    OutputFormat,
    PairModelOption,
    PairsFormatOption,
    PairsOption,
    PairTopOption,
    ProposedOption,
    QuietOption,
    RayOption,
    TagOption,
    TextsArgument,
    WorkersOption,
    WorkOption,
    given,
)
from quotefind.errors import SourceError, UsageError
from quotefind.paths import checkpoints_directory

if TYPE_CHECKING:
    from quotefind.index.filters import Filter
    from quotefind.index.interface import Index

# Formats that cannot hold the rows of a file with all their columns.
_NOT_FOR_ROWS = (OutputFormat.table, OutputFormat.plain, OutputFormat.markdown)


def pair(
    ctx: typer.Context,
    texts: TextsArgument = None,
    pairs: PairsOption = None,
    input_format: PairsFormatOption = None,
    no_header: NoHeaderOption = False,
    conflicts: ConflictsOption = False,
    model: PairModelOption = None,
    top: PairTopOption = None,
    min_score: MinScoreOption = None,
    author: AuthorOption = None,
    work: WorkOption = None,
    tag: TagOption = None,
    proposed: ProposedOption = False,
    max_chars: MaxCharsOption = None,
    index: IndexOption = None,
    exact: ExactOption = False,
    ray: RayOption = None,
    workers: WorkersOption = None,
    style: FormatOption = None,
    no_refresh: NoRefreshOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare texts, or find the closest pairs.

    Scores are cosine similarities, from -1 to 1.

    \b
        quotefind pair "Know thyself." "The unexamined life is not worth living."
        quotefind pair --top 20 --min-score 0.9
        quotefind pair --conflicts
        quotefind pair --pairs pairs.tsv > scored.tsv
    """
    modes = [
        mode for mode, there in (("texts", texts), ("--pairs", pairs is not None), ("--conflicts", conflicts)) if there
    ]
    if len(modes) > 1:
        raise UsageError(f"Give either {modes[0]} or {modes[1]}, not both.")
    _refuse(
        "searching an index",
        (texts is not None and len(texts) > 1) or pairs is not None,
        {
            "--min-score": min_score is not None,
            "--author": author,
            "--work": work,
            "--tag": tag,
            "--proposed": proposed,
            "--max-chars": max_chars,
            "--index": given(ctx, "index"),
            "--no-refresh": no_refresh,
            "--top": given(ctx, "top"),
        },
    )
    _refuse("a single text", len(texts or ()) != 1, {"--ray": ray, "--workers": workers, "--exact": exact})
    _refuse("--pairs", pairs is None, {"--input-format": input_format, "--no-header": no_header})
    _refuse("texts to compare with each other", pairs is None and len(texts or ()) < 2, {"--model": model})
    if pairs is not None:
        if not given(ctx, "style") and style in _NOT_FOR_ROWS:  # it comes from the environment
            style = None
        _score_file(pairs, input_format, style, model=model, header=not no_header, quiet=quiet)
        return
    style = output.default_format(style)
    if texts and len(texts) > 1:
        _compare(texts, style, model)
        return
    where = session.filter_of(author, work, tag, max_chars, proposed=proposed)
    supervisor.supervise(ray, index)
    cluster = session.ray_cluster(ray, workers)
    with session.opened(index, refresh=not no_refresh, cluster=cluster, exact=exact) as opened:
        if conflicts:
            most = top if given(ctx, "top") else None
            report_conflicts(opened, style, top=most, min_score=min_score, where=where, quiet=quiet)
        else:
            _search(opened, texts[0] if texts else None, style, top or 5, min_score=min_score, where=where, quiet=quiet)


def _search(
    index: Index,
    text: str | None,
    style: OutputFormat,
    top: int,
    *,
    min_score: float | None,
    where: Filter,
    quiet: bool,
) -> None:
    """Write the quotes of the index closest to `text`, or without a text the closest pairs of quotes."""
    from quotefind.pairs import closest_pairs, nearest_quotes

    if text is not None:
        found = nearest_quotes(index, session.encoder_of(index), text, top, min_score=min_score, where=where)
    else:
        with session.progress_bar(quiet=quiet) as progress:
            found = closest_pairs(
                index, top, min_score=min_score, where=where, progress=progress, checkpoints=checkpoints_directory()
            )
    if not output.show_pairs(found, style, from_index=True, asked=where.tags if where.proposed else ()):
        session.warn("no pairs found")
        raise typer.Exit(1)


def _refuse(use: str, without_effect: bool, options: dict[str, object]) -> None:
    """Raise UsageError if any of `options`, which are for `use` only, was given without effect."""
    for option, value in options.items():
        if without_effect and value:
            raise UsageError(f"{option} is for {use} and has no effect here. Leave it out.")


def _compare(texts: list[str], style: OutputFormat, model: str | None) -> None:
    """Write the score of two texts, or the scores of each of more with every other."""
    from quotefind.pairs import similarities
    from quotefind.records import Pair, Quote

    with session.progress_bar() as progress:
        encoder = session.encoder_opener(progress=progress)(model, None)
    scores = similarities(encoder, texts)
    if len(texts) > 2:
        _show_square(texts, scores.tolist(), style)
    elif style in (OutputFormat.table, OutputFormat.plain):
        print(f"{scores[0, 1]:.4f}")  # noqa: T201
    else:
        output.show_pairs([Pair(1, float(scores[0, 1]), Quote(texts[0]), Quote(texts[1]))], style)


def _score_file(
    name: str, input_format: str | None, style: OutputFormat | None, *, model: str | None, header: bool, quiet: bool
) -> None:
    """Write each row of a file of pairs, followed by its score, as they come."""
    from quotefind.corpus import pair_rows
    from quotefind.pairs import score_pairs

    path = None if name == "-" else Path(name)
    kind = pair_rows.format_of(path, input_format)
    style = style or OutputFormat(kind)
    if style in _NOT_FOR_ROWS:
        raise UsageError("--pairs can be written as json, jsonl, csv or tsv only. Choose one of them with --format.")
    writer = None
    with session.progress_bar(quiet=quiet) as progress:
        encoder = session.encoder_opener(progress=progress)(model, None)
        source = path or session.standard_input()
        rows = pair_rows.read_rows(source, kind, header=header, tell=session.warn)
        for batch in pair_rows.in_batches(rows):
            scores = score_pairs(encoder, [row.texts for row in batch])
            if writer is None:
                keys = list(batch[0].values)
                # A score column of the file itself is kept.
                key = "cosine_score" if "score" in keys else "score"
                writer = output.RecordWriter(style, [*keys, key], header="column_1" not in keys, verbatim=True)
            for row, score in zip(batch, scores, strict=True):
                if style in (OutputFormat.csv, OutputFormat.tsv) and not row.values.keys() <= set(keys):
                    extra = ", ".join(row.values.keys() - set(keys))
                    raise SourceError(
                        f"Row {writer.count + 1} has {extra}, which the first row lacks. Use --format jsonl."
                    )
                writer.write(row.values | {key: round(score, 6)})
            sys.stdout.flush()
            progress("scoring", writer.count)
    if writer is None:
        if style is OutputFormat.json:
            output.write_records([], style, ())
        session.warn("no pairs found")
        raise typer.Exit(1)
    writer.close()


def _show_square(texts: Sequence[str], scores: Sequence[Sequence[float]], style: OutputFormat) -> None:
    """Write the scores of each text with each."""
    rounded = [[round(score, output.DIGITS) for score in row] for row in scores]
    if style is OutputFormat.json:
        print(output.to_json({"texts": list(texts), "scores": rounded}))  # noqa: T201
    elif style is OutputFormat.jsonl:
        for text, row in zip(texts, rounded, strict=True):
            print(output.to_json({"text": text, "scores": row}))  # noqa: T201
    elif style in (OutputFormat.csv, OutputFormat.tsv):
        writer = output.RecordWriter(style, ["text", *texts])
        for text, row in zip(texts, rounded, strict=True):
            writer.write({"text": text, **dict(zip(texts, row, strict=True))})
    elif style is OutputFormat.plain:
        for row in rounded:
            print("\t".join(f"{score:.4f}" for score in row))  # noqa: T201
    elif style is OutputFormat.markdown:
        cells = [["", "text", *map(str, range(1, len(texts) + 1))], ["---:", "---", *["---:"] * len(texts)]]
        for number, (text, row) in enumerate(zip(texts, rounded, strict=True), 1):
            cells.append([str(number), output.escaped(text), *(f"{score:.2f}" for score in row)])
        sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in cells)
    else:
        _print_square(texts, rounded)


def _print_square(texts: Sequence[str], scores: Sequence[Sequence[float]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", justify="right", style="dim")
    table.add_column("text", overflow="fold")
    for number in range(1, len(texts) + 1):
        table.add_column(str(number), justify="right")
    for number, (text, row) in enumerate(zip(texts, scores, strict=True), 1):
        shown = [output.score_cell(score, bar=False) for score in row]
        table.add_row(str(number), Text(output.printable(text)), *shown)
    output.console().print(table)
