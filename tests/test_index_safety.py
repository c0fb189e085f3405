"""An index is whole whatever happens: killed runs, several processes, damaged files."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_encoder import FakeEncoder, StoppedError
from library import Library

from quotefind.errors import IndexUnusableError
from quotefind.index.interface import Index
from quotefind.index.local import merge, rewrite
from quotefind.index.local.lock import writer_lock
from quotefind.index.local.verify import verify
from quotefind.index.local.writer import open_to_write
from quotefind.stores import index_exists, open_index

LINES = [f"quote number {n}" for n in range(40)]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and signals")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every ten quotes committed."""
    monkeypatch.setattr(merge, "_CHUNK", 10)
    monkeypatch.setattr(rewrite, "_CHUNK", 10)


@pytest.fixture
def filled(library: Library) -> Library:
    """An index of forty quotes."""
    library.update(library.write("a.txt", *LINES))
    return library


def two_models(library: Library) -> tuple[Library, FakeEncoder]:
    """Return the same library where there is a second model, and that model."""
    other = FakeEncoder("other", dim=16)
    return Library(library.directory, library.folder, library.encoder, other), other


def nearest(index: Index, encoder: FakeEncoder, text: str, k: int = 5) -> list[tuple[str, float]]:
    """Return text and score of the quotes nearest to `text`; of equal ones, by text."""
    (ranking,) = index.search(encoder.vectors([text]), index.count)
    texts = [quote.text for quote in index.quotes(ranking.rows)]
    return sorted(zip(texts, ranking.scores.tolist(), strict=True), key=lambda hit: (-hit[1], hit[0]))[:k]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("at_call", [1, 2, 3, 4])
@pytest.mark.parametrize("before", [0, 15])
def test_an_update_that_stopped_goes_on_where_it_was(library: Library, at_call: int, before: int) -> None:
    """What was committed before a run stopped is searchable and is never encoded again."""
    if before:
        library.update(library.write("old.txt", *(f"older {n}" for n in range(before))))
        library.encoder.encoded.clear()
        library.encoder.calls = 0
    library.write("a.txt", *LINES)
    library.encoder.fail_at_call = at_call
    with pytest.raises(StoppedError):
        library.update(library.folder)
    assert len(library.texts()) == before + 10 * (at_call - 1)
    library.encoder.fail_at_call = None
    summary = library.update(library.folder)
    assert summary.encoded == 40 - 10 * (at_call - 1)
    assert sorted(library.encoder.encoded) == sorted(LINES)
    assert len(library.texts()) == before + 40


@pytest.mark.usefixtures("small_chunks")
def test_a_stopped_update_is_finished_by_a_refresh(library: Library) -> None:
    """After a run that stopped, the sources count as changed, so that a refresh without names finishes it."""
    library.update(library.write("a.txt", *LINES[:5]))
    library.write("a.txt", *LINES[5:])
    library.encoder.fail_at_call = 3
    with pytest.raises(StoppedError):
        library.update()
    library.encoder.fail_at_call = None
    library.update()
    assert library.texts() == sorted(LINES[5:])
    assert sorted(library.encoder.encoded) == sorted(LINES)


_KILLED = textwrap.dedent("""
    import json, os, sys, time
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from fake_encoder import FakeEncoder, FakeModels
    from quotefind.index.local import merge
    from quotefind.index.sources import Source
    from quotefind.index.local.writer import open_to_write

    class Slow(FakeEncoder):
        def encode_quotes(self, texts, progress=lambda *_: None):
            time.sleep(0.03)
            return super().encode_quotes(texts)

    merge._CHUNK = 10
    print("started", flush=True)
    with open_to_write(Path({directory!r}), FakeModels(Slow())) as writer:
        writer.update([Source({source!r})])
""")


@POSIX
def test_an_update_that_is_killed_goes_on_where_it_was(library: Library) -> None:
    """Killed at whatever moment, the index is whole, its lock is free, and no committed text is encoded again."""
    lines = [f"quote number {n}" for n in range(400)]
    source = library.write("a.txt", *lines)
    program = _KILLED.format(tests=str(Path(__file__).parent), directory=str(library.directory), source=str(source))

    def kept() -> int:
        return len(library.texts()) if index_exists(library.directory) else 0

    grown = [0]
    for moment in (0.0, 0.1, 0.2, 0.4):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moment)
            while moment == 0.4 and process.poll() is None and kept() == grown[-1]:  # on a busy machine
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        grown.append(kept())
    assert grown == sorted(grown)
    assert 0 < grown[-1] < 400
    summary = library.update(source)
    assert summary.encoded == len(library.encoder.encoded) == 400 - grown[-1]
    assert library.texts() == sorted(lines)


