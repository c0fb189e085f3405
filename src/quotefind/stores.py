"""The two places where an index can be: a directory on this machine, or a Lance dataset that machines share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quotefind.errors import UsageError
from quotefind.paths import Location, is_lance

if TYPE_CHECKING:
    from quotefind.index.interface import Index, IndexWriter, Lookup, OpenEncoder
    from quotefind.index.lance.machines import Machines


def index_exists(location: Location) -> bool:
    """Whether there is an index at `location`, be it usable or not."""
    if is_lance(location):
        from quotefind.index.lance.dataset import exists

        return exists(location)
    from quotefind.index.local.reader import MatrixIndex

    return MatrixIndex.exists(Path(location))


def open_index(location: Location, *, cluster: Machines | None = None, exact: bool = False) -> Index:
    """Open the index at `location` to search it.

    Args:
        location: a directory; or the path or address of a Lance dataset, which ends in ".lance".
        cluster: search on these machines; for a Lance dataset only.
        exact: compare every quote, also where a large Lance dataset has an approximate index; others always do.

    Raises:
        IndexUnusableError: there is none, or its files do not belong together.
        ModelError: it is a Lance dataset, and the extra `scale` is missing.
        UsageError: there is a `cluster`, but the index is in a directory.
    """
    if is_lance(location):
        from quotefind.index.lance.reader import LanceIndex

        return LanceIndex(location, cluster=cluster, exact=exact)
    _check_cluster(location, cluster)
    from quotefind.index.local.reader import MatrixIndex

    return MatrixIndex(Path(location))


@contextmanager
def open_lookup(location: Location, *, missing_ok: bool = False) -> Iterator[Lookup | None]:
    """Give the index at `location` for a quote or two; None, where `missing_ok` says so, if none was ever made there.

    Raises:
        IndexUnusableError: it cannot be used.
        ModelError: as for `open_index`.
    """
    if is_lance(location):
        from quotefind.index.lance.reader import LanceIndex

        if missing_ok and not index_exists(location):
            yield None
            return
        with LanceIndex(location) as index:
            yield index
        return
    from quotefind.index.local.lookup import open_light

    with open_light(Path(location), missing_ok=missing_ok) as light:
        yield light


@contextmanager
def open_to_write(
    location: Location, open_encoder: OpenEncoder, *, wait: float = 0.0, cluster: Machines | None = None
) -> Iterator[IndexWriter]:
    """Open the index at `location`, made if it is not there, to write it; one process at a time.

    Args:
        location: as for `open_index`.
        open_encoder: called with a model and the fingerprint it must have, either may be None, when texts are to be
            encoded.
        wait: seconds to wait for another writer to finish.
        cluster: encode on these machines; for a Lance dataset only.

    Raises:
        IndexUnusableError: another process writes it, or its files cannot be used.
        ModelError, UsageError: as for `open_index`.
    """
    if is_lance(location):
        from quotefind.index.lance.writer import open_to_write as open_lance

        with open_lance(location, open_encoder, wait=wait, cluster=cluster) as lance_writer:
            yield lance_writer
        return
    _check_cluster(location, cluster)
    from quotefind.index.local.writer import open_to_write as open_matrix

    with open_matrix(Path(location), open_encoder, wait=wait) as matrix_writer:
        yield matrix_writer


def _check_cluster(location: Location, cluster: Machines | None) -> None:
    if cluster is not None:
        raise UsageError(
            f"--ray and --workers are for an index that machines share, a Lance dataset, whose name ends in .lance; "
            f"{location} is not one. As in: --index /shared/quotes.lance or --index s3://bucket/quotes.lance"
        )
