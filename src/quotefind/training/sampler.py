"""Batches without false negatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

from quotefind.training.pairs_file import TrainingPair

if TYPE_CHECKING:
    from datasets import Dataset

# The most open batches that are tried before a pair must wait for the end.
_TRIES = 64


class ApartBatchSampler(DefaultBatchSampler):
    """Draws batches in which no quote answers the query of another pair, as far as the pairs can tell.

    Two pairs are kept apart if they share a query, a quote or the tag that is asked for, if one asks for a tag of the
    other's quote, or if the quote of one is a negative of the other: in a batch, the negatives of each pair are those
    of all pairs. The number of batches is fixed; the few pairs that fit into none are left out of an epoch, different
    ones each time.
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
        """Draw from `pairs`, the rows of `dataset`; sentence-transformers' trainer passes the other arguments."""
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
                    else:  # the next pair tries the next batch first, so that all fill evenly
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
        """Add `row` if there is room and no conflict; return whether it was added."""
        texts = {pair.query.casefold(), pair.quote.casefold()}
        negatives = set(map(str.casefold, pair.negatives))
        if len(self.rows) == self._size or texts & self._texts or pair.tags & self._asked:
            return False
        if texts & self._negatives or negatives & self._texts:
            return False
        if pair.tag is not None and (pair.tag in self._carried or pair.tag in self._asked):
            return False
        self.rows.append(row)
        self._texts |= texts
        self._negatives |= negatives
        self._carried |= pair.tags
        if pair.tag is not None:
            self._asked.add(pair.tag)
        return True
