"""What rankings are worth: measures, intervals and tests, the systems that are compared, and other models."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

import ir_measures
import pytest
import pytrec_eval
from fake_encoder import FakeEncoder, StoppedError
from library import Library

from quotefind.encoders import Encoder
from quotefind.errors import IndexUnusableError, ModelError
from quotefind.index.local.verify import verify
from quotefind.progress import silent
from quotefind.search import FindOptions, find
from quotefind.stores import open_index
from quotefind.training.evaluation import (
    DEPTH,
    MEASURES,
    Result,
    Score,
    System,
    bm25,
    encoded_with,
    evaluate,
    systems_of,
)
from quotefind.training.judgements import JudgedQuery, from_json_lines

TEXTS = (
    "love and war",
    "love of the sea",
    "the sea in time of war",
    "hope",
    "hope and time and love",
    "a king without hope",
)


def judged(relevant: Mapping[str, Mapping[str, int]], topics: Mapping[str, str] | None = None) -> list[JudgedQuery]:
    """Return queries whose text is their id, each a topic of its own unless `topics` says otherwise."""
    return [JudgedQuery(name, name, grades, (topics or {}).get(name, name)) for name, grades in relevant.items()]


def sought(names: Iterable[str], topics: Mapping[str, str] | None = None) -> list[JudgedQuery]:
    """Return queries of these names, each of which "a" alone answers."""
    return judged({name: {"a": 1} for name in names}, topics)


def ranking(name: str, runs: Mapping[str, Sequence[str]]) -> System:
    """Return the system that ranks so for each query."""
    return System(name, lambda queries: [list(runs[query]) for query in queries])


def first_at(ranks: Mapping[str, int], name: str = "system") -> System:
    """Return a system that finds "a" at this rank for each query, and what answers nothing before it; 0 is never."""
    return ranking(name, {query: [*(f"x{n}" for n in range(1, rank)), "a"][:rank] for query, rank in ranks.items()})


def means(result: Result) -> dict[str, float]:
    """Return the means of a result by measure."""
    return {name: score.mean for name, score in result.scores.items()}


def main_score(result: Result) -> Score:
    """Return what the reciprocal rank of a result comes to: the measure that tests here can set at will."""
    return result.scores["RR@10"]


# Measures


def test_the_measures_are_those_of_the_textbook() -> None:
    """Each measure is what its definition gives, reckoned by hand for one query."""
    (result,) = evaluate(
        [ranking("system", {"q": ["x", "a", "b", "y", "c"]})], judged({"q": {"a": 1, "b": 1, "c": 1, "d": 1}})
    )
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    gained = 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(6)
    assert tuple(result.scores) == MEASURES == ("nDCG@10", "RR@10", "R@10", "R@100", "P@10")
    assert means(result) == pytest.approx(
        {"nDCG@10": gained / ideal, "RR@10": 1 / 2, "R@10": 3 / 4, "R@100": 3 / 4, "P@10": 3 / 10}
    )


def test_the_measures_look_so_far_and_no_farther() -> None:
    """What stands behind the tenth place counts for the recall at 100 alone."""
    names = [f"x{number}" for number in range(1, 101)]
    (at_10,) = evaluate([ranking("system", {"q": [*names[:9], "a"]})], sought("q"))
    (at_11,) = evaluate([ranking("system", {"q": [*names[:10], "a"]})], sought("q"))
    (at_100,) = evaluate([ranking("system", {"q": [*names[:99], "a"]})], sought("q"))
    assert means(at_10) == pytest.approx(
        {"nDCG@10": 1 / math.log2(11), "RR@10": 1 / 10, "R@10": 1, "R@100": 1, "P@10": 1 / 10}
    )
    assert means(at_11) == means(at_100) == {"nDCG@10": 0, "RR@10": 0, "R@10": 0, "R@100": 1, "P@10": 0}


def test_a_grade_is_what_is_gained() -> None:
    """For nDCG a quote of grade 3 counts three times one of grade 1; for the others both only count."""
    queries = judged({"q": {"a": 3, "b": 1}})
    (best,) = evaluate([ranking("best", {"q": ["a", "b"]})], queries)
    (other,) = evaluate([ranking("other", {"q": ["b", "a"]})], queries)
    assert means(best) == {"nDCG@10": 1, "RR@10": 1, "R@10": 1, "R@100": 1, "P@10": 0.2}
    gained = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
    assert means(other) == pytest.approx({**means(best), "nDCG@10": gained})


def test_a_query_without_any_hit_counts_as_0() -> None:
    """A query that a system answers with nothing is not left out of its mean, be it one or all of them."""
    queries = sought("qr")
    half, none = evaluate([ranking("half", {"q": ["a"], "r": []}), ranking("none", {"q": [], "r": []})], queries)
    assert means(half) == {"nDCG@10": 0.5, "RR@10": 0.5, "R@10": 0.5, "R@100": 0.5, "P@10": 0.05}
    assert set(means(none).values()) == {0.0}
    assert (main_score(none).low, main_score(none).high) == (0, 0)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a"), ("z1", "A9")])
def test_our_order_decides_whatever_the_names(names: tuple[str, str]) -> None:
    """What is measured is the order that the system gave: trec_eval would order equal scores by name."""
    right, wrong = names
    good, bad = evaluate(
        [ranking("good", {"q": [right, wrong]}), ranking("bad", {"q": [wrong, right]})], judged({"q": {right: 1}})
    )
    assert (main_score(good).mean, main_score(bad).mean) == (1, 0.5)


def random_case(queries: int) -> tuple[dict[str, dict[str, int]], dict[str, list[str]]]:
    """Return judgements of many queries and a ranking for each, some of which are empty."""
    choose = random.Random(3)
    names = [f"d{number}" for number in range(300)]
    relevant = {
        f"q{number}": {name: choose.randint(1, 3) for name in choose.sample(names, choose.randint(1, 20))}
        for number in range(queries)
    }
    run = {query: choose.sample(names, choose.choice([0, 5, 100])) for query in relevant}
    return relevant, run


def test_the_values_are_those_of_trec_eval() -> None:
    """Over hundreds of graded queries the means are those of pytrec_eval and of ir-measures, to the last digit."""
    relevant, run = random_case(300)
    (result,) = evaluate([ranking("system", run)], judged(relevant))
    scored = {query: {name: float(-rank) for rank, name in enumerate(names)} for query, names in run.items()}
    theirs = pytrec_eval.RelevanceEvaluator(relevant, {"ndcg_cut_10", "recall_10", "recall_100", "P_10"})
    values = theirs.evaluate(scored)
    names = {"nDCG@10": "ndcg_cut_10", "R@10": "recall_10", "R@100": "recall_100", "P@10": "P_10"}
    for ours, name in names.items():
        mean = sum(values.get(query, {}).get(name, 0) for query in relevant) / len(relevant)
        assert result.scores[ours].mean == pytest.approx(mean, abs=1e-12)
    wanted = [ir_measures.parse_measure(name) for name in MEASURES]
    assert means(result) == pytest.approx(
        {str(name): value for name, value in ir_measures.calc_aggregate(wanted, relevant, scored).items()}, abs=1e-12
    )


def test_the_mean_is_over_queries_even_where_topics_differ_in_size() -> None:
    """A topic that was asked for three times counts three times, as in trec_eval, which knows no topics of queries."""
    queries = sought("qrst", {"q": "one", "r": "two", "s": "two", "t": "two"})
    (result,) = evaluate([first_at({"q": 1, "r": 0, "s": 0, "t": 0})], queries)
    assert main_score(result).mean == 0.25


def test_groups_are_the_means_of_their_queries() -> None:
    """Each way of asking has its mean nDCG@10, in the order in which they come; a query without group is in none."""
    queries = [
        JudgedQuery(name, name, {"a": 1}, name, group)
        for name, group in (("q", "second"), ("r", "first"), ("s", "second"), ("t", ""))
    ]
    (result,) = evaluate([first_at({"q": 1, "r": 1, "s": 0, "t": 0})], queries)
    assert result.groups == {"second": 0.5, "first": 1}
    assert list(result.groups) == ["second", "first"]


# How sure it is


def test_an_interval_holds_the_mean_and_says_the_same_again() -> None:
    """Low, mean and high are in order and within [0, 1], the interval is not empty, and it does not change."""
    relevant, run = random_case(40)
    once, again = (evaluate([ranking("system", run)], judged(relevant)) for _ in range(2))
    assert once == again
    for score in once[0].scores.values():
        assert 0 <= score.low < score.mean < score.high <= 1


def test_an_interval_is_as_wide_as_theory_has_it() -> None:
    """For 400 queries half of which succeed it is about the mean plus and minus 1.96 standard errors."""
    names = [f"q{number}" for number in range(400)]
    (result,) = evaluate([first_at({name: number % 2 for number, name in enumerate(names)})], sought(names))
    error = math.sqrt(0.5 * 0.5 / 400)
    score = main_score(result)
    assert (score.low, score.high) == pytest.approx((0.5 - 1.96 * error, 0.5 + 1.96 * error), abs=0.003)


def asked_twenty_times(topics: int) -> tuple[list[JudgedQuery], list[JudgedQuery], list[JudgedQuery]]:
    """Return so many queries, twenty of each of them as one topic, and twenty of each as if they were independent."""
    once = [f"{number}.0" for number in range(topics)]
    often = {f"{number}.{way}": str(number) for number in range(topics) for way in range(20)}
    return sought(once), sought(often, often), sought(often)


def test_to_ask_the_same_more_often_makes_nothing_surer() -> None:
    """Intervals and p are over topics: twenty like requests for each are worth no more than one of them."""
    queries = asked_twenty_times(10)
    worse = {query.id: int(query.id.partition(".")[0]) % 5 + 2 for query in queries[1]}
    better = {query: rank - 1 for query, rank in worse.items()}
    systems = [first_at(worse, "worse"), first_at(better, "better")]
    (_, once), (_, as_topics), (_, as_queries) = (evaluate(systems, asked) for asked in queries)
    assert astuple(main_score(as_topics)) == pytest.approx(astuple(main_score(once)))
    assert main_score(as_queries).mean == pytest.approx(main_score(once).mean)
    width = main_score(once).high - main_score(once).low
    assert main_score(as_queries).high - main_score(as_queries).low < width / 3
    assert main_score(once).p == 2 / 2**10
    assert main_score(as_queries).p == 2 / 10_000


def test_topics_are_drawn_with_all_of_their_queries() -> None:
    """Where topics differ in size, their queries are drawn together and weigh as many as they are."""
    sizes = {"small": 1, "large": 9}
    names = {f"{topic}{number}": topic for topic, size in sizes.items() for number in range(size)}
    (result,) = evaluate(
        [first_at({name: int(topic == "small") for name, topic in names.items()})],
        sought(names, names),
    )
    # Both topics are drawn, or one of them twice: the mean is 1/10, 1 or 0.
    assert main_score(result) == Score(pytest.approx(0.1), 0, 1, None)
    names = {f"{topic}.{number}": str(topic) for topic in range(1, 9) for number in range(2 * topic)}
    halves = {name: int(number % 2 == 0) for number, name in enumerate(names)}
    (same,) = evaluate([first_at(halves)], sought(names, names))
    # Half of each topic is answered, whichever are drawn.
    assert main_score(same) == Score(0.5, 0.5, 0.5, None)


def test_one_topic_says_nothing_of_others() -> None:
    """With a single topic there is no telling how others would do: the interval is everything, and p is 1."""
    queries = sought("qr", {"q": "one", "r": "one"})
    first, second = evaluate([first_at({"q": 2, "r": 2}), first_at({"q": 1, "r": 1})], queries)
    assert main_score(first) == Score(0.5, 0, 1, None)
    assert main_score(second) == Score(1, 0, 1, 1.0)


def test_p_is_of_the_difference_from_the_first_system() -> None:
    """The first system has no p, an equal one has 1, one that is better or worse everywhere the smallest there is."""
    names = [f"q{number}" for number in range(30)]
    rank = {name: 2 + number % 3 for number, name in enumerate(names)}
    first, equal, better, worse, mixed = evaluate(
        [
            first_at(rank, "first"),
            first_at(rank, "equal"),
            first_at({name: rank[name] - 1 for name in names}, "better"),
            first_at({name: rank[name] + 1 for name in names}, "worse"),
            first_at({name: rank[name] + (-1) ** number for number, name in enumerate(names)}, "mixed"),
        ],
        sought(names),
    )
    assert {score.p for score in first.scores.values()} == {None}
    assert {score.p for score in equal.scores.values()} == {1.0}
    assert main_score(better).p == main_score(worse).p == pytest.approx(0.0002)
    assert 0.05 < (main_score(mixed).p or 0) <= 1
    assert better.scores["R@10"].p == 1.0


@pytest.mark.parametrize(("topics", "p"), [(2, 0.5), (3, 0.25), (5, 0.0625)])
def test_few_topics_cannot_be_significant(topics: int, p: float) -> None:
    """With few topics p is exact: if all are better, 2 of the 2^n ways to set the signs are as far from 0."""
    names = [f"q{number}" for number in range(topics)]
    _, better = evaluate([first_at(dict.fromkeys(names, 2)), first_at(dict.fromkeys(names, 1))], sought(names))
    assert main_score(better).p == p


def test_differences_that_cancel_out_are_none() -> None:
    """Where each topic gains as much as it loses, p is 1, and not what rounding makes of it."""
    names = {f"{topic}.{way}": str(topic) for topic in range(12) for way in range(3)}
    ranks = {name: (1, 2, 3)[number % 3] for number, name in enumerate(names)}
    turned = {name: (3, 1, 2)[number % 3] for number, name in enumerate(names)}
    _, other = evaluate([first_at(ranks), first_at(turned)], sought(names, names))
    assert main_score(other).p == 1.0


# What is compared, and how it is told


def test_many_queries_are_asked_in_batches_and_told() -> None:
    """No system gets more than 256 queries at once, none is lost, and progress counts over all systems."""
    names = [f"q{number}" for number in range(600)]
    sizes: list[int] = []
    told: list[tuple[str, int, int]] = []

    def rank(queries: Sequence[str]) -> list[list[str]]:
        sizes.append(len(queries))
        return [[f"answer to {query}"] for query in queries]

    def progress(stage: str, done: int = 0, total: int = 0) -> None:
        told.append((stage, done, total))

    results = evaluate(
        [System("one", rank), System("[/two]", rank)],
        judged({name: {f"answer to {name}": 1} for name in names}),
        progress,
    )
    assert sizes == [256, 256, 88] * 2
    assert [main_score(result).mean for result in results] == [1, 1]
    assert results[0].run == {name: [f"answer to {name}"] for name in names}
    # The name of a system is left out: it may be that of a directory, and a bar could take it for markup.
    assert told == [("ranking", done, 1200) for done in (256, 512, 600, 856, 1112, 1200)]


def test_without_ir_measures_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ir-measures is missing the error says how to install it, before any system has worked."""
    monkeypatch.setitem(sys.modules, "ir_measures", None)

    def rank(_: Sequence[str]) -> list[list[str]]:
        raise AssertionError

    with pytest.raises(ModelError, match=r"pip install 'quotefind\[train\]'"):
        evaluate([System("system", rank)], sought("q"))


