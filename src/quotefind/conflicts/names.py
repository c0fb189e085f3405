"""Whether names, or titles, may be more and less of the same."""

from __future__ import annotations

from collections.abc import Collection

from quotefind.text import fold


def distinct(names: Collection[str | None]) -> list[str]:
    """Return the names that are known, each as it is written first, without those that differ in case or accents."""
    first: dict[str, str] = {}
    for name in names:
        if name:
            first.setdefault(fold(name) or name, name)
    return list(first.values())


def may_be_one(names: Collection[str], *, initials: bool = True) -> bool:
    """Whether all `names` fit into the fullest of them, the one with the most words: "Goethe" into "J. W. von Goethe".

    A name fits where each of its words is one of the other's, in any order, or, with `initials`, stands for one by its
    first letter, or the other way round; one whole word has to be the same. Whether that makes them one person, nobody
    can tell from names: "John Adams" fits into "John Quincy Adams".
    """
    if len(names) < 2:
        return True
    fullest = max(names, key=lambda name: (len(fold(name).split()), len(name), name))
    return all(_fits(fold(name).split(), fold(fullest).split(), initials=initials) for name in names)


def _fits(name: list[str], fuller: list[str], *, initials: bool) -> bool:
    left = list(fuller)
    others = []
    for word in name:
        if word in left:
            left.remove(word)
        else:
            others.append(word)
    if not any(len(word) > 1 for word in name if word not in others):
        return name == fuller
    for word in others:
        stands_for = next((full for full in left if _is_initial(word, full) or _is_initial(full, word)), None)
        if not initials or stands_for is None:
            return False
        left.remove(stands_for)
    return True


def _is_initial(letter: str, word: str) -> bool:
    return len(letter) == 1 and word.startswith(letter)
