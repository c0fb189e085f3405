"""Preparing a model for ONNX Runtime, once: exported, optimised, compared, kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quotefind import limits
from quotefind.encoders.prepared import (
    FORMAT,
    INFO,
    PreparedModel,
    directory_of,
    file_checksum,
    find_prepared,
    info_checksum,
)
from quotefind.encoders.resolve import ModelSource
from quotefind.errors import ModelError
from quotefind.paths import make_private
from quotefind.progress import Progress


def prepare(source: ModelSource, fingerprint: str, progress: Progress) -> PreparedModel:
    """Return the prepared model for `source`, preparing it if necessary.

    Several processes may do this at once: one prepares it in another directory and renames that, the others wait.

    Raises:
        ModelError: sentence-transformers cannot open the model, or it cannot be written.
    """
    from filelock import FileLock

    ready = find_prepared(fingerprint)
    if ready is not None:
        return ready
    directory = directory_of(fingerprint)
    try:
        make_private(directory.parent)
        with FileLock(f"{directory}.lock", mode=0o600):
            ready = find_prepared(fingerprint)
            if ready is None:
                progress("preparing the model (once)")
                beside = directory.with_name(f".making-{directory.name}")
                _remove(beside)  # left by a killed run
                beside.mkdir(mode=0o700)
                try:
                    _make(source, fingerprint, beside)
                    _remove(directory)
                    beside.replace(directory)
                finally:
                    _remove(beside)
                ready = find_prepared(fingerprint)
    except OSError as error:
        raise ModelError(
            f"The model {source.name} cannot be prepared in {directory.parent}: {error}. "
            "Make room, or set QUOTEFIND_HOME to a writable directory that has room."
        ) from error
    except MemoryError as error:
        raise ModelError(f"The model {source.name} cannot be prepared: there is not enough memory.") from error
    if ready is None:
        raise ModelError(f"The prepared model in {directory} is damaged; delete that directory and try again.")
    return ready


def _check_space(source: ModelSource, directory: Path, copies: int) -> None:
    """Raise OSError where `directory` has no room for this many `copies` of the weights."""
    # ONNX Runtime does not say when the disk was full, so ask first.
    weights = sum(path.stat().st_size for path in source.path.rglob("*.safetensors"))
    needed = int(1.1 * copies * weights)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise OSError(f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free")
    probe = directory / "probe"
    with probe.open("wb") as file:
        file.truncate(int(1.1 * weights))  # fails where the user may not write so large a file
    probe.unlink()


def _remove(path: Path) -> None:
    """Delete the file, link or directory at `path`, as far as possible; of a link, not its target."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _make(source: ModelSource, fingerprint: str, directory: Path) -> None:
    model = _made(source, PreparedModel(directory, source.name, fingerprint, "onnx", 0, "", 0))
    info: dict[str, Any] = asdict(model)
    del info["path"]
    info["files"] = {path.name: [path.stat().st_size, file_checksum(path)] for path in sorted(directory.iterdir())}
    info |= {"checksum": info_checksum(info), "format": FORMAT}
    (directory / INFO).write_text(json.dumps(info, indent=1), encoding="utf-8")


def _made(source: ModelSource, model: PreparedModel) -> PreparedModel:
    """Write the files of `source` to `model.path`, the fastest way that works; return `model` completed."""
    if source.official:
        from quotefind.encoders.graph import make_from_graph

        limits.check(limits.PREPARING)
        _check_space(source, model.path, copies=1)
        try:
            return make_from_graph(source, model)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # ONNX Runtime raises its own; another version of it may not run this graph
            if limits.shortage(error) is not None:
                raise
            for path in model.path.iterdir():
                path.unlink()
    from quotefind.encoders.export import make_by_export

    _check_space(source, model.path, copies=2)  # the exported model and the optimised one
    return make_by_export(source, model)