def test_the_systems_are_those_of_find(library: Library, encoder: FakeEncoder) -> None:
    """Cosine and hybrid rank as `find` does, to a depth of 100; BM25 ranks what shares words, and nothing else."""
    texts = [*TEXTS, *(f"number {number}" for number in range(DEPTH))]
    library.update(library.write("a.txt", *texts))
    queries = ["love", "quotes about hope", "time king", "nothing of that"]
    with open_index(library.directory) as index:
        systems = [*systems_of(index, encoder, prefix="fake "), bm25(index)]
        cosine, hybrid, words = (system.rank(queries) for system in systems)
        for found, options in ((cosine, FindOptions(top=DEPTH)), (hybrid, FindOptions(top=DEPTH, hybrid=True))):
            assert found == [[hit.quote.id for hit in hits] for hits in find(index, encoder, queries, options)]
        texts_of = {quote.id: quote.text for quote in index.quotes(range(len(texts)))}
    assert [system.name for system in systems] == ["fake cosine", "fake hybrid", "bm25"]
    assert [len(names) for names in cosine] == [DEPTH] * 4
    assert [{texts_of[name] for name in names} for names in words] == [
        {text for text in TEXTS if "love" in text},
        {text for text in TEXTS if "hope" in text},
        {text for text in TEXTS if "time" in text or "king" in text},
        set(),
    ]
    assert texts_of[words[1][0]] == "hope"


