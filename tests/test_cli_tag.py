"""`quotefind tag`, and `--proposed` where a tag is a condition."""

from __future__ import annotations

import csv
import inspect
import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from cli_tools import CONTROL, FAKE_PROGRAM, PROGRAM, Cli, run, run_on_terminal, write_records

from quotefind import tagging
from quotefind.cli import app, proposal_output, tag
from quotefind.index.local.lock import writer_lock

QUOTES = [
    {"text": "Love is love at sea.", "author": "Ann Ash", "work": "Poems"},
    {"text": "War and hope.", "author": "Ben Birch"},
    {"text": "Bread and butter."},
    {"text": "The sea, the sea.", "tags": ["water"]},
]
USUAL = ("--tags", "tags.txt", "--min-score", "0.4")
HOSTILE = "love \x1b[31m[/bold] \x9b2J \u202egnp.exe\u202c \x07 :smile:"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands with a fake encoder, an index of four quotes, and a list of tags."""
    made = Cli(tmp_path, monkeypatch)
    made.index(QUOTES)
    (tmp_path / "tags.txt").write_text("love\nwar\nsea\nhope\n", encoding="utf-8")
    return made


def proposed(cli: Cli) -> dict[str, list[str]]:
    """Return what `find` shows as proposed, by text; nothing where nothing is."""
    hits = cli("find", "love", "-k", "9", "--format", "json").json
    return {hit["text"]: hit["proposed"] for hit in hits if hit["proposed"]}


def test_a_report_as_json(cli: Cli) -> None:
    """JSON has an object for each quote with proposals; keys in their order, tags with their scores, best first."""
    done = cli("tag", *USUAL, "--format", "json")
    assert done.code == 0
    assert done.err == "quotefind: tags proposed for 2 of 3 quotes without tags; --write stores them\n"
    first, second = done.json
    assert list(first) == list(proposal_output.KEYS) == ["id", "text", "author", "work", "proposed"]
    assert (first["text"], first["author"], first["work"]) == ("Love is love at sea.", "Ann Ash", "Poems")
    assert first["proposed"] == [{"tag": "love", "score": 0.894427}, {"tag": "sea", "score": 0.447214}]
    assert [tag["tag"] for tag in second["proposed"]] == ["war", "hope"]
    assert (second["work"], first["id"]) == (None, cli("find", "love", "--format", "json").json[0]["id"])


def test_a_report_in_each_format(cli: Cli) -> None:
    """Lines, cells and Markdown hold the same proposals as JSON."""
    expected = cli("tag", *USUAL, "--format", "json").json
    assert [json.loads(line) for line in cli("tag", *USUAL, "--format", "jsonl").lines] == expected
    for style, delimiter in (("csv", ","), ("tsv", "\t")):
        rows = list(csv.DictReader(io.StringIO(cli("tag", *USUAL, "-f", style).out), delimiter=delimiter))
        assert [row["proposed"] for row in rows] == ["love; sea", "war; hope"]
        assert rows[0]["scores"] == "0.894427; 0.447214"
        assert list(rows[0]) == [*proposal_output.KEYS, "scores"]
    assert cli("tag", *USUAL).lines == [
        "love, sea\tLove is love at sea. — Ann Ash, Poems",
        "war, hope\tWar and hope. — Ben Birch",
    ]
    assert cli("tag", *USUAL, "--format", "markdown").out.startswith(
        "> Love is love at sea.\n>\n> — Ann Ash, *Poems*\n\nProposed: love (0.89), sea (0.45)\n\n> War"
    )


@pytest.mark.parametrize("columns", [50, 100])
def test_a_terminal_gets_a_table(cli: Cli, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is one table in parts, with a single header, no wider than the screen."""
    monkeypatch.setattr(proposal_output, "_TABLE", 1)
    code, shown = run_on_terminal(FAKE_PROGRAM, "tag", *USUAL, home=cli.home, columns=columns, NO_COLOR="1")
    assert code == 0
    assert max(map(len, shown.splitlines())) <= columns
    assert shown.count("proposed") == 1
    assert "0.89 love" in shown
    assert ("author, work" in shown) is (columns == 100)
    assert "Ann Ash" in shown


