"""Pairs to train with, read from a file and checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quotefind.corpus.pair_rows import KNOWN_COLUMNS, PairRow, format_of, read_rows
from quotefind.errors import SourceError
from quotefind.text import normalise

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
    """A request and a quote that answers it.

    Attributes:
        query: the request.
        quote: the quote that answers it.
        negatives: quotes that do not.
        theme: the theme that the request asks for, where it is known.
        tags: the themes that the quote carries, where they are known.
        held_out: whether it is for measuring only.
    """

    query: str
    quote: str
    negatives: tuple[str, ...] = ()
    theme: str | None = None
    tags: frozenset[str] = frozenset()
    held_out: bool = False


def read_pairs(path: Path, *, input_format: str | None = None, held_out: float = 0.1) -> list[TrainingPair]:
    """Return the pairs in the file at `path`, in order.

    Args:
        path: JSON Lines, CSV or TSV with the columns sentence_0 and sentence_1, query and quote, or anchor and
            positive; and, if they are there, negative, negative_1, ... or negatives (a list in JSON), theme, tags (a
            list, or separated by commas) and split (train or held-out).
        input_format: jsonl, csv or tsv where the name of the file does not say it.
        held_out: the share of the quotes that is held out where the file has no split; which these are is decided by a
            hash of their text, so that it is the same in every run.

    Raises:
        SourceError: the file cannot be read, a row is no pair, or nothing is left to train with.
        UsageError: the format is not known.
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
                f"{row.where}: a split in some rows only; expected one (train, held-out) in all, or none."
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
    split = row.values.get("split") or "train"
    if split not in _SPLITS:
        raise SourceError(f"{row.where}: there is no split {split!r}; expected train or held-out.")
    theme = row.values.get("theme") or None
    if theme is not None and not isinstance(theme, str):
        raise SourceError(f"{row.where}: expected a text in 'theme'.")
    return TrainingPair(
        query,
        quote,
        tuple(_negatives(row)),
        normalise(theme).casefold() if theme else None,
        frozenset(tag.casefold() for tag in _texts_in(row, "tags")),
        _SPLITS[split],
    )


def _negatives(row: PairRow) -> Iterator[str]:
    for column in row.values:
        if _NEGATIVE.fullmatch(column):
            yield from (_texts_in(row, column) if column == "negatives" else filter(None, [_text(row, column)]))


def _texts_in(row: PairRow, column: str) -> list[str]:
    value = row.values.get(column) or []
    values: list[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise SourceError(f"{row.where}: expected a list of texts in {column!r}.")
    return [text for item in values if (text := normalise(item))]


def _text(row: PairRow, column: str) -> str:
    value = row.values[column]
    if not isinstance(value, str):
        raise SourceError(f"{row.where}: expected a text in {column!r}.")
    return normalise(value)


def _drawn(quote: str) -> float:
    """Return a number from 0 to below 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(quote.encode()).digest()[:6], "big") / 2**48
