"""The index: a directory with a SQLite database and one matrix, and the only code that knows them."""

from __future__ import annotations

from quotefind.index.filters import Filter
from quotefind.index.manifest import Manifest
from quotefind.index.reader import Index, SourceInfo
from quotefind.index.sources import Source, is_stale, location_of
from quotefind.index.verify import verify
from quotefind.index.writer import IndexWriter, OpenEncoder, Summary, TooLongError, open_to_write

__all__ = [
    "Filter",
    "Index",
    "IndexWriter",
    "Manifest",
    "OpenEncoder",
    "Source",
    "SourceInfo",
    "Summary",
    "TooLongError",
    "is_stale",
    "location_of",
    "open_to_write",
    "verify",
]
