"""A million quotes: making the index, scanning it, finding in it, adding to it.

The quotes are real (the fortunes, with numbers behind them, the authors they have and one of a few tags), their vectors
random unit rows: see synthetic.py. What the fake encoder takes is measured inside it and taken off, so that what is
left is what the program does beside encoding.

- making: one process that reads a JSON Lines file and writes the index; once, since it takes minutes;
- warm scan: `Index.search` of one request in a process that has the matrix in memory, in turn with one pass over the
  same memory, `matrix.sum()`. To reach: at most 1.5 times as long;
- cold find: `quotefind find` as a whole process with the files of the index in the file cache. To reach: under 0.8 s.
  Also with conditions. The peak memory counts the mapped matrix, which the system can take back at any time;
- adding: a process that adds a file of 1,000 new quotes. To reach: at most 5 s beyond encoding. The matrix must stay
  the same file, grow by exactly these rows and keep what it held: file number, size and checksum are compared, and the
  bytes that the process wrote to all files are shown (Linux only).

With --machines it measures the index that machines share instead: see machines.py.

It needs 6 GB of disk, in --home or where temporary files go, and a file cache that can hold the matrix (1.5 GB).
"""

from __future__ import annotations

import shutil
import sys
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import measure
import synthetic

from quotefind.stores import open_index

_REQUEST = "quotes about family"
_NEW = 1000
_HEADER = 128
_ITEM = 4
_MAX_CHARS = 80


def scan(index: str, runs: int, conditions: dict[str, Any]) -> dict[str, Any]:
    """Search the mapped matrix and pass over it, in turn; return the seconds of both, and of each condition.

    Args:
        index: the directory.
        runs: how often.
        conditions: name -> arguments of `Filter`.
    """
    import numpy as np

    from quotefind import Filter
    from quotefind.index.local.reader import LocalIndex

    with open_index(Path(index)) as opened:
        assert isinstance(opened, LocalIndex)
        query = np.random.default_rng(0).standard_normal((1, opened.manifest.dimension), dtype=np.float32)
        query /= np.linalg.norm(query)
        filters = {
            name: Filter(**{key: _tuple(value) for key, value in given.items()}) for name, given in conditions.items()
        }
        calls: dict[str, Callable[[], object]] = {
            "pass": np.asarray(opened.matrix).sum,
            "search": partial(opened.search, query, 5),
        }
        calls |= {name: partial(opened.search, query, 5, where) for name, where in filters.items()}
        results: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(runs + 1):
            for name, call in calls.items():
                started = time.perf_counter()
                call()
                if number:
                    results[name].append(time.perf_counter() - started)
        return {
            "seconds": results,
            "matching": {name: len(opened.rows_where(where)) for name, where in filters.items()},
        }


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read_through(directory: Path) -> None:
    """Read every file of the index once, so that the file cache holds it."""
    for path in directory.iterdir():
        with path.open("rb", buffering=0) as stream:
            while stream.read(1 << 20):
                pass


def matrix_state(directory: Path, rows: int, dim: int) -> dict[str, int]:
    """Return which file the matrix is, its size, and the checksum of its first `rows` rows."""
    (path,) = directory.glob("*.npy")
    checksum, left = 0, rows * dim * _ITEM
    with path.open("rb") as stream:
        stream.seek(_HEADER)
        while left:
            block = stream.read(min(left, 1 << 20))
            checksum, left = zlib.crc32(block, checksum), left - len(block)
    status = path.stat()
    return {"file": status.st_ino, "size": status.st_size, "checksum": checksum}


def add_and_check(directory: Path, home: Path, rows: int, identity: dict[str, Any]) -> dict[str, Any]:
    """Add `_NEW` quotes to an index of `rows`; end the program where more happened to the matrix than that it grew.

    Returns:
        The seconds beyond encoding, the bytes written and the peak memory of the process that added them.
    """
    source = home / f"new-{rows}.jsonl"
    measure.in_own_process(synthetic.write_numbered, path=source, count=_NEW, first=rows + 1)
    before = matrix_state(directory, rows, identity["dim"])
    added, cost = measure.in_own_process(synthetic.add_source, directory=directory, source=source, identity=identity)
    after = matrix_state(directory, rows, identity["dim"])
    grown = {**before, "size": before["size"] + _NEW * identity["dim"] * _ITEM}
    if added["added"] != _NEW or after != grown:
        sys.exit(f"{added['added']} of {_NEW} quotes were added, and the matrix is {after}, expected {grown}.")
    return {"beyond": cost.wall - added["encoding"], "written": added["written"], "peak": cost.peak}


