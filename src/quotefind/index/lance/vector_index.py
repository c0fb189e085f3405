"""The index of the vectors: exact for smaller indexes, approximate for large ones, with measured recall."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quotefind.index.lance.rows import vectors_of
from quotefind.progress import Progress, silent
from quotefind.similarity import SCORE_ERROR, Vectors

if TYPE_CHECKING:
    import lance

    from quotefind.index.lance.machines import Machines

# From this many quotes on, the index is approximate: an exact search would take too long.
LARGE = 1_000_000
# Lance's name for the index.
NAME = "nearest"
EXACT, APPROXIMATE = "IVF_FLAT", "IVF_RQ"
# The share of the ten nearest that an approximate search must find on average, over queries as users write them and
# over this many quotes as queries. These are few, and users will ask others: 0.98 is promised.
RECALL, _TOP, _QUOTES = 0.99, 10, 100
# More than the number of partitions, to search all of them: Lance may split some as the index grows.
_ALL = 1_000_000
# Rows in a partition of an exact index, which searches all partitions: fewer partitions are fewer calls.
_EXACT_PARTITION = 8192
# Bits for each dimension in the approximate index.
_BITS = 5
# lance-ray needs this many rows for each partition; with fewer, this process builds the index.
_TRAINED_WITH = 256
# The share of partitions that the first measurement searches; the next ones search more until the recall suffices.
_FIRST_SHARE = 0.05
# Candidates for each hit that are chosen by quantised distances and scored again by their vectors.
_REFINE = 10
# The index is trained again after the number of quotes has grown by this factor.
_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """The index of the vectors as it was built.

    Attributes:
        kind: Lance's name for its kind; empty if there is no index.
        partitions: the number of partitions.
        probes: how many of them a search looks at.
        recall: the share of the ten nearest that a search finds on average, measured when the index was built; 1 if it
            is exact.
        rows: how many quotes it was trained with.
    """

    kind: str = ""
    partitions: int = 0
    probes: int = 0
    recall: float = 1.0
    rows: int = 0

    @staticmethod
    def of(stored: Mapping[str, Any]) -> VectorIndex:
        """Return the index from the fields in the manifest."""
        return VectorIndex(**stored)

    def stored(self) -> dict[str, Any]:
        """Return the fields for the manifest."""
        return asdict(self)

    @property
    def approximate(self) -> bool:
        """Whether a search may miss a quote."""
        return self.kind == APPROXIMATE

    def facts(self) -> dict[str, Any]:
        """Return what `info` shows."""
        return {
            "search": "approximate" if self.approximate else "exact",
            "vector_index": self.kind or None,
            "partitions": self.partitions,
            "partitions_searched": self.probes,
            "recall_at_10": round(self.recall, 4),
        }

    def searchable_by_cluster(self, *, exact: bool) -> bool:
        """Whether lance-ray can search it; it cannot search exactly if the index is approximate."""
        return bool(self.kind) and not (exact and self.approximate)

    def query_options(self, query: Vectors, k: int, *, exact: bool) -> dict[str, Any]:
        """Return Lance's options for a search for the `k` nearest to `query` (d,)."""
        asked: dict[str, Any] = {"column": "vector", "q": query, "k": k, "metric": "cosine"}
        if not self.kind or (exact and self.approximate):
            return asked | {"use_index": False}
        if self.approximate:
            return asked | {"nprobes": self.probes, "refine_factor": _REFINE}
        return asked | {"nprobes": _ALL}


