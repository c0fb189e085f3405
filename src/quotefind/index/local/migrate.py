"""An index of an earlier version brought up to date in place; nothing is encoded again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from quotefind.errors import IndexUnusableError
from quotefind.index.local.database import FORMAT, PROPOSED_TAGS, SEAL_QUOTES, UPGRADABLE, statements, transaction
from quotefind.index.local.vectors import open_matrix, word_sum


def upgrade(connection: sqlite3.Connection, directory: Path) -> None:
    """Bring the index in `directory` to the present format.

    Format 1 had no seals and no sum; where its matrix is damaged the sum cannot be right, so that the next search says
    so. Format 2 had no proposed tags and no notes.
    """
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'manifest'").fetchone():
        return
    manifest = dict(connection.execute("SELECT key, value FROM manifest"))
    if manifest.get("format") not in UPGRADABLE:
        return
    changes = [("format", str(FORMAT))]
    if manifest["format"] == "1":
        changes.append(("word_sum", str(_sum_of(manifest, directory))))
    with transaction(connection):
        connection.execute("ALTER TABLE quotes ADD COLUMN proposed TEXT NOT NULL DEFAULT '[]'")
        connection.execute("ALTER TABLE quotes ADD COLUMN note TEXT")
        for statement in statements(PROPOSED_TAGS):
            connection.execute(statement)
        if manifest["format"] == "1":
            connection.execute("ALTER TABLE quotes ADD COLUMN seal INTEGER NOT NULL DEFAULT 0")
            connection.execute(SEAL_QUOTES)
        connection.executemany("INSERT OR REPLACE INTO manifest VALUES (?, ?)", changes)


def _sum_of(manifest: dict[str, str], directory: Path) -> int:
    try:
        rows, dim = int(manifest["rows"]), int(manifest["dimension"])
        return word_sum(open_matrix(directory / manifest["matrix"], rows=rows, dim=dim, mend=""))
    except (OSError, KeyError, ValueError, IndexUnusableError):
        return -1
