"""The SQLite database of a local index: how it is opened, and what to say when it is damaged."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quotefind.errors import IndexUnusableError
from quotefind.index.schema import add_functions
from quotefind.paths import index_argument
from quotefind.private_files import NOT_REGULAR, check_private, open_private

FILE_NAME = "index.sqlite"
FORMAT = 4
# Earlier formats that a writer upgrades: see `migrate`.
UPGRADABLE = ("1", "2", "3")
# The time that a writer waits for another process to commit or to verify full-text search.
_BUSY_SECONDS = 120.0


def connect_to_write(directory: Path) -> sqlite3.Connection:
    """Open the database in `directory` for writing; make it if it is missing. The caller must hold the lock.

    With write-ahead logging, readers keep the state that they started with while a writer commits.
    """
    path = directory / FILE_NAME
    with damage_reported(directory):
        _check_files(directory)
        os.close(open_private(path, os.O_RDWR | os.O_CREAT))
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Ids are random, so each commit touches pages all over the file: keep many in memory and write them together.
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA wal_autocheckpoint = 16384")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        add_functions(connection)
        return connection


def connect_to_read(directory: Path) -> sqlite3.Connection:
    """Open the database in `directory` for reading only.

    Raises:
        sqlite3.Error: it is missing, or is not a database.
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
            # A run was killed while creating the database; only a connection that may write can roll that back.
            _connect(f"{address}?mode=rw").close()
            return _connect(f"{address}?mode=ro")
        # A log needs a writable directory; if the directory is not writable, nobody is writing.
        log = path.with_name(f"{FILE_NAME}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _connect(f"{address}?mode=ro&immutable=1")


def _check_files(directory: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        check_private(directory / f"{FILE_NAME}{suffix}")


def exists(directory: Path) -> bool:
    """Whether anything in `directory` has the name of the database.

    Raises:
        OSError: the directory cannot be read.
    """
    try:
        (directory / FILE_NAME).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def address_of(directory: Path) -> str:
    """Return the URI of the database in `directory` for SQLite, with four slashes for a Windows share."""
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


@contextmanager
def damage_reported(directory: Path) -> Iterator[None]:
    """Turn errors of SQLite and the file system into an IndexUnusableError that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # Other kinds, such as a violated constraint, are bugs of this program.
        if type(error) not in (sqlite3.DatabaseError, sqlite3.OperationalError):
            raise
        raise IndexUnusableError(damage(directory, error)) from error
    except UnicodeDecodeError as error:  # SQLite's message contains a damaged name
        raise IndexUnusableError(damage(directory, sqlite3.DatabaseError(str(error)))) from error
    except OSError as error:
        raise unusable(directory, error) from error


def unusable(directory: Path, error: OSError) -> IndexUnusableError:
    """Return the error for a file of the index in `directory` that the system refuses to open."""
    path = error.filename or directory
    fix = ""
    if error.errno in NOT_REGULAR:
        beside = Path(path).name != FILE_NAME  # SQLite creates its log again
        fix = f" Delete {path}; the next run creates it again." if beside else f" {index_again(directory)}"
    return IndexUnusableError(f"The index in {directory} cannot be used: {path}: {error.strerror or error}.{fix}")


def index_again(directory: Path) -> str:
    """Return how to fix an index whose database is lost."""
    command = f"quotefind index SOURCE…{index_argument(directory)}"
    return f"Delete {directory} and index its sources again: {command}"


def damaged(directory: Path, what: str) -> IndexUnusableError:
    """Return the error for a database in `directory` that can be read but is damaged."""
    return IndexUnusableError(f"{directory / FILE_NAME} is damaged: {what}. {index_again(directory)}")


def damage(directory: Path, error: sqlite3.DatabaseError) -> str:
    """Return the message for a database that failed with `error`."""
    path = directory / FILE_NAME
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"):
        return (
            f"{path} cannot be written ({error}): the disk, or the disk for temporary files, is full or fails. "
            "Earlier commits are safe."
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"{path} cannot be opened ({error}); check the permissions of {directory}, and ulimit -n."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path} is locked by another program; try again."
    if name.startswith("SQLITE_IOERR"):
        return f"{path} cannot be read or written ({error}); check the disk, and try again."
    return f"{path} is damaged ({error}). {index_again(directory)}"
