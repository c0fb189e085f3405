"""The checks that every change has to pass: lint, format and types."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("arguments", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]])
def test_the_repository_is_clean(arguments: list[str]) -> None:
    """Ruff finds nothing to say and nothing to format, and mypy no wrong type, as pyproject.toml sets them."""
    if importlib.util.find_spec(arguments[0]) is None:
        pytest.skip(f"{arguments[0]} is not installed; pip install -e '.[dev]' brings it")
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
