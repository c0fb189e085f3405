"""The man page, made from the program: `python -m quotefind.cli.manual > docs/quotefind.1`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import typer
import typer.main

from quotefind import __version__
from quotefind.cli import app

# Beside those that options name.
_VARIABLES = {
    "QUOTEFIND_HOME": "Where indexes (in indexes/) and prepared models (in cache/) are kept.",
    "NO_COLOR, TERM=dumb": "Tables without colours, and no progress bar on a dumb terminal.",
}
_FILES = {
    "~/.local/share/quotefind/indexes/NAME": "The index called NAME, a directory. ($XDG_DATA_HOME; on macOS and "
    "Windows, where applications keep their data.)",
    "~/.cache/quotefind": "Prepared models, and how far interrupted work has come. ($XDG_CACHE_HOME.)",
}
# Characters that roff takes for others, or for its own.
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}


def page() -> str:
    """Return the man page quotefind(1) in the man macros of roff, ASCII, with all that --help says."""
    program: Any = typer.main.get_command(app)
    root = typer.Context(program, info_name="quotefind", **program.context_settings)
    about, *rest = program.help.split("\n\n")
    found = list(commands(root))
    lines = [
        f'.TH QUOTEFIND 1 "" "quotefind {__version__}" "User Commands"',
        ".SH NAME",
        rf"quotefind \- {_text(about[0].lower() + about[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        *_usage(root),
        ".SH DESCRIPTION",
        _text(about),
        *_paragraphs(rest),
        *_options(root),
        ".SH COMMANDS",
    ]
    examples: list[str] = []
    for context in found:
        help_text, _, shown = (context.command.help or "").partition("\n\n\b\n")
        examples += [line.strip() for line in shown.splitlines() if line.strip()]
        lines += [f".SS {_text(context.command_path)}", *_usage(context), *_paragraphs(help_text.split("\n\n"))]
        lines += _options(context)
    lines += [".SH ENVIRONMENT", "What stands on the command line is stronger."]
    for name, told in {**variables(found), **_VARIABLES}.items():
        lines += _item(name, told)
    lines.append(".SH FILES")
    for name, told in _FILES.items():
        lines += _item(name, told)
    lines += [".SH EXIT STATUS", _text(program.epilog.partition(": ")[2])]
    lines += [".SH EXAMPLES", ".EX", *map(_text, examples), ".EE"]
    return "\n".join(lines) + "\n"


def commands(context: typer.Context) -> Iterator[typer.Context]:
    """Yield a context of each command in a group that does something, in the order of the help."""
    group: Any = context.command
    for name, command in group.commands.items():
        inner = typer.Context(command, info_name=name, parent=context)
        if hasattr(command, "commands"):
            yield from commands(inner)
        elif not command.hidden:
            yield inner


def _usage(context: typer.Context) -> list[str]:
    pieces = context.command.collect_usage_pieces(context)
    return [f".B {_text(context.command_path)}", f".I {_text(' '.join(pieces))}"]


def _paragraphs(texts: list[str]) -> list[str]:
    return [line for text in texts for line in (".PP", _text(" ".join(text.split())))]


def _options(context: typer.Context) -> list[str]:
    """Return an item for each argument and option that has a help."""
    parameters: list[Any] = context.command.get_params(context)
    lines: list[str] = []
    for parameter in parameters:
        name, told = parameter.get_help_record(context) or ("", "")
        # How arguments and choices are shown differs between versions of Typer.
        argument = parameter.param_type_name == "argument"
        name = parameter.human_readable_name if argument else re.sub(r"\[(.*)\]$", r"<\1>", name)
        if told:
            lines += _item(name, told)
    return lines


def variables(found: list[typer.Context]) -> dict[str, str]:
    """Return for each variable that gives the default of an option what it is the default of."""
    told: dict[str, dict[str, list[str]]] = {}
    for context in found:
        for parameter in context.command.get_params(context):
            if isinstance(parameter.envvar, str):
                option = max(parameter.opts, key=len)
                told.setdefault(parameter.envvar, {}).setdefault(option, []).append(str(context.info_name))
    return {
        name: " ".join(f"The default of {option} ({', '.join(where)})." for option, where in options.items())
        for name, options in told.items()
    }


def _item(name: str, told: str) -> list[str]:
    return [".TP", f".B {_text(name)}", _text(" ".join(told.split()))]


def _text(text: str) -> str:
    """Return `text` so that roff shows it as it is."""
    text = "".join(_SPECIAL.get(c, c if c.isascii() else rf"\[u{ord(c):04X}]") for c in text)
    return re.sub(r"(?m)^(?=\.)", r"\\&", text)


if __name__ == "__main__":
    sys.stdout.write(page())
