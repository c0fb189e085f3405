"""Options for reading a source, and what a parser reports besides quotes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a source; the index remembers these options for each source.

    Attributes:
        input_format: a name in `FORMATS`; None to choose by the name of the file or its first bytes.
        encoding: the name of a text encoding in Python. With "utf-8", UTF-16 and UTF-32 with a byte order mark are read
            too, and a file that is not UTF-8 is read in its likely encoding.
        text_column: the column or key that holds the text; None for one with a usual name, as for the other columns.
        author_column: the column or key that holds the author.
        work_column: the column or key that holds the work.
        year_column: the column or key that holds the year.
        tags_column: the column or key that holds the tags.
        note_column: the column or key that holds the note.
        delimiter: the character between the cells of a CSV or TSV file; None to infer it from the header line.
        max_bytes: the maximum size of a file in bytes, uncompressed.
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


# The end of the message about a record whose bytes do not decode.
WRONG_ENCODING = "if the file has another encoding, add --encoding NAME"


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that is not a quote.

    Attributes:
        where: "path:line"; the line is the first of the record, counted from 1.
        problem: what is wrong and what was expected, on one line, without a full stop at its end.
    """

    where: str
    problem: str

    @property
    def is_undecodable(self) -> bool:
        """Whether its bytes do not decode, in which case the encoding is probably wrong."""
        return self.problem.endswith(WRONG_ENCODING)


@dataclass(frozen=True, slots=True)
class Remark:
    """How a parser decided to read a whole file, for the user to check: the columns, the separator or the encoding.

    Attributes:
        text: a sentence that begins with the name of the file, without a full stop at its end.
    """

    text: str
