"""Insert the new quotes of an update into the workspace, before they are encoded and added to the dataset."""

from __future__ import annotations

from quotefind.index.merge import Merge
from quotefind.index.schema import transaction

# Quotes at a time.
_CHUNK = 10_000
_PLACES = """
INSERT INTO places (file_id, quote_id, line)
SELECT file, staged.quote_id, min(staged.line) FROM staged JOIN quotes ON quotes.id = staged.quote_id
WHERE quotes.row NOT IN (SELECT row FROM stored)
GROUP BY file, staged.quote_id ON CONFLICT DO UPDATE SET line = excluded.line
"""


def insert_new(merge: Merge, next_row: int) -> int:
    """Insert the new quotes of `merge` into the workspace, with rows from `next_row` on; return how many."""
    row = next_row
    for quotes in merge.new_quotes(_CHUNK):
        with transaction(merge.connection):
            for quote in quotes:
                merge.insert(quote, row, 0, truncated=False)
                row += 1
    if row > next_row:
        with transaction(merge.connection):  # all their places, so that most are written only once
            merge.connection.execute(_PLACES)
    return row - next_row
