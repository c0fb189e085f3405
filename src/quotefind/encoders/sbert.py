"""Encoding with sentence-transformers: on a GPU, and for a model that cannot be exported."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from quotefind.encoders.prepare import load, max_tokens_of, pooling_of
from quotefind.encoders.resolve import ModelSource
from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors, unit_rows

# Texts handed over at a time, so that progress can be told; sentence-transformers sorts them by length.
_CHUNK = 4096


class SentenceTransformersEncoder:
    """An `Encoder` over `SentenceTransformer`; half precision on CUDA, all GPUs through its own pool."""

    def __init__(self, source: ModelSource, *, fingerprint: str, devices: Sequence[str], reason: str = "") -> None:
        """Open the model `source` on `devices`, torch's names; several are used together.

        `reason` is why ONNX Runtime does not run it on the CPU, kept as an attribute for who wants to tell.
        """
        self.reason = reason
        self.name = source.name
        self.fingerprint = fingerprint
        self._devices = list(devices)
        self._model = load(source, self._devices[0])
        if self._devices[0].startswith("cuda"):
            self._model.half()
        self.dim = self._model.get_embedding_dimension() or 0
        self.pooling = pooling_of(self._model)
        self.max_tokens = max_tokens_of(self._model)

    def encode_quotes(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """Return (n, dim) float32 unit rows, one a text, in order."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            encoded = self._model.encode_document(
                chunk, pool=self._pool, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
            )
            vectors[start : start + len(chunk)] = np.asarray(encoded, np.float32)
            progress("encoding", start + len(chunk), len(texts))
        return unit_rows(vectors)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dim) float32 unit rows, one a request, in order."""
        vectors = self._model.encode_query(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return unit_rows(np.asarray(vectors, np.float32).reshape(len(texts), self.dim))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, its special tokens counted, before it is cut."""
        # The tokenizer logs that such a text is too long for the model; telling that is our caller's work.
        logging.getLogger("transformers.tokenization_utils_base").setLevel(logging.ERROR)
        return [len(ids) for ids in self._model.tokenizer(list(texts), truncation=False)["input_ids"]]

    @cached_property
    def _pool(self) -> dict[Literal["input", "output", "processes"], Any] | None:
        """The processes that encode, one a device, where there are several; they end with this one."""
        if len(self._devices) == 1:
            return None
        pool = self._model.start_multi_process_pool(self._devices)
        weakref.finalize(self, self._model.stop_multi_process_pool, pool)
        return pool
