"""Topics: clusters, how many there are, the words that name them, and the quotes that stand for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library
from numpy.typing import NDArray

from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.similarity import Vectors, unit_rows
from quotefind.stores import open_index
from quotefind.topics import clustering
from quotefind.topics.clustering import best_number, cluster
from quotefind.topics.finding import find_topics
from quotefind.topics.terms import terms_by_topic


def planted(sizes: list[int], dim: int = 24, noise: float = 0.05, seed: int = 1) -> tuple[Vectors, NDArray[np.int64]]:
    """Return shuffled unit rows about as many random directions as `sizes` has, and the direction of each."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = unit_rows(random.normal(size=(len(sizes), dim)))
    return unit_rows(centres[truth] + random.normal(scale=noise, size=(len(truth), dim))), truth


def same_groups(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    """Whether two numberings put the same members together."""
    return len(set(zip(a.tolist(), b.tolist(), strict=True))) == len(set(a.tolist())) == len(set(b.tolist()))


def test_clusters_are_those_that_are_there() -> None:
    """Vectors about six directions make six clusters, the largest first, whether the number is told or found out."""
    vectors, truth = planted([90, 80, 70, 60, 50, 40])
    numbers = cluster(vectors.__getitem__, len(vectors))
    assert same_groups(numbers, truth)
    assert same_groups(cluster(vectors.__getitem__, len(vectors), topics=6), truth)
    sizes = np.bincount(numbers)
    assert sizes.tolist() == [90, 80, 70, 60, 50, 40]


@pytest.mark.parametrize("count", [1, 3, 6, 10])
def test_the_number_of_clusters_is_found(count: int) -> None:
    """The criterion is highest at the number of directions, also where there is only one."""
    vectors, _ = planted([60] * count, dim=40)
    assert best_number(vectors, most=len(vectors) // 5) == count


def test_a_seed_gives_the_same_clusters() -> None:
    """The same vectors and seed give the same clusters, another seed may give others; vectors without shape too."""
    vectors = unit_rows(np.random.default_rng(0).normal(size=(400, 30)))
    first, again, other = (cluster(vectors.__getitem__, 400, topics=9, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not same_groups(first, other)


def test_many_vectors_are_clustered_in_mini_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the sample, all vectors are read in blocks, never more at once than the sample, and clustered as well."""
    monkeypatch.setattr(clustering, "_SAMPLE", 300)
    monkeypatch.setattr(clustering, "_BLOCK", 128)
    vectors, truth = planted([700, 500, 300])
    asked: list[int] = []
    seen: set[int] = set()

    def at(positions: NDArray[np.int64]) -> Vectors:
        asked.append(len(positions))
        seen.update(positions.tolist())
        return vectors[positions]

    assert same_groups(cluster(at, len(vectors)), truth)
    assert max(asked) == 300
    assert len(seen) == len(vectors)


@given(st.integers(1, 40), st.integers(1, 8), st.integers(1, 12), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_clusters_of_few_and_of_equal_vectors(n: int, different: int, topics: int, dim: int) -> None:
    """Any number of vectors, equal ones among them, in any number of clusters: none is empty, none asks for more."""
    rows = np.random.default_rng(different).normal(size=(different, dim)) + 0.01
    vectors = unit_rows(rows[np.arange(n) % different])
    numbers = cluster(vectors.__getitem__, n, topics=topics)
    assert numbers.shape == (n,)
    assert set(numbers.tolist()) == set(range(numbers.max() + 1))
    assert numbers.max() < min(topics, n, different)


def test_terms_set_a_topic_apart() -> None:
    """What many quotes of one topic say and no other does comes first; what all say, and stop words, name nothing."""
    sea = ["The ship sails the sea of life.", "A sea, a ship and a life.", "Ships at sea!"]
    war = ["War is the death of life.", "The wars of kings, a life.", "War, king."]
    terms = terms_by_topic([*sea, *war], [0, 0, 0, 1, 1, 1], 2)
    assert set(terms[0][:2]) == {"sea", "ship"}
    assert set(terms[1][:2]) == {"war", "king"}
    assert "the" not in {*terms[0], *terms[1]}
    assert [found.index("life") for found in terms] == [len(found) - 1 for found in terms]


def test_a_term_is_one_word_however_it_is_inflected() -> None:
    """Love, loves and loving are one term, shown as it is written most often."""
    terms = terms_by_topic(
        ["He loves.", "She loves!", "I love.", "Loving you", "Trees", "Trees"], [0, 0, 0, 0, 1, 1], 2
    )
    assert terms == [("loves",), ("trees",)]


def test_a_long_quote_does_not_name_a_topic_alone() -> None:
    """A word counts once a quote, and one of a single quote is no term where others are shared."""
    terms = terms_by_topic(["cat " * 50, "dog", "dog", "dogs"], [0, 0, 0, 0], 1)
    assert terms == [("dog",)]


def test_terms_of_scripts_without_blanks() -> None:
    """In Chinese and Japanese two signs stand for a word; Russian and Arabic have words."""
    terms = terms_by_topic(
        ["愛情是盲目的", "愛情是永恆的", "любовь слепа", "любовь вечна", "الحب أعمى", "الحب خالد"],
        [0, 0, 1, 1, 2, 2],
        3,
    )
    assert terms[0][0] in ("愛情", "情是")
    assert "愛情" in terms[0]
    assert terms[1][0] == "любовь"
    assert terms[2][0] == "الحب"


def test_topics_without_words() -> None:
    """Quotes that hold no word, and no quotes at all, have no terms."""
    assert terms_by_topic(["42!", "—"], [0, 1], 2) == [(), ()]
    assert terms_by_topic([], [], 2) == [(), ()]


@pytest.fixture
def collection(library: Library) -> Library:
    """An index of forty quotes about the sea and thirty about war."""
    sea = [f"ship sails the wide sea to port number{number} — Ann Sailor" for number in range(40)]
    war = [f"king makes a long war with sword number{number} — Bob King" for number in range(30)]
    library.update(library.write("quotes.txt", *sea, *war))
    return library


def test_topics_of_an_index(collection: Library) -> None:
    """Topics have their size, their terms, and as central quotes the nearest to their mean; nothing is encoded."""
    encoded = len(collection.encoder.encoded)
    with open_index(collection.directory) as index:
        found = find_topics(index, topics=2, central=2)
    assert len(collection.encoder.encoded) == encoded
    assert collection.encoder.asked == []
    about_sea, about_war = found.topics
    assert (about_sea.size, about_war.size) == (40, 30)
    assert about_war.label == ", ".join(about_war.terms[:3])
    assert set(about_war.terms[:5]) == {"king", "makes", "long", "war", "sword"}
    assert all(quote.author == "Bob King" for quote in about_war.central)
    assert list(about_war.scores) == sorted(about_war.scores, reverse=True)
    assert all(0.5 < score <= 1 for score in about_war.scores)
    assert sorted(np.bincount(found.topic_of).tolist()) == [30, 40]


def test_central_quotes_are_the_nearest_to_the_mean(collection: Library) -> None:
    """The scores are the cosine similarities with the mean of the topic's vectors, as NumPy computes them."""
    with open_index(collection.directory) as index:
        found = find_topics(index, topics=1, central=70)
        vectors = index.vectors(found.rows).astype(np.float64)
        quotes = index.quotes(found.rows.tolist())
    mean = vectors.mean(axis=0)
    wanted = dict(zip((q.text for q in quotes), vectors @ (mean / np.linalg.norm(mean)), strict=True))
    (topic,) = found.topics
    assert [wanted[quote.text] for quote in topic.central] == pytest.approx(topic.scores, abs=1e-6)
    assert list(topic.scores) == pytest.approx(sorted(wanted.values(), reverse=True), abs=1e-6)


def test_the_same_words_are_central_once(library: Library) -> None:
    """The same words under several names are shown once among the central quotes of a topic."""
    names = [f"ship and sea — Author {letter}" for letter in "ABCDEFGH"]
    library.update(library.write("quotes.txt", *names, "ship and ocean — Author Z"))
    with open_index(library.directory) as index:
        (topic,) = find_topics(index, topics=1, central=5).topics
    assert [quote.text for quote in topic.central] == ["ship and sea", "ship and ocean"]


def test_topics_under_conditions(collection: Library) -> None:
    """Only quotes that satisfy the conditions are looked at; where none does there are no topics."""
    with open_index(collection.directory) as index:
        found = find_topics(index, where=Filter(authors=("bob",)))
        assert sum(topic.size for topic in found.topics) == 30
        nothing = find_topics(index, where=Filter(authors=("nobody",)))
    assert (nothing.topics, len(nothing.rows), len(nothing.topic_of)) == ((), 0, 0)


@pytest.mark.parametrize(("options", "message"), [({"topics": 0}, "must be at least 1"), ({"central": -1}, "central")])
def test_impossible_numbers_are_refused(collection: Library, options: dict[str, int], message: str) -> None:
    """No topic, and fewer than no quotes, cannot be asked for."""
    with open_index(collection.directory) as index, pytest.raises(UsageError, match=message):
        find_topics(index, **options)  # type: ignore[arg-type]


def test_topics_of_the_bundled_quotes_agree_with_their_tags(bundled_home: Path) -> None:
    """Two quotes of one topic share a tag far more often than any two do; names are known tags."""
    with open_index(bundled_home / "indexes" / "default") as index:
        found = find_topics(index)
        again = find_topics(index)
        tags = [set(quote.tags) for quote in index.quotes(found.rows.tolist())]
    assert np.array_equal(found.topic_of, again.topic_of)
    assert found.topics == again.topics
    assert 8 <= len(found.topics) <= 40
    sharing = np.array([[bool(a & b) for b in tags[:600]] for a in tags[:600]])
    together = found.topic_of[:600, None] == found.topic_of[None, :600]
    others = ~np.eye(600, dtype=bool)
    assert sharing[together & others].mean() > 3 * sharing[others].mean()
    assert {"death", "love", "war", "books", "friend"} <= {term for topic in found.topics for term in topic.terms[:3]}
