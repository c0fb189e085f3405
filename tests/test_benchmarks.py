"""The benchmarks run: each script at its smallest size, and what its table must say whatever the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
# Not scripts to run: what the others share, and the process that faults.py kills.
SHARED = {"measure.py", "synthetic.py", "victim.py", "machines.py"}
# Indexes of the bundled quotes that a script makes, or uses if they are there: encoding them takes longest.
BUNDLED = {
    "today.py": "today-bundled",
    "topics.py": "bundled.index",
    "conflicts.py": "conflicts.index",
    "tagging.py": "quotefind-MiniLM-L6-v1.index",
}
# Scripts that need what is not in Python packages, or not for every system.
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
CHROMIUM = pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), reason="there is no Chromium"
)
SCRIPTS = [
    *("batch.py", "conflicts.py", "encode.py", "fuzz.py", "map.py", "quality.py", "recipes.py"),
    *("scale.py", "start.py", "tagging.py", "today.py"),
    pytest.param("load.py", marks=LINUX),
    pytest.param("topics.py", marks=LINUX),
    pytest.param("page.py", marks=CHROMIUM),
]
FAULTS = ["kills", "calls", "system", "readers", "bits"]


@pytest.fixture(scope="module")
def fortunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like that of the Debian packages fortunes and fortunes-min, of 100 quotes."""
    folder = tmp_path_factory.mktemp("fortunes")
    for name in ("wisdom", "riddles"):
        quotes = (f"What the {name} of day {n} says of love.\n\t\t-- Author {n % 5}" for n in range(50))
        (folder / name).write_text("\n%\n".join(quotes) + "\n%\n", encoding="utf-8")
        (folder / f"{name}.dat").write_bytes(b"")  # by which a fortune file is known
    return folder


@pytest.fixture
def bench_home(tmp_path: Path, real_home: Path) -> Path:
    """A home for a benchmark, with a copy of the prepared model: scripts move and damage it."""
    home = tmp_path / "bench-home"
    shutil.copytree(real_home / "cache", home / "cache")
    return home


def run(script: str, *words: str | Path, fortunes: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a benchmark at its smallest size."""
    path = os.pathsep.join([str(BENCHMARKS.parent / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, BENCHMARKS / script, *words, "--smallest"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FORTUNES": str(fortunes), "PYTHONPATH": path, **variables},
    )


def test_every_script_is_run() -> None:
    """A new script in the folder is one of those that the tests below run."""
    run_here = {script if isinstance(script, str) else str(script.values[0]) for script in SCRIPTS}
    assert {path.name for path in BENCHMARKS.glob("*.py")} == run_here | SHARED | {"faults.py"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_prints_its_table(
    request: pytest.FixtureRequest, bench_home: Path, fortunes: Path, script: str
) -> None:
    """At its smallest size a benchmark comes to its end, with a table of at least one line."""
    if script in BUNDLED:
        made = request.getfixturevalue("bundled_home") / "indexes" / "default"
        shutil.copytree(made, bench_home / BUNDLED[script])
    home = [] if script == "fuzz.py" else ["--home", bench_home]
    done = run(script, *home, fortunes=fortunes)
    assert done.returncode == 0 or (script == "today.py" and "Not reached" in done.stderr), done.stderr[-3000:]
    assert re.search(r"^\|-.*\|\n\|", done.stdout, re.MULTILINE)


@LINUX
@pytest.mark.parametrize("part", FAULTS)
def test_a_part_of_faults_finds_none(bench_home: Path, fortunes: Path, part: str) -> None:
    """Each part of faults.py runs its trials and finds no fault."""
    done = run("faults.py", "--home", bench_home, "--only", part, fortunes=fortunes)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"\| +0 \|$", done.stdout, re.MULTILINE) or not shutil.which("strace")


@LINUX
def test_a_failed_set_up_fails_the_run(bench_home: Path, fortunes: Path, tmp_path: Path) -> None:
    """If the process that faults.py kills cannot even begin, the run fails and says why."""
    broken = tmp_path / "benchmarks"
    shutil.copytree(BENCHMARKS, broken, ignore=shutil.ignore_patterns("__pycache__"))
    victim = broken / "victim.py"
    victim.write_text(
        victim.read_text(encoding="utf-8").replace("import LocalIndexWriter", "import NoSuchWriter"), encoding="utf-8"
    )
    done = run(str(broken / "faults.py"), "--home", bench_home, "--only", "kills", fortunes=fortunes)
    assert done.returncode == 1
    assert "The set-up failed" in done.stderr
    assert "cannot import name 'NoSuchWriter'" in done.stderr
