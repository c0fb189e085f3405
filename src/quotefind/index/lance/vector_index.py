"""The index of the vectors: exact below a size, approximate above it, and then measured."""

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

# From so many quotes on, the index is approximate: comparing each then takes longer than anybody waits.
LARGE = 1_000_000
# Lance's name for the index.
NAME = "nearest"
EXACT, APPROXIMATE = "IVF_FLAT", "IVF_RQ"
# The share of the ten nearest that an approximate search has to find on average: over requests as users write them,
# and over so many quotes as requests. Requests are few, and those to come are others: 0.98 is what is promised.
RECALL, _TOP, _QUOTES = 0.99, 10, 100
# As many partitions as there are: Lance may split some as the index grows.
_ALL = 1_000_000
# Rows of a partition where all are looked at: few partitions are fewer calls.
_EXACT_PARTITION = 8192
# Bits for each dimension in the approximate index.
_BITS = 5
# lance-ray asks for so many rows for each partition; with fewer this process makes it.
_TRAINED_WITH = 256
# Partitions looked at to begin with; then as many more as the recall needs.
_FIRST_SHARE = 0.05
# Quantised distances choose so many candidates for each hit, which are scored again by their vectors.
_REFINE = 10
# Grown by so much since it was trained, it is trained anew.
_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """The index of the vectors, as it was made.

    Attributes:
        kind: Lance's name for its kind; empty where there is none.
        partitions: how many parts it has.
        probes: how many of these a search looks at.
        recall: the share of the ten nearest that a search finds on average, measured when it was made; 1 where it is
            exact.
        rows: how many quotes it was trained with.
    """

    kind: str = ""
    partitions: int = 0
    probes: int = 0
    recall: float = 1.0
    rows: int = 0

    @staticmethod
    def of(stored: Mapping[str, Any]) -> VectorIndex:
        """Return what the manifest holds of it."""
        return VectorIndex(**stored)

    def stored(self) -> dict[str, Any]:
        """Return what the manifest is to hold of it."""
        return asdict(self)

    @property
    def approximate(self) -> bool:
        """Whether a search through it may miss something."""
        return self.kind == APPROXIMATE

    def facts(self) -> dict[str, Any]:
        """Return what `info` says of it."""
        return {
            "search": "approximate" if self.approximate else "exact",
            "vector_index": self.kind or None,
            "partitions": self.partitions,
            "partitions_searched": self.probes,
            "recall_at_10": round(self.recall, 4),
        }

    def searchable_by_cluster(self, *, exact: bool) -> bool:
        """Whether lance-ray can search through it; an exact search beside an approximate index is for one process."""
        return bool(self.kind) and not (exact and self.approximate)

    def request(self, query: Vectors, k: int, *, exact: bool) -> dict[str, Any]:
        """Return how Lance is asked for the `k` nearest to `query` (d,)."""
        asked: dict[str, Any] = {"column": "vector", "q": query, "k": k, "metric": "cosine"}
        if not self.kind or (exact and self.approximate):
            return asked | {"use_index": False}
        if self.approximate:
            return asked | {"nprobes": self.probes, "refine_factor": _REFINE}
        return asked | {"nprobes": _ALL}


def bring_up_to_date(
    dataset: lance.LanceDataset,
    before: VectorIndex,
    *,
    large: int,
    requests: Callable[[], Vectors],
    cluster: Machines | None,
    progress: Progress = silent,
) -> VectorIndex:
    """Make the index of the vectors anew where it is due, or let it cover what has come since; return what it is now.

    Args:
        dataset: the newest version, which moves on to the one with the index.
        before: what it was.
        large: from how many quotes on it is approximate.
        requests: returns the vectors (q, d) of requests as users write them, to measure what it finds.
        cluster: the machines that make it; without one, this process does.
        progress: told the steps.
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
    # To be said: the default of Lance, and that of lance-ray, which prepares the work for it, are not the same.
    options = {"num_bits": _BITS} if kind == APPROXIMATE else {}
    if cluster is not None and count >= partitions * _TRAINED_WITH:
        cluster.build_vector_index(dataset, kind, partitions, options)
        dataset.checkout_latest()  # it was committed elsewhere
    else:
        dataset.create_index(
            "vector", kind, name=NAME, replace=True, metric="cosine", num_partitions=partitions, **options
        )
    made = VectorIndex(kind, partitions, partitions, 1.0, count)
    return tuned(dataset, made, requests(), progress) if made.approximate else made


def tuned(
    dataset: lance.LanceDataset, index: VectorIndex, requests: Vectors, progress: Progress = silent
) -> VectorIndex:
    """Return `index` with as many probes as it takes to find what `RECALL` asks for, and the recall that was measured.

    It is measured twice, and the lower counts: with `requests` (q, d), which lie elsewhere than quotes do, as they are
    shorter; and with quotes of the index as requests, each of which does not count as an answer to itself.
    """
    progress("measuring recall")
    quotes, rows = _drawn(dataset)
    kinds = np.repeat([0, 1], [len(requests), len(quotes)])
    queries, own = np.concatenate([requests, quotes]), np.concatenate([np.full(len(requests), -1), rows])
    tenth = _tenth_scores(dataset, queries, own, progress)
    probes = max(1, round(_FIRST_SHARE * index.partitions))
    while True:
        found = replace(index, probes=min(probes, index.partitions))
        each = np.array([_recall(dataset, found, *one) for one in zip(queries, own, tenth, strict=True)])
        recall = min(float(each[kinds == kind].mean()) for kind in np.unique(kinds))
        if recall >= RECALL or probes >= index.partitions:
            return replace(found, recall=recall)
        probes = math.ceil(probes * 1.5)


def _drawn(dataset: lance.LanceDataset) -> tuple[Vectors, NDArray[np.int64]]:
    """Return the vectors (n, d) and the rows (n,) of quotes drawn at random, always the same ones."""
    count = dataset.count_rows()
    drawn = np.random.default_rng(0).choice(count, min(count, _QUOTES), replace=False)
    found = dataset.take(drawn.tolist(), columns=["row", "vector"])
    dimension = dataset.schema.field("vector").type.list_size
    return vectors_of(found, dimension), found["row"].to_numpy().astype(np.int64)


def _tenth_scores(
    dataset: lance.LanceDataset, queries: Vectors, own: NDArray[np.int64], progress: Progress
) -> NDArray[np.float32]:
    """Return the score (q,) of the tenth nearest to each of `queries`, having looked at every vector once.

    The row `own` (q,) of each is not counted; minus infinity stands where there are not ten others.
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
    """Return the share of the ten nearest to one query (d,), itself not counted, that a search finds.

    Of quotes that are equally near, as those with one text by several authors are, any may be the tenth.
    """
    found = dataset.to_table(columns=["row", "_distance"], nearest=index.request(query, _TOP + 1, exact=False))
    pairs = zip(found["row"].to_pylist(), found["_distance"].to_pylist(), strict=True)
    scores = [1.0 - distance for row, distance in pairs if row != own][:_TOP]
    found_of_them: int = sum(score >= float(tenth) - SCORE_ERROR for score in scores)
    others = index.rows - (1 if own >= 0 else 0)
    return found_of_them / min(_TOP, others)
