"""`quotefind model`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quotefind.cli import output, session
from quotefind.cli.options import QuietOption

app = typer.Typer(
    help="Show the card of a model, or fetch one.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


@app.callback()
def model() -> None:
    """Show the card of a model, or fetch one from the Hugging Face hub."""


@app.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(metavar="DIR|NAME", help="A model; without it, the default one.", show_default=False),
    ] = None,
) -> None:
    """Show the card of a model: what it was trained on, how, and what it is worth.

    \b
    quotefind model show
    quotefind model show ./my-model
    """
    from quotefind.encoders.resolve import card_of

    card = output.printable_lines(card_of(name))
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        _, ended, text = card.partition("\n---\n")  # of the metadata, which are for programs
        # Where a link leads is shown, not hidden behind its words.
        output.console().print(Markdown(text if card.startswith("---\n") and ended else card, hyperlinks=False))
    else:
        print(card)  # noqa: T201


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
        print(output.printable(f"{source.name} is in {source.path}"))  # noqa: T201
