"""A cold `quotefind find` over the fortunes, as a whole process.

Compared in turn in the same run, with everything in the file cache and all byte code compiled:

- find: `quotefind find "quotes about family"` on an index made before;
- the usual script: import sentence_transformers, load the same weights, `np.load` a saved matrix of the same quotes,
  encode the query, `util.semantic_search`, print five;
- the floor: a process that only imports typer, rich, numpy, onnxruntime and tokenizers, and so does nothing.

Targets: the script takes at least 20 times as long as find; find takes at most 1.4 times the floor (CPU time) and at
most 200 MB of memory.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from statistics import median

import measure
import synthetic

_QUERY = "quotes about family"
_WARM_UP = 2

_USUAL_SCRIPT = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer, util
from quotefind.stores import open_index

weights, matrix, texts, query = sys.argv[1:]
model = SentenceTransformer(weights)
corpus = np.load(matrix)
with open(texts, encoding="utf-8") as stream:
    quotes = json.load(stream)
for hit in util.semantic_search(model.encode(query), corpus, top_k=5)[0]:
    print(f"{hit['score']:.6f}", quotes[hit["corpus_id"]])
"""
_FLOOR = "import typer, rich, numpy, onnxruntime, tokenizers"


def save_matrix(index: str, matrix: str, texts: str) -> int:
    """Write the vectors of `index` as one `.npy` file and its texts, in the same order, as JSON; return how many."""
    import numpy as np

    from quotefind import Filter, open_index

    with open_index(Path(index)) as opened:
        rows = opened.rows_where(Filter())
        np.save(matrix, opened.vectors(rows))
        Path(texts).write_text(json.dumps([quote.text for quote in opened.quotes(rows)]), encoding="utf-8")
    return len(rows)


def check_same_answer(find: list[str], script: list[str]) -> None:
    """End the program where both do not find quotes of the same scores."""
    _, found = measure.run([*find, "--format", "json"])
    _, expected = measure.run(script)
    scores = [hit["score"] for hit in json.loads(found)]
    peer = [float(line.split()[0]) for line in expected.splitlines()]
    if len(scores) != len(peer) or not all(math.isclose(a, b, abs_tol=1e-4) for a, b in zip(scores, peer, strict=True)):
        sys.exit(f"The two find different quotes: scores {scores} and {peer}.")


def main() -> None:
    """Measure and print the table."""
    given = measure.options(__doc__ or "", quotes_help="only so many fortunes, for a quick trial (all)")
    folder = measure.fortunes_folder()
    quotefind = measure.quotefind_command()
    with measure.home_directory(given.home) as home:
        source, name = folder, "start"
        if given.quotes:
            source, name = home / f"fortunes-{given.quotes}.jsonl", f"start-{given.quotes}"
            measure.in_own_process(synthetic.write_fortunes, path=source, count=given.quotes)
        index, matrix, texts = home / name, home / f"{name}.npy", home / f"{name}.json"
        measure.say(f"indexing {source}: a few minutes, the first time")
        measure.run([*quotefind, "index", source, "--index", index, "--model", "all-MiniLM-L6-v2"])
        count, _ = measure.in_own_process(save_matrix, index=index, matrix=matrix, texts=texts)

        find = [*quotefind, "find", _QUERY, "--index", str(index)]
        script = [sys.executable, "-c", _USUAL_SCRIPT]
        script += [str(word) for word in (measure.weights_directory(), matrix, texts, _QUERY)]
        floor = [sys.executable, "-c", _FLOOR]
        check_same_answer(find, script)
        costs = measure.rounds(
            {
                "find": lambda: measure.run(find)[0],
                "the usual script": lambda: measure.run(script)[0],
                "the floor": lambda: measure.run(floor)[0],
            },
            given.runs,
            0 if given.smallest else _WARM_UP,
        )
    rows = []
    for label, attribute, shown in (
        ("wall time", "wall", measure.seconds),
        ("CPU time", "cpu", measure.seconds),
        ("peak memory", "peak", measure.megabytes),
    ):
        ours, peer, least = (median(getattr(cost, attribute) for cost in costs[name]) for name in costs)
        rows.append(
            [label, shown(ours), shown(peer), shown(least), measure.times(peer / ours), measure.times(ours / least)]
        )
    measure.print_table(
        f'Start: one cold `quotefind find "{_QUERY}"` on {count:,} quotes',
        ["", "find", "usual script", "floor", "script / find", "find / floor"],
        rows,
        [f"Medians of {given.runs} runs in turn; wall time of find {measure.spread([c.wall for c in costs['find']])}."],
    )


if __name__ == "__main__":
    main()
