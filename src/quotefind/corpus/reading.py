"""From bytes to records: opening, decompressing, decoding, and naming what went wrong."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from quotefind.corpus.formats import Format, format_named, format_of, is_gzip
from quotefind.corpus.options import BadRecord, ReadOptions
from quotefind.errors import SourceError, UsageError
from quotefind.records import Quote


def read_file(path: Path, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Return the quotes of a file, and what is no quote in it, as they are read.

    Raises:
        SourceError: at once, if its format is not known; while reading, if it cannot be read any further.
        UsageError: at once, if `options` name a format or an encoding that there is not.
    """
    file_format = format_of(path, options)
    encoding = _codec(options.encoding)
    return _read_file(path, options, file_format, encoding)


def read_stream(stream: BinaryIO, name: str, options: ReadOptions) -> Iterator[Quote | BadRecord]:
    """Return the quotes of a stream, and what is no quote in it, as they come; the stream is left open.

    Raises:
        UsageError: at once, if `options` name no format, or a format or an encoding that there is not.
        SourceError: while reading, if it cannot be read any further.
    """
    if options.input_format is None:
        raise UsageError(f"{name}: a stream has no name that says what it holds; say --input-format NAME")
    stream_format = format_named(options.input_format)
    encoding = _codec(options.encoding)
    return _read_stream(stream, name, options, stream_format, encoding)


def _read_file(path: Path, options: ReadOptions, file_format: Format, encoding: str) -> Iterator[Quote | BadRecord]:
    try:
        with path.open("rb") as raw:
            binary: BinaryIO = gzip.GzipFile(fileobj=raw) if is_gzip(path) else raw  # type: ignore[assignment]
            yield from _read_stream(binary, str(path), options, file_format, encoding)
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror or error}") from error


def _read_stream(
    stream: BinaryIO, name: str, options: ReadOptions, stream_format: Format, encoding: str
) -> Iterator[Quote | BadRecord]:
    """Yield what the reader yields; everything that opening, decompressing and decoding raise becomes a SourceError."""
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline=None)
    try:
        yield from stream_format.read(text, name, options)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{name}: a damaged gzip file ({error}); make it again") from error
    except UnicodeError as error:
        raise SourceError(f"{name}: not valid {options.encoding} ({error}); say --encoding NAME") from error
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error
    finally:
        if not stream.closed:
            text.detach()  # else the wrapper would close the stream, which is not its own


def _codec(encoding: str) -> str:
    """Return the codec to decode with: that of UTF-8 drops a byte order mark.

    Raises:
        UsageError: there is no such text encoding.
    """
    try:
        name = codecs.lookup(encoding).name
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # refuses codecs that are not for text, such as hex
    except (LookupError, ValueError) as error:
        raise UsageError(f"no text encoding {encoding!r}; --encoding takes a name such as utf-8 or latin-1") from error
    return "utf-8-sig" if name == "utf-8" else encoding
