"""Conflicts: quotes with the same or nearly the same words, grouped, and what they do not agree on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_encoder import FakeEncoder
from hypothesis import example, given, settings
from hypothesis import strategies as st
from library import Library

from quotefind import pairs
from quotefind.conflicts import groups, wordings, words
from quotefind.conflicts.groups import ConflictGroup, Difference, conflict_groups
from quotefind.conflicts.names import distinct, may_be_one
from quotefind.conflicts.wordings import Wordings
from quotefind.conflicts.words import is_near, likeness, unshared, words_of
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.progress import silent
from quotefind.records import Quote
from quotefind.similarity import cosine_scores
from quotefind.stores import open_index

some_words = st.lists(st.sampled_from("abcd"), max_size=12)
LONG = "a journey of a thousand miles begins beneath the feet of one who walks"


def longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, by the usual table."""
    above = [0] * (len(b) + 1)
    for word in a:
        row = [0]
        for j, other in enumerate(b):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        above = row
    return above[-1]


@given(some_words.filter(bool), some_words.filter(bool))
def test_likeness_is_the_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    """The shares are those of the longest common subsequence of the words, of both and of the shorter."""
    common = longest_common(a, b)
    like = likeness(a, b)
    assert like.share == 2 * common / (len(a) + len(b))
    assert like.contained == common / min(len(a), len(b))
    assert like.shorter == min(len(a), len(b))
    assert likeness(b, a) == like


@given(some_words, some_words)
@example(list("abc"), [])
def test_words_that_are_not_unshared_are_the_same(a: list[str], b: list[str]) -> None:
    """Without the unshared words, both are the same sequence, and no longer one is."""
    alone_a, alone_b = unshared(a, b)
    rest = [word for at, word in enumerate(a) if at not in alone_a]
    assert rest == [word for at, word in enumerate(b) if at not in alone_b]
    assert len(rest) == longest_common(a, b)
    assert alone_a <= set(range(len(a)))
    assert alone_b <= set(range(len(b)))


