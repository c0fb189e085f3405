"""Propose tags for quotes that have none, by the similarity of each quote to each tag of a list.

Only the tags are encoded; the vectors of the quotes come from the index. A tag is compared with a text by the meaning
of its name, without examples (Chang, Ratinov, Roth and Srikumar, "Importance of Semantic Representation: Dataless
Classification", AAAI 2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quotefind.encoders import Encoder
from quotefind.encoders.resolve import BASE_MODEL, DEFAULT_MODEL
from quotefind.errors import IndexUnusableError, SourceError, UsageError
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.paths import bundled_tags
from quotefind.progress import Progress, silent
from quotefind.records import Quote
from quotefind.similarity import Vectors, candidates, scores_at, unit_rows
from quotefind.text import fold, is_unicode, normalise, piles_marks

if TYPE_CHECKING:
    from quotefind.index.interface import IndexWriter
    from quotefind.paths import Location

# The queries for a tag, as in the model card; the vector of a tag is the mean of theirs. Chosen, like TOP, on the
# held-out authors; see benchmarks/README.md.
TEMPLATES = (
    "{}",
    "quotes about {}",
    "I need a quote about the importance of {}.",
    "Searching for a quote that captures the essence of {}.",
)
TOP = 3
# For each model, the lowest threshold at which three of five proposals are tags that the quotes of the held-out authors
# have. It is higher than that of the best F1, because a person must check each proposal, and a quote without a tag can
# still be found by its meaning. Scores of another model mean something else.
THRESHOLDS = {DEFAULT_MODEL: 0.41, BASE_MODEL: 0.44}
# Bounds for the file of tags, so that a wrong file does not fill the memory.
_MOST_BYTES = 1_000_000
_MOST_TAGS = 10_000
_LONGEST_TAG = 200
# Scores computed at a time: 4 MB of float32.
_SCORES = 1 << 20


@dataclass(frozen=True, slots=True)
class ProposedTag:
    """A tag and its cosine similarity to a quote, in [-1, 1]."""

    tag: str
    score: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A quote without tags of its own, and the tags proposed for it, the most similar first."""

    quote: Quote
    tags: tuple[ProposedTag, ...]


