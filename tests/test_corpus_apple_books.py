"""The databases of Apple Books: highlights in one, the books they are from in the other."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from quotefind.corpus import BadRecord, ReadOptions, files_of, read_file
from quotefind.errors import SourceError
from quotefind.records import Quote


def make(path: Path, schema: str) -> Path:
    """Return `path` after making a database with this schema there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    connection.close()
    return path


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """The folder `AEAnnotation` with highlights of two books, beside it `BKLibrary` with one of them."""
    make(
        tmp_path / "BKLibrary" / "BKLibrary-1-091020131601.sqlite",
        "CREATE TABLE ZBKLIBRARYASSET (Z_PK INTEGER PRIMARY KEY, ZASSETID TEXT, ZTITLE TEXT, ZAUTHOR TEXT);"
        "INSERT INTO ZBKLIBRARYASSET VALUES (1, 'A1', 'Emma', 'Jane Austen'), (2, 'A3', 'Not read', NULL);",
    )
    return make(
        tmp_path / "AEAnnotation" / "AEAnnotation_v10312011_1727_local.sqlite",
        "CREATE TABLE ZAEANNOTATION (Z_PK INTEGER PRIMARY KEY, ZANNOTATIONDELETED INTEGER, ZANNOTATIONTYPE INTEGER,"
        " ZANNOTATIONASSETID TEXT, ZANNOTATIONSELECTEDTEXT TEXT, ZANNOTATIONNOTE TEXT, ZFUTUREPROOFING5 TEXT,"
        " ZANNOTATIONLOCATION TEXT, ZPLLOCATIONRANGESTART INTEGER, ZANNOTATIONCREATIONDATE TIMESTAMP);"
        "INSERT INTO ZAEANNOTATION VALUES"
        " (1, 0, 2, 'A1', 'One half of the' || char(10) || 'world cannot see', NULL, 'Chapter 9', 'x', 70, NULL),"
        " (2, 0, 2, 'A1', 'Silly things do cease', 'for the talk', 'Chapter 2', 'x', 12, 604924800.5),"
        " (3, 1, 2, 'A1', 'deleted', NULL, NULL, 'x', 13, 604924800),"
        " (4, 0, 3, 'A1', NULL, NULL, NULL, 'x', 90, 604924800),"
        " (5, 0, 2, 'A2', 'of a book that is gone', NULL, NULL, 'x', 0, 604924800);",
    )


def test_highlights_have_title_author_chapter_note_and_date(annotations: Path) -> None:
    """They come in the order of each book; deleted ones and bookmarks are left out; dates count from 2001."""
    path = str(annotations)
    assert list(read_file(annotations, ReadOptions())) == [
        Quote(
            "Silly things do cease",
            "Jane Austen",
            "Emma",
            source=path,
            line=1,
            note="for the talk",
            place="Chapter 2",
            added="2020-03-03T10:40:00+00:00",
        ),
        Quote("One half of the world cannot see", "Jane Austen", "Emma", source=path, line=2, place="Chapter 9"),
        Quote("of a book that is gone", source=path, line=3, added="2020-03-03T10:40:00+00:00"),
    ]


def test_the_folder_of_the_app_can_be_indexed(annotations: Path) -> None:
    """The highlights are found in it; the library alone holds no quotes."""
    listing = files_of(annotations.parent.parent)
    assert listing.files == [annotations]
    assert [skipped.path.parent.name for skipped in listing.skipped] == ["BKLibrary"]


def test_without_the_library_the_highlights_are_read(annotations: Path, tmp_path: Path) -> None:
    """A database on its own, under any name, gives quotes without title and author."""
    alone = tmp_path / "copies" / "mine" / "highlights.sqlite"
    alone.parent.mkdir(parents=True)
    alone.write_bytes(annotations.read_bytes())
    found = [quote for quote in read_file(alone, ReadOptions()) if isinstance(quote, Quote)]
    assert [(quote.author, quote.work) for quote in found] == [(None, None)] * 3


def test_highlights_in_the_log_are_read_and_nothing_is_changed(annotations: Path) -> None:
    """What only the log beside the database holds is read too; neither database is written to."""
    connection = sqlite3.connect(annotations)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0")
    connection.execute("UPDATE ZAEANNOTATION SET ZANNOTATIONSELECTEDTEXT = 'newest' WHERE Z_PK = 5")
    connection.commit()
    before = {path: path.read_bytes() for path in annotations.parent.parent.rglob("*") if path.is_file()}
    texts = [quote.text for quote in read_file(annotations, ReadOptions()) if isinstance(quote, Quote)]
    assert texts[-1] == "newest"
    assert {path: path.read_bytes() for path in annotations.parent.parent.rglob("*") if path.is_file()} == before
    connection.close()


def test_older_databases_lack_columns(tmp_path: Path) -> None:
    """Only the text and the book must be there; text that is not UTF-8 is a bad record."""
    path = make(
        tmp_path / "AEAnnotation.sqlite",
        "CREATE TABLE ZAEANNOTATION (ZANNOTATIONASSETID TEXT, ZANNOTATIONSELECTEDTEXT TEXT);"
        "INSERT INTO ZAEANNOTATION VALUES ('a', 'Know thyself.'), ('b', CAST(x'ff41' AS TEXT));",
    )
    assert list(read_file(path, ReadOptions())) == [
        Quote("Know thyself.", source=str(path), line=1),
        BadRecord(f"{path}:2", "not valid utf-8; if the file has another encoding, add --encoding NAME"),
    ]


@pytest.mark.parametrize("schema", ["CREATE TABLE other (a)", "CREATE TABLE ZAEANNOTATION (ZANNOTATIONASSETID TEXT)"])
def test_another_database_is_refused(tmp_path: Path, schema: str) -> None:
    """The message names the file and what was expected."""
    path = make(tmp_path / "AEAnnotation.sqlite", schema)
    with pytest.raises(SourceError, match=r"AEAnnotation\.sqlite: no table ZAEANNOTATION .* of Apple Books$"):
        list(read_file(path, ReadOptions()))


def test_a_damaged_library_is_an_error_that_names_it(annotations: Path) -> None:
    """Titles are not lost in silence: a library that cannot be read is named."""
    library = next((annotations.parent.parent / "BKLibrary").iterdir())
    library.write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(SourceError, match=r"BKLibrary-1-091020131601\.sqlite: not a readable database"):
        list(read_file(annotations, ReadOptions()))
