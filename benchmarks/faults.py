"""Kills, errors, limits, damage and concurrent use: what an index is worth afterwards.

Each trial has its own index, changed by a process with a fake encoder (see victim.py). That process is

- killed at a random moment (SIGKILL) while it indexes, refreshes, compacts or rebuilds; the preparation of the real
  model likewise;
- killed just before the n-th system call that writes, syncs, truncates, renames or deletes; or given an error from the
  n-th such call on (a full disk) or at this call only (a failing disk), for n spread over all calls. `strace` does
  this, where it is installed;
- given a full disk (a small tmpfs), a read-only one, a directory without write permission, or limits on memory and on
  the size and number of its files: `quotefind` itself, where this user may set these;
- read by ten processes while another one adds, removes and compacts;
- damaged: one bit is flipped anywhere in a file of the index or of the prepared model, then `quotefind find` runs.

After each trial, a process that knows nothing of it opens the index. It must be whole to the last checksum, and quotes
must find themselves. If a run was stopped, the same run again must end with the same quotes as one that was never
stopped, without encoding anything that had been committed. Messages must be one line on stderr, with one of the
documented exit codes. Anything else is a fault; the last column counts the faults.

A trial whose set-up fails proves nothing, so the script then stops with exit code 1 and says what failed.
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
_KILLED = (-9, 137)  # SIGKILL, as Python and as a shell or strace report it
_READERS = 10
_PAUSE = 1e-4  # seconds per text that the fake encoder takes
_SECONDS_TOGETHER = 60
_REQUEST = "quotes about family"
_MEMORY = (200, 400, 600, 800, 1000, 1500)  # MB of address space
_FILES = (8, 12, 16, 20, 24, 32)
_READING = (["find", _REQUEST], ["pair"], ["info"], ["index", "--verify"])


@dataclass
class Row:
    """A line of the table: what was done, how often, how the program ended, and how many trials had a fault."""

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
    """Where trials happen, and what they start with."""

    folder: Path
    home: Path
    identity: dict[str, Any]
    quotes: int
    runs: int
    smallest: bool = False

    def count(self, trials: int) -> int:
        """Return how often to do what is done `trials` times a run."""
        return 1 if self.smallest else trials * self.runs

    def look(self, index: Path) -> dict[str, Any]:
        """Return what `victim.look` says of an index; if it cannot, that is a fault."""
        done = subprocess.run(
            measure.call_command(victim.look, index=index, identity=self.identity),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return {"quotes": [], "begun": [], "faults": [f"cannot be inspected: {done.stderr[-300:]}"]}
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def look_at_whole(self, index: Path) -> list[int]:
        """Return the quotes of an index that a trial starts with.

        Raises:
            SystemExit: something is wrong with it.
        """
        seen = self.look(index)
        if seen["faults"] or not seen["quotes"]:
            sys.exit(f"The set-up failed: {index} holds {len(seen['quotes'])} quotes, faults {seen['faults']}.")
        return list(seen["quotes"])

    def set_up(self, index: Path, source: Path, job: str) -> None:
        """Do `job` to its end, as the set-up of a trial.

        Raises:
            SystemExit: it failed.
        """
        code, said = finish(self.start(index, source, job, Path(os.devnull)))
        if code:
            sys.exit(f"The set-up failed: {job} of {index} ended with {code}: {said[-3000:]}")

    def copy(self, start: Path, name: str) -> Path:
        """Return a new copy of the index `start` under this name; nothing is there if `start` is missing."""
        index = self.folder / name
        shutil.rmtree(index, ignore_errors=True)
        if start.exists():
            shutil.copytree(start, index)
        return index

    def start(
        self, index: Path, source: Path, job: str, log: Path, around: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start to do `job`, wrapped in the command `around`."""
        command = measure.call_command(
            victim.change, index=index, source=source, job=job, log=log, identity=self.identity, pause=_PAUSE
        )
        return subprocess.Popen([*around, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@dataclass
class Scenario:
    """A change that is stopped: the index it starts with (or none), the source as it is now, and the job."""

    name: str
    start: Path
    source: Path
    job: str


def prepare(bench: Bench) -> list[Scenario]:
    """Make what the scenarios start with."""
    whole, half, other = (bench.folder / f"{name}.jsonl" for name in ("whole", "half", "other"))
    for path, count, first in ((whole, bench.quotes, 1), (half, bench.quotes // 2, 1)):
        measure.in_own_process(victim.write_part, path=path, count=count, first=first)
    measure.in_own_process(victim.write_part, path=other, count=bench.quotes // 2, first=bench.quotes // 4)
    scenarios = []
    for name, begin, then, job in (
        ("indexing", None, whole, "index"),
        ("refreshing", half, other, "index"),
        ("compacting", whole, half, "compact"),
        ("rebuilding", half, half, "rebuild"),
    ):
        start, source = bench.folder / f"start-{name}", bench.folder / f"source-{name}.jsonl"
        shutil.copy(begin or then, source)
        if begin is not None:
            bench.set_up(start, source, "index")
        if job == "compact":
            shutil.copy(then, source)
            # Half of the rows are dead now, too few to be compacted at once.
            bench.set_up(start, source, "index")
        shutil.copy(then, source)
        scenarios.append(Scenario(name, start, source, job))
    return scenarios[:1] if bench.smallest else scenarios


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait until a process ends; return its exit code and what it wrote to stderr."""
    _, said = process.communicate(timeout=600)
    return process.returncode, said


def trial(
    bench: Bench, scenario: Scenario, stop: Callable[[subprocess.Popen[str]], None], around: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Stop a scenario, inspect it, let it run to its end, inspect it again; return how it ended and what was wrong."""
    index, log = bench.copy(scenario.start, "index"), bench.folder / "encoded.log"
    log.write_text("")
    process = bench.start(index, scenario.source, scenario.job, log, around)
    stop(process)
    code, said = finish(process)
    faults = []
    # At most one line: if every write fails, so does that of the message. A shell or strace reports a kill as 137.
    killed = code in _KILLED
    if not killed and (code not in _CODES or said.count("\n") > 1 or "Traceback" in said):
        faults.append(f"ended with {code}: {said[-300:]}")
    left = bench.look(index)
    faults += left["faults"]
    known = set(left["begun"] if scenario.job == "rebuild" else left["quotes"])
    log.write_text("")
    code_again, said = finish(bench.start(index, scenario.source, scenario.job, log))
    if code_again:
        faults.append(f"does not continue, {code_again}: {said[-300:]}")
    again = known & {int(name) for name in log.read_text().split()}
    # After a rebuild that had ended, this is one more rebuild.
    if again and not (scenario.job == "rebuild" and not left["begun"]):
        faults.append(f"{len(again)} texts were encoded twice")
    end = bench.look(index)
    faults += end["faults"]
    if end["quotes"] != expected(bench, scenario):
        faults.append(
            f"ends with {len(end['quotes'])} quotes, or other ones; expected {len(expected(bench, scenario))}"
        )
    return code, faults


_EXPECTED: dict[str, list[int]] = {}


def expected(bench: Bench, scenario: Scenario) -> list[int]:
    """Return the quotes that a run of the scenario ends with if nothing stops it."""
    if scenario.name not in _EXPECTED:
        index = bench.copy(scenario.start, "expected")
        bench.set_up(index, scenario.source, scenario.job)
        _EXPECTED[scenario.name] = bench.look_at_whole(index)
        shutil.rmtree(index)
    return _EXPECTED[scenario.name]


def kills_at_random(bench: Bench, scenario: Scenario, count: int) -> Row:
    """Kill a scenario `count` times, each time at a random moment while it runs."""
    row = Row(f"killed while {scenario.name}, at a random moment")
    chance = random.Random(scenario.name)
    expected(bench, scenario)
    index = bench.copy(scenario.start, "index")
    started = time.monotonic()
    bench.set_up(index, scenario.source, scenario.job)
    whole = time.monotonic() - started
    for _ in range(count):
        moment = chance.uniform(0.1, 1.05) * whole

        def stop(process: subprocess.Popen[str], moment: float = moment) -> None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()

        code, faults = trial(bench, scenario, stop)
        if code == 0:  # it was faster than the first time
            whole = min(whole, moment)
        row.add("killed" if code in _KILLED else "done before" if code == 0 else f"exit {code}", faults)
    return row


def at_calls(bench: Bench, scenario: Scenario, count: int, kind: str, inject: str, *, onward: bool) -> Row:
    """Have strace do what `inject` says at `count` of the calls of a scenario, spread evenly."""
    row = Row(f"{kind} while {scenario.name}, at a call")
    trace = bench.folder / "trace"
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", "signal=none"]
    code, faults = trial(bench, scenario, lambda _: None, [*strace, "-e", f"trace={_CALLS}"])
    if code or faults:
        sys.exit(f"The set-up failed: {scenario.name} under strace ended with {code}, faults {faults}.")
    # strace counts the calls of each kind separately.
    seen: Counter[str] = Counter()
    calls = []
    for name in re.findall(r"^\d+ +(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE):
        seen[name] += 1
        calls.append((name, seen[name]))
    if not calls:
        sys.exit(f"The set-up failed: strace saw no calls of {scenario.name}.")
    for position in range(count):
        name, number = calls[position * (len(calls) - 1) // max(count - 1, 1)]
        when = f"{number}+" if onward else str(number)
        injecting = [*strace, "-e", f"trace={name}", "-e", f"inject={name}:{inject}:when={when}"]
        code, faults = trial(bench, scenario, lambda _: None, injecting)
        row.add("killed" if code in _KILLED else f"exit {code}", faults)
    return row


def prepared_killed(bench: Bench, count: int) -> Row:
    """Kill the preparation of the real model at random moments; then two at once must succeed."""
    row = Row("killed while the model is prepared, then two at once")
    chance = random.Random(0)
    models = bench.home / "cache" / "models"
    saved = bench.folder / "models"
    shutil.move(models, saved)
    command = [*measure.quotefind_command(), "pair", "Know thyself.", "Know yourself."]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    whole, whole_answer = time.monotonic() - started, done.stdout
    if done.returncode:
        sys.exit(f"The set-up failed: the model cannot be prepared: {done.stderr[-3000:]}")
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
    """Mount a file system of `size` in memory; None if this user may not do that."""
    disk = bench.folder / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(disk)],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield disk if made.returncode == 0 else None
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "-l", str(disk)], check=False)
        disk.rmdir()


def run_command(row: Row, command: Sequence[str | Path], *, allowed: Sequence[int], around: Sequence[str] = ()) -> str:
    """Run `quotefind` with the arguments `command` and count how it ended; return what it wrote to stdout."""
    words = [*around, *measure.quotefind_command(), *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    faults = []
    lines = [line for line in done.stderr.splitlines() if line.startswith("quotefind: ")]
    if done.returncode not in allowed or done.stderr.count("\n") != len(lines) or (done.returncode > 1 and not lines):
        faults.append(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-400:]}")
    row.add(f"exit {done.returncode}", faults)
    return done.stdout


def unchanged(row: Row, bench: Bench, index: Path, before: list[int]) -> None:
    """Count it as a fault if an index has lost quotes that it held, or is not whole."""
    left = bench.look(index)
    if left["faults"] or not set(before) <= set(left["quotes"]):
        row.add("another index", [f"the index is not what it was: {left['faults']}"])


def disks(bench: Bench, index: Path, more: Path) -> list[Row]:
    """Run the program on a full and a read-only disk, and without permission; the index must stay as it is."""
    before = bench.look_at_whole(index)
    size = sum(path.stat().st_size for path in index.iterdir())
    full, read_only, forbidden = (
        Row(name) for name in ("a full disk (tmpfs)", "a read-only disk", "a directory without write permission")
    )
    for room in (0.02,) if bench.smallest else (0.02, 0.1, 0.3, 0.6, 1.0):
        with small_disk(bench, str(int(size * (1 + room)) + 65536)) as disk:
            if disk is None:
                break
            shutil.copytree(index, disk / "index")
            run_command(full, ["index", more, "--index", disk / "index", "-q"], allowed=(0, 4))
            unchanged(full, bench, disk / "index", before)
            run_command(full, ["find", _REQUEST, "--index", disk / "index", "--no-refresh"], allowed=(0,))
    with small_disk(bench, str(4 * size + 65536)) as disk:
        if disk is not None:
            shutil.copytree(index, disk / "index")
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            run_command(read_only, ["index", more, "--index", disk / "index", "-q"], allowed=(4,))
            for command in _READING[:1] if bench.smallest else _READING:
                run_command(read_only, [*command, "--index", disk / "index"], allowed=(0,))
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    copy = bench.folder / "forbidden"
    shutil.copytree(index, copy)
    copy.chmod(0o500)
    rights = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if root else []
    if not root or shutil.which("setpriv"):
        run_command(forbidden, ["index", more, "--index", copy, "-q"], allowed=(4,), around=rights)
        for command in _READING[:1] if bench.smallest else _READING:
            run_command(forbidden, [*command, "--index", copy], allowed=(0,), around=rights)
    copy.chmod(0o700)
    shutil.rmtree(copy)
    return [full, read_only, forbidden]


def limits(bench: Bench, index: Path, more: Path) -> list[Row]:
    """Run the program under limits of the system; the index must stay as it is."""
    before = bench.look_at_whole(index)
    size = sum(path.stat().st_size for path in index.iterdir())
    copy = bench.folder / "limited"
    rows = []
    for name, flag, values in (
        ("open files limited", "--nofile={}", _FILES),
        ("memory limited", "--as={}000000", _MEMORY),
        ("size of files limited", "--fsize={}", (0, size // 4, size // 2, size, size + size // 8)),
    ):
        row = Row(name)
        for value in values[-1:] if bench.smallest else values:
            shutil.copytree(index, copy)
            around = ["prlimit", flag.format(value)]
            for command in (["find", _REQUEST, "--no-refresh"], ["index", more, "-q"], ["info"]):
                run_command(row, [*command, "--index", copy], allowed=_CODES, around=around)
            unchanged(row, bench, copy, before)
            shutil.rmtree(copy)
        rows.append(row)
    return rows


def together(bench: Bench, scenarios: Sequence[Scenario]) -> Row:
    """Have ten processes read an index while others add, remove and compact."""
    count, seconds = (2, 1) if bench.smallest else (_READERS, _SECONDS_TOGETHER)
    row = Row(f"{count} readers beside a writer, {seconds} s")
    end, log = bench.folder / "end", Path(os.devnull)
    index = bench.copy(scenarios[-1].start, "index")
    if not index.exists():
        bench.set_up(index, scenarios[-1].source, "index")
    source = bench.folder / "turning.jsonl"
    readers = [
        subprocess.Popen(
            measure.call_command(victim.read_until, index=index, end=end, identity=bench.identity),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    until = time.monotonic() + seconds
    turn = 0
    faults: list[str] = []
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
        if reader.returncode:
            faults.append(f"a reader ended with {reader.returncode}: {error[-300:]}")
            continue
        result = json.loads(said.splitlines()[-1])
        rounds += result["rounds"]
        faults += result["faults"]
    row.add(f"{rounds:,} readings, {turn} turns", faults)
    return row


def shown(answer: str) -> list[dict[str, Any]]:
    """Return hits without the file and line that they were read from, which have no checksum."""
    return [{**json.loads(line), "source": None, "line": None} for line in answer.splitlines()]


def flipped(directory: Path, index: Path, name: str, count: int) -> Row:
    """Flip one bit anywhere in the file `name` of `directory`, and search: the answer is the same, or an error."""
    row = Row(f"one bit flipped in {name}")
    path = directory / name
    whole = path.read_bytes()
    chance = random.Random(name)
    command = [*measure.quotefind_command(), "find", _REQUEST, "--index", str(index), "--no-refresh", "-f", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = shown(done.stdout)
    if done.returncode or not answer:
        sys.exit(f"The set-up failed: find ended with {done.returncode}: {done.stderr[-3000:]}")
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


def kills(bench: Bench, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    """Yield the lines of kills at random moments, of the first scenario most of all."""
    for scenario in scenarios:
        yield kills_at_random(bench, scenario, bench.count(40 if scenario is scenarios[0] else 5))


def calls(bench: Bench, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    """Yield the lines of kills and errors at system calls."""
    for scenario in scenarios if shutil.which("strace") else []:
        yield at_calls(bench, scenario, bench.count(4), "killed", "signal=KILL", onward=False)
        yield at_calls(bench, scenario, bench.count(2), "disk full", "error=ENOSPC", onward=True)
        if not bench.smallest:
            yield at_calls(bench, scenario, bench.count(2), "disk failing", "error=EIO", onward=False)


def system(bench: Bench, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    """Yield the lines of disks and limits."""
    index = whole_index(bench, scenarios)
    more = bench.folder / "more.txt"
    more.write_text(
        "".join(
            f"Another quote, number {n}, which was not there before.\n" for n in range(20 if bench.smallest else 200)
        )
    )
    yield from disks(bench, index, more)
    if shutil.which("prlimit"):
        yield from limits(bench, index, more)


def readers(bench: Bench, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    """Yield the line of readers beside a writer."""
    yield together(bench, scenarios)


def bits(bench: Bench, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    """Yield the lines of flipped bits."""
    index = whole_index(bench, scenarios)
    for name in ("index.sqlite", "vectors-1.npy"):
        yield flipped(index, index, name, bench.count(20))
    found = (bench.home / "cache" / "models").glob(f"{bench.identity['fingerprint'][:16]}-*")
    (model,) = [path for path in found if path.is_dir()]
    for path in sorted(model.iterdir()):
        if path.stat().st_size:
            yield flipped(model, index, path.name, bench.count(4))


def model(bench: Bench, scenarios: Sequence[Scenario]) -> Iterator[Row]:  # noqa: ARG001 - as the others
    """Yield the line of a killed preparation of the model."""
    yield prepared_killed(bench, bench.count(1))


_PARTS = {part.__name__: part for part in (kills, calls, system, readers, bits, model)}


def whole_index(bench: Bench, scenarios: Sequence[Scenario]) -> Path:
    """Return an index of all quotes."""
    index = bench.folder / "whole"
    if not index.exists():
        bench.set_up(index, scenarios[0].source, "index")
    return index


def main() -> None:
    """Run the parts and print the table."""
    parser = measure.options_parser(__doc__ or "")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="times the trials of one run (%(default)s)")
    parser.add_argument("--quotes", type=int, default=5000, metavar="N", help="quotes of an index (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=list(_PARTS), help="these parts (all)")
    given = parser.parse_args()
    if given.smallest:
        given.runs, given.quotes = 1, 40
    measure.fortunes_folder()
    if not hasattr(signal, "SIGKILL"):
        sys.exit("This system has no SIGKILL; the script is for Linux and macOS.")
    rows = []
    with measure.home_directory(given.home) as home:
        folder = home / "faults"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        measure.say("preparing the model, the first time")
        identity, _ = measure.in_own_process(synthetic.prepare_model)
        bench = Bench(folder, home, identity, given.quotes, given.runs, given.smallest)
        scenarios = prepare(bench)
        for row in (row for name in given.only for row in _PARTS[name](bench, scenarios)):
            if row.trials:
                measure.say(" | ".join(row.cells()))
                rows.append(row)
        shutil.rmtree(folder)
    measure.print_table(
        f"Faults: an index of {given.quotes:,} quotes",
        ["what was done", "trials", "how it ended", "faults"],
        [row.cells() for row in rows],
        [
            "A fault is an index that is not whole, a different answer, a text that is encoded twice, or an end "
            "without a documented exit code and a message of one line."
        ],
    )
    sys.exit(1 if any(row.faults for row in rows) else 0)


if __name__ == "__main__":
    main()
