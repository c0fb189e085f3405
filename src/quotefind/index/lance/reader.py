"""An index in a Lance dataset opened to be searched: one committed version, whatever writers do beside it."""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
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
from quotefind.similarity import SCORE_ERROR, Ranking, Vectors, cosine_scores
from quotefind.text import counted, fold, text_digest

if TYPE_CHECKING:
    import pyarrow as pa

    from quotefind.index.filters import Filter
    from quotefind.index.lance.machines import Machines
    from quotefind.paths import Location
    from quotefind.records import Quote

# Rows that one condition names.
_ROWS = 2000
# How many more rows than wanted are requested: Lance counts in float32, so what is near the cut is scored again.
_SPARE = 16
# Of so many candidates at least, BM25 is counted as FTS5 counts it; Lance's own, which finds them, has another idf.
_CANDIDATES = 10_000
_NAMES = {"author": ["author"], "work": ["work"], "tag": ["tags_folded", "proposed_folded"]}
_NAMES_LOOKED_AT = 10_000


class LanceIndex(Index):
    """An index that machines share, in one committed version."""

    shared = True

    def __init__(self, location: Location, *, cluster: Machines | None = None, exact: bool = False) -> None:
        """Open the index at `location`.

        Args:
            location: the path or address of the dataset.
            cluster: the machines that search it; without one, this process does.
            exact: compare every quote, also where there is an approximate index.

        Raises:
            IndexUnusableError: there is none, or it cannot be opened.
            ModelError: the extra `scale` is missing, or `cluster` cannot be reached.
        """
        dataset = open_version(location)
        if dataset is None:
            raise missing_index(location)
        self.location = location
        self.dataset = dataset
        self._cluster = cluster
        self._exact = exact
        self._manifest = read_manifest(dataset, location)
        self._vector_index = VectorIndex.of(self._manifest.vector_index)
        with readable_source_tables(location):
            self._ledger = read_source_tables(dataset, location).database()
        if cluster is not None:
            cluster.connect(location, lambda: f"The index in {location} is as it was: {counted(self.count, 'quote')}.")

    @property
    def manifest(self) -> LanceManifest:
        """What is true of the whole of it."""
        return self._manifest

    @cached_property
    def count(self) -> int:
        """How many quotes it holds."""
        with reported(self.location):
            return int(self.dataset.count_rows())

    @property
    def mapped(self) -> int:
        """How many bytes of its files are mapped into memory: none."""
        return 0

    @property
    def ledger(self) -> sqlite3.Connection:
        """What it was made from."""
        return self._ledger

    def close(self) -> None:
        """Let go of it."""
        self._ledger.close()

    def release(self) -> None:
        """Do nothing: a version stays as it is, and no writer waits for its readers."""

    def reacquire(self) -> bool:
        """Return whether this version is still that of the index."""
        newest = open_version(self.location)
        return newest is not None and newest.version == self.dataset.version

    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Ranking]:
        """Return for each of `queries` (q, d) the `k` nearest quotes that satisfy `where`, by cosine similarity.

        Raises:
            IndexUnusableError: a row that is ranked is not what was written.
        """
        if not np.isfinite(queries).all():
            raise ValueError("a query vector is not finite")
        condition = condition_of(where)
        k = min(k, self.count)
        if k <= 0:
            return [Ranking(np.empty(0, np.int64), np.empty(0, np.float64)) for _ in queries]
        return [self._ranked(query, k, condition) for query in queries]

    def _ranked(self, query: Vectors, k: int, condition: str | None) -> Ranking:
        """Return the nearest to one query (d,): found by Lance, scored here in float64, ties by row."""
        asked = k + _SPARE
        while True:
            with reported(self.location):
                found = self._found(query, asked, condition)
            vectors = self._checked_vectors(found)
            rows = found["row"].to_numpy().astype(np.int64)
            scores = cosine_scores(vectors, query[None])[:, 0] if len(rows) else np.empty(0)
            order = np.lexsort((rows, -scores))
            # Where the last that was found could tie with the last that is wanted, others could too.
            if len(rows) < asked or scores[order[-1]] < scores[order[k - 1]] - SCORE_ERROR or asked >= self.count:
                return Ranking(rows[order[:k]], scores[order[:k]])
            asked = min(asked * 4, self.count)

    def _found(self, query: Vectors, k: int, condition: str | None) -> pa.Table:
        columns = ["row", "checksum", "vector", "_distance"]
        nearest = self._vector_index.request(query, k, exact=self._exact)
        if self._cluster is not None and self._vector_index.searchable_by_cluster(exact=self._exact):
            return self._cluster.search(self.dataset, nearest, columns, condition)
        return self.dataset.to_table(columns=columns, nearest=nearest, filter=condition, prefilter=True)

    def search_words(self, words: Sequence[str], k: int, where: Filter | None = None) -> Ranking:
        """Return at most `k` quotes that hold any of `words`, best first by BM25; ties by row.

        Lance's full-text index finds them; their score is counted as SQLite's FTS5 counts it.
        """
        phrases = word_search.tokenize(list(words))
        known = sorted({token for phrase in phrases for token in phrase})
        if not known or not self.count:
            return Ranking(np.empty(0, np.int64), np.empty(0, np.float64))
        with reported(self.location):
            rarities = [word_search.rarity(self._holding(phrase), self.count) for phrase in phrases]
            found = self._matching(known, "OR", max(_CANDIDATES, 4 * k), condition_of(where))
        texts = [text.split(" ") for text in found["words"].to_pylist()]
        scores = word_search.bm25(phrases, rarities, texts, self._manifest.words / self.count)
        most = (word_search.K1 + 1) * math.fsum(rarities)
        rows = found["row"].to_numpy().astype(np.int64)
        held = np.flatnonzero(scores > 0)  # a phrase of several words may not stand there as one
        order = held[np.lexsort((rows[held], -scores[held]))[:k]]
        return Ranking(rows[order], np.minimum(scores[order] / most, 1.0))

    def _matching(self, tokens: Sequence[str], operator: str, limit: int | None, condition: str | None) -> pa.Table:
        from lance.query import FullTextOperator, MatchQuery

        query = MatchQuery(" ".join(tokens), column="words", operator=FullTextOperator(operator))
        return self.dataset.to_table(
            columns=["row", "words", "_score"], full_text_query=query, limit=limit, filter=condition, prefilter=True
        )

    def _holding(self, phrase: Sequence[str]) -> int:
        """Return how many quotes hold a phrase."""
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
        """Return the rows (n,) of the quotes that satisfy `where`, ascending; without conditions, of all."""
        return self._rows(condition_of(where))

    def _rows(self, condition: str | None) -> NDArray[np.int64]:
        with reported(self.location):
            rows = self.dataset.to_table(columns=["row"], filter=condition)["row"].to_numpy()
        return np.sort(rows.astype(np.int64))

    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors (n, d) of `rows`, each compared with its checksum."""
        vectors = np.empty((len(rows), self._manifest.dimension), np.float32)
        for start, found in self._records(rows, ["row", "checksum", "vector"]):
            vectors[start : start + len(found)] = self._checked_vectors(found)
        return vectors

    def digest(self, rows: NDArray[np.int64]) -> str:
        """Return the SHA-256, in hexadecimal, of what decides the vectors of `rows` (n,): the model, and each row."""
        from hashlib import sha256

        state = sha256(self._manifest.fingerprint.encode())
        for _, found in self._records(np.asarray(rows), ["row", "checksum"]):
            state.update(np.column_stack([found["row"].to_numpy(), found["checksum"].to_numpy()]).tobytes())
        return state.hexdigest()

    def quotes(self, rows: Iterable[int]) -> list[Quote]:
        """Return the quotes in `rows`, in that order.

        Raises:
            IndexUnusableError: what is stored of one, or its vector, is not what was written.
        """
        wanted = np.fromiter((int(row) for row in rows), np.int64)
        quotes: list[Quote] = []
        for _, found in self._records(wanted, [*SHOWN, "checksum", "vector"]):
            self._checked_vectors(found)
            quotes += map(self._quote, found.drop_columns(["vector"]).to_pylist())
        return quotes

    def _quote(self, record: dict[str, Any]) -> Quote:
        if not is_intact(record):
            raise damaged(self.location, f"quote {record['id']} is not what was written")
        return quote_of(record, self._paths)

    @cached_property
    def _paths(self) -> dict[int, str]:
        return dict(self._ledger.execute("SELECT id, path FROM files"))

    def _records(self, rows: NDArray[np.int64], columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        """Yield what `columns` hold of `rows`, in their order, some at a time with the place where they begin."""
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            condition = f"row IN ({', '.join(map(str, np.unique(part).tolist()))})"
            with reported(self.location):
                found = self.dataset.to_table(columns=columns, filter=condition)
            held = found["row"].to_numpy()
            order = np.argsort(held)
            places = np.searchsorted(held[order], part)
            if len(held) < len(np.unique(part)) or (held[order][np.minimum(places, len(held) - 1)] != part).any():
                raise damaged(self.location, "a quote cannot be found again by its row")
            yield start, found.take(order[places])

    def _checked_vectors(self, found: pa.Table) -> Vectors:
        """Return the vectors (n, d) in `found`, each compared with its checksum."""
        vectors = vectors_of(found, self._manifest.dimension)
        for position, checksum in enumerate(found["checksum"].to_pylist()):
            if zlib.crc32(vectors[position].tobytes()) != checksum:
                raise damaged(self.location, f"the vector of row {found['row'][position]} is not what was written")
        return vectors

    def row_of(self, quote_id: str) -> int | None:
        """Return the row of the quote whose id is, or alone begins with, `quote_id`; None where there is none."""
        beginning = quote_id.lower()
        found = self._rows(f"id >= {literal(beginning)} AND id < {literal(beginning + 'g')}")
        return int(found[0]) if len(found) == 1 else None

    def rows_with_text(self, text: str) -> list[int]:
        """Return the rows of the quotes with exactly this normalised text, whoever is said to have written it."""
        return [int(row) for row in self._rows(f"digest = {literal(text_digest(text).hex())}")]

    def rows_with_proposals(self) -> NDArray[np.int64]:
        """Return the rows (n,) of the quotes that carry proposed tags, ascending."""
        return self._rows("array_length(proposed) > 0")

    def ids(self, where: Filter, most: int) -> list[str]:
        """Return the ids of quotes that satisfy `where`, in no order; `most` of them where there are more."""
        with reported(self.location):
            found = self.dataset.to_table(columns=["id"], filter=condition_of(where), limit=most)
        return [str(name) for name in found["id"].to_pylist()]

    def first_id(self, where: Filter, start: str) -> str | None:
        """Return the least id from `start` on that satisfies `where`; from the beginning again where there is none."""
        condition = condition_of(where)
        for beginning in (int(start, 16), 0):
            # Ids are spread evenly: a few stand in so wide a part, and if none does, in a wider one.
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
            raise damaged(self.location, f"quote {quote_id} cannot be found again")
        return self.quotes([row])[0]

    def ids_by_tag(self) -> dict[str, list[str]]:
        """Return for each tag, folded, the ids of the quotes that carry it as their own."""
        with reported(self.location):
            found = self.dataset.to_table(columns=["row", "id", "tags_folded"], filter="array_length(tags_folded) > 0")
        by_tag: dict[str, list[str]] = {}
        for record in found.sort_by("row").to_pylist():
            for tag in record["tags_folded"]:
                by_tag.setdefault(tag, []).append(record["id"])
        return dict(sorted(by_tag.items()))

    def names(self, kind: str, beginning: str, limit: int = 50) -> list[str]:
        """Return at most `limit` names with a word that starts as `beginning` does, by alphabet."""
        columns, word = _NAMES[kind], f" {fold(beginning)}"
        found_by = f"contains({columns[0]}_folded, {literal(word)})" if kind != "tag" else None
        with reported(self.location):
            found = self.dataset.to_table(columns=columns, filter=found_by, limit=_NAMES_LOOKED_AT)
        names: set[str | None] = set()
        for column in found.columns:
            names.update((column if kind != "tag" else column.combine_chunks().flatten()).to_pylist())
        return sorted((name for name in names if name and word in f" {fold(name)}"), key=fold)[:limit]

    def sources(self) -> list[SourceInfo]:
        """Return the sources that it remembers, in the order in which they came."""
        source_of = dict(self._ledger.execute("SELECT id, source_id FROM files"))
        held: Counter[int] = Counter()
        for batch in self._batches(["files"]):
            for files in batch["files"].to_pylist():
                held.update({source_of[file] for file in files if file in source_of})
        files = Counter(source_of.values())
        return [
            SourceInfo(location, files[number], held[number])
            for number, location in self._ledger.execute("SELECT id, location FROM sources ORDER BY id")
        ]

    def statistics(self) -> dict[str, int]:
        """Return how many authors, works, tags, texts cut by the encoder and quotes with proposed tags it holds."""
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
        """Return what there is to say of how and in how many bytes it is stored."""
        with reported(self.location):
            files = self.dataset.all_files().read_all()
            fragments = len(self.dataset.get_fragments())
        return {
            "version": self.dataset.version,
            "fragments": fragments,
            **self._vector_index.facts(),
            "bytes": sum(files["size_bytes"].to_pylist()),
        }
