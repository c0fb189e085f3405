"""A cold `quotefind today` against `quotefind --version`, as whole processes.

Contestants, in turn in the same run, everything in the file cache and all byte code compiled: `--version`, and `today`
where there is no index yet, on the bundled quotes, and on a large index of synthetic rows, with conditions too.

To reach: each takes less than twice the time of `--version`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import measure
import synthetic

_MOST = 2.0
_WARM_UP = 2


def main() -> None:
    """Measure and print the table."""
    given = measure.options(__doc__ or "", quotes=1_000_000)
    quotefind = measure.quotefind_command()
    measure.fortunes_folder()
    with measure.home_directory(given.home) as home:
        bundled, large, source = home / "today-bundled", home / "today", home / "today.jsonl"
        shutil.rmtree(large, ignore_errors=True)
        shutil.rmtree(home / "indexes" / "default", ignore_errors=True)
        measure.say("preparing the model, and indexing the bundled quotes, the first time")
        measure.run([*quotefind, "index", "bundled", "--index", bundled])
        identity, _ = measure.in_own_process(synthetic.prepare_model)
        named, _ = measure.in_own_process(synthetic.write_numbered, path=source, count=given.quotes)
        measure.say(f"making an index of {given.quotes:,} quotes")
        measure.in_own_process(synthetic.add_source, directory=large, source=source, identity=identity)
        today, size = [*quotefind, "today"], f"{given.quotes:,} quotes"
        commands: dict[str, Sequence[str | Path]] = {
            "`--version`": [*quotefind, "--version"],
            "no index yet": today,
            "the bundled quotes": [*today, "--index", bundled],
            size: [*today, "--index", large],
            f"{size}, `--tag {named['tag']}`": [*today, "--index", large, "--tag", named["tag"]],
            f"{size}, `--author '{named['author']}'`": [*today, "--index", large, "--author", named["author"]],
            f"{size}, `--max-chars 80`": [*today, "--index", large, "--max-chars", "80"],
        }
        costs = measure.rounds(
            {name: partial(measure.cost_of, words) for name, words in commands.items()},
            given.runs,
            0 if given.smallest else _WARM_UP,
        )
        shutil.rmtree(large)
        source.unlink()
    least = {
        attribute: median(getattr(cost, attribute) for cost in costs["`--version`"]) for attribute in ("wall", "cpu")
    }
    rows, slow = [], []
    for name, taken in costs.items():
        wall, cpu = median(cost.wall for cost in taken), median(cost.cpu for cost in taken)
        ratio = wall / least["wall"]
        if ratio >= _MOST:
            slow.append(name)
        peak = measure.megabytes([float(cost.peak) for cost in taken])
        rows.append(
            [
                name,
                measure.seconds(wall),
                measure.times(ratio),
                measure.seconds(cpu),
                measure.times(cpu / least["cpu"]),
                peak,
            ]
        )
    measure.print_table(
        "Today: one cold `quotefind today`",
        ["", "wall time", "of `--version`", "CPU time", "of `--version`", "peak memory"],
        rows,
        [f"Medians of {given.runs} runs in turn."],
    )
    if slow:
        sys.exit(f"Not reached: less than {measure.times(_MOST)} for {', '.join(slow)}.")


if __name__ == "__main__":
    main()
