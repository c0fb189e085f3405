"""How far a long search for close pairs has come, kept on disk so that it can be stopped and goes on there."""

from __future__ import annotations

import os
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quotefind.paths import make_private

# Who has not gone on after so many days will not.
_KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Found:
    """What was found so far.

    Attributes:
        done: how many blocks of pairs were compared.
        rows: (m, 2) int64, the best pairs; in what order, `pairs` knows.
        scores: (m,) float64, their scores.
    """

    done: int
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


class Checkpoint:
    """The file in `directory` for the one search that `key` stands for; what has another key is another search."""

    def __init__(self, directory: Path, key: str) -> None:
        """Name the file; nothing is read or written yet."""
        self._path = directory / f"{key}.npz"

    def load(self) -> Found | None:
        """Return what was kept; None where nothing was, or where it is damaged."""
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                found = Found(int(kept["done"]), kept["rows"], kept["scores"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None
        whole = found.rows.dtype == np.int64 and found.scores.dtype == np.float64
        return found if whole and found.rows.shape == (len(found.scores), 2) and found.done > 0 else None

    def save(self, found: Found) -> bool:
        """Keep `found` in the place of what was kept before; return whether that was possible."""
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._drop_old(make_private(self._path.parent))
            with beside.open("wb") as file:
                np.savez(file, done=np.int64(found.done), rows=found.rows, scores=found.scores)
            beside.replace(self._path)
        except OSError:  # a search need not end because it cannot be resumed
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            return False
        return True

    def remove(self) -> None:
        """Delete the file, if there is one: the search came to its end."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    @staticmethod
    def _drop_old(directory: Path) -> None:
        oldest = time.time() - _KEPT_DAYS * 24 * 3600
        for path in directory.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
