"""`quotefind find`: requests from words, files and streams, options, refreshing, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli_tools import FAKE_PROGRAM, PROGRAM, Cli, environment, run, run_on_terminal, write_records

from quotefind import refresh
from quotefind.index.local.lock import writer_lock

QUOTES = [
    {"text": "Love and love.", "author": "Ann Ash", "work": "Poems", "tags": ["Passion"]},
    {"text": "Love and love and love and war.", "author": "Ann Ash", "work": "Letters"},
    {"text": "Love and war.", "author": "Zoë Birch", "work": "Poems", "tags": ["strife", "été"]},
    {"text": "War.", "author": "Carl Clay"},
    {"text": "The sea, the sea.", "author": "Carl Clay", "work": "Logs", "tags": ["passion"]},
    {"text": "Time and hope."},
]
LOVE, LOVES, BOTH, WAR, SEA, TIME = (str(quote["text"]) for quote in QUOTES)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


def age(path: Path) -> None:
    """Give `path` a time that no clock tick can make equal to the one it had."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def test_words_are_joined(cli: Cli) -> None:
    """Words without quotation marks are one request, the same as with them."""
    cli.index(QUOTES)
    apart = cli("find", "love", "and", "war", "--format", "jsonl")
    assert json.loads(apart.lines[0])["query"] == "love and war"
    assert apart.out == cli("find", "love and war", "--format", "jsonl").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["love", "-k", "2"], [LOVE, LOVES]),
        (["love", "--top", "1"], [LOVE]),
        (["love"], [LOVE, LOVES, BOTH, WAR, SEA]),
        (["love", "--min-score", "0.9"], [LOVE, LOVES]),
        (["war", "-k", "1", "--author", "ash"], [LOVES]),
        (["war", "-k", "2", "--author", "zoe birch", "--author", "CLAY"], [WAR, BOTH]),
        (["love", "--work", "poems"], [LOVE, BOTH]),
        (["love", "--tag", "PASSION"], [LOVE, SEA]),
        (["love", "--tag", "ete"], [BOTH]),
        (["love", "--author", "Clay", "--tag", "passion"], [SEA]),
        (["love", "--max-chars", "4"], [WAR]),
        (["love", "--one-per-author", "-k", "3"], [LOVE, BOTH, WAR]),
        (["--like", WAR, "-k", "2"], [BOTH, LOVES]),
        (["--like", "war, war", "-k", "1"], [WAR]),
        (["love war", "--not", "war", "-k", "1"], [LOVE]),
        (["love war sea", "--not", "war", "--not", "love", "-k", "1"], [SEA]),
        (["love war sea", "-k", "2"], [BOTH, LOVES]),
        (["love war sea", "--diverse", "-k", "2"], [BOTH, SEA]),
        (["hope", "--hybrid", "-k", "1"], [TIME]),
    ],
)
def test_options_reach_the_search(cli: Cli, arguments: list[str], expected: list[str]) -> None:
    """Each option changes which quotes are found, or their order, as its help says."""
    cli.index(QUOTES)
    found = cli("find", *arguments, "--format", "jsonl")
    assert found.texts == expected
    assert (found.code, found.err) == (0, "")


def test_like_takes_an_id(cli: Cli) -> None:
    """--like with the id of a quote finds others like it; the quote stands for the request where there is none."""
    cli.index(QUOTES)
    (war,) = map(json.loads, cli("find", "war", "-k", "1", "--format", "jsonl").lines)
    more = [json.loads(line) for line in cli("find", "--like", war["id"], "-k", "2", "--format", "jsonl").lines]
    assert [hit["text"] for hit in more] == [BOTH, LOVES]
    assert {hit["query"] for hit in more} == {WAR}


def test_like_takes_a_word_of_hexadecimal_digits(cli: Cli) -> None:
    """A word that could be the beginning of an id, but is that of none, is a text to be near to."""
    cli.index([{"text": "A decade."}, {"text": "Love."}])
    found = cli("find", "--like", "decade", "-k", "1", "--format", "jsonl")
    assert (found.code, found.err, json.loads(found.lines[0])["query"]) == (0, "", "decade")