def test_what_cannot_be_found_by_words_counts_as_0(library: Library, encoder: FakeEncoder, tmp_path: Path) -> None:
    """A query of which no quote holds a word is 0 for BM25 and no error, for other systems what it is."""
    library.update(library.write("a.txt", *TEXTS))
    file = tmp_path / "judged.jsonl"
    rows = [{"query": "???", "relevant": ["hope"]}, {"query": "hope", "relevant": ["hope"]}]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    with open_index(library.directory) as index:
        queries = from_json_lines(file, index)
        cosine, _, words = evaluate([*systems_of(index, encoder), bm25(index)], queries)
    assert words.run["1"] == []
    assert words.scores["R@100"].mean == 0.5
    assert cosine.scores["R@100"].mean == 1


# Other models


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go: an empty directory."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture
def two(tmp_path: Path) -> Library:
    """An index of TEXTS, encoded with the fake model "fake"; there is another called "other"."""
    library = Library(tmp_path / "index", tmp_path / "sources", FakeEncoder(), FakeEncoder("other", dim=8))
    library.update(library.write("a.txt", "gone", *TEXTS))
    library.update(library.write("a.txt", *TEXTS))  # so that there is a dead row
    return library


def files_of(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of each file of an index but the log, which readers make."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in directory.iterdir()
        if not path.name.endswith(("-wal", "-shm"))
    }


