"""Mining that is interrupted goes on where it stopped, to the same pairs, or from the beginning where it must."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Cli
from fake_encoder import FakeEncoder
from library import Library

from quotefind import pairs
from quotefind.checkpoint import Checkpoint
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.pairs import closest_pairs
from quotefind.records import Pair
from quotefind.stores import open_index

LINES = [f"{'hope ' * (n % 3)}{'fear ' * (n % 4)}dust number {n}" for n in range(17)]
# Of 17 quotes, 3 at a time: 6 blocks, each compared with itself and those behind.
BLOCKS = 21


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A way to run commands in this process."""
    return Cli(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of three quotes."""
    monkeypatch.setattr(pairs, "_BLOCK", 3)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index of LINES."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder(dim=6))
    library.update(library.write("a.txt", *LINES))
    with open_index(library.directory) as opened:
        yield opened


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where checkpoints are kept."""
    return tmp_path / "kept"


def interrupt_at(block: int) -> Callable[..., None]:
    """Return a Progress that is interrupted once so many blocks are done in this run."""
    calls = count(1)

    def progress(_: str, done: int = 0, total: int = 0) -> None:
        assert total == BLOCKS
        assert done <= total
        if next(calls) == block:
            raise KeyboardInterrupt

    return progress


def mined(index: Index, kept: Path, **options: object) -> tuple[list[Pair], list[int]]:
    """Mine to the end; return the pairs, and the blocks that were told."""
    told: list[int] = []
    options = {"top": 9, **options}
    found = closest_pairs(index, checkpoints=kept, progress=lambda _, done=0, __=0: told.append(done), **options)  # type: ignore[arg-type]
    return found, told


@pytest.mark.parametrize("block", range(1, BLOCKS + 1))
@pytest.mark.parametrize("options", [{}, {"top": 1000}, {"min_score": 0.9}], ids=str)
def test_it_goes_on_at_every_block(index: Index, kept: Path, block: int, options: dict[str, object]) -> None:
    """Interrupted at any block, the same call compares only what is left and finds the same, bit for bit."""
    whole = closest_pairs(index, **{"top": 9, **options})  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt) as interrupt:
        closest_pairs(index, checkpoints=kept, progress=interrupt_at(block), **{"top": 9, **options})  # type: ignore[arg-type]
    note = f"run the same command to continue ({100 * block // BLOCKS} % done)"
    assert interrupt.value.__notes__ == [note]
    assert len(list(kept.iterdir())) == 1
    found, told = mined(index, kept, **options)
    assert found == whole
    assert told == list(range(block + 1, BLOCKS + 1))
    assert list(kept.iterdir()) == []


def test_it_is_interrupted_again_and_again(index: Index, kept: Path) -> None:
    """A search of which each run compares one block only comes to its end, too."""
    for _ in range(BLOCKS):
        with pytest.raises(KeyboardInterrupt):
            closest_pairs(index, 9, checkpoints=kept, progress=interrupt_at(1))
    found, told = mined(index, kept)
    assert (found, told) == (closest_pairs(index, 9), [])


def test_another_search_begins_anew(tmp_path: Path, kept: Path) -> None:
    """What was found for other quotes, another number of pairs or another least score is not gone on with."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder(dim=6))
    library.update(library.write("a.txt", *LINES))
    with open_index(library.directory) as index:
        with pytest.raises(KeyboardInterrupt):
            closest_pairs(index, 9, checkpoints=kept, progress=interrupt_at(10))
        assert mined(index, kept, top=8)[1][0] == 1
        assert mined(index, kept, min_score=0.1)[1][0] == 1
        assert mined(index, kept, where=Filter(max_chars=22))[1][0] == 1
        assert len(list(kept.iterdir())) == 1  # that of the first is still there
    library.write("a.txt", *LINES[1:], "hope and fear in a new line")
    library.update(library.folder)
    with open_index(library.directory) as index:
        found, told = mined(index, kept)
        assert told[0] == 1
        assert found == closest_pairs(index, 9)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"nothing", "half", "bit"])
def test_a_damaged_checkpoint_is_passed_over(index: Index, kept: Path, damage: bytes | str) -> None:
    """A checkpoint that does not match its checksum is as none: the search begins anew."""
    with pytest.raises(KeyboardInterrupt):
        closest_pairs(index, 9, checkpoints=kept, progress=interrupt_at(10))
    (path,) = kept.iterdir()
    whole = path.read_bytes()
    if damage == "half":
        damage = whole[: len(whole) // 2]
    elif damage == "bit":
        at = whole.index(b"scores") + 200
        damage = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    assert isinstance(damage, bytes)
    path.write_bytes(damage)
    found, told = mined(index, kept)
    assert (found, told[0]) == (closest_pairs(index, 9), 1)


def test_it_is_kept_now_and_then(index: Index, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed loses what it did since the last time; a short search leaves no file at all."""
    seen: list[bool] = []
    closest_pairs(index, 9, checkpoints=kept, progress=lambda *_: seen.append(kept.exists()))
    assert set(seen) == {False}
    monkeypatch.setattr(pairs, "_SECONDS_BETWEEN_CHECKPOINTS", -1.0)

    def killed(_: str, done: int = 0, __: int = 0) -> None:
        if done == 7:
            raise MemoryError

    with pytest.raises(MemoryError):
        closest_pairs(index, 9, checkpoints=kept, progress=killed)
    found, told = mined(index, kept)
    assert (found, told[0]) == (closest_pairs(index, 9), 7)


def test_where_nothing_can_be_kept(index: Index, tmp_path: Path) -> None:
    """Where the checkpoint cannot be written, the search is not disturbed, and nothing is promised."""
    in_the_way = tmp_path / "a file"
    in_the_way.touch()
    with pytest.raises(KeyboardInterrupt) as interrupt:
        closest_pairs(index, 9, checkpoints=in_the_way, progress=interrupt_at(10))
    assert not hasattr(interrupt.value, "__notes__")
    assert mined(index, in_the_way)[0] == closest_pairs(index, 9)


def test_old_checkpoints_do_not_pile_up(kept: Path) -> None:
    """What nobody has gone on with for a month is deleted where another is kept; files are private."""
    found = {"done": np.array(1), "rows": np.array([[0, 1]]), "scores": np.array([0.5])}
    assert Checkpoint(kept, "old").save(found)
    assert Checkpoint(kept, "younger").save(found)
    month = 31 * 24 * 3600
    status = (kept / "old.npz").stat()
    os.utime(kept / "old.npz", (status.st_atime - month, status.st_mtime - month))
    assert Checkpoint(kept, "new").save(found)
    assert sorted(path.name for path in kept.iterdir()) == ["new.npz", "younger.npz"]
    if os.name != "nt":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_the_command_says_where_it_stopped(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted, `pair` says in one line how far it came; the same command goes on and shows what it had shown."""
    cli.index([{"text": text} for text in LINES])
    whole = cli("pair", "--format", "jsonl")
    near, calls = pairs._near, count(1)

    def interrupted(*arguments: object, **options: object) -> object:
        if next(calls) == 12:
            raise KeyboardInterrupt
        return near(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pairs, "_near", interrupted)
    done = cli("pair", "--format", "jsonl")
    line = "quotefind: interrupted; run the same command to continue (52 % done)\n"
    assert (done.code, done.out, done.err) == (130, "", line)
    resumed = cli("pair", "--format", "jsonl")
    assert (resumed.code, resumed.out, resumed.err) == (0, whole.out, "")
    assert next(calls) == 12 + BLOCKS - 11 + 1
