"""Export the graph that comes with the program: `python -m quotefind.encoders.export_graph`, for its developers.

Run it again when the adapter, torch's exporter or the texts in `parity` change; it needs torch and onnx.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quotefind.encoders.export import export
from quotefind.encoders.graph import DIRECTORY
from quotefind.encoders.parity import TEXTS
from quotefind.encoders.prepared import PreparedModel
from quotefind.encoders.resolve import BASE_MODEL, DEFAULT_MODEL, resolve
from quotefind.encoders.sbert import described, load, quiet

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

# Smaller constants stay in the graph.
_LEAST_BYTES = 1024
_DESCRIBED = ("dim", "pooling", "max_tokens", "quote_prompt", "query_prompt")


def export_graph(directory: Path) -> None:
    """Write graph.onnx, about.json and vectors.npz to `directory`."""
    import onnx
    from safetensors.numpy import load_file

    base = resolve(BASE_MODEL)
    model = load(base, "cpu", attention="eager")
    with tempfile.TemporaryDirectory() as folder, quiet():
        export(model, Path(folder) / "exported.onnx")
        graph = onnx.load(Path(folder) / "exported.onnx")
    names = _take_out_weights(graph, load_file(base.path / "model.safetensors"))
    _strip(graph)
    known = asdict(described(PreparedModel(directory, "", "", "onnx", 0, "", 0), model))
    about = {name: known[name] for name in _DESCRIBED} | {"weights": names}
    directory.mkdir(exist_ok=True)
    (directory / "graph.onnx").write_bytes(graph.SerializeToString(deterministic=True))
    (directory / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    vectors: dict[str, Any] = {name: _vectors(name) for name in (BASE_MODEL, DEFAULT_MODEL)}
    np.savez(directory / "vectors.npz", **vectors)


def _vectors(name: str) -> NDArray[np.float32]:
    model = load(resolve(name), "cpu")
    vectors = model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
    return np.asarray(vectors, np.float32)


def _take_out_weights(model: onnx.ModelProto, weights: Mapping[str, NDArray[np.generic]]) -> list[str]:
    """Replace each large constant of `model` by a reference to the weight with the same content; return their names."""
    import onnx

    known = {_content(weight.T): f"{name}.T" for name, weight in weights.items()}
    known |= {_content(weight): name for name, weight in weights.items()}
    renamed: dict[str, str] = {}
    for constant in model.graph.initializer:
        content = onnx.numpy_helper.to_array(constant)
        if content.nbytes < _LEAST_BYTES:
            continue
        renamed[constant.name] = constant.name = known[_content(content)]
        constant.ClearField("raw_data")
        constant.data_location = onnx.TensorProto.EXTERNAL
        constant.external_data.add(key="location", value="weights")
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return sorted(renamed.values())


def _content(weight: NDArray[np.generic]) -> tuple[tuple[int, ...], bytes]:
    return weight.shape, weight.tobytes()


def _strip(model: onnx.ModelProto) -> None:
    """Remove what torch notes of its own source code, with the paths of this machine."""
    graph = model.graph
    del graph.value_info[:], model.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


if __name__ == "__main__":
    export_graph(Path(sys.argv[1]) if sys.argv[1:] else DIRECTORY)
