"""Readers beside a writer: every answer belongs to one committed state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import reading
from library import Library

from quotefind.index import merge, schema, update
from quotefind.index.local import merge as local_merge
from quotefind.index.local import rewrite, writer
from quotefind.index.local.writer import open_to_write
from quotefind.stores import open_index

READERS = 10
ROUNDS = 6


def test_readers_beside_a_writer(tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten readers, while quotes are added, changed, removed and compacted, see only states that were committed."""
    for module in (local_merge, rewrite):
        monkeypatch.setattr(module, "_CHUNK", 7)
    states: set[str] = set()

    @contextmanager
    def transaction(connection: object) -> Iterator[None]:
        with schema.transaction(connection):  # type: ignore[arg-type]
            yield
        with open_index(library.directory) as index:
            states.add(reading.state_of(index, library.encoder))

    library.update(library.write("a.txt", *(f"quote number {n}" for n in range(20))))
    with open_index(library.directory) as index:
        states.add(reading.state_of(index, library.encoder))
    for module in (local_merge, merge, rewrite, update, writer):
        monkeypatch.setattr(module, "transaction", transaction)
    end = tmp_path / "end"
    readers = [
        subprocess.Popen(
            [sys.executable, reading.__file__, str(library.directory), str(end)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        for _ in range(READERS)
    ]
    try:
        for number in range(ROUNDS):
            first = 5 * number
            lines = [
                f"quote number {n} -- {'Anna' if n % 3 == number % 3 else 'Berta'}" for n in range(first, first + 20)
            ]
            library.write("a.txt", *lines)
            library.update()
            with open_to_write(library.directory, library.models) as opened:
                opened.compact()
    finally:
        end.touch()
    results = [(reader, *reader.communicate(timeout=120)) for reader in readers]
    assert [(reader.returncode, error) for reader, _, error in results] == [(0, "")] * READERS
    seen = {state for _, said, _ in results for state in said.split()[1:]}
    assert seen <= states
    assert len(seen) > 1
    assert len(states) > 2 * ROUNDS