def test_another_model_is_compared_on_a_copy(two: Library, temporary: Path) -> None:
    """The copy holds the same quotes with the vectors of the other model; it is private, and gone afterwards."""
    before = files_of(two.directory)
    other = two.models("other", None)
    with open_index(two.directory) as index, encoded_with(index, "other", two.models, silent) as anew:
        verify(anew)
        assert (anew.manifest.model, anew.manifest.dimension, anew.count) == ("other", 8, len(TEXTS))
        assert anew.directory.is_relative_to(temporary)
        assert {path.stat().st_mode & 0o77 for path in temporary.iterdir()} == {0}
        assert anew.ids_by_tag() == index.ids_by_tag()
        (hits,) = find(anew, other, ["hope"], FindOptions(top=1))
        assert [(hit.quote.text, round(hit.score, 6)) for hit in hits] == [("hope", 1)]
        assert (index.manifest.model, index.manifest.dimension) == ("fake", 32)
        assert find(index, two.encoder, ["hope"])[0][0].quote == hits[0].quote
    assert list(temporary.iterdir()) == []
    assert files_of(two.directory) == before


def test_a_model_may_be_compared_with_itself(two: Library, temporary: Path) -> None:
    """The model of the index, named once more, gives the same figures, and p is 1."""
    with open_index(two.directory) as index, encoded_with(index, "fake", two.models, silent) as anew:
        queries = [
            JudgedQuery(text, text, dict.fromkeys(bm25(index).rank([text])[0], 1), text) for text in ("hope", "love")
        ]
        first, _, second, _ = evaluate([*systems_of(index, two.encoder), *systems_of(anew, two.encoder)], queries)
    assert means(first) == means(second)
    assert {score.p for score in second.scores.values()} == {1.0}
    assert list(temporary.iterdir()) == []


