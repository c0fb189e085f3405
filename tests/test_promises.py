"""What the program promises of starting, importing, the network and pickles, each held in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from cli_tools import Run, run, run_on_terminal, write_records

from quotefind.cli import app

# Runs the program as its entry point does, and shows at the end what was imported. Any socket and any object out of a
# pickle end the process at once: in Python by a hook that says which, in native code and in other processes by the
# kernel. Where the program stays open, it may make the pair of local sockets through which asyncio wakes itself, and
# connect none. The variables are those of machines that test, where ONNX Runtime would tell nobody of itself.
DRIVER = f"""
import atexit, os, sys

sys.path.insert(0, {str(Path(__file__).parent)!r})
from no_network import forbid_connections
del sys.path[0]

for name in "CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD", "ORT_DISABLE_TELEMETRY":
    os.environ.pop(name, None)

def hook(event, arguments):
    if event == "socket.__new__" and arguments[1] == 1 and sys.argv[1:] in (["find"], ["serve", "--mcp"]):  # AF_UNIX
        return
    if event == "pickle.find_class" or event.startswith("socket.") and event != "socket.gethostname":
        os.write(2, ("%s %s %s" % (event.partition(".")[0].upper(), event, arguments)).encode())
        os.kill(os.getpid(), 9)

forbid_connections()
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
COMPLETED = {
    "bash": {"_QUOTEFIND_COMPLETE": "complete_bash", "COMP_CWORD": "3"},
    "zsh": {"_QUOTEFIND_COMPLETE": "complete_zsh"},
    "fish": {"_QUOTEFIND_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}
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
    **{
        f"{name} --help": (ENTRY, [*name.split(), "--help"], {})
        for name in ("find", "index", "pair", "tag", "info", "model")
    },
    "formats": (ENTRY, ["formats"], {}),
    "model download --help": (ENTRY, ["model", "download", "--help"], {}),
    "wrong usage": (ENTRY, ["find", "--nonsense"], {}),
    **{
        f"complete {option} for {shell}": (
            ENTRY,
            [],
            {
                **variables,
                "COMP_WORDS": f"quotefind\nfind\n{option}\n",
                "_TYPER_COMPLETE_ARGS": f"quotefind find {option} ",
            },
        )
        for shell, variables in COMPLETED.items()
        for option in ("--author", "--index", "--format")
    },
    "show completion": (ENTRY, ["--show-completion", "bash"], {}),
    "complete for bash": (
        ENTRY,
        [],
        {"_QUOTEFIND_COMPLETE": "complete_bash", "COMP_WORDS": "quotefind\nfind\n--", "COMP_CWORD": "2"},
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


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["find", "--help"], {}),
        (["find", "--nonsense"], {}),
        ([], COMPLETED["fish"] | {"_TYPER_COMPLETE_ARGS": "quotefind find --author "}),
    ],
    ids=["help", "wrong usage", "completion"],
)
def test_a_command_loads_its_own_module_alone(home: Path, arguments: list[str], variables: dict[str, str]) -> None:
    """Of the modules that hold a command, only that of the command on the line is imported."""
    done = run(program(), *arguments, home=home, **variables)
    imported = done.err.partition("MODULES ")[2].split()
    others = {f"quotefind.cli.{name.split()[0]}" for name in commands(typer.main.get_command(app))}
    assert "quotefind.cli.find" in imported
    assert others & set(imported) == {"quotefind.cli.find"}


@pytest.mark.parametrize("option", ["--author", "--work", "--tag"])
def test_completing_names_imports_no_numbers(bundled_home: Path, option: str) -> None:
    """Names out of an index are completed without NumPy and without any model library."""
    line = f"quotefind find {option} e"
    done = run(program(), home=bundled_home, **COMPLETED["fish"], _TYPER_COMPLETE_ARGS=line)
    assert done.code == 0, done
    assert done.out
    assert modules(done) & LIGHT == {"sqlite3"}


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


# Prints, at the end of the program, how many threads each OpenBLAS multiplies with.
COUNT_THREADS = """
import quotefind.cli as cli
import threadpoolctl
def leave(code):
    os.write(2, str([pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
                    + [os.environ.get("OPENBLAS_NUM_THREADS")]).encode())
    end(code)
os._exit = leave
import sys; sys.argv[0] = "quotefind"
cli.main()
"""
processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@pytest.mark.skipif(processors < 2, reason="one processor has one thread")
def test_a_search_of_few_quotes_starts_no_threads_of_blas(bundled_home: Path) -> None:
    """find begins with one thread for NumPy unless the user sets the number; other processes do not inherit that."""
    done = run(program(COUNT_THREADS), "find", "hope", "-k", "1", home=bundled_home)
    assert (done.code, done.err) == (0, "[1, None]"), done
    done = run(program(COUNT_THREADS), "find", "hope", "-k", "1", home=bundled_home, OPENBLAS_NUM_THREADS="2")
    assert (done.code, done.err) == (0, "[2, '2']"), done


