"""Encoding with sentence-transformers: on a GPU, and for a model that cannot be exported."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from quotefind import limits
from quotefind.encoders.adapter import merge_adapter
from quotefind.encoders.resolve import ModelSource
from quotefind.encoders.scratch import private_scratch
from quotefind.errors import ModelError
from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors, unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from quotefind.encoders.prepared import PreparedModel

# Texts encoded between two calls of progress; sentence-transformers sorts them by length.
_CHUNK = 4096


class SentenceTransformersEncoder:
    """An `Encoder` over `SentenceTransformer`; half precision on CUDA, all GPUs through its own pool."""

    def __init__(self, source: ModelSource, *, fingerprint: str, devices: Sequence[str], reason: str = "") -> None:
        """Open the model `source` on `devices`, given by torch's names; several are used together.

        `reason` says why ONNX Runtime does not run it on the CPU; kept as an attribute for messages.
        """
        self.reason = reason
        self.name = source.name
        self.fingerprint = fingerprint
        self._devices = list(devices)
        self._model = load(source, self._devices[0])
        if self._devices[0].startswith("cuda"):
            self._model.half()
        self.dim = self._model.get_embedding_dimension() or 0
        self.pooling = _pooling_of(self._model)
        self.max_tokens = _max_tokens_of(self._model)

    def encode_quotes(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """Return (n, dim) float32 unit rows, one for each text, in order."""
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
        """Return (n, dim) float32 unit rows, one for each query, in order."""
        vectors = self._model.encode_query(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return unit_rows(np.asarray(vectors, np.float32).reshape(len(texts), self.dim))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has before it is cut, with the special tokens."""
        # The tokenizer would log that a text is too long for the model, which is the caller's business.
        logging.getLogger("transformers.tokenization_utils_base").setLevel(logging.ERROR)
        return [len(ids) for ids in self._model.tokenizer(list(texts), truncation=False)["input_ids"]]

    @cached_property
    def _pool(self) -> dict[Literal["input", "output", "processes"], Any] | None:
        """The processes that encode, one for each device if there are several; they end with this one."""
        if len(self._devices) == 1:
            return None
        pool = self._model.start_multi_process_pool(self._devices)
        weakref.finalize(self, self._model.stop_multi_process_pool, pool)
        return pool


@private_scratch()
def load(source: ModelSource, device: str, *, attention: str | None = None) -> SentenceTransformer:
    """Open the model `source`, its adapter merged, on `device` with sentence-transformers, quietly and offline.

    `attention` is one of transformers' implementations; None for its own choice.

    Raises:
        ModelError: it cannot be opened.
    """
    limits.check(limits.TORCH)
    with quiet():
        from sentence_transformers import SentenceTransformer

        try:
            model = SentenceTransformer(
                str(source.path),
                device=device,
                local_files_only=True,
                trust_remote_code=False,  # a model is data: none of its code is run
                model_kwargs={"use_safetensors": True, "attn_implementation": attention},
            )
        except Exception as error:  # libraries may raise anything on files that are not a model
            raise ModelError(f"sentence-transformers cannot open the model in {source.path}: {error}") from error
        if source.adapter is not None:
            merge_adapter(model, source.adapter)
        return model


def described(model: PreparedModel, opened: SentenceTransformer) -> PreparedModel:
    """Return `model` with what sentence-transformers says about it."""
    return replace(
        model,
        dim=opened.get_embedding_dimension() or 0,
        pooling=_pooling_of(opened),
        max_tokens=_max_tokens_of(opened),
        quote_prompt=_prompt(opened, "document", "passage", "corpus"),
        query_prompt=_prompt(opened, "query", "question"),
    )


def _pooling_of(model: SentenceTransformer) -> str:
    """Return how `model` makes one vector from many, as sentence-transformers names it."""
    modes = [str(module.pooling_mode) for module in model if hasattr(module, "pooling_mode")]
    return modes[0] if modes else "mean"


def _max_tokens_of(model: SentenceTransformer) -> int:
    """Return the number of tokens after which `model` cuts a text."""
    return model.max_seq_length or 1_000_000


def _prompt(model: SentenceTransformer, *names: str) -> str:
    return next((prompt for name in names if (prompt := model.prompts.get(name))), "")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch and transformers from writing to our output, and from the network, while they load and export."""
    previous = {name: os.environ.get(name) for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS")}
    os.environ.update(dict.fromkeys(previous, "1"))
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
