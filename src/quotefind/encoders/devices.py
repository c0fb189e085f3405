"""Which device encodes."""

from __future__ import annotations

import platform

from quotefind.errors import ModelError, UsageError


def choose_device(device: str) -> list[str]:
    """Return the devices to encode on, by torch's names: ["cpu"], ["mps"], or one entry for each GPU.

    Args:
        device: auto, cpu, cuda (all GPUs), cuda:N or mps. `auto` takes CUDA, then MPS, then the CPU, and imports torch
            only if a driver for one of the first two is installed.

    Raises:
        UsageError: there is no such kind of device.
        ModelError: this machine has no such device.
    """
    kind = device.partition(":")[0]
    if device in ("auto", "cpu"):
        return ["cpu"] if device == "cpu" or not _accelerator_installed() else _accelerators() or ["cpu"]
    if kind not in ("cuda", "mps"):
        raise UsageError(f"There is no device {device!r}; the devices are auto, cpu, cuda, cuda:N and mps.")
    found = [name for name in _accelerators() if name == device or (name.startswith(kind) and device == kind)]
    if not found:
        raise ModelError(f"This machine has no device {device!r} that torch can use; --device cpu always works.")
    return found


def _accelerator_installed() -> bool:
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    import ctypes.util

    return ctypes.util.find_library("nvcuda" if platform.system() == "Windows" else "cuda") is not None


def _accelerators() -> list[str]:
    import torch

    if torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["mps"] if torch.backends.mps.is_available() else []
