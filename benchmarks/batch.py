"""Many requests in one run: 1,000 through `quotefind find -` on an index of 100,000 quotes.

A request costs its encoding, which depends on the model, and what the program adds: reading it, ranking, fetching and
writing the hits. Measured is the latter: the whole process with all requests, less the same process with one request,
less the encoding of all requests by the same encoder in a process of its own (the opening of its session included, in
batches as large as those of `find -`), over the number of requests.

The peer: `sentence_transformers.util.semantic_search` of the encoded requests over the same matrix, held in memory. It
only ranks; next to it stands what does the same here, `Index.search`.

The quotes are real (the fortunes, with numbers behind them), their vectors random unit rows: see synthetic.py.

To reach: at most 3 ms a request beyond encoding.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import measure
import synthetic

from quotefind.stores import open_index

_REQUESTS = 1000
# As many as `find -` encodes at a time at most.
_BATCH = 256
_TOP = 5


def encode_requests(requests: str, identity: dict[str, Any], vectors: str | None = None) -> float:
    """Encode the lines of the file `requests`, and save them if `vectors` names a file; return the seconds."""
    import numpy as np

    from quotefind import open_encoder

    lines = Path(requests).read_text(encoding="utf-8").splitlines()
    encoder = open_encoder(identity["name"], device="cpu", fingerprint=identity["fingerprint"])
    started = time.perf_counter()
    rows = [encoder.encode_queries(lines[start : start + _BATCH]) for start in range(0, len(lines), _BATCH)]
    seconds = time.perf_counter() - started
    if vectors:
        np.save(vectors, np.concatenate(rows))
    return seconds


def rank_here(index: str, vectors: str) -> float:
    """Return the seconds of `Index.search` for the requests `vectors`, the second time."""
    import numpy as np

    queries = np.load(vectors)
    with open_index(Path(index)) as opened:
        for _ in range(2):
            started = time.perf_counter()
            for start in range(0, len(queries), _BATCH):
                opened.search(queries[start : start + _BATCH], _TOP)
            seconds = time.perf_counter() - started
    return seconds


def rank_with_peer(index: str, vectors: str) -> float:
    """Return the seconds of `semantic_search` for the requests `vectors`, the second time."""
    import numpy as np
    import torch
    from sentence_transformers import util

    from quotefind.index.local.reader import LocalIndex

    with open_index(Path(index)) as opened:
        assert isinstance(opened, LocalIndex)
        corpus = torch.from_numpy(np.array(opened.matrix))
    queries = torch.from_numpy(np.load(vectors))
    for _ in range(2):
        started = time.perf_counter()
        util.semantic_search(queries, corpus, top_k=_TOP)
        seconds = time.perf_counter() - started
    return seconds


def main() -> None:
    """Measure and print the table."""
    given = measure.options(__doc__ or "", quotes=100_000)
    quotefind = measure.quotefind_command()
    measure.fortunes_folder()
    with measure.home_directory(given.home) as home:
        index, source, vectors = home / "batch", home / "batch.jsonl", home / "batch.npy"
        many, one = home / "requests.txt", home / "request.txt"
        shutil.rmtree(index, ignore_errors=True)
        measure.say("making the index; before that, the first time, preparing the model")
        identity, _ = measure.in_own_process(synthetic.prepare_model)
        measure.in_own_process(synthetic.write_numbered, path=source, count=given.quotes)
        made, _ = measure.in_own_process(synthetic.add_source, directory=index, source=source, identity=identity)
        measure.in_own_process(synthetic.write_queries, path=many, count=10 if given.smallest else _REQUESTS)
        requests = many.read_text(encoding="utf-8").splitlines()
        one.write_text(requests[0] + "\n", encoding="utf-8")
        measure.in_own_process(encode_requests, requests=many, identity=identity, vectors=vectors)

        find = [*quotefind, "find", "-", "--index", str(index), "--top", str(_TOP)]
        _, output = measure.run(find, stdin=many)
        if output.count("\n") != _TOP * len(requests):
            sys.exit(f"find wrote {output.count(chr(10))} hits for {len(requests)} requests, expected {_TOP} each.")
        results = measure.rounds(
            {
                "all": lambda: measure.run(find, stdin=many)[0],
                "one": lambda: measure.run(find, stdin=one)[0],
                "encoding": lambda: measure.in_own_process(encode_requests, requests=many, identity=identity)[0],
                "ranking": lambda: measure.in_own_process(rank_here, index=index, vectors=vectors)[0],
                "peer": lambda: measure.in_own_process(rank_with_peer, index=index, vectors=vectors)[0],
            },
            given.runs,
            warm_up=0 if given.smallest else 1,
        )
        shutil.rmtree(index)
        source.unlink()
    whole, single = ([cost.wall for cost in results[name]] for name in ("all", "one"))
    beyond = [a - b - c for a, b, c in zip(whole, single, results["encoding"], strict=True)]
    peer = median(results["peer"])
    rows = [
        [name, measure.seconds(values), f"{1000 * median(values) / len(requests):.2f} ms", ratio]
        for name, values, ratio in (
            (f"`find -`, {len(requests):,} requests", whole, ""),
            ("`find -`, 1 request", single, ""),
            ("encoding the requests", results["encoding"], ""),
            ("beyond encoding and start", beyond, measure.times(median(beyond) / peer)),
            ("`Index.search` alone", results["ranking"], measure.times(median(results["ranking"]) / peer)),
            ("`util.semantic_search`", results["peer"], measure.times(1.0)),
        )
    ]
    rows[1][2] = ""
    measure.print_table(
        f"Batch: {len(requests):,} requests on {made['quotes']:,} quotes",
        ["", "time", "a request", "of semantic_search"],
        rows,
        [
            f"Medians of {given.runs} runs in turn; beyond encoding {measure.spread(beyond)}. "
            f"Peak memory of `find -` {measure.megabytes([cost.peak for cost in results['all']])}, "
            "the mapped matrix counted."
        ],
    )


if __name__ == "__main__":
    main()
