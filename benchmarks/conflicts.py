"""Which quotes `pair --conflicts` takes for the same: by cosine, and by the words that they share in order.

The same are, by construction, quotations of the collection and what copying makes of them (a word changed, left out or
put in, a tail cut off, a clause appended, spelling modernised, punctuation and case changed). Different are, for each
quotation, its nearest others in the collection and in the fortunes, but for those that were looked at and are the same;
and short sayings with their opposites. Every pair goes through what the command does: the cosine first, then the words.

    conflicts.py [--quotes N] [--home DIR]

The first table says how much of each kind is left at a lowest cosine; the second, for each measure of words at several
thresholds, the share of the same that is found (recall) and how much of what is found is the same (precision).
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure

_HERE = Path(__file__).parent
_COSINES = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
_SHARES = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
_CONTAINED = (0.8, 0.85, 0.9, 0.95, 1.0)
_NEAREST = 20
# Spellings of the eighteenth and nineteenth centuries, and of the two sides of the Atlantic.
_MODERN = {
    "to-day": "today",
    "to-morrow": "tomorrow",
    "to-night": "tonight",
    "any one": "anyone",
    "every one": "everyone",
    "some one": "someone",
    "for ever": "forever",
    "thou": "you",
    "thee": "you",
    "thy": "your",
    "thine": "yours",
    "hath": "has",
    "doth": "does",
    "art": "are",
    "hast": "have",
    "ye": "you",
    "'tis": "it is",
    "'twas": "it was",
    "o'er": "over",
    "ne'er": "never",
    "e'er": "ever",
    "tho'": "though",
    "shew": "show",
    "honour": "honor",
    "labour": "labor",
    "colour": "color",
    "favour": "favor",
    "neighbour": "neighbor",
    "humour": "humor",
    "endeavour": "endeavor",
}
_CLAUSES = (
    ", and so it has always been.",
    " That is all there is to say of it.",
    ", as every child knows.",
    " So said my grandfather.",
)
_OTHER_WORDS = ("great", "old", "people", "never", "world", "good", "must", "things", "only", "made", "own", "still")
# What one word turns round.
_OPPOSITES = (
    ("All men are mortal.", "No men are mortal."),
    ("Love is blind.", "Love is kind."),
    ("Time heals all wounds.", "Time opens all wounds."),
    ("Knowledge is power.", "Ignorance is power."),
    ("Honesty is the best policy.", "Silence is the best policy."),
    ("Money is the root of all evil.", "Love is the root of all good."),
    ("Man is born free.", "Man is born guilty."),
    ("God is dead.", "God is love."),
    ("Life is short.", "Art is long."),
    ("Hell is other people.", "Heaven is other people."),
    ("Less is more.", "Less is less."),
    ("Know thyself.", "Know thy enemy."),
    ("Beauty is truth.", "Beauty is pain."),
    ("The child is father of the man.", "The man is father of the child."),
    ("Fortune favours the bold.", "Fortune favours fools."),
    ("History is bunk.", "History is a nightmare."),
    ("War is peace.", "War is hell."),
    ("Nothing is so good as it seems.", "Nothing is so bad as it seems."),
    ("Absence makes the heart grow fonder.", "Absence makes the heart grow cold."),
    ("It is better to give than to receive.", "It is worse to give than to receive."),
)


@dataclass(frozen=True)
class Sample:
    """Two texts: their kind, whether they are the same quote, their cosine, and what their words share."""

    kind: str
    same: bool
    texts: tuple[str, str]
    cosine: float
    share: float
    contained: float
    shorter: int


def main() -> None:
    """Make the pairs, measure them, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quotes", type=int, default=500, metavar="N", help="quotations that are varied (%(default)s)")
    parser.add_argument("--home", type=Path, metavar="DIR", help="keep model and indexes here")
    parser.add_argument("--show", type=float, metavar="SHARE", help="list the different pairs that share so many words")
    given = parser.parse_args()
    with measure.home_directory(given.home) as home:
        samples = _samples(home, given.quotes)
    if given.show is not None:
        _list(samples, given.show)
        return
    _print_cosines(samples)
    _print_words(samples)


def _samples(home: Path, count: int) -> list[Sample]:
    from quotefind import Index, open_encoder

    directory = _index(home)
    encoder = open_encoder()
    drawn = random.Random(42)
    with Index(directory) as index:
        quotations = [quote for quote in _bundled() if len(quote.split()) >= 5]
        quotations = drawn.sample(quotations, min(count, len(quotations)))
        made = [(kind, True, text, variant) for text in quotations for kind, variant in variants(text, drawn)]
        made += [("opposite", False, *pair) for pair in _OPPOSITES]
        measure.say(f"encoding {len(made)} variants")
        scored = list(zip(made, _scores(encoder, [pair[2:] for pair in made]), strict=True))
        measure.say("looking for the nearest others")
        scored += [(("nearest other", False, *texts), score) for *texts, score in _nearest(index, quotations)]
    return [_sample(kind, same, (a, b), score) for (kind, same, a, b), score in scored]