@pytest.mark.skipif(processors < 2, reason="one processor has one thread")
@pytest.mark.parametrize(("rows", "threads"), [(1000, 1), (400_000, processors)])
def test_many_rows_are_ranked_by_all_processors(home: Path, rows: int, threads: int) -> None:
    """From some hundred thousand scores on, a ranking takes all processors, where NumPy began with one thread."""
    statement = f"""
from quotefind import blas
blas.import_numpy()
import numpy as np
from quotefind.similarity import top_k
assert top_k(np.ones(({rows}, 1), np.float32), np.ones((1, 1), np.float32), 1)[0].rows.tolist() == [0]
import threadpoolctl
print([pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"])
leave(0)
"""
    done = run((sys.executable, "-c", DRIVER + statement.replace("leave(0)", "sys.stdout.flush(); end(0)")), home=home)
    assert (done.code, done.out) == (0, f"[{threads}]\n"), done


def test_onnxruntime_sends_no_telemetry(bundled_home: Path, tmp_path: Path) -> None:
    """ONNX Runtime is told to keep and send nothing of us, whatever it would do by itself; no hook could see it."""
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run(program(), "find", "hope", "-k", "1", home=bundled_home, **places)
    assert done.code == 0, done
    assert "onnxruntime" in modules(done)
    assert list(tmp_path.iterdir()) == []
    shown = "import os, quotefind.encoders.onnx; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run((sys.executable, "-c", shown), home=bundled_home, ORT_DISABLE_TELEMETRY="0").out == "1\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random model."""
    from test_encoders import make_model

    return make_model(tmp_path_factory.mktemp("tiny") / "model")


# What is run of each other command, in the order in which it is: an index of a few quotes, and what needs one.
OTHERS: dict[str, list[list[str]]] = {
    "index": [
        ["index", "a.jsonl"],
        ["index", "-", "--input-format", "txt"],
        ["index"],
        ["index", "--verify"],
        ["index", "--compact"],
        ["index", "--rebuild"],
        ["index", "--prune", "--json"],
        ["index", "a.jsonl", "--index", "./elsewhere"],
        ["index", "--remove", "a.jsonl", "--index", "./elsewhere"],
    ],
    "export": [["export"], ["export", "-q", "-o", "out.md"], ["export", "-q", "-f", "fortune", "-o", "mine"]],
    "today": [["today"]],
    "info": [["info"], ["info", "--json"]],
    "formats": [["formats"], ["formats", "--format", "table"]],
    "topics": [["topics"]],
    "map": [["map", "-qo", "map.html", "--query", "hope"], ["map", "-qo", "map.png"], ["map", "-qo", "map.svg"]],
    "tag": [
        ["tag", "-q"],
        ["tag", "--write", "--format", "json", "-q"],
        ["find", "hope", "--tag", "hope", "--proposed"],
        ["tag", "--forget", "-q"],
    ],
    "evaluate": [["evaluate", "judged.jsonl", "--runs", "runs"]],
    "model show": [["model", "show"]],
    "find": [["find", "hope", "--like", "Know thyself."], ["find", "--queries", "requests.txt", "--format", "trec"]],
    "pair": [["pair", "--conflicts", "--quiet"]],
    "serve": [["serve", "--mcp"]],  # which answers nothing here; see test_serve
    "train": [["train", "pairs.jsonl", "--output", "out", "--model", "./tiny", "--epochs", "1", "--batch-size", "8"]],
}
FETCHES = "model download"


def commands(command: Any, *names: str) -> Iterator[str]:
    """Yield the names of `command` and of all commands in it that do something."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *names, name)
    if not hasattr(command, "commands"):
        yield " ".join(names)


