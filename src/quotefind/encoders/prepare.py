"""A model made ready for ONNX Runtime, once: exported, optimised, compared, kept."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind import limits
from quotefind.encoders.adapter import merge_adapter
from quotefind.encoders.prepared import (
    FORMAT,
    INFO,
    WEIGHTS,
    PreparedModel,
    checksum_of,
    directory_of,
    find_prepared,
    seal,
)
from quotefind.encoders.resolve import ModelSource
from quotefind.encoders.scratch import private_scratch
from quotefind.errors import ModelError
from quotefind.paths import make_private
from quotefind.progress import Progress

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Largest difference to sentence-transformers, in any component of any unit vector, with which a model is accepted.
PARITY = 1e-5


def prepare(source: ModelSource, fingerprint: str, progress: Progress) -> PreparedModel:
    """Return the prepared model for `source`, making it if it is not there yet.

    Safe when several processes do it at once: one makes it beside and renames it, the others wait for that.

    Raises:
        ModelError: sentence-transformers cannot open the model, or it cannot be written.
    """
    from filelock import FileLock

    ready = find_prepared(fingerprint)
    if ready is not None:
        return ready
    directory = directory_of(fingerprint)
    try:
        make_private(directory.parent)
        with FileLock(f"{directory}.lock", mode=0o600):
            ready = find_prepared(fingerprint)
            if ready is None:
                progress("preparing the model (once)")
                beside = directory.with_name(f".making-{directory.name}")
                _remove(beside)  # a killed run may have left it
                beside.mkdir(mode=0o700)
                try:
                    _check_space(source, beside)
                    _make(source, fingerprint, beside)
                    _remove(directory)
                    beside.replace(directory)
                finally:
                    _remove(beside)
                ready = find_prepared(fingerprint)
    except OSError as error:
        raise ModelError(
            f"The model {source.name} cannot be prepared in {directory.parent}: {error}. "
            "Make room, or set QUOTEFIND_HOME to a directory that can be written and has room."
        ) from error
    except MemoryError as error:
        raise ModelError(f"The model {source.name} cannot be prepared: there is not enough memory.") from error
    if ready is None:
        raise ModelError(f"The prepared model in {directory} is damaged; delete that directory and try again.")
    return ready


def _check_space(source: ModelSource, directory: Path) -> None:
    # ONNX Runtime does not say that it was the disk, so it is asked before.
    weights = sum(path.stat().st_size for path in source.path.rglob("*.safetensors"))
    needed = int(2.2 * weights)  # the exported model and the optimised one
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise OSError(f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free")
    probe = directory / "probe"
    with probe.open("wb") as file:
        file.truncate(int(1.1 * weights))  # fails where the user may not write so large a file
    probe.unlink()


def _remove(path: Path) -> None:
    """Delete whatever stands at `path`, as far as that goes; a link, not what it leads to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


@private_scratch()
def _make(source: ModelSource, fingerprint: str, directory: Path) -> None:
    # The other ways to attend are written out in more and slower operations.
    model = load(source, "cpu", attention="eager")
    with _quiet():
        backend, difference, reason = "onnx", 0.0, ""
        try:
            _export(model, directory)
            difference = _largest_difference(model, directory)
            if not difference <= PARITY:
                raise ModelError(f"its vectors differ from those of sentence-transformers by {difference:.1e}")
        except (OSError, MemoryError):
            raise  # nothing that is wrong with the model
        except Exception as error:  # torch.onnx raises what it likes; every other failure means the same here
            if limits.shortage(error) is not None:
                raise
            for path in directory.iterdir():
                path.unlink()
            backend, reason = "sentence-transformers", " ".join(str(error).split())[:300]
        info: dict[str, Any] = asdict(
            PreparedModel(
                path=directory,
                name=source.name,
                fingerprint=fingerprint,
                backend=backend,
                dim=model.get_embedding_dimension() or 0,
                pooling=pooling_of(model),
                max_tokens=max_tokens_of(model),
                quote_prompt=_prompt(model, "document", "passage", "corpus"),
                query_prompt=_prompt(model, "query", "question"),
                difference=difference,
                reason=reason,
            )
        )
    del info["path"]
    info["files"] = {path.name: [path.stat().st_size, checksum_of(path)] for path in sorted(directory.iterdir())}
    info |= {"seal": seal(info), "format": FORMAT}
    (directory / INFO).write_text(json.dumps(info, indent=1), encoding="utf-8")


