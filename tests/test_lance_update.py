"""Writing a Lance index: after the same updates it holds what a local index holds."""

from __future__ import annotations

import io
import json
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from fake_encoder import FakeEncoder, StoppedError
from two_stores import Both, lines_of, quick

from quotefind.corpus import ReadOptions
from quotefind.errors import IndexUnusableError, SourceError, UsageError
from quotefind.index.changes import is_stale
from quotefind.index.filters import Filter
from quotefind.index.lance.encoding import as_encoded, from_row, to_table, write
from quotefind.index.lance.versions import Versions
from quotefind.index.sources import Source
from quotefind.index.update import TooLongError
from quotefind.search import FindOptions, find
from quotefind.stores import index_exists, open_index, open_lookup, verify
from quotefind.tagging import propose_tags

lance = pytest.importorskip("lance", reason="the extra scale is not installed")

HOPE = "Hope is the thing with feathers"
DUST = "I will show you fear in a handful of dust"
ROAD = "The road goes ever on and on"


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    """Two empty indexes."""
    quick(monkeypatch)
    return Both(tmp_path, "fake", "other")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the writer encode and commit three texts at a time."""
    monkeypatch.setattr("quotefind.index.lance.writer._CHUNK", 3)


def records(both: Both, name: str, *found: dict[str, object]) -> Path:
    """Write records as JSON Lines."""
    return both.write(name, *(json.dumps(record) for record in found))


def versions(both: Both) -> tuple[int, int]:
    """Return the version that readers open, and the newest version."""
    address = str(both.lance.directory)
    return lance.dataset(address, version="quotefind").version, lance.dataset(address).version


def test_a_life_of_updates_is_the_same_in_both(both: Both) -> None:
    """Added, changed, moved, attributed, repeated and removed quotes are counted and stored as in a local index."""
    a = both.write("a.txt", HOPE, DUST, ROAD)
    assert both.update(a).added == 3
    both.agree()
    assert both.update().reused == 3
    both.write("a.txt", HOPE, "A line that is new", ROAD)
    changed = both.update()
    assert (changed.added, changed.removed, changed.encoded) == (1, 1, 1)
    both.agree()
    b = both.write("b.txt", "", ROAD, f"{HOPE} -- Emily Dickinson", HOPE, HOPE)
    assert both.update(b).repeats == 2
    both.agree()
    both.write("a.txt", f"{HOPE} -- Emily Dickinson", f"{ROAD} -- J. R. R. Tolkien")
    assert both.update(a).removed == 1
    both.agree()
    b.unlink()
    assert both.update(prune=True).sources == 1
    assert both.agree() == [HOPE, ROAD]
    both.update(remove=(str(a),))
    assert both.agree() == []


def test_an_author_found_later_encodes_nothing(both: Both) -> None:
    """A quote that gets an author later keeps its vector; one text by two authors is two quotes with one vector."""
    path = both.write("a.txt", HOPE, DUST)
    both.update(path)
    both.write("a.txt", f"{HOPE} -- Emily Dickinson", DUST)
    assert both.update().encoded == 0
    both.agree()
    other = both.write("b.txt", f"{HOPE} -- Someone Else")
    assert (both.update(other).encoded, len(both.agree())) == (0, 3)
    assert both.lance.encoder.encoded == []
    with open_index(both.lance.directory) as index:
        vectors = index.vectors(np.array(index.rows_with_text(HOPE)))
    assert len(vectors) == 2
    assert (vectors[0] == vectors[1]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"author": "E. Dickinson"}, {"author": None}, {"work": "Poems by Emily Dickinson"}, {"work": None},
        {"year": 1861}, {"year": None}, {"tags": ["birds", "hope"]}, {"tags": []}, {"note": "read aloud"},
        {"author": "Somebody", "work": "Else", "year": -5, "tags": ["new"], "note": None},
    ],
)  # fmt: skip
def test_what_is_said_of_a_quote_changes(both: Both, change: dict[str, object]) -> None:
    """A new author, work, year, note or tags change the quote, and filters see it; nothing is encoded."""
    record = {"text": HOPE, "author": "Emily Dickinson", "work": "Poems", "year": 1891, "tags": ["hope", "birds"]}
    path = records(both, "a.jsonl", record | {"note": "on page 3"}, {"text": DUST})
    both.update(path)
    changed = record | {"note": "on page 3"} | change
    records(both, "a.jsonl", {key: value for key, value in changed.items() if value is not None}, {"text": DUST})
    assert both.update().encoded == 0
    both.agree()
    for where in (Filter(authors=("dickinson",)), Filter(works=("poems",)), Filter(tags=("birds",))):
        both.matching(where)


def test_a_stream_and_a_text_that_is_too_long(both: Both) -> None:
    """Quotes from standard input stay when more come from it; texts that the encoder cuts are counted."""
    for library in both.libraries:
        library.encoder.max_tokens = 8
    stream = Source("-", ReadOptions(input_format="txt"))
    assert both.update(stream, stdin=f"{HOPE}\n{DUST}\n".encode()).truncated == 1
    both.agree()
    assert both.update(stream, stdin=f"{DUST}\n{ROAD}\n{ROAD}\n".encode()).repeats == 1
    assert both.agree() == [HOPE, DUST, ROAD]
    with open_index(both.lance.directory) as index:
        assert index.statistics()["truncated"] == 1
    both.update(remove=("-",))
    assert both.agree() == []


def test_a_file_whose_records_are_bad(both: Both) -> None:
    """Bad records are skipped and counted with skip_bad; without it nothing changes."""
    good = both.write("a.txt", HOPE)
    both.update(good)
    bad = both.write("b.jsonl", json.dumps({"text": DUST}), "{", json.dumps({"text": ROAD}))
    assert both.update(Source(str(bad), skip_bad=True)).bad == 1
    assert both.agree() == [HOPE, DUST, ROAD]


def test_a_folder_with_many_files(both: Both) -> None:
    """A quote in several files of a folder belongs to the first; when that is deleted, to another, without encoding."""
    for name in ("a.txt", "b.txt", "c/d.txt"):
        both.write(name, f"only in {name}", HOPE)
    both.update(both.matrix.folder)
    both.agree()
    (both.matrix.folder / "a.txt").unlink()
    assert (both.update().removed, both.lance.encoder.encoded) == (1, [])
    both.agree()
    moved = (both.matrix.folder / "b.txt").rename(both.matrix.folder / "e.txt")
    assert both.update().encoded == 0
    both.agree()
    assert moved.exists()


def test_what_is_refused_changes_nothing(both: Both) -> None:
    """An unknown source to remove, or a time limit that is too short, leaves the version as it is."""
    path = both.write("a.txt", *lines_of(40))
    both.update(path)
    before = versions(both)
    with pytest.raises(UsageError):
        both.lance.update(remove=(str(both.matrix.folder / "none.txt"),))
    both.write("a.txt", *(f"other {line}" for line in lines_of(40)))
    with both.lance.writer() as writer:
        writer.require_manifest()
    with pytest.raises(TooLongError):
        both.lance.update(at_most=0.0)
    assert versions(both) == before


@pytest.mark.usefixtures("small_steps")
def test_a_run_that_was_stopped_goes_on(both: Both) -> None:
    """Readers do not see what an interrupted run has encoded, and the next run does not encode it again."""
    lines = lines_of(12)
    path = both.write("a.txt", *lines[:4])
    both.update(path)
    both.write("a.txt", *lines)
    encoder = both.lance.encoder
    encoder.encoded.clear()
    encoder.calls, encoder.fail_at_call = 0, 3
    with pytest.raises(StoppedError):
        both.lance.update()
    assert len(encoder.encoded) == 6
    assert both.lance.texts() == sorted(lines[:4])
    summary = both.lance.update()
    both.matrix.update()
    assert sorted(encoder.encoded) == sorted(lines[4:])
    assert summary.encoded == 2
    assert both.agree() == lines


@pytest.mark.usefixtures("small_steps")
def test_a_first_run_that_was_stopped_is_no_index_yet(both: Both) -> None:
    """An index that was never finished does not exist for readers, and the same command finishes it."""
    lines = lines_of(8)
    path = both.write("a.txt", *lines)
    both.lance.encoder.fail_at_call = 3
    with pytest.raises(StoppedError):
        both.lance.update(path)
    assert index_exists(both.lance.directory)
    with pytest.raises(IndexUnusableError, match=r"was never finished\. To finish it: quotefind index --index"):
        open_index(both.lance.directory)
    both.lance.update(path)
    both.matrix.update(path)
    assert sorted(both.lance.encoder.encoded) == sorted(lines)
    both.agree()


def test_a_run_that_was_stopped_before_it_noted_a_source(both: Both) -> None:
    """A run without a source cannot finish a first update that knows none: the message asks for one."""

    def stopped(*_: object) -> None:
        raise StoppedError

    path = both.write("a.txt", "war")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Versions, "note_update", stopped)
        with pytest.raises(StoppedError):
            both.lance.update(path)
    with pytest.raises(IndexUnusableError, match=r"no index in .*: quotefind index SOURCE… --index"):
        open_index(both.lance.directory)
    both.update(path)
    assert both.agree() == ["war"]


@pytest.mark.usefixtures("small_steps")
def test_what_went_from_the_sources_after_a_stopped_run_goes(both: Both) -> None:
    """Quotes of an interrupted run that are no longer in their source at the next run are not in the index."""
    lines = lines_of(12)
    path = both.write("a.txt", *lines[:2])
    both.update(path)
    both.write("a.txt", *lines)
    both.lance.encoder.calls, both.lance.encoder.fail_at_call = 0, 3
    with pytest.raises(StoppedError):
        both.lance.update()
    both.write("a.txt", *lines[:2], lines[10])
    both.matrix.update()
    both.lance.update()
    assert both.agree() == [*lines[:2], lines[10]]


def test_a_reader_keeps_its_version(both: Both) -> None:
    """An index that was opened before an update answers from the old version, and knows that it is outdated."""
    both.update(both.write("a.txt", HOPE, DUST))
    with open_index(both.lance.directory) as index:
        index.release()
        assert index.reacquire()
        both.write("a.txt", ROAD)
        both.update()
        assert not index.reacquire()
        assert verify(index) == 2
        (hits,) = find(index, both.lance.encoder, ["feathers"], FindOptions(top=5))
        assert {hit.quote.text for hit in hits} == {HOPE, DUST}
    assert both.lance.texts() == [ROAD]


def test_readers_have_time_after_a_version_was_replaced(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced version stays for a while after it was replaced, however old it is."""
    monkeypatch.setattr(
        "quotefind.index.lance.publish._KEPT_FOR", timedelta(0)
    )  # every version is old enough to be deleted
    both.lance.update(both.write("a.txt", HOPE, DUST))
    with open_index(both.lance.directory) as index:
        both.write("a.txt", ROAD)
        both.lance.update()
        assert verify(index) == 2
    old = len(list((both.lance.directory / "data").iterdir()))
    time.sleep(1.1)
    both.write("a.txt", HOPE)
    both.lance.update()
    tags = lance.dataset(str(both.lance.directory)).tags.list()
    assert len(tags) == 2
    assert len(list((both.lance.directory / "data").iterdir())) <= old
    assert both.lance.texts() == [HOPE]


