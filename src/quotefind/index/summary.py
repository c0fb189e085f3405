"""What an update of an index did, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Summary:
    """What an update did.

    Attributes:
        sources: how many sources the index now remembers.
        files: how many files were read.
        added: quotes that are new.
        reused: quotes of the files read that were there already, unchanged.
        updated: quotes whose author, work, year or tags changed.
        removed: quotes that no source holds any more.
        repeats: records that said again what another record says.
        truncated: new quotes longer than the encoder takes, and so cut.
        bad: records skipped because they are not quotes.
        encoded: texts that were encoded.
        quotes: quotes in the index.
        seconds: the time it took.
        rate: texts encoded in a second; 0 where none was.
        warnings: sentences for the user.
        remarks: what was decided for whole files: which columns were used, what separates cells, the encoding.
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
