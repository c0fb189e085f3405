"""A folder as a source: what is wrong with one file of it stops nothing, and loses nothing."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from library import Library

from quotefind.corpus import ReadOptions
from quotefind.errors import SourceError
from quotefind.index.changes import is_stale
from quotefind.index.sources import Source, options_argument, remembered
from quotefind.stores import open_index

HOPE, DUST, ROAD = "Hope is here", "Dust was there", "The road goes on"
# Files that a folder may hold: what is in them, and what is said of them.
STRAY = {
    "package.json": (b'{"name": "site"}', "package.json:1: no key holds the text"),
    "budget.csv": (b"date,amount\n2020-01-01,5\n", "budget.csv:1: no column holds the text"),
    "broken.txt.gz": (b"\x1f\x8b\x08\0\0\0\0\0", "broken.txt.gz: a damaged gzip file"),
    "list.yml": (b"[", "list.yml:2: not valid YAML"),
    "bytes.jsonl": ('"«sound»"\n"caf\udce9"\n'.encode("utf-8", "surrogateescape"), "bytes.jsonl:2: not valid utf-8"),
    "KoboReader.sqlite": (b"no database", "KoboReader.sqlite: not a readable database"),
}


@pytest.fixture
def filled(library: Library) -> Library:
    """An index of a folder with one file, a.txt."""
    library.write("a.txt", HOPE)
    library.update(library.folder)
    return library


def stale(library: Library) -> bool:
    """Whether a search would bring the index up to date."""
    with open_index(library.directory) as index:
        return is_stale(index)


def opener(path: Path, fail: Callable[[], None]) -> Callable[[Path], BinaryIO]:
    """Return what opens a file, but calls `fail` first for `path`."""

    def opened(file: Path) -> BinaryIO:
        if file == path:
            fail()
        return file.open("rb")

    return opened


def refuse() -> None:
    """Fail as for a file without permission to read it."""
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("name", STRAY)
def test_a_stray_file_does_not_stop_the_rest(library: Library, name: str) -> None:
    """What holds no quotes or cannot be read is skipped and named; the rest is indexed, also in the same run."""
    content, said = STRAY[name]
    library.write("a.txt", HOPE)
    library.write("z.txt", DUST)
    (library.folder / name).write_bytes(content)
    summary = library.update(library.folder)
    assert library.texts() == sorted([HOPE, DUST])
    assert (summary.files, summary.skipped) == (2, 1)
    (warning,) = summary.warnings
    assert warning.startswith(f"skipped 1 file: {said}")


@pytest.mark.parametrize("name", STRAY)
def test_a_stray_file_that_is_named_is_an_error(filled: Library, name: str) -> None:
    """The same file is an error where the user names it, and nothing is changed."""
    path = filled.folder / name
    path.write_bytes(STRAY[name][0])
    with pytest.raises(SourceError, match=name):
        filled.update(path)
    assert filled.texts() == [HOPE]


@pytest.mark.parametrize("name", STRAY)
def test_a_stray_file_makes_no_index_stale(filled: Library, name: str) -> None:
    """Once a stray file was skipped, the index is up to date, and a refresh for a search does not say it again."""
    (filled.folder / name).write_bytes(STRAY[name][0])
    assert stale(filled)
    assert len(filled.update(at_most=100).warnings) == 1
    assert not stale(filled)
    assert filled.update(at_most=100).warnings == []


def test_three_stray_files_are_named_and_the_rest_counted(library: Library) -> None:
    """One line names three files with what is wrong, without how to fix it, and counts the others."""
    library.write("a.txt", HOPE)
    for number in range(5):
        library.write(f"{number}.json", '{"name": "site"}')
    (warning,) = library.update(library.folder).warnings
    problem = "json:1: no key holds the text"
    assert warning == f"skipped 5 files: 0.{problem}; 1.{problem}; 2.{problem}; and 2 more"


def test_a_stray_file_that_was_named_before_is_a_remark(library: Library) -> None:
    """Where the user names the folder again, what was skipped before is no warning, but a remark."""
    library.write("a.txt", HOPE)
    library.write("package.json", '{"name": "site"}')
    said = library.update(library.folder).warnings
    again = library.update(library.folder)
    assert (again.warnings, again.remarks) == ([], said)


def test_what_is_read_before_a_file_fails_is_not_kept(library: Library) -> None:
    """A file of which a part can be read is skipped as a whole; its records are not counted."""
    library.write("a.txt", HOPE)
    whole = gzip.compress("".join(f"Line {number} of many\n" for number in range(20_000)).encode())
    (library.folder / "part.txt.gz").write_bytes(whole[: len(whole) // 2])
    summary = library.update(library.folder)
    assert library.texts() == [HOPE]
    assert (summary.added, summary.read, summary.bad) == (1, 1, 0)


@pytest.mark.parametrize("name", ["q.json", "q.txt.gz"])
def test_a_file_that_goes_bad_keeps_its_quotes(library: Library, name: str) -> None:
    """A file that was indexed and can no longer be read keeps its quotes; that is said, once."""
    good = json.dumps([DUST]).encode() if name == "q.json" else gzip.compress(DUST.encode())
    library.write("a.txt", HOPE)
    path = library.folder / name
    path.write_bytes(good)
    library.update(library.folder)
    path.write_bytes(good[:-9])
    os.utime(path, ns=(1, 1))
    (warning,) = library.update().warnings
    assert warning.startswith(f"kept 1 quote from a file that can no longer be read: {name}")
    assert library.texts() == sorted([HOPE, DUST])
    assert not stale(library)
    assert library.update().warnings == []
    assert library.texts() == sorted([HOPE, DUST])


def test_a_file_that_becomes_good_again_is_read(library: Library) -> None:
    """A file that was skipped and is repaired gives its quotes, and those that it has no longer go."""
    path = library.write("q.json", json.dumps([DUST, HOPE]))
    library.update(library.folder)
    library.write("q.json", "[")
    library.update()
    library.write("q.json", json.dumps([DUST, ROAD]))
    summary = library.update()
    assert (summary.added, summary.removed, summary.warnings) == (1, 1, [])
    assert library.texts() == sorted([DUST, ROAD])
    assert path.exists()


def test_a_file_that_went_bad_and_is_deleted_takes_its_quotes(library: Library) -> None:
    """What was kept of a file that cannot be read goes with the file."""
    library.write("a.txt", HOPE)
    path = library.write("q.json", json.dumps([DUST]))
    library.update(library.folder)
    library.write("q.json", "[")
    library.update()
    path.unlink()
    assert library.update().removed == 1
    assert library.texts() == [HOPE]


def test_a_file_without_permission_is_skipped_and_tried_again(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is skipped; `index` reads it once it may be read, though it has not changed."""
    path = filled.write("b.txt", DUST)
    monkeypatch.setattr("quotefind.index.changes.open_regular", opener(path, refuse))
    (warning,) = filled.update().warnings
    assert warning == "skipped 1 file: b.txt: cannot be read: Permission denied"
    assert not stale(filled)
    monkeypatch.undo()
    assert filled.update().added == 1
    assert filled.texts() == sorted([HOPE, DUST])


