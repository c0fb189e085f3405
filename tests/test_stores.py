"""Where an index can be, what its name says of that, and what is missing where the extra is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli_tools import SCRIPT, Cli, Run, run, write_records

from quotefind.errors import UsageError
from quotefind.paths import index_location, is_lance

RECORDS = [{"text": "love and war", "author": "Ann"}, {"text": "the sea"}]
# The program with the fake encoder, where an import of the modules in BLOCKED fails as if they were not installed.
WITHOUT = f"""
import os, runpy, sys
for name in BLOCKED: sys.modules[name] = None
sys.argv[0] = {str(SCRIPT)!r}
sys.path.insert(0, {str(SCRIPT.parent)!r})
end = os._exit

def leave(code):
    os.write(2, b"MODULES " + " ".join(name for name, module in sys.modules.items() if module).encode())
    end(code)

os._exit = leave
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""
SHARED = {"lance", "lance_ray", "ray", "pyarrow"}


def without(*blocked: str) -> tuple[str, ...]:
    """Return what runs the program where `blocked` cannot be imported."""
    return (sys.executable, "-c", WITHOUT.replace("BLOCKED", repr(blocked)))


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with an index of two quotes in a directory."""
    cli = Cli(tmp_path, monkeypatch)
    cli.index(RECORDS)
    return cli


def modules(done: Run) -> set[str]:
    """Return what was imported."""
    return set(done.err.partition("MODULES ")[2].split())


COMMANDS = {
    "index": ["index", "quotes.jsonl"],
    "find": ["find", "love"],
    "pair": ["pair"],
    "info": ["info"],
    "today": ["today"],
    "verify": ["index", "--verify"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_missing_extra_is_named(tmp_path: Path, command: str) -> None:
    """Without Lance, a command on a Lance dataset ends with 5 and says what to install; nothing is made."""
    write_records(tmp_path / "quotes.jsonl", RECORDS)
    done = run(without("lance"), *COMMANDS[command], "--index", "./quotes.lance", home=tmp_path / "home", cwd=tmp_path)
    said = done.err.partition("MODULES ")[0]
    assert (done.code, done.out) == (5, ""), done
    assert "needs the package lance, which is not installed" in said
    assert "pip install 'quotefind[scale]'" in said
    assert "Traceback" not in said
    assert not (tmp_path / "quotes.lance").exists()


def test_the_missing_ray_is_named(tmp_path: Path) -> None:
    """Where Ray is missing but Lance is there, --ray ends with 5 and says what to install."""
    pytest.importorskip("lance", reason="the extra scale is not installed")
    write_records(tmp_path / "quotes.jsonl", RECORDS)
    done = run(
        without("ray", "lance_ray"), "index", "quotes.jsonl", "--index", "./q.lance", "--ray", "local",
        home=tmp_path / "home", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 5, done
    assert "--ray needs the package" in done.err
    assert "pip install 'quotefind[scale]'" in done.err


def test_a_directory_needs_nothing_of_the_extra(tmp_path: Path) -> None:
    """Indexing, a search and a look at the index in a directory work without Lance, Ray and Arrow, and import none."""
    write_records(tmp_path / "quotes.jsonl", RECORDS)
    for arguments in (["index", "quotes.jsonl"], ["find", "love"], ["find", "love", "--exact"], ["info"], ["today"]):
        done = run(without(*SHARED), *arguments, home=tmp_path / "home", cwd=tmp_path)
        assert done.code == 0, done
        done = run(without(), *arguments, home=tmp_path / "home", cwd=tmp_path)
        assert done.code == 0, done
        assert "quotefind.stores" in modules(done)
        assert not modules(done) & SHARED


def test_the_library_imports_nothing_of_the_extra(tmp_path: Path) -> None:
    """`import quotefind` imports neither Lance nor Ray nor Arrow."""
    program = (sys.executable, "-c", "import sys, quotefind; print(*sys.modules)")
    done = run(program, home=tmp_path)
    assert done.code == 0, done
    assert "quotefind" in done.out.split()
    assert not set(done.out.split()) & SHARED


def test_a_lance_dataset_is_used_like_a_directory(cli: Cli) -> None:
    """The commands give the same output for a Lance dataset as for a directory; info says what it is."""
    pytest.importorskip("lance", reason="the extra scale is not installed")
    made = cli("index", "quotes.jsonl", "--index", "./shared.lance", "--quiet")
    assert (made.code, made.out, made.err) == (0, "", ""), made
    for arguments in (
        ["find", "love", "--format", "json"],
        ["find", "sea", "--author", "ann", "--hybrid", "--format", "jsonl"],
        ["pair", "--min-score", "-1", "--format", "json"],
        ["today", "--date", "2026-01-02", "--format", "json"],
        ["find", "sea", "--like", "the sea", "--exact"],
    ):
        here, there = cli(*arguments), cli(*arguments, "--index", "./shared.lance")
        assert (here.code, bool(here.out)) == (0, True), here
        assert (there.code, there.err) == (here.code, here.err), there
        assert there.out == here.out
    assert cli("index", "--verify", "--index", "./shared.lance").code == 0
    assert json.loads(cli("info", "--index", "./shared.lance", "--json").out)["quotes"] == 2


@pytest.mark.parametrize("address", ["s3://bucket/quotes", "s3://bucket/quotes.lance/x", "gs://b/q.lanced", "az://b/q"])
def test_an_address_ends_in_lance(cli: Cli, address: str) -> None:
    """An address on other storage whose name does not end in .lance is refused, with the name that it could have."""
    with pytest.raises(UsageError, match=r"must end in \.lance"):
        index_location(address)
    done = cli("find", "love", "--index", address)
    assert (done.code, done.out) == (2, "")
    assert f"{address}.lance" in done.err


@pytest.mark.parametrize(
    "address", ["http://host/quotes.lance", "ftp://a/b.lance", "file:///tmp/quotes.lance", "s4://q.lance", "s3://"]
)
def test_an_unknown_storage_is_refused(cli: Cli, address: str) -> None:
    """An address of storage that Lance does not know is refused, and no directory of that name is made."""
    done = cli("index", "quotes.jsonl", "--index", address)
    assert (done.code, done.out) == (2, "")
    assert "s3://" in done.err
    assert sorted(path.name for path in cli.folder.iterdir()) == ["home", "quotes.jsonl"]


def test_a_location_says_what_it_is(home: Path) -> None:
    """An address stays as it is, but for slashes at its end; a path is absolute, a name is in the home."""
    assert index_location("s3://bucket/a/quotes.lance/") == "s3://bucket/a/quotes.lance"
    assert index_location("S3://bucket/quotes.lance") == "S3://bucket/quotes.lance"
    assert index_location("quotes.lance") == home / "indexes" / "quotes.lance"
    assert index_location("./quotes.lance") == Path.cwd() / "quotes.lance"
    for lance in ("s3://bucket/quotes.lance", "quotes.lance", "/shared/quotes.lance", "/shared/quotes.LANCE"):
        assert is_lance(index_location(lance))
    for directory in ("quotes", "./lance", "/shared/quotes.lance.d", None):
        assert not is_lance(index_location(directory))


@pytest.mark.parametrize("command", [["find", "love"], ["pair", "love"], ["index", "quotes.jsonl"]])
def test_machines_are_for_a_dataset(cli: Cli, command: list[str]) -> None:
    """--ray beside an index in a directory is wrong usage, and so are workers without a cluster."""
    pytest.importorskip("lance_ray", reason="the extra scale is not installed")
    before = cli("info", "--json").out
    done = cli(*command, "--ray", "local")
    assert (done.code, done.out) == (2, ""), done
    assert "whose name ends in .lance" in done.err
    done = cli(*command, "--workers", "2")
    assert (done.code, done.out) == (2, ""), done
    assert "--ray ADDRESS" in done.err
    done = cli("index", "--verify", "--ray", "local")
    assert (done.code, done.out) == (2, ""), done
    assert "Run it without --ray" in done.err
    for address in ("", "nonsense", "ray://10.0.0.1:10001"):
        done = cli(*command, "--ray", address)
        assert (done.code, done.out) == (2, ""), done
        assert "as in 10.0.0.1:6379, or local" in done.err
    assert cli("info", "--json").out == before
