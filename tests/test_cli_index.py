"""`quotefind index`: sources, summaries, warnings, damage, locks, models and devices, and how it ends."""

from __future__ import annotations

import math
import os
import random
import re
import shlex
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tools import FAKE_PROGRAM, PROGRAM, SCRIPT, Cli, environment, run, run_on_terminal, write_records

from quotefind.index.local.lock import writer_lock

SUMMARY_KEYS = [
    "sources",
    "files",
    "added",
    "reused",
    "updated",
    "removed",
    "repeats",
    "truncated",
    "bad",
    "encoded",
    "quotes",
    "seconds",
    "rate",
    "warnings",
    "remarks",
    "read",
    "without_author",
    "skipped",
]


# The program with an encoder that takes some time.
SLOW_PROGRAM = f"""
import sys, time
sys.path.insert(0, {str(SCRIPT.parent)!r})
import cli_tools

class SlowEncoder(cli_tools.WordEncoder):
    def encode_quotes(self, texts, progress=cli_tools.silent):
        time.sleep(0.3)
        return super().encode_quotes(texts, progress)

cli_tools.main(lambda model=None, **_: SlowEncoder())
"""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


def write(name: str, text: str) -> Path:
    """Write the source `name` in the current directory, with a time of its own; return its absolute path."""
    path = Path(name).absolute()
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if before:
        os.utime(path, ns=(before, before + 1_000_000_000))
    return path


def database(cli: Cli) -> Path:
    """Return the database of the default index."""
    return cli.home / "indexes" / "default" / "index.sqlite"


def matrix(cli: Cli) -> Path:
    """Return the matrix of the default index."""
    (path,) = database(cli).parent.glob("vectors-*.npy")
    return path


def test_the_summary_in_words(cli: Cli) -> None:
    """A run says what it added, how much there is and how long it took; then only what is not zero."""
    write("a.txt", f"Love.\nLove.\nWar — Ann\n{'sea ' * 41}\n")
    done = cli("index", "a.txt")
    assert (done.code, done.err) == (0, "")
    first, *rest = (re.sub(r"[0-9.]+ s$", "T s", re.sub(r"[0-9,]+ per second", "N per second", x)) for x in done.lines)
    assert first == "3 quotes added, 3 in all, in T s"
    assert rest == [
        "1 duplicate left out",
        "1 quote is longer than the model reads: its end does not count in a search",
        "3 texts encoded, N per second",
    ]


def test_the_summary_of_a_change(cli: Cli) -> None:
    """Quotes that were updated or removed are counted in words; without new quotes nothing is added."""
    write("a.txt", "Love.\nWar — Ann\nSea.\n")
    cli("index", "a.txt")
    write("a.txt", "Love. — Bob\nWar — Ann\n")
    first, *rest = cli("index").lines
    assert first.startswith("no quotes added, 2 in all, in ")
    assert rest == [
        "1 quote updated, whose author, work, year, tags or note changed",
        "1 quote removed, no longer in any source",
    ]
    (only,) = cli("index").lines
    assert only.startswith("no quotes added, 2 in all, in ")


@pytest.mark.parametrize(("without", "said"), [(0, []), (2, ["2 of 5 quotes have no author"]), (3, []), (5, [])])
def test_a_few_quotes_without_author_are_counted(cli: Cli, without: int, said: list[str]) -> None:
    """If most quotes that were read have an author, the summary counts those without; else they are no surprise."""
    records = [{"text": f"Love {n}.", "author": "Ann" if n >= without else None} for n in range(5)]
    write_records(Path("a.jsonl"), records)
    assert [line for line in cli("index", "a.jsonl").lines if "author" in line] == said


