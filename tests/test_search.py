"""Find: ranking, filters and the other ways to choose, each against a naive reference."""

import itertools
import json
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from fake_encoder import FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library

from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.records import Hit, Quote
from quotefind.search import FindOptions, diversify, find, search_terms
from quotefind.similarity import cosine_scores, unit_rows
from quotefind.stores import open_index
from quotefind.text import fold

WORDS = ("hope", "fear", "dust", "road", "sea", "love")
AUTHORS = (None, "Emily Brontë", "Charlotte Brontë", "Émile Zola", "J.R.R. Tolkien", "Bronson Alcott")
WORKS = (None, "Wuthering Heights", "The Heights of Machu Picchu", "Germinal")
TAGS = ("self-love", "love", "hope", "New York", "Été")


def make_records() -> list[dict[str, object]]:
    """Return records with every pair of words, and authors, works and tags in all combinations."""
    records: list[dict[str, object]] = []
    for number, words in enumerate(itertools.product(WORDS, WORDS, ("", "and more of it"))):
        record = {"text": " ".join([*words, str(number % 3)]).replace("  ", " ")}
        names = {"author": AUTHORS[number % 6], "work": WORKS[number % 4]}
        records.append({**record, **{k: v for k, v in names.items() if v}, "tags": list(TAGS[: number % 5])})
    return records


@pytest.fixture(scope="module")
def encoder() -> FakeEncoder:
    """The encoder of the index below."""
    return FakeEncoder()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, encoder: FakeEncoder) -> Iterator[Index]:
    """An index of 72 quotes, some of them dead, opened once for all tests here."""
    directory = tmp_path_factory.mktemp("search")
    library = Library(directory / "index", directory / "sources", encoder)
    library.update(library.write("gone.txt", "hope that is gone", "road that is gone"))
    library.write("gone.txt", "sea 9")
    library.update(library.write("a.jsonl", *(json.dumps(record) for record in make_records())))
    library.update()
    with open_index(library.directory) as opened:
        assert len(opened.dead) == 2
        yield opened


def everything(index: Index) -> list[tuple[int, Quote]]:
    """Return (row, quote) of all quotes."""
    rows = index.rows_where(Filter()).tolist()
    return list(zip(rows, index.quotes(rows), strict=True))


def allowed(quote: Quote, where: Filter) -> bool:
    """Say whether a quote satisfies a filter, by the words of its documentation."""

    def named(name: str | None, parts: Sequence[str]) -> bool:
        words = fold(name).split() if name else []
        starts = [" ".join(words[n:]) for n in range(len(words))]
        return not parts or any(start.startswith(fold(part)) for start in starts for part in parts)

    return (
        named(quote.author, where.authors)
        and named(quote.work, where.works)
        and (not where.tags or bool({fold(tag) for tag in quote.tags} & {fold(tag) for tag in where.tags}))
        and (where.max_chars is None or len(quote.text) <= where.max_chars)
    )


def naive(index: Index, encoder: FakeEncoder, query: str, where: Filter | None = None) -> list[tuple[float, int]]:
    """Return (score, row) of all quotes that a filter lets through, best first, ties by row."""
    vector = encoder.vectors([query])
    scored = [
        (float(cosine_scores(index.vectors(np.array([row])), vector)[0, 0]), row)
        for row, quote in everything(index)
        if where is None or allowed(quote, where)
    ]
    return sorted(scored, key=lambda hit: (-hit[0], hit[1]))


def texts(hits: list[Hit]) -> list[str]:
    """Return the texts of hits."""
    return [hit.quote.text for hit in hits]


def texts_of(index: Index, rows: Sequence[int]) -> list[str]:
    """Return the texts in `rows`."""
    return [quote.text for quote in index.quotes(rows)]


def test_the_nearest_quotes_are_found(index: Index, encoder: FakeEncoder) -> None:
    """Hits are the nearest quotes, ranked from 1, with query, score and all that is known of the quote."""
    (hits,) = find(index, encoder, ["hope and fear"], FindOptions(top=7))
    expected = naive(index, encoder, "hope and fear")[:7]
    assert [(hit.query, hit.rank, hit.score) for hit in hits] == [
        ("hope and fear", rank, score) for rank, (score, _) in enumerate(expected, 1)
    ]
    assert [hit.quote for hit in hits] == index.quotes(row for _, row in expected)
    assert all(len(hit.quote.id or "") == 16 for hit in hits)


