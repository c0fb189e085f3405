"""Tag: themes proposed for quotes that have none, by how near a quote is to each theme of a list.

No quote is encoded again: the vectors are those of the index, and only the themes are encoded. A theme is compared with
a text by what its name means, without an example: Chang, Ratinov, Roth and Srikumar, "Importance of Semantic
Representation: Dataless Classification", AAAI 2008.
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
from quotefind.paths import bundled_themes
from quotefind.progress import Progress, silent
from quotefind.records import Quote
from quotefind.similarity import Vectors, candidates, scores_at, unit_rows
from quotefind.text import fold, is_unicode, normalise, piles_marks

if TYPE_CHECKING:
    from quotefind.index.interface import IndexWriter
    from quotefind.paths import Location

# The ways in which a theme is asked for, those of the model card; its vector is the mean of them. Chosen, as the number
# of themes, on the held-out authors: see benchmarks/README.md.
TEMPLATES = (
    "{}",
    "quotes about {}",
    "I need a quote about the importance of {}.",
    "Searching for a quote that captures the essence of {}.",
)
TOP = 3
# For each model the lowest threshold at which three of five proposals are tags that the quotes of the held-out authors
# carry: who is shown proposals has to look at each, and what is missing can be found by its meaning. The best F1 is
# near, at a lower one. With another model scores mean something else.
THRESHOLDS = {DEFAULT_MODEL: 0.41, BASE_MODEL: 0.44}
# A list of themes is short; a file without end must not take the memory.
_MOST_BYTES = 1_000_000
_MOST_THEMES = 10_000
_LONGEST_THEME = 200
# Scores computed at a time: 4 MB of float32.
_SCORES = 1 << 20


@dataclass(frozen=True, slots=True)
class ProposedTag:
    """A theme and its cosine similarity to a quote, in [-1, 1]."""

    tag: str
    score: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A quote that has no tags of its own, and the themes that are proposed for it, the nearest first."""

    quote: Quote
    tags: tuple[ProposedTag, ...]


