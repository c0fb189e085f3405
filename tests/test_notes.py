"""Notes in an index: what whoever collected a quote wrote beside it comes in, changes, goes and has a checksum."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_tools import Cli, write_records
from library import Library

from quotefind.errors import IndexUnusableError
from quotefind.index.local.proposals import forget, store
from quotefind.index.local.verify import verify
from quotefind.index.local.writer import open_to_write
from quotefind.stores import open_index

HOPE = {"text": "Hope is the thing with feathers.", "author": "Emily Dickinson"}


def notes(library: Library) -> list[str | None]:
    """Return the notes of all quotes by row, having verified that the index is whole."""
    return [quote.note for quote in library.quotes()]


def test_a_note_comes_changes_and_goes_with_its_source(library: Library) -> None:
    """A note that is new, another or gone changes its quote and nothing is encoded again."""
    path = library.write("a.jsonl", json.dumps({**HOPE, "note": "for  the\ntalk"}), '"Know thyself."')
    assert library.update(path).added == 2
    assert notes(library) == ["for the talk", None]
    for note, expected in (("another", "another"), ("", None), (None, None), ("again", "again")):
        library.write("a.jsonl", json.dumps({**HOPE, "note": note}), '"Know thyself."')
        summary = library.update()
        assert (summary.added, summary.encoded) == (0, 0)
        assert notes(library) == [expected, None]
    assert library.update().updated == 0


def test_the_first_file_decides_on_the_note(library: Library) -> None:
    """Where two files hold a quote with different notes, the note is that of the file that held it first."""
    library.update(library.write("a.jsonl", json.dumps({**HOPE, "note": "first"})))
    library.update(library.write("b.jsonl", json.dumps({**HOPE, "note": "second"})))
    assert notes(library) == ["first"]
    library.write("a.jsonl", '"Know thyself."')
    library.update()
    assert sorted(notes(library), key=str) == [None, "second"]


def test_a_note_that_was_damaged_is_found(library: Library) -> None:
    """The checksum of a quote covers its note: a search that shows it, and a verification, say that it was changed."""
    library.update(library.write("a.jsonl", json.dumps({**HOPE, "note": "mine"})))
    with open_to_write(library.directory, library.models) as writer:
        writer.connection.execute("UPDATE quotes SET note = 'yours'")
    with open_index(library.directory) as index:
        with pytest.raises(IndexUnusableError, match="does not match its checksum"):
            index.quotes([0])
        with pytest.raises(IndexUnusableError, match="was stored with another work, year, place, date, note"):
            verify(index)


def test_proposed_tags_leave_notes_alone(library: Library) -> None:
    """Proposals are stored for quotes with notes, and forgotten, and the index stays whole."""
    library.update(library.write("a.jsonl", json.dumps({**HOPE, "note": "mine"})))
    [quote] = library.quotes()
    with open_to_write(library.directory, library.models) as writer:
        assert store(writer.connection, [(quote, ["hope"])]) == 0
    [tagged] = library.quotes()
    assert (tagged.note, tagged.proposed) == ("mine", ("hope",))
    with open_to_write(library.directory, library.models) as writer:
        assert forget(writer.connection) == 1
    assert library.quotes() == [quote]


def test_hits_carry_the_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON has the note under its own key; as a formula it is guarded in CSV; and it can be indexed again."""
    cli = Cli(tmp_path, monkeypatch)
    write_records(Path("a.jsonl"), [{"text": "love at sea", "author": "Ann", "note": "=HYPERLINK(x)"}, {"text": "war"}])
    assert cli("index", "a.jsonl").code == 0
    done = cli("find", "love", "-k", "1", "--format", "jsonl")
    [hit] = map(json.loads, done.out.splitlines())
    assert list(hit)[-3:] == ["note", "place", "added"]
    assert hit["note"] == "=HYPERLINK(x)"
    assert cli("find", "love", "-k", "1", "--format", "csv").out.splitlines()[1].endswith(",'=HYPERLINK(x),,")
    for name, style in (("again.jsonl", "jsonl"), ("again.csv", "csv")):
        Path(name).write_text(cli("find", "love", "-k", "1", "--format", style).out)
        assert cli("index", name, "--index", f"./{style}").code == 0
        [again] = json.loads(cli("find", "love", "--format", "json", "--index", f"./{style}").out)
        assert (again["text"], again["note"]) == ("love at sea", "=HYPERLINK(x)")


def test_the_notes_of_a_kindle_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the clippings of a device to a hit: the words, who wrote them, where, and the note beside them."""
    cli = Cli(tmp_path, monkeypatch)
    label = "Location 10-11 | Added on Sunday, 3 March 2019 10:15:33"
    Path("My Clippings.txt").write_text(
        f"\ufeffPoems (Ash, Ann)\n- Your Highlight on page 1 | {label}\n\nlove at sea\n==========\n"
        f"Poems (Ash, Ann)\n- Your Note on page 1 | {label}\n\nask Ruth\n==========\n",
        encoding="utf-8",
    )
    assert cli("index", "My Clippings.txt").code == 0
    [hit] = json.loads(cli("find", "love", "--format", "json").out)
    assert [hit[key] for key in ("text", "author", "work", "line", "note")] == [
        "love at sea", "Ann Ash", "Poems", 1, "ask Ruth",
    ]  # fmt: skip
