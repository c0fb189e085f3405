"""`quotefind export` and `find --copy`: files and streams, what is said of them, and how they end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli_tools import CONTROL, FAKE_PROGRAM, Cli, Run, run, run_on_terminal

RECORDS = [
    {"text": "Love and love.", "author": "Ann Ash", "work": "Poems", "year": 1900, "tags": ["love", "a; b"]},
    {"text": "War [b]is[/b] \x1b[31mwar.", "author": "Zoë Birch", "tags": ["war"], "note": "A \x1b[1mnote."},
    {"text": "The sea — Ann Ash"},
    {"text": "=1+2|time", "author": "actress Carol Clay", "year": -44},
]
FORMATS = {"jsonl": ".jsonl", "json": ".json", "csv": ".csv", "tsv": ".tsv", "markdown": ".md", "plain": ".txt"}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder, and an index of RECORDS."""
    made = Cli(tmp_path, monkeypatch)
    made.index(RECORDS)
    return made


def collection(cli: Cli, index: str = "default") -> list[dict[str, object]]:
    """Return all quotes of an index, as they are exported."""
    return [json.loads(line) for line in cli("export", "--index", index).lines]


def test_stdout_is_json_lines(cli: Cli) -> None:
    """Without a format, all quotes come as JSON Lines, and nothing is said."""
    done = cli("export")
    assert (done.code, done.err) == (0, "")
    found = [json.loads(line) for line in done.lines]
    assert [quote["text"] for quote in found] == [record["text"] for record in RECORDS]
    assert list(found[0]) == ["id", "text", "author", "work", "year", "tags", "note", "place", "added"]
    assert found[0] == {"id": found[0]["id"], **RECORDS[0], "note": None, "place": None, "added": None}


def test_conditions_select(cli: Cli) -> None:
    """The filters of find choose what is exported."""
    for arguments, texts in (
        (["--author", "ash"], ["Love and love."]),
        (["--work", "poems"], ["Love and love."]),
        (["--tag", "War"], ["War [b]is[/b] \x1b[31mwar."]),
        (["--max-chars", "17"], ["Love and love.", "The sea — Ann Ash", "=1+2|time"]),
    ):
        assert cli("export", *arguments).texts == texts


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_the_same_as_the_stream(cli: Cli, name: str) -> None:
    """The suffix chooses the format, and the file holds what the stream does."""
    file = cli.folder / f"out{FORMATS[name]}"
    stream = cli("export", "--format", name, "--quiet")
    done = cli("export", "-o", file, "--quiet")
    assert (done.code, done.out, stream.code) == (0, "", 0)
    assert file.read_text(encoding="utf-8") == stream.out


@pytest.mark.parametrize("name", [*FORMATS, "fortune"])
def test_what_is_indexed_again_is_the_same(cli: Cli, name: str) -> None:
    """An index of the exported file holds the same quotes, but for what was said to be lost."""
    file = cli.folder / f"out{FORMATS.get(name, '')}"
    done = cli("export", "--format", name, "-o", file)
    assert done.code == 0
    assert cli("index", file, "--index", "again", "-q").code == 0
    before, after = collection(cli), collection(cli, "again")
    if name in ("markdown", "plain", "fortune"):
        before = [{**quote, "year": None, "tags": [], "note": None} for quote in before]
    if name == "plain":
        assert "in plain, 1 quote will not read back the same" in done.err
        assert str(before.pop()["id"]) in done.err
        after.pop()
    assert after == before


def test_what_is_lost_is_said(cli: Cli) -> None:
    """How many tags and years a format has no room for is said, unless --quiet; what changed is named always."""
    file = cli.folder / "out.txt"
    done = cli("export", "-o", file)
    changed = collection(cli)[-1]["id"]
    assert done.err.splitlines() == [
        f"quotefind: 4 quotes written to {file}",
        "quotefind: plain has no room for the tags of 2 quotes, the year of 2 quotes and the note of 1 quote;"
        " --format jsonl keeps everything",
        f"quotefind: in plain, 1 quote will not read back the same ({changed}); --format jsonl keeps everything",
    ]
    assert cli("export", "-o", file, "-q").err.splitlines() == done.err.splitlines()[2:]
    whole = cli("export", "-o", cli.folder / "out.csv")
    assert whole.err == f"quotefind: 4 quotes written to {cli.folder / 'out.csv'}\n"


