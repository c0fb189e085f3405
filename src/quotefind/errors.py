"""One root for every error that a user can cause or mend.

A message says what is wrong, where, and what mends it. Each class carries the exit code that the command
line ends with, so that programs can tell the kinds apart.
"""

from __future__ import annotations


class QuotefindError(Exception):
    """The root of all errors of this package; `exit_code` is what the process ends with."""

    exit_code: int = 2


class UsageError(QuotefindError):
    """What was asked cannot be done as it was asked (exit code 2)."""

    exit_code = 2


class SourceError(QuotefindError):
    """A source of quotes cannot be read, or holds something that is no quote (exit code 3)."""

    exit_code = 3


class IndexUnusableError(QuotefindError):
    """The index is missing, locked, damaged or made by another model (exit code 4)."""

    exit_code = 4


class IndexLockedError(IndexUnusableError):
    """Another process writes the index (exit code 4)."""


class ModelError(QuotefindError):
    """The model, its device or an optional part of the program is missing (exit code 5)."""

    exit_code = 5
