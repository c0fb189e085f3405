"""A program that opens an index again and again, beside whoever writes it, and says which states it has seen.

Run with the index and a file whose appearance ends it; writes the digest of each state to stdout, once.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

from fake_encoder import FakeEncoder

from quotefind.index.interface import Index
from quotefind.search import FindOptions, find
from quotefind.stores import open_index


def state_of(index: Index, encoder: FakeEncoder) -> str:
    """Return the digest of all quotes in an index; every score, by meaning and by words, is that of its quote."""
    (hits,) = find(index, encoder, ["quote number 7"], FindOptions(top=10_000))
    assert len(hits) == index.count
    (mixed,) = find(index, encoder, ["quote number 7"], FindOptions(top=50, hybrid=True))
    (asked,) = encoder.vectors(["quote number 7"])
    for hit in (*hits, *mixed):
        expected = float(asked @ encoder.vectors([hit.quote.text])[0])
        assert abs(hit.score - expected) < 1e-5, f"{hit} has another score than {expected}"
    return sha256(repr(sorted((hit.quote.text, hit.quote.author) for hit in hits)).encode()).hexdigest()


def main(directory: Path, end: Path) -> None:
    """Read until `end` is there."""
    encoder = FakeEncoder()
    seen: dict[str, None] = {}
    rounds = 0
    while not end.exists():
        with open_index(directory) as index:
            seen[state_of(index, encoder)] = None
        rounds += 1
    print(rounds, *seen)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
