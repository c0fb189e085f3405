"""Groups of quotes with the same or nearly the same words, and how they differ; never which of them is right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quotefind.conflicts.names import distinct, may_be_one
from quotefind.conflicts.wordings import Wordings
from quotefind.conflicts.words import is_near, is_part, likeness, words_of
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.pairs import MinedPairs, mined
from quotefind.progress import Progress, silent
from quotefind.records import Quote
from quotefind.similarity import cosine_scores
from quotefind.text import fold_name, one_line

# Measured by benchmarks/conflicts.py; see benchmarks/README.md.
MIN_SCORE = 0.8
MIN_SCORE_OF_PARTS = 0.5
# Close pairs, at 24 bytes each; most collections have far fewer.
_MOST_PAIRS = 1_000_000
# Decimals to which the scores of equal vectors agree.
_DIGITS = 6
# Pairs whose texts are in memory at once: they can be long.
_BATCH = 256


class Difference(StrEnum):
    """How the quotes of a group differ."""

    author = "author"
    spelling = "spelling of the name"
    unnamed = "no author"
    work = "work"
    year = "year"
    words = "words"
    shortened = "shortened"
    punctuation = "punctuation"


@dataclass(frozen=True, slots=True)
class ConflictGroup:
    """Quotes with the same or nearly the same words.

    Attributes:
        number: 1 for the first group of a report.
        differs: how they differ, in the order of `Difference`; never empty.
        score: the lowest cosine similarity of any of them to the first, in [-1, 1].
        quotes: at least two: the one that is near to most of the others, then the others, closest first.
    """

    number: int
    differs: tuple[Difference, ...]
    score: float
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """A group before its quotes are read: `rows` (n,) int64, in the order of `ConflictGroup.quotes`."""

    differs: tuple[Difference, ...]
    score: float
    rows: NDArray[np.int64]


def conflict_groups(
    index: Index,
    *,
    top: int | None = None,
    min_score: float | None = None,
    where: Filter | None = None,
    progress: Progress = silent,
    checkpoints: Path | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[ConflictGroup]:
    """Return groups of quotes of `index` with the same or nearly the same words.

    Groups whose authors differ come first; within each kind, the closest groups come first.

    Two quotes belong together if their words are the same except for case, accents and punctuation; or if their
    vectors are close and they share most words in the same order, or one has nearly all the words of the other (see
    `words`). Every quote of a group is near to its first one, not just to some other; so a quote between two others may
    occur in two groups. Names, works and years are compared as they are written. A group only says that quotes differ,
    not which of them is right.

    The comparison is finished when this returns; the quotes of a group are read when it is taken.

    Args:
        index: the index whose quotes are compared; it must stay open until the last group is taken.
        top: the maximum number of groups; None for all.
        min_score: the lowest cosine similarity of quotes whose words differ; None for 0.8, or 0.5 if one is a part of
            the other.
        where: compare only quotes that satisfy this filter.
        progress: called as the comparison advances.
        checkpoints: a directory to save progress in; see `pairs.mined`.
        warn: called with a sentence if there are more than 1,000,000 close pairs; only the closest are compared then.

    Raises:
        IndexUnusableError: the index is damaged.
    """
    wordings = Wordings(index, index.rows_where(where or Filter()), progress)
    with mined(
        index,
        wordings.first,
        _MOST_PAIRS,
        min_score=MIN_SCORE_OF_PARTS if min_score is None else min_score,
        keep=wordings.may_be_near,
        progress=progress,
        checkpoints=checkpoints,
    ) as found:
        if len(found.scores) == _MOST_PAIRS:
            warn(f"only the {_MOST_PAIRS:,} closest pairs of quotes, down to {found.scores[-1]:.4f}, were compared")
        near = _alike(index, found, MIN_SCORE if min_score is None else min_score, progress)
        groups = [
            _group(index, wordings, centre, others) for centre, others in _stars(near, wordings.repeated.tolist())
        ]
    groups = [group for group in groups if group.differs]  # not those of "Austen, Jane" and "Jane Austen"
    groups.sort(key=lambda group: (Difference.author not in group.differs, -round(group.score, _DIGITS), group.rows[0]))
    return (
        ConflictGroup(number, group.differs, group.score, tuple(index.quotes(group.rows.tolist())))
        for number, group in enumerate(islice(groups, top), 1)
    )


def _alike(index: Index, found: MinedPairs, min_score: float, progress: Progress) -> list[tuple[int, int]]:
    """Return those of the `found` pairs of rows whose words are nearly the same."""
    near = []
    for start in range(0, len(found.rows), _BATCH):
        pairs = found.rows[start : start + _BATCH]
        rows = np.unique(pairs).tolist()
        words = {row: words_of(quote.text) for row, quote in zip(rows, index.quotes(rows), strict=True)}
        for (a, b), score in zip(pairs.tolist(), found.scores[start : start + _BATCH].tolist(), strict=True):
            if is_part(words[a], words[b]) or (score >= min_score and _near(words[a], words[b])):
                near.append((a, b))
        progress("comparing words", start + len(pairs), len(found.rows))
    return near


def _near(a: Sequence[str], b: Sequence[str]) -> bool:
    like = likeness(a, b)
    return bool(is_near(like.share, like.contained, like.shorter))


def _stars(near: Iterable[tuple[int, int]], repeated: Iterable[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield rows, each with rows near to it, so that both rows of every pair in `near` occur together once.

    The row with the most neighbours comes first. The rows in `repeated` occur even if they have no neighbour.
    """
    neighbours: dict[int, set[int]] = {row: set() for row in repeated}
    for a, b in near:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    alone = set(repeated)
    left = {row: set(others) for row, others in neighbours.items()}
    for row in sorted(neighbours, key=lambda row: (-len(neighbours[row]), row)):
        if left[row] or row in alone:
            members = {row, *left[row]}
            yield row, sorted(left[row])
            alone -= members
            for member in members:
                left[member] -= members


