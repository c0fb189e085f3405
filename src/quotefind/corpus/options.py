"""What a reader is told, and what it says of a record that is no quote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a source is to be read; the index remembers it with each source.

    Attributes:
        input_format: a name in `FORMATS`; None: by the suffix or the well-known name of the file.
        encoding: the name of a text encoding of Python; a byte order mark of UTF-8 is dropped.
        text_column: the column or key that holds the text; None: the first of the usual names. So for the others.
        author_column: the column or key that holds the author.
        work_column: the column or key that holds the work.
        year_column: the column or key that holds the year.
        tags_column: the column or key that holds the tags.
        note_column: the column or key that holds the note.
        delimiter: the character between the cells of a CSV file; None: a comma.
        max_bytes: how many bytes are read at most, of a compressed file when unpacked.
    """

    input_format: str | None = None
    encoding: str = "utf-8"
    text_column: str | None = None
    author_column: str | None = None
    work_column: str | None = None
    year_column: str | None = None
    tags_column: str | None = None
    note_column: str | None = None
    delimiter: str | None = None
    max_bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that is no quote.

    Attributes:
        where: "path:line", the line on which the record starts, counted from 1.
        problem: what is wrong and what was expected, on one line, without a full stop at its end.
    """

    where: str
    problem: str
