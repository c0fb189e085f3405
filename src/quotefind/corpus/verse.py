"""Tell which line breaks of a text are intended: those of verse and dialogue, not those of wrapped prose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_WIDTH = 64  # characters; prose is usually wrapped wider, and few verses are longer
_LONGEST_VERSE = 68
_NARROW = 56  # narrower than people wrap prose
_MOST_LINES = 400
_SPEAKER = re.compile(r"<[^<>\s]{1,20}>\s|(?:[^\W\d_][\w.'’-]{0,19}(?: [\w.'’-]{1,20}){0,2}):\s+\S")
_LEADING = "\"“”„«»'‘’`([{*_<… \t"


def join_lines(lines: Sequence[str]) -> str:
    r"""Return `lines` as one text, with "\n" for intended line breaks, and a blank for those of wrapped prose.

    The breaks of verse, and those before a speaker of a dialogue (`Q:`, `Hamlet:`), are intended. A blank line between
    stanzas is kept.
    """
    stripped = [line.strip() for line in lines]
    if len(stripped) > _MOST_LINES:
        return " ".join(stripped)
    if is_verse(stripped):
        return "\n".join(stripped).strip("\n")
    speakers = [bool(_SPEAKER.match(line)) for line in stripped]
    if sum(speakers) < 2 or not speakers[0]:
        return " ".join(stripped)
    return "".join(
        ("\n" if speaks and at else " " if at else "") + line
        for at, (line, speaks) in enumerate(zip(stripped, speakers, strict=True))
    )


def is_verse(lines: Sequence[str]) -> bool:
    """Whether the breaks between `lines` are those of verse.

    They are if nearly every line begins with a capital, and most lines end although the next word would have fitted; or
    if there are four lines or more, and most end although the next word would have fitted into the longest of them,
    which never happens in wrapped prose.
    """
    full = [line.strip() for line in lines if line.strip()]
    if len(full) < 2:
        return False
    longest = max(map(len, full))
    if longest > _LONGEST_VERSE:
        return False
    needed = [len(line) + 1 + len(following.split(maxsplit=1)[0]) for line, following in pairwise(full)]
    begun = [line.lstrip(_LEADING)[:1] for line in full[1:]]
    capitals = sum(first.isupper() for first in begun)
    cased = sum(first.isupper() or first.islower() for first in begun)
    if capitals and capitals >= 0.8 * cased and cased >= 0.6 * len(begun):
        return sum(length <= _WIDTH for length in needed) >= 0.75 * len(needed)
    lettered = sum(any(map(str.isalpha, line)) for line in full)
    if len(full) < 4 or lettered < len(full) or longest > _NARROW:
        return False
    return sum(length <= longest for length in needed) >= 0.6 * len(needed)
