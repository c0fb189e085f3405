"""How the library tells what it is doing: through a callable, never by printing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as long work goes on."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Say that `done` of `total` steps of `stage` are done; a `total` of 0 means that nobody knows."""


def silent(stage: str, done: int = 0, total: int = 0) -> None:
    """Tell nobody."""
