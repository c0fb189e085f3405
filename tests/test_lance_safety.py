"""A Lance index reports damage and foreign datasets, and has one writer at a time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoder import FakeEncoder
from library import Library
from two_stores import lines_of, quick

from quotefind.errors import IndexLockedError, IndexUnusableError
from quotefind.index.filters import Filter
from quotefind.index.lance import lock
from quotefind.index.lance.dataset import TAG
from quotefind.paths import index_location
from quotefind.search import FindOptions, find
from quotefind.stores import index_exists, open_index, verify

lance = pytest.importorskip("lance", reason="the extra scale is not installed")

LINES = [f"{line} -- Ann Author" for line in lines_of(12)]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """An index of twelve quotes in a Lance dataset."""
    quick(monkeypatch)
    made = Library(tmp_path / "index.lance", tmp_path / "sources", FakeEncoder())
    made.update(made.write("a.txt", *LINES))
    return made


def publish(library: Library, change: Callable[[Any], object]) -> None:
    """Change the dataset with Lance itself, and show the change to readers."""
    dataset = lance.dataset(str(library.directory))
    change(dataset)
    dataset = lance.dataset(str(library.directory))
    dataset.tags.update(TAG, dataset.version)


def merge(library: Library, row: int, **values: Any) -> None:
    """Change the `values` of one row without the program."""
    import pyarrow as pa

    def change(dataset: Any) -> None:
        (record,) = dataset.to_table(filter=f"row = {row}").to_pylist()
        rows = pa.Table.from_pylist([record | values], schema=dataset.schema)
        dataset.merge_insert("row").when_matched_update_all().execute(rows)

    publish(library, change)


def turned(library: Library) -> list[float]:
    """Return a unit vector that is not the vector of any quote."""
    return np.eye(library.encoder.dim)[0].tolist()  # type: ignore[no-any-return]


DAMAGE: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"text": "another text"}, "text or author"),
    "author": ({"author": "Another"}, "text or author"),
    "id": ({"id": "0" * 16}, "text or author"),
    "digest": ({"digest": "0" * 32}, "text or author"),
    "work": ({"work": "A work"}, "with another work, year, place"),
    "year": ({"year": 1900}, "with another work, year, place"),
    "tags": ({"tags": ["new"]}, "with another work, year, place"),
    "note": ({"note": "new"}, "with another work, year, place"),
    "proposals": ({"proposed": ["new"]}, "with another work, year, place"),
    "seal": ({"seal": 1}, "with another work, year, place"),
    "folded author": ({"author_folded": " somebody"}, "a name or a tag that it does not have"),
    "folded tags": ({"tags_folded": ["hope"]}, "a name or a tag that it does not have"),
    "length": ({"chars": 1}, "a length"),
    "words": ({"words": "none of them"}, "words that it does not have"),
    "number of words": ({"word_count": 99}, "words"),
    "checksum": ({"checksum": 1}, "the vector of row 3 does not match its checksum"),
    "a vector of another length": ({"vector": [0.0] * 32}, "not a unit vector"),
    "a vector that is no number": ({"vector": [float("nan")] * 32}, "not a unit vector"),
    "no file": ({"files": [], "lines": []}, "belongs to no source"),
    "an unknown file": ({"files": [77], "lines": [1]}, "belongs to no source"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_verify_finds_what_was_changed(shared: Library, name: str) -> None:
    """Any stored value that something else has changed is found, and the message names the fix."""
    values, said = DAMAGE[name]
    merge(shared, 3, **values)
    with (
        open_index(shared.directory) as index,
        pytest.raises(IndexUnusableError, match=said) as raised,
    ):
        verify(index)
    assert "is damaged" in str(raised.value)
    assert "quotefind index SOURCE" in str(raised.value)


def test_verify_finds_a_vector_that_was_turned(shared: Library) -> None:
    """A wrong unit vector is found by verify, by a search and when the quote is shown."""
    merge(shared, 3, vector=turned(shared))
    with open_index(shared.directory) as index:
        for use in (
            lambda: verify(index),
            lambda: index.search(shared.encoder.vectors(["anything"]), 12),
            lambda: index.quotes([3]),
            lambda: index.vectors(np.array([3])),
        ):
            with pytest.raises(IndexUnusableError, match="vector of row 3 does not match its checksum"):
                use()


@pytest.mark.parametrize("values", [{"text": "another text"}, {"author": "Somebody"}, {"tags": ["x"]}, {"year": 5}])
def test_a_search_shows_nothing_that_was_changed(shared: Library, values: dict[str, Any]) -> None:
    """A hit is refused if its text, or anything else that is shown, was changed."""
    merge(shared, 3, **values)
    with (
        open_index(shared.directory) as index,
        pytest.raises(IndexUnusableError, match="does not match its checksum"),
    ):
        find(index, shared.encoder, ["anything"], FindOptions(top=12))


def test_verify_finds_rows_that_are_gone_or_there_twice(shared: Library) -> None:
    """A row that was deleted or duplicated with Lance itself is found."""
    dataset = lance.dataset(str(shared.directory))
    again = dataset.to_table(filter="row = 2")
    publish(shared, lambda dataset: dataset.delete("row = 4"))
    with open_index(shared.directory) as index, pytest.raises(IndexUnusableError, match="words"):
        verify(index)
    publish(shared, lambda dataset: dataset.insert(again))
    with open_index(shared.directory) as index, pytest.raises(IndexUnusableError, match="twice"):
        verify(index)


def test_verify_finds_an_index_that_lacks_quotes(shared: Library) -> None:
    """A row that Lance's own indexes do not cover is found, even if nothing else is wrong."""
    again = lance.dataset(str(shared.directory)).to_table(filter="row = 4")

    def moved(dataset: Any) -> None:
        dataset.delete("row = 4")
        dataset.insert(again)

    publish(shared, moved)
    with open_index(shared.directory) as index, pytest.raises(IndexUnusableError, match="its index of row lacks 1"):
        verify(index)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("quotefind.manifest", "nonsense", "its manifest cannot be read"),
        ("quotefind.manifest", "{}", "its manifest cannot be read"),
        ("quotefind.manifest", '{"format": 99}', "has format 99; .* Update quotefind"),
        ("quotefind.manifest", '{"format": 1}', "has format 1; .* Index its sources again under another name"),
        ("quotefind.sources", "nonsense", "its list of sources cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_read(shared: Library, key: str, value: str, said: str) -> None:
    """A manifest or a list of sources that cannot be read is an error when the index is opened, and says what to do."""
    publish(shared, lambda dataset: dataset.update_schema_metadata({key: value}))
    with pytest.raises(IndexUnusableError, match=said):
        open_index(shared.directory)


@pytest.mark.parametrize("lost", ["data", "_indices"])
@pytest.mark.parametrize("cut", [True, False])
def test_files_that_are_gone_or_cut(shared: Library, lost: str, cut: bool) -> None:
    """Deleted or truncated files are reported as damage, with the fix and without Lance's own words."""
    for file in (shared.directory / lost).rglob("*.*"):
        if file.is_file():
            os.truncate(file, 10) if cut else file.unlink()
    with (
        open_index(shared.directory) as index,
        pytest.raises(IndexUnusableError, match="is damaged: one of its files") as raised,
    ):
        verify(index)
    assert "quotefind index --rebuild --index" in str(raised.value)
    assert ".rs" not in str(raised.value)
    if lost == "_indices":
        with shared.writer() as writer:
            writer.rebuild()
        assert len(shared.texts()) == 12


def test_there_is_no_index(tmp_path: Path) -> None:
    """If there is no index, the message says how to make one, and nothing is made."""
    missing = tmp_path / "none.lance"
    assert not index_exists(missing)
    with pytest.raises(IndexUnusableError, match=r"no index in .*none\.lance.* quotefind index SOURCE"):
        open_index(missing)
    assert not missing.exists()


def test_a_dataset_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Lance dataset that is not an index is neither searched nor written."""
    import pyarrow as pa

    quick(monkeypatch)
    foreign = Library(tmp_path / "foreign.lance", tmp_path / "sources", FakeEncoder())
    dataset = lance.write_dataset(pa.table({"text": ["a", "b"]}), str(foreign.directory))
    with pytest.raises(IndexUnusableError, match="not an index of quotefind"):
        foreign.update(foreign.write("a.txt", "a quote"))
    dataset.tags.create(TAG, 1)
    with pytest.raises(IndexUnusableError, match="not an index of quotefind"):
        open_index(foreign.directory)
    assert lance.dataset(str(foreign.directory)).version == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_an_index_with_a_name_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the data directory a Lance index is for its user alone; elsewhere others may read it."""
    quick(monkeypatch)
    monkeypatch.setenv("QUOTEFIND_HOME", str(tmp_path / "home"))
    before = os.umask(0o022)
    try:
        for location, mode in ((index_location("mine.lance"), 0o700), (tmp_path / "ours.lance", 0o755)):
            assert isinstance(location, Path)
            made = Library(location, tmp_path / "sources", FakeEncoder())
            made.update(made.write("a.txt", *LINES))
            assert location.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


def held(process: int | None = None, machine: str | None = None, seconds: float = 60.0) -> dict[str, Any]:
    """Return the lock of another process that expires in `seconds`."""
    return {
        "token": "of another",
        "until": time.time() + seconds,
        "process": process or os.getpid(),
        "machine": machine or socket.gethostname(),
        "system": f"that of {machine}" if machine else lock._system(),
        "since": "2026-01-02T03:04:05+00:00",
    }


def test_another_machine_holds_the_lock(shared: Library) -> None:
    """A second writer is told which process writes; readers are not disturbed."""
    lock._write(shared.directory, held(4242, "elsewhere"))
    with pytest.raises(IndexLockedError, match="process 4242 on elsewhere since 2026-01-02T03:04:05"):
        shared.update()
    assert len(shared.texts()) == 12
    assert lock._read(shared.directory)["machine"] == "elsewhere"


def test_an_expired_lock_is_taken(shared: Library) -> None:
    """A lock that was not renewed in time is free, whoever held it."""
    lock._write(shared.directory, held(4242, "elsewhere", seconds=-1.0))
    assert shared.update().reused == 12
    assert lock._read(shared.directory) == {}


def test_the_lock_of_a_dead_process_is_taken(shared: Library) -> None:
    """The lock of a dead process on this machine is free at once."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock._write(shared.directory, held(ended.pid))
    assert shared.update().reused == 12


@pytest.mark.parametrize("other", [{"process": None}, {"system": "another of the same name"}])
def test_only_a_process_that_can_be_seen_is_gone(shared: Library, other: dict[str, object]) -> None:
    """The lock of another machine with the same name, or of an unknown holder, is free only when it expires."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock._write(shared.directory, held(ended.pid) | other)
    with pytest.raises(IndexLockedError):
        shared.update()


def test_a_writer_waits_for_the_lock(shared: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `wait`, a second writer writes as soon as the first has finished."""
    from quotefind.stores import open_to_write

    monkeypatch.setattr(lock, "_RETRY", 0.05)
    lock._write(shared.directory, held(4242, "elsewhere", seconds=0.6))
    with open_to_write(shared.directory, shared.models, wait=30.0) as writer:
        assert writer.update([]).reused == 12


def test_a_lock_that_was_taken_stops_the_writer(shared: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that lost its lock to another process commits nothing more and says so."""
    monkeypatch.setattr(lock, "_RENEW", 0.02)
    path = shared.write("b.txt", "a line too late")
    with shared.writer() as writer:
        lock._write(shared.directory, held(4242, "elsewhere"))
        until = time.monotonic() + 20
        while writer._versions._lock._taken is None and time.monotonic() < until:  # type: ignore[attr-defined]
            lock._write(shared.directory, held(4242, "elsewhere"))
            time.sleep(0.05)
        from quotefind.index.sources import Source

        with pytest.raises(IndexLockedError, match="4242 on elsewhere"):
            writer.update([Source(str(path))])
    assert lock._read(shared.directory)["machine"] == "elsewhere"
    assert len(shared.texts()) == 12


def test_a_lock_that_cannot_be_renewed_stops_the_writer(shared: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that could not renew its lock in time commits nothing more, even if nobody else has taken it."""
    monkeypatch.setattr(lock, "_RENEW", 0.02)
    path = shared.write("b.txt", "a line too late")
    from quotefind.index.sources import Source

    def away(*_: object) -> None:
        raise OSError("the storage does not answer")

    with shared.writer() as writer:
        with monkeypatch.context() as patch:
            patch.setattr(lock, "_write", away)
            time.sleep(0.1)
            later = time.time() + lock.SECONDS + 1
            patch.setattr(lock.time, "time", lambda: later)
            with pytest.raises(IndexLockedError, match="may now be written by another process"):
                writer.update([Source(str(path))])
        until = time.monotonic() + 20
        while time.monotonic() < until:  # the storage answers again, and the lock is still this writer's
            try:
                assert writer.update([Source(str(path))]).added == 1
                break
            except IndexLockedError:
                time.sleep(0.05)
    assert len(shared.texts()) == 13


@pytest.mark.parametrize("written", [b"", b"nonsense", b"[1]", b"{}", b'{"until": "then"}'])
def test_a_lock_file_with_other_content_is_free(shared: Library, written: bytes) -> None:
    """A lock file with other content is free."""
    (shared.directory / lock._FILE).write_bytes(written)
    assert shared.update().reused == 12


def test_who_committed_meanwhile_is_noticed(shared: Library) -> None:
    """A dataset that another program has changed since it was opened is left alone."""
    path = shared.write("b.txt", "a line beside another")
    from quotefind.index.sources import Source

    with shared.writer() as writer:
        lance.dataset(str(shared.directory)).update_metadata({"other": "x"})
        with pytest.raises(IndexLockedError, match="Another process has written"):
            writer.update([Source(str(path))])
    assert shared.update(path).added == 1
    assert len(shared.texts()) == 13


SECOND = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fake_encoder import FakeEncoder
from library import Library
library = Library(Path(sys.argv[2]), Path(sys.argv[3]), FakeEncoder())
with library.writer() as writer:
    print("writing", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_do_not_write_at_once(shared: Library) -> None:
    """While one process writes, a second one is told its number; after the first has ended, the second may write."""
    first = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(SECOND),
            str(Path(__file__).parent),
            str(shared.directory),
            str(shared.folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with first:
        assert first.stdout is not None
        assert first.stdout.readline() == "writing\n"
        with pytest.raises(IndexLockedError, match=f"process {first.pid} on {socket.gethostname()} since 20"):
            shared.update()
        with open_index(shared.directory) as index:
            assert len(index.rows_where(Filter())) == 12
        first.kill()
    assert shared.update().reused == 12
