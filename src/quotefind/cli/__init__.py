"""The command line: one thin module per command, and one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, TextIO

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from quotefind import blas, interrupts, limits
from quotefind.cli import completion
from quotefind.errors import IndexLockedError, ModelError, QuotefindError

_EPILOG = (
    "Exit codes: 0 success, 1 nothing found, 2 wrong usage or the output cannot be written, 3 a source cannot be read, "
    "4 the index is missing, locked or damaged, 5 the model or an optional package is missing or memory is short, 130 "
    "interrupted.\n\n"
    "Environment: QUOTEFIND_INDEX, QUOTEFIND_FORMAT and QUOTEFIND_TOP are the defaults of --index, --format and --top. "
    "QUOTEFIND_HOME is the directory for indexes and prepared models. NO_COLOR turns colours off."
)


class _Program(TyperGroup):
    """The group of all commands, and the place where errors that a user can fix become a message and an exit code.

    Bugs keep their traceback.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # none is added

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, and keep it for messages that repeat it."""
        self._arguments = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as interrupt:
            interrupts.report(*getattr(interrupt, "__notes__", ()))
            raise typer.Exit(interrupts.EXIT_CODE) from interrupt
        except BrokenPipeError as error:
            # The reader has seen enough. Otherwise Python would complain again when it closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error
        except Exception as error:
            if interrupts.was_interrupted():  # a library turned it into another error
                interrupts.report()
                raise typer.Exit(interrupts.EXIT_CODE) from error
            known = _known(error)
            if known is None:
                raise
            message, code = known
            if isinstance(error, IndexLockedError):
                message += self._how_to_wait(ctx.invoked_subcommand)
            _say(f"quotefind: {message}")
            raise typer.Exit(code) from error
        return result

    def _how_to_wait(self, name: str) -> str:
        """Return the advice to run the command again with --wait, unless it cannot wait or has waited already."""
        options = {option for parameter in self.commands[name].params for option in parameter.opts}
        if "--wait" not in options or any(argument.startswith("--wait") for argument in self._arguments):
            return ""
        position = self._arguments.index(name) + 1
        command = ["quotefind", *self._arguments[:position], "--wait", "60", *self._arguments[position:]]
        return f" To wait for it: {shlex.join(command)}"


def _known(error: Exception) -> tuple[str, int] | None:
    """Return the message and the exit code for an error that a user can fix; None for any other."""
    shortage = limits.shortage(error)
    if isinstance(error, QuotefindError):
        message = str(error)
        return message if shortage is None or message.startswith(shortage) else shortage, error.exit_code
    if shortage is not None:
        return shortage, ModelError.exit_code
    if isinstance(error, OSError):
        where = error.filename or "the output cannot be written"
        return f"{where}: {error.strerror or error}", 2
    return None


class _Command(TyperCommand):
    """A command that computes, and so needs memory for the libraries that do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; text that begins with a hyphen and looks like an option gets a hint."""
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            option = getattr(error, "option_name", "")
            text = next((word for word in words if re.match(r"-[^-].", word) and word.startswith(option)), None)
            if option and text and "No such option" in error.message:
                error.message += f". To pass {text} as text: quotefind {self.name} -- {shlex.quote(text)}"
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        limits.check(limits.LIBRARIES)
        if self.name in _BEGIN_WITH_ONE_THREAD:
            blas.import_numpy()
        return super().invoke(ctx)


# In the order of the help. Each is a function, or a group of its own, in the module of the same name.
_COMMANDS = (
    "index",
    "find",
    "pair",
    "today",
    "export",
    "topics",
    "map",
    "tag",
    "info",
    "formats",
    "serve",
    "train",
    "evaluate",
    "model",
)
_OTHERWISE_NAMED = {"map": "map_", "model": "app"}
_DO_NOT_COMPUTE = ("today", "formats")
# What they call asks for more threads where there is much to compute.
_BEGIN_WITH_ONE_THREAD = ("index", "find", "pair", "export", "info", "serve")


class _Commands(Mapping[str, Any]):
    """The commands by name; the module of a command is imported when the command is first looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in _COMMANDS:
            raise KeyError(name)
        if name not in self._loaded:
            found = getattr(import_module(f"quotefind.cli.{name}"), _OTHERWISE_NAMED.get(name, name))
            if not isinstance(found, typer.Typer):
                function = found
                found = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
                found.command(name, cls=TyperCommand if name in _DO_NOT_COMPUTE else _Command)(function)
            self._loaded[name] = typer.main.get_command(found)
            self._loaded[name].name = name
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


def _say(message: str) -> None:
    from quotefind.cli.output import printable

    with suppress(OSError, ValueError):  # stderr is closed
        print(printable(message), file=sys.stderr)  # noqa: T201


def _version(wanted: bool) -> None:
    if wanted:
        from quotefind import __version__

        typer.echo(f"quotefind {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)


@app.callback()
def quotefind(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find quotes by meaning, offline, in any collection.

    To begin: quotefind find "quotes about family"

    For the options of a command: quotefind COMMAND -h
    """


def _complete() -> None:
    """Answer a shell that completes a command line, and exit; do nothing otherwise."""
    if sys.argv[1:2] in (["--install-completion"], ["--show-completion"]):
        completion.fix_scripts()
    instruction, _, shell = os.environ.get(completion.VARIABLE, "").partition("_")
    if instruction == "complete":
        answer = completion.answer(typer.main.get_command(app), shell)
        if answer is not None:
            sys.stdout.write(answer)
            sys.exit(0)


def main() -> None:
    """Run the program and exit; `quotefind.__main__` starts it."""
    streams = _standard_streams()
    if sys.argv[1:3] != ["model", "download"]:  # no other command may contact the hub, whatever libraries do
        os.environ["HF_HUB_OFFLINE"] = "1"
    code: str | int | None = 0
    try:
        _complete()
        app(prog_name="quotefind")
    except SystemExit as end:
        code = end.code
    except OSError as error:  # help and version are written outside the boundary
        _say(f"quotefind: the output cannot be written: {error.strerror}")
        code = 2
    if code == interrupts.EXIT_CODE and not interrupts.was_reported():  # it happened outside the boundary
        interrupts.report()
    for stream in streams:
        with suppress(OSError, ValueError):  # an error was reported where it happened
            stream.flush()
    if code == interrupts.EXIT_CODE:
        interrupts.exit_now()
    if "quotefind.cli.supervisor" in sys.modules:
        sys.modules["quotefind.cli.supervisor"].report_orderly_end()
    if "torch" in sys.modules:  # it may have started processes, which it ends itself
        sys.exit(code)
    # Everything is written and closed. Freeing ONNX Runtime and its mapped weights would take another 50 ms.
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _standard_streams() -> list[TextIO]:
    """Return stdout and stderr, set up for writing."""
    if sys.stdout is None or sys.stderr is None:  # the parent process closed them
        nowhere = open(os.devnull, "w")  # noqa: PTH123, SIM115
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    streams = [sys.stdout, sys.stderr]
    for stream in streams:
        # The same bytes everywhere, even in a pipe on Windows. Characters that cannot be shown must not be an error.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    return streams
