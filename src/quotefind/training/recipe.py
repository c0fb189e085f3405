"""The recipe by which a model is fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass

# The names of the losses, as `--loss` takes them, and what sentence-transformers calls them.
LOSSES = {
    "mnrl": "MultipleNegativesRankingLoss",
    "cached-mnrl": "CachedMultipleNegativesRankingLoss",
    "gist": "GISTEmbedLoss",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fine-tune; the defaults are the recipe of the model card that this program started from.

    That recipe: MultipleNegativesRankingLoss (Henderson et al. 2017, arXiv:1705.00652) with scale 20 over cosine
    similarities, batches of 32, 4 epochs, AdamW (betas 0.9 and 0.999, no weight decay), a learning rate of 5e-5 that
    falls linearly to 0 without warm-up, gradients cut at norm 1, datasets taken in turn (round robin), seed 42.

    Attributes:
        loss: a key of `LOSSES`. "cached-mnrl" computes the same in small steps, for batches that exceed the memory;
            "gist" passes over the negatives which the untrained model finds closer than the positive.
        scale: what cosine similarities are multiplied by before the softmax; 1 / temperature.
        batch_size: pairs in a batch; each quote is a negative for the requests of all others.
        epochs: how often each pair is seen.
        learning_rate: at the beginning.
        warmup: the share of all steps, from 0 to below 1, in which the learning rate rises.
        lora_rank: train a low-rank adapter (Hu et al. 2021, arXiv:2106.09685) of this rank on the query, key, value and
            dense layers; 0 to train all weights.
        strength: how much of what was learned is kept, above 0 to 1: W = W0 + strength (W1 - W0), of the weights before
            and after (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", CVPR, arXiv:2109.01903).
        max_tokens: cut longer texts while training; None for the length that the model reads.
        keep_apart: do not put into one batch what would be a false negative there.
        seed: of everything that is drawn.
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
