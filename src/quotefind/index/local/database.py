"""The SQLite database of an index: its schema and how it is opened."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quotefind.errors import IndexUnusableError
from quotefind.paths import index_argument
from quotefind.private_files import OTHER_KINDS, check_own, open_own

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE_NAME = "index.sqlite"
FORMAT = 3
# Formats of earlier versions that a writer brings up to date: see `upgrade`.
UPGRADABLE = ("1", "2")
# Who wants to write waits so long for another process that commits, or that verifies full-text search.
_BUSY_SECONDS = 120.0

# How full-text search takes texts apart.
TOKENIZER = "porter unicode61 remove_diacritics 2"

# What `quotefind tag` proposed, for conditions to look at; what a hit shows of it is `quotes.proposed`.
PROPOSED_TAGS = """
CREATE TABLE proposed_tags (
    tag_id INTEGER NOT NULL REFERENCES tags (id),
    quote_id INTEGER NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    PRIMARY KEY (tag_id, quote_id)
) WITHOUT ROWID;
CREATE INDEX proposed_tags_quote ON proposed_tags (quote_id);
"""
SCHEMA = f"""
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- What the user named, and the files found there.
CREATE TABLE sources (id INTEGER PRIMARY KEY, location TEXT NOT NULL UNIQUE, options TEXT NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES sources (id),
    path TEXT NOT NULL,
    size INTEGER, modified INTEGER, digest BLOB,  -- null until the file was indexed whole
    UNIQUE (source_id, path)
);

CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE TABLE works (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE TABLE tags (id INTEGER PRIMARY KEY, folded TEXT NOT NULL UNIQUE);

CREATE TABLE quotes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,      -- text.quote_id
    digest BLOB NOT NULL,           -- text.text_digest: what vectors are reused by
    row INTEGER NOT NULL,           -- in the matrix
    checksum INTEGER NOT NULL,      -- CRC-32 of the row
    text TEXT NOT NULL,
    chars INTEGER NOT NULL,
    author_id INTEGER REFERENCES authors (id),
    work_id INTEGER REFERENCES works (id),
    year INTEGER,
    tags TEXT NOT NULL,             -- a JSON array, as the source gives them
    proposed TEXT NOT NULL DEFAULT '[]',  -- a JSON array of what `quotefind tag` proposed; never among `tags`
    note TEXT,                      -- what whoever collected it wrote beside it
    truncated INTEGER NOT NULL,     -- whether the encoder cut it
    seal INTEGER NOT NULL           -- CRC-32 of all that a hit shows of it, see `seal`
);
CREATE UNIQUE INDEX quotes_row ON quotes (row);
CREATE INDEX quotes_digest ON quotes (digest);
CREATE INDEX quotes_author ON quotes (author_id);
CREATE INDEX quotes_work ON quotes (work_id);
CREATE TABLE quote_tags (
    tag_id INTEGER NOT NULL REFERENCES tags (id),
    quote_id INTEGER NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    PRIMARY KEY (tag_id, quote_id)
) WITHOUT ROWID;
CREATE INDEX quote_tags_quote ON quote_tags (quote_id);
{PROPOSED_TAGS}
CREATE TABLE places (
    file_id INTEGER NOT NULL REFERENCES files (id),
    quote_id INTEGER NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    line INTEGER,
    PRIMARY KEY (file_id, quote_id)
) WITHOUT ROWID;
CREATE INDEX places_quote ON places (quote_id);
-- Rows of the matrix that no quote owns any more.
CREATE TABLE dead (row INTEGER PRIMARY KEY);
-- What has been written of a matrix that is to replace this one.
CREATE TABLE rewritten (
    quote_id INTEGER PRIMARY KEY REFERENCES quotes (id) ON DELETE CASCADE,
    row INTEGER NOT NULL, checksum INTEGER NOT NULL, truncated INTEGER NOT NULL
);

CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'quotes', content_rowid = 'id', tokenize = '{TOKENIZER}'
);
"""

# What the seal of a quote is made from, but for what was proposed and its note.
SEALED = """
name, text, (SELECT name FROM authors WHERE id = author_id), (SELECT name FROM works WHERE id = work_id), year, tags
"""
# Seals quotes whose attribution was changed; a condition may follow.
SEAL_QUOTES = f"UPDATE quotes SET seal = seal({SEALED}, proposed, note)"

# Deletes the tags that nothing carries any more.
FORGET_TAGS = """
DELETE FROM tags WHERE NOT EXISTS (SELECT 1 FROM quote_tags WHERE tag_id = tags.id)
AND NOT EXISTS (SELECT 1 FROM proposed_tags WHERE tag_id = tags.id)
"""


def seal(
    name: str,
    text: str,
    author: str | None,
    work: str | None,
    year: int | None,
    tags: str,
    proposed: str = "[]",
    note: str | None = None,
) -> int:
    """Return the CRC-32 of all that a hit shows of a quote: SQLite does not notice when a byte of a text changes."""
    # Where nothing is proposed and no note is there the seal is that of format 2, which did not know of these.
    more = [proposed, note] if note is not None else [proposed] if proposed != "[]" else []
    shown = (name, text, author, work, year, tags, *more)
    # As JSON in ASCII, which every version of Python writes alike; what `repr` escapes depends on its Unicode tables.
    return zlib.crc32(json.dumps(shown).encode("ascii"))


def connect_to_write(directory: Path) -> sqlite3.Connection:
    """Open the database in `directory`, made if it is not there; the caller holds the writer's lock.

    Write-ahead logging lets readers go on with the state they began with while a writer commits.
    """
    path = directory / FILE_NAME
    with damage_reported(directory):
        _check_files(directory)
        os.close(open_own(path, os.O_RDWR | os.O_CREAT))
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Names are random, so that each commit touches pages everywhere: keep them, and write them together.
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA wal_autocheckpoint = 16384")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.create_function("seal", 8, seal, deterministic=True)
        return connection


def connect_to_read(directory: Path) -> sqlite3.Connection:
    """Open the database in `directory` so that nothing can be written to it.

    Raises:
        sqlite3.Error: it is not there, or is no database.
        OSError: it is a link, a directory, a pipe or a device.
    """
    path = directory / FILE_NAME
    _check_files(directory)
    address = address_of(directory)
    try:
        return _connect(f"{address}?mode=ro")
    except sqlite3.OperationalError as error:
        if os.access(directory, os.W_OK):
            if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
                raise
            # A run was killed as it made the database; only who may write can take back what it began.
            _connect(f"{address}?mode=rw").close()
            return _connect(f"{address}?mode=ro")
        # A log needs a directory that can be written; where it cannot be, nobody is writing either.
        log = path.with_name(f"{FILE_NAME}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _connect(f"{address}?mode=ro&immutable=1")


def _check_files(directory: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        check_own(directory / f"{FILE_NAME}{suffix}")


def exists(directory: Path) -> bool:
    """Whether anything stands in the place of the database in `directory`.

    Raises:
        OSError: that cannot be seen.
    """
    try:
        (directory / FILE_NAME).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def address_of(directory: Path) -> str:
    """Return the URI of the database in `directory`, as SQLite takes it: with four slashes for a Windows share."""
    uri = (directory / FILE_NAME).absolute().as_uri()
    return uri if uri.startswith("file:///") else uri.replace("file://", "file:////", 1)


def _connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def integers(found: Iterable[tuple[int, ...]]) -> NDArray[np.int64]:
    """Return the numbers of all rows of a result, one behind the other.

    Raises:
        sqlite3.DatabaseError: one of them is no whole number, because the database is damaged.
    """
    import numpy as np  # not at the top: `today` must not wait for it

    try:
        return np.fromiter((number for row in found for number in row), np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise sqlite3.DatabaseError(f"no whole number where one was written: {error}") from error


def statements(script: str) -> Iterator[str]:
    """Yield the statements of `script` one by one, so that they can share a transaction."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end; undo everything where an error or an interrupt comes before."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def damage_reported(directory: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise about the files of an index into an error that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # The other kinds, such as a broken constraint, would be faults of this program.
        if type(error) not in (sqlite3.DatabaseError, sqlite3.OperationalError):
            raise
        raise IndexUnusableError(damage(directory, error)) from error
    except UnicodeDecodeError as error:  # of a message of SQLite about a damaged name
        raise IndexUnusableError(damage(directory, sqlite3.DatabaseError(str(error)))) from error
    except OSError as error:
        raise unusable(directory, error) from error


def unusable(directory: Path, error: OSError) -> IndexUnusableError:
    """Return what to raise where the system refuses a file of the index in `directory`."""
    path = error.filename or directory
    mend = ""
    if error.errno in OTHER_KINDS:
        beside = Path(path).name != FILE_NAME  # SQLite makes its log anew
        mend = f" Delete {path}; the next run makes it again." if beside else f" {index_again(directory)}"
    return IndexUnusableError(f"The index in {directory} cannot be used: {path}: {error.strerror or error}.{mend}")


def index_again(directory: Path) -> str:
    """Return what mends an index whose database is lost."""
    command = f"quotefind index SOURCE…{index_argument(directory)}"
    return f"Delete {directory} and index its sources again. To make it: {command}"


def damaged(directory: Path, what: str) -> IndexUnusableError:
    """Return what to raise where the database in `directory` can be read, but does not hold what was written."""
    return IndexUnusableError(f"{directory / FILE_NAME} is damaged: {what}. {index_again(directory)}")


def damage(directory: Path, error: sqlite3.DatabaseError) -> str:
    """Return the message for a database that fails with `error`."""
    path = directory / FILE_NAME
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"):
        return (
            f"{path} cannot be written ({error}): the disk is full or fails, its own or the one for temporary files. "
            "What was committed before is safe."
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"{path} cannot be opened ({error}); look at the permissions of {directory}, and at ulimit -n."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path} is being written by another program and did not become free; try again."
    if name.startswith("SQLITE_IOERR"):
        return f"{path} cannot be read or written ({error}); look at the disk, and try again."
    return f"{path} is damaged ({error}). {index_again(directory)}"
