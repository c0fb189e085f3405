"""How well requests are answered: rankings, what they are worth, and how sure that is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quotefind.encoders import Encoder
from quotefind.errors import ModelError
from quotefind.index import database
from quotefind.index.reader import Index
from quotefind.index.writer import open_to_write
from quotefind.progress import Progress, silent
from quotefind.search import FindOptions, find, search_terms
from quotefind.training.judgements import JudgedQuery

if TYPE_CHECKING:
    from quotefind.index.state import OpenEncoder

# As ir-measures names them; RR is the reciprocal rank whose mean is MRR, R the recall, P the precision.
MEASURES = ("nDCG@10", "RR@10", "R@10", "R@100", "P@10")
MAIN_MEASURE = "nDCG@10"
DEPTH = 100
_RESAMPLES = 9999
_CONFIDENCE = 0.95
_BATCH = 256


@dataclass(frozen=True, slots=True)
class System:
    """A way to rank: `rank` returns, for each request, the ids of quotes, best first, `DEPTH` at most."""

    name: str
    rank: Callable[[Sequence[str]], list[list[str]]]


@dataclass(frozen=True, slots=True)
class Score:
    """A mean in [0, 1], its 95 % interval, and the two-sided p of its difference from the first system's (or None)."""

    mean: float
    low: float
    high: float
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a system is worth: `scores` by measure, `groups` the mean nDCG@10 by way of asking, `run` what it ranked."""

    system: str
    scores: dict[str, Score]
    groups: dict[str, float]
    run: dict[str, list[str]]


def systems_of(index: Index, encoder: Encoder, *, prefix: str = "") -> list[System]:
    """Return the two ways to rank that `find` has, by the cosine alone and hybrid."""
    return [
        System(prefix + "cosine", partial(_find, index, encoder, FindOptions(top=DEPTH))),
        System(prefix + "hybrid", partial(_find, index, encoder, FindOptions(top=DEPTH, hybrid=True))),
    ]


def bm25(index: Index) -> System:
    """Return the ranking by shared words alone."""

    def rank(queries: Sequence[str]) -> list[list[str]]:
        return [
            [str(quote.id) for quote in index.quotes(index.search_words(search_terms(query), DEPTH).rows.tolist())]
            for query in queries
        ]

    return System("bm25", rank)


@contextmanager
def encoded_anew(index: Index, model: str, open_encoder: OpenEncoder, progress: Progress) -> Iterator[Index]:
    """Give a copy of `index` encoded with `model`; it is gone at the end, and `index` is not touched."""
    import sqlite3

    with tempfile.TemporaryDirectory(prefix="quotefind-") as temporary:
        directory = Path(temporary, "index")
        directory.mkdir(mode=0o700)
        copy = sqlite3.connect(directory / database.FILE_NAME)
        try:
            index.connection.backup(copy)
        finally:
            copy.close()
        with open_to_write(directory, open_encoder) as writer:
            writer.rebuild(model=model, progress=progress)
        with Index(directory) as anew:
            yield anew


def evaluate(systems: Sequence[System], judged: Sequence[JudgedQuery], progress: Progress = silent) -> list[Result]:
    """Return what each of `systems` is worth on the `judged` queries.

    The interval is the percentile bootstrap (Efron 1979) over topics: all requests for one topic are drawn together. p
    is that of Fisher's randomisation test over topics (Smucker, Allan and Carterette, "A Comparison of Statistical
    Significance Tests for Information Retrieval Evaluation", CIKM 2007), against the first system.

    Raises:
        ModelError: ir-measures is not installed.
    """
    from importlib.util import find_spec

    if find_spec("ir_measures") is None:
        raise ModelError("Evaluation needs ir-measures. To install it: pip install 'quotefind[train]'")
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
            progress(f"asking {system.name}", number * len(judged) + len(run), len(systems) * len(judged))
        values = _measured(judged, run)
        by_topic = {measure: np.bincount(of_topic, value) / np.bincount(of_topic) for measure, value in values.items()}
        scores = {measure: _score(value, reference.get(measure)) for measure, value in by_topic.items()}
        reference = reference or by_topic
        results.append(Result(system.name, scores, _by_group(judged, values[MAIN_MEASURE]), run))
    return results


def _find(index: Index, encoder: Encoder, options: FindOptions, queries: Sequence[str]) -> list[list[str]]:
    return [[str(hit.quote.id) for hit in hits] for hits in find(index, encoder, queries, options)]


def _measured(judged: Sequence[JudgedQuery], run: dict[str, list[str]]) -> dict[str, NDArray[np.float64]]:
    """Return for each measure its value for each query, in order."""
    import ir_measures

    qrels = {query.id: dict(query.relevant) for query in judged}
    # Falling scores, so that the order is ours: equal ones would be ordered by the names of the quotes.
    ranked = {query: {name: 1 / rank for rank, name in enumerate(ids, 1)} for query, ids in run.items()}
    place = {query.id: number for number, query in enumerate(judged)}
    values = {measure: np.zeros(len(judged)) for measure in MEASURES}
    wanted = [ir_measures.parse_measure(measure) for measure in MEASURES]
    for metric in ir_measures.iter_calc(wanted, qrels, ranked):
        values[str(metric.measure)][place[metric.query_id]] = metric.value
    return values


def _score(values: NDArray[np.float64], reference: NDArray[np.float64] | None) -> Score:
    from scipy import stats

    mean = float(values.mean())
    low = high = mean
    if len(values) > 1 and np.ptp(values) > 0:
        interval = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=_RESAMPLES,
            confidence_level=_CONFIDENCE,
            method="percentile",
            batch=256,
            rng=np.random.default_rng(0),
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    if reference is None:
        return Score(mean, low, high)
    if np.array_equal(values, reference):
        return Score(mean, low, high, 1.0)
    test = stats.permutation_test(
        (values - reference,),
        np.mean,
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        batch=256,
        rng=np.random.default_rng(0),
        vectorized=True,
    )
    return Score(mean, low, high, float(test.pvalue))


def _by_group(judged: Sequence[JudgedQuery], values: NDArray[np.float64]) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for query, value in zip(judged, values.tolist(), strict=True):
        if query.group:
            groups.setdefault(query.group, []).append(value)
    return {group: float(np.mean(members)) for group, members in groups.items()}
