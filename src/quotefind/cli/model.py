"""`quotefind model`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quotefind.cli import output, session
from quotefind.cli.options import QuietOption

app = typer.Typer(help="Show or download a model.", no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def model() -> None:
    """Show or download a model."""


@app.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DIR|NAME", help="Directory or name of a model. If omitted, the default model.", show_default=False
        ),
    ] = None,
) -> None:
    """Show the card of a model.

    The card says how the model was trained, on which data, and how well it performs.

    \b
        quotefind model show
        quotefind model show ./my-model
    """
    from quotefind.encoders.resolve import card_of

    card = output.printable_lines(card_of(name))
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        _, ended, text = card.partition("\n---\n")  # the end of the metadata, which is for programs
        # Show the address of a link, instead of hiding it behind the text.
        output.console().print(Markdown(text if card.startswith("---\n") and ended else card, hyperlinks=False))
    else:
        print(card)  # noqa: T201


@app.command()
def download(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME[@REVISION]", help="A sentence-transformers model on the Hugging Face hub.", show_default=False
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Download a model to the local cache.

    Models are kept in the Hugging Face cache. If no name is given, this downloads
    sentence-transformers/all-MiniLM-L6-v2 at the revision that quotefind was tested with. No other command opens a
    network connection.
    """
    from quotefind.encoders.download import download as fetch

    with session.progress_bar(quiet=quiet) as progress:
        source = fetch(name, progress)
    if not quiet:
        print(output.printable(f"{source.name} is in {source.path}"))  # noqa: T201