@pytest.mark.usefixtures("small_chunks")
def test_a_rebuild_encodes_with_another_model(filled: Library) -> None:
    """A rebuild leaves the same quotes with the vectors of the new model, one matrix, and a manifest that says so."""
    before = filled.quotes()
    library, other = two_models(filled)
    with open_to_write(library.directory, library.models) as writer:
        summary = writer.rebuild(model="other")
    assert (summary.encoded, summary.quotes) == (40, 40)
    assert library.quotes() == before
    with open_index(library.directory) as index:
        assert (index.manifest.model, index.manifest.fingerprint) == ("other", other.fingerprint)
        assert (index.manifest.dimension, index.matrix.shape) == (16, (40, 16))
        assert index.matrix[7].tolist() == other.vectors([before[7].text])[0].tolist()
    assert [path.name for path in library.directory.glob("*.npy")] == ["vectors-2.npy"]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("at_call", [1, 2, 4])
def test_a_rebuild_that_stopped_goes_on_where_it_was(filled: Library, at_call: int) -> None:
    """Until it is finished the old matrix answers; what was encoded anew before it stopped is not encoded again."""
    library, other = two_models(filled)
    other.fail_at_call = at_call
    with open_index(library.directory) as index:
        answer = nearest(index, library.encoder, LINES[3])
    with open_to_write(library.directory, library.models) as writer, pytest.raises(StoppedError):
        writer.rebuild(model="other")
    with open_index(library.directory) as index:
        assert nearest(index, library.encoder, LINES[3]) == answer
    assert library.texts() == sorted(LINES)
    other.fail_at_call = None
    with open_to_write(library.directory, library.models) as writer:
        assert writer.rebuild(model="other").encoded == 40 - 10 * (at_call - 1)
    assert sorted(other.encoded) == sorted(LINES)
    assert library.texts() == sorted(LINES)


@pytest.mark.usefixtures("small_chunks")
def test_quotes_may_change_while_a_rebuild_rests(filled: Library) -> None:
    """Quotes that came or went between a rebuild that stopped and its end are there, or not, when it is done."""
    library, other = two_models(filled)
    other.fail_at_call = 3
    with open_to_write(library.directory, library.models) as writer, pytest.raises(StoppedError):
        writer.rebuild(model="other")
    library.write("a.txt", *LINES[5:], "a new one")
    library.update()
    other.fail_at_call = None
    with open_to_write(library.directory, library.models) as writer:
        writer.rebuild(model="other")
    assert library.texts() == sorted([*LINES[5:], "a new one"])
    assert sorted(other.encoded) == sorted([*LINES, "a new one"])


def test_compaction_keeps_every_answer(filled: Library) -> None:
    """Without its dead rows the matrix is shorter and the answers are the same, to the last bit."""
    filled.write("a.txt", *LINES[::3])
    filled.update()
    with open_index(filled.directory) as index:
        before = [nearest(index, filled.encoder, text) for text in LINES]
        assert len(index.dead) == 40 - len(LINES[::3])
    calls = filled.encoder.calls
    with open_to_write(filled.directory, filled.models) as writer:
        assert writer.compact() == 40 - len(LINES[::3])
        assert writer.compact() == 0
    with open_index(filled.directory) as index:
        assert [nearest(index, filled.encoder, text) for text in LINES] == before
        assert (index.manifest.rows, len(index.dead)) == (len(LINES[::3]), 0)
    assert filled.encoder.calls == calls
    assert filled.texts() == sorted(LINES[::3])


