"""The manifest: what ties matrix, quotes and model of an index together."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from quotefind.errors import IndexUnusableError
from quotefind.index.interface import Manifest
from quotefind.index.local.database import FILE_NAME, FORMAT, UPGRADABLE, index_again
from quotefind.paths import index_argument

# The key of a value where it is not the name of its attribute: this one dates from format 2.
_KEYS = {"matrix_checksum": "word_sum"}
_MATRIX = re.compile(r"vectors-[0-9]{1,9}\.npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixManifest(Manifest):
    """What is true of a whole index in a directory.

    Attributes:
        matrix: the file name of the matrix.
        rows: how many rows of it count, dead ones among them.
        matrix_checksum: `vectors.matrix_checksum` of these rows.
        rewrite: the file name of a matrix that is being made to replace this one; empty where none is.
        rewrite_fingerprint: the fingerprint of the model that it is encoded with.
    """

    matrix: str
    format: int = FORMAT
    rows: int = 0
    matrix_checksum: int = 0
    rewrite: str = ""
    rewrite_fingerprint: str = ""


def read_manifest(connection: sqlite3.Connection, directory: Path) -> MatrixManifest | None:
    """Return the manifest, or None where the index was never finished so far as to have one.

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
            f"{FORMAT}. {_what_mends(values.get('format', ''), directory)}"
        )
    kinds = {"int": int, "float": float, "str": str}
    try:
        manifest = MatrixManifest(
            **{f.name: kinds[str(f.type)](values[_KEYS.get(f.name, f.name)]) for f in fields(MatrixManifest)}
        )
        # These files are opened and deleted: none may lie elsewhere.
        if not (_MATRIX.fullmatch(manifest.matrix) and _MATRIX.fullmatch(manifest.rewrite or manifest.matrix)):
            raise ValueError(f"no name of a matrix: {manifest.matrix!r}, {manifest.rewrite!r}")
        return manifest
    except (KeyError, TypeError, ValueError) as error:
        raise IndexUnusableError(
            f"The manifest in {directory / FILE_NAME} is damaged ({error}). {index_again(directory)}"
        ) from error


def _what_mends(found: str, directory: Path) -> str:
    if found in UPGRADABLE:
        return f"To bring it up to date, with nothing encoded again: quotefind index{index_argument(directory)}"
    again = index_again(directory)
    return f"Update quotefind, or {again[0].lower()}{again[1:]}"


def missing_index(directory: Path) -> IndexUnusableError:
    """Return the error for a directory that holds no manifest: there was no index yet, or its database was lost."""
    from quotefind.index.local.vectors import has_rows  # which loads NumPy

    there = f"There is no index in {directory}"
    if has_rows(directory):
        return IndexUnusableError(
            f"{there} any more: {directory / FILE_NAME} is gone or empty, though its matrix is there. "
            f"{index_again(directory)}"
        )
    return IndexUnusableError(f"{there}. To make it: quotefind index SOURCE…{index_argument(directory)}")


def write_manifest(connection: sqlite3.Connection, manifest: MatrixManifest) -> None:
    """Store `manifest`, in the transaction that the caller has begun."""
    values = [(_KEYS.get(key, key), str(value)) for key, value in asdict(manifest).items()]
    connection.executemany("INSERT OR REPLACE INTO manifest (key, value) VALUES (?, ?)", values)