def test_hostile_text_does_nothing_to_a_terminal(cli: Cli) -> None:
    """No control character of a quote or a tag reaches a terminal, and no markup is obeyed; JSON keeps the text."""
    cli.index([{"text": HOSTILE, "author": HOSTILE, "work": HOSTILE}])
    tags = cli.folder / "tags.txt"
    tags.write_text(f"{HOSTILE}\n", encoding="utf-8")
    _, shown = run_on_terminal(FAKE_PROGRAM, "tag", *USUAL, home=cli.home, NO_COLOR="1")
    assert "[/bold]" in shown
    assert CONTROL.findall(shown) == []
    for style in ("plain", "markdown"):
        assert CONTROL.findall(cli("tag", *USUAL, "--format", style).out.replace("\t", "", 1)) == []
    (record,) = cli("tag", *USUAL, "--format", "json").json
    assert record["text"] == record["proposed"][0]["tag"] == HOSTILE


def test_write_stores_and_reports_the_same(cli: Cli) -> None:
    """--write gives the same report as without it, and stores the proposals; without it nothing is stored."""
    before = cli("tag", *USUAL, "--format", "jsonl")
    assert proposed(cli) == {}
    done = cli("tag", *USUAL, "--format", "jsonl", "--write")
    assert (done.code, done.out) == (0, before.out)
    assert done.err.endswith("2 of 3 quotes without tags; stored: find --tag TAG --proposed uses them\n")
    assert proposed(cli) == {"Love is love at sea.": ["love", "sea"], "War and hope.": ["war", "hope"]}
    assert cli("tag", *USUAL, "--format", "jsonl").out == before.out
    assert cli("info", "--json").json["with_proposals"] == 2
    assert cli("index", "--verify", "--json").json == {"verified": 4}


def test_a_report_that_nobody_reads_is_stored(cli: Cli) -> None:
    """What is stored does not depend on whether somebody reads the report to its end."""
    records = [{"text": f"Love number {number}"} for number in range(3000)]
    cli.index(records)
    command = f"{FAKE_PROGRAM[0]} {FAKE_PROGRAM[1]} tag --tags tags.txt --min-score 0.4 --write | head -1"
    done = run(("bash", "-c", command), home=cli.home, cwd=cli.folder)
    assert (done.code, done.lines) == (0, ["love\tLove number 0"])
    assert cli("info", "--json").json["with_proposals"] == 3000


def test_find_with_proposed(cli: Cli) -> None:
    """--tag matches proposed tags with --proposed alone; JSON tells both apart, own tags staying where they were."""
    cli("tag", *USUAL, "--write", "-q")
    assert cli("find", "sea", "--tag", "love").code == 1
    (hit,) = cli("find", "sea", "--tag", "LOVE", "--proposed", "--format", "json").json
    assert (hit["tags"], hit["proposed"]) == ([], ["love", "sea"])
    assert list(hit)[-4:] == ["proposed", "note", "place", "added"]
    (own,) = cli("find", "sea", "--tag", "water", "--proposed", "--format", "json").json
    assert (own["tags"], own["proposed"]) == (["water"], [])


def test_a_table_marks_the_proposed_tag_that_matched(cli: Cli) -> None:
    """On a terminal the proposed tags that were asked for are marked; without --proposed nothing is shown of any."""
    cli("tag", *USUAL, "--write", "-q")
    arguments = ["love", "--tag", "sea", "--tag", "water"]
    _, marked = run_on_terminal(FAKE_PROGRAM, "find", *arguments, "--proposed", home=cli.home, NO_COLOR="1")
    assert marked.count("proposed: sea") == 1
    assert "proposed: love" not in marked
    _, plain = run_on_terminal(FAKE_PROGRAM, "find", "love", home=cli.home, NO_COLOR="1")
    assert "proposed" not in plain
    _, pairs = run_on_terminal(FAKE_PROGRAM, "pair", *arguments, "--proposed", home=cli.home, NO_COLOR="1")
    assert pairs.count("proposed: sea") == 1


