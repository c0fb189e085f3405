"""An index while it is written: its database, its manifest, its matrix, its encoder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from quotefind.encoders import Encoder
from quotefind.errors import IndexUnusableError
from quotefind.index.interface import OpenEncoder, now
from quotefind.index.local.manifest import MatrixManifest, missing_index, read_manifest, write_manifest
from quotefind.index.local.vectors import MatrixWriter, damaged_matrix, first_changed, has_rows, rows_in
from quotefind.paths import Location, index_argument
from quotefind.similarity import Vectors


class WriteState:
    """What every change of an index needs; the lock is held as long as there is one.

    Attributes:
        directory, location: where the index lies.
        connection: to its database.
        manifest: what is true of the whole of it; None for a new one.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection, open_encoder: OpenEncoder) -> None:
        """Use `connection`, whose lock is held; `open_encoder(model, fingerprint)` is called when it is needed."""
        self.location: Location = directory
        self.directory = directory
        self.connection = connection
        self.manifest: MatrixManifest | None = read_manifest(connection, directory)
        if self.manifest is None and has_rows(directory):
            raise missing_index(directory)
        self.opener = open_encoder
        self.argument = index_argument(directory)

    def require_manifest(self) -> MatrixManifest:
        """Return the manifest.

        Raises:
            IndexUnusableError: there is no index here yet.
        """
        if self.manifest is None:
            raise missing_index(self.directory)
        return self.manifest

    def store(self, **changes: object) -> None:
        """Write the manifest with `changes`, in the transaction that the caller has begun."""
        self.manifest = replace(self.require_manifest(), **changes, updated=now())  # type: ignore[arg-type]
        write_manifest(self.connection, self.manifest)

    def open_encoder(self) -> Encoder:
        """Open the encoder of this index."""
        manifest = self.require_manifest()
        return self.opener(manifest.model, manifest.fingerprint)

    def open_matrix(self) -> MatrixWriter:
        """Open the matrix to append to it; see `check_matrix`."""
        manifest = self.require_manifest()
        self.check_matrix()
        return MatrixWriter(self.directory / manifest.matrix, rows=manifest.rows, dim=manifest.dimension)

    def check_matrix(self) -> None:
        """Look whether the matrix is as long as it has to be.

        Raises:
            IndexUnusableError: it is missing, or too short.
        """
        manifest = self.require_manifest()
        if not manifest.rows:
            return
        path = self.directory / manifest.matrix
        mend = f"To mend it: quotefind index --rebuild{self.argument}"
        try:
            rows = rows_in(path, manifest.dimension)
        except OSError as error:
            raise IndexUnusableError(f"{path} cannot be opened: {error.strerror or error}. {mend}") from error
        if rows < manifest.rows:
            raise IndexUnusableError(
                f"{path} is cut short: it holds {rows} rows of {manifest.dimension}, expected {manifest.rows}. {mend}"
            )

    def check_rows(self, rows: Sequence[int], vectors: Vectors, checksums: Iterable[int]) -> None:
        """Look whether `vectors` (n, d), read from `rows`, have their `checksums`: what is copied must be whole.

        Raises:
            IndexUnusableError: one has not.
        """
        position = first_changed(vectors, checksums)
        if position is not None:
            path = self.directory / self.require_manifest().matrix
            raise damaged_matrix(path, f"row {rows[position]} is not what was written", self.argument)
