"""Whatever fails, and wherever: the index answers from what was committed, and is brought to its end later."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import killing
import pytest
from boundaries import at_boundary
from fake_encoder import FakeEncoder
from library import Library

from quotefind.errors import IndexUnusableError, SourceError
from quotefind.index.local import merge, rewrite
from quotefind.stores import index_exists

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows neither fork nor SIGKILL")
# How many boundaries a scenario has at least: fewer, and the test would look at less than it says.
LEAST = {"first index": 40, "adding": 30, "refreshing": 25, "pruning": 15, "compacting": 25, "rebuilding": 25}
LEAST["tagging"] = 12


@POSIX
@pytest.mark.parametrize("scenario", killing.SCENARIOS)
def test_killed_at_every_boundary(tmp_path: Path, scenario: str) -> None:
    """Killed before any write, sync, rename or commit, an index is whole, and nothing committed is encoded again."""
    done = subprocess.run(
        [sys.executable, killing.__file__, scenario, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= LEAST[scenario]


def test_killed_while_the_database_is_made(library: Library) -> None:
    """What SQLite had begun of a new database is taken back by the next reader, for which there is no index yet."""
    library.directory.mkdir()
    begun = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('CREATE TABLE a (b)')\n"
        "connection.execute('BEGIN')\n"
        "connection.executemany('INSERT INTO a VALUES (?)', [('x' * 1000,)] * 100)\n"
        "os._exit(0)"
    )
    database = library.directory / "index.sqlite"
    subprocess.run([sys.executable, "-c", begun, str(database)], check=True)
    assert database.with_name("index.sqlite-journal").stat().st_size > 0
    assert not index_exists(library.directory)
    library.update(library.write("a.txt", *killing.OLD))
    assert library.texts() == sorted(killing.OLD)


@pytest.mark.parametrize("scenario", ["adding", "refreshing", "compacting", "rebuilding"])
def test_refused_at_every_boundary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str) -> None:
    """A disk that is full at any write is an error of ours; what was there answers, and the rest comes later."""
    monkeypatch.setattr(merge, "_CHUNK", 4)
    monkeypatch.setattr(rewrite, "_CHUNK", 4)
    begin, change = killing.SCENARIOS[scenario]
    errors: list[str] = []
    number = 0
    reached = True

    def refuse() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    while reached:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        library = Library(folder / "index", folder / "sources", FakeEncoder(), FakeEncoder("other", dim=16))
        begin(library)
        before = killing.committed(library)
        with at_boundary(number, refuse, statements=False) as seen, suppress(SourceError):
            try:
                change(library)
            except IndexUnusableError as error:
                errors.append(str(error))
        reached = len(seen) >= number
        after = killing.committed(library)
        assert scenario != "adding" or before.items() <= after.items()
        change(library)
        assert killing.committed(library).keys() >= after.keys() - set(killing.OLD)
    assert len(errors) >= 10
    assert [error for error in errors if str(tmp_path) not in error] == []
