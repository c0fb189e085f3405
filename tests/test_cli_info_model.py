"""`quotefind info`, `quotefind model`, and how errors become messages and exit codes."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_tools import FAKE_PROGRAM, PROGRAM, Cli, run, write_records
from huggingface_hub.errors import LocalEntryNotFoundError
from typer.testing import CliRunner

from quotefind import errors
from quotefind.cli import app
from quotefind.encoders import open_encoder, resolve

POSIX = pytest.mark.skipif(os.name == "nt", reason="redirections of a POSIX shell")
INFO_KEYS = [
    "index",
    "quotes",
    "authors",
    "works",
    "tags",
    "truncated",
    "with_proposals",
    "model",
    "fingerprint",
    "dimension",
    "dtype",
    "pooling",
    "max_tokens",
    "matrix",
    "rows",
    "dead_rows",
    "bytes",
    "rate",
    "created",
    "updated",
    "format",
    "stale",
    "sources",
]
QUOTES = [
    {"text": "Love.", "author": "Ann Ash", "work": "Poems", "tags": ["a", "b"]},
    {"text": "War.", "author": "Ben Birch", "tags": ["a"]},
    {"text": "sea " * 41},
]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


def test_info_as_json(cli: Cli) -> None:
    """`info --json` holds these keys, in order, with what is true of the index."""
    source = cli.index(QUOTES)
    done = cli("info", "--json")
    assert (done.code, done.err) == (0, "")
    facts = done.json
    assert list(facts) == INFO_KEYS
    directory = cli.home / "indexes" / "default"
    assert {key: facts[key] for key in INFO_KEYS if key not in ("bytes", "created", "updated", "fingerprint")} == {
        "index": str(directory),
        "quotes": 3,
        "authors": 2,
        "works": 1,
        "tags": 2,
        "truncated": 1,
        "with_proposals": 0,
        "model": "words",
        "dimension": 7,
        "dtype": "float32",
        "pooling": "mean",
        "max_tokens": 40,
        "matrix": "vectors-1.npy",
        "rows": 3,
        "dead_rows": 0,
        "rate": 0.0,
        "format": 4,
        "stale": False,
        "sources": [{"location": str(source), "files": 1, "quotes": 3}],
    }
    assert facts["bytes"] > (directory / "index.sqlite").stat().st_size
    assert re.fullmatch(r"[0-9a-f]{64}", facts["fingerprint"])
    assert facts["created"] <= facts["updated"]


def test_info_in_a_pipe(cli: Cli) -> None:
    """In a pipe `info` writes a name and a value a line, with a tab between, sources last."""
    source = cli.index(QUOTES)
    pairs = [line.split("\t") for line in cli("info").lines]
    assert all(len(pair) == 2 for pair in pairs)
    assert pairs[:2] == [["index", str(cli.home / "indexes" / "default")], ["quotes", "3"]]
    assert pairs[-2:] == [["out of date", "no"], ["source", f"{source} (3 quotes in 1 file)"]]


def change(source: Path) -> None:
    """Write something else into `source`."""
    write_records(source, QUOTES[:1])


def add(source: Path) -> None:
    """Write another file beside `source`."""
    write_records(source.with_name("more.jsonl"), QUOTES[:1])


def remove(source: Path) -> None:
    """Delete `source`."""
    source.unlink()


def leave(source: Path) -> None:
    """Only read `source`, and write a file of no known format beside it."""
    assert source.read_bytes()
    source.with_name("notes.pdf").touch()


@pytest.mark.parametrize(("happens", "stale"), [(change, True), (add, True), (remove, True), (leave, False)])
def test_info_says_whether_the_index_is_stale(cli: Cli, happens: Any, stale: bool) -> None:
    """`stale` is true exactly where a file of a source was changed, added or removed; info itself changes nothing."""
    folder = cli.folder / "quotes"
    folder.mkdir()
    source = write_records(folder / "a.jsonl", QUOTES)
    cli("index", folder, "-q")
    happens(source)
    assert [cli("info", "--json").json["stale"] for _ in range(2)] == [stale, stale]
    said = "yes; to refresh it: quotefind index" if stale else "no"
    assert f"out of date\t{said}" in cli("info").lines


@pytest.mark.parametrize("name", ["poems", "./poems", "./my poems & more", "../quo'te"])
def test_a_stale_index_names_the_command_that_refreshes_it(cli: Cli, name: str) -> None:
    """`info` names the very command that refreshes the index it was asked about, quoted as a shell needs it."""
    source = write_records(cli.folder / "a.jsonl", QUOTES)
    cli("index", source, "-q", "--index", name)
    change(source)
    (said,) = (line.split("\t")[1] for line in cli("info", "--index", name).lines if line.startswith("out of date"))
    command = shlex.split(said.removeprefix("yes; to refresh it: "))
    assert command[:3] == ["quotefind", "index", "--index"]
    assert cli(*command[1:]).code == 0
    assert cli("info", "--index", name, "--json").json["stale"] is False


@pytest.mark.parametrize("name", [None, "poems", "./poems"])
def test_info_makes_no_index(cli: Cli, name: str | None) -> None:
    """Where there is no index `info` ends with 4, says how to make one, and makes none."""
    where = ["--index", name] if name else []
    done = cli("info", "--json", *where)
    assert (done.code, done.out) == (4, "")
    assert "There is no index in" in done.err
    assert "To make it: quotefind index SOURCE…" in done.err
    assert list(cli.folder.iterdir()) == []


class Hub:
    """Stands for huggingface_hub.snapshot_download; keeps what it was asked."""

    def __init__(self, folder: Path, files: tuple[str, ...] = ("model.safetensors", "config.json")) -> None:
        """Deliver empty `files` into `folder`."""
        self.folder, self.files = folder, files
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None

    def __call__(self, repository: str, **options: Any) -> str:
        """Download, or fail."""
        self.asked.append((repository, options))
        if self.error is not None:
            raise self.error
        self.folder.mkdir(exist_ok=True)
        for name in self.files:
            (self.folder / name).touch()
        return str(self.folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub without a network."""
    stand_in = Hub(tmp_path / "snapshot")
    monkeypatch.setattr("huggingface_hub.snapshot_download", stand_in)
    return stand_in


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        (None, "sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
        ("some/model", "some/model", None),
        ("some/model@v1.0", "some/model", "v1.0"),
    ],
)
def test_a_model_is_downloaded(cli: Cli, hub: Hub, name: str | None, repository: str, revision: str | None) -> None:
    """`model download` asks the hub for the named model or the default one at its tested revision, without pickles."""
    done = cli("model", "download", *([name] if name else []))
    wanted = name or f"{repository}@{revision}"
    assert (done.code, done.out, done.err) == (0, f"{wanted} is in {hub.folder}\n", "")
    ((asked, options),) = hub.asked
    assert (asked, options["revision"]) == (repository, revision)
    assert not any(pattern.endswith((".bin", ".pt", ".pkl", "*")) for pattern in options["allow_patterns"])
    assert "*.safetensors" in options["allow_patterns"]


