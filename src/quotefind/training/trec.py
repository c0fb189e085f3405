"""TREC files, for trec_eval and similar tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from quotefind.errors import UsageError
from quotefind.training.evaluation import Result
from quotefind.training.judgements import JudgedQuery

# The most characters in the name of a run; file systems allow about 250, similar tools fewer.
_LONGEST = 100


def make_directory(directory: Path) -> None:
    """Make the directory for `write_runs`, before anything is measured in vain.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(directory, error) from error


def write_runs(directory: Path, judged: Sequence[JudgedQuery], results: Sequence[Result]) -> None:
    """Write `topics.tsv`, `qrels.txt` and a `SYSTEM.run` for each result into `directory`, which is made if missing.

    The score in a run is 1 / rank, so that ties keep their order.

    Raises:
        UsageError: a file cannot be written.
    """
    files = {
        "topics.tsv": "".join(f"{query.id}\t{' '.join(query.text.split())}\n" for query in judged),
        "qrels.txt": "".join(
            f"{query.id} 0 {name} {grade}\n" for query in judged for name, grade in query.relevant.items()
        ),
    }
    for tag, result in zip(_tags([result.system for result in results]), results, strict=True):
        files[f"{tag}.run"] = "".join(
            f"{query} Q0 {name} {rank} {1 / rank:.6f} {tag}\n"
            for query, names in result.run.items()
            for rank, name in enumerate(names, 1)
        )
    make_directory(directory)
    try:
        for name, content in files.items():
            (directory / name).write_text(content, encoding="utf-8", newline="\n")
    except OSError as error:
        raise _not_written(directory, error) from error


def _tags(systems: Sequence[str]) -> list[str]:
    """Return for each system a name that is valid in a file name and in a run; all differ, also in lower case."""
    tags: list[str] = []
    for system in systems:
        # The end says how a model ranks; the beginning may be a long path.
        base = re.sub(r"[^\w.-]+", "-", system, flags=re.ASCII)[-_LONGEST:].strip("-.") or "system"
        tag, number = base, 1
        while tag.lower() in map(str.lower, tags):
            number += 1
            tag = f"{base}-{number}"
        tags.append(tag)
    return tags


def _not_written(directory: Path, error: OSError) -> UsageError:
    return UsageError(f"The runs cannot be written to {directory}: {error.strerror or error}.")