def test_a_reader_keeps_the_state_it_opened(filled: Library) -> None:
    """A reader beside writers answers from what it opened, across updates, compaction and a rebuild."""
    library, _ = two_models(filled)
    with open_index(library.directory) as index:
        before = nearest(index, library.encoder, LINES[3]), index.search_words(["number"], 50).rows.tolist()
        library.write("a.txt", LINES[7], "something else")
        library.update()
        with open_to_write(library.directory, library.models) as writer:
            writer.compact()
        with open_to_write(library.directory, library.models) as writer:
            writer.rebuild(model="other")
        assert (nearest(index, library.encoder, LINES[3]), index.search_words(["number"], 50).rows.tolist()) == before
        assert index.count == 40
    assert library.texts() == sorted([LINES[7], "something else"])


def test_a_second_writer_is_refused_with_the_name_of_the_first(library: Library) -> None:
    """While one process writes, another is told which one, and since when."""
    with writer_lock(library.directory):
        with pytest.raises(IndexUnusableError, match=rf"process {os.getpid()} on .* since 20"):
            library.update(library.write("a.txt", *LINES))
        assert library.encoder.calls == 0
    library.update(library.folder)
    assert len(library.texts()) == 40


def test_a_second_writer_can_wait(library: Library) -> None:
    """With `wait`, a writer begins once the first one has finished."""
    held, finished = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock(library.directory):
            held.set()
            time.sleep(0.3)
            finished.set()

    first = threading.Thread(target=hold)
    first.start()
    held.wait()
    with open_to_write(library.directory, library.models, wait=20.0):
        assert finished.is_set()
    first.join()


def test_a_dead_writer_does_not_block(library: Library) -> None:
    """The files that a killed holder of the lock leaves behind do not stop the next writer."""
    code = (
        "import os, sys; from pathlib import Path; from quotefind.index.local.lock import writer_lock\n"
        "with writer_lock(Path(sys.argv[1])): os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(library.directory)], check=False)
    assert json.loads((library.directory / "writer.json").read_text())["process"] != os.getpid()
    library.update(library.write("a.txt", *LINES))
    assert len(library.texts()) == 40
    assert not (library.directory / "writer.json").exists()


def change_matrix(library: Library) -> None:
    """Flip one bit in the middle of the matrix."""
    path = library.directory / "vectors-1.npy"
    data = bytearray(path.read_bytes())
    data[128 + 7 * 128 + 2] ^= 1
    path.write_bytes(data)


def spoil_matrix(library: Library) -> None:
    """Make one number of the matrix NaN."""
    np.load(library.directory / "vectors-1.npy", mmap_mode="r+")[5, 5] = np.nan


def execute(statement: str) -> Callable[[Library], None]:
    """Return what runs `statement` on the database of an index."""

    def run(library: Library) -> None:
        connection = sqlite3.connect(library.directory / "index.sqlite")
        with connection:
            connection.execute(statement)
        connection.close()

    return run


REBUILD = r"To fix it: quotefind index --rebuild --index "
AGAIN = r"Delete .* and index its sources again"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change_matrix, rf"vectors-1\.npy is damaged: row 7 does not match its checksum\. {REBUILD}"),
        (spoil_matrix, rf"vectors-1\.npy is damaged: row 5 is not a unit vector\. {REBUILD}"),
        (execute("UPDATE quotes SET text = 'changed' WHERE row = 3"), rf"index\.sqlite is damaged: quote .*{AGAIN}"),
        (execute("UPDATE quotes SET name = 'x' WHERE row = 3"), rf"index\.sqlite is damaged: quote x .*{AGAIN}"),
        (execute("UPDATE quotes SET row = 40 WHERE row = 3"), rf"index\.sqlite is damaged: .*beyond.*{AGAIN}"),
        (execute("DELETE FROM places WHERE quote_id = 3"), rf"1 quotes belong to no source\. {AGAIN}"),
        (execute("DELETE FROM words_docsize WHERE id = 3"), rf"full-text search knows 39 of 40.*{AGAIN}"),
        (execute("INSERT INTO dead VALUES (3)"), rf"40 rows, but 40 quotes and 1 dead.*{REBUILD}"),
    ],
)
def test_verification_finds_damage(filled: Library, damage: Callable[[Library], None], message: str) -> None:
    """Every row and every hash is looked at; what is damaged is named, with what mends it."""
    with open_index(filled.directory) as index:
        assert verify(index) == 40
    damage(filled)
    with open_index(filled.directory) as index, pytest.raises(IndexUnusableError, match=message):
        verify(index)


