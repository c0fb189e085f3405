"""What the program promises of starting, importing and the network, each held in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from cli_tools import Run, run, write_records

# Runs the program as its entry point does, and shows at the end what was imported. Any socket ends the process at once.
DRIVER = """
import atexit, os, sys

def hook(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        os.write(2, f"SOCKET {event} {arguments}".encode())
        os.kill(os.getpid(), 9)

sys.addaudithook(hook)
end = os._exit

def report():
    os.write(2, b"MODULES " + " ".join(sys.modules).encode())

def leave(code):
    report()
    end(code)

os._exit = leave
atexit.register(report)  # where torch is loaded, the program ends in the ordinary way
"""
ENTRY = "from quotefind.__main__ import main; main()"
HEAVY = {"torch", "transformers", "sentence_transformers"}
LIGHT = HEAVY | {"numpy", "onnxruntime", "tokenizers", "huggingface_hub", "sqlite3"}


def program(statement: str = ENTRY) -> tuple[str, ...]:
    """Return what runs `statement` under the driver."""
    return (sys.executable, "-c", f"{DRIVER}\n{statement}")


def modules(done: Run) -> set[str]:
    """Return what was imported."""
    said, marker, names = done.err.partition("MODULES ")
    assert (said, marker) == ("", "MODULES "), done
    return set(names.split())


START = {
    "import quotefind": ("import quotefind; leave(0)", [], {}),
    "import the command line": ("import quotefind.cli; leave(0)", [], {}),
    "--help": (ENTRY, ["--help"], {}),
    "--version": (ENTRY, ["--version"], {}),
    **{f"{name} --help": (ENTRY, [*name.split(), "--help"], {}) for name in ("find", "index", "pair", "info", "model")},
    "model download --help": (ENTRY, ["model", "download", "--help"], {}),
    "wrong usage": (ENTRY, ["find", "--nonsense"], {}),
    "show completion": (ENTRY, ["--show-completion", "bash"], {}),
    "complete for bash": (
        ENTRY,
        [],
        {"_QUOTEFIND_COMPLETE": "complete_bash", "COMP_WORDS": "quotefind find --", "COMP_CWORD": "2"},
    ),
    "complete for zsh": (
        ENTRY,
        [],
        {"_QUOTEFIND_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "quotefind find --"},
    ),
}


@pytest.mark.parametrize("name", START)
def test_starting_imports_nothing_heavy_and_makes_nothing(home: Path, tmp_path: Path, name: str) -> None:
    """Importing, help, version and completion load neither NumPy nor any model library, and write no file."""
    statement, arguments, variables = START[name]
    done = run(program(statement), *arguments, home=home, HOME=str(tmp_path), **variables)
    said, _, names = done.err.partition("MODULES ")
    imported = set(names.split())
    assert "quotefind" in imported
    assert imported & LIGHT == set()
    assert (done.code, said == "") == ((2, False) if name == "wrong usage" else (0, True)), done
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["complete for bash", "complete for zsh"])
def test_completion_offers_the_options(home: Path, name: str) -> None:
    """Completion offers the options of the command that is being typed."""
    statement, _, variables = START[name]
    done = run(program(statement), home=home, **variables)
    assert "--one-per-author" in done.out
    assert "--prune" not in done.out


SEARCHES = {
    "find": ["find", "hope", "--format", "table"],
    "find, with options": ["find", "hope", "--hybrid", "--diverse", "--one-per-author", "--not", "war"],
    "find, many": ["find", "-"],
    "pair, two texts": ["pair", "hope", "despair"],
    "pair, the square": ["pair", "hope", "despair", "doubt", "--format", "csv"],
    "pair, one text": ["pair", "hope"],
    "pair, mining": ["pair", "-k", "3"],
    "pair, a file": ["pair", "--pairs", "-"],
}


@pytest.mark.parametrize("name", SEARCHES)
def test_searching_imports_no_torch_and_opens_no_socket(bundled_home: Path, name: str) -> None:
    """find and pair with the real model load neither torch, transformers nor sentence-transformers, nor a socket."""
    done = run(program(), *SEARCHES[name], home=bundled_home, stdin=b"hope so\tdespair not\n")
    assert done.code == 0, done
    assert done.out
    assert modules(done) & HEAVY == set()


def test_onnxruntime_sends_no_telemetry(bundled_home: Path, tmp_path: Path) -> None:
    """ONNX Runtime is told to keep and send nothing of us, whatever it would do by itself; no hook could see it."""
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run(program(), "find", "hope", "-k", "1", home=bundled_home, **places)
    assert done.code == 0, done
    assert "onnxruntime" in modules(done)
    assert list(tmp_path.iterdir()) == []
    shown = "import os, quotefind.encoders.onnx; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run((sys.executable, "-c", shown), home=bundled_home, ORT_DISABLE_TELEMETRY="0").out == "1\n"


def test_the_other_commands_open_no_socket(home_with_model: Path, tmp_path: Path) -> None:
    """index, verify, rebuild and info work without a socket, and without torch where the model is prepared."""
    source = write_records(tmp_path / "a.jsonl", [{"text": "Hope is the thing with feathers."}])
    for arguments in (
        ["index", str(source)],
        ["index", "--verify"],
        ["index", "--rebuild"],
        ["info"],
        ["find", "hope"],
    ):
        done = run(program(), *arguments, home=home_with_model)
        assert done.code == 0, done
        assert modules(done) & HEAVY == set()


def test_a_model_that_is_not_here_is_not_fetched(home_with_model: Path, tmp_path: Path) -> None:
    """A model that has to come from the hub is an error, without a socket, whatever the environment says of the hub."""
    source = write_records(tmp_path / "a.jsonl", [{"text": "Hope is the thing with feathers."}])
    done = run(
        program(),
        "index",
        source,
        "--model",
        "some/model",
        home=home_with_model,
        HF_HUB_OFFLINE="0",
        HF_HOME=str(tmp_path / "hub"),
        PYTHONWARNINGS="ignore",
    )
    assert done.code == 5, done
    assert "quotefind model download some/model" in done.err


def test_preparing_the_model_opens_no_socket(home: Path) -> None:
    """The very first use, which exports the model, opens no socket either, and says nothing."""
    done = run(
        program(), "pair", "A happy family.", "A happy family!", home=home, HF_HUB_OFFLINE="0", PYTHONWARNINGS=""
    )
    assert done.code == 0, done
    assert float(done.out) > 0.8
    assert "torch" in modules(done)


def test_the_driver_sees_a_socket(home: Path) -> None:
    """The hook that the tests above rely on ends a process that opens a socket."""
    done = run(program("import socket; socket.socket()"), home=home)
    assert done.code == -9
    assert done.err.startswith("SOCKET socket.__new__")


def test_paths_without_quotefind_home(tmp_path: Path, real_home: Path) -> None:
    """Without QUOTEFIND_HOME indexes are in the user's data directory and models in the cache directory."""
    cache = tmp_path / "cache" / "quotefind"
    cache.mkdir(parents=True)
    (cache / "models").symlink_to(real_home / "cache" / "models", target_is_directory=True)
    source = write_records(tmp_path / "a.jsonl", [{"text": "Hope is the thing with feathers."}])
    places = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run(program(), "index", source, home=Path(), **places, QUOTEFIND_HOME="")
    assert done.code == 0, done
    assert modules(done) & HEAVY == set()
    made = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("index.sqlite"))
    assert made == ["data/quotefind/indexes/default/index.sqlite"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_an_index_is_private(home_with_model: Path, tmp_path: Path) -> None:
    """What is made for a named index can be read by its owner alone."""
    source = write_records(tmp_path / "a.jsonl", [{"text": "Hope is the thing with feathers."}])
    assert run(program(), "index", source, home=home_with_model).code == 0
    directory = home_with_model / "indexes" / "default"
    assert {path.name: path.stat().st_mode & 0o077 for path in [directory, *directory.iterdir()]} == dict.fromkeys(
        [directory.name, *(path.name for path in directory.iterdir())], 0
    )
