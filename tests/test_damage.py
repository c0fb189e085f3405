"""Files of an index that are damaged, swapped or replaced: an error that names them, or the very same answer."""

from __future__ import annotations

import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from cli_tools import Cli, Run, WordEncoder, write_records

from quotefind.errors import IndexUnusableError
from quotefind.index.filters import Filter
from quotefind.index.local.verify import verify
from quotefind.index.schema import quote_checksum
from quotefind.pairs import nearest_quotes
from quotefind.records import Hit
from quotefind.search import FindOptions, find
from quotefind.stores import open_index

QUOTES = [
    {"text": f"Love and war number {n} by the sea", "author": f"Author {n % 5}", "work": f"Work {n % 3}", "year": n}
    | {"tags": ["love", f"tag {n % 4}"]}
    for n in range(60)
] + [{"text": f"The king has time number {n}"} for n in range(20)]
ASKED = (
    ("find", "love", "war", "-k", "7", "--format", "jsonl", "--no-refresh"),
    ("find", "sea", "--author", "Author 3", "--tag", "love", "--format", "jsonl", "--no-refresh"),
    ("pair", "love", "--format", "jsonl", "--no-refresh"),
)
MENDS = re.compile(r"quotefind index (--rebuild|SOURCE…)|check the permissions|To upgrade it")
FILES = ("index.sqlite", "vectors-1.npy")


class Evil:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Run this."""
        return os.mkdir, ("unpickled",)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """An index of eighty quotes, of which twenty have no tags; for these some are proposed."""
    made = Cli(tmp_path, monkeypatch)
    made.index(QUOTES)
    tags = tmp_path / "tags.txt"
    tags.write_text("time\nking\n")
    assert made("tag", "--tags", tags, "--min-score", "0.1", "--write", "-f", "json").out.count('"king"') == 20
    return made


@pytest.fixture
def directory(cli: Cli) -> Path:
    """The directory of the index."""
    return cli.home / "indexes" / "default"


def answers(cli: Cli) -> list[Run]:
    """Ask everything."""
    return [cli(*words) for words in ASKED]


def hold(cli: Cli, directory: Path) -> None:
    """Look whether every answer, and verification, is an error in one line that names the index and what mends it."""
    for run in (*answers(cli), cli("index", "--verify"), cli("info")):
        assert (run.code, run.out) == (4, ""), run
        assert run.err.count("\n") == 1, run
        assert str(directory) in run.err, run
        assert MENDS.search(run.err), run


def cut(path: Path) -> None:
    """Keep the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    """Keep nothing."""
    path.write_bytes(b"")


def zero(path: Path) -> None:
    """Keep the size alone."""
    path.write_bytes(bytes(path.stat().st_size))


def make_directory(path: Path) -> None:
    """Put a directory in its place."""
    path.unlink()
    path.mkdir()


def make_pickle(path: Path) -> None:
    """Put a pickle in its place."""
    path.write_bytes(pickle.dumps(Evil()))


def link_to_copy(path: Path) -> None:
    """Put a link to a copy in its place."""
    copy = path.parent.parent / "copy"
    path.rename(copy)
    path.symlink_to(copy)


def link_to_nothing(path: Path) -> None:
    """Put a link to nothing in its place."""
    path.unlink()
    path.symlink_to(path.parent / "nothing")


def make_pipe(path: Path) -> None:
    """Put a pipe that nobody writes to in its place."""
    path.unlink()
    os.mkfifo(path)


DAMAGES = [cut, empty, zero, make_directory, make_pickle, Path.unlink]
if os.name != "nt":
    DAMAGES += [link_to_copy, link_to_nothing, make_pipe]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_replaced_file_is_an_error(cli: Cli, directory: Path, name: str, damage: Callable[[Path], object]) -> None:
    """Cut, emptied, deleted, or replaced by a directory, a pickle, a link or a pipe: exit code 4, and what mends it."""
    damage(directory / name)
    hold(cli, directory)
    assert not Path("unpickled").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_index_is_an_error(cli: Cli, directory: Path, name: str) -> None:
    """A database or matrix of as many quotes, but other ones, is never taken for that of this index."""
    changed = [record | {"text": f"Hope, {record['text']}"} for record in QUOTES]
    write_records(cli.folder / "others.jsonl", changed)
    assert cli("index", cli.folder / "others.jsonl", "--index", "other", "-q").code == 0
    shutil.copy(directory.with_name("other") / name, directory / name)
    for run in (*answers(cli), cli("index", "--verify")):
        assert (run.code, run.out, run.err.count("\n")) == (4, "", 1), run
        assert f"{directory / 'vectors-1.npy'} is damaged: " in run.err
        assert "To fix it: quotefind index --rebuild" in run.err


