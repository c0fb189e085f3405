"""The versions of the dataset that a writer makes, one after the other, and the last of them published."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quotefind.encoders import Encoder
from quotefind.errors import IndexLockedError
from quotefind.index.state import now
from quotefind.lance_index import nearest
from quotefind.lance_index.conditions import literals
from quotefind.lance_index.dataset import (
    TAG,
    LanceManifest,
    damaged,
    import_lance,
    metadata_of,
    open_version,
    read_manifest,
    reported,
    schema,
    storage_options,
)
from quotefind.lance_index.lease import Lease
from quotefind.lance_index.rows import folded, json_of, sealed
from quotefind.paths import Location
from quotefind.progress import Progress
from quotefind.records import Quote
from quotefind.text import counted

if TYPE_CHECKING:
    import lance
    import pyarrow as pa
    from lance.fragment import FragmentMetadata

    from quotefind.lance_index.cluster import Cluster

# Columns by which quotes are looked up, and with which of Lance's indexes.
_LOOKED_UP = {"row": "BTREE", "id": "BTREE", "digest": "BTREE", "files": "LABEL_LIST"}
# The words are taken apart already: every one counts as it stands.
_WORDS = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": None,
    "with_position": False,
}
# What comes from the vector and the words of a quote, and stays when what is said of it changes.
_KEPT = ["words", "word_count", "truncated", "checksum", "vector"]
# Readers have so long to finish with a version that is not the newest any more.
_KEPT_FOR = timedelta(hours=1)
# A fragment of so many rows is left as it is: written again, it takes space twice for as long as readers have time.
_WHOLE = 4096
# So many may be less than half of that; and so many rows, and such a share of all, may belong to quotes that are gone.
_FRAGMENTS, _DEAD_ROWS, _DEAD_SHARE = 32, 1000, 0.25


class Store:
    """The newest version of the dataset, and the right to write the next.

    Attributes:
        location: where it lies.
        manifest: what is true of the whole of it; None for a new one.
    """

    def __init__(self, location: Location, lease: Lease) -> None:
        """Begin with the newest version: what a run that was killed has committed is in it."""
        self.location = location
        self.manifest: LanceManifest | None = None
        self._lease = lease
        self._dataset = open_version(location, None)
        if self._dataset is not None:
            self.manifest = read_manifest(self._dataset, location)

    @property
    def dataset(self) -> lance.LanceDataset | None:
        """The newest version; None for a new index."""
        return self._dataset

    @property
    def _newest(self) -> lance.LanceDataset:
        assert self._dataset is not None, "there is a dataset once there is a manifest"
        return self._dataset

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._newest.schema

    def state(self) -> str:
        """Return a sentence on what is stored."""
        published = open_version(self.location)
        if published is None:
            stored = f"; {counted(self.count(), 'quote')} of it are stored, and the same command goes on there"
            return f"The index in {self.location} was never finished{stored if self.count() else ''}."
        more = self.count() - published.count_rows() if self._dataset is not None else 0
        unfinished = (
            f" {counted(more, 'new quote')} are stored, and the same command goes on there." if more > 0 else ""
        )
        return (
            f"The index in {self.location} answers as before: {counted(published.count_rows(), 'quote')}.{unfinished}"
        )

    def count(self, files: Sequence[int] | None = None) -> int:
        """Return how many quotes the newest version holds: all, or those that stand in any of `files`."""
        if self._dataset is None or files == []:
            return 0
        within = None if files is None else f"array_has_any(files, [{', '.join(map(str, files))}])"
        with reported(self.location):
            return int(self._dataset.count_rows(within))

    def published(self) -> lance.LanceDataset:
        """Return the version that readers see."""
        found = open_version(self.location)
        assert found is not None, "an index that has a manifest and is to be rebuilt was published"
        return found

    def create(self, encoder: Encoder, ledger: sqlite3.Connection) -> None:
        """Make an empty dataset for the vectors of `encoder`."""
        lance = import_lance()
        manifest = LanceManifest(
            model=encoder.name,
            fingerprint=encoder.fingerprint,
            pooling=encoder.pooling,
            dimension=encoder.dim,
            max_tokens=encoder.max_tokens,
            created=now(),
            updated=now(),
        )
        columns = schema(encoder.dim)
        with self._writing():
            self._dataset = lance.write_dataset(
                columns.empty_table(), str(self.location), storage_options=storage_options(self.location)
            )
        self._store(manifest, ledger)

    def reserve(self, next_row: int, ledger: sqlite3.Connection) -> None:
        """Commit that rows up to `next_row` are taken, and the numbers of files that stand in them."""
        self._store(replace(self._manifest, next_row=next_row), ledger)

    def append(self, fragments: list[FragmentMetadata]) -> None:
        """Commit `fragments`, which are written already."""
        if not fragments:
            return
        lance = import_lance()
        with self._writing():
            self._dataset = lance.LanceDataset.commit(
                str(self.location),
                lance.LanceOperation.Append(fragments),
                read_version=self._newest.version,
                storage_options=storage_options(self.location),
            )

    def copies(self, records: list[dict[str, Any]]) -> pa.Table:
        """Return whole rows for new quotes whose texts are known: with the vectors that the dataset has for these."""
        found = self._rows_by("digest", sorted({record["digest"] for record in records}), "digest")
        return self._with(table(records, self.schema), found, "digest")

    def merge(self, records: list[dict[str, Any]]) -> None:
        """Commit what is now said of quotes that are stored."""
        found = self._rows_by("row", [record["row"] for record in records], "row")
        self._merge(self._with(table(records, self.schema), found, "row"))

    def delete(self, rows: list[int]) -> None:
        """Commit that the quotes in `rows` are gone."""
        with self._writing():
            self._newest.delete(f"row IN ({', '.join(map(str, rows))})")

    def _rows_by(self, column: str, values: Sequence[Any], key: str) -> pa.Table:
        named = literals(values) if values and isinstance(values[0], str) else ", ".join(map(str, values))
        with reported(self.location):
            return self._newest.to_table(columns=[key, *_KEPT], filter=f"{column} IN ({named})")

    def _with(self, records: pa.Table, kept: pa.Table, key: str) -> pa.Table:
        """Return whole rows: `records`, and beside each what is `kept` of the row with the same `key`."""
        import pyarrow as pa

        place = {value: position for position, value in enumerate(kept[key].to_pylist())}
        try:
            beside = kept.take([place[value] for value in records[key].to_pylist()])
        except KeyError as error:
            raise damaged(self.location, f"a quote cannot be found again by its {key} {error}") from error
        columns = {name: records[name] for name in records.schema.names} | {name: beside[name] for name in _KEPT}
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def _merge(self, rows: pa.Table) -> None:
        with self._writing():
            self._newest.merge_insert("row").when_matched_update_all().execute(rows)

    def propose(self, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
        """Commit proposed tags; return how many quotes are not any more what was read, and are left alone."""
        left_alone = 0
        for part in _parts(((quote, tags) for quote, tags in proposed if tuple(tags) != quote.proposed), 1000):
            wanted = {quote.id or "": (quote, tags) for quote, tags in part}
            with reported(self.location):
                found = self._newest.to_table(filter=f"id IN ({literals(wanted)})")
            changed = []
            for record in found.drop_columns(_KEPT).to_pylist():
                quote, tags = wanted[record["id"]]
                same = (tuple(record["proposed"]), record["work"], record["year"], record["note"]) == (
                    quote.proposed,
                    quote.work,
                    quote.year,
                    quote.note,
                )
                if same and not record["tags"] and sealed(record):
                    changed.append(_proposing(record, tags))
            left_alone += len(part) - len(changed)
            if changed:
                self._merge(self._with(table(changed, self.schema), found, "row"))
        return left_alone

    def forget_proposals(self) -> int:
        """Commit that nothing is proposed for any quote; return for how many something was."""
        with reported(self.location):
            found = self._newest.to_table(filter="array_length(proposed) > 0")
        records = found.drop_columns(_KEPT).to_pylist()
        for record in records:
            if not sealed(record):
                raise damaged(self.location, f"quote {record['id']} is not what was written")
        changed = [_proposing(record, ()) for record in records]
        if changed:
            self._merge(self._with(table(changed, self.schema), found, "row"))
        return len(changed)

    def begin_rebuild(self, encoder: Encoder, ledger: sqlite3.Connection) -> None:
        """Commit an empty dataset for the vectors of `encoder`, unless a run that was killed has begun with it."""
        if self._manifest.rebuilds == encoder.fingerprint:
            return
        lance = import_lance()
        manifest = replace(
            self._manifest,
            model=encoder.name,
            fingerprint=encoder.fingerprint,
            pooling=encoder.pooling,
            dimension=encoder.dim,
            max_tokens=encoder.max_tokens,
            rebuilds=encoder.fingerprint,
            nearest={},
        )
        with self._writing():
            self._dataset = lance.write_dataset(
                schema(encoder.dim).empty_table(),
                str(self.location),
                mode="overwrite",
                storage_options=storage_options(self.location),
            )
        self._store(manifest, ledger)

    def left_to_rebuild(self, before: lance.LanceDataset, at_a_time: int, *, forget: bool) -> Iterator[pa.Table]:
        """Yield the quotes of the version `before` that the newest does not hold yet, without vectors and words.

        With `forget`, without what was proposed for them.
        """
        with reported(self.location):
            done = set(self._newest.to_table(columns=["row"])["row"].to_pylist())
            columns = [name for name in before.schema.names if name not in _KEPT]
            for batch in before.to_batches(columns=columns, batch_size=at_a_time):
                records = [record for record in batch.to_pylist() if record["row"] not in done]
                if forget:
                    records = [_proposing(record, ()) if record["proposed"] else record for record in records]
                if records:
                    yield table(records, self.schema)

    def give_up_rebuild(self) -> None:
        """Commit the published version again, where the newest is that of a rebuild that was killed."""
        if self.manifest is None or not self.manifest.rebuilds:
            return
        with self._writing():
            before = self.published()
            before.restore()
            self._dataset = open_version(self.location, None)
        self.manifest = read_manifest(before, self.location)

    def dead(self) -> int:
        """Return how many rows belong to no quote, and still take space."""
        return sum(fragment.num_deletions for fragment in self._newest.get_fragments())

    def compact(self, cluster: Cluster | None) -> None:
        """Commit the same quotes in fewer and larger fragments, without what was deleted."""
        with self._writing():
            if cluster is not None:
                cluster.compact(self._newest)
                self._dataset = open_version(self.location, None)
            else:
                self._newest.optimize.compact_files()

    def _tidy(self, progress: Progress) -> None:
        """Put fragments together where many are small, and leave out what was deleted where that is much."""
        small = sum(fragment.physical_rows < _WHOLE // 2 for fragment in self._newest.get_fragments())
        if small > _FRAGMENTS or self.dead() > max(_DEAD_ROWS, _DEAD_SHARE * self.count()):
            progress("compacting")
            with self._writing():
                self._newest.optimize.compact_files(target_rows_per_fragment=_WHOLE)

    def publish(
        self, ledger: sqlite3.Connection, progress: Progress, *, cluster: Cluster | None, rate: float | None = None
    ) -> None:
        """Bring the indexes up to date, and let readers see this version."""
        self._tidy(progress)
        made = self._index(progress, cluster)
        counts = self._newest.to_batches(columns=["word_count"])
        words = sum(int(batch["word_count"].to_numpy().sum()) for batch in counts)
        manifest = replace(self._manifest, words=words, nearest=made.stored(), rebuilds="")
        self._store(manifest if rate is None else replace(manifest, rate=rate), ledger)
        with self._writing():
            tags = self._newest.tags
            (tags.update if TAG in tags.list() else tags.create)(TAG, self._newest.version)
            self._newest.cleanup_old_versions(older_than=_KEPT_FOR, error_if_tagged_old_versions=False)

    def _index(self, progress: Progress, cluster: Cluster | None) -> nearest.Nearest:
        before = nearest.Nearest.of(self._manifest.nearest)
        if not self.count():
            return nearest.Nearest()
        progress("indexing")
        with self._writing():
            known = {index.field_names[0] for index in self._newest.describe_indices()}
            for column, kind in _LOOKED_UP.items():
                if column not in known:
                    self._newest.create_scalar_index(column, kind)
            if "words" not in known:
                self._newest.create_scalar_index("words", "INVERTED", **_WORDS)
            others = [index.name for index in self._newest.describe_indices() if index.name != nearest.NAME]
            self._newest.optimize.optimize_indices(index_names=others)
            if "vector" not in known:
                before = nearest.Nearest()
            made = nearest.bring_up_to_date(
                self._newest, before, large=nearest.LARGE, cluster=cluster, progress=progress
            )
            if cluster is not None:
                self._dataset = open_version(self.location, None)
        return made

    @property
    def _manifest(self) -> LanceManifest:
        assert self.manifest is not None, "there is one once a dataset is there"
        return self.manifest

    def _store(self, manifest: LanceManifest, ledger: sqlite3.Connection) -> None:
        self.manifest = replace(manifest, updated=now())
        with self._writing():
            self._newest.update_metadata(metadata_of(self.manifest, ledger))

    def _writing(self) -> AbstractContextManager[None]:
        """Make sure that nobody else writes, for one step; what Lance raises in it is reported."""
        self._lease.check()
        if self._dataset is not None and self._dataset.latest_version != self._dataset.version:
            raise IndexLockedError(
                f"Another process has written to the index in {self.location} meanwhile. Run the command again."
            )
        return reported(self.location)


def table(records: Sequence[dict[str, Any]], columns: pa.Schema) -> pa.Table:
    """Return `records`, which hold all but what comes from vectors and words, as a table."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(records), schema=pa.schema([f for f in columns if f.name not in _KEPT]))


def _proposing(record: dict[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """Return `record` with other proposed tags, and so another seal."""
    from quotefind.index.database import seal

    shown = (record["id"], record["text"], record["author"], record["work"], record["year"], json_of(record["tags"]))
    return {
        **record,
        "proposed": list(tags),
        "proposed_folded": folded(tags),
        "seal": seal(*shown, json_of(tags), record["note"]),
    }


def _parts(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    part: list[Any] = []
    for value in values:
        part.append(value)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