def test_no_command_opens_a_socket(home_with_model: Path, tmp_path: Path, tiny: Path) -> None:
    """Every command but `model download` works where no process can connect; nor does one read a pickle."""
    from training_tools import small_pairs, write_pairs

    texts = ("Hope is the thing with feathers.", "Know thyself.", "Know thyself!")
    write_records(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    write_records(tmp_path / "judged.jsonl", [{"query": "hope", "quote": "Hope is the thing with feathers."}])
    write_pairs(tmp_path / "pairs.jsonl", small_pairs())
    (tmp_path / "requests.txt").write_text("hope\nwisdom\n")
    (tmp_path / "tiny").symlink_to(tiny, target_is_directory=True)
    before = os.umask(0o022)
    os.umask(before)
    for arguments in [call for calls in OTHERS.values() for call in calls]:
        trains = arguments[0] in ("evaluate", "train")
        done = run(
            program(),
            *arguments,
            home=home_with_model,
            cwd=tmp_path,
            stdin=b"Brevity is the soul of wit.\n",
            OMP_NUM_THREADS="1",
            PYTHONWARNINGS="ignore" if trains else "error",
            HF_HUB_OFFLINE="0",
        )
        assert done.code == 0, (arguments, done)
        assert trains or modules(done) & HEAVY == set()
    # What was asked for as a directory of files to use elsewhere has the permissions that the user's files have.
    for name in ("out", "runs"):
        assert os.name == "nt" or (tmp_path / name).stat().st_mode & 0o777 == 0o777 & ~before


def test_every_command_is_tried_without_a_network() -> None:
    """The commands that are run above, and in the searches, are all of the program but for the one that fetches."""
    tried = {*OTHERS, *(name.partition(",")[0] for name in SEARCHES), FETCHES}
    assert tried == set(commands(typer.main.get_command(app)))


def test_only_a_download_connects(home: Path, tmp_path: Path) -> None:
    """`model download` is what the hook ends, which shows that the hook would see it elsewhere."""
    done = run(program(), *FETCHES.split(), "some/model", home=home, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0")
    assert done.code == -9, done
    assert done.err.startswith("SOCKET socket.")


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


@pytest.mark.parametrize("exported", [False, True], ids=["the default model", "another model"])
def test_preparing_a_model_opens_no_socket(home: Path, tmp_path: Path, tiny: Path, exported: bool) -> None:
    """The very first use opens no socket, says nothing, leaves nothing elsewhere, and loads torch only to export.

    Its directories are for the user alone, whatever the umask; libraries are kept from the shared temporary directory.
    """
    places = {name: str(tmp_path / name) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    for place in places.values():
        Path(place).mkdir()
    arguments = ["pair", "A happy family.", "A happy family!"]
    if exported:
        arguments += ["--model", str(tiny)]
    statement = f"os.umask(0); {ENTRY}"
    done = run(program(statement), *arguments, home=home, HF_HUB_OFFLINE="0", PYTHONWARNINGS="", **places)
    assert done.code == 0, done
    assert float(done.out) > 0.8
    loaded = modules(done) & HEAVY
    assert loaded == HEAVY if exported else loaded == set()
    assert {name: list(Path(place).rglob("*")) for name, place in places.items()} == {name: [] for name in places}
    made = [home, *(path for path in home.rglob("*") if path.is_dir() or path.suffix == ".lock")]
    assert os.name == "nt" or {path.name: oct(path.stat().st_mode & 0o077) for path in made} == {
        path.name: "0o0" for path in made
    }


def test_preparing_a_model_is_named_on_a_terminal(home: Path) -> None:
    """While libraries that export a model are kept silent, the progress bar still says what goes on."""
    code = """
import os, time
from quotefind.cli import session
from quotefind.encoders.sbert import quiet
with session.progress_bar() as progress:
    progress("preparing the model (once)")
    with quiet():
        progress("exporting")
        print("noise")
        time.sleep(0.5)
        os._exit(0)  # before the bar is drawn a last time
"""
    done, written = run_on_terminal((sys.executable, "-c", code), home=home, stream="stderr")
    assert done == 0
    assert "exporting" in written
    assert "noise" not in written


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_too_little_memory_is_reported_before_the_model_is_prepared(home: Path) -> None:
    """With enough memory to encode but too little to prepare the model, one line says how much is needed."""
    limited = ("sh", "-c", 'ulimit -v 800000; exec "$@"', "sh", sys.executable, "-m", "quotefind")
    done = run(limited, "pair", "hope", "despair", home=home)
    assert (done.code, done.out) == (5, "")
    assert done.err.startswith("quotefind: There is not enough memory")
    assert "819 MB (ulimit -v)" in done.err
    assert done.err.endswith("900 MB are needed.\n")
    assert done.err.count("\n") == 1
    assert list(home.rglob("weights.bin")) == []


def test_the_very_first_find_imports_no_torch(home: Path) -> None:
    """On a fresh machine the first find prepares the model, indexes the bundled quotes and answers without torch."""
    done = run(program(), "find", "courage", "-k", "1", home=home)
    assert done.code == 0, done
    said, _, names = done.err.partition("MODULES ")
    assert "There is no index yet" in said
    assert set(names.split()) & HEAVY == set()
    assert done.out


def test_the_driver_sees_a_socket(home: Path) -> None:
    """The hook that the tests above rely on ends a process that opens a socket."""
    done = run(program("import socket; socket.socket()"), home=home)
    assert done.code == -9
    assert done.err.startswith("SOCKET socket.__new__")


def test_the_driver_sees_a_pickle(home: Path) -> None:
    """The hook ends a process that takes an object out of a pickle."""
    done = run(program("import pickle; pickle.loads(b'cos\\nsystem\\n.')"), home=home)
    assert done.code == -9
    assert done.err.startswith("PICKLE pickle.find_class ('os', 'system')")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the filter is one of Linux")
@pytest.mark.parametrize(
    "statement",
    [
        "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)",
        "import subprocess; leave(subprocess.call([sys.executable, '-c', 'import socket; socket.socket()']))",
    ],
)
def test_the_driver_sees_a_socket_in_native_code_and_in_other_processes(home: Path, statement: str) -> None:
    """The kernel ends who makes a socket past the hook of Python."""
    if run(program("leave(not forbid_connections())"), home=home).code:
        pytest.skip("this system has no such filter")
    done = run(program(statement), home=home)
    assert done.code in (-signal.SIGSYS, 256 - signal.SIGSYS), done


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
