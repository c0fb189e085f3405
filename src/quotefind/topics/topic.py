"""What a topic is."""

from __future__ import annotations

from dataclasses import dataclass

from quotefind.records import Quote


@dataclass(frozen=True, slots=True)
class Topic:
    """Quotes that belong together by what they mean.

    Attributes:
        number: 1 for the largest topic of a listing.
        terms: the words that set it apart from the others, the most telling first; none where its quotes have no words.
        size: how many quotes it has.
        central: its most central quotes, the nearest to its mean first.
        scores: the cosine similarity of each of `central` to that mean, in [-1, 1].
    """

    number: int
    terms: tuple[str, ...]
    size: int
    central: tuple[Quote, ...]
    scores: tuple[float, ...]

    @property
    def label(self) -> str:
        """What it is called: its first terms, or its number where it has none."""
        return ", ".join(self.terms[:3]) or f"topic {self.number}"
