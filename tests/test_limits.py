"""Where memory, threads or open files do not suffice: one line, a documented exit code, the index as it was."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_tools import PROGRAM, Cli, Run, environment, run
from test_encoders import make_model

from quotefind import limits
from quotefind.encoders import open_encoder
from quotefind.errors import IndexUnusableError, ModelError, QuotefindError, SourceError, UsageError
from quotefind.training.fine_tuning import _failures_reported


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A way to run commands in this process."""
    return Cli(tmp_path, monkeypatch)


def caused(error: Exception, cause: BaseException) -> Exception:
    """Return `error` as if it had been raised from `cause`."""
    error.__cause__ = cause
    return error


def of_sqlite(name: str) -> sqlite3.Error:
    """Return an error that SQLite calls `name`."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    return error


def of_numpy() -> MemoryError:
    """Return what NumPy raises where an array is larger than memory."""
    with pytest.raises(MemoryError) as raised:
        np.empty(1 << 50)
    return raised.value


MEMORY = "There is not enough memory."
WANTS = {
    "Python": (MemoryError(), MEMORY, 5),
    "NumPy": (of_numpy(), MEMORY, 5),
    "ONNX Runtime": (
        RuntimeError("[ONNXRuntimeError] : 6 : Exception: std::bad_alloc"),
        MEMORY,
        5,
    ),
    "ONNX Runtime, an arena": (RuntimeError("Failed to allocate memory for requested buffer of size 4096"), MEMORY, 5),
    "torch": (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."), MEMORY, 5),
    "a library that is loaded": (ImportError("libx.so: failed to map segment from shared object"), MEMORY, 5),
    "the system": (OSError(errno.ENOMEM, "Cannot allocate memory", "a.npy"), MEMORY, 5),
    "SQLite": (of_sqlite("SQLITE_IOERR_NOMEM"), MEMORY, 5),
    "an index": (caused(IndexUnusableError("Damaged; delete it."), OSError(errno.ENOMEM, "")), MEMORY, 4),
    "a model": (caused(ModelError("Damaged; delete it."), RuntimeError("std::bad_alloc")), MEMORY, 5),
    "threads": (RuntimeError("can't start new thread"), "No more threads can be started.", 5),
    "open files": (OSError(errno.EMFILE, "Too many open files", "a.npy"), "Too many files are open (at a.npy).", 5),
    "open files of all": (caused(SourceError("?"), OSError(errno.ENFILE, "")), "Too many files are open.", 3),
}


@pytest.mark.parametrize("name", WANTS)
def test_a_want_is_told_as_one(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whoever raises it, a want of memory, threads or files is one line that names what to do, never a wrong advice."""
    error, said, code = WANTS[name]
    monkeypatch.setattr("quotefind.cli.info.index_location", raiser(error))
    done = cli("info")
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert done.err.startswith(f"quotefind: {said}")
    assert "ulimit" in done.err


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), RuntimeError("another"), caused(KeyError("x"), OSError(errno.ENOENT, "no"))]
)
def test_a_bug_keeps_its_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """What is no want of anything is raised as it is."""
    monkeypatch.setattr("quotefind.cli.info.index_location", raiser(error))
    with pytest.raises(type(error)):
        cli("info")


def test_an_error_about_what_was_named_keeps_its_message(cli: Cli) -> None:
    """A file that has "out of memory" in its name is no want of memory."""
    done = cli("index", cli.folder / "out of memory.txt")
    assert (done.code, "No such file" in done.err) == (3, True), done


def raiser(error: BaseException) -> Callable[..., None]:
    """Return what raises `error`, whatever it is called with."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_model_is_not_called_damaged_for_want_of_memory(
    home_with_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ONNX Runtime cannot get memory, nobody is told to delete the model; an error of the file says so still."""
    assert home_with_model.exists()
    encoder = open_encoder(device="cpu")
    monkeypatch.setattr("onnxruntime.InferenceSession", raiser(RuntimeError("std::bad_alloc")))
    with pytest.raises(ModelError, match=r"^There is not enough memory\.") as memory:
        encoder.encode_quotes(["hope"])
    monkeypatch.setattr("onnxruntime.InferenceSession", raiser(RuntimeError("Protobuf parsing failed")))
    with pytest.raises(ModelError, match="Delete that directory"):
        encoder.encode_quotes(["hope"])
    assert "elete" not in str(memory.value)