@pytest.mark.parametrize("top", [1, 5, 72, 73, 1000])
def test_there_are_as_many_hits_as_asked_for(index: Index, encoder: FakeEncoder, top: int) -> None:
    """`top` limits the hits; where it is more than there are quotes, each comes once."""
    (hits,) = find(index, encoder, ["hope"], FindOptions(top=top))
    assert len({hit.quote.id for hit in hits}) == len(hits) == min(top, index.count)


def test_low_scores_are_left_out(index: Index, encoder: FakeEncoder) -> None:
    """`min_score` keeps hits of just that score and leaves out all below; it may leave nothing."""
    expected = naive(index, encoder, "hope and fear")
    limit = expected[10][0]
    (hits,) = find(index, encoder, ["hope and fear"], FindOptions(top=100, min_score=limit))
    assert [hit.score for hit in hits] == [score for score, _ in expected if score >= limit]
    assert find(index, encoder, ["hope"], FindOptions(min_score=1.01)) == [[]]


@pytest.mark.parametrize("top", [0, -3])
def test_at_least_one_hit_is_asked_for(index: Index, encoder: FakeEncoder, top: int) -> None:
    """To ask for no hits is a usage error."""
    with pytest.raises(UsageError, match="at least 1"):
        find(index, encoder, ["hope"], FindOptions(top=top))


@pytest.mark.parametrize("queries", [[""], ["  \t\n"], ["hope", ""]])
def test_an_empty_request_is_refused(index: Index, encoder: FakeEncoder, queries: list[str]) -> None:
    """A request without words is a usage error that shows one with words."""
    with pytest.raises(UsageError, match="query is empty"):
        find(index, encoder, queries)


@pytest.mark.parametrize(
    "options",
    [
        FindOptions(top=3),
        FindOptions(top=3, hybrid=True),
        FindOptions(top=3, diverse=True),
        FindOptions(top=3, one_per_author=True),
        FindOptions(top=3, unlike=("dust",)),
        FindOptions(top=3, where=Filter(authors=("zola",))),
        FindOptions(top=3, like="sea and love"),
    ],
)
def test_many_requests_are_answered_as_each_alone(index: Index, encoder: FakeEncoder, options: FindOptions) -> None:
    """Requests asked together, in one encoding, get the hits that each gets alone, in their order."""
    queries = ["hope", "fear of the road", "sea sea sea", "hope"]
    together = find(index, encoder, queries, options)
    assert together == [find(index, encoder, [query], options)[0] for query in queries]
    assert find(index, encoder, [], options) == []


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (Filter(authors=("bronte",)), {"Emily Brontë", "Charlotte Brontë"}),
        (Filter(authors=("EMILY BRONTE\u0308",)), {"Emily Brontë"}),
        (Filter(authors=("emily bron",)), {"Emily Brontë"}),
        (Filter(authors=("bron",)), {"Emily Brontë", "Charlotte Brontë", "Bronson Alcott"}),
        (Filter(authors=("mily",)), set()),
        (Filter(authors=("ronte",)), set()),
        (Filter(authors=("j r r",)), {"J.R.R. Tolkien"}),
        (Filter(authors=("zola", "tolkien")), {"Émile Zola", "J.R.R. Tolkien"}),
        (Filter(authors=("emile",)), {"Émile Zola"}),
        (Filter(works=("heights",)), {"Wuthering Heights", "The Heights of Machu Picchu"}),
        (Filter(works=("HEIGHTS of",)), {"The Heights of Machu Picchu"}),
        (Filter(tags=("SELF LOVE",)), {"self-love"}),
        (Filter(tags=("new-york",)), {"New York"}),
        (Filter(tags=("york",)), set()),
        (Filter(tags=("ete",)), set()),
        (Filter(tags=("lov",)), set()),
    ],
)
def test_names_match_from_the_beginning_of_words(index: Index, where: Filter, names: set[str]) -> None:
    """Authors and works match in part from the beginning of a word, tags whole; case, accents, marks do not matter."""
    found = [
        quote for _, quote in everything(index) if quote.id in {q.id for q in index.quotes(index.rows_where(where))}
    ]
    if where.tags:
        assert all(names <= set(quote.tags) for quote in found)
    else:
        assert {quote.author if where.authors else quote.work for quote in found} == names
    assert bool(found) == bool(names)


