"""TREC files, for trec_eval and its relatives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from quotefind.errors import UsageError
from quotefind.training.evaluation import Result
from quotefind.training.judgements import JudgedQuery

# Characters of a name of a run; file systems allow some 250, trec_eval's relatives fewer.
_LONGEST = 100


def make_directory(directory: Path) -> None:
    """Make the directory for `write_runs`, so that nothing is measured in vain where it cannot be.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(directory, error) from error


def write_runs(directory: Path, judged: Sequence[JudgedQuery], results: Sequence[Result]) -> None:
    """Write `topics.tsv`, `qrels.txt` and one `SYSTEM.run` for each result into `directory`, made if it is not there.

    The score in a run is 1 / rank, so that equal scores keep their order.

    Raises:
        UsageError: it cannot be written there.
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
    """Return for each system a name that a file can have and a run can hold, all different, whatever their case."""
    tags: list[str] = []
    for system in systems:
        # The end says how a model ranks; what comes before may be a long path.
        base = re.sub(r"[^\w.-]+", "-", system, flags=re.ASCII)[-_LONGEST:].strip("-.") or "system"
        tag, number = base, 1
        while tag.lower() in map(str.lower, tags):
            number += 1
            tag = f"{base}-{number}"
        tags.append(tag)
    return tags


def _not_written(directory: Path, error: OSError) -> UsageError:
    return UsageError(f"The runs cannot be written to {directory}: {error.strerror or error}.")
