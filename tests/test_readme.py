"""README.md and docs/ against the program: commands, options, exit codes, keys and examples."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from cli_tools import run

from quotefind import errors
from quotefind.cli import app, output
from quotefind.cli.options import OutputFormat
from quotefind.corpus import FORMATS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# All but the reference, which Typer writes.
PAGES = {
    page.name: page.read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").glob("*.md"))
    if page.name != "reference.md"
}
# Where each command has its section.
COMMAND_PAGES = PAGES["commands.md"] + PAGES["models.md"]
PROGRAM: Any = typer.main.get_command(app)
BLOCKS = re.findall(r"^```console\n(.*?)^```$", "\n".join([README, *PAGES.values()]), re.MULTILINE | re.DOTALL)
COMMANDS = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]


def calls(line: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of quotefind in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;<>()"):
            if words[:1] == ["quotefind"]:
                yield words[1:]
            words = []
        else:
            words.append(word)


def options(command: Any) -> set[str]:
    """Return the names of all options of a command and of the commands in it."""
    own = {name for parameter in command.params for name in parameter.opts if name.startswith("-")}
    return own.union(*map(options, getattr(command, "commands", {}).values()))


def names(option: str, text: str) -> bool:
    """Whether `text` mentions `option` as a word of its own."""
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


def section(name: str) -> str:
    """Return the section on the command `name`."""
    found = re.search(rf"^## quotefind {name}$(.*?)(?=^## |\Z)", COMMAND_PAGES, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/ has no heading: ## quotefind {name}"
    return found[1]


ALL_CALLS = [call for line in COMMANDS for call in calls(line)]


def test_readme_opens_with_the_two_commands() -> None:
    """The first command installs and asks, the second installs and tests; CI runs exactly these."""
    assert COMMANDS[0] == 'pip install . && quotefind find "quotes about family"'
    assert COMMANDS[1] == "pip install '.[dev]' && pytest"


def test_readme_shows_every_command_at_work() -> None:
    """The examples call at least index, find and pair, so that the test below has something to look at."""
    assert {call[0] for call in ALL_CALLS} >= {"index", "find", "pair"}


@pytest.mark.parametrize("call", ALL_CALLS, ids=[" ".join(call) for call in ALL_CALLS])
def test_examples_parse(call: list[str]) -> None:
    """Each example is accepted by the program's own parser, with all its options and values."""
    command, words = PROGRAM, call
    while hasattr(command, "commands"):
        assert words[0] in command.commands
        command, words = command.commands[words[0]], words[1:]
    context = command.make_context(call[0], list(words))
    assert context.command is command


@pytest.mark.parametrize("name", PROGRAM.commands)
def test_every_option_is_explained(name: str) -> None:
    """The section on a command mentions each of its options."""
    assert [option for option in sorted(options(PROGRAM.commands[name])) if not names(option, section(name))] == []


def test_every_option_of_the_program_is_mentioned() -> None:
    """The options that stand before a command are mentioned too."""
    text = README + COMMAND_PAGES
    assert [option for option in options(PROGRAM) | {"--help", "-h"} if not names(option, text)] == []


@pytest.mark.parametrize("name", PROGRAM.commands)
def test_readme_names_every_command(name: str) -> None:
    """The table of commands in README.md leads to the section of each."""
    page = "models.md" if f"## quotefind {name}\n" in PAGES["models.md"] else "commands.md"
    assert f"[`{name}`](docs/{page}#quotefind-{name})" in README


def test_readme_is_short() -> None:
    """README.md sells and begins to teach in fewer than 300 lines; the rest is in docs/."""
    assert len(README.splitlines()) < 300


@pytest.mark.parametrize("name", PROGRAM.commands)
def test_no_option_is_invented(name: str) -> None:
    """The section on a command mentions no long option that the program does not have."""
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", section(name)))
    assert mentioned - options(PROGRAM) - {"--help"} == set()


def test_exit_codes_are_those_of_the_program() -> None:
    """The table of exit codes has the codes of the errors, and 0, 1 and 130."""
    table = README.partition("| exit code | means |\n")[2].partition("\n\n")[0]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert codes == {kind.exit_code for kind in errors.QuotefindError.__subclasses__()} | {0, 1, 130}


def test_keys_are_those_of_the_output() -> None:
    """The keys of a hit stand in pipelines.md in their order."""
    assert f"`{', '.join(output.HIT_KEYS)}`" in " ".join(PAGES["pipelines.md"].split())


def test_formats_are_those_of_the_program() -> None:
    """Every format of output and every format of a source, with its suffixes and names, is there."""
    table = section("find") + PAGES["formats.md"].partition("| format | suffixes or names")[2].partition("\n\n")[0]
    wanted = [
        *OutputFormat,
        *FORMATS,
        *(name for found in FORMATS.values() for name in (*found.suffixes, *found.names)),
    ]
    assert [name for name in wanted if f"`{name}`" not in table] == []


def test_links_lead_somewhere() -> None:
    """Each relative link of README.md leads to a file of the repository."""
    root = Path(__file__).resolve().parent.parent
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if "://" not in link]
    assert [link for link in links if not (root / link).exists()] == []


def test_the_python_example_runs(home_with_model: Path, tmp_path: Path) -> None:
    """The example of the Python API runs as it stands, with the real model."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    lines = [
        "A thing of beauty is a joy for ever. — John Keats, Endymion",
        "I wandered lonely as a cloud. — W",
    ]
    (tmp_path / "poems.txt").write_text("\n".join(lines), encoding="utf-8")
    done = run((sys.executable, "-c", example), home=home_with_model, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0].startswith("Summary(sources=1, files=1, added=2,")
    assert [line.split("  ")[1] for line in done.lines[1:]] == ["A thing of beauty is a joy for ever. — John Keats"] * 2
