"""What an update of an index did: in numbers, and in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from quotefind.text import counted


@dataclass(slots=True)
class Summary:
    """The result of an update.

    Attributes:
        sources: sources that the index now remembers.
        files: files that were read.
        added: new quotes.
        reused: quotes of the checked sources that were already in the index and are unchanged.
        updated: quotes whose author, work, year, tags or note changed.
        removed: quotes that are no longer in any source.
        repeats: records that repeat another record.
        truncated: new quotes that are longer than the encoder reads.
        bad: records skipped because they are not quotes.
        encoded: texts that were encoded.
        quotes: quotes in the index.
        seconds: the duration of the update.
        rate: texts encoded per second; 0 if none were.
        warnings: sentences that the user must see.
        remarks: what was skipped because it cannot hold quotes, and how whole files were read: the columns used, the
            cell separator, the encoding.
        read: distinct quotes in the files that were read.
        without_author: how many of those have no author.
        skipped: files in folders that were not read, and folders that were not searched, without excluded ones.
    """

    sources: int = 0
    files: int = 0
    added: int = 0
    reused: int = 0
    updated: int = 0
    removed: int = 0
    repeats: int = 0
    truncated: int = 0
    bad: int = 0
    encoded: int = 0
    quotes: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    warnings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    read: int = 0
    without_author: int = 0
    skipped: int = 0

    def sentences(self) -> Iterator[str]:
        """Yield sentences for the user: first what was added, then every other number that is not zero."""
        added = counted(self.added, "quote") if self.added else "no quotes"
        yield f"{added} added, {self.quotes:,} in all, in {self.seconds:,.1f} s"
        if self.updated:
            yield f"{counted(self.updated, 'quote')} updated, whose author, work, year, tags or note changed"
        if self.removed:
            yield f"{counted(self.removed, 'quote')} removed, no longer in any source"
        if self.repeats:
            yield f"{counted(self.repeats, 'duplicate')} left out"
        if self.bad:
            yield f"{counted(self.bad, 'invalid record')} skipped"
        if self.truncated:
            longer = (
                "is longer than the model reads: its end does"
                if self.truncated == 1
                else ("are longer than the model reads: their ends do")
            )
            yield f"{counted(self.truncated, 'quote')} {longer} not count in a search"
        if 0 < self.without_author * 2 < self.read:
            verb = "has" if self.without_author == 1 else "have"
            yield f"{self.without_author:,} of {counted(self.read, 'quote')} {verb} no author"
        if self.encoded:
            yield f"{counted(self.encoded, 'text')} encoded, {self.rate:,.0f} per second"
