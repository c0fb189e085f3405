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
    mcp: Annotated[bool, typer.Option("--mcp", help="Speak the Model Context Protocol over stdin and stdout.")] = False,
    index: IndexOption = None,
) -> None:
    """Run a read-only MCP server for AI assistants.

    The assistant starts the server, and can then search the collection with the tools find, pair and info.

    \b
        quotefind serve --mcp
    """
    if not mcp:
        raise UsageError("Name the protocol; MCP is the only one: quotefind serve --mcp")
    require("serve --mcp", "mcp", "mcp")
    if sys.stdin is None:
        raise UsageError("Standard input is closed, so no requests can arrive.")
    from quotefind.cli.mcp_server import run
    from quotefind.refresh import SearchSession

    if sys.stdin.isatty():
        session.warn("waiting for an MCP client on stdin; press Ctrl-D to stop")
    run(SearchSession(index_location(index), refresh=False, make=False, tell=session.warn))
