"""Commit the versions of the dataset, one after the other."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quotefind.encoders import Encoder
from quotefind.errors import IndexLockedError, IndexUnusableError
from quotefind.index.interface import now
from quotefind.index.lance.dataset import (
    CHANGE,
    UPDATE,
    LanceManifest,
    damaged,
    import_lance,
    metadata_of,
    missing_index,
    open_version,
    read_manifest,
    read_source_tables,
    rebuild,
    reported,
    schema,
    storage_options,
)
from quotefind.index.lance.filters import in_files, listed
from quotefind.index.lance.lock import WriterLock
from quotefind.index.lance.rows import with_proposed
from quotefind.index.lance.sources import SourceTables
from quotefind.paths import Location, index_argument
from quotefind.text import counted

if TYPE_CHECKING:
    import lance
    import pyarrow as pa
    from lance.fragment import FragmentMetadata

    from quotefind.index.lance.machines import Machines

# The most rows outside an index that a lookup may scan.
_LOOKED_THROUGH = 100_000
# Columns by which quotes are looked up, with the kind of index for each.
LOOKED_UP = {"row": "BTREE", "id": "BTREE", "digest": "BTREE", "files": "LABEL_LIST"}
# Columns that come from the text of a quote and stay as they are when its author, tags or sources change.
DERIVED = ["words", "word_count", "truncated", "checksum", "vector"]


class Versions:
    """The newest version of the dataset; it commits the next ones.

    Attributes:
        location: where the dataset is.
        manifest: the manifest of the newest version; None for a new index.
        source_tables: the sources and files that it was made from.
    """

    def __init__(self, location: Location, lock: WriterLock) -> None:
        """Start from the newest version, which holds what a run that was killed has committed."""
        self.location = location
        self._lock = lock
        self._given_up: lance.LanceDataset | None = None
        self.manifest: LanceManifest | None = None
        self.source_tables = SourceTables([], [])
        self._dataset = open_version(self.location, None)
        if self._dataset is not None:
            self._open(self._dataset)
            if self.current.unfinished == UPDATE and not self.source_tables.sources and not self.count():
                self.give_up()  # a first update that was interrupted before its first commit

    def _open(self, dataset: lance.LanceDataset) -> None:
        self._dataset = dataset
        self.manifest = read_manifest(dataset, self.location)
        self.source_tables = read_source_tables(dataset, self.location)

    @property
    def dataset(self) -> lance.LanceDataset | None:
        """The newest version; None for a new index."""
        return self._dataset

    @property
    def newest(self) -> lance.LanceDataset:
        """The newest version; call it only if there is one."""
        assert self._dataset is not None, "there is a dataset once there is a manifest"
        return self._dataset

    @property
    def current(self) -> LanceManifest:
        """The manifest of the newest version; call it only if there is one."""
        assert self.manifest is not None, "there is one once a dataset is there"
        return self.manifest

    @property
    def schema(self) -> pa.Schema:
        """The columns of the dataset."""
        return schema(self.current.dimension)

    def state(self) -> str:
        """Return a sentence on the state of the index."""
        published = open_version(self.location)
        if published is None:
            begun = f"; {counted(self.count(), 'quote')} are stored, and the same command continues from there"
            return f"The index in {self.location} was never finished{begun if self.count() else ''}."
        held, stored = published.count_rows(), self.count()
        more = ""
        if self.manifest is not None and self.manifest.unfinished == UPDATE and stored > held:
            more = f" {counted(stored - held, 'new quote')} are stored, and the same command continues from there."
        elif self.manifest is not None and self.manifest.unfinished.startswith(rebuild("")):
            more = f" {stored:,} are encoded again, and the same command continues from there."
        return f"The index in {self.location} is unchanged: {counted(held, 'quote')}.{more}"

    def count(self, files: Sequence[int] | None = None) -> int:
        """Return how many quotes the newest version holds: all, or those that come from any of `files`."""
        if self._dataset is None or files == []:
            return 0
        within = None if files is None else in_files(files)
        with reported(self.location):
            return int(self._dataset.count_rows(within))

    def rows_with(self, column: str, values: Sequence[Any], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield `columns` of the rows whose `column` is one of `values`, or holds one of them if it is "files"."""
        self._cover(column)
        condition = in_files(values) if column == "files" else f"{column} IN ({listed(values)})"
        with reported(self.location):
            yield from self.newest.to_batches(columns=list(columns), filter=condition)

    def _cover(self, column: str) -> None:
        """Add new rows to Lance's index of `column` if there are many, so that lookups need not scan them."""
        known = next((index for index in self.newest.describe_indices() if index.field_names[0] == column), None)
        if self.count() - (known.num_rows_indexed if known else 0) <= _LOOKED_THROUGH:
            return
        with self.writing():
            if known is None:
                self.newest.create_scalar_index(column, LOOKED_UP[column])
            else:
                self.newest.optimize.optimize_indices(index_names=[known.name])

    def published(self) -> lance.LanceDataset:
        """Return the version that readers open.

        Raises:
            IndexUnusableError: there is none yet.
        """
        found = open_version(self.location)
        if found is None:
            raise missing_index(self.location)
        return found

    def begin_change(self) -> None:
        """Start a change that is not an update from a complete version.

        Raises:
            IndexUnusableError: an interrupted run must be completed first.
        """
        if self.current.unfinished == CHANGE:
            self.give_up()
        elif self.current.unfinished:
            self.published()
            update, argument = self.current.unfinished == UPDATE, index_argument(self.location)
            model = f" --rebuild --model {shlex.quote(self.current.model)}"
            raise IndexUnusableError(
                f"{'An update' if update else 'A rebuild'} of the index in {self.location} was interrupted. To "
                f"finish it: quotefind index{'' if update else model}{argument}"
                + ("" if update else f". To give it up: quotefind index{argument}")
            )

    def give_up(self) -> None:
        """Continue from the published version, or from nothing; the next commit starts with it."""
        self._given_up = self.newest
        self._dataset, self.manifest, self.source_tables = open_version(self.location), None, SourceTables([], [])
        if self._dataset is not None:
            self._open(self._dataset)

    @property
    def is_published(self) -> bool:
        """Whether the newest version is the one that readers open."""
        published = open_version(self.location)
        return self._given_up is None and published is not None and published.version == self.newest.version

    def create(self, encoder: Encoder) -> None:
        """Commit an empty dataset for the vectors of `encoder`."""
        self._overwrite(
            LanceManifest(**_of_model(encoder), created=now(), updated=now(), unfinished=UPDATE), SourceTables([], [])
        )

    def _overwrite(self, manifest: LanceManifest, source_tables: SourceTables) -> None:
        """Commit an empty dataset."""
        lance = import_lance()
        columns = schema(manifest.dimension, metadata_of(manifest, source_tables))
        there = self._dataset is not None or self._given_up is not None
        with self.writing():
            self._dataset = lance.write_dataset(
                columns.empty_table(),
                str(self.location),
                mode="overwrite" if there else "create",
                storage_options=storage_options(self.location),
            )
        self.manifest, self.source_tables = manifest, source_tables

    def note_update(self, next_row: int, source_tables: SourceTables, begun: Collection[int]) -> None:
        """Commit that an update has started, and that rows up to `next_row` are taken.

        Args:
            next_row: the row of the first new quote of the next update.
            source_tables: the sources and files while the update is incomplete.
            begun: the numbers of the sources that it starts on; they are added to those of an interrupted update.
        """
        sources = sorted({*begun, *self.current.begun})
        manifest = replace(self.current, next_row=next_row, unfinished=UPDATE, begun=sources)
        if (manifest, source_tables) != (self.manifest, self.source_tables):
            self.commit(manifest, source_tables)

    def append(self, fragments: list[FragmentMetadata]) -> None:
        """Commit `fragments`, which are already written."""
        if not fragments:
            return
        lance = import_lance()
        with self._one_commit():
            self._dataset = lance.LanceDataset.commit(
                str(self.location),
                lance.LanceOperation.Append(fragments),
                read_version=self.newest.version,
                storage_options=storage_options(self.location),
            )

    def copies(self, records: list[dict[str, Any]]) -> pa.Table:
        """Return whole rows for new quotes with known texts: their vectors come from the dataset."""
        found = self._kept("digest", sorted({record["digest"] for record in records}))
        return self._with(table(records, self.schema), found, "digest")

    def merge(self, records: list[dict[str, Any]]) -> None:
        """Commit changes to stored quotes; their vectors stay."""
        found = self._kept("row", [record["row"] for record in records])
        self._merge(self._with(table(records, self.schema), found, "row"))

    def delete(self, rows: list[int]) -> None:
        """Commit that the quotes in `rows` are removed."""
        with self._one_commit():
            self.newest.delete(f"row IN ({listed(rows)})")

    def _kept(self, column: str, values: Sequence[Any]) -> pa.Table:
        """Return `DERIVED` and `column` of the rows whose `column` is one of `values`."""
        import pyarrow as pa

        names = [column, *DERIVED]
        columns = pa.schema([self.schema.field(name) for name in names])
        return pa.Table.from_batches(
            [batch.cast(columns) for batch in self.rows_with(column, values, names)], schema=columns
        )

    def _with(self, records: pa.Table, kept: pa.Table, key: str) -> pa.Table:
        """Return whole rows: `records`, each with the columns of the row of `kept` that has the same `key`."""
        import pyarrow as pa

        place = {value: position for position, value in enumerate(kept[key].to_pylist())}
        try:
            beside = kept.take([place[value] for value in records[key].to_pylist()])
        except KeyError as error:
            raise damaged(self.location, f"a quote cannot be found by its {key} {error}") from error
        columns = {name: records[name] for name in records.schema.names} | {name: beside[name] for name in DERIVED}
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def _merge(self, rows: pa.Table) -> None:
        with self._one_commit():
            self.newest.merge_insert("row").when_matched_update_all().execute(rows)

    def begin_rebuild(self, encoder: Encoder) -> lance.LanceDataset:
        """Commit an empty dataset for the vectors of `encoder`, unless an interrupted rebuild with it has done so.

        Returns:
            The version that readers open. Its quotes are to be encoded; the new version has the same sources.
        """
        before = self.published()
        unfinished = rebuild(encoder.fingerprint)
        if self.current.unfinished != unfinished:
            manifest = replace(
                read_manifest(before, self.location), **_of_model(encoder), vector_index={}, unfinished=unfinished
            )
            self._overwrite(manifest, read_source_tables(before, self.location))
        return before

    def left_to_rebuild(self, before: lance.LanceDataset, at_a_time: int, *, forget: bool) -> Iterator[pa.Table]:
        """Yield the quotes of the version `before` that the newest version lacks, without the columns in `DERIVED`.

        If `forget` is true, their proposed tags are left out.
        """
        columns = [name for name in before.schema.names if name not in DERIVED]
        with reported(self.location):
            # There may be gaps: workers finish in no order.
            done = np.sort(self.newest.to_table(columns=["row"])["row"].to_numpy())
            for batch in before.to_batches(columns=columns, batch_size=at_a_time):
                rows = batch["row"].to_numpy()
                left = np.searchsorted(done, rows, "left") == np.searchsorted(done, rows, "right")
                records = batch.filter(left).to_pylist()
                if forget:
                    records = [with_proposed(record, ()) if record["proposed"] else record for record in records]
                if records:
                    yield table(records, self.schema)

    def dead(self) -> int:
        """Return how many deleted rows still take space."""
        return sum(fragment.num_deletions for fragment in self.newest.get_fragments())

    def compact(self, cluster: Machines | None) -> None:
        """Commit the same quotes in fewer, larger fragments, without deleted rows."""
        with self.writing():
            if cluster is not None:
                cluster.compact(self.newest)
                self.newest.checkout_latest()
            else:
                self.newest.optimize.compact_files()

    def commit(self, manifest: LanceManifest, source_tables: SourceTables) -> None:
        """Commit a manifest and the list of sources."""
        manifest = replace(manifest, updated=now())
        with self._one_commit():
            self.newest.update_schema_metadata(metadata_of(manifest, source_tables))
        self.manifest, self.source_tables = manifest, source_tables

    def writing(self) -> AbstractContextManager[None]:
        """Check the lock before one step; what Lance raises in the step is reported as an error about the index."""
        with reported(self.location):
            self._lock.check()
            newest = self._dataset if self._given_up is None else self._given_up
            if newest is not None and newest.latest_version != newest.version:
                raise self._not_alone()
            if self._given_up is not None and self._dataset is not None:
                self._dataset.restore()
                self._dataset = open_version(self.location, None)
            self._given_up = None
        return reported(self.location)

    @contextmanager
    def _one_commit(self) -> Iterator[None]:
        """Like `writing`, for a step that is one commit: Lance would put it after the commit of another process."""
        with self.writing():
            before = self.newest.version
            yield
        if self.newest.version != before + 1:
            raise self._not_alone()

    def _not_alone(self) -> IndexLockedError:
        return IndexLockedError(
            f"Another process has written to the index in {self.location} at the same time. Run the command again."
        )


def table(records: Sequence[dict[str, Any]], columns: pa.Schema) -> pa.Table:
    """Return `records`, which lack the columns in `DERIVED`, as a table."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(records), schema=pa.schema([f for f in columns if f.name not in DERIVED]))


def _of_model(encoder: Encoder) -> dict[str, Any]:
    """Return the fields of a manifest that describe the model."""
    return {
        "model": encoder.name,
        "fingerprint": encoder.fingerprint,
        "pooling": encoder.pooling,
        "dimension": encoder.dim,
        "max_tokens": encoder.max_tokens,
    }