def _group(index: Index, wordings: Wordings, centre: int, others: Sequence[int]) -> _Group:
    rows = np.concatenate([wordings.rows_like(row) for row in (centre, *others)])
    scores = cosine_scores(index.vectors(rows), index.vectors(rows[:1]))[:, 0]
    order = np.lexsort((rows, -scores.round(_DIGITS), rows != centre))
    return _Group(_differences(index.quotes(rows[order].tolist())), float(scores.min()), rows[order])


def _differences(quotes: Sequence[Quote]) -> tuple[Difference, ...]:
    """Return how `quotes` differ; the first is near to all others."""
    found = {_difference_of_words(quotes[0], other) for other in quotes[1:]}
    names = distinct([quote.author for quote in quotes])
    one_name = may_be_one(names)
    if not one_name:
        found.add(Difference.author)
    elif len(names) > 1:
        found.add(Difference.spelling)
    if names and not all(quote.author for quote in quotes):
        found.add(Difference.unnamed)
    # Works of different authors differ anyway.
    by_author: dict[str, list[Quote]] = {}
    for quote in quotes:
        by_author.setdefault("" if one_name else fold_name(quote.author or ""), []).append(quote)
    for same in by_author.values():
        if not may_be_one(distinct([quote.work for quote in same]), initials=False):
            found.add(Difference.work)
        if len({quote.year for quote in same if quote.year is not None}) > 1:
            found.add(Difference.year)
    return tuple(difference for difference in Difference if difference in found)


def _difference_of_words(first: Quote, other: Quote) -> Difference | None:
    if one_line(first.text) == one_line(other.text):
        return None
    a, b = words_of(first.text), words_of(other.text)
    if a == b:
        return Difference.punctuation
    return Difference.shortened if likeness(a, b).contained == 1 else Difference.words
