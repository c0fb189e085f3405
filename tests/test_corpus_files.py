"""Which files a source has, and which format a file has."""

import errno
import os
import sys
from pathlib import Path

import pytest

from quotefind.corpus import FORMATS, Listing, ReadOptions, Reason, files_of, format_of
from quotefind.errors import SourceError, UsageError


def make(folder: Path, *names: str) -> None:
    """Write an empty file for each of `names`."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def read(folder: Path, *exclude: str) -> list[str]:
    """Return the files to read in `folder`, relative to it."""
    return [path.relative_to(folder).as_posix() for path in files_of(folder, exclude).files]


def skipped(folder: Path, reason: Reason | None = None) -> list[str]:
    """Return what in `folder` is skipped, for that `reason` or any, relative to it."""
    found = files_of(folder).skipped
    return [one.path.relative_to(folder).as_posix() for one in found if reason in (None, one.reason)]


def test_a_file_is_itself(tmp_path: Path) -> None:
    """A file that is named is read whatever its name is."""
    make(tmp_path, "notes.log")
    assert files_of(tmp_path / "notes.log") == Listing([tmp_path / "notes.log"])


def test_a_folder_is_searched_in_order(tmp_path: Path) -> None:
    """A folder gives its files of a known format by path, without hidden ones, and what it skipped."""
    make(tmp_path, "b/z.txt", "b.txt", "a/q.JSON", "a/x.csv.gz", ".hidden.txt", ".git/c.txt", "a/m.pdf", "README")
    assert read(tmp_path) == ["a/q.JSON", "a/x.csv.gz", "b.txt", "b/z.txt"]
    assert skipped(tmp_path) == ["README", "a/m.pdf"]


def test_a_folder_of_fortunes_is_one_source(tmp_path: Path) -> None:
    """A file with NAME.dat beside it is a fortune file; its .dat and .u8 are left out without a word."""
    make(tmp_path, "art", "art.dat", "love", "love.dat", "orphan.dat")
    (tmp_path / "art.u8").symlink_to("art")
    assert read(tmp_path) == ["art", "love"]
    assert skipped(tmp_path) == ["orphan.dat"]
    assert format_of(tmp_path / "art", ReadOptions()) is FORMATS["fortune"]


def test_loops_of_links_are_survived(tmp_path: Path) -> None:
    """Each real folder is visited once and each real file is read once, by its real path."""
    make(tmp_path, "deep/a.txt", "deep/er/b.txt")
    (tmp_path / "deep/er/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "deep", target_is_directory=True)
    (tmp_path / "a_link.txt").symlink_to(tmp_path / "deep/a.txt")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    assert read(tmp_path) == ["deep/a.txt", "deep/er/b.txt"]
    assert skipped(tmp_path, Reason.NOWHERE) == ["gone.txt", "self.txt"]


def test_links_to_elsewhere_are_followed_once(tmp_path: Path) -> None:
    """A file outside the folder is read once although two links lead there, and by the name that says its format."""
    make(tmp_path, "elsewhere.bin", "folder/plain.bin")
    (tmp_path / "folder/one.txt").symlink_to(tmp_path / "elsewhere.bin")
    (tmp_path / "folder/two.txt").symlink_to(tmp_path / "elsewhere.bin")
    (tmp_path / "folder/three.txt").symlink_to(tmp_path / "folder/plain.bin")
    assert read(tmp_path / "folder") == ["one.txt", "three.txt"]
    assert skipped(tmp_path / "folder") == ["plain.bin"]


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    """A FIFO is refused by name, and skipped in a folder, without being opened."""
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(SourceError, match=r"pipe\.txt: neither a file nor a folder"):
        files_of(tmp_path / "pipe.txt")
    assert skipped(tmp_path, Reason.SPECIAL) == ["pipe.txt"]


@pytest.mark.parametrize("name", ["nowhere.txt", "gone.txt", "a\0b"])
def test_a_source_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    """A missing source, a link to nothing and an impossible name are errors that end with exit code 3."""
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    with pytest.raises(SourceError) as caught:
        files_of(tmp_path / name)
    assert caught.value.exit_code == 3


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is named and may not be listed is an error."""

    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match="cannot be listed: Permission denied"):
        files_of(tmp_path)


