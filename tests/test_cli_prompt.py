"""The prompt of `quotefind find`, on a terminal: requests, settings, history, keys, and what goes wrong."""

from __future__ import annotations

import os
import pty
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import CONTROL, FAKE_PROGRAM, SCRIPT, Cli, Terminal, environment, run, write_records
from test_promises import HEAVY, program

from quotefind.cli.prompt_commands import COMMANDS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the terminals of POSIX")

QUOTES = [
    {"text": "Love and love.", "author": "Ann Ash", "work": "Poems", "tags": ["passion"]},
    {"text": "Love and love and love and war.", "author": "Ann Ash", "work": "Letters"},
    {"text": "Love and war.", "author": "Zoë Birch", "work": "Poems", "tags": ["strife"]},
    {"text": "War.", "author": "Carl Clay"},
    {"text": "The sea, the sea.", "author": "Carl Clay", "work": "Logs"},
    {"text": "Time and hope."},
]
LOVE, LOVES, BOTH, WAR, SEA, TIME = (str(quote["text"]) for quote in QUOTES)
CTRL_C, CTRL_D, UP, TAB = "\x03", "\x04", "\x1b[A", "\t"
# Writes a line for every encoder that is opened.
COUNTING = (
    sys.executable,
    "-c",
    f"""
import os, sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import cli_tools

def opener(*arguments, **others):
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


def prompt(cli: Cli, *arguments: str, **more: str) -> Terminal:
    """Open the prompt."""
    return Terminal(FAKE_PROGRAM, "find", *arguments, home=cli.home, **more)  # type: ignore[arg-type]


def found(shown: str) -> list[str]:
    """Return the quotes in a table, in their order, if they are of QUOTES and on one line."""
    return [text for line in shown.splitlines() for text in (LOVES, LOVE, BOTH, WAR, SEA, TIME) if f" {text} " in line]


def test_requests_are_answered_by_one_encoder(cli: Cli) -> None:
    """Each request is answered with the table of find; the encoder is opened once; Ctrl-D ends it with exit code 0."""
    opened = cli.folder / "opened"
    with Terminal(COUNTING, "find", "-k", "2", home=cli.home, OPENED=str(opened)) as terminal:
        assert found(terminal.ask("love")) == [LOVE, LOVES]
        answer = terminal.ask("war")
        assert found(answer) == [WAR, BOTH]
        assert "Carl Clay" in answer
        assert "█████" in answer
        assert found(terminal.ask("sea")) == [SEA, LOVE]
        code, _ = terminal.end(CTRL_D)
    assert code == 0
    assert opened.read_text() == "opened\n"


def test_options_are_the_first_settings(cli: Cli) -> None:
    """What the command line says holds until a command says something else."""
    with prompt(cli, "-k", "1", "--author", "ash", "--not", "sea") as terminal:
        terminal.until("k 1 · author ash · not sea")
        assert found(terminal.ask("war")) == [LOVES]
        terminal.ask(":author")
        assert found(terminal.ask("war")) == [WAR]


def test_settings(cli: Cli) -> None:
    """Settings hold for the requests that follow, and stand below the line."""
    with prompt(cli) as terminal:
        terminal.until("k 5")
        terminal.ask(":k 1")
        terminal.ask(":work poems")
        terminal.until("k 1 · work poems")
        assert found(terminal.ask("war")) == [BOTH]
        terminal.ask(":tag passion")
        assert found(terminal.ask("war")) == [LOVE]


def test_more_and_like_and_the_numbers_of_hits(cli: Cli) -> None:
    """:more goes on counting; :like N asks for more like that hit, which is itself left out."""
    with prompt(cli, "-k", "2") as terminal:
        assert found(terminal.ask("love")) == [LOVE, LOVES]
        more = terminal.ask(":more")
        assert found(more) == [BOTH, WAR]
        assert re.search(rf"^ *4 .*{WAR}", more, re.MULTILINE)
        assert found(terminal.ask(":like 4")) == [BOTH, LOVES]
        assert found(terminal.ask(":more")) == [LOVE, SEA]
        assert found(terminal.ask(":more")) == [TIME]
        assert "nothing found" in terminal.ask(":more")


def test_more_of_what_is_diverse_repeats_nothing(cli: Cli) -> None:
    """However the order is made, :more shows each quote once."""
    with prompt(cli, "-k", "2", "--diverse") as terminal:
        shown = found(terminal.ask("love war sea"))
        for _ in range(2):
            shown += found(terminal.ask(":more"))
        assert sorted(shown) == sorted(str(quote["text"]) for quote in QUOTES)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (":hlp", "Unknown command :hlp. Did you mean :help?"),
        (":k many", ":k needs a whole number"),
        (":like 9", "There is no hit 9. The last one is 2."),
        (":copy 0", ":copy needs a whole number"),
        ("love\x16\x00", None),
        ("l\udce9ve", "The query is not valid UTF-8."),
    ],
)
def test_an_error_is_one_line_and_the_prompt_goes_on(cli: Cli, line: str, says: str | None) -> None:
    """What cannot be done is said in a line, and the next request is answered."""
    with prompt(cli, "-k", "2") as terminal:
        terminal.ask("war")
        answer = terminal.ask(line)
        if says is not None:
            (said,) = [shown for shown in answer.splitlines() if shown.startswith("quotefind: ")]
            assert says in said
        assert "Traceback" not in answer
        assert found(terminal.ask("love")) == [LOVE, LOVES]
        assert terminal.end(CTRL_D)[0] == 0


@pytest.mark.parametrize("line", [":like 1", ":copy", ":more"])
def test_before_the_first_request_there_are_no_hits(cli: Cli, line: str) -> None:
    """What is about hits says that there are none yet."""
    with prompt(cli) as terminal:
        answer = terminal.ask(line)
        assert "There are no hits yet" in answer or "There is no query yet" in answer


def test_nothing_found(cli: Cli) -> None:
    """Where no quote satisfies the conditions, a line says so."""
    with prompt(cli, "--tag", "peace") as terminal:
        assert "nothing found with these filters" in terminal.ask("love")


def test_help_names_every_command(cli: Cli) -> None:
    """:help has a line for each command; :quit leaves."""
    with prompt(cli) as terminal:
        shown = terminal.ask(":help")
        assert [command.name for command in COMMANDS if f":{command.name} " not in shown] == []
        assert terminal.end(":quit\r")[0] == 0


def test_copy(cli: Cli) -> None:
    """:copy N puts the hit with its attribution on the clipboard, and says so."""
    folder, clipboard = cli.folder / "bin", cli.folder / "clipboard"
    folder.mkdir()
    (folder / "xclip").write_text('#!/bin/sh\n/bin/cat > "$CLIPBOARD"\n')
    (folder / "xclip").chmod(0o755)
    places = {"PATH": str(folder), "DISPLAY": ":7", "WAYLAND_DISPLAY": "", "CLIPBOARD": str(clipboard)}
    with prompt(cli, **places) as terminal:
        terminal.ask("love")
        assert f"copied to the clipboard: {LOVES} — Ann Ash, Letters" in terminal.ask(":copy 2")
        assert clipboard.read_text(encoding="utf-8") == f"{LOVES} — Ann Ash, Letters"


def test_copy_without_a_clipboard(cli: Cli) -> None:
    """Where there is no clipboard, a line says what to install, and the prompt goes on."""
    with prompt(cli, PATH=str(cli.folder), DISPLAY="", WAYLAND_DISPLAY="") as terminal:
        terminal.ask("love")
        assert "Nothing was copied to the clipboard" in terminal.ask(":copy")
        assert found(terminal.ask("war"))[0] == WAR


def test_ctrl_c_takes_back_what_was_typed(cli: Cli) -> None:
    """Ctrl-C clears the line, as often as it is pressed; nothing is asked, and the prompt goes on."""
    with prompt(cli, "-k", "1") as terminal:
        for _ in range(2):
            terminal.press(f"war and peace{CTRL_C}")
            assert found(terminal.until("\x1b[?2004h")) == []
        assert found(terminal.ask("love")) == [LOVE]
        assert terminal.end(CTRL_D)[0] == 0


def test_the_signal_ends_it(cli: Cli) -> None:
    """SIGINT, which no key sends while one types, ends the prompt with 130 and a line, as it ends every command."""
    with prompt(cli) as terminal:
        terminal.ask("love")
        terminal.until(
            "k 5"
        )  # drawn once the place of the cursor is known: nothing is on its way to the program any more
        terminal.process.send_signal(signal.SIGINT)
        code, said = terminal.end("")
    assert code == 130
    assert said.endswith("quotefind: interrupted\n")


def test_history_is_kept_for_its_user_alone(cli: Cli) -> None:
    """What was typed is there in the next session with the Up key; its file is private."""
    with prompt(cli, "-k", "1") as terminal:
        terminal.ask("love  and war ")
        terminal.ask("sea")
        terminal.end(CTRL_D)
    kept = cli.home / "history"
    assert kept.read_text(encoding="utf-8") == "love and war\nsea\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with prompt(cli, "-k", "1") as terminal:
        assert found(terminal.ask(f"{UP}{UP}")) == [BOTH]


def test_history_that_cannot_be_kept(cli: Cli) -> None:
    """A link in the place of the history is not followed: a line says so, and requests are answered."""
    elsewhere = cli.folder / "elsewhere"
    elsewhere.write_text("mine\n")
    (cli.home / "history").symlink_to(elsewhere)
    with prompt(cli, "-k", "1") as terminal:
        shown = terminal.ask("love")
        assert found(shown) == [LOVE]
        terminal.ask("war")
        assert "the history is not saved" in terminal.raw
    assert elsewhere.read_text() == "mine\n"


def test_tab_completes_commands_and_names(cli: Cli) -> None:
    """Tab completes a command, and behind :author the name of one that the index knows, whatever its accents."""
    with prompt(cli, "-k", "1") as terminal:
        terminal.press(f":aut{TAB}zoe{TAB}")
        terminal.until("Zoë Birch")
        terminal.ask("")
        assert found(terminal.ask("love")) == [BOTH]


def test_names_that_a_terminal_could_obey_are_not_offered(cli: Cli) -> None:
    """The name of an author that holds control characters is no completion."""
    cli.index([{"text": "Love.", "author": "Eve \x1b]0;owned\x07"}])
    with prompt(cli, "-k", "1") as terminal:
        terminal.press(f":author eve{TAB}\r")
        terminal.until("\x1b[?2004h")
        terminal.until("author eve")
        assert "owned" not in terminal.raw


def test_hostile_text_is_harmless(cli: Cli) -> None:
    """Nothing in a quote, and nothing that is pasted, reaches the terminal as something that it obeys."""
    cli.index([{"text": "Love \x1b]52;c;cHduZWQ=\x07 [bold]is\u202e\x9b31m all.", "author": "E\x1b[2Jve"}])
    with prompt(cli) as terminal:
        before = len(terminal.raw)
        pasted = "\x1b[200~love \x1b]0;owned\x07\nand\u202ewar\x1b[201~"
        shown = terminal.ask(pasted)
        assert "Love ␛]52;c;cHduZWQ=␇ [bold]is�" in shown
        written = terminal.raw[before:]
        assert "\x1b]" not in written
        assert "\x1b[2Jve" not in written
        table = shown[shown.index("score") :]
        assert CONTROL.search(table.replace("\r", "")) is None


def test_a_narrow_terminal(cli: Cli) -> None:
    """On twenty columns the hits are there, whole, over several lines."""
    with Terminal(FAKE_PROGRAM, "find", "-k", "1", home=cli.home, columns=20) as terminal:
        shown = terminal.ask("love")
        assert "".join(LOVE.split()) in "".join(re.sub("[1-9.0]{4}", "", shown).split())


def test_other_formats(cli: Cli) -> None:
    """--format says how hits are shown; a TREC run is refused, as its requests have numbers."""
    with prompt(cli, "-k", "1", "--format", "jsonl") as terminal:
        assert '"rank": 1, "score": 1.0' in terminal.ask("love")
    refused = prompt(cli, "--format", "trec")
    assert refused.end("") == (2, "quotefind: --format trec works with many queries only: find - or --queries FILE.\n")


def test_what_is_for_one_answer_opens_no_prompt(cli: Cli) -> None:
    """--copy without words is not passed over: it is wrong usage, on a terminal too."""
    refused = prompt(cli, "--copy")
    code, said = refused.end("")
    assert code == 2
    assert said.startswith("quotefind: Say what you are looking for")


def test_a_missing_index_ends_it_at_once(cli: Cli) -> None:
    """Where there is nothing to ask, the program ends as find does, before anything is typed."""
    terminal = prompt(cli, "--index", "nosuch")
    code, said = terminal.end("")
    assert code == 4
    assert said.startswith("quotefind: There is no index in ")


def test_what_others_index_is_found(cli: Cli) -> None:
    """A quote that another process indexes while the prompt is open is in the next answer; so is a changed source."""
    with prompt(cli, "-k", "1") as terminal:
        assert found(terminal.ask("king")) != []
        more = write_records(cli.folder / "more.jsonl", [{"text": "The king."}])
        assert run(FAKE_PROGRAM, "index", more, "--quiet", home=cli.home).code == 0
        assert "The king." in terminal.ask("king")
        write_records(more, [{"text": "The king, a king of kings."}])
        shown = terminal.ask("king")
        assert "The index was out of date and has been refreshed: 1 added, 1 removed." in shown
        assert "The king, a king of kings." in shown


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_without_a_terminal_on_both_sides_it_explains(cli: Cli, stream: str) -> None:
    """Without words, and with only input or only output on a terminal, find says what it expects, and does not wait."""
    ours, theirs = pty.openpty()
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, stream: theirs}
    process = subprocess.Popen(
        [*FAKE_PROGRAM, "find"],
        **streams,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        env=environment(cli.home),
    )
    try:
        said = process.stderr.read()  # standard input stays open
        assert process.wait(timeout=60) == 2
    finally:
        process.kill()
        for opened in (process.stdin, process.stdout, process.stderr):
            if opened is not None:
                opened.close()
        os.close(ours)
        os.close(theirs)
    assert said.decode() == (
        'quotefind: Say what you are looking for, for example: quotefind find "quotes about family". '
        "To read one query per line from stdin: quotefind find -\n"
    )


def test_with_the_real_model_no_connection_is_made(bundled_home: Path, tmp_path: Path) -> None:
    """The prompt works where no process can make a socket but a local pair; neither torch nor a pickle is loaded."""
    home = tmp_path / "home"  # whose history may be written
    home.mkdir()
    for part in ("cache", "indexes"):
        (home / part).symlink_to(bundled_home / part, target_is_directory=True)
    with Terminal(program(), "find", home=home) as terminal:
        assert "Emily Dickinson" in terminal.ask("hope is a bird that sings in the soul")
        code, said = terminal.end(CTRL_D)
    assert code == 0
    names = set(said.partition("MODULES ")[2].split())
    assert "onnxruntime" in names
    assert names & HEAVY == set()


def test_find_with_words_loads_no_prompt(cli: Cli) -> None:
    """A search from the command line does not pay for the prompt."""
    code = "import sys, quotefind.cli.find; sys.exit('prompt_toolkit' in sys.modules)"
    assert run((sys.executable, "-c", code), home=cli.home).code == 0
