"""Completion: what is offered, how each shell takes it, and that names of a corpus are never run."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from select import select

import pytest
from cli_tools import FAKE_PROGRAM, PROGRAM, environment, run, write_records

from quotefind.cli import completion
from quotefind.corpus import FORMATS
from quotefind.index.local.complete import names_in
from quotefind.text import quote_id

# What a shell could run, split, expand or take for its own.
HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "x; touch pwned",
    "x\\$(touch pwned)",
    'x\\";touch pwned;"',
    "x'; touch pwned; '",
    "x | tee pwned > pwned & touch pwned",
    "x (touch pwned)",
    "x ${IFS} $HOME ~ {a,b}",
    "x * ? [a-z]",
    "x: a title = another # !",
    "-x --index",
    "x\\",
]
NAMES = ["Emily Dickinson", "Emily Brontë", "Émile Zola", "Flann O'Brien", 'George "Sand"', "老子", *HOSTILE]
UNFIT = ["x\ty", "x\x1b[31m red", "x\u202egnp", "x\x00y"]


def needs(shell: str) -> pytest.MarkDecorator:
    """Skip a test where `shell` is not installed."""
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a home, whose default index holds the names, and a program that shells can call.

    Asked for a completion it is the program itself; otherwise it writes its arguments, each ended with NUL, to `asked`.
    """
    folder = tmp_path_factory.mktemp("shelf")
    texts = [f"Love {number}." for number in range(len(NAMES))]
    # With the id that quotefind gives it, a name is read as it is, also one that begins with a dash.
    records = [
        {"id": quote_id(text, name), "text": text, "author": name} for text, name in zip(texts, NAMES, strict=True)
    ]
    records += [{"text": f"Hope {number}.", "author": "Emily Dickinson"} for number in range(3)]
    records += [{"text": "Sea.", "author": "Ann", "work": "Sea: a song", "tags": ["deep sea", "Sea"]}]
    source = write_records(folder / "quotes.jsonl", records)
    for arguments in ([], ["--index", "poems"], ["--index", str(folder / "here")]):
        done = run(FAKE_PROGRAM, "index", source, *arguments, home=folder / "home")
        assert done.code == 0, done
    program = folder / "bin" / "quotefind"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nif [ -n "$_QUOTEFIND_COMPLETE" ]; then exec {shlex.join(PROGRAM)} "$@"; fi\n'
        f'printf "%s\\0" "$@" > {shlex.quote(str(folder / "asked"))}\n'
    )
    program.chmod(0o755)
    return folder


@pytest.fixture
def room(shelf: Path) -> Iterator[Path]:
    """An empty directory to type commands in; at the end it is empty still, as nothing was run."""
    directory = shelf / "room"
    directory.mkdir()
    yield directory
    left = [path.name for path in directory.iterdir()]
    shutil.rmtree(directory)
    assert left == []


def variables(shelf: Path, **more: str) -> dict[str, str]:
    """Return the environment of a shell that finds the program."""
    path = f"{shelf / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return environment(shelf / "home", PATH=path, TERM="dumb", HOME=str(shelf), PYTHONWARNINGS="default", **more)


def script_of(shell: str, shelf: Path) -> str:
    """Return the script that the program gives `shell`."""
    done = run(
        PROGRAM, "--show-completion", shell, home=shelf / "home", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
    )
    assert done.code == 0, done
    return done.out


def offered(shelf: Path, line: str, *, shell: str = "fish", **more: str) -> list[str]:
    """Return what is offered at the end of `line`, by the answer to fish, which is plain."""
    done = run(
        PROGRAM,
        home=shelf / "home",
        cwd=shelf,
        _QUOTEFIND_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TYPER_COMPLETE_ARGS=line,
        **more,
    )
    assert (done.code, done.err) == (0, ""), done
    return [line.partition("\t")[0] for line in done.lines]


def in_bash(shelf: Path, words: Sequence[str], program: str, room: Path) -> str:
    """Complete the last of `words` by the script for bash, then run `program` with the offers in ${COMPREPLY[@]}."""
    line = " ".join(map(shlex.quote, words))
    steps = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _quotefind_completion quotefind; {program}"
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script_of('bash', shelf)}\n{steps}"],
        capture_output=True,
        text=True,
        env=variables(shelf),
        cwd=room,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def type_into(shell: Sequence[str], shelf: Path, room: Path, *lines: str) -> list[str]:
    """Type `lines` into an interactive shell on a terminal; return the arguments that the program was called with."""
    asked = shelf / "asked"
    asked.unlink(missing_ok=True)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(room)
        os.execvpe(shell[0], shell, variables(shelf, HISTFILE="/dev/null", XDG_CONFIG_HOME=str(shelf / "config")))
    seen = b""
    try:
        for line in (*lines, "exit"):
            os.write(terminal, f"{line}\r".encode())
        while select([terminal], [], [], 20)[0]:
            seen += os.read(terminal, 4096)
        os.kill(process, signal.SIGKILL)  # it waits for something
    except OSError:  # the shell has ended
        pass
    finally:
        os.close(terminal)
        os.waitpid(process, 0)
    assert asked.exists(), seen.decode(errors="replace")
    return asked.read_text(encoding="utf-8").split("\0")[:-1]


