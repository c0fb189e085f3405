"""A low-rank adapter, added to the weights that it was trained on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind.errors import ModelError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# What PEFT calls the factors of a layer.
_FACTOR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])\.weight")
# What else PEFT can do to a layer, by its names in the configuration.
_MORE = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "lora_bias")


def merge_adapter(model: SentenceTransformer, directory: Path) -> None:
    """Add the LoRA adapter in `directory`, in the files that PEFT writes, to the weights of `model`.

    W' = W + alpha / r * B A: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.

    Raises:
        ModelError: the adapter cannot be read, is of another kind, or was made for another model.
    """
    import torch

    scale, layers = _read(directory)
    transformer: Any = model[0].auto_model
    try:
        with torch.no_grad():
            for layer, factors in layers.items():
                weight = transformer.get_submodule(layer).weight
                weight.add_(factors["B"].to(weight) @ factors["A"].to(weight), alpha=scale)
    except (AttributeError, RuntimeError) as error:
        raise ModelError(f"The adapter in {directory} does not fit its model: {error}.") from error


def _read(directory: Path) -> tuple[float, dict[str, dict[str, torch.Tensor]]]:
    """Return alpha / r, and for each layer its factors A and B."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(directory / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"The adapter in {directory} cannot be read: {error}.") from error
    layers: dict[str, dict[str, torch.Tensor]] = {}
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
    return config["lora_alpha"] / config["r"] ** (0.5 if config.get("use_rslora") else 1), layers
