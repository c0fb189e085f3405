"""`quotefind serve --mcp`, asked by the client of the official SDK over standard input and output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_tools import FAKE_PROGRAM, SCRIPT, Cli, environment, run, write_records
from test_promises import HEAVY, program

from quotefind.cli.output import HIT_KEYS, INDEX_PAIR_KEYS, PAIR_KEYS

anyio = pytest.importorskip("anyio", reason="the extra mcp is not installed")
mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

QUOTES = [
    {"text": "Love and love.", "author": "Ann Ash", "work": "Poems", "tags": ["passion"]},
    {"text": "Love and love and love and war.", "author": "Ann Ash", "work": "Letters"},
    {"text": "Love and war.", "author": "Zoë Birch", "work": "Poems", "tags": ["strife"]},
    {"text": "War \x1b[31m\u202eand [bold].", "author": "Carl Clay"},
    {"text": "The sea, the sea.", "author": "Carl Clay", "work": "Logs"},
    {"text": "Time and hope."},
]
LOVE, LOVES, BOTH, WAR, SEA, TIME = (str(quote["text"]) for quote in QUOTES)
SERVE = ("serve", "--mcp")
# As the fake program, but writes a line for every encoder that is opened, and where it may not, to stdout.
COUNTING = (
    sys.executable,
    "-c",
    f"""
import os, sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import cli_tools

def opener(*arguments, **others):
    print("what a library might say")
    os.write(1, b"what native code might say")
    with open(os.environ["OPENED"], "a") as file:
        file.write("opened\\n")
    return cli_tools.open_words(*arguments, **others)

cli_tools.main(opener)
""",
)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder and an index of a few quotes."""
    made = Cli(tmp_path, monkeypatch)
    made.index(QUOTES)
    return made


class Assistant:
    """What asks: a session of the SDK's client with the server."""

    def __init__(self, session: Any) -> None:
        """Ask over `session`."""
        self.session = session

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Return what `tool` answers, having seen that its text says the same."""
        result = await self.session.call_tool(tool, arguments)
        assert not result.is_error, result
        (content,) = result.content
        assert json.loads(content.text) == result.structured_content
        return result.structured_content

    async def texts(self, **arguments: Any) -> list[str]:
        """Return the texts of what find answers."""
        return [hit["text"] for hit in (await self.call("find", **arguments))["hits"]]

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Return the message of the error that `tool` answers with."""
        result = await self.session.call_tool(tool, arguments)
        assert result.is_error, result
        return str(result.content[0].text)


@asynccontextmanager
async def connected(command: Sequence[str], home: Path, errors: Path, **more: str) -> AsyncIterator[Assistant]:
    """Start `command` as a server, with its stderr in the file `errors`, and give who can ask it."""
    parameters = mcp.StdioServerParameters(command=command[0], args=[*command[1:]], env=environment(home, **more))
    with errors.open("w") as written:
        async with mcp.stdio_client(parameters, written) as streams, mcp.ClientSession(*streams) as session:
            await session.initialize()
            yield Assistant(session)


def ask(
    home: Path,
    what: Callable[[Assistant], Coroutine[Any, Any, None]],
    command: Sequence[str] = (*FAKE_PROGRAM, *SERVE),
    **more: str,
) -> str:
    """Run `what` with a server; return what that wrote to stderr."""
    errors = home / "stderr"

    async def main() -> None:
        with anyio.fail_after(120):
            async with connected(command, home, errors, **more) as assistant:
                await what(assistant)

    anyio.run(main)
    return errors.read_text(encoding="utf-8")


