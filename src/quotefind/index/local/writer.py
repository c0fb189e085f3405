"""The only code that writes a local index: it updates, removes, compacts and rebuilds."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from quotefind.encoders import Encoder
from quotefind.index import update as updates
from quotefind.index.changes import Changes
from quotefind.index.interface import OpenEncoder, now
from quotefind.index.local import database, merge, migrate, proposals, rewrite
from quotefind.index.local.lock import release_for_good, writer_lock
from quotefind.index.local.manifest import (
    LocalManifest,
    State,
    missing_index,
    read_manifest,
    write_deferred,
    write_manifest,
)
from quotefind.index.local.vectors import MatrixWriter, check_length, has_rows
from quotefind.index.merge import Added, Merge, held
from quotefind.index.schema import SCHEMA, statements, transaction
from quotefind.index.summary import Summary
from quotefind.index.update import Begun
from quotefind.paths import Location
from quotefind.progress import Progress, silent
from quotefind.records import Quote

# A matrix is compacted if more than this share of its rows, and more than this number, belong to no quote.
_DEAD_SHARE = 0.25
_DEAD_ROWS = 1000


class LocalIndexWriter:
    """A local index that is open for writing; made by `open_to_write`.

    Attributes:
        location: the directory.
        argument: the command-line words that name the index, for messages.
        connection: to its database.
        opener: opens encoders.
    """

    update = updates.update

    def __init__(self, directory: Path, connection: sqlite3.Connection, open_encoder: OpenEncoder) -> None:
        """Use `connection`; the caller must hold the lock."""
        self._state = State(directory, connection, read_manifest(connection, directory))
        if self.manifest is None and has_rows(directory):
            raise missing_index(directory)
        self.location: Location = directory
        self.argument = self._state.argument
        self.connection = connection
        self.opener = open_encoder

    @property
    def manifest(self) -> LocalManifest | None:
        """Facts about the index as a whole; None for a new one."""
        return self._state.manifest

    def require_manifest(self) -> LocalManifest:
        """Return the manifest.

        Raises:
            IndexUnusableError: there is no index here yet.
        """
        return self._state.require()

    def begin(self, named: set[str]) -> Begun:  # noqa: ARG002 - whatever it names
        """See `update.Store.begin`."""
        manifest = self.manifest
        if manifest is not None:
            check_length(self._state.matrix, manifest.rows, manifest.dimension, self.argument)
        elif not self.connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'manifest'").fetchone():
            with transaction(self.connection):
                for statement in statements(SCHEMA):
                    self.connection.execute(statement)
        return Begun([], set())

    def load(self, changes: Changes, gone: set[str]) -> None:
        """Do nothing: the database holds all quotes."""

    def create(self, encoder: Encoder) -> None:
        """See `update.Store.create`."""
        manifest = LocalManifest(
            model=encoder.name,
            fingerprint=encoder.fingerprint,
            pooling=encoder.pooling,
            dimension=encoder.dim,
            max_tokens=encoder.max_tokens,
            matrix="vectors-1.npy",
            created=now(),
            updated=now(),
        )
        self._state.manifest = manifest
        MatrixWriter(self._state.matrix, rows=0, dim=encoder.dim).close()
        with transaction(self.connection):
            write_manifest(self.connection, manifest)

    def add(self, changed: Merge, encoder: Callable[[], Encoder], progress: Progress) -> Added:
        """See `update.Store.add`."""
        return merge.add(self._state, changed, encoder, progress)

    def drop_lost(self) -> None:
        """Mark the rows of lost quotes as dead, and remove their texts from full-text search."""
        self.connection.execute("INSERT INTO dead (row) SELECT row FROM quotes WHERE id IN (SELECT quote_id FROM lost)")
        self.connection.execute(
            "INSERT INTO words (words, rowid, text)"
            " SELECT 'delete', id, text FROM quotes WHERE id IN (SELECT quote_id FROM lost)"
        )

    def publish(self, rate: float, progress: Progress) -> None:
        """Store the rate, and compact if worthwhile; readers already see every commit."""
        with transaction(self.connection):
            self._state.store(rate=rate)
        (dead,) = self.connection.execute("SELECT count(*) FROM dead").fetchone()
        if dead > _DEAD_ROWS and dead > _DEAD_SHARE * self.require_manifest().rows:
            self.compact(progress)

    def count(self) -> int:
        """Return the number of stored quotes."""
        return held(self.connection, None)

    def held(self, locations: Collection[str] | None) -> int:
        """See `update.Store.held`."""
        return held(self.connection, locations)

    def rebuild(self, *, model: str | None = None, progress: Progress = silent) -> Summary:
        """See `IndexWriter.rebuild`; the vectors are written to a new matrix, which replaces the old one at the end."""
        started = time.monotonic()
        manifest = self.require_manifest()
        encoder = self.opener(manifest.model if model is None else model, None)
        encoded, forgotten = rewrite.rebuild(self._state, encoder, progress)
        seconds = time.monotonic() - started
        warnings = []
        if forgotten:
            warnings.append(
                f"the tags proposed for {forgotten} quotes came from another model and are dropped. To propose tags "
                f"again: quotefind tag --write{self.argument}"
            )
        return Summary(encoded=encoded, quotes=self.count(), seconds=seconds, rate=encoded / seconds, warnings=warnings)

    def compact(self, progress: Progress = silent) -> int:
        """Write a matrix without the rows that belong to no quote; return their number."""
        return rewrite.compact(self._state, progress)

    def defer(self, mark: str) -> None:
        """See `IndexWriter.defer`."""
        with transaction(self.connection):
            write_deferred(self.connection, mark)

    def propose(self, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
        """See `IndexWriter.propose`."""
        self.require_manifest()
        return proposals.store(self.connection, proposed)

    def forget_proposals(self) -> int:
        """Drop all proposed tags; return the number of quotes that had any."""
        self.require_manifest()
        with transaction(self.connection):
            return proposals.forget(self.connection)


@contextmanager
def open_to_write(directory: Path, open_encoder: OpenEncoder, *, wait: float = 0.0) -> Iterator[LocalIndexWriter]:
    """Open the index in `directory` for writing, by one process at a time; make it if it is missing.

    Args:
        directory: the directory of the index.
        open_encoder: called when texts must be encoded.
        wait: seconds to wait for another writer to finish.

    Raises:
        IndexUnusableError: another process is writing the index, or its files cannot be used.
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
            with suppress(OSError):  # another writer may have started
                directory.rmdir()


@contextmanager
def _opened(directory: Path, open_encoder: OpenEncoder) -> Iterator[LocalIndexWriter]:
    connection = database.connect_to_write(directory)
    try:
        migrate.upgrade(connection, directory)
        writer = LocalIndexWriter(directory, connection, open_encoder)
        rewrite.remove_leftovers(directory, writer.manifest)
        yield writer
    finally:
        connection.close()


def _clear(directory: Path, *, with_lock: bool) -> None:
    """Delete the beginnings of an index, while the lock is held."""
    with suppress(OSError):  # what is left is not an index, and the next run reuses it
        (directory / database.FILE_NAME).unlink()
    if with_lock:
        release_for_good(directory)
