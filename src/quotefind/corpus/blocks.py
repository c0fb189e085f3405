"""A quotation that is set off as a block, as Markdown and Org have them: its attribution, and the note it stands in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from quotefind.corpus.attribution import Attribution, parse_attribution, split_attribution

_DASHED = re.compile(r"\s*(?:—|―|–|--)[\s—―–-]*(?=\S)")
_DASHED_BEHIND = re.compile(r"\s*(?:—|―|--)[\s—―-]*(?=\S)")


@dataclass(frozen=True, slots=True)
class About:
    """What a note says of itself: whom and what its quotes without an attribution are from, and tags for all."""

    author: str | None = None
    work: str | None = None
    tags: tuple[str, ...] = ()


def is_credit(line: str) -> bool:
    """Whether `line`, which follows a block, begins as an attribution."""
    return _DASHED_BEHIND.match(line) is not None


def split_block(blocks: Sequence[str], behind: str) -> tuple[str, Attribution | None]:
    """Return the words and the attribution of a quotation; `behind` is the credit that follows it, or nothing."""
    whole = "\n".join(blocks)
    lines = blocks[-1].split("\n") if blocks else []
    last = next((at for at in range(len(lines) - 1, -1, -1) if _DASHED.match(lines[at])), None)
    if last is not None:
        credit = parse_credit(" ".join(lines[last:]))
        if credit is not None:
            return "\n".join([*blocks[:-1], *lines[:last]]), credit
    if behind and (credit := parse_credit(behind)) is not None:
        return whole, credit
    return split_attribution(whole)


def parse_credit(credit: str) -> Attribution | None:
    """Return the attribution of a line that begins with a dash."""
    dash = _DASHED.match(credit)
    return parse_attribution(credit[dash.end() :], own_line=True) if dash else None
