"""Where files are kept, and how to override it.

| what | default | override |
|---|---|---|
| named indexes | the user's data directory | `QUOTEFIND_HOME` (then `$QUOTEFIND_HOME/indexes`) |
| history of the prompt | the user's data directory | `QUOTEFIND_HOME` (then `$QUOTEFIND_HOME/history`) |
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
# The environment variable with the default of --index.
INDEX_VARIABLE = "QUOTEFIND_INDEX"
BUNDLED = "bundled"
# Where an index is: a directory, or the address of a Lance dataset on other storage, as s3://bucket/quotes.lance.
Location = Path | str
LANCE = ".lance"
_NAME = re.compile(r"\w[\w.-]*")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)")
# Storage that Lance supports.
_SCHEMES = ("s3", "gs", "az")


def index_location(index: str | None) -> Location:
    """Return the location of `index`: a plain word is a name, anything else a path or an address.

    Raises:
        UsageError: `index` is empty, or an address that is not valid for an index.
    """
    name = DEFAULT_INDEX if index is None else index
    if not name.strip():
        raise UsageError(
            f"The name of the index is empty; set --index or {INDEX_VARIABLE} to a name or a directory, as ./poems"
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
        raise UsageError(f"{name} is not the address of an index; expected a path, or an address with {known}.")
    if not name.partition("://")[2]:
        raise UsageError(f"{name} is incomplete; expected an address such as s3://bucket/quotes{LANCE}")
    if not is_lance(name):
        raise UsageError(f"An index on such storage is a Lance dataset, so its name must end in {LANCE}: {name}{LANCE}")
    return name


def is_lance(location: Location) -> bool:
    """Whether an index at `location` is a Lance dataset, by its name."""
    return str(location).casefold().endswith(LANCE)


def is_named(location: Location) -> TypeGuard[Path]:
    """Whether the index at `location` is in the data directory, and so has a name."""
    return isinstance(location, Path) and location.parent == _home("indexes")


def named_indexes() -> list[str]:
    """Return the sorted names of the indexes in the data directory."""
    try:
        found = sorted(path.name for path in _home("indexes").iterdir() if path.is_dir())
    except OSError:
        return []  # there is none yet
    return [name for name in found if _NAME.fullmatch(name)]


def index_argument(location: Location) -> str:
    """Return the command-line words that name the index at `location`, with a leading space, or ''."""
    if location == index_location(os.environ.get(INDEX_VARIABLE) or None):
        return ""
    if is_named(location):
        return f" --index {shlex.quote(location.name)}"
    return f" --index {shlex.quote(str(location))}"


def models_directory() -> Path:
    """Return the directory of prepared models."""
    return _home("cache") / "models"


def checkpoints_directory() -> Path:
    """Return the directory with the progress of interrupted work."""
    return _home("cache") / "checkpoints"


def history_file() -> Path:
    """Return the file with the history of the prompt."""
    return _home("history")


def own_locations() -> list[Path]:
    """Return the directories in which the program keeps what it makes; quotes are never read from them."""
    return [_home("indexes"), _home("cache")]


def bundled_quotes() -> Path:
    """Return the file of the bundled quotes."""
    return _bundled("quotes.jsonl")


def bundled_tags() -> Path:
    """Return the file of the tags of the bundled quotes, one a line."""
    return _bundled("tags.txt")


def _bundled(name: str) -> Path:
    packaged = Path(__file__).with_name("quotes") / name
    if packaged.exists():
        return packaged
    # An editable install runs from the source tree.
    return Path(__file__).parents[2] / "quotes" / name


def make_private(directory: Path) -> Path:
    """Make `directory` and its parents, accessible to this user alone, and return it.

    Existing directories keep their permissions.
    """
    for path in reversed((directory, *directory.parents)):  # Path.mkdir would make the parents with the umask
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
