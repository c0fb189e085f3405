"""Batches without false negatives: what they keep apart, and that they are drawn fairly and always alike."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotefind.training.pairs_file import TrainingPair

TAGS = [f"tag {n}" for n in range(100)]


def batches(pairs: Sequence[TrainingPair], size: int, *, seed: int = 42, epoch: int = 0) -> list[list[int]]:
    """Return the batches of an epoch, drawn from `pairs` as the trainer draws them."""
    from quotefind.training.sampler import ApartBatchSampler

    dataset: Any = pairs
    sampler = ApartBatchSampler(pairs, dataset, batch_size=size, drop_last=False, seed=seed)
    sampler.set_epoch(epoch)
    drawn = list(sampler)
    assert len(drawn) == len(sampler)
    return drawn


def quarrel(a: TrainingPair, b: TrainingPair) -> bool:
    """Whether one of two pairs makes a false negative of the other, as the sampler's description says it."""
    return bool(
        {a.query.casefold(), a.quote.casefold()} & {b.query.casefold(), b.quote.casefold()}
        or (a.tag is not None and (a.tag == b.tag or a.tag in b.tags))
        or (b.tag is not None and b.tag in a.tags)
        or a.quote.casefold() in map(str.casefold, b.negatives)
        or b.quote.casefold() in map(str.casefold, a.negatives)
    )


def natural(count: int) -> list[TrainingPair]:
    """Return pairs as a collection has them: a quote carries a few of 100 tags, and is asked for by one of these."""
    chance = random.Random(1)
    pairs = []
    for number in range(count):
        tags = chance.sample(TAGS, chance.randint(1, 4))
        quote = f"quote {number // 3}"
        pairs.append(TrainingPair(f"request {number}", quote, tag=chance.choice([None, *tags]), tags=frozenset(tags)))
    return pairs


few = st.sampled_from("abcdef")
pairs_of_few = st.lists(
    st.builds(
        TrainingPair,
        query=st.sampled_from(["q1", "Q1", "q2", "q3", "q4", "q5", "a"]),
        quote=st.sampled_from(["a", "A", "b", "c", "d", "e", "f", "g"]),
        negatives=st.lists(st.sampled_from("ABcdxyz"), max_size=2).map(tuple),
        tag=st.none() | few,
        tags=st.frozensets(few, max_size=2),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(pairs=pairs_of_few, size=st.integers(1, 8), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_no_batch_holds_a_false_negative(pairs: list[TrainingPair], size: int, seed: int, epoch: int) -> None:
    """Whatever the pairs are: as many batches as they fill, none empty or too large, no row twice, no quarrel."""
    drawn = batches(pairs, size, seed=seed, epoch=epoch)
    assert len(drawn) == -(-len(pairs) // size)
    assert all(1 <= len(rows) <= size for rows in drawn)
    assert max(Counter(row for rows in drawn for row in rows).values()) == 1
    assert not [(pairs[a], pairs[b]) for rows in drawn for a, b in combinations(rows, 2) if quarrel(pairs[a], pairs[b])]


@settings(deadline=None)
@given(count=st.integers(1, 200), size=st.integers(1, 33))
def test_nothing_is_lost_where_nothing_is_in_the_way(count: int, size: int) -> None:
    """Pairs that have nothing in common are all drawn, in batches of sizes that differ by one at most."""
    drawn = batches([TrainingPair(f"request {n}", f"quote {n}") for n in range(count)], size)
    assert sorted(row for rows in drawn for row in rows) == list(range(count))
    assert {len(rows) for rows in drawn} <= {count // len(drawn), -(-count // len(drawn))}


def test_nearly_nothing_is_lost_of_a_collection() -> None:
    """Of pairs with three requests a quote and a hundred tags, 99 of 100 are drawn in each epoch, all in a few."""
    pairs = natural(2000)
    epochs = [{row for rows in batches(pairs, 32, epoch=epoch) for row in rows} for epoch in range(4)]
    assert min(map(len, epochs)) >= 1980
    assert len(set.union(*epochs)) == 2000


def test_what_has_no_place_is_another_pair_each_time() -> None:
    """Of pairs that all ask for the same, a batch holds one; each epoch draws others."""
    pairs = [TrainingPair(f"request {n}", f"quote {n}", tag="hope") for n in range(40)]
    epochs = [batches(pairs, 8, epoch=epoch) for epoch in range(3)]
    assert [[len(rows) for rows in drawn] for drawn in epochs] == [[1] * 5] * 3
    assert len({row for drawn in epochs for rows in drawn for row in rows}) > 10


def test_seed_and_epoch_decide_the_batches() -> None:
    """The same seed and epoch draw the same batches; another seed, or another epoch, others."""
    pairs = natural(200)
    first = batches(pairs, 16, seed=7, epoch=1)
    assert batches(pairs, 16, seed=7, epoch=1) == first
    assert batches(pairs, 16, seed=8, epoch=1) != first
    assert batches(pairs, 16, seed=7, epoch=2) != first


def test_the_batches_do_not_depend_on_other_chances() -> None:
    """Nothing that was drawn before, with whatever generator, changes the batches, nor do they change what comes."""
    import torch

    pairs = natural(50)
    torch.manual_seed(1)
    first = batches(pairs, 8)
    drawn = torch.rand(1).item()
    random.seed(5)
    torch.manual_seed(1)
    assert torch.rand(1).item() == drawn
    assert batches(pairs, 8) == first


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        (TrainingPair("hope", "A."), TrainingPair("fear", "B."), False),
        (TrainingPair("hope", "A."), TrainingPair("Hope", "B."), True),
        (TrainingPair("hope", "A."), TrainingPair("fear", "a."), True),
        (TrainingPair("hope", "A.", tag="x"), TrainingPair("fear", "B.", tag="x"), True),
        (TrainingPair("hope", "A.", tag="x"), TrainingPair("fear", "B.", tags=frozenset("x")), True),
        (TrainingPair("hope", "A.", tag="x"), TrainingPair("fear", "B.", tag="y", tags=frozenset("yz")), False),
        (TrainingPair("hope", "A.", tags=frozenset("x")), TrainingPair("fear", "B.", tags=frozenset("x")), False),
        (TrainingPair("hope", "A.", ("b.",)), TrainingPair("fear", "B."), True),
        (TrainingPair("hope", "A.", ("C.",)), TrainingPair("fear", "B.", ("C.",)), False),
    ],
)
def test_who_is_kept_apart(a: TrainingPair, b: TrainingPair, apart: bool) -> None:
    """Two pairs are kept apart by a request, quote or tag in common, and where a quote answers or is a negative."""
    for pairs in ([a, b], [b, a]):
        assert [len(rows) for rows in batches(pairs, 2)] == ([1] if apart else [2])
