"""Beyond one machine: the same quotes in a directory, in a Lance dataset, and on two Ray nodes (extra `scale`).

Started as `python benchmarks/scale.py --machines`. Two nodes are two groups of processes on loopback addresses of this
machine, with one processor each: what they share is its disk and memory, and no network lies between them.

- encoding: the fortunes, real texts and the real model, by the command as a whole process: into a directory, by one
  process into Lance, by one worker and by two; with two numbers of quotes, so that the time to start can be told from
  the rate. The share of linear is that of two workers against twice one.
- searching: vectors of fortunes with noise (cosine with their origin about 0.8), so that a million have the structure
  of sentences without a million being encoded. Medians of warm requests of one process, in turn. Up to 999,999 quotes
  every answer is exact, and compared with the directory's; from 1,000,000 on Lance's index is approximate.
- recall: of that approximate index on real sentence vectors, those of --sentences (a text file, a sentence a line) or
  else of the fortunes, with requests of the bundled pairs; against an exact search.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import measure
import synthetic

_TESTS = Path(__file__).parents[1] / "tests"
_PAIRS = Path(__file__).parents[1] / "quotes" / "pairs.jsonl"
_NOISE = 0.75
_REQUESTS = 40
# Requests of the bundled pairs with which the recall is measured.
_RECALLED = 1000
# Two sizes, so that the time to start can be told from the rate.
_FORTUNES = 1500, 6000


class NoisyEncoder(synthetic.FakeEncoder):
    """Gives a numbered fortune its real vector with noise."""

    def __init__(self, identity: dict[str, Any], vectors: Any) -> None:
        """Start from `vectors` (n, d), those of the fortunes in their order."""
        super().__init__(identity)
        self._vectors = vectors

    def encode_quotes(self, texts: Any, progress: object = None) -> Any:  # noqa: ARG002
        """Return (n, dim) float32 unit rows."""
        import numpy as np

        numbers = [int(text.rpartition("(")[2].rstrip(")")) for text in texts]
        # Drawn for each by its number, whatever stands beside it.
        drawn = [np.random.default_rng(number).standard_normal(self.dim, dtype=np.float32) for number in numbers]
        rows = self._vectors[np.array(numbers) % len(self._vectors)] + np.stack(drawn) * (_NOISE / self.dim**0.5)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_queries(self, texts: Any) -> Any:
        """Return (n, dim) float32 unit rows, as the real model has them."""
        from quotefind import open_encoder

        return open_encoder(device="cpu").encode_queries(texts)


def encode_fortunes(path: str) -> int:
    """Encode all fortunes with the real model into the file `path`; return how many."""
    import numpy as np

    from quotefind import open_encoder

    texts = [quote.text for quote in synthetic.fortunes()]
    np.save(path, open_encoder(device="cpu").encode_quotes(texts))
    return len(texts)


def make(index: str, source: str, vectors: str, identity: dict[str, Any]) -> dict[str, Any]:
    """Index `source` with noisy vectors; return the seconds and the size."""
    import numpy as np

    from quotefind import Source, open_index, open_to_write

    started = time.monotonic()
    encoder = NoisyEncoder(identity, np.load(vectors))
    with open_to_write(Path(index), lambda _model, _fingerprint: encoder) as writer:
        summary = writer.update([Source(source)])
    seconds = time.monotonic() - started
    with open_index(Path(index)) as opened:
        facts = opened.storage()
    return {"quotes": summary.quotes, "seconds": seconds, **facts}


def search(index: str, vectors: str, ray: str | None, exact: bool) -> dict[str, Any]:
    """Search for `_REQUESTS` vectors; return the seconds of each once warm, the rows found, and this process's peak."""
    import numpy as np

    from quotefind import open_index
    from quotefind.index.lance.ray_cluster import Cluster

    known = np.load(vectors)
    source = np.random.default_rng(1)
    queries = known[source.integers(0, len(known), _REQUESTS)]
    queries = queries + source.standard_normal(queries.shape, dtype=np.float32) * (_NOISE / queries.shape[1] ** 0.5)
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    with open_index(Path(index), cluster=Cluster(ray, 2) if ray else None, exact=exact) as opened:
        for query in queries[:5]:
            opened.search(query[None], 10)
        seconds, rows = [], []
        for query in queries:
            started = time.perf_counter()
            (ranking,) = opened.search(query[None], 10)
            seconds.append(time.perf_counter() - started)
            rows.append(ranking.rows.tolist())
    # Not more than this: a process that ends by itself takes Ray's with it.
    return {"seconds": seconds, "rows": rows, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def recall(index: str, copy: str) -> dict[str, Any]:
    """Give the quotes of the index in a directory an approximate index of vectors; return what it finds of the truth.

    Args:
        index: of real sentences, in a directory.
        copy: where to make the Lance dataset.
    """
    import numpy as np

    from quotefind import Filter, Source, open_encoder, open_index, open_to_write
    from quotefind.index.lance import vector_index

    vector_index.LARGE = 1000
    with open_index(Path(index)) as directory:
        rows = directory.rows_where(Filter())
        known = dict(zip((quote.text for quote in directory.quotes(rows)), directory.vectors(rows), strict=True))
        (source,) = directory.sources()
        real = open_encoder(directory.manifest.model, device="cpu", fingerprint=directory.manifest.fingerprint)
        identity = {name: getattr(real, name) for name in ("name", "fingerprint", "dim", "pooling", "max_tokens")}

        class Known(synthetic.FakeEncoder):
            def encode_quotes(self, texts: Any, progress: object = None) -> Any:  # noqa: ARG002
                return np.stack([known[text] for text in texts])

            def encode_queries(self, texts: Any) -> Any:
                return real.encode_queries(texts)

        from quotefind.index.sources import remembered

        (how,) = remembered(directory.source_tables)
        assert isinstance(how, Source)
        assert how.location == source.location
        with open_to_write(Path(copy), lambda _model, _fingerprint: Known(identity)) as writer:
            writer.update([how])
        requests = real.encode_queries(_requests_of_pairs())
        truth = directory.search(requests, 10)
    with open_index(Path(copy)) as shared:
        facts = shared.storage()
        found = shared.search(requests, 10)
    with open_index(Path(copy), exact=True) as shared:
        exactly = shared.search(requests[:20], 10)
    for a, b in zip(exactly, truth, strict=False):
        if a.rows.tolist() != b.rows.tolist() or not np.allclose(a.scores, b.scores, atol=1e-5):
            sys.exit("An exact search in Lance found something else than the directory.")
    shares = [len(set(a.rows.tolist()) & set(b.rows.tolist())) / 10 for a, b in zip(found, truth, strict=True)]
    return {"quotes": len(rows), "requests": len(requests), "recall": float(np.mean(shares)), **facts}


def _requests_of_pairs() -> list[str]:
    """Return requests of the bundled pairs, each once: other ones than an index is tuned with."""
    queries = {json.loads(line)["query"] for line in _PAIRS.read_text(encoding="utf-8").splitlines()}
    others = sorted(query for query in queries if not query.casefold().startswith("quotes about "))
    return random.Random(0).sample(others, _RECALLED)


def main() -> None:
    """Measure and print the tables."""
    sys.argv.remove("--machines")
    sentences = None
    if "--sentences" in sys.argv:
        place = sys.argv.index("--sentences")
        sentences = Path(sys.argv[place + 1]).absolute()
        del sys.argv[place : place + 2]
    given = measure.options(__doc__ or "", quotes=1_000_000, quotes_help="the largest index searched (%(default)s)")
    sys.path.insert(0, str(_TESTS))
    from ray_nodes import two_nodes

    with measure.home_directory(given.home) as home:
        measure.say("preparing the model, the first time")
        identity, _ = measure.in_own_process(synthetic.prepare_model)
        work = home / "machines"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        with two_nodes(work) as nodes:
            os.environ |= nodes.environment
            report_encoding(_encoding(work, nodes.address, given.runs), given.runs)
            measure.in_own_process(encode_fortunes, path=work / "vectors.npy")
            sizes = [size for size in (10_000, 100_000, 1_000_000) if size <= given.quotes]
            report_searching([_searching(work, size, identity, nodes) for size in sizes])
        report_recall(_recalls(work, sentences))
        shutil.rmtree(work)


def _encoding(work: Path, address: str, runs: int) -> dict[str, dict[str, float]]:
    """Index fortunes in each way, few and more; return the median wall time of both commands, and the rate between."""
    quotefind = measure.quotefind_command()
    ways = {
        "a directory, one process": ("directory", []),
        "Lance, one process": ("one.lance", []),
        "Lance, two nodes, 1 worker": ("worker.lance", ["--ray", address, "--workers", "1"]),
        "Lance, two nodes, 2 workers": ("workers.lance", ["--ray", address, "--workers", "2"]),
    }
    for count in _FORTUNES:
        measure.in_own_process(synthetic.write_fortunes, path=work / f"fortunes-{count}.jsonl", count=count)

    def index(count: int, name: str, options: list[str]) -> float:
        place = work / f"{count}-{name}"
        shutil.rmtree(place, ignore_errors=True)
        source = str(work / f"fortunes-{count}.jsonl")
        started = time.monotonic()
        subprocess.run([*quotefind, "index", source, "--index", str(place), "--quiet", *options], check=True)
        return time.monotonic() - started

    taken = measure.rounds(
        {f"{count} {way}": partial(index, count, *ways[way]) for way in ways for count in _FORTUNES},
        runs,
    )
    rates = {}
    for way in ways:
        few, more = (median(taken[f"{count} {way}"]) for count in _FORTUNES)
        rates[way] = {"few": few, "more": more, "rate": (_FORTUNES[1] - _FORTUNES[0]) / (more - few)}
    return rates


def _searching(work: Path, size: int, identity: dict[str, Any], nodes: Any) -> dict[str, Any]:
    """Make both kinds of index of `size` quotes, and search them in each way."""
    source, vectors = work / "numbered.jsonl", work / "vectors.npy"
    measure.in_own_process(synthetic.write_numbered, path=source, count=size)
    made = {}
    for name in ("directory", "quotes.lance"):
        measure.say(f"making {name} of {size:,}")
        index = work / f"{size}-{name}"
        made[name], _ = measure.in_own_process(make, index=index, source=source, vectors=vectors, identity=identity)
    directory, shared = work / f"{size}-directory", work / f"{size}-quotes.lance"
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "directory": lambda: _search(directory, vectors, None, exact=False),
        "Lance, one process": lambda: _search(shared, vectors, None, exact=False),
        "Lance, two nodes": lambda: _search(shared, vectors, nodes.address, exact=False),
        "Lance, one process, --exact": lambda: _search(shared, vectors, None, exact=True),
    }
    found = {}
    for way, call in ways.items():
        measure.say(f"searching {size:,}: {way}")
        found[way] = call()
        if way == "Lance, two nodes":
            found[way]["nodes"] = nodes.memory()
    return {"size": size, "made": made, "found": found}


