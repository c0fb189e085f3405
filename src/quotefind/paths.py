"""Where things are kept, and who may override it.

| what | default | override |
|---|---|---|
| named indexes | the user's data directory | `QUOTEFIND_HOME` (then `$QUOTEFIND_HOME/indexes`) |
| what was typed at the prompt | the user's data directory | `QUOTEFIND_HOME` (then `$QUOTEFIND_HOME/history`) |
| prepared models | the user's cache directory | `QUOTEFIND_HOME` (then `$QUOTEFIND_HOME/cache/models`) |
| checkpoints of `pair` | the user's cache directory | `QUOTEFIND_HOME` (then `$QUOTEFIND_HOME/cache/checkpoints`) |
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TypeGuard

from quotefind.errors import UsageError

DEFAULT_INDEX = "default"
# Names the index of a command that has no --index.
INDEX_VARIABLE = "QUOTEFIND_INDEX"
BUNDLED = "bundled"
# Where an index is: a directory, or the address of a Lance dataset on other storage, as s3://bucket/quotes.lance.
Location = Path | str
LANCE = ".lance"
_NAME = re.compile(r"\w[\w.-]*")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)")
# Storage that Lance knows.
_SCHEMES = ("s3", "gs", "az")


def index_location(index: str | None) -> Location:
    """Return where the index called `index` is: a plain word is a name, anything else a path or an address.

    Raises:
        UsageError: `index` is empty, or an address that no index can have.
    """
    name = DEFAULT_INDEX if index is None else index
    if not name.strip():
        raise UsageError(
            f"The name of the index is empty; give a name or a directory, as in --index ./poems or {INDEX_VARIABLE}."
        )
    if _NAME.fullmatch(name):
        return _home("indexes") / name
    address = _ADDRESS.fullmatch(name)
    if address:
        return _address(name.rstrip("/") if address[2] else name, address[1].lower())
    return Path(name).expanduser().absolute()


def _address(name: str, scheme: str) -> str:
    if scheme not in _SCHEMES:
        known = ", ".join(f"{other}://" for other in _SCHEMES)
        raise UsageError(f"{name} is no address of an index; it begins with one of {known}, or is a path.")
    if not name.partition("://")[2]:
        raise UsageError(f"{name} names no place; an index on other storage is named as in s3://bucket/quotes{LANCE}")
    if not is_lance(name):
        raise UsageError(f"On other storage an index is a Lance dataset, and its name ends in {LANCE}: {name}{LANCE}")
    return name


def is_lance(location: Location) -> bool:
    """Whether an index at `location` is a Lance dataset: its name says so."""
    return str(location).casefold().endswith(LANCE)


def is_named(location: Location) -> TypeGuard[Path]:
    """Whether `location` is in the data directory, so that an index there has a name."""
    return isinstance(location, Path) and location.parent == _home("indexes")


def named_indexes() -> list[str]:
    """Return the names of the indexes in the data directory, in their order."""
    try:
        found = sorted(path.name for path in _home("indexes").iterdir() if path.is_dir())
    except OSError:
        return []  # none was made yet
    return [name for name in found if _NAME.fullmatch(name)]


def index_argument(location: Location) -> str:
    """Return the command-line words that name the index at `location`, with a leading space, or ''."""
    if location == index_location(os.environ.get(INDEX_VARIABLE) or None):
        return ""
    if is_named(location):
        return f" --index {shlex.quote(location.name)}"
    return f" --index {shlex.quote(str(location))}"


def models_directory() -> Path:
    """Return the directory in which models are kept once they are prepared."""
    return _home("cache") / "models"


def checkpoints_directory() -> Path:
    """Return the directory in which is kept how far long work has come that was interrupted."""
    return _home("cache") / "checkpoints"


def history_file() -> Path:
    """Return the file that holds what was typed at the prompt of `find`."""
    return _home("history")


def bundled_quotes() -> Path:
    """Return the file of quotations that comes with the program."""
    return _bundled("quotes.jsonl")


def bundled_themes() -> Path:
    """Return the file of the themes of these quotations, one a line."""
    return _bundled("themes.txt")


def _bundled(name: str) -> Path:
    packaged = Path(__file__).with_name("quotes") / name
    if packaged.exists():
        return packaged
    # An editable install runs from the source tree, where the quotes stand at the top.
    return Path(__file__).parents[2] / "quotes" / name


def make_private(directory: Path) -> Path:
    """Make `directory` and its parents, for this user alone where the system knows users; return it.

    What was there keeps its permissions.
    """
    for path in reversed((directory, *directory.parents)):  # Path.mkdir would make the parents as the umask says
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)
    return directory


def _home(part: str) -> Path:
    home = os.environ.get("QUOTEFIND_HOME")
    if home:
        return Path(home).expanduser().absolute() / part
    import platformdirs

    if part in ("indexes", "history"):
        return platformdirs.user_data_path("quotefind", appauthor=False) / part
    return platformdirs.user_cache_path("quotefind", appauthor=False)