def test_a_fortune_file_has_its_index(cli: Cli) -> None:
    """--format fortune writes NAME and NAME.dat, and to stdout only the text."""
    text = cli("export", "--format", "fortune", "-q")
    assert cli("export", "--format", "fortune", "-o", cli.folder / "mine", "-q").code == 0
    assert (cli.folder / "mine").read_text(encoding="utf-8") == text.out
    assert (cli.folder / "mine.dat").read_bytes()[:8] == b"\0\0\0\2\0\0\0\4"


@pytest.mark.parametrize("name", ["json", "jsonl", "csv", "plain"])
def test_nothing_found_touches_no_file(cli: Cli, name: str) -> None:
    """Where nothing matches, the exit code is 1, a stream is a sound empty file, and an old file stays."""
    file = cli.folder / "out"
    file.write_text("old")
    done = cli("export", "--tag", "peace", "--format", name)
    empty = {"json": "[]\n", "jsonl": "", "csv": "id,text,author,work,year,tags,note,place,added\n", "plain": ""}[name]
    assert (done.code, done.out, done.err) == (1, empty, "quotefind: nothing found with these filters\n")
    done = cli("export", "--tag", "peace", "--format", name, "-o", file)
    assert (done.code, file.read_text()) == (1, "old")
    assert f"{file} is unchanged" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "out.pdf"], "out.pdf: the name implies no format"),
        (["-o", "out.txt", "--format", "fortune"], "needs a name without a suffix"),
        (["-o", "nowhere/out.txt"], "nowhere/out.txt: No such file or directory"),
        (["-o", "home", "--format", "csv"], "home: Is a directory"),
        (["--format", "docx"], "docx"),
    ],
)
def test_wrong_usage_ends_with_2(cli: Cli, arguments: list[str], says: str) -> None:
    """What cannot be written, and where it cannot be written, is an error of one line."""
    done = cli("export", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


@pytest.mark.parametrize("name", ["jsonl", "csv", "tsv", "markdown", "plain", "fortune"])
def test_a_terminal_obeys_nothing(cli: Cli, name: str) -> None:
    """On a terminal what it could obey is made visible, in JSON escaped, and the rest is as in a file."""
    code, shown = run_on_terminal(FAKE_PROGRAM, "export", "--format", name, "--tag", "war", home=cli.home)
    assert (code, CONTROL.search(shown.replace("\t", ""))) == (0, None)
    assert ("\\u001b[31m" if name == "jsonl" else "␛") in shown


def test_the_default_index_is_made_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an index the bundled quotes are exported, as find would search them."""
    cli = Cli(tmp_path, monkeypatch)
    assert len(cli("export").lines) > 1000


# --- find --copy ---

TAKES = '#!/bin/sh\n/bin/cat > "$CLIPBOARD"\n'
# Stays in the background, as the real ones do, with the streams that it was given.
STAYS = '#!/bin/sh\n/bin/cat > "$CLIPBOARD"\n(/bin/sleep 20; echo late) &\n'
FAILS = "#!/bin/sh\necho 'Error: Can'\"'\"'t open display: :7' >&2\nexit 1\n"
NO_HIT = "quotefind: nothing found with these filters\n"

POSIX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is no such program")


def copying(cli: Cli, program: str | None, *arguments: str, **more: str) -> tuple[Run, str | None]:
    """Run `find` with a stand-in for xclip, or with none; return what it did, and what is on the clipboard."""
    folder = cli.folder / "bin"
    folder.mkdir(exist_ok=True)
    if program:
        (folder / "xclip").write_text(program)
        (folder / "xclip").chmod(0o755)
    clipboard = cli.folder / "clipboard"
    places = {"PATH": str(folder), "DISPLAY": ":7", "WAYLAND_DISPLAY": "", "CLIPBOARD": str(clipboard)}
    done = run(FAKE_PROGRAM, "find", *arguments, home=cli.home, timeout=15, **places | more)
    return done, clipboard.read_text(encoding="utf-8") if clipboard.exists() else None


@POSIX
@pytest.mark.parametrize("program", [TAKES, STAYS])
def test_the_first_hit_is_copied(cli: Cli, program: str) -> None:
    """The first hit is on the clipboard with its attribution; the hits are printed all the same, and nothing waits."""
    done, clipboard = copying(cli, program, "love", "--copy", "-k", "2")
    assert done.code == 0, done
    assert clipboard == done.lines[0] == "Love and love. — Ann Ash, Poems"
    assert len(done.lines) == 2
    assert done.err == f"quotefind: copied to the clipboard: {clipboard}\n"


@POSIX
@pytest.mark.parametrize("arguments", [["-", "--copy"], ["-", "--copy", "--format", "trec"]])
def test_of_many_requests_the_very_first_hit_is_copied(cli: Cli, arguments: list[str]) -> None:
    """With many requests it is the first hit of the first of them."""
    queries = cli.folder / "queries.txt"
    queries.write_text("love\nwar\n")
    done, clipboard = copying(cli, TAKES, "--queries", str(queries), *arguments[1:])
    assert (done.code, clipboard) == (0, "Love and love. — Ann Ash, Poems")


@POSIX
def test_verse_is_copied_in_lines(cli: Cli) -> None:
    """The clipboard keeps the lines of verse, with the attribution below; the message is one line."""
    cli.index([{"text": "Love is red,\nlove is blue.", "author": "Ann Ash", "work": "Poems"}])
    done, clipboard = copying(cli, TAKES, "love", "--copy", "-k", "1")
    assert clipboard == "Love is red,\nlove is blue.\n— Ann Ash, Poems"
    assert done.err == "quotefind: copied to the clipboard: Love is red, / love is blue. — Ann Ash, Poems\n"


@POSIX
def test_what_is_copied_obeys_nobody(cli: Cli) -> None:
    """A quote that is pasted into a terminal cannot do anything there."""
    _, clipboard = copying(cli, TAKES, "war", "--copy")
    assert clipboard == "War [b]is[/b] ␛[31mwar. — Zoë Birch"


@POSIX
def test_nothing_found_copies_nothing(cli: Cli) -> None:
    """Where there is no hit, the clipboard keeps what it has."""
    done, clipboard = copying(cli, TAKES, "love", "--copy", "--tag", "peace")
    assert (done.code, done.err, clipboard) == (1, NO_HIT, None)


@POSIX
@pytest.mark.parametrize(
    ("program", "more", "says"),
    [
        (None, {}, "could not find a copy/paste mechanism"),
        (TAKES, {"DISPLAY": ""}, "could not find a copy/paste mechanism"),
        (FAILS, {}, "Error: Can't open display: :7"),
    ],
)
def test_without_a_clipboard_it_ends_with_5(cli: Cli, program: str | None, more: dict[str, str], says: str) -> None:
    """Where there is no clipboard, or it fails, the hits are printed, and one line says what to install."""
    done, clipboard = copying(cli, program, "love", "--copy", **more)
    assert (done.code, done.lines[0], clipboard) == (5, "Love and love. — Ann Ash, Poems", None)
    assert done.err.startswith("quotefind: Nothing was copied to the clipboard: ")
    assert says in done.err
    assert "xclip" in done.err
    assert done.err.count("\n") == 1


def test_a_source_of_the_index_is_not_written_over(cli: Cli) -> None:
    """A file that the index was made from stays, under whatever name it is called; so does the index itself."""
    source = cli.folder / "quotes.jsonl"
    before = source.read_bytes()
    (cli.folder / "link.jsonl").symlink_to(source)
    for name in ("quotes.jsonl", source, "link.jsonl"):
        done = cli("export", "--author", "ash", "-o", name)
        assert (done.code, done.out) == (2, "")
        assert f"would overwrite {source}, a source of this index" in done.err
    assert source.read_bytes() == before
    inside = cli.home / "indexes" / "default" / "new.jsonl"
    assert "is inside the index itself" in cli("export", "-o", inside).err
    assert not inside.exists()
    assert cli("export", "-o", "another.jsonl", "-q").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "My Clippings.txt"], "My Clippings.txt is the name of a kindle file; rename the plain file."),
        (["-o", "a.md", "--format", "csv"], "a.md is the name of a md file; rename the csv file."),
        (["-o", "KoboReader.sqlite", "--format", "csv"], "KoboReader.sqlite is the name of a kobo file"),
    ],
)
def test_a_name_that_would_be_read_otherwise_is_refused(cli: Cli, arguments: list[str], said: str) -> None:
    """Where `index` would take the file for another format, nothing is written."""
    done = cli("export", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not (cli.folder / arguments[1]).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/stdout leads to a pipe without a name on Linux")
def test_a_pipe_without_a_name_is_written_to(cli: Cli) -> None:
    """--output /dev/stdout works in a pipe, as a process substitution does."""
    done = run(FAKE_PROGRAM, "export", "-f", "csv", "-o", "/dev/stdout", "-q", home=cli.home)
    assert (done.code, done.lines[0]) == (0, "id,text,author,work,year,tags,note,place,added")


def test_a_hyphen_is_stdout(cli: Cli) -> None:
    """-o - writes to stdout, as without -o, and makes no file of that name."""
    cli.index([{"text": "Love."}, {"text": "War."}])
    assert cli("export", "-o", "-").out == cli("export").out != ""
    assert not (cli.folder / "-").exists()