def test_a_quiet_download_says_nothing(cli: Cli, hub: Hub) -> None:
    """--quiet downloads without a word."""
    done = cli("model", "download", "some/model", "--quiet")
    assert (done.code, done.out, done.err, len(hub.asked)) == (0, "", "", 1)


def test_a_download_that_fails_ends_with_5(cli: Cli, hub: Hub) -> None:
    """Whatever the hub raises becomes one message on stderr and exit code 5."""
    hub.error = ConnectionError("the hub is\nfar away")
    done = cli("model", "download", "some/model")
    assert (done.code, done.out) == (5, "")
    assert done.err == "quotefind: The model some/model could not be downloaded: the hub is far away\n"


def test_a_model_of_pickles_is_refused(cli: Cli, hub: Hub) -> None:
    """A model without safetensors weights ends with 5."""
    hub.files = ("config.json",)
    done = cli("model", "download", "some/model")
    assert (done.code, done.out) == (5, "")
    assert "has no safetensors weights" in done.err


def test_nothing_else_downloads(tmp_path: Path, hub: Hub) -> None:
    """A model that is not here is looked for in the local cache only, and the message names what would fetch it."""
    hub.error = LocalEntryNotFoundError("not in the cache")
    source = write_records(tmp_path / "a.jsonl", QUOTES)
    arguments = ["index", str(source), "--model", "some/model"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 5
    assert "download it once with: quotefind model download some/model" in done.stderr
    assert [options["local_files_only"] for _, options in hub.asked] == [True]


@pytest.mark.parametrize("arguments", [["index"], ["index", "--rebuild"], ["pair", "love", "war"]])
def test_an_empty_name_of_a_model_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """--model "" is no way to say the default model: it ends with 5."""
    cli.index(QUOTES)
    monkeypatch.setattr("quotefind.encoders.open_encoder", open_encoder)
    done = cli(*arguments, "--model", "")
    assert (done.code, done.out, done.err) == (
        5,
        "",
        "quotefind: The name of the model is empty. Leave out --model for the default model, or name one.\n",
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.QuotefindError, 2),
        (errors.UsageError, 2),
        (errors.SourceError, 3),
        (errors.IndexUnusableError, 4),
        (errors.IndexLockedError, 4),
        (errors.ModelError, 5),
        (OSError, 2),
        (KeyboardInterrupt, 130),
    ],
)
def test_each_error_has_its_exit_code(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], code: int
) -> None:
    """Each error that a user can cause becomes its exit code and one line on stderr, in any command."""

    def fail(_: object) -> None:
        raise error("It is the\x1b[31m moon.")

    monkeypatch.setattr("quotefind.cli.info.index_location", fail)
    done = cli("info", "--json")
    said = "interrupted" if error is KeyboardInterrupt else "It is the␛[31m moon."
    if error is OSError:
        said = f"the output cannot be written: {said}"
    assert (done.code, done.out, done.err) == (code, "", f"quotefind: {said}\n")


