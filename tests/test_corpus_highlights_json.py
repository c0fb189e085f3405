"""JSON of reading tools: Bookcision, Foliate, Readest and calibre, each known by its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quotefind.corpus import BadRecord, Listing, ReadOptions, files_of, read_file
from quotefind.errors import SourceError
from quotefind.records import Quote


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Return a function that writes a value as a JSON file and reads that, as a user's file is read."""

    def write_and_read(value: Any, name: str = "export.json", input_format: str | None = None) -> list[Any]:
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
        found = read_file(path, ReadOptions(input_format))
        return [record for record in found if isinstance(record, Quote | BadRecord)]

    return write_and_read


def facts(records: list[Any]) -> list[tuple[Any, ...]]:
    """Return text, author, work, note, place and date of each quote."""
    return [(q.text, q.author, q.work, q.note, q.place, q.added) for q in records]


def test_bookcision(read: Any) -> None:
    """Title and authors of the book, notes and locations; a note without a highlight is no quote."""
    book = {
        "asin": "B000000000",
        "title": "Emma",
        "authors": "Austen, Jane",
        "highlights": [
            {"text": "Silly things.", "isNoteOnly": False, "location": {"url": "x", "value": 93}, "note": "mine"},
            {"text": "", "isNoteOnly": True, "location": {"url": "x", "value": 95}, "note": "alone"},
            {"text": "One half.", "isNoteOnly": False, "location": {"url": "x", "value": 181}, "note": None},
        ],
    }
    found = read(book)
    assert facts(found) == [
        ("Silly things.", "Jane Austen", "Emma", "mine", "location 93", None),
        ("One half.", "Jane Austen", "Emma", None, "location 181", None),
    ]
    assert [quote.line for quote in found] == [6, 24]


@pytest.mark.parametrize(
    ("metadata", "author", "work"),
    [
        ({"title": "Walden", "creator": "Henry David Thoreau"}, "Henry David Thoreau", "Walden"),
        ({"title": "Walden", "author": "Thoreau, Henry David"}, "Henry David Thoreau", "Walden"),
        ({"title": {"de": "Wald", "en": "Walden"}, "author": [{"name": "Jane Doe"}, "John Roe"]}, "Jane Doe, John Roe",
         "Walden"),
        ({"title": "Walden", "author": {"name": {"en": "Jane Doe"}}}, "Jane Doe", "Walden"),
        ({"title": "Walden", "author": []}, None, "Walden"),
        ({"identifier": "x"}, None, None),
    ],
)  # fmt: skip
def test_foliate(read: Any, metadata: dict[str, Any], author: str | None, work: str | None) -> None:
    """Annotations with text and note; title and author may be strings, lists, objects or names by language."""
    annotations = [
        {"value": "epubcfi(/6/8!/4)", "color": "aqua", "text": "Simplify.", "note": "wow",
         "created": "2024-01-05T10:00:00.123Z"},
        {"value": "epubcfi(/6/8!/6)", "color": "yellow", "text": ""},
    ]  # fmt: skip
    found = read({"lastLocation": "x", "progress": [1, 20], "annotations": annotations, "metadata": metadata})
    assert facts(found) == [("Simplify.", author, work, "wow", None, "2024-01-05T10:00:00+00:00")]


def test_readest(read: Any) -> None:
    """As exported and as the app keeps it: annotations and excerpts, no bookmarks, nothing that was deleted."""
    notes = [
        {"id": "1", "type": "bookmark", "cfi": "x", "text": "a page", "note": "", "createdAt": 1704448800000},
        {"id": "2", "type": "annotation", "cfi": "x", "text": "Simplify,\nsimplify.", "note": "wow", "page": 7,
         "createdAt": 1704448800000},
        {"id": "3", "type": "excerpt", "cfi": "x", "text": "Time is but the stream.", "note": "", "createdAt": 0},
        {"id": "4", "type": "annotation", "cfi": "x", "text": "gone", "note": "", "deletedAt": 1704448800000},
    ]  # fmt: skip
    exported = {"$format": "readest-annotations", "version": 1, "book": {"title": "Walden", "author": "H. Thoreau"}}
    first, second = facts(read({**exported, "annotations": notes}))
    assert first == ("Simplify,\nsimplify.", "H. Thoreau", "Walden", "wow", "p. 7", "2024-01-05T10:00:00+00:00")
    assert second == ("Time is but the stream.", "H. Thoreau", "Walden", None, None, None)
    assert [text for text, *_ in facts(read({"updatedAt": 1, "booknotes": notes}))] == [first[0], second[0]]


@pytest.mark.parametrize(
    ("kind", "key", "name"),
    [
        ("calibre_annotation_collection", "annotations", "all.calibre_annotation_collection"),
        ("calibre_highlights", "highlights", "emma.calibre_highlights"),
        ("calibre_highlights", "highlights", "emma.json"),
    ],
)
def test_calibre(read: Any, tmp_path: Path, kind: str, key: str, name: str) -> None:
    """The files of the viewer and of the library, by their suffix or their keys; removed highlights are left out."""
    entries = [
        {"type": "bookmark", "title": "here", "pos": "x", "timestamp": "2021-09-01T06:22:52.491Z"},
        {"type": "highlight", "highlighted_text": "Silly things.", "notes": "mine", "uuid": "u",
         "timestamp": "2021-09-01T06:22:52.491Z", "toc_family_titles": ["Volume One", "Chapter 2"]},
        {"type": "highlight", "removed": True, "timestamp": "2021-09-01T06:22:52.491Z", "uuid": "v"},
        {"id": 1, "annotation": {"type": "highlight", "highlighted_text": "One half.", "uuid": "w"}},
    ]  # fmt: skip
    found = read({"type": kind, "version": 1, key: entries}, name)
    assert files_of(tmp_path) == Listing([tmp_path / name])
    assert facts(found) == [
        ("Silly things.", None, None, "mine", "Chapter 2", "2021-09-01T06:22:52+00:00"),
        ("One half.", None, None, None, None, None),
    ]


def test_one_odd_entry_costs_itself(read: Any) -> None:
    """What is no object, and half of a surrogate pair in a text, are bad records with their lines."""
    texts = [{"value": "x", "text": "first"}, 3, {"text": "half \ud800"}, {"text": "last", "note": 5}]
    first, number, half, last = read({"annotations": texts, "metadata": {}})
    assert (first.text, last.text) == ("first", "last")
    assert (number.where[-2:], number.problem) == (":7", "expected an object with the text of a highlight")
    assert (half.where[-2:], "surrogate" in half.problem) == (":8", True)


@pytest.mark.parametrize("name", ["bookcision", "foliate", "readest", "calibre"])
def test_another_object_is_refused(read: Any, name: str) -> None:
    """With --input-format, JSON without the array of the tool is an error that names its key."""
    with pytest.raises(SourceError, match=r"no array under (annotations|highlights)"):
        read({"title": "x"}, input_format=name)
    assert read("", input_format=name) == []
