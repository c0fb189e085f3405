"""ONNX Runtime with its telemetry off: the only module that imports it.

Since 1.29 its builds report every session that is opened: over the network, from a thread of their own, with an
identifier and a queue in the user's cache directory, and a file with a predictable name in the shared temporary
directory. Whether they do so is decided once, at the first import.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()  # Windows' own tracing ignores the variable

__all__ = ["onnxruntime"]
