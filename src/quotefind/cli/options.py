"""The options that several commands share, each declared once."""

from __future__ import annotations

from enum import StrEnum
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
    """Whether `parameter` stands on the command line: what the environment says is a default, never out of place."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _usable(ctx: typer.Context, option: typer.CallbackParam, style: OutputFormat | None) -> OutputFormat | None:
    """Refuse what only `find` can write; from the environment, it is no default for other commands."""
    if style is not OutputFormat.trec or ctx.command.name == "find" or ctx.resilient_parsing:
        return style
    if given(ctx, str(option.name)):
        raise UsageError("--format trec is for find: it holds rankings.")
    return None


IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="NAME|DIR",
        envvar=INDEX_VARIABLE,
        autocompletion=completion.indexes,
        help='The index: a name (without this, "default"), or a directory with a slash in it, as in ./poems.',
    ),
]
TopOption = Annotated[
    int,
    typer.Option("-k", "--top", min=1, metavar="N", envvar="QUOTEFIND_TOP", help="How many to show at most."),
]
MinScoreOption = Annotated[
    float | None,
    typer.Option("--min-score", min=-1.0, max=1.0, metavar="S", help="Leave out what scores lower than S (-1 to 1)."),
]
AuthorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--author",
        metavar="NAME",
        autocompletion=completion.authors,
        help="Only quotes by NAME, or part of a name; repeat to allow several.",
    ),
]
WorkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--work",
        metavar="TITLE",
        autocompletion=completion.works,
        help="Only quotes from TITLE, or part of a title; repeatable.",
    ),
]
TagOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="THEME", autocompletion=completion.tags, help="Only quotes with this tag; repeatable."
    ),
]
ProposedOption = Annotated[
    bool, typer.Option("--proposed", help="Let --tag also match tags that quotefind tag proposed.")
]
MaxCharsOption = Annotated[
    int | None, typer.Option("--max-chars", min=1, metavar="N", help="Only quotes of at most N characters.")
]


def _format_option(metavar: str | None = None) -> Any:
    return typer.Option(
        "--format",
        "-f",
        envvar="QUOTEFIND_FORMAT",
        callback=_usable,
        help="How to write it; a table on a terminal, plain lines in a pipe.",
        case_sensitive=False,
        metavar=metavar,
    )


# All but trec, which is for find.
FormatOption = Annotated[OutputFormat | None, _format_option("[table|plain|json|jsonl|csv|tsv|markdown]")]
FindFormatOption = Annotated[OutputFormat | None, _format_option()]
TopicsOption = Annotated[
    int | None,
    typer.Option("--topics", min=1, metavar="N", help="How many topics; found out unless you say."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, metavar="N", help="Another draw of chance.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write a JSON object.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no summary; warnings and errors stay.")
]
NoRefreshOption = Annotated[
    bool, typer.Option("--no-refresh", help="Answer from the index as it is, even if its sources have changed.")
]
InputFormatOption = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="FORMAT",
        autocompletion=completion.input_formats,
        help="Read it as this, whatever its name; quotefind formats shows them all.",
    ),
]

RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|local",
        help="Work on the machines of this Ray cluster, or of one made here; for an index whose name ends in .lance.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="How many of its processors; all, unless you say."),
]
ExactOption = Annotated[
    bool,
    typer.Option("--exact", help="Compare every quote, also where a large index that machines share would not."),
]

# Of `find` alone.
LikeOption = Annotated[
    str | None, typer.Option("--like", metavar="ID|TEXT", help="More like this quote, which is itself left out.")
]
UnlikeOption = Annotated[
    list[str] | None, typer.Option("--not", metavar="TEXT", help="Away from what this means; repeatable.")
]
DiverseOption = Annotated[bool, typer.Option("--diverse", help="Prefer hits that differ from each other.")]
OnePerAuthorOption = Annotated[bool, typer.Option("--one-per-author", help="Of each author the best hit only.")]
HybridOption = Annotated[bool, typer.Option("--hybrid", help="Rank by shared words too; the score stays the cosine.")]
QueriesOption = Annotated[
    Path | None,
    typer.Option("--queries", metavar="FILE", help="Many requests, one a line; hits come as JSON Lines."),
]
Read0Option = Annotated[bool, typer.Option("--read0", help="Requests end with NUL instead of a line end.")]
CopyOption = Annotated[
    bool, typer.Option("--copy", help="Put the first hit on the clipboard too, with its attribution.")
]

# Of `index` alone; there are too many to stand in its signature.
SourcesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE…",
        help='Files, folders, "-" for stdin, or "bundled"; without any, refresh all that it remembers.',
        show_default=False,
    ),
]
NewModelOption = Annotated[
    str | None, typer.Option("--model", metavar="DIR|NAME", help="The model of a new index: a directory or a name.")
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        autocompletion=completion.devices,
        help="auto, cpu, cuda, cuda:N or mps.",
    ),
]
EncodingOption = Annotated[str, typer.Option("--encoding", metavar="NAME", help="The encoding of the sources.")]
TextColumnOption = Annotated[
    str | None, typer.Option("--text-column", metavar="NAME", help="The column or key that holds the text.")
]
AuthorColumnOption = Annotated[str | None, typer.Option("--author-column", metavar="NAME", help="The author's.")]
WorkColumnOption = Annotated[str | None, typer.Option("--work-column", metavar="NAME", help="The work's.")]
YearColumnOption = Annotated[str | None, typer.Option("--year-column", metavar="NAME", help="The year's.")]
TagsColumnOption = Annotated[str | None, typer.Option("--tags-column", metavar="NAME", help="The tags'.")]
NoteColumnOption = Annotated[str | None, typer.Option("--note-column", metavar="NAME", help="The note's.")]
DelimiterOption = Annotated[
    str | None, typer.Option("--delimiter", metavar="CHAR", help="What stands between the cells of a CSV file, as ';'.")
]
MaxBytesOption = Annotated[
    int, typer.Option("--max-bytes", min=1, metavar="N", help="Read at most N bytes of each file, unpacked.")
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Pass records over that are no quotes, and list them.")]
RemoveOption = Annotated[
    list[str] | None,
    typer.Option("--remove", metavar="SOURCE", help="Forget this source and its quotes; repeatable."),
]
PruneOption = Annotated[bool, typer.Option("--prune", help="Drop the quotes of sources that are not there any more.")]
RebuildOption = Annotated[
    bool, typer.Option("--rebuild", help="Encode everything anew, with --model if that is given.")
]
CompactOption = Annotated[
    bool,
    typer.Option("--compact", help="Give back the space of removed quotes; done by itself when it is worth it."),
]
VerifyOption = Annotated[bool, typer.Option("--verify", help="Check every row and every hash, and change nothing.")]
WaitOption = Annotated[
    float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for another writer to finish.")
]

# Of `pair` alone.
TextsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT…",
        help="None: the closest pairs of the index. One: its companions there. Two: their score. More: all scores.",
        show_default=False,
    ),
]
PairsOption = Annotated[
    str | None,
    typer.Option("--pairs", metavar="FILE|-", help="Score each row of a TSV, CSV or JSON Lines file with two columns."),
]
PairsFormatOption = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="FORMAT",
        autocompletion=completion.pair_formats,
        help="Read --pairs as tsv, csv or jsonl.",
    ),
]
NoHeaderOption = Annotated[
    bool, typer.Option("--no-header", help="The first line of --pairs is a pair, even if it looks like a header.")
]
PairModelOption = Annotated[
    str | None, typer.Option("--model", metavar="DIR|NAME", help="The model that compares texts with each other.")
]
PairTopOption = Annotated[
    int | None,
    typer.Option(
        "-k",
        "--top",
        min=1,
        metavar="N",
        envvar="QUOTEFIND_TOP",
        help="How many to show at most; 5, or all groups with --conflicts.",
    ),
]
ConflictsOption = Annotated[
    bool,
    typer.Option(
        "--conflicts", help="Group quotes with the same or nearly the same words, and say on what they do not agree."
    ),
]
