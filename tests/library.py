"""An index in a directory of its own, or in a Lance dataset, with sources to write and fake models to encode them."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

from fake_encoder import FakeEncoder, FakeModels

from quotefind.index.filters import Filter
from quotefind.index.interface import IndexWriter
from quotefind.index.sources import Source
from quotefind.index.summary import Summary
from quotefind.records import Quote
from quotefind.stores import open_index, open_to_write, verify


class Library:
    """An index of its own with a fake encoder, and a folder to write sources in.

    Where the name of its directory ends in .lance it is a Lance dataset, else a directory.
    """

    def __init__(self, directory: Path, sources: Path, *encoders: FakeEncoder) -> None:
        """Use the fake `encoders`; the first is the default model."""
        self.directory = directory
        self.folder = sources
        self.folder.mkdir(exist_ok=True)
        self.encoders = encoders
        self.encoder = encoders[0]
        self.models = FakeModels(*encoders)

    def write(self, name: str, *lines: str) -> Path:
        """Write a source, a line a quote if its suffix is .txt; return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        if before:  # so that a second writing within one tick of the clock is seen
            os.utime(path, ns=(before, max(path.stat().st_mtime_ns, before + 1_000_000)))
        return path

    def update(self, *sources: Path | Source | str, **options: object) -> Summary:
        """Add or refresh sources in an index opened for just that."""
        made = [s if isinstance(s, Source) else Source(str(s)) for s in sources]
        with self.writer() as writer:
            return writer.update(made, **options)  # type: ignore[arg-type]

    def writer(self) -> AbstractContextManager[IndexWriter]:
        """Open the index to write it."""
        return open_to_write(self.directory, self.models)

    def quotes(self) -> list[Quote]:
        """Return all quotes of the index by row, having verified that it is whole."""
        with open_index(self.directory) as index:
            verify(index)
            return index.quotes(index.rows_where(Filter()).tolist())

    def texts(self) -> list[str]:
        """Return the texts of all quotes, sorted, having verified that the index is whole."""
        return sorted(quote.text for quote in self.quotes())
