"""Open, write and verify an index: the only code that knows that there are two stores.

A local index is a directory on this machine. A Lance dataset is shared by machines; its name ends in ".lance".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quotefind.errors import UsageError
from quotefind.paths import Location, index_location, is_lance
from quotefind.progress import Progress, silent

if TYPE_CHECKING:
    from quotefind.index.interface import Index, IndexWriter, Lookup, OpenEncoder
    from quotefind.index.lance.machines import Machines


def index_exists(location: Location) -> bool:
    """Whether there is an index at `location`, usable or not."""
    location = _located(location)
    if is_lance(location):
        from quotefind.index.lance.dataset import exists

        return exists(location)
    from quotefind.index.local.reader import LocalIndex

    return LocalIndex.exists(Path(location))


def open_index(location: Location, *, cluster: Machines | None = None, exact: bool = False) -> Index:
    """Open the index at `location` for searching.

    Args:
        location: the name of an index, its directory, or the path or address of a Lance dataset, which ends in
            ".lance".
        cluster: search on these machines; for a Lance dataset only.
        exact: compare every quote, even if a Lance dataset has an approximate vector index; a local index always does.

    Raises:
        IndexUnusableError: there is no index, or its files do not belong together.
        ModelError: it is a Lance dataset, and the extra `scale` is not installed.
        UsageError: a `cluster` is given for a local index.
    """
    location = _located(location)
    if is_lance(location):
        from quotefind.index.lance.reader import LanceIndex

        return LanceIndex(location, cluster=cluster, exact=exact)
    _check_cluster(location, cluster)
    from quotefind.index.local.reader import LocalIndex

    return LocalIndex(Path(location))


@contextmanager
def open_lookup(location: Location, *, missing_ok: bool = False) -> Iterator[Lookup | None]:
    """Open the index at `location` to look up single quotes; yield None if it is missing and `missing_ok` is set.

    Raises:
        IndexUnusableError: the index cannot be used.
        ModelError: as for `open_index`.
    """
    location = _located(location)
    if is_lance(location):
        from quotefind.index.lance.reader import LanceIndex

        if missing_ok and not index_exists(location):
            yield None
            return
        with LanceIndex(location) as index:
            yield index
        return
    from quotefind.index.local.lookup import open_lookup as open_local

    with open_local(Path(location), missing_ok=missing_ok) as lookup:
        yield lookup


@contextmanager
def open_to_write(
    location: Location, open_encoder: OpenEncoder, *, wait: float = 0.0, cluster: Machines | None = None
) -> Iterator[IndexWriter]:
    """Open the index at `location` for writing, by one process at a time; make it if it is missing.

    Args:
        location: as for `open_index`.
        open_encoder: called when texts must be encoded.
        wait: seconds to wait for another writer to finish.
        cluster: encode on these machines; for a Lance dataset only.

    Raises:
        IndexUnusableError: another process is writing the index, or its files cannot be used.
        ModelError, UsageError: as for `open_index`.
    """
    location = _located(location)
    if is_lance(location):
        from quotefind.index.lance.writer import open_to_write as open_lance

        with open_lance(location, open_encoder, wait=wait, cluster=cluster) as lance_writer:
            yield lance_writer
        return
    _check_cluster(location, cluster)
    from quotefind.index.local.writer import open_to_write as open_matrix

    with open_matrix(Path(location), open_encoder, wait=wait) as matrix_writer:
        yield matrix_writer


def verify(index: Index, progress: Progress = silent) -> int:
    """Check every vector, every checksum and everything that searches use; return the number of quotes checked.

    Raises:
        IndexUnusableError: something is wrong; the message lists the first problems and says how to fix them.
    """
    if is_lance(index.location):
        from quotefind.index.lance.reader import LanceIndex
        from quotefind.index.lance.verify import verify as verify_lance

        assert isinstance(index, LanceIndex), "its location says so"
        return verify_lance(index, progress)
    from quotefind.index.local.reader import LocalIndex
    from quotefind.index.local.verify import verify as verify_local

    assert isinstance(index, LocalIndex), "its location says so"
    return verify_local(index, progress)


def _located(location: Location) -> Location:
    """Return the location of an index; a string may be a name, as in the option --index."""
    return index_location(location) if isinstance(location, str) else location


def _check_cluster(location: Location, cluster: Machines | None) -> None:
    if cluster is not None:
        raise UsageError(
            f"--ray and --workers need a Lance dataset, whose name ends in .lance; {location} is not one. "
            "As in: --index /shared/quotes.lance or --index s3://bucket/quotes.lance"
        )
