"""Read and check a file of pairs to train with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from quotefind.corpus.fields import FlawError, checked_tags, kind
from quotefind.corpus.pair_rows import KNOWN_COLUMNS, PairRow, format_of, read_rows
from quotefind.errors import SourceError
from quotefind.text import is_unicode, normalise

_SPLITS = {
    "train": False,
    "training": False,
    "held-out": True,
    "heldout": True,
    "dev": True,
    "validation": True,
    "eval": True,
    "test": True,
}
_NEGATIVE = re.compile(r"negative(_\d+)?|negatives")


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """A query and a quote that answers it.

    Attributes:
        query: the query.
        quote: the quote that answers it.
        negatives: quotes that do not answer it.
        tag: the tag that the query asks for, if known.
        tags: the tags of the quote, if known.
        held_out: whether the pair is only for evaluation.
    """

    query: str
    quote: str
    negatives: tuple[str, ...] = ()
    tag: str | None = None
    tags: frozenset[str] = frozenset()
    held_out: bool = False


def read_pairs(path: Path, *, input_format: str | None = None, held_out: float = 0.1) -> list[TrainingPair]:
    """Return the pairs in the file at `path`, in order.

    Args:
        path: JSON Lines, CSV or TSV with the columns sentence_0 and sentence_1, query and quote, or anchor and
            positive; optionally negative, negative_1, ... or negatives (a list in JSON), tag, tags (as in a source of
            quotes: a list, or separated by commas, semicolons or bars) and split (train or held-out).
        input_format: jsonl, csv or tsv; None for what the file name says.
        held_out: the fraction of the quotes that is held out if the file has no split; a hash of the text decides
            which, so it is the same in every run.

    Raises:
        SourceError: the file cannot be read, a row is not a pair, or nothing is left to train with.
        UsageError: the format is unknown.
    """
    rows = read_rows(path, format_of(path, input_format))
    pairs: list[TrainingPair] = []
    split_given: bool | None = None
    for row in rows:
        if row.columns not in KNOWN_COLUMNS:
            raise SourceError(
                f"{row.where}: expected the columns sentence_0 and sentence_1, query and quote, or anchor and "
                f"positive; found {', '.join(map(str, row.values))}."
            )
        pair = _pair(row)
        has_split = bool(row.values.get("split"))
        if split_given not in (None, has_split):
            raise SourceError(
                f"{row.where}: only some rows have a split; expected train or held-out in all of them, or in none."
            )
        split_given = has_split
        if pairs and len(pair.negatives) != len(pairs[0].negatives):
            raise SourceError(
                f"{row.where}: expected as many negatives as in the first row "
                f"({len(pairs[0].negatives)}), found {len(pair.negatives)}."
            )
        pairs.append(pair if has_split else replace(pair, held_out=_drawn(pair.quote) < held_out))
    if all(pair.held_out for pair in pairs):
        raise SourceError(f"{path}: no pairs to train with.")
    return pairs


def _pair(row: PairRow) -> TrainingPair:
    query, quote = map(normalise, row.texts)
    tag = _text(row, "tag", row.values.get("tag"))
    negatives = tuple(_negatives(row))
    if quote.casefold() in map(str.casefold, negatives):
        raise SourceError(f"{row.where}: the quote is among its own negatives.")
    return TrainingPair(query, quote, negatives, tag.casefold() or None, _tags(row), _is_held_out(row))


def _is_held_out(row: PairRow) -> bool:
    split = row.values.get("split") or "train"
    if not isinstance(split, str) or split not in _SPLITS:
        raise SourceError(f"{row.where}: unknown split {split!r}; expected train or held-out.")
    return _SPLITS[split]


def _negatives(row: PairRow) -> Iterator[str]:
    for column, value in row.values.items():
        if _NEGATIVE.fullmatch(column):
            # A string is one negative in any column: quotes are full of commas.
            items = value if column == "negatives" and isinstance(value, list) else [value]
            yield from filter(None, (_text(row, column, item) for item in items))


def _tags(row: PairRow) -> frozenset[str]:
    value = row.values.get("tags")
    # Stricter than a source of quotes: a wrong tag would silently become a wrong negative.
    if value is not None and not isinstance(value, str | list):
        raise SourceError(f"{row.where}: the tags are {kind(value)}; expected a list of strings or one string.")
    for item in value if isinstance(value, list) else []:
        if not isinstance(item, str):
            raise SourceError(f"{row.where}: a tag is {kind(item)}; expected a string.")
    try:
        tags = checked_tags(value)
    except FlawError as flaw:
        raise SourceError(f"{row.where}: {flaw}.") from flaw
    return frozenset(_text(row, "tags", tag).casefold() for tag in tags)


def _text(row: PairRow, column: str, value: object) -> str:
    """Return the normalised text of a column that may be empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SourceError(f"{row.where}: expected a text in {column!r}.")
    if not is_unicode(value):
        raise SourceError(f"{row.where}: {column!r} is not valid UTF-8.")
    return normalise(value)


def _drawn(quote: str) -> float:
    """Return a number in [0, 1) that depends only on the text."""
    return int.from_bytes(hashlib.sha256(quote.encode()).digest()[:6], "big") / 2**48
