"""The words that distinguish a topic from the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from math import log

# A word, with parts joined by an apostrophe. Scripts without spaces do not mark the end of a word; there, every two
# adjacent characters count as one.
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_WITHOUT_BLANKS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_SHORTEST = 3
# Stop words that scikit-learn's list lacks: contractions without their ending, and archaic pronouns and verbs.
_MORE_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        ain aren couldn did didn does doesn doing don hadn hasn haven isn just mustn shouldn wasn weren won wouldn
        doth dost hast hath shalt shall thee thine thou thy tis twas unto wilt
        """,
    )
)
# A term must occur in at least this many quotes of its topic, if any does.
_QUOTES = 2


def terms_by_topic(texts: Iterable[str], topic_of: Iterable[int], topics: int, most: int = 10) -> list[tuple[str, ...]]:
    """Return for each topic at most `most` terms, the most characteristic first.

    The weight of a term t in a topic c is W(t, c) = sqrt(tf(t, c)) log(1 + (A - f(t) + 0.5) / (f(t) + 0.5)), where
    tf(t, c) is the share of t among the terms of c, f(t) the frequency of t in all topics, and A the mean number of
    terms of a topic. This is class-based TF-IDF with BM25 weighting and a square root, both of which reduce the weight
    of frequent words (Grootendorst, "BERTopic: Neural topic modeling with a class-based TF-IDF procedure", 2022,
    arXiv:2203.05794). A quote counts each term once, so that no long text names a topic alone. Words with the same stem
    are one term, shown in its most frequent form; English stop words are left out.

    Args:
        texts: the texts of n quotes.
        topic_of: the number of each text's topic, from 0.
        topics: the number of topics.
        most: the maximum number of terms per topic.
    """
    counts = [Counter[str]() for _ in range(topics)]
    written: dict[str, Counter[str]] = {}
    stem = _stemmer()
    for text, topic in zip(texts, topic_of, strict=True):
        found = {stem(word): word for word in _words(text)}
        counts[topic].update(found.keys())
        for term, word in found.items():
            written.setdefault(term, Counter())[word] += 1
    overall = Counter[str]()
    for counted in counts:
        overall.update(counted)
    mean = overall.total() / max(topics, 1)
    rarity = {term: log(1 + max(mean - count + 0.5, 0) / (count + 0.5)) for term, count in overall.items()}
    shown = {term: min(forms, key=lambda word: (-forms[word], word)) for term, forms in written.items()}
    return [
        tuple(
            shown[term]
            for term in sorted(
                (term for term, count in counted.items() if count >= min(_QUOTES, max(counted.values()))),
                key=lambda term: (-(counted[term] ** 0.5) * rarity[term], term),
            )[:most]
        )
        for counted in counts
    ]


def _words(text: str) -> Iterator[str]:
    """Yield the words of `text` that may name a topic, in lower case."""
    stop = _stop_words()
    for found in _WORD.finditer(text.casefold()):
        if _WITHOUT_BLANKS.search(found[0]):
            for run in _WITHOUT_BLANKS.findall(found[0]):
                yield from (run[at : at + 2] for at in range(max(len(run) - 1, 1)))
            continue
        # The longer part of "don't" and "l'amour", and "life" of "life's".
        word = max(re.split("['’]", found[0]), key=len)
        if len(word) >= _SHORTEST and word not in stop:
            yield word


@cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) | _MORE_STOP_WORDS


def _stemmer() -> Callable[[str], str]:
    """Return the function that stems an English word (Porter2, Snowball)."""
    import snowballstemmer

    return cache(snowballstemmer.stemmer("english").stemWord)
