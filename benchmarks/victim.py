"""The processes that `faults.py` kills, and how it inspects what is left.

The encoder is a fake one that claims to be the real one. The CRC-32 of a text is the seed of its vector, so that a
quote finds itself. Every text that is encoded is written to a log.
"""

from __future__ import annotations

import os
import random
import re
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from quotefind.stores import index_exists, open_index, verify
from quotefind.text import one_line

# Quotes whose own text is searched for when an index is inspected.
_ASKED = 20
_NUMBERED = re.compile(r"\([0-9]+\)$")


class TextEncoder:
    """An `Encoder` that claims to be the real one; the text is the seed of its vector, and is written to `log`."""

    def __init__(self, identity: dict[str, Any], log: Path, pause: float = 0.0) -> None:
        """Pretend to be what `identity` says; take `pause` seconds for a text."""
        self.name, self.fingerprint = identity["name"], identity["fingerprint"]
        self.dim, self.pooling, self.max_tokens = identity["dim"], identity["pooling"], identity["max_tokens"]
        self._log = log
        self._pause = pause

    def encode_quotes(self, texts: Sequence[str], progress: object = None) -> Any:  # noqa: ARG002
        """Return (n, dim) float32 unit rows."""
        import numpy as np

        names = [zlib.crc32(text.encode()) for text in texts]
        with self._log.open("a", encoding="ascii") as stream:
            stream.writelines(f"{name}\n" for name in names)
        time.sleep(self._pause * len(texts))
        rows = np.stack([np.random.default_rng(name).standard_normal(self.dim) for name in names])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def encode_queries(self, texts: Sequence[str]) -> Any:
        """Return (n, dim) float32 unit rows."""
        return self.encode_quotes(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Say that no text is too long."""
        return [1] * len(texts)


def change(index: str, source: str, log: str, job: str, identity: dict[str, Any], pause: float = 0.0) -> None:
    """Do `job` to an index: "index" a source, "compact" or "rebuild"; end as the program does."""
    from quotefind.errors import QuotefindError
    from quotefind.index.local.writer import LocalIndexWriter, open_to_write
    from quotefind.index.sources import Source

    jobs: dict[str, Callable[[LocalIndexWriter], object]] = {
        "index": lambda writer: writer.update([Source(source)]),
        "compact": lambda writer: writer.compact(),
        "rebuild": lambda writer: writer.rebuild(),
    }
    encoder = TextEncoder(identity, Path(log), pause)
    try:
        with open_to_write(Path(index), lambda _model, _fingerprint: encoder, wait=30) as writer:
            jobs[job](writer)
    except QuotefindError as error:
        with suppress(OSError):  # on a full disk
            os.write(2, f"quotefind: {error}\n".encode())
        os._exit(error.exit_code)
    os._exit(0)  # without a message: there may be no room for one


def look(index: str, identity: dict[str, Any]) -> dict[str, Any]:
    """Inspect an index, knowing nothing of what was done to it.

    Returns:
        The sorted CRC-32 of its texts, those of the texts that an unfinished rebuild has encoded, and what is wrong.
    """
    from quotefind import Filter, QuotefindError
    from quotefind.index.local.reader import LocalIndex

    found: dict[str, Any] = {"quotes": [], "begun": [], "faults": []}
    try:
        if not index_exists(Path(index)):
            return found
        with open_index(Path(index)) as opened:
            assert isinstance(opened, LocalIndex)
            verify(opened)
            texts = [one_line(quote.text) for quote in opened.quotes(opened.rows_where(Filter()))]
            found["quotes"] = sorted(zlib.crc32(text.encode()) for text in texts)
            begun = opened.connection.execute("SELECT text FROM quotes JOIN rewritten ON quote_id = quotes.id")
            found["begun"] = [zlib.crc32(text.encode()) for (text,) in begun]
            drawn = [
                text for text in texts if _NUMBERED.search(text)
            ]  # `quotefind index` encodes the others with the real model
            some = random.Random(0).sample(drawn, min(_ASKED, len(drawn)))
            if some:
                asked = TextEncoder(identity, Path(os.devnull)).encode_queries(some)
                for text, ranking in zip(some, opened.search(asked, 1), strict=True):
                    (first,) = opened.quotes(ranking.rows.tolist())
                    if one_line(first.text) != text or ranking.scores[0] < 1 - 1e-5:
                        found["faults"].append(f"{text[:40]!r} finds {first.text[:40]!r}")
    except QuotefindError as error:
        found["faults"].append(str(error))
    return found


def write_part(path: str, count: int, first: int) -> None:
    """Write `count` quotes, the numbered fortunes from number `first` on, as a source."""
    import synthetic

    synthetic.write_numbered(path, count, first)


def read_until(index: str, end: str, identity: dict[str, Any]) -> dict[str, Any]:
    """Open and search an index again and again until the file `end` exists; return how often, and what was wrong."""
    rounds, faults = 0, []
    while not Path(end).exists():
        faults += look(index, identity)["faults"]
        rounds += 1
    return {"rounds": rounds, "faults": faults[:5]}


if __name__ == "__main__":
    sys.exit("faults.py runs this.")
