"""The progress of a long search for close pairs, kept on disk so that an interrupted run can continue."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quotefind.paths import make_private

# A run that was not continued within this many days will not be.
_KEPT_DAYS = 30

Arrays = Mapping[str, NDArray[Any]]


class Checkpoint:
    """A file in `directory` with the arrays of one run, identified by `key`."""

    def __init__(self, directory: Path, key: str) -> None:
        """Set the path; nothing is read or written yet."""
        self._path = directory / f"{key}.npz"

    def load(self) -> Arrays | None:
        """Return the saved arrays by name, or None if there are none or the file is damaged."""
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                return {name: saved[name] for name in saved.files}
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, arrays: Arrays) -> bool:
        """Replace what was saved before with `arrays`; return whether that was possible."""
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._delete_old(make_private(self._path.parent))
            with beside.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes the names for its own option
            beside.replace(self._path)
        except OSError:  # the search goes on; it just cannot be resumed
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            return False
        return True

    def remove(self) -> None:
        """Delete the file, if there is one."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    @staticmethod
    def _delete_old(directory: Path) -> None:
        oldest = time.time() - _KEPT_DAYS * 24 * 3600
        for path in directory.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
