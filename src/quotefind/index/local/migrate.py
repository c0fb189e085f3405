"""Upgrade an index of an earlier format in place; nothing is encoded again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from quotefind.errors import IndexUnusableError
from quotefind.index.local.database import FORMAT, UPGRADABLE
from quotefind.index.local.vectors import matrix_checksum, open_matrix
from quotefind.index.schema import PROPOSED_TAGS, RENEW_CHECKSUMS, statements, transaction
from quotefind.index.sources import STANDARD_INPUT


def upgrade(connection: sqlite3.Connection, directory: Path) -> None:
    """Upgrade the index in `directory` to the current format.

    Format 1 had no checksums of quotes and of the matrix. If its matrix is damaged, it gets a checksum that cannot
    match, so that the next search reports the damage. Format 2 had no proposed tags and no notes; format 3 had no
    places, dates and line breaks. To fill these in, the next update reads all files again.
    """
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'manifest'").fetchone():
        return
    manifest = dict(connection.execute("SELECT key, value FROM manifest"))
    if manifest.get("format") not in UPGRADABLE:
        return
    changes = [("format", str(FORMAT))]
    if manifest["format"] == "1":
        changes.append(("word_sum", str(_checksum_of(manifest, directory))))
    with transaction(connection):
        for column in ("place", "added", "verse"):
            connection.execute(f"ALTER TABLE quotes ADD COLUMN {column} TEXT")
        if manifest["format"] in ("1", "2"):
            connection.execute("ALTER TABLE quotes ADD COLUMN proposed TEXT NOT NULL DEFAULT '[]'")
            connection.execute("ALTER TABLE quotes ADD COLUMN note TEXT")
            for statement in statements(PROPOSED_TAGS):
                connection.execute(statement)
        connection.execute("UPDATE files SET digest = NULL WHERE path <> ?", (STANDARD_INPUT,))
        if manifest["format"] == "1":
            connection.execute("ALTER TABLE quotes ADD COLUMN seal INTEGER NOT NULL DEFAULT 0")
            connection.execute(RENEW_CHECKSUMS)
        connection.executemany("INSERT OR REPLACE INTO manifest VALUES (?, ?)", changes)


def _checksum_of(manifest: dict[str, str], directory: Path) -> int:
    try:
        rows, dim = int(manifest["rows"]), int(manifest["dimension"])
        return matrix_checksum(open_matrix(directory / manifest["matrix"], rows=rows, dim=dim, fix=""))
    except (OSError, KeyError, ValueError, IndexUnusableError):
        return -1
