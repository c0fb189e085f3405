"""Complete a version of the dataset: compact it, update its indexes, and show it to readers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quotefind.index.lance import vector_index
from quotefind.index.lance.dataset import TAG, drop_shared, reported
from quotefind.index.lance.sources import SourceTables
from quotefind.index.lance.versions import LOOKED_UP, Versions
from quotefind.progress import Progress
from quotefind.similarity import Vectors

if TYPE_CHECKING:
    from quotefind.index.lance.machines import Machines


# The column holds terms that are already split and stemmed, so Lance must not change them.
_WORDS = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": None,
    "with_position": False,
}
# Readers have this long to finish with a version after it was replaced.
_KEPT_FOR = timedelta(hours=1)
# Fragments with this many rows are not rewritten: the old copy would take space for as long as readers may use it.
_WHOLE = 4096
# Compact above this many fragments of less than half that size, or above this number and share of deleted rows.
_FRAGMENTS, _DEAD_ROWS, _DEAD_SHARE = 32, 1000, 0.25


def publish(
    versions: Versions,
    source_tables: SourceTables,
    progress: Progress,
    *,
    queries: Callable[[], Vectors],
    cluster: Machines | None,
    rate: float | None = None,
) -> None:
    """Update the indexes and show this version to readers.

    Args:
        versions: the versions of the dataset.
        source_tables: the sources and files that the version was made from.
        progress: called with each step.
        queries: see `vector_index.update`.
        cluster: the machines that build the index of the vectors; None to build it in this process.
        rate: quotes encoded per second; None if none were encoded.
    """
    if versions.is_published and source_tables == versions.source_tables:
        return
    _tidy(versions, progress)
    made = _index(versions, progress, queries, cluster)
    with reported(versions.location):
        counts = versions.newest.to_batches(columns=["word_count"])
        words = sum(int(batch["word_count"].to_numpy().sum()) for batch in counts)
    manifest = replace(versions.current, words=words, vector_index=made.stored(), unfinished="", begun=[])
    versions.commit(manifest if rate is None else replace(manifest, rate=rate), source_tables)
    show(versions)


def show(versions: Versions) -> None:
    """Show the newest version to readers if it is complete; this also completes the work of a run that was killed.

    Versions that nobody can still be reading are deleted.
    """
    if versions.manifest is None or versions.manifest.unfinished or versions.is_published:
        return
    with versions.writing():
        tags = versions.newest.tags
        known = tags.list()
        _leave_to_readers(versions, known)
        (tags.update if TAG in known else tags.create)(TAG, versions.newest.version)
        versions.newest.cleanup_old_versions(older_than=_KEPT_FOR, error_if_tagged_old_versions=False)
    drop_shared(versions.location)


def _leave_to_readers(versions: Versions, known: dict[str, Any]) -> None:
    """Keep the version that readers have seen so far for a while, and drop those whose time is over.

    Lance alone would delete a version by the time of its commit, not by the time at which it was replaced.
    """
    tags, time_now = versions.newest.tags, int(time.time())
    if TAG in known:
        version = known[TAG]["version"]
        until = time_now + int(_KEPT_FOR.total_seconds())
        name = f"{TAG}-{version}-until-{until}"
        if name not in known:  # a run that was killed may have made it
            tags.create(name, version)
    for name in known:
        old, _, until_then = name.partition("-until-")
        if old.startswith(f"{TAG}-") and until_then.isdecimal() and int(until_then) < time_now:
            tags.delete(name)


def _tidy(versions: Versions, progress: Progress) -> None:
    """Merge small fragments if there are many, and remove deleted rows if there are many."""
    small = sum(fragment.physical_rows < _WHOLE // 2 for fragment in versions.newest.get_fragments())
    if small > _FRAGMENTS or versions.dead() > max(_DEAD_ROWS, _DEAD_SHARE * versions.count()):
        progress("compacting")
        with versions.writing():
            versions.newest.optimize.compact_files(target_rows_per_fragment=_WHOLE)


def _index(
    versions: Versions, progress: Progress, queries: Callable[[], Vectors], cluster: Machines | None
) -> vector_index.VectorIndex:
    before = vector_index.VectorIndex.of(versions.current.vector_index)
    if not versions.count():
        return vector_index.VectorIndex()
    progress("indexing")
    with versions.writing():
        known = {index.field_names[0] for index in versions.newest.describe_indices()}
        for column, kind in LOOKED_UP.items():
            if column not in known:
                versions.newest.create_scalar_index(column, kind)
        if "words" not in known:
            versions.newest.create_scalar_index("words", "INVERTED", **_WORDS)
        others = [index.name for index in versions.newest.describe_indices() if index.name != vector_index.NAME]
        versions.newest.optimize.optimize_indices(index_names=others)
        if "vector" not in known:
            before = vector_index.VectorIndex()
        return vector_index.update(
            versions.newest, before, large=vector_index.LARGE, queries=queries, cluster=cluster, progress=progress
        )
