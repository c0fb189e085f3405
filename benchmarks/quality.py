"""How well requests are answered: the shipped model and its base, by the cosine, hybrid, and by shared words alone.

Everything goes through the commands, as a user would do it: `quotefind index` and `quotefind evaluate`. Asked are the
quotations of the authors that are held out in quotes/pairs.jsonl (requests for their themes in four ways, and the
paraphrases and free requests of the held-out pairs), and any tagged collection that is given.

    quality.py [FILE.jsonl ...] [--home DIR]

A FILE holds one quote a line: {"text", "author", "tags": [...]}. Intervals and p as `quotefind evaluate` computes them;
p is that of the difference from the shipped model by the cosine alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import measure

from quotefind.text import one_line

_QUOTES = Path(__file__).parent.parent / "quotes"
_BASE = "all-MiniLM-L6-v2"


def main() -> None:
    """Measure, and print one table for each collection and kind of request."""
    parser = measure.options_parser(__doc__ or "")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="a tagged collection, as JSON Lines")
    given = parser.parse_args()
    with measure.home_directory(given.home) as home:
        collection = home / "held-out.jsonl"
        collection.write_text("".join(_held_out_quotes()), encoding="utf-8")
        index = _index(collection, home)
        models = [] if given.smallest else ["--model", _BASE]
        _show("Held-out authors: requests for a theme", _evaluate(index, "--from-tags", "--min-quotes", "4", *models))
        _show("Held-out authors: requests of the pairs", _evaluate(index, str(_QUOTES / "pairs.jsonl"), *models))
        for file in given.files:
            found = _evaluate(_index(file.absolute(), home), "--from-tags", *models)
            _show(f"{file.name}: requests for a theme", found)


def _held_out_quotes() -> list[str]:
    pairs = (json.loads(line) for line in (_QUOTES / "pairs.jsonl").read_text(encoding="utf-8").splitlines())
    held_out = {pair["quote"] for pair in pairs if pair["split"] == "held-out"}
    lines = (_QUOTES / "quotes.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if one_line(json.loads(line)["text"]) in held_out]


def _index(file: Path, home: Path) -> str:
    measure.say(f"indexing {file.name}")
    directory = str(home / f"{file.stem}.index")
    measure.run([*measure.quotefind_command(), "index", str(file), "--index", directory, "--quiet"])
    return directory


def _evaluate(index: str, *how: str) -> dict[str, Any]:
    measure.say(f"asking {index}")
    command = [*measure.quotefind_command(), "evaluate", *how, "--index", index, "--json", "--quiet"]
    _, output = measure.run(command)
    return dict(json.loads(output))


def _show(title: str, found: dict[str, Any]) -> None:
    systems = found["systems"]
    measures = list(systems[0]["measures"])
    groups = list(systems[0]["groups"])
    rows = []
    for system in systems:
        main_measure = system["measures"][measures[0]]
        rows.append(
            [
                system["system"],
                *(f"{system['measures'][name]['mean']:.3f}" for name in measures),
                f"{main_measure['low']:.3f} to {main_measure['high']:.3f}",
                "" if main_measure["p"] is None else f"{main_measure['p']:.4f}",
                *(f"{system['groups'][group]:.3f}" for group in groups),
            ]
        )
    columns = ["system", *measures, "95 % of nDCG@10", "p", *(f"nDCG@10 {group!r}" for group in groups)]
    measure.print_table(f"{title} ({found['quotes']} quotes, {found['queries']} requests)", columns, rows)


if __name__ == "__main__":
    main()
