"""Whatever changes in the sources, and wherever a run is stopped, a Lance index ends up like a local one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_encoder import StoppedError
from hypothesis import given, settings
from hypothesis import strategies as st
from two_stores import Both, quick

pytest.importorskip("lance", reason="the extra scale is not installed")

RECORDS = st.fixed_dictionaries(
    {"text": st.sampled_from(["hope", "dust and fear", "the road", "sea", "a long line of many words"])},
    optional={
        "author": st.sampled_from(["Ann", "Émile", "O'Brien"]),
        "work": st.sampled_from(["Poems", "It's"]),
        "tags": st.lists(st.sampled_from(["a", "b'c", "É"]), max_size=2),
        "year": st.sampled_from([1900, -5]),
        "note": st.sampled_from(["one", "two"]),
    },
)
# The content of the two files, None if deleted; and the number of steps after which the run is first stopped.
_HELD = st.lists(RECORDS, max_size=5)
STATES = st.tuples(st.none() | _HELD, st.none() | _HELD, st.none() | st.integers(1, 3))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(states=st.lists(STATES, min_size=1, max_size=5))
def test_any_sequence_of_updates_ends_the_same(
    tmp_path_factory: pytest.TempPathFactory, states: list[tuple[list[object] | None, list[object] | None, int | None]]
) -> None:
    """After each of many changes both hold the same quotes, even if the Lance run was stopped and repeated."""
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        patch.setattr("quotefind.index.lance.writer._CHUNK", 1)
        both = Both(tmp_path_factory.mktemp("sequence"))
        both.update(both.write("always.txt", "a line that stays"))
        encoder = both.lance.encoder
        for *files, stop in states:
            for name, records in zip(("a.jsonl", "b.jsonl"), files, strict=True):
                _write(both, name, records)
            encoder.encoded.clear()
            encoder.calls, encoder.fail_at_call = 0, stop
            stopped = False
            try:
                both.lance.update(both.lance.folder)
            except StoppedError:
                stopped = True
                both.lance.update(both.lance.folder)
            both.matrix.encoder.encoded.clear()
            both.matrix.update(both.matrix.folder)
            assert stopped == (stop is not None and len(both.matrix.encoder.encoded) >= stop)
            assert sorted(encoder.encoded) == sorted(both.matrix.encoder.encoded)
            both.agree()


def _write(both: Both, name: str, records: list[object] | None) -> Path:
    path = both.matrix.folder / name
    if records is None:
        path.unlink(missing_ok=True)
        return path
    return both.write(name, *map(json.dumps, records))
