"""What an update of an index does: what is read, encoded, kept, changed and removed."""

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from fake_encoder import FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library

from quotefind.corpus import BadRecord, ReadOptions, Remark
from quotefind.errors import IndexUnusableError, SourceError, UsageError
from quotefind.index import changes
from quotefind.index.changes import ChangedFile, is_stale
from quotefind.index.interface import SourceInfo
from quotefind.index.local import merge
from quotefind.index.local.writer import Summary, open_to_write
from quotefind.index.sources import Source
from quotefind.index.update import TooLongError
from quotefind.records import Quote
from quotefind.stores import index_exists, open_index

HOPE = "Hope is the thing with feathers"
DUST = "I will show you fear in a handful of dust"
ROAD = "The road goes ever on and on"


def counts(summary: Summary) -> dict[str, int]:
    """Return the counts of a summary that are not zero, but for those of the whole index."""
    names = ("added", "reused", "updated", "removed", "repeats", "truncated", "bad", "encoded")
    return {name: value for name in names if (value := getattr(summary, name))}


def jsonl(library: Library, name: str, *records: dict[str, object]) -> Path:
    """Write records as JSON Lines."""
    return library.write(name, *(json.dumps(record) for record in records))


def state(directory: Path) -> tuple[list[str], bytes]:
    """Return all that the database of an index holds, and the bytes of its matrix."""
    with open_index(directory) as index:
        dump = list(index.connection.iterdump())
        return dump, (directory / index.manifest.matrix).read_bytes()


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose records were read, in order."""
    names: list[str] = []
    original = changes.quotes_of

    def counted(
        file: ChangedFile, stream: BinaryIO | None, tell: Callable[[Remark], None]
    ) -> Iterator[Quote | BadRecord]:
        names.append(Path(file.name).name)
        return original(file, stream, tell)

    monkeypatch.setattr("quotefind.index.staging.quotes_of", counted)
    return names


def test_a_first_source_is_added(library: Library) -> None:
    """A new index holds the quotes of its source with all that is said of them, and counts them."""
    dickinson = {"author": "Emily Dickinson", "work": "Poems", "year": 1891, "tags": ["hope", "birds"]}
    path = jsonl(library, "a.jsonl", {"text": f"“{HOPE}”", **dickinson}, {"text": DUST})
    summary = library.update(path)
    assert counts(summary) == {"added": 2, "encoded": 2}
    assert (summary.sources, summary.files, summary.quotes, summary.warnings) == (1, 1, 2, [])
    first, second = library.quotes()
    assert first == Quote(HOPE, "Emily Dickinson", "Poems", 1891, ("hope", "birds"), str(path), 1, first.id)
    assert second == Quote(DUST, source=str(path), line=2, id=second.id)
    with open_index(library.directory) as index:
        assert index.sources() == [SourceInfo(str(path), files=1, quotes=2)]
        assert index.statistics() == {"authors": 1, "works": 1, "tags": 2, "truncated": 0, "with_proposals": 0}


def test_an_unchanged_file_is_not_read_again(library: Library, read_files: list[str]) -> None:
    """A file of the same size and time is neither read nor encoded; its quotes count as reused."""
    path = library.write("a.txt", HOPE, DUST)
    library.update(path)
    read_files.clear()
    for again in (library.update(path), library.update()):
        assert counts(again) == {"reused": 2}
        assert again.files == 0
    assert read_files == []
    assert library.encoder.calls == 1


def test_a_touched_file_is_not_read_for_quotes(library: Library, read_files: list[str]) -> None:
    """A file with another time but the same content is only noted, so that it counts as unchanged from then on."""
    path = library.write("a.txt", HOPE, DUST)
    library.update(path)
    os.utime(path, (1, 1))
    with open_index(library.directory) as index:
        assert is_stale(index)
    assert counts(library.update()) == {"reused": 2}
    assert read_files == ["a.txt"]
    with open_index(library.directory) as index:
        assert not is_stale(index)


def test_a_changed_line_encodes_one_text(library: Library) -> None:
    """Of a changed file only what is new is encoded; what is gone leaves."""
    path = library.write("a.txt", HOPE, DUST, ROAD)
    library.update(path)
    library.encoder.encoded.clear()
    library.write("a.txt", HOPE, "A new line", ROAD)
    assert counts(library.update()) == {"added": 1, "removed": 1, "reused": 2, "encoded": 1}
    assert library.encoder.encoded == ["A new line"]
    assert library.texts() == sorted([HOPE, "A new line", ROAD])


def test_a_moved_quote_has_its_new_line(library: Library) -> None:
    """A quote that moved within its file, or to another one, is reused and has its new place."""
    path = library.write("a.txt", HOPE, DUST)
    library.update(library.folder)
    library.write("a.txt", "", DUST)
    other = library.write("b.txt", "", "", HOPE)
    assert counts(library.update()) == {"reused": 2}
    places = {quote.text: (quote.source, quote.line) for quote in library.quotes()}
    assert places == {HOPE: (str(other), 3), DUST: (str(path), 2)}


@pytest.mark.parametrize(
    "change",
    [
        {"author": "E. Dickinson"},
        {"author": "EMILY DICKINSON"},
        {"author": None},
        {"work": "Poems by Emily Dickinson"},
        {"work": None},
        {"year": 1861},
        {"year": None},
        {"tags": ["birds", "hope"]},
        {"tags": []},
        {"author": "Somebody", "work": "Else", "year": -5, "tags": ["new"]},
    ],
)
def test_what_is_said_of_a_quote_changes_without_encoding(library: Library, change: dict[str, object]) -> None:
    """Another author, work, year or other tags are written to the quote; nothing is encoded, all searches see it."""
    record = {"text": HOPE, "author": "Emily Dickinson", "work": "Poems", "year": 1891, "tags": ["hope", "birds"]}
    jsonl(library, "a.jsonl", record, {"text": DUST})
    library.update(library.folder)
    changed = record | change
    path = jsonl(library, "a.jsonl", {k: v for k, v in changed.items() if v is not None}, {"text": DUST})
    assert counts(library.update()) == {"updated": 1, "reused": 1}
    assert library.encoder.calls == 1
    quote = library.quotes()[0]
    expected = (changed["author"], changed["work"], changed["year"], tuple(changed["tags"]))  # type: ignore[arg-type]
    assert (quote.author, quote.work, quote.year, quote.tags) == expected
    assert counts(library.update(path.parent)) == {"reused": 2}


def test_names_that_nobody_has_any_more_are_forgotten(library: Library) -> None:
    """Authors, works and tags of no quote leave the index."""
    record = {"text": HOPE, "author": "Emily Dickinson", "work": "Poems", "tags": ["hope"]}
    library.update(jsonl(library, "a.jsonl", record, {"text": DUST}))
    jsonl(library, "a.jsonl", {"text": HOPE}, {"text": DUST})
    library.update()
    with open_index(library.directory) as index:
        for table in ("authors", "works", "tags", "quote_tags"):
            assert index.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_the_same_quote_in_two_files_is_one(library: Library) -> None:
    """A quote in two files is one quote, encoded once; removing one of them keeps it, removing both does not."""
    a, b = library.write("a.txt", HOPE, DUST), library.write("b.txt", ROAD, HOPE)
    assert counts(library.update(a, b)) == {"added": 3, "repeats": 1, "encoded": 3}
    assert counts(library.update(remove=(str(a),))) == {"removed": 1, "reused": 2}
    assert {(q.text, q.source, q.line) for q in library.quotes()} == {(HOPE, str(b), 2), (ROAD, str(b), 1)}
    assert counts(library.update(remove=(str(b),))) == {"removed": 2}
    assert library.quotes() == []
    assert len(library.encoder.encoded) == 3


def test_the_file_that_is_left_says_what_a_quote_is(library: Library) -> None:
    """Once the file that decided what is said of a quote is gone, the other file that holds it decides."""
    a = jsonl(library, "a.jsonl", {"text": HOPE, "author": "Dickinson", "work": "Old"})
    b = jsonl(library, "b.jsonl", {"text": HOPE, "author": "Dickinson", "work": "New"})
    library.update(a, b)
    library.update(remove=(str(a),))
    library.update()
    assert [(quote.work, quote.source) for quote in library.quotes()] == [("New", str(b))]


def test_a_text_of_two_authors_is_two_quotes_with_one_vector(library: Library) -> None:
    """The same words under two names stay two quotes; the text is encoded once, within a run and across runs."""
    a = library.write("a.txt", f"{HOPE} -- Dickinson", f"{HOPE} -- Woody Allen")
    assert counts(library.update(a)) == {"added": 2, "encoded": 1}
    b = library.write("b.txt", f"{HOPE} -- A Third")
    assert counts(library.update(b)) == {"added": 1}
    assert {quote.author for quote in library.quotes()} == {"Dickinson", "Woody Allen", "A Third"}
    assert library.encoder.encoded == [HOPE]


@pytest.mark.parametrize("lines", [[HOPE, f"{HOPE} -- Dickinson"], [f"{HOPE} -- Dickinson", HOPE]])
@pytest.mark.parametrize("files", [1, 2, "two runs"])
def test_a_quote_without_author_belongs_to_the_one_with_author(
    library: Library, lines: list[str], files: int | str
) -> None:
    """A record without author is a repeat of one that has the author, in whatever order and file they come."""
    if files == 1:
        library.update(library.write("a.txt", *lines))
    elif files == 2:
        library.update(library.write("a.txt", lines[0]), library.write("b.txt", lines[1]))
    else:
        library.update(library.write("a.txt", lines[0]))
        library.update(library.write("b.txt", lines[1]))
    assert [(quote.text, quote.author) for quote in library.quotes()] == [(HOPE, "Dickinson")]
    assert library.encoder.encoded == [HOPE]


def test_repeats_are_counted(library: Library) -> None:
    """Each record that says again what another one said counts as one repeat; ways to write it do not matter."""
    a = library.write("a.txt", HOPE, f"  “{HOPE}” ", DUST, HOPE)
    assert counts(library.update(a)) == {"added": 2, "repeats": 2, "encoded": 2}
    b = library.write("b.txt", DUST, DUST, ROAD)
    assert counts(library.update(b)) == {"added": 1, "reused": 1, "repeats": 1, "encoded": 1}


def test_a_folder_follows_its_files(library: Library) -> None:
    """Files that come into a folder are added, files that leave it take their quotes along."""
    library.write("a.txt", HOPE)
    b = library.write("deep/b.txt", DUST)
    library.update(library.folder)
    b.unlink()
    library.write("c.txt", ROAD)
    assert counts(library.update()) == {"added": 1, "removed": 1, "reused": 1, "encoded": 1}
    assert library.texts() == sorted([HOPE, ROAD])


@pytest.mark.parametrize("emptied", [False, True])
def test_a_vanished_source_keeps_its_quotes_until_it_is_pruned(library: Library, emptied: bool) -> None:
    """A folder that is gone or empty warns and keeps its quotes; --prune drops them and forgets the source."""
    path = library.write("poems/a.txt", HOPE).parent
    other = library.write("b.txt", DUST)
    library.update(path, other)
    shutil.rmtree(path)
    if emptied:
        path.mkdir()
    summary = library.update()
    assert counts(summary) == {"reused": 2}
    (warning,) = summary.warnings
    assert str(path) in warning
    assert f"quotefind index --prune --index {library.directory}" in warning
    pruned = library.update(prune=True)
    assert (counts(pruned), pruned.sources, pruned.warnings) == ({"removed": 1, "reused": 1}, 1, [])
    assert library.texts() == [DUST]


def test_a_vanished_file_that_is_named_is_an_error(library: Library) -> None:
    """Naming a source that is not there is an error, and nothing changes."""
    path = library.write("a.txt", HOPE)
    library.update(path)
    path.unlink()
    before = state(library.directory)
    with pytest.raises(SourceError, match=r"a\.txt"):
        library.update(path)
    assert state(library.directory) == before


def test_a_bad_record_changes_nothing(library: Library) -> None:
    """Without --skip-bad a record that does not decode is the error, with its line and the way out; all is as before.

    It is in the last of three named files, so that all before it was read already.
    """
    a = library.write("a.txt", HOPE)
    library.update(a)
    before = state(library.directory)
    library.write("a.txt", DUST)
    b = library.write("b.txt", ROAD)
    bad = library.write("z.jsonl")
    bad.write_bytes('{"text": "fine «»"}\n{"text": "caf\udce9"}'.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError, match=r"z\.jsonl:2: .*Nothing was changed. .* --skip-bad") as error:
        library.update(a, b, bad)
    assert str(bad) in str(error.value)
    assert state(library.directory) == before
    assert library.encoder.encoded == [HOPE]


def test_bad_records_are_skipped_and_counted(library: Library) -> None:
    """The good records are indexed, the bad ones counted and the first three named in one line."""
    bad = ['{"author": "nobody"}'] * 13
    path = library.write("a.jsonl", *bad, json.dumps({"text": HOPE}))
    summary = library.update(path)
    assert counts(summary) == {"added": 1, "bad": 13, "encoded": 1}
    [warning] = summary.warnings
    assert f"13 records skipped: {path}:1: no key holds the text" in warning
    assert warning.endswith("; and 10 more")
    library.write("a.jsonl", *bad[:2], json.dumps({"text": DUST}))
    assert counts(library.update()) == {"added": 1, "removed": 1, "bad": 2, "encoded": 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bad.jsonl", '{"author": "nobody"}\n'),
        ("empty.txt", ""),
        ("what.pdf", "%PDF"),
        ("missing/nothing.txt", None),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_a_new_index_that_fails_leaves_nothing(library: Library, name: str, content: str | None, there: bool) -> None:
    """Where the first source is bad, no index and no new directory are left; a directory that was there stays."""
    path = library.folder / name
    if content is not None:
        path.write_text(content, encoding="utf-8")
    if there:
        library.directory.mkdir()
    with pytest.raises(SourceError, match=path.name):
        library.update(path)
    assert library.directory.exists() == there
    assert not index_exists(library.directory)
    library.update(library.write("good.txt", HOPE))
    assert library.texts() == [HOPE]


def test_what_is_read_from_standard_input_is_added(library: Library) -> None:
    """Standard input adds to what came from it before, and a refresh does not ask for it again."""
    stdin = Source("-", ReadOptions(input_format="txt"))
    assert counts(library.update(stdin, stream=io.BytesIO(f"{HOPE}\n{DUST}\n".encode()))) == {"added": 2, "encoded": 2}
    summary = library.update(stdin, stream=io.BytesIO(f"{DUST}\n{ROAD}\n".encode()))
    assert (summary.added, summary.removed, summary.encoded, summary.quotes) == (1, 0, 1, 3)
    assert counts(library.update()) == {"reused": 3}
    assert {(quote.source, quote.text) for quote in library.quotes()} == {("-", t) for t in (HOPE, DUST, ROAD)}
    assert counts(library.update(remove=("-",))) == {"removed": 3}


def test_standard_input_that_cannot_be_read_is_an_error(library: Library) -> None:
    """A stream that does not hold the format it should is an error that names it, and no index is made."""
    with pytest.raises(SourceError, match=r"-:1: "):
        library.update(Source("-", ReadOptions(input_format="jsonl")), stream=io.BytesIO(b"nonsense\n"))
    with pytest.raises(SourceError, match="Standard input"):
        library.update(Source("-", ReadOptions(input_format="txt")))
    assert not library.directory.exists()


def test_how_a_source_is_read_is_remembered(library: Library, read_files: list[str]) -> None:
    """Options of a source hold at every refresh; naming others reads the unchanged file again with those."""
    path = library.write("a.csv", "de,en", f"Hoffnung,{HOPE}")
    library.update(Source(str(path), ReadOptions(text_column="de")))
    assert library.texts() == ["Hoffnung"]
    library.write("a.csv", "de,en", f"Hoffnung,{HOPE}", f"Staub,{DUST}")
    library.update(path)
    assert library.texts() == ["Hoffnung", "Staub"]
    library.update(Source(str(path), ReadOptions(text_column="en")))
    assert library.texts() == sorted([HOPE, DUST])
    assert read_files == ["a.csv"] * 3


def test_only_a_source_of_the_index_can_be_removed(library: Library) -> None:
    """Removing what the index does not remember is a usage error that says how to see what it has."""
    library.update(library.write("a.txt", HOPE))
    with pytest.raises(UsageError, match="quotefind info"):
        library.update(remove=("/nowhere",))
    assert library.texts() == [HOPE]


def test_an_index_keeps_its_model(library: Library, tmp_path: Path) -> None:
    """Another model than the one it was made with is refused before anything changes; the same one is welcome."""
    both = Library(tmp_path / "index", library.folder, library.encoder, FakeEncoder("other"))
    path = both.write("a.txt", HOPE)
    both.update(path, model="fake")
    before = state(both.directory)
    both.write("a.txt", DUST)
    with pytest.raises(IndexUnusableError, match="--rebuild"):
        both.update(model="other")
    assert state(both.directory) == before
    assert counts(both.update(model="fake")) == {"added": 1, "removed": 1, "encoded": 1}


def test_texts_that_the_encoder_cuts_are_counted(tmp_path: Path) -> None:
    """A text longer than the model takes is counted, noted in the index, and found again in its statistics."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder(max_tokens=5))
    path = library.write("a.txt", "one two three four five", "one two three four five six")
    assert counts(library.update(path)) == {"added": 2, "encoded": 2, "truncated": 1}
    assert counts(library.update(path)) == {"reused": 2}
    with open_index(library.directory) as index:
        assert index.statistics()["truncated"] == 1