@pytest.mark.parametrize(
    ("where", "texts"),
    [
        (Filter(authors=("soren",)), {"one"}),
        (Filter(authors=("SØREN KIERK",)), {"one"}),
        (Filter(authors=("stanislaw lem",)), {"two"}),
        (Filter(authors=("łem",)), {"two"}),
        (Filter(authors=("aelfric",)), {"three"}),
        (Filter(authors=("hitman",)), set()),
        (Filter(authors=("whit",)), {"four"}),
        (Filter(authors=("子",)), {"five", "six"}),
        (Filter(authors=("laozi",)), {"six"}),
        (Filter(authors=("aozi",)), set()),
        (Filter(works=("語",)), {"five"}),
        (Filter(works=("論",)), {"five"}),
        (Filter(works=("道德",)), {"six"}),
        (Filter(works=("語論",)), set()),
    ],
)
def test_names_match_as_people_type_them(library: Library, where: Filter, texts: set[str]) -> None:
    """Strokes and ligatures do not matter; where a script has no case, a name matches anywhere, else from a word on."""
    named = [
        ("one", "Søren Kierkegaard", None),
        ("two", "Stanisław Łem", None),
        ("three", "Ælfric", None),
        ("four", "Walt Whitman", None),
        ("five", "孔子", "論語"),
        ("six", "老子 (Laozi)", "道德經"),
    ]
    records = [json.dumps({"text": text, "author": author, "work": work}) for text, author, work in named]
    library.update(library.write("a.jsonl", *records))
    with open_index(library.directory) as index:
        assert {quote.text for quote in index.quotes(index.rows_where(where))} == texts


some = st.lists
filters = st.builds(
    Filter,
    authors=some(st.sampled_from(["bronte", "EMILY", "zola", "j.r.r. tolk", "Émile", "nobody"]), max_size=2).map(tuple),
    works=some(st.sampled_from(["heights", "germinal", "the heights", "eights"]), max_size=2).map(tuple),
    tags=some(st.sampled_from(["love", "self love", "Hope", "new york", "none"]), max_size=2).map(tuple),
    max_chars=st.none() | st.integers(0, 40),
)


@settings(max_examples=60, deadline=None)
@given(filters, st.integers(1, 80), st.booleans())
def test_filters_hold_before_the_cut(index: Index, encoder: FakeEncoder, where: Filter, top: int, hybrid: bool) -> None:
    """Hits are the best of the quotes that satisfy the filter: kinds all hold, of several values any."""
    expected = naive(index, encoder, "hope and dust", where)
    (hits,) = find(index, encoder, ["hope and dust"], FindOptions(top=top, where=where, hybrid=hybrid))
    if hybrid:
        assert all(allowed(hit.quote, where) for hit in hits)
        assert len(hits) == min(top, len(expected))
    else:
        assert [hit.quote for hit in hits] == index.quotes(row for _, row in expected[:top])


def test_more_like_a_quote_leaves_it_out(index: Index, encoder: FakeEncoder) -> None:
    """`like` with a text, an id or the beginning of one finds what is near it, but not that text itself."""
    row, quote = everything(index)[20]
    assert quote.id is not None
    expected = [hit for hit in naive(index, encoder, quote.text) if hit[1] != row][:4]
    for like in (quote.text, f" “{quote.text}” ", quote.id, quote.id[:12].upper()):
        (hits,) = find(index, encoder, [""], FindOptions(top=4, like=like))
        assert texts(hits) == texts_of(index, [r for _, r in expected])
        assert {hit.query for hit in hits} == {quote.text}


def test_more_like_a_text_that_nobody_said(index: Index, encoder: FakeEncoder) -> None:
    """A text that the index does not hold, even one of hexadecimal digits, is a text to be near to."""
    for like in ("a new text on hope", "deadbeef"):
        (hits,) = find(index, encoder, [""], FindOptions(top=4, like=like))
        assert texts(hits) == texts_of(index, [row for _, row in naive(index, encoder, like)[:4]])
    with pytest.raises(UsageError, match="should resemble is empty"):
        find(index, encoder, [""], FindOptions(like="  "))


