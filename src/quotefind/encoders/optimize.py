"""From an ONNX graph to the optimised one, with its weights in a file that can be mapped into memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind.encoders.prepared import WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def save_optimized(graph: Path, directory: Path, weights: dict[str, NDArray[np.generic]] | None = None) -> None:
    """Write the optimised `graph` as model.onnx and weights.bin to `directory`.

    `weights` are those that `graph` leaves to the outside, all of them, by name.
    """
    from quotefind.encoders.runtime import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(directory / "model.onnx")
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS)
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    options.add_session_config_entry("session.disable_prepacking", "1")  # packed weights could not be mapped
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in weights.values()]
        options.add_external_initializers(list(weights), values)
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