def test_the_summary_as_json(cli: Cli) -> None:
    """--json writes one object with these keys, whose counts say what was added, kept, changed and dropped."""
    write("a.txt", "Love.\nWar — Ann\nSea.\n")
    assert cli("index", "a.txt", "--json").json["added"] == 3
    write("a.txt", "Love. — Bob\nWar — Ann\nTime.\nTime.\n")
    done = cli("index", "--json")
    assert list(done.json) == SUMMARY_KEYS
    counts = {key: value for key, value in done.json.items() if key not in ("seconds", "rate")}
    assert counts == {
        "sources": 1,
        "files": 1,
        "added": 1,
        "reused": 1,
        "updated": 1,
        "removed": 1,
        "repeats": 1,
        "truncated": 0,
        "bad": 0,
        "encoded": 1,
        "quotes": 3,
        "warnings": [],
        "remarks": [],
        "read": 3,
        "without_author": 1,
        "skipped": 0,
    }


def test_quiet_is_silent_but_for_warnings(cli: Cli) -> None:
    """--quiet writes nothing at all; what the user should know still comes, on stderr."""
    source = write("a.txt", "Love.\n")
    done = cli("index", "a.txt", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    source.unlink()
    done = cli("index", "--quiet")
    message = f"quotefind: {source} is missing; its quotes are kept. To drop them: quotefind index --prune\n"
    assert (done.code, done.out, done.err) == (0, "", message)


def test_quiet_is_silent_about_pictures(cli: Cli) -> None:
    """--quiet does not name files of unknown formats, nor stray files that were named before."""
    write("folder/a.txt", "Love.\n")
    write("folder/b.png", "")
    assert cli("index", "folder", "-q").err == ""
    write("folder/package.json", '{"name": "site"}')
    assert cli("index", "folder", "-q").err.startswith("quotefind: skipped 1 file: package.json:1: ")
    assert cli("index", "folder", "-q").err == ""
    assert "b.png" in cli("index", "folder").err


def test_exclude_on_the_command_line(cli: Cli) -> None:
    """--exclude can be repeated, and is remembered for a refresh."""
    write("folder/a.txt", "Love.\n")
    write("folder/b.md", "> War.\n")
    write("folder/c.json", '["Sea."]')
    assert cli("index", "folder", "--exclude", "*.md", "--exclude", "c.json", "--json").json["quotes"] == 1
    write("folder/d.md", "> Time.\n")
    assert cli("index", "--json").json["quotes"] == 1


def test_warnings_go_to_stderr_and_into_the_json(cli: Cli) -> None:
    """A file of a folder that holds no quotes is named on stderr, and under `warnings` in JSON."""
    write("folder/a.txt", "Love.\n")
    write("folder/b.yml", "[")
    done = cli("index", "folder", "--json")
    (warning,) = done.json["warnings"]
    assert warning.startswith("skipped 1 file: b.yml:")
    assert done.err == f"quotefind: {warning}\n"
    assert done.json["skipped"] == 1


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        (None, "home/indexes/default"),
        ("default", "home/indexes/default"),
        ("poems", "home/indexes/poems"),
        ("./poems", "poems"),
        ("deep/er/poems", "deep/er/poems"),
    ],
)
def test_an_index_has_a_name_or_a_directory(cli: Cli, name: str | None, directory: str) -> None:
    """A plain word is a name below QUOTEFIND_HOME; what has a slash in it is a directory."""
    write("a.txt", "Love.\n")
    where = ["--index", name] if name else []
    assert cli("index", "a.txt", "-q", *where).code == 0
    made = [path.parent.relative_to(cli.folder).as_posix() for path in cli.folder.rglob("index.sqlite")]
    assert made == [directory]
    assert cli("find", "love", *where).out == "Love.\n"
    assert cli("info", "--json", *where).json["index"] == str(cli.folder / directory)


def test_the_first_index_is_the_bundled_one(cli: Cli) -> None:
    """Without sources and without a default index, the default one is made of the bundled quotes."""
    done = cli("index", "--json")
    assert done.code == 0
    assert done.json["added"] > 700
    assert [source["location"] for source in cli("info", "--json").json["sources"]] == ["bundled"]


def test_no_other_index_is_made_of_nothing(cli: Cli) -> None:
    """Without sources, a named index that is not there is an error that says how to make it."""
    done = cli("index", "--index", "poems")
    directory = cli.home / "indexes" / "poems"
    message = f"There is no index in {directory}. To make it: quotefind index SOURCE… --index poems"
    assert (done.code, done.out, done.err) == (4, "", f"quotefind: {message}\n")
    assert cli("info", "--index", "poems").code == 4


