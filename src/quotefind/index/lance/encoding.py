"""New quotes encoded, and written into fragments of the dataset, by whichever process does it."""

from __future__ import annotations

import pickle
from functools import cached_property
from typing import TYPE_CHECKING

from quotefind.index.lance.dataset import import_lance, reported, storage_options
from quotefind.index.lance.rows import with_vectors
from quotefind.progress import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa
    from lance.fragment import FragmentMetadata

    from quotefind.encoders import Encoder
    from quotefind.paths import Location


def encoded(records: pa.Table, encoder: Encoder, schema: pa.Schema, progress: Progress = silent) -> pa.Table:
    """Return whole rows of the dataset from `records`, which hold all but vectors and words."""
    texts = records["text"].to_pylist()
    vectors = encoder.encode_quotes(texts, progress)
    truncated = [length > encoder.max_tokens for length in encoder.count_tokens(texts)]
    return with_vectors(records, vectors, truncated, schema)


def written(rows: pa.Table, location: Location, options: dict[str, str] | None = None) -> list[FragmentMetadata]:
    """Write `rows` into the storage of the dataset, and return the fragments, which belong to no version yet.

    `options` say how the storage is reached, where that is not what the environment of this process says.
    """
    import_lance()
    from lance.fragment import write_fragments

    options = options or storage_options(location)
    with reported(location):
        return list(write_fragments(rows, str(location), schema=rows.schema, storage_options=options))


class Worker:
    """Encodes quotes and writes the fragments that hold them, in a process of the cluster."""

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
        # Not before there is something to encode: what Ray tells of an error in the constructor is not what was wrong.
        from quotefind.encoders import open_encoder

        return open_encoder(self._model, device=self._device, fingerprint=self._fingerprint)

    def __call__(self, records: pa.Table) -> pa.Table:
        """Return a row with the fragments that hold `records`, the rows in them, and how many texts were cut."""
        import pyarrow as pa

        rows = encoded(records, self._encoder, self._schema)
        return pa.table(
            {
                "fragments": [pickle.dumps(written(rows, self._location, self._options))],
                "rows": [rows["row"].to_pylist()],
                "truncated": [sum(rows["truncated"].to_pylist())],
            }
        )