def found(directory: Path, where: Filter) -> list[tuple[object, ...]]:
    """Return what is shown of the hits of two requests, but for where it was read, which has no checksum."""
    encoder = WordEncoder()
    with open_index(directory) as index:
        hits = find(index, encoder, ["love war", "sea"], FindOptions(top=7, where=where))
        companion = nearest_quotes(index, encoder, "love", 3, where=where)
    seen = [*chain(*hits), *(Hit("", pair.rank, pair.score, pair.b) for pair in companion)]
    return [
        (hit.rank, hit.score, quote.id, quote.text, quote.author, quote.work, quote.year, quote.tags, quote.proposed)
        for hit in seen
        for quote in [hit.quote]
    ]


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_gives_another_answer(directory: Path, name: str) -> None:
    """One bit flipped anywhere: the same answer, or an error that names the index and what mends it; never another.

    Where the tables are damaged that a condition looks into, it may miss a quote; then verification finds it.
    """
    everything, some = Filter(), Filter(authors=("Author 3",), tags=("love",))
    proposed = Filter(tags=("king",), proposed=True)
    before = {where: found(directory, where) for where in (everything, some, proposed)}
    path = directory / name
    whole = path.read_bytes()
    chance = random.Random(7)
    errors: list[str] = []
    for _ in range(400):
        place, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        for where, expected in before.items():
            try:
                same = found(directory, where) == expected
            except IndexUnusableError as error:
                errors.append(str(error))
            else:
                assert same or (where != everything and is_refused(directory)), f"bit {bit} of byte {place}"
    assert len(errors) > {"index.sqlite": 10, "vectors-1.npy": 500}[name]
    assert [error for error in errors if str(directory) not in error or not MENDS.search(error)] == []


def is_refused(directory: Path) -> bool:
    """Whether verification finds that something is wrong."""
    with open_index(directory) as index:
        try:
            verify(index)
        except IndexUnusableError:
            return True
    return False


_KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cli_tools import WordEncoder
from quotefind.index.local import merge
from quotefind.index.sources import Source
from quotefind.index.local.writer import open_to_write
merge._CHUNK = 5
with open_to_write(Path(sys.argv[2]), lambda model, fingerprint: WordEncoder()) as writer:
    writer.update([Source(sys.argv[3])])
    os._exit(0)
"""


@pytest.mark.parametrize("suffix", ["wal", "shm"])
def test_a_damaged_log_of_a_killed_run_gives_an_older_state(tmp_path: Path, suffix: str) -> None:
    """One bit flipped in what a killed run left beside the database: a committed state answers, or an error."""
    texts = [f"Love and war number {n} by the sea" for n in range(20)]
    source = tmp_path / "a.txt"
    source.write_text("\n".join(texts))
    killed = tmp_path / "killed"
    words = [sys.executable, "-c", _KILLED, str(Path(__file__).parent), str(killed), str(source)]
    subprocess.run(words, check=True)
    whole = (killed / f"index.sqlite-{suffix}").read_bytes()
    assert whole
    states = [texts[:count] for count in range(0, 21, 5)]
    chance = random.Random(3)
    seen = set()
    for number in range(60):
        work = tmp_path / str(number)
        shutil.copytree(killed, work)
        place = chance.randrange(len(whole))
        damaged = whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :]
        (work / f"index.sqlite-{suffix}").write_bytes(damaged)
        try:
            answer = sorted((quote[3] for quote in found(work, Filter())), key=texts.index)
            with open_index(work) as index:
                all_texts = [quote.text for quote in index.quotes(index.rows_where(Filter()))]
            assert all_texts in states, f"byte {place}"
            assert set(answer) <= set(all_texts)
            seen.add(len(all_texts))
        except IndexUnusableError:
            seen.add(-1)
    assert 20 in seen
    assert suffix == "shm" or len(seen) > 1


def test_a_seal_is_the_same_in_every_version_of_python() -> None:
    """The checksum of a quote is a fixed number, also with characters that some versions print and others escape."""
    assert quote_checksum("00ff", "Zoë \U0001fae9\u2028", "A", None, -44, "[]") == zlib.crc32(
        rb'["00ff", "Zo\u00eb \ud83e\udee9\u2028", "A", null, -44, "[]"]'
    )