def test_sources_are_remembered_refreshed_and_removed(cli: Cli) -> None:
    """`index` alone refreshes all it remembers; --remove forgets a source; --prune those that vanished."""
    a, b, c = (write(f"{name}.txt", f"{text}\n") for name, text in (("a", "Love."), ("b", "War."), ("c", "Sea.")))
    cli("index", "a.txt", "b.txt", "c.txt", "-q")
    write("a.txt", "Love.\nHope.\n")
    assert cli("index", "--json").json["added"] == 1
    assert cli("index", "--remove", "b.txt", "--json").json["removed"] == 1
    c.unlink()
    assert cli("index", "--prune", "--json").json["quotes"] == 2
    assert [source["location"] for source in cli("info", "--json").json["sources"]] == [str(a)]
    assert b.exists()


def test_standard_input_is_a_source(cli: Cli) -> None:
    """`-` reads standard input in the format that is named."""
    done = cli("index", "-", "--input-format", "jsonl", "--json", stdin='{"quote": "Love.", "by": "Ann"}\n"War."\n')
    assert (done.code, done.json["added"]) == (0, 2)
    assert cli("find", "love", "-k", "1").out == "Love. — Ann\n"


def test_columns_can_be_named(cli: Cli) -> None:
    """Each --…-column option says which column is meant, and --encoding how the bytes are read."""
    row = "words,who,where,when,what\nLove é.,Zoë,Poems,1850,sea\n"
    Path("a.csv").write_bytes(row.encode("latin-1"))
    names = ["text=words", "author=who", "work=where", "year=when", "tags=what"]
    options = [part for name in names for part in (f"--{name.split('=')[0]}-column", name.split("=")[1])]
    assert cli("index", "a.csv", "--encoding", "latin-1", "-q", *options).code == 0
    (hit,) = cli("find", "love", "--format", "json").json
    found = [hit[key] for key in ("text", "author", "work", "year", "tags")]
    assert found == ["Love é.", "Zoë", "Poems", 1850, ["sea"]]


def test_the_delimiter_is_remembered(cli: Cli) -> None:
    """--delimiter reads a CSV file whose cells are separated otherwise, and a refresh reads it alike."""
    write("a.csv", "text;author;work\nLove, love.;Ann;Poems, 2\n")
    done = cli("index", "a.csv", "--delimiter", ";", "--json")
    assert (done.code, done.json["added"]) == (0, 1)
    assert cli("find", "love").out == "Love, love. — Ann, Poems, 2\n"
    write("a.csv", "text;author;work\nLove, love.;Ann;Poems, 2\nWar, war.;Bob;\n")
    assert cli("index", "--json").json["added"] == 1
    assert cli("find", "war", "-k", "1").out == "War, war. — Bob\n"


