"""The interface of an index, the same for every store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from quotefind.progress import Progress, silent

if TYPE_CHECKING:
    import sqlite3
    from types import TracebackType
    from typing import BinaryIO, Self

    import numpy as np
    from numpy.typing import NDArray

    from quotefind.encoders import Encoder
    from quotefind.index.filters import Filter
    from quotefind.index.sources import Source
    from quotefind.index.summary import Summary
    from quotefind.paths import Location
    from quotefind.records import Quote
    from quotefind.similarity import Ranking, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Facts about an index as a whole.
    Attributes:
        format: the version of the storage format; each store numbers its own.
        model: the name or path that the model is opened with.
        fingerprint: the SHA-256 of the model.
        pooling: how the model combines token vectors into one vector.
        dimension: the length of a vector.
        dtype: the data type of a vector, "float32".
        max_tokens: the model ignores everything after this many tokens.
        rate: quotes encoded per second when last measured; 0 if never measured.
        created: when the index was made, in ISO 8601, UTC.
        updated: when it was last written, in ISO 8601, UTC.
    """

    format: int
    model: str
    fingerprint: str
    pooling: str
    dimension: int
    max_tokens: int
    created: str
    updated: str
    dtype: str = "float32"
    rate: float = 0.0


def now() -> str:
    """Return the current time in UTC, in the ISO 8601 form that manifests use."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source that an index remembers: its location, and the numbers of its files and quotes."""

    location: str
    files: int
    quotes: int


class Index(ABC):
    """One committed state of an index, unaffected by writers; use it as a context manager, or close it.

    A quote is identified by its row number, which does not change while the index is open. Rows are numbered in the
    order in which quotes were added.

    Attributes:
        location: the directory or the address of the index.
        shared: whether machines with other file systems may read it; a search never writes to a shared index.
        deferred: the mark of changes that take too long to refresh during a search (see `changes.mark_of`); '' if none.
    """

    location: Location
    shared: bool = False
    deferred: str = ""

    @property
    @abstractmethod
    def manifest(self) -> Manifest:
        """Facts about the index as a whole."""

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of quotes."""

    @property
    @abstractmethod
    def mapped(self) -> int:
        """The number of bytes of its files that this process has mapped into memory."""

    @property
    @abstractmethod
    def source_tables(self) -> sqlite3.Connection:
        """A database with the tables `sources` and `files` of `schema.SCHEMA`, from which the index was made."""

    def __enter__(self) -> Self:
        """Return the index."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the index."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the files."""

    @abstractmethod
    def release(self) -> None:
        """Release the held state, so that writers need not keep it; see `reacquire`."""

    @abstractmethod
    def reacquire(self) -> bool:
        """Hold the released state again; return whether it is still the current one.

        If it is not, close this object and open the index again.
        """

    @abstractmethod
    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Ranking]:
        """Return, for each of `queries` (q, d), the `k` nearest quotes that satisfy `where`, by cosine similarity.

        Raises:
            IndexUnusableError: a ranked row does not match its checksum.
        """

    @abstractmethod
    def search_words(self, words: Sequence[str], k: int, where: Filter | None = None) -> Ranking:
        """Return at most `k` quotes that hold any of `words`, best first by BM25; ties by row.

        A score is in (0, 1]: BM25 divided by its upper bound, the sum of idf (k1 + 1) over all words. So a word counts
        for much in a query of one word, and for little in a query of ten. BM25 is as in Robertson and Zaragoza, "The
        Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the idf of SQLite's FTS5.
        """

    @abstractmethod
    def rows_where(self, where: Filter) -> NDArray[np.int64]:
        """Return the rows (n,) of the quotes that satisfy `where`, ascending; all rows if it has no conditions.

        Raises:
            IndexUnusableError: one of these rows does not match its checksum.
        """

    @abstractmethod
    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors (n, d) of `rows`, which must come from a method that checks them, such as `search`."""

    @abstractmethod
    def quotes(self, rows: Iterable[int]) -> list[Quote]:
        """Return the quotes in `rows`, in that order.

        Raises:
            IndexUnusableError: a quote, or its vector, does not match its checksum.
        """

    @abstractmethod
    def digest(self, rows: NDArray[np.int64]) -> str:
        """Return a SHA-256, in hexadecimal, over the model and the checksums of `rows` (n,)."""

    @abstractmethod
    def row_of(self, quote_id: str) -> int | None:
        """Return the row of the only quote whose id begins with `quote_id`; None if there is none or more than one."""

    @abstractmethod
    def rows_with_text(self, text: str) -> list[int]:
        """Return the rows of the quotes with exactly this normalised text, by any author."""

    @abstractmethod
    def rows_with_proposals(self) -> NDArray[np.int64]:
        """Return the rows (n,) of the quotes with proposed tags, ascending."""

    @abstractmethod
    def ids_by_tag(self) -> dict[str, list[str]]:
        """Return, for each folded tag, the ids of the quotes that have it; proposed tags do not count."""

    @abstractmethod
    def names(self, kind: str, beginning: str, limit: int = 50) -> list[str]:
        """Return at most `limit` names with a word that starts with `beginning`, in alphabetical order.

        Case and accents do not matter, as in a filter; `kind` is "author", "work" or "tag".
        """

    @abstractmethod
    def sources(self) -> list[SourceInfo]:
        """Return the sources that the index remembers, in the order of adding."""

    @abstractmethod
    def statistics(self) -> dict[str, int]:
        """Return the numbers of authors, works, tags, truncated texts and quotes with proposed tags."""

    @abstractmethod
    def storage(self) -> dict[str, Any]:
        """Return facts about how the index is stored; they always include its size, "bytes"."""


