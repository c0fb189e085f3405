"""Requests from a stream, in batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from quotefind.cli.session import standard_input
from quotefind.errors import SourceError

# Requests encoded and ranked together at most; more would not make any of them faster.
_BATCH = 256
_CHUNK = 1 << 16
# Bytes of a request at most, which may have no end; models read a thousand.
LONGEST = 100_000


def batches_of_lines(path: Path | None, *, separator: str = "\n") -> Iterator[list[str]]:
    """Yield the requests in the file at `path`, or on standard input, without blank ones.

    A batch is what is there already, up to 256: a program that writes one request and waits gets its answer.

    Raises:
        SourceError: the file cannot be read, or a request is not UTF-8 or longer than 100,000 bytes.
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
        last = items[-1]  # nothing comes behind an error or the end
        if isinstance(last, Exception):
            raise last
        ended = last is None


def _read(path: Path | None, name: str, separator: str, lines: queue.Queue[str | Exception | None]) -> None:
    try:
        with nullcontext(standard_input()) if path is None else path.open("rb") as stream:
            for number, line in enumerate(_split(stream, separator.encode()), 1):
                if len(line) > LONGEST:
                    lines.put(SourceError(f"{name}:{number}: the request is longer than {LONGEST:,} bytes."))
                    return
                try:
                    lines.put(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except UnicodeDecodeError:
                    lines.put(SourceError(f"{name}:{number}: the request is not valid UTF-8."))
                    return
        lines.put(None)
    except OSError as error:
        lines.put(SourceError(f"{name} cannot be read: {error.strerror or error}."))
    except Exception as error:  # whoever waits for a line must learn of it
        lines.put(error)


def _split(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Yield what stands between the separators; of what is too long no more than shows that it is."""
    if separator == b"\n":
        while line := stream.readline(LONGEST + 1):
            yield line
        return
    rest = b""
    # read1 returns what is there; read would wait for a whole chunk.
    while len(rest) <= LONGEST and (chunk := stream.read1(_CHUNK)):  # type: ignore[attr-defined]
        *whole, rest = (rest + chunk).split(separator)
        yield from whole
    if rest:
        yield rest
