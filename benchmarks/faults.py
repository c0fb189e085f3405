"""Kills, refusals, limits, damage and company: what an index is worth afterwards.

Each trial has an index of its own, changed by a process whose encoder is a fake one (see victim.py), which is

- killed at a random moment (SIGKILL) while it indexes, refreshes, compacts or encodes anew; the real model likewise
  while it is prepared;
- killed just before the n-th call of the system that writes, syncs, truncates, renames or deletes, or refused from the
  n-th such call on (a full disk) or at it alone (a failing one), for n spread over all of them: by `strace`, where that
  is there;
- given a full disk (a small tmpfs), a read-only one, a directory that may not be written, or limits on memory and on
  the size and the number of its files: `quotefind` itself, where this user may set these;
- read by ten processes while another one adds, removes and compacts;
- damaged: one bit flipped anywhere in a file of the index or of the prepared model, and `quotefind find` asked.

After each, a process that knows nothing of it opens the index: it has to be whole to the last hash, and quotes have to
find themselves. Where a run was stopped, the same run again has to end with the same quotes as one that never was, and
without encoding anything that had been committed. Whatever the program says has to be one line on stderr, and one of
its exit codes. All else is a fault; the last column counts them.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import measure
import synthetic
import victim

_CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink"
_CODES = (0, 1, 2, 3, 4, 5)
_READERS = 10
_PAUSE = 1e-4  # seconds that the fake encoder takes for a text
_SECONDS_TOGETHER = 60
_REQUEST = "quotes about family"
_MEMORY = (200, 400, 600, 800, 1000, 1500)  # MB of address space
_FILES = (8, 12, 16, 20, 24, 32)
_LOOKING = (["find", _REQUEST], ["pair"], ["info"], ["index", "--verify"])


@dataclass
class Row:
    """A line of the table: what was done how often, how the program ended, and what was wrong."""

    name: str
    trials: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: int = 0

    def add(self, end: object, faults: Sequence[str]) -> None:
        """Count one trial."""
        self.trials += 1
        self.ends[str(end)] += 1
        self.faults += bool(faults)
        for fault in faults:
            measure.say(f"FAULT, {self.name}, trial {self.trials}: {fault}")

    def cells(self) -> list[str]:
        """Return the line."""
        ends = ", ".join(f"{end} ({count})" for end, count in sorted(self.ends.items()))
        return [self.name, f"{self.trials:,}", ends, str(self.faults)]


@dataclass
class Bench:
    """Where trials happen, and what they begin with."""

    folder: Path
    identity: dict[str, Any]
    pause: float
    quotes: int

    def look(self, index: Path) -> dict[str, Any]:
        """Return what `victim.look` says of an index; that it cannot say anything is a fault."""
        done = subprocess.run(
            measure.call_command(victim.look, index=index, identity=self.identity),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return {"quotes": [], "begun": [], "faults": [f"cannot be looked at: {done.stderr[-300:]}"]}
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def start(
        self, index: Path, source: Path, job: str, log: Path, around: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Begin to do `job`, within the command `around`."""
        command = measure.call_command(
            victim.change, index=index, source=source, job=job, log=log, identity=self.identity, pause=self.pause
        )
        return subprocess.Popen([*around, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@dataclass
class Scenario:
    """A change that is stopped: the index it begins with (or none), the source as it is now, and what is done."""

    name: str
    start: Path
    source: Path
    job: str


def prepare(bench: Bench) -> list[Scenario]:
    """Make what the scenarios begin with."""
    whole, half, other = (bench.folder / f"{name}.jsonl" for name in ("whole", "half", "other"))
    for path, count, first in ((whole, bench.quotes, 1), (half, bench.quotes // 2, 1)):
        measure.in_own_process(victim.write_part, path=path, count=count, first=first)
    measure.in_own_process(victim.write_part, path=other, count=bench.quotes // 2, first=bench.quotes // 4)
    scenarios = []
    for name, begin, then, job in (
        ("indexing", None, whole, "index"),
        ("refreshing", half, other, "index"),
        ("compacting", whole, half, "compact"),
        ("encoding anew", half, half, "rebuild"),
    ):
        start, source = bench.folder / f"start-{job}-{name[:4]}", bench.folder / f"source-{job}-{name[:4]}.jsonl"
        shutil.copy(begin or then, source)
        if begin is not None:
            finish(bench.start(start, source, "index", Path(os.devnull)))
        if job == "compact":
            shutil.copy(then, source)
            # Below a quarter of dead rows it would be compacted at once.
            finish(bench.start(start, source, "index", Path(os.devnull)))
        shutil.copy(then, source)
        scenarios.append(Scenario(name, start, source, job))
    return scenarios


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and what it wrote to stderr."""
    _, said = process.communicate(timeout=600)
    return process.returncode, said


def trial(
    bench: Bench, scenario: Scenario, stop: Callable[[subprocess.Popen[str]], None], around: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Stop a scenario somehow, look, let it run to its end, look again; return how it ended and what was wrong."""
    index, log = bench.folder / "index", bench.folder / "encoded.log"
    shutil.rmtree(index, ignore_errors=True)
    if scenario.start.exists():
        shutil.copytree(scenario.start, index)
    log.write_text("")
    process = bench.start(index, scenario.source, scenario.job, log, around)
    stop(process)
    code, said = finish(process)
    faults = []
    # At most a line: where every write is refused, so is that one.
    if code >= 0 and (code not in _CODES or said.count("\n") > 1 or "Traceback" in said):
        faults.append(f"ended with {code}: {said[-300:]}")
    left = bench.look(index)
    faults += left["faults"]
    known = set(left["begun"] if scenario.job == "rebuild" else left["quotes"])
    log.write_text("")
    code_again, said = finish(bench.start(index, scenario.source, scenario.job, log))
    if code_again:
        faults.append(f"does not go on, {code_again}: {said[-300:]}")
    again = known & {int(name) for name in log.read_text().split()}
    # A rebuild that had come to its end is one more rebuild.
    if again and not (scenario.job == "rebuild" and not left["begun"]):
        faults.append(f"{len(again)} texts were encoded twice")
    end = bench.look(index)
    faults += end["faults"]
    if end["quotes"] != expected(bench, scenario):
        faults.append(f"ends with {len(end['quotes'])} quotes, expected {len(expected(bench, scenario))}")
    return code, faults


_EXPECTED: dict[str, list[int]] = {}


def expected(bench: Bench, scenario: Scenario) -> list[int]:
    """Return the quotes that a run of the scenario ends with where nothing stops it."""
    if scenario.name not in _EXPECTED:
        index = bench.folder / "expected"
        shutil.rmtree(index, ignore_errors=True)
        if scenario.start.exists():
            shutil.copytree(scenario.start, index)
        finish(bench.start(index, scenario.source, scenario.job, Path(os.devnull)))
        _EXPECTED[scenario.name] = bench.look(index)["quotes"]
        shutil.rmtree(index)
    return _EXPECTED[scenario.name]


def kills_at_random(bench: Bench, scenario: Scenario, count: int) -> Row:
    """Kill a scenario `count` times, each at a random moment of the time that it takes."""
    row = Row(f"killed while {scenario.name}, at a random moment")
    chance = random.Random(scenario.name)
    expected(bench, scenario)
    index = bench.folder / "index"
    shutil.rmtree(index, ignore_errors=True)
    if scenario.start.exists():
        shutil.copytree(scenario.start, index)
    started = time.monotonic()
    finish(bench.start(index, scenario.source, scenario.job, Path(os.devnull)))
    whole = time.monotonic() - started
    for _ in range(count):
        moment = chance.uniform(0.1, 1.05) * whole

        def stop(process: subprocess.Popen[str], moment: float = moment) -> None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()

        code, faults = trial(bench, scenario, stop)
        if code >= 0:  # it was faster than the first time
            whole = min(whole, moment)
        row.add("killed" if code < 0 else "done before", faults)
    return row


def at_calls(bench: Bench, scenario: Scenario, count: int, kind: str, inject: str, *, onward: bool) -> Row:
    """Have strace do what `inject` says at `count` of the calls of a scenario, spread over all of them."""
    row = Row(f"{kind} while {scenario.name}, at a call")
    trace = bench.folder / "trace"
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", "signal=none"]
    trial(bench, scenario, lambda _: None, [*strace, "-e", f"trace={_CALLS}"])
    # strace counts the calls of each kind by themselves.
    seen: Counter[str] = Counter()
    calls = []
    for name in re.findall(r"^\d+ +(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE):
        seen[name] += 1
        calls.append((name, seen[name]))
    for position in range(count):
        name, number = calls[position * (len(calls) - 1) // max(count - 1, 1)]
        when = f"{number}+" if onward else str(number)
        injecting = [*strace, "-e", f"trace={name}", "-e", f"inject={name}:{inject}:when={when}"]
        code, faults = trial(bench, scenario, lambda _: None, injecting)
        row.add("killed" if code in (-9, 137) else f"exit {code}", faults)
    return row


def prepared_killed(bench: Bench, home: Path, count: int) -> Row:
    """Kill the preparation of the real model at random moments; then two at once have to succeed."""
    row = Row("killed while the model is prepared, then two at once")
    chance = random.Random(0)
    models = home / "cache" / "models"
    saved = bench.folder / "models"
    shutil.move(models, saved)
    command = [*measure.quotefind_command(), "pair", "Know thyself.", "Know yourself."]
    started = time.monotonic()
    whole_answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    whole = time.monotonic() - started
    for _ in range(count):
        shutil.rmtree(models, ignore_errors=True)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.2, 1.0) * whole)
        process.kill()
        process.wait()
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "12"]
        ends = [(*both_process.communicate(), both_process.returncode) for both_process in both]
        faults = [f"{end}" for end in ends if end != (whole_answer, "", 0)]
        left = [path.name for path in models.iterdir() if path.suffix != ".lock"]
        if len(left) != 1:
            faults.append(f"left {left}")
        row.add("both right" if not faults else "wrong", faults)
    shutil.rmtree(models, ignore_errors=True)
    shutil.move(saved, models)
    return row


@contextmanager
def small_disk(bench: Bench, size: str, *, options: str = "") -> Iterator[Path | None]:
    """Give a file system of `size`, in memory; None where this user may not make one."""
    disk = bench.folder / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(disk)], check=False)
    try:
        yield disk if made.returncode == 0 else None
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "-l", str(disk)], check=False)
        disk.rmdir()


