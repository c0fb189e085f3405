"""Check that the packages of an optional extra are installed before any work begins."""

from __future__ import annotations

from importlib import util

from quotefind.errors import ModelError


def require(purpose: str, extra: str, *packages: str) -> None:
    """Check that `packages` are installed, without importing them.

    Args:
        purpose: what needs them; the error message begins with it, as in "Training".
        extra: the extra of this package that installs them.
        packages: the names of the packages, which are those of their modules with - for _.

    Raises:
        ModelError: one of them is not installed.
    """
    missing = [name for name in packages if util.find_spec(name.replace("-", "_")) is None]
    if missing:
        raise ModelError(f"{purpose} needs {' and '.join(missing)}. To install it: pip install 'quotefind[{extra}]'")
