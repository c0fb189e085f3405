"""Find quotes by meaning: queries to hits, with filters and, if wanted, diversity and full-text search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quotefind.encoders import Encoder
from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.records import Hit, Quote
from quotefind.similarity import Ranking, Vectors, cosine_scores, unit_rows
from quotefind.text import fold_name, is_blank, is_unicode, normalise

# The number of candidates that diversity chooses from: the minimum, and per hit.
_POOL = 100
_POOL_PER_HIT = 10
_LARGE_POOL = 1000  # from this many hits on, more candidates than hits are not worth their time
# In hybrid search: the number of candidates from each of the two rankings, and the weight of shared words relative to
# the cosine. Chosen on the held-out authors; see benchmarks/README.md.
_HYBRID_POOL = 1000
_WORDS_WEIGHT = 0.4
# The weight of relevance against novelty in maximal marginal relevance.
_RELEVANCE = 0.7
# If less than this length of a query is left after removing --not, the query says nothing else.
_LEFT = 0.05

# Words that phrase a query rather than say what it is about; full-text search ignores them.
_ASKING = frozenset(
    re.findall(
        r"\w+",
        """
        a about an and any are as at be by can captures capturing do essence find for from give good great i
        importance in is it like line lines looking me my need of on one or please proverb proverbs
        quotation quotations quote quotes saying sayings searching show so some something that the their
        them there these they this those to want was we what when which who will with words would you your
        """,
    )
)


@dataclass(frozen=True, slots=True)
class FindOptions:
    """How to search.

    Attributes:
        top: the maximum number of hits per query.
        min_score: the lowest cosine similarity of a hit, in [-1, 1]; None for no limit.
        where: which quotes may be found.
        like: the id of a quote, or a text, that hits should resemble; that quote itself is not a hit.
        unlike: texts that hits should not resemble.
        diverse: prefer hits that differ from each other.
        one_per_author: only the best hit of each author; quotes without an author count as by different authors.
        hybrid: also rank by the words that query and quote share.
    """

    top: int = 5
    min_score: float | None = None
    where: Filter = field(default_factory=Filter)
    like: str | None = None
    unlike: tuple[str, ...] = ()
    diverse: bool = False
    one_per_author: bool = False
    hybrid: bool = False


def find(index: Index, encoder: Encoder, queries: Sequence[str], options: FindOptions | None = None) -> list[list[Hit]]:
    """Return the hits of each of `queries`, best first.

    Args:
        index: what to search.
        encoder: the one that the index was made with.
        queries: what to look for, in plain words; a query may be empty if `options.like` is set.
        options: how to search; None for the defaults.

    Raises:
        UsageError: a query is empty, `top` is below 1, `unlike` leaves nothing of a query, or the encoder is not the
            one that the index was made with.
        TypeError: `queries` is a string.
    """
    if isinstance(queries, str):
        raise TypeError(f"queries must be a sequence of strings; for one query, pass a list: [{queries!r}]")
    options = options or FindOptions()
    if options.top < 1:
        raise UsageError("The number of hits (top) must be at least 1.")
    if options.like is None and any(map(is_blank, queries)):
        raise UsageError('The query is empty. Say what you are looking for, as in: "hope in hard times"')
    if not all(map(is_unicode, (*queries, *options.unlike, options.like or ""))):
        raise UsageError("The query is not valid UTF-8.")
    if any(map(is_blank, options.unlike)):
        raise UsageError("A text to steer away from is empty.")
    if encoder.fingerprint != index.manifest.fingerprint:
        raise UsageError(
            f"The index was made with the model {index.manifest.model}, but the encoder is {encoder.name}. Open the "
            "encoder of the index: open_encoder(index.manifest.model)"
        )
    liked = _liked(index, encoder, options.like)
    vectors = _aimed(encoder, queries, liked, options.unlike)
    labels = [query or (liked.label if liked else "") for query in queries]
    excluded = frozenset(liked.rows) if liked else frozenset()
    plain = not (options.hybrid or options.diverse or options.one_per_author)
    if plain:
        rankings = index.search(vectors, options.top + len(excluded), options.where)
        chosen = [_kept(ranking.rows, ranking.scores, excluded, options.min_score) for ranking in rankings]
    else:
        chosen = [
            _choose(index, vector, query, excluded, options) for vector, query in zip(vectors, queries, strict=True)
        ]
    return _hits(index, labels, chosen, options.top)


def diversify(vectors: Vectors, relevance: NDArray[np.float64], k: int) -> list[int]:
    """Return the positions of `k` of the n candidates by maximal marginal relevance, in the order of their selection.

    The next candidate selected is the d with the highest L * sim(d, query) - (1 - L) * max over selected c of
    sim(d, c), with L = 0.7:
    Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
    Summaries", SIGIR 1998.

    Args:
        vectors: (n, d) float32 unit rows.
        relevance: (n,) float64, the similarity of each candidate to the query.
        k: the number of candidates to select; clamped to n.
    """
    nearest = np.full(len(vectors), -np.inf)
    chosen: list[int] = []
    for _ in range(min(k, len(vectors))):
        novelty = np.where(np.isneginf(nearest), 0.0, nearest)
        marginal = _RELEVANCE * relevance - (1 - _RELEVANCE) * novelty
        marginal[chosen] = -np.inf
        chosen.append(int(np.argmax(marginal)))
        nearest = np.maximum(nearest, cosine_scores(vectors, vectors[chosen[-1:]])[:, 0])
    return chosen


def search_terms(query: str) -> list[str]:
    """Return the words of `query` that say what it is about; all of its words if none does."""
    words = list(dict.fromkeys(re.findall(r"\w+", query.casefold())))
    return [word for word in words if word not in _ASKING] or words


@dataclass(frozen=True, slots=True)
class _Liked:
    vector: Vectors
    label: str
    rows: tuple[int, ...]


def _liked(index: Index, encoder: Encoder, like: str | None) -> _Liked | None:
    if like is None:
        return None
    text = normalise(like)
    if not text:
        raise UsageError("The quote that hits should resemble is empty; give its id or a text.")
    row = index.row_of(text) if re.fullmatch(r"[0-9a-fA-F]{6,16}", text) else None
    if row is None and re.fullmatch(r"[0-9a-f]{16}", text):
        raise UsageError(f"No quote of this index has the id {text}.")
    if row is not None:
        (quote,) = index.quotes([row])
        return _Liked(index.vectors(np.array([row]))[0], quote.text, tuple(index.rows_with_text(quote.text)))
    return _Liked(encoder.encode_quotes([text])[0], text, tuple(index.rows_with_text(text)))


def _aimed(encoder: Encoder, queries: Sequence[str], liked: _Liked | None, unlike: Sequence[str]) -> Vectors:
    """Return the unit vectors (q, d) to search for: query and liked quote together, minus the unwanted texts.

    Unwanted texts are removed by orthogonal negation: Widdows, "Orthogonal Negation in Vector Spaces for Modelling
    Word-Meanings and Document Retrieval", ACL 2003.
    """
    asked = [query for query in queries if not is_blank(query)]
    vectors = np.zeros((len(queries), encoder.dim), np.float32)
    if asked:
        vectors[[not is_blank(query) for query in queries]] = encoder.encode_queries(asked)
    if liked is not None:
        vectors = unit_rows(vectors + liked.vector)
    if unlike:
        basis, _ = np.linalg.qr(encoder.encode_queries(list(unlike)).T.astype(np.float64))
        left = vectors - (vectors @ basis) @ basis.T
        if (np.linalg.norm(left, axis=1) < _LEFT).any():
            raise UsageError("The texts to steer away from mean the same as the query, so nothing of it is left.")
        vectors = unit_rows(left)
    return vectors


def _kept(
    rows: NDArray[np.int64], scores: NDArray[np.float64], excluded: frozenset[int], min_score: float | None
) -> list[tuple[int, float]]:
    return [
        (row, score)
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        if row not in excluded and (min_score is None or score >= min_score)
    ]


def _choose(
    index: Index, vector: Vectors, query: str, excluded: frozenset[int], options: FindOptions
) -> list[tuple[int, float]]:
    """Return (row, score) of the hits of one query if options need more than the nearest quotes."""
    pool = max(_POOL, min(_POOL_PER_HIT * options.top, _LARGE_POOL), options.top) + len(excluded)
    if options.hybrid:
        pool = max(pool, _HYBRID_POOL)  # the order of the first hits must not depend on `top`
    while True:
        (ranking,) = index.search(vector[None], pool, options.where)
        rows, scores = ranking.rows, ranking.scores
        if options.hybrid:
            rows, scores = _blended(
                index, vector, ranking, index.search_words(search_terms(query), pool, options.where)
            )
        kept = _kept(rows, scores, excluded, options.min_score)
        if options.one_per_author:
            kept = _first_of_each_author(index, kept)
        if len(kept) >= options.top or len(ranking.rows) < pool:
            break
        if options.min_score is not None and len(scores) and ranking.scores[-1] < options.min_score:
            break
        pool *= 4
    if options.diverse and kept:
        vectors = index.vectors(np.array([row for row, _ in kept]))
        # The scores in descending order, because a hybrid ranking is not in the order of the cosine.
        relevance = np.sort(np.array([score for _, score in kept]))[::-1]
        picked = diversify(vectors, relevance, options.top)
        kept = [kept[position] for position in picked]
    return kept


def _blended(
    index: Index, vector: Vectors, nearest: Ranking, by_words: Ranking
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows of both rankings, best first, and their cosine similarities; ties by row.

    They are ordered by cosine + 0.4 BM25, with BM25 as a fraction of its upper bound. This is a convex combination,
    which Bruch, Gai and Ingber found better than rank fusion ("An Analysis of Fusion Functions for Hybrid Retrieval",
    ACM TOIS 2023).
    """
    rows = np.union1d(nearest.rows, by_words.rows)
    cosines = cosine_scores(index.vectors(rows), vector[None])[:, 0]
    blended = cosines.copy()
    blended[np.searchsorted(rows, by_words.rows)] += _WORDS_WEIGHT * by_words.scores
    order = np.lexsort((rows, -blended))
    return rows[order], cosines[order]


def _first_of_each_author(index: Index, kept: list[tuple[int, float]]) -> list[tuple[int, float]]:
    seen: set[str] = set()
    first = []
    for (row, score), quote in zip(kept, index.quotes(row for row, _ in kept), strict=True):
        author = fold_name(quote.author) if quote.author else f"\0{row}"
        if author not in seen:
            seen.add(author)
            first.append((row, score))
    return first


def _hits(index: Index, labels: list[str], chosen: list[list[tuple[int, float]]], top: int) -> list[list[Hit]]:
    cut = [kept[:top] for kept in chosen]
    rows = sorted({row for kept in cut for row, _ in kept})
    quotes: dict[int, Quote] = dict(zip(rows, index.quotes(rows), strict=True))
    return [
        [Hit(label, rank, score, quotes[row]) for rank, (row, score) in enumerate(kept, 1)]
        for label, kept in zip(labels, cut, strict=True)
    ]