def test_every_class_of_error_is_in_that_list() -> None:
    """No subclass of QuotefindError was forgotten above, and each has an exit code of the documented ones."""

    def all_of(kind: type[errors.QuotefindError]) -> set[type[errors.QuotefindError]]:
        return {kind}.union(*map(all_of, kind.__subclasses__()))

    found = all_of(errors.QuotefindError)
    assert {kind.__name__ for kind in found} == {
        "QuotefindError",
        "UsageError",
        "SourceError",
        "IndexLockedError",
        "IndexUnusableError",
        "ModelError",
    }
    assert {kind.exit_code for kind in found} == {2, 3, 4, 5}


def test_a_message_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line end in a message, which a file name may hold, is made visible: an error is one line."""

    def fail(_: object) -> None:
        raise errors.SourceError("a\nb.txt cannot be read.\r")

    monkeypatch.setattr("quotefind.cli.info.index_location", fail)
    assert cli("info").err == "quotefind: a␊b.txt cannot be read.␍\n"


def test_a_bug_keeps_its_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ValueError is a bug, and is not hidden behind a message."""

    def fail(_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("quotefind.cli.info.index_location", fail)
    with pytest.raises(ValueError, match="a bug"):
        cli("info")


def test_a_bug_ends_the_process_with_its_traceback(home: Path) -> None:
    """As a process, too, a bug is shown whole, with exit code 1."""
    driver = (
        "import quotefind.cli.info as info, quotefind.cli\n"
        "def fail(_): raise ValueError('a bug')\n"
        "info.index_location = fail\n"
        "quotefind.cli.main()\n"
    )
    done = run((sys.executable, "-c", driver), "info", home=home)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Traceback (most recent call last):")
    assert done.err.endswith("ValueError: a bug\n")


def test_help_names_every_exit_code(cli: Cli) -> None:
    """The help of the program lists the exit codes."""
    text = " ".join(cli("--help").out.split())
    for part in (
        "0 success",
        "1 nothing found",
        "2 wrong usage",
        "3 a source",
        "4 the index",
        "5 the model",
        "130 int",
    ):
        assert part in text


def test_help_shows_every_summary_whole(cli: Cli) -> None:
    """At 80 columns the summary of each command is one whole sentence: none is cut off."""
    commands = cli("--help", columns=80).out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(commands) == 14
    assert [line for line in commands if not re.fullmatch(r"  [a-z]+ +[A-Z][^.]+[a-z]\.", line)] == []


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["find", "-h"], ["model"], ["model", "download", "-h"]])
def test_help_is_for_all(cli: Cli, arguments: list[str]) -> None:
    """Help comes for every command, on stdout where it was asked for, else with exit code 2."""
    done = cli(*arguments)
    asked = bool({"-h", "--help"} & set(arguments))
    assert done.code == (0 if asked else 2)
    assert "Usage: quotefind" in (done.out if asked else done.err)
    assert "Traceback" not in done.err


