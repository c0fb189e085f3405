"""`quotefind model`."""

from __future__ import annotations

from typing import Annotated

import typer

from quotefind.cli import session
from quotefind.cli.options import QuietOption

app = typer.Typer(help="Fetch a model from the Hugging Face hub.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def model() -> None:
    """Fetch a model from the Hugging Face hub."""


@app.command()
def download(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME[@REVISION]", help="A sentence-transformers model on the hub.", show_default=False),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Fetch a model into the local Hugging Face cache.

    This is the only command that ever opens a connection.

    Without a name: sentence-transformers/all-MiniLM-L6-v2, at the revision that this program was tested with.
    """
    from quotefind.encoders.download import download as fetch

    with session.progress_bar(quiet=quiet) as progress:
        source = fetch(name, progress)
    if not quiet:
        print(f"{source.name} is in {source.path}")  # noqa: T201
