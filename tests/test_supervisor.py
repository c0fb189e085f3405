"""A command on a cluster runs in a child process, and its parent reports what Ray does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

BEGIN = """
import os, sys, time
from quotefind import interrupts
interrupts.install()
from quotefind.cli.supervisor import report_orderly_end, supervise
supervise("10.0.0.1:6379", "./none.lance")
try:
    {}
except KeyboardInterrupt:
    interrupts.exit_now()
"""
WAIT = "print(os.getpid(), flush=True); time.sleep(60)"


def started(then: str, folder: Path) -> subprocess.Popen[str]:
    """Start a supervised program that runs `then`."""
    command = [sys.executable, "-c", BEGIN.format(then)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)


@pytest.mark.parametrize(
    ("then", "code"),
    [("sys.exit(0)", 0), ("report_orderly_end(); os._exit(1)", 1), ("sys.exit(4)", 4), ("os._exit(5)", 5)],
)
def test_what_ends_in_order(then: str, code: int, tmp_path: Path) -> None:
    """The exit code and the output are those of the process that does the work."""
    with started(f"print('found', flush=True); {then}", tmp_path) as running:
        assert running.communicate(timeout=60) == ("found\n", "")
    assert running.returncode == code


def test_what_ends_without_a_word(tmp_path: Path) -> None:
    """If the child ends as Ray ends a process, the parent names the cluster and the state of the index."""
    pytest.importorskip("lance", reason="the extra scale is not installed")
    with started("os._exit(1)", tmp_path) as running:
        out, errors = running.communicate(timeout=60)
    assert (running.returncode, out) == (5, "")
    assert "10.0.0.1:6379 no longer answers" in errors
    assert "There is no index in" in errors
    assert len(errors.splitlines()) == 1


def test_a_program_error_is_not_blamed_on_the_cluster(tmp_path: Path) -> None:
    """After a traceback the exit code is 1, as without a cluster, and nothing is printed about the cluster."""
    with started("raise ValueError('a bug')", tmp_path) as running:
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert errors.splitlines()[-1] == "ValueError: a bug"
    assert "10.0.0.1" not in errors.splitlines()[-1]


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "quotefind: interrupted\n"), (signal.SIGTERM, 128 + signal.SIGTERM, "")],
)
def test_signals_reach_the_work(number: signal.Signals, code: int, said: str, tmp_path: Path) -> None:
    """A signal to the parent ends both processes, and one message is printed."""
    with started(WAIT, tmp_path) as running:
        assert running.stdout is not None
        worker = int(running.stdout.readline())
        running.send_signal(number)
        assert running.communicate(timeout=10)[1] == said
    assert running.returncode == code
    assert worker != running.pid
    assert gone(worker)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process with its parent")
def test_killed_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """If the parent is killed, so is the child, which may hold the lock of the index."""
    with started(WAIT, tmp_path) as running:
        assert running.stdout is not None
        worker = int(running.stdout.readline())
        running.kill()
    assert gone(worker)


def gone(process: int) -> bool:
    """Whether a process ends within some seconds; a zombie has ended too."""
    end = time.monotonic() + 10
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.kill(process, 0)
            with suppress(OSError):
                if Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                    return True
            time.sleep(0.02)
        return False
    return True
