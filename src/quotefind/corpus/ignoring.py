"""Which files and folders the user wants to leave out: `--exclude`, `.quotefindignore` and `.gitignore`.

All three hold patterns as in a `.gitignore`. In one file the last pattern that matches decides, and a file in a deeper
folder wins over one above it. `--exclude` wins over every `.quotefindignore`, which wins over every `.gitignore`.
Files in a folder that is left out cannot be included again, because such a folder is not searched.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from quotefind.corpus.opening import open_regular
from quotefind.errors import SourceError, UsageError

if TYPE_CHECKING:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

OWN, GIT = ".quotefindignore", ".gitignore"
_LONGEST = 1_000_000  # bytes of a file of rules that are read


class _Patterns(NamedTuple):
    """Patterns for everything below `base`, a folder with a separator at its end; the last pattern comes first."""

    base: str
    patterns: tuple[GitIgnoreSpecPattern, ...]

    def decide(self, path: str) -> bool | None:
        """Return whether `path` is left out; None if no pattern matches it."""
        relative = path[len(self.base) :].replace(os.sep, "/")
        for pattern in self.patterns:
            if _matches(pattern, relative):
                return pattern.include
        return None


class Rules(NamedTuple):
    """The rules for what to leave out of a folder, by their kind; the first rule that matches decides."""

    excluded: tuple[_Patterns, ...] = ()
    own: tuple[_Patterns, ...] = ()
    git: tuple[_Patterns, ...] = ()

    @classmethod
    def of(cls, root: Path, exclude: Collection[str]) -> Self:
        """Return the rules for the source `root`: the patterns `exclude`, and those of its Git repository above it.

        Raises:
            UsageError: a pattern is invalid.
        """
        excluded = _Patterns(_base(root), _compiled(tuple(exclude)))
        if len(excluded.patterns) < len([pattern for pattern in exclude if _is_pattern(pattern)]):
            raise UsageError(f"--exclude needs patterns as in a .gitignore, not {' '.join(exclude)}.")
        git = tuple(_patterns(folder, GIT) for folder in _above_in_repository(root))
        return cls((excluded,) if excluded.patterns else (), (), git)

    def inside(self, folder: Path, names: Collection[str]) -> Rules:
        """Return the rules for the content of `folder`, which has files with these `names`.

        Raises:
            OSError: a `.quotefindignore` cannot be read, so that it is unknown what to leave out.
        """
        own = (_patterns(folder, OWN), *self.own) if OWN in names else self.own
        git = (_patterns(folder, GIT), *self.git) if GIT in names else self.git
        return Rules(self.excluded, own, git)

    def leaves_out(self, path: str, *, is_folder: bool) -> str | None:
        """Return the origin of the rule that leaves `path` out: "--exclude" or a file name; None if it is kept."""
        for name, several in (("--exclude", self.excluded), (OWN, self.own), (GIT, self.git)):
            for patterns in several:
                decided = patterns.decide(path + os.sep if is_folder else path)
                if decided is not None:
                    return name if decided else None
        return None


def _matches(pattern: GitIgnoreSpecPattern, path: str) -> bool:
    """Whether a pattern matches `path` itself, not only a folder above it, which was decided earlier."""
    assert pattern.regex is not None, "it is neither blank nor a comment"
    for found in pattern.regex.finditer(path):
        # pathspec's name for the slash after the folder that the pattern matches.
        if found.groupdict().get("ps_d"):
            if found.end("ps_d") == len(path):
                return True
        elif pattern.regex.search(path.rstrip("/")):  # "b/**" matches "b/", but means its content
            return True
    return False


def _above_in_repository(root: Path) -> list[Path]:
    """Return the folders from `root` up to its Git repository, nearest first; none if it is not in a repository."""
    above: list[Path] = []
    for folder in (root.absolute(), *root.absolute().parents):
        if os.path.exists(folder / ".git"):  # noqa: PTH110 - a Path raises where access is denied
            return above
        above.append(folder.parent)
    return []


def _base(folder: Path) -> str:
    return os.path.join(folder, "")  # noqa: PTH118 - with a separator at its end, which a Path has not


def _patterns(folder: Path, name: str) -> _Patterns:
    """Return the patterns in a file of rules; none if it is not a regular file, or is an unreadable `.gitignore`.

    Raises:
        OSError: a `.quotefindignore` cannot be read.
    """
    try:
        with open_regular(folder / name) as stream:
            text = stream.read(_LONGEST).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    except (SourceError, IsADirectoryError):
        text = ""
    except OSError:
        if name == OWN:
            raise
        text = ""
    return _Patterns(_base(folder), _compiled(tuple(text.splitlines())))


def _is_pattern(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


@lru_cache(maxsize=100)
def _compiled(lines: Iterable[str]) -> tuple[GitIgnoreSpecPattern, ...]:
    """Return the patterns in `lines`, the last one first; invalid lines are ignored, as Git does."""
    if not any(map(_is_pattern, lines)):
        return ()
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    patterns = []
    for line in lines:
        try:
            pattern = GitIgnoreSpecPattern(line)
        except ValueError:
            continue
        if pattern.include is not None:
            patterns.append(pattern)
    return tuple(reversed(patterns))