def asked(row: Row, command: Sequence[str | Path], *, allowed: Sequence[int], around: Sequence[str] = ()) -> str:
    """Run `quotefind` with the words of `command` and count how it ended; return what it wrote to stdout."""
    words = [*around, *measure.quotefind_command(), *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    faults = []
    lines = [line for line in done.stderr.splitlines() if line.startswith("quotefind: ")]
    if done.returncode not in allowed or done.stderr.count("\n") != len(lines) or (done.returncode > 1 and not lines):
        faults.append(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-400:]}")
    row.add(f"exit {done.returncode}", faults)
    return done.stdout


def unchanged(row: Row, bench: Bench, index: Path, before: list[int]) -> None:
    """Count it as a fault where an index misses quotes that it held, or is not whole."""
    left = bench.look(index)
    if left["faults"] or not set(before) <= set(left["quotes"]):
        row.add("another index", [f"the index is not what it was: {left['faults']}"])


def disks(bench: Bench, index: Path, more: Path) -> list[Row]:
    """Run the program on a full, a read-only and a forbidden disk; the index has to stay as it is."""
    before = bench.look(index)["quotes"]
    size = sum(path.stat().st_size for path in index.iterdir())
    full, read_only, forbidden = (
        Row(name) for name in ("a full disk (tmpfs)", "a read-only disk", "a directory that may not be written")
    )
    for room in (0.02, 0.1, 0.3, 0.6, 1.0):
        with small_disk(bench, str(int(size * (1 + room)) + 65536)) as disk:
            if disk is None:
                break
            shutil.copytree(index, disk / "index")
            asked(full, ["index", more, "--index", disk / "index", "-q"], allowed=(0, 4))
            unchanged(full, bench, disk / "index", before)
            asked(full, ["find", _REQUEST, "--index", disk / "index", "--no-refresh"], allowed=(0,))
    with small_disk(bench, str(4 * size + 65536)) as disk:
        if disk is not None:
            shutil.copytree(index, disk / "index")
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=False)
            asked(read_only, ["index", more, "--index", disk / "index", "-q"], allowed=(4,))
            for command in _LOOKING:
                asked(read_only, [*command, "--index", disk / "index"], allowed=(0,))
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    copy = bench.folder / "forbidden"
    shutil.copytree(index, copy)
    copy.chmod(0o500)
    rights = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if root else []
    if not root or shutil.which("setpriv"):
        asked(forbidden, ["index", more, "--index", copy, "-q"], allowed=(4,), around=rights)
        for command in _LOOKING:
            asked(forbidden, [*command, "--index", copy], allowed=(0,), around=rights)
    copy.chmod(0o700)
    shutil.rmtree(copy)
    return [full, read_only, forbidden]


