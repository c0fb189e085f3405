"""A program that changes an index in child processes and kills each of them at another boundary.

Run with a scenario and an empty directory; writes the number of boundaries to stdout. After every kill the index has
to answer from what was committed, be whole to the last hash, and be brought to its end without encoding anything
that was committed a second time.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from boundaries import at_boundary, kill
from fake_encoder import FakeEncoder
from library import Library

from quotefind.index.local import merge, rewrite
from quotefind.index.local.verify import verify
from quotefind.index.local.writer import open_to_write
from quotefind.search import FindOptions, find
from quotefind.stores import index_exists, open_index
from quotefind.tagging import propose_tags

OLD = [f"old quote number {n}" for n in range(12)]
NEW = [f"new quote number {n}" for n in range(7)]


def nothing(library: Library) -> None:
    """Begin without an index."""
    library.write("a.txt", *OLD, *NEW)


def filled(library: Library) -> None:
    """Begin with the old quotes."""
    library.update(library.write("a.txt", *OLD))


def grown(library: Library) -> None:
    """Begin with the old quotes, and with new ones in their source."""
    filled(library)
    library.write("a.txt", *OLD, *NEW)


def changed(library: Library) -> None:
    """Begin with an index of which half the quotes have gone, some others changed their author, and new ones came."""
    filled(library)
    library.write("a.txt", *(f"{text} -- Anna Example" for text in OLD[:4]), *OLD[4:7], *NEW)


def with_dead_rows(library: Library) -> None:
    """Begin with an index of which half the rows are dead."""
    filled(library)
    library.write("a.txt", *OLD[::2])
    library.update()


def two_sources(library: Library) -> None:
    """Begin with two sources that share quotes, of which one is gone."""
    filled(library)
    library.update(library.write("b.txt", *OLD[7:], *NEW))
    (library.folder / "a.txt").unlink()


def add(library: Library) -> None:
    """Index the old and the new quotes."""
    library.update(library.folder / "a.txt")


def refresh(library: Library) -> None:
    """Bring the index up to date."""
    library.update()


def prune(library: Library) -> None:
    """Forget what is not there any more."""
    library.update(prune=True)


def compact(library: Library) -> None:
    """Give back the space of dead rows."""
    with open_to_write(library.directory, library.models) as writer:
        writer.compact()


def rebuild(library: Library) -> None:
    """Encode everything anew with another model."""
    with open_to_write(library.directory, library.models) as writer:
        writer.rebuild(model="other")


def tagged(library: Library) -> None:
    """Begin with proposals of some tags, and with quotes that came since."""
    filled(library)
    tag(library)
    library.write("a.txt", *OLD, *NEW)
    library.update()


def tag(library: Library) -> None:
    """Propose tags for every quote, and store them."""
    with open_index(library.directory) as index:
        proposals = propose_tags(index, library.encoder, ["old", "new", "quote"], min_score=0.1)
        with open_to_write(library.directory, library.models) as writer:
            assert proposals.write(writer) == 0


SCENARIOS: dict[str, tuple[Callable[[Library], None], Callable[[Library], None]]] = {
    "first index": (nothing, add),
    "adding": (grown, add),
    "refreshing": (changed, refresh),
    "pruning": (two_sources, prune),
    "compacting": (with_dead_rows, compact),
    "rebuilding": (filled, rebuild),
    "tagging": (tagged, tag),
}


def committed(library: Library) -> dict[str, str]:
    """Return the model that each committed text is encoded with; the index is whole and answers with each of them."""
    if not index_exists(library.directory):
        return {}
    with open_index(library.directory) as index:
        assert verify(index) == index.count
        encoder = library.models(index.manifest.model, index.manifest.fingerprint)
        rows = [row for (row,) in index.connection.execute("SELECT row FROM quotes")]
        texts = [quote.text for quote in index.quotes(rows)]
        if texts:
            (hits,) = find(index, encoder, [texts[0]], FindOptions(top=len(texts)))
            assert sorted(hit.quote.text for hit in hits) == sorted(texts)
            for hit in hits:
                expected = float(encoder.vectors([texts[0]])[0] @ encoder.vectors([hit.quote.text])[0])
                assert abs(hit.score - expected) < 1e-5
        found = dict.fromkeys(texts, encoder.name)
        if index.manifest.rewrite_fingerprint not in ("", index.manifest.fingerprint):
            begun = index.connection.execute("SELECT text FROM quotes JOIN rewritten ON quote_id = quotes.id")
            found |= {text: "other" for (text,) in begun}
        return found


def run_to_boundary(library: Library, change: Callable[[Library], None], number: int) -> bool:
    """Run `change` in a child that is killed at the boundary `number`; return whether it ended before."""
    child = os.fork()
    if child == 0:
        try:
            with at_boundary(number, kill):
                change(library)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    assert ended in (0, -9), f"the child ended with {ended}"
    return ended == 0


def main(scenario: str, folder: Path) -> None:
    """Kill `scenario` at its first boundary, its second one, and so on to its last."""
    merge._CHUNK = rewrite._CHUNK = 4
    begin, change = SCENARIOS[scenario]
    start, work = folder / "start", folder / "work"
    start.mkdir()
    begin(Library(start / "index", folder / "sources", FakeEncoder()))
    ended, number = False, 0
    states = set()
    while not ended:
        number += 1
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(start, work)
        library = Library(work / "index", folder / "sources", FakeEncoder(), FakeEncoder("other", dim=16))
        ended = run_to_boundary(library, change, number)
        after = committed(library)
        if not ended:
            change(library)
        final = committed(library)
        states.add(tuple(sorted(final.items())))
        assert len(states) == 1, f"boundary {number}: another end"
        # A rebuild that had come to its end is one more rebuild.
        if after != final or change is not rebuild:
            encoded = {(text, encoder.name) for encoder in library.encoders for text in encoder.encoded}
            assert not encoded & set(after.items()), f"boundary {number}: something was encoded again"
        assert len(list(library.directory.glob("*.npy"))) == 1, f"boundary {number}: something is left"
    print(number - 1)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