@private_scratch()
def load(source: ModelSource, device: str, *, attention: str | None = None) -> SentenceTransformer:
    """Open the model `source`, its adapter merged, on `device` with sentence-transformers, quietly and offline.

    `attention` is one of transformers' implementations; None for its own choice.

    Raises:
        ModelError: it cannot be opened.
    """
    limits.check(limits.TORCH)
    with _quiet():
        from sentence_transformers import SentenceTransformer

        try:
            model = SentenceTransformer(
                str(source.path),
                device=device,
                local_files_only=True,
                trust_remote_code=False,  # a model is data: no code that it brings or names is run
                model_kwargs={"use_safetensors": True, "attn_implementation": attention},
            )
        except Exception as error:  # any library below may raise anything on files that are no model
            raise ModelError(f"sentence-transformers cannot open the model in {source.path}: {error}") from error
        if source.adapter is not None:
            merge_adapter(model, source.adapter)
        return model


def pooling_of(model: SentenceTransformer) -> str:
    """Return how `model` makes one vector of many, as sentence-transformers names it."""
    modes = [str(module.pooling_mode) for module in model if hasattr(module, "pooling_mode")]
    return modes[0] if modes else "mean"


def max_tokens_of(model: SentenceTransformer) -> int:
    """Return behind how many tokens `model` cuts a text."""
    return model.max_seq_length or 1_000_000


def _export(model: SentenceTransformer, directory: Path) -> None:
    """Write model.onnx, weights.bin and tokenizer.json into `directory`."""
    import torch

    from quotefind.encoders.runtime import onnxruntime

    if any(getattr(module, "include_prompt", True) is False for module in model):
        raise ModelError("its pooling leaves out the prompt")
    tokenizer = model.tokenizer.backend_tokenizer
    (directory / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    features = model.preprocess(["A line.", "A second line, which is longer than the first one."])
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in features]

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            return self.model(dict(zip(names, tensors, strict=True)))["sentence_embedding"]  # type: ignore[no-any-return]

    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=model.max_seq_length)}
    with torch.no_grad():
        program = torch.onnx.export(
            Graph().eval(),
            tuple(features[name] for name in names),
            dynamo=True,
            input_names=names,
            output_names=["vectors"],
            dynamic_shapes=(tuple(axes for _ in names),),
            verbose=False,
        )
    if program is None:
        raise ModelError("torch.onnx made no program of it")
    exported = directory / "exported.onnx"
    program.save(str(exported), external_data=False)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(directory / "model.onnx")
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS)
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    options.add_session_config_entry("session.disable_prepacking", "1")  # packed weights could not be mapped
    onnxruntime.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
    exported.unlink()


def _largest_difference(model: SentenceTransformer, directory: Path) -> float:
    """Return the largest difference in any component between both ways to encode texts of all lengths."""
    import numpy as np

    from quotefind.encoders.onnx import OnnxEncoder

    sentence = "Who reads much and walks much, sees much and knows much. "
    texts = ["a", "Zoë", "42", "?!", "家", "courage", *(sentence * n for n in (1, 2, 3, 5, 8, 13, 40))]
    probe = PreparedModel(
        path=directory,
        name="",
        fingerprint="",
        backend="onnx",
        dim=model.get_embedding_dimension() or 0,
        pooling="",
        max_tokens=max_tokens_of(model),
    )
    expected = model.encode(texts, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
    encoder = OnnxEncoder(probe)
    measured = (encoder.encode_quotes(texts), np.concatenate([encoder.encode_queries([text]) for text in texts]))
    return float(max(np.abs(vectors - expected).max() for vectors in measured))


def _prompt(model: SentenceTransformer, *names: str) -> str:
    return next((prompt for name in names if (prompt := model.prompts.get(name))), "")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch and transformers say while they load and export off our output, and off the network."""
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
