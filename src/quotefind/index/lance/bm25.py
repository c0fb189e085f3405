"""The terms of a text, and BM25, as in SQLite's FTS5, so that both kinds of index rank alike."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from quotefind.index.schema import TOKENIZER

# The parameters of BM25 in FTS5.
K1, B = 1.2, 0.75
# Texts that are split at a time, so that the tables of FTS5 stay in memory.
_TEXTS = 2048


def tokenize(texts: Sequence[str]) -> list[list[str]]:
    """Return the terms of each text, in order, as the full-text search of a local index splits them."""
    found: list[list[str]] = [[] for _ in texts]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for start in range(0, len(texts), _TEXTS):
            connection.execute("DROP TABLE IF EXISTS words")
            connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = '{TOKENIZER}')")
            connection.execute("CREATE VIRTUAL TABLE temp.seen USING fts5vocab (main, words, instance)")
            part = texts[start : start + _TEXTS]
            connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(part, start))
            for number, word in connection.execute('SELECT doc, term FROM temp.seen ORDER BY doc, "offset"'):
                found[number].append(word)
            connection.execute("DROP TABLE temp.seen")
    return found


def inverse_document_frequency(holding: int, total: int) -> float:
    """Return the idf of a phrase that occurs in `holding` of `total` quotes, as FTS5 computes it."""
    return max(math.log((total - holding + 0.5) / (holding + 0.5)), 1e-6)


def occurrences(phrase: Sequence[str], tokens: Sequence[str]) -> int:
    """Return how often the terms of `phrase` occur in `tokens` one after the other."""
    if len(phrase) == 1:
        return tokens.count(phrase[0])
    size = len(phrase)
    return sum(list(tokens[start : start + size]) == list(phrase) for start in range(len(tokens) - size + 1))


def bm25(
    phrases: Sequence[Sequence[str]], idfs: Sequence[float], texts: Sequence[Sequence[str]], mean_length: float
) -> NDArray[np.float64]:
    """Return the BM25 (n,) of each of n `texts` for `phrases`, all given as terms.

    The sum over phrases of idf f (k1 + 1) / (f + k1 (1 - b + b length / mean length)), with k1 = 1.2 and b = 0.75:
    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    """
    scores = np.zeros(len(texts))
    for position, tokens in enumerate(texts):
        norm = K1 * (1 - B + B * len(tokens) / mean_length)
        for phrase, idf in zip(phrases, idfs, strict=True):
            count = occurrences(phrase, tokens) if phrase else 0
            scores[position] += idf * count * (K1 + 1) / (count + norm)
    return scores
