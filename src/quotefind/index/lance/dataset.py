"""The Lance dataset of an index: its columns, versions, manifest and list of sources."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from quotefind.errors import IndexUnusableError, ModelError
from quotefind.index.interface import Manifest
from quotefind.index.lance.sources import SourceTables
from quotefind.paths import LANCE, Location, index_argument

if TYPE_CHECKING:
    from types import ModuleType

    import lance
    import pyarrow as pa

FORMAT = 3
# The tag of the version that readers open. Writers commit incomplete versions in between.
TAG = "quotefind"
_MANIFEST, _SOURCE_TABLES = "quotefind.manifest", "quotefind.sources"
# Why a version can be incomplete: an update from the sources, or a change to many quotes. See also `rebuild`.
UPDATE, CHANGE = "update", "change"
# What Lance adds to the message of an error: the kind of error in each of its layers, and the place in its source.
_LANCE_ADDS = re.compile(r"(External error|LanceError\(\w+\)|Generic \S+ error): |,? /\S+\.rs:\d+(:\d+)?")
_CUT = ("Not found", "failed to fill whole buffer", "Invalid range", "failed to decode", "Corrupt", "corrupt")
INSTALL = "pip install 'quotefind[scale]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanceManifest(Manifest):
    """The manifest of an index in a Lance dataset.

    Attributes:
        next_row: the row of the next new quote.
        words: the number of terms in all quotes, for BM25.
        vector_index: the fields of `vector_index.VectorIndex`.
        unfinished: why this version is incomplete: `UPDATE`, `CHANGE` or what `rebuild` returns; empty if it is
            complete.
        begun: the numbers of the sources that an unfinished update has started on.
    """

    format: int = FORMAT
    next_row: int = 0
    words: int = 0
    vector_index: dict[str, Any] = field(default_factory=dict)
    unfinished: str = ""
    begun: list[int] = field(default_factory=list)


def import_lance(what: str = "An index whose name ends in .lance") -> ModuleType:
    """Return Lance's module, which `what` needs.

    Raises:
        ModelError: the extra is missing.
    """
    # Lance logs about its own work, and the lines would appear in the output of a command.
    os.environ.setdefault("LANCE_LOG", "error")
    try:
        import lance
    except ModuleNotFoundError as error:
        raise missing_extra(what, error) from error
    return lance  # type: ignore[no-any-return]


def missing_extra(what: str, error: ModuleNotFoundError) -> ModelError:
    """Return the error that `what` needs a package that is not installed."""
    return ModelError(f"{what} needs the package {error.name}, which is not installed. To install it: {INSTALL}")


# Environment variables that say how storage is reached. Workers on other machines get their values.
_STORAGE = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"),
    "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"),
}


def storage_options(location: Location) -> dict[str, str] | None:
    """Return how the storage of an index is reached, from the environment; None for a directory."""
    scheme, separator, _ = str(location).partition("://")
    if not separator:
        return None
    scheme = scheme.casefold()
    options = {name.lower(): os.environ[name] for name in _STORAGE.get(scheme, ()) if os.environ.get(name)}
    if scheme != "s3":
        return options
    if "aws_region" not in options and os.environ.get("AWS_DEFAULT_REGION"):
        options["aws_region"] = os.environ["AWS_DEFAULT_REGION"]
    if "aws_endpoint" not in options and os.environ.get("AWS_ENDPOINT_URL"):
        options["aws_endpoint"] = os.environ["AWS_ENDPOINT_URL"]
    if options.get("aws_endpoint", "").startswith("http://"):
        options["allow_http"] = "true"
    return options


def schema(dimension: int, metadata: dict[str, str] | None = None) -> pa.Schema:
    """Return the columns, one row for each quote; `metadata` of a new dataset comes from `metadata_of`.

    `row` orders the quotes and never changes. `id` and `digest` come from `text.quote_id` and `text.text_digest`.
    `checksum` is the CRC-32 of the vector, `seal` the CRC-32 of everything that a hit shows. `files` and `lines` say
    where the quote was read, the files by their numbers in `SourceTables`. Filters look at the folded columns, in which
    names begin with a blank.
    """
    import pyarrow as pa

    words = pa.list_(pa.string())
    return pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("id", pa.string(), nullable=False),
            pa.field("digest", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("chars", pa.int32(), nullable=False),
            ("author", pa.string()),
            ("work", pa.string()),
            ("year", pa.int64()),
            pa.field("tags", words, nullable=False),
            pa.field("proposed", words, nullable=False),
            ("note", pa.string()),
            ("place", pa.string()),
            ("added", pa.string()),
            ("verse", pa.string()),
            ("author_folded", pa.string()),
            ("work_folded", pa.string()),
            pa.field("tags_folded", words, nullable=False),
            pa.field("proposed_folded", words, nullable=False),
            pa.field("words", pa.string(), nullable=False),
            pa.field("word_count", pa.int32(), nullable=False),
            pa.field("truncated", pa.bool_(), nullable=False),
            pa.field("seal", pa.int64(), nullable=False),
            pa.field("checksum", pa.int64(), nullable=False),
            pa.field("files", pa.list_(pa.int32()), nullable=False),
            pa.field("lines", pa.list_(pa.int64()), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ],
        metadata=metadata,
    )


def open_version(location: Location, version: int | str | None = TAG) -> lance.LanceDataset | None:
    """Open the dataset at `location` in `version`: by its number, its tag, or, with None, the newest.

    Returns:
        The dataset; None if there is none, or none with this tag.

    Raises:
        IndexUnusableError: it cannot be opened.
    """
    lance = import_lance()
    with reported(location):
        try:
            return lance.dataset(str(location), version=version, storage_options=storage_options(location))
        except (ValueError, OSError) as error:
            # Lance has no error type for this.
            if "was not found" in str(error) or f"tag {version} does not exist" in str(error):
                return None
            raise


def exists(location: Location) -> bool:
    """Whether there is a dataset at `location`, even if it cannot be used."""
    return open_version(location, None) is not None


def missing_index(location: Location) -> IndexUnusableError:
    """Return the error for an index that does not exist, or that no run has completed yet.

    Raises:
        IndexUnusableError: the dataset is not an index, or it is damaged.
    """
    begun = open_version(location, None)
    if begun is not None:
        read_manifest(begun, location)
        if read_source_tables(begun, location).sources:
            return IndexUnusableError(
                f"The index in {location} was never finished. To finish it: quotefind index{index_argument(location)}"
            )
    return IndexUnusableError(
        f"There is no index in {location}. To make it: quotefind index SOURCE…{index_argument(location)}"
    )


def read_manifest(dataset: lance.LanceDataset, location: Location) -> LanceManifest:
    """Return the manifest of this version.

    Raises:
        IndexUnusableError: the dataset is not an index, or has another format.
    """
    text = _metadata(dataset).get(_MANIFEST)
    if text is None:
        raise IndexUnusableError(
            f"{location} is a Lance dataset, but not an index of quotefind. Give the index another name."
        )
    try:
        values = json.loads(text)
        if (stored := values["format"]) != FORMAT:
            fix = "Update quotefind" if stored > FORMAT else "Index its sources again under another name"
            raise IndexUnusableError(
                f"The index in {location} has format {stored}; this version of quotefind reads format {FORMAT}. {fix}."
            )
        return LanceManifest(**{f.name: values[f.name] for f in fields(LanceManifest)})
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(location, f"its manifest cannot be read ({error})") from error


def read_source_tables(dataset: lance.LanceDataset, location: Location) -> SourceTables:
    """Return the sources and files that this version was made from.

    Raises:
        IndexUnusableError: it cannot be read.
    """
    with readable_source_tables(location):
        return SourceTables.unpacked(_metadata(dataset)[_SOURCE_TABLES])


@contextmanager
def readable_source_tables(location: Location) -> Iterator[None]:
    """Turn an error while reading the list of sources into one that names the index."""
    try:
        yield
    except (KeyError, TypeError, ValueError, zlib.error, sqlite3.Error) as error:
        raise damaged(location, f"its list of sources cannot be read ({error})") from error


def metadata_of(manifest: LanceManifest, source_tables: SourceTables) -> dict[str, str]:
    """Return the metadata of a version that holds `manifest` and `source_tables`."""
    return {_MANIFEST: json.dumps(asdict(manifest)), _SOURCE_TABLES: source_tables.packed()}


def rebuild(fingerprint: str) -> str:
    """Return why a version is incomplete while all quotes are encoded with the model of this `fingerprint`."""
    return f"rebuild {fingerprint}"


def _metadata(dataset: lance.LanceDataset) -> dict[str, str]:
    # In the schema, not in the table: so one commit makes an empty dataset with its metadata.
    stored = dataset.schema.metadata or {}
    return {key.decode(): value.decode(errors="replace") for key, value in stored.items()}


def damaged(location: Location, what: str) -> IndexUnusableError:
    """Return the error for a dataset that can be read but is damaged."""
    return IndexUnusableError(
        f"The index in {location} is damaged: {what}. To fix it: quotefind index --rebuild{index_argument(location)}; "
        f"if that cannot read it either: quotefind index SOURCE… --index OTHER.lance"
    )


def shared_texts(location: Location) -> str:
    """Return the location of the texts that workers of a cluster are encoding."""
    return f"{location}/_quotefind_todo{LANCE}"


def drop_shared(location: Location) -> None:
    """Delete the `shared_texts`, if there are any; a run that was killed leaves them."""
    with suppress(OSError):
        import_lance().LanceDataset.drop(shared_texts(location), storage_options=storage_options(location))


@contextmanager
def reported(location: Location) -> Iterator[None]:
    """Turn what Lance raises about its files into an error that names the index."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        # Lance raises these three for problems with files, the network or permissions.
        said = getattr(error, "strerror", None) or _LANCE_ADDS.sub("", " ".join(str(error).split()))[:300]
        if any(sign in said for sign in _CUT):
            raise damaged(location, f"one of its files is missing or damaged ({said})") from error
        hint = "Check the storage and its permissions."
        if "No space left" in said:
            hint = "Free some space there and run the command again; everything committed is safe."
        raise IndexUnusableError(f"The index in {location} cannot be used: {said.rstrip('.')}. {hint}") from error
