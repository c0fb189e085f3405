"""Recipes for the quote model, compared on the authors that are held out in quotes/pairs.jsonl.

Each recipe fine-tunes all-MiniLM-L6-v2, in a process of its own, with pairs of the training authors, and is measured on
the quotations of the held-out authors alone: queries for each tag that at least four of them carry, in the three
ways of the model card; paraphrases and free queries of the held-out pairs. The last columns say what became of
the model as a general encoder: the rank correlation (Spearman) of its similarities of the ordinary sentence pairs in
sentence_pairs.tsv with those of the base model, the lowest similarity of a duplicate, the mean of the unrelated.

    recipes.py [--only NAME ...] [--jobs 2] [--home DIR]

With --home, models and results are kept there, and what is there already is not trained again.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import measure

_HERE = Path(__file__).parent
_QUOTES = _HERE.parent / "quotes"
# As many pairs as the model card was trained with.
_CARD_PAIRS = 2652
_MIN_QUOTES = 4
_LORA = {"lora_rank": 16, "epochs": 2, "learning_rate": 3e-4, "max_tokens": 64}


@dataclasses.dataclass(frozen=True)
class Trial:
    """What is tried: options of a `Recipe`; how many pairs (None: all), and how many more in other words for each."""

    recipe: dict[str, Any]
    pairs: int | None = _CARD_PAIRS
    augmented: int = 0


TRIALS = {
    "LoRA 16, 2 epochs": Trial(_LORA),
    "LoRA 16, 2 epochs, all pairs": Trial(_LORA, pairs=None),
    "LoRA 16, 1 epoch": Trial(_LORA | {"epochs": 1}),
    "LoRA 8, 2 epochs": Trial(_LORA | {"lora_rank": 8}),
    "LoRA 16, 2 epochs, false negatives mixed in": Trial(_LORA | {"keep_apart": False}),
    "LoRA 16, 2 epochs, guided (GIST)": Trial(_LORA | {"loss": "gist"}),
    "the card's recipe": Trial({"keep_apart": False}),
    "LoRA 16, 2 epochs, other words added": Trial(_LORA, augmented=1),
    "LoRA 64, 2 epochs": Trial(_LORA | {"lora_rank": 64}),
    "LoRA 16, 4 epochs": Trial(_LORA | {"epochs": 4}),
}
_SMALLEST = "LoRA 16, 1 epoch, 64 pairs"
# What is measured without being trained here: the base model, and the adapter that comes with the program (LoRA 16, 3
# epochs, all pairs) at several strengths.
BASE = "base model"
STRENGTHS = {f"the shipped adapter at strength {strength}": strength for strength in (0.5, 0.65, 0.8, 0.9, 1.0)}
_COLUMNS = {
    "pairs": "pairs",
    "tags": "tags",
    "paraphrase": "paraphrases",
    "free": "free queries",
    "mean": "mean",
    "order": "order kept",
    "duplicate": "duplicates",
    "unrelated": "unrelated",
}


def main() -> None:
    """Train and measure what is asked for, and print the table."""
    parser = measure.options_parser(__doc__ or "")
    parser.add_argument(
        "--only", action="append", choices=[BASE, *STRENGTHS, *TRIALS], metavar="NAME", help="this one; repeatable"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="recipes trained at once (%(default)s)")
    given = parser.parse_args()
    names = [_SMALLEST] if given.smallest else given.only or [BASE, *STRENGTHS, *TRIALS]
    with tempfile.TemporaryDirectory(prefix="quotefind-benchmark-") as temporary:
        home = (given.home or Path(temporary)).absolute()
        home.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(given.jobs) as pool:
            results = dict(zip(names, pool.map(lambda name: _result(name, home, given.jobs), names), strict=True))
    rows = [
        [name, *(_cell(result.get(key)) for key in _COLUMNS)]
        for name, result in sorted(results.items(), key=lambda item: item[1]["mean"])
    ]
    measure.print_table(
        "Recipes, measured on held-out authors (nDCG@10)",
        ["recipe", *_COLUMNS.values()],
        rows,
        ["mean: of tags, paraphrases and free queries, by which the recipe is chosen."],
    )


def _cell(value: float | None) -> str:
    return (
        ""
        if value is None
        else f"{value:,d}"
        if isinstance(value, int)
        else f"{value:.3f}"
        if value < 3
        else f"{value:.0f}"
    )


def _result(name: str, home: Path, jobs: int) -> dict[str, Any]:
    folder = home / "".join(letter if letter.isalnum() else "-" for letter in name)
    kept = folder.with_suffix(".json")
    if not kept.exists():
        measure.say(f"begun: {name}")
        os.environ["HF_HUB_OFFLINE"] = "1"
        result, _ = measure.in_own_process(
            try_it, name=name, folder=folder, threads=max(1, (os.cpu_count() or 1) // jobs)
        )
        kept.write_text(json.dumps(result), encoding="utf-8")
        measure.say(f"done: {name} {result}")
    return dict(json.loads(kept.read_text(encoding="utf-8")))


def try_it(name: str, folder: str, threads: int) -> dict[str, Any]:
    """Train the trial `name` into `folder`, and measure what came of it."""
    import torch

    from quotefind.encoders.resolve import BASE_MODEL, ModelSource, resolve
    from quotefind.encoders.sbert import load
    from quotefind.training.fine_tuning import train
    from quotefind.training.recipe import Recipe

    torch.set_num_threads(threads)
    base = resolve(BASE_MODEL)
    if name == BASE:
        return _measured(load(base, "cpu"), load(base, "cpu"))
    if name in STRENGTHS:
        adapter = _at_strength(STRENGTHS[name], Path(folder))
        return _measured(load(dataclasses.replace(base, adapter=adapter), "cpu"), load(base, "cpu"))
    trial = Trial(_LORA | {"epochs": 1}, pairs=64) if name == _SMALLEST else TRIALS[name]
    pairs = list(_training_pairs(trial))
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    train(pairs, Path(folder), Recipe(**trial.recipe), base=base)
    minutes = (time.monotonic() - started) / 60
    model = load(ModelSource(folder, Path(folder)), "cpu")
    return {"pairs": len(pairs), "minutes": minutes, **_measured(model, load(base, "cpu"))}


def _at_strength(strength: float, folder: Path) -> Path:
    """Return a copy of the shipped adapter, in `folder`, that adds `strength` of what was learned."""
    from quotefind.encoders.adapter import CONFIG
    from quotefind.encoders.resolve import ADAPTER

    shutil.copytree(ADAPTER, folder, dirs_exist_ok=True)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config["lora_alpha"] = 2 * config["r"] * strength
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return folder


def _training_pairs(trial: Trial) -> Iterator[Any]:
    """Yield the pairs of training authors that `trial` takes, drawn with a fixed seed."""
    from quotefind.training.pairs_file import read_pairs

    pairs = [pair for pair in read_pairs(_QUOTES / "pairs.jsonl") if not pair.held_out]
    draw = random.Random(0)
    draw.shuffle(pairs)
    ways = (_QUOTES / "templates.txt").read_text(encoding="utf-8").splitlines()
    for pair in pairs[: trial.pairs]:
        yield pair
        if pair.tag:
            for _ in range(trial.augmented):
                yield dataclasses.replace(pair, query=draw.choice(ways).replace("{}", pair.tag))


def _measured(model: Any, base: Any) -> dict[str, float]:
    """Return what `model` is worth, and what is left in it of `base`."""
    from quotefind.training.evaluation import DEPTH, System, evaluate

    texts, judged = _held_out()
    quotes = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    def rank(queries: Sequence[str]) -> list[list[str]]:
        scores = model.encode(list(queries), normalize_embeddings=True, show_progress_bar=False) @ quotes.T
        return [[str(place) for place in order] for order in (-scores).argsort(axis=1, kind="stable")[:, :DEPTH]]

    (result,) = evaluate([System("cosine", rank)], judged)
    values = dict(result.groups)
    values["mean"] = sum(values[group] for group in ("tags", "paraphrase", "free")) / 3
    return values | _general(model, base)


def _held_out() -> tuple[list[str], list[Any]]:
    """Return the texts of the held-out authors, and the queries for them, judged by their places."""
    from quotefind.tagging import TEMPLATES
    from quotefind.training.judgements import JudgedQuery

    pairs = [json.loads(line) for line in (_QUOTES / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    held_out = [pair for pair in pairs if pair["split"] == "held-out"]
    place = {text: str(number) for number, text in enumerate(dict.fromkeys(pair["quote"] for pair in held_out))}
    tags: dict[str, dict[str, int]] = {}
    for line in (_QUOTES / "quotes.jsonl").read_text(encoding="utf-8").splitlines():
        quote = json.loads(line)
        text = " ".join(quote["text"].split())
        for tag in quote["tags"] if text in place else []:
            tags.setdefault(tag.replace("-", " "), {})[place[text]] = 1
    judged = [
        JudgedQuery(f"{tag}.{way}", template.replace("{}", tag), relevant, topic=tag, group="tags")
        for tag, relevant in tags.items()
        if len(relevant) >= _MIN_QUOTES
        for way, template in enumerate(TEMPLATES[1:])
    ]
    for kind in ("paraphrase", "free"):
        asked: dict[str, dict[str, int]] = {}
        for pair in held_out:
            if pair["kind"] == kind:
                asked.setdefault(pair["query"], {})[place[pair["quote"]]] = 1
        judged += [
            JudgedQuery(f"{kind}.{number}", query, relevant, topic=query, group=kind)
            for number, (query, relevant) in enumerate(asked.items())
        ]
    return list(place), judged


def _general(model: Any, base: Any) -> dict[str, float]:
    """Return how `model` sees ordinary sentence pairs, next to how `base` sees them."""
    import numpy as np
    from scipy.stats import spearmanr

    with (_HERE / "sentence_pairs.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    kinds = np.array([row["kind"] for row in rows])
    scores = []
    for encoder in (model, base):
        a, b = (
            encoder.encode([row[column] for row in rows], normalize_embeddings=True, show_progress_bar=False)
            for column in ("sentence_0", "sentence_1")
        )
        scores.append((a * b).sum(axis=1))
    return {
        "order": float(spearmanr(*scores).statistic),
        "duplicate": float(scores[0][kinds == "duplicate"].min()),
        "unrelated": float(scores[0][kinds == "unrelated"].mean()),
    }


if __name__ == "__main__":
    main()