def test_tools_say_what_they_are(cli: Cli) -> None:
    """There are find, pair and info; each only reads, describes its parameters, and says what it answers with."""

    async def what(assistant: Assistant) -> None:
        tools = {tool.name: tool for tool in (await assistant.session.list_tools()).tools}
        assert list(tools) == ["find", "pair", "info"]
        for tool in tools.values():
            assert tool.description
            assert tool.annotations.read_only_hint
            assert not tool.annotations.open_world_hint
            assert all(value["description"] for value in tool.input_schema["properties"].values())
        hit = tools["find"].output_schema["$defs"]["HitRecord"]
        assert (tuple(hit["properties"]), tuple(hit["required"])) == (HIT_KEYS, HIT_KEYS)
        pair = tools["pair"].output_schema["$defs"]["PairRecord"]
        assert (tuple(pair["properties"]), tuple(pair["required"])) == (PAIR_KEYS + INDEX_PAIR_KEYS, PAIR_KEYS)

    assert ask(cli.home, what) == ""


# What is asked of the tool, and how the command is asked the same.
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"query": "love", "top": 2}, ["love", "-k", "2"]),
    ({"query": "love"}, ["love"]),
    ({"query": "love", "min_score": 0.9}, ["love", "--min-score", "0.9"]),
    ({"query": "war", "author": ["zoe", "CLAY"]}, ["war", "--author", "zoe", "--author", "CLAY"]),
    ({"query": "love", "work": ["poems"]}, ["love", "--work", "poems"]),
    ({"query": "war", "tag": ["PASSION"]}, ["war", "--tag", "PASSION"]),
    (
        {"query": "war", "tag": ["x", "strife"], "proposed": True},
        ["war", "--tag", "x", "--tag", "strife", "--proposed"],
    ),
    ({"query": "love", "max_chars": 14}, ["love", "--max-chars", "14"]),
    ({"query": "love", "one_per_author": True}, ["love", "--one-per-author"]),
    ({"query": "love war sea", "diverse": True, "top": 2}, ["love war sea", "--diverse", "-k", "2"]),
    ({"query": "hope", "hybrid": True}, ["hope", "--hybrid"]),
    ({"like": BOTH}, ["--like", BOTH]),
    ({"query": "sea", "like": BOTH, "top": 1}, ["sea", "--like", BOTH, "-k", "1"]),
    ({"query": "love war", "unlike": ["war"]}, ["love war", "--not", "war"]),
    ({"query": "love", "tag": ["peace"]}, ["love", "--tag", "peace"]),
]


def test_find_answers_as_the_command_does(cli: Cli) -> None:
    """The hits of the tool are those of `find --format json`, key by key, with the text unchanged."""

    async def what(assistant: Assistant) -> None:
        for arguments, options in CASES:
            expected = cli("find", *options, "--format", "json").json
            answer = await assistant.call("find", **arguments)
            assert answer == {"hits": expected}, arguments
            assert [list(hit) for hit in answer["hits"]] == [list(HIT_KEYS)] * len(expected)

    assert ask(cli.home, what) == ""


def test_pair_answers_as_the_command_does(cli: Cli) -> None:
    """Two texts give their score, one its nearest quotes, each pair as `pair --format json` writes it."""

    async def what(assistant: Assistant) -> None:
        both = cli("pair", "love", "love and war", "--format", "json").json
        assert await assistant.call("pair", a="love", b="love and war") == {"pairs": both}
        nearest = cli("pair", BOTH, "-k", "2", "--author", "ash", "--format", "json").json
        assert len(nearest) == 2
        assert await assistant.call("pair", a=BOTH, top=2, author=["ash"]) == {"pairs": nearest}

    ask(cli.home, what)


def test_info_answers_as_the_command_does(cli: Cli) -> None:
    """info says what `info --json` says."""

    async def what(assistant: Assistant) -> None:
        expected = cli("info", "--json").json
        assert await assistant.call("info") == expected

    ask(cli.home, what)


