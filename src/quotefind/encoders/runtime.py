"""ONNX Runtime, imported so that it reports to nobody: the one place that imports it.

Since 1.29 its builds tell their maker of every session that is opened: over the network, from a thread of their own,
with an identifier and a queue in the user's cache directory, and a file under a name that anybody can guess in the
shared temporary directory. Whether they do is decided once, when it is first imported.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()  # Windows' own tracing, which the variable does not reach

__all__ = ["onnxruntime"]
