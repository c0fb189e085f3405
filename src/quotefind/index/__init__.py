"""The index: a directory with a SQLite database and one matrix, and the only code that knows them."""

from __future__ import annotations

from quotefind.index.filters import Filter
from quotefind.index.manifest import Manifest
from quotefind.index.reader import Index, SourceInfo
from quotefind.index.sources import Source, location_of
from quotefind.index.verify import verify
from quotefind.index.writer import IndexWriter, Summary, TooLongError, open_to_write

__all__ = [
    "Filter",
    "Index",
    "IndexWriter",
    "Manifest",
    "Source",
    "SourceInfo",
    "Summary",
    "TooLongError",
    "location_of",
    "open_to_write",
    "verify",
]