def test_errors_are_told_to_who_asks(cli: Cli) -> None:
    """What cannot be asked so is an error of the tool with our message, and the next request is answered."""

    async def what(assistant: Assistant) -> None:
        assert "The query is empty." in await assistant.refused("find")
        assert "The author '—' has no letter or digit" in await assistant.refused("find", query="love", author=["—"])
        assert "No quote of this index has the id 0123456789abcdef." in await assistant.refused(
            "find", like="0123456789abcdef"
        )
        assert "nothing of it is left" in await assistant.refused("find", query="love", unlike=["love"])
        assert "longer than 100,000 bytes" in await assistant.refused("find", query="love " * 20_001)
        assert "top" in await assistant.refused("find", query="love", top=0)
        assert "top" in await assistant.refused("find", query="love", top=101)
        assert "top" in await assistant.refused("pair", a="love", top=101)
        assert "min_score" in await assistant.refused("find", query="love", min_score=2)
        assert "author" in await assistant.refused("find", query="love", author=7)
        assert await assistant.texts(query="love", author="clay") == await assistant.texts(
            query="love", author=["clay"]
        )
        assert "Give a tag as well." in await assistant.refused("find", query="love", proposed=True)
        assert "authors" in await assistant.refused("find", query="love", authors=["ash"])
        assert "A text to compare is empty." in await assistant.refused("pair", a=" ")
        assert "no effect on two texts" in await assistant.refused("pair", a="love", b="war", tag=["passion"])
        assert await assistant.texts(query="love", top=1) == [LOVE]

    assert "Traceback" not in ask(cli.home, what)


def test_without_an_index_the_error_says_how_to_make_one(cli: Cli) -> None:
    """A tool that has no index to look into says so, makes none, and finds it once it is there."""

    async def what(assistant: Assistant) -> None:
        for tool, arguments in (("find", {"query": "love"}), ("info", {})):
            assert "To make it: quotefind index SOURCE… --index poems" in await assistant.refused(tool, **arguments)
        assert not (cli.home / "indexes" / "poems").exists()
        assert (
            run(FAKE_PROGRAM, "index", cli.folder / "quotes.jsonl", "-q", "--index", "poems", home=cli.home).code == 0
        )
        assert await assistant.texts(query="love", top=1) == [LOVE]

    ask(cli.home, what, (*FAKE_PROGRAM, *SERVE, "--index", "poems"))


def test_one_encoder_and_nothing_but_the_protocol_on_stdout(cli: Cli) -> None:
    """The encoder is opened once, at the first request; what is printed on the way does not reach the protocol."""
    opened = cli.folder / "opened"

    async def what(assistant: Assistant) -> None:
        await assistant.call("info")
        assert not opened.exists()
        for query in ("love", "war", "sea"):
            await assistant.texts(query=query)
        await assistant.call("pair", a="love", b="war")

    said = ask(cli.home, what, (*COUNTING, *SERVE), OPENED=str(opened))
    assert opened.read_text() == "opened\n"
    assert "what native code might say" in said


def test_it_reads_only_and_follows_who_writes(cli: Cli) -> None:
    """A changed source is not read (info says that the index is stale); what another process commits is found."""
    source = cli.folder / "quotes.jsonl"

    async def what(assistant: Assistant) -> None:
        assert await assistant.texts(query="king", min_score=0.5) == []
        write_records(source, [*QUOTES, {"text": "The king."}])
        assert await assistant.texts(query="king", min_score=0.5) == []
        assert (await assistant.call("info"))["stale"]
        assert run(FAKE_PROGRAM, "index", "-q", home=cli.home).code == 0
        assert await assistant.texts(query="king", min_score=0.5) == ["The king."]
        assert not (await assistant.call("info"))["stale"]

    ask(cli.home, what)


def test_a_long_request_is_cut_and_stderr_says_so(cli: Cli) -> None:
    """A request that the encoder cuts is answered, with the warning that find gives, on stderr."""

    async def what(assistant: Assistant) -> None:
        assert await assistant.texts(query="love " * 50, top=1) == [LOVE]

    assert ask(cli.home, what).startswith("quotefind: a query is longer than 40 tokens")