def test_long_passages_that_differ_are_unshared_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more words differ than may be held, those between the common beginning and end count as unshared."""
    monkeypatch.setattr(words, "_LONGEST_ALIGNED", 3)
    assert unshared(list("abxcyde"), list("abzcwde")) == ({2, 4}, {2, 4})
    assert unshared(list("abxcyvde"), list("abzcwde")) == ({2, 3, 4, 5}, {2, 3, 4})


def test_words_of_texts_of_any_length_are_compared() -> None:
    """Texts of the greatest length that is read, all words another, are compared."""
    a, b = [f"{n}" for n in range(30_000)], [f"x{n}" for n in range(30_000)]
    assert likeness(a, b).share == 0
    assert likeness([*a, "same"], ["same", *b]).share == 2 / 60_002


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("To-day, “Señor”!", ["to", "day", "senor"]),
        ("Don't — ever.", ["don", "t", "ever"]),
        ("千里之行，始於足下", list("千里之行始於足下")),
        ("Лао-цзы: путь", ["лао", "цзы", "путь"]),
        ("…", []),
    ],
)
def test_words_are_folded(text: str, words: list[str]) -> None:
    """Case, accents and punctuation do not count; where a script may set no blanks, each character is a word."""
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("names", "one"),
    [
        (["Goethe", "J. W. von Goethe", "Johann Wolfgang von Goethe"], True),
        (["Goethe, Johann Wolfgang von", "J.W. Goethe"], True),
        (["EMILY BRONTË", "Emily Brontë"], True),
        (["Emily Brontë", "Charlotte Brontë"], False),
        (["E. Brontë", "Charlotte Brontë"], False),
        (["Brontë", "Charlotte Brontë", "Emily Brontë"], False),
        (["John Adams", "John Quincy Adams"], True),
        (["Laozi", "Lao Tzu"], False),
        (["J. S.", "John Smith"], False),
        (["J. S.", "J. S."], True),
        (["Anne", "Annette"], False),
        (["Johann Johann", "Johann Bach"], False),
        (["?", "Twain"], False),
        (["Twain"], True),
        ([], True),
    ],
)
def test_names_that_may_be_one(names: list[str], one: bool) -> None:
    """Names may be one where their words, or their initials, fit into the fullest; the order does not matter."""
    for order in itertools.permutations(names):
        assert may_be_one(order) is one


def test_initials_of_titles_do_not_count() -> None:
    """A title fits into another by its whole words only."""
    assert may_be_one(["Hamlet", "Hamlet, Act I"], initials=False)
    assert not may_be_one(["Hamlet, Act I", "Hamlet, Act II"], initials=False)
    assert not may_be_one(["Essays, F", "Essays, First Series"], initials=False)


def test_distinct_names() -> None:
    """Of names that differ in case or accents the first is kept; what is unknown is none."""
    assert distinct(["Brontë", None, "BRONTE", "Twain", "", "?", "!"]) == ["Brontë", "Twain", "?", "!"]


numbered_pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]))


@given(numbered_pairs, st.sets(st.integers(0, 9)))
@example([(0, 1), (1, 2), (2, 3)], set())
def test_groups_are_stars(near: list[tuple[int, int]], repeated: set[int]) -> None:
    """All in a group are near its first; each pair that is near, and each that is repeated, is in one group or more."""
    stars = list(groups._stars(near, sorted(repeated)))
    for centre, others in stars:
        assert others or centre in repeated
        assert all((min(centre, other), max(centre, other)) in near for other in others)
    whole = [{centre, *others} for centre, others in stars]
    assert all(any({a, b} <= members for members in whole) for a, b in near)
    assert repeated <= set().union(*whole)
    assert len({frozenset(members) for members in whole}) == len(whole)
    assert stars == list(groups._stars(near[::-1], sorted(repeated, reverse=True)))


def found_in(library: Library, **options: object) -> list[ConflictGroup]:
    """Return the groups of the index of `library`."""
    with open_index(library.directory) as index:
        return list(conflict_groups(index, **options))  # type: ignore[arg-type]


def told(found: list[ConflictGroup]) -> list[tuple[list[str], list[str]]]:
    """Return of each group what differs and its texts."""
    return [([str(difference) for difference in group.differs], [q.text for q in group.quotes]) for group in found]


DIFFERENCES: list[tuple[list[Quote], list[str]]] = [
    ([Quote("So it goes.", "Ann Ash"), Quote("So it goes.", "Ben Birch")], ["author"]),
    ([Quote("So it goes.", "Ann Ash"), Quote("So it goes.", "A. Ash")], ["spelling of the name"]),
    ([Quote("So it goes.", "Ann Ash"), Quote("So it goes")], ["no author", "punctuation"]),
    ([Quote("So it goes.", "Ann Ash"), Quote("So it goes!", "Ben"), Quote("So it goes")],
     ["author", "no author", "punctuation"]),
    ([Quote("So it goes.", "Ann Ash"), Quote("so, it goes", "ANN ASH")], ["punctuation"]),
    ([Quote("So it goes.", "Ash", "Poems"), Quote("So it goes", "Ash", "Letters")], ["work", "punctuation"]),
    ([Quote("So it goes.", "Ash", "Poems"), Quote("So it goes", "Ash", "Poems, I")], ["punctuation"]),
    ([Quote("So it goes.", "Ash", "Poems"), Quote("So it goes", "Ash")], ["punctuation"]),
    ([Quote("So it goes.", "Ash", "Poems", 1850), Quote("So it goes", "Ash", "Poems", 1851)], ["year", "punctuation"]),
    ([Quote("So it goes.", None, "Poems"), Quote("So it goes", None, "Letters")], ["work", "punctuation"]),
    ([Quote("So it goes.", "Ash", "Poems", 1850), Quote("So it goes.", "Birch", "Letters", 1851)], ["author"]),
    ([Quote("So it goes.", "Ann Ash", "Poems", 1850), Quote("So it goes.", "A. Ash", "Letters", 1851)],
     ["spelling of the name", "work", "year"]),
    ([Quote(LONG, "Ash"), Quote(LONG.replace("beneath", "under"), "Ash")], ["words"]),
    ([Quote(LONG, "Ash"), Quote(LONG.removesuffix(" of one who walks"), "Ash")], ["shortened"]),
]  # fmt: skip


@pytest.mark.parametrize(("quotes", "differs"), DIFFERENCES)
def test_a_group_says_on_what_it_does_not_agree(library: Library, quotes: list[Quote], differs: list[str]) -> None:
    """Names, spellings, missing names, works and years of one author, words: each is told apart."""
    write_quotes(library, [*quotes, Quote("The ship struck a rock.")])
    (group,) = found_in(library)
    assert [str(difference) for difference in group.differs] == differs
    assert {(quote.text, quote.author) for quote in group.quotes} == {(quote.text, quote.author) for quote in quotes}
    assert all(quote.id and quote.source and quote.line for quote in group.quotes)


def write_quotes(library: Library, quotes: Sequence[Quote]) -> None:
    """Index `quotes`."""
    import json

    path = library.folder / "quotes.jsonl"
    keys = ("text", "author", "work", "year")
    lines = [json.dumps({key: getattr(quote, key) for key in keys if getattr(quote, key)}) for quote in quotes]
    path.write_text("\n".join(lines), encoding="utf-8")
    library.update(path)


def test_the_same_words_are_found_whatever_their_vectors(library: Library) -> None:
    """Words that differ in case and punctuation alone belong together even at the highest lowest score."""
    library.update(library.write("a.txt", "War -- Ash", "war! -- Birch", "WAR?", "peace"))
    (group,) = found_in(library, min_score=1.0)
    assert told([group]) == [(["author", "no author", "punctuation"], ["War", "war!", "WAR?"])]
    first, *others = library.encoder.vectors(["War", "WAR?", "war!"])
    assert group.score == min(cosine_scores(np.array(others), first[None])[:, 0])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("All men are mortal.", "No men are mortal."),
        ("Love is blind.", "Love is kind."),
        ("Hell is other people.", "Heaven is other people."),
        ("the sea and the war and the king", "king sea war and the the the and"),
    ],
)
def test_close_vectors_are_not_enough(library: Library, a: str, b: str) -> None:
    """Opposites, and the same words in another order, are no group, however close their vectors are."""
    library.update(library.write("a.txt", a, b))
    assert found_in(library, min_score=-1.0) == []


def test_like_words_are_not_enough(library: Library) -> None:
    """Quotes that share most words but whose vectors are further apart than the lowest score are no group."""
    library.update(library.write("a.txt", LONG, LONG.replace("thousand", "hundred")))
    assert found_in(library, min_score=0.999) == []
    assert len(found_in(library)) == 1


def test_a_chain_is_no_group(library: Library) -> None:
    """Of quotes each of which is near to the next, those stand together that are near to one; no pair is lost."""
    words = [f"w{n}" for n in range(16)]
    chain = [" ".join(words[n : n + 10]) for n in range(6)]
    library.update(library.write("a.txt", *chain))
    found = found_in(library, min_score=0.5)
    together = [{quote.text for quote in group.quotes} for group in found]
    for group in found:
        first, *others = (words_of(quote.text) for quote in group.quotes)
        assert all(likeness(first, other).share >= 0.8 for other in others)
    for a, b in itertools.combinations(chain, 2):
        if likeness(words_of(a), words_of(b)).share >= 0.8:
            assert any({a, b} <= members for members in together)
    assert len(together) > 1
    assert not any(set(chain) <= members for members in together)


def test_names_that_differ_come_first_then_the_closest(library: Library) -> None:
    """Groups with two names come before the others, and of each sort the closest; numbers and `top` follow that."""
    pieces = [LONG, "it was the best of times it was the worst of times it was an age of wisdom"]
    lines = [
        f"{pieces[0]} -- Ash",
        f"{pieces[0]}! -- Ash",
        f"{pieces[1]} -- Ash",
        f"{pieces[1]} it was an age of folly -- Birch",
        "so it goes -- Ash",
        "so it goes -- Birch",
        "so it went",
        "(so it went)",
    ]
    library.update(library.write("a.txt", *lines))
    found = found_in(library)
    assert [group.number for group in found] == [1, 2, 3, 4]
    assert [Difference.author in group.differs for group in found] == [True, True, False, False]
    scores = [group.score for group in found]
    assert scores[0] == pytest.approx(1.0, abs=1e-6)
    assert scores[0] > scores[1]
    assert scores[2] >= scores[3]
    assert found_in(library, top=2) == found[:2]


def test_only_quotes_that_satisfy_a_condition_are_compared(library: Library) -> None:
    """A filter decides which quotes can be in a group."""
    library.update(library.write("a.txt", "so it goes -- Ash", "so it goes -- Birch", "so it goes! -- Ash"))
    assert len(found_in(library)[0].quotes) == 3
    assert [quote.author for quote in found_in(library, where=Filter(authors=("ash",)))[0].quotes] == ["Ash", "Ash"]
    assert found_in(library, where=Filter(authors=("birch",))) == []


def related(index: Index, a: Quote, b: Quote, row: dict[str, int], least: float) -> bool:
    """Whether two quotes belong together, by definition."""
    words_a, words_b = words_of(a.text), words_of(b.text)
    if words_a == words_b:
        return True
    first, second = (index.vectors(np.array([row[quote.id or ""]])) for quote in (a, b))
    like = likeness(words_a, words_b)
    near = is_near(like.share, like.contained, like.shorter)
    return near and float(cosine_scores(first, second)[0, 0]) >= least


lines_of_words = st.lists(
    st.text("ab c!", min_size=1, max_size=14).filter(lambda text: words_of(text) != []), max_size=20
)


@settings(max_examples=40, deadline=None)
@given(lines_of_words, st.floats(0.2, 0.98), st.integers(1, 9))
def test_all_pairs_are_found(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], least: float, block: int
) -> None:
    """Whatever the blocks, each two wordings that belong together are in one group, each near to its first."""
    directory = tmp_path_factory.mktemp("conflicts")
    library = Library(directory / "index", directory / "sources", FakeEncoder(dim=64))
    library.update(library.write("a.txt", *lines, "keep me please"))
    whole = found_in(library, min_score=least)
    with pytest.MonkeyPatch.context() as patch, open_index(library.directory) as index:
        patch.setattr(pairs, "_BLOCK", block)
        patch.setattr(groups, "_BATCH", block)
        patch.setattr(wordings, "_BATCH", block)
        found = list(conflict_groups(index, min_score=least))
        assert [group.quotes for group in found] == [group.quotes for group in whole]
        rows = index.rows_where(Filter()).tolist()
        quotes = index.quotes(rows)
        row = {quote.id or "": at for quote, at in zip(quotes, rows, strict=True)}
        # A wording is represented by its first quote.
        first: dict[tuple[str, ...], Quote] = {}
        for quote in quotes:
            first.setdefault(tuple(words_of(quote.text)), quote)
        for group in found:
            assert len(set(group.quotes)) == len(group.quotes) > 1
            assert group.differs
            for other in group.quotes:
                a, b = (first[tuple(words_of(quote.text))] for quote in (group.quotes[0], other))
                assert a == b or related(index, a, b, row, least)
        together = [set(group.quotes) for group in found]
        for a, b in itertools.combinations(first.values(), 2):
            assert not related(index, a, b, row, least) or any({a, b} <= members for members in together)
        for quote in quotes:
            other = first[tuple(words_of(quote.text))]
            assert quote == other or any({quote, other} <= members for members in together)


def test_no_pair_is_passed_over_that_is_near(library: Library) -> None:
    """The bits that stand for words refuse most pairs that share few, and none that is near, however many words."""
    drawn = np.random.default_rng(7)
    lines = []
    for size in (1, 5, 12, 40, 400):
        for _ in range(8):
            line = drawn.integers(0, 2 * size + 9, size)
            lines += [line, np.where(drawn.random(size) < 0.15, drawn.integers(0, 999, size), line), line[: size - 2]]
    library.update(library.write("a.txt", *{" ".join(f"w{word}" for word in line) for line in lines if len(line)}))
    with open_index(library.directory) as index:
        found = Wordings(index, index.rows_where(Filter()), silent)
        pairs = np.array(list(itertools.combinations(found.first.tolist(), 2)))
        quotes = dict(zip(found.first.tolist(), index.quotes(found.first.tolist()), strict=True))
    said = dict(zip(map(tuple, pairs.tolist()), found.may_be_near(pairs).tolist(), strict=True))
    likes = {pair: likeness(*(words_of(quotes[row].text) for row in pair)) for pair in said}
    near = {pair for pair, like in likes.items() if is_near(like.share, like.contained, like.shorter)}
    assert near <= {pair for pair, may_be in said.items() if may_be}
    assert 0 < len(near) <= sum(said.values()) < len(said) / 4


def test_many_quotes_with_the_same_words_are_no_pairs(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words many times over are not compared with each other, so they do not use up what may be looked at."""
    said: list[str] = []
    monkeypatch.setattr(groups, "_MOST_PAIRS", 2)
    library.update(library.write("a.txt", *(f"so it goes -- Author {n}" for n in range(100)), LONG, f"{LONG} on"))
    assert [len(group.quotes) for group in found_in(library, warn=said.append)] == [100, 2]
    assert said == []


