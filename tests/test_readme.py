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
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
# All but the reference, which Typer writes.
PAGES = {
    page.name: page.read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").glob("*.md"))
    if page.name != "reference.md"
}
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
    """Return the section of the reference on the command `name`."""
    found = re.search(rf"^## `quotefind {name}`$(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/reference.md has no heading: ## `quotefind {name}`"
    return found[1]


def mentions(text: str) -> set[str]:
    """Return the long options of this program in the prose of a page: in code that begins with it, a command or "-"."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [span.split() for span in re.findall(r"`([^`]+)`", prose) if span.strip()]
    ours = [word for span in spans if span[0] in {"quotefind", *PROGRAM.commands} or span[0][0] == "-" for word in span]
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", " ".join(ours)))


ALL_CALLS = [call for line in COMMANDS for call in calls(line)]


def test_readme_opens_with_the_two_commands() -> None:
    """The first command installs and searches, the second installs and tests; .ci/run runs exactly these."""
    make = "python3 -m venv .venv && .venv/bin/pip install"
    assert COMMANDS[0] == f'{make} . && .venv/bin/quotefind find "quotes about family"'
    assert COMMANDS[1] == f"{make} '.[dev]' && .venv/bin/python -m pytest"


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
    """The reference of a command has each of its options."""
    assert [option for option in sorted(options(PROGRAM.commands[name])) if not names(option, section(name))] == []


def test_every_option_of_the_program_is_mentioned() -> None:
    """The options before a command are mentioned too."""
    text = "\n".join([README, REFERENCE, *PAGES.values()])
    assert [option for option in options(PROGRAM) | {"--help", "-h"} if not names(option, text)] == []


@pytest.mark.parametrize("name", PROGRAM.commands)
def test_readme_names_every_command(name: str) -> None:
    """The table of commands in README.md links to the reference of each."""
    assert f"[`{name}`](docs/reference.md#quotefind-{name})" in README
    assert section(name)


def test_readme_is_short() -> None:
    """README.md has at most 170 lines; the rest is in docs/."""
    assert len(README.splitlines()) <= 170


@pytest.mark.parametrize("page", ["README.md", *PAGES])
def test_no_option_is_invented(page: str) -> None:
    """The prose of a page mentions no long option that the program does not have."""
    found = mentions(README if page == "README.md" else PAGES[page])
    assert found - options(PROGRAM) - {"--help"} == set()


def test_exit_codes_are_those_of_the_program() -> None:
    """The table of exit codes has the codes of the errors, and 0, 1 and 130."""
    table = PAGES["output.md"].partition("| exit code | meaning |\n")[2].partition("\n\n")[0]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert codes == {kind.exit_code for kind in errors.QuotefindError.__subclasses__()} | {0, 1, 130}


def test_keys_are_those_of_the_output() -> None:
    """The keys of a hit are in output.md in their order."""
    assert f"`{', '.join(output.HIT_KEYS)}`" in " ".join(PAGES["output.md"].split())


def test_formats_are_those_of_the_program() -> None:
    """Every output format is in output.md, every source format, with its suffixes and names, in formats.md."""
    table = PAGES["output.md"] + PAGES["formats.md"].partition("| format | suffixes or names")[2].partition("\n\n")[0]
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
    """The example of the Python API has at most eight lines, and runs unchanged with the real model."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    lines = ["A thing of beauty is a joy for ever. — John Keats, Endymion", "I wandered lonely as a cloud. — W"]
    assert len(example.splitlines()) <= 8
    (tmp_path / "poems.txt").write_text("\n".join(lines), encoding="utf-8")
    done = run((sys.executable, "-c", example), home=home_with_model, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert [line.split("  ")[1] for line in done.lines] == ["A thing of beauty is a joy for ever. — John Keats"]