def update(
    dataset: lance.LanceDataset,
    before: VectorIndex,
    *,
    large: int,
    queries: Callable[[], Vectors],
    cluster: Machines | None,
    progress: Progress = silent,
) -> VectorIndex:
    """Add new quotes to the index of the vectors, or build it again if it is due; return what it is now.

    Args:
        dataset: the newest version; it moves to the version with the index.
        before: what the index was.
        large: the number of quotes from which on it is approximate.
        queries: returns the vectors (q, d) of queries as users write them, to measure the recall.
        cluster: the machines that build it; None to build it in this process.
        progress: called with each step.
    """
    count = dataset.count_rows()
    if not count:
        return VectorIndex()
    kind = EXACT if count < large else APPROXIMATE
    if before.kind == kind and count < _GROWTH * before.rows:
        dataset.optimize.optimize_indices(index_names=[NAME])
        return before
    progress("indexing vectors")
    partitions = math.ceil(count / _EXACT_PARTITION)
    if kind == APPROXIMATE:
        partitions = max(1, min(round(math.sqrt(count)), count // _TRAINED_WITH))
    # Given explicitly, because the defaults of Lance and of lance-ray, which prepares the work for it, differ.
    options = {"num_bits": _BITS} if kind == APPROXIMATE else {}
    if cluster is not None and count >= partitions * _TRAINED_WITH:
        cluster.build_vector_index(dataset, kind, partitions, options)
        dataset.checkout_latest()  # the cluster has committed a new version
    else:
        dataset.create_index(
            "vector", kind, name=NAME, replace=True, metric="cosine", num_partitions=partitions, **options
        )
    made = VectorIndex(kind, partitions, partitions, 1.0, count)
    return tuned(dataset, made, queries(), progress) if made.approximate else made


def tuned(
    dataset: lance.LanceDataset, index: VectorIndex, queries: Vectors, progress: Progress = silent
) -> VectorIndex:
    """Return `index` with the smallest number of probes that reaches `RECALL`, and with the measured recall.

    The recall is measured with `queries` (q, d), which are shorter than quotes and so lie elsewhere, and with quotes of
    the index as queries, without the quote itself as a hit. The lower of the two counts.
    """
    progress("measuring recall")
    quotes, rows = _drawn(dataset)
    kinds = np.repeat([0, 1], [len(queries), len(quotes)])
    asked, own = np.concatenate([queries, quotes]), np.concatenate([np.full(len(queries), -1), rows])
    tenth = _tenth_scores(dataset, asked, own, progress)
    probes = max(1, round(_FIRST_SHARE * index.partitions))
    while True:
        found = replace(index, probes=min(probes, index.partitions))
        each = np.array([_recall(dataset, found, *one) for one in zip(asked, own, tenth, strict=True)])
        recall = min(float(each[kinds == kind].mean()) for kind in np.unique(kinds))
        if recall >= RECALL or probes >= index.partitions:
            return replace(found, recall=recall)
        probes = math.ceil(probes * 1.5)


def _drawn(dataset: lance.LanceDataset) -> tuple[Vectors, NDArray[np.int64]]:
    """Return the vectors (n, d) and rows (n,) of quotes drawn at random, with a fixed seed."""
    count = dataset.count_rows()
    drawn = np.random.default_rng(0).choice(count, min(count, _QUOTES), replace=False)
    found = dataset.take(drawn.tolist(), columns=["row", "vector"])
    dimension = dataset.schema.field("vector").type.list_size
    return vectors_of(found, dimension), found["row"].to_numpy().astype(np.int64)


def _tenth_scores(
    dataset: lance.LanceDataset, queries: Vectors, own: NDArray[np.int64], progress: Progress
) -> NDArray[np.float32]:
    """Return the score (q,) of the tenth nearest to each of `queries`, from one pass over all vectors.

    The row `own` (q,) of each query does not count. The score is minus infinity if there are fewer than ten others.
    """
    best = np.full((len(queries), _TOP), -np.inf, np.float32)
    done, total = 0, dataset.count_rows()
    for batch in dataset.to_batches(columns=["row", "vector"], batch_size=8192):
        scores = queries @ vectors_of(batch, queries.shape[1]).T
        scores[own[:, None] == batch["row"].to_numpy()] = -np.inf
        best = np.partition(np.concatenate([best, scores], axis=1), -_TOP, axis=1)[:, -_TOP:]
        done += len(batch)
        progress("measuring recall", done, total)
    tenth: NDArray[np.float32] = best.min(axis=1)
    return tenth


def _recall(dataset: lance.LanceDataset, index: VectorIndex, query: Vectors, own: np.int64, tenth: np.float32) -> float:
    """Return the share of the ten nearest to one query (d,), without itself, that a search finds.

    If several quotes are equally near, such as one text by several authors, any of them may be the tenth.
    """
    found = dataset.to_table(columns=["row", "_distance"], nearest=index.query_options(query, _TOP + 1, exact=False))
    pairs = zip(found["row"].to_pylist(), found["_distance"].to_pylist(), strict=True)
    scores = [1.0 - distance for row, distance in pairs if row != own][:_TOP]
    found_of_them: int = sum(score >= float(tenth) - SCORE_ERROR for score in scores)
    others = index.rows - (1 if own >= 0 else 0)
    return found_of_them / min(_TOP, others)
