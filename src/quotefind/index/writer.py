"""The one place that writes an index: adds and refreshes sources, removes them, compacts, encodes anew."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from quotefind.encoders import Encoder
from quotefind.errors import IndexUnusableError, SourceError, UsageError
from quotefind.index import apply, database, proposals, rewrite, upgrade
from quotefind.index.database import transaction
from quotefind.index.lock import release_for_good, writer_lock
from quotefind.index.manifest import Manifest, write_manifest
from quotefind.index.sources import (
    Changes,
    Source,
    find_changes,
    location_of,
    remembered,
)
from quotefind.index.staging import Staged, stage
from quotefind.index.state import OpenEncoder, WriteState, now
from quotefind.index.summary import Summary
from quotefind.progress import Progress, silent
from quotefind.records import Quote

# A matrix is compacted where more than this share of its rows, and more than this number, belong to no quote.
_DEAD_SHARE = 0.25
_DEAD_ROWS = 1000
# Quotes that any machine encodes in a second: what is reckoned with where nothing was measured yet.
_CAUTIOUS_RATE = 30.0
# Bytes of a source that are read and compared in a second, at the least.
_BYTES_PER_SECOND = 3e6


class TooLongError(Exception):
    """An update would take longer than its caller wants to wait."""


class IndexWriter(WriteState):
    """The right to write the index in a directory; made by `open_to_write`."""

    def update(
        self,
        sources: list[Source],
        *,
        model: str | None = None,
        remove: tuple[str, ...] = (),
        prune: bool = False,
        progress: Progress = silent,
        stream: BinaryIO | None = None,
        at_most: float | None = None,
    ) -> Summary:
        """Add or refresh `sources` (none: refresh all that are remembered), and remove what is to go.

        Everything is read and checked before anything is changed. Quotes are committed every few thousand; what was
        committed is never encoded again.

        Args:
            sources: what to read; one remembered before keeps how it is read where nothing new is said.
            model: the model of a new index; for an old one it has to be the model it has.
            remove: sources whose quotes go.
            prune: also remove sources that are not there any more.
            progress: told what goes on.
            stream: what the source "-" stands for.
            at_most: give up, having changed nothing, where it would take more seconds than this.

        Raises:
            SourceError: a source cannot be read, or a record is bad.
            UsageError: `remove` names no source of the index.
            IndexUnusableError: `model` is another than that of the index.
            TooLongError: `at_most` is not enough.
        """
        started = time.monotonic()
        if model is not None:
            self._check_model(model)
        if self.manifest is not None:
            self.check_matrix()
        summary = Summary()
        known = {source.location: source for source in self._remembered()}
        gone = self._sources_to_remove(remove, known)
        looked_at = _as_remembered(sources, known)
        if not sources:
            looked_at = [source for location, source in known.items() if location not in gone]
        if self.manifest is None:
            with transaction(self.connection):
                self._create_schema()
        changes = find_changes(self.connection, looked_at, named={source.location for source in sources})
        if prune:
            gone |= set(changes.vanished)
        if at_most is not None and sum(file.size or 0 for file in changes.changed) > at_most * _BYTES_PER_SECOND:
            raise TooLongError
        staged = self._stage(changes, at_most, started, progress, stream)
        self._check_anything_found(sources, changes, staged, summary)
        self._tell(summary, changes, staged, named=bool(sources), pruned=prune)
        if at_most is not None and self.manifest is not None:
            self._check_time(at_most - (time.monotonic() - started))
        encoder = self._encoder_of_new_index(model)
        before = self._count()
        applied = apply.Application(self, progress, encoder or self.open_encoder)
        applied.run(changes, looked_at, gone)
        if applied.unsettled:
            still = [source for source in looked_at if source.location not in gone]
            applied.run(self._left_to_settle(applied.unsettled, progress), still, set())
        applied.report(summary)
        self._compact_if_worthwhile(progress)
        summary.sources = self.connection.execute("SELECT count(*) FROM sources").fetchone()[0]
        summary.files = len(changes.changed)
        summary.quotes = self._count()
        summary.removed = before + summary.added - summary.quotes
        summary.seconds = time.monotonic() - started
        return summary

    def rebuild(self, *, model: str | None = None, progress: Progress = silent) -> Summary:
        """Encode every quote anew, with `model` or the one the index has, into a new matrix; resumable.

        Until it is finished, readers go on with the old matrix.
        """
        started = time.monotonic()
        manifest = self.require_manifest()
        encoder = self.opener(manifest.model if model is None else model, None)
        encoded, forgotten = rewrite.encode_anew(self, encoder, progress)
        seconds = time.monotonic() - started
        warnings = []
        if forgotten:
            warnings.append(
                f"the tags proposed for {forgotten} quotes came from another model and are forgotten. To propose anew: "
                f"quotefind tag --write{self.argument}"
            )
        return Summary(
            encoded=encoded, quotes=self._count(), seconds=seconds, rate=encoded / seconds, warnings=warnings
        )

    def compact(self, progress: Progress = silent) -> int:
        """Write a matrix without the rows that belong to no quote; return how many these were."""
        return rewrite.compact(self, progress)

    def propose(self, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
        """Store the tags `proposed` for each quote, in the place of what was proposed for it before.

        All or nothing is stored. A quote that is not any more what was read, or has tags of its own now, is left alone;
        returned is how many these are.
        """
        self.require_manifest()
        return proposals.store(self.connection, proposed)

    def forget_proposals(self) -> int:
        """Forget everything that was proposed; return for how many quotes."""
        self.require_manifest()
        with transaction(self.connection):
            return proposals.forget(self.connection)

    def _left_to_settle(self, unsettled: set[int], progress: Progress) -> Changes:
        """Stage the files `unsettled`: what they say counts, now that files that said otherwise are gone."""
        names = {
            name for file_id, name in self.connection.execute("SELECT id, path FROM files") if file_id in unsettled
        }
        found = find_changes(self.connection, self._remembered(), named=set())
        left = Changes(changed=[file for file in found.changed if file.name in names])
        stage(self.connection, left.changed, progress, None, argument=self.argument)
        return left

    def _check_model(self, model: str) -> None:
        if self.manifest is None:
            return
        encoder = self.opener(model, None)
        if encoder.fingerprint != self.manifest.fingerprint:
            raise IndexUnusableError(
                f"The index in {self.directory} was made with the model {self.manifest.model}. To encode it anew with "
                f"{encoder.name}: quotefind index --rebuild --model {encoder.name}{self.argument}"
            )

    def _remembered(self) -> list[Source]:
        return remembered(self.connection) if self.manifest is not None else []

    def _sources_to_remove(self, remove: tuple[str, ...], known: dict[str, Source]) -> set[str]:
        gone = {location_of(argument) for argument in remove}
        for location in gone - known.keys():
            raise UsageError(
                f"{location} is no source of this index; quotefind info{self.argument} lists those it has."
            )
        return gone

    def _create_schema(self) -> None:
        if self.connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'manifest'").fetchone():
            return
        for statement in database.statements(database.SCHEMA):
            self.connection.execute(statement)

    def _encoder_of_new_index(self, model: str | None) -> Encoder | None:
        if self.manifest is not None:
            return None
        encoder = self.opener(model, None)
        self.manifest = Manifest(
            model=encoder.name,
            fingerprint=encoder.fingerprint,
            pooling=encoder.pooling,
            dimension=encoder.dim,
            max_tokens=encoder.max_tokens,
            matrix="vectors-1.npy",
            created=now(),
            updated=now(),
        )
        self.open_matrix().close()
        with transaction(self.connection):
            write_manifest(self.connection, self.manifest)
        return encoder

    def _stage(
        self, changes: Changes, at_most: float | None, started: float, progress: Progress, stream: BinaryIO | None
    ) -> Staged:
        def give_up() -> bool:
            return at_most is not None and time.monotonic() - started > at_most

        try:
            return stage(self.connection, changes.changed, progress, stream, argument=self.argument, give_up=give_up)
        except TimeoutError as error:
            raise TooLongError from error

    def _check_anything_found(self, sources: list[Source], changes: Changes, staged: Staged, summary: Summary) -> None:
        read = {file.source.location for file in changes.changed}
        if sources and not staged.records and read:
            places = ", ".join(sorted(read))
            bad = f" ({staged.bad} bad records were passed over)" if staged.bad else ""
            if self._count() == 0:
                raise SourceError(f"No quotes were found in {places}{bad}.")
            summary.warnings.append(f"no quotes were found in {places}{bad}")
        if sources and not changes.changed and not changes.touched and not changes.unchanged and not changes.gone:
            places = ", ".join(source.location for source in sources)
            raise SourceError(f"{places} holds no file of a known format; name one with --input-format.")

    def _check_time(self, seconds: float) -> None:
        unseen = self.connection.execute(
            "SELECT count(DISTINCT digest) FROM staged WHERE digest NOT IN (SELECT digest FROM quotes)"
        ).fetchone()[0]
        rate = self.require_manifest().rate or _CAUTIOUS_RATE
        if seconds < 0 or unseen / rate > seconds:
            raise TooLongError

    def _tell(self, summary: Summary, changes: Changes, staged: Staged, *, named: bool, pruned: bool) -> None:
        summary.bad = staged.bad
        for problem in staged.first_bad:
            summary.warnings.append(f"passed over {problem}")
        if staged.bad > len(staged.first_bad):
            summary.warnings.append(f"passed over {staged.bad - len(staged.first_bad)} more bad records")
        for location in [] if pruned else changes.vanished:
            summary.warnings.append(
                f"{location} is not there; its quotes are kept. To drop them: quotefind index --prune{self.argument}"
            )
        if changes.passed_over and named:
            some = ", ".join(path.name for path in changes.passed_over[:3])
            more = ", …" if len(changes.passed_over) > 3 else ""
            summary.warnings.append(f"{len(changes.passed_over)} files of no known format were left out ({some}{more})")

    def _count(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM quotes").fetchone()[0])

    def _compact_if_worthwhile(self, progress: Progress) -> None:
        (dead,) = self.connection.execute("SELECT count(*) FROM dead").fetchone()
        if dead > _DEAD_ROWS and dead > _DEAD_SHARE * self.require_manifest().rows:
            self.compact(progress)


@contextmanager
def open_to_write(directory: Path, open_encoder: OpenEncoder, *, wait: float = 0.0) -> Iterator[IndexWriter]:
    """Open the index in `directory`, made if it is not there, to write it; one process at a time.

    Args:
        directory: where the index lies.
        open_encoder: called with a model and the fingerprint it must have, either may be None, when texts are to be
            encoded.
        wait: seconds to wait for another writer to finish.

    Raises:
        IndexUnusableError: another process writes it, or its files cannot be used.
    """
    new = not directory.exists()
    unfinished = False
    try:
        with writer_lock(directory, wait=wait):
            unfinished = not (directory / database.FILE_NAME).exists()
            try:
                with database.damage_reported(directory), _opened(directory, open_encoder) as writer:
                    try:
                        yield writer
                    finally:
                        unfinished = unfinished and writer.manifest is None
            finally:
                if unfinished:
                    _clear(directory, with_lock=new)
    finally:
        if new and unfinished:
            with suppress(OSError):  # another writer may have begun
                directory.rmdir()


@contextmanager
def _opened(directory: Path, open_encoder: OpenEncoder) -> Iterator[IndexWriter]:
    connection = database.connect_to_write(directory)
    try:
        upgrade.upgrade(connection, directory)
        writer = IndexWriter(directory, connection, open_encoder)
        rewrite.remove_leftovers(writer)
        yield writer
    finally:
        connection.close()


def _as_remembered(sources: list[Source], known: dict[str, Source]) -> list[Source]:
    """Return each of `sources` once, read as it is `known` to be where nothing new is said of that."""
    return [
        known.get(location, source) if source == Source(location) else source
        for location, source in {source.location: source for source in sources}.items()
    ]


def _clear(directory: Path, *, with_lock: bool) -> None:
    """Delete what was begun of an index, while the lock is held."""
    with suppress(OSError):  # what is left of it is no index, and is used by the next run
        (directory / database.FILE_NAME).unlink()
    if with_lock:
        release_for_good(directory)
