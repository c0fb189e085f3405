"""How close texts are to each other, and which quotes of an index are closest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quotefind.blas import use_all_threads
from quotefind.checkpoint import Checkpoint
from quotefind.encoders import Encoder
from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.progress import Progress, silent
from quotefind.records import Pair, Quote
from quotefind.search import FindOptions, find
from quotefind.similarity import Vectors, candidates, cosine_scores, scores_at
from quotefind.text import is_unicode, normalise

# Rows compared at a time: a block of scores is 2048 x 2048 float32, 16 MB, whatever the size of the index.
_BLOCK = 2048
# The most work, in seconds, that a killed process can lose.
_SECONDS_BETWEEN_CHECKPOINTS = 30.0


@dataclass(frozen=True, slots=True)
class MinedPairs:
    """The closest pairs of rows among the blocks compared so far.

    Attributes:
        done: the number of blocks compared.
        rows: (m, 2) int64, the two rows of each pair, the lower first.
        scores: (m,) float64, their cosine similarities in [-1, 1].
    """

    done: int
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


def similarities(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the cosine similarities (n, n) float64, in [-1, 1], of every two of the n `texts`.

    Raises:
        UsageError: a text is empty or not valid UTF-8.
    """
    vectors = encoder.encode_quotes([_checked(text) for text in texts])
    return cosine_scores(vectors, vectors)


