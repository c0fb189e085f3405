"""What an update tells the user about sources: what it skipped, what it could not read, and what is missing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from quotefind.corpus import Reason
from quotefind.corpus.formats import known_format
from quotefind.errors import SourceError
from quotefind.index.changes import ChangedFile, Changes
from quotefind.index.sources import Source
from quotefind.index.staging import Staged
from quotefind.text import counted

_LISTED = 3
# The user may have wanted to read these, if their names imply a format.
_MEANT = (Reason.NOWHERE, Reason.SPECIAL)
_ALWAYS_MEANT = (Reason.NAME, Reason.UNLISTED)


class Notices:
    """Messages about the sources of an update.

    Attributes:
        skipped: the number of files not read and folders not searched, without those that the user excludes.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        sources: list[Source],
        changes: Changes,
        staged: Staged,
        *,
        pruned: bool,
        argument: str,
    ) -> None:
        """Collect what was found and read.

        Args:
            connection: to the tables of the index, before it is changed.
            sources: the sources that the user named; none if all are refreshed.
            changes: the changes found.
            staged: what was read.
            pruned: whether missing sources are removed.
            argument: the command-line words that name the index.
        """
        self._connection = connection
        self._sources = sources
        self._changes = changes
        self._staged = staged
        self._pruned = pruned
        self._argument = argument
        self._failed = [file for file in changes.changed if file.problem]
        excluded = (Reason.EXCLUDED, Reason.GIT)
        self.skipped = len(self._failed) + sum(one.reason not in excluded for _, one in changes.skipped)

    def unless_nothing(self, stored: int) -> list[str]:
        """Return a warning if sources that the user named hold no quotes; the index has `stored` quotes.

        Raises:
            SourceError: these sources hold nothing to index, or nothing in them is a quote and the index is empty.
        """
        changes, staged = self._changes, self._staged
        named = list(dict.fromkeys(source.location for source in self._sources))
        empty = [location for location in named if location not in staged.filled | changes.settled]
        if not empty:
            return []
        if not (changes.changed or changes.settled or changes.gone):
            raise SourceError(
                f"{', '.join(empty)} holds no file of a known format{self._instead()}. To read a file anyway, name it "
                "with its format: quotefind index FILE --input-format NAME"
            )
        hint = (
            "; to read each line of a Markdown file as a quote, add --input-format txt" if _is_markdown(empty) else ""
        )
        if stored or staged.filled:
            return [f"no quotes were found in {', '.join(empty)}{hint}"]
        why = "; ".join([_bad(staged)] * bool(staged.bad) + self._problems(self._failed))
        raise SourceError(f"No quotes were found in {', '.join(empty)}{why and f' ({why})'}{hint}.")

    def warnings(self) -> list[str]:
        """Return sentences that the user must see."""
        warnings = [_bad(self._staged)] if self._staged.bad else []
        if not self._pruned:
            warnings += [
                f"{location} is missing; its quotes are kept. To drop them: quotefind index --prune{self._argument}"
                for location in self._changes.vanished
            ]
        failed = [file for file in self._failed if not file.known]
        held = [(file, number) for file in failed if (number := self._quotes_in(file))]
        lost = {file.name for file, _ in held}
        warnings += self._problems([file for file in failed if file.name not in lost])
        warnings += [
            f"kept {counted(number, 'quote')} from a file that can no longer be read: {_short(file, whole=True)}"
            for file, number in held
        ]
        warnings += [
            f"kept the quotes from a folder that cannot be searched: {folder}" for folder in self._changes.kept
        ]
        return warnings + self._listed(meant=True)

    def remarks(self) -> list[str]:
        """Return sentences about what was skipped and is not expected to hold quotes, or was reported before."""
        known = [file for file in self._failed if file.known] if self._sources else []
        return self._problems(known) + self._listed(meant=False)

    def _quotes_in(self, file: ChangedFile) -> int:
        found = self._connection.execute(
            "SELECT count(*) FROM places JOIN files ON files.id = file_id JOIN sources ON sources.id = source_id"
            " WHERE location = ? AND path = ?",
            (file.source.location, file.name),
        )
        return int(found.fetchone()[0])

    def _problems(self, failed: Sequence[ChangedFile]) -> list[str]:
        """Return a sentence about skipped files, with the problems of the first ones; none if no file was skipped."""
        if not failed:
            return []
        some = [_short(file, whole=len(failed) == 1) for file in failed[:_LISTED]]
        more = len(failed) - len(some)
        return [f"skipped {counted(len(failed), 'file')}: {'; '.join([*some, f'and {more:,} more'] if more else some)}"]

    def _listed(self, *, meant: bool) -> list[str]:
        """Return a sentence for each reason why files or folders were skipped in folders that the user named."""
        if not self._sources:
            return []
        kept = set(self._changes.kept)
        names: dict[Reason, list[str]] = {}
        for location, one in self._changes.skipped:
            if one.reason is not Reason.EXCLUDED and one.path not in kept and _is_meant(one.path, one.reason) == meant:
                names.setdefault(one.reason, []).append(os.path.relpath(one.path, location))
        return [
            f"skipped {len(found):,} {reason.value[len(found) > 1]} ({_some(found)})" for reason, found in names.items()
        ]

    def _instead(self) -> str:
        """Return the content of a folder that has no file to read, as the end of a message."""
        names = [os.path.relpath(one.path, location) for location, one in self._changes.skipped]
        return f"; skipped or excluded: {_some(names)}" if names else ""


def _is_markdown(locations: list[str]) -> bool:
    """Whether some of the files are Markdown, where lists and paragraphs are read only if they are clearly quotes."""
    return any(location.lower().endswith((".md", ".markdown")) for location in locations)


def _is_meant(path: Path, reason: Reason) -> bool:
    try:
        return reason in _ALWAYS_MEANT or (reason in _MEANT and known_format(path) is not None)
    except OSError:
        return False


def _some(names: list[str]) -> str:
    return ", ".join(names[:_LISTED] + ["…"] * (len(names) > _LISTED))


def _short(file: ChangedFile, *, whole: bool) -> str:
    """Return the problem of a file, named relative to its folder; unless `whole`, without the fix."""
    problem = file.problem.removeprefix(file.name)
    if problem == file.problem:
        problem = f": {problem}"
    name = os.path.relpath(file.name, file.source.location)
    return name + (problem if whole else problem.partition("; ")[0])


def _bad(staged: Staged) -> str:
    """Return a sentence about the skipped records that lists the first of them."""
    more = staged.bad - len(staged.first_bad)
    listed = "; ".join([*staged.first_bad, f"and {more:,} more"] if more else staged.first_bad)
    return f"{counted(staged.bad, 'record')} skipped: {listed}"