def stop_while_encoding(two: Library, error: type[BaseException]) -> Callable[[str | None, str | None], Encoder]:
    """Return what opens models that fail with `error` while they encode."""

    def open_it(model: str | None, fingerprint: str | None) -> Encoder:
        encoder = two.models(model, fingerprint)

        def encode_quotes(*_: object, **__: object) -> None:
            raise error

        encoder.encode_quotes = encode_quotes  # type: ignore[method-assign,assignment]
        return encoder

    return open_it


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (StoppedError, StoppedError),
        (KeyboardInterrupt, KeyboardInterrupt),
        (ModelError, ModelError),
        (OSError, IndexUnusableError),
    ],
)
def test_the_copy_is_gone_after_an_error(
    two: Library, temporary: Path, error: type[BaseException], raised: type[BaseException]
) -> None:
    """Whatever ends the encoding, nothing is left of the copy, and the index is as it was."""
    before = files_of(two.directory)
    with open_index(two.directory) as index:
        with (
            pytest.raises(raised),
            encoded_with(index, "other", stop_while_encoding(two, error), silent),
        ):
            pass
        assert list(temporary.iterdir()) == []
        assert len(find(index, FakeEncoder(), ["hope"])[0]) == 5
    assert files_of(two.directory) == before


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt])
def test_the_copy_is_gone_after_an_error_of_whoever_uses_it(
    two: Library, temporary: Path, error: type[BaseException]
) -> None:
    """An error while systems are compared leaves no copy behind either."""
    with open_index(two.directory) as index:
        with pytest.raises(error), encoded_with(index, "other", two.models, silent):
            raise error
        assert list(temporary.iterdir()) == []


def test_the_copy_is_of_the_state_that_is_open(two: Library) -> None:
    """What another process commits meanwhile is not in the copy: all systems are asked the same quotes."""
    with open_index(two.directory) as index:
        two.update(two.write("a.txt", *TEXTS, "later"))
        with encoded_with(index, "other", two.models, silent) as anew:
            assert anew.count == index.count == len(TEXTS)


def test_a_full_disk_is_no_bug(two: Library, temporary: Path) -> None:
    """Where the copy does not fit, the error says so, and nothing is left."""

    class Full(sqlite3.Connection):
        def backup(self, *_: object, **__: object) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

    with open_index(two.directory) as index, closing(sqlite3.connect(":memory:", factory=Full)) as full:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index, "_connection", full)
            copying = encoded_with(index, "other", two.models, silent)
            with pytest.raises(IndexUnusableError, match="is full or fails"):
                copying.__enter__()
        assert list(temporary.iterdir()) == []