def limits(bench: Bench, index: Path, more: Path) -> list[Row]:
    """Run the program under limits of the system; the index has to stay as it is."""
    before = bench.look(index)["quotes"]
    size = sum(path.stat().st_size for path in index.iterdir())
    copy = bench.folder / "limited"
    rows = []
    for name, flag, values in (
        ("open files limited", "--nofile={}", _FILES),
        ("memory limited", "--as={}000000", _MEMORY),
        ("size of files limited", "--fsize={}", (0, size // 4, size // 2, size, size + size // 8)),
    ):
        row = Row(name)
        for value in values:
            shutil.copytree(index, copy)
            around = ["prlimit", flag.format(value)]
            for command in (["find", _REQUEST, "--no-refresh"], ["index", more, "-q"], ["info"]):
                asked(row, [*command, "--index", copy], allowed=_CODES, around=around)
            unchanged(row, bench, copy, before)
            shutil.rmtree(copy)
        rows.append(row)
    return rows


def together(bench: Bench, scenarios: Sequence[Scenario]) -> Row:
    """Have ten processes read an index while others add, remove and compact."""
    row = Row(f"{_READERS} readers beside a writer, {_SECONDS_TOGETHER} s")
    index, end, log = bench.folder / "index", bench.folder / "end", Path(os.devnull)
    shutil.rmtree(index, ignore_errors=True)
    refreshing = next(scenario for scenario in scenarios if scenario.name == "refreshing")
    shutil.copytree(refreshing.start, index)
    source = bench.folder / "turning.jsonl"
    readers = [
        subprocess.Popen(
            measure.call_command(victim.read_until, index=index, end=end, identity=bench.identity),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(_READERS)
    ]
    until = time.monotonic() + _SECONDS_TOGETHER
    turn = 0
    faults = []
    while time.monotonic() < until:
        turn += 1
        measure.in_own_process(victim.write_part, path=source, count=bench.quotes // 4, first=turn * 300)
        for job in ("index", "compact"):
            code, said = finish(bench.start(index, source, job, log))
            if code:
                faults.append(f"the writer ended with {code}: {said[-300:]}")
    end.touch()
    rounds = 0
    for reader in readers:
        said, error = reader.communicate()
        result = (
            json.loads(said.splitlines()[-1]) if reader.returncode == 0 else {"rounds": 0, "faults": [error[-300:]]}
        )
        rounds += result["rounds"]
        faults += result["faults"]
    row.add(f"{rounds:,} readings, {turn} turns", faults)
    return row


def shown(answer: str) -> list[dict[str, Any]]:
    """Return hits without the file and the line they were read from, which have no checksum."""
    return [{**json.loads(line), "source": None, "line": None} for line in answer.splitlines()]


def flipped(directory: Path, index: Path, name: str, count: int) -> Row:
    """Flip one bit anywhere in the file `name` of `directory`, and ask; the answer is the same, or there is none."""
    row = Row(f"one bit flipped in {name}")
    path = directory / name
    whole = path.read_bytes()
    chance = random.Random(name)
    command = [*measure.quotefind_command(), "find", _REQUEST, "--index", str(index), "--no-refresh", "-f", "jsonl"]
    answer = shown(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for _ in range(count):
        place, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        faults = []
        if done.returncode == 0 and shown(done.stdout) != answer:
            faults.append(f"another answer, bit {bit} of byte {place}")
        elif done.returncode not in (0, 4, 5) or (done.returncode and done.stderr.count("\n") != 1):
            faults.append(f"ended with {done.returncode}, bit {bit} of byte {place}: {done.stderr[-300:]}")
        row.add("the same answer" if done.returncode == 0 else f"exit {done.returncode}", faults)
    path.write_bytes(whole)
    return row


def rows_of(bench: Bench, home: Path, runs: int) -> Iterator[Row]:
    """Yield all lines of the table, as they are measured."""
    scenarios = prepare(bench)
    for scenario in scenarios:
        yield kills_at_random(bench, scenario, 40 * runs if scenario is scenarios[0] else 5 * runs)
    for scenario in scenarios if shutil.which("strace") else []:
        yield at_calls(bench, scenario, 4 * runs, "killed", "signal=KILL", onward=False)
        yield at_calls(bench, scenario, 2 * runs, "disk full", "error=ENOSPC", onward=True)
        yield at_calls(bench, scenario, 2 * runs, "disk failing", "error=EIO", onward=False)
    index = bench.folder / "damaged"
    finish(bench.start(index, scenarios[0].source, "index", Path(os.devnull)))
    more = bench.folder / "more.txt"
    more.write_text("".join(f"Another quote, number {n}, which was not there before.\n" for n in range(200)))
    yield from disks(bench, index, more)
    if shutil.which("prlimit"):
        yield from limits(bench, index, more)
    yield together(bench, scenarios)
    for name in ("index.sqlite", "vectors-1.npy"):
        yield flipped(index, index, name, 20 * runs)
    (model,) = [path for path in (home / "cache" / "models").iterdir() if path.is_dir()]
    for name in ("model.onnx", "tokenizer.json", "weights.bin"):
        yield flipped(model, index, name, 4 * runs)
    yield prepared_killed(bench, home, runs)


def main() -> None:
    """Do all of it and print the table."""
    given = measure.options(__doc__ or "", quotes=5000)
    measure.fortunes_folder()
    if not hasattr(signal, "SIGKILL"):
        sys.exit("This system cannot kill at once (SIGKILL); it was written for Linux and macOS.")
    rows = []
    with measure.home_directory(given.home) as home:
        folder = home / "faults"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        measure.say("preparing the model, the first time")
        identity, _ = measure.in_own_process(synthetic.prepare_model)
        for row in rows_of(Bench(folder, identity, pause=_PAUSE, quotes=given.quotes), home, given.runs):
            if row.trials:
                measure.say(" | ".join(row.cells()))
                rows.append(row)
        shutil.rmtree(folder)
    measure.print_table(
        f"Faults: an index of {given.quotes:,} quotes",
        ["what was done", "trials", "how it ended", "faults"],
        [row.cells() for row in rows],
        [
            "A fault is an index that is not whole, an answer that is another one, a text that is encoded twice, or an "
            "end that is not one line and a documented exit code."
        ],
    )
    sys.exit(1 if any(row.faults for row in rows) else 0)


if __name__ == "__main__":
    main()
