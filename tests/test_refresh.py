"""An index brought up to date before it answers."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from library import Library

from quotefind import refresh as refresh_module
from quotefind.errors import IndexUnusableError
from quotefind.index.filters import Filter
from quotefind.index.local.lock import writer_lock
from quotefind.paths import index_location
from quotefind.refresh import open_fresh


@pytest.fixture
def told() -> list[str]:
    """The sentences that the user was told."""
    return []


@pytest.fixture
def filled(library: Library) -> Library:
    """An index of two quotes."""
    library.update(library.write("a.txt", "hope", "fear"))
    return library


def texts(library: Library, told: list[str], *, refresh: bool = True) -> list[str]:
    """Open the index as a search does; return its texts, sorted."""
    with open_fresh(library.directory, library.models, refresh=refresh, tell=told.append) as index:
        return sorted(quote.text for quote in index.quotes(index.rows_where(Filter()).tolist()))


def test_an_index_that_is_up_to_date_is_only_opened(filled: Library, told: list[str]) -> None:
    """Where no source changed, nothing is told, nothing encoded and no lock asked for."""
    with writer_lock(filled.directory):
        assert texts(filled, told) == ["fear", "hope"]
    assert told == []
    assert filled.models.opened == ["fake"]


def test_a_stale_index_is_refreshed_once(filled: Library, told: list[str]) -> None:
    """A changed source is read before the answer, with one line that says what was done; the next time it is not."""
    filled.write("a.txt", "hope", "dust", "sea")
    assert texts(filled, told) == ["dust", "hope", "sea"]
    assert told == ["The index was out of date and has been refreshed: 2 added, 1 removed."]
    assert texts(filled, told) == ["dust", "hope", "sea"]
    assert len(told) == 1


@pytest.mark.parametrize("change", ["new file", "deleted file", "vanished source"])
def test_every_kind_of_change_is_seen(library: Library, told: list[str], change: str) -> None:
    """A new file in a folder, a deleted one and a folder that is gone are noticed without reading any file."""
    library.write("poems/a.txt", "hope")
    b = library.write("poems/b.txt", "fear")
    library.update(library.folder)
    if change == "new file":
        library.write("poems/c.txt", "sea")
        assert texts(library, told) == ["fear", "hope", "sea"]
        assert told == ["The index was out of date and has been refreshed: 1 added."]
    elif change == "deleted file":
        b.unlink()
        assert texts(library, told) == ["hope"]
        assert told == ["The index was out of date and has been refreshed: 1 removed."]
    else:
        shutil.rmtree(library.folder)
        assert texts(library, told) == ["fear", "hope"]
        assert len(told) == 1
        assert "is missing; its quotes are kept" in told[0]


def test_what_takes_too_long_is_left_to_the_user(
    filled: Library, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a refresh would take longer than the patience of a search, the old index answers, and names the command."""
    monkeypatch.setattr(refresh_module, "PATIENCE", 0.5)
    filled.write("a.txt", *(f"line {n}" for n in range(100)))
    assert texts(filled, told) == ["fear", "hope"]
    (line,) = told
    assert line.endswith(f"To bring it up to date: quotefind index --index {filled.directory}")
    assert filled.encoder.encoded == ["hope", "fear"]


