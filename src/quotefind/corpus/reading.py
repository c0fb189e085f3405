"""Turn bytes into records: open, decompress and decode them, and say what went wrong."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quotefind.corpus.encodings import likely_encoding, marked_encoding
from quotefind.corpus.formats import Format, format_named, format_of, recognised
from quotefind.corpus.opening import HEAD, is_gzip, open_regular
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.errors import SourceError, UsageError
from quotefind.records import Quote

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Tell = Callable[[Remark], None]

_UTF_8 = "utf-8-sig"
# Bytes that are held in memory and examined to find the encoding.
_LOOKED_AT = 8_000_000
# A gzip file of any size may unpack to this many bytes, and beyond that to this many times its size.
_UNPACKED = 20_000_000
_RATIO = 200


def read_file(
    path: Path, options: ReadOptions, *, size: int | None = None, tell: Tell | None = None
) -> Iterator[Quote | BadRecord]:
    """Yield the quotes and the invalid records of a file, as they are read.

    Args:
        path: the file.
        options: how to read it.
        size: the number of bytes to read; None for all. Bytes added to a file while it is read are left to the next
            update.
        tell: called with remarks on the whole file, such as on its encoding and its columns.

    Raises:
        SourceError: at once, if its format is unknown; while reading, if it cannot be read any further.
        UsageError: at once, if `options` name a format or an encoding that does not exist.
    """
    file_format = format_of(path, options)
    encoding = _codec(options.encoding)
    return _read_file(path, options, size, file_format, encoding, tell)


def read_stream(
    stream: BinaryIO, name: str, options: ReadOptions, *, tell: Tell | None = None
) -> Iterator[Quote | BadRecord]:
    """Yield the quotes and the invalid records of a stream, as they are read; the stream is left open.

    Without a format in `options`, it must be recognisable by the first bytes of the stream.

    Raises:
        UsageError: at once, if the format is unknown, or `options` name a format or an encoding that does not exist.
        SourceError: while reading, if the stream cannot be read any further.
    """
    encoding = _codec(options.encoding)
    limited = io.BufferedReader(_Limited(stream, options.max_bytes, _too_large(name, options)), HEAD)
    if options.input_format is not None:
        stream_format = format_named(options.input_format)
    elif (found := recognised(limited.peek(HEAD), None)) is not None:
        stream_format = found
    else:
        raise UsageError(f"{name}: the format of this stream is not recognised; add --input-format NAME")
    return _read_stream(limited, name, options, stream_format, encoding, tell)


def _read_file(
    path: Path, options: ReadOptions, size: int | None, file_format: Format, encoding: str, tell: Tell | None
) -> Iterator[Quote | BadRecord]:
    try:
        with open_regular(path) as raw:
            binary: BinaryIO = raw if size is None else io.BufferedReader(_Part(raw, size))
            limit, refusal = options.max_bytes, _too_large(str(path), options)
            if is_gzip(path):
                binary = gzip.GzipFile(fileobj=binary)  # type: ignore[assignment]
                most = max(_UNPACKED, _RATIO * path.stat().st_size)
                if most < limit:
                    limit = most
                    refusal = f"{path}: unpacks to more than {_RATIO} times its size; to read it, unpack it with gunzip"
            limited = io.BufferedReader(_Limited(binary, limit, refusal), HEAD)
            yield from _read_stream(limited, str(path), options, file_format, encoding, tell)
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror or error}") from error


def _read_stream(
    stream: BinaryIO,
    name: str,
    options: ReadOptions,
    stream_format: Format,
    encoding: str,
    tell: Tell | None,
) -> Iterator[Quote | BadRecord]:
    """Yield the records of the parser; errors of opening, decompressing and decoding become a SourceError."""
    try:
        if stream_format.binary:
            yield from stream_format.read(stream, name, options, tell)
            return
        if encoding == _UTF_8:
            head = stream.read(_LOOKED_AT)
            encoding = marked_encoding(head) or encoding
            if encoding == _UTF_8 and (likely := likely_encoding(head, whole=len(head) < _LOOKED_AT)):
                encoding = likely
                if tell is not None:
                    tell(Remark(f"{name}: not UTF-8; read as {likely}. If letters are wrong, add --encoding NAME"))
            stream = io.BufferedReader(_Joined(head, stream), HEAD)
        text = _Text(stream, encoding=encoding, errors="surrogateescape", newline=None)
        text.refusal = f"{name}: more than {stream_format.longest:,} characters; split it into smaller files"
        text.longest = stream_format.longest
        yield from stream_format.read(text, name, options, tell)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{name}: a damaged gzip file ({error}); create it again") from error
    except UnicodeError as error:
        raise SourceError(f"{name}: not valid {options.encoding} ({error}); add --encoding NAME") from error
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error


class _Text(io.TextIOWrapper):
    """A text with a limit on how much is read at once, for parsers that hold all of it in memory."""

    longest = 0  # characters
    refusal = ""

    def read(self, size: int | None = -1) -> str:
        """Return up to `size` characters; all of them if it is negative or None.

        Raises:
            SourceError: there are too many to hold in memory.
        """
        if size is not None and size >= 0:
            return super().read(size)
        text = super().read(self.longest + 1)
        if len(text) > self.longest:
            raise SourceError(self.refusal)
        return text


class _Raw(io.RawIOBase):
    def readable(self) -> bool:
        return True


class _Part(_Raw):
    """The first bytes of a stream; closing this does not close the stream."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)[: self._left]
        count: int = self._stream.readinto(view)  # type: ignore[attr-defined]
        self._left -= count
        return count


class _Limited(_Part):
    """A stream that raises an error once more than a limit of bytes are read."""

    def __init__(self, stream: BinaryIO, limit: int, refusal: str) -> None:
        super().__init__(stream, limit + 1)
        self._refusal = refusal

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = super().readinto(buffer)
        if not self._left:
            raise SourceError(self._refusal)
        return count


class _Joined(_Raw):
    """Bytes that were already read, followed by the stream they come from; closing this does not close the stream."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = io.BytesIO(head)
        self._stream = stream

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._head.readinto(buffer) or self._stream.readinto(buffer)  # type: ignore[attr-defined]


def _too_large(name: str, options: ReadOptions) -> str:
    return f"{name}: more than {options.max_bytes:,} bytes (unpacked); to read it, raise --max-bytes N"


def _codec(encoding: str) -> str:
    """Return the codec to decode with; for UTF-8, one that drops a byte order mark.

    Raises:
        UsageError: there is no such text encoding.
    """
    try:
        name = codecs.lookup(encoding).name
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # refuses codecs that are not for text, such as hex
    except (LookupError, ValueError) as error:
        raise UsageError(f"no text encoding {encoding!r}; --encoding takes a name such as utf-8 or latin-1") from error
    return _UTF_8 if name == "utf-8" else encoding