@pytest.mark.usefixtures("small_steps")
def test_what_is_stored_is_found_through_an_index(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A continued run does not scan all stored rows for a few texts: Lance's indexes cover them."""
    monkeypatch.setattr("quotefind.index.lance.versions._LOOKED_THROUGH", 4)
    path = both.write("a.txt", *lines_of(20))
    both.lance.encoder.fail_at_call = 4
    with pytest.raises(StoppedError):
        both.lance.update(path)
    both.lance.encoder.fail_at_call = 5
    with pytest.raises(StoppedError):
        both.lance.update(path)
    (index,) = (
        index
        for index in lance.dataset(str(both.lance.directory)).describe_indices()
        if index.field_names == ["digest"]
    )
    assert index.num_rows_indexed == 9
    both.lance.update(path)
    both.matrix.update(path)
    both.agree()


def test_an_update_that_changes_nothing_commits_nothing(both: Both) -> None:
    """If the sources are unchanged, so is the version, and readers need not open another."""
    both.update(both.write("a.txt", HOPE, DUST))
    before = versions(both)
    with open_index(both.lance.directory) as index:
        both.update()
        assert versions(both) == before
        assert index.reacquire()


def test_another_source_ends_what_was_begun_with_one(both: Both) -> None:
    """After an interrupted update, a run for another source reads its sources again, or gives it up."""
    a, b = both.write("a.txt", *lines_of(4)), both.write("b.txt", HOPE)
    both.update(a)
    both.write("a.txt", *lines_of(12)[6:])
    both.lance.encoder.calls, both.lance.encoder.fail_at_call = 0, 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quotefind.index.lance.writer._CHUNK", 3)
        with pytest.raises(StoppedError):
            both.lance.update(a)
    both.lance.update(b)
    both.matrix.update(a)
    both.matrix.update(b)
    assert sorted(both.agree()) == sorted([*lines_of(12)[6:], HOPE])
    both.write("a.txt", *lines_of(30)[20:])
    both.lance.encoder.calls = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quotefind.index.lance.writer._CHUNK", 3)
        with pytest.raises(StoppedError):
            both.lance.update(a)
    a.unlink()
    (warning, _) = both.lance.update().warnings
    assert f"had started on {a}, which cannot be read again; it is given up" in warning
    both.matrix.update()
    assert sorted(both.agree()) == sorted([*lines_of(12)[6:], HOPE])


def test_standard_input_that_was_cut_short(both: Both) -> None:
    """Another run publishes nothing of an interrupted stream; the same stream again continues it."""
    stream = Source("-", ReadOptions(input_format="txt"))
    both.update(both.write("a.txt", HOPE))
    encoder = both.lance.encoder
    for again in (False, True):
        encoder.encoded.clear()
        encoder.calls, encoder.fail_at_call = 0, 2
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("quotefind.index.lance.writer._CHUNK", 3)
            with pytest.raises(StoppedError):
                both.lance.update(stream, stream=io.BytesIO("\n".join(lines_of(5)).encode()))
        encoder.fail_at_call = None
        if again:
            assert both.lance.update(stream, stream=io.BytesIO("\n".join(lines_of(5)).encode())).encoded == 2
        else:
            (warning,) = both.lance.update().warnings
            assert "had started on -, which cannot be read again" in warning
        assert both.lance_count() == (6 if again else 1)


def test_a_quote_that_moves_while_a_run_is_stopped(both: Both) -> None:
    """A quote that is stored again before its old row is removed is there once after a stop between the two."""
    a, d = both.write("a.txt", "common -- X", "moving -- Ann"), both.write("d.txt", "common -- X", "other")
    both.update(a, d)
    both.write("a.txt", "moving -- Ben")
    both.write("d.txt", "common -- X", "other", "moving -- Ann")
    with pytest.MonkeyPatch.context() as patch:
        for stop in ("merge", "delete"):
            patch.setattr(f"quotefind.index.lance.versions.Versions.{stop}", stopped)
        with pytest.raises(StoppedError):
            both.lance.update(a)
    both.lance.update(a)
    both.matrix.update(a)
    both.agree()


def stopped(*_: object) -> None:
    """Stop the run as a kill would."""
    raise StoppedError


def test_an_index_that_was_never_finished_cannot_be_rebuilt(both: Both) -> None:
    """The message says how to finish an index that no reader has seen, and nothing is lost."""
    path = both.write("a.txt", HOPE, DUST)
    both.lance.encoder.fail_at_call = 1
    with pytest.raises(StoppedError):
        both.lance.update(path)
    with both.lance.writer() as writer:
        for change in (writer.rebuild, writer.compact, writer.forget_proposals):
            with pytest.raises(IndexUnusableError, match="was never finished"):
                change()
    assert both.lance.update(path).added == 2


def test_another_model_is_refused(both: Both) -> None:
    """An update with another model is refused with the command that rebuilds the index."""
    both.update(both.write("a.txt", HOPE))
    for library in both.libraries:
        with pytest.raises(IndexUnusableError, match="--rebuild"):
            library.update(model="other")
    assert both.agree() == [HOPE]


@pytest.fixture
def remodelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    """Both stores with ten quotes, and another model with another dimension."""
    quick(monkeypatch)
    monkeypatch.setattr("quotefind.index.lance.writer._CHUNK", 3)
    both = Both(tmp_path)
    for library in both.libraries:
        other = FakeEncoder("other", 16)
        library.encoders = (library.encoder, other)
        library.models = type(library.models)(*library.encoders)
    both.update(both.write("a.txt", *lines_of(10)))
    return both


def stop_rebuilding(both: Both) -> list[str]:
    """Rebuild the Lance dataset until the third step; return the texts that were encoded."""
    other = both.lance.encoders[1]
    other.fail_at_call = 3
    with both.lance.writer() as writer, pytest.raises(StoppedError):
        writer.rebuild(model="other")
    return list(other.encoded)


def test_a_rebuild_that_was_killed_goes_on(remodelled: Both) -> None:
    """Readers see the old vectors until the rebuild is complete; the next one encodes only the remaining texts."""
    done = stop_rebuilding(remodelled)
    assert len(done) == 6
    with open_index(remodelled.lance.directory) as index:
        assert (index.manifest.model, index.manifest.dimension, verify(index)) == ("fake", 32, 10)
    with remodelled.lance.writer() as writer:
        assert writer.rebuild(model="other").encoded == 4
    assert sorted(remodelled.lance.encoders[1].encoded) == sorted(lines_of(10))
    with open_index(remodelled.lance.directory) as index:
        assert (index.manifest.model, index.manifest.dimension, verify(index)) == ("other", 16, 10)
        (hits,) = find(index, remodelled.lance.encoders[1], [lines_of(10)[3]], FindOptions(top=1))
    assert (hits[0].quote.text, round(hits[0].score, 5)) == (lines_of(10)[3], 1.0)


def test_an_update_gives_up_a_rebuild_that_was_killed(remodelled: Both) -> None:
    """After a killed rebuild, an update continues with the old model and holds the old quotes and the new ones."""
    stop_rebuilding(remodelled)
    other = remodelled.write("b.txt", HOPE)
    remodelled.matrix.update(other)
    (warning,) = remodelled.lance.update(other).warnings
    assert "a rebuild with other was interrupted; it is given up" in warning
    assert remodelled.agree() == [*lines_of(10), HOPE]
    with open_index(remodelled.lance.directory) as index:
        assert index.manifest.model == "fake"


def test_what_is_no_update_waits_for_a_rebuild_that_was_killed(remodelled: Both) -> None:
    """A change that would publish half of a rebuild is refused, with the commands that finish it or give it up."""
    stop_rebuilding(remodelled)
    with remodelled.lance.writer() as writer:
        assert writer.require_manifest().model == "fake"
        for change in (writer.compact, writer.forget_proposals, lambda: writer.propose([])):
            with pytest.raises(IndexUnusableError, match=r"--rebuild --model other .*give it up: quotefind index"):
                change()
    with pytest.raises(SourceError):
        remodelled.lance.update(remodelled.lance.folder / "none.txt")
    assert remodelled.lance.update().reused == 10
    with remodelled.lance.writer() as writer:
        assert writer.compact() == 0
        assert writer.rebuild(model="other").encoded == 10


def test_a_rebuild_with_the_same_model(both: Both) -> None:
    """A rebuild with the same model encodes every quote once and changes nothing else."""
    both.update(both.write("a.txt", *lines_of(6), f"{lines_of(1)[0]} -- Ann"))
    for library in both.libraries:
        library.encoder.encoded.clear()
        with library.writer() as writer:
            writer.rebuild()
    both.agree()


def propose(both: Both, min_score: float = 0.1) -> None:
    """Store proposed tags in both."""
    for library in both.libraries:
        with open_index(library.directory) as index, library.writer() as writer:
            tags = propose_tags(index, library.encoder, ["hope", "sea", "night"], min_score=min_score)
            assert tags.write(writer) == 0


def test_proposals_are_the_same_in_both(both: Both) -> None:
    """Proposed tags are stored, found, replaced and deleted alike; they stay when something else changes."""
    path = both.write("a.txt", *lines_of(9))
    both.update(path)
    propose(both)
    both.agree()
    assert both.matching(Filter(tags=("hope",), proposed=True))
    assert both.matching(Filter(tags=("hope",))) == []
    both.write("a.txt", "", *lines_of(9)[2:], "one more")
    both.update()
    both.agree()
    propose(both, 0.9)
    both.agree()

    def forget(library: object) -> int:
        with library.writer() as writer:  # type: ignore[attr-defined]
            return int(writer.forget_proposals())

    propose(both)
    assert both.each(forget) > 0
    assert both.each(forget) == 0
    both.agree()


def test_a_proposal_for_what_has_changed_is_left_alone(both: Both) -> None:
    """Tags that were proposed for a quote that has changed since are not stored."""
    path = records(both, "a.jsonl", {"text": "hope and sea"}, {"text": "night and sea"})
    both.update(path)
    for library in both.libraries:
        with open_index(library.directory) as index:
            proposals = propose_tags(index, library.encoder, ["hope", "sea"], min_score=0.1)
            quotes = [(proposal.quote, tuple(tag.tag for tag in proposal.tags)) for proposal in proposals]
            records(both, "a.jsonl", {"text": "hope and sea", "tags": ["mine"]}, {"text": "night and sea"})
            library.update()
            with library.writer() as writer:
                assert writer.propose(quotes) == 1
    assert {quote.text: bool(quote.proposed) for quote in both.lance.quotes()} == {
        "hope and sea": False,
        "night and sea": True,
    }


def test_proposals_of_another_model_are_forgotten(remodelled: Both) -> None:
    """A rebuild with another model drops proposed tags with a warning, as in a local index."""
    propose(remodelled)
    for library in remodelled.libraries:
        with library.writer() as writer:
            (warning,) = writer.rebuild(model="other").warnings
        assert "another model" in warning
        assert not any(quote.proposed for quote in library.quotes())


def test_a_fragment_goes_through_json(both: Both) -> None:
    """Fragments that a worker returns as JSON are equal to those that it wrote, and can be committed."""
    both.update(both.write("a.txt", HOPE, DUST))
    location = both.lance.directory
    before = lance.dataset(str(location))
    rows = before.to_table()
    written = as_encoded(rows, write(rows, location))
    (row,) = to_table(written).to_pylist()
    assert all(json.loads(fragment)["physical_rows"] == 2 for fragment in row["fragments"])
    received = from_row(row)
    assert received == written
    append = lance.LanceOperation.Append(received.fragments)
    after = lance.LanceDataset.commit(str(location), append, read_version=before.version)
    assert after.to_table()["text"].to_pylist() == [HOPE, DUST] * 2


def test_compacting_gives_back_what_was_removed(both: Both) -> None:
    """Compacting leaves no deleted rows, and the same quotes are found."""
    both.update(both.write("a.txt", *lines_of(20)))
    both.write("a.txt", *lines_of(20)[::2])
    both.update()
    for library in both.libraries:
        with library.writer() as writer:
            assert writer.compact() >= 10
            assert writer.compact() == 0
    dataset = lance.dataset(str(both.lance.directory), version="quotefind")
    assert sum(fragment.num_deletions for fragment in dataset.get_fragments()) == 0
    both.agree()


def test_one_quote_is_looked_up(both: Both) -> None:
    """The lookups for the quote of the day return what a local index returns."""
    both.update(both.write("a.txt", *lines_of(30)))
    ids = sorted(quote.id or "" for quote in both.lance.quotes())
    starts = ["0" * 16, ids[3], "f" * 16]
    answers = []
    for library in both.libraries:
        with open_lookup(library.directory) as lookup:
            assert lookup is not None
            first = [lookup.first_id(Filter(), start) for start in starts]
            none = lookup.first_id(Filter(authors=("nobody",)), starts[0])
            answers.append((sorted(lookup.ids(Filter(), 100)), first, none, lookup.quote(ids[0])))
            assert len(lookup.ids(Filter(), 7)) == 7
    assert answers[0] == answers[1]
    assert answers[1][:3] == (ids, [ids[0], ids[3], ids[0]], None)


def test_new_quotes_are_read_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of many new quotes are found in the workspace in no more steps than the first."""
    from quotefind.index.lance.workspace import Workspace, open_workspace

    connection = open_workspace()
    connection.executemany(
        "INSERT INTO quotes (name, digest, row, checksum, text, chars, tags, truncated, seal)"
        " VALUES (?, ?, ?, 0, 'text', 4, '[]', 0, 0)",
        ((f"{row:016x}", row.to_bytes(16), row) for row in range(10_000)),
    )
    workspace = Workspace(connection, None)  # type: ignore[arg-type]
    assert workspace.find_new() == 10_000
    steps = [0]
    monkeypatch.setattr("quotefind.index.lance.workspace.record_of", lambda row, *_: {"row": row})

    def step() -> int:
        steps[-1] += 1
        return 0

    connection.set_progress_handler(step, 100)
    for _ in workspace.to_encode(500):
        steps.append(0)
    assert len(steps) == 21
    assert steps[19] <= 2 * steps[0]


def test_a_stray_file_is_skipped_in_both(both: Both) -> None:
    """A file that goes bad keeps its quotes, a new stray file is skipped, and neither makes an index stale."""
    both.write("notes/a.txt", HOPE)
    both.write("notes/q.json", json.dumps([DUST]))
    both.update(both.matrix.folder / "notes")
    both.write("notes/q.json", "[")
    both.write("notes/package.json", '{"name": "site"}')
    assert len(both.update().warnings) == 2
    both.agree()
    for library in both.libraries:
        with open_index(library.directory) as index:
            assert not is_stale(index)
    assert both.update().warnings == []
    both.agree()
