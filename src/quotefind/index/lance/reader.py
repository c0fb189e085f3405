"""Search an index in a Lance dataset: one committed version, which does not change when others write."""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quotefind.index.interface import Index, SourceInfo
from quotefind.index.lance import bm25 as word_search
from quotefind.index.lance.dataset import (
    LanceManifest,
    damaged,
    missing_index,
    open_version,
    read_manifest,
    read_source_tables,
    readable_source_tables,
    reported,
)
from quotefind.index.lance.filters import both, condition_of, literal
from quotefind.index.lance.rows import SHOWN, is_intact, quote_of, vectors_of
from quotefind.index.lance.vector_index import VectorIndex
from quotefind.similarity import SCORE_ERROR, Ranking, Vectors, check_queries, cosine_scores
from quotefind.text import counted, fold, text_digest

if TYPE_CHECKING:
    import pyarrow as pa

    from quotefind.index.filters import Filter
    from quotefind.index.lance.machines import Machines
    from quotefind.paths import Location
    from quotefind.records import Quote

# The most rows that one condition names.
_ROWS = 2000
# How many more rows than wanted are requested: Lance computes in float32, so those near the cut are scored again.
_SPARE = 16
# At least this many candidates are scored again with the BM25 of FTS5; Lance, which finds them, uses another idf.
_CANDIDATES = 10_000
_NAMES = {"author": ["author"], "work": ["work"], "tag": ["tags_folded", "proposed_folded"]}


