"""The same sources in a local index and in a Lance index, which must agree on everything."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoder import FakeEncoder
from library import Library

from quotefind.index.filters import Filter
from quotefind.index.sources import Source
from quotefind.index.summary import Summary
from quotefind.records import Hit
from quotefind.search import FindOptions, find
from quotefind.stores import open_index

COUNTS = (
    "sources", "files", "added", "reused", "updated", "removed", "repeats", "truncated", "bad", "encoded", "quotes",
)  # fmt: skip


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the lock without waiting, since nobody else wants it, and commit every fragment at once."""
    monkeypatch.setattr("quotefind.index.lance.lock._SETTLE", 0.0)
    monkeypatch.setattr("quotefind.index.lance.writer._COMMIT_AFTER", 0.0)


class Both:
    """A local index and a Lance index of the same sources, each with its own encoders."""

    def __init__(self, folder: Path, *names: str, dim: int = 32) -> None:
        """Make the encoders called `names` for each; the first is the default."""
        made = [[FakeEncoder(name, dim) for name in names or ("fake",)] for _ in range(2)]
        self.matrix = Library(folder / "index", folder / "sources", *made[0])
        self.lance = Library(folder / "index.lance", folder / "sources", *made[1])

    @property
    def libraries(self) -> tuple[Library, Library]:
        """Both, the local index first."""
        return self.matrix, self.lance

    def write(self, name: str, *lines: str) -> Path:
        """Write a source."""
        return self.matrix.write(name, *lines)

    def update(self, *sources: Path | Source | str, stdin: bytes | None = None, **options: object) -> Summary:
        """Update both and return the summary, which is the same; both encoded the same texts."""
        summaries = []
        for library in self.libraries:
            library.encoder.encoded.clear()
            stream = {} if stdin is None else {"stream": io.BytesIO(stdin)}
            summaries.append(library.update(*sources, **stream, **options))
        first, second = ([getattr(summary, name) for name in COUNTS] for summary in summaries)
        assert dict(zip(COUNTS, second, strict=True)) == dict(zip(COUNTS, first, strict=True))
        said = [[text.replace("index.lance", "index") for text in summary.warnings] for summary in summaries]
        assert said[0] == said[1]
        assert sorted(self.lance.encoder.encoded) == sorted(self.matrix.encoder.encoded)
        return summaries[1]

    def each(self, do: Callable[[Library], Any]) -> Any:
        """Call `do` with both and return the result, which is the same."""
        first, second = map(do, self.libraries)
        assert second == first
        return second

    def agree(self) -> list[str]:
        """Check that both hold the same; return the texts in order."""
        held = [sorted(map(astuple, library.quotes())) for library in self.libraries]
        assert held[1] == held[0]
        with open_index(self.matrix.directory) as matrix, open_index(self.lance.directory) as lance:
            assert lance.count == matrix.count
            assert lance.sources() == matrix.sources()
            assert lance.statistics() == matrix.statistics()
            assert lance.ids_by_tag().keys() == matrix.ids_by_tag().keys()
            for kind in ("author", "work", "tag"):
                assert lance.names(kind, "") == matrix.names(kind, "")
            if lance.count:
                request = self.matrix.encoder.vectors(["the line that is asked for"])
                (found,), (expected,) = lance.search(request, lance.count), matrix.search(request, matrix.count)
                np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        return [quote.text for quote in self.lance.quotes()]

    def find(self, queries: Sequence[str], **options: Any) -> list[list[tuple[str, float]]]:
        """Return the ids and scores of the hits, which are the same in both."""
        matrix, shared = (_find(library, queries, FindOptions(**options)) for library in self.libraries)
        for hits, expected in zip(shared, matrix, strict=True):
            assert [replace(hit, score=0.0) for hit in hits] == [replace(hit, score=0.0) for hit in expected]
            np.testing.assert_allclose([hit.score for hit in hits], [hit.score for hit in expected], atol=1e-5)
        return [[(hit.quote.id or "", hit.score) for hit in hits] for hits in shared]

    def lance_count(self) -> int:
        """Return how many quotes the Lance dataset holds."""
        with open_index(self.lance.directory) as index:
            return index.count

    def matching(self, where: Filter) -> list[int]:
        """Return the rows that satisfy `where`, which are the same in both."""
        rows: list[int] = self.each(lambda library: _matching(library, where))
        return rows


def _find(library: Library, queries: Sequence[str], options: FindOptions) -> list[list[Hit]]:
    with open_index(library.directory) as index:
        return find(index, library.encoder, queries, options)


def _matching(library: Library, where: Filter) -> list[int]:
    with open_index(library.directory) as index:
        return index.rows_where(where).tolist()


def lines_of(count: int) -> list[str]:
    """Return `count` different lines of several words."""
    known = ("hope", "sea", "war", "love", "stone", "night", "river")
    rng = np.random.default_rng(7)
    return [f"{' '.join(rng.choice(known, 5))} number{n}" for n in range(count)]