def test_an_update_that_takes_too_long_changes_nothing(library: Library) -> None:
    """With at_most, an update that the known rate says is too long is given up before anything is written."""
    path = library.write("a.txt", HOPE)
    library.update(path)
    before = state(library.directory)
    library.write("a.txt", *(f"line {n}" for n in range(100)))  # at 30 a second, more than 3 seconds
    with pytest.raises(TooLongError):
        library.update(at_most=3.0)
    assert state(library.directory) == before
    assert counts(library.update(at_most=10.0)) == {"added": 100, "removed": 1, "encoded": 100}


def test_a_matrix_with_many_dead_rows_is_compacted(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more rows are dead than the limits say, an update leaves them out; the quotes keep their vectors."""
    monkeypatch.setattr("quotefind.index.local.writer._DEAD_ROWS", 10)
    lines = [f"quote number {n}" for n in range(40)]
    library.write("a.txt", *lines)
    library.update(library.folder)
    for kept, rows in ((30, 40), (29, 29)):  # 10 dead rows are not more than 10; 11 are, and more than a quarter
        library.write("a.txt", *lines[:kept])
        library.update()
        with open_index(library.directory) as index:
            assert (index.manifest.rows, index.count) == (rows, kept)
            for row, quote in enumerate(index.quotes(range(kept))):
                assert index.matrix[row].tolist() == library.encoder.vectors([quote.text])[0].tolist()
    assert library.texts() == sorted(lines[:29])
    assert len(list(library.directory.glob("*.npy"))) == 1


quotes_of_a_file = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["Ann", "Bob"])), max_size=8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(quotes_of_a_file, min_size=2, max_size=2), min_size=2, max_size=4))
def test_an_index_is_what_its_sources_say(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[list[tuple[str, str]]]]
) -> None:
    """However files change, the index holds what they hold, its counts add up, and it never encodes what it has."""
    tmp_path = tmp_path_factory.mktemp("steps")
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "_CHUNK", 3)
        library.update(library.write("keep.txt", HOPE))
        library.update(library.folder)
        held = {(HOPE, None)}
        for contents in steps:
            for name, quotes in zip(("a.txt", "b.txt"), contents, strict=True):
                library.write(name, *(f"{text} text -- {author}" for text, author in quotes))
            library.encoder.encoded.clear()
            summary = library.update()
            expected = {(HOPE, None)} | {(f"{text} text", author) for quotes in contents for text, author in quotes}
            assert {(quote.text, quote.author) for quote in library.quotes()} == expected
            new_texts = {text for text, _ in expected} - {text for text, _ in held}
            assert sorted(library.encoder.encoded) == sorted(new_texts)
            assert summary.encoded == len(new_texts)
            assert summary.quotes == len(expected) == len(held) + summary.added - summary.removed
            assert summary.added + summary.updated + summary.reused == len(expected)
            held = expected


def test_a_writer_reports_progress_in_texts(library: Library) -> None:
    """Progress is told as texts encoded out of all that have to be."""
    told: list[tuple[str, int, int]] = []
    library.update(
        library.write("a.txt", HOPE, DUST), progress=lambda stage, done=0, total=0: told.append((stage, done, total))
    )
    assert told[-1] == ("encoding", 2, 2)


def test_refreshing_where_there_is_no_index_needs_a_source(library: Library) -> None:
    """A writer of no index has no manifest, and says so where one is needed."""
    with open_to_write(library.directory, library.models) as writer, pytest.raises(IndexUnusableError, match="SOURCE"):
        writer.rebuild()
    assert not library.directory.exists()


def test_an_option_that_came_with_a_newer_version_makes_no_source_stale(library: Library) -> None:
    """How a source is read is compared by what it means, not by how an older version wrote it down."""
    library.update(library.write("a.txt", HOPE))
    with open_to_write(library.directory, library.models) as writer:
        (text,) = writer.connection.execute("SELECT options FROM sources").fetchone()
        older = {key: value for key, value in json.loads(text).items() if key != "delimiter"}
        writer.connection.execute("UPDATE sources SET options = ?", (json.dumps(older),))
    with open_index(library.directory) as index:
        assert not is_stale(index)


def test_a_pruned_source_stays_forgotten_where_another_shares_its_quote(library: Library) -> None:
    """A source that was pruned is not remembered again because a file that is left shares a quote with it."""
    library.update(gone := library.write("a.txt", HOPE))
    library.update(left := library.write("b.txt", HOPE, DUST))
    gone.unlink()
    summary = library.update(prune=True)
    assert (summary.sources, summary.quotes, summary.reused) == (1, 2, 2)
    with open_index(library.directory) as index:
        assert [source.location for source in index.sources()] == [str(left)]
        assert not is_stale(index)