def main() -> None:
    """Measure and print the table."""
    given = measure.options(__doc__ or "", quotes=1_000_000)
    quotefind = measure.quotefind_command()
    measure.fortunes_folder()
    with measure.home_directory(given.home) as home:
        index, source = home / "scale", home / "scale.jsonl"
        shutil.rmtree(index, ignore_errors=True)
        measure.say("preparing the model, the first time")
        identity, _ = measure.in_own_process(synthetic.prepare_model)
        named, _ = measure.in_own_process(synthetic.write_numbered, path=source, count=given.quotes)
        measure.say(f"making an index of {given.quotes:,} quotes")
        made, making = measure.in_own_process(synthetic.add_source, directory=index, source=source, identity=identity)
        if made["quotes"] != given.quotes:
            sys.exit(f"The index holds {made['quotes']} quotes, expected {given.quotes}.")
        size = sum(path.stat().st_size for path in index.iterdir())

        conditions = {
            f"--author '{named['author']}'": {"authors": [named["author"]]},
            f"--tag {named['tag']}": {"tags": [named["tag"]]},
            f"--max-chars {_MAX_CHARS}": {"max_chars": _MAX_CHARS},
        }
        words = {
            f"--author '{named['author']}'": ["--author", named["author"]],
            f"--tag {named['tag']}": ["--tag", named["tag"]],
            f"--max-chars {_MAX_CHARS}": ["--max-chars", str(_MAX_CHARS)],
        }
        measure.say("scanning")
        scanned, _ = measure.in_own_process(scan, index=index, runs=given.runs, conditions=conditions)
        read_through(index)
        find = [*quotefind, "find", _REQUEST, "--index", str(index)]
        cold = measure.rounds(
            {
                "find": partial(measure.cost_of, find),
                **{name: partial(measure.cost_of, [*find, *more]) for name, more in words.items()},
            },
            given.runs,
            warm_up=1,
        )
        additions = []
        for number in range(given.runs):
            measure.say(f"adding {_NEW:,} quotes, {number + 1} of {given.runs}")
            additions.append(add_and_check(index, home, given.quotes + number * _NEW, identity))
        shutil.rmtree(index)
        source.unlink()
        for path in home.glob("new-*.jsonl"):
            path.unlink()
    report(given, made, making, size, scanned, cold, additions)


def report(
    given: Any,
    made: dict[str, Any],
    making: measure.Cost,
    size: int,
    scanned: dict[str, Any],
    cold: dict[str, list[measure.Cost]],
    additions: list[dict[str, Any]],
) -> None:
    """Print the table."""
    warm = scanned["seconds"]
    over = median(warm["pass"])
    rows = [
        [
            "making, beyond encoding",
            measure.seconds(making.wall - made["encoding"]),
            measure.megabytes(making.peak),
            f"{given.quotes / (making.wall - made['encoding']):,.0f} quotes/s",
        ],
        ["one pass over the matrix", measure.seconds(warm["pass"]), "", ""],
        ["warm scan", measure.seconds(warm["search"]), "", f"{measure.times(median(warm['search']) / over)} the pass"],
    ]
    rows += [
        [f"warm scan {name}", measure.seconds(warm[name]), "", f"{count:,} quotes match"]
        for name, count in scanned["matching"].items()
    ]
    for name, costs in cold.items():
        rows.append(
            [
                "cold find" + ("" if name == "find" else f" {name}"),
                measure.seconds([cost.wall for cost in costs]),
                measure.megabytes([cost.peak for cost in costs]),
                measure.spread([cost.wall for cost in costs]),
            ]
        )
    beyond = [addition["beyond"] for addition in additions]
    rows.append(
        [
            f"adding {_NEW:,}, beyond encoding",
            measure.seconds(beyond),
            measure.megabytes([addition["peak"] for addition in additions]),
            measure.spread(beyond),
        ]
    )
    notes = [
        f"Medians of {given.runs} runs, pass and scans in turn, finds in turn; making once. The index takes "
        f"{measure.megabytes(size)} of disk.",
        f"Each addition left the matrix the same file with the same {given.quotes:,} rows and more, and made it longer "
        f"by exactly {_NEW:,} rows.",
    ]
    if additions[0]["written"] is not None:
        written = [float(addition["written"]) for addition in additions]
        notes[1] += f" It wrote {measure.megabytes(written)} to all files together, temporary ones counted."
    measure.print_table(f"Scale: {given.quotes:,} quotes", ["", "time", "peak memory", ""], rows, notes)


if __name__ == "__main__":
    if "--machines" in sys.argv:  # several of them, and Lance
        import machines

        machines.main()
    else:
        main()