def test_a_rebuild_mends_the_matrix(filled: Library) -> None:
    """What --rebuild is named for is mended by it."""
    for damage in (change_matrix, lambda library: (library.directory / "vectors-1.npy").unlink()):
        damage(filled)
        with open_to_write(filled.directory, filled.models) as writer:
            writer.rebuild()
        assert filled.texts() == sorted(LINES)
        (path,) = filled.directory.glob("*.npy")
        path.rename(filled.directory / "vectors-1.npy")
        execute("UPDATE manifest SET value = 'vectors-1.npy' WHERE key = 'matrix'")(filled)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "vectors-1.npy").unlink(), rf"vectors-1\.npy is missing\. {REBUILD}"),
        (lambda d: (d / "vectors-1.npy").write_bytes(b"x"), rf"vectors-1\.npy cannot be read as a matrix .*{REBUILD}"),
        (lambda d: np.save(d / "vectors-1.npy", np.zeros((40, 3), np.float32)), rf"expected float32 of .*{REBUILD}"),
        (lambda d: (d / "index.sqlite").write_bytes(b"no database" * 99), rf"index\.sqlite is damaged .*{AGAIN}"),
        (lambda d: (d / "index.sqlite").write_bytes(b""), r"There is no index in .* quotefind index SOURCE… --index "),
        (lambda d: (d / "index.sqlite").unlink(), r"There is no index in .* quotefind index SOURCE… --index "),
    ],
)
def test_a_damaged_index_cannot_be_opened(filled: Library, damage: Callable[[Path], object], message: str) -> None:
    """An index whose files are missing or foreign is an error that names the file and the command that mends it."""
    damage(filled.directory)
    with pytest.raises(IndexUnusableError, match=message) as error:
        open_index(filled.directory)
    assert str(filled.directory) in str(error.value)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE manifest SET value = '99' WHERE key = 'format'", "has format 99.*Update quotefind"),
        ("UPDATE manifest SET value = 'many' WHERE key = 'rows'", rf"manifest .* is damaged .*{AGAIN}"),
        ("DELETE FROM manifest WHERE key = 'fingerprint'", rf"manifest .* is damaged .*{AGAIN}"),
        ("UPDATE manifest SET value = '41' WHERE key = 'rows'", rf"at least 41 rows.*{REBUILD}"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(filled: Library, statement: str, message: str) -> None:
    """An index of a newer format, or with a damaged manifest, is an error that says what to do."""
    execute(statement)(filled)
    with pytest.raises(IndexUnusableError, match=message):
        open_index(filled.directory)


def test_a_matrix_that_was_cut_short_is_not_added_to(filled: Library) -> None:
    """A writer refuses to append to a matrix that misses rows, and says what mends it."""
    path = filled.directory / "vectors-1.npy"
    path.write_bytes(path.read_bytes()[:-200])
    filled.write("a.txt", *LINES, "new")
    with pytest.raises(IndexUnusableError, match=rf"is cut short: it holds 38 rows.*{REBUILD}"):
        filled.update()


def test_leftovers_of_killed_runs_are_removed(filled: Library) -> None:
    """A matrix that nothing refers to, as a kill between commit and deletion leaves it, goes with the next writer."""
    (filled.directory / "vectors-9.npy").write_bytes(b"old")
    filled.update()
    assert [path.name for path in filled.directory.glob("*.npy")] == ["vectors-1.npy"]


@POSIX
def test_everything_is_private(filled: Library) -> None:
    """Directory and files of an index are for the user alone."""
    assert stat.S_IMODE(filled.directory.stat().st_mode) == 0o700
    with open_to_write(filled.directory, filled.models) as writer:
        writer.update([])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in filled.directory.iterdir()}
    assert {"index.sqlite", "vectors-1.npy", "writer.json", "writer.lock"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode != 0o600} == {}


@POSIX
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="nothing is read-only for root")
def test_an_index_that_cannot_be_written_can_be_searched(filled: Library) -> None:
    """An index in a read-only directory answers; writing it is an error."""
    filled.directory.chmod(0o500)
    try:
        assert len(filled.texts()) == 40
        with pytest.raises(IndexUnusableError, match="cannot be written"):
            filled.update()
    finally:
        filled.directory.chmod(0o700)
