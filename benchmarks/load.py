"""Load: a million quotes through every way of asking, a hundred thousand requests, readers that leave, interrupts.

The quotes are those of scale.py, with the vectors of its fake encoder. Every row is a process of its own.

- making: index of a tenth of the quotes and of all. The memory is the high-water mark of what the process holds beside
  mapped files (`RssAnon`, Linux), sampled every 20 ms. To reach: at most 600 MB, and no more for all than for a tenth;
- finding: `quotefind find` with each condition and option, as whole processes with the files in the file cache. To
  reach: 2 s;
- many requests: `find -` with a tenth of the requests and with all, against a small index, since it is the flow of
  requests that is measured. To reach: no more memory for all;
- a reader that leaves: `find - | head -1` and `pair | head -1`: when the writer ends, with which code;
- mining: `pair` on a part of the quotes, interrupted again and again, against the same without an interrupt. The output
  must be the same, byte by byte;
- interrupts: SIGINT at many moments of several commands, first with no model prepared. Each must end with 130 within a
  second, with one line on stderr, and leave an index that `index --verify` finds whole.

It needs 8 GB of disk, in --home or where temporary files go. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import synthetic
from scale import read_through

_REQUEST = "quotes about family"
_REQUESTS = 100_000
_MINED = 20_000
_SMALL = 2_000
_EVERY = 0.02
_INTERRUPTIONS = 6
_MOMENTS = 20
_LATEST = 1.0
_INTERRUPTED = 130
_IN_MAIN = re.compile(r'__main__.py", line \d+, in main')


@dataclass(frozen=True, slots=True)
class Watched:
    """What a process did: seconds, exit code, most memory beside mapped files in bytes, and what it wrote."""

    seconds: float
    code: int
    anonymous: int
    output: bytes
    errors: str


def watch(command: Sequence[str | Path], stdin: Path | None = None, *, interrupt_after: float | None = None) -> Watched:
    """Run `command`, looking at its memory; where `interrupt_after` is given, send SIGINT then, and time from there."""
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        open(stdin or os.devnull, "rb") as source,  # noqa: PTH123  (devnull is a name, not a Path)
    ):
        started = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdin=source, stdout=output, stderr=errors)
        peak = 0
        while process.poll() is None:
            peak = max(peak, anonymous_memory(process.pid))
            wait = _EVERY
            if interrupt_after is not None:
                wait = min(wait, max(started + interrupt_after - time.perf_counter(), 0))
                if not wait:
                    process.send_signal(signal.SIGINT)
                    started, interrupt_after = time.perf_counter(), None
            with suppress(subprocess.TimeoutExpired):
                process.wait(wait)
        seconds = time.perf_counter() - started
        output.seek(0)
        errors.seek(0)
        return Watched(seconds, process.returncode, peak, output.read(), errors.read().decode(errors="replace"))


def anonymous_memory(process: int) -> int:
    """Return the bytes that a process holds beside mapped files; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def checked(done: Watched, *codes: int) -> Watched:
    """Return `done`; end the program where it has another exit code than 0 or one of `codes`."""
    if done.code not in (0, *codes):
        sys.exit(f"It ended with {done.code}:\n{done.errors[-3000:]}")
    return done


def adding(directory: Path, source: Path, identity: dict[str, Any]) -> list[str | Path]:
    """Return the command that adds `source` to the index with the fake encoder."""
    call = "import json, sys, synthetic; synthetic.add_source(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))"
    return [sys.executable, "-c", call, directory, source, json.dumps(identity)]


def make(home: Path, name: str, count: int, identity: dict[str, Any]) -> tuple[Path, dict[str, Any], Watched]:
    """Make an index of `count` quotes; return its directory, what to filter by, and what that took."""
    directory, source = home / name, home / f"{name}.jsonl"
    shutil.rmtree(directory, ignore_errors=True)
    named, _ = measure.in_own_process(synthetic.write_numbered, path=source, count=count)
    measure.say(f"making an index of {count:,} quotes")
    done = checked(watch(adding(directory, source, identity)))
    return directory, named, done


def ways_of_asking(named: dict[str, Any], known: str) -> dict[str, list[str]]:
    """Return the conditions and options of `find`, one by one and together."""
    author, tag = ["--author", named["author"]], ["--tag", named["tag"]]
    return {
        "": [],
        "--author": author,
        "--work": ["--work", "no such work"],
        "--tag": tag,
        "--max-chars 80": ["--max-chars", "80"],
        "--author --tag --max-chars 80": [*author, *tag, "--max-chars", "80"],
        "--min-score 0.2": ["--min-score", "0.2"],
        "-k 1000": ["-k", "1000"],
        "--like ID": ["--like", known],
        "--not TEXT": ["--not", "war and death"],
        "--diverse": ["--diverse"],
        "--one-per-author": ["--one-per-author"],
        "--hybrid": ["--hybrid"],
        "--hybrid --author --tag": ["--hybrid", *author, *tag],
        "--hybrid --diverse --one-per-author": ["--hybrid", "--diverse", "--one-per-author"],
    }


