"""Bring an index up to date before a search, or warn that it is out of date; keep it open between searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quotefind.errors import IndexLockedError, IndexUnusableError, QuotefindError
from quotefind.index.changes import is_stale, mark_of
from quotefind.index.interface import Index
from quotefind.index.sources import Source
from quotefind.paths import BUNDLED, DEFAULT_INDEX, Location, index_argument, index_location
from quotefind.progress import Progress, silent
from quotefind.stores import index_exists, open_index, open_to_write

if TYPE_CHECKING:
    from quotefind.encoders import Encoder
    from quotefind.index.interface import OpenEncoder
    from quotefind.index.lance.machines import Machines

# The longest time, in seconds, that a search waits for a refresh.
PATIENCE = 10.0


def open_fresh(
    location: Location,
    open_encoder: OpenEncoder,
    *,
    refresh: bool = True,
    cluster: Machines | None = None,
    exact: bool = False,
    tell: Callable[[str], None],
    progress: Progress = silent,
) -> Index:
    """Open the index at `location` for searching; bring it up to date first if that takes at most ten seconds.

    If the default index is missing, it is made from the bundled quotes. A search never writes to a shared index; if its
    sources have changed, `tell` is called. A refresh that once took too long is not tried again until the sources
    change.

    Args:
        location: where the index is.
        open_encoder: called when texts must be encoded.
        refresh: False to search the index as it is, even if the sources have changed.
        cluster, exact: as for `stores.open_index`.
        tell: called with a sentence for the user about what was done or not done.
        progress: called as the work advances.

    Raises:
        IndexUnusableError: the index cannot be used.
    """
    try:
        index = open_index(location, cluster=cluster, exact=exact)
    except IndexUnusableError:
        if location != index_location(DEFAULT_INDEX) or index_exists(location):
            raise
        _make_default(location, open_encoder, tell, progress)
        index = open_index(location)
    if not refresh or not is_stale(index):
        return index
    mark = mark_of(index)
    if index.shared or (mark and mark == index.deferred):
        tell(_changed(location))
        return index
    index.close()
    _refresh(location, open_encoder, mark, tell, progress)
    return open_index(location)


def _make_default(
    location: Location, open_encoder: OpenEncoder, tell: Callable[[str], None], progress: Progress
) -> None:
    tell("There is no index yet; making it from the bundled quotes.")
    with open_to_write(location, open_encoder, wait=600.0) as writer:
        if writer.manifest is None:  # another process may just have made it
            writer.update([Source(BUNDLED)], progress=progress)


def _changed(location: Location) -> str:
    command = f"quotefind index{index_argument(location)}"
    return f"The sources have changed; answering from the index as it is. To bring it up to date: {command}"


def _refresh(
    location: Location, open_encoder: OpenEncoder, mark: str, tell: Callable[[str], None], progress: Progress
) -> None:
    from quotefind.index.update import TooLongError

    try:
        with open_to_write(location, open_encoder) as writer:
            try:
                summary = writer.update([], progress=progress, at_most=PATIENCE)
            except TooLongError:
                writer.defer(mark)
                raise
        changes = [
            f"{count} {what}"
            for count, what in ((summary.added, "added"), (summary.updated, "updated"), (summary.removed, "removed"))
            if count
        ]
        if changes:
            tell(f"The index was out of date and has been refreshed: {', '.join(changes)}.")
        for warning in summary.warnings:
            tell(f"{warning[0].upper()}{warning[1:]}")  # it may end in a command
    except TooLongError:
        tell(_changed(location))
    except IndexLockedError:
        tell("Another process is bringing the index up to date; answering from what it has committed so far.")
    except QuotefindError as error:
        if isinstance(error, IndexUnusableError) and not index_exists(location):
            raise
        tell(f"The sources have changed, but the index could not be refreshed; answering from it as it is. {error}")


class SearchSession:
    """An index and its encoder, kept open between searches; each search sees what other processes have committed.

    No state of the index is held between searches, so that writers need not keep an old one.

    Attributes:
        location: where the index is.
    """

    def __init__(
        self,
        location: Location,
        *,
        refresh: bool,
        make: bool = True,
        cluster: Machines | None = None,
        exact: bool = False,
        tell: Callable[[str], None],
    ) -> None:
        """Open nothing yet.

        Args:
            location: where the index is.
            refresh: whether it is brought up to date before each search, as by `open_fresh`.
            make: whether the default index is made if it is missing.
            cluster, exact: as for `stores.open_index`.
            tell: called with a sentence for the user about what was done or not done.
        """
        self.location = location
        self._refresh = refresh
        self._make = make
        self._cluster = cluster
        self._exact = exact
        self._tell = tell
        self._index: Index | None = None
        self._encoder: Encoder | None = None
        self._stays_stale = False  # a failed refresh is not repeated before each search

    @property
    def mapped(self) -> int:
        """The number of bytes of files that are mapped into memory."""
        return self._index.mapped if self._index is not None else 0

    @contextmanager
    def answering(self, open_encoder: OpenEncoder, progress: Progress = silent) -> Iterator[tuple[Index, Encoder]]:
        """Yield the index in its newest state, and its encoder.

        Args:
            open_encoder: called for the first search, and when the model of the index has changed.
            progress: called as the work advances.

        Raises:
            IndexUnusableError: the index cannot be used.
            ModelError: its model cannot be used.
        """

        def encoder_for(model: str | None, fingerprint: str | None) -> Encoder:
            if self._encoder is None or self._encoder.fingerprint != fingerprint:
                self._encoder = open_encoder(model, fingerprint)
            return self._encoder

        with self.reading(encoder_for, progress) as index:
            yield index, encoder_for(index.manifest.model, index.manifest.fingerprint)

    @contextmanager
    def reading(self, open_encoder: OpenEncoder, progress: Progress = silent) -> Iterator[Index]:
        """Yield only the index; `open_encoder` is called only if the index must be refreshed."""
        index = self._newest(open_encoder, progress)
        try:
            yield index
        finally:
            index.release()

    def names(self, kind: str, beginning: str) -> list[str]:
        """Return names that complete `beginning`, see `Index.names`; none while no index is open."""
        return self._index.names(kind, beginning) if self._index is not None else []

    def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def _newest(self, open_encoder: OpenEncoder, progress: Progress) -> Index:
        index = self._index
        if (
            index is not None
            and index.reacquire()
            and not (self._refresh and not self._stays_stale and is_stale(index))
        ):
            return index
        self.close()
        if self._make:
            index = open_fresh(
                self.location,
                open_encoder,
                refresh=self._refresh,
                cluster=self._cluster,
                exact=self._exact,
                tell=self._tell,
                progress=progress,
            )
        else:
            index = open_index(self.location, cluster=self._cluster, exact=self._exact)
        self._index = index
        self._stays_stale = self._refresh and is_stale(index)
        return index
