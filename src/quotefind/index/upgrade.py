"""An index of an earlier version brought up to date in place; nothing is encoded again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from quotefind.errors import IndexUnusableError
from quotefind.index.database import FORMAT, SEAL_QUOTES, transaction
from quotefind.index.matrix import open_matrix, word_sum


def upgrade(connection: sqlite3.Connection, directory: Path) -> None:
    """Bring the index in `directory` from format 1, which had no seals and no sum, to the present one.

    Where its matrix is damaged the sum cannot be right, so that the next search says so.
    """
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'manifest'").fetchone():
        return
    manifest = dict(connection.execute("SELECT key, value FROM manifest"))
    if manifest.get("format") != "1":
        return
    try:
        rows, dim = int(manifest["rows"]), int(manifest["dimension"])
        total = word_sum(open_matrix(directory / manifest["matrix"], rows=rows, dim=dim, mend=""))
    except (OSError, KeyError, ValueError, IndexUnusableError):
        total = -1
    with transaction(connection):
        connection.execute("ALTER TABLE quotes ADD COLUMN seal INTEGER NOT NULL DEFAULT 0")
        connection.execute(SEAL_QUOTES)
        connection.executemany(
            "INSERT OR REPLACE INTO manifest VALUES (?, ?)", [("format", str(FORMAT)), ("word_sum", str(total))]
        )