def _sample(kind: str, same: bool, texts: tuple[str, str], cosine: float) -> Sample:
    from quotefind.conflicts.words import likeness, words_of

    like = likeness(*map(words_of, texts))
    return Sample(kind, same, texts, cosine, like.share, like.contained, like.shorter)


def variants(text: str, drawn: random.Random) -> Iterator[tuple[str, str]]:
    """Yield what copying could make of `text`, with the kind of change; only what does change it."""
    words = text.split()
    at = drawn.randrange(len(words))
    clauses = [match.end() for match in re.finditer(r"[,;:.!?](?=\s)", text)]
    changes: dict[str, Callable[[], str]] = {
        "punctuation and case": lambda: re.sub(r"[^\w\s]", "", text).lower(),
        "word changed": lambda: " ".join([*words[:at], drawn.choice(_OTHER_WORDS), *words[at + 1 :]]),
        "word left out": lambda: " ".join([*words[:at], *words[at + 1 :]]),
        "word put in": lambda: " ".join([*words[:at], drawn.choice(_OTHER_WORDS), *words[at:]]),
        "two words swapped": lambda: " ".join([*words[: at - 1], words[at], words[at - 1], *words[at + 1 :]]),
        "spelling": lambda: re.sub(r"[\w'’-]+", _modern, text),
        "tail cut off": lambda: text[: drawn.choice(clauses)].rstrip(",;:") + "." if clauses else text,
        "clause appended": lambda: text.rstrip(".") + drawn.choice(_CLAUSES),
    }
    for kind, change in changes.items():
        changed = change()
        if changed != text and len(changed.split()) >= 4:
            yield kind, changed


def _modern(match: re.Match[str]) -> str:
    word = _MODERN.get(match[0].lower().replace("’", "'"), match[0])
    return word.capitalize() if match[0][0].isupper() and word != match[0] else word


def _bundled() -> list[str]:
    lines = (_HERE.parent / "quotes" / "quotes.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def _index(home: Path) -> Path:
    directory = home / "conflicts.index"
    sources = ["bundled", str(measure.fortunes_folder())]
    measure.run([*measure.quotefind_command(), "index", *sources, "--index", str(directory), "--skip-bad", "--quiet"])
    return directory


def _scores(encoder: Any, pairs: Sequence[tuple[str, str]]) -> list[float]:
    from quotefind import score_pairs

    return score_pairs(encoder, pairs)


def _nearest(index: Any, quotations: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Yield each of `quotations` with its nearest others, but for those that are the same quote."""
    same = {frozenset(pair) for pair in _same_by_eye()}
    for text in quotations:
        own = index.rows_with_text(text)
        (ranking,) = index.search(index.vectors(index_rows(own[:1])), _NEAREST + len(own))
        found = zip(index.quotes(ranking.rows.tolist()), ranking.scores.tolist(), strict=True)
        for quote, score in [(quote, score) for quote, score in found if quote.text != text][:_NEAREST]:
            if frozenset((text, quote.text)) not in same:
                yield text, quote.text, score


def index_rows(rows: Sequence[int]) -> Any:
    """Return `rows` as the index wants them."""
    import numpy as np

    return np.array(rows, np.int64)


def _same_by_eye() -> list[tuple[str, str]]:
    return []


def _print_cosines(samples: Sequence[Sample]) -> None:
    kinds = dict.fromkeys(sample.kind for sample in samples)
    rows = []
    for kind in kinds:
        cosines = [sample.cosine for sample in samples if sample.kind == kind]
        kept = [f"{sum(cosine >= least for cosine in cosines) / len(cosines):.3f}" for least in _COSINES]
        rows.append([kind, str(len(cosines)), *kept])
    measure.print_table("Share of the pairs with at least this cosine", ["", "pairs", *map(str, _COSINES)], rows)


def _print_words(samples: Sequence[Sample]) -> None:
    rules: dict[str, Callable[[Sample], bool]] = {"cosine alone": lambda sample: sample.cosine >= 0.9}
    rows = []
    for cosine in _COSINES[:4]:
        for share in _SHARES:
            rows.append(
                _row(samples, f"cosine {cosine}, share {share}", lambda s: s.cosine >= cosine and s.share >= share)
            )
    del rules
    measure.print_table("The words", ["", "precision", "recall"], rows)


def _row(samples: Sequence[Sample], name: str, rule: Callable[[Sample], bool]) -> list[str]:
    found = [sample.same for sample in samples if rule(sample)]
    recall = sum(found) / sum(sample.same for sample in samples)
    return [name, f"{sum(found) / max(len(found), 1):.4f}", f"{recall:.4f}"]


def _list(samples: Sequence[Sample], share: float) -> None:
    for sample in sorted(samples, key=lambda sample: -sample.share):
        if not sample.same and (sample.share >= share or sample.contained >= share):
            print(
                json.dumps([round(sample.cosine, 3), round(sample.share, 3), round(sample.contained, 3), *sample.texts])
            )


if __name__ == "__main__":
    main()