class Proposals:
    """The proposals for one state of an index, made by `propose_tags`; each iteration computes them again.

    Attributes:
        rows: (n,) int64, the rows of the quotes without tags, ascending.
        min_score: the lowest score of a proposed tag.
    """

    def __init__(
        self, index: Index, tags: Sequence[str], vectors: Vectors, *, top: int, min_score: float, where: Filter
    ) -> None:
        """Propose `tags`, whose unit `vectors` are (t, d) float32; see `propose_tags` for the other arguments."""
        self.rows = index.rows_where(replace(where, untagged=True))
        self.min_score = min_score
        self._index = index
        self._tags = tags
        self._vectors = vectors
        self._top = top
        self._where = where

    def again(self, index: Index) -> Proposals:
        """Return the same proposals for another state of the index; the tags are not encoded again.

        Raises:
            IndexUnusableError: it was rebuilt with another model since, or is damaged.
        """
        if index.manifest.fingerprint != self._index.manifest.fingerprint:
            raise _rebuilt(index.location)
        return Proposals(index, self._tags, self._vectors, top=self._top, min_score=self.min_score, where=self._where)

    def __iter__(self) -> Iterator[Proposal]:
        """Yield the proposals in the order of the index; quotes without a similar tag are left out."""
        for _, found in self._blocks(silent):
            for quote, tags in zip(self._index.quotes(found), found.values(), strict=True):
                yield Proposal(quote, tags)

    def write(self, writer: IndexWriter, progress: Progress = silent) -> int:
        """Replace the stored proposals of these quotes, all or none; return how many quotes were skipped.

        A quote is skipped if it has changed since the index was opened.

        Args:
            writer: the writer of the same index.
            progress: called with the number of quotes scored.

        Raises:
            IndexUnusableError: the index was rebuilt with another model since, or is damaged.
        """
        if writer.require_manifest().fingerprint != self._index.manifest.fingerprint:
            raise _rebuilt(writer.location)
        return writer.propose(self._changes(progress))

    def _changes(self, progress: Progress) -> Iterator[tuple[Quote, tuple[str, ...]]]:
        """Yield each quote that has proposals now or had some before, with the tags now proposed."""
        before = self._index.rows_with_proposals()
        for rows, found in self._blocks(progress):
            affected = sorted({*found, *np.intersect1d(rows, before).tolist()})
            for row, quote in zip(affected, self._index.quotes(affected), strict=True):
                yield quote, tuple(proposed.tag for proposed in found.get(row, ()))

    def _blocks(self, progress: Progress) -> Iterator[tuple[NDArray[np.int64], dict[int, tuple[ProposedTag, ...]]]]:
        """Yield blocks of rows (b,), with the proposals of those rows that have any."""
        size = max(1, _SCORES // len(self._tags))
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            found: dict[int, tuple[ProposedTag, ...]] = {}
            near = best_tags(self._index.vectors(rows), self._vectors, self._top, self.min_score)
            for position, tag, score in zip(*(part.tolist() for part in near), strict=True):
                row = int(rows[position])
                found[row] = (*found.get(row, ()), ProposedTag(self._tags[tag], score))
            progress("comparing", start + len(rows), len(self.rows))
            yield rows, found


def propose_tags(
    index: Index,
    encoder: Encoder,
    tags: Sequence[str] | None = None,
    *,
    top: int = TOP,
    min_score: float | None = None,
    where: Filter | None = None,
) -> Proposals:
    """Return the tags proposed for the quotes of `index` that have no tags of their own.

    Args:
        index: the index whose quotes are tagged.
        encoder: the encoder of the index; it encodes only the tags.
        tags: the tags to choose from, as `read_tags` returns them; None for the tags of the bundled quotes.
        top: the maximum number of tags per quote: those with the highest scores; ties in the order of `tags`.
        min_score: the lowest cosine similarity of a quote to a proposed tag; None for the threshold that was measured
            for the model of the index.
        where: consider only quotes that satisfy this filter.

    Raises:
        UsageError: `top` is below 1, there are no tags, or `min_score` is None and the model has no threshold.
        IndexUnusableError: a row does not match its checksum.
    """
    if top < 1:
        raise UsageError("The number of tags must be at least 1 (--top 1).")
    least = THRESHOLDS.get(index.manifest.model) if min_score is None else min_score
    if least is None:
        raise UsageError(
            f"The index was made with the model {index.manifest.model}, for which there is no measured threshold. Set "
            "--min-score, from -1 to 1; to choose it, look at the scores that --min-score -1 shows."
        )
    tags = read_tags() if tags is None else tags
    if not tags:
        raise UsageError("There are no tags to propose.")
    vectors = tag_vectors(encoder, tags)
    return Proposals(index, tags, vectors, top=top, min_score=least, where=where or Filter())


def read_tags(path: Path | None = None) -> list[str]:
    """Return the tags in the file at `path`, one a line; by default those of the bundled quotes.

    Blank lines and lines that begin with # are skipped. Of tags that differ only in case, accents or punctuation, the
    first one counts.

    Raises:
        SourceError: the file cannot be read, is not UTF-8 text, has more than 1,000,000 bytes, a line that is not a
            tag, more than 10,000 tags, or no tag.
    """
    path = path or bundled_tags()
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > _MOST_BYTES:
        raise SourceError(f"{path} is longer than {_MOST_BYTES:,} bytes; expected a list of tags, one a line.")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise SourceError(f"{path}:{number}: not valid UTF-8 ({error.reason}).") from error
    tags: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            tag = _tag(line, f"{path}:{number}")
            tags.setdefault(fold(tag), tag)
    if not 0 < len(tags) <= _MOST_TAGS:
        raise SourceError(f"{path} holds {len(tags):,} tags; expected from 1 to {_MOST_TAGS:,}, one a line.")
    return list(tags.values())


def tag_vectors(encoder: Encoder, tags: Sequence[str], templates: Sequence[str] | None = None) -> Vectors:
    """Return the unit vectors (t, d) float32 of `tags`: the means of the queries made from `templates` or TEMPLATES.

    Hyphens become spaces: the query for the tag "human-nature" asks for "human nature".
    """
    templates = templates or TEMPLATES
    queries = [template.replace("{}", tag.replace("-", " ")) for template in templates for tag in tags]
    vectors = encoder.encode_queries(queries).reshape(len(templates), len(tags), encoder.dim)
    return unit_rows(vectors.mean(axis=0))


def best_tags(
    quotes: Vectors, tags: Vectors, top: int, min_score: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the best of `tags` (t, d) for each of `quotes` (n, d), both float32 unit rows.

    The result is three arrays (m,): the position of the quote, the position of the tag, and their cosine similarity as
    float64; sorted by quote, then by score, the highest first, then by tag. A quote has at most `top` tags, none below
    `min_score`.
    """
    scores = quotes @ tags.T
    cut = np.full(len(quotes), min_score, np.float32)
    if top < len(tags):
        cut = np.maximum(cut, np.partition(scores, len(tags) - top, axis=1)[:, len(tags) - top])
    near = candidates(scores, cut[:, None])
    exact = scores_at(near, quotes, tags)
    order = np.lexsort((near[:, 1], -exact, near[:, 0]))
    order = order[exact[order] >= min_score]
    positions = near[order, 0]
    order = order[np.arange(len(order)) - np.searchsorted(positions, positions) < top]
    return near[order, 0], near[order, 1], exact[order]


def _rebuilt(location: Location) -> IndexUnusableError:
    return IndexUnusableError(
        f"The index in {location} was rebuilt with another model meanwhile. Run the command again."
    )


def _tag(line: str, where: str) -> str:
    """Return the tag in `line`, or raise SourceError."""
    if len(line) > _LONGEST_TAG:
        raise SourceError(f"{where}: {len(line):,} characters; expected a tag of at most {_LONGEST_TAG}.")
    tag = "" if piles_marks(line) else normalise(line)
    if not fold(tag) or not is_unicode(tag):
        raise SourceError(f"{where}: {line.strip()!r} is not a tag; it needs a letter or a digit.")
    return tag
