"""Evaluate how well queries are answered: rankings, measures, confidence intervals and tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quotefind.encoders import Encoder
from quotefind.errors import UsageError
from quotefind.extras import require
from quotefind.index.interface import Index
from quotefind.index.local import database
from quotefind.index.local.reader import LocalIndex
from quotefind.index.local.writer import open_to_write
from quotefind.progress import Progress, silent
from quotefind.search import FindOptions, find, search_terms
from quotefind.training.judgements import JudgedQuery

if TYPE_CHECKING:
    from quotefind.index.interface import OpenEncoder

# Names of ir-measures: RR is the reciprocal rank (its mean is MRR), R is recall, P is precision.
MEASURES = ("nDCG@10", "RR@10", "R@10", "R@100", "P@10")
MAIN_MEASURE = "nDCG@10"
DEPTH = 100
_RESAMPLES = 9999
_CONFIDENCE = 0.95
_BATCH = 256


@dataclass(frozen=True, slots=True)
class System:
    """A way to rank: `rank` returns for each query the ids of at most `DEPTH` quotes, best first."""

    name: str
    rank: Callable[[Sequence[str]], list[list[str]]]


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over queries in [0, 1], its 95 % interval, and the two-sided p of its difference to the first system.

    The interval of a single topic is [0, 1]. `p` is None for the first system.
    """

    mean: float
    low: float
    high: float
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a system: `scores` by measure, `groups` with the mean nDCG@10 by group, and its `run`."""

    system: str
    scores: dict[str, Score]
    groups: dict[str, float]
    run: dict[str, list[str]]


def systems_of(index: Index, encoder: Encoder, *, prefix: str = "") -> list[System]:
    """Return the two ways in which `find` ranks: by cosine alone, and hybrid."""
    return [
        System(prefix + "cosine", partial(_find, index, encoder, FindOptions(top=DEPTH))),
        System(prefix + "hybrid", partial(_find, index, encoder, FindOptions(top=DEPTH, hybrid=True))),
    ]


def bm25(index: Index) -> System:
    """Return the system that ranks only by shared words."""

    def rank(queries: Sequence[str]) -> list[list[str]]:
        return [
            [str(quote.id) for quote in index.quotes(index.search_words(search_terms(query), DEPTH).rows.tolist())]
            for query in queries
        ]

    return System("bm25", rank)


def require_measures() -> None:
    """Check that ir-measures is installed, before anything is encoded in vain.

    Raises:
        ModelError: it is not installed.
    """
    require("Evaluation", "train", "ir-measures")


@contextmanager
def encoded_with(index: Index, model: str, open_encoder: OpenEncoder, progress: Progress) -> Iterator[Index]:
    """Yield a temporary copy of `index` encoded with `model`; `index` itself is not changed."""
    import sqlite3

    if not isinstance(index, LocalIndex):
        raise UsageError(
            f"Another model is evaluated on a copy of the index, which is possible only for a local index; "
            f"{index.location} is a Lance dataset. Index a sample of its sources under another name and evaluate that."
        )
    with tempfile.TemporaryDirectory(prefix="quotefind-") as temporary:
        directory = Path(temporary, "index")
        directory.mkdir(mode=0o700)
        with database.damage_reported(directory):
            copy = sqlite3.connect(directory / database.FILE_NAME)
            try:
                index.connection.backup(copy)
            finally:
                copy.close()
        with open_to_write(directory, open_encoder) as writer:
            writer.rebuild(model=model, progress=progress)
        with LocalIndex(directory) as copied:
            yield copied


def evaluate(systems: Sequence[System], judged: Sequence[JudgedQuery], progress: Progress = silent) -> list[Result]:
    """Return the result of each of `systems` on the `judged` queries.

    Means are over queries, as in trec_eval. The interval is a percentile bootstrap (Efron 1979) over topics: all
    queries for one topic are drawn together. p is from Fisher's randomisation test against the first system (Smucker,
    Allan and Carterette, "A Comparison of Statistical Significance Tests for Information Retrieval Evaluation", CIKM
    2007), in which all differences of a topic change their sign together; it is not corrected for the number of
    systems. Both treat the topics as a sample of what could be asked of these quotes; they say nothing about other
    quotes.

    Raises:
        ModelError: ir-measures is not installed.
    """
    require_measures()
    results: list[Result] = []
    reference: dict[str, NDArray[np.float64]] = {}
    topics = {topic: number for number, topic in enumerate(dict.fromkeys(query.topic for query in judged))}
    of_topic = np.array([topics[query.topic] for query in judged])
    for number, system in enumerate(systems):
        run: dict[str, list[str]] = {}
        for start in range(0, len(judged), _BATCH):
            batch = judged[start : start + _BATCH]
            ranked = system.rank([query.text for query in batch])
            run.update({query.id: ids for query, ids in zip(batch, ranked, strict=True)})
            progress("ranking", number * len(judged) + len(run), len(systems) * len(judged))
        values = _measured(judged, run)
        scores = {measure: _score(value, of_topic, reference.get(measure)) for measure, value in values.items()}
        reference = reference or values
        results.append(Result(system.name, scores, _by_group(judged, values[MAIN_MEASURE]), run))
    return results


def _find(index: Index, encoder: Encoder, options: FindOptions, queries: Sequence[str]) -> list[list[str]]:
    return [[str(hit.quote.id) for hit in hits] for hits in find(index, encoder, queries, options)]


def _measured(judged: Sequence[JudgedQuery], run: dict[str, list[str]]) -> dict[str, NDArray[np.float64]]:
    """Return for each measure its value for each query, in order."""
    import ir_measures

    qrels = {query.id: dict(query.relevant) for query in judged}
    # Decreasing scores keep our order: equal ones would be ordered by the ids of the quotes.
    ranked = {query: {name: 1 / rank for rank, name in enumerate(ids, 1)} for query, ids in run.items()}
    place = {query.id: number for number, query in enumerate(judged)}
    values = {measure: np.zeros(len(judged)) for measure in MEASURES}
    wanted = [ir_measures.parse_measure(measure) for measure in MEASURES]
    for metric in ir_measures.iter_calc(wanted, qrels, ranked):
        values[str(metric.measure)][place[metric.query_id]] = metric.value
    return values


def _score(values: NDArray[np.float64], of_topic: NDArray[np.int64], reference: NDArray[np.float64] | None) -> Score:
    """Return the score for the `values` (n,) of the queries; `of_topic` (n,) is the number of each topic, from 0."""
    mean = float(values.mean())
    low, high = _interval(np.bincount(of_topic, values), np.bincount(of_topic))
    if reference is None:
        return Score(mean, low, high)
    differences = np.bincount(of_topic, values - reference)
    return Score(mean, low, high, _p_value(differences.round(12)))  # a sum of 0 must be exactly 0


def _interval(totals: NDArray[Any], counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return the interval of the mean over queries, from the `totals` (t,) and `counts` (t,) of queries per topic."""
    from scipy import stats

    if len(totals) == 1:
        return 0.0, 1.0
    interval = stats.bootstrap(
        (totals, counts),
        lambda totals, counts, axis: totals.sum(axis) / counts.sum(axis),
        paired=True,  # the total and the count of a topic are drawn together
        vectorized=True,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        batch=256,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _p_value(differences: NDArray[Any]) -> float:
    """Return the probability of a mean as far from 0 as that of `differences` (t,) if their signs are random."""
    from scipy import stats

    if len(differences) == 1 or not differences.any():
        return 1.0
    test = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        batch=256,
        rng=np.random.default_rng(0),
        vectorized=True,
    )
    return float(test.pvalue)


def _by_group(judged: Sequence[JudgedQuery], values: NDArray[np.float64]) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for query, value in zip(judged, values.tolist(), strict=True):
        if query.group:
            groups.setdefault(query.group, []).append(value)
    return {group: float(np.mean(members)) for group, members in groups.items()}
