"""A prepared model: what its directory holds, and how it is found and checked.

The directory holds `model.onnx` (the optimised graph), `weights.bin` (its weights, which ONNX Runtime maps into
memory), the files of its tokenizer (`tokens`) and `prepared.json` (all else, written last).
"""

from __future__ import annotations

import json
import os
import platform
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quotefind.errors import ModelError
from quotefind.paths import models_directory
from quotefind.private_files import check_private, open_private

INFO = "prepared.json"
WEIGHTS = "weights.bin"
FORMAT = 5
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A prepared model: where it is, and what it is.

    Attributes:
        path: the directory, complete.
        name: the reference by which the model can be found again.
        fingerprint: SHA-256 of the files from which it was made.
        backend: "onnx", or "sentence-transformers" if it could not be exported (`reason` says why).
        dim: the length of a vector.
        pooling: how token vectors become one vector.
        max_tokens: longer texts are cut to this many tokens.
        quote_prompt: what is put before each quote.
        query_prompt: what is put before each query.
        difference: the largest difference from sentence-transformers that was measured.
        reason: why it could not be exported; empty if it could.
        files: the names of its files, with the size in bytes and the checksum of each.
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
    files: dict[str, list[int]] = field(default_factory=dict)

    def check(self, *, weights: bool) -> None:
        """Compare the weights, or all other files, with their checksums.

        Raises:
            ModelError: a file is damaged or cannot be read.
        """
        for name, (_, checksum) in self.files.items():
            if (name == WEIGHTS) != weights:
                continue
            path = self.path / name
            try:
                found = file_checksum(path)
            except OSError as error:
                raise ModelError(f"{path} cannot be read: {error.strerror or error}. {self.fix}") from error
            if found != checksum:
                raise ModelError(f"{path} is damaged: it has changed since the model was prepared. {self.fix}")

    @property
    def fix(self) -> str:
        """The sentence that says what to do about a damaged file."""
        return f"Delete {self.path}; the next run prepares the model again."


def find_prepared(fingerprint: str) -> PreparedModel | None:
    """Return the prepared model with this fingerprint, or None if there is none or it is incomplete."""
    directory = directory_of(fingerprint)
    try:
        info = json.loads(_read_own(directory / INFO))
        if info.pop("format") != FORMAT or info.pop("checksum") != info_checksum(info):
            return None
        model = PreparedModel(path=directory, **info)
        for name, (size, _) in model.files.items():
            check_private(directory / name)
            if (directory / name).stat().st_size != size:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return model if model.fingerprint == fingerprint else None


def info_checksum(info: dict[str, Any]) -> int:
    """Return the CRC-32 of what prepared.json says: a number in it that changed would change the vectors."""
    return zlib.crc32(json.dumps(info, sort_keys=True).encode())


def file_checksum(path: Path) -> int:
    """Return a checksum of the file at `path`, read a block at a time: the CRC-32 of the sums of its blocks.

    Each block is summed as 64-bit words, as fast as memory is read. Any one changed bit is found, and so are blocks in
    another order.
    """
    import numpy as np

    buffer = memoryview(bytearray(_BLOCK))
    words = np.frombuffer(buffer, np.uint64)
    sums = []
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as stream:
        while count := stream.readinto(buffer):
            buffer[count:] = bytes(_BLOCK - count)
            sums += [int(words.sum()), count]
    return zlib.crc32(np.array(sums, np.uint64).tobytes())


def _read_own(path: Path) -> str:
    with os.fdopen(open_private(path, os.O_RDONLY), encoding="utf-8") as stream:
        return stream.read(_BLOCK)


def digest_of(path: Path) -> str:
    """Return the SHA-256, in hexadecimal, of the file at `path`."""
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def directory_of(fingerprint: str) -> Path:
    """Return the directory of the prepared model with this fingerprint."""
    from quotefind.encoders.runtime import onnxruntime

    # The optimised graph is made for one version of ONNX Runtime and one kind of processor.
    version = f"onnxruntime-{onnxruntime.__version__}-{platform.machine()}"
    return models_directory() / f"{fingerprint[:16]}-{version}"
