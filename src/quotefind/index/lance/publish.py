"""A version of the dataset made whole: tidied up, with its indexes brought up to date, and shown to readers."""

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
# Readers have so long to finish with a version that is not the newest any more.
_KEPT_FOR = timedelta(hours=1)
# A fragment of so many rows is left as it is: written again, it takes space twice for as long as readers have time.
_WHOLE = 4096
# So many may be less than half of that; and so many rows, and such a share of all, may belong to quotes that are gone.
_FRAGMENTS, _DEAD_ROWS, _DEAD_SHARE = 32, 1000, 0.25


def publish(
    versions: Versions,
    source_tables: SourceTables,
    progress: Progress,
    *,
    requests: Callable[[], Vectors],
    cluster: Machines | None,
    rate: float | None = None,
) -> None:
    """Bring the indexes up to date, and let readers see this version.

    Args:
        versions: of the dataset.
        source_tables: what the version was made from.
        progress: told the steps.
        requests: see `vector_index.bring_up_to_date`.
        cluster: the machines that make the index of the vectors; without one, this process does.
        rate: how many quotes were encoded in a second, where some were.
    """
    if versions.is_published and source_tables == versions.source_tables:
        return
    _tidy(versions, progress)
    made = _index(versions, progress, requests, cluster)
    with reported(versions.location):
        counts = versions.newest.to_batches(columns=["word_count"])
        words = sum(int(batch["word_count"].to_numpy().sum()) for batch in counts)
    manifest = replace(versions.current, words=words, vector_index=made.stored(), unfinished="", begun=[])
    versions.commit(manifest if rate is None else replace(manifest, rate=rate), source_tables)
    show(versions)


def show(versions: Versions) -> None:
    """Let readers see the newest version, if it is whole and they do not; so ends also what a run that was killed left.

    Versions that nobody can be reading any more are deleted.
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
    """Keep the version that readers have seen so far for a while, and no longer those for which that is over.

    Lance would delete it by when it was committed, and not by when another took its place.
    """
    tags, time_now = versions.newest.tags, int(time.time())
    if TAG in known:
        version = known[TAG]["version"]
        until = time_now + int(_KEPT_FOR.total_seconds())
        name = f"{TAG}-{version}-until-{until}"
        if name not in known:  # a run that was killed may have come as far as this
            tags.create(name, version)
    for name in known:
        old, _, until_then = name.partition("-until-")
        if old.startswith(f"{TAG}-") and until_then.isdecimal() and int(until_then) < time_now:
            tags.delete(name)


def _tidy(versions: Versions, progress: Progress) -> None:
    """Put fragments together where many are small, and leave out what was deleted where that is much."""
    small = sum(fragment.physical_rows < _WHOLE // 2 for fragment in versions.newest.get_fragments())
    if small > _FRAGMENTS or versions.dead() > max(_DEAD_ROWS, _DEAD_SHARE * versions.count()):
        progress("compacting")
        with versions.writing():
            versions.newest.optimize.compact_files(target_rows_per_fragment=_WHOLE)


def _index(
    versions: Versions, progress: Progress, requests: Callable[[], Vectors], cluster: Machines | None
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
        return vector_index.bring_up_to_date(
            versions.newest, before, large=vector_index.LARGE, requests=requests, cluster=cluster, progress=progress
        )
