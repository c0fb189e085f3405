"""Ctrl-C at any moment: exit code 130 within a second, one line on stderr, nothing on disk that the next run minds."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tools import PROGRAM, Run, environment, run, run_on_terminal

from quotefind import interrupts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals of POSIX")

ONE_LINE = "quotefind: interrupted\n"
# What `index` says, with the number of quotes if some are kept.
KEPT = r"quotefind: interrupted(?:; [1-9][0-9,]* quotes are kept; run the same command to continue)?\n"
# The whole program, as its entry point runs it, with BODY in the place of the command `info`.
WITH_BODY = """
import os, signal, sys
from pathlib import Path

def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)

def body(_):
{body}

sys.argv = ["quotefind", "info"]
import quotefind.cli.info
quotefind.cli.info.index_location = body
from quotefind.__main__ import main
main()
"""
# A statement of SQLite that runs for minutes and hears of no signal.
LONG = (
    "import sqlite3; sqlite3.connect(':memory:').execute("
    "'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT count(*) FROM n')"
)


def interrupted(*command: str | Path, home: Path, after: float | str, **others: object) -> Run:
    """Run a command as a process and interrupt it; it must end soon.

    Args:
        command: the program and its arguments.
        home: its QUOTEFIND_HOME.
        after: the number of seconds until SIGINT is sent; or a pattern; then it is sent when `home` holds such a file.
        others: further arguments of Popen.
    """
    process = subprocess.Popen(
        [*map(str, command)],
        # What is interrupted leaves an open file to Python, which would warn of it.
        env=environment(home, PYTHONWARNINGS="error,ignore::ResourceWarning"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **others,  # type: ignore[call-overload]
    )
    if isinstance(after, str):
        while process.poll() is None and not any(home.glob(after)):
            time.sleep(0.005)
    else:
        time.sleep(after)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert time.monotonic() - sent < 10  # a second, but for a machine that does ten other things
    return Run(process.returncode, out, err)


def with_body(*lines: str, home: Path, **more: str) -> Run:
    """Run the program with `lines` as its command."""
    program = WITH_BODY.format(body="\n".join(f"    {line}" for line in lines))
    return run((sys.executable, "-c", program), home=home, timeout=60, **more)


def check_end(done: Run, *, may_finish: bool = True, line: str = ONE_LINE) -> None:
    """Check that an interrupted process ended with the exit code and the `line` (a pattern) it must, or was done."""
    if done.code == 0 and may_finish:
        return
    if done.code != 130:  # Python itself was interrupted, before it called us
        assert done.code in (1, -signal.SIGINT), done
        assert not re.search(r'__main__.py", line \d+, in main', done.err), done
        return
    assert re.fullmatch(line, done.err), done


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A source of 2,000 short quotes."""
    path = tmp_path / "many.txt"
    path.write_text("".join(f"Hope is the sea, number {n}.\n" for n in range(2000)), encoding="utf-8")
    return path


def test_indexing_is_interrupted_at_many_moments(home_with_model: Path, many: Path) -> None:
    """Whenever Ctrl-C comes, `index` ends with 130 and one line, and goes on in the next run to a whole index."""
    for moment in (0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.9, 1.4):
        check_end(interrupted(*PROGRAM, "index", many, "--quiet", home=home_with_model, after=moment), line=KEPT)
    done = run(PROGRAM, "index", many, "--json", home=home_with_model)
    assert (done.code, done.json["quotes"]) == (0, 2000), done
    assert run(PROGRAM, "index", "--verify", "--json", home=home_with_model).json == {"verified": 2000}


@pytest.mark.parametrize(
    ("arguments", "moment"), [("find hope", 0.2), ("find hope", 0.35), ("pair", 0.3), ("index --verify", 0.3)]
)
def test_reading_commands_are_interrupted(bundled_home: Path, arguments: str, moment: float) -> None:
    """Commands that read an index end with 130 and one line too, or were done before."""
    check_end(interrupted(*PROGRAM, *arguments.split(), home=bundled_home, after=moment))


@pytest.mark.parametrize("moment", ["cache/models/*.lock", "cache/models/.*/weights.bin"])
def test_preparing_the_model_is_interrupted(home: Path, moment: str) -> None:
    """Before and after the weights are written, Ctrl-C ends the program as everywhere; no unfinished model is kept."""
    check_end(interrupted(*PROGRAM, "pair", "hope", "fear", home=home, after=moment), may_finish=False)
    assert list(home.glob("cache/models/*/prepared.json")) == []