def test_the_version(home: Path) -> None:
    """`--version` and `python -m quotefind` say the version of the package."""
    from quotefind import __version__

    assert run(PROGRAM, "--version", home=home).out == f"quotefind {__version__}\n"


def test_the_default_model_is_pinned() -> None:
    """The default model is the official one, at one revision, with one hash."""
    assert resolve.BASE_REPOSITORY == "sentence-transformers/all-MiniLM-L6-v2"
    assert resolve.BASE_REVISION == "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
    assert resolve.OFFICIAL_WEIGHTS == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def redirected(home: Path, redirection: str, *arguments: str) -> tuple[int, str, str]:
    """Run the program with a redirection of the shell; return its exit code, stdout and stderr."""
    done = run(("sh", "-c", f'exec "$@" {redirection}', "sh", *FAKE_PROGRAM), *arguments, home=home, timeout=60)
    return done.code, done.out, done.err


@POSIX
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["find", "-"], "Standard input is closed"),
        (["find", "-", "--read0"], "Standard input is closed"),
        (["index", "-", "--input-format", "txt"], "Standard input is closed"),
        (["pair", "--pairs", "-"], "Standard input is closed"),
    ],
)
def test_a_closed_standard_input_ends_with_3(cli: Cli, arguments: list[str], says: str) -> None:
    """A command that is to read a standard input that is closed says so at once; others do not mind."""
    cli.index(QUOTES)
    code, out, err = redirected(cli.home, "<&-", *arguments)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"quotefind: {says}")
    assert redirected(cli.home, "<&-", "find", "love", "-k", "1") == (0, "Love. — Ann Ash, Poems\n", "")


@POSIX
@pytest.mark.parametrize("arguments", [["find", "love"], ["find", "love", "--format", "table"], ["info"], ["--help"]])
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_output_is_no_error(cli: Cli, redirection: str, arguments: list[str]) -> None:
    """Whoever closes stdout or stderr wants none: the command ends with 0 and without a traceback."""
    cli.index(QUOTES)
    code, out, err = redirected(cli.home, redirection, *arguments)
    assert (code, err) == (0, "")
    assert bool(out) is (">&-" not in redirection.replace("2>&-", ""))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["--help"], ["find", "--help"], ["--version"], ["find", "love"], ["info"]])
def test_a_full_disk_is_said(cli: Cli, arguments: list[str]) -> None:
    """Where the output cannot be written, also that of --help, that is one message and exit code 2, no traceback."""
    cli.index(QUOTES)
    code, _, err = redirected(cli.home, "> /dev/full", *arguments)
    assert (code, err) == (2, "quotefind: the output cannot be written: No space left on device\n")
