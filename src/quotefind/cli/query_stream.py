"""Queries from a file or from standard input, in batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from quotefind.cli.session import standard_input
from quotefind.errors import SourceError

# The most queries that are encoded and ranked together; larger batches are not faster.
_BATCH = 256
_CHUNK = 1 << 16
# The longest query, in bytes: a stream may hold a line without an end. Models read about a thousand.
LONGEST_QUERY = 100_000


def query_batches(path: Path | None, *, separator: str = "\n") -> Iterator[list[str]]:
    """Yield the queries in the file at `path`, or on standard input if it is None; blank ones are left out.

    A batch holds the queries that are available, at most 256, so a program that writes one query and waits for the
    answer gets it.

    Raises:
        SourceError: the file cannot be read, or a query is not UTF-8 or is longer than 100,000 bytes.
    """
    lines: queue.Queue[str | Exception | None] = queue.Queue(maxsize=4 * _BATCH)
    name = "standard input" if path is None else str(path)
    reader = threading.Thread(target=_read, args=(path, name, separator, lines), daemon=True)
    reader.start()
    ended = False
    while not ended:
        items = [lines.get()]
        while len(items) < _BATCH and not lines.empty():
            items.append(lines.get())
        batch = [item.strip() for item in items if isinstance(item, str) and item.strip()]
        if batch:
            yield batch
        last = items[-1]  # nothing follows an error or the end
        if isinstance(last, Exception):
            raise last
        ended = last is None


def _read(path: Path | None, name: str, separator: str, lines: queue.Queue[str | Exception | None]) -> None:
    try:
        with nullcontext(standard_input()) if path is None else path.open("rb") as stream:
            for number, line in enumerate(_split(stream, separator.encode()), 1):
                if len(line) > LONGEST_QUERY:
                    lines.put(SourceError(f"{name}:{number}: the query is longer than {LONGEST_QUERY:,} bytes."))
                    return
                try:
                    lines.put(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except UnicodeDecodeError:
                    lines.put(SourceError(f"{name}:{number}: the query is not valid UTF-8."))
                    return
        lines.put(None)
    except OSError as error:
        lines.put(SourceError(f"{name} cannot be read: {error.strerror or error}."))
    except Exception as error:  # the thread that waits for a line must see it
        lines.put(error)


def _split(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Yield the parts between separators; a part that is too long is cut one byte after the limit, and is the last."""
    if separator == b"\n":
        while line := stream.readline(LONGEST_QUERY + 1):
            yield line
        return
    rest = b""
    # read1 returns what is there; read would wait for a whole chunk.
    while len(rest) <= LONGEST_QUERY and (chunk := stream.read1(_CHUNK)):  # type: ignore[attr-defined]
        *whole, rest = (rest + chunk).split(separator)
        yield from whole
    if rest:
        yield rest
