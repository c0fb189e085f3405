"""The one place that writes an index: adds and refreshes sources, removes them, compacts, encodes anew."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from quotefind.encoders import Encoder
from quotefind.index.changes import Changes
from quotefind.index.interface import OpenEncoder, now
from quotefind.index.local import database, migrate, proposals, rewrite
from quotefind.index.local.lock import release_for_good, writer_lock
from quotefind.index.local.manifest import MatrixManifest, write_manifest
from quotefind.index.local.merge import MatrixApplication
from quotefind.index.local.state import WriteState
from quotefind.index.merge import Application
from quotefind.index.schema import SCHEMA, statements, transaction
from quotefind.index.summary import Summary
from quotefind.index.update import Updating
from quotefind.progress import Progress, silent
from quotefind.records import Quote

# A matrix is compacted where more than this share of its rows, and more than this number, belong to no quote.
_DEAD_SHARE = 0.25
_DEAD_ROWS = 1000


class MatrixIndexWriter(WriteState, Updating):
    """The right to write the index in a directory; made by `open_to_write`."""

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

    @property
    def _known(self) -> MatrixManifest | None:
        return self.manifest

    def _check(self, named: set[str]) -> list[str]:  # noqa: ARG002 - whatever it names
        if self.manifest is not None:
            self.check_matrix()
        return []

    def _prepare(self) -> None:
        if self.manifest is None:
            with transaction(self.connection):
                self._create_schema()

    def _load(self, changes: Changes, gone: set[str]) -> None:
        """Do nothing: the database holds all quotes."""

    def _application(self, progress: Progress, encoder: Encoder | None) -> MatrixApplication:
        return MatrixApplication(self, progress, encoder or self.open_encoder)

    def _create_schema(self) -> None:
        if self.connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'manifest'").fetchone():
            return
        for statement in statements(SCHEMA):
            self.connection.execute(statement)

    def _begin(self, model: str | None) -> Encoder | None:
        if self.manifest is not None:
            return None
        encoder = self.opener(model, None)
        self.manifest = MatrixManifest(
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

    def _count(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM quotes").fetchone()[0])

    def _publish(self, applied: Application, progress: Progress) -> None:  # noqa: ARG002 - readers see every commit
        (dead,) = self.connection.execute("SELECT count(*) FROM dead").fetchone()
        if dead > _DEAD_ROWS and dead > _DEAD_SHARE * self.require_manifest().rows:
            self.compact(progress)


@contextmanager
def open_to_write(directory: Path, open_encoder: OpenEncoder, *, wait: float = 0.0) -> Iterator[MatrixIndexWriter]:
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
def _opened(directory: Path, open_encoder: OpenEncoder) -> Iterator[MatrixIndexWriter]:
    connection = database.connect_to_write(directory)
    try:
        migrate.upgrade(connection, directory)
        writer = MatrixIndexWriter(directory, connection, open_encoder)
        rewrite.remove_leftovers(writer)
        yield writer
    finally:
        connection.close()


def _clear(directory: Path, *, with_lock: bool) -> None:
    """Delete what was begun of an index, while the lock is held."""
    with suppress(OSError):  # what is left of it is no index, and is used by the next run
        (directory / database.FILE_NAME).unlink()
    if with_lock:
        release_for_good(directory)
