"""`quotefind evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quotefind.cli import output, session
from quotefind.cli.options import IndexOption, JsonOption, NoRefreshOption, QuietOption
from quotefind.errors import UsageError

if TYPE_CHECKING:
    from quotefind.index.interface import Index
    from quotefind.training.evaluation import Result
    from quotefind.training.judgements import JudgedQuery

# A table of all measures needs this many columns.
_NARROW = 80
_SHORT = 16


JudgedArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", help="JSON Lines with queries, and the ids or texts of the quotes that answer each."
    ),
]
FromTagsOption = Annotated[
    bool, typer.Option("--from-tags", help="Use each tag as a query. The quotes with that tag are the right answers.")
]
TemplateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--template", metavar="TEXT", help="Wording of the queries of --from-tags; {} is the tag. Repeatable."
    ),
]
MinQuotesOption = Annotated[
    int,
    typer.Option("--min-quotes", min=1, metavar="N", help="With --from-tags, use only tags with at least N quotes."),
]
TrecTopicsOption = Annotated[Path | None, typer.Option("--topics", metavar="FILE", help="TREC topics. Needs --qrels.")]
QrelsOption = Annotated[
    Path | None, typer.Option("--qrels", metavar="FILE", help="TREC relevance judgements. Needs --topics.")
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="DIR|NAME", help="Compare with this model on the same quotes. Repeatable."),
]
RunsOption = Annotated[
    Path | None, typer.Option("--runs", metavar="DIR", help="Write topics, judgements and runs to DIR as TREC files.")
]


def evaluate(
    judged: JudgedArgument = None,
    tags: FromTagsOption = False,
    template: TemplateOption = None,
    min_quotes: MinQuotesOption = 8,
    topics: TrecTopicsOption = None,
    qrels: QrelsOption = None,
    index: IndexOption = None,
    model: ModelsOption = None,
    runs: RunsOption = None,
    no_refresh: NoRefreshOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure search quality.

    Compares ranking by cosine, hybrid ranking and ranking by shared words (BM25), with the model of the index and with
    other models.

    \b
        quotefind evaluate --from-tags
        quotefind evaluate --from-tags --model all-MiniLM-L6-v2
        quotefind evaluate judged.jsonl --json
    """
    _check(judged, topics, qrels, tags=tags, of_tags=bool(template or min_quotes != 8))
    from quotefind.tagging import TEMPLATES
    from quotefind.training.evaluation import require_measures
    from quotefind.training.judgements import from_json_lines, from_tags, from_trec
    from quotefind.training.trec import make_directory, write_runs

    require_measures()
    if runs is not None:
        make_directory(runs)
    with session.opened(index, refresh=not no_refresh) as opened:
        if judged is not None:
            queries = from_json_lines(judged, opened)
        elif topics is not None and qrels is not None:
            queries = from_trec(topics, qrels, opened)
        else:
            queries = from_tags(opened, templates=tuple(template or TEMPLATES), min_quotes=min_quotes)
        results = _results(opened, queries, model or [], quiet=quiet)
        facts = {
            "model": opened.manifest.model,
            "quotes": opened.count,
            "queries": len(queries),
            "topics": len({query.topic for query in queries}),
        }
        if tags:
            _warn_of_known_quotes(opened, [opened.manifest.model, *(model or ())])
    if runs is not None:
        write_runs(runs, queries, results)
    if json:
        print(output.to_json({**facts, "systems": _records(results)}))  # noqa: T201
    else:
        _show(results)
        if not quiet:
            summary = "{queries} queries on {topics} topics, {quotes} quotes, model {model}".format(**facts)
            session.warn(f"{summary}; p is for the difference from {results[0].system}")


def _check(judged: Path | None, topics: Path | None, qrels: Path | None, *, tags: bool, of_tags: bool) -> None:
    """Refuse options that do not go together; `of_tags` is whether an option of --from-tags was given."""
    if sum((judged is not None, tags, topics is not None or qrels is not None)) != 1:
        raise UsageError("Give exactly one set of judgements: FILE, --from-tags, or --topics with --qrels.")
    if (topics is None) != (qrels is None):
        raise UsageError("--topics and --qrels must be given together.")
    if of_tags and not tags:
        raise UsageError("--template and --min-quotes work with --from-tags only.")


def _results(index: Index, queries: Sequence[JudgedQuery], models: Sequence[str], *, quiet: bool) -> list[Result]:
    from quotefind.training import evaluation

    with session.progress_bar(quiet=quiet) as progress, ExitStack() as copies:
        opener = session.encoder_opener(progress=progress)
        systems = evaluation.systems_of(index, opener(index.manifest.model, index.manifest.fingerprint))
        systems.append(evaluation.bm25(index))
        for model in dict.fromkeys(models):
            copy = copies.enter_context(evaluation.encoded_with(index, model, opener, progress))
            encoder = opener(copy.manifest.model, copy.manifest.fingerprint)
            systems += evaluation.systems_of(copy, encoder, prefix=f"{copy.manifest.model} ")
        return evaluation.evaluate(systems, queries, progress)


def _warn_of_known_quotes(index: Index, models: Sequence[str]) -> None:
    """Warn if a model is measured with the quotes and tags that it was trained on."""
    from quotefind.encoders.resolve import DEFAULT_MODEL
    from quotefind.paths import BUNDLED

    if DEFAULT_MODEL in models and any(source.location == BUNDLED for source in index.sources()):
        session.warn(
            f"{DEFAULT_MODEL} was trained on the bundled quotes and their tags, so expect lower figures for other "
            "quotes"
        )


def _records(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [
        {
            "system": result.system,
            "measures": {
                name: {
                    "mean": round(score.mean, 6),
                    "low": round(score.low, 6),
                    "high": round(score.high, 6),
                    "p": score.p,
                }
                for name, score in result.scores.items()
            },
            "groups": {group: round(value, 6) for group, value in result.groups.items()},
        }
        for result in results
    ]


def _show(results: Sequence[Result]) -> None:
    """Write a table of systems and measures, and one of systems and groups; tab-separated lines in a pipe."""
    measures = list(results[0].scores)
    header = ["system", *measures, f"95 % of {measures[0]}", "p"]
    rows = []
    for result in results:
        main = result.scores[measures[0]]
        rows.append(
            [
                result.system,
                *(f"{result.scores[measure].mean:.3f}" for measure in measures),
                f"{main.low:.3f} to {main.high:.3f}",
                "" if main.p is None else f"{main.p:.4f}",
            ]
        )
    _table(header, rows)
    groups = list(results[0].groups)
    if len(groups) > 1:
        _table(
            [measures[0], *(result.system for result in results)],
            [[group, *(f"{result.groups[group]:.3f}" for result in results)] for group in groups],
        )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    out = output.console() if sys.stdout.isatty() else None
    if out is None or out.width < _NARROW:
        for row in (header, *rows):
            print("\t".join(map(output.printable, row)))  # noqa: T201
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, name in enumerate(header):
        # Names of systems may be folded to fit, but figures never: with a digit cut off they would be wrong.
        table.add_column(
            Text(output.printable(name)),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number > 0 and len(name) < _SHORT,
            min_width=max(len(row[number]) for row in rows) if number else 10,
        )
    for row in rows:
        table.add_row(*(Text(output.printable(cell)) for cell in row))
    out.print(table, crop=False)
