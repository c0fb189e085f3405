"""The errors that a user can cause or fix, with one root.

A message says what is wrong, where, and how to fix it. Each class carries an exit code for the command line, so that
programs can tell the kinds apart.
"""

from __future__ import annotations


class QuotefindError(Exception):
    """The root of all errors of this package; `exit_code` is the exit code of the process."""

    exit_code: int = 2


class UsageError(QuotefindError):
    """Wrong usage, or output cannot be written (exit code 2)."""

    exit_code = 2


class SourceError(QuotefindError):
    """A source cannot be read, or holds something that is not a quote (exit code 3)."""

    exit_code = 3


class IndexUnusableError(QuotefindError):
    """The index is missing, locked, damaged or made by another model (exit code 4)."""

    exit_code = 4


class IndexLockedError(IndexUnusableError):
    """Another process is writing the index (exit code 4)."""


class ModelError(QuotefindError):
    """The model, its device, an extra, memory or threads are missing (exit code 5)."""

    exit_code = 5
