"""What an index is made from: its sources, and how each is read."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from quotefind.corpus import ReadOptions
from quotefind.paths import BUNDLED

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """A source and how to read it.

    Attributes:
        location: a path, which is made absolute; "bundled"; or "-" for standard input.
        options: how to read it.
        skip_bad: whether records that do not decode are skipped, like other invalid records.
        exclude: patterns, as in a `.gitignore`, of files and folders to leave out.
    """

    location: str
    options: ReadOptions = field(default_factory=ReadOptions)
    skip_bad: bool = False
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make a path absolute, because the index remembers it after the current directory has changed."""
        if self.location not in (STANDARD_INPUT, BUNDLED):
            object.__setattr__(self, "location", location_of(self.location))


def location_of(argument: str) -> str:
    """Return the location that an index remembers for a SOURCE argument."""
    if argument == STANDARD_INPUT or (argument == BUNDLED and not Path(argument).exists()):
        return argument
    return os.path.abspath(Path(argument).expanduser())  # noqa: PTH100 - it also resolves ".."


def remembered(connection: sqlite3.Connection) -> list[Source]:
    """Return the sources of an index, in the order in which they were added."""
    sources = []
    for location, text in connection.execute("SELECT location, options FROM sources ORDER BY id"):
        try:
            options = json.loads(text)
            skip_bad = options.pop("skip_bad")
            exclude = tuple(options.pop("exclude", ()))
            sources.append(Source(location, ReadOptions(**options), skip_bad, exclude))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise sqlite3.DatabaseError(f"the options of a source cannot be read: {error}") from error
    return sources


def options_text(source: Source) -> str:
    """Return how to read `source`, as JSON for storing."""
    options = {**asdict(source.options), "skip_bad": source.skip_bad}
    return json.dumps({**options, "exclude": source.exclude} if source.exclude else options)


def options_argument(source: Source) -> str:
    """Return the command-line options that say how to read `source`, with a leading space; '' for the defaults."""
    usual = asdict(ReadOptions())
    return "".join(
        f" --{name.replace('_', '-')} {shlex.quote(str(value))}"
        for name, value in asdict(source.options).items()
        if value != usual[name]
    ) + "".join(f" --exclude {shlex.quote(pattern)}" for pattern in source.exclude)


def source_with(source_tables: sqlite3.Connection, file: Path) -> str | None:
    """Return the source that `file`, under any name or link, was read from; None if there is none."""
    known = source_tables.execute(
        "SELECT location, path FROM files JOIN sources ON sources.id = source_id ORDER BY files.id"
    ).fetchall()
    for location, path in known:
        with suppress(OSError):  # it is gone, or was never a file
            if Path(path).samefile(file) or Path(location, path).samefile(file):
                return str(location)
    return None
