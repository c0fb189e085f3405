"""Which files a source has, and which format a file has."""

import errno
import os
from pathlib import Path

import pytest

from quotefind.corpus import FORMATS, ReadOptions, files_of, format_of
from quotefind.errors import SourceError, UsageError


def make(folder: Path, *names: str) -> None:
    """Write an empty file for each of `names`."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(folder: Path, paths: list[Path]) -> list[str]:
    """Return `paths` relative to `folder`."""
    return [path.relative_to(folder).as_posix() for path in paths]


def test_a_file_is_itself(tmp_path: Path) -> None:
    """A file that is named is read whatever its name is."""
    make(tmp_path, "notes.log")
    assert files_of(tmp_path / "notes.log") == ([tmp_path / "notes.log"], [])


def test_a_folder_is_searched_in_order(tmp_path: Path) -> None:
    """A folder gives its files of a known format by path, without hidden ones, and what it passed over."""
    make(tmp_path, "b/z.txt", "b.txt", "a/q.JSON", "a/x.csv.gz", ".hidden.txt", ".git/c.txt", "a/m.pdf", "README")
    files, passed = files_of(tmp_path)
    assert names(tmp_path, files) == ["a/q.JSON", "a/x.csv.gz", "b.txt", "b/z.txt"]
    assert names(tmp_path, passed) == ["README", "a/m.pdf"]


def test_a_folder_of_fortunes_is_one_source(tmp_path: Path) -> None:
    """A file with NAME.dat beside it is a fortune file; its .dat and .u8 are left out without a word."""
    make(tmp_path, "art", "art.dat", "love", "love.dat", "orphan.dat")
    (tmp_path / "art.u8").symlink_to("art")
    files, passed = files_of(tmp_path)
    assert names(tmp_path, files) == ["art", "love"]
    assert names(tmp_path, passed) == ["orphan.dat"]
    assert format_of(tmp_path / "art", ReadOptions()) is FORMATS["fortune"]


def test_loops_of_links_are_survived(tmp_path: Path) -> None:
    """Each real folder is visited once and each real file is read once, by its real path."""
    make(tmp_path, "deep/a.txt", "deep/er/b.txt")
    (tmp_path / "deep/er/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "deep", target_is_directory=True)
    (tmp_path / "a_link.txt").symlink_to(tmp_path / "deep/a.txt")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    files, passed = files_of(tmp_path)
    assert names(tmp_path, files) == ["deep/a.txt", "deep/er/b.txt"]
    assert names(tmp_path, passed) == ["gone.txt", "self.txt"]


def test_links_to_elsewhere_are_followed_once(tmp_path: Path) -> None:
    """A file outside the folder is read once although two links lead there, and by the name that says its format."""
    make(tmp_path, "elsewhere.bin", "folder/plain.bin")
    (tmp_path / "folder/one.txt").symlink_to(tmp_path / "elsewhere.bin")
    (tmp_path / "folder/two.txt").symlink_to(tmp_path / "elsewhere.bin")
    (tmp_path / "folder/three.txt").symlink_to(tmp_path / "folder/plain.bin")
    files, passed = files_of(tmp_path / "folder")
    assert names(tmp_path / "folder", files) == ["one.txt", "three.txt"]
    assert names(tmp_path / "folder", passed) == ["plain.bin"]


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    """A FIFO is refused by name, and passed over in a folder, without being opened."""
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(SourceError, match=r"pipe\.txt: neither a file nor a folder"):
        files_of(tmp_path / "pipe.txt")
    assert files_of(tmp_path) == ([], [tmp_path / "pipe.txt"])


@pytest.mark.parametrize("name", ["nowhere.txt", "gone.txt", "a\0b"])
def test_a_source_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    """A missing source, a link to nothing and an impossible name are errors that end with exit code 3."""
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    with pytest.raises(SourceError) as caught:
        files_of(tmp_path / name)
    assert caught.value.exit_code == 3


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be listed is an error, because what was indexed of it would seem to have vanished."""

    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match="cannot be listed: Permission denied"):
        files_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "txt"),
        ("a.TXT", "txt"),
        ("a.b.csv", "csv"),
        ("a.tsv", "tsv"),
        ("a.json", "json"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.md", "md"),
        ("a.markdown", "md"),
        ("a.jsonl.gz", "jsonl"),
        ("a.MD.GZ", "md"),
        ("a.org", "org"),
        ("en.tfortunes", "tfortune"),
        ("KoboReader.sqlite", "kobo"),
        ("koboreader.SQLITE.gz", "kobo"),
        ("metadata.epub.lua", "koreader"),
        ("a.parquet", "parquet"),
        ("a.arrow", "arrow"),
        ("a.feather", "arrow"),
    ],
)
def test_the_suffix_says_the_format(name: str, expected: str) -> None:
    """A format is known by its suffix, in any case, with or without .gz behind it."""
    assert format_of(Path(name), ReadOptions()).name == expected


def test_the_option_says_it_louder(tmp_path: Path) -> None:
    """A named format is taken whatever the suffix is, and an unknown one is wrong usage."""
    assert format_of(tmp_path / "a.txt", ReadOptions(input_format="csv")).name == "csv"
    with pytest.raises(UsageError, match=r"the formats are txt, fortune, .*, md, .*; quotefind formats"):
        format_of(tmp_path / "a.txt", ReadOptions(input_format="pdf"))


@pytest.mark.parametrize("name", ["a.log", "noted", "a.gz", "b.sqlite", "b.lua"])
def test_an_unknown_name_is_never_guessed(tmp_path: Path, name: str) -> None:
    """Where neither suffix nor name says the format, the error says what would."""
    (tmp_path / name).write_text("Be yourself. — Oscar Wilde\n")
    with pytest.raises(SourceError, match=r"--input-format NAME") as caught:
        format_of(tmp_path / name, ReadOptions())
    assert name in str(caught.value)
