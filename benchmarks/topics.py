"""Topics: how well they agree with tags that people gave, how long they take, and how much memory.

- agreement: the bundled quotations, clustered by what `quotefind topics` does and by other clusterings of scikit-learn
  with the same number of clusters (HDBSCAN finds its own and leaves quotes out, each of which counts as a topic of its
  own). Shown is how often two quotes of one topic share a tag, against how often any two quotes do, and how many pairs
  that share a tag are in one topic;
- time: `quotefind topics` as a whole process on 10,000 fortunes (to reach: 10 s) and on --quotes synthetic ones, with
  the most that the process held beside mapped files (`RssAnon`, Linux).

It needs 6 GB of disk at 1,000,000 quotes, in --home or where temporary files go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import measure
import synthetic
from load import checked, watch

from quotefind.stores import open_index

_FORTUNES = 10_000


def agreement(index: str) -> list[dict[str, Any]]:
    """Return for each clustering of the index in directory `index` how far it agrees with the tags."""
    import numpy as np
    from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
    from sklearn.decomposition import PCA

    from quotefind import Filter
    from quotefind.topics.clustering import cluster

    with open_index(Path(index)) as opened:
        rows = opened.rows_where(Filter())
        vectors = opened.vectors(rows)
        tags = [frozenset(quote.tags) for quote in opened.quotes(rows.tolist())]
    reduced = PCA(50, svd_solver="covariance_eigh").fit_transform(vectors)
    count = int(cluster(vectors.__getitem__, len(vectors)).max()) + 1
    contestants: dict[str, Callable[[], Any]] = {
        "quotefind topics": lambda: cluster(vectors.__getitem__, len(vectors)),
        "k-means, 384 dimensions": lambda: KMeans(count, n_init=4, random_state=0).fit_predict(vectors),
        "Ward's method, 384 dimensions": lambda: AgglomerativeClustering(count).fit_predict(vectors),
        "HDBSCAN, 50 dimensions": lambda: HDBSCAN(min_cluster_size=5, copy=True).fit_predict(reduced),
        "at random": lambda: np.random.default_rng(0).integers(0, count, len(vectors)),
    }
    shared = np.array([[bool(a & b) for b in tags] for a in tags])
    pairs = np.triu(np.ones_like(shared), 1)
    results = []
    for name, make in contestants.items():
        started = time.perf_counter()
        numbers = np.asarray(make())
        seconds = time.perf_counter() - started
        together = (numbers[:, None] == numbers[None]) & (numbers >= 0)[:, None] & pairs
        results.append(
            {
                "name": name,
                "topics": len(set(numbers[numbers >= 0].tolist())),
                "left out": float((numbers < 0).mean()),
                "sharing": float(shared[together].mean()) if together.any() else 0.0,
                "chance": float(shared[pairs].mean()),
                "found": float(together[shared & pairs].mean()),
                "seconds": seconds,
            }
        )
    return results


def show_agreement(home: Path) -> None:
    """Print how the clusterings of the bundled quotations agree with their tags."""
    index = home / "bundled.index"
    measure.run([*measure.quotefind_command(), "index", "bundled", "--index", str(index), "--quiet"])
    found, _ = measure.in_own_process(agreement, index=index)
    rows = [
        [
            result["name"],
            str(result["topics"]),
            f"{result['left out']:.0%}",
            f"{result['sharing']:.1%}",
            measure.times(result["sharing"] / result["chance"]),
            f"{result['found']:.1%}",
            measure.seconds(result["seconds"]),
        ]
        for result in found
    ]
    measure.print_table(
        "Topics of the bundled quotations and their tags",
        ["", "topics", "left out", "two of a topic share a tag", "of any two", "pairs found", "time"],
        rows,
        [f"Any two quotes share a tag in {found[0]['chance']:.1%} of all pairs. Each clustering ran once."],
    )


def show_cost(home: Path, count: int, quotes: int, runs: int) -> None:
    """Print what `quotefind topics` takes on `count` fortunes and on `quotes` synthetic ones."""
    fortunes, small = home / "fortunes.jsonl", home / "fortunes.index"
    measure.in_own_process(synthetic.write_fortunes, path=fortunes, count=count)
    measure.say(f"encoding {count:,} fortunes")
    measure.run([*measure.quotefind_command(), "index", str(fortunes), "--index", str(small), "--quiet"])
    identity, _ = measure.in_own_process(synthetic.prepare_model)
    rows = []
    for size, index in ((count, small), (quotes // 10, None), (quotes, None)):
        directory = index or home / f"{size}.index"
        if index is None and not directory.exists():
            source = home / f"{size}.jsonl"
            measure.say(f"making an index of {size:,} quotes")
            measure.in_own_process(synthetic.write_numbered, path=source, count=size)
            measure.in_own_process(synthetic.add_source, directory=directory, source=source, identity=identity)
        command = [
            *measure.quotefind_command(),
            "topics",
            "--index",
            str(directory),
            "--no-refresh",
            "--format",
            "jsonl",
        ]
        done = [checked(watch(command)) for _ in range(runs if index else 1)]
        rows.append(
            [
                f"{size:,} {'fortunes' if index else 'synthetic quotes'}",
                str(len(done[0].output.splitlines())),
                measure.seconds(median(one.seconds for one in done)),
                measure.megabytes(max(one.anonymous for one in done)),
            ]
        )
    measure.print_table("What `quotefind topics` takes", ["", "topics", "time", "memory beside files"], rows)


def main() -> None:
    """Measure, and print both tables."""
    given = measure.options(__doc__ or "", quotes=1_000_000)
    with measure.home_directory(given.home) as home:
        show_agreement(home)
        if given.smallest:
            show_cost(home, 60, 600, 1)
        else:
            show_cost(home, _FORTUNES, given.quotes, given.runs)


if __name__ == "__main__":
    main()
