"""Encoders for tests of logic: texts become counts of hashed words, and every call is kept."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np

from quotefind.errors import IndexUnusableError
from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors, unit_rows


class StoppedError(Exception):
    """What a fake encoder raises where a test has it fail, as if the process had been killed there."""


class FakeEncoder:
    """An `Encoder` whose vectors are counts of hashed words; `encoded` and `asked` are the texts it was given."""

    pooling = "mean"

    def __init__(self, name: str = "fake", dim: int = 32, max_tokens: int = 256) -> None:
        """Make the encoder `name`; another name or `dim` is another model."""
        self.name = name
        self.fingerprint = hashlib.sha256(f"{name} {dim}".encode()).hexdigest()
        self.dim = dim
        self.max_tokens = max_tokens
        self.encoded: list[str] = []
        self.asked: list[str] = []
        self.calls = 0
        self.fail_at_call: int | None = None

    def encode_quotes(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """Encode quotes; the call with the number `fail_at_call` (from 1) raises instead."""
        self.calls += 1
        if self.calls == self.fail_at_call:
            raise StoppedError
        self.encoded += texts
        progress("encoding", len(texts), len(texts))
        return self.vectors(texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode requests, as quotes are."""
        self.asked += texts
        return self.vectors(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words."""
        return [len(text.split()) for text in texts]

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return what the texts encode to, counted nowhere."""
        counts = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(counts, texts, strict=True):
            for word in text.casefold().split() or [""]:
                row[zlib.crc32(f"{self.name} {word}".encode()) % self.dim] += 1
        return unit_rows(counts)


class FakeModels:
    """What opens encoders: the fake ones it was made with, by name; the first is the default."""

    def __init__(self, *encoders: FakeEncoder) -> None:
        """Open these."""
        self._encoders = {encoder.name: encoder for encoder in encoders}
        self.opened: list[str] = []

    def __call__(self, model: str | None, fingerprint: str | None) -> FakeEncoder:
        """Open `model`, which has to have `fingerprint` if one is given, as `quotefind.open_encoder` does."""
        encoder = self._encoders[model] if model else next(iter(self._encoders.values()))
        if fingerprint is not None and encoder.fingerprint != fingerprint:
            raise IndexUnusableError("The index was made with another model: quotefind index --rebuild")
        self.opened.append(encoder.name)
        return encoder
