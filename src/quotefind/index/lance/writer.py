"""Write an index in a Lance dataset: update, remove, rebuild and compact.

Each step commits a version of the dataset. Readers open the version with the tag, which moves once, at the end. An
incomplete version says why it is incomplete and which sources the update had started on. The next run continues from
there if it is of the same kind, and otherwise from the version that readers open.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from quotefind.encoders import Encoder
from quotefind.errors import IndexUnusableError
from quotefind.index import update as updates
from quotefind.index.changes import Changes, is_there
from quotefind.index.interface import OpenEncoder
from quotefind.index.lance.dataset import (
    CHANGE,
    UPDATE,
    LanceManifest,
    import_lance,
    missing_index,
    read_manifest,
    reported,
)
from quotefind.index.lance.encoding import as_encoded, encode, write
from quotefind.index.lance.lock import clear, writer_lock
from quotefind.index.lance.merge import insert_new
from quotefind.index.lance.proposals import forget, propose
from quotefind.index.lance.publish import publish, show
from quotefind.index.lance.sources import SourceTables
from quotefind.index.lance.versions import Versions, table
from quotefind.index.lance.workspace import Workspace, open_workspace
from quotefind.index.merge import Added, Merge, held
from quotefind.index.sources import remembered
from quotefind.index.summary import Summary
from quotefind.index.update import Begun
from quotefind.paths import Location, bundled_tags, index_argument, is_named, make_private
from quotefind.progress import Progress, silent
from quotefind.records import Quote
from quotefind.similarity import Vectors

if TYPE_CHECKING:
    import pyarrow as pa
    from lance.fragment import FragmentMetadata

    from quotefind.index.lance.machines import Encoded, Machines

# Texts that this process encodes before it writes a fragment; rows that are changed or copied at a time.
_CHUNK = 4096
# Seconds between two commits of encoded quotes. Each commit writes a list of all fragments, so it should not be often.
_COMMIT_AFTER = 15.0


class LanceIndexWriter:
    """The right to write the index in a Lance dataset; made by `open_to_write`."""

    update = updates.update

    def __init__(
        self, versions: Versions, workspace: Workspace, open_encoder: OpenEncoder, cluster: Machines | None
    ) -> None:
        """Write what `versions` holds, with the `workspace` database for what an update touches."""
        self.location = versions.location
        self.connection = workspace.connection
        self.opener = open_encoder
        self.argument = index_argument(versions.location)
        self._versions = versions
        self._workspace = workspace
        self._cluster = cluster
        self._progress: Progress = silent
        self._before = versions.source_tables
        self._touched: set[int] = set()

    @property
    def manifest(self) -> LanceManifest | None:
        """The manifest of the newest version, or of the published one during a rebuild or a change; None if new."""
        manifest = self._versions.manifest
        if manifest is None or manifest.unfinished in ("", UPDATE):
            return manifest
        return read_manifest(self._versions.published(), self.location)

    def require_manifest(self) -> LanceManifest:
        """Return the manifest.

        Raises:
            IndexUnusableError: there is no index here yet.
        """
        manifest = self.manifest
        if manifest is None:
            raise missing_index(self.location)
        return manifest

    def begin(self, named: set[str]) -> Begun:
        """See `update.Store.begin`."""
        warnings = self._give_up(named)
        self._workspace.begin()
        self._before, self._touched = self._versions.source_tables, set()
        return Begun(warnings, self._unfinished())

    def _give_up(self, named: set[str]) -> list[str]:
        """Go back to what readers see if this update cannot complete an interrupted run; return warnings."""
        manifest = self._versions.manifest
        if manifest is None or not manifest.unfinished:
            return []
        if manifest.unfinished == UPDATE:
            self._workspace.begin()
            begun = [source for source in remembered(self.connection) if source.location in self._unfinished()]
            gone = [source.location for source in begun if source.location not in named and not is_there(source)]
            if not gone:
                return []
            said = [
                f"an interrupted update had started on {', '.join(gone)}, which cannot be read again; it is given up"
            ]
        elif manifest.unfinished == CHANGE:
            said = []  # as if it had not started
        else:
            said = [f"a rebuild with {manifest.model} was interrupted; it is given up"]
        self._versions.give_up()
        return said

    def _unfinished(self) -> set[str]:
        manifest = self._versions.manifest
        return self._versions.source_tables.locations(manifest.begun) if manifest is not None else set()

    def load(self, changes: Changes, gone: set[str]) -> None:
        """See `update.Store.load`."""
        self._touched |= self._workspace.load(changes, gone)

    def create(self, encoder: Encoder) -> None:
        """See `update.Store.create`."""
        self._versions.create(encoder)

    def count(self) -> int:
        """Return how many quotes are stored."""
        return self._versions.count()

    def held(self, locations: Collection[str] | None) -> int:
        """Return how many quotes the sources at `locations` hold: those of the dataset, but for what was loaded."""
        files = None if locations is None else self._workspace.files_of(locations)
        return self._versions.count(files) - self._workspace.count_stored(files) + held(self.connection, locations)

    def add(self, merge: Merge, encoder: Callable[[], Encoder], progress: Progress) -> Added:
        """See `update.Store.add`."""
        self._progress = progress
        next_row = self.require_manifest().next_row
        quotes = insert_new(merge, next_row)
        if not quotes:
            return Added()
        self._note(next_row + quotes)
        started = time.monotonic()
        encoded, truncated = self._add_new(self._workspace.find_new(), encoder)
        return Added(quotes, encoded, truncated, time.monotonic() - started)

    def drop_lost(self) -> None:
        """Do nothing: `publish` finds lost quotes by comparing the workspace with what is stored."""

    def _note(self, next_row: int) -> None:
        """Note in the dataset, before it is changed, what must be read again if this update is interrupted."""
        source_tables = self._before.becoming(SourceTables.of(self.connection), self._touched)
        self._versions.note_update(next_row, source_tables, source_tables.begun(self._before, self._touched))

    def _add_new(self, total: int, encoder: Callable[[], Encoder]) -> tuple[int, int]:
        """Add all new quotes of the workspace; return how many texts were encoded, and how many of them cut."""
        done = truncated = 0
        if total:
            texts = (table(records, self._versions.schema) for records in self._workspace.to_encode(_CHUNK))
            done, truncated = self._encode(texts, total, encoder, self._workspace.note_stored)
        for records in self._workspace.to_copy(_CHUNK):
            rows = self._versions.copies(records)
            self._versions.append(write(rows, self.location))
            self._workspace.note_stored(record["row"] for record in records)
        return done, truncated

    def _encode(
        self,
        texts: Iterable[pa.Table],
        total: int,
        encoder: Callable[[], Encoder],
        note: Callable[[list[int]], None] | None = None,
    ) -> tuple[int, int]:
        """Encode and commit `texts`; return how many were encoded, and how many of them cut.

        Args:
            texts: rows without the columns in `versions.DERIVED`.
            total: how many rows these are.
            encoder: opens the encoder; not called if a cluster encodes.
            note: called with the numbers of the rows that were committed.
        """
        done = truncated = 0
        fragments: list[FragmentMetadata] = []
        stored: list[int] = []
        committed = time.monotonic()

        def commit() -> None:
            self._versions.append(fragments)
            if note:
                note(stored)
            fragments.clear()
            stored.clear()

        for new, rows, cut in self._encoded(texts, total, encoder):
            fragments += new
            stored += rows
            done += len(rows)
            truncated += cut
            if time.monotonic() - committed >= _COMMIT_AFTER:
                commit()
                committed = time.monotonic()
            self._progress("encoding", done, total)
        commit()
        return done, truncated

    def _encoded(self, texts: Iterable[pa.Table], total: int, encoder: Callable[[], Encoder]) -> Iterator[Encoded]:
        """Encode `texts` and write them into fragments; yield parts of them as they are done."""
        if self._cluster is not None:
            schema, manifest = self._versions.schema, self._versions.current
            yield from self._cluster.encode(texts, total, self.location, schema, manifest, self._progress)
            return
        before, all_of_them = 0, total

        def tell(stage: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG001 - of the whole, not of the chunk
            self._progress(stage, before + done, all_of_them)

        for records in texts:
            rows = encode(records, encoder(), self._versions.schema, tell)
            yield as_encoded(rows, write(rows, self.location))
            before += len(rows)

    def publish(self, rate: float, progress: Progress) -> None:
        """See `update.Store.publish`."""
        noted = False
        steps: list[tuple[Callable[[list[Any]], None], Iterator[list[Any]]]] = [
            (self._versions.merge, self._workspace.changed(_CHUNK)),
            (self._versions.delete, self._workspace.removed_rows()),
        ]
        for change, parts in steps:
            for part in parts:
                if not noted:
                    self._note(self.require_manifest().next_row)
                    noted = True
                change(part)
        self._show(SourceTables.of(self.connection), progress, rate)

    def _show(self, source_tables: SourceTables, progress: Progress = silent, rate: float | None = None) -> None:
        publish(self._versions, source_tables, progress, queries=self._queries, cluster=self._cluster, rate=rate)

    def _queries(self) -> Vectors:
        """Return the vectors (q, d) of queries as users write them, to measure the recall of an approximate index."""
        manifest = self._versions.current
        tags = bundled_tags().read_text(encoding="utf-8").splitlines()
        encoder = self.opener(manifest.model, manifest.fingerprint)
        return encoder.encode_queries([f"quotes about {tag}" for tag in tags])

    def rebuild(self, *, model: str | None = None, progress: Progress = silent) -> Summary:
        """Encode every quote again, with `model` or the model of the index; an interrupted rebuild continues.

        Until it is complete, readers have the old vectors.
        """
        started = time.monotonic()
        self._progress = progress
        self.require_manifest()
        old = read_manifest(self._versions.published(), self.location)
        encoder = self.opener(old.model if model is None else model, None)
        warnings = []
        before = self._versions.begin_rebuild(encoder)
        forgotten = 0
        if encoder.fingerprint != old.fingerprint:
            with reported(self.location):
                forgotten = before.count_rows("array_length(proposed) > 0")
        total = before.count_rows() - self._versions.count()
        texts = self._versions.left_to_rebuild(before, _CHUNK, forget=bool(forgotten))
        done, _ = self._encode(texts, total, lambda: encoder)
        self._show(self._versions.source_tables, progress)
        if forgotten:
            warnings.append(
                f"the tags proposed for {forgotten} quotes came from another model and are dropped. To propose tags "
                f"again: quotefind tag --write{self.argument}"
            )
        seconds = time.monotonic() - started
        return Summary(encoded=done, quotes=self.count(), seconds=seconds, rate=done / seconds, warnings=warnings)

    def compact(self, progress: Progress = silent) -> int:
        """Free the space of removed quotes; return how many rows that was."""
        self.require_manifest()
        self._versions.begin_change()
        dead = self._versions.dead()
        self._versions.compact(self._cluster)
        self._show(self._versions.source_tables, progress)
        return dead

    def defer(self, mark: str) -> None:
        """Do nothing: a search never refreshes a shared index."""

    def propose(self, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
        """Store the tags `proposed` for each quote, replacing those proposed before; store all of them or none.

        A quote that has changed since it was read, or now has tags of its own, is left alone; return how many.
        """
        self.require_manifest()
        self._versions.begin_change()
        left_alone = propose(self._versions, proposed)
        self._show(self._versions.source_tables)
        return left_alone

    def forget_proposals(self) -> int:
        """Delete all proposed tags; return how many quotes had any."""
        self.require_manifest()
        self._versions.begin_change()
        forgotten = forget(self._versions)
        self._show(self._versions.source_tables)
        return forgotten


@contextmanager
def open_to_write(
    location: Location, open_encoder: OpenEncoder, *, wait: float = 0.0, cluster: Machines | None = None
) -> Iterator[LanceIndexWriter]:
    """Open the index at `location` to write it, one process at a time; make it if there is none.

    Raises:
        IndexUnusableError: another process writes it, or its storage cannot be used.
        ModelError: the extra `scale` is missing, or `cluster` cannot be reached.
    """
    import_lance()
    if is_named(location):  # an index elsewhere may be meant for several users
        make_private(location)
    made = True
    try:
        with writer_lock(location, wait=wait) as lock, closing(open_workspace()) as connection:
            versions = Versions(location, lock)
            try:
                if cluster is not None:
                    cluster.connect(location, versions.state)
                show(versions)
                yield LanceIndexWriter(versions, Workspace(connection, versions), open_encoder, cluster)
            except sqlite3.OperationalError as error:
                raise IndexUnusableError(
                    f"The temporary file for the update of the index in {location} cannot be written ({error}). Free "
                    "some space for temporary files, or name another place for them: TMPDIR=/other/place. Then run "
                    "the command again; everything committed is safe."
                ) from error
            finally:
                made = versions.manifest is not None
    finally:
        if not made:
            clear(location)
