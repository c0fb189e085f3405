"""Verse, place and date in an index of either kind: they come, change and go with their source, without encoding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_tools import Cli, write_records
from library import Library
from two_stores import Both, quick

from quotefind.errors import IndexUnusableError
from quotefind.index.filters import Filter
from quotefind.index.local.verify import verify
from quotefind.index.local.writer import open_to_write
from quotefind.records import Quote
from quotefind.stores import open_index
from quotefind.text import quote_id

LINES = "The world is too much with us;\nlate and soon,\n\nGetting and spending"
FOLDED = "The world is too much with us; late and soon, Getting and spending"
POEM = {"text": LINES, "author": "William Wordsworth", "place": "p. 9", "added": "2019-03-03T10:15:33"}


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    """The same sources in a directory and in a Lance dataset."""
    quick(monkeypatch)
    return Both(tmp_path)


def shown(both: Both) -> list[tuple[str, str | None, str | None]]:
    """Return text, place and date of each quote, which both stores agree on."""
    first, second = (library.quotes() for library in both.libraries)
    assert [(q.id, q.text, q.place, q.added) for q in first] == [(q.id, q.text, q.place, q.added) for q in second]
    return [(q.text, q.place, q.added) for q in first]


def test_lines_place_and_date_come_in(both: Both) -> None:
    """Both stores give back the lines, the place and the date of a quote; its id is that of the folded text."""
    both.update(both.write("a.jsonl", json.dumps(POEM)))
    assert shown(both) == [(LINES, "p. 9", "2019-03-03T10:15:33")]
    assert [quote.id for quote in both.matrix.quotes()] == [quote_id(FOLDED, "William Wordsworth")]


@pytest.mark.parametrize(
    "change",
    [
        {"text": FOLDED},
        {"text": LINES.replace("; late", ";\nlate")},
        {"place": "p. 10"},
        {"place": None},
        {"added": "2020-01-01"},
        {"text": FOLDED, "place": None, "added": None},
    ],
)
def test_what_changes_is_not_encoded_again(both: Both, change: dict[str, str | None]) -> None:
    """Other lines, another place or date in the source change what is shown, and nothing is encoded."""
    both.update(both.write("a.jsonl", json.dumps(POEM)))
    changed = POEM | change
    both.write("a.jsonl", json.dumps(changed))
    summary = both.update()
    assert (summary.added, summary.encoded) == (0, 0)
    assert summary.updated == (changed != POEM)
    assert shown(both) == [(changed["text"], changed["place"], changed["added"])]
    assert both.update().updated == 0


def test_the_encoder_gets_the_folded_text(both: Both) -> None:
    """What is encoded is on one line, at first and when all is encoded again."""
    both.update(both.write("a.jsonl", json.dumps(POEM)))
    for library in both.libraries:
        with library.writer() as writer:
            writer.rebuild()
        assert set(library.encoder.encoded) == {FOLDED}


def test_the_first_file_decides(both: Both) -> None:
    """Where two files hold a poem, lines, place and date are those of the first; when it goes, those of the second."""
    first = both.write("a.jsonl", json.dumps(POEM))
    second = both.write("b.jsonl", json.dumps(POEM | {"text": FOLDED, "place": "p. 1", "added": None}))
    both.update(first, second)
    assert shown(both) == [(LINES, "p. 9", "2019-03-03T10:15:33")]
    both.write("a.jsonl", '"Know thyself."')
    assert both.update().encoded == 1
    assert (FOLDED, "p. 1", None) in shown(both)


def test_length_and_words_are_those_of_one_line(both: Both) -> None:
    """--max-chars counts the folded text, and full-text search finds words across lines."""
    both.update(both.write("a.jsonl", json.dumps(POEM)))
    assert both.matching(Filter(max_chars=len(FOLDED))) == [0]
    assert both.matching(Filter(max_chars=len(FOLDED) - 1)) == []
    for library in both.libraries:
        with open_index(library.directory) as index:
            assert index.rows_with_text(FOLDED) == index.rows_with_text(LINES) == [0]


@pytest.mark.parametrize("column", ["place", "added", "verse"])
def test_damage_is_found(library: Library, column: str) -> None:
    """The checksum of a quote covers its place, its date and its lines."""
    library.update(library.write("a.jsonl", json.dumps(POEM)))
    with open_to_write(library.directory, library.models) as writer:
        writer.connection.execute(f"UPDATE quotes SET {column} = replace({column}, '0', '1') || ' '")
    with open_index(library.directory) as index:
        with pytest.raises(IndexUnusableError, match="does not match its checksum"):
            index.quotes([0])
        with pytest.raises(IndexUnusableError, match="was stored with another work, year, place, date"):
            verify(index)


def test_an_index_of_format_3_gets_its_lines(library: Library) -> None:
    """An index that knew no lines has them after the next update, which encodes nothing."""
    library.update(library.write("a.jsonl", json.dumps(POEM)))
    with open_to_write(library.directory, library.models) as writer:
        shown = "name, text, (SELECT name FROM authors), NULL, NULL, tags, '[]', NULL, NULL, NULL, NULL"
        writer.connection.execute(f"UPDATE quotes SET seal = quote_checksum({shown})")
        for column in ("place", "added", "verse"):
            writer.connection.execute(f"ALTER TABLE quotes DROP COLUMN {column}")
        writer.connection.execute("UPDATE manifest SET value = '3' WHERE key = 'format'")
    library.encoder.encoded.clear()
    library.update()
    assert library.encoder.encoded == []
    [quote] = library.quotes()
    assert (quote.text, quote.place, quote.added) == (LINES, "p. 9", "2019-03-03T10:15:33")
    with open_index(library.directory) as index:
        assert verify(index) == 1


def test_proposed_tags_are_stored_for_verse(both: Both) -> None:
    """A poem gets proposed tags, and keeps its lines, its place and its date."""
    both.update(both.write("a.jsonl", json.dumps(POEM)))
    for library in both.libraries:
        [quote] = library.quotes()
        with library.writer() as writer:
            assert writer.propose([(quote, ["world"])]) == 0
        [tagged] = library.quotes()
        assert tagged == Quote(
            LINES, "William Wordsworth", source=quote.source, line=1, id=quote.id, proposed=("world",), place="p. 9",
            added="2019-03-03T10:15:33",
        )  # fmt: skip


@pytest.mark.parametrize("name", ["jsonl", "json", "csv", "tsv"])
def test_an_exported_collection_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An index of the export has the same text in lines, the same place and the same date."""
    cli = Cli(tmp_path, monkeypatch)
    write_records(Path("a.jsonl"), [POEM, {"text": "love", "place": "=1+2|ch", "added": "2020-01-01"}])
    assert cli("index", "a.jsonl").code == 0
    assert cli("export", "-o", f"out.{name}").code == 0
    assert cli("index", f"out.{name}", "--index", "again").code == 0
    assert cli("export", "--index", "again").out == cli("export").out
    assert json.loads(cli("export").lines[0])["text"] == LINES


def test_a_hit_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is shown after the work, in JSON under its own key."""
    cli = Cli(tmp_path, monkeypatch)
    write_records(Path("a.jsonl"), [{"text": "love", "author": "Ann", "work": "Walden", "place": "ch. 2, p. 91"}])
    assert cli("index", "a.jsonl").code == 0
    assert cli("find", "love").out == "love — Ann, Walden, ch. 2, p. 91\n"
    (hit,) = cli("find", "love", "--format", "json").json
    assert list(hit.items())[-2:] == [("place", "ch. 2, p. 91"), ("added", None)]