def test_authors_come_by_frequency_whatever_their_case_and_accents(shelf: Path) -> None:
    """Names that begin with what is typed, the most frequent first; else those of which a word does."""
    assert offered(shelf, "quotefind find --author em") == ["Emily Dickinson", "Emily Brontë", "Émile Zola"]
    assert offered(shelf, "quotefind find --author EMILE") == ["Émile Zola"]
    assert offered(shelf, "quotefind find --author bront") == ["Emily Brontë"]
    assert offered(shelf, "quotefind pair --author Emily\\ ") == ["Emily Dickinson", "Emily Brontë"]
    assert offered(shelf, 'quotefind topics --author "emily d') == ["Emily Dickinson"]
    assert offered(shelf, "quotefind map --author=fl") == ["--author=Flann O'Brien"]
    assert offered(shelf, "quotefind find --author nobody") == []


def test_works_and_tags_are_offered(shelf: Path) -> None:
    """--work and --tag offer what the index holds, a tag in the form that is compared."""
    assert offered(shelf, "quotefind find --work s") == ["Sea: a song"]
    assert offered(shelf, "quotefind find --tag ") == ["deep sea", "sea"]


def test_all_names_but_those_with_controls_are_offered(shelf: Path, tmp_path: Path) -> None:
    """Every name is offered as it is; one with a control character, which a terminal could obey, is not."""
    assert set(offered(shelf, "quotefind find --author ")) == {*NAMES, "Ann"}
    records = [{"text": f"Love {number}.", "author": name} for number, name in enumerate([*UNFIT, "Fit"])]
    source = write_records(tmp_path / "unfit.jsonl", records)
    assert (
        run(FAKE_PROGRAM, "index", source, "--skip-bad", "--index", str(tmp_path / "unfit"), home=shelf / "home").code
        == 0
    )
    assert set(offered(shelf, f"quotefind find --index {tmp_path / 'unfit'} --author ")) <= {"Fit", "x y", "xy"}


def test_names_are_those_of_the_index_that_is_named(shelf: Path) -> None:
    """--index before the name, or else QUOTEFIND_INDEX, says whose authors are offered; one that is not there, none."""
    assert offered(shelf, "quotefind find --index nosuch --author em") == []
    assert offered(shelf, "quotefind find --index poems --author em") != []
    assert offered(shelf, "quotefind find --author em", QUOTEFIND_INDEX="nosuch") == []
    assert offered(shelf, "quotefind find --index poems --author em", QUOTEFIND_INDEX="nosuch") != []
    assert offered(shelf, "quotefind find --author em", QUOTEFIND_TOP="many") != []


def test_indexes_formats_and_devices_are_offered(shelf: Path) -> None:
    """--index offers named indexes, then directories here that hold one; formats and devices are offered whole."""
    assert offered(shelf, "quotefind find --index ") == ["default", "poems", "./here"]
    assert offered(shelf, "quotefind info --index p") == ["poems"]
    assert offered(shelf, "quotefind find --index ./h") == ["./here"]
    assert offered(shelf, "quotefind find --index ~/p") == []
    assert offered(shelf, "quotefind find --per") == []
    assert offered(shelf, "quotefind find --format js") == ["json", "jsonl"]
    assert offered(shelf, "quotefind index --input-format ") == list(FORMATS)
    assert offered(shelf, "quotefind pair --input-format ") == ["tsv", "csv", "jsonl"]
    assert offered(shelf, "quotefind index --device c") == ["cpu", "cuda"]
    assert offered(shelf, "quotefind m") == ["map", "model"]
    assert offered(shelf, "quotefind model d") == ["download"]


def test_an_answer_has_an_end(shelf: Path) -> None:
    """At most so many names as asked for are read, the most frequent of them."""
    default = shelf / "home" / "indexes" / "default"
    assert names_in(default, "authors", "", 1) == ["Emily Dickinson"]
    assert names_in(default, "authors", "(") == []