def test_hybrid_ranks_shared_words_higher_and_shows_the_cosine(cli: Cli) -> None:
    """--hybrid lifts a quote that shares words which the encoder does not know; its score stays the cosine."""
    cli.index([{"text": "Of love."}, {"text": "Of love."[:-1] + " and turnips."}, {"text": "Love, love."}])
    plain = cli("find", "love turnips", "-k", "1", "--format", "json").json
    hybrid = cli("find", "love turnips", "-k", "1", "--format", "json", "--hybrid").json
    assert plain[0]["text"] == "Of love."
    assert (hybrid[0]["text"], hybrid[0]["score"]) == ("Of love and turnips.", 1.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["find"], "Say what you are looking for"),
        (["find", ""], "Say what you are looking for"),
        (["find", " ", ""], "Say what you are looking for"),
        (["find", "\u200b\ufeff \u2060"], "Say what you are looking for"),
        (["find", "love", "--min-score", "nan"], "--min-score needs a number"),
        (["find", "-love"], "To pass -love as text: quotefind find -- -love"),
        (["pair", "love", "-it's"], "To pass -it's as text: quotefind pair -- '-it'\"'\"'s'"),
        (["find", "love", "--top", "0"], "--top"),
        (["find", "love", "-k", "many"], "--top"),
        (["find", "love", "--min-score", "1.5"], "--min-score"),
        (["find", "love", "--max-chars", "0"], "--max-chars"),
        (["find", "love", "--format", "xml"], "--format"),
        (["find", "love", "--not", "love"], "so nothing of it is left"),
        (["find", "love", "--like", ""], "give its id or a text"),
        (["find", "love", "--like", "0123456789abcdef"], "No quote of this index has the id 0123456789abcdef"),
        (["find", "love", "--not", ""], "A text to steer away from is empty."),
        (["find", "love", "--not", "war", "--not", " "], "A text to steer away from is empty."),
        (["find", "love", "--author", ""], "The author '' has no letter or digit"),
        (["find", "love", "--author", "ash", "--author", "_"], "The author '_' has no letter or digit"),
        (["find", "love", "--work", "—"], "The work '—' has no letter or digit"),
        (["find", "love", "--tag", "%"], "The tag '%' has no letter or digit"),
        (["pair", "--author", ""], "The author '' has no letter or digit"),
        (["pair", "love", "--tag", "%"], "The tag '%' has no letter or digit"),
        (["find", "lov\udce9"], "not valid UTF-8"),
        (["find", "love", "--like", "lov\udce9"], "not valid UTF-8"),
        (["find", "love", "--not", "war", "--not", "lov\udce9"], "not valid UTF-8"),
        (["pair", "love", "lov\udce9"], "not valid UTF-8"),
        (["pair", "love", "war", "lov\udce9"], "not valid UTF-8"),
        (["pair", "lov\udce9"], "not valid UTF-8"),
        (["find", "love", "--read0"], "--read0"),
        (["find", "love", "--queries", "file.txt"], "--queries"),
        (["find", "love", "--nonsense"], "--nonsense"),
        (["find", "love", "--index", ""], "index is empty"),
        (["search", "love"], "search"),
    ],
)
def test_wrong_usage_ends_with_2(cli: Cli, arguments: list[str], says: str) -> None:
    """What cannot be asked so is refused with exit code 2, nothing on stdout, and a message that names the cause."""
    cli.index(QUOTES)
    found = cli(*arguments)
    assert (found.code, found.out) == (2, "")
    assert says in found.err
    assert "Traceback" not in found.err


REQUESTS = ["war", "love", "sea", "time"]
ANSWERS = [WAR, LOVE, SEA, TIME]


@pytest.mark.parametrize(
    ("arguments", "stream"),
    [
        (["-"], "war\nlove\nsea\ntime\n"),
        (["-"], "\n  war  \n\n \nlove\r\nsea\ntime"),
        (["-"], "\ufeffwar\nlove\nsea\ntime\n"),
        (["-", "--read0"], "war\0\nlove\0sea\0\0time\0"),
        (["--queries", "requests.txt"], None),
        (["--queries", "requests.bin", "--read0"], None),
    ],
)
def test_many_requests_are_answered_in_order(cli: Cli, arguments: list[str], stream: str | None) -> None:
    """Requests from a stream or file come one a line or NUL, blank ones skipped; hits are JSON Lines in their order."""
    cli.index(QUOTES)
    Path("requests.txt").write_text("war\n\nlove\nsea\ntime", encoding="utf-8")
    Path("requests.bin").write_bytes(b"war\0love\0sea\0time")
    found = cli("find", *arguments, "-k", "1", stdin=stream)
    assert (found.code, found.err) == (0, "")
    assert [json.loads(line)["query"] for line in found.lines] == REQUESTS
    assert found.texts == ANSWERS


