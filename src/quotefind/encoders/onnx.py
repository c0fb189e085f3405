"""Encoding on the CPU with ONNX Runtime: one session for a few texts, one for many."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from quotefind.blas import processors
from quotefind.encoders.prepared import PreparedModel
from quotefind.encoders.runtime import onnxruntime
from quotefind.encoders.tokens import PreparedTokenizer
from quotefind.errors import ModelError
from quotefind.limits import shortage
from quotefind.progress import Progress, silent
from quotefind.similarity import Vectors, unit_rows

# This many texts at a time are tokenised and sorted by length, enough to fill each batch with texts of similar length.
_CHUNK = 4096
# Tokens in a batch: what one core multiplies at once and can hold in its cache. Measured from 256 to 4096.
_BATCH_TOKENS = 512
# Up to this many texts, the session that opens faster beats the one that multiplies faster.
_FEW = 8


class OnnxEncoder:
    """An `Encoder` over a prepared model; imports neither torch nor transformers."""

    def __init__(self, model: PreparedModel) -> None:
        """Open the tokenizer of `model`; a session is opened with the first text.

        Raises:
            ModelError: the prepared files are damaged.
        """
        self.name = model.name
        self.fingerprint = model.fingerprint
        self.dim = model.dim
        self.pooling = model.pooling
        self.max_tokens = model.max_tokens
        self._model = model
        model.check(weights=False)  # not every parser survives a damaged file
        self._check = _WeightsCheck(model)
        self._check.start()
        self._tokenizer = PreparedTokenizer(model.path)

    def encode_quotes(self, texts: Sequence[str], progress: Progress = silent) -> Vectors:
        """Return (n, dim) float32 unit rows, one for each text, in order; `progress` counts texts, not batches."""
        return self._encode([self._model.quote_prompt + text for text in texts], progress)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dim) float32 unit rows, one for each query, in order."""
        return self._encode([self._model.query_prompt + text for text in texts], silent)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has before it is cut, with its prompt and the special tokens."""
        prompt = self._model.quote_prompt
        return [len(ids) for ids in self._tokenizer.ids([prompt + text for text in texts])]

    def _encode(self, texts: Sequence[str], progress: Progress) -> Vectors:
        try:
            vectors = unit_rows(self._vectors(texts, progress))
        except ValueError as error:
            raise self._damaged(error) from error
        self._check.result()
        return vectors

    def _vectors(self, texts: Sequence[str], progress: Progress) -> Vectors:
        vectors = np.empty((len(texts), self.dim), np.float32)
        if not texts:
            return vectors
        if len(texts) <= _FEW:
            tokens = self._tokens(texts)
            for batch in _batches(tokens):
                vectors[batch] = self._run(self._quick_session, tokens, batch)
            return vectors
        from concurrent.futures import ThreadPoolExecutor

        done = 0
        pool = ThreadPoolExecutor(_cores())
        try:
            for start in range(0, len(texts), _CHUNK):
                tokens = self._tokens(texts[start : start + _CHUNK])
                batches = list(_batches(tokens))
                run = partial(self._run, self._bulk_session, tokens)
                for batch, rows in zip(batches, pool.map(run, batches), strict=True):
                    vectors[start + batch] = rows
                    done += len(batch)
                    progress("encoding", done, len(texts))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # an interrupt does not wait for running batches
        return vectors

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        # Cut here rather than by the tokenizer, so that one tokenizer also counts uncut.
        keep = self.max_tokens
        return [ids if len(ids) <= keep else ids[: keep - 1] + ids[-1:] for ids in self._tokenizer.ids(texts)]

    def _run(self, session: onnxruntime.InferenceSession, tokens: list[list[int]], batch: NDArray[np.int64]) -> Vectors:
        longest = max(len(tokens[i]) for i in batch)
        ids = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, i in enumerate(batch):
            ids[row, : len(tokens[i])] = tokens[i]
            mask[row, : len(tokens[i])] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {node.name: given[node.name] for node in session.get_inputs()}
        try:
            return np.asarray(session.run(None, wanted)[0], np.float32)
        except Exception as error:  # as in _open
            lacking = shortage(error)
            if lacking is None:
                raise
            raise ModelError(lacking) from error

    @cached_property
    def _quick_session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(_cores(), 4)  # a short text keeps no more busy
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # done already
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # spinning threads slow down the others
        return self._open(options)

    @cached_property
    def _bulk_session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # each core runs batches of its own and waits for no other
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        return self._open(options)

    def _open(self, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(
                str(self._model.path / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises errors of its own, about the file or about memory
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> ModelError:
        lacking = shortage(error)
        return ModelError(
            lacking
            or f"The prepared model in {self._model.path} cannot be opened ({' '.join(str(error).split())[:200]}). "
            "Delete that directory; the next run prepares the model again."
        )


class _WeightsCheck(threading.Thread):
    """Reads the weights once while the model is opened and used, so that no vector from damaged ones is returned."""

    def __init__(self, model: PreparedModel) -> None:
        super().__init__(daemon=True)
        self._model = model
        self._error: ModelError | None = None

    def run(self) -> None:
        """Read the weights."""
        try:
            self._model.check(weights=True)
        except ModelError as error:
            self._error = error

    def result(self) -> None:
        """Wait until they are read.

        Raises:
            ModelError: the weights are damaged.
        """
        self.join()
        if self._error is not None:
            raise self._error


def _batches(tokens: list[list[int]]) -> Iterator[NDArray[np.int64]]:
    """Yield the positions of `tokens` in batches of similar length, the longest first."""
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, _BATCH_TOKENS // int(lengths[order[start]]))
        yield order[start : start + size]
        start += size


def _cores() -> int:
    """Return how many processors to use: all, or fewer where the environment says so, as Ray does."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors(), int(wanted)) if wanted.isdecimal() and int(wanted) else processors()
