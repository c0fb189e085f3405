"""The manifest: what ties matrix, quotes and model of an index together."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from quotefind.errors import IndexUnusableError
from quotefind.index.database import FILE_NAME, FORMAT, UPGRADABLE, index_again
from quotefind.paths import index_argument

_MATRIX = re.compile(r"vectors-[0-9]{1,9}\.npy")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is true of the whole index.

    Attributes:
        format: the version of the files' layout.
        model: the reference by which the model is found.
        fingerprint: SHA-256 of the model.
        pooling: how the model makes one vector of many.
        dimension: the length of a row.
        dtype: the type of a number in the matrix, "float32".
        max_tokens: where the model cuts texts.
        matrix: the file name of the matrix.
        rows: how many rows of it count, dead ones among them.
        word_sum: what `matrix.word_sum` gives for these rows.
        rate: quotes encoded in a second when that was last measured; 0 before.
        created: when the index was made, ISO 8601, UTC.
        updated: when it was last written to.
        rewrite: the file name of a matrix that is being made to replace this one; empty where none is.
        rewrite_fingerprint: the fingerprint of the model that it is encoded with.
    """

    model: str
    fingerprint: str
    pooling: str
    dimension: int
    max_tokens: int
    matrix: str
    created: str
    updated: str
    format: int = FORMAT
    dtype: str = "float32"
    rows: int = 0
    word_sum: int = 0
    rate: float = 0.0
    rewrite: str = ""
    rewrite_fingerprint: str = ""


def read_manifest(connection: sqlite3.Connection, directory: Path) -> Manifest | None:
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
        manifest = Manifest(**{f.name: kinds[str(f.type)](values[f.name]) for f in fields(Manifest)})
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
    from quotefind.index.matrix import has_rows  # which loads NumPy

    there = f"There is no index in {directory}"
    if has_rows(directory):
        return IndexUnusableError(
            f"{there} any more: {directory / FILE_NAME} is gone or empty, though its matrix is there. "
            f"{index_again(directory)}"
        )
    return IndexUnusableError(f"{there}. To make it: quotefind index SOURCE…{index_argument(directory)}")


def write_manifest(connection: sqlite3.Connection, manifest: Manifest) -> None:
    """Store `manifest`, in the transaction that the caller has begun."""
    values = [(key, str(value)) for key, value in asdict(manifest).items()]
    connection.executemany("INSERT OR REPLACE INTO manifest (key, value) VALUES (?, ?)", values)
