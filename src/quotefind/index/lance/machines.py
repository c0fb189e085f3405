"""What an index in a Lance dataset needs of the machines that share its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import lance
    import pyarrow as pa
    from lance.fragment import FragmentMetadata

    from quotefind.index.lance.dataset import LanceManifest
    from quotefind.paths import Location
    from quotefind.progress import Progress


class Encoded(NamedTuple):
    """Quotes that were encoded and written into fragments, which no version of the dataset has yet.

    Attributes:
        fragments: the fragments that hold them.
        rows: their row numbers.
        truncated: how many texts the encoder cut.
    """

    fragments: list[FragmentMetadata]
    rows: list[int]
    truncated: int


class Machines(Protocol):
    """Several machines that work on one index; `ray_cluster.Cluster` is one."""

    def connect(self, location: Location, state: Callable[[], str]) -> None:
        """Connect to them, once.

        Args:
            location: of the index that they work on.
            state: returns a sentence on the state of the index, for error messages now and later.

        Raises:
            ModelError: they cannot be reached.
        """

    def encode(
        self,
        tables: Iterable[pa.Table],
        total: int,
        location: Location,
        schema: pa.Schema,
        manifest: LanceManifest,
        progress: Progress,
    ) -> Iterator[Encoded]:
        """Encode quotes on all machines; yield parts of them as they are done, in no order.

        Args:
            tables: all columns of the quotes except those in `versions.DERIVED`.
            total: how many quotes these are.
            location: where the dataset is.
            schema: the columns of the dataset.
            manifest: names the model.
            progress: called with each step.
        """

    def build_vector_index(
        self, dataset: lance.LanceDataset, kind: str, partitions: int, options: dict[str, int]
    ) -> None:
        """Build the index of the vectors, with Lance's `options` for an index of this `kind`."""

    def compact(self, dataset: lance.LanceDataset) -> None:
        """Merge small fragments."""

    def search(
        self, dataset: lance.LanceDataset, nearest: dict[str, Any], columns: list[str], condition: str | None
    ) -> pa.Table:
        """Return `columns` of the rows that the query `nearest` finds among those that satisfy `condition`."""