@pytest.mark.parametrize("damage", ["nothing", "no index", "no database", "a pipe", "another schema"])
def test_completion_never_fails_waits_or_makes_a_file(home: Path, tmp_path: Path, damage: str) -> None:
    """Whatever stands in the place of an index: no error, no waiting, and every file as it was."""
    directory = home / "indexes" / "default"
    if damage != "nothing":
        directory.mkdir(parents=True)
    if damage == "no database":
        (directory / "index.sqlite").write_text("no database at all")
    elif damage == "a pipe":
        os.mkfifo(directory / "index.sqlite")
    elif damage == "another schema":
        import sqlite3

        with sqlite3.connect(directory / "index.sqlite") as connection:
            connection.execute("CREATE TABLE authors (name BLOB)")
        connection.close()
    before = sorted(home.rglob("*"))
    for shell in ("bash", "zsh", "fish"):
        done = run(
            PROGRAM,
            home=home,
            cwd=tmp_path,
            timeout=20,
            _QUOTEFIND_COMPLETE=f"complete_{shell}",
            COMP_WORDS="quotefind\nfind\n--author\nE",
            COMP_CWORD="3",
            _TYPER_COMPLETE_ARGS="quotefind find --author E",
            _TYPER_COMPLETE_FISH_ACTION="get-args",
        )
        assert (done.code, done.out, done.err) == (0, "_files\n" if shell == "zsh" else "", ""), done
    assert sorted(home.rglob("*")) == before


def test_completion_reads_beside_a_writer(shelf: Path, tmp_path: Path) -> None:
    """While another process writes, the last committed names are offered, nothing is waited for, no file appears."""
    import sqlite3

    directory = tmp_path / "copy"
    shutil.copytree(shelf / "home" / "indexes" / "default", directory)
    writer = sqlite3.connect(directory / "index.sqlite", isolation_level=None)
    writer.execute("UPDATE authors SET name = 'Emma', folded = 'emma' WHERE name = 'Emily Brontë'")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE authors SET name = 'Emil', folded = 'emil' WHERE name = 'Emma'")
    before = {path.name: path.stat().st_size for path in directory.iterdir()}
    assert "index.sqlite-wal" in before
    assert names_in(directory, "authors", "em") == ["Emily Dickinson", "Emma", "Émile Zola"]
    assert {path.name: path.stat().st_size for path in directory.iterdir()} == before
    writer.close()


@pytest.mark.parametrize("instruction", ["complete", "complete_", "complete_nosuch", "nonsense", "source_nosuch"])
def test_an_unknown_instruction_is_left_to_typer(home: Path, instruction: str) -> None:
    """What is no question of a shell that is known here ends without a traceback."""
    done = run(PROGRAM, home=home, _QUOTEFIND_COMPLETE=instruction)
    assert (done.code, done.out) == (1, ""), done
    assert "Traceback" not in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_nonsense_on_the_command_line_is_no_error(home: Path, shell: str) -> None:
    """Words that are wrong, quotes that are open, variables that are missing: no error is said."""
    for line in (
        "",
        "quotefind",
        "quotefind find --top x --author 'E",
        "quotefind nosuch \\",
        'a "b',
        "quotefind find --index ' ' --author E",
    ):
        done = run(
            PROGRAM,
            home=home,
            _QUOTEFIND_COMPLETE=f"complete_{shell}",
            COMP_WORDS=line.replace(" ", "\n"),
            COMP_CWORD="7",
            _TYPER_COMPLETE_ARGS=line,
        )
        assert (done.code, done.err) == (0, ""), (line, done)
    assert run(PROGRAM, home=home, _QUOTEFIND_COMPLETE=f"complete_{shell}").err == ""


@pytest.mark.parametrize(("line", "code"), [("quotefind find --author em", 0), ("quotefind index ", 1)])
def test_fish_is_told_whether_to_offer_files(shelf: Path, line: str, code: int) -> None:
    """Asked whether there is anything to offer, the program says so by its exit code; if not, fish offers files."""
    asked = {"_TYPER_COMPLETE_FISH_ACTION": "is-args", "_TYPER_COMPLETE_ARGS": line}
    done = run(PROGRAM, home=shelf / "home", _QUOTEFIND_COMPLETE="complete_fish", **asked)
    assert (done.code, done.err) == (code, ""), done


@needs("bash")
@pytest.mark.parametrize("mark", ["", '"', "'"])
def test_bash_gets_each_name_as_one_word(shelf: Path, room: Path, mark: str) -> None:
    """What bash puts on the command line is one word again, the name itself, in and without quotes; nothing is run."""
    said = in_bash(shelf, ["quotefind", "find", "--author", mark], 'printf "%s\\n" "${COMPREPLY[@]}"', room)
    words = " ".join(f"{mark}{line}{mark}" for line in said.splitlines())
    again = ["bash", "--norc", "-c", f'printf "%s\\0" {words}']
    done = subprocess.run(again, capture_output=True, text=True, cwd=room, check=True)
    assert set(done.stdout.split("\0")[:-1]) == {*NAMES, "Ann"} - {
        name for name in NAMES if mark == '"' and "!" in name
    }