def _search(index: Path, vectors: Path, ray: str | None, *, exact: bool) -> dict[str, Any]:
    found: dict[str, Any] = measure.in_own_process(search, index=index, vectors=vectors, ray=ray, exact=exact)[0]
    return found


def _recalls(work: Path, sentences: Path | None) -> list[dict[str, Any]]:
    """Measure the recall on the fortunes, and on `sentences`."""
    indexes = [work / f"{_FORTUNES[1]}-directory"]
    if sentences is not None:
        measure.say(f"encoding {sentences}")
        index = work / "sentences"
        options = ["--input-format", "txt", "--skip-bad", "--quiet"] if sentences.is_file() else []
        if (sentences / "index.sqlite").exists():
            index = sentences  # encoded already
        else:
            command = [*measure.quotefind_command(), "index", str(sentences), "--index", str(index), *options]
            subprocess.run(command, check=True)
        indexes.append(index)
    measured = []
    for number, index in enumerate(indexes):
        measure.say(f"recall in {index.name}")
        measured.append(measure.in_own_process(recall, index=index, copy=work / f"recall-{number}.lance")[0])
    return measured


def report_encoding(taken: dict[str, dict[str, float]], runs: int) -> None:
    """Print the table of encoding."""
    base = taken["a directory, one process"]["rate"]
    rows = [
        [way, f"{one['few']:.0f} s", f"{one['more']:.0f} s", f"{one['rate']:.0f}/s", measure.times(one["rate"] / base)]
        for way, one in taken.items()
    ]
    one, two = (taken[f"Lance, two nodes, {n}"]["rate"] for n in ("1 worker", "2 workers"))
    few, more = _FORTUNES
    notes = [
        f"Whole commands, medians of {runs}, in turn; the rate is that between the two, so without what it takes to "
        "start. A directory and one process use both processors, a worker one. "
        f"Two workers reach {100 * two / (2 * one):.0f} % of twice one worker."
    ]
    header = ["", f"{few:,} fortunes", f"{more:,}", "rate between", "to the directory"]
    measure.print_table("Machines: encoding", header, rows, notes)


