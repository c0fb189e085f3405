"""Read sources: turn files, folders and streams into quotes; one module per format, one table of all formats."""

from quotefind.corpus.files import Listing, Reason, Skipped, files_of
from quotefind.corpus.formats import FORMATS, Format, format_of
from quotefind.corpus.opening import open_regular
from quotefind.corpus.options import BadRecord, ReadOptions, Remark
from quotefind.corpus.reading import read_file, read_stream

__all__ = [
    "FORMATS",
    "BadRecord",
    "Format",
    "Listing",
    "ReadOptions",
    "Reason",
    "Remark",
    "Skipped",
    "files_of",
    "format_of",
    "open_regular",
    "read_file",
    "read_stream",
]