def test_a_long_call_is_ended(home: Path) -> None:
    """Where the main thread sits in a call that hears of no signal, the process ends all the same."""
    done = with_body("import threading", "threading.Timer(0.3, ctrl_c).start()", LONG, home=home)
    assert (done.code, done.out, done.err) == (130, "", ONE_LINE)


def test_an_interrupt_that_is_lost_counts(home: Path) -> None:
    """An interrupt in a destructor, which Python cannot raise, is said nothing of and ends the program."""
    done = with_body(
        "import time",
        "class Lost:",
        "    def __del__(self):",
        "        ctrl_c()",
        "        time.sleep(0)",
        "Lost()",
        "time.sleep(60)",
        home=home,
    )
    assert (done.code, done.out, done.err) == (130, "", ONE_LINE)


def test_an_interrupt_that_becomes_another_error_is_one(home: Path) -> None:
    """Where a library makes another error of the interrupt, it is told as what it was, without a traceback."""
    done = with_body("try:", "    ctrl_c()", "except BaseException:", "    raise ValueError('odd')", home=home)
    assert (done.code, done.out, done.err) == (130, "", ONE_LINE)


def test_a_second_interrupt_does_not_disturb(home: Path, tmp_path: Path) -> None:
    """A second signal, as some starters of programs send it, does not break what is cleaned up after the first."""
    cleaned = tmp_path / "cleaned"
    done = with_body(
        "try:", "    ctrl_c()", "finally:", "    ctrl_c()", f"    Path({str(cleaned)!r}).touch()", home=home
    )
    assert (done.code, done.out, done.err, cleaned.exists()) == (130, "", ONE_LINE, True)


@pytest.mark.parametrize("module", ["quotefind.interrupts", "typer", "quotefind.cli.output"])
def test_an_interrupt_during_an_import(home: Path, module: str) -> None:
    """An interrupt while the program is still being imported ends it with 130 and one line, too."""
    program = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        "            sys.meta_path.remove(self)\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from quotefind.__main__ import main\n"
        "main()\n"
    )
    done = run((sys.executable, "-c", program), "info", home=home)
    assert (done.code, done.out, done.err) == (130, "", ONE_LINE)


def test_a_full_pipe_does_not_hold_it(bundled_home: Path) -> None:
    """A program that waits for somebody to read its output ends too: what it could not write is given up."""
    process = subprocess.Popen(
        [*PROGRAM, "find", "hope", "-k", "1500", "--format", "jsonl"],
        env=environment(bundled_home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1) == b"{"  # from here on the pipe is full, and nobody reads
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=30) == 130
        assert process.stderr.read().decode() == ONE_LINE
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()


def test_an_ignored_signal_stays_ignored(bundled_home: Path) -> None:
    """Where whoever started the program has it ignore SIGINT, as nohup does, it goes on."""
    command = (*PROGRAM, "find", "hope", "-k", "1", "--format", "jsonl")
    ignore = shutil.which("sh"), "-c", 'trap "" INT; exec "$@"', "sh"
    done = interrupted(*map(str, ignore), *command, home=bundled_home, after=0.2)
    assert (done.code, len(done.lines), done.err) == (0, 1, "")


def test_the_cursor_is_shown_again(home: Path) -> None:
    """On a terminal the progress bar, which had hidden the cursor, is wiped away before the line is written."""
    body = (
        "import threading",
        "from quotefind.cli import session",
        "with session.progress_bar() as progress:",
        "    progress('working')",
        "    threading.Timer(0.3, ctrl_c).start()",
        f"    {LONG}",
    )
    program = WITH_BODY.format(body="\n".join(f"    {line}" for line in body))
    code, written = run_on_terminal((sys.executable, "-c", program), home=home, stream="stderr")
    assert code == 130
    assert "working" in written
    assert written.endswith("\r\x1b[2K\x1b[?25h" + ONE_LINE)


def test_without_a_thread_it_is_interrupted_too(home: Path) -> None:
    """Where no thread can be started to wait for the signal, Python's own way is left."""
    program = (
        "import os, signal, sys, threading\n"
        'def refuse(*_): raise RuntimeError("can\'t start new thread")\n'
        "threading.Thread.start = refuse\n"
    )
    done = run((sys.executable, "-c", program + WITH_BODY.format(body="    ctrl_c()")), home=home)
    assert (done.code, done.out, done.err) == (130, "", ONE_LINE)


def test_signals_are_lent() -> None:
    """Who is told of signals is told again behind a block in which another was, whatever that other left."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing)
    try:
        with interrupts.wakeup_lent():
            assert signal.set_wakeup_fd(-1) == -1
        assert signal.set_wakeup_fd(writing) == writing
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
