"""How the library reports progress: through a callable, never by printing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called while long work advances."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Report that `done` of `total` steps of `stage` are done; a `total` of 0 means unknown."""


def silent(stage: str, done: int = 0, total: int = 0) -> None:
    """Report nothing."""
