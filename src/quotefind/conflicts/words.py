"""How far two texts have the same words in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quotefind.text import fold

# Measured by benchmarks/conflicts.py; see benchmarks/README.md.
SHARE = 0.8
CONTAINED = 0.9
# What is shorter stands in many texts.
CONTAINED_WORDS = 6
# Of longer passages that differ it is not said which words they share: that would take too much memory.
_MOST_WORDS = 4_000


@dataclass(frozen=True, slots=True)
class Likeness:
    """What two texts share.

    Attributes:
        share: the words that both have in the same order, as a share of the words of both, in [0, 1].
        contained: the same, as a share of the shorter one, in [0, 1].
        shorter: how many words the shorter one has.
    """

    share: float
    contained: float
    shorter: int


def words_of(text: str) -> list[str]:
    """Return the words of `text`, folded; of a script without case, which may set no blanks, each character is one."""
    folded = fold(text).split()
    if text.isascii():
        return folded
    return [part for word in folded for part in (word if _is_caseless(word[0]) else (word,))]


def likeness(a: Sequence[str], b: Sequence[str]) -> Likeness:
    """Return what the words `a` and `b`, neither empty, share.

    The words that both have in the same order are their longest common subsequence (LCS); the share is
    2 LCS / (len(a) + len(b)), which is the Dice coefficient of the words so aligned, and 1 minus the edit distance of
    insertions and deletions over len(a) + len(b). Dice, "Measures of the amount of ecologic association between
    species", 1945; Navarro, "A guided tour to approximate string matching", 2001.
    """
    common = _common(a, b)
    shorter = min(len(a), len(b))
    return Likeness(2 * common / (len(a) + len(b)), common / shorter, shorter)


def is_near(share: Any, contained: Any, shorter: Any) -> Any:
    """Whether texts of such a likeness have nearly the same words, or one is a shortened form of the other.

    Numbers give a truth value, arrays (n,) an array (n,) of truth values.
    """
    return (share >= SHARE) | ((contained >= CONTAINED) & (shorter >= CONTAINED_WORDS))


def is_part(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether the shorter of `a` and `b`, not too short, stands whole in the longer, word for word."""
    shorter, longer = sorted((a, b), key=len)
    return len(shorter) >= CONTAINED_WORDS and f" {' '.join(shorter)} " in f" {' '.join(longer)} "


def unshared(a: Sequence[str], b: Sequence[str]) -> tuple[set[int], set[int]]:
    """Return the places in `a` and in `b` of the words that are not in their longest common subsequence.

    Of passages that differ and have more than 4,000 words, all words count as unshared.
    """
    head, tail = _ends(a, b)
    a, b = a[head : len(a) - tail], b[head : len(b) - tail]
    alone_a, alone_b = set(range(head, head + len(a))), set(range(head, head + len(b)))
    if max(len(a), len(b)) > _MOST_WORDS:
        return alone_a, alone_b
    vectors = list(_vectors(a, b))
    i, j = len(a) - 1, len(b) - 1
    while i >= 0 and j >= 0:
        if vectors[j] >> i & 1:
            i -= 1
        elif j and not vectors[j - 1] >> i & 1:
            j -= 1
        else:
            alone_a.remove(head + i)
            alone_b.remove(head + j)
            i, j = i - 1, j - 1
    return alone_a, alone_b


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    head, tail = _ends(a, b)
    a, b = a[head : len(a) - tail], b[head : len(b) - tail]
    last = deque(_vectors(a, b), maxlen=1)
    return head + tail + (len(a) - last[0].bit_count() if last else 0)


def _ends(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """Return how many words `a` and `b` share at their beginning, and how many behind that at their end."""
    shorter = min(len(a), len(b))
    head = next((at for at in range(shorter) if a[at] != b[at]), shorter)
    tail = next((at for at in range(shorter - head) if a[-1 - at] != b[-1 - at]), shorter - head)
    return head, tail


def _vectors(a: Sequence[str], b: Sequence[str]) -> Iterator[int]:
    """Yield for each beginning of `b` a number whose bit i is 0 where a[i] makes its LCS with a[: i + 1] longer.

    All of a row of the usual table at once, a bit a word: Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << at
    every = vector = (1 << len(a)) - 1
    for word in b:
        common = vector & places.get(word, 0)
        vector = (vector + common | vector - common) & every
        yield vector


def _is_caseless(letter: str) -> bool:
    return letter.isalpha() and letter.upper() == letter.lower()