def score_pairs(encoder: Encoder, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Return the cosine similarity of the two texts of each pair, in order; each text is encoded once.

    Raises:
        UsageError: a text is empty or not valid UTF-8.
    """
    texts = list(dict.fromkeys(_checked(text) for pair in pairs for text in pair))
    number = {text: position for position, text in enumerate(texts)}
    vectors = encoder.encode_quotes(texts)
    positions = [(number[_checked(first)], number[_checked(second)]) for first, second in pairs]
    return [float(score) for score in scores_at(np.array(positions, np.int64).reshape(-1, 2), vectors, vectors)]


def nearest_quotes(
    index: Index, encoder: Encoder, text: str, top: int, *, min_score: float | None = None, where: Filter | None = None
) -> list[Pair]:
    """Return the `top` quotes of `index` closest to `text`, paired with it; quotes with the same text are excluded.

    Raises:
        UsageError: `text` is empty or not valid UTF-8.
    """
    text = _checked(text)
    options = FindOptions(top=top, min_score=min_score, where=where or Filter(), like=text)
    (hits,) = find(index, encoder, [""], options)
    return [Pair(hit.rank, hit.score, Quote(text), hit.quote) for hit in hits]


def closest_pairs(
    index: Index,
    top: int,
    *,
    min_score: float | None = None,
    where: Filter | None = None,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> list[Pair]:
    """Return the `top` closest pairs of quotes of `index`, closest first; ties by row.

    The result is exact: every pair is compared, block by block. Memory use does not grow with the index; the time grows
    with the square of the number of quotes.

    Args:
        index: the index whose quotes are compared.
        top: the maximum number of pairs.
        min_score: the lowest cosine similarity of a pair; None for no limit.
        where: compare only quotes that satisfy this filter.
        progress: called after each block.
        checkpoints: see `mined`.
    """
    rows = index.rows_where(where or Filter())
    with mined(index, rows, top, min_score=min_score, progress=progress, checkpoints=checkpoints) as found:
        quotes = iter(index.quotes(found.rows.ravel().tolist()))
        return [
            Pair(rank, score, a, b)
            for rank, (score, a, b) in enumerate(zip(found.scores.tolist(), quotes, quotes, strict=True), 1)
        ]


@contextmanager
def mined(
    index: Index,
    rows: NDArray[np.int64],
    top: int,
    *,
    min_score: float | None = None,
    keep: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> Iterator[MinedPairs]:
    """Yield the `top` closest pairs among `rows`, closest first; ties by row.

    Args:
        index: the index whose vectors are compared.
        rows: (n,) int64, ascending; all or some of what `index.rows_where` returned.
        top: the maximum number of pairs.
        min_score: the lowest cosine similarity of a pair; None for no limit.
        keep: given pairs of rows (m, 2), returns a mask (m,) of those that count; its name is part of the checkpoint's
            key.
        progress: called after each block.
        checkpoints: a directory to save progress in: every half minute, and on an interrupt, also while the caller
            uses the pairs (a note on the KeyboardInterrupt then says so). The same call on the same quotes resumes
            from there.
    """
    blocks = -(-len(rows) // _BLOCK)
    total = blocks * (blocks + 1) // 2
    found, checkpoint = MinedPairs(0, np.empty((0, 2), np.int64), np.empty(0, np.float64)), None
    if checkpoints is not None and total > 1:
        kind = f"-{keep.__name__}" if keep is not None else ""
        checkpoint = Checkpoint(checkpoints, f"{index.digest(rows)}-{_BLOCK}-{top}-{min_score}{kind}")
        found = _loaded(checkpoint) or found
    if total > 1:
        use_all_threads()
    saved, left, left_start = time.monotonic(), np.empty((0, 0), np.float32), -1
    try:
        for i, j in islice(combinations_with_replacement(range(0, len(rows), _BLOCK), 2), found.done, None):
            if i != left_start:
                left, left_start = index.vectors(rows[i : i + _BLOCK]), i
            right = left if i == j else index.vectors(rows[j : j + _BLOCK])
            cut = max([-np.inf if min_score is None else min_score, *found.scores[top - 1 :]])
            near = _near(left, right, cut, top, within=i == j)
            pairs = np.column_stack((rows[i + near[:, 0]], rows[j + near[:, 1]]))
            if keep is not None:
                kept = keep(pairs)
                near, pairs = near[kept], pairs[kept]
            # A single assignment, so that an interrupt finds either all of a block or none of it.
            found = _with(found, pairs, scores_at(near, left, right), top, min_score)
            progress("comparing", found.done, total)
            if checkpoint is not None and time.monotonic() - saved > _SECONDS_BETWEEN_CHECKPOINTS:
                _save(checkpoint, found)
                saved = time.monotonic()
        yield _best(found, top)
    except KeyboardInterrupt as interrupt:
        if checkpoint is not None and found.done and _save(checkpoint, found):
            interrupt.add_note(f"run the same command to continue ({100 * found.done // total} % done)")
        raise
    if checkpoint is not None:
        checkpoint.remove()


def _loaded(checkpoint: Checkpoint) -> MinedPairs | None:
    """Return the pairs mined by an earlier run, or None if nothing usable was saved."""
    saved = checkpoint.load()
    if saved is None or saved.keys() != {"done", "rows", "scores"}:
        return None
    done, rows, scores = saved["done"], saved["rows"], saved["scores"]
    usable = (
        done.shape == ()
        and [array.dtype.name for array in (done, rows, scores)] == ["int64", "int64", "float64"]
        and rows.shape == (*scores.shape, 2)
        and done > 0
    )
    return MinedPairs(int(done), rows, scores) if usable else None


def _save(checkpoint: Checkpoint, found: MinedPairs) -> bool:
    return checkpoint.save({"done": np.array(found.done), "rows": found.rows, "scores": found.scores})


def _near(left: Vectors, right: Vectors, cut: float, top: int, *, within: bool) -> NDArray[np.int64]:
    """Return the positions (m, 2) in `left` and `right` of pairs that may be among the `top` with at least `cut`."""
    scores = left @ right.T
    if within:
        scores[np.tri(len(left), dtype=bool)] = -np.inf
    count = scores.size - (len(left) * (len(left) + 1) // 2 if within else 0)
    if top < count:
        highest = float(np.partition(scores, scores.size - top, axis=None)[scores.size - top]) if cut < 0.5 else cut
        cut = max(cut, highest)
    return candidates(scores, cut)


def _with(
    found: MinedPairs, pairs: NDArray[np.int64], scores: NDArray[np.float64], top: int, min_score: float | None
) -> MinedPairs:
    """Return `found` with the `pairs` of one more block; once there are `top`, only the best of them, in order."""
    if min_score is not None:
        pairs, scores = pairs[scores >= min_score], scores[scores >= min_score]
    if not len(scores):
        return replace(found, done=found.done + 1)
    more = MinedPairs(found.done + 1, np.concatenate((found.rows, pairs)), np.concatenate((found.scores, scores)))
    # Sorting many pairs after each block would take longer than comparing them.
    return more if len(more.scores) < top else _best(more, top)


def _best(found: MinedPairs, top: int) -> MinedPairs:
    order = np.lexsort((found.rows[:, 1], found.rows[:, 0], -found.scores))[:top]
    return replace(found, rows=found.rows[order], scores=found.scores[order])


def _checked(text: str) -> str:
    text = normalise(text)
    if not text:
        raise UsageError("A text to compare is empty.")
    if not is_unicode(text):
        raise UsageError("A text to compare is not valid UTF-8.")
    return text
