"""Batches without false negatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

from quotefind.training.pairs_file import TrainingPair

if TYPE_CHECKING:
    from datasets import Dataset

# How many of the batches that have room are tried before a pair waits for the end.
_TRIES = 64


class ApartBatchSampler(DefaultBatchSampler):
    """Draws batches in which no quote answers the request of another pair, as far as the pairs tell.

    Two pairs are kept apart where they share a request, a quote or a theme that is asked for, where one asks for a
    theme that the quote of the other carries, and where the quote of one is a negative of the other: in a batch, the
    negatives of each pair are those of all. There are always as many batches as the pairs fill; the few pairs that fit
    into none sit out the epoch, other ones in each.
    """

    def __init__(
        self,
        pairs: Sequence[TrainingPair],
        dataset: Dataset,
        batch_size: int,
        drop_last: bool,
        valid_label_columns: list[str] | None = None,
        generator: torch.Generator | None = None,
        seed: int = 0,
    ) -> None:
        """Draw from `pairs`, the rows of `dataset`; the rest is what sentence-transformers' trainer hands over."""
        super().__init__(dataset, batch_size, drop_last, valid_label_columns, generator, seed)
        self._pairs = pairs

    def __len__(self) -> int:
        """Return the number of batches in each epoch."""
        return -(-len(self._pairs) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the row numbers of each batch of this epoch."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        batches = [_Batch(self.batch_size) for _ in range(len(self))]
        open_batches = list(batches)
        waiting = []
        for row in torch.randperm(len(self._pairs), generator=generator).tolist():
            for place, batch in enumerate(open_batches[:_TRIES]):
                if batch.take(row, self._pairs[row]):
                    if len(batch.rows) == self.batch_size:
                        del open_batches[place]
                    else:  # the next pair begins with the next batch, so that all fill alike
                        open_batches.append(open_batches.pop(place))
                    break
            else:
                waiting.append(row)
        for row in waiting:
            any(batch.take(row, self._pairs[row]) for batch in batches)
        yield from (batch.rows for batch in batches if batch.rows)


class _Batch:
    def __init__(self, size: int) -> None:
        self.rows: list[int] = []
        self._size = size
        self._texts: set[str] = set()
        self._negatives: set[str] = set()
        self._asked: set[str] = set()
        self._carried: set[str] = set()

    def take(self, row: int, pair: TrainingPair) -> bool:
        """Take `row` if there is room and nothing in the way; return whether it was taken."""
        texts = {pair.query.casefold(), pair.quote.casefold()}
        negatives = set(map(str.casefold, pair.negatives))
        if len(self.rows) == self._size or texts & self._texts or pair.tags & self._asked:
            return False
        if texts & self._negatives or negatives & self._texts:
            return False
        if pair.theme is not None and (pair.theme in self._carried or pair.theme in self._asked):
            return False
        self.rows.append(row)
        self._texts |= texts
        self._negatives |= negatives
        self._carried |= pair.tags
        if pair.theme is not None:
            self._asked.add(pair.theme)
        return True
