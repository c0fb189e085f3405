"""How many words two texts share in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import LCSseq

from quotefind.text import fold

# Measured by benchmarks/conflicts.py; see benchmarks/README.md.
SHARE = 0.8
CONTAINED = 0.9
# Fewer words occur in many texts by chance.
CONTAINED_WORDS = 6
# The memory that an alignment takes grows with the product of the lengths.
_LONGEST_ALIGNED = 4_000


@dataclass(frozen=True, slots=True)
class Likeness:
    """What two texts share.

    Attributes:
        share: the words that both have in the same order, as a share of the words of both, in [0, 1].
        contained: the same, as a share of the shorter text, in [0, 1].
        shorter: the number of words of the shorter text.
    """

    share: float
    contained: float
    shorter: int


def words_of(text: str) -> list[str]:
    """Return the folded words of `text`. In scripts without case, which may use no spaces, each character is a word."""
    folded = fold(text).split()
    if text.isascii():
        return folded
    return [part for word in folded for part in (word if _is_caseless(word[0]) else (word,))]


def likeness(a: Sequence[str], b: Sequence[str]) -> Likeness:
    """Return what the words `a` and `b`, neither empty, share.

    The words that both have in the same order are their longest common subsequence (LCS). The share is
    2 LCS / (len(a) + len(b)): the Dice coefficient of the aligned words (Dice, "Measures of the amount of ecologic
    association between species", 1945).
    """
    common = LCSseq.similarity(a, b)
    shorter = min(len(a), len(b))
    return Likeness(2 * common / (len(a) + len(b)), common / shorter, shorter)


def is_near(share: Any, contained: Any, shorter: Any) -> Any:
    """Whether two texts have nearly the same words, or one is a shortened form of the other.

    The arguments are the attributes of `Likeness`: numbers give one truth value, arrays (n,) give an array (n,).
    """
    return (share >= SHARE) | ((contained >= CONTAINED) & (shorter >= CONTAINED_WORDS))


def is_part(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether the shorter of `a` and `b`, if it has at least six words, occurs word for word in the longer."""
    shorter, longer = sorted((a, b), key=len)
    return len(shorter) >= CONTAINED_WORDS and f" {' '.join(shorter)} " in f" {' '.join(longer)} "


def unshared(a: Sequence[str], b: Sequence[str]) -> tuple[set[int], set[int]]:
    """Return the positions in `a` and in `b` of the words outside their longest common subsequence.

    Where more than 4,000 words lie between the common beginning and the common end, all of these count as unshared.
    """
    shorter = min(len(a), len(b))
    head = next((at for at in range(shorter) if a[at] != b[at]), shorter)
    tail = next((at for at in range(shorter - head) if a[-1 - at] != b[-1 - at]), shorter - head)
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    only_a = set(range(head, len(a) - tail))
    only_b = set(range(head, len(b) - tail))
    if max(len(middle_a), len(middle_b)) > _LONGEST_ALIGNED:
        return only_a, only_b
    for step in LCSseq.opcodes(middle_a, middle_b):
        if step.tag == "equal":
            only_a.difference_update(range(head + step.src_start, head + step.src_end))
            only_b.difference_update(range(head + step.dest_start, head + step.dest_end))
    return only_a, only_b


def _is_caseless(letter: str) -> bool:
    return letter.isalpha() and letter.upper() == letter.lower()
