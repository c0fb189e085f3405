"""What users leave out of a folder: --exclude, .quotefindignore and .gitignore."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_corpus_files import make, read

from quotefind.corpus import Listing, Reason, files_of
from quotefind.errors import UsageError

GIT_IS_HERE = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
FILES = (
    "x.txt",
    "keep.txt",
    "a/x.txt",
    "a/keep.txt",
    "a/b/x.txt",
    "a/b/keep.txt",
    "b/x.txt",
    "b/a/x.txt",
    "docs/x.txt",
)
PATTERNS = (
    *("*", "!*", "**", "*/", "!*/", "/*", "*.txt", "?.txt", "[xy].txt", "x.txt", "/x.txt", "!x.txt", "!keep.txt"),
    *(
        "a",
        "!a",
        "a/",
        "!a/",
        "/a",
        "a/*",
        "!a/keep.txt",
        "/a/b",
        "**/b",
        "b/**",
        "a/**/x.txt",
        "docs",
        "docs/",
        "!docs/",
    ),
    *("# a", "", "a b", "\\!x.txt", "foo[", "!", " x.txt", "x.txt "),
)


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` without what this machine or user has set; return what it writes."""
    clean = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env={**os.environ, **clean}
    )
    return done.stdout


@GIT_IS_HERE
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.dictionaries(
        st.sampled_from(["", "a", "a/b", "b"]), st.lists(st.sampled_from(PATTERNS), max_size=4), min_size=1
    )
)
def test_git_leaves_out_the_same(tmp_path_factory: pytest.TempPathFactory, rules: dict[str, list[str]]) -> None:
    """With .gitignore files at several depths, what is read is what `git ls-files` calls untracked."""
    folder = tmp_path_factory.mktemp("repository")
    make(folder, *FILES)
    for where, patterns in rules.items():
        (folder / where / ".gitignore").write_text("\n".join(patterns) + "\n")
    git(folder, "init", "--quiet")
    untracked = git(folder, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    assert read(folder) == sorted(name for name in untracked if name.endswith(".txt"))


def test_the_same_patterns_in_a_file_of_our_own(tmp_path: Path) -> None:
    """A .quotefindignore is read as a .gitignore is: with comments, folders and a negation."""
    make(tmp_path, "a.txt", "drafts/b.txt", "c.md", "keep.md", "deep/drafts/d.txt")
    (tmp_path / ".quotefindignore").write_text("# no drafts\ndrafts/\n*.md\n!keep.md\n")
    assert read(tmp_path) == ["a.txt", "keep.md"]


def test_rules_of_a_folder_below_concern_only_that(tmp_path: Path) -> None:
    """Rules in a deeper folder count there alone, and win over those above."""
    make(tmp_path, "a.txt", "b.md", "deep/a.txt", "deep/b.md")
    (tmp_path / ".quotefindignore").write_text("*.md\n")
    (tmp_path / "deep" / ".quotefindignore").write_text("*.txt\n!*.md\n")
    assert read(tmp_path) == ["a.txt", "deep/b.md"]


def test_our_own_rules_win_over_those_of_git(tmp_path: Path) -> None:
    """A .quotefindignore brings back what any .gitignore leaves out, also one in a deeper folder."""
    make(tmp_path, "build/a.txt", "build/b.txt", "c.log.txt")
    (tmp_path / ".gitignore").write_text("build/\n*.log.txt\n")
    (tmp_path / ".quotefindignore").write_text("!build/\n!a.txt\n")
    (tmp_path / "build").joinpath(".gitignore").write_text("*\n")
    assert read(tmp_path) == ["build/a.txt"]


def test_an_option_wins_over_all_files(tmp_path: Path) -> None:
    """--exclude decides before any file of rules, to leave out and to bring back."""
    make(tmp_path, "a.txt", "b.txt", "c.txt")
    (tmp_path / ".quotefindignore").write_text("!a.txt\nb.txt\nc.txt\n")
    assert read(tmp_path, "a.txt", "!b.txt") == ["b.txt"]


def test_the_last_pattern_of_an_option_decides(tmp_path: Path) -> None:
    """Several --exclude are in order, like the lines of a file."""
    make(tmp_path, "a.json", "b.json", "c.txt")
    assert read(tmp_path, "*.json", "!b.json") == ["b.json", "c.txt"]


def test_rules_of_the_repository_count_in_a_folder_of_it(tmp_path: Path) -> None:
    """A .gitignore above the source counts up to the root of its repository, and no further."""
    make(tmp_path, "repository/notes/a.txt", "repository/notes/b.txt", "repository/notes/c.txt")
    (tmp_path / ".gitignore").write_text("c.txt\n")
    (tmp_path / "repository" / ".gitignore").write_text("/notes/b.txt\n")
    notes = tmp_path / "repository" / "notes"
    assert read(notes) == ["a.txt", "b.txt", "c.txt"]
    (tmp_path / "repository" / ".git").mkdir()
    assert read(notes) == ["a.txt", "c.txt"]


def test_a_folder_that_is_named_is_read(tmp_path: Path) -> None:
    """A folder that the repository leaves out is read if the user names it, as is a file."""
    make(tmp_path, "private/a.txt")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("private/\n")
    assert read(tmp_path / "private") == ["a.txt"]
    assert files_of(tmp_path / "private" / "a.txt") == Listing([tmp_path / "private" / "a.txt"])


def test_it_is_known_what_left_a_file_out(tmp_path: Path) -> None:
    """What the user excludes here and what Git leaves out are told apart."""
    make(tmp_path, "a.txt", "b.txt", "c.txt", "d.txt")
    (tmp_path / ".gitignore").write_text("b.txt\n")
    (tmp_path / ".quotefindignore").write_text("c.txt\n")
    reasons = {one.path.name: one.reason for one in files_of(tmp_path, ["d.txt"]).skipped}
    assert reasons == {"b.txt": Reason.GIT, "c.txt": Reason.EXCLUDED, "d.txt": Reason.EXCLUDED}


@pytest.mark.parametrize("pattern", ["!", "\\"])
def test_an_option_that_is_no_pattern_is_wrong_usage(tmp_path: Path, pattern: str) -> None:
    """A pattern that Git would ignore is wrong usage as an option."""
    with pytest.raises(UsageError, match="--exclude needs patterns"):
        files_of(tmp_path, [pattern])


def test_a_byte_order_mark_is_no_part_of_a_pattern(tmp_path: Path) -> None:
    """The first pattern counts in a file that begins with a byte order mark and has line ends of Windows."""
    make(tmp_path, "a.txt", "b.txt")
    (tmp_path / ".quotefindignore").write_bytes(b"\xef\xbb\xbfb.txt\r\n")
    assert read(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", [".quotefindignore", ".gitignore"])
def test_rules_in_something_else_than_a_file_are_none(tmp_path: Path, name: str) -> None:
    """A folder or a pipe with the name of a file of rules leaves nothing out, and nobody waits for a writer."""
    make(tmp_path, "a.txt", "deep/b.txt")
    (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "deep" / name)
    assert read(tmp_path) == ["a.txt", "deep/b.txt"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_whose_rules_cannot_be_read_is_not_searched(tmp_path: Path) -> None:
    """Nothing is indexed by mistake where a .quotefindignore may not be read."""
    make(tmp_path, "a.txt", "deep/b.txt", "deep/.quotefindignore")
    (tmp_path / "deep" / ".quotefindignore").chmod(0)
    assert read(tmp_path) == ["a.txt"]
