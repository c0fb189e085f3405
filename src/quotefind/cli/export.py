"""`quotefind export`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quotefind.cli import output, session
from quotefind.cli.options import (
    AuthorOption,
    IndexOption,
    MaxCharsOption,
    NoRefreshOption,
    ProposedOption,
    QuietOption,
    TagOption,
    WorkOption,
)
from quotefind.errors import UsageError
from quotefind.text import counted

if TYPE_CHECKING:
    from quotefind.export.exporting import Exported
    from quotefind.index.interface import Index


# What a format may be unable to hold, as messages name it.
_NAMES = {"tags": "tags", "year": "year", "note": "note", "place": "place", "added": "date", "lines": "lines"}


class ExportFormat(StrEnum):
    """The formats a collection can be written in."""

    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"
    json = "json"
    markdown = "markdown"
    plain = "plain"
    fortune = "fortune"


def export(
    style: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="Export format. The default follows from the suffix of FILE, or is jsonl.",
            case_sensitive=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write to FILE instead of stdout (-). An existing file is replaced."
        ),
    ] = None,
    author: AuthorOption = None,
    work: WorkOption = None,
    tag: TagOption = None,
    proposed: ProposedOption = False,
    max_chars: MaxCharsOption = None,
    index: IndexOption = None,
    no_refresh: NoRefreshOption = False,
    quiet: QuietOption = False,
) -> None:
    """Export quotes to a file or to stdout.

    "quotefind index" can read the result. markdown, plain and fortune cannot hold years, tags, notes, places and
    dates, and plain cannot hold the line breaks of verse. A fortune file NAME is written with its index, NAME.dat, as
    strfile makes it.

    \b
        quotefind export > everything.jsonl
        quotefind export --tag courage --max-chars 120 -o talk.md
        quotefind export --format fortune -o ~/fortunes/mine && fortune ~/fortunes/mine
    """
    from quotefind.export.exporting import choose_format, export_quotes

    file = None if file == Path("-") else file
    chosen = choose_format(file, style)
    where = session.filter_of(author, work, tag, max_chars, proposed=proposed)
    on_terminal = file is None and sys.stdout.isatty()
    shown = output.visible if on_terminal and style not in (ExportFormat.json, ExportFormat.jsonl) else None
    with session.opened(index, refresh=not no_refresh) as opened, session.progress_bar(quiet=quiet or not file) as bar:
        if file is not None:
            _check_output(file, opened)
        exported = export_quotes(opened, file or sys.stdout.buffer, chosen, where, shown=shown, progress=bar)
    _report(exported, chosen.name, file, quiet=quiet)
    if not exported.quotes:
        unchanged = f"; {file} is unchanged" if file else ""
        session.warn("nothing found" + (" with these filters" if where else "") + unchanged)
        raise typer.Exit(1)


def _check_output(file: Path, index: Index) -> None:
    """Refuse to overwrite a source of the index, or to write into the index itself."""
    from quotefind.index.sources import source_with

    if isinstance(index.location, Path) and index.location.resolve() in Path(os.path.realpath(file)).parents:
        raise UsageError(f"--output {file} is inside the index itself. Choose another directory.")
    source = source_with(index.source_tables, file) if file.exists() else None
    if source is not None:
        raise UsageError(
            f"--output {file} would overwrite {source}, a source of this index. Choose another file, or remove the "
            "source first: quotefind index --remove SOURCE"
        )


def _report(exported: Exported, name: str, file: Path | None, *, quiet: bool) -> None:
    """Say where the quotes were written, and what the format could not hold."""
    if file and exported.quotes and not quiet:
        session.warn(f"{counted(exported.quotes, 'quote')} written to {file}")
    lacking = [
        f"the {_NAMES[what]} of {counted(exported.lost[what], 'quote')}" for what in _NAMES if exported.lost[what]
    ]
    if lacking and not quiet:
        session.warn(f"{name} has no room for {_listed(lacking)}; --format jsonl keeps everything")
    if exported.changed:
        ids = ", ".join(exported.examples) + (", …" if exported.changed > len(exported.examples) else "")
        many = counted(exported.changed, "quote")
        session.warn(f"in {name}, {many} will not read back the same ({ids}); --format jsonl keeps everything")


def _listed(items: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