class LanceIndex(Index):
    """An index in a Lance dataset, which several machines can share; an object of this class reads one version."""

    shared = True

    def __init__(self, location: Location, *, cluster: Machines | None = None, exact: bool = False) -> None:
        """Open the index at `location`.

        Args:
            location: path or URL of the dataset.
            cluster: the machines that search it; None to search in this process.
            exact: compare every quote even if the vectors have an approximate index.

        Raises:
            IndexUnusableError: there is no index, or it cannot be opened.
            ModelError: the extra `scale` is missing, or `cluster` cannot be reached.
        """
        dataset = open_version(location)
        if dataset is None:
            raise missing_index(location)
        self.location = location
        self.dataset = dataset
        self._cluster = cluster
        self._exact = exact
        self._names_read: dict[str, list[tuple[str, str]]] = {}
        self._manifest = read_manifest(dataset, location)
        self._vector_index = VectorIndex.of(self._manifest.vector_index)
        with readable_source_tables(location):
            self._sources = read_source_tables(dataset, location).database()
        if cluster is not None:
            cluster.connect(location, lambda: f"The index in {location} is unchanged: {counted(self.count, 'quote')}.")

    @property
    def manifest(self) -> LanceManifest:
        """The manifest of this version."""
        return self._manifest

    @cached_property
    def count(self) -> int:
        """How many quotes the index holds."""
        with reported(self.location):
            return int(self.dataset.count_rows())

    @property
    def mapped(self) -> int:
        """How many bytes of its files are mapped into memory: always 0."""
        return 0

    @property
    def source_tables(self) -> sqlite3.Connection:
        """The tables `sources` and `files`, in memory."""
        return self._sources

    def close(self) -> None:
        """Close the index."""
        self._sources.close()

    def release(self) -> None:
        """Release nothing: a version never changes, and writers do not wait for readers."""

    def reacquire(self) -> bool:
        """Return whether this is still the current version of the index."""
        newest = open_version(self.location)
        return newest is not None and newest.version == self.dataset.version

    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Ranking]:
        """Return for each of `queries` (q, d) the `k` nearest quotes that satisfy `where`, by cosine similarity.

        Raises:
            IndexUnusableError: a vector that is ranked does not match its checksum.
            ValueError: `queries` do not have the dimension of the index, or are not finite.
        """
        check_queries(queries, self._manifest.dimension)
        condition = condition_of(where)
        k = min(k, self.count)
        if k <= 0:
            return [Ranking(np.empty(0, np.int64), np.empty(0, np.float64)) for _ in queries]
        return [self._ranked(query, k, condition) for query in queries]

    def _ranked(self, query: Vectors, k: int, condition: str | None) -> Ranking:
        """Return the nearest quotes to one query (d,): found by Lance, scored here in float64; ties by row."""
        asked = k + _SPARE
        while True:
            with reported(self.location):
                found = self._found(query, asked, condition)
            vectors = self._checked_vectors(found)
            rows = found["row"].to_numpy().astype(np.int64)
            scores = cosine_scores(vectors, query[None])[:, 0] if len(rows) else np.empty(0)
            order = np.lexsort((rows, -scores))
            # If the last row found could tie with the last row wanted, so could rows that were not found.
            if len(rows) < asked or scores[order[-1]] < scores[order[k - 1]] - SCORE_ERROR or asked >= self.count:
                return Ranking(rows[order[:k]], scores[order[:k]])
            asked = min(asked * 4, self.count)

    def _found(self, query: Vectors, k: int, condition: str | None) -> pa.Table:
        columns = ["row", "checksum", "vector", "_distance"]
        nearest = self._vector_index.query_options(query, k, exact=self._exact)
        if self._cluster is not None and self._vector_index.searchable_by_cluster(exact=self._exact):
            return self._cluster.search(self.dataset, nearest, columns, condition)
        return self.dataset.to_table(columns=columns, nearest=nearest, filter=condition, prefilter=True)

    def search_words(self, words: Sequence[str], k: int, where: Filter | None = None) -> Ranking:
        """Return at most `k` quotes that hold any of `words`, best first by BM25; ties by row.

        Lance's full-text index finds the quotes; they are scored as SQLite's FTS5 would score them.
        """
        phrases = word_search.tokenize(list(words))
        known = sorted({token for phrase in phrases for token in phrase})
        if not known or not self.count:
            return Ranking(np.empty(0, np.int64), np.empty(0, np.float64))
        with reported(self.location):
            idfs = [word_search.inverse_document_frequency(self._holding(phrase), self.count) for phrase in phrases]
            found = self._matching(known, "OR", max(_CANDIDATES, 4 * k), condition_of(where))
        texts = [text.split(" ") for text in found["words"].to_pylist()]
        scores = word_search.bm25(phrases, idfs, texts, self._manifest.words / self.count)
        most = (word_search.K1 + 1) * math.fsum(idfs)
        rows = found["row"].to_numpy().astype(np.int64)
        held = np.flatnonzero(scores > 0)  # the words of a phrase need not be next to each other
        order = held[np.lexsort((rows[held], -scores[held]))[:k]]
        return Ranking(rows[order], np.minimum(scores[order] / most, 1.0))

    def _matching(self, tokens: Sequence[str], operator: str, limit: int | None, condition: str | None) -> pa.Table:
        from lance.query import FullTextOperator, MatchQuery

        query = MatchQuery(" ".join(tokens), column="words", operator=FullTextOperator(operator))
        return self.dataset.to_table(
            columns=["row", "words", "_score"], full_text_query=query, limit=limit, filter=condition, prefilter=True
        )

    def _holding(self, phrase: Sequence[str]) -> int:
        """Return how many quotes hold `phrase`."""
        if not phrase:
            return 0
        if len(phrase) > 1:
            texts = self._matching(phrase, "AND", None, None)["words"].to_pylist()
            return sum(word_search.occurrences(phrase, text.split(" ")) > 0 for text in texts)
        from lance.query import MatchQuery

        scanner = self.dataset.scanner(
            columns=[], with_row_id=True, full_text_query=MatchQuery(phrase[0], column="words")
        )
        return int(scanner.count_rows())

    def rows_where(self, where: Filter) -> NDArray[np.int64]:
        """Return the rows (n,) of the quotes that satisfy `where`, ascending; without conditions, all rows."""
        return self._rows(condition_of(where))

    def _rows(self, condition: str | None) -> NDArray[np.int64]:
        with reported(self.location):
            rows = self.dataset.to_table(columns=["row"], filter=condition)["row"].to_numpy()
        return np.sort(rows.astype(np.int64))

    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors (n, d) of `rows`, each checked against its checksum."""
        vectors = np.empty((len(rows), self._manifest.dimension), np.float32)
        for start, found in self._records(rows, ["row", "checksum", "vector"]):
            vectors[start : start + len(found)] = self._checked_vectors(found)
        return vectors

    def digest(self, rows: NDArray[np.int64]) -> str:
        """Return the SHA-256, in hexadecimal, of the model and of the checksums of the vectors in `rows` (n,)."""
        from hashlib import sha256

        state = sha256(self._manifest.fingerprint.encode())
        for _, found in self._records(np.asarray(rows), ["row", "checksum"]):
            state.update(np.column_stack([found["row"].to_numpy(), found["checksum"].to_numpy()]).tobytes())
        return state.hexdigest()

    def quotes(self, rows: Iterable[int]) -> list[Quote]:
        """Return the quotes in `rows`, in that order.

        Raises:
            IndexUnusableError: a quote or its vector does not match its checksum.
        """
        wanted = np.fromiter((int(row) for row in rows), np.int64)
        quotes: list[Quote] = []
        for _, found in self._records(wanted, [*SHOWN, "checksum", "vector"]):
            self._checked_vectors(found)
            quotes += map(self._quote, found.drop_columns(["vector"]).to_pylist())
        return quotes

    def _quote(self, record: dict[str, Any]) -> Quote:
        if not is_intact(record):
            raise damaged(self.location, f"quote {record['id']} does not match its checksum")
        return quote_of(record, self._paths)

    @cached_property
    def _paths(self) -> dict[int, str]:
        return dict(self._sources.execute("SELECT id, path FROM files"))

    def _records(self, rows: NDArray[np.int64], columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        """Yield `columns` of `rows` in that order, in parts, each with the position in `rows` at which it starts."""
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            condition = f"row IN ({', '.join(map(str, np.unique(part).tolist()))})"
            with reported(self.location):
                found = self.dataset.to_table(columns=columns, filter=condition)
            held = found["row"].to_numpy()
            order = np.argsort(held)
            places = np.searchsorted(held[order], part)
            if len(held) < len(np.unique(part)) or (held[order][np.minimum(places, len(held) - 1)] != part).any():
                raise damaged(self.location, "a quote cannot be found by its row")
            yield start, found.take(order[places])

    def _checked_vectors(self, found: pa.Table) -> Vectors:
        """Return the vectors (n, d) in `found`, each checked against its checksum."""
        vectors = vectors_of(found, self._manifest.dimension)
        for position, checksum in enumerate(found["checksum"].to_pylist()):
            if zlib.crc32(vectors[position].tobytes()) != checksum:
                raise damaged(self.location, f"the vector of row {found['row'][position]} does not match its checksum")
        return vectors

    def row_of(self, quote_id: str) -> int | None:
        """Return the row of the quote with the id `quote_id`, or of the only one whose id begins with it; else None."""
        beginning = quote_id.lower()
        found = self._rows(f"id >= {literal(beginning)} AND id < {literal(beginning + 'g')}")
        return int(found[0]) if len(found) == 1 else None

    def rows_with_text(self, text: str) -> list[int]:
        """Return the rows of the quotes with exactly this normalised text, by any author."""
        return [int(row) for row in self._rows(f"digest = {literal(text_digest(text).hex())}")]

    def rows_with_proposals(self) -> NDArray[np.int64]:
        """Return the rows (n,) of the quotes that have proposed tags, ascending."""
        return self._rows("array_length(proposed) > 0")

    def ids(self, where: Filter, most: int) -> list[str]:
        """Return the ids of at most `most` quotes that satisfy `where`, in no order."""
        with reported(self.location):
            found = self.dataset.to_table(columns=["id"], filter=condition_of(where), limit=most)
        return [str(name) for name in found["id"].to_pylist()]

    def first_id(self, where: Filter, start: str) -> str | None:
        """Return the smallest id from `start` on that satisfies `where`; if there is none, the smallest of all."""
        condition = condition_of(where)
        for beginning in (int(start, 16), 0):
            # Ids are spread evenly, so this range holds a few; if it holds none, a wider one will.
            width = 2**64 // max(self.count, 1) * 16
            while True:
                end = beginning + width
                part = f"id >= '{beginning:016x}'" + (f" AND id < '{end:016x}'" if end < 2**64 else "")
                with reported(self.location):
                    found = self.dataset.to_table(columns=["id"], filter=both(condition, part))
                if len(found):
                    return min(str(name) for name in found["id"].to_pylist())
                if end >= 2**64:
                    break
                width *= 16
        return None

    def quote(self, quote_id: str) -> Quote:
        """Return the quote with this id, which is in the index."""
        row = self.row_of(quote_id)
        if row is None:
            raise damaged(self.location, f"quote {quote_id} is missing")
        return self.quotes([row])[0]

    def ids_by_tag(self) -> dict[str, list[str]]:
        """Return for each tag, folded, the ids of the quotes that have it as their own."""
        with reported(self.location):
            found = self.dataset.to_table(columns=["row", "id", "tags_folded"], filter="array_length(tags_folded) > 0")
        by_tag: dict[str, list[str]] = {}
        for record in found.sort_by("row").to_pylist():
            for tag in record["tags_folded"]:
                by_tag.setdefault(tag, []).append(record["id"])
        return dict(sorted(by_tag.items()))

    def names(self, kind: str, beginning: str, limit: int = 50) -> list[str]:
        """Return at most `limit` names of which a word begins with `beginning`, in alphabetical order.

        Case and accents do not matter; `kind` is "author", "work" or "tag". The first call reads the names of all
        quotes, and later ones look at what it found.
        """
        word = f" {fold(beginning)}"
        found = (name for folded, name in self._names(kind) if word in folded)
        return list(islice(found, limit))

    def _names(self, kind: str) -> list[tuple[str, str]]:
        """Return all names of a `kind`, each after its folded form with a blank before it, sorted."""
        if kind not in self._names_read:
            names: set[str | None] = set()
            for batch in self._batches(_NAMES[kind]):
                for column in batch.columns:
                    names.update((column.flatten() if kind == "tag" else column).unique().to_pylist())
            self._names_read[kind] = sorted((f" {fold(name)}", name) for name in names if name)
        return self._names_read[kind]

    def sources(self) -> list[SourceInfo]:
        """Return the sources of the index, in the order in which they were added."""
        source_of = dict(self._sources.execute("SELECT id, source_id FROM files"))
        held: Counter[int] = Counter()
        for batch in self._batches(["files"]):
            for files in batch["files"].to_pylist():
                held.update({source_of[file] for file in files if file in source_of})
        files = Counter(source_of.values())
        return [
            SourceInfo(location, files[number], held[number])
            for number, location in self._sources.execute("SELECT id, location FROM sources ORDER BY id")
        ]

    def statistics(self) -> dict[str, int]:
        """Return the numbers of authors, works, tags, texts that the encoder cut and quotes with proposed tags."""
        authors: set[str] = set()
        works: set[str] = set()
        tags: set[str] = set()
        truncated = proposed = 0
        for batch in self._batches(["author", "work", "tags_folded", "proposed", "truncated"]):
            authors.update(batch["author"].unique().to_pylist())
            works.update(batch["work"].unique().to_pylist())
            tags.update(batch["tags_folded"].flatten().unique().to_pylist())
            truncated += sum(batch["truncated"].to_pylist())
            proposed += sum(map(bool, batch["proposed"].to_pylist()))
        return {
            "authors": len(authors - {None}),
            "works": len(works - {None}),
            "tags": len(tags),
            "truncated": truncated,
            "with_proposals": proposed,
        }

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        with reported(self.location):
            yield from self.dataset.to_batches(columns=columns)

    def storage(self) -> dict[str, Any]:
        """Return facts about how the index is stored, among them its size in bytes."""
        with reported(self.location):
            files = self.dataset.all_files().read_all()
            fragments = len(self.dataset.get_fragments())
        return {
            "version": self.dataset.version,
            "fragments": fragments,
            **self._vector_index.facts(),
            "bytes": sum(files["size_bytes"].to_pylist()),
        }