def test_a_folder_below_that_cannot_be_listed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in a source that may not be listed does not stop the rest."""
    make(tmp_path, "a.txt", "private/b.txt", "z/c.txt")
    whole = os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder).name == "private":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return whole(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert read(tmp_path) == ["a.txt", "z/c.txt"]
    assert skipped(tmp_path, Reason.UNLISTED) == ["private"]


def test_a_folder_that_goes_while_it_is_searched_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is deleted after its parent was listed is no error, and nothing to tell."""
    make(tmp_path, "a.txt", "b/b.txt")
    whole = os.scandir

    def late(folder: Path) -> object:
        if Path(folder).name == "b":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))
        return whole(folder)

    monkeypatch.setattr(os, "scandir", late)
    assert files_of(tmp_path) == Listing([tmp_path / "a.txt"])


def test_a_folder_may_be_called_like_a_file(tmp_path: Path) -> None:
    """A folder named x.json is searched, not read."""
    make(tmp_path, "x.json/a.txt")
    assert read(tmp_path) == ["x.json/a.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="only here a name may be any bytes")
def test_a_name_that_is_no_text_is_skipped(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is skipped, because an index cannot remember it."""
    make(tmp_path, "a.txt", os.fsdecode(b"b\xff.txt"))
    assert read(tmp_path) == ["a.txt"]
    assert [one.reason for one in files_of(tmp_path).skipped] == [Reason.NAME]


@pytest.mark.parametrize(
    "files",
    [
        ("index.sqlite", "vectors-1.npy", "writer.lock"),
        ("index.sqlite", "index.sqlite-wal", "vectors-1.npy", "writer.json"),
        ("writer.json", "writer.lock"),
        ("index.sqlite", "writer.json"),
    ],
)
def test_an_index_in_a_folder_is_skipped(tmp_path: Path, files: tuple[str, ...]) -> None:
    """An index below a folder, also one that a killed writer left, is skipped as a whole and named once."""
    make(tmp_path, "a.txt", *(f"my/{name}" for name in files))
    assert read(tmp_path) == ["a.txt"]
    assert skipped(tmp_path) == ["my"]


def test_what_the_user_keeps_beside_an_index_is_read(tmp_path: Path) -> None:
    """Other files in the directory of an index are read, also where it is the source itself."""
    make(tmp_path, "index.sqlite", "vectors-2.npy", "writer.json", "a.txt")
    assert files_of(tmp_path) == Listing([tmp_path / "a.txt"])
    make(tmp_path, "b/index.sqlite", "b/vectors-2.npy", "b/writer.json", "b/b.txt")
    assert read(tmp_path) == ["a.txt", "b/b.txt"]


def test_a_file_named_like_one_of_an_index_is_read(tmp_path: Path) -> None:
    """A writer.json among other files is no part of an index."""
    make(tmp_path, "writer.json", "a.txt")
    assert read(tmp_path) == ["a.txt", "writer.json"]


@pytest.mark.parametrize("inside", ["_versions/1.manifest", "_quotefind_writer.json"])
def test_a_lance_dataset_in_a_folder_is_skipped(tmp_path: Path, inside: str) -> None:
    """A Lance dataset below a folder is skipped as a whole, also one of which there is only the lock."""
    make(tmp_path, "a.txt", f"shared.lance/{inside}", "shared.lance/data/x.json", "notes.lance/b.txt")
    assert read(tmp_path) == ["a.txt", "notes.lance/b.txt"]
    assert skipped(tmp_path) == ["shared.lance"]


def test_the_home_of_the_program_in_a_folder_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QUOTEFIND_HOME below a source, or as the source itself, is not read; what else is in it is."""
    home = tmp_path / "home"
    monkeypatch.setenv("QUOTEFIND_HOME", str(home))
    make(home, "cache/models/m/prepared.json", "indexes/x/notes.txt", "a.txt")
    assert read(tmp_path) == ["home/a.txt"]
    assert read(home) == ["a.txt"]
    assert skipped(tmp_path, Reason.INDEX) == ["home/cache", "home/indexes"]


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
    """A format is known by its suffix, in any case, with or without .gz after it."""
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
