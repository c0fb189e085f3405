"""Pair: similarities of given texts, and the closest pairs of an index, against naive references."""

import itertools

import numpy as np
import pytest
from fake_encoder import FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library

from quotefind import pairs
from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.pairs import closest_pairs, nearest_quotes, score_pairs, similarities
from quotefind.records import Pair, Quote
from quotefind.similarity import cosine_scores
from quotefind.stores import open_index

TEXTS = ["hope and fear", "fear and hope", "a handful of dust", "fear of dust"]


def dot(encoder: FakeEncoder, a: str, b: str) -> float:
    """Return the cosine similarity of two texts."""
    return float(cosine_scores(encoder.vectors([a]), encoder.vectors([b]))[0, 0])


def naive_pairs(index: Index, where: Filter | None = None) -> list[tuple[float, int, int]]:
    """Return (score, row, row) of all pairs, closest first, ties by row."""
    rows = index.rows_where(where or Filter()).tolist()
    scores = cosine_scores(index.vectors(np.array(rows, np.int64)), index.vectors(np.array(rows, np.int64)))
    numbered = list(enumerate(rows))
    scored = [(float(scores[i, j]), a, b) for (i, a), (j, b) in itertools.combinations(numbered, 2)]
    return sorted(scored, key=lambda pair: (-pair[0], pair[1:]))


def expected_pairs(index: Index, chosen: list[tuple[float, int, int]]) -> list[tuple[int, float, Quote, Quote]]:
    """Return what `closest_pairs` shall give for `chosen`."""
    return [(rank, score, *index.quotes([a, b])) for rank, (score, a, b) in enumerate(chosen, 1)]


def fields(found: list[Pair]) -> list[tuple[int, object, Quote, Quote]]:
    """Return pairs as tuples; scores summed in another order may differ in their last bits."""
    return [(pair.rank, pytest.approx(pair.score, abs=1e-12), pair.a, pair.b) for pair in found]


def test_similarities_are_a_symmetric_matrix(encoder: FakeEncoder) -> None:
    """Each text is compared with each: 1 on the diagonal, the same both ways, the cosine everywhere."""
    matrix = similarities(encoder, TEXTS)
    assert matrix.shape == (4, 4)
    assert (matrix == matrix.T).all()
    assert np.diag(matrix) == pytest.approx(np.ones(4), abs=1e-6)
    assert matrix[0, 3] == dot(encoder, TEXTS[0], TEXTS[3])
    assert matrix[0, 1] == pytest.approx(1.0, abs=1e-6)
    assert encoder.encoded == TEXTS


def test_rows_of_pairs_are_scored_in_order(encoder: FakeEncoder) -> None:
    """Each pair has the cosine of its texts, in order; a text in several pairs is encoded once."""
    given_pairs = [(TEXTS[0], TEXTS[2]), (TEXTS[3], TEXTS[0]), (f" “{TEXTS[2]}” ", TEXTS[2])]
    assert score_pairs(encoder, given_pairs) == pytest.approx([dot(encoder, a, b.strip(" “”")) for a, b in (
        (TEXTS[0], TEXTS[2]), (TEXTS[3], TEXTS[0]), (TEXTS[2], TEXTS[2]))])  # fmt: skip
    assert encoder.encoded == [TEXTS[0], TEXTS[2], TEXTS[3]]


def test_an_empty_text_is_refused(encoder: FakeEncoder) -> None:
    """A text without words cannot be compared, and is a usage error before anything is encoded."""
    with pytest.raises(UsageError, match="empty"):
        similarities(encoder, ["hope", " "])
    with pytest.raises(UsageError, match="empty"):
        score_pairs(encoder, [("hope", "“ ”")])
    assert encoder.calls == 0


def test_companions_leave_the_text_out(library: Library) -> None:
    """The nearest_quotes of a text are the quotes nearest to it, but not that quote under whichever author."""
    library.update(library.write("a.txt", *TEXTS, f"{TEXTS[0]} -- Another"))
    with open_index(library.directory) as index:
        found = nearest_quotes(index, library.encoder, f"“{TEXTS[0]}”", 10)
        limited = nearest_quotes(index, library.encoder, TEXTS[0], 10, min_score=0.5)
        nobody = nearest_quotes(index, library.encoder, "hope", 10, where=Filter(authors=("nobody",)))
    assert [pair.rank for pair in found] == [1, 2, 3]
    assert {pair.a for pair in found} == {Quote(TEXTS[0])}
    expected = sorted(TEXTS[1:], key=lambda text: -dot(library.encoder, TEXTS[0], text))
    assert [pair.b.text for pair in found] == expected
    assert limited == [pair for pair in found if pair.score >= 0.5]
    assert nobody == []
    with open_index(library.directory) as index, pytest.raises(UsageError, match="empty"):
        nearest_quotes(index, library.encoder, "", 10)


lines_of_words = st.lists(st.text("abc ", min_size=1, max_size=9).filter(str.strip), min_size=0, max_size=25)


@settings(max_examples=40, deadline=None)
@given(lines_of_words, st.integers(1, 40), st.none() | st.floats(-0.1, 1.0), st.integers(1, 9), st.booleans())
def test_the_closest_pairs_are_found(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    top: int,
    min_score: float | None,
    block: int,
    filtered: bool,
) -> None:
    """The closest pairs are those of comparing all with all, ties by row, whatever the blocks, beside dead rows."""
    directory = tmp_path_factory.mktemp("pairs")
    library = Library(directory / "index", directory / "sources", FakeEncoder(dim=5))
    library.update(library.write("a.txt", "a gone line", "keep me please"))
    library.write("a.txt", "keep me please")
    library.update(library.folder)
    library.update(library.write("b.txt", *lines, "a last line"))
    where = Filter(max_chars=6) if filtered else None
    with pytest.MonkeyPatch.context() as patch, open_index(library.directory) as index:
        patch.setattr(pairs, "_BLOCK", block)
        told: list[tuple[int, int]] = []
        found = closest_pairs(
            index, top, min_score=min_score, where=where, progress=lambda _, done=0, total=0: told.append((done, total))
        )
        chosen = [pair for pair in naive_pairs(index, where) if min_score is None or pair[0] >= min_score][:top]
        assert [pair.score for pair in found] == pytest.approx([score for score, _, _ in chosen], abs=1e-12)
        assert fields(found) == expected_pairs(index, chosen)
        assert [done for done, _ in told] == list(range(1, len(told) + 1))
        assert all(total == len(told) for _, total in told)


@pytest.mark.parametrize(
    ("a", "b", "conflict"),
    [
        ("Emily Brontë", "EMILY BRONTE", False),
        ("Emily Brontë", "Charlotte Brontë", True),
        ("Emily Brontë", None, False),
        (None, None, False),
    ],
)
def test_two_authors_are_in_conflict(a: str | None, b: str | None, conflict: bool) -> None:
    """A pair is in conflict where both authors are known and their names differ otherwise than in case and accents."""
    assert Pair(1, 0.9, Quote("x", a), Quote("y", b)).conflict is conflict


def test_equal_texts_of_two_authors_are_the_closest_pair(library: Library) -> None:
    """The same words under two names are a pair of score 1, marked as a conflict."""
    library.update(library.write("a.txt", *TEXTS[2:], "so it goes -- Vonnegut", "so it goes -- Twain"))
    with open_index(library.directory) as index:
        (pair,) = closest_pairs(index, 1)
    assert (pair.a.author, pair.b.author, pair.conflict) == ("Vonnegut", "Twain", True)
    assert pair.score == pytest.approx(1.0, abs=1e-6)
