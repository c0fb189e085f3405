"""The manifest: what ties the matrix, the quotes and the model of a local index together."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from quotefind.errors import IndexUnusableError
from quotefind.index.interface import Manifest, now
from quotefind.index.local.database import FILE_NAME, FORMAT, UPGRADABLE, index_again
from quotefind.paths import index_argument

# Keys that differ from the name of their attribute: this one dates from format 2.
_KEYS = {"matrix_checksum": "word_sum"}
# The key of a note that is not part of the manifest: see `read_deferred`.
_DEFERRED = "deferred"
_MATRIX = re.compile(r"vectors-[0-9]{1,9}\.npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalManifest(Manifest):
    """Facts about a local index as a whole.

    Attributes:
        matrix: the file name of the matrix.
        rows: the number of its valid rows, including dead ones.
        matrix_checksum: `vectors.matrix_checksum` of these rows.
        rewrite: the file name of a matrix that will replace this one; empty if none is being written.
        rewrite_fingerprint: the fingerprint of the model that its vectors come from.
    """

    matrix: str
    format: int = FORMAT
    rows: int = 0
    matrix_checksum: int = 0
    rewrite: str = ""
    rewrite_fingerprint: str = ""


def read_manifest(connection: sqlite3.Connection, directory: Path) -> LocalManifest | None:
    """Return the manifest, or None if the index has none yet.

    Raises:
        IndexUnusableError: the index was made by a newer version, or the manifest is damaged.
    """
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'manifest'").fetchone():
        return None
    values = dict(connection.execute("SELECT key, value FROM manifest"))
    if not values:
        return None
    if values.get("format") != str(FORMAT):
        raise IndexUnusableError(
            f"The index in {directory} has format {values.get('format')}; this version of quotefind reads format "
            f"{FORMAT}. {_fix(values.get('format', ''), directory)}"
        )
    kinds = {"int": int, "float": float, "str": str}
    try:
        manifest = LocalManifest(
            **{f.name: kinds[str(f.type)](values[_KEYS.get(f.name, f.name)]) for f in fields(LocalManifest)}
        )
        # These files are opened and deleted, so none may be outside the directory.
        if not (_MATRIX.fullmatch(manifest.matrix) and _MATRIX.fullmatch(manifest.rewrite or manifest.matrix)):
            raise ValueError(f"not the name of a matrix: {manifest.matrix!r}, {manifest.rewrite!r}")
        return manifest
    except (KeyError, TypeError, ValueError) as error:
        raise IndexUnusableError(
            f"The manifest in {directory / FILE_NAME} is damaged ({error}). {index_again(directory)}"
        ) from error


def _fix(found: str, directory: Path) -> str:
    if found in UPGRADABLE:
        return f"To upgrade it, without encoding anything again: quotefind index{index_argument(directory)}"
    again = index_again(directory)
    return f"Update quotefind, or {again[0].lower()}{again[1:]}"


def missing_index(directory: Path) -> IndexUnusableError:
    """Return the error for a directory without a manifest: there is no index yet, or its database was lost."""
    from quotefind.index.local.vectors import has_rows  # loads NumPy

    there = f"There is no index in {directory}"
    if has_rows(directory):
        return IndexUnusableError(
            f"{there} any longer: {directory / FILE_NAME} is missing or empty, but its matrix exists. "
            f"{index_again(directory)}"
        )
    return IndexUnusableError(f"{there}. To make it: quotefind index SOURCE…{index_argument(directory)}")


def write_manifest(connection: sqlite3.Connection, manifest: LocalManifest) -> None:
    """Store `manifest`, in the transaction of the caller."""
    values = [(_KEYS.get(key, key), str(value)) for key, value in asdict(manifest).items()]
    connection.executemany("INSERT OR REPLACE INTO manifest (key, value) VALUES (?, ?)", values)


def read_deferred(connection: sqlite3.Connection) -> str:
    """Return the mark of the changes that take too long to refresh during a search; '' if there is none."""
    found = connection.execute("SELECT value FROM manifest WHERE key = ?", (_DEFERRED,)).fetchone()
    return str(found[0]) if found else ""


def write_deferred(connection: sqlite3.Connection, mark: str) -> None:
    """Store what `read_deferred` returns, in the transaction of the caller."""
    connection.execute("INSERT OR REPLACE INTO manifest (key, value) VALUES (?, ?)", (_DEFERRED, mark))


@dataclass(slots=True)
class State:
    """The state of a local index that is being changed, while the lock is held.

    Attributes:
        directory: where the index is.
        connection: to its database.
        manifest: facts about the index as a whole; None for a new one.
    """

    directory: Path
    connection: sqlite3.Connection
    manifest: LocalManifest | None

    @property
    def argument(self) -> str:
        """The command-line words that name the index."""
        return index_argument(self.directory)

    @property
    def matrix(self) -> Path:
        """The file of the matrix."""
        return self.directory / self.require().matrix

    def require(self) -> LocalManifest:
        """Return the manifest.

        Raises:
            IndexUnusableError: there is no index here yet.
        """
        if self.manifest is None:
            raise missing_index(self.directory)
        return self.manifest

    def store(self, **changes: object) -> None:
        """Write the manifest with `changes`, in the transaction of the caller."""
        self.manifest = replace(self.require(), **changes, updated=now())  # type: ignore[arg-type]
        write_manifest(self.connection, self.manifest)
