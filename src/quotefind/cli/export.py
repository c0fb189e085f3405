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


class ExportFormat(StrEnum):
    """How a collection is written."""

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
            "--format", "-f", help="How to write it; by the suffix of FILE, else jsonl.", case_sensitive=False
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to, instead of stdout; replaced once it is whole."),
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
    """Write the quotes of a collection, or some of them, so that `quotefind index` reads them again.

    markdown, plain and fortune have no place for years, tags and notes. A fortune file gets its index, as strfile makes
    it, beside it (NAME.dat); on stdout it has none.

    \b
    quotefind export > everything.jsonl
    quotefind export --tag courage --max-chars 120 -o talk.md
    quotefind export --format fortune -o ~/fortunes/mine && fortune ~/fortunes/mine
    """
    from quotefind.export.exporting import export_quotes, format_of

    shape = format_of(file, style)
    where = session.filter_of(author, work, tag, max_chars, proposed=proposed)
    on_terminal = file is None and sys.stdout.isatty()
    shown = output.visible if on_terminal and style not in (ExportFormat.json, ExportFormat.jsonl) else None
    with session.opened(index, refresh=not no_refresh) as opened, session.progress_bar(quiet=quiet or not file) as bar:
        if file is not None:
            _check_output(file, opened)
        exported = export_quotes(opened, file or sys.stdout.buffer, shape, where, shown=shown, progress=bar)
    _report(exported, shape.name, file, quiet=quiet)
    if not exported.quotes:
        left = f"; {file} is left as it is" if file else ""
        session.warn("nothing found" + (" under these conditions" if where else "") + left)
        raise typer.Exit(1)


def _check_output(file: Path, index: Index) -> None:
    """Refuse to write over what the index was made from, or into the index itself."""
    from quotefind.index.sources import source_with

    if isinstance(index.location, Path) and index.location.resolve() in Path(os.path.realpath(file)).parents:
        raise UsageError(f"--output {file} lies in the index itself; write it elsewhere.")
    source = source_with(index.ledger, file) if file.exists() else None
    if source is not None:
        raise UsageError(
            f"--output {file} belongs to a source of this index, {source}, and would be lost. Write another file; "
            "where it is to take the place of this one, first: quotefind index --remove SOURCE"
        )


def _report(exported: Exported, name: str, file: Path | None, *, quiet: bool) -> None:
    """Say what was written where, and what could not be kept."""
    if file and exported.quotes and not quiet:
        session.warn(f"{counted(exported.quotes, 'quote')} written to {file}")
    lacking = [
        f"{what} of {counted(count, 'quote')}"
        for what, count in (("the tags", exported.tagged), ("the year", exported.dated), ("the note", exported.noted))
        if count
    ]
    if lacking and not quiet:
        session.warn(f"{name} has no place for {_listed(lacking)}; --format jsonl keeps all")
    if exported.changed:
        ids = ", ".join(exported.examples) + (", …" if exported.changed > len(exported.examples) else "")
        many = counted(exported.changed, "quote")
        session.warn(f"in {name}, {many} will be read back otherwise ({ids}); --format jsonl keeps all")


def _listed(items: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
