"""The command line: one thin module a command, and one place where errors become messages and exit codes."""

from __future__ import annotations

import os
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
from quotefind.errors import ModelError, QuotefindError

_EPILOG = (
    "Exit codes: 0 found, 1 nothing found, 2 wrong usage, 3 a source cannot be read, 4 the index is missing, locked or "
    "damaged, 5 the model or an optional part is missing or memory does not suffice, 130 interrupted."
)


class _Program(TyperGroup):
    """The group of all commands, and the place where errors that a user can fix become a message and an exit code.

    Bugs keep their traceback.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # none is added

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as interrupt:
            interrupts.report(*getattr(interrupt, "__notes__", ()))
            raise typer.Exit(interrupts.EXIT_CODE) from interrupt
        except BrokenPipeError as error:
            # Whoever read our output has enough. Python would complain once more when it closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error
        except Exception as error:
            if interrupts.was_interrupted():  # a library made another error of it
                interrupts.report()
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
    """A command that computes, and so needs memory for the libraries that do."""

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
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


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
    """Find the quotes that mean what you ask for, in any collection, offline.

    Begin with: quotefind find "quotes about family"
    """


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
    if code == interrupts.EXIT_CODE and not interrupts.was_reported():  # outside of the boundary
        interrupts.report()
    for stream in streams:
        with suppress(OSError, ValueError):  # what could not be written was said where it was written
            stream.flush()
    if code == interrupts.EXIT_CODE:
        interrupts.exit_now()
    if "quotefind.cli.supervisor" in sys.modules:
        sys.modules["quotefind.cli.supervisor"].report_orderly_end()
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
