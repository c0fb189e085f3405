"""The graph of the default model and its base, which comes with the program, and the weights that are put into it.

Torch is needed to export a graph, and takes half a minute. The graph of these two models is the same for everybody, so
it is shipped without its weights, which NumPy reads and merges. `python -m quotefind.encoders.export_graph` makes it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind.encoders.adapter import add_adapter
from quotefind.encoders.optimize import save_optimized
from quotefind.encoders.parity import PARITY, largest_difference
from quotefind.errors import ModelError

if TYPE_CHECKING:
    from quotefind.encoders.adapter import Weights
    from quotefind.encoders.prepared import PreparedModel
    from quotefind.encoders.resolve import ModelSource

# graph.onnx, whose weights have the names of the safetensors file, with `.T` where they are transposed; about.json:
# these names, and what sentence-transformers says of the model; vectors.npz: its vectors of `parity.TEXTS` by model.
DIRECTORY = Path(__file__).with_name("minilm")


def make_from_graph(source: ModelSource, model: PreparedModel) -> PreparedModel:
    """Write the files of `source`, the default model or its base, to `model.path`; return `model` completed.

    Raises:
        ModelError: the adapter cannot be merged, or the vectors are not those of sentence-transformers.
    """
    import numpy as np
    from tokenizers import Tokenizer

    from quotefind.encoders.tokens import TOKENIZER, save_tokenizer

    about: dict[str, Any] = json.loads((DIRECTORY / "about.json").read_text(encoding="utf-8"))
    names: list[str] = about.pop("weights")
    weights = _merged(source)
    save_optimized(DIRECTORY / "graph.onnx", model.path, {name: _weight(weights, name) for name in names})
    save_tokenizer(Tokenizer.from_file(str(source.path / TOKENIZER)), model.path)
    model = replace(model, **about)
    with np.load(DIRECTORY / "vectors.npz", allow_pickle=False) as vectors:
        difference = largest_difference(model, vectors[source.name])
    if not difference <= PARITY:
        raise ModelError(f"its vectors differ from those of sentence-transformers by {difference:.1e}")
    return replace(model, difference=difference)


def _merged(source: ModelSource) -> Weights:
    from safetensors.numpy import load_file

    weights: Weights = load_file(source.path / "model.safetensors")
    if source.adapter is not None:
        add_adapter(weights, source.adapter)
    return weights


def _weight(weights: Weights, name: str) -> Any:
    import numpy as np

    return np.ascontiguousarray(weights[name[:-2]].T) if name.endswith(".T") else weights[name]
