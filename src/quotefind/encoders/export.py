"""A model exported with torch: any but the default one and its base, whose graph comes with the program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quotefind import limits
from quotefind.encoders.optimize import save_optimized
from quotefind.encoders.parity import PARITY, TEXTS, largest_difference
from quotefind.encoders.sbert import described, load, quiet
from quotefind.encoders.scratch import private_scratch
from quotefind.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from quotefind.encoders.prepared import PreparedModel
    from quotefind.encoders.resolve import ModelSource


@private_scratch()
def make_by_export(source: ModelSource, model: PreparedModel) -> PreparedModel:
    """Write the files of `source` to `model.path`, and return `model` completed.

    Where it cannot be exported its backend is sentence-transformers, and `reason` says why.
    """
    # The other implementations of attention are exported as more and slower operations.
    opened = load(source, "cpu", attention="eager")
    model = described(model, opened)
    with quiet():
        try:
            _export(opened, model.path)
            difference = _difference(opened, model)
            if not difference <= PARITY:
                raise ModelError(f"its vectors differ from those of sentence-transformers by {difference:.1e}")
        except (OSError, MemoryError):
            raise  # not the model's fault
        except Exception as error:  # torch.onnx raises anything; every other failure means the same here
            if limits.shortage(error) is not None:
                raise
            for path in model.path.iterdir():
                path.unlink()
            return replace(model, backend="sentence-transformers", reason=" ".join(str(error).split())[:300])
    return replace(model, difference=difference)


def _export(model: SentenceTransformer, directory: Path) -> None:
    """Write the graph, its weights and the tokenizer to `directory`."""
    from quotefind.encoders.tokens import save_tokenizer

    if any(getattr(module, "include_prompt", True) is False for module in model):
        raise ModelError("its pooling leaves out the prompt")
    save_tokenizer(model.tokenizer.backend_tokenizer, directory)
    exported = directory / "exported.onnx"
    export(model, exported)
    save_optimized(exported, directory)
    exported.unlink()


def export(model: SentenceTransformer, path: Path) -> None:
    """Write the graph of `model`, from token ids to vectors that have not length 1 yet, with its weights to `path`."""
    import torch

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
    program.save(str(path), external_data=False)


def _difference(opened: SentenceTransformer, model: PreparedModel) -> float:
    expected = opened.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
    return largest_difference(replace(model, quote_prompt="", query_prompt=""), expected)
