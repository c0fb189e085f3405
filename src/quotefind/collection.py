"""The friendly side of the library: open an index by name, add sources, and search it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from quotefind.encoders import Encoder, open_encoder
from quotefind.index.filters import Filter
from quotefind.index.sources import Source
from quotefind.paths import index_location
from quotefind.progress import Progress, silent
from quotefind.records import Hit, Quote
from quotefind.refresh import SearchSession
from quotefind.search import FindOptions, find
from quotefind.stores import open_to_write

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from quotefind.index.summary import Summary
    from quotefind.paths import Location

SourceLike = str | os.PathLike[str] | Source


class Hits(list[Hit]):
    """The hits of one query, best first; a notebook shows them as a table."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{hit.rank}</td><td>{hit.score:.2f}</td>"
            f"<td style='text-align:left;white-space:pre-line'>{escape(hit.quote.text)}</td>"
            f"<td style='text-align:left'>{escape(', '.join(filter(None, _credit(hit.quote))))}</td></tr>"
            for hit in self
        )
        head = "<tr><th></th><th>score</th><th>quote</th><th>source</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


class FindArguments(TypedDict, total=False):
    """The options of `Collection.find`.

    Attributes:
        top: the maximum number of hits per query; 5 by default.
        author: only quotes by this author, or by one of these; see `Filter`.
        work: only quotes from this work, or from one of these.
        tag: only quotes with this tag, or with one of these.
        max_chars: only quotes of at most this many characters.
        min_score: only hits with at least this cosine similarity, in [-1, 1].
        like: the id of a quote, or a text, that hits should resemble.
        unlike: a text, or several, that hits should not resemble.
        diverse: prefer hits that differ from each other.
        one_per_author: at most one hit per author.
        hybrid: also rank by the words that query and quote share.
    """

    top: int
    author: str | Sequence[str]
    work: str | Sequence[str]
    tag: str | Sequence[str]
    max_chars: int | None
    min_score: float | None
    like: str | None
    unlike: str | Sequence[str]
    diverse: bool
    one_per_author: bool
    hybrid: bool


class Collection:
    """An index that is opened when it is needed, together with its encoder; made by `quotefind.open`.

    Use it as a context manager, or close it. It sees what other processes commit to the index.

    Attributes:
        location: the directory of the index, or the path or address of a Lance dataset.
    """

    def __init__(self, location: Location, *, model: str | None = None, device: str = "cpu") -> None:
        """Open nothing yet; see `open` for the arguments."""
        self.location = location
        self._model = model
        self._device = device
        self._session = SearchSession(location, refresh=False, tell=lambda _: None)

    def __enter__(self) -> Self:
        """Return the collection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the collection."""
        self.close()

    def __len__(self) -> int:
        """Return the number of quotes."""
        with self._session.reading(self._open_encoder) as index:
            return index.count

    def close(self) -> None:
        """Close the files of the index; the next call opens them again."""
        self._session.close()

    def update(
        self,
        sources: SourceLike | Iterable[SourceLike] = (),
        *,
        remove: Iterable[str | os.PathLike[str]] = (),
        prune: bool = False,
        progress: Progress = silent,
    ) -> Summary:
        """Add `sources`, or refresh all remembered sources if there are none; only new quotes are encoded.

        Args:
            sources: a file or folder, or several; "bundled" for the quotations that come with the program. A relative
                path is made absolute, and the index remembers it.
            remove: sources whose quotes are removed.
            prune: also remove sources that no longer exist.
            progress: called as the update advances.

        Raises:
            SourceError: a source cannot be read.
            UsageError: `remove` names a source that the index does not have.
            IndexUnusableError: the index cannot be written, or was made with another model.
        """
        one = isinstance(sources, str | os.PathLike | Source)
        several: Iterable[SourceLike] = [sources] if one else sources  # type: ignore[assignment,list-item]
        given = [item if isinstance(item, Source) else Source(os.fspath(item)) for item in several]
        removed = (os.fspath(source) for source in remove)
        with open_to_write(self.location, self._open_encoder) as writer:
            return writer.update(given, model=self._model, remove=tuple(removed), prune=prune, progress=progress)

    @overload
    def find(self, query: str, **options: Unpack[FindArguments]) -> Hits: ...
    @overload
    def find(self, query: list[str] | tuple[str, ...], **options: Unpack[FindArguments]) -> list[Hits]: ...
    def find(self, query: str | Sequence[str], **options: Unpack[FindArguments]) -> Hits | list[Hits]:
        """Return the hits of one query, or a list with the hits of each of several queries.

        If the default index does not exist yet, it is made from the bundled quotations.

        Args:
            query: what to look for, in plain words; "" is allowed with `like`.
            options: how to search; see `FindArguments`.

        Raises:
            UsageError: the query is empty, or an option has an impossible value.
            IndexUnusableError: the index is missing, damaged, or was made with another model.
            ModelError: its model is missing.
        """
        given: dict[str, Any] = {**options}
        where = Filter(
            _several(given.pop("author", ())),
            _several(given.pop("work", ())),
            _several(given.pop("tag", ())),
            given.pop("max_chars", None),
        )
        given["unlike"] = _several(given.get("unlike", ()))
        with self._session.answering(self._open_encoder) as (index, encoder):
            found = find(index, encoder, _several(query), FindOptions(where=where, **given))
        hits = list(map(Hits, found))
        return hits[0] if isinstance(query, str) else hits

    def _open_encoder(self, model: str | None, fingerprint: str | None) -> Encoder:
        return open_encoder(model or self._model, device=self._device, fingerprint=fingerprint)


def open(index: str | os.PathLike[str] = "default", *, model: str | None = None, device: str = "cpu") -> Collection:  # noqa: A001 - as gzip.open
    """Return the collection called `index`; nothing is read or written until it is used.

    Args:
        index: a plain word is the name of an index in the data directory; anything with a slash in it, and a path
            object, is a directory; a name that ends in ".lance" is a Lance dataset.
        model: the model of a new index; None for the default model.
        device: where texts are encoded: "cpu", "cuda", "cuda:N", "mps" or "auto".

    Raises:
        UsageError: `index` is empty, or an address that no index can have.
    """
    name = index if isinstance(index, str) else os.path.abspath(index)  # noqa: PTH100 - it also removes ".."
    return Collection(index_location(name), model=model, device=device)


def _credit(quote: Quote) -> tuple[str | None, ...]:
    return quote.author, quote.work, quote.place


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