@pytest.mark.parametrize("module", ["quotefind.index.changes", "quotefind.corpus.reading"])
def test_a_file_that_vanishes_is_skipped(library: Library, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """A file that goes before its bytes are compared, or before they are read, is skipped and named."""
    library.write("a.txt", HOPE)
    path = library.write("b.txt", DUST)
    library.write("c.txt", ROAD)
    monkeypatch.setattr(f"{module}.open_regular", opener(path, lambda: path.unlink(missing_ok=True)))
    (warning,) = library.update(library.folder).warnings
    assert warning.startswith("skipped 1 file: b.txt: cannot be ")
    assert "No such file" in warning
    assert library.texts() == sorted([HOPE, ROAD])
    assert library.update().warnings == []


def test_a_file_becomes_a_folder(library: Library) -> None:
    """Where a folder takes the place of a file, the quotes in it take that of the quotes in the file."""
    path = library.write("a.txt", HOPE)
    library.update(library.folder)
    path.unlink()
    library.write("a.txt/b.txt", DUST)
    library.update()
    assert library.texts() == [DUST]


def test_a_folder_below_that_cannot_be_listed_keeps_its_quotes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was indexed of a folder that may no longer be listed is kept, also with --prune, and that is said."""
    library.write("a.txt", HOPE)
    library.write("private/b.txt", DUST)
    library.update(library.folder)
    whole = os.scandir

    def refused(folder: Path) -> object:
        if Path(folder).name == "private":
            refuse()
        return whole(folder)

    monkeypatch.setattr(os, "scandir", refused)
    assert not stale(library)
    private = library.folder / "private"
    for options in ({}, {"prune": True}):
        summary = library.update(**options)
        assert summary.warnings == [f"kept the quotes from a folder that cannot be searched: {private}"]
    assert library.texts() == sorted([HOPE, DUST])


def test_a_folder_without_a_quote_is_an_error_that_says_why(library: Library) -> None:
    """If nothing of a first source is a quote, the error says what was skipped."""
    library.write("package.json", '{"name": "site"}')
    with pytest.raises(SourceError, match=r"No quotes were found in .* \(skipped 1 file: package\.json:1: no key"):
        library.update(library.folder)


def test_a_folder_without_a_known_format_is_an_error_that_says_what_it_holds(library: Library) -> None:
    """If nothing in a source has a known format, the error names what there is."""
    library.write("a.docx", "PK")
    with pytest.raises(SourceError, match=r"holds no file of a known format; skipped or excluded: a\.docx\. "):
        library.update(library.folder)


def test_no_warning_for_a_vault_in_which_only_other_notes_changed(library: Library) -> None:
    """A vault whose quotes are unchanged is not said to hold none because a note without quotes is new."""
    library.write("quotes.md", f"> {HOPE}")
    library.update(library.folder)
    library.write("diary.md", "# Today", "", "It rained.")
    assert library.update(library.folder).warnings == []


def test_a_source_without_quotes_is_named_beside_one_with_quotes(library: Library) -> None:
    """Each source that gave nothing is named, though another one gave quotes."""
    a, b = library.write("a.txt", HOPE), library.write("b.txt")
    assert library.update(a, b).warnings == [f"no quotes were found in {b}"]


def test_unknown_formats_are_remarks(library: Library) -> None:
    """Pictures and the like are no warning: three names and a count, in a remark."""
    library.write("a.txt", HOPE)
    for number in range(4):
        library.write(f"sub/{number}.png")
    summary = library.update(library.folder)
    assert summary.warnings == []
    assert summary.remarks == ["skipped 4 files of unknown format (sub/0.png, sub/1.png, sub/2.png, …)"]
    assert summary.skipped == 4


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own")
def test_a_broken_link_is_called_that(library: Library) -> None:
    """A link to nowhere with the name of a known format is a warning that says so; another is a remark."""
    library.write("a.txt", HOPE)
    (library.folder / "gone.txt").symlink_to("nowhere")
    (library.folder / "gone.png").symlink_to("nowhere")
    summary = library.update(library.folder)
    assert summary.warnings == ["skipped 1 link to nowhere (gone.txt)"]
    assert summary.remarks == ["skipped 1 link to nowhere (gone.png)"]


def test_an_index_can_be_in_its_own_folder(library: Library) -> None:
    """An index below its source is no source, while it is made and ever after."""
    own = Library(library.folder / "my.index", library.folder, library.encoder)
    own.write("a.txt", HOPE)
    summary = own.update(own.folder)
    assert (own.texts(), summary.warnings) == ([HOPE], [])
    assert summary.remarks == ["skipped 1 folder that belongs to an index of this program (my.index)"]
    assert not stale(own)
    assert own.update().warnings == []


def test_an_index_that_was_killed_is_no_source_of_another(filled: Library, tmp_path: Path) -> None:
    """The leftover writer.json of a killed run does not stop another index over that folder."""
    shutil.copytree(filled.directory, filled.folder / "inner.index")
    (filled.folder / "inner.index" / "writer.json").write_text('{"process": 1, "machine": "vm", "since": "2026"}')
    outer = Library(tmp_path / "outer.index", filled.folder, filled.encoder)
    assert outer.update(outer.folder).warnings == []
    assert outer.texts() == [HOPE]


def test_exclude_is_remembered(library: Library) -> None:
    """A refresh leaves out what the source was added without, and `options_argument` says so again."""
    library.write("a.txt", HOPE)
    library.write("drafts/b.txt", DUST)
    source = Source(str(library.folder), exclude=("drafts/", "*.md"))
    library.update(source)
    library.write("drafts/c.txt", ROAD)
    assert not stale(library)
    library.update()
    assert library.texts() == [HOPE]
    with open_index(library.directory) as index:
        assert remembered(index.source_tables) == [source]
    assert options_argument(source) == " --exclude drafts/ --exclude '*.md'"


def test_what_is_excluded_later_is_removed(library: Library) -> None:
    """Quotes of files that the user excludes go; nothing else is read or encoded again."""
    library.write("a.txt", HOPE)
    library.write("b.txt", DUST)
    library.update(library.folder)
    summary = library.update(Source(str(library.folder), exclude=("b.txt",)))
    assert (summary.removed, summary.files, summary.encoded) == (1, 0, 0)
    assert library.texts() == [HOPE]


def test_all_files_can_be_excluded(filled: Library) -> None:
    """A folder all of whose files are excluded is not taken for a disk that is missing."""
    (filled.folder / ".quotefindignore").write_text("*\n")
    summary = filled.update()
    assert (summary.removed, summary.warnings) == (1, [])


def test_patterns_are_loaded_only_if_there_are_any(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pattern, pathspec is not imported."""
    monkeypatch.setitem(sys.modules, "pathspec", None)
    filled.write("b.txt", DUST)
    assert filled.update().added == 1


def test_a_missing_extra_does_not_stop_a_folder(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Parquet file is skipped where the package that reads it is missing, with how to install it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    filled.write("b.parquet", "PAR1")
    filled.write("c.txt", DUST)
    (warning,) = filled.update(filled.folder).warnings
    assert warning.startswith("skipped 1 file: b.parquet: ")
    assert "quotefind[arrow]" in warning
    assert filled.texts() == sorted([HOPE, DUST])


def test_a_file_that_decides_and_goes_bad_still_decides(library: Library) -> None:
    """Where another file of the same quote goes, a file that cannot be read any more still holds the quote."""
    a = library.write("a.txt", HOPE)
    library.write("q.json", json.dumps([HOPE]))
    library.update(library.folder)
    library.write("q.json", "[")
    a.unlink()
    library.update()
    library.update()
    assert library.texts() == [HOPE]


def test_a_wrong_option_is_no_fault_of_a_file(library: Library) -> None:
    """With a column that no file of the folder has, nothing is indexed, and the error names the column."""
    library.write("a.csv", "Zitat,Autor", "Hope,Ann")
    with pytest.raises(SourceError, match="no column 'Worte'"):
        library.update(Source(str(library.folder), ReadOptions(text_column="Worte")))
