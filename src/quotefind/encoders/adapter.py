"""A low-rank adapter, added to the weights that it was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# Before the name of a layer, in the files that PEFT writes.
_PREFIX = "base_model.model."


def merge_adapter(model: SentenceTransformer, directory: Path) -> None:
    """Add the LoRA adapter in `directory`, in the files that PEFT writes, to the weights of `model`.

    W' = W + alpha / r * B A: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.

    Raises:
        ModelError: the adapter is of another kind, or made for another model.
    """
    import torch
    from safetensors.torch import load_file

    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    if config.get("peft_type") != "LORA" or config.get("use_dora") or config.get("bias", "none") != "none":
        raise ModelError(f"{directory / CONFIG} describes no plain LoRA adapter, the only kind that can be merged.")
    scale = config["lora_alpha"] / (config["r"] ** (0.5 if config.get("use_rslora") else 1))
    factors = load_file(directory / WEIGHTS)
    layers = [name.removesuffix(".lora_A.weight") for name in factors if name.endswith(".lora_A.weight")]
    transformer: Any = model[0].auto_model
    try:
        with torch.no_grad():
            for layer in layers:
                weight = transformer.get_submodule(layer.removeprefix(_PREFIX)).weight
                a, b = (factors[f"{layer}.lora_{factor}.weight"].to(weight) for factor in "AB")
                weight.add_(b @ a, alpha=scale)
    except (AttributeError, RuntimeError) as error:
        raise ModelError(f"The adapter in {directory} does not fit its model: {error}.") from error
