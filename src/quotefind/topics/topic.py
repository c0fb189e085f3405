"""The value that describes a topic."""

from __future__ import annotations

from dataclasses import dataclass

from quotefind.records import Quote


@dataclass(frozen=True, slots=True)
class Topic:
    """Quotes of similar meaning.

    Attributes:
        number: 1 for the largest topic.
        terms: the words that distinguish it from the others, the most characteristic first; empty if its quotes have no
            words.
        size: the number of its quotes.
        central: its most central quotes, the nearest to its mean first.
        scores: the cosine similarity of each quote in `central` to that mean, in [-1, 1].
    """

    number: int
    terms: tuple[str, ...]
    size: int
    central: tuple[Quote, ...]
    scores: tuple[float, ...]

    @property
    def label(self) -> str:
        """Its name: its first three terms, or its number if it has none."""
        return ", ".join(self.terms[:3]) or f"topic {self.number}"
