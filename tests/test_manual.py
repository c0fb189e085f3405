"""The reference, made from the program, and the man page, made from the reference."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main
from test_readme import options

from quotefind import errors
from quotefind.cli import app

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "quotefind.1"
SCRIPT = ROOT / "docs" / "manual.py"


def shown(page: Path) -> str:
    """Return the page as a terminal shows it, in one line."""
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    command = ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", "-rHY=0", str(page)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stderr == ""
    return " ".join(done.stdout.split())


def test_the_page_is_made_from_the_reference() -> None:
    """python docs/manual.py > docs/quotefind.1 was run after the last change of docs/reference.md."""
    made = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    assert made.stdout == PAGE.read_text(encoding="ascii")


def test_the_reference_is_that_of_the_program() -> None:
    """docs/reference.md is what Typer writes, without backspaces, and names every option of the program."""
    command = [sys.executable, "-m", "typer", "quotefind.cli", "utils", "docs", "--name", "quotefind"]
    made = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert made.stdout.replace("\b", "") == written
    program = typer.main.get_command(app)
    assert [option for option in options(program) if option not in written] == []


def test_the_page_is_installed() -> None:
    """The wheel puts the page where man looks, and the source distribution has it."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert build["wheel"]["shared-data"] == {"docs/quotefind.1": "share/man/man1/quotefind.1"}
    assert "docs" in build["sdist"]["include"]


def test_roff_shows_all_of_it_without_a_warning() -> None:
    """groff warns of nothing, and shows every command, option, variable, exit code and example as it is written."""
    text = shown(PAGE)
    program = typer.main.get_command(app)
    missing = [name for name in options(program) | {"-h"} if not re.search(rf"(?<![\w-]){name}(?![\w-])", text)]
    assert missing == []
    for name in program.commands:  # type: ignore[attr-defined]
        assert f"quotefind {name}" in text
    for name in ("QUOTEFIND_HOME", "QUOTEFIND_INDEX", "QUOTEFIND_FORMAT", "QUOTEFIND_TOP", "NO_COLOR"):
        assert name in text
    codes = {kind.exit_code for kind in errors.QuotefindError.__subclasses__()} | {0, 1, 130}
    assert codes <= set(map(int, re.findall(r"(?:STATUS |, )(\d+) ", text)))
    assert """quotefind find courage --format json | jq -r '.[0].text'""" in text


def test_text_is_no_markup(tmp_path: Path) -> None:
    """What roff would obey or change in a text is shown as it is."""
    odd = ["'.br' -- a \\fB\"^~`\\ …é", ".SH no heading", "'br", "\\*(.T", "a\n.bp"]
    page = tmp_path / "odd.1"
    text = runpy.run_path(str(SCRIPT))["text"]
    page.write_text('.TH ODD 1 "" "" ""\n.SH NAME\n' + "\n.PP\n".join(map(text, odd)) + "\n", encoding="ascii")
    assert " ".join(" ".join(odd).split()) in shown(page)
