"""`quotefind serve`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quotefind.cli import session
from quotefind.cli.options import IndexOption
from quotefind.errors import UsageError
from quotefind.extras import require
from quotefind.paths import index_location


def serve(
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Speak the Model Context Protocol on standard input and output.")
    ] = False,
    index: IndexOption = None,
) -> None:
    """Answer another program that asks often, as an assistant does; it only reads.

    \b
    quotefind serve --mcp
    """
    if not mcp:
        raise UsageError("Say how to serve; there is one way: quotefind serve --mcp")
    require("serve --mcp", "mcp", "mcp")
    if sys.stdin is None:
        raise UsageError("standard input is closed; nobody can ask anything.")
    from quotefind.cli.mcp_server import run
    from quotefind.refresh import SearchSession

    if sys.stdin.isatty():
        session.warn("this is for a program to start and to talk to; Ctrl-D ends it")
    run(SearchSession(index_location(index), refresh=False, make=False, tell=session.warn))