def test_pair_with_proposed(cli: Cli) -> None:
    """The quotes nearest to a text, and the closest pairs, are chosen by proposed tags with --proposed."""
    cli("tag", *USUAL, "--write", "-q")
    (found,) = cli("pair", "love", "--tag", "hope", "--proposed", "--format", "json").json
    assert found["b"] == "War and hope."
    (closest,) = cli("pair", "--tag", "sea", "--tag", "water", "--proposed", "--format", "json").json
    assert {closest["a"], closest["b"]} == {"Love is love at sea.", "The sea, the sea."}
    assert cli("pair", "love", "--tag", "hope").code == 1


def test_forget(cli: Cli) -> None:
    """--forget removes everything that was proposed, says for how many quotes, and can be repeated."""
    cli("tag", *USUAL, "--write", "-q")
    done = cli("tag", "--forget")
    assert (done.code, done.out, done.err) == (0, "", "quotefind: proposals removed from 2 quotes\n")
    assert proposed(cli) == {}
    again = cli("tag", "--forget", "--quiet")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_conditions_and_limits(cli: Cli) -> None:
    """--author, --work, --max-chars, --top and --min-score say which quotes and tags."""
    assert len(cli("tag", *USUAL, "--author", "ann").lines) == 1
    assert len(cli("tag", *USUAL, "--work", "poems").lines) == 1
    assert cli("tag", *USUAL, "--max-chars", "13").lines == ["war, hope\tWar and hope. — Ben Birch"]
    assert cli("tag", *USUAL, "-k", "1").lines[0].startswith("love\t")
    assert cli("tag", "--tags", "tags.txt", "--min-score", "0.8").lines == [
        "love\tLove is love at sea. — Ann Ash, Poems"
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*USUAL, "--max-chars", "2"], "every quote has tags of its own, with these filters"),
        (["--tags", "tags.txt", "--min-score", "0.95"], "no tag scores 0.95 or more for any of 3 quotes"),
    ],
)
@pytest.mark.parametrize("style", ["plain", "json"])
def test_nothing_proposed_ends_with_1(cli: Cli, arguments: list[str], says: str, style: str) -> None:
    """Where nothing is proposed, a sentence says why, and JSON is an empty array."""
    done = cli("tag", *arguments, "--format", style)
    assert (done.code, done.out.strip()) == (1, "[]" if style == "json" else "")
    assert done.err.startswith(f"quotefind: {says}")
    assert done.err.count("\n") == 1


