"""The library as a newcomer guesses it: open an index by name, add sources, search it; and clear errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_encoder import FakeEncoder
from library import Library

import quotefind
from quotefind import collection as module
from quotefind.errors import IndexUnusableError, UsageError
from quotefind.index.filters import Filter
from quotefind.paths import index_location
from quotefind.records import Quote
from quotefind.search import find
from quotefind.stores import open_index


@pytest.fixture
def poems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[quotefind.Collection]:
    """A collection of three quotes in the named index `poems`, in a home of its own, with a fake encoder."""
    monkeypatch.setenv("QUOTEFIND_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "open_encoder", lambda *_, **__: FakeEncoder())
    monkeypatch.chdir(tmp_path)
    Path("poems.txt").write_text(
        "Hope is a bird. — Ann Ash, Songs\nFear is a wall. — Bob Birch\nHope <b>& bread. — Cy Cedar\n", encoding="utf-8"
    )
    with quotefind.open("poems") as opened:
        opened.update(["poems.txt"])
        yield opened


def test_a_plain_word_names_an_index(poems: quotefind.Collection) -> None:
    """As on the command line, a plain word is a name in the data directory; a path object is a directory."""
    assert poems.location == index_location("poems")
    assert quotefind.open(Path("poems")).location == Path.cwd() / "poems"
    with open_index("poems") as index:
        assert index.location == index_location("poems")
    assert len(poems) == 3


def test_one_query_gives_its_hits(poems: quotefind.Collection) -> None:
    """A string is one query, never a sequence of letters; `top` and `author` do what they say."""
    hits = poems.find("hope is a bird", top=2)
    assert [hit.rank for hit in hits] == [1, 2]
    assert {hit.query for hit in hits} == {"hope is a bird"}
    assert hits[0].quote.author == "Ann Ash"
    assert [hit.quote.author for hit in poems.find("hope", author="Birch")] == ["Bob Birch"]


def test_several_queries_give_a_list_each(poems: quotefind.Collection) -> None:
    """A sequence of queries gives the hits of each, in order."""
    found = poems.find(["hope", "fear"], top=1)
    assert [[hit.query for hit in hits] for hits in found] == [["hope"], ["fear"]]


def test_a_relative_source_survives_a_change_of_directory(
    poems: quotefind.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is made absolute when it is added, so a refresh from another directory still finds it."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with (tmp_path / "poems.txt").open("a", encoding="utf-8") as file:
        file.write("A fourth line. — Di Dogwood\n")
    summary = poems.update()
    assert (summary.added, summary.warnings) == (1, [])
    assert quotefind.Source("q.txt").location == str(tmp_path / "elsewhere" / "q.txt")
    assert len(poems) == 4


def test_a_missing_index_names_the_command(tmp_path: Path) -> None:
    """Searching an index that does not exist says how to make it."""
    with (
        quotefind.open(tmp_path / "none") as missing,
        pytest.raises(IndexUnusableError, match="quotefind index SOURCE"),
    ):
        missing.find("hope")


def test_hits_are_a_table_in_a_notebook(poems: quotefind.Collection) -> None:
    """The HTML of hits holds score, text, author and work, with everything of the collection escaped."""
    html = poems.find("bread", author="Cedar")._repr_html_()
    assert "<td style='text-align:left;white-space:pre-line'>Hope &lt;b&gt;&amp; bread.</td>" in html
    assert "<b>" not in html
    assert "Ann Ash, Songs" in poems.find("bird", author="Ash")._repr_html_()


def test_a_bare_string_is_refused_by_find(library: Library) -> None:
    """`find(index, encoder, "hope")` is a TypeError that shows the list to pass; it does not search h, o, p and e."""
    library.update(library.write("a.txt", "hope"))
    with open_index(library.directory) as index, pytest.raises(TypeError, match=r"\['hope'\]"):
        find(index, library.encoder, "hope")


def test_another_encoder_is_refused(library: Library) -> None:
    """An encoder that is not the index's is a UsageError naming both models, not damage of the index."""
    library.update(library.write("a.txt", "hope"))
    with open_index(library.directory) as index, pytest.raises(UsageError, match=r"model fake, .*encoder is other"):
        find(index, FakeEncoder("other"), ["hope"])


def test_a_vector_of_another_length_is_an_error_of_the_caller(library: Library) -> None:
    """A query vector with another dimension is a ValueError that gives both shapes; the index is not called damaged."""
    library.update(library.write("a.txt", "hope"))
    with open_index(library.directory) as index, pytest.raises(ValueError, match=r"\(1, 3\).*\(q, 32\)"):
        index.search(np.ones((1, 3), np.float32), 1)


def test_a_name_alone_is_one_name() -> None:
    """`Filter(authors="Twain")` means the author Twain, not any author with a T, a w or an a."""
    where = Filter(authors="Twain")  # type: ignore[arg-type]
    assert where == Filter(authors=("Twain",))
    assert not where.admits(Quote("text", "Ann Ash"))


def test_opening_imports_no_torch() -> None:
    """`quotefind.open` itself loads neither torch nor transformers."""
    code = "import quotefind, sys; quotefind.open('x'); print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
