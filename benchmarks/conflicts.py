"""Which quotes `pair --conflicts` takes for the same, by their cosine and by the words that they share in order.

The same are quotations of the collection and what copying makes of them, by program (a word changed, left out or put
in, two swapped, the tail cut off, a clause appended, modern spelling, other punctuation and case); and those that stand
in the fortunes too, which were found by hand (same_quotes.tsv; other translations among them). Different are the 20
nearest others of each quotation in both collections, but for those of that list; and sayings with their opposites.

    conflicts.py [--quotes N] [--home DIR]

The first table says how much of each kind is left at a lowest cosine, whatever the words; the second what rules find:
of the same (recall; also by groups of kinds), of what is different, and how much of all that is found is the same
(precision). Each rule is the default one with one thing changed.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import measure

from quotefind.stores import open_index
from quotefind.text import one_line

_HERE = Path(__file__).parent
_COSINES = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
_SHARES = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
_CONTAINED = (0.8, 0.9, 1.0)
_ALL = 1.1  # what no share reaches
_NEAREST = 20
# Columns of the second table: what of these kinds is found.
_GROUPS = {
    "words changed": ("word changed", "word left out", "word put in", "two words swapped"),
    "spelling, signs": ("modern spelling", "punctuation and case"),
    "cut, appended": ("tail cut off", "clause appended"),
    "in both": ("in both collections",),
}
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


@dataclass(frozen=True, slots=True)
class Sample:
    """Two texts: their kind, whether they are the same quote, their cosine, and what their words share."""

    kind: str
    same: bool
    cosine: float
    share: float
    contained: float
    shorter: int
    part: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What is taken for the same: as in quotefind.conflicts, with other numbers."""

    cosine: float
    cosine_of_parts: float
    share: float
    contained: float
    words: int

    def takes(self, sample: Sample) -> bool:
        """Whether the two texts of `sample` are taken for the same."""
        contained = sample.contained >= self.contained and sample.shorter >= self.words
        return (sample.part and sample.cosine >= self.cosine_of_parts) or (
            sample.cosine >= self.cosine and (sample.share >= self.share or contained)
        )


def main() -> None:
    """Make the pairs, measure them, and print the tables."""
    parser = measure.options_parser(__doc__ or "")
    parser.add_argument("--quotes", type=int, default=500, metavar="N", help="quotations that are varied (%(default)s)")
    given = parser.parse_args()
    with measure.home_directory(given.home) as home:
        sources = ["bundled"] if given.smallest else ["bundled", str(measure.fortunes_folder())]
        samples = _samples(_index(home, sources), 10 if given.smallest else given.quotes)
    _print_cosines(samples)
    _print_rules(samples)


def _index(home: Path, sources: Sequence[str]) -> Path:
    measure.say("indexing the collections")
    directory = home / "conflicts.index"
    measure.run([*measure.quotefind_command(), "index", *sources, "--index", str(directory), "--skip-bad", "--quiet"])
    return directory


def _samples(directory: Path, count: int) -> list[Sample]:
    from quotefind import open_encoder, score_pairs
    from quotefind.conflicts.words import is_part, likeness, words_of

    drawn = random.Random(42)
    lines = (_HERE.parent / "quotes" / "quotes.jsonl").read_text(encoding="utf-8").splitlines()
    quotations = [" ".join(json.loads(line)["text"].split()) for line in lines]
    varied = drawn.sample(quotations, min(count, len(quotations)))
    made = [(kind, True, text, variant) for text in varied for kind, variant in variants(text, drawn)]
    made += [("opposite", False, a, b) for a, b in _OPPOSITES]
    with open_index(directory) as index:
        same = list(_same_by_hand(index))
        made += [("in both collections", True, a, b) for a, b in same]
        measure.say("looking for the nearest others")
        made += [("nearest other", False, a, b) for a, b in _nearest(index, quotations, set(same))]
    measure.say(f"encoding the texts of {len(made):,} pairs")
    scores = score_pairs(open_encoder(), [(a, b) for _, _, a, b in made])
    samples = []
    for (kind, is_same, *texts), score in zip(made, scores, strict=True):
        a, b = map(words_of, texts)
        like = likeness(a, b)
        samples.append(Sample(kind, is_same, score, like.share, like.contained, like.shorter, is_part(a, b)))
    return samples