def report_searching(measured: list[dict[str, Any]]) -> None:
    """Print the table of searching."""
    rows, notes = [], []
    for one in measured:
        truth = one["found"]["directory"]["rows"]
        base = median(one["found"]["directory"]["seconds"])
        for way, found in one["found"].items():
            same = [len(set(a) & set(b)) / len(b) for a, b in zip(found["rows"], truth, strict=True)]
            memory = measure.megabytes(found["peak"])
            if "nodes" in found:
                memory += "; nodes " + ", ".join(measure.megabytes(peak) for peak in found["nodes"])
            rows.append(
                [
                    f"{one['size']:,}: {way}",
                    f"{1000 * median(found['seconds']):.1f} ms",
                    measure.times(median(found["seconds"]) / base),
                    f"{sum(same) / len(same):.3f}",
                    memory,
                ]
            )
        directory, shared = (one["made"][name] for name in ("directory", "quotes.lance"))
        notes.append(
            f"{one['size']:,}: {directory['bytes'] / one['size']:,.0f} bytes a quote in a directory, "
            f"{shared['bytes'] / one['size']:,.0f} in Lance ({shared['vector_index']}, "
            f"{shared['partitions_searched']} of {shared['partitions']} partitions searched, recall "
            f"{shared['recall_at_10']}); made, without a model, in "
            f"{directory['seconds']:.0f} s and {shared['seconds']:.0f} s."
        )
    header = ["", "a request", "to the directory", "of its ten hits", "memory"]
    measure.print_table(f"Machines: searching, median of {_REQUESTS} warm requests", header, rows, notes)


def report_recall(measured: list[dict[str, Any]]) -> None:
    """Print the table of recall."""
    rows = [
        [
            f"{one['quotes']:,} real sentences",
            f"{one['recall']:.4f}",
            f"{one['recall_at_10']:.4f}",
            f"{one['partitions_searched']} of {one['partitions']}",
        ]
        for one in measured
    ]
    notes = [
        f"{measured[0]['requests']} requests of the bundled pairs; `info` shows what was measured when the index "
        "was made, with others. An exact search gave what the directory gives."
    ]
    header = ["", "recall@10 of requests", "as info shows it", "partitions searched"]
    measure.print_table("Machines: recall of the approximate index", header, rows, notes)
