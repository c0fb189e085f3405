"""New quotes encoded, and written into fragments of the dataset, by whichever process does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotefind.lance_index.dataset import import_lance, storage_options
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
    return list(write_fragments(rows, str(location), schema=rows.schema, storage_options=options))
