"""The recipe for fine-tuning a model."""

from __future__ import annotations

from dataclasses import dataclass

# The values of `--loss`, and the names of these losses in sentence-transformers.
LOSSES = {
    "mnrl": "MultipleNegativesRankingLoss",
    "cached-mnrl": "CachedMultipleNegativesRankingLoss",
    "gist": "GISTEmbedLoss",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fine-tune; the defaults are the recipe of the original model card.

    That recipe is MultipleNegativesRankingLoss (Henderson et al. 2017, arXiv:1705.00652) with scale 20 over cosine
    similarities, batches of 32, 4 epochs, AdamW (betas 0.9 and 0.999, no weight decay), a learning rate that falls
    linearly from 5e-5 to 0 without warm-up, gradient clipping at norm 1, round-robin sampling of data sets, seed 42.

    Attributes:
        loss: a key of `LOSSES`. "cached-mnrl" computes the same loss in small steps, for batches that exceed the
            memory; "gist" ignores negatives that the untrained model finds closer than the positive.
        scale: the factor of cosine similarities before the softmax; 1 / temperature.
        batch_size: the number of pairs in a batch; each quote is a negative for the queries of all others.
        epochs: the number of passes over the pairs.
        learning_rate: the initial learning rate.
        warmup: the fraction of steps, in [0, 1), used for learning-rate warm-up.
        lora_rank: train a low-rank adapter (Hu et al. 2021, arXiv:2106.09685) of this rank on the query, key, value and
            dense layers; 0 to train all weights.
        strength: the weight of what was learned, in (0, 1]: W = W0 + strength (W1 - W0), where W0 and W1 are the
            weights before and after (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", CVPR,
            arXiv:2109.01903).
        max_tokens: truncate longer texts while training; None for the limit of the model.
        keep_apart: keep pairs that would be false negatives of each other in different batches.
        seed: the random seed.
    """

    loss: str = "mnrl"
    scale: float = 20.0
    batch_size: int = 32
    epochs: int = 4
    learning_rate: float = 5e-5
    warmup: float = 0.0
    lora_rank: int = 0
    strength: float = 1.0
    max_tokens: int | None = None
    keep_apart: bool = True
    seed: int = 42


CARD_RECIPE = Recipe()
