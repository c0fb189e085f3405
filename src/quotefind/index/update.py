"""The steps of an update, the same for both stores: find changes, read them, merge them, report."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection
from functools import cache
from typing import BinaryIO, NamedTuple, Protocol

from quotefind.encoders import Encoder
from quotefind.errors import IndexUnusableError, UsageError
from quotefind.index.changes import Changes, find_changes
from quotefind.index.interface import Manifest, OpenEncoder
from quotefind.index.merge import Added, Merge
from quotefind.index.notices import Notices
from quotefind.index.schema import transaction
from quotefind.index.sources import Source, location_of, remembered
from quotefind.index.staging import Staged, stage
from quotefind.index.summary import Summary
from quotefind.paths import Location
from quotefind.progress import Progress, silent

# Quotes per second that any machine can encode: assumed until the rate has been measured.
_CAUTIOUS_RATE = 30.0
# Encoding fewer texts than this says little about the rate.
_MEASURED = 32
# A lower bound for the bytes of a source that are read and compared in a second.
_BYTES_PER_SECOND = 3e6


class TooLongError(Exception):
    """An update would take longer than its caller is willing to wait."""


class Begun(NamedTuple):
    """How an update starts.

    Attributes:
        warnings: sentences for the user.
        unfinished: locations of sources that an interrupted update had started on; this one must read them again.
    """

    warnings: list[str]
    unfinished: set[str]


class Store(Protocol):
    """What an update needs from an index that is open for writing.

    Attributes:
        location: where the index is.
        argument: the command-line words that name it, for messages.
        connection: to a database with the tables of `schema.SCHEMA`.
        opener: opens encoders.
        manifest: facts about the index as a whole; None for a new one.
    """

    location: Location
    argument: str
    connection: sqlite3.Connection
    opener: OpenEncoder

    @property
    def manifest(self) -> Manifest | None:
        """Facts about the index as a whole; None for a new one."""

    def begin(self, named: set[str]) -> Begun:
        """Make sure that the index can be updated; `named` are the locations that the user named.

        Raises:
            IndexUnusableError: it cannot.
        """

    def load(self, changes: Changes, gone: set[str]) -> None:
        """Load into the database the stored quotes that the staged `changes`, or removing sources `gone`, affect."""

    def create(self, encoder: Encoder) -> None:
        """Make an empty index for the vectors of `encoder`."""

    def add(self, merge: Merge, encoder: Callable[[], Encoder], progress: Progress) -> Added:
        """Store the new quotes of `merge` with their vectors; `encoder` is called if a text must be encoded."""

    def drop_lost(self) -> None:
        """Remove the quotes in the table `lost` from everything but the tables, which still hold them."""

    def publish(self, rate: float, progress: Progress) -> None:
        """Make the updated index visible to readers; tidy up if worthwhile. `rate`: quotes encoded per second."""

    def count(self) -> int:
        """Return the number of stored quotes."""

    def held(self, locations: Collection[str] | None) -> int:
        """Return the number of quotes in the sources at `locations` after the merge; None for all sources."""


def update(
    store: Store,
    sources: list[Source],
    *,
    model: str | None = None,
    remove: tuple[str, ...] = (),
    prune: bool = False,
    progress: Progress = silent,
    stream: BinaryIO | None = None,
    at_most: float | None = None,
) -> Summary:
    """Bring the index in `store` up to date; arguments and errors are those of `IndexWriter.update`."""
    started = time.monotonic()
    deadline = None if at_most is None else started + at_most
    named = {source.location for source in sources}
    begun = store.begin(named)
    if model is not None:
        _check_model(store, model)
    known = {source.location: source for source in remembered(store.connection)}
    gone = _to_remove(remove, known, store.argument)
    checked = _to_check(sources, known, gone, begun.unfinished)
    changes = find_changes(store.connection, checked, named=named, retry=deadline is None)
    if prune:
        gone |= set(changes.vanished)
    staged = _stage(store, changes, progress, stream, deadline)
    store.load(changes, gone)
    notices = Notices(store.connection, sources, changes, staged, pruned=prune, argument=store.argument)
    warnings = begun.warnings + notices.unless_nothing(store.count()) + notices.warnings()
    if deadline is not None and store.manifest is not None:
        _check_time(store.connection, store.manifest.rate, deadline)
    encoder = _encoder(store, model)
    before = store.count()
    (last_old,) = store.connection.execute("SELECT coalesce(max(id), 0) FROM quotes").fetchone()
    merges = [Merge(store.connection, changes, gone)]
    added = _apply(store, merges[0], checked, encoder, progress)
    checked = [source for source in checked if source.location not in gone]
    if merges[0].unsettled:
        rest = _stage_unsettled(store, merges[0].unsettled, progress)
        store.load(rest, set())
        merges.append(Merge(store.connection, rest, set()))
        added += _apply(store, merges[1], checked, encoder, progress)
    updated = {quote_id for merge in merges for quote_id in merge.updated if quote_id <= last_old}
    total = len(remembered(store.connection))
    in_sources = store.held(None if len(checked) == total else [source.location for source in checked])
    store.publish(added.rate if added.encoded >= _MEASURED else _known_rate(store.manifest), progress)
    quotes = store.count()
    return Summary(
        sources=total,
        files=sum(not file.problem for file in changes.changed),
        added=added.quotes,
        reused=in_sources - added.quotes - len(updated),
        updated=len(updated),
        removed=before + added.quotes - quotes,
        repeats=sum(merge.repeats for merge in merges),
        truncated=added.truncated,
        bad=staged.bad,
        encoded=added.encoded,
        quotes=quotes,
        seconds=time.monotonic() - started,
        rate=added.rate,
        warnings=warnings,
        remarks=notices.remarks() + staged.remarks,
        read=merges[0].read,
        without_author=merges[0].without_author,
        skipped=notices.skipped,
    )


def _apply(
    store: Store, merge: Merge, sources: list[Source], encoder: Callable[[], Encoder], progress: Progress
) -> Added:
    merge.resolve(sources)
    added = store.add(merge, encoder, progress)
    with transaction(store.connection):
        merge.settle()
        store.drop_lost()
        merge.drop_lost()
    return added


def _check_model(store: Store, model: str) -> None:
    if store.manifest is None:
        return
    encoder = store.opener(model, None)
    if encoder.fingerprint != store.manifest.fingerprint:
        raise IndexUnusableError(
            f"The index in {store.location} was made with the model {store.manifest.model}. To encode all of it with "
            f"{encoder.name}: quotefind index --rebuild --model {encoder.name}{store.argument}"
        )


def _to_remove(remove: tuple[str, ...], known: dict[str, Source], argument: str) -> set[str]:
    gone = {location_of(source) for source in remove}
    for location in gone - known.keys():
        raise UsageError(f"{location} is not a source of this index; quotefind info{argument} lists its sources.")
    return gone


def _to_check(
    sources: list[Source], known: dict[str, Source], gone: set[str], unfinished: Collection[str]
) -> list[Source]:
    """Return the sources to check, each once, with the options of `known` unless the user gives others."""
    if sources:
        given = {source.location: source for source in sources}
        checked = [known.get(name, source) if source == Source(name) else source for name, source in given.items()]
    else:
        checked = [source for location, source in known.items() if location not in gone]
    more = set(unfinished) - gone - {source.location for source in checked}
    return checked + [source for location, source in known.items() if location in more]


def _stage(
    store: Store, changes: Changes, progress: Progress, stream: BinaryIO | None, deadline: float | None
) -> Staged:
    def give_up() -> bool:
        return deadline is not None and time.monotonic() > deadline

    if deadline is not None:
        left = deadline - time.monotonic()
        if sum(file.size or 0 for file in changes.changed) > left * _BYTES_PER_SECOND:
            raise TooLongError
    try:
        return stage(store.connection, changes.changed, progress, stream, argument=store.argument, give_up=give_up)
    except TimeoutError as error:
        raise TooLongError from error


def _stage_unsettled(store: Store, files: set[int], progress: Progress) -> Changes:
    """Stage the `files` that now decide the attribution of a quote, because the file that decided it is gone."""
    names = {name for file_id, name in store.connection.execute("SELECT id, path FROM files") if file_id in files}
    found = find_changes(store.connection, remembered(store.connection), named=set())
    rest = Changes(changed=[file for file in found.changed if file.name in names])
    stage(store.connection, rest.changed, progress, None, argument=store.argument)
    return rest


def _check_time(connection: sqlite3.Connection, rate: float, deadline: float) -> None:
    (unseen,) = connection.execute(
        "SELECT count(DISTINCT digest) FROM staged WHERE digest NOT IN (SELECT digest FROM quotes)"
    ).fetchone()
    left = deadline - time.monotonic()
    if left < 0 or unseen / (rate or _CAUTIOUS_RATE) > left:
        raise TooLongError


def _encoder(store: Store, model: str | None) -> Callable[[], Encoder]:
    """Return a function that opens the encoder of the index once; make a new index with `model` if there is none."""
    manifest = store.manifest
    if manifest is not None:
        return cache(lambda: store.opener(manifest.model, manifest.fingerprint))
    encoder = store.opener(model, None)
    store.create(encoder)
    return lambda: encoder


def _known_rate(manifest: Manifest | None) -> float:
    return manifest.rate if manifest is not None else 0.0
