"""Whether several names, or titles, may be fuller and shorter forms of one."""

from __future__ import annotations

from collections.abc import Collection

from quotefind.text import fold, fold_name


def distinct(names: Collection[str | None]) -> list[str]:
    """Return the known names, each spelled as it first occurs.

    Those that differ only in case or accents, or as "Austen, Jane" and "Jane Austen" do, are one.
    """
    first: dict[str, str] = {}
    for name in names:
        if name:
            first.setdefault(fold_name(name) or name, name)
    return list(first.values())


def may_be_one(names: Collection[str], *, initials: bool = True) -> bool:
    """Whether all `names` fit the fullest of them, the one with the most words: "Goethe" fits "J. W. von Goethe".

    A name fits if each of its words occurs in the fullest name, in any order. With `initials`, a word and its first
    letter count as equal, but at least one whole word must be the same. Names alone cannot tell whether they mean one
    person: "John Adams" fits "John Quincy Adams".
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
        same = next((full for full in left if _is_initial(word, full) or _is_initial(full, word)), None)
        if not initials or same is None:
            return False
        left.remove(same)
    return True


def _is_initial(letter: str, word: str) -> bool:
    return len(letter) == 1 and word.startswith(letter)
