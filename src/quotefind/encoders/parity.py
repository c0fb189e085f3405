"""How a prepared model is compared with sentence-transformers before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quotefind.encoders.prepared import PreparedModel
    from quotefind.similarity import Vectors

# Largest difference from sentence-transformers, in any component of any unit vector, with which a model is accepted.
PARITY = 1e-5
_SENTENCE = "Who reads much and walks much, sees much and knows much. "
# Texts of all lengths.
TEXTS = ["a", "Zoë", "42", "?!", "家", "courage", *(_SENTENCE * n for n in (1, 2, 3, 5, 8, 13, 40))]


def largest_difference(model: PreparedModel, expected: Vectors) -> float:
    """Return the largest difference of any component between `expected` and `model`'s vectors of `TEXTS`.

    Both sessions are compared: the one for single queries and the one for many quotes. `model` must use no prompts.
    `expected` holds (len(TEXTS), dim) unit rows.
    """
    import numpy as np

    from quotefind.encoders.onnx import OnnxEncoder

    encoder = OnnxEncoder(model)
    measured = (encoder.encode_quotes(TEXTS), np.concatenate([encoder.encode_queries([text]) for text in TEXTS]))
    return float(max(np.abs(vectors - expected).max() for vectors in measured))