def test_with_the_real_model_no_connection_is_made(bundled_home: Path, tmp_path: Path) -> None:
    """All tools work where no process can make a socket but a local pair; torch is not loaded."""
    home = tmp_path / "real"
    home.symlink_to(bundled_home, target_is_directory=True)

    async def what(assistant: Assistant) -> None:
        assert len(await assistant.texts(query="hope in hard times", author=["dickinson"], hybrid=True)) > 0
        assert len((await assistant.call("pair", a="hope"))["pairs"]) == 5
        assert (await assistant.call("info"))["quotes"] > 1000

    said, marker, names = ask(tmp_path, what, (*program(), *SERVE), QUOTEFIND_HOME=str(home)).partition("MODULES ")
    assert (said, marker) == ("", "MODULES ")
    assert set(names.split()) & HEAVY == set()


def test_the_end_of_the_input_ends_it(cli: Cli) -> None:
    """Where nothing comes, or nothing that is the protocol, it ends with exit code 0 once the input does."""
    assert run(FAKE_PROGRAM, *SERVE, home=cli.home).code == 0
    done = run(FAKE_PROGRAM, *SERVE, home=cli.home, stdin=b"love\n{}\n[1]\n\xff\n\n")
    assert done.code == 0
    assert "Traceback" not in done.err
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in done.lines)


def request(number: int, method: str, **params: object) -> bytes:
    """Return a request of the protocol as a line."""
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


HELLO = request(
    1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "test", "version": "0"}
)
READY = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n'


def test_every_request_before_the_end_of_the_input_is_answered(cli: Cli) -> None:
    """A client that writes its requests and closes the input at once gets all answers, in order."""
    calls = [request(number, "tools/call", name="find", arguments={"query": "love"}) for number in range(2, 12)]
    done = run(FAKE_PROGRAM, *SERVE, home=cli.home, stdin=HELLO + READY + b"".join(calls))
    answers = [json.loads(line) for line in done.lines]
    assert (done.code, [answer["id"] for answer in answers]) == (0, [*range(1, 12)])
    assert all("result" in answer for answer in answers)


def test_a_request_that_was_cancelled_does_not_keep_it_running(cli: Cli) -> None:
    """At the end of the input nothing is waited for that the client has cancelled."""
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}
    call = request(2, "tools/call", name="find", arguments={"query": "love"})
    stream = HELLO + READY + call + json.dumps(cancelled).encode() + b"\n"
    assert run(FAKE_PROGRAM, *SERVE, home=cli.home, stdin=stream, timeout=30).code == 0


@pytest.mark.skipif(os.name == "nt", reason="the signals of POSIX")
def test_ctrl_c_ends_it(cli: Cli) -> None:
    """SIGINT ends it with 130 and one line, though it waits for input."""
    with subprocess.Popen(
        [*FAKE_PROGRAM, *SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(cli.home, PYTHONWARNINGS="error,ignore::ResourceWarning"),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        process.stdin.write(json.dumps(ping).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr is not None
        assert process.stderr.read().decode() == "quotefind: interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["serve"], 2, "quotefind serve --mcp"),
        (["serve", "--mcp", "--index", ""], 2, "index is empty"),
        (["serve", "--mcp", "love"], 2, "love"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], code: int, says: str) -> None:
    """Without --mcp it says what there is; what it does not know is refused."""
    done = cli(*arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_without_the_extra_it_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK is not installed, the error has the command that installs it, and exit code 5."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    done = cli("serve", "--mcp")
    assert (done.code, done.err) == (
        5,
        "quotefind: serve --mcp needs mcp. To install it: pip install 'quotefind[mcp]'\n",
    )


def test_help_loads_no_sdk(home: Path) -> None:
    """Help of the command does not load what it would serve with."""
    shown = "import sys; sys.argv[1:] = ['serve', '--help']\n"
    code = f"{shown}import atexit, os\nend = os._exit\nos._exit = lambda code: end('mcp' in sys.modules)\n"
    done = run((sys.executable, "-c", f"{code}from quotefind.__main__ import main; main()"), home=home)
    assert (done.code, "--mcp" in done.out) == (0, True)
