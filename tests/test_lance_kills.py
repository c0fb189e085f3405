"""Kill the writer of a Lance index after each of its commits: nothing is lost, whatever is run next."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from fake_encoder import FakeEncoder
from library import Library
from two_stores import quick

from quotefind.errors import IndexUnusableError, UsageError
from quotefind.index.lance.dataset import open_version
from quotefind.stores import index_exists, open_index
from quotefind.tagging import propose_tags

lance = pytest.importorskip("lance", reason="the extra scale is not installed")
module = importlib.import_module("lance.dataset")

Quotes = list[tuple[object, ...]]
# All functions of Lance that change the storage.
COMMITS = [
    (lance, "write_dataset"),
    (module.LanceDataset, "commit"),
    (module.LanceDataset, "update_schema_metadata"),
    (module.LanceDataset, "delete"),
    (module.LanceDataset, "restore"),
    (module.LanceDataset, "create_index"),
    (module.LanceDataset, "create_scalar_index"),
    (module.LanceDataset, "cleanup_old_versions"),
    (module.MergeInsertBuilder, "execute"),
    (module.DatasetOptimizer, "optimize_indices"),
    (module.DatasetOptimizer, "compact_files"),
    (module.Tags, "create"),
    (module.Tags, "update"),
    (module.Tags, "delete"),
]
OLD = [f"old line {word}" for word in ("hope", "sea", "night", "stone", "river", "war")]
NEW = [f"new line {word}" for word in ("love", "bread", "rain", "spring")]


class KilledError(BaseException):
    """Ends a run."""


@contextmanager
def killed_after(number: int) -> Iterator[list[str]]:
    """End the run after `number` commits; yield the names of those that were made."""
    made: list[str] = []

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def commit(*args: Any, **options: Any) -> Any:
            if len(made) == number:  # what runs after the kill, such as releasing the lock, commits nothing
                raise KilledError
            result = call(*args, **options)
            made.append(name)
            if len(made) == number:
                raise KilledError
            return result

        return commit

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in COMMITS:
            patch.setattr(owner, name, counted(name, getattr(owner, name)))
        yield made


def before(library: Library) -> None:
    """Make an index of two sources that share some quotes."""
    library.update(library.write("a.txt", *OLD))
    library.update(library.write("b.txt", f"{OLD[0]} -- Ann", OLD[1], "only here"))
    propose(library)


def unchanged(library: Library) -> None:
    """Restore the sources."""
    library.write("a.txt", *OLD)
    library.write("b.txt", f"{OLD[0]} -- Ann", OLD[1], "only here")


def changed(library: Library) -> None:
    """Change the sources: quotes are removed, added, moved, and get another author."""
    library.write("a.txt", *OLD[2:4], f"{OLD[4]} -- Ben", *NEW, f"{NEW[0]} -- Carl")
    library.write("b.txt", f"{OLD[0]} -- Dora", OLD[5])


def propose(library: Library) -> None:
    """Propose tags for every quote."""
    with open_index(library.directory) as index, library.writer() as writer:
        assert propose_tags(index, library.encoder, ["hope", "sea", "line"], min_score=0.1).write(writer) == 0


def propose_others(library: Library) -> None:
    """Propose other tags for every quote; those that a killed run has changed are left alone."""
    with open_index(library.directory) as index, library.writer() as writer:
        model = index.manifest.fingerprint
        encoder = next(encoder for encoder in library.encoders if encoder.fingerprint == model)
        propose_tags(index, encoder, ["old", "new"], min_score=0.1).write(writer)


def forget(library: Library) -> None:
    """Delete proposed tags."""
    with library.writer() as writer:
        writer.forget_proposals()


def rebuild(library: Library) -> None:
    """Rebuild with another model."""
    with library.writer() as writer:
        writer.rebuild(model="other")


def compact(library: Library) -> None:
    """Compact."""
    with library.writer() as writer:
        writer.compact()


def update(library: Library) -> None:
    """Update the index."""
    library.update()


def remove(library: Library) -> None:
    """Remove one source."""
    library.update(remove=(str(library.folder / "a.txt"),))


def first(library: Library) -> None:
    """Make the index."""
    library.update(library.folder / "a.txt", library.folder / "b.txt")


def nothing(library: Library) -> None:
    """Start without an index."""
    unchanged(library)


# For each change: the state before it, whether the sources change, and what is run.
RUNS: dict[str, tuple[Callable[[Library], None], bool, Callable[[Library], None]]] = {
    "first": (nothing, False, first),
    "update": (before, True, update),
    "remove": (before, False, remove),
    "propose": (before, False, propose_others),
    "forget": (before, False, forget),
    "rebuild": (before, False, rebuild),
    "compact": (before, True, compact),
}


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    monkeypatch.setattr("quotefind.index.lance.writer._CHUNK", 2)
    monkeypatch.setattr("quotefind.index.lance.proposals._AT_ONCE", 3)
    monkeypatch.setattr("quotefind.index.lance.versions._LOOKED_THROUGH", 4)


def held(library: Library) -> Quotes | None:
    """Verify the index and return all that readers see; None if there is no index yet."""
    if not has_index(library):
        return None
    return sorted(map(astuple, library.quotes()), key=repr)


def has_index(library: Library) -> bool:
    """Whether readers see an index."""
    if library.directory.suffix == ".lance":
        return open_version(library.directory) is not None
    return index_exists(library.directory)


def made(folder: Path, name: str) -> Library:
    """Return a library with encoders of two models."""
    folder.mkdir(parents=True, exist_ok=True)
    return Library(folder / name, folder / "sources", FakeEncoder(), FakeEncoder("other", 16))


def texts_of(seen: Quotes | None) -> list[object] | None:
    """Return the texts, which do not depend on other changes."""
    return None if seen is None else [quote[0] for quote in seen]


def again(library: Library, finished: Library, act: Callable[[Library], None], _: Quotes | None) -> None:
    """Run the same change again: the result is the same, and no text was encoded twice."""
    try:
        act(library)
    except UsageError as error:  # the killed run had already done it
        refused = str(error)
        assert "is not a source of this index" in refused
    assert held(library) == held(finished)
    if act is update:
        assert sorted(library.encoder.encoded) == sorted(NEW)


def back(library: Library, finished: Library, *_: object) -> None:
    """Restore the sources and update: what the killed run had removed is there again."""
    for each in (library, finished):
        unchanged(each)
        first(each)
    assert texts_of(held(library)) == texts_of(held(finished))


def other(do: Callable[[Library], None]) -> Callable[..., None]:
    """Return a function that tries another change and then updates: nothing is lost."""

    def follow(library: Library, finished: Library, _: Callable[[Library], None], old: Quotes | None) -> None:
        try:
            do(library)
        except IndexUnusableError as error:
            refused = str(error)
            expected = ("was interrupted", "never finished", "no index", "at the same time")
            assert any(words in refused for words in expected), refused
        assert texts_of(held(library)) in (texts_of(old), texts_of(held(finished)))
        for each in (library, finished):
            first(each)
        assert texts_of(held(library)) == texts_of(held(finished))

    return follow


def elsewhere(library: Library, finished: Library, _: Callable[[Library], None], old: Quotes | None) -> None:
    """Update only another source: the interrupted change is completed or given up."""
    library.update(library.write("c.txt", "elsewhere", NEW[0]))
    here = {"elsewhere", NEW[0]}
    states = [set(texts_of(state) or ()) | here for state in (old, held(finished))]
    assert set(texts_of(held(library)) or ()) in states


def vanished(library: Library, _: Library, act: Callable[[Library], None], old: Quotes | None) -> None:
    """Update when a source is gone: what readers saw of it is kept, or what it held last."""
    source, other = library.folder / "a.txt", library.folder / "b.txt"
    before = set(OLD) if old is not None else set()
    after = {update: texts_in(source), first: texts_in(source), remove: set()}.get(act, before)
    source.unlink()
    library.update(other)
    assert set(texts_of(held(library)) or ()) in (before | texts_in(other), after | texts_in(other))


def texts_in(source: Path) -> set[str]:
    """Return the texts that a source holds."""
    return {line.partition(" -- ")[0] for line in source.read_text(encoding="utf-8").splitlines()}


FOLLOW = {do.__name__: do for do in (again, back, elsewhere, vanished)} | {
    do.__name__: other(do) for do in (propose_others, forget, rebuild, compact)
}


@pytest.mark.parametrize("run", RUNS)
def test_a_killed_run(tmp_path: Path, run: str) -> None:
    """Readers see the whole old or new state; the same run completes the change, and other runs lose nothing.

    After each commit something else is done next; everything after every one where QUOTEFIND_EVERY_KILL is set.
    """
    begin, with_changes, act = RUNS[run]
    follow = list(FOLLOW)
    place, beginning = tmp_path / "place", tmp_path / "beginning"
    old = prepare(place, begin, act, with_changes=with_changes)
    place.rename(beginning)
    for number in range(1, 100):
        for then in follow if os.environ.get("QUOTEFIND_EVERY_KILL") else [follow[number % len(follow)]]:
            shutil.copytree(beginning, place)
            library, finished = made(place, "index.lance"), made(place, "index")
            with killed_after(number) as commits, suppress(KilledError):
                act(library)
            if len(commits) < number:
                assert number > 4
                return
            assert held(library) in (old, held(finished)), commits
            FOLLOW[then](library, finished, act, old)
            shutil.rmtree(place)


def prepare(
    place: Path, begin: Callable[[Library], None], act: Callable[[Library], None], *, with_changes: bool
) -> Quotes | None:
    """Start a change in a Lance index and complete it in a local one; return what readers of the first see."""
    library, finished = made(place, "index.lance"), made(place, "index")
    for each in (library, finished):
        unchanged(each)
        begin(each)
    old = held(library)
    if with_changes:
        changed(library)
    act(finished)
    return old