def test_an_id_that_no_quote_has_is_refused(index: Index, encoder: FakeEncoder) -> None:
    """`like` with a whole id is never taken for a text: one that no quote has is an error that repeats it."""
    with pytest.raises(UsageError, match=r"^No quote of this index has the id 0123456789abcdef\.$"):
        find(index, encoder, [""], FindOptions(like="0123456789abcdef"))


def test_words_and_a_liked_quote_pull_together(index: Index, encoder: FakeEncoder) -> None:
    """With both a request and `like`, hits are near the middle of the two."""
    (hits,) = find(index, encoder, ["sea"], FindOptions(top=1, like="love of the road"))
    middle = unit_rows(encoder.vectors(["sea"]) + encoder.vectors(["love of the road"]))
    scores = cosine_scores(np.asarray(index.matrix), middle)[:, 0]
    scores[index.dead] = -2
    assert hits[0].score == pytest.approx(scores.max(), abs=1e-7)


def test_what_is_unwanted_is_taken_away(index: Index, encoder: FakeEncoder) -> None:
    """With `unlike`, scores are those with the part of the request that is orthogonal to what is unwanted."""
    (hits,) = find(index, encoder, ["hope and fear"], FindOptions(top=100, unlike=("fear", "dust")))
    query = encoder.vectors(["hope and fear"])[0].astype(np.float64)
    unwanted = encoder.vectors(["fear", "dust"]).astype(np.float64)
    weights, *_ = np.linalg.lstsq(unwanted.T, query, rcond=None)
    left = query - unwanted.T @ weights
    left /= np.linalg.norm(left)
    for hit in hits:
        assert hit.score == pytest.approx(float(encoder.vectors([hit.quote.text])[0] @ left), abs=1e-6)
    assert "fear" not in hits[0].quote.text
    (plain,) = find(index, encoder, ["hope and fear"], FindOptions(top=1))
    assert "fear" in plain[0].quote.text


@pytest.mark.parametrize("unlike", [("hope",), ("HOPE ",), ("dust", "hope")])
def test_to_take_away_everything_is_refused(index: Index, encoder: FakeEncoder, unlike: tuple[str, ...]) -> None:
    """A request of which nothing is left once the unwanted is taken away is a usage error."""
    with pytest.raises(UsageError, match="nothing of it is left"):
        find(index, encoder, ["hope"], FindOptions(unlike=unlike))


@given(st.integers(1, 25), st.integers(0, 30), st.integers(0, 10**6))
def test_diversity_is_maximal_marginal_relevance(n: int, k: int, seed: int) -> None:
    """The choice is that of the formula, candidate by candidate: 0.7 relevance less 0.3 likeness to the chosen."""
    generator = np.random.default_rng(seed)
    vectors = unit_rows(generator.normal(size=(n, 4))[generator.integers(0, n, n)])
    relevance = cosine_scores(vectors, unit_rows(generator.normal(size=(1, 4))))[:, 0]
    likeness = cosine_scores(vectors, vectors)
    chosen: list[int] = []
    while len(chosen) < min(k, n):
        left = [d for d in range(n) if d not in chosen]
        marginal = {d: 0.7 * relevance[d] - 0.3 * max((likeness[d, c] for c in chosen), default=0.0) for d in left}
        best = max(marginal.values())
        chosen.append(next(d for d in left if marginal[d] >= best - 1e-12))
    assert diversify(vectors, relevance, k) == chosen


def test_diverse_hits_differ(index: Index, encoder: FakeEncoder) -> None:
    """With `diverse` the best hit stays first, and the hits are less alike than without."""
    plain, diverse = (
        find(index, encoder, ["hope and more of it"], FindOptions(top=5, diverse=diverse))[0]
        for diverse in (False, True)
    )
    assert diverse[0] == plain[0]

    def likeness(hits: list[Hit]) -> float:
        vectors = encoder.vectors(texts(hits))
        return float(cosine_scores(vectors, vectors).mean())

    assert likeness(diverse) < likeness(plain)