def finding(quotefind: list[str], index: Path, named: dict[str, Any], given: argparse.Namespace) -> list[list[str]]:
    """Return the rows of the table: `find` in each way."""
    read_through(index)
    find: list[str | Path] = [*quotefind, "find", _REQUEST, "--index", index, "--format", "jsonl"]
    first = checked(watch([*find, "-k", "1"])).output
    rows = []
    ways = ways_of_asking(named, json.loads(first)["id"])
    if given.smallest:
        ways = {name: ways[name] for name in ("--hybrid", "--like ID")}
    for name, options in ways.items():
        measure.say(f"find {name}")
        done = [checked(watch([*find, *options]), 1) for _ in range(given.runs + (not given.smallest))]
        if not given.smallest:
            del done[0]
        rows.append(
            [
                f"find {name}",
                measure.seconds([one.seconds for one in done]),
                measure.megabytes([float(one.anonymous) for one in done]),
                f"{len(done[0].output.splitlines()):,} hits",
            ]
        )
    return rows


def many_requests(quotefind: list[str], index: Path, home: Path, count: int) -> list[list[str]]:
    """Return the rows of the table: a tenth of the requests, and all of them."""
    rows, requests = [], home / "requests.txt"
    for asked in (count // 10, count):
        measure.say(f"{asked:,} requests")
        with requests.open("w", encoding="utf-8") as stream:
            stream.writelines(f"hope for the year {number}\n" for number in range(asked))
        done = checked(watch([*quotefind, "find", "-", "-k", "1", "--index", index], requests))
        answers = len(done.output.splitlines())
        if answers != asked:
            sys.exit(f"{answers} answers to {asked} requests")
        rate = f"{asked / done.seconds:,.0f} requests/s"
        rows.append([f"find -, {asked:,}", measure.seconds(done.seconds), measure.megabytes(done.anonymous), rate])
    return rows


def leaving_reader(command: Sequence[str | Path], stdin: Path | None) -> tuple[float, int, str]:
    """Read one line of what `command` writes and close the pipe; return the seconds to its end, its code and stderr."""
    with open(stdin or os.devnull, "rb") as source, tempfile.TemporaryFile() as errors:  # noqa: PTH123
        process = subprocess.Popen([str(w) for w in command], stdin=source, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        started = time.perf_counter()
        code = process.wait()
        seconds = time.perf_counter() - started
        errors.seek(0)
        return seconds, code, errors.read().decode(errors="replace").strip()


def mining(quotefind: list[str], index: Path, interruptions: int) -> list[list[str]]:
    """Return the rows of the table: mining without an interrupt, and with several."""
    pair: list[str | Path] = [*quotefind, "pair", "-k", "1000", "--index", index, "--format", "jsonl"]
    measure.say("mining pairs")
    whole = checked(watch(pair))
    rows = [["pair", measure.seconds(whole.seconds), measure.megabytes(whole.anonymous), ""]]
    spent, said, parts = 0.0, [], 0
    step = whole.seconds / (interruptions + 1)
    while True:
        started = time.perf_counter()
        done = watch(pair, interrupt_after=step if parts < 3 * interruptions else None)
        spent += time.perf_counter() - started
        parts += 1
        if done.code == 0:
            break
        if done.code != _INTERRUPTED:
            sys.exit(f"An interrupted pair ended with {done.code}:\n{done.errors}")
        said.append(done.errors.strip().partition("(")[2].rstrip(")") or "-")
    if done.output != whole.output:
        sys.exit("The pairs of an interrupted search are others.")
    rows.append([f"pair, interrupted {parts - 1} times", measure.seconds(spent), "", f"the same; at {', '.join(said)}"])
    return rows


def interrupts(quotefind: list[str], home: Path, moments: int) -> list[list[str]]:
    """Return the rows of the table: each command, interrupted at moments spread over what it takes."""
    source = home / "interrupted.txt"
    count = _SMALL if moments > 1 else 20
    source.write_text("".join(f"A quote on hope and the sea, number {n}.\n" for n in range(count)), encoding="utf-8")
    index, mined = home / "interrupted", home / "mined"
    models, kept = home / "cache" / "models", home / "kept-models"
    commands: dict[str, list[str | Path]] = {
        "preparing the model": ["pair", "hope", "fear"],
        "index": ["index", source, "--index", index],
        "find": ["find", "hope", "--index", index],
        "pair": ["pair", "--index", mined],
        "index --verify": ["index", "--verify", "--index", mined],
        "index --rebuild": ["index", "--rebuild", "--index", index],
    }
    if moments == 1:
        del commands["preparing the model"]
    rows = []
    for name, words in commands.items():
        command = [*quotefind, *words]
        new = {"preparing the model": models, "index": index}.get(name)
        if new is models:
            models.rename(kept)
        duration = checked(watch(command)).seconds
        seen = Seen()
        for number in range(moments):
            measure.say(f"{name}: interrupt {number + 1} of {moments}")
            if new:
                shutil.rmtree(new, ignore_errors=True)
            seen.add(watch(command, interrupt_after=duration * number / moments))
            if name.startswith("index") and index.exists() and number % 4 == 0:
                checked(watch([*quotefind, "index", source, "--index", index]))
                checked(watch([*quotefind, "index", "--verify", "--index", index]))
        if new is models:
            shutil.rmtree(models, ignore_errors=True)
            kept.rename(models)
        if name == "index":
            checked(watch(command))
        rows.append([name, str(moments), *seen.cells()])
    return rows


@dataclass(slots=True)
class Seen:
    """What became of interrupted processes."""

    ended: int = 0
    early: int = 0
    late: int = 0
    slowest: float = 0.0
    wrong: int = 0

    def add(self, done: Watched) -> None:
        """Count one; say on stderr what is wrong with it."""
        if done.code == 0:
            self.ended += 1
        elif done.code != _INTERRUPTED and not _IN_MAIN.search(done.errors):
            self.early += 1  # Python itself was interrupted, before a line of the program ran
        else:
            self.slowest = max(self.slowest, done.seconds)
            self.late += done.seconds > _LATEST
            if done.code != _INTERRUPTED or not _one_line(done.errors):
                self.wrong += 1
                measure.say(f"{done.code}: {done.errors}")

    def cells(self) -> list[str]:
        """Return the cells of the row."""
        counts = [str(count) for count in (self.ended, self.early, self.late, self.wrong)]
        return [*counts, measure.seconds(self.slowest)]


def _one_line(said: str) -> bool:
    lines = said.splitlines()
    return len(lines) == 1 and lines[0].startswith("quotefind: interrupted")


def main() -> None:
    """Measure and print the tables."""
    given = measure.options(__doc__ or "", quotes=1_000_000)
    if not Path("/proc/self/status").exists():
        sys.exit("This benchmark reads /proc; it runs on Linux only.")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also for the children of a shell in the background
    quotefind = measure.quotefind_command()
    measure.fortunes_folder()
    scale = given.quotes / 1_000_000
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with measure.home_directory(given.home) as home:
        measure.say("preparing the model, the first time")
        identity, _ = measure.in_own_process(synthetic.prepare_model)
        columns = ["", "time", "memory beside files", ""]
        tenth, _, first = make(home, "tenth", given.quotes // 10, identity)
        shutil.rmtree(tenth)
        index, named, second = make(home, "load", given.quotes, identity)
        rows = [
            [
                f"index, {count:,} quotes",
                measure.seconds(done.seconds),
                measure.megabytes(done.anonymous),
                f"{count / done.seconds:,.0f} quotes/s",
            ]
            for count, done in ((given.quotes // 10, first), (given.quotes, second))
        ]
        rows += finding(quotefind, index, named, given)
        shutil.rmtree(index)
        mined, _, _ = make(home, "mined", max(int(_MINED * scale), 100), identity)
        rows += many_requests(quotefind, mined, home, max(int(_REQUESTS * scale), 100))
        left: tuple[tuple[str, list[str | Path], Path | None], ...] = (
            ("find - | head -1", [*quotefind, "find", "-", "--index", mined], home / "requests.txt"),
            ("pair -k 100000 | head -1", [*quotefind, "pair", "-k", "100000", "--index", mined], None),
        )
        for name, command, stdin in left:
            measure.say(name)
            seconds, code, said = leaving_reader(command, stdin)
            rows.append([name, measure.seconds(seconds), "", f"exit code {code}, stderr: {said or 'empty'}"])
        rows += mining(quotefind, mined, 1 if given.smallest else _INTERRUPTIONS)
        notes = [
            f"Medians of {given.runs} runs where a command was run more than once; times from start to end, or "
            "from the moment in which the reader left."
        ]
        measure.print_table(f"Load: {given.quotes:,} quotes", columns, rows, notes)
        rows = interrupts(quotefind, home, 1 if given.smallest else max(int(_MOMENTS * scale), 2))
        columns = ["", "moments", "had ended", "before main", "later than 1 s", "otherwise wrong", "slowest end"]
        measure.print_table("Ctrl-C", columns, rows)


if __name__ == "__main__":
    main()
