"""Any number of real texts, and an index of them made without a model, for the benchmarks of large indexes.

Encoding a million quotes takes hours and does not change how fast they are searched. So their vectors are random unit
rows, written by the program's own writer. The index says that the real model made them, so `quotefind find` opens it
with that model.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from measure import fortunes_folder

_TAGS = (
    "love",
    "death",
    "time",
    "work",
    "courage",
    "hope",
    "fear",
    "truth",
    "beauty",
    "art",
    "music",
    "books",
    "nature",
)
# Random vectors drawn at a time, to hold few in memory.
_BLOCK = 1024


def write_fortunes(path: str, count: int) -> int:
    """Write `count` different fortunes (all, if there are fewer) as JSON Lines to `path`; return how many.

    They are a random sample with a fixed seed.
    """
    chosen = fortunes()
    if count < len(chosen):
        chosen = random.Random(0).sample(chosen, count)
    with Path(path).open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(asdict(quote), ensure_ascii=False) + "\n" for quote in chosen)
    return len(chosen)


def write_numbered(path: str, count: int, first: int = 1) -> dict[str, Any]:
    """Write `count` quotes as JSON Lines to `path`: the fortunes again and again, each with its number at the end.

    Args:
        path: the file to write.
        count: how many.
        first: the number of the first one; a text with another number is another quote.

    Returns:
        An author and a tag to filter by: the most frequent author, and one of the tags. Each quote has one tag.
    """
    known = fortunes()
    authors: Counter[str] = Counter()
    with Path(path).open("w", encoding="utf-8") as stream:
        for number in range(first, first + count):
            quote = known[number % len(known)]
            if quote.author:
                authors[quote.author] += 1
            tag = _TAGS[number % len(_TAGS)]
            numbered = {"text": f"{quote.text} ({number})", "author": quote.author, "tags": [tag]}
            stream.write(json.dumps(numbered, ensure_ascii=False) + "\n")
    return {"author": max(authors, key=authors.__getitem__, default="Anonymous"), "tag": _TAGS[0]}


def write_queries(path: str, count: int) -> None:
    """Write `count` queries to `path`, one a line: the first eight words of each of `count` fortunes."""
    beginnings = (" ".join(quote.text.split()[:8]) for quote in fortunes())
    chosen = list(islice((line for line in dict.fromkeys(beginnings) if any(map(str.isalnum, line))), count))
    Path(path).write_text("\n".join(chosen) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Fortune:
    """The text of a fortune, on one line, and its author."""

    text: str
    author: str | None


def fortunes() -> list[Fortune]:
    """Return all fortunes, each text once, in the order of the files."""
    from quotefind.corpus import ReadOptions, files_of, read_file
    from quotefind.records import Quote
    from quotefind.text import one_line

    files = files_of(fortunes_folder()).files
    found: dict[str, str | None] = {}
    for file in files:
        for quote in read_file(file, ReadOptions()):
            if isinstance(quote, Quote):
                found.setdefault(one_line(quote.text), quote.author)
    return [Fortune(text, author) for text, author in found.items()]


def prepare_model() -> dict[str, Any]:
    """Prepare the model if that was not done yet, and return what identifies it in an index."""
    from quotefind import open_encoder

    encoder = open_encoder(device="cpu")
    return {name: getattr(encoder, name) for name in ("name", "fingerprint", "dim", "pooling", "max_tokens")}


class FakeEncoder:
    """An `Encoder` that claims to be the real one and returns random unit rows; `seconds` is what it took in all.

    The same texts in one call always get the same rows.
    """

    def __init__(self, identity: dict[str, Any]) -> None:
        """Pretend to be the model that `prepare_model` described."""
        self.name: str = identity["name"]
        self.fingerprint: str = identity["fingerprint"]
        self.dim: int = identity["dim"]
        self.pooling: str = identity["pooling"]
        self.max_tokens: int = identity["max_tokens"]
        self.seconds = 0.0

    def encode_quotes(self, texts: Sequence[str], progress: object = None) -> Any:  # noqa: ARG002
        """Return (n, dim) float32 unit rows."""
        import numpy as np

        started = time.perf_counter()
        source = np.random.default_rng(zlib.crc32(texts[0].encode()))
        rows = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _BLOCK):
            block = rows[start : start + _BLOCK]
            source.standard_normal(out=block, dtype=np.float32)
            block /= np.linalg.norm(block.astype(np.float64), axis=1, keepdims=True)
        self.seconds += time.perf_counter() - started
        return rows

    def encode_queries(self, texts: Sequence[str]) -> Any:
        """Return (n, dim) float32 unit rows."""
        return self.encode_quotes(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Say that no text is too long."""
        return [1] * len(texts)


def add_source(directory: str, source: str, identity: dict[str, Any]) -> dict[str, Any]:
    """Add the file `source` to the index in `directory`, which is made if it is missing, with random vectors.

    Returns:
        How many quotes were added and how many there are now, the seconds that the fake encoder took, and the bytes
        that the process wrote to all its files (None if the system does not count them).
    """
    from quotefind import Source, open_to_write

    encoder = FakeEncoder(identity)
    before = _written()
    with open_to_write(Path(directory), lambda _model, _fingerprint: encoder) as writer:
        summary = writer.update([Source(source)])
    after = _written()
    return {
        "added": summary.added,
        "quotes": summary.quotes,
        "encoding": encoder.seconds,
        "written": None if before is None or after is None else after - before,
    }


def _written() -> int | None:
    """Return the bytes that this process has handed to the system to write, as Linux counts them."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("wchar"))
