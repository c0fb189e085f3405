"""Many requests flow through: what waits and what was answered is held in bounds, whatever their number."""

from __future__ import annotations

import io
import json
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli_tools import Cli

from quotefind import search

REQUESTS = 4_000
# As in quotefind.cli.query_stream: a batch, the lines that wait, and one that its reader has in hand.
BATCH = 256
WAITING = 4 * BATCH + 2


class Requests(io.RawIOBase):
    """A stream of requests that counts those that were taken."""

    taken = 0

    def readline(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002 - no line is long
        """Return the next line; nothing at the end."""
        if self.taken == REQUESTS:
            return b""
        self.taken += 1
        return f"hope and love, number {self.taken}\n".encode()


class Answers(list[list[object]]):
    """The answers to a batch, which can be seen to be gone."""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A way to run commands in this process."""
    return Cli(tmp_path, monkeypatch)


@pytest.mark.parametrize("style", ["jsonl", "trec", "csv", "json", "plain"])
def test_requests_flow_through(cli: Cli, monkeypatch: pytest.MonkeyPatch, style: str) -> None:
    """While a batch is answered, at most one other is held, and few requests were read ahead, in every format."""
    cli.index([{"text": "Hope."}, {"text": "Love."}])
    requests, find = Requests(), search.find
    held: weakref.WeakSet[Answers] = weakref.WeakSet()
    most, ahead, answered = [0], [0], [0]

    class Hashable(Answers):
        __hash__ = object.__hash__

    def watched(index: object, encoder: object, queries: Sequence[str], options: object) -> Answers:
        most[0] = max(most[0], len(held))
        ahead[0] = max(ahead[0], requests.taken - answered[0])
        answered[0] += len(queries)
        answers = Hashable(find(index, encoder, queries, options))  # type: ignore[arg-type]
        held.add(answers)
        return answers

    monkeypatch.setattr(search, "find", watched)
    monkeypatch.setattr("quotefind.cli.query_stream.standard_input", lambda: requests)
    done = cli("find", "-", "-k", "1", "--format", style)
    assert done.code == 0
    assert answered == [REQUESTS]
    assert most[0] <= 1
    assert ahead[0] <= BATCH + WAITING
    if style == "jsonl":
        assert sum("number" in json.loads(line)["query"] for line in done.lines) == REQUESTS
