"""How good proposed tags are: precision and recall of `quotefind tag` on the bundled quotes, whose tags are known.

    tagging.py [FILE.jsonl ...] [--home DIR]

The shipped model was trained with the quotes of the training authors and with their tags, so that everything is
chosen on the held-out authors (quotes/pairs.jsonl says who they are) and the others stand beside them. A tag that is
proposed for a quote is right where the quote carries it. Tags are never complete: a quote about love that is not tagged
"love" counts as a mistake, so that every precision here is a lower bound. How much that may be is shown by a second
count, in which a tag is also right where readers of the quote used it as a label of theirs (`tags` in
quotes/pairs.jsonl).

Micro: over all proposals. Macro: the mean over the tags that some quote of the group carries; a tag that is never
proposed has precision 0. AP: average precision over all pairs of quote and tag, ranked by score; no threshold.

Contestants: the ways to ask for a tag; scores less the mean of their tag over the collection, or standardised,
against hubness (Radovanovic, Nanopoulos and Ivanovic, "Hubs in Space", JMLR 2010), also where the collection has only
20 quotes; the base model; the tag's own words, or others with their stems, in the text; and both together, 0.1 more
where the words are there. The interval is that of the difference in AP to what is shipped: a bootstrap over quotes.

The default threshold of a model is chosen by CRITERION below, on the held-out authors: proposals are looked at one by
one or used to narrow a search, so that precision matters more than recall, and a proposal that is right should be the
rule. How well such a choice carries over is measured by choosing on one half of the held-out authors, by lot, and
looking at the other half.

A FILE holds one quote a line: {"text", "author", "tags": [...]}. Its tags are the tags that at least 20 of its quotes
carry; the shipped threshold is applied to it as it is.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import measure

from quotefind.stores import open_index
from quotefind.text import one_line

_QUOTES = Path(__file__).parent.parent / "quotes"
_SHIPPED, _BASE = "quotefind-MiniLM-L6-v1", "all-MiniLM-L6-v2"
_GRID = [round(0.01 * step, 2) for step in range(25, 66)]
_SHOWN = _GRID[5:-1:2]
_LEAST_PRECISION = 0.6
CRITERION = f"the lowest of {_GRID[0]}, {_GRID[1]}, … whose micro precision is at least {_LEAST_PRECISION}"
_WAYS = {
    "the bare tag": ["{}"],
    '"quotes about {}"': ["quotes about {}"],
    "the mean of both": ["{}", "quotes about {}"],
    "the mean of the four of the model card": [
        "{}",
        "quotes about {}",
        "I need a quote about the importance of {}.",
        "Searching for a quote that captures the essence of {}.",
    ],
}
_BONUS = 0.1
_SMALL = 20
_SAMPLES = 300
_HALVES = 200
_MIN_QUOTES = 20


def main() -> None:
    """Measure, and print the tables."""
    parser = measure.options_parser(__doc__ or "")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="a tagged collection, as JSON Lines")
    given = parser.parse_args()
    with measure.home_directory(given.home) as home:
        found = {}
        for model in [_SHIPPED] if given.smallest else [_SHIPPED, _BASE]:
            index = _index("bundled", home / f"{model}.index", model)
            found[model], _ = measure.in_own_process(measured, directory=index)
        for model in found:
            _show_grid(model, found[model])
        _show_ways([row for model in found for row in found[model]["ways"]] + [found[_SHIPPED]["by_words"]])
        _show_tags(found[_SHIPPED])
        for file in given.files:
            index = _index(str(file.absolute()), home / f"{file.stem}.index", _SHIPPED)
            other, _ = measure.in_own_process(measured_elsewhere, directory=index)
            _show_elsewhere(file.name, other)


def _index(source: str, directory: Path, model: str) -> str:
    measure.say(f"indexing {source} with {model}")
    words = ["index", source, "--index", str(directory), "--model", model, "--quiet"]
    measure.run([*measure.quotefind_command(), *words])
    return str(directory)


def measured(directory: str) -> dict[str, Any]:
    """Measure the model of the index of bundled quotes in `directory`; run in a process of its own."""
    import numpy as np

    from quotefind import Filter, open_encoder
    from quotefind.tagging import THRESHOLDS, TOP, read_tags, tag_vectors

    pairs = [json.loads(line) for line in (_QUOTES / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    held_out_texts = {pair["quote"] for pair in pairs if pair["split"] == "held-out"}
    labels = {pair["quote"]: set(pair["tags"]) for pair in pairs}
    tags = read_tags()
    with open_index(Path(directory)) as index:
        rows = index.rows_where(Filter())
        quotes, vectors = index.quotes(rows), index.vectors(rows)
        model = index.manifest.model
        encoder = open_encoder(model, device="cpu", fingerprint=index.manifest.fingerprint)
    carried = np.array([[tag in quote.tags for tag in tags] for quote in quotes])
    said = (
        np.array([[tag.replace("-", " ") in labels[one_line(quote.text)] for tag in tags] for quote in quotes])
        | carried
    )
    held_out = np.array([one_line(quote.text) in held_out_texts for quote in quotes])
    scores = {way: vectors @ tag_vectors(encoder, tags, asked).T for way, asked in _WAYS.items()}
    shipped = vectors @ tag_vectors(encoder, tags).T
    by_words = np.array([_has_words(quote.text, tags) for quote in quotes])
    known = carried[held_out]
    contestants = {way: found[held_out] for way, found in scores.items()}
    contestants |= {f"as shipped, {how}": found for how, found in _calibrated(shipped[held_out]).items()}
    contestants[f"as shipped, {_BONUS} more for its words"] = (shipped + _BONUS * by_words)[held_out]
    ways = [
        _way(f"{model}, {name}", found, known) | {"difference": _interval(found, shipped[held_out], known)}
        for name, found in contestants.items()
    ]
    threshold = THRESHOLDS[model]
    return {
        "threshold": threshold,
        "top": TOP,
        "grid": [
            {
                "threshold": least,
                "held_out": _figures(_proposed(shipped, least, TOP)[held_out], carried[held_out]),
                "said": _figures(_proposed(shipped, least, TOP)[held_out], said[held_out]),
                "others": _figures(_proposed(shipped, least, TOP)[~held_out], carried[~held_out]),
            }
            for least in sorted({*_SHOWN, threshold})
        ],
        "tops": [
            {"top": top, **_figures(_proposed(shipped, threshold, top)[held_out], carried[held_out])}
            for top in (1, 2, 3, 4, len(tags))
        ],
        "ways": ways,
        "chosen": _chosen(shipped[held_out], known),
        "halves": _halves(
            shipped[held_out], known, [quote.author or "" for quote in quotes if one_line(quote.text) in held_out_texts]
        ),
        "by_words": {"name": "the words of the tag, by stem", **_figures(by_words[held_out], carried[held_out])},
        "tags": _by_tag(tags, _proposed(shipped, threshold, TOP), carried, held_out),
    }


def measured_elsewhere(directory: str) -> dict[str, Any]:
    """Measure the shipped model on another collection, by its own tags; run in a process of its own."""
    import numpy as np

    from quotefind import Filter, open_encoder
    from quotefind.tagging import THRESHOLDS, TOP, tag_vectors

    with open_index(Path(directory)) as index:
        rows = index.rows_where(Filter())
        quotes, vectors = index.quotes(rows), index.vectors(rows)
        encoder = open_encoder(index.manifest.model, device="cpu", fingerprint=index.manifest.fingerprint)
        threshold = THRESHOLDS[index.manifest.model]
    counts = Counter(tag for quote in quotes for tag in set(quote.tags))
    tags = sorted(tag for tag, count in counts.items() if count >= _MIN_QUOTES)
    scores = vectors @ tag_vectors(encoder, tags).T
    carried = np.array([[tag in quote.tags for tag in tags] for quote in quotes])
    by_words = np.array([_has_words(quote.text, tags) for quote in quotes])
    return {
        "quotes": len(quotes),
        "tags": len(tags),
        "shipped": _figures(_proposed(scores, threshold, TOP), carried),
        "by_words": _figures(by_words, carried),
    }


def _proposed(scores: Any, least: float, top: int) -> Any:
    """Return (n, t) bool: the `top` highest `scores` (n, t) of each row that are at least `least`; ties by tag."""
    import numpy as np

    ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable")
    return (ranks < top) & (scores >= least)


def _figures(proposed: Any, carried: Any) -> dict[str, float]:
    """Return precision, recall and F1, micro and macro, of what is `proposed` (n, t) where `carried` is right."""
    import numpy as np

    right, known = proposed & carried, carried.any(axis=0)
    precision, recall, f1 = (float(value) for value in _three(right.sum(), proposed.sum(), carried.sum()))
    each = _three(right.sum(axis=0)[known], proposed.sum(axis=0)[known], carried.sum(axis=0)[known])
    macro = [float(np.mean(values)) for values in each]
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        **dict(zip(("macro_precision", "macro_recall", "macro_f1"), macro, strict=True)),
        "quotes": float(proposed.any(axis=1).mean()),
    }


def _three(right: Any, proposed: Any, carried: Any) -> tuple[Any, Any, Any]:
    import numpy as np

    precision = right / np.maximum(proposed, 1)
    recall = right / np.maximum(carried, 1)
    return precision, recall, 2 * right / np.maximum(proposed + carried, 1)


def _way(name: str, scores: Any, carried: Any) -> dict[str, Any]:
    """Return the average precision of `scores`, and figures at their best F1 and at the criterion."""
    import numpy as np

    from quotefind.tagging import TOP

    # Only what may be proposed counts: the best tags of each quote.
    allowed = np.where(_proposed(scores, -np.inf, TOP), scores, -np.inf)
    order = np.argsort(-allowed, axis=None, kind="stable")
    hits = carried.ravel()[order]
    found = np.cumsum(hits)
    proposed = np.arange(1, len(hits) + 1)
    possible = int((allowed > -np.inf).sum())
    precision, recall = (found / proposed)[:possible], (found / carried.sum())[:possible]
    f1 = 2 * found[:possible] / (proposed[:possible] + carried.sum())
    best = int(np.argmax(f1))
    enough = np.flatnonzero(precision >= _LEAST_PRECISION)
    return {
        "name": name,
        "ap": _average_precision(scores, carried),
        "at": float(allowed.ravel()[order[best]]),
        **_figures(_proposed(scores, float(allowed.ravel()[order[best]]), TOP), carried),
        "recall_at": float(recall[enough[-1]]) if len(enough) else 0.0,
    }


def _average_precision(scores: Any, carried: Any) -> float:
    import numpy as np

    hits = carried.ravel()[np.argsort(-scores, axis=None, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def _interval(scores: Any, shipped: Any, carried: Any) -> list[float]:
    """Return the 95 % interval of the difference in average precision between `scores` and those that are `shipped`."""
    import numpy as np

    random = np.random.default_rng(1)
    differences = []
    for _ in range(_SAMPLES):
        drawn = random.integers(len(carried), size=len(carried))
        known = carried[drawn]
        differences.append(_average_precision(scores[drawn], known) - _average_precision(shipped[drawn], known))
    return [float(value) for value in np.quantile(differences, (0.025, 0.975))]


def _chosen(scores: Any, carried: Any) -> float | None:
    """Return the threshold that CRITERION chooses; None where no one does."""
    from quotefind.tagging import TOP

    precise = (t for t in _GRID if _figures(_proposed(scores, t, TOP), carried)["precision"] >= _LEAST_PRECISION)
    return next(precise, None)


def _halves(scores: Any, carried: Any, authors: list[str]) -> list[float]:
    """Return the 5 %, 50 % and 95 % quantile of the precision on one half of the authors, chosen on the other."""
    import numpy as np

    from quotefind.tagging import TOP

    random = np.random.default_rng(1)
    names = sorted(set(authors))
    found = []
    for _ in range(_HALVES):
        half = np.isin(authors, random.permutation(names)[: len(names) // 2])
        least = _chosen(scores[half], carried[half])
        if least is not None:
            found.append(_figures(_proposed(scores[~half], least, TOP), carried[~half])["precision"])
    return [float(value) for value in np.quantile(found, (0.05, 0.5, 0.95))]


def _calibrated(scores: Any) -> dict[str, Any]:
    """Return `scores` (n, t) less the mean of their tag, and standardised, over all and over 20 quotes at a time."""
    import numpy as np

    def less_mean(part: Any) -> Any:
        return part - part.mean(axis=0)

    def standardised(part: Any) -> Any:
        return (part - part.mean(axis=0)) / part.std(axis=0)

    order = np.random.default_rng(1).permutation(len(scores))
    groups = np.array_split(order, max(1, len(order) // _SMALL))
    found = {}
    for name, change in (("less the tag's mean", less_mean), ("standardised by tag", standardised)):
        found[name] = change(scores)
        small = np.empty_like(scores)
        for group in groups:
            small[group] = change(scores[group])
        found[f"{name}, {_SMALL} quotes at a time"] = small
    return found


def _has_words(text: str, tags: list[str]) -> list[bool]:
    """Return for each tag whether `text` holds its words, or others with the same stems."""
    import snowballstemmer

    stem = snowballstemmer.stemmer("english").stemWords
    words = set(stem(re.findall(r"\w+", text.casefold())))
    return [set(stem(re.findall(r"\w+", tag.casefold()))) <= words for tag in tags]


def _by_tag(tags: list[str], proposed: Any, carried: Any, held_out: Any) -> list[dict[str, Any]]:
    rows = []
    for number, tag in enumerate(tags):
        row: dict[str, Any] = {"tag": tag}
        for name, group in (("held_out", held_out), ("others", ~held_out)):
            mine, own = proposed[group, number], carried[group, number]
            row[name] = [int(own.sum()), int(mine.sum()), int((mine & own).sum())]
        rows.append(row)
    return rows


def _show_grid(model: str, found: dict[str, Any]) -> None:
    rows = []
    for point in found["grid"]:
        mark = " (default)" if point["threshold"] == found["threshold"] else ""
        cells = [f"{point['threshold']:.2f}{mark}"]
        held_out, others = point["held_out"], point["others"]
        cells += [_share(held_out[key]) for key in ("precision", "recall", "f1")]
        cells += [_share(held_out[key]) for key in ("macro_precision", "macro_recall", "macro_f1", "quotes")]
        cells.append(_share(point["said"]["precision"]))
        cells += [_share(others[key]) for key in ("precision", "recall", "f1")]
        rows.append(cells)
    columns = ["at least", "P", "R", "F1", "macro P", "macro R", "macro F1", "quotes with any", "P with labels"]
    columns += ["others: P", "R", "F1"]
    low, middle, high = found["halves"]
    notes = [
        f"Held-out authors, at most {found['top']} tags a quote. By the criterion, {CRITERION}: {found['chosen']}.",
        f"Chosen on one half of the authors, the precision on the other is {middle:.2f} ({low:.2f} to {high:.2f}).",
    ]
    measure.print_table(f"{model}: by threshold", columns, rows, notes)
    rows = [[str(row["top"]), *(_share(row[key]) for key in ("precision", "recall", "f1"))] for row in found["tops"]]
    measure.print_table(f"{model}: at most N tags a quote, at the default", ["N", "P", "R", "F1"], rows)


def _show_ways(ways: list[dict[str, Any]]) -> None:
    rows = [
        [
            way["name"],
            _share(way["ap"]) if "ap" in way else "",
            "{:+.3f} to {:+.3f}".format(*way["difference"]) if "difference" in way else "",
            f"{way['at']:.3f}" if "at" in way else "",
            *(_share(way[key]) for key in ("precision", "recall", "f1", "macro_f1")),
            _share(way["recall_at"]) if "ap" in way else "",
        ]
        for way in ways
    ]
    columns = [
        "scores",
        "AP",
        "difference",
        "best at",
        "P",
        "R",
        "F1",
        "macro F1",
        f"R at P {_LEAST_PRECISION}",
    ]
    measure.print_table("Held-out authors: contestants, each at the threshold of its best F1", columns, rows)


def _show_tags(found: dict[str, Any]) -> None:
    rows = []
    for row in found["tags"]:
        cells = [row["tag"]]
        for own, proposed, right in (row["held_out"], row["others"]):
            cells += [str(own), str(proposed), _ratio(right, proposed), _ratio(right, own)]
        rows.append(cells)
    columns = ["tag", "held-out", "proposed", "P", "R", "others", "proposed", "P", "R"]
    limits = f"at least {found['threshold']:.2f}, at most {found['top']} tags a quote"
    measure.print_table(f"By tag, {limits}", columns, rows)


def _show_elsewhere(name: str, found: dict[str, Any]) -> None:
    rows = [
        [label, *(_share(found[key][figure]) for figure in ("precision", "recall", "f1", "macro_f1", "quotes"))]
        for label, key in (("as shipped", "shipped"), ("the words of the tag, by stem", "by_words"))
    ]
    title = f"{name}: {found['quotes']} quotes, {found['tags']} tags that {_MIN_QUOTES} or more carry"
    measure.print_table(title, ["", "P", "R", "F1", "macro F1", "quotes with any"], rows)


def _share(value: float) -> str:
    return f"{value:.3f}"


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else ""


if __name__ == "__main__":
    main()
