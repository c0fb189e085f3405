"""An update of an index in a Lance dataset: new quotes are numbered, then encoded and added as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable

from quotefind.index.lance.workspace import Workspace
from quotefind.index.merge import Application
from quotefind.index.schema import transaction

# Records at a time.
_CHUNK = 10_000
_PLACES = """
INSERT INTO places (file_id, quote_id, line)
SELECT file, staged.quote_id, min(staged.line) FROM staged JOIN quotes ON quotes.id = staged.quote_id
WHERE quotes.row NOT IN (SELECT row FROM stored)
GROUP BY file, staged.quote_id ON CONFLICT DO UPDATE SET line = excluded.line
"""
# Below so many texts a rate says little.
_MEASURED = 32


class LanceApplication(Application):
    """One update of an index in a Lance dataset, decided in its working database.

    Attributes:
        added: whether quotes were added.
    """

    def __init__(self, workspace: Workspace, next_row: int, add: Callable[[int], tuple[int, int]]) -> None:
        """Prepare to change `workspace`.

        Args:
            workspace: what the update touches.
            next_row: the row of the next new quote.
            add: given how many texts are to be encoded, adds all new quotes of `workspace` to the dataset; returns how
                many texts were encoded, and how many of these the encoder cut.
        """
        super().__init__(workspace.connection)
        self._workspace = workspace
        self._add = add
        self._encoded = 0
        self._seconds = 0.0
        self.next_row = next_row
        self.count_held: Callable[[list[str] | None], int] = super()._held

    @property
    def encoded(self) -> int:
        """How many texts were encoded."""
        return self._encoded

    @property
    def rate(self) -> float:
        """Texts encoded in a second; 0 where too few were to say."""
        return self._encoded / self._seconds if self._encoded >= _MEASURED else 0.0

    def _add_new(self) -> None:
        before = self._added
        for records in self._new_records(_CHUNK):
            with transaction(self._connection):
                for record in records:
                    self._insert(self.next_row, 0, record)
                    self.next_row += 1
            self._added += len(records)
        if self._added == before:
            return
        with transaction(self._connection):  # all their places, so that most need not be written twice
            self._connection.execute(_PLACES)
        started = time.monotonic()
        encoded, truncated = self._add(self._workspace.find_new())
        self._encoded += encoded
        self._truncated += truncated
        self._seconds += time.monotonic() - started

    def _forget_lost(self) -> None:
        """Do nothing: what is lost is found by comparison with what is stored."""

    def _finish(self) -> None:
        """Do nothing: the writer publishes all at once."""

    def _held(self, locations: list[str] | None) -> int:
        return self.count_held(locations)
