"""The values that cross the boundaries of the package: quotes, hits and pairs."""

from __future__ import annotations

from dataclasses import dataclass

from quotefind.text import fold_name


@dataclass(frozen=True, slots=True)
class Quote:
    """A quotation and what is known of it.

    Attributes:
        text: the words, normalised (see `text.normalise`), never empty; "\n" between the lines of verse and dialogue.
        author: who said or wrote it; None where unknown.
        work: the title of the work it comes from; None where unknown.
        year: the year of the work, negative for BCE; None where unknown.
        tags: tags, in the order in which the source gives them.
        source: the file it was read from, or "bundled" or "-"; None for a quote made in memory.
        line: the line in that file on which it starts, or the row of a database, counted from 1.
        id: 16 hexadecimal digits made from text and author, the same in every index; None before indexing.
        proposed: tags that `quotefind tag` proposed, the best first; none where the quote has tags of its own.
        note: the collector's own remark, its white space folded; None where there is none.
        place: where in the work, as the source writes it ("ch. 2, p. 91", "location 1204"); None where unknown.
        added: when it was highlighted or collected, ISO 8601: a date, or a date and a time to the second; None where
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
        query: the request, as it was asked.
        rank: 1 for the best hit of that query.
        score: cosine similarity of query and quote, in [-1, 1].
        quote: the quote.
    """

    query: str
    rank: int
    score: float
    quote: Quote


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and how close they are.

    Attributes:
        rank: 1 for the closest pair of a listing.
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
        """Whether both texts carry an author and the two names differ."""
        return bool(self.a.author and self.b.author and fold_name(self.a.author) != fold_name(self.b.author))
