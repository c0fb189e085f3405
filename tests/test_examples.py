"""Every example of --help and of the documentation is run, in a shell, in a directory with the files it names.

With the real model, on a quarter of the bundled quotes and a few more; only training begins with a tiny model, to take a moment.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from cli_tools import PROGRAM, environment, run, write_records
from test_encoders import make_model
from training_tools import small_pairs, write_pairs
from typer.testing import CliRunner

from quotefind.cli import app
from quotefind.paths import bundled_quotes

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Examples that are not run here, each with the reason.
NOT_RUN = {
    'pip install . && quotefind find "quotes about family"': "installs; .ci/run runs exactly this",
    "pip install '.[dev]' && pytest": "installs; .ci/run runs exactly this",
}
# These run in one process, which has torch; they train with few pairs, and a tiny model in the place of the base.
TRAINING = re.compile(r"quotefind (train|evaluate)\b|--model \./my-model|model show \./my-model")
TOOLS = ("jq",)
# Whom examples ask for.
AUTHORS = ("Emily Dickinson", "Ralph Waldo Emerson")


def examples_of(command: Any) -> Iterator[str]:
    """Yield the lines of example in the help of a command, and of all commands in it."""
    for inner in getattr(command, "commands", {}).values():
        yield from examples_of(inner)
    _, _, shown = (command.help or "").partition("\b\n")
    yield from (line.strip() for line in shown.splitlines() if line.strip())


def lines_of(page: Path) -> Iterator[str]:
    """Yield the command lines of a page: those after "$ " in its blocks for a console, with what goes on below."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)


EXAMPLES = list(
    dict.fromkeys([*examples_of(typer.main.get_command(app)), *(line for page in PAGES for line in lines_of(page))])
)
RUN = [line for line in EXAMPLES if line not in NOT_RUN]


def wrapper(path: Path, command: str) -> None:
    """Make a program of one line of shell."""
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, real_home: Path) -> Path:
    """A directory with the files that examples name, a home with indexes, and programs: ours, and one for curl."""
    folder = tmp_path_factory.mktemp("desk")
    fill(folder)
    home = folder / "home"
    home.mkdir()
    (home / "cache").symlink_to(real_home / "cache", target_is_directory=True)
    done = run(PROGRAM, "index", "more.jsonl", home=home, cwd=folder)
    assert done.code == 0, done
    for place in (home / "indexes" / "poems", folder / "poems"):
        shutil.copytree(home / "indexes" / "default", place)
    programs = folder / "bin"
    programs.mkdir()
    wrapper(programs / "quotefind", f'exec {shlex.join(PROGRAM)} "$@"')
    wrapper(programs / "curl", f"cat {shlex.quote(str(folder / 'quotes.jsonl'))}")
    return folder


def fill(folder: Path) -> None:
    """Write the files that examples name, and the quotes that they find something in."""
    lines = ["Love is a sea. — Ann", "Hope is a king. — Emily Dickinson", "War is time. — Bea, Songs"]
    (folder / "my-quotes.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "highlights.csv").write_text("text,author\nTime and hope.,Cid\n", encoding="utf-8")
    for name in ("notes", "quotes"):
        notes = folder / "user" / name
        notes.mkdir(parents=True)
        (notes / "a.md").write_text("> Hope and love.\n> — Dora\n", encoding="utf-8")
    write_records(folder / "quotes.jsonl", [{"text": "A king in love.", "author": "Eve"}])
    (folder / "topics.txt").write_text("hope\nlove and war\n", encoding="utf-8")
    (folder / "my-themes.txt").write_text("hope\nlove\ngrief\n", encoding="utf-8")
    (folder / "pairs.tsv").write_text("a\tb\nLove.\tHope and love.\nSea.\tThe sea.\n", encoding="utf-8")
    write_records(folder / "judged.jsonl", [{"query": "hope", "quote": "I grieve for the dead, and my grief is deep."}])
    (folder / "quotes").mkdir()
    pairs = small_pairs()
    for path in (folder / "pairs.jsonl", folder / "quotes" / "pairs.jsonl"):
        write_pairs(path, pairs)
    bundled = [json.loads(line) for line in bundled_quotes().read_text(encoding="utf-8").splitlines()]
    more = [*bundled[::4], *(record for record in bundled if record["author"] in AUTHORS)]
    more += [{"text": pair.quote} for pair in pairs]
    more += [{"text": "I grieve for the dead, and my grief is deep."}]
    more += [{"text": "Two wrongs never make a right, said he.", "author": author} for author in ("Ann", "Bea")]
    write_records(folder / "more.jsonl", more)


def run_example(line: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `line` as bash does, where a command that fails in a pipe makes all of it fail."""
    variables = environment(folder / "home", HOME=str(folder / "user"), **more)
    variables["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-e", "-o", "pipefail", "-c", line]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=variables,
        cwd=folder,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_there_are_examples_of_every_command() -> None:
    """Every command is shown at work somewhere, and what is left out is an example that is there."""
    called = {match for line in EXAMPLES for match in re.findall(r"\bquotefind ([a-z]+)", line)}
    assert called >= set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(NOT_RUN) <= set(EXAMPLES)
    assert all(NOT_RUN.values())


@pytest.mark.parametrize("line", [line for line in RUN if not TRAINING.search(line)])
def test_an_example_runs(desk: Path, line: str) -> None:
    """The example ends with exit code 0."""
    for tool in TOOLS:
        if re.search(rf"\b{tool}\b", line) and shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    done = run_example(line, desk)
    assert done.returncode == 0, done


@pytest.mark.usefixtures("one_thread")
def test_examples_of_training_run(
    desk: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What trains, measures or uses what was trained runs one after the other, in this process, which has torch."""
    make_model(tmp_path_factory.mktemp("tiny") / "tiny").rename(desk / "tiny")
    monkeypatch.chdir(desk)
    monkeypatch.setenv("QUOTEFIND_HOME", str(desk / "home"))
    tried = [line for line in RUN if TRAINING.search(line)]
    for line in sorted(tried, key=lambda line: "train" not in line):
        words = shlex.split(line)[1:]
        if words[0] == "train":
            shutil.rmtree("my-model", ignore_errors=True)
            words += ["--model", "./tiny", "--batch-size", "8"]
        done = CliRunner().invoke(app, words, catch_exceptions=False, prog_name="quotefind")
        assert done.exit_code == 0, (line, done.output)
    assert {shlex.split(line)[1] for line in tried} == {"train", "evaluate", "index", "model"}