def test_a_batch_that_gets_no_memory(home_with_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that runs out while a batch is encoded is told as that; anything else there is a bug."""
    assert home_with_model.exists()
    encoder = open_encoder(device="cpu")
    assert len(encoder.encode_quotes(["hope"])) == 1
    monkeypatch.setattr("onnxruntime.InferenceSession.run", raiser(RuntimeError("FusedMatMul: std::bad_alloc")))
    with pytest.raises(ModelError, match=r"^There is not enough memory\."):
        encoder.encode_quotes(["hope"])
    monkeypatch.setattr("onnxruntime.InferenceSession.run", raiser(RuntimeError("Unexpected input data type")))
    with pytest.raises(RuntimeError, match="Unexpected"):
        encoder.encode_quotes(["hope"])


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (RuntimeError("DefaultCPUAllocator: not enough memory"), ModelError, "--batch-size"),
        (OSError(errno.ENOSPC, "No space left on device"), UsageError, "Free some space, then continue with --resume"),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 4 vs 3"),
            UsageError,
            "Free some space",
        ),
        (
            Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
            UsageError,
            "Free some space",
        ),
        (UsageError("The training diverges."), UsageError, "diverges"),
        (RuntimeError("a bug"), RuntimeError, "a bug"),
    ],
)
def test_a_training_says_what_it_lacked(error: Exception, kind: type[Exception], said: str) -> None:
    """Memory or disk that is short while training is an error that says how to go on; a bug stays one."""
    with pytest.raises(kind, match=said) as raised, _failures_reported(Path("model")):
        raise error
    assert isinstance(raised.value, QuotefindError) or raised.value is error


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_limits_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is too low is an error before a library ends the process over it; no limit is none."""
    import resource

    kinds = (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_NOFILE)
    allowed = dict.fromkeys(kinds, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (allowed[kind], 0))
    need = limits.MemoryRequirement(5_000_000, 2_000_000)
    limits.check(need, mapped=1 << 60)
    allowed[resource.RLIMIT_AS] = 5_000_000
    limits.check(need)
    with pytest.raises(ModelError, match=r"the limit is 5 MB \(ulimit -v\), but 6 MB are needed"):
        limits.check(need, mapped=1_000_000)
    allowed[resource.RLIMIT_DATA] = 1_000_000
    with pytest.raises(ModelError, match=r"the limit is 1 MB \(ulimit -d\), but 2 MB are needed"):
        limits.check(need)
    allowed[resource.RLIMIT_DATA] = 2_000_000
    allowed[resource.RLIMIT_NOFILE] = 31
    with pytest.raises(ModelError, match=r"too low: 31\. Raise it: ulimit -n 256"):
        limits.check(need)


def limited(limit: str, *arguments: str, home: Path) -> Run:
    """Run the program in a shell that was given a `limit`."""
    shell = (shutil.which("sh") or "sh", "-c", f'ulimit {limit} && exec "$@"', "sh")
    done = subprocess.run(
        [*shell, *PROGRAM, *arguments], env=environment(home), capture_output=True, timeout=120, check=False
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds processes to such limits")
@pytest.mark.parametrize(
    ("limit", "arguments"),
    [
        ("-v 200000", ["info"]),
        ("-v 300000", ["find", "hope"]),
        ("-v 500000", ["find", "hope"]),
        ("-v 500000", ["index", "more.txt"]),
        ("-v 1000000", ["index", "--rebuild", "--model", "./unprepared"]),
        ("-d 120000", ["find", "hope"]),
        ("-n 12", ["find", "hope"]),
        ("-n 20", ["pair"]),
    ],
)
def test_a_process_with_little(cli: Cli, home_with_model: Path, limit: str, arguments: list[str]) -> None:
    """With little memory or few files, each command ends with 5 and one line on the limit, and harms nothing."""
    (cli.folder / "some.txt").write_text("A quote.\n", encoding="utf-8")
    (cli.folder / "more.txt").write_text("A quote that is new.\n", encoding="utf-8")
    make_model(cli.folder / "unprepared")
    made = run(PROGRAM, "index", "some.txt", "--quiet", home=home_with_model)
    assert made.code == 0, made
    done = limited(limit, *arguments, home=home_with_model)
    assert (done.code, done.out, done.err.count("\n")) == (5, "", 1), done
    assert f"ulimit {limit[:2]}" in done.err
    assert run(PROGRAM, "index", "--verify", "--json", home=home_with_model).json == {"verified": 1}