def test_what_takes_too_long_is_tried_once(filled: Library, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that takes too long is not read again by each search, until it changes again."""
    monkeypatch.setattr(refresh_module, "PATIENCE", 0.5)
    filled.write("a.txt", *(f"line {n}" for n in range(100)))
    texts(filled, told)
    with writer_lock(filled.directory):  # nobody may write, and nobody needs to
        assert texts(filled, told) == ["fear", "hope"]
    assert told[1] == told[0]
    filled.write("a.txt", "dust")
    assert texts(filled, told) == ["dust"]


def test_a_deferred_source_is_indexed_on_command(
    filled: Library, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update without a time limit, a search finds what took too long before, and says nothing."""
    monkeypatch.setattr(refresh_module, "PATIENCE", 0.5)
    filled.write("a.txt", *(f"line {n}" for n in range(100)))
    texts(filled, told)
    filled.update()
    told.clear()
    assert len(texts(filled, told)) == 100
    assert told == []


@pytest.mark.parametrize(("change", "expected"), [(False, 1), (True, 2)])
def test_an_index_is_opened_once(
    library: Library, told: list[str], monkeypatch: pytest.MonkeyPatch, change: bool, expected: int
) -> None:
    """A search opens the default index for reading once, and once more only after it has refreshed it."""
    default = Library(index_location(None), library.folder, library.encoder)
    default.update(default.write("a.txt", "hope"))
    if change:
        default.write("a.txt", "hope", "fear")
    opened: list[str] = []
    connect = sqlite3.connect

    def counted(path: object, **options: Any) -> sqlite3.Connection:
        opened.extend(["read"] * ("mode=ro" in str(path)))
        return connect(path, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", counted)
    open_fresh(default.directory, default.models, tell=told.append).close()
    assert len(opened) == expected


def test_nothing_is_refreshed_where_that_is_not_wanted(filled: Library, told: list[str]) -> None:
    """With refresh=False the index answers as it is, without a word."""
    filled.write("a.txt", "dust")
    assert texts(filled, told, refresh=False) == ["fear", "hope"]
    assert told == []


@pytest.mark.parametrize("name", ["b.jsonl", "b.txt"])
def test_a_source_that_cannot_be_read_does_not_stop_an_answer(filled: Library, told: list[str], name: str) -> None:
    """Where a file that was named has become bad, the old index answers, and the user is told what is wrong where."""
    bad = filled.write(name, '"hope"' if name == "b.jsonl" else "hope")
    filled.update(bad)
    bad.write_bytes('"«sound»"\n"caf\udce9"\n'.encode("utf-8", "surrogateescape"))
    assert texts(filled, told) == ["fear", "hope"]
    (line,) = told
    assert "could not be refreshed; answering from it as it is" in line
    assert f"{name}:2" in line


def test_a_stray_file_in_a_folder_is_told_once(library: Library, told: list[str]) -> None:
    """A new file without quotes in a folder does not stop a refresh; it is named once, then nothing is stale."""
    library.write("a.txt", "hope")
    library.update(library.folder)
    library.write("package.json", '{"name": "site"}')
    library.write("b.txt", "sea")
    assert texts(library, told) == ["hope", "sea"]
    assert [line.partition(":")[0] for line in told] == [
        "The index was out of date and has been refreshed",
        "Skipped 1 file",
    ]
    told.clear()
    with writer_lock(library.directory):  # nobody may write, and nobody needs to
        assert texts(library, told) == ["hope", "sea"]
    assert told == []


def test_another_writer_does_not_stop_an_answer(filled: Library, told: list[str]) -> None:
    """While another process writes the index, a search answers from what is committed, and says so."""
    filled.write("a.txt", "dust")
    with writer_lock(filled.directory):
        assert texts(filled, told) == ["fear", "hope"]
    (line,) = told
    assert line.startswith("Another process is bringing the index up to date")


def test_the_first_search_makes_the_default_index(
    library: Library, told: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where there is no default index, it is made from the bundled quotes, and the user is told."""
    bundled = tmp_path / "quotes.jsonl"
    bundled.write_text(json.dumps({"text": "hope", "author": "Ann", "work": "W"}) + "\n", encoding="utf-8")
    monkeypatch.setattr("quotefind.index.changes.bundled_quotes", lambda: bundled)
    default = Library(index_location(None), library.folder, library.encoder)
    assert texts(default, told) == ["hope"]
    assert told == ["There is no index yet; making it from the bundled quotes."]
    assert texts(default, told) == ["hope"]
    assert len(told) == 1
    (quote,) = default.quotes()
    assert (quote.author, quote.source) == ("Ann", "bundled")


def test_another_index_that_is_missing_is_an_error(library: Library, told: list[str]) -> None:
    """An index that was named and is not there is an error that says how to make it; nothing is made."""
    with pytest.raises(IndexUnusableError, match=f"quotefind index SOURCE… --index {library.directory}"):
        texts(library, told)
    assert not library.directory.exists()
    assert told == []