class OpenEncoder(Protocol):
    """Opens the encoder for a model; called only when texts must be encoded."""

    def __call__(self, model: str | None, fingerprint: str | None, /) -> Encoder:
        """Return the encoder for `model` (None for the default), which must have `fingerprint` unless that is None."""


class Lookup(Protocol):
    """Finds single quotes without loading vectors."""

    def ids(self, where: Filter, most: int) -> list[str]:
        """Return the ids of at most `most` quotes that satisfy `where`, in no particular order."""

    def first_id(self, where: Filter, start: str) -> str | None:
        """Return the first id from `start` on, or else the very first, of the quotes that satisfy `where`; or None."""

    def quote(self, quote_id: str) -> Quote:
        """Return the quote with this id, which must be in the index.

        Raises:
            IndexUnusableError: the quote does not match its checksum.
        """


class IndexWriter(Protocol):
    """An index that is open for writing."""

    @property
    def location(self) -> Location:
        """The directory or the address of the index."""

    @property
    def manifest(self) -> Manifest | None:
        """Facts about the index as a whole; None for a new one."""

    def count(self) -> int:
        """Return the number of stored quotes."""

    def require_manifest(self) -> Manifest:
        """Return the manifest.

        Raises:
            IndexUnusableError: there is no index here yet.
        """

    def update(
        self,
        sources: list[Source],
        *,
        model: str | None = None,
        remove: tuple[str, ...] = (),
        prune: bool = False,
        progress: Progress = silent,
        stream: BinaryIO | None = None,
        at_most: float | None = None,
    ) -> Summary:
        """Add or refresh `sources`, and remove those in `remove`; without `sources`, refresh all remembered ones.

        Everything is read and checked before anything is changed. Nothing is encoded twice.

        Args:
            sources: what to read; a known source without options is read as before.
            model: the model of a new index; for an existing index it must be the same model.
            remove: sources to remove, with their quotes.
            prune: also remove sources that are missing.
            progress: called as the update advances.
            stream: the stream to read for the source "-".
            at_most: give up without changing anything if the update would take more than this many seconds.

        Raises:
            SourceError: a source cannot be read or decoded.
            UsageError: `remove` names something that is not a source of the index.
            IndexUnusableError: `model` is not the model of the index.
            TooLongError: the update would take more than `at_most` seconds.
        """

    def rebuild(self, *, model: str | None = None, progress: Progress = silent) -> Summary:
        """Encode all quotes again, with `model` or that of the index; readers see the old vectors until the end."""

    def compact(self, progress: Progress = silent) -> int:
        """Free the space of removed quotes; return the number of rows freed."""

    def defer(self, mark: str) -> None:
        """Remember that the changes identified by `mark` take too long to refresh during a search."""

    def propose(self, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
        """Replace the proposed tags of each quote with those in `proposed`, for all quotes or for none.

        A quote that has changed since it was read, or has tags of its own, is skipped.

        Returns:
            The number of quotes that were skipped.
        """

    def forget_proposals(self) -> int:
        """Drop all proposed tags; return the number of quotes that had any."""
