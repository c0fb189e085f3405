"""The values that cross the boundaries of the package: quotes, hits and pairs."""

from __future__ import annotations

from dataclasses import dataclass

from quotefind.text import fold_name


@dataclass(frozen=True, slots=True)
class Quote:
    """A quotation and what is known about it.

    Attributes:
        text: the words, normalised (see `text.normalise`), never empty; "\n" between the lines of verse and dialogue.
        author: who said or wrote it; None if unknown.
        work: the title of the work it comes from; None if unknown.
        year: the year of the work, negative for BCE; None if unknown.
        tags: its tags, in the order of the source.
        source: the file it was read from, or "bundled" or "-"; None for a quote made in memory.
        line: the line on which it starts in that file, or its row in a database, counted from 1; None if unknown.
        id: 16 hexadecimal digits made from text and author, the same in every index; None before indexing.
        proposed: tags that `quotefind tag` proposed, best first; empty if the quote has tags of its own.
        note: the collector's own remark, with its white space collapsed; None if there is none.
        place: where in the work, as the source writes it ("ch. 2, p. 91", "location 1204"); None if unknown.
        added: when it was highlighted or collected, in ISO 8601: a date, or a date and a time to the second; None if
            unknown.
    """

    text: str
    author: str | None = None
    work: str | None = None
    year: int | None = None
    tags: tuple[str, ...] = ()
    source: str | None = None
    line: int | None = None
    id: str | None = None
    proposed: tuple[str, ...] = ()
    note: str | None = None
    place: str | None = None
    added: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A quote found for a query.

    Attributes:
        query: the query, unchanged.
        rank: 1 for the best hit of the query.
        score: cosine similarity of query and quote, in [-1, 1].
        quote: the quote.
    """

    query: str
    rank: int
    score: float
    quote: Quote


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and their similarity.

    Attributes:
        rank: 1 for the closest pair of a list.
        score: cosine similarity, in [-1, 1].
        a: the first text.
        b: the second text.
    """

    rank: int
    score: float
    a: Quote
    b: Quote

    @property
    def conflict(self) -> bool:
        """Whether both texts have an author and the two names differ."""
        return bool(self.a.author and self.b.author and fold_name(self.a.author) != fold_name(self.b.author))