def test_where_every_quote_has_tags(cli: Cli) -> None:
    """An index whose quotes all have tags gives nothing to propose for."""
    cli.index(QUOTES[3:])
    done = cli("tag", *USUAL)
    assert (done.code, done.out, done.err) == (1, "", "quotefind: every quote has tags of its own\n")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["tag"], 2, "made with the model words, for which there is no measured threshold."),
        (["tag", *USUAL, "--write", "--forget"], 2, "Give either --write or --forget, not both."),
        (["tag", "--forget", "--author", "ann"], 2, "--author has no effect. Leave it out."),
        (["tag", "--forget", "--format", "json"], 2, "--format has no effect. Leave it out."),
        (["tag", *USUAL, "--wait", "3"], 2, "--wait works with --write and --forget only"),
        (["tag", *USUAL, "--write", "--wait", "nan"], 2, "--wait needs a number"),
        (["tag", *USUAL, "--format", "trec"], 2, "--format trec works with find only"),
        (["tag", "--tags", "none.txt"], 3, "none.txt cannot be read"),
        (["tag", *USUAL, "--index", "nosuch"], 4, "There is no index in "),
        (["tag", "--forget", "--index", "nosuch"], 4, "There is no index in "),
        (["find", "love", "--proposed"], 2, "Give a tag as well."),
        (["pair", "love", "--proposed"], 2, "Give a tag as well."),
        (["pair", "love", "war", "--proposed"], 2, "--proposed is for searching an index and has no effect here."),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], code: int, says: str) -> None:
    """What cannot be done is an error in one line that says why, with the exit code of its kind."""
    done = cli(*arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert done.err.count("\n") == 1


def test_forgetting_makes_no_index(cli: Cli) -> None:
    """--forget in a directory without an index leaves nothing there."""
    assert cli("tag", "--forget", "--index", "./elsewhere").code == 4
    assert not (cli.folder / "elsewhere").exists()


def test_writing_waits_for_the_lock(cli: Cli) -> None:
    """--write beside another writer ends with 4 and stores nothing, unless it may wait; a report needs no lock."""
    with writer_lock(cli.home / "indexes" / "default"):
        report = run(FAKE_PROGRAM, "tag", *USUAL, home=cli.home, cwd=cli.folder)
        done = run(FAKE_PROGRAM, "tag", *USUAL, "--write", "--wait", "0.1", home=cli.home, cwd=cli.folder)
    assert (report.code, len(report.lines)) == (0, 2)
    assert (done.code, done.out) == (4, "")
    assert "is being written by process" in done.err
    assert proposed(cli) == {}


def test_a_stale_index_is_refreshed(cli: Cli) -> None:
    """A report is made of what the sources hold now, unless --no-refresh."""
    write_records(cli.folder / "quotes.jsonl", [*QUOTES, {"text": "Hope."}])
    assert len(cli("tag", *USUAL, "--no-refresh").lines) == 2
    done = cli("tag", *USUAL)
    assert len(done.lines) == 3
    assert "has been refreshed: 1 added" in done.err


def test_quiet(cli: Cli) -> None:
    """--quiet takes the summary away, not the reason why there is nothing."""
    assert cli("tag", *USUAL, "--quiet").err == ""
    assert cli("tag", *USUAL, "--max-chars", "2", "--quiet").err != ""


def test_what_is_bundled_needs_no_option(bundled_home: Path, home_with_model: Path, tmp_path: Path) -> None:
    """With the default model neither tags nor a score have to be said; the bundled quotes all have tags."""
    source = write_records(tmp_path / "a.jsonl", [{"text": "There is no remedy for love but to love more."}])
    assert run(PROGRAM, "index", source, "--quiet", home=home_with_model).code == 0
    done = run(PROGRAM, "tag", "--format", "json", home=home_with_model)
    assert done.code == 0
    assert done.json[0]["proposed"][0]["tag"] == "love"
    nothing = run(PROGRAM, "tag", home=bundled_home)
    assert (nothing.code, nothing.out) == (1, "")


def test_writing_leaves_no_log_behind(cli: Cli) -> None:
    """After --write nothing that counts is in the log of SQLite, as after every other command."""
    assert run(FAKE_PROGRAM, "tag", *USUAL, "--write", home=cli.home, cwd=cli.folder).code == 0
    assert (cli.home / "indexes" / "default" / "index.sqlite-wal").stat().st_size == 0


def test_the_default_number_of_tags() -> None:
    """The command and the library propose as many tags."""
    assert inspect.signature(tag.tag).parameters["top"].default == tagging.TOP


def test_every_command_with_tag_has_proposed() -> None:
    """Wherever a tag is a condition, proposed tags can be made to count."""
    commands: Any = typer.main.get_command(app)
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in commands.commands.items()
    }
    with_tag = {name for name, known in options.items() if "--tag" in known}
    assert with_tag >= {"find", "pair"}
    assert with_tag == {name for name, known in options.items() if "--proposed" in known}


def test_topics_with_proposed(cli: Cli) -> None:
    """What `topics` tells of a tag counts the quotes that it was proposed for, with --proposed alone."""
    cli("tag", *USUAL, "--write", "-q")
    assert cli("topics", "--tag", "sea", "-q").code == 1
    (topic,) = cli("topics", "--tag", "sea", "--proposed", "--topics", "1", "-q", "--format", "json").json
    assert topic["size"] == 1


def test_a_list_that_fits_nothing_takes_nothing_away(cli: Cli) -> None:
    """Where no tag is near enough to any quote, --write leaves what was stored, and says so."""
    cli.index([{"text": "love and love"}, {"text": "war, war"}])
    assert cli("tag", "--write", "-q", "--min-score", "0.9").code == 0
    before = cli("info", "--json").json["with_proposals"]
    (cli.folder / "tags.txt").write_text("king\n")
    done = cli("tag", "--write", "--tags", "tags.txt", "--min-score", "0.9")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("nothing is stored, and earlier proposals are kept\n")
    assert cli("info", "--json").json["with_proposals"] == before > 0