@pytest.mark.parametrize("spelt", ["sub/../a.txt", "./a.txt", "sub/..//sub/../a.txt"])
def test_a_source_has_one_name(cli: Cli, spelt: str) -> None:
    """A source is the same however its path is spelt: it is remembered, refreshed and removed as one."""
    source = write("a.txt", "Love.\n")
    Path("sub").mkdir()
    assert cli("index", spelt, "-q").code == 0
    assert cli("index", source, "--json").json["sources"] == 1
    assert [held["location"] for held in cli("info", "--json").json["sources"]] == [str(source)]
    assert cli("index", "--remove", spelt, "--json").json["removed"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only here a name may be any bytes")
def test_a_file_whose_name_is_no_text(cli: Cli) -> None:
    """A name that is not UTF-8 is skipped in a folder with a warning, and refused if the user names it."""
    write("folder/a.txt", "Love.\n")
    bad = Path("folder") / os.fsdecode(b"b\xff.txt")
    bad.write_text("War.\n", encoding="utf-8")
    done = run(FAKE_PROGRAM, "index", "folder", "--json", home=cli.home)
    assert (done.code, done.json["added"]) == (0, 1)
    assert done.err.startswith("quotefind: skipped 1 file whose name is not valid UTF-8 (b")
    assert done.err.count("\n") == 1
    assert cli("info", "--json").json["stale"] is False
    folder = Path(os.fsdecode(b"f\xff"))
    folder.mkdir()
    (folder / "a.txt").write_text("War.\n", encoding="utf-8")
    for source in (bad, folder, folder / "a.txt"):
        named = run(FAKE_PROGRAM, "index", source, home=cli.home)
        assert (named.code, named.out, named.err.count("\n")) == (3, "", 1)
        assert named.err.endswith(" is not valid UTF-8; rename it.\n")


BAD = '{"text": "Love."}\n{"text": 7}\n{"text": "War."}\nnonsense\n'
# In UTF-8, but for one byte.
DAMAGED = '{"text": "Amor vincit «omnia»."}\n{"text": "Caf\udce9."}\n{"text": "War."}\n'


def write_damaged(name: str) -> str:
    """Write a file with a record whose bytes do not decode, and return its path."""
    Path(name).write_bytes(DAMAGED.encode("utf-8", "surrogateescape"))
    return str(Path(name).absolute())


def test_odd_records_are_skipped_and_said_in_one_line(cli: Cli) -> None:
    """Records without a text, or that are no JSON, do not stop a file: they are counted and named."""
    bad = write("bad.jsonl", BAD)
    done = cli("index", "bad.jsonl", "--json")
    assert (done.code, done.json["added"], done.json["bad"]) == (0, 2, 2)
    expected = (
        f"quotefind: 2 records skipped: {bad}:2: the text is a number; expected a string; {bad}:4: not valid JSON"
    )
    assert done.err.startswith(expected)
    write("worse.jsonl", "nonsense\n" * 30 + '"Sea."\n')
    done = cli("index", "worse.jsonl")
    assert len(done.err.splitlines()) == 1
    assert done.err.endswith("; and 27 more\n")


def test_a_bad_record_changes_nothing(cli: Cli) -> None:
    """Without --skip-bad a record that does not decode is an error, at path:line; the index stays as it was."""
    write("good.txt", "Hope.\n")
    cli("index", "good.txt", "-q")
    bad = write_damaged("bad.jsonl")
    done = cli("index", "good.txt", "bad.jsonl")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"quotefind: {bad}:2: ")
    assert "Nothing was changed. To skip such records: quotefind index " in done.err
    assert done.err.endswith("bad.jsonl --skip-bad\n")
    held = cli("info", "--json").json
    assert (held["quotes"], len(held["sources"])) == (1, 1)


@pytest.mark.parametrize("name", [None, "poems", "./my poems"])
def test_the_command_that_skips_a_bad_record_can_be_run(cli: Cli, name: str | None) -> None:
    """The message of a bad record holds the command that passes it over, with the source and the index, as it is."""
    write_damaged("a b.jsonl")
    done = cli("index", "a b.jsonl", *(["--index", name] if name else []))
    assert done.code == 3
    command = shlex.split(done.err.partition("To skip such records: ")[2])
    assert command[0] == "quotefind"
    assert cli(*command[1:], "--json").json["added"] == 2
    assert cli("info", "--json", *(["--index", name] if name else [])).json["quotes"] == 2


def test_the_command_that_skips_a_bad_record_keeps_how_it_is_read(cli: Cli) -> None:
    """The command in the message reads the source as the failed one did: format, encoding, columns and all."""
    write("notes.dat", "Zitat;Autor\nLove.;Anna\nÉté;Berta\n")
    options = ["--input-format", "csv", "--delimiter", ";", "--text-column", "Zitat", "--max-bytes", "5000"]
    options += ["--encoding", "ascii"]
    failed = cli("index", "notes.dat", *options)
    assert failed.code == 3
    command = failed.err.partition("To skip such records: quotefind ")[2]
    assert all(option in command for option in options)
    done = cli(*shlex.split(command), "--json")
    assert (done.code, done.json["added"], done.json["bad"]) == (0, 1, 1)


