"""A low-rank adapter, added to the weights that it was trained on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    Weights = dict[str, NDArray[np.float32]]

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# PEFT's names for the two factors of a layer.
_FACTOR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])\.weight")
# Whatever else PEFT can do to a layer, by its names in the configuration.
_MORE = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "lora_bias")


def merge_adapter(model: SentenceTransformer, directory: Path) -> None:
    """Add the LoRA adapter in `directory`, in PEFT's files, to the weights of `model`.

    Raises:
        ModelError: the adapter cannot be read, is of another kind, or was made for another model.
    """
    import torch

    changes = _changes(directory)
    transformer: Any = model[0].auto_model
    try:
        with torch.no_grad():
            for layer, change in changes.items():
                weight = transformer.get_submodule(layer).weight
                weight.add_(torch.from_numpy(change).to(weight))
    except (AttributeError, RuntimeError) as error:
        raise _misfit(directory, error) from error


def add_adapter(weights: Weights, directory: Path) -> None:
    """Add the LoRA adapter in `directory` to `weights`, the float32 matrices of a model by name; needs no torch.

    Raises:
        ModelError: as for `merge_adapter`.
    """
    try:
        for layer, change in _changes(directory).items():
            weights[f"{layer}.weight"] += change
    except (KeyError, ValueError) as error:
        raise _misfit(directory, error) from error


def _misfit(directory: Path, error: Exception) -> ModelError:
    return ModelError(f"The adapter in {directory} does not fit its model: {error}.")


def _changes(directory: Path) -> Weights:
    """Return what the adapter adds to each layer: alpha / r B A.

    Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(directory / WEIGHTS)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"The adapter in {directory} cannot be read: {error}.") from error
    layers: dict[str, Weights] = {}
    others = 0
    for name, tensor in tensors.items():
        match = _FACTOR.fullmatch(name)
        if match:
            layers.setdefault(match[1], {})[match[2]] = tensor
        else:
            others += 1
    if (
        not isinstance(config, dict)
        or config.get("peft_type") != "LORA"
        or config.get("bias", "none") != "none"
        or not (config.get("lora_alpha") and config.get("r"))
        or any(map(config.get, _MORE))
        or others
        or any(len(factors) != 2 for factors in layers.values())
    ):
        raise ModelError(f"{directory} holds no plain LoRA adapter, the only kind that can be merged.")
    scale = config["lora_alpha"] / config["r"] ** (0.5 if config.get("use_rslora") else 1)
    try:
        return {layer: (factors["B"] @ factors["A"]) * scale for layer, factors in layers.items()}
    except ValueError as error:
        raise _misfit(directory, error) from error