class Proposals:
    """The proposals for one state of an index, made by `propose_tags`; each iteration scores anew, and keeps nothing.

    Attributes:
        rows: (n,) int64, the rows of the quotes that are looked at, ascending.
        min_score: the least score of a theme that is proposed.
    """

    def __init__(
        self, index: Index, themes: Sequence[str], vectors: Vectors, *, top: int, min_score: float, where: Filter
    ) -> None:
        """Propose `themes`, whose unit `vectors` are (t, d) float32; for the rest see `propose_tags`."""
        self.rows = index.rows_where(replace(where, untagged=True))
        self.min_score = min_score
        self._index = index
        self._themes = themes
        self._vectors = vectors
        self._top = top
        self._where = where

    def again(self, index: Index) -> Proposals:
        """Return the same for another state of the index; the themes are not encoded again.

        Raises:
            IndexUnusableError: it was encoded with another model meanwhile, or is damaged.
        """
        if index.manifest.fingerprint != self._index.manifest.fingerprint:
            raise _encoded_anew(index.location)
        return Proposals(index, self._themes, self._vectors, top=self._top, min_score=self.min_score, where=self._where)

    def __iter__(self) -> Iterator[Proposal]:
        """Yield the proposals in the order of the index; none for a quote that no theme is near enough to."""
        for _, found in self._blocks(silent):
            for quote, tags in zip(self._index.quotes(found), found.values(), strict=True):
                yield Proposal(quote, tags)

    def write(self, writer: IndexWriter, progress: Progress = silent) -> int:
        """Store the proposals in the index, in the place of those that these quotes had: all of them or none.

        A quote that has changed since the index was opened is left alone; returned is how many have.

        Args:
            writer: of the same index.
            progress: told how many quotes were scored.

        Raises:
            IndexUnusableError: the index was encoded with another model meanwhile, or is damaged.
        """
        if writer.require_manifest().fingerprint != self._index.manifest.fingerprint:
            raise _encoded_anew(writer.location)
        return writer.propose(self._changes(progress))

    def _changes(self, progress: Progress) -> Iterator[tuple[Quote, tuple[str, ...]]]:
        """Yield each quote that has proposals now, or had some, with the tags that are proposed for it now."""
        before = self._index.rows_with_proposals()
        for rows, found in self._blocks(progress):
            concerned = sorted({*found, *np.intersect1d(rows, before).tolist()})
            for row, quote in zip(concerned, self._index.quotes(concerned), strict=True):
                yield quote, tuple(proposed.tag for proposed in found.get(row, ()))

    def _blocks(self, progress: Progress) -> Iterator[tuple[NDArray[np.int64], dict[int, tuple[ProposedTag, ...]]]]:
        """Yield some of the rows (b,), and for those of them that have proposals what is proposed."""
        size = max(1, _SCORES // len(self._themes))
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            found: dict[int, tuple[ProposedTag, ...]] = {}
            near = best_themes(self._index.vectors(rows), self._vectors, self._top, self.min_score)
            for position, theme, score in zip(*(part.tolist() for part in near), strict=True):
                row = int(rows[position])
                found[row] = (*found.get(row, ()), ProposedTag(self._themes[theme], score))
            progress("comparing", start + len(rows), len(self.rows))
            yield rows, found


def propose_tags(
    index: Index,
    encoder: Encoder,
    themes: Sequence[str] | None = None,
    *,
    top: int = TOP,
    min_score: float | None = None,
    where: Filter | None = None,
) -> Proposals:
    """Return the themes that are proposed for the quotes of `index` that have no tags of their own.

    Args:
        index: whose quotes are looked at.
        encoder: the one that the index was made with; it encodes the themes, and nothing else.
        themes: what may be proposed, as `read_themes` returns it; None for the themes of the bundled quotes.
        top: how many themes a quote gets at most, those with the highest scores; ties in the order of `themes`.
        min_score: the least cosine similarity of a quote and a theme that is proposed for it; None for what was
            measured for the model of the index.
        where: look only at quotes that satisfy this.

    Raises:
        UsageError: `top` is below 1, there is no theme, or `min_score` is None and nothing was measured for this model.
        IndexUnusableError: a row that is looked at is not what was written.
    """
    if top < 1:
        raise UsageError("At least one theme has to be asked for (--top 1).")
    least = THRESHOLDS.get(index.manifest.model) if min_score is None else min_score
    if least is None:
        raise UsageError(
            f"The index was made with the model {index.manifest.model}, for which it was not measured how near a theme "
            "has to be. Say so with --min-score, from -1 to 1; the scores that --min-score -1 shows help to choose."
        )
    themes = read_themes() if themes is None else themes
    if not themes:
        raise UsageError("There is no theme to propose.")
    vectors = theme_vectors(encoder, themes)
    return Proposals(index, themes, vectors, top=top, min_score=least, where=where or Filter())


def read_themes(path: Path | None = None) -> list[str]:
    """Return the themes in the file at `path`, one a line, each once; None for those of the bundled quotes.

    Blank lines and lines that begin with # are passed over. Of two themes that differ only in case, accents or signs
    the first counts.

    Raises:
        SourceError: the file cannot be read, is no UTF-8 text, is longer than 1,000,000 bytes, holds a line that is no
            theme, more than 10,000 themes, or none.
    """
    path = path or bundled_themes()
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > _MOST_BYTES:
        raise SourceError(f"{path} is longer than {_MOST_BYTES:,} bytes; expected a list of themes, one a line.")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise SourceError(f"{path}:{number}: not valid UTF-8 ({error.reason}).") from error
    themes: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            theme = _theme(line, f"{path}:{number}")
            themes.setdefault(fold(theme), theme)
    if not 0 < len(themes) <= _MOST_THEMES:
        raise SourceError(f"{path} holds {len(themes):,} themes; expected from 1 to {_MOST_THEMES:,}, one a line.")
    return list(themes.values())


def theme_vectors(encoder: Encoder, themes: Sequence[str], templates: Sequence[str] | None = None) -> Vectors:
    """Return the unit vectors (t, d) float32 of `themes`: the mean of the requests for each, in TEMPLATES or others.

    Hyphens between words are read as blanks: a tag is "human-nature", a request asks for "human nature".
    """
    templates = templates or TEMPLATES
    asked = [template.replace("{}", theme.replace("-", " ")) for template in templates for theme in themes]
    vectors = encoder.encode_queries(asked).reshape(len(templates), len(themes), encoder.dim)
    return unit_rows(vectors.mean(axis=0))


def best_themes(
    quotes: Vectors, themes: Vectors, top: int, min_score: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return which of `themes` (t, d) each of `quotes` (n, d) is nearest to, both float32 unit rows.

    Returned are, for each of the m finds, the position of the quote, that of the theme, and the cosine similarity of
    both as float64; sorted by quote, then by score, the highest first, then by theme. A quote has at most `top` finds,
    none of them below `min_score`.
    """
    scores = quotes @ themes.T
    cut = np.full(len(quotes), min_score, np.float32)
    if top < len(themes):
        cut = np.maximum(cut, np.partition(scores, len(themes) - top, axis=1)[:, len(themes) - top])
    near = candidates(scores, cut[:, None])
    exact = scores_at(near, quotes, themes)
    order = np.lexsort((near[:, 1], -exact, near[:, 0]))
    order = order[exact[order] >= min_score]
    positions = near[order, 0]
    order = order[np.arange(len(order)) - np.searchsorted(positions, positions) < top]
    return near[order, 0], near[order, 1], exact[order]


def _encoded_anew(location: Location) -> IndexUnusableError:
    return IndexUnusableError(
        f"The index in {location} was encoded with another model meanwhile. Run the command again."
    )


def _theme(line: str, where: str) -> str:
    """Return the theme in `line`; raise SourceError where it is none."""
    if len(line) > _LONGEST_THEME:
        raise SourceError(f"{where}: {len(line):,} characters; expected a theme of at most {_LONGEST_THEME}.")
    theme = "" if piles_marks(line) else normalise(line)
    if not fold(theme) or not is_unicode(theme):
        raise SourceError(f"{where}: {line.strip()!r} is no theme; it needs a letter or a digit.")
    return theme
