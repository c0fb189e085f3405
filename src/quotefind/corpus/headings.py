"""Headings that name the author of the quotes under them, or of the quote above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quotefind.corpus.attribution import Attribution, name_attribution, place_of
from quotefind.corpus.blocks import Block
from quotefind.corpus.front_matter import About
from quotefind.corpus.nodes import Found, Node


@dataclass(frozen=True, slots=True)
class _Heading:
    """A heading: its words, whether quotes are under it, and whether only quotes are, up to the next heading."""

    level: int
    words: str
    attribution: Attribution | None
    has_quotes: bool
    only_quotes: bool


def credit_by_headings(
    nodes: Sequence[Node], found: Mapping[int, list[Found]], used: set[int], words: Mapping[int, str], about: About
) -> list[Found]:
    """Return the quotes in `found`; those without an attribution get that of a heading.

    The keys of `found` (quotes) and `words` (headings) are positions in `nodes`; `used` are the positions of nodes that
    belong to quotes.

    A heading names an author only if nothing but quotes is under it, and the note does not name one. If most headings
    of a level are topics, none of that level does. A heading that states a chapter or a page gives the place.
    """
    headings = _headings(nodes, found, used, words)
    trusted = set() if about.author else _trusted(headings)
    below = {} if about.author else _below(nodes, headings, found, used)
    quotes: list[Found] = []
    path: list[_Heading] = []
    for at in range(len(nodes)):
        if heading := headings.get(at):
            path = [outer for outer in path if outer.level < heading.level] + [heading]
        for quote in found.get(at, ()):
            if not isinstance(quote.block, Block):
                quotes.append(quote)
                continue
            block = quote.block
            if block.attribution is None:
                attribution = below.get(at) or _above(path, trusted)
                block = replace(block, attribution=attribution)
            place = place_of(path[-1].words) if path else None
            quotes.append(replace(quote, block=replace(block, place=block.place or place)))
    return quotes


def _headings(
    nodes: Sequence[Node], found: Mapping[int, list[Found]], used: set[int], words: Mapping[int, str]
) -> dict[int, _Heading]:
    """Return the headings by the position of their node."""
    headings = {}
    for at, node in enumerate(nodes):
        if node.kind != "heading":
            continue
        end = next((other for other in range(at + 1, len(nodes)) if nodes[other].kind == "heading"), len(nodes))
        under = [other for other in range(at + 1, end) if nodes[other].kind != "rule" and other not in used]
        said = " ".join(words.get(at, "").split())
        headings[at] = _Heading(
            node.level,
            said,
            name_attribution(said) if said else None,
            has_quotes=any(found.get(other) for other in under),
            only_quotes=all(other in found for other in under),
        )
    return headings


def _trusted(headings: Mapping[int, _Heading]) -> set[int]:
    """Return the levels at which most headings above quotes, and nothing but quotes, are names."""
    trusted = set()
    for level in {heading.level for heading in headings.values()}:
        above = [h for h in headings.values() if h.level == level and h.has_quotes and h.only_quotes]
        names = [h for h in above if h.attribution and h.attribution.author]
        if names and 2 * len(names) >= len(above):
            trusted.add(level)
    return trusted


def _above(path: Sequence[_Heading], trusted: set[int]) -> Attribution | None:
    """Return the attribution in the innermost heading, or, if that is the title of a work, with the author above it."""
    if not path or not path[-1].only_quotes:
        return None
    heading = path[-1]
    outer = path[-2] if len(path) > 1 and path[-2].level > 1 and path[-2].only_quotes else None
    author = outer.attribution.author if outer and outer.attribution and not outer.attribution.work else None
    named = heading.attribution if heading.attribution and heading.attribution.author else None
    # Under "Marcus Aurelius", one word such as "Meditations" is a title rather than another name.
    is_title = author is not None and " " in author and named is not None and " " not in heading.words
    if named is not None and not is_title:
        return named if heading.level in trusted else None
    if author is None or not heading.words:
        return None
    return Attribution(author, None if place_of(heading.words) else heading.words)


def _below(
    nodes: Sequence[Node], headings: Mapping[int, _Heading], found: Mapping[int, list[Found]], used: set[int]
) -> dict[int, Attribution]:
    """Return the attributions in headings below quotes, by the position of the quote.

    Such a heading is an attribution if nothing is under it. If one follows each quote, and a heading ends the document,
    all of them are.
    """
    named = [at for at, heading in headings.items() if heading.attribution and heading.attribution.author]
    before: dict[int, int | None] = {}
    for at in named:
        above: int = at - 1
        while above >= 0 and (above in used or nodes[above].kind == "rule"):
            above -= 1
        before[at] = above if found.get(above) else None
    last = max(named, default=-1)
    all_below = bool(named) and last == len(nodes) - 1 and all(above is not None for above in before.values())
    credited = {}
    for at, over_it in before.items():
        heading, following = headings[at], headings.get(at + 1)
        is_empty = (
            at + 1 == len(nodes) or nodes[at + 1].kind == "rule" or (following and following.level <= heading.level)
        )
        if over_it is None or heading.attribution is None or not (all_below or is_empty):
            continue
        outer = next((headings[other] for other in range(over_it, -1, -1) if other in headings), None)
        if all_below or outer is None or outer.attribution is None or outer.level < heading.level:
            credited[over_it] = heading.attribution
    return credited
