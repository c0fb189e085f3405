"""Maps: how many neighbours each projection keeps, and how long it takes.

The bundled quotations and --quotes fortunes, encoded by the shipped model. Shown is how many of the 15 nearest quotes,
by the cosine, are among the 15 nearest on the map (as a mean over all quotes), and the rank correlation of distances
between 20,000 random pairs: what a map says of quotes that are close, and of those that are far apart.

UMAP and PaCMAP take part where they are installed: pip install umap-learn pacmap
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import measure
import synthetic

from quotefind.stores import open_index

_NEIGHBOURS = 15
_PAIRS = 20_000


def compare(index: str) -> list[dict[str, Any]]:
    """Return for each projection of the index in directory `index` what it keeps and how long it takes."""
    import numpy as np
    from scipy.stats import spearmanr
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    from quotefind import Filter
    from quotefind.map.projection import project

    with open_index(Path(index)) as opened:
        vectors = opened.vectors(opened.rows_where(Filter()))
    reduced = PCA(min(50, len(vectors)), svd_solver="covariance_eigh").fit_transform(vectors)

    def near(places: Any) -> Any:
        found = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(places)
        return found.kneighbors(return_distance=False)

    contestants: dict[str, Callable[[], Any]] = {
        "quotefind map (t-SNE, cosine)": lambda: project(vectors),
        "t-SNE after PCA to 50": lambda: project(reduced / np.linalg.norm(reduced, axis=1, keepdims=True)),
        "PCA to 2": lambda: PCA(2, svd_solver="covariance_eigh").fit_transform(vectors),
    }
    if find_spec("umap"):
        from umap import UMAP

        contestants["UMAP, cosine"] = lambda: UMAP(metric="cosine", random_state=0).fit_transform(vectors)
        contestants["UMAP after PCA to 50"] = lambda: UMAP(random_state=0).fit_transform(reduced)
    if find_spec("pacmap"):
        from pacmap import PaCMAP

        contestants["PaCMAP after PCA to 50"] = lambda: PaCMAP(random_state=0).fit_transform(reduced)
    wanted = near(vectors)
    i, j = np.random.default_rng(0).integers(0, len(vectors), (2, _PAIRS))
    far = ((vectors[i] - vectors[j]) ** 2).sum(axis=1)
    results = []
    for name, make in contestants.items():
        measure.say(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make()  # some compile themselves the first time
            started = time.perf_counter()
            places = np.asarray(make())
            seconds = time.perf_counter() - started
        kept = [len(set(a) & set(b)) / _NEIGHBOURS for a, b in zip(wanted, near(places), strict=True)]
        distances = ((places[i] - places[j]) ** 2).sum(axis=1)
        correlation = float(spearmanr(far, distances).statistic)
        results.append({"name": name, "kept": float(np.mean(kept)), "correlation": correlation, "seconds": seconds})
    return results


def main() -> None:
    """Measure, and print one table for each collection."""
    given = measure.options(__doc__ or "", quotes=10_000)
    with measure.home_directory(given.home) as home:
        fortunes = home / "fortunes.jsonl"
        count, _ = measure.in_own_process(synthetic.write_fortunes, path=fortunes, count=given.quotes)
        collections = {"the bundled quotations": "bundled", f"{count:,} fortunes": str(fortunes)}
        if given.smallest:
            del collections["the bundled quotations"]
        for title, source in collections.items():
            index = home / f"map-of-{Path(source).stem}.index"
            measure.say(f"encoding {title}")
            measure.run([*measure.quotefind_command(), "index", source, "--index", str(index), "--quiet"])
            found, _ = measure.in_own_process(compare, index=index)
            best = found[0]
            rows = [
                [
                    result["name"],
                    f"{result['kept']:.3f}",
                    measure.times(best["kept"] / result["kept"]),
                    f"{result['correlation']:.2f}",
                    measure.seconds(result["seconds"]),
                ]
                for result in found
            ]
            columns = ["", f"of {_NEIGHBOURS} neighbours kept", "ours / this", "correlation of distances", "time"]
            measure.print_table(f"Map of {title}", columns, rows, ["Each ran twice; the time is that of the second."])


if __name__ == "__main__":
    main()
