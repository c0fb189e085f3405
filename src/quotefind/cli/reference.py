"""The reference of all commands, made from the program: `python -m quotefind.cli.reference > docs/reference.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import typer
import typer.main

from quotefind.cli import app
from quotefind.cli.manual import commands, variables

_ABOUT = """# Reference

Every command with its arguments and options, as `--help` tells them; made from the program, by
`python -m quotefind.cli.reference`. [commands.md](commands.md) and [models.md](models.md) say more of what they do.
"""


def page() -> str:
    """Return the reference in Markdown, with all that --help says."""
    program: Any = typer.main.get_command(app)
    root = typer.Context(program, info_name="quotefind", **program.context_settings)
    found = list(commands(root))
    parts = [_ABOUT, "".join(f"- [{one.command_path}](#{_anchor(one.command_path)})\n" for one in found)]
    for context in found:
        told, _, examples = (context.command.help or "").partition("\n\n\b\n")
        usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
        parts.append(f"## {context.command_path}\n\n    {usage}\n\n{told.strip()}\n")
        if examples.strip():
            lines = "".join(f"$ {line.strip()}\n" for line in examples.splitlines() if line.strip())
            parts.append(f"```console\n{lines}```\n")
        parts.append(_table("option", _options(context)))
    parts.append("## Environment\n\nWhat stands on the command line is stronger.\n")
    parts.append(_table("variable", variables(found).items()))
    return "\n".join(filter(None, parts))


def _options(context: typer.Context) -> Iterator[tuple[str, str]]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1]:
            yield record


def _table(title: str, rows: Any) -> str:
    lines = [f"| `{_cell(name)}` | {_cell(told)} |" for name, told in rows]
    return "\n".join([f"| {title} | |", "|---|---|", *lines, ""]) if lines else ""


def _cell(text: str) -> str:
    return re.sub(r"([|<>])", r"\\\1", " ".join(text.split()))


def _anchor(title: str) -> str:
    return title.replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(page())
