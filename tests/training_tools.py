"""What the tests of training share: pairs in the words of the small random model, and ways to look at what came out."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from quotefind.training.pairs_file import TrainingPair

if TYPE_CHECKING:
    import torch

TAGS = ("hope", "fear", "dust", "road", "sea", "love")
LETTERS = "abcdefgh"


def small_pairs(negatives: int = 0) -> list[TrainingPair]:
    """Return 48 pairs in the vocabulary of `test_encoders.make_model`, of which the last 8 are held out."""
    chance = random.Random(0)
    pairs = []
    for number in range(48):
        tag, letter = TAGS[number % 6], LETTERS[number // 6]
        others = chance.sample([other for other in TAGS if other != tag], 4)
        pairs.append(
            TrainingPair(
                f"the {tag} {letter}",
                f"{tag} and {' '.join(others)} of {letter}",
                tuple(f"{other} of the {letter}" for other in others[:negatives]),
                held_out=number >= 40,
            )
        )
    return pairs


def write_pairs(path: Path, pairs: Iterable[TrainingPair]) -> Path:
    """Write `pairs` as JSON Lines with a split to `path`; return it."""
    path.write_text(
        "".join(
            json.dumps(
                {
                    "query": pair.query,
                    "quote": pair.quote,
                    "negatives": list(pair.negatives),
                    "split": "held-out" if pair.held_out else "train",
                }
            )
            + "\n"
            for pair in pairs
        ),
        encoding="utf-8",
    )
    return path


def weights(directory: Path) -> dict[str, torch.Tensor]:
    """Return the weights of the model, or of the adapter, in `directory`, by name."""
    from safetensors.torch import load_file

    (path,) = directory.glob("*.safetensors")
    return load_file(path)


def difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Return the largest difference of any weight."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def changed(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> set[str]:
    """Return the names of the weights that differ."""
    assert a.keys() == b.keys()
    return {name for name in a if not a[name].equal(b[name])}