@needs("bash")
def test_bash_completes_on_a_terminal(shelf: Path, room: Path) -> None:
    """Typed into an interactive bash with the installed script: TAB makes the whole name one argument."""
    install = run(
        PROGRAM,
        "--install-completion",
        "bash",
        home=shelf / "home",
        HOME=str(shelf),
        _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1",
    )
    assert install.code == 0, install
    bash = ["bash", "--noprofile", "--rcfile", str(shelf / ".bashrc"), "-i"]

    def ask(line: str) -> list[str]:
        return type_into(bash, shelf, room, line)

    assert ask("quotefind find --author flann\t-k 3") == ["find", "--author", "Flann O'Brien", "-k", "3"]
    assert ask("quotefind find --author Emily\tD\t") == ["find", "--author", "Emily Dickinson"]
    assert ask('quotefind find --author "Emily D\t') == ["find", "--author", "Emily Dickinson"]
    assert ask("quotefind find --author 'Emily D\t") == ["find", "--author", "Emily Dickinson"]
    assert ask("quotefind find --author=Emily\\ D\t") == ["find", "--author=Emily Dickinson"]
    assert ask("quotefind find --work Sea\t") == ["find", "--work", "Sea: a song"]
    assert ask("quotefind find --index po\thope") == ["find", "--index", "poems", "hope"]
    assert ask("quotefind find --author 'x (\t") == ["find", "--author", "x (touch pwned)"]


@needs("zsh")
def test_zsh_completes_on_a_terminal(shelf: Path, room: Path) -> None:
    """Typed into an interactive zsh with the installed script: TAB makes the whole name one argument."""
    install = run(
        PROGRAM,
        "--install-completion",
        "zsh",
        home=shelf / "home",
        HOME=str(shelf),
        _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1",
    )
    assert install.code == 0, install
    start = f"fpath+={shlex.quote(str(shelf / '.zfunc'))}; autoload -Uz compinit; compinit -D -u"

    def ask(line: str) -> list[str]:
        return type_into(["zsh", "-f", "-i"], shelf, room, start, line)

    assert ask("quotefind find --author flann\t-k 3") == ["find", "--author", "Flann O'Brien", "-k", "3"]
    assert ask("quotefind find --author Emily\tD\t") == ["find", "--author", "Emily Dickinson"]
    assert ask('quotefind find --author "Emily D\t') == ["find", "--author", "Emily Dickinson"]
    assert ask("quotefind find --author=Emily\\ D\t") == ["find", "--author=Emily Dickinson"]
    assert ask("quotefind find --work sea\t") == ["find", "--work", "Sea: a song"]
    assert ask("quotefind find --index po\thope") == ["find", "--index", "poems", "hope"]
    assert ask("quotefind find --author 'x |\t") == ["find", "--author", "x | tee pwned > pwned & touch pwned"]
    assert ask("quotefind find --author 'x\\$\t") == ["find", "--author", "x\\$(touch pwned)"]
    assert ask("quotefind find --author ifs\t") == ["find", "--author", "x ${IFS} $HOME ~ {a,b}"]


@needs("zsh")
def test_zsh_is_told_every_name_as_one_quoted_word(room: Path) -> None:
    """Evaluated as Typer's script does, the answer gives compadd each name whole, and runs nothing."""
    told = completion._for_zsh([(name, "") for name in NAMES], completion._Typed([], ""))
    steps = 'compadd() { shift 4; printf "%s\\0" "$@" }; eval $(cat)'
    done = subprocess.run(["zsh", "-f", "-c", steps], input=told, capture_output=True, text=True, cwd=room, check=True)
    assert done.stdout.split("\0")[:-1] == NAMES


@needs("fish")
def test_fish_offers_names(shelf: Path, room: Path) -> None:
    """fish, with its script sourced, offers the names and their like, and runs nothing."""

    def ask(line: str) -> list[str]:
        steps = f"{script_of('fish', shelf)}\ncomplete -C {shlex.quote(line)}"
        done = subprocess.run(
            ["fish", "--no-config", "-c", steps],
            capture_output=True,
            text=True,
            env=variables(shelf),
            cwd=room,
            check=True,
        )
        assert done.stderr == ""
        return [offer.partition("\t")[0] for offer in done.stdout.splitlines()]

    assert ask("quotefind find --author Em") == ["Emily Brontë", "Emily Dickinson"]
    assert "Flann O'Brien" in ask("quotefind find --author Fl")
    assert set(ask("quotefind find --author ")) == {*NAMES, "Ann"}
    assert ask("quotefind find --index po") == ["poems"]
    assert "--one-per-author" in ask("quotefind find --one")
