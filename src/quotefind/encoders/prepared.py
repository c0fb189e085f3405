"""A model that was made ready for ONNX Runtime, found again.

Its directory holds `model.onnx` (the optimised graph), `weights.bin` (its weights, which ONNX Runtime maps into
memory), `tokenizer.json` and `prepared.json` (what is known of it, written last).
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path

from quotefind.errors import ModelError
from quotefind.paths import models_directory

INFO = "prepared.json"
FORMAT = 3


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A prepared model: where it lies and what it is.

    Attributes:
        path: the directory, complete.
        name: the reference by which the model was found.
        fingerprint: SHA-256 of the files that it was made from.
        backend: "onnx", or "sentence-transformers" where it could not be exported (`reason` says why).
        dim: the length of a vector.
        pooling: how token vectors become one.
        max_tokens: longer texts are cut.
        quote_prompt: what is put before each quote.
        query_prompt: what is put before each request.
        difference: the largest difference to sentence-transformers that was measured.
        reason: why it could not be exported; empty if it could.
        files: the names of its files, with the size in bytes and the SHA-256 of each.
    """

    path: Path
    name: str
    fingerprint: str
    backend: str
    dim: int
    pooling: str
    max_tokens: int
    quote_prompt: str = ""
    query_prompt: str = ""
    difference: float = 0.0
    reason: str = ""
    files: dict[str, list[int | str]] = field(default_factory=dict)

    def check(self) -> None:
        """Read every file and compare it with what was written; a search looks at the sizes only.

        Raises:
            ModelError: a file is another.
        """
        for name, (_, digest) in self.files.items():
            if digest_of(self.path / name) != digest:
                raise ModelError(
                    f"{self.path / name} is damaged: it is not what was written when the model was prepared. "
                    f"Delete {self.path}; the next run makes it again."
                )


def find_prepared(fingerprint: str) -> PreparedModel | None:
    """Return the prepared model with this fingerprint, or None where there is none that is whole."""
    directory = directory_of(fingerprint)
    try:
        info = json.loads((directory / INFO).read_text(encoding="utf-8"))
        if info.pop("format") != FORMAT:
            return None
        model = PreparedModel(path=directory, **info)
        if any((directory / name).stat().st_size != size for name, (size, _) in model.files.items()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return model if model.fingerprint == fingerprint else None


def digest_of(path: Path) -> str:
    """Return the SHA-256, in hexadecimal, of the file at `path`."""
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def directory_of(fingerprint: str) -> Path:
    """Return where the model with this fingerprint is kept once it is prepared."""
    from quotefind.encoders.runtime import onnxruntime

    # The optimised graph is made for one version of ONNX Runtime and one kind of processor.
    version = f"onnxruntime-{onnxruntime.__version__}-{platform.machine()}"
    return models_directory() / f"{fingerprint[:16]}-{version}"
