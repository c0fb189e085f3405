"""What the tests of the command line share: an encoder whose scores can be reckoned by hand, and ways to run commands.

Run as a script, this is the program with that encoder in the place of the real one.
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from quotefind.errors import IndexUnusableError, ModelError
from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors

WORDS = ("love", "war", "sea", "time", "hope", "king")
SCRIPT = Path(__file__).resolve()
PROGRAM = (sys.executable, "-m", "quotefind")
FAKE_PROGRAM = (sys.executable, str(SCRIPT))
# What a terminal could obey, or what hides text: C0, DEL and C1 controls, separators of lines, marks and overrides of
# direction, deprecated format characters, annotations and tags.
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Variables that would decide for the program how it writes.
_DECIDING = (
    "PYTHONUNBUFFERED",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "COLUMNS",
    "LINES",
    "QUOTEFIND_INDEX",
    "QUOTEFIND_FORMAT",
    "QUOTEFIND_TOP",
)


class WordEncoder:
    """Counts the words of WORDS in a text, one component each, and all others as a small last one."""

    dim = len(WORDS) + 1
    pooling = "mean"
    max_tokens = 40

    def __init__(self, name: str = "words") -> None:
        """Be the model called `name`; each name has its own fingerprint."""
        self.name = name
        self.fingerprint = name.encode().hex().ljust(64, "0")

    def encode_quotes(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """Return (n, dim) float32 unit rows."""
        rows = [[sum(found == word for found in re.findall(r"\w+", text.lower())) for word in WORDS] for text in texts]
        counts = np.array([[*row, not any(row)] for row in rows], np.float32).reshape(-1, self.dim)
        progress("encoding", len(texts), len(texts))
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dim) float32 unit rows."""
        return self.encode_quotes(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many words each text has."""
        return [len(text.split()) for text in texts]


def open_words(model: str | None = None, *, fingerprint: str | None = None, **_: object) -> WordEncoder:
    """Open a WordEncoder as `quotefind.encoders.open_encoder` opens a real one; "nosuch" is not there."""
    if model == "nosuch":
        raise ModelError("There is no model 'nosuch'.")
    encoder = WordEncoder(model or "words")
    if fingerprint not in (None, encoder.fingerprint):
        raise IndexUnusableError("The index was made with another model.")
    return encoder


class Run:
    """What a command did: its exit code and what it wrote."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        """Keep `code` and the two streams, UTF-8."""
        self.code, self.out, self.err = code, out.decode(), err.decode()

    def __repr__(self) -> str:
        """Show all of it where an assertion fails."""
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """The stdout, which is JSON."""
        return json.loads(self.out)

    @property
    def texts(self) -> list[str]:
        """The texts of the hits in stdout, which is JSON Lines."""
        return [json.loads(line)["text"] for line in self.lines]


class Cli:
    """Runs commands in this process, with WordEncoder and a home of their own; `opened` lists (model, device)."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep indexes below `folder`, and make it the current directory."""
        self.folder = folder
        self.home = folder / "home"
        self.opened: list[tuple[str | None, str]] = []
        monkeypatch.chdir(folder)
        monkeypatch.setenv("QUOTEFIND_HOME", str(self.home))
        for name in _DECIDING:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("quotefind.encoders.open_encoder", self._open)

    def __call__(self, *arguments: str | Path, stdin: str | bytes | None = None, columns: int | None = None) -> Run:
        """Run `quotefind ARGUMENTS…`; an error that the program does not expect is raised here."""
        from quotefind.cli import app

        result = CliRunner(env={"COLUMNS": str(columns) if columns else None}).invoke(
            app, [str(argument) for argument in arguments], input=stdin, catch_exceptions=False, prog_name="quotefind"
        )
        return Run(result.exit_code, result.stdout_bytes, result.stderr_bytes)

    def index(self, records: Iterable[object], *arguments: str) -> Path:
        """Index `records` from quotes.jsonl into the default index; return that file."""
        source = write_records(self.folder / "quotes.jsonl", records)
        done = self("index", source, "--quiet", *arguments)
        assert (done.code, done.out, done.err) == (0, "", ""), done
        return source

    def _open(self, model: str | None = None, *, device: str = "auto", **others: Any) -> WordEncoder:
        self.opened.append((model, device))
        return open_words(model, device=device, **others)


def write_records(path: Path, records: Iterable[object]) -> Path:
    """Write `records` as JSON Lines to `path`; return it."""
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a subprocess whose indexes are in `home`, where nothing decides how it writes."""
    kept = {name: value for name, value in os.environ.items() if name not in _DECIDING}
    return {**kept, "QUOTEFIND_HOME": str(home), "TERM": "xterm-256color", "PYTHONWARNINGS": "error", **more}


def run(
    program: Sequence[str],
    *arguments: str | Path,
    home: Path,
    stdin: bytes = b"",
    timeout: float = 120,
    cwd: Path | None = None,
    **more: str,
) -> Run:
    """Run `program ARGUMENTS…` as a process of its own, its streams being pipes."""
    done = subprocess.run(
        [*program, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=timeout,
        env=environment(home, **more),
        cwd=cwd,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def run_on_terminal(
    program: Sequence[str], *arguments: str | Path, home: Path, columns: int = 100, stream: str = "stdout", **more: str
) -> tuple[int, str]:
    """Run `program ARGUMENTS…` with `stream` on a terminal of its own; return the exit code and what it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [*program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs if stream == "stdout" else subprocess.DEVNULL,
        stderr=theirs if stream == "stderr" else subprocess.DEVNULL,
        env=environment(home, **more),
    )
    os.close(theirs)
    written = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return process.wait(timeout=60), written.decode().replace("\r\n", "\n")


class Terminal:
    """A program on a terminal of its own, to type to, which says where its cursor is when it is asked.

    Attributes:
        raw: all that was written to it so far.
    """

    _READY = "\x1b[?2004h"  # what a prompt writes when it takes keys
    _CURSOR = "\x1b[6n"
    _PATIENCE = 60  # seconds, after which a test fails rather than wait

    def __init__(
        self, program: Sequence[str], *arguments: str | Path, home: Path, columns: int = 100, **more: str
    ) -> None:
        """Start `program ARGUMENTS…`."""
        self.raw = ""
        self._seen = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            [*program, *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(home, NO_COLOR="1", **more),
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        """Return this, once it takes keys."""
        self.until(self._READY)
        return self

    def __exit__(self, *_: object) -> None:
        """End the program if it goes on."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        """Type `keys`."""
        os.write(self._ours, keys.encode("utf-8", "surrogateescape"))

    def ask(self, line: str) -> str:
        """Type `line` and the Enter key; return what is shown until the program takes keys again."""
        self.press(f"{line}\r")
        return self.until(self._READY)

    def until(self, text: str) -> str:
        """Return what is shown until `text` comes, without what moves the cursor."""
        while text not in self.raw[self._seen :]:
            come = select.select([self._ours], [], [], self._PATIENCE)[0]
            chunk = _read(self._ours) if come else b""
            assert chunk, f"{text!r} did not come: {self.raw[self._seen :]!r}"
            self._take(chunk)
        start, self._seen = self._seen, self.raw.index(text, self._seen) + len(text)
        return visible(self.raw[start : self._seen])

    def end(self, keys: str) -> tuple[int, str]:
        """Type `keys`, which end the program; return its exit code and what is shown until then."""
        self.press(keys)
        for chunk in iter(lambda: _read(self._ours), b""):
            self._take(chunk)
        return self.process.wait(timeout=60), visible(self.raw[self._seen :])

    def _take(self, chunk: bytes) -> None:
        before = len(self.raw)
        self.raw += self._decoder.decode(chunk)
        if self._CURSOR in self.raw[max(before - 3, 0) :]:
            self.press("\x1b[1;1R")


def visible(written: str) -> str:
    """Return what was written to a terminal without the sequences that it obeys, each line's end as one character."""
    return re.sub("\x1b\\[[0-?]*[ -/]*[@-~]", "", written).replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError as error:
        if error.errno != errno.EIO:  # what Linux says where the other end of a terminal was closed
            raise
        return b""


def main(opener: Callable[..., Any] = open_words) -> None:
    """Be the program with another encoder."""
    import quotefind.__main__
    import quotefind.encoders

    quotefind.encoders.open_encoder = opener
    quotefind.__main__.main()


if __name__ == "__main__":
    main()
