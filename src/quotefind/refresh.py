"""An index brought up to date before it answers, so that no stale answer is given in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from quotefind.errors import IndexLockedError, IndexUnusableError, QuotefindError
from quotefind.index.reader import Index
from quotefind.index.sources import Source, is_stale
from quotefind.paths import BUNDLED, DEFAULT_INDEX, index_argument, index_directory
from quotefind.progress import Progress, silent

if TYPE_CHECKING:
    from quotefind.index.state import OpenEncoder

# A search waits so many seconds for a refresh at most.
PATIENCE = 10.0


def open_fresh(
    directory: Path,
    open_encoder: OpenEncoder,
    *,
    refresh: bool = True,
    tell: Callable[[str], None],
    progress: Progress = silent,
) -> Index:
    """Open the index in `directory` to search it, brought up to date first where that takes no more than ten seconds.

    Where the default index is not there yet, it is made from the bundled quotes.

    Args:
        directory: where the index lies.
        open_encoder: called where texts have to be encoded.
        refresh: False to answer from what is there, whatever happened to the sources.
        tell: called with a sentence where the user should know what was done, or was not.
        progress: told what goes on.

    Raises:
        IndexUnusableError: the index cannot be used.
    """
    if not Index.exists(directory) and directory == index_directory(DEFAULT_INDEX):
        from quotefind.index.writer import open_to_write

        tell("There is no index yet; making it from the bundled quotes.")
        with open_to_write(directory, open_encoder, wait=600.0) as writer:
            if writer.manifest is None:
                writer.update([Source(BUNDLED)], progress=progress)
    index = Index(directory)
    if not refresh or not is_stale(index):
        return index
    index.close()
    _refresh(directory, open_encoder, tell, progress)
    return Index(directory)


def _refresh(directory: Path, open_encoder: OpenEncoder, tell: Callable[[str], None], progress: Progress) -> None:
    from quotefind.index.writer import TooLongError, open_to_write

    command = f"quotefind index{index_argument(directory)}"
    try:
        with open_to_write(directory, open_encoder) as writer:
            summary = writer.update([], progress=progress, at_most=PATIENCE)
        changes = [
            f"{count} {what}"
            for count, what in ((summary.added, "added"), (summary.updated, "updated"), (summary.removed, "removed"))
            if count
        ]
        if changes:
            tell(f"The index was out of date and has been refreshed: {', '.join(changes)}.")
        for warning in summary.warnings:
            tell(f"{warning[0].upper()}{warning[1:]}")  # it may end in a command
    except TooLongError:
        tell(f"The sources have changed; answering from the index as it is. To bring it up to date: {command}")
    except IndexLockedError:
        tell("Another process is bringing the index up to date; answering from what it has committed so far.")
    except QuotefindError as error:
        if isinstance(error, IndexUnusableError) and not Index.exists(directory):
            raise
        tell(f"The sources have changed, but the index could not be refreshed, and answers as it is. {error}")