def test_each_author_answers_once(index: Index, encoder: FakeEncoder) -> None:
    """With `one_per_author` each author's best quote comes, while quotes without author all stay."""
    (hits,) = find(index, encoder, ["hope and dust"], FindOptions(top=100, one_per_author=True))
    seen: set[str] = set()
    expected = []
    for _, row in naive(index, encoder, "hope and dust"):
        (quote,) = index.quotes([row])
        if quote.author is None or quote.author not in seen:
            seen.add(quote.author or "")
            expected.append(quote)
    assert [hit.quote for hit in hits] == expected
    assert len(seen - {""}) == 5


def test_one_per_author_looks_as_far_as_it_must(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An author behind more than the first pool of candidates, all by another author, is still found."""
    directory = tmp_path_factory.mktemp("deep")
    library = Library(directory / "index", directory / "sources", FakeEncoder())
    near = [f"hope hope hope hope number{n} -- Prolific" for n in range(700)]
    library.update(library.write("a.txt", *near, "something quite else -- Bob"))
    with open_index(library.directory) as index:
        (hits,) = find(index, library.encoder, ["hope"], FindOptions(top=2, one_per_author=True))
    assert [hit.quote.author for hit in hits] == ["Prolific", "Bob"]


def test_one_per_author_ends_at_the_lowest_score(tmp_path_factory: pytest.TempPathFactory) -> None:
    """If the first pool already reaches below `min_score`, the search ends with the authors found so far."""
    directory = tmp_path_factory.mktemp("low")
    library = Library(directory / "index", directory / "sources", FakeEncoder())
    far = [f"dust road number{n} -- Prolific" for n in range(700)]
    library.update(library.write("a.txt", *far, "hope -- Bob"))
    with open_index(library.directory) as index:
        (hits,) = find(index, library.encoder, ["hope"], FindOptions(top=2, one_per_author=True, min_score=0.9))
    assert [hit.quote.author for hit in hits] == ["Bob"]


@pytest.mark.parametrize("query", ["hope", "fear of the sea", "road 2", "zebra"])
def test_hybrid_blends_both_rankings(index: Index, encoder: FakeEncoder, query: str) -> None:
    """Hybrid hits are ordered by cosine + 0.4 times the share of the best BM25, and show the cosine as their score."""
    cosines = {row: score for score, row in naive(index, encoder, query)}
    by_words = index.search_words(search_terms(query), 1000)
    shares = dict(zip(by_words.rows.tolist(), by_words.scores.tolist(), strict=True))
    blended = {row: score + 0.4 * shares.get(row, 0.0) for row, score in cosines.items()}
    expected = sorted(blended, key=lambda row: (-blended[row], row))[:10]
    (hits,) = find(index, encoder, [query], FindOptions(top=10, hybrid=True))
    assert texts(hits) == texts_of(index, expected)
    assert [hit.score for hit in hits] == [cosines[row] for row in expected]


@pytest.mark.parametrize("query", ["hope", "fear of the sea"])
def test_hybrid_hits_do_not_depend_on_how_many_are_wanted(index: Index, encoder: FakeEncoder, query: str) -> None:
    """The first three of a hundred hybrid hits are the three that are shown where three are wanted."""
    (few,) = find(index, encoder, [query], FindOptions(top=3, hybrid=True))
    (many,) = find(index, encoder, [query], FindOptions(top=100, hybrid=True))
    assert many[:3] == few


@pytest.mark.parametrize("words", [["hope"], ["hope", "fear"], ["hope", "zebra"], ["hope", "hope", "road", "2"]])
def test_the_score_of_words_is_bm25_as_a_share_of_its_bound(index: Index, words: list[str]) -> None:
    """Scores of shared words fall, lie in (0, 1], and are FTS5's BM25 over the sum of idf times 2.2."""
    found = index.search_words(words, 1000)
    expression = " OR ".join(f'"{word}"' for word in words)
    rows = index.connection.execute(
        "SELECT row, -bm25(words) FROM words JOIN quotes ON quotes.id = words.rowid WHERE words MATCH ?", (expression,)
    )
    bound = 0.0
    for word in words:
        (holding,) = index.connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (word,)).fetchone()
        bound += 2.2 * max(math.log((index.count - holding + 0.5) / (holding + 0.5)), 1e-6)
    assert dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True)) == pytest.approx(
        {row: value / bound for row, value in rows}
    )
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert (found.scores > 0).all()
    assert (found.scores <= 1).all()


