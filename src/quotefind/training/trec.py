"""TREC files, for trec_eval and its relatives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from quotefind.errors import UsageError
from quotefind.training.evaluation import Result
from quotefind.training.judgements import JudgedQuery


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
    for result in results:
        tag = re.sub(r"[^\w.-]+", "-", result.system).strip("-")
        files[f"{tag}.run"] = "".join(
            f"{query} Q0 {name} {rank} {1 / rank:.6f} {tag}\n"
            for query, names in result.run.items()
            for rank, name in enumerate(names, 1)
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (directory / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The runs cannot be written to {directory}: {error.strerror or error}.") from error
