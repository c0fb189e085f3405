"""Text to unit vectors: the Encoder protocol and the ways to open one.

On the CPU an encoder runs a model that was prepared once for ONNX Runtime, without importing torch. On CUDA or MPS, and
for a model that cannot be exported, sentence-transformers encodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from quotefind.errors import IndexUnusableError
from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors


class Encoder(Protocol):
    """What turns texts into unit vectors.

    Attributes:
        name: the reference by which the model can be found again.
        fingerprint: SHA-256 in hexadecimal of everything that decides the vectors: weights, tokenizer, pooling.
        dim: the length of a vector.
        pooling: how token vectors become one vector, in sentence-transformers' words.
        max_tokens: longer texts are cut to this many tokens.
    """

    name: str
    fingerprint: str
    dim: int
    pooling: str
    max_tokens: int

    def encode_quotes(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """Return (n, dim) float32 unit rows, one for each text, in order."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dim) float32 unit rows for queries; some models encode these differently from quotes."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text before it is cut."""


def open_encoder(
    model: str | None = None, *, device: str = "auto", fingerprint: str | None = None, progress: Progress = silent
) -> Encoder:
    """Open the encoder for `model`, preparing it if this is the first time.

    Args:
        model: a directory, the name of the default model or of its base, or NAME[@REVISION] in the local Hugging Face
            cache; None for the default model.
        device: auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.
        fingerprint: the fingerprint that the model must have; a model prepared under it is opened without looking
            for `model`.
        progress: called while the model is prepared.

    Raises:
        ModelError: there is no such model or device.
        IndexUnusableError: the model has another fingerprint.
    """
    from quotefind.encoders.devices import choose_device
    from quotefind.encoders.onnx import OnnxEncoder
    from quotefind.encoders.prepared import find_prepared

    devices = choose_device(device)
    if devices == ["cpu"] and fingerprint is not None:
        ready = find_prepared(fingerprint)
        if ready is not None and ready.backend == "onnx":
            return OnnxEncoder(ready)
    from quotefind.encoders.prepare import prepare
    from quotefind.encoders.resolve import fingerprint_of, resolve

    source = resolve(model)
    found = fingerprint_of(source)
    if fingerprint is not None and found != fingerprint:
        raise IndexUnusableError(
            f"The index was made with a model whose fingerprint is {fingerprint[:12]}; that of {source.name} is now "
            f"{found[:12]}. To encode the index again: quotefind index --rebuild --model {source.name}, with the "
            "--index that you use."
        )
    reason = ""
    if devices == ["cpu"]:
        ready = prepare(source, found, progress)
        if ready.backend == "onnx":
            # It may have been prepared under another name, from a directory that has moved since.
            return OnnxEncoder(replace(ready, name=source.name))
        reason = ready.reason
    from quotefind.encoders.sbert import SentenceTransformersEncoder

    return SentenceTransformersEncoder(source, fingerprint=found, devices=devices, reason=reason)


def encode(encoder: Encoder, texts: Sequence[str], progress: Progress = silent) -> tuple[Vectors, list[bool]]:
    """Return (n, dim) float32 unit rows for quotes, and for each whether the encoder truncated it."""
    vectors = encoder.encode_quotes(texts, progress)
    return vectors, [length > encoder.max_tokens for length in encoder.count_tokens(texts)]


__all__ = ["Encoder", "encode", "open_encoder"]