def test_it_is_said_where_not_all_was_looked_at(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more pairs are close than may be held, the closest are looked at, and that is told."""
    said: list[str] = []
    monkeypatch.setattr(groups, "_MOST_PAIRS", 1)
    library.update(library.write("a.txt", LONG, f"{LONG} on", f"{LONG} on and on"))
    (group,) = found_in(library, warn=said.append)
    assert len(group.quotes) == 2
    assert said == [f"only the 1 closest pairs of quotes, down to {group.score:.4f}, were compared"]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """Where checkpoints are kept; none is left at the end."""
    yield tmp_path / "kept"
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("stage", ["comparing", "comparing words"])
def test_it_goes_on_where_it_was_stopped(
    library: Library, kept: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Interrupted while vectors or words are compared, the same call compares no block again and finds the same."""
    monkeypatch.setattr(pairs, "_BLOCK", 3)
    library.update(library.write("a.txt", *(f"{LONG} {n}" for n in range(12))))
    whole = found_in(library)

    def stop(name: str, done: int = 0, total: int = 0) -> None:
        if name == stage and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupt:
        found_in(library, checkpoints=kept, progress=stop)
    assert interrupt.value.__notes__ == ["run the same command to continue (100 % done)"]
    stages: list[str] = []
    assert found_in(library, checkpoints=kept, progress=lambda name, *_: stages.append(name)) == whole
    assert "comparing" not in stages
    assert "comparing words" in stages


def test_the_last_name_first_is_no_other_name() -> None:
    """ "Austen, Jane" and "Jane Austen" are one name; the one that comes first is kept."""
    assert distinct(["Austen, Jane", "Jane Austen", "Jane Ash"]) == ["Austen, Jane", "Jane Ash"]
