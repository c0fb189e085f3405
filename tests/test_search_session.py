"""An index and its encoder that stay open: one encoder for all answers, each of them from the newest state."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from fake_encoder import FakeEncoder
from library import Library

from quotefind.errors import IndexUnusableError
from quotefind.index.filters import Filter
from quotefind.index.local.lock import writer_lock
from quotefind.index.local.writer import open_to_write
from quotefind.paths import index_location
from quotefind.refresh import SearchSession


@pytest.fixture
def told() -> list[str]:
    """The sentences that the user was told."""
    return []


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """An index of two quotes, with two fake models, of which it was made with the first."""
    made = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder(), FakeEncoder("other", dim=16))
    made.update(made.write("a.txt", "hope", "fear"))
    made.models.opened.clear()
    return made


@pytest.fixture
def session(library: Library, told: list[str]) -> SearchSession:
    """The index, to be kept open and up to date."""
    return SearchSession(library.directory, refresh=True, tell=told.append)


def texts(session: SearchSession, library: Library) -> list[str]:
    """Answer with all texts, sorted, having encoded something."""
    with session.answering(library.models) as (index, encoder):
        assert encoder.encode_queries(["hope"]).shape == (1, index.manifest.dimension)
        return sorted(quote.text for quote in index.quotes(index.rows_where(Filter()).tolist()))


def test_one_encoder_and_one_index_for_all_answers(session: SearchSession, library: Library) -> None:
    """Where nothing changes, index and encoder are opened once."""
    seen = set()
    for _ in range(3):
        with session.answering(library.models) as (index, encoder):
            seen.add((id(index), id(encoder)))
    assert len(seen) == 1
    assert library.models.opened == ["fake"]
    assert session.mapped == 2 * 32 * 4
    session.close()
    assert session.mapped == 0


def test_what_others_commit_is_in_the_next_answer(session: SearchSession, library: Library, told: list[str]) -> None:
    """A commit of another writer is seen, and the encoder stays."""
    assert texts(session, library) == ["fear", "hope"]
    library.update(library.write("b.txt", "sea"))
    library.models.opened.clear()
    assert texts(session, library) == ["fear", "hope", "sea"]
    assert (library.models.opened, told) == ([], [])


def test_an_answer_is_of_one_state(session: SearchSession, library: Library) -> None:
    """What is committed while an answer is made is not in it, but in the next one."""
    with session.answering(library.models) as (index, _):
        library.update(library.write("b.txt", "sea"))
        assert len(index.rows_where(Filter())) == 2
    assert texts(session, library) == ["fear", "hope", "sea"]


def test_a_changed_source_is_read_with_the_encoder_that_is_open(
    session: SearchSession, library: Library, told: list[str]
) -> None:
    """The index is refreshed before the answer, says so once, and no second encoder is opened for it."""
    assert texts(session, library) == ["fear", "hope"]
    library.write("a.txt", "hope", "sea")
    assert texts(session, library) == ["hope", "sea"]
    assert texts(session, library) == ["hope", "sea"]
    assert told == ["The index was out of date and has been refreshed: 1 added, 1 removed."]
    assert library.models.opened == ["fake"]


def test_a_refresh_before_the_first_answer_opens_one_encoder(session: SearchSession, library: Library) -> None:
    """The encoder that a refresh needed is the one that answers."""
    library.write("a.txt", "sea")
    assert texts(session, library) == ["sea"]
    assert library.models.opened == ["fake"]


def test_another_model_is_noticed(session: SearchSession, library: Library) -> None:
    """Where the index was encoded anew with another model, that one encodes the next request."""
    texts(session, library)
    with open_to_write(library.directory, library.models) as writer:
        writer.rebuild(model="other")
    library.models.opened.clear()
    assert texts(session, library) == ["fear", "hope"]
    assert library.models.opened == ["other"]


def test_another_index_in_its_place_is_noticed(session: SearchSession, library: Library) -> None:
    """An index that was deleted is an error, one that was made anew in its place answers."""
    texts(session, library)
    shutil.rmtree(library.directory)
    with pytest.raises(IndexUnusableError, match="There is no index"):
        texts(session, library)
    library.update(library.write("b.txt", "sea"))
    assert texts(session, library) == ["sea"]


def test_between_answers_no_state_is_held(session: SearchSession, library: Library) -> None:
    """A writer can empty its log while the index waits, but not while it answers."""

    def emptied() -> bool:
        connection = sqlite3.connect(library.directory / "index.sqlite")
        connection.execute("PRAGMA busy_timeout = 0")
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.close()
        return not busy

    texts(session, library)
    library.update(library.write("b.txt", "sea"))
    assert emptied()
    with session.answering(library.models):
        library.update(library.write("c.txt", "dust"))
        assert not emptied()
    assert emptied()


def test_what_cannot_be_refreshed_is_told_once(session: SearchSession, library: Library, told: list[str]) -> None:
    """A refresh that was tried in vain is not tried again before each answer, but when the index has changed."""
    texts(session, library)
    library.write("a.txt", "hope", "sea")
    with writer_lock(library.directory):
        assert texts(session, library) == ["fear", "hope"]
        assert texts(session, library) == ["fear", "hope"]
    assert told == ["Another process is bringing the index up to date; answering from what it has committed so far."]
    library.update(library.write("b.txt", "dust"))
    assert texts(session, library) == ["dust", "hope", "sea"]


def test_without_refresh_it_answers_from_what_is_there(library: Library, told: list[str]) -> None:
    """With refresh=False a changed source is not looked at."""
    session = SearchSession(library.directory, refresh=False, tell=told.append)
    library.write("a.txt", "sea")
    assert texts(session, library) == ["fear", "hope"]
    assert told == []


def test_an_index_is_not_made(library: Library, told: list[str]) -> None:
    """With make=False the default index that is not there is an error, and nothing is made."""
    session = SearchSession(index_location(None), refresh=False, make=False, tell=told.append)
    with pytest.raises(IndexUnusableError, match="There is no index"):
        texts(session, library)
    assert not index_location(None).exists()


def test_names_complete_what_was_typed(library: Library, told: list[str]) -> None:
    """Names are found by the beginning of any of their words, whatever their accents; none before the first answer."""
    library.update(
        library.write("b.txt", "Sea. — Zoë Birch, Logs", "Dust. — Ann Birch, Poems", "King. — Birgit Clay, Poems")
    )
    session = SearchSession(library.directory, refresh=False, tell=told.append)
    assert session.names("author", "") == []
    texts(session, library)
    assert session.names("author", "bir") == ["Ann Birch", "Birgit Clay", "Zoë Birch"]
    assert session.names("author", "zoe b") == ["Zoë Birch"]
    assert session.names("work", "") == ["Logs", "Poems"]
    assert session.names("tag", "x") == []
    assert session.names("author", "'; %") == ["Ann Birch", "Birgit Clay", "Zoë Birch"]
