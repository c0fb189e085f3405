"""The optional part of the program that training and evaluation need."""

from __future__ import annotations

from importlib import util

from quotefind.errors import ModelError


def require(purpose: str, *packages: str) -> None:
    """Make sure that `packages` of the extra `train` are there, before anything is done in vain.

    Args:
        purpose: what needs them, as a sentence begins.
        packages: their names as they are installed.

    Raises:
        ModelError: one of them is not installed.
    """
    missing = [name for name in packages if util.find_spec(name.replace("-", "_")) is None]
    if missing:
        raise ModelError(f"{purpose} needs {' and '.join(missing)}. To install it: pip install 'quotefind[train]'")