def test_skip_bad_skips_records_that_do_not_decode(cli: Cli) -> None:
    """With --skip-bad the rest is indexed, and records that do not decode are counted and named like others."""
    bad = write_damaged("bad.jsonl")
    done = cli("index", "bad.jsonl", "--skip-bad", "--json")
    assert (done.code, done.json["added"], done.json["bad"]) == (0, 2, 1)
    assert done.err.startswith(f"quotefind: 1 record skipped: {bad}:2: not valid utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-"], 2, "--input-format"),
        (["-", "-", "--input-format", "txt"], 2, "only once"),
        (["a.txt", "--input-format", "docx"], 2, "docx"),
        (["a.txt", "--encoding", "klingon"], 2, "klingon"),
        (["--remove", "other.txt"], 2, "other.txt is not a source of this index; quotefind info lists"),
        (["--verify", "a.txt"], 2, "--verify"),
        (["--verify", "--remove", "a.txt"], 2, "--verify"),
        (["--verify", "--prune"], 2, "--verify"),
        (["--verify", "--rebuild"], 2, "--verify"),
        (["--verify", "--compact"], 2, "--verify"),
        (["--wait", "-1"], 2, "--wait"),
        (["--wait", "nan"], 2, "--wait"),
        (["--encoding", "latin-1"], 2, "name the source as well"),
        (["--input-format", "txt", "--index", "new"], 2, "name the source as well"),
        (["--text-column", "words"], 2, "name the source as well"),
        (["--author-column", "who", "--remove", "a.txt"], 2, "name the source as well"),
        (["--delimiter", ";"], 2, "name the source as well"),
        (["--skip-bad"], 2, "name the source as well"),
        (["--exclude", "*.md"], 2, "name the source as well"),
        (["folder", "--exclude", "!"], 2, "--exclude needs patterns"),
        (["b.csv", "--delimiter", ";;"], 2, "--delimiter needs a single character"),
        (["b.csv", "--delimiter", ""], 2, "--delimiter needs a single character"),
        (["b.csv", "--delimiter", '"'], 2, "--delimiter needs a single character"),
        (["--device", "toaster", "b.txt"], 2, "toaster"),
        (["missing.txt"], 3, "missing.txt: No such file or directory"),
        (["empty.txt", "--index", "new"], 3, "No quotes were found in"),
        (["list.md", "--index", "new"], 3, "add --input-format txt"),
        (["unknown.xyz"], 3, "--input-format"),
        (["folder"], 3, "holds no file of a known format"),
        (["latin.txt", "--encoding", "ascii"], 3, "latin.txt:1"),
        (["broken.txt.gz"], 3, "broken.txt.gz"),
        (["pipe"], 3, "neither a file nor a folder"),
        (["--model", "nosuch"], 5, "There is no model 'nosuch'"),
        (["b.txt", "--index", "new", "--model", "nosuch"], 5, "There is no model 'nosuch'"),
        (["--model", "other"], 4, "quotefind index --rebuild --model other"),
    ],
)
def test_what_cannot_be_indexed(cli: Cli, arguments: list[str], code: int, says: str) -> None:
    """Each kind of mistake has its exit code and a message that names it, and leaves the index as it was."""
    write("a.txt", "Love.\n")
    cli("index", "a.txt", "-q")
    write("b.txt", "War.\n")
    write("b.csv", "text;author\nWar.;Ann\n")
    write("list.md", "# Shopping\n\n- bread\n- milk\n")
    write("unknown.xyz", "War.\n")
    write("folder/notes.xyz", "War.\n")
    write("empty.txt", "")
    Path("latin.txt").write_bytes("été\n".encode("latin-1"))
    Path("broken.txt.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0")
    os.mkfifo("pipe")
    before = cli("info", "--json").json
    done = cli("index", *arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    after = cli("info", "--json").json
    assert (after["quotes"], after["sources"]) == (before["quotes"], before["sources"])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_source_that_may_not_be_read(cli: Cli) -> None:
    """A source without permission to read it ends with 3 and names it."""
    write("a.txt", "Love.\n").chmod(0)
    done = cli("index", "a.txt")
    assert done.code == 3
    assert "a.txt" in done.err


@pytest.mark.parametrize(("device", "code"), [("cuda", 5), ("cuda:7", 5), ("mps", 5), ("toaster", 2)])
def test_a_device_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: int) -> None:
    """A device that this machine lacks ends with 5, one that there is not with 2, also where nothing is encoded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("quotefind.encoders.devices._accelerators", list)
    cli = Cli(tmp_path, monkeypatch)
    write("a.txt", "Love.\n")
    for arguments in (["a.txt"], []):
        done = cli("index", *arguments, "--device", device)
        assert (done.code, done.out) == (code, "")
        assert repr(device) in done.err
        cli("index", "a.txt", "-q")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_device_is_passed_on(cli: Cli, device: str) -> None:
    """--device reaches the encoder; without it, it is auto."""
    write("a.txt", "Love.\n")
    cli("index", "a.txt", "-q", *(["--device", device] if device != "auto" else []))
    assert cli.opened == [(None, device)]


@pytest.mark.parametrize("index", ["quotes.index", "quotes.lance"])
def test_what_was_encoded_again_was_not_reused(cli: Cli, tmp_path: Path, index: str) -> None:
    """After a rebuild `reused` counts no quote that the same command encoded, in both kinds of index."""
    if index.endswith(".lance"):
        pytest.importorskip("lance", reason="the extra scale is not installed")
    index, source = str(tmp_path / index), tmp_path / "twice.txt"
    source.write_text("Hope. -- Ann\n\nHope. -- Tom\n\nFear.\n", encoding="utf-8")
    cli("index", str(source), "--index", index)
    summary = cli("index", "--rebuild", "--index", index, "--json").json
    assert (summary["encoded"], summary["reused"], summary["quotes"]) == (3, 0, 3)
    summary = cli("index", "--index", index, "--json").json
    assert (summary["encoded"], summary["reused"]) == (0, 3)


def test_another_model_takes_a_rebuild(cli: Cli) -> None:
    """--rebuild --model encodes everything anew with that model, which the index has from then on."""
    write("a.txt", "Love.\nWar.\n")
    cli("index", "a.txt", "-q")
    done = cli("index", "--rebuild", "--model", "other", "--json")
    assert (done.code, done.json["encoded"], done.json["quotes"]) == (0, 2, 2)
    assert cli("info", "--json").json["model"] == "other"
    assert cli("find", "love", "-k", "1").out == "Love.\n"
    assert cli("index", "--model", "other").code == 0


def test_verify_looks_and_changes_nothing(cli: Cli) -> None:
    """--verify says how many quotes are right, as a sentence, as JSON or with --quiet not at all."""
    write("a.txt", "Love.\nWar.\n")
    cli("index", "a.txt", "-q")
    before = matrix(cli).read_bytes()
    assert cli("index", "--verify").out == "2 quotes verified; every row and checksum is correct.\n"
    assert cli("index", "--verify", "--json").json == {"verified": 2}
    done = cli("index", "--verify", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert matrix(cli).read_bytes() == before
    assert cli("index", "--verify", "--index", "new").code == 4


def damage_row(cli: Cli) -> None:
    """Write another number into the last row of the matrix."""
    data = matrix(cli).read_bytes()
    matrix(cli).write_bytes(data[:-4] + b"\0\0\x80\x3f")


def cut_matrix(cli: Cli) -> None:
    """Cut the matrix in its last row."""
    data = matrix(cli).read_bytes()
    matrix(cli).write_bytes(data[:-8])


def empty_matrix(cli: Cli) -> None:
    """Leave nothing of the matrix."""
    matrix(cli).write_bytes(b"")


def remove_matrix(cli: Cli) -> None:
    """Delete the matrix."""
    matrix(cli).unlink()


@pytest.mark.parametrize("damage", [damage_row, cut_matrix, empty_matrix, remove_matrix])
def test_a_damaged_matrix_is_named_and_mended(cli: Cli, damage: object) -> None:
    """A damaged matrix ends with 4 and the command that mends it; that command mends it."""
    write("a.txt", "Love.\nWar.\n")
    cli("index", "a.txt", "-q")
    damage(cli)  # type: ignore[operator]
    commands = [["index", "--verify"]]
    if damage is not damage_row:  # that one takes looking at every row
        commands += [["find", "love"], ["pair"], ["info"], ["index"], ["index", "a.txt"], ["index", "--compact"]]
    for command in commands:
        done = cli(*command)
        assert (done.code, done.out) == (4, ""), command
        assert done.err.endswith("To fix it: quotefind index --rebuild\n"), command
    assert cli("index", "--rebuild", "--json").json["encoded"] == 2
    assert cli("index", "--verify", "--json").json == {"verified": 2}
    assert cli("find", "love", "-k", "1").out == "Love.\n"


@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_row_that_is_no_number_is_never_passed_over(cli: Cli, row: int) -> None:
    """NaN in one row ends every search and the mining of pairs with 4 and the command that mends it."""
    write("a.txt", "Love — Ann\nWar — Ann\nSea — Bob\n")
    cli("index", "a.txt", "-q")
    data = bytearray(matrix(cli).read_bytes())
    at = 128 + row * 28
    data[at : at + 4] = struct.pack("<f", math.nan)
    matrix(cli).write_bytes(data)
    who = ["bob" if row == 2 else "ann"]
    for command in (
        ["find", "love"],
        ["find", "love", "--hybrid"],
        ["find", "love", "--diverse"],
        ["find", "love", "--one-per-author"],
        ["find", "love", "--author", *who],
        ["find", "--like", "sea and war"],
        ["pair", "love"],
        ["pair"],
    ):
        done = cli(*command)
        assert (done.code, done.out) == (4, ""), command
        assert done.err.startswith(f"quotefind: {matrix(cli)} is damaged: "), command
        assert done.err.endswith("To fix it: quotefind index --rebuild\n"), command
    assert cli("index", "--rebuild", "--json").json["encoded"] == 3
    assert cli("find", "love", "-k", "1").out == "Love — Ann\n"


@pytest.mark.parametrize("command", [["find", "love"], ["pair"], ["info"], ["index"], ["index", "--verify"]])
def test_a_damaged_database_ends_with_4(cli: Cli, command: list[str]) -> None:
    """A database that is none is named, with what to do about it."""
    write("a.txt", "Love.\n")
    cli("index", "a.txt", "-q")
    database(cli).write_bytes(b"this is no database, and was never one" * 100)
    done = cli(*command)
    assert (done.code, done.out) == (4, "")
    assert str(database(cli)) in done.err
    assert f"Delete {database(cli).parent} and index its sources again: " in done.err


@pytest.mark.parametrize("command", [["find", "love"], ["pair"], ["info"], ["index"], ["index", "--rebuild"]])
def test_an_index_of_a_later_version_ends_with_4(cli: Cli, command: list[str]) -> None:
    """An index of a format that is not known is left alone, and the message says which it is and what to do."""
    write("a.txt", "Love.\n")
    cli("index", "a.txt", "-q")
    connection = sqlite3.connect(database(cli))
    with connection:
        connection.execute("UPDATE manifest SET value = '999' WHERE key = 'format'")
    connection.close()
    done = cli(*command)
    assert (done.code, done.out) == (4, "")
    assert "has format 999; this version of quotefind reads format 4. Update quotefind, or delete" in done.err


def test_a_locked_index_ends_with_4(cli: Cli) -> None:
    """A second writer says who holds the index, since when, and which command waits for it; readers need no lock."""
    write("a.txt", "Love.\n")
    cli("index", "a.txt", "-q")
    with writer_lock(database(cli).parent):
        done = run(FAKE_PROGRAM, "index", "my b.txt", "--index", "default", home=cli.home)
        waited = run(FAKE_PROGRAM, "index", "--wait", "0.1", home=cli.home)
        found = run(FAKE_PROGRAM, "find", "love", home=cli.home)
    assert (done.code, done.out) == (4, "")
    assert f"is being written by process {os.getpid()} on " in done.err
    assert " since 20" in done.err
    assert done.err.endswith(" To wait for it: quotefind index --wait 60 'my b.txt' --index default\n")
    assert (waited.code, "To wait" in waited.err) == (4, False)
    assert (found.code, found.out, found.err) == (0, "Love.\n", "")


def test_wait_waits_for_the_other_writer(cli: Cli) -> None:
    """With --wait the second writer goes on when the first has finished."""
    source = write("a.txt", "Love.\n")
    with writer_lock(database(cli).parent):
        process = subprocess.Popen(
            [*FAKE_PROGRAM, "index", str(source), "--wait", "60"], env=environment(cli.home), stdout=subprocess.PIPE
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith(b"1 quote added, 1 in all, in ")


def test_names_from_the_file_system_are_made_visible(cli: Cli) -> None:
    """Control characters in the name of a file do nothing in a message."""
    write("a\x1b[31m.jsonl", "nonsense\n")
    done = cli("index", "a\x1b[31m.jsonl")
    assert done.code == 3
    assert "a␛[31m.jsonl:1" in done.err
    write("folder/a.txt", "Love.\n")
    write("folder/b\x1b[31m.pdf", "")
    warned = cli("index", "folder", "--json")
    assert "b␛[31m.pdf" in warned.err
    assert "\x1b" not in done.err + warned.err + warned.out


def test_progress_is_for_terminals_only(cli: Cli) -> None:
    """Where stderr is no terminal there is no progress bar, only what the user has to know."""
    source = write_records(cli.folder / "a.jsonl", ({"text": f"Love {number}."} for number in range(5000)))
    done = run(FAKE_PROGRAM, "index", source, home=cli.home)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "variables", "shown"),
    [([], {}, True), (["--quiet"], {}, False), ([], {"TERM": "dumb"}, False)],
)
def test_progress_on_a_terminal(cli: Cli, options: list[str], variables: dict[str, str], shown: bool) -> None:
    """Where stderr is a terminal a bar shows what goes on, unless --quiet or TERM=dumb; at the end it is gone."""
    source = write_records(cli.folder / "a.jsonl", ({"text": f"Love {number}."} for number in range(5000)))
    program = (sys.executable, "-c", SLOW_PROGRAM)
    code, written = run_on_terminal(program, "index", source, *options, home=cli.home, stream="stderr", **variables)
    assert code == 0
    assert ("encoding" in written) is shown
    assert ("/5000" in written) is shown
    assert written == "" or written.endswith("\x1b[2K")


def generated(count: int) -> list[str]:
    """Return `count` different sentences of the length of a fortune."""
    choose = random.Random(2)
    words = re.findall(r"\w+", "love war sea time hope king night river bread stone mother winter letter silence road")
    return [f"{' '.join(choose.choices(words, k=30)).capitalize()}, number {number}." for number in range(count)]


def test_an_interrupted_run_is_resumed(home_with_model: Path, tmp_path: Path) -> None:
    """Ctrl-C while the real model encodes ends with 130; the next run encodes only what was not committed."""
    source = tmp_path / "many.txt"
    source.write_text("".join(f"{line}\n" for line in generated(3000)), encoding="utf-8")
    process = subprocess.Popen(
        [*PROGRAM, "index", str(source)],
        env=environment(home_with_model),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    directory = home_with_model / "indexes" / "default"
    until = time.monotonic() + 100
    while rows(directory) == 0 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    kept = rows(directory)
    said = f"quotefind: interrupted; {kept:,} quotes are kept; run the same command to continue\n"
    assert (process.returncode, out, err.decode()) == (130, b"", said)
    assert 0 < kept < 3000
    done = run(PROGRAM, "index", source, "--json", home=home_with_model)
    assert done.code == 0
    assert done.json["encoded"] == 3000 - kept
    assert done.json["quotes"] == 3000
    assert run(PROGRAM, "index", "--verify", "--json", home=home_with_model).json == {"verified": 3000}


def rows(directory: Path) -> int:
    """Return how many rows the index in `directory` has committed."""
    if not (directory / "index.sqlite").exists():
        return 0
    connection = sqlite3.connect(directory / "index.sqlite", timeout=10)
    try:
        (count,) = connection.execute("SELECT value FROM manifest WHERE key = 'rows'").fetchone() or (0,)
    except sqlite3.OperationalError:  # not made yet
        count = 0
    finally:
        connection.close()
    return int(count)