def test_a_request_may_hold_line_ends_with_read0(cli: Cli) -> None:
    """With --read0 a line end is part of the request, and comes back in JSON."""
    cli.index(QUOTES)
    found = cli("find", "-", "--read0", "-k", "1", stdin="love\nand war\0sea")
    assert [json.loads(line)["query"] for line in found.lines] == ["love\nand war", "sea"]
    assert found.texts == [BOTH, SEA]


def test_hits_of_one_request_follow_each_other(cli: Cli) -> None:
    """Each request's hits stand together, ranks from 1."""
    cli.index(QUOTES)
    hits = [json.loads(line) for line in cli("find", "-", "-k", "2", stdin="war\nlove\n").lines]
    assert [(hit["query"], hit["rank"], hit["text"]) for hit in hits] == [
        ("war", 1, WAR),
        ("war", 2, BOTH),
        ("love", 1, LOVE),
        ("love", 2, LOVES),
    ]


def test_many_requests_as_json_are_one_array(cli: Cli) -> None:
    """--format json writes a single valid array, whatever the number of requests and batches."""
    cli.index(QUOTES)
    found = cli("find", "-", "-k", "1", "--format", "json", stdin="\n".join(REQUESTS * 200)).json
    assert [hit["query"] for hit in found] == REQUESTS * 200
    assert [hit["text"] for hit in found] == ANSWERS * 200


def test_the_encoder_is_opened_once(cli: Cli) -> None:
    """Several batches of requests need one encoder, on the CPU, the one that the index was made with."""
    cli.index(QUOTES)
    cli.opened.clear()
    assert len(cli("find", "-", "-k", "1", stdin="love\n" * 1000).lines) == 1000
    assert cli.opened == [("words", "cpu")]


def test_each_request_in_a_table_of_its_own(cli: Cli) -> None:
    """As tables the hits of many requests stand under their requests."""
    cli.index(QUOTES)
    shown = cli("find", "-", "-k", "1", "--format", "table", stdin="war\nlove\n").out
    titles = [line.strip() for line in shown.splitlines() if line.strip() in ("war", "love")]
    assert titles == ["war", "love"]


@pytest.mark.parametrize("stream", ["", "\n\n  \n"])
def test_no_request_finds_nothing(cli: Cli, stream: str) -> None:
    """A stream without requests ends with 1 and an empty value."""
    cli.index(QUOTES)
    found = cli("find", "-", stdin=stream)
    assert (found.code, found.out, found.err) == (1, "", "quotefind: nothing found\n")
    assert cli("find", "-", "--format", "json", stdin=stream).json == []


@pytest.mark.parametrize(
    ("arguments", "stream", "says"),
    [
        (["-"], b"love\nse\xff\n", "standard input:2: the query is not valid UTF-8. All other queries were answered."),
        (["--queries", "bad.txt"], b"", "bad.txt:1: the query is not valid UTF-8. All other queries were answered."),
        (["--queries", "missing.txt"], b"", "missing.txt cannot be read: No such file or directory."),
        (["--queries", "."], b"", ". cannot be read: Is a directory."),
    ],
)
def test_requests_that_cannot_be_read_end_with_3(cli: Cli, arguments: list[str], stream: bytes, says: str) -> None:
    """A stream of requests that is no text, or is not there, ends with 3 and says where."""
    cli.index(QUOTES)
    Path("bad.txt").write_bytes(b"\xff")
    found = cli("find", *arguments, stdin=stream)
    assert (found.code, found.err) == (3, f"quotefind: {says}\n")


@pytest.mark.parametrize(("arguments", "end"), [(["-"], b"\n"), (["-", "--read0"], b"\0")])
def test_a_query_that_is_not_utf8_is_named_and_the_others_are_answered(
    cli: Cli, arguments: list[str], end: bytes
) -> None:
    """Queries before and after one that is not UTF-8 are answered; each bad one is named, and the exit code is 3."""
    cli.index(QUOTES)
    found = cli("find", *arguments, "-k", "1", stdin=end.join([b"hope", b"\xff", b"sea", b"\xe9", b""]))
    assert (found.code, found.texts) == (3, [TIME, SEA])
    assert found.err == (
        "quotefind: standard input:2: the query is not valid UTF-8; standard input:4: the query is not valid UTF-8. "
        "All other queries were answered.\n"
    )