def variants(text: str, drawn: random.Random) -> Iterator[tuple[str, str]]:
    """Yield what copying could make of `text`, with the kind of change; if it does change it and leaves five words."""
    words = text.split()
    at = drawn.randrange(1, len(words))
    ends = [match.end() for match in re.finditer(r"[,;:.!?](?=\s)", text)]
    word, end, clause = drawn.choice(_OTHER_WORDS), drawn.choice(ends or [len(text)]), drawn.choice(_CLAUSES)
    changes = {
        "punctuation and case": re.sub(r"[^\w\s]", "", text).lower(),
        "word changed": " ".join([*words[:at], word, *words[at + 1 :]]),
        "word left out": " ".join([*words[:at], *words[at + 1 :]]),
        "word put in": " ".join([*words[:at], word, *words[at:]]),
        "two words swapped": " ".join([*words[: at - 1], words[at], words[at - 1], *words[at + 1 :]]),
        "modern spelling": re.sub(r"[\w'’-]+", _modern, text),
        "tail cut off": f"{text[:end].rstrip(',;:.')}.",
        "clause appended": text.rstrip(".") + clause,
    }
    yield from ((kind, changed) for kind, changed in changes.items() if changed != text and len(changed.split()) >= 5)


def _modern(match: re.Match[str]) -> str:
    word = _MODERN.get(match[0].lower().replace("’", "'"), match[0])
    return word.capitalize() if match[0][0].isupper() and word != match[0] else word


def _same_by_hand(index: Any) -> Iterator[tuple[str, str]]:
    with (_HERE / "same_quotes.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows = [index.row_of(row["quotation"]), index.row_of(row["fortune"])]
            if None not in rows:
                a, b = index.quotes(rows)
                yield one_line(a.text), one_line(b.text)


def _nearest(index: Any, quotations: Sequence[str], same: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    import numpy as np

    for text in quotations:
        own = np.array(index.rows_with_text(text))
        (ranking,) = index.search(index.vectors(own[:1]), _NEAREST + len(own))
        texts = [one_line(quote.text) for quote in index.quotes(ranking.rows.tolist())]
        others = [other for other in texts if other != text]
        yield from ((text, other) for other in others[:_NEAREST] if (text, other) not in same)


def _print_cosines(samples: Sequence[Sample]) -> None:
    rows = []
    for kind in dict.fromkeys(sample.kind for sample in samples):
        cosines = [sample.cosine for sample in samples if sample.kind == kind]
        kept = [f"{sum(cosine >= least for cosine in cosines) / len(cosines):.3f}" for least in _COSINES]
        rows.append([kind, f"{len(cosines):,}", *kept])
    measure.print_table("Share of the pairs with at least this cosine", ["kind", "pairs", *map(str, _COSINES)], rows)


def _print_rules(samples: Sequence[Sample]) -> None:
    from quotefind.conflicts import groups, words

    default = Rule(groups.MIN_SCORE, groups.MIN_SCORE_OF_PARTS, words.SHARE, words.CONTAINED, words.CONTAINED_WORDS)
    rules = {"the default": default}
    rules |= {f"cosine {cosine}": replace(default, cosine=cosine) for cosine in _COSINES[2:]}
    rules |= {f"cosine of parts {cosine}": replace(default, cosine_of_parts=cosine) for cosine in _COSINES[:5]}
    rules |= {f"share of words {share}": replace(default, share=share) for share in _SHARES}
    rules |= {f"contained {share}": replace(default, contained=share) for share in _CONTAINED}
    rules["nothing contained"] = replace(default, contained=_ALL, cosine_of_parts=_ALL)
    rules["cosine 0.9, any words"] = replace(default, cosine=0.9, share=0.0)
    same = [sample for sample in samples if sample.same]
    rows = []
    for name, rule in rules.items():
        found = [sample for sample in same if rule.takes(sample)]
        others = [sample for sample in samples if not sample.same and rule.takes(sample)]
        shares = [_share(found, same, kinds) for kinds in _GROUPS.values()]
        counts = [str(sum(sample.kind == kind for sample in others)) for kind in ("opposite", "nearest other")]
        precision = len(found) / (len(found) + len(others))
        rows.append([name, f"{precision:.4f}", f"{len(found) / len(same):.4f}", *shares, *counts])
    columns = ["rule", "precision", "recall", *_GROUPS, "opposites taken", "others taken"]
    measure.print_table("What is taken for the same", columns, rows)


def _share(found: Sequence[Sample], same: Sequence[Sample], kinds: Sequence[str]) -> str:
    count = sum(sample.kind in kinds for sample in same)
    return f"{sum(sample.kind in kinds for sample in found) / count:.3f}" if count else ""


if __name__ == "__main__":
    main()
