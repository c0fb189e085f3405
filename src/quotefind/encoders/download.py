"""Downloading a model: the only part that opens a connection, and only when the user asks for it."""

from __future__ import annotations

from pathlib import Path

from quotefind.encoders.resolve import BASE_REPOSITORY, BASE_REVISION, ModelSource
from quotefind.errors import ModelError
from quotefind.progress import Progress, silent

# Weights as safetensors, and the files that describe them; no pickles, no copies in other formats.
_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model"]
_UNWANTED = ["onnx/*", "openvino/*"]


def download(model: str | None = None, progress: Progress = silent) -> ModelSource:
    """Download `model` into the Hugging Face cache.

    `model` is NAME[@REVISION]; None is the base of the default model, at the revision that was tested.

    Raises:
        ModelError: the hub cannot be reached, or has no such model with safetensors weights.
    """
    from huggingface_hub import snapshot_download

    name = model or f"{BASE_REPOSITORY}@{BASE_REVISION}"
    repository, _, revision = name.partition("@")
    progress(f"downloading {name}")
    try:
        path = Path(
            snapshot_download(repository, revision=revision or None, allow_patterns=_WANTED, ignore_patterns=_UNWANTED)
        )
    except Exception as error:  # the hub's client and the network layer raise many kinds
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"The model {name} could not be downloaded: {reason}") from error
    if not any(path.rglob("*.safetensors")):
        raise ModelError(f"The model {name} has no safetensors weights, the only kind that is read.")
    return ModelSource(name, path)