@pytest.mark.parametrize("query", ["hope", "hopes and fears", "roads", "loves 2"])
def test_diverse_hits_begin_with_the_best_of_hybrid(index: Index, encoder: FakeEncoder, query: str) -> None:
    """With `hybrid` and `diverse` the first hit is that of hybrid alone, also where another is nearer by the cosine."""
    plain, hybrid, both = (
        find(index, encoder, [query], FindOptions(top=5, hybrid=hybrid, diverse=diverse))[0]
        for hybrid, diverse in ((False, False), (True, False), (True, True))
    )
    assert both[0] == hybrid[0]
    assert (hybrid[0] == plain[0]) is (query == "hope")
    assert len({hit.quote.id for hit in both}) == 5


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["hope"], "hope"),
        (["HOPES"], "hope"),
        (["hôpe"], "hope"),
        (["fear", "nothing"], "fear"),
    ],
)
def test_words_are_found_by_their_stem(index: Index, words: list[str], text: str) -> None:
    """Full text finds the quotes that hold any of the words, whatever their case, accents and English endings."""
    found = texts_of(index, index.search_words(words, 1000).rows.tolist())
    assert sorted(found) == sorted(quote.text for _, quote in everything(index) if text in quote.text.split())


@pytest.mark.parametrize(
    "query",
    ['"', 'hope"', "*", "ho*", "NEAR(hope fear)", "hope OR", "NOT", "AND", "(", "hope)", "text:hope", "^hope", "-hope",
     "+", "\0", "hope\0", "{x}", "'; DROP TABLE quotes; --"],
)  # fmt: skip
def test_operators_in_a_request_are_only_text(index: Index, encoder: FakeEncoder, query: str) -> None:
    """What would be syntax to the full-text search is searched for and never an error."""
    (hits,) = find(index, encoder, [query], FindOptions(top=3, hybrid=True))
    assert len(hits) == 3
    assert len(index.search_words([query], 10).rows) <= 10


def test_a_star_is_not_a_prefix_search(index: Index) -> None:
    """A word with a star finds only that word, not those that begin with it."""
    assert index.search_words(["ho*"], 10).rows.tolist() == []
    assert index.search_words(["NEAR"], 10).rows.tolist() == []
    assert index.search_words([], 10).rows.tolist() == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("quotes about family", ["family"]),
        ("Find me a good quote on Courage, please!", ["courage"]),
        ("what is it", ["what", "is", "it"]),
        ("?!", []),
    ],
)
def test_words_of_asking_are_left_out(query: str, words: list[str]) -> None:
    """Words that only say that a quote is wanted are no search terms, unless there are no others."""
    assert search_terms(query) == words


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20).filter(lambda text: bool(text.strip())))
def test_any_text_can_be_asked_for(index: Index, encoder: FakeEncoder, query: str) -> None:
    """Whatever is asked gets its hits, ranked and sorted by nothing but the blended order."""
    (hits,) = find(index, encoder, [query], FindOptions(top=3, hybrid=True))
    assert [hit.rank for hit in hits] == [1, 2, 3]


def test_a_quote_is_found_by_the_beginning_of_its_id(index: Index) -> None:
    """An id, or the beginning of just one, finds its row; no quote, or several, find none."""
    for row, quote in everything(index)[:5]:
        assert quote.id is not None
        assert index.row_of(quote.id) == index.row_of(quote.id[:12].upper()) == row
    assert index.row_of("") is None
    assert index.row_of("%") is None
    assert index.row_of("0" * 16) is None


def test_another_encoder_is_refused_with_the_right_one(index: Index) -> None:
    """An encoder that did not make the index is refused; the message names both and how to open the right one."""
    expected = (
        "The index was made with the model fake, but the encoder is other. "
        "Open the encoder of the index: open_encoder(index.manifest.model)"
    )
    with pytest.raises(UsageError) as refused:
        find(index, FakeEncoder("other"), ["hope"])
    assert str(refused.value) == expected