def test_json_stays_whole_where_a_query_is_not_utf8(cli: Cli) -> None:
    """The array of --format json is closed although the last query is not UTF-8."""
    cli.index(QUOTES)
    found = cli("find", "-", "-k", "1", "--format", "json", stdin=b"sea\n\xff\n")
    assert [hit["text"] for hit in found.json] == [SEA]


def test_a_long_request_is_cut_with_a_warning(cli: Cli) -> None:
    """A request longer than the encoder takes is answered, and stderr says that it was cut."""
    cli.index(QUOTES)
    found = cli("find", "love " * 41, "-k", "1")
    assert (found.code, found.out) == (0, f"{LOVE} — Ann Ash, Poems\n")
    assert found.err == "quotefind: a query is longer than 40 tokens; the rest is ignored\n"
    many = cli("find", "-", "-k", "1", stdin=("love " * 41 + "\n") * 2)
    assert many.err.startswith("quotefind: ")
    assert many.err.startswith("quotefind: 2 queries are longer than 40 tokens")


def test_a_stale_index_is_refreshed(cli: Cli) -> None:
    """Where a source has changed, find brings the index up to date, says so in one line, and answers from it."""
    source = cli.index(QUOTES)
    write_records(source, [*QUOTES[1:], {"text": "Love."}])
    age(source)
    found = cli("find", "love", "-k", "1")
    assert (found.code, found.out) == (0, "Love.\n")
    assert found.err == "quotefind: The index was out of date and has been refreshed: 1 added, 1 removed.\n"
    assert cli("find", "love", "-k", "1").err == ""


def test_no_refresh_answers_from_what_is_there(cli: Cli) -> None:
    """--no-refresh answers from the index as it is, in silence."""
    source = cli.index(QUOTES)
    write_records(source, [{"text": "Love."}])
    age(source)
    found = cli("find", "love", "-k", "1", "--no-refresh")
    assert (found.code, found.out, found.err) == (0, f"{LOVE} — Ann Ash, Poems\n", "")
    assert cli("info", "--json").json["stale"] is True


