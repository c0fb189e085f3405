"""Options that several commands share, and those of `find`, `index` and `pair`, which have many."""

from __future__ import annotations

from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer

from quotefind.cli import completion
from quotefind.errors import UsageError
from quotefind.paths import INDEX_VARIABLE


class OutputFormat(StrEnum):
    """How results are written."""

    table = "table"
    plain = "plain"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"
    markdown = "markdown"
    trec = "trec"


def given(ctx: typer.Context, parameter: str) -> bool:
    """Whether the user typed `parameter`; a value from the environment is only a default."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _writable(ctx: typer.Context, option: typer.CallbackParam, style: OutputFormat | None) -> OutputFormat | None:
    """Refuse a format that only `find` writes; ignore it where it comes from the environment."""
    if style is not OutputFormat.trec or ctx.command.name == "find" or ctx.resilient_parsing:
        return style
    if given(ctx, str(option.name)):
        raise UsageError("--format trec works with find only, because it holds rankings.")
    return None


def _number(option: typer.CallbackParam, value: float | None) -> float | None:
    """Refuse NaN, which passes every check of a range."""
    if value is not None and isnan(value):
        raise UsageError(f"{max(option.opts, key=len)} needs a number, not {value}.")
    return value


IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="NAME|DIR",
        envvar=INDEX_VARIABLE,
        autocompletion=completion.indexes,
        help='Name of the index ("default" if omitted), or its directory, written with a slash, as in ./poems.',
    ),
]
TopOption = Annotated[
    int,
    typer.Option("-k", "--top", min=1, metavar="N", envvar="QUOTEFIND_TOP", help="Show at most N hits."),
]
MinScoreOption = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        min=-1.0,
        max=1.0,
        metavar="S",
        callback=_number,
        help="Leave out everything that scores below S.",
    ),
]
AuthorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--author",
        metavar="NAME",
        autocompletion=completion.authors,
        help="Only quotes by NAME. Part of a name is enough. Repeatable.",
    ),
]
WorkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--work",
        metavar="TITLE",
        autocompletion=completion.works,
        help="Only quotes from TITLE. Part of a title is enough. Repeatable.",
    ),
]
TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", autocompletion=completion.tags, help="Only quotes with this tag. Repeatable."),
]
ProposedOption = Annotated[
    bool, typer.Option("--proposed", help='Let --tag also match tags that "quotefind tag" proposed.')
]
MaxCharsOption = Annotated[
    int | None, typer.Option("--max-chars", min=1, metavar="N", help="Only quotes of at most N characters.")
]


def _format_option(metavar: str | None = None) -> Any:
    return typer.Option(
        "--format",
        "-f",
        envvar="QUOTEFIND_FORMAT",
        callback=_writable,
        help="Output format. The default is a table on a terminal and plain lines in a pipe.",
        case_sensitive=False,
        metavar=metavar,
    )


# All formats but trec, which works with find only.
FormatOption = Annotated[OutputFormat | None, _format_option("[table|plain|json|jsonl|csv|tsv|markdown]")]
FindFormatOption = Annotated[OutputFormat | None, _format_option()]
TopicsOption = Annotated[
    int | None,
    typer.Option("--topics", min=1, metavar="N", help="Number of topics. By default, the number that fits best."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, metavar="N", help="Random seed.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Hide progress and summaries. Warnings and errors are still shown.")
]
NoRefreshOption = Annotated[
    bool, typer.Option("--no-refresh", help="Use the index as it is, even if its sources have changed.")
]
InputFormatOption = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="FORMAT",
        autocompletion=completion.input_formats,
        help='Read the sources in this format, whatever their names. "quotefind formats" lists all formats.',
    ),
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        metavar="SECONDS",
        callback=_number,
        help="Wait up to this long for another writer to finish.",
    ),
]

RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|local",
        help="Work on this Ray cluster, or start a local one. Only for indexes whose name ends in .lance.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="Use N processors of the cluster. By default, all."),
]
ExactOption = Annotated[
    bool,
    typer.Option("--exact", help="Compare every quote, even if a large shared index would be searched approximately."),
]

# For `find` only.
LikeOption = Annotated[
    str | None, typer.Option("--like", metavar="ID|TEXT", help="More quotes like this one, which is left out itself.")
]
UnlikeOption = Annotated[
    list[str] | None, typer.Option("--not", metavar="TEXT", help="Steer away from the meaning of TEXT. Repeatable.")
]
DiverseOption = Annotated[bool, typer.Option("--diverse", help="Prefer hits that differ from each other.")]
OnePerAuthorOption = Annotated[bool, typer.Option("--one-per-author", help="Only the best hit of each author.")]
HybridOption = Annotated[
    bool, typer.Option("--hybrid", help="Rank by shared words as well. The score shown is still the cosine.")
]
QueriesOption = Annotated[
    Path | None,
    typer.Option(
        "--queries", metavar="FILE", help="Read many queries, one per line. Hits are written as JSON Lines by default."
    ),
]
Read0Option = Annotated[bool, typer.Option("--read0", help="Queries end with NUL instead of a newline.")]
CopyOption = Annotated[
    bool, typer.Option("--copy", help="Also copy the first hit to the clipboard, with its attribution.")
]

# For `index` only.
SourcesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE…",
        help='Files or folders to add, "-" for stdin, or "bundled" for the quotes that come with the program. If '
        "omitted, every source of the index is read again.",
        show_default=False,
    ),
]
NewModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="DIR|NAME",
        help="Model for a new index or for --rebuild: a directory or the name of a model.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        autocompletion=completion.devices,
        help="Device that encodes: auto, cpu, cuda, cuda:N or mps.",
    ),
]
EncodingOption = Annotated[str, typer.Option("--encoding", metavar="NAME", help="Character encoding of the sources.")]


def _column_option(what: str) -> Any:
    return typer.Option(f"--{what}-column", metavar="NAME", help=f"Column or key that holds the {what}.")


TextColumnOption = Annotated[str | None, _column_option("text")]
AuthorColumnOption = Annotated[str | None, _column_option("author")]
WorkColumnOption = Annotated[str | None, _column_option("work")]
YearColumnOption = Annotated[str | None, _column_option("year")]
TagsColumnOption = Annotated[str | None, _column_option("tags")]
NoteColumnOption = Annotated[str | None, _column_option("note")]
DelimiterOption = Annotated[
    str | None,
    typer.Option("--delimiter", metavar="CHAR", help="Character between the cells of a CSV file, such as ';'."),
]
MaxBytesOption = Annotated[
    int,
    typer.Option("--max-bytes", min=1, metavar="N", help="Refuse a file that is larger than N bytes, uncompressed."),
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Skip and list records whose bytes do not decode.")]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Leave out files and folders that match PATTERN, written as in a .gitignore, such as 'drafts/' or "
        "'*.json'. Repeatable. Patterns in .quotefindignore and .gitignore files also count.",
    ),
]
RemoveOption = Annotated[
    list[str] | None,
    typer.Option("--remove", metavar="SOURCE", help="Remove this source and its quotes from the index. Repeatable."),
]
PruneOption = Annotated[bool, typer.Option("--prune", help="Remove sources that no longer exist, and their quotes.")]
RebuildOption = Annotated[
    bool, typer.Option("--rebuild", help="Encode every quote again, with --model if it is given.")
]
CompactOption = Annotated[
    bool,
    typer.Option(
        "--compact", help="Reclaim the space of removed quotes. This also happens by itself when much can be reclaimed."
    ),
]
VerifyOption = Annotated[bool, typer.Option("--verify", help="Check every row and every checksum. Nothing is changed.")]

# For `pair` only.
TextsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT…",
        help="No text: the closest pairs in the index. One text: the quotes that go best with it. Two texts: their "
        "score. More texts: the score of each pair.",
        show_default=False,
    ),
]
PairsOption = Annotated[
    str | None,
    typer.Option(
        "--pairs", metavar="FILE|-", help="Score each row of a TSV, CSV or JSON Lines file with two columns of text."
    ),
]
PairsFormatOption = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="FORMAT",
        autocompletion=completion.pair_formats,
        help="Format of the file of pairs, whatever its name: tsv, csv or jsonl.",
    ),
]
NoHeaderOption = Annotated[
    bool, typer.Option("--no-header", help="Read the first line of --pairs as a pair, not as a header.")
]
PairModelOption = Annotated[
    str | None, typer.Option("--model", metavar="DIR|NAME", help="Model that compares the texts.")
]
PairTopOption = Annotated[
    int | None,
    typer.Option(
        "-k",
        "--top",
        min=1,
        metavar="N",
        envvar="QUOTEFIND_TOP",
        help="Show at most N pairs. The default is 5, or every group with --conflicts.",
    ),
]
ConflictsOption = Annotated[
    bool,
    typer.Option(
        "--conflicts", help="Group quotes whose words are the same or nearly the same, and show where they disagree."
    ),
]
