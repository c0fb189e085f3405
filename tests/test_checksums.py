"""Each way to a row of the matrix or to a quote compares its checksum; each is tested apart from the others."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from fake_encoder import FakeEncoder, StoppedError
from library import Library

from quotefind.errors import IndexUnusableError
from quotefind.index.filters import Filter
from quotefind.index.local import rewrite
from quotefind.stores import open_index, open_lookup, verify

DIM = 32
# Of so many quotes, one is less than the share from which on the whole matrix is checked instead of its rows.
MANY = 40
DAMAGED = r"row 7 does not match its checksum"


@pytest.fixture
def filled(tmp_path: Path) -> Library:
    """A local index of forty quotes, each by an author of its own, all tagged."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder("fake", DIM))
    lines = [
        json.dumps({"text": f"hope number{n}", "author": f"Ann{n}x", "work": "W", "tags": ["t"]}) for n in range(MANY)
    ]
    library.update(library.write("a.jsonl", *lines))
    return library


def damage_row(library: Library, row: int) -> None:
    """Change one byte of a row of the matrix, in the file as NumPy describes it: 128 bytes, then rows of float32."""
    (path,) = library.directory.glob("vectors-*.npy")
    with path.open("r+b") as file:
        file.seek(128 + row * DIM * 4)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def change(library: Library, statement: str) -> None:
    """Change the database behind the back of the program."""
    connection = sqlite3.connect(library.directory / "index.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_few_filtered_rows_are_checked(filled: Library) -> None:
    """`rows_where` refuses a damaged row among the few that a filter leaves."""
    damage_row(filled, 7)
    with open_index(filled.directory) as index, pytest.raises(IndexUnusableError, match=DAMAGED):
        index.rows_where(Filter(authors=("ann7x",)))


def test_other_filtered_rows_are_not_refused(filled: Library) -> None:
    """`rows_where` answers if the damaged row is not among the few that a filter leaves."""
    damage_row(filled, 7)
    with open_index(filled.directory) as index:
        assert index.rows_where(Filter(authors=("ann8x",))).tolist() == [8]


def test_many_filtered_rows_are_checked(filled: Library) -> None:
    """`rows_where` refuses a damaged matrix if a filter leaves most of its rows."""
    damage_row(filled, 7)
    with open_index(filled.directory) as index, pytest.raises(IndexUnusableError, match="does not match its checksum"):
        index.rows_where(Filter(tags=("t",)))


def test_a_search_of_everything_is_checked(filled: Library) -> None:
    """A search without a filter refuses a damaged matrix before it ranks anything."""
    damage_row(filled, 7)
    query = filled.encoder.vectors(["hope"])
    with open_index(filled.directory) as index, pytest.raises(IndexUnusableError, match="does not match its checksum"):
        index.search(query, 3)


def test_the_row_of_a_shown_quote_is_checked(filled: Library) -> None:
    """`quotes` refuses to show a quote whose row is damaged, also if nobody asked for the row before."""
    damage_row(filled, 7)
    with open_index(filled.directory) as index, pytest.raises(IndexUnusableError, match=DAMAGED):
        index.quotes([7])


def test_other_quotes_are_shown(filled: Library) -> None:
    """`quotes` shows a quote although the row of another one is damaged."""
    damage_row(filled, 7)
    with open_index(filled.directory) as index:
        assert [quote.author for quote in index.quotes([8])] == ["Ann8x"]


def test_a_damaged_row_is_not_compacted(filled: Library) -> None:
    """`compact` gives no new checksum to a damaged row: it is refused, and `verify` still finds the damage."""
    lines = (filled.folder / "a.jsonl").read_text(encoding="utf-8").splitlines()
    filled.write("a.jsonl", *lines[:-1])  # so that there is a dead row
    filled.update()
    damage_row(filled, 7)
    with filled.writer() as writer, pytest.raises(IndexUnusableError, match=DAMAGED):
        writer.compact()
    with open_index(filled.directory) as index, pytest.raises(IndexUnusableError, match=DAMAGED):
        verify(index)


def test_a_damaged_row_is_not_reused(filled: Library) -> None:
    """A new quote with a known text does not get the vector of that text if its row is damaged."""
    damage_row(filled, 7)
    path = filled.write("b.jsonl", json.dumps({"text": "hope number7", "author": "Bob"}))
    with pytest.raises(IndexUnusableError, match=DAMAGED):
        filled.update(path)


def test_a_reused_row_is_that_of_the_text(filled: Library) -> None:
    """A new quote with a known text gets the very vector of that text, and nothing is encoded."""
    path = filled.write("b.jsonl", json.dumps({"text": "hope number7", "author": "Bob"}))
    assert filled.update(path).encoded == 0
    with open_index(filled.directory) as index:
        old, new = index.vectors(np.array([7, MANY]))
    assert old.tobytes() == new.tobytes()


SHOWN = {
    "text": "UPDATE quotes SET text = 'despair' WHERE row = 7",
    "author": "UPDATE authors SET name = 'Eve' WHERE name = 'Ann7x'",
    "work": "UPDATE works SET name = 'V'",
    "year": "UPDATE quotes SET year = 1 WHERE row = 7",
    "tags": "UPDATE quotes SET tags = '[\"u\"]' WHERE row = 7",
    "proposed": "UPDATE quotes SET proposed = '[\"u\"]' WHERE row = 7",
    "note": "UPDATE quotes SET note = 'mine' WHERE row = 7",
}


@pytest.mark.parametrize("what", SHOWN)
def test_a_shown_quote_is_checked(filled: Library, what: str) -> None:
    """`quotes` refuses a quote of which anything that a hit shows was changed."""
    change(filled, SHOWN[what])
    with open_index(filled.directory) as index, pytest.raises(IndexUnusableError, match="does not match its checksum"):
        index.quotes([7])


def test_a_looked_up_quote_is_checked(filled: Library) -> None:
    """A quote that is shown without a search, as by `today`, is checked too."""
    with open_index(filled.directory) as index:
        (quote,) = index.quotes([7])
    change(filled, SHOWN["text"])
    with open_lookup(filled.directory) as lookup:
        assert lookup is not None
        with pytest.raises(IndexUnusableError, match="does not match its checksum"):
            lookup.quote(quote.id or "")


def held_twice(library: Library, first: str, second: str) -> list[tuple[str | None, str | None]]:
    """Index a quote from a.jsonl, which calls its work `first`, then from b.jsonl; return work and source."""
    quote = {"text": "hope", "author": "Ann"}
    library.update(library.write("a.jsonl", json.dumps({**quote, "work": first})))
    library.update(library.write("b.jsonl", json.dumps({**quote, "work": second})))
    return works(library)


def works(library: Library) -> list[tuple[str | None, str | None]]:
    """Return the work of each quote, and the name of the file it comes from."""
    return [(quote.work, Path(quote.source or "").name) for quote in library.quotes()]


@pytest.mark.parametrize("store", ["index", "index.lance"])
def test_a_later_file_does_not_override_the_first(tmp_path: Path, store: str) -> None:
    """Of two files that hold a quote the first decides its work, also when the second changes."""
    library = Library(tmp_path / store, tmp_path / "sources", FakeEncoder())
    assert held_twice(library, "First", "Second") == [("First", "a.jsonl")]
    library.write("b.jsonl", json.dumps({"text": "hope", "author": "Ann", "work": "Third"}))
    assert library.update().updated == 0
    assert works(library) == [("First", "a.jsonl")]


@pytest.mark.parametrize("store", ["index", "index.lance"])
def test_the_first_file_may_change_its_mind(tmp_path: Path, store: str) -> None:
    """Of two files that hold a quote the first decides its work, also when it changes."""
    library = Library(tmp_path / store, tmp_path / "sources", FakeEncoder())
    held_twice(library, "First", "Second")
    library.write("a.jsonl", json.dumps({"text": "hope", "author": "Ann", "work": "Third"}))
    assert library.update().updated == 1
    assert works(library) == [("Third", "a.jsonl")]


@pytest.mark.parametrize("store", ["index", "index.lance"])
def test_the_next_file_decides_when_the_first_is_gone(tmp_path: Path, store: str) -> None:
    """When the first of two files that hold a quote no longer does, the second decides its work."""
    library = Library(tmp_path / store, tmp_path / "sources", FakeEncoder())
    held_twice(library, "First", "Second")
    library.write("a.jsonl", json.dumps({"text": "other", "author": "Ann"}))
    library.update()
    assert ("Second", "b.jsonl") in works(library)


def test_an_unattributed_repeat_belongs_to_the_first_author(tmp_path: Path) -> None:
    """A quote without author repeats the first one with the same text that has one, wherever it comes in the file."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder())
    records = [{"text": "hope"}, {"text": "hope", "author": "Ann"}, {"text": "hope", "author": "Bob"}]
    library.update(library.write("a.jsonl", *map(json.dumps, records)))
    assert [(quote.author, quote.line) for quote in library.quotes()] == [("Ann", 1), ("Bob", 3)]


def test_the_first_of_two_repeats_decides(tmp_path: Path) -> None:
    """If a file holds a quote twice, the first time decides its work and its line."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder())
    records = [{"text": "hope", "author": "Ann", "work": work} for work in ("First", "Second")]
    library.update(library.write("a.jsonl", *map(json.dumps, records)))
    assert [(quote.work, quote.line) for quote in library.quotes()] == [("First", 1)]


def test_an_unattributed_quote_joins_the_first_author(tmp_path: Path) -> None:
    """A new file with a stored text and no author holds the quote of the author who was stored first."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder())
    records = [{"text": "hope", "author": author} for author in ("Ann", "Bob")]
    library.update(library.write("a.jsonl", *map(json.dumps, records)))
    path = library.write("b.jsonl", '{"text": "hope"}')
    assert library.update(path).added == 0
    with sqlite3.connect(library.directory / "index.sqlite") as connection:
        found = connection.execute(
            "SELECT authors.name FROM places JOIN files ON files.id = file_id JOIN quotes ON quotes.id = quote_id"
            " JOIN authors ON authors.id = author_id WHERE path = ?",
            (str(path),),
        ).fetchall()
    connection.close()
    assert found == [("Ann",)]


def test_a_damaged_copy_is_thrown_away(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix that is damaged while it is written never replaces the old one; the next run writes it again."""
    monkeypatch.setattr(rewrite, "_CHUNK", 20)
    filled.encoder.fail_at_call = filled.encoder.calls + 2
    with filled.writer() as writer, pytest.raises(StoppedError):
        writer.rebuild()
    filled.encoder.fail_at_call = None
    with (filled.directory / "vectors-2.npy").open("r+b") as file:
        file.seek(128)
        byte = file.read(1)[0]
        file.seek(128)
        file.write(bytes([byte ^ 1]))
    with filled.writer() as writer, pytest.raises(IndexUnusableError, match="damaged while it was written"):
        writer.rebuild()
    assert len(filled.quotes()) == MANY
    with filled.writer() as writer:
        assert writer.rebuild().encoded == MANY
    assert len(filled.quotes()) == MANY
