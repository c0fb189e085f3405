"""`quotefind topics`: its formats, its conditions, and what it says where there is nothing."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from cli_tools import CONTROL, FAKE_PROGRAM, Cli, run, run_on_terminal

HOSTILE = "[red]love[/red] \x1b[31mlove\x07 =cmd|' /C calc'!A0 number"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The program with an index of quotes about love and about war."""
    cli = Cli(tmp_path, monkeypatch)
    love = [{"text": f"love love heart number{n}", "author": "Ann", "work": "Songs"} for n in range(12)]
    war = [{"text": f"war war sword number{n}", "author": "Bob"} for n in range(8)]
    cli.index([*love, *war])
    return cli


def test_topics_as_json(cli: Cli) -> None:
    """A topic is an object with its number, label, terms, size and central quotes; no encoder is opened."""
    before = len(cli.opened)
    done = cli("topics", "--topics", "2", "-k", "1", "--format", "json")
    assert (done.code, done.err) == (0, "")
    first, second = done.json
    assert list(first) == ["topic", "label", "terms", "size", "quotes"]
    assert (first["topic"], first["size"], set(first["terms"][:2])) == (1, 12, {"love", "heart"})
    assert first["label"] == ", ".join(first["terms"][:3])
    assert (second["topic"], second["size"], len(second["quotes"])) == (2, 8, 1)
    (quote,) = first["quotes"]
    assert list(quote) == ["id", "text", "author", "work", "score"]
    assert (quote["author"], quote["work"], len(quote["id"])) == ("Ann", "Songs", 16)
    assert 0.99 < quote["score"] <= 1
    assert len(cli.opened) == before


def test_topics_in_a_pipe(cli: Cli) -> None:
    """In a pipe each central quote is a line: number, size and label of its topic, and the quote."""
    done = cli("topics", "--topics", "2", "-k", "2")
    rows = [line.split("\t") for line in done.lines]
    assert [row[:2] for row in rows] == [["1", "12"], ["1", "12"], ["2", "8"], ["2", "8"]]
    assert rows[0][3].endswith(" — Ann, Songs")
    assert [line.split("\t")[:2] for line in cli("topics", "--topics", "2", "-k", "0").lines] == [
        ["1", "12"],
        ["2", "8"],
    ]


def test_topics_as_csv_and_json_lines(cli: Cli) -> None:
    """CSV has a row for each central quote, or one for a topic where none is wanted; JSON Lines an object a line."""
    out = cli("topics", "--topics", "2", "-k", "2", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["topic"], row["size"], row["author"]) for row in rows] == [("1", "12", "Ann")] * 2 + [
        ("2", "8", "Bob")
    ] * 2
    assert "love" in rows[0]["terms"].split("; ")
    assert all(row["text"].startswith("love") for row in rows[:2])
    bare = cli("topics", "--topics", "2", "-k", "0", "--format", "tsv").lines
    assert [line.split("\t")[0] for line in bare] == ["topic", "1", "2"]
    assert len(cli("topics", "--topics", "2", "--format", "jsonl").lines) == 2


def test_topics_as_markdown(cli: Cli) -> None:
    """Markdown has a heading a topic and its quotes as block quotes."""
    out = cli("topics", "--topics", "2", "-k", "1", "--format", "markdown").out
    assert out.count("## ") == 2
    assert "(12)" in out
    assert "> — Ann, *Songs*" in out


def test_topics_under_conditions(cli: Cli) -> None:
    """The conditions of find hold; where no quote satisfies them that is said, with exit code 1 and empty JSON."""
    (topic,) = cli("topics", "--author", "bob", "--format", "json").json
    assert topic["size"] == 8
    done = cli("topics", "--author", "nobody", "--format", "json")
    assert (done.code, done.json, done.err) == (1, [], "quotefind: no quotes to group with these filters\n")


def test_a_run_is_no_format_of_topics(cli: Cli) -> None:
    """A TREC run holds rankings, of which there are none."""
    done = cli("topics", "--format", "trec")
    assert (done.code, done.out) == (2, "")
    assert "--format trec works with find only" in done.err


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_topics_on_a_terminal(cli: Cli, columns: int) -> None:
    """The table fits the terminal, shows label, size and quotes, and obeys nothing that a text says."""
    cli.index([{"text": f"{HOSTILE}{n}", "author": "[bold]Eve"} for n in range(6)])
    code, shown = run_on_terminal(FAKE_PROGRAM, "topics", "--topics", "1", home=cli.home, columns=columns, NO_COLOR="1")
    assert code == 0
    assert max(map(len, shown.splitlines())) <= columns
    assert not CONTROL.search(shown.replace("\n", ""))
    assert "love" in shown
    words = " ".join(shown.split())
    assert "[red]love[/red]" in words or columns == 40
    assert "6" in words


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    """Where a named index is missing the message says how to make it."""
    done = run(FAKE_PROGRAM, "topics", "--index", "nosuch", home=tmp_path)
    assert (done.code, done.out) == (4, "")
    assert "quotefind index SOURCE… --index nosuch" in done.err
