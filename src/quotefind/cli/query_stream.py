"""Queries from a stream, in batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from quotefind.cli.session import standard_input
from quotefind.errors import SourceError
from quotefind.text import is_blank

# At most this many queries are encoded and ranked together; larger batches would not be faster.
_BATCH = 256
_CHUNK = 1 << 16
# The length limit of a query, in bytes: a stream may never end a line, and models read about a thousand.
LONGEST_QUERY = 100_000


def query_batches(path: Path | None, *, separator: str = "\n", invalid: list[str]) -> Iterator[list[str]]:
    """Yield the queries in the file at `path`, or on standard input, without blank ones.

    A batch is what has arrived, at most 256 queries: a program that writes one query and waits gets its answer.

    Args:
        path: the file; None for standard input.
        separator: the character that ends a query, "\\n" or "\\0".
        invalid: gets a line about each query that is not valid UTF-8, and so is skipped.

    Raises:
        SourceError: the file cannot be read, or a query is longer than 100,000 bytes.
    """
    arrived: queue.Queue[str | UnicodeDecodeError | Exception | None] = queue.Queue(maxsize=4 * _BATCH)
    name = "standard input" if path is None else str(path)
    reader = threading.Thread(target=_read, args=(path, name, separator, arrived), daemon=True)
    reader.start()
    number = 0
    ended = False
    while not ended:
        items = [arrived.get()]
        while len(items) < _BATCH and not arrived.empty():
            items.append(arrived.get())
        batch = []
        for item in items:
            number += 1
            if isinstance(item, UnicodeDecodeError):
                invalid.append(f"{name}:{number}: the query is not valid UTF-8")
            elif isinstance(item, str) and not is_blank(item):
                batch.append(item.strip())
        if batch:
            yield batch
        last = items[-1]
        if isinstance(last, Exception) and not isinstance(last, UnicodeDecodeError):
            raise last
        ended = last is None


def _read(
    path: Path | None, name: str, separator: str, arrived: queue.Queue[str | UnicodeDecodeError | Exception | None]
) -> None:
    """Put the queries into `arrived`, and then None; an error other than UnicodeDecodeError is the end as well."""
    try:
        with nullcontext(standard_input()) if path is None else path.open("rb") as stream:
            for number, line in enumerate(_split(stream, separator.encode()), 1):
                if len(line) > LONGEST_QUERY:
                    raise SourceError(f"{name}:{number}: the query is longer than {LONGEST_QUERY:,} bytes.")
                try:
                    arrived.put(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except UnicodeDecodeError as error:
                    arrived.put(error)
        arrived.put(None)
    except OSError as error:
        arrived.put(SourceError(f"{name} cannot be read: {error.strerror or error}."))
    except Exception as error:  # whoever waits for a query must see it
        arrived.put(error)


def _split(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Yield the bytes between the separators; of a query that is too long, just enough to show that it is."""
    if separator == b"\n":
        while line := stream.readline(LONGEST_QUERY + 1):
            yield line
        return
    rest = b""
    # read1 returns what has arrived; read would wait for a whole chunk.
    while len(rest) <= LONGEST_QUERY and (chunk := stream.read1(_CHUNK)):  # type: ignore[attr-defined]
        *whole, rest = (rest + chunk).split(separator)
        yield from whole
    if rest:
        yield rest
