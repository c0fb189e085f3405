"""Groups of quotes with the same or nearly the same words, and what in each does not agree. Never who is right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quotefind.checkpoint import Found
from quotefind.conflicts.names import distinct, may_be_one
from quotefind.conflicts.wordings import Wordings
from quotefind.conflicts.words import is_near, is_part, likeness, words_of
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.pairs import mined
from quotefind.progress import Progress, silent
from quotefind.records import Quote
from quotefind.similarity import cosine_scores
from quotefind.text import fold

# Measured by benchmarks/conflicts.py; see benchmarks/README.md.
MIN_SCORE = 0.8
MIN_SCORE_OF_PARTS = 0.5
# Of close pairs, 24 bytes each; in most collections there are far fewer.
_MOST_PAIRS = 1_000_000
# Scores of equal vectors differ behind these.
_DIGITS = 6
# Pairs whose texts are held at once: they can be long.
_BATCH = 256


class Difference(StrEnum):
    """On what the quotes of a group do not agree."""

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
        differs: on what they do not agree, in the order of `Difference`; never empty.
        score: the lowest cosine similarity of one of them to the first, in [-1, 1].
        quotes: two or more: the one that most of the others are near to, then the others, closest first.
    """

    number: int
    differs: tuple[Difference, ...]
    score: float
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """A group before its quotes are shown: `rows` (n,) int64, the first one first."""

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
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[ConflictGroup]:
    """Return groups of quotes of `index` with the same or nearly the same words.

    Those with two names come first; of these, and of the others, the closest.

    Quotes belong together where their words are the same but for case, accents and punctuation, whatever their vectors
    are; or where their vectors are close, and they share most words in the same order, or one has nearly all the words
    of the other (see `words`). Each quote of a group is so close to the first one, not just to a neighbour; so one
    that is between two others may stand in two groups. Names, works and years are compared as they are written. That
    they differ is all that is said: not which one is right, nor whether the quotes are one.

    All but the quotes of the groups is done before this returns; these are read as they are taken.

    Args:
        index: whose quotes are compared; it has to stay open until the last group is taken.
        top: how many groups, at most; None for all.
        min_score: the lowest cosine similarity of quotes whose words are not the same; None for 0.8, or 0.5 where one
            stands whole in the other.
        where: compare only quotes that satisfy this.
        progress: told what goes on.
        checkpoints: a directory in which is kept how far the comparison came; see `pairs.mined`.
        tell: called with a sentence where not all close pairs could be looked at: 1,000,000 are, the closest.

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
            tell(f"{_MOST_PAIRS:,} pairs of quotes are closer than {found.scores[-1]:.4f}; others were not looked at")
        near = _alike(index, found, MIN_SCORE if min_score is None else min_score, progress)
        groups = [
            _group(index, wordings, centre, others) for centre, others in _stars(near, wordings.repeated.tolist())
        ]
    groups.sort(key=lambda group: (Difference.author not in group.differs, -round(group.score, _DIGITS), group.rows[0]))
    return (
        ConflictGroup(number, group.differs, group.score, tuple(index.quotes(group.rows.tolist())))
        for number, group in enumerate(islice(groups, top), 1)
    )


def _alike(index: Index, found: Found, min_score: float, progress: Progress) -> list[tuple[int, int]]:
    """Return those of the pairs of rows that was `found` whose words are nearly the same."""
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
    """Yield rows, each with the rows near to it, so that each pair that is `near` is in one of these, whole.

    The row with most neighbours comes first; a pair that came already with others is not repeated. `repeated` are rows
    that come in any case, with or without a neighbour.
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
    """Return on what `quotes`, the first of which the others are near to, do not agree."""
    found = {_difference_of_words(quotes[0], other) for other in quotes[1:]}
    names = distinct([quote.author for quote in quotes])
    one_name = may_be_one(names)
    if not one_name:
        found.add(Difference.author)
    elif len(names) > 1:
        found.add(Difference.spelling)
    if names and not all(quote.author for quote in quotes):
        found.add(Difference.unnamed)
    # Two authors have works of their own; that these differ says nothing.
    by_author: dict[str, list[Quote]] = {}
    for quote in quotes:
        by_author.setdefault("" if one_name else fold(quote.author or ""), []).append(quote)
    for same in by_author.values():
        if not may_be_one(distinct([quote.work for quote in same]), initials=False):
            found.add(Difference.work)
        if len({quote.year for quote in same if quote.year is not None}) > 1:
            found.add(Difference.year)
    return tuple(difference for difference in Difference if difference in found)


def _difference_of_words(first: Quote, other: Quote) -> Difference | None:
    if first.text == other.text:
        return None
    a, b = words_of(first.text), words_of(other.text)
    if a == b:
        return Difference.punctuation
    return Difference.shortened if likeness(a, b).contained == 1 else Difference.words
