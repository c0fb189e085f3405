"""Every example of --help and of the documentation is run, in a shell, in a directory with the files it names.

With the real model, on a quarter of the bundled quotes and a few more; only training begins with a tiny model.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
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
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "reference.md")]
_INSTALLS = "installs; .ci/run runs exactly this"
# Examples that are not run here, each with the reason.
NOT_RUN = {
    'python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/quotefind find "quotes about family"': _INSTALLS,
    "python3 -m venv .venv && .venv/bin/pip install '.[dev]' && .venv/bin/python -m pytest": _INSTALLS,
}
# These run in one process, which has torch; they train with few pairs, and a tiny model in the place of the base.
TRAINING = re.compile(r"quotefind (train|evaluate)\b|--model \./my-model|model show \./my-model")
TOOLS = ("jq", "git", "fold")
# Whom examples ask for.
AUTHORS = ("Emily Dickinson", "Ralph Waldo Emerson", "Seneca")


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
    """A directory with the files that examples name, a home with indexes, and programs: ours, curl, fortune."""
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
    wrapper(programs / "fortune", 'test -e "$1.dat" && cat "$1"')
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
    (folder / "user" / "fortunes").mkdir()
    (folder / "export.csv").write_text("Worte,Wer,Art\nSo and so.,Fay,love\n", encoding="utf-8")
    if find_spec("pyarrow") is not None:
        from pyarrow import parquet, table

        parquet.write_table(table({"quote": ["Time and the sea."], "who": ["Hal"]}), folder / "quotes.parquet")
    (folder / "notes.log").write_text("Été. -- Guy\n", encoding="latin-1")
    write_records(folder / "quotes.jsonl", [{"text": "A king in love.", "author": "Eve"}])
    (folder / "topics.txt").write_text("hope\nlove and war\n", encoding="utf-8")
    (folder / "my-tags.txt").write_text("hope\nlove\ngrief\n", encoding="utf-8")
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


def block(language: str, within: str) -> str:
    """Return the one block of docs/shell.md in `language` that has `within` in it."""
    text = (ROOT / "docs" / "shell.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if within in block]
    return str(found)


def need(line: str) -> None:
    """Skip the test where a program that `line` calls is not installed, or a command is not in this version."""
    for tool in TOOLS:
        if re.search(rf"\b{tool}\b", line) and shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    for word, module in (("--mcp", "mcp"), (".parquet", "pyarrow")):
        if word in line and find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    program: Any = typer.main.get_command(app)
    for name in re.findall(r"\bquotefind ([a-z]+)\b", line):
        if name not in program.commands:
            pytest.skip(f"quotefind {name} is not in this version")


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
    need(line)
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


# In the place of fzf: shows the preview of the first line as fzf would, with each field quoted, and chooses that line.
FZF = """
import re, shlex, subprocess, sys
line = sys.stdin.readline().rstrip("\\n")
fields = line.split("\\t")
command = sys.argv[sys.argv.index("--preview") + 1]
command = re.sub(r"\\{(\\d)\\}", lambda field: shlex.quote(fields[int(field[1]) - 1]), command)
shown = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
open("preview", "w").write(shown)
print(line)
"""


def test_the_recipe_for_fzf(desk: Path) -> None:
    """The preview shows the quote and three others; what is chosen is the quote and its author."""
    need("jq")
    stub = desk / "fzf.py"
    stub.write_text(FZF)
    wrapper(desk / "bin" / "fzf", f'exec {shlex.quote(sys.executable)} {shlex.quote(str(stub))} "$@"')
    done = run_example(block("sh", "fzf") + "pick hope in hard times", desk)
    assert done.returncode == 0, done
    text, _, author = done.stdout.rstrip("\n").partition("\t")
    preview = (desk / "preview").read_text(encoding="utf-8").splitlines()
    assert preview[:3] == [text, author, ""]
    assert len(preview) == 6


def test_the_recipe_for_tmux(desk: Path) -> None:
    """The command in the status bar gives one line in which tmux finds no format of its own."""
    (command,) = re.findall(r"#\((.*)\)\"", block("tmux", "status-right"))
    need(command)
    done = run_example(command, desk)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done
    assert "#" not in done.stdout.replace("##", "")


def test_the_recipe_for_git(desk: Path) -> None:
    """The hook adds a comment to a new message, which git takes off again; a quote that fails stops no commit."""
    hook = block("sh", '"$2"')
    need(f"git {hook}")
    start = "git init -q repository && cd repository && git config user.name A && git config user.email a@example.org"
    assert run_example(start, desk).returncode == 0
    path = desk / "repository" / ".git" / "hooks" / "prepare-commit-msg"
    path.write_text(hook)
    path.chmod(0o755)
    commit = "cd repository && git commit -q --allow-empty && git log -1 --format=%B"
    editor = 'cp "$1" ../message; echo Changed. | cat - ../message > "$1"'
    (desk / "editor").write_text(editor)
    # The template of another recipe is not to be there: git would tell the hook so, which then adds nothing.
    variables = {"GIT_EDITOR": f"sh {shlex.quote(str(desk / 'editor'))}", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = run_example(commit, desk, **variables)
    assert (done.returncode, done.stdout.strip()) == (0, "Changed."), done
    quote = run_example("quotefind today --max-chars 200", desk).stdout.splitlines()
    assert quote
    assert (desk / "message").read_text(encoding="utf-8").splitlines()[-len(quote) :] == [f"# {line}" for line in quote]
    (desk / "none").mkdir()
    wrapper(desk / "none" / "quotefind", "exit 4")
    done = run_example(f"PATH=$PWD/none:$PATH; {commit}", desk, **variables)
    assert (done.returncode, done.stdout.strip()) == (0, "Changed."), done


def at_home(desk: Path) -> dict[str, str]:
    """Return an environment as poor as that of cron; the program is in ~/.local/bin, and the model prepared."""
    user = desk / "user"
    local = user / ".local" / "bin"
    if not local.exists():
        local.mkdir(parents=True)
        paths = f"PYTHONPATH={shlex.quote(os.environ.get('PYTHONPATH', ''))}"
        wrapper(local / "quotefind", f'{paths} exec {shlex.join(PROGRAM)} "$@"')
        (user / ".cache").mkdir(exist_ok=True)
        (user / ".cache" / "quotefind").symlink_to((desk / "home" / "cache").resolve(), target_is_directory=True)
        indexes = user / ".local" / "share" / "quotefind" / "indexes"
        shutil.copytree(desk / "home" / "indexes" / "default", indexes / "default")
    return {"HOME": str(user), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "user"}


def test_the_recipe_for_cron(desk: Path) -> None:
    """The line of the crontab works by sh with what cron gives it, and says nothing; `%` would end it."""
    (line,) = block("crontab", "quotefind").splitlines()
    fields = line.split(None, 5)
    assert [bool(re.fullmatch(r"[\d*]+", field)) for field in fields[:5]] == [True] * 5
    assert "%" not in line
    variables = at_home(desk)
    done = subprocess.run(
        ["/bin/sh", "-c", fields[5]], capture_output=True, text=True, env=variables, cwd=desk / "user", check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


def test_the_recipe_for_systemd(desk: Path) -> None:
    """systemd finds nothing wrong with the service and the timer, and what the service starts works."""
    variables = at_home(desk)
    service = block("ini", "[Service]").replace("%h", str(desk / "user"))
    (start,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    done = subprocess.run(shlex.split(start), capture_output=True, text=True, env=variables, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for name, text in (("service", service), ("timer", block("ini", "[Timer]"))):
        (desk / f"quotefind.{name}").write_text(text)
    command = ["systemd-analyze", "--user", "verify", str(desk / "quotefind.service"), str(desk / "quotefind.timer")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(desk)}
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), done
