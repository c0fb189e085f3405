"""`quotefind map`: what it writes where, what it says, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_tools import FAKE_PROGRAM, Cli, run

from quotefind.map import layout


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The program with an index of quotes about love and about war."""
    cli = Cli(tmp_path, monkeypatch)
    love = [{"text": f"love love heart number{n}", "author": "Ann"} for n in range(12)]
    war = [{"text": f"war war sword number{n}", "author": "Bob"} for n in range(8)]
    cli.index([*love, *war])
    return cli


@pytest.mark.parametrize(
    ("name", "begin"), [("m.html", b"<!doctype html>"), ("m.png", b"\x89PNG"), ("m.SVG", b"<?xml")]
)
def test_a_map_is_written(cli: Cli, name: str, begin: bytes) -> None:
    """The suffix of the file says what is drawn; the terminal is told in one line, stdout nothing; no encoder opens."""
    before = len(cli.opened)
    done = cli("map", "--output", name, "--topics", "2")
    assert (done.code, done.out, done.err) == (0, "", f"quotefind: {name}: 20 quotes, 2 topics\n")
    assert (cli.folder / name).read_bytes()[: len(begin)].lower() == begin.lower()
    assert len(cli.opened) == before
    assert [path.name for path in cli.folder.iterdir() if path.name.startswith(".")] == []


def test_hits_are_marked(cli: Cli) -> None:
    """The hits of --query, as find ranks them, are marked on the page; the query is all that is encoded."""
    found = cli("find", "love heart", "-k", "3", "--format", "jsonl").texts
    done = cli("map", "-o", "m.html", "--query", "love heart", "-k", "3", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    page = (cli.folder / "m.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert all(text in json.dumps(json.loads(data)) for text in found)
    assert "love heart" in page


def test_conditions_and_title(cli: Cli) -> None:
    """The conditions of find hold, and the title stands in the picture."""
    assert (
        cli("map", "-o", "m.svg", "--author", "bob", "--title", "Bob & co").err
        == "quotefind: m.svg: 8 quotes, 1 topic\n"
    )
    assert "Bob &amp; co" in (cli.folder / "m.svg").read_text(encoding="utf-8")


def test_nothing_to_draw(cli: Cli) -> None:
    """Where no quote satisfies the conditions nothing is written, and exit code 1 says so."""
    done = cli("map", "-o", "m.html", "--author", "nobody")
    assert (done.code, done.err) == (1, "quotefind: no quotes to draw with these filters\n")
    assert not (cli.folder / "m.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "m.pdf"], "--output m.pdf: the name of a map must end in .html, .png or .svg."),
        (["-o", "nowhere/m.svg"], "--output nowhere/m.svg: the directory nowhere does not exist."),
        (
            ["-o", "folder.svg"],
            "--output folder.svg is a directory. Name a file in it, for example folder.svg/map.svg.",
        ),
        (["-o", "m.svg", "-k", "3"], "--top is the number of hits of --query to mark, so give --query as well."),
        (["-o", "m.svg", "--query", " "], "The query is empty."),
    ],
)
def test_what_is_refused(cli: Cli, arguments: list[str], said: str) -> None:
    """What cannot be drawn is said before anything is reckoned; nothing is written."""
    (cli.folder / "folder.svg").mkdir()
    done = cli("map", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert list(cli.folder.glob("m.*")) == []


def test_an_old_map_stays_where_a_new_one_cannot_be_written(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map is written beside the old one and put in its place: an error on the way leaves the old one."""
    (cli.folder / "m.svg").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "m.svg")

    monkeypatch.setattr("pathlib.Path.replace", full)
    done = cli("map", "-o", "m.svg")
    assert (done.code, done.err) == (2, "quotefind: m.svg: No space left on device\n")
    assert (cli.folder / "m.svg").read_text() == "old"
    assert [path.name for path in cli.folder.iterdir() if path.name.startswith(".")] == []


def test_a_sample_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more quotes than a map holds, how many are not on it is said."""
    monkeypatch.setattr(layout, "MOST", 15)
    done = cli("map", "-o", "m.svg")
    assert "a map holds 15 quotes; 5 chosen at random are left out" in done.err


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    """Where a named index is missing the message says how to make it, and nothing is written."""
    done = run(FAKE_PROGRAM, "map", "-o", tmp_path / "m.svg", "--index", "nosuch", home=tmp_path)
    assert done.code == 4
    assert "quotefind index SOURCE… --index nosuch" in done.err
    assert not (tmp_path / "m.svg").exists()


def test_a_hyphen_is_html_on_stdout(cli: Cli) -> None:
    """-o - writes the page to stdout, and makes no file of that name."""
    done = cli("map", "-o", "-", "--topics", "2")
    assert (done.code, done.out.lower().startswith("<!doctype html>")) == (0, True)
    assert not (cli.folder / "-").exists()
