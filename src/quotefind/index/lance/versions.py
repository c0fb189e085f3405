"""The versions of the dataset that a writer makes, one after the other."""

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

# So many rows may be looked through for each few that are looked up.
_LOOKED_THROUGH = 100_000
# Columns by which quotes are looked up, and with which of Lance's indexes.
LOOKED_UP = {"row": "BTREE", "id": "BTREE", "digest": "BTREE", "files": "LABEL_LIST"}
# What comes from the vector and the words of a quote, and stays when what is said of it changes.
DERIVED = ["words", "word_count", "truncated", "checksum", "vector"]


class Versions:
    """The newest version of the dataset, and the right to write the next.

    Attributes:
        location: where it lies.
        manifest: what is true of the whole of it; None for a new one.
        source_tables: what it was made from.
    """

    def __init__(self, location: Location, lock: WriterLock) -> None:
        """Begin with the newest version: what a run that was killed has committed is in it."""
        self.location = location
        self._lock = lock
        self._given_up: lance.LanceDataset | None = None
        self.manifest: LanceManifest | None = None
        self.source_tables = SourceTables([], [])
        self._dataset = open_version(self.location, None)
        if self._dataset is not None:
            self._open(self._dataset)
            if self.current.unfinished == UPDATE and not self.source_tables.sources and not self.count():
                self.give_up()  # a first update that was stopped before it had begun

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
        """The newest version, which there is."""
        assert self._dataset is not None, "there is a dataset once there is a manifest"
        return self._dataset

    @property
    def current(self) -> LanceManifest:
        """The manifest of the newest version, which there is."""
        assert self.manifest is not None, "there is one once a dataset is there"
        return self.manifest

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return schema(self.current.dimension)

    def state(self) -> str:
        """Return a sentence on what is stored."""
        published = open_version(self.location)
        if published is None:
            begun = f"; {counted(self.count(), 'quote')} of it are stored, and the same command goes on there"
            return f"The index in {self.location} was never finished{begun if self.count() else ''}."
        held, stored = published.count_rows(), self.count()
        more = ""
        if self.manifest is not None and self.manifest.unfinished == UPDATE and stored > held:
            more = f" {counted(stored - held, 'new quote')} are stored, and the same command goes on there."
        elif self.manifest is not None and self.manifest.unfinished.startswith(rebuild("")):
            more = f" {stored:,} are encoded anew, and the same command goes on there."
        return f"The index in {self.location} answers as before: {counted(held, 'quote')}.{more}"

    def count(self, files: Sequence[int] | None = None) -> int:
        """Return how many quotes the newest version holds: all, or those that stand in any of `files`."""
        if self._dataset is None or files == []:
            return 0
        within = None if files is None else in_files(files)
        with reported(self.location):
            return int(self._dataset.count_rows(within))

    def rows_with(self, column: str, values: Sequence[Any], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield `columns` of the rows whose `column` is, or for "files" holds, any of a few `values`."""
        self._cover(column)
        condition = in_files(values) if column == "files" else f"{column} IN ({listed(values)})"
        with reported(self.location):
            yield from self.newest.to_batches(columns=list(columns), filter=condition)

    def _cover(self, column: str) -> None:
        """Let Lance's index of `column` cover what was added, so that not all of it is looked through each time."""
        known = next((index for index in self.newest.describe_indices() if index.field_names[0] == column), None)
        if self.count() - (known.num_rows_indexed if known else 0) <= _LOOKED_THROUGH:
            return
        with self.writing():
            if known is None:
                self.newest.create_scalar_index(column, LOOKED_UP[column])
            else:
                self.newest.optimize.optimize_indices(index_names=[known.name])

    def published(self) -> lance.LanceDataset:
        """Return the version that readers see.

        Raises:
            IndexUnusableError: there is none yet.
        """
        found = open_version(self.location)
        if found is None:
            raise missing_index(self.location)
        return found

    def begin_change(self) -> None:
        """Begin with a whole version, to which something is to be done that is no update.

        Raises:
            IndexUnusableError: a run was stopped that has to be finished first.
        """
        if self.current.unfinished == CHANGE:
            self.give_up()
        elif self.current.unfinished:
            self.published()
            update, argument = self.current.unfinished == UPDATE, index_argument(self.location)
            model = f" --rebuild --model {shlex.quote(self.current.model)}"
            raise IndexUnusableError(
                f"A run that {'updates' if update else 'encodes anew'} the index in {self.location} was stopped. To "
                f"finish it: quotefind index{'' if update else model}{argument}"
                + ("" if update else f". To give it up: quotefind index{argument}")
            )

    def give_up(self) -> None:
        """Go on from the published version, or from nothing; it is committed again once there is something to write."""
        self._given_up = self.newest
        self._dataset, self.manifest, self.source_tables = open_version(self.location), None, SourceTables([], [])
        if self._dataset is not None:
            self._open(self._dataset)

    @property
    def is_published(self) -> bool:
        """Whether the newest version is the one that readers see."""
        published = open_version(self.location)
        return self._given_up is None and published is not None and published.version == self.newest.version

    def create(self, encoder: Encoder) -> None:
        """Make an empty dataset for the vectors of `encoder`."""
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
        """Commit that an update has begun, and that rows up to `next_row` are taken.

        Args:
            next_row: the row of the next new quote after it.
            source_tables: what holds while it is unfinished.
            begun: the numbers of the sources that it touches; those that it had touched before it was stopped are kept.
        """
        sources = sorted({*begun, *self.current.begun})
        manifest = replace(self.current, next_row=next_row, unfinished=UPDATE, begun=sources)
        if (manifest, source_tables) != (self.manifest, self.source_tables):
            self.commit(manifest, source_tables)

    def append(self, fragments: list[FragmentMetadata]) -> None:
        """Commit `fragments`, which are written already."""
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
        """Return whole rows for new quotes whose texts are known: with the vectors that the dataset has for these."""
        found = self._kept("digest", sorted({record["digest"] for record in records}))
        return self._with(table(records, self.schema), found, "digest")

    def merge(self, records: list[dict[str, Any]]) -> None:
        """Commit what is now said of quotes that are stored."""
        found = self._kept("row", [record["row"] for record in records])
        self._merge(self._with(table(records, self.schema), found, "row"))

    def delete(self, rows: list[int]) -> None:
        """Commit that the quotes in `rows` are gone."""
        with self._one_commit():
            self.newest.delete(f"row IN ({listed(rows)})")

    def _kept(self, column: str, values: Sequence[Any]) -> pa.Table:
        """Return what stays of the rows whose `column` is any of `values`, beside that column."""
        import pyarrow as pa

        names = [column, *DERIVED]
        columns = pa.schema([self.schema.field(name) for name in names])
        return pa.Table.from_batches(
            [batch.cast(columns) for batch in self.rows_with(column, values, names)], schema=columns
        )

    def _with(self, records: pa.Table, kept: pa.Table, key: str) -> pa.Table:
        """Return whole rows: `records`, and beside each what is `kept` of the row with the same `key`."""
        import pyarrow as pa

        place = {value: position for position, value in enumerate(kept[key].to_pylist())}
        try:
            beside = kept.take([place[value] for value in records[key].to_pylist()])
        except KeyError as error:
            raise damaged(self.location, f"a quote cannot be found again by its {key} {error}") from error
        columns = {name: records[name] for name in records.schema.names} | {name: beside[name] for name in DERIVED}
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def _merge(self, rows: pa.Table) -> None:
        with self._one_commit():
            self.newest.merge_insert("row").when_matched_update_all().execute(rows)

    def begin_rebuild(self, encoder: Encoder) -> lance.LanceDataset:
        """Commit an empty dataset for the vectors of `encoder`, unless a run that was killed has begun with it.

        Returns:
            The version that readers see. Its quotes are to be encoded; the new version has the same sources.
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
        """Yield the quotes of the version `before` that the newest does not hold yet, without vectors and words.

        With `forget`, without what was proposed for them.
        """
        columns = [name for name in before.schema.names if name not in DERIVED]
        with reported(self.location):
            # With gaps: workers end in no order.
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
        """Return how many rows belong to no quote, and still take space."""
        return sum(fragment.num_deletions for fragment in self.newest.get_fragments())

    def compact(self, cluster: Machines | None) -> None:
        """Commit the same quotes in fewer and larger fragments, without what was deleted."""
        with self.writing():
            if cluster is not None:
                cluster.compact(self.newest)
                self.newest.checkout_latest()
            else:
                self.newest.optimize.compact_files()

    def commit(self, manifest: LanceManifest, source_tables: SourceTables) -> None:
        """Commit what is true of the whole of it, and what it was made from."""
        manifest = replace(manifest, updated=now())
        with self._one_commit():
            self.newest.update_schema_metadata(metadata_of(manifest, source_tables))
        self.manifest, self.source_tables = manifest, source_tables

    def writing(self) -> AbstractContextManager[None]:
        """Make sure that nobody else writes, for one step; what Lance raises in it is reported."""
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
        """As `writing`, for a step that is one commit: Lance puts it behind what another process commits meanwhile."""
        with self.writing():
            before = self.newest.version
            yield
        if self.newest.version != before + 1:
            raise self._not_alone()

    def _not_alone(self) -> IndexLockedError:
        return IndexLockedError(
            f"Another process has written to the index in {self.location} meanwhile. Run the command again."
        )


def table(records: Sequence[dict[str, Any]], columns: pa.Schema) -> pa.Table:
    """Return `records`, which hold all but what comes from vectors and words, as a table."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(records), schema=pa.schema([f for f in columns if f.name not in DERIVED]))


def _of_model(encoder: Encoder) -> dict[str, Any]:
    """Return what a manifest says of the model."""
    return {
        "model": encoder.name,
        "fingerprint": encoder.fingerprint,
        "pooling": encoder.pooling,
        "dimension": encoder.dim,
        "max_tokens": encoder.max_tokens,
    }
