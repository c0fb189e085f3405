"""The options that several commands share, each declared once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How results are written."""

    table = "table"
    plain = "plain"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"
    markdown = "markdown"


IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="NAME|DIR",
        help='The index: a name (without this, "default"), or a directory with a slash in it, as in ./poems.',
    ),
]
TopOption = Annotated[int, typer.Option("-k", "--top", min=1, metavar="N", help="How many to show at most.")]
MinScoreOption = Annotated[
    float | None,
    typer.Option("--min-score", min=-1.0, max=1.0, metavar="S", help="Leave out what scores lower than S (-1 to 1)."),
]
AuthorOption = Annotated[
    list[str] | None,
    typer.Option("--author", metavar="NAME", help="Only quotes by NAME, or part of a name; repeat to allow several."),
]
WorkOption = Annotated[
    list[str] | None,
    typer.Option("--work", metavar="TITLE", help="Only quotes from TITLE, or part of a title; repeatable."),
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="THEME", help="Only quotes with this tag; repeatable.")
]
MaxCharsOption = Annotated[
    int | None, typer.Option("--max-chars", min=1, metavar="N", help="Only quotes of at most N characters.")
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        "-f",
        help="How to write it; a table on a terminal, plain lines in a pipe.",
        case_sensitive=False,
    ),
]
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
        help="Read it as txt, fortune, csv, tsv, json, jsonl or md, whatever its name.",
    ),
]
