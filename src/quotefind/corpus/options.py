"""How a source is read, and what a parser says of it besides its quotes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a source is read; the index remembers it with each source.

    Attributes:
        input_format: a name in `FORMATS`; None: by the name of the file or its first bytes.
        encoding: the name of a text encoding in Python. "utf-8" also reads UTF-16 and UTF-32 with a byte order
            mark, and a file that is not UTF-8 in its likely encoding.
        text_column: the column or key that holds the text; None: one with a usual name. So for the other columns.
        author_column: the column or key that holds the author.
        work_column: the column or key that holds the work.
        year_column: the column or key that holds the year.
        tags_column: the column or key that holds the tags.
        note_column: the column or key that holds the note.
        delimiter: the character between the cells of a CSV or TSV file; None: what its header line shows.
        max_bytes: the most bytes of a file that are read, unpacked.
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


# How the problem of a record ends whose bytes do not decode.
WRONG_ENCODING = "if the file has another encoding, add --encoding NAME"


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that is not a quote.

    Attributes:
        where: "path:line", the line on which the record starts, counted from 1.
        problem: what is wrong and what was expected, on one line, without a full stop at its end.
    """

    where: str
    problem: str

    @property
    def is_undecodable(self) -> bool:
        """Whether its bytes are not text in the encoding of the file: then the encoding is probably wrong."""
        return self.problem.endswith(WRONG_ENCODING)


@dataclass(frozen=True, slots=True)
class Remark:
    """What a parser decided for a whole file, for the user to check: its columns, its separator or its encoding.

    Attributes:
        text: a sentence without a full stop at its end, which begins with the name of the file.
    """

    text: str
