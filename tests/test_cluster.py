"""Two machines, a Ray head and a worker, one of which dies; and S3.

The commands run as a user runs them, each in its own process.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("lance_ray", reason="the extra scale is not installed: pip install 'quotefind[scale]'")

from ray_nodes import HEAD, Nodes, two_nodes
from s3_server import BUCKET, s3_server

QUOTES = 1100
QUERIES = [f"quotes about {theme}" for theme in ("love", "rain", "work", "the sea", "old age", "courage", "spring")]
SUBJECTS = ("love", "rain", "labour", "the sea", "age", "courage", "spring", "silence", "bread", "music", "winter")
SAYINGS = (
    "{} is what remains when everything else has been forgotten",
    "whoever speaks of {} has seldom met it on the road",
    "there is more {} in a small room than in a great hall",
    "they gave their best years to {} and asked for nothing",
    "of {} we know only what it has taken from us",
)


@pytest.fixture(scope="module")
def environment(real_home: Path) -> dict[str, str]:
    """The environment of every process in this module, with a home in which the model is prepared."""
    return {**os.environ, "QUOTEFIND_HOME": str(real_home)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of distinct quotes by ten authors."""
    path = tmp_path_factory.mktemp("source") / "sayings.jsonl"
    lines = [
        json.dumps(
            {
                "text": f"{SAYINGS[n % len(SAYINGS)].format(SUBJECTS[n % len(SUBJECTS)])}, said number {n}",
                "author": f"Author {n % 10}",
            }
        )
        for n in range(QUOTES)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def quotefind(environment: dict[str, str], *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command and return its result."""
    command = [sys.executable, "-m", "quotefind", *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, env=environment, timeout=300)


def done(environment: dict[str, str], *words: str, given: str | None = None) -> str:
    """Run a command that must succeed and print nothing on stderr; return what it prints."""
    ran = quotefind(environment, *words, given=given)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout


def hits(text: str) -> list[tuple[str, int, str]]:
    """Return query, rank and id of each hit in JSON Lines."""
    return [(hit["query"], hit["rank"], hit["id"]) for hit in map(json.loads, text.splitlines())]


def scores(text: str) -> list[float]:
    """Return the scores in JSON Lines."""
    return [json.loads(line)["score"] for line in text.splitlines()]


@pytest.fixture(scope="module")
def expected(environment: dict[str, str], source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local index of the same quotes, whose answers are expected."""
    index = tmp_path_factory.mktemp("expected") / "index"
    done(environment, "index", str(source), "--index", str(index), "--quiet")
    return index


def find_all(environment: dict[str, str], index: str, *options: str) -> str:
    """Return the answers of an index to all queries."""
    return done(environment, "find", "-", "--index", index, *options, "-f", "jsonl", given="\n".join(QUERIES))


def assert_same(answers: str, expected: str) -> None:
    """The same hits in the same order, and the same scores within 1e-5."""
    assert hits(answers) == hits(expected)
    assert scores(answers) == pytest.approx(scores(expected), abs=1e-5)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Nodes]:
    """Two nodes with one processor each; a test that kills the second starts it again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOTEFIND_HOME", environment["QUOTEFIND_HOME"])
        with two_nodes(tmp_path_factory.mktemp("nodes")) as started:
            environment.update(started.environment)
            yield started


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], source: Path, nodes: Nodes, expected: Path
) -> str:
    """An index in a shared directory, encoded by two workers, one of which dies meanwhile."""
    assert expected.exists()
    index = str(tmp_path_factory.mktemp("shared") / "quotes.lance")
    command = [sys.executable, "-m", "quotefind", "index", str(source), "--index", index]
    running = subprocess.Popen(
        [*command, "--ray", nodes.address, "--workers", "2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    end = time.monotonic() + 120
    while not (nodes.workers_on("Worker") and any(Path(index).glob("data/*.lance"))) and time.monotonic() < end:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    # Reading a part takes no separate process, which would cost more than encoding it.
    assert nodes.workers_on("ReadLance->MapBatches(Worker)") == 1
    assert nodes.kill_worker() > 1
    out, errors = running.communicate(timeout=240)
    nodes.start_worker()
    assert (running.returncode, errors) == (0, ""), errors
    summary = json.loads(out)
    assert (summary["added"], summary["quotes"], summary["encoded"]) == (QUOTES, QUOTES, QUOTES)
    return index


def test_a_machine_dies_while_it_encodes(environment: dict[str, str], shared: str, expected: Path) -> None:
    """Every quote is there once, as in a local index, every checksum is right, and the user saw no error."""
    assert f"{QUOTES:,} quotes verified" in done(environment, "index", "--verify", "--index", shared)
    exported = [done(environment, "export", "--index", index, "-f", "jsonl") for index in (shared, str(expected))]
    assert exported[0] == exported[1]
    assert_same(find_all(environment, shared), find_all(environment, str(expected)))


def test_both_machines_search(environment: dict[str, str], shared: str, expected: Path, nodes: Nodes) -> None:
    """Two machines find what a local index finds, with filters too."""
    for options in (["-k", "12"], ["--author", "author 3", "--max-chars", "80", "--hybrid", "--diverse"]):
        answers = find_all(environment, shared, *options, "--ray", nodes.address, "--workers", "2")
        assert_same(answers, find_all(environment, str(expected), *options))


def test_a_machine_dies_while_it_searches(
    environment: dict[str, str], shared: str, expected: Path, nodes: Nodes
) -> None:
    """All queries are answered exactly before, while and after a machine dies, without an error."""
    requests = QUERIES * 12
    wanted = done(environment, "find", "-", "--index", str(expected), "-f", "jsonl", given="\n".join(requests))
    command = [sys.executable, "-m", "quotefind", "find", "-", "--index", shared, "--ray", nodes.address]
    lines: list[str] = []
    with subprocess.Popen(
        [*command, "--workers", "2", "-f", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        reader = threading.Thread(target=lambda: lines.extend(running.stdout or ()))
        reader.start()
        for number, request in enumerate(requests):
            running.stdin.write(f"{request}\n")
            running.stdin.flush()
            if number == len(QUERIES):
                end = time.monotonic() + 60
                while not lines and time.monotonic() < end:  # until it answers
                    time.sleep(0.1)
                assert nodes.kill_worker() > 1
            time.sleep(0.05)
        running.stdin.close()
        reader.join(timeout=120)
        errors = running.stderr.read()
    assert (running.returncode, errors) == (0, "")
    nodes.start_worker()
    assert_same("".join(lines), wanted)


def test_what_is_known_is_not_encoded_again(
    environment: dict[str, str], shared: str, source: Path, nodes: Nodes, tmp_path: Path
) -> None:
    """An update on both machines encodes only what is new; quotes that are removed again are gone."""
    more = tmp_path / "more.jsonl"
    first = source.read_text(encoding="utf-8").splitlines()[0]
    more.write_text(f'{first}\n{{"text": "A new saying, never heard before"}}\n', encoding="utf-8")
    options = ("--index", shared, "--ray", nodes.address, "--workers", "2", "--json")
    summary = json.loads(done(environment, "index", str(more), *options))
    assert (summary["added"], summary["encoded"], summary["quotes"]) == (1, 1, QUOTES + 1)
    summary = json.loads(done(environment, "index", "--remove", str(more), *options))
    assert (summary["removed"], summary["encoded"], summary["quotes"]) == (1, 0, QUOTES)
    assert f"{QUOTES:,} quotes verified" in done(environment, "index", "--verify", "--index", shared)


def test_few_quotes(environment: dict[str, str], nodes: Nodes, tmp_path: Path) -> None:
    """A cluster makes and searches the smallest index too, which lance-ray alone refuses."""
    source, index = tmp_path / "one.txt", str(tmp_path / "one.lance")
    source.write_text("Of courage we know only what it has taken from us.\n")
    options = ("--index", index, "--ray", nodes.address, "--json")
    summary = json.loads(done(environment, "index", str(source), *options))
    assert (summary["encoded"], summary["quotes"]) == (1, 1)
    assert len(hits(find_all(environment, index, "--ray", nodes.address))) == len(QUERIES)
    ran = quotefind(environment, "find", "love", "--author", "Nobody", "--index", index, "--ray", nodes.address)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "quotefind: nothing found with these filters\n"


def test_what_workers_say_is_wrong(environment: dict[str, str], shared: str, nodes: Nodes, tmp_path: Path) -> None:
    """A problem with the storage on a worker is reported as in one process, and not blamed on the cluster."""
    source, index = tmp_path / "one.txt", tmp_path / "no-room.lance"
    source.write_text("Of courage we know only what it has taken from us.\n")
    index.mkdir()
    (index / "data").touch()  # the worker must write there
    ran = quotefind(environment, "index", str(source), "--index", str(index), "--ray", nodes.address)
    assert (ran.returncode, ran.stdout) == (4, "")
    assert ran.stderr.startswith(f"quotefind: The index in {index} cannot be used: ")
    assert len(ran.stderr.splitlines()) == 1

    copy = tmp_path / "cut.lance"
    shutil.copytree(shared, copy)
    for file in copy.glob("data/*.lance"):
        os.truncate(file, 1000)
    ran = quotefind(environment, "find", "love", "--index", str(copy), "--ray", nodes.address)
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "is damaged" in ran.stderr
    assert "index --rebuild" in ran.stderr
    assert ".rs" not in ran.stderr


def test_a_large_index_is_encoded_anew_by_both(
    environment: dict[str, str], shared: str, expected: Path, nodes: Nodes
) -> None:
    """Both machines encode everything again and build an approximate index, whose recall is measured.

    The texts are shared in several rounds, like those of a large index. An exact search answers as before, and one
    through the index nearly so.
    """
    large = (
        "from quotefind.index.lance import ray_cluster, vector_index; "
        "vector_index.LARGE = 500; ray_cluster._PARTS = 3; "
        "from quotefind.__main__ import main; main()"
    )
    command = ["index", "--rebuild", "--index", shared, "--ray", nodes.address, "--workers", "2", "--json"]
    ran = subprocess.run(
        [sys.executable, "-c", large, *command],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["encoded"] == QUOTES
    stored = json.loads(done(environment, "info", "--index", shared, "--json"))
    assert stored["search"] == "approximate"
    assert 0.98 <= stored["recall_at_10"] <= 1.0
    assert f"{QUOTES:,} quotes verified" in done(environment, "index", "--verify", "--index", shared)
    wanted = find_all(environment, str(expected))
    assert_same(find_all(environment, shared, "--exact"), wanted)
    # The recall is an average over many queries; a few of these seven may miss some hits.
    answers = hits(find_all(environment, shared, "--ray", nodes.address, "--workers", "2"))
    assert len({one[::2] for one in answers} & {one[::2] for one in hits(wanted)}) >= 0.75 * len(answers)


def test_s3(environment: dict[str, str], source: Path, expected: Path, nodes: Nodes, tmp_path: Path) -> None:
    """On a real S3 server two machines make an index, one process updates it, and it answers like any other."""
    with s3_server(tmp_path) as storage:
        there = {**environment, **storage}
        index = f"s3://{BUCKET}/some/quotes.lance"
        summary = json.loads(
            done(there, "index", str(source), "--index", index, "--ray", nodes.address, "--workers", "2", "--json")
        )
        assert (summary["added"], summary["encoded"]) == (QUOTES, QUOTES)
        assert_same(find_all(there, index), find_all(environment, str(expected)))
        assert_same(find_all(there, index, "--ray", nodes.address), find_all(environment, str(expected)))
        summary = json.loads(done(there, "index", str(source), "--index", index, "--json"))
        assert (summary["reused"], summary["encoded"]) == (QUOTES, 0)
        assert f"{QUOTES:,} quotes verified" in done(there, "index", "--verify", "--index", index)
        assert json.loads(done(there, "info", "--index", index, "--json"))["quotes"] == QUOTES
    gone = quotefind(there, "find", "love", "--index", index)
    assert (gone.returncode, gone.stdout) == (4, "")
    assert index in gone.stderr


def test_a_cluster_that_is_not_there(environment: dict[str, str], shared: str) -> None:
    """The message names the address and the state of the index; the exit code is 5."""
    ran = quotefind(environment, "find", "love", "--index", shared, "--ray", f"{HEAD}:1")
    assert (ran.returncode, ran.stdout) == (5, "")
    assert f"{HEAD}:1" in ran.stderr
    assert f"{QUOTES:,} quotes" in ran.stderr
    with socket.create_server((HEAD, 0)) as silent:  # accepts connections and never answers
        command = [sys.executable, "-m", "quotefind", "find", "love", "--index", shared, "--ray"]
        running = subprocess.Popen(
            [*command, f"{HEAD}:{silent.getsockname()[1]}"], stderr=subprocess.PIPE, text=True, env=environment
        )
        connection, _ = silent.accept()
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=10)
        connection.close()
        assert (running.returncode, errors) == (130, "quotefind: interrupted\n")
    # The workers need the GPU, not this machine.
    words = ("index", "--index", shared, "--device", "cuda", "--ray", f"{HEAD}:1")
    assert f"{HEAD}:1 cannot be reached" in quotefind(environment, *words).stderr


def test_the_head_dies_for_good(environment: dict[str, str], source: Path, nodes: Nodes, tmp_path: Path) -> None:
    """The message names the cluster and the state of the index; the same command continues without a cluster."""
    index = str(tmp_path / "quotes.lance")
    command = [sys.executable, "-m", "quotefind", "index", str(source), "--index", index, "--ray", nodes.address]
    with subprocess.Popen(
        [*command, "--workers", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        end = time.monotonic() + 60
        while not Path(index, "_quotefind_todo.lance").exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert nodes.kill_head() > 1
        out, errors = running.communicate(timeout=120)
    assert (running.returncode, out) == (5, ""), errors
    assert nodes.address in errors
    assert f"The index in {index} was never finished" in errors
    summary = json.loads(done(environment, "index", str(source), "--index", index, "--json"))
    assert summary["quotes"] == QUOTES
