"""New quotes encoded, and written into fragments of the dataset, by whichever process does it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from quotefind.lance_index.dataset import import_lance, reported, shared_texts, storage_options
from quotefind.lance_index.rows import with_vectors
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
        """Open the model; `location`, `options` and `schema` say where texts are read, and fragments are written."""
        from quotefind.encoders import open_encoder

        self._encoder = open_encoder(model, device=device, fingerprint=fingerprint)
        self._location = location
        self._options = options
        self._schema = schema

    def __call__(self, parts: pa.Table) -> pa.Table:
        """Return for each of the `parts` of the shared texts its new fragments, their rows, and how many were cut."""
        import pyarrow as pa

        shared = import_lance().dataset(shared_texts(self._location), storage_options=self._options)
        done: dict[str, list[Any]] = {"fragments": [], "rows": [], "truncated": []}
        for part in parts["part"].to_pylist():
            rows = encoded(shared.get_fragment(part).to_table(), self._encoder, self._schema)
            done["fragments"].append(pickle.dumps(written(rows, self._location, self._options)))
            done["rows"].append(rows["row"].to_pylist())
            done["truncated"].append(sum(rows["truncated"].to_pylist()))
        return pa.table(done)
