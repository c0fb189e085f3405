"""The course of an update, which is the same for every kind of index: what is read, compared, told and counted."""

from __future__ import annotations

import sqlite3
import time
from abc import ABC, abstractmethod
from typing import BinaryIO

from quotefind.encoders import Encoder
from quotefind.errors import IndexUnusableError, SourceError, UsageError
from quotefind.index.changes import Changes, find_changes
from quotefind.index.interface import Manifest, OpenEncoder
from quotefind.index.merge import Application
from quotefind.index.sources import Source, location_of, remembered
from quotefind.index.staging import Staged, stage
from quotefind.index.summary import Summary
from quotefind.paths import Location
from quotefind.progress import Progress, silent

# Quotes that any machine encodes in a second: what is reckoned with where nothing was measured yet.
_CAUTIOUS_RATE = 30.0
# Bytes of a source that are read and compared in a second, at the least.
_BYTES_PER_SECOND = 3e6


class TooLongError(Exception):
    """An update would take longer than its caller wants to wait."""


class Updating(ABC):
    """What an index is while it is brought up to date.

    Attributes:
        location: where the index lies.
        connection: to a database with the tables of `database.SCHEMA`.
        opener: what opens encoders.
        argument: the command-line words that name the index, for messages.
    """

    location: Location
    connection: sqlite3.Connection
    opener: OpenEncoder
    argument: str

    @property
    @abstractmethod
    def _known(self) -> Manifest | None:
        """What is true of the whole index; None for a new one."""

    @abstractmethod
    def _check(self, named: set[str]) -> list[str]:
        """Make sure that the index can be written to, by an update that names sources at the locations `named`.

        Returned is what the user should be told.

        Raises:
            IndexUnusableError: it cannot.
        """

    def _unfinished(self) -> set[str]:
        """Return the locations of sources that an update that was stopped had begun with: this one has to end it."""
        return set()

    @abstractmethod
    def _prepare(self) -> None:
        """Make the tables of a new index."""

    @abstractmethod
    def _load(self, changes: Changes, gone: set[str]) -> None:
        """Bring into the database what it needs to know of stored quotes, for these changes and sources that go."""

    @abstractmethod
    def _begin(self, model: str | None) -> Encoder | None:
        """Make the manifest of a new index with `model`, and return its encoder; None for an old one."""

    @abstractmethod
    def _application(self, progress: Progress, encoder: Encoder | None) -> Application:
        """Return what applies the changes; `encoder` where it is open already."""

    @abstractmethod
    def _publish(self, applied: Application, progress: Progress) -> None:
        """Let readers see what was applied, where they do not yet, and tidy up where that is worth it."""

    @abstractmethod
    def _count(self) -> int:
        """Return how many quotes the index holds."""

    def update(
        self,
        sources: list[Source],
        *,
        model: str | None = None,
        remove: tuple[str, ...] = (),
        prune: bool = False,
        progress: Progress = silent,
        stream: BinaryIO | None = None,
        at_most: float | None = None,
    ) -> Summary:
        """Add or refresh `sources` (none: refresh all that are remembered), and remove what is to go.

        Everything is read and checked before anything is changed. Quotes are committed every few thousand; what was
        committed is never encoded again.

        Args:
            sources: what to read; one remembered before keeps how it is read where nothing new is said.
            model: the model of a new index; for an old one it has to be the model it has.
            remove: sources whose quotes go.
            prune: also remove sources that are not there any more.
            progress: told what goes on.
            stream: what the source "-" stands for.
            at_most: give up, having changed nothing, where it would take more seconds than this.

        Raises:
            SourceError: a source cannot be read, or a record is bad.
            UsageError: `remove` names no source of the index.
            IndexUnusableError: `model` is another than that of the index.
            TooLongError: `at_most` is not enough.
        """
        started = time.monotonic()
        named = {source.location for source in sources}
        summary = Summary(warnings=self._check(named))
        if model is not None:
            self._check_model(model)
        known = {source.location: source for source in self._remembered()}
        gone = self._sources_to_remove(remove, known)
        looked_at = _as_remembered(sources, known)
        if not sources:
            looked_at = [source for location, source in known.items() if location not in gone]
        begun = self._unfinished() - gone - {source.location for source in looked_at}
        looked_at += [source for location, source in known.items() if location in begun]
        self._prepare()
        changes = find_changes(self.connection, looked_at, named=named)
        if prune:
            gone |= set(changes.vanished)
        if at_most is not None and sum(file.size or 0 for file in changes.changed) > at_most * _BYTES_PER_SECOND:
            raise TooLongError
        staged = self._stage(changes, at_most, started, progress, stream)
        self._load(changes, gone)
        self._check_anything_found(sources, changes, staged, summary)
        self._tell(summary, changes, staged, named=bool(sources), pruned=prune)
        if at_most is not None and self._known is not None:
            self._check_time(at_most - (time.monotonic() - started))
        encoder = self._begin(model)
        before = self._count()
        applied = self._application(progress, encoder)
        applied.run(changes, looked_at, gone)
        if applied.unsettled:
            still = [source for source in looked_at if source.location not in gone]
            left = self._left_to_settle(applied.unsettled, progress)
            self._load(left, set())
            applied.run(left, still, set())
        applied.report(summary)
        self._publish(applied, progress)
        summary.sources = self.connection.execute("SELECT count(*) FROM sources").fetchone()[0]
        summary.files = len(changes.changed)
        summary.quotes = self._count()
        summary.removed = before + summary.added - summary.quotes
        summary.seconds = time.monotonic() - started
        return summary

    def _left_to_settle(self, unsettled: set[int], progress: Progress) -> Changes:
        """Stage the files `unsettled`: what they say counts, now that files that said otherwise are gone."""
        names = {
            name for file_id, name in self.connection.execute("SELECT id, path FROM files") if file_id in unsettled
        }
        found = find_changes(self.connection, self._remembered(), named=set())
        left = Changes(changed=[file for file in found.changed if file.name in names])
        stage(self.connection, left.changed, progress, None, argument=self.argument)
        return left

    def _check_model(self, model: str) -> None:
        if self._known is None:
            return
        encoder = self.opener(model, None)
        if encoder.fingerprint != self._known.fingerprint:
            raise IndexUnusableError(
                f"The index in {self.location} was made with the model {self._known.model}. To encode it anew with "
                f"{encoder.name}: quotefind index --rebuild --model {encoder.name}{self.argument}"
            )

    def _remembered(self) -> list[Source]:
        return remembered(self.connection) if self._known is not None else []

    def _sources_to_remove(self, remove: tuple[str, ...], known: dict[str, Source]) -> set[str]:
        gone = {location_of(argument) for argument in remove}
        for location in gone - known.keys():
            raise UsageError(
                f"{location} is no source of this index; quotefind info{self.argument} lists those it has."
            )
        return gone

    def _stage(
        self, changes: Changes, at_most: float | None, started: float, progress: Progress, stream: BinaryIO | None
    ) -> Staged:
        def give_up() -> bool:
            return at_most is not None and time.monotonic() - started > at_most

        try:
            return stage(self.connection, changes.changed, progress, stream, argument=self.argument, give_up=give_up)
        except TimeoutError as error:
            raise TooLongError from error

    def _check_anything_found(self, sources: list[Source], changes: Changes, staged: Staged, summary: Summary) -> None:
        read = {file.source.location for file in changes.changed}
        if sources and not staged.records and read:
            places = ", ".join(sorted(read))
            bad = f" ({staged.bad} bad records were passed over)" if staged.bad else ""
            if self._count() == 0:
                raise SourceError(f"No quotes were found in {places}{bad}.")
            summary.warnings.append(f"no quotes were found in {places}{bad}")
        if sources and not changes.changed and not changes.touched and not changes.unchanged and not changes.gone:
            places = ", ".join(source.location for source in sources)
            raise SourceError(f"{places} holds no file of a known format; name one with --input-format.")

    def _check_time(self, seconds: float) -> None:
        unseen = self.connection.execute(
            "SELECT count(DISTINCT digest) FROM staged WHERE digest NOT IN (SELECT digest FROM quotes)"
        ).fetchone()[0]
        rate = (self._known.rate if self._known else 0) or _CAUTIOUS_RATE
        if seconds < 0 or unseen / rate > seconds:
            raise TooLongError

    def _tell(self, summary: Summary, changes: Changes, staged: Staged, *, named: bool, pruned: bool) -> None:
        summary.bad = staged.bad
        for problem in staged.first_bad:
            summary.warnings.append(f"passed over {problem}")
        if staged.bad > len(staged.first_bad):
            summary.warnings.append(f"passed over {staged.bad - len(staged.first_bad)} more bad records")
        for location in [] if pruned else changes.vanished:
            summary.warnings.append(
                f"{location} is not there; its quotes are kept. To drop them: quotefind index --prune{self.argument}"
            )
        if changes.passed_over and named:
            some = ", ".join(path.name for path in changes.passed_over[:3])
            more = ", …" if len(changes.passed_over) > 3 else ""
            summary.warnings.append(f"{len(changes.passed_over)} files of no known format were left out ({some}{more})")


def _as_remembered(sources: list[Source], known: dict[str, Source]) -> list[Source]:
    """Return each of `sources` once, read as it is `known` to be where nothing new is said of that."""
    return [
        known.get(location, source) if source == Source(location) else source
        for location, source in {source.location: source for source in sources}.items()
    ]
