"""What searches and commands know of an index, wherever it is stored."""

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
    """What is true of a whole index.

    Attributes:
        format: the version of its layout; each store counts its own.
        model: the reference by which the model is found.
        fingerprint: SHA-256 of the model.
        pooling: how the model makes one vector of the vectors of tokens.
        dimension: the length of a vector.
        dtype: the type of its numbers, "float32".
        max_tokens: the model ignores what comes after this many tokens.
        rate: quotes encoded per second, as last measured; 0 before.
        created: when the index was made, in ISO 8601, UTC.
        updated: when it was last written, likewise.
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
    """Return the current time in UTC, in ISO 8601, as a manifest holds it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source that an index remembers: where it is, and how many files and quotes come from it."""

    location: str
    files: int
    quotes: int


class Index(ABC):
    """One committed state of an index, whatever writers do meanwhile; use it as a context manager, or close it.

    A quote is identified by its row: a number that stays the same while this is open, in the order of adding.

    Attributes:
        location: where it is: a directory, or an address.
        shared: whether machines with other files may read it; a search never writes to a shared index.
        deferred: the mark of changes that take too long to refresh during a search, see `changes.mark_of`; '' for none.
    """

    location: Location
    shared: bool = False
    deferred: str = ""

    @property
    @abstractmethod
    def manifest(self) -> Manifest:
        """What is true of the whole index."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many quotes it holds."""

    @property
    @abstractmethod
    def mapped(self) -> int:
        """How many bytes of its files are mapped into the memory of this process."""

    @property
    @abstractmethod
    def source_tables(self) -> sqlite3.Connection:
        """A database with the tables `sources` and `files` of `schema.SCHEMA`: what the index was made from."""

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
        """Release the state that this holds, so that writers need not keep it; see `reacquire`."""

    @abstractmethod
    def reacquire(self) -> bool:
        """Hold the released state again; return whether it is still the state of the index.

        If it is not, close this and open the index again.
        """

    @abstractmethod
    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Ranking]:
        """Return for each of `queries` (q, d) the `k` nearest quotes that satisfy `where`, by cosine similarity.

        Raises:
            IndexUnusableError: a row that is ranked is not what was written.
        """

    @abstractmethod
    def search_words(self, words: Sequence[str], k: int, where: Filter | None = None) -> Ranking:
        """Return at most `k` quotes that hold any of `words`, best first by BM25; ties by row.

        A score is in (0, 1]: BM25 divided by its upper bound, the sum of idf (k1 + 1) over all words. So one word
        counts much in a query of one word, and little in a query of ten. BM25 is that of Robertson and Zaragoza, "The
        Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the idf of SQLite's FTS5.
        """

    @abstractmethod
    def rows_where(self, where: Filter) -> NDArray[np.int64]:
        """Return the rows (n,) of the quotes that satisfy `where`, ascending; without conditions, of all.

        Raises:
            IndexUnusableError: one of these rows is not what was written.
        """

    @abstractmethod
    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors (n, d) of `rows`, which `search`, `rows_where` or `quotes` has returned and so checked."""

    @abstractmethod
    def quotes(self, rows: Iterable[int]) -> list[Quote]:
        """Return the quotes in `rows`, in that order.

        Raises:
            IndexUnusableError: what is stored of one, or its vector, is not what was written.
        """

    @abstractmethod
    def digest(self, rows: NDArray[np.int64]) -> str:
        """Return the SHA-256, in hexadecimal, of the model and the checksums of `rows` (n,)."""

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
        """Return for each tag, folded, the ids of the quotes that have it; proposed tags do not count."""

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
        """Return facts about how it is stored; "bytes", its size, is always among them."""


class OpenEncoder(Protocol):
    """Opens the encoder for a model; it is called only when texts must be encoded."""

    def __call__(self, model: str | None, fingerprint: str | None, /) -> Encoder:
        """Return the encoder for `model` (None: the default), which must have `fingerprint` if that is given."""


class Lookup(Protocol):
    """What is needed to find one quote, without vectors."""

    def ids(self, where: Filter, most: int) -> list[str]:
        """Return the ids of at most `most` quotes that satisfy `where`, in no order."""

    def first_id(self, where: Filter, start: str) -> str | None:
        """Return the first id from `start` on of a quote that satisfies `where`, else the first; None if none does."""

    def quote(self, quote_id: str) -> Quote:
        """Return the quote with this id, which is in the index.

        Raises:
            IndexUnusableError: it is not what was written.
        """


class IndexWriter(Protocol):
    """The right to write an index."""

    @property
    def location(self) -> Location:
        """Where it is."""

    @property
    def manifest(self) -> Manifest | None:
        """What is true of the whole index; None for a new one."""

    def count(self) -> int:
        """Return how many quotes are stored."""

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
        """Add or refresh `sources` (none: refresh all that are remembered), and remove those in `remove`.

        Everything is read and checked before anything is changed. Nothing is encoded twice.

        Args:
            sources: what to read; a known source without options is read as before.
            model: the model of a new index; for an existing one it must be its model.
            remove: sources to remove, with their quotes.
            prune: also remove sources that are missing.
            progress: told what is going on.
            stream: what the source "-" stands for.
            at_most: give up without any change if it would take more than this many seconds.

        Raises:
            SourceError: a source cannot be read, or a record is invalid.
            UsageError: `remove` names something that is not a source of the index.
            IndexUnusableError: `model` is not the model of the index.
            TooLongError: `at_most` seconds are not enough.
        """

    def rebuild(self, *, model: str | None = None, progress: Progress = silent) -> Summary:
        """Encode all quotes again, with `model` or the model of the index; readers see the old vectors till the end."""

    def compact(self, progress: Progress = silent) -> int:
        """Free the space of removed quotes; return how many rows that was."""

    def defer(self, mark: str) -> None:
        """Remember that the changes that `mark` stands for take too long to refresh during a search."""

    def propose(self, proposed: Iterable[tuple[Quote, Sequence[str]]]) -> int:
        """Store the tags `proposed` for each quote, instead of those proposed before; all or nothing.

        A quote that has changed since it was read, or has tags of its own, is left alone.

        Returns:
            How many quotes were left alone.
        """

    def forget_proposals(self) -> int:
        """Drop all proposed tags; return how many quotes had some."""
