"""The command line: one thin module a command, and one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, Any, TextIO

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from quotefind import interrupts, limits
from quotefind.cli import (
    completion,
    evaluate,
    export,
    find,
    formats,
    index,
    info,
    model,
    pair,
    serve,
    tag,
    today,
    topics,
    train,
)
from quotefind.cli import map as map_command
from quotefind.errors import ModelError, QuotefindError

_EPILOG = (
    "Exit codes: 0 found, 1 nothing found, 2 wrong usage, 3 a source cannot be read, 4 the index is missing, locked or "
    "damaged, 5 the model or an optional part is missing or memory does not suffice, 130 interrupted."
)


class _ErrorBoundary(TyperGroup):
    """Turns the errors that a user can mend into a message on stderr and an exit code; bugs keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as interrupt:
            interrupts.say(*getattr(interrupt, "__notes__", ()))
            raise typer.Exit(interrupts.EXIT_CODE) from interrupt
        except BrokenPipeError as error:
            # Whoever read our output has enough. Python would complain once more when it closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error
        except Exception as error:
            if interrupts.came():  # a library made another error of it
                interrupts.say()
                raise typer.Exit(interrupts.EXIT_CODE) from error
            known = _known(error)
            if known is None:
                raise
            message, code = known
            _say(f"quotefind: {message}")
            raise typer.Exit(code) from error
        return result


def _known(error: Exception) -> tuple[str, int] | None:
    """Return what to say of an error that a user can mend, and the exit code; None for any other."""
    lacking = limits.shortage(error)
    if isinstance(error, QuotefindError):
        said = str(error)
        return said if lacking is None or said.startswith(lacking) else lacking, error.exit_code
    if lacking is not None:
        return lacking, ModelError.exit_code
    if isinstance(error, OSError):
        where = error.filename or "the output cannot be written"
        return f"{where}: {error.strerror or error}", 2
    return None


class _Command(TyperCommand):
    """A command that needs numbers, and so memory for the libraries that reckon with them."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        limits.check(limits.LIBRARIES)
        return super().invoke(ctx)


def _say(message: str) -> None:
    from quotefind.cli.output import printable

    with suppress(OSError, ValueError):  # nobody listens
        print(printable(message), file=sys.stderr)  # noqa: T201


def _version(wanted: bool) -> None:
    if wanted:
        from quotefind import __version__

        typer.echo(f"quotefind {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_ErrorBoundary,
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
    """Find the quotes that mean what you ask for, in any collection, offline.

    Begin with: quotefind find "quotes about family"
    """


app.command("index", cls=_Command)(index.index)
app.command("find", cls=_Command)(find.find)
app.command("pair", cls=_Command)(pair.pair)
app.command("today")(today.today)
app.command("export", cls=_Command)(export.export)
app.command("topics", cls=_Command)(topics.topics)
app.command("map", cls=_Command)(map_command.map_)
app.command("tag", cls=_Command)(tag.tag)
app.command("info", cls=_Command)(info.info)
app.command("formats")(formats.formats)
app.command("serve", cls=_Command)(serve.serve)
app.command("train", cls=_Command)(train.train)
app.command("evaluate", cls=_Command)(evaluate.evaluate)
app.add_typer(model.app, name="model")


def _keep_only(first: list[str]) -> None:
    """Leave out the commands that are not meant: Typer takes 3 ms to make each ready, whichever is called."""
    if completion.VARIABLE in os.environ:
        first = completion.words_typed()[1:2]
    meant = [command for command in app.registered_commands if [command.name] == first]
    if meant:
        app.registered_commands = meant
        app.registered_groups = []


def _complete() -> None:
    """Answer a shell that asks what could come next, and end; do nothing where none does."""
    if sys.argv[1:2] in (["--install-completion"], ["--show-completion"]):
        completion.mend_scripts()
    instruction, _, shell = os.environ.get(completion.VARIABLE, "").partition("_")
    if instruction == "complete":
        answer = completion.answer(typer.main.get_command(app), shell)
        if answer is not None:
            sys.stdout.write(answer)
            sys.exit(0)


def main() -> None:
    """Run the program; it ends with its exit code. See `quotefind.__main__`, which begins earlier."""
    streams = _standard_streams()
    _keep_only(sys.argv[1:2])
    if sys.argv[1:3] != ["model", "download"]:  # nothing else may ask the hub, whatever library it calls
        os.environ["HF_HUB_OFFLINE"] = "1"
    code: str | int | None = 0
    try:
        _complete()
        app(prog_name="quotefind")
    except SystemExit as end:
        code = end.code
    except OSError as error:  # help and version are written outside of the boundary
        _say(f"quotefind: the output cannot be written: {error.strerror}")
        code = 2
    if code == interrupts.EXIT_CODE and not interrupts.said():  # outside of the boundary
        interrupts.say()
    for stream in streams:
        with suppress(OSError, ValueError):  # what could not be written was said where it was written
            stream.flush()
    if code == interrupts.EXIT_CODE:
        interrupts.leave()
    if "quotefind.cli.supervisor" in sys.modules:
        sys.modules["quotefind.cli.supervisor"].tell_order()
    if "torch" in sys.modules:  # it may have started processes, which it also ends
        sys.exit(code)
    # All is written and closed. To take ONNX Runtime and its mapped weights apart would cost 50 ms more.
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _standard_streams() -> list[TextIO]:
    """Make stdout and stderr fit to write to, and return them."""
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started us
        nowhere = open(os.devnull, "w")  # noqa: PTH123, SIM115
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    streams = [sys.stdout, sys.stderr]
    for stream in streams:
        # The same bytes everywhere, also in a pipe on Windows; what cannot be shown must not end the program.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    return streams