def test_a_long_refresh_is_left_to_the_user(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where refreshing would take too long, find answers from what is there and names the command to run."""
    source = cli.index(QUOTES)
    write_records(source, [{"text": "Love."}])
    age(source)
    monkeypatch.setattr(refresh, "PATIENCE", 0.0)
    found = cli("find", "love", "-k", "1")
    assert (found.code, found.out) == (0, f"{LOVE} — Ann Ash, Poems\n")
    assert found.err.count("\n") == 1
    assert found.err.endswith("To bring it up to date: quotefind index\n")


def test_a_search_beside_a_writer_says_so_in_one_line(cli: Cli) -> None:
    """While another process brings the index up to date, find answers from what is committed and says just that."""
    source = cli.index(QUOTES)
    write_records(source, [{"text": "Love."}])
    age(source)
    with writer_lock(cli.home / "indexes" / "default"):
        found = cli("find", "love", "-k", "1")
    assert (found.code, found.out) == (0, f"{LOVE} — Ann Ash, Poems\n")
    assert found.err == (
        "quotefind: Another process is bringing the index up to date; answering from what it has committed so far.\n"
    )


def test_a_vanished_source_is_named(cli: Cli) -> None:
    """A source that is gone keeps its quotes, and find says which it is and how to drop them."""
    source = cli.index(QUOTES)
    source.unlink()
    found = cli("find", "love", "-k", "1")
    assert (found.code, found.out) == (0, f"{LOVE} — Ann Ash, Poems\n")
    assert found.err == (
        f"quotefind: {source} is missing; its quotes are kept. To drop them: quotefind index --prune\n"
    )


def test_a_source_that_cannot_be_read_stops_no_answer(cli: Cli) -> None:
    """If a changed source can no longer be read, find answers as before and says what is wrong at path:line."""
    source = cli.index(QUOTES)
    source.write_bytes('{"text": "Löve."}\n{"text": "Lov'.encode() + b'\xe9."}\n')
    age(source)
    found = cli("find", "love", "-k", "1")
    assert (found.code, found.out) == (0, f"{LOVE} — Ann Ash, Poems\n")
    assert f"{source}:2: not valid utf-8" in found.err


def test_a_bad_record_is_skipped_when_find_refreshes(cli: Cli) -> None:
    """A record of a changed source that cannot be read is skipped; find answers from the others and names its line."""
    source = cli.index(QUOTES)
    source.write_text('{"text": "Love."}\n{"text": \n', encoding="utf-8")
    age(source)
    found = cli("find", "love", "-k", "1")
    assert (found.code, found.out) == (0, "Love.\n")
    assert f"{source}:2" in found.err


def test_without_an_index_the_bundled_quotes_answer(cli: Cli) -> None:
    """The first find of all makes the default index from the bundled quotes, and says so."""
    found = cli("find", "love", "-k", "3", "--format", "json")
    assert found.code == 0
    assert {hit["source"] for hit in found.json} == {"bundled"}
    assert found.err == "quotefind: There is no index yet; making it from the bundled quotes.\n"
    assert cli("find", "love").err == ""


@pytest.mark.parametrize("name", ["poems", "./poems"])
def test_a_named_index_that_is_missing_ends_with_4(cli: Cli, name: str) -> None:
    """Only the default index is made by itself; another that is not there is an error that names the command."""
    found = cli("find", "love", "--index", name)
    directory = cli.home / "indexes" / "poems" if name == "poems" else cli.folder / "poems"
    assert (found.code, found.out) == (4, "")
    assert found.err.startswith(f"quotefind: There is no index in {directory}. To make it: quotefind index SOURCE…")
    assert not directory.exists()


def coprocess(arguments: Sequence[str], home: Path) -> subprocess.Popen[bytes]:
    """Start find so that a test can talk to it through pipes."""
    return subprocess.Popen(
        [*FAKE_PROGRAM, "find", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home),
    )


@pytest.mark.parametrize(("arguments", "end"), [(["-"], b"\n"), (["-", "--read0"], b"\0")])
def test_a_program_that_waits_gets_its_answer(cli: Cli, arguments: list[str], end: bytes) -> None:
    """Whoever writes one request and waits gets its answer before writing the next."""
    cli.index(QUOTES)
    with coprocess([*arguments, "-k", "1"], cli.home) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert process.stdin is not None
        assert process.stdout is not None
        for request, answer in zip(REQUESTS, ANSWERS, strict=True):
            process.stdin.write(request.encode() + end)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == answer
        process.stdin.close()
        assert process.stdout.read() == b""
        watchdog.cancel()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("style", ["jsonl", "json", "plain", "csv", "table"])
def test_a_closed_pipe_is_no_error(cli: Cli, style: str) -> None:
    """Whoever reads one line of many and goes away, as head -1 does, causes no message and exit code 0."""
    cli.index(QUOTES)
    Path("requests.txt").write_text("love\n" * 20_000, encoding="utf-8")
    with coprocess(["--queries", "requests.txt", "--format", style], cli.home) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_a_pipe_that_nobody_reads_is_no_error(cli: Cli) -> None:
    """The same where the reader is gone before anything was written."""
    cli.index(QUOTES)
    with coprocess(["love"], cli.home) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_quotes_about_family_are_about_family(bundled_home: Path) -> None:
    """The real model finds, in the bundled quotes, mostly quotes of the family for "quotes about family"."""
    found = run(PROGRAM, "find", "quotes about family", "--format", "json", home=bundled_home)
    assert (found.code, found.err) == (0, "")
    near = {"family", "marriage", "mothers", "fathers", "children", "home"}
    assert len(found.json) == 5
    assert sum(bool(near & set(hit["tags"])) for hit in found.json) >= 3


def test_a_search_that_is_over_at_once_shows_no_progress(bundled_home: Path) -> None:
    """On a terminal a search with a prepared model writes nothing at all to stderr: no bar, no hidden cursor."""
    assert run_on_terminal(PROGRAM, "find", "hope", home=bundled_home, stream="stderr") == (0, "")
    code, shown = run_on_terminal(PROGRAM, "find", "hope", home=bundled_home)
    assert code == 0
    assert "\x1b[?25l" not in shown
