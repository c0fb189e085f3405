"""Encode new quotes and write them into fragments of the dataset, in this process or on a machine of a cluster."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from quotefind.index.lance.dataset import import_lance, reported, storage_options
from quotefind.index.lance.machines import Encoded
from quotefind.index.lance.rows import with_vectors
from quotefind.progress import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa
    from lance.fragment import FragmentMetadata

    from quotefind.encoders import Encoder
    from quotefind.paths import Location


def encode(records: pa.Table, encoder: Encoder, schema: pa.Schema, progress: Progress = silent) -> pa.Table:
    """Return whole rows of the dataset from `records`, which lack the columns in `versions.DERIVED`."""
    texts = records["text"].to_pylist()
    vectors = encoder.encode_quotes(texts, progress)
    truncated = [length > encoder.max_tokens for length in encoder.count_tokens(texts)]
    return with_vectors(records, vectors, truncated, schema)


def write(rows: pa.Table, location: Location, options: dict[str, str] | None = None) -> list[FragmentMetadata]:
    """Write `rows` into the storage of the dataset and return the fragments, which no version has yet.

    `options` say how the storage is reached; by default this comes from the environment of this process.
    """
    import_lance()
    from lance.fragment import write_fragments

    options = options or storage_options(location)
    with reported(location):
        return list(write_fragments(rows, str(location), schema=rows.schema, storage_options=options))


def as_encoded(rows: pa.Table, fragments: list[FragmentMetadata]) -> Encoded:
    """Return `fragments`, into which `rows` were written, with what is known of the rows."""
    return Encoded(fragments, rows["row"].to_pylist(), sum(rows["truncated"].to_pylist()))


def to_table(encoded: Encoded) -> pa.Table:
    """Return `encoded` as a table of one row, in which form a machine of a cluster returns it; see `from_row`."""
    import pyarrow as pa

    return pa.table(
        {
            "fragments": [[json.dumps(fragment.to_json()) for fragment in encoded.fragments]],
            "rows": [encoded.rows],
            "truncated": [encoded.truncated],
        }
    )


def from_row(row: dict[str, Any]) -> Encoded:
    """Return what `to_table` made this `row` of a table from."""
    import_lance()
    from lance.fragment import FragmentMetadata

    return Encoded([FragmentMetadata.from_json(text) for text in row["fragments"]], row["rows"], row["truncated"])


class Worker:
    """Encodes quotes and writes them into fragments, in a process of the cluster."""

    def __init__(
        self,
        model: str,
        fingerprint: str,
        device: str,
        location: Location,
        options: dict[str, str] | None,
        schema: pa.Schema,
    ) -> None:
        """Open nothing yet; `location`, `options` and `schema` say where and how fragments are written."""
        self._model = model
        self._fingerprint = fingerprint
        self._device = device
        self._location = location
        self._options = options
        self._schema = schema

    @cached_property
    def _encoder(self) -> Encoder:
        # Opened for the first texts: Ray does not pass on what went wrong in a constructor.
        from quotefind.encoders import open_encoder

        return open_encoder(self._model, device=self._device, fingerprint=self._fingerprint)

    def __call__(self, records: pa.Table) -> pa.Table:
        """Encode `records` and write them; return what `to_table` makes of the result."""
        rows = encode(records, self._encoder, self._schema)
        return to_table(as_encoded(rows, write(rows, self._location, self._options)))
