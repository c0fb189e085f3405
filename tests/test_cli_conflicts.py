"""`quotefind pair --conflicts`: a report that says that quotes conflict, never who is right."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest
from cli_tools import CONTROL, FAKE_PROGRAM, Cli, run, run_on_terminal, write_records

from quotefind import pairs
from quotefind.conflicts import groups

# One group of each sort: two names, a spelling, citations, words, words left out.
SEA = "The sea has neither meaning nor pity, and it keeps what it takes"
QUOTES = [
    {"text": "Love conquers war.", "author": "Laozi", "work": "Poems", "year": -400, "tags": ["love", "war"]},
    {"text": "Love conquers war!", "author": "Lao Tzu"},
    {"text": "Time is king of hope.", "author": "Goethe"},
    {"text": "Time is king of hope.", "author": "J. W. von Goethe"},
    {"text": f"{SEA}.", "author": "Ann Ash", "work": "Tides", "year": 1850},
    {"text": f"{SEA.replace('keeps', 'holds')}.", "author": "Ann Ash", "work": "Shores", "year": 1851},
    {"text": f"{SEA}, said the sea at that time.", "author": "Ann Ash"},
    {"text": "Hope."},
]
WORDS_OF_A_JUDGE = re.compile(
    r"\b(in)?correct|\bwrong|misattribut|\bfalse|\btrue|mistake|\berror|genuine|authentic|should|original",
    re.IGNORECASE,
)
LAST = "quotefind cannot tell which name or wording is right"
ROW = "group,differs,score,id,text,author,work,year,tags,source,line"
NOTHING = "quotefind: no quotes have the same or nearly the same words\n"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


def test_groups_as_json(cli: Cli) -> None:
    """JSON is an array of groups: number, what differs, score, and the quotes with all that is known of them."""
    source = str(cli.index(QUOTES))
    done = cli("pair", "--conflicts", "--format", "json")
    found = done.json
    assert done.code == 0
    assert done.err == f"quotefind: 3 groups, 1 with different names; {LAST}\n"
    assert [list(group) for group in found] == [["group", "differs", "score", "quotes"]] * 3
    assert [group["differs"] for group in found] == [
        ["author", "punctuation"],
        ["spelling of the name"],
        ["work", "year", "words", "shortened"],
    ]
    assert [group["group"] for group in found] == [1, 2, 3]
    hits = {hit["id"]: hit for hit in cli("find", "love", "-k", "9", "--format", "json").json}
    first = found[0]["quotes"][0]
    assert first == {**QUOTES[0], "id": first["id"], "source": source, "line": 1}
    assert list(first) == ["id", "text", "author", "work", "year", "tags", "source", "line"]
    for group in found:
        for quote in group["quotes"]:
            assert quote == {key: hits[quote["id"]][key] for key in quote}
    lines = cli("pair", "--conflicts", "--format", "jsonl").lines
    assert [json.loads(line) for line in lines] == found


@pytest.mark.parametrize(("style", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_groups_as_rows(cli: Cli, style: str, delimiter: str) -> None:
    """In CSV and TSV each quote is a row with the number of its group and what differs in it."""
    cli.index(QUOTES)
    done = cli("pair", "--conflicts", "--format", style)
    rows = list(csv.DictReader(io.StringIO(done.out), delimiter=delimiter))
    whole = cli("pair", "--conflicts", "--format", "json").json
    assert ",".join(rows[0]) == ROW
    expected = [(group, quote) for group in whole for quote in group["quotes"]]
    assert [(row["group"], row["differs"], row["score"], row["id"]) for row in rows] == [
        (str(group["group"]), "; ".join(group["differs"]), str(group["score"]), quote["id"])
        for group, quote in expected
    ]
    assert (rows[0]["year"], rows[0]["tags"], rows[0]["line"]) == ("-400", "love; war", "1")


def test_groups_as_lines(cli: Cli) -> None:
    """Plain lines: what differs, in words, then each quote with its attribution and its place; never wrapped."""
    source = cli.index(QUOTES)
    plain = cli("pair", "--conflicts", columns=20)
    assert plain.out == (
        "1\tnames differ: Laozi | Lao Tzu; punctuation, case or accents differ\n"
        f"\tLove conquers war.\tLaozi, Poems\t{source}:1\n"
        f"\tLove conquers war!\tLao Tzu\t{source}:2\n"
        "\n"
        "2\tperhaps one name in different spellings: Goethe | J. W. von Goethe\n"
        f"\tTime is king of hope.\tGoethe\t{source}:3\n"
        f"\tTime is king of hope.\tJ. W. von Goethe\t{source}:4\n"
        "\n"
        "3\tworks differ: Tides | Shores; years differ: 1850 | 1851; words differ; words left out\n"
        f"\t{SEA}.\tAnn Ash, Tides\t{source}:5\n"
        f"\t{SEA.replace('keeps', 'holds')}.\tAnn Ash, Shores\t{source}:6\n"
        f"\t{SEA}, said the sea at that time.\tAnn Ash\t{source}:7\n"
        "\n"
    )
    markdown = cli("pair", "--conflicts", "-k", "1", "--format", "markdown").out
    place = str(source).replace("_", "\\_")
    assert markdown == (
        "## 1. names differ: Laozi \\| Lao Tzu; punctuation, case or accents differ\n\n"
        f"> Love conquers war.\n>\n> — Laozi, Poems — {place}:1\n\n"
        f"> Love conquers war!\n>\n> — Lao Tzu — {place}:2\n\n"
    )


def test_a_table_marks_the_words_that_differ(cli: Cli) -> None:
    """On a terminal the words that differ are underlined; where nothing can be, they stand between low lines."""
    cli.index(QUOTES[4:6])
    code, shown = run_on_terminal(FAKE_PROGRAM, "pair", "--conflicts", home=cli.home)
    assert code == 0
    assert re.findall("\x1b\\[4m(.*?)\x1b\\[0m", shown) == ["keeps", "holds"]
    code, shown = run_on_terminal(FAKE_PROGRAM, "pair", "--conflicts", home=cli.home, NO_COLOR="1")
    assert code == 0
    assert "\x1b" not in shown
    assert re.findall(r"\b_(\w+)_\b", shown) == ["keeps", "holds"]
    assert "Ann Ash, Tides" in shown
    assert shown.startswith("1  works differ: Tides | Shores; years differ: 1850 | 1851; words differ\n")


@pytest.mark.parametrize("columns", [20, 40, 71, 72, 100])
def test_a_terminal_of_any_width(cli: Cli, columns: int) -> None:
    """Nothing is lost and no line is longer than the terminal is wide."""
    cli.index(QUOTES)
    code, shown = run_on_terminal(FAKE_PROGRAM, "pair", "--conflicts", home=cli.home, columns=columns, NO_COLOR="1")
    assert code == 0
    assert max(map(len, shown.splitlines())) <= columns
    together = re.sub(r"[\s_—]", "", shown)
    for quote in QUOTES[:4]:
        assert all(word in together for word in str(quote["text"]).split())
        assert all(word in together for word in str(quote["author"]).split())
    assert "quotes.jsonl:7" in together or columns >= 72  # there it stands beside the text, in several lines


HOSTILE = "[bold]Love[/bold] \x1b[31mand war\u202e \x07 | <b>*_sea_*</b>"


def test_hostile_text_is_data(cli: Cli) -> None:
    """Neither markup nor a control character of a text, a name or a work is obeyed in any format."""
    records = [{"text": HOSTILE, "author": f"{name} {HOSTILE}", "work": HOSTILE} for name in ("Ash", "Birch")]
    cli.index([*records, {"text": f"{HOSTILE} \x9b2J", "author": "Ash"}])
    for style in ("table", "plain", "markdown", "csv", "json"):
        for more in ({}, {"NO_COLOR": "1"}):
            code, shown = run_on_terminal(
                FAKE_PROGRAM, "pair", "--conflicts", "--format", style, home=cli.home, columns=90, **more
            )
            assert code == 0
            ours = re.sub("\x1b\\[[0-9;]*m", "", shown) if style == "table" and not more else shown.replace("\t", "")
            assert not CONTROL.search(ours)
            assert "\x1b[31m" not in shown
            assert "Love" in ours
    (group,) = cli("pair", "--conflicts", "--format", "json").json
    assert {quote["text"] for quote in group["quotes"]} == {HOSTILE, f"{HOSTILE} \x9b2J"}


@pytest.mark.parametrize("style", ["table", "plain", "markdown", "csv", "tsv", "json", "jsonl"])
def test_it_never_says_who_is_right(cli: Cli, style: str) -> None:
    """No format judges: there is no word for being right or not, but for the line that says that nobody can know."""
    cli.index(QUOTES)
    done = cli("pair", "--conflicts", "--format", style)
    assert done.code == 0
    assert not WORDS_OF_A_JUDGE.search(done.out + done.err)
    assert done.err.endswith(f"{LAST}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [[0, 1], [2, 3], [4, 5, 6]]),
        (["-k", "2"], [[0, 1], [2, 3]]),
        (["--top", "99"], [[0, 1], [2, 3], [4, 5, 6]]),
        (["--author", "ash"], [[4, 5, 6]]),
        (["--work", "tides", "--work", "shores"], [[4, 5]]),
        (["--max-chars", "40"], [[0, 1], [2, 3]]),
        (["--min-score", "0.99"], [[0, 1], [2, 3], [4, 5]]),
        (["--tag", "love"], []),
    ],
)
def test_options_of_the_report(cli: Cli, arguments: list[str], expected: list[list[int]]) -> None:
    """Number, threshold and filters mean what they mean for pairs; all groups come unless a number is given."""
    cli.index(QUOTES)
    done = cli("pair", "--conflicts", *arguments, "--format", "jsonl")
    texts = [(quote["text"], quote.get("author")) for quote in QUOTES]
    found = [[texts.index((q["text"], q["author"])) for q in json.loads(line)["quotes"]] for line in done.lines]
    assert [sorted(group) for group in found] == expected
    assert done.code == (0 if expected else 1)
    assert done.err == NOTHING if not expected else done.err.endswith(f"{LAST}\n")


def test_quiet_says_nothing_beside(cli: Cli) -> None:
    """With --quiet there is no last line; that nothing was found is said all the same."""
    cli.index(QUOTES)
    assert cli("pair", "--conflicts", "-q").err == ""
    assert cli("pair", "--conflicts", "-q", "--tag", "love").err == NOTHING


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("json", "[]\n"),
        ("jsonl", ""),
        ("plain", ""),
        ("table", ""),
        ("markdown", ""),
        ("csv", f"{ROW}\n"),
    ],
)
def test_no_groups_are_said_on_stderr_only(cli: Cli, style: str, expected: str) -> None:
    """Where no quotes are alike there is an empty value, a sentence and exit code 1."""
    cli.index(QUOTES[-1:])
    done = cli("pair", "--conflicts", "--format", style)
    assert (done.code, done.out, done.err) == (1, expected, NOTHING)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["love"], "Give either texts or --conflicts, not both."),
        (["love", "war"], "Give either texts or --conflicts, not both."),
        (["--pairs", "a.tsv"], "Give either --pairs or --conflicts, not both."),
        (["--model", "other"], "--model is for texts to compare with each other and has no effect here. Leave it out."),
        (["--input-format", "csv"], "--input-format is for --pairs and has no effect here. Leave it out."),
        (["--no-header"], "--no-header is for --pairs and has no effect here. Leave it out."),
        (["--format", "trec"], "--format trec works with find only, because it holds rankings."),
    ],
)
def test_what_does_not_go_together(cli: Cli, arguments: list[str], says: str) -> None:
    """What would do nothing beside --conflicts is refused before an index is opened."""
    done = cli("pair", "--conflicts", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"quotefind: {says}\n")
    assert not cli.home.exists()


def test_the_index_is_chosen_and_refreshed(cli: Cli) -> None:
    """--index names the index; it is brought up to date first, unless --no-refresh; nothing is encoded otherwise."""
    source = cli.index(QUOTES[:1], "--index", "mine")
    write_records(source, QUOTES[:2])
    os.utime(source, ns=(0, 1))
    cli.opened.clear()
    assert cli("pair", "--conflicts", "--index", "mine", "--no-refresh").err == NOTHING
    assert cli.opened == []
    done = cli("pair", "--conflicts", "--index", "mine")
    assert done.code == 0
    assert done.err.startswith("quotefind: The index was out of date and has been refreshed: 1 added.\n")
    assert cli("pair", "--conflicts", "--index", "gone").code == 4


def test_many_names_are_not_all_listed(cli: Cli) -> None:
    """A heading lists a few names and counts the others."""
    names = ["Ash", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum"]
    cli.index([{"text": "Hope.", "author": name} for name in names] + [{"text": "hope"}, {"text": "HOPE"}])
    heading = cli("pair", "--conflicts", "--format", "plain").lines[0]
    assert heading == (
        "1\tnames differ: Ash | Birch | Cedar | Dogwood | Elm | and 2 more; 2 have no author; "
        "punctuation, case or accents differ"
    )


def test_it_says_where_not_all_was_looked_at(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more pairs are close than may be held, stderr says so, and the closest are reported."""
    cli.index(QUOTES[4:7])
    monkeypatch.setattr(groups, "_MOST_PAIRS", 1)
    done = cli("pair", "--conflicts", "--format", "json")
    assert [len(group["quotes"]) for group in done.json] == [2]
    assert done.err.startswith("quotefind: only the 1 closest pairs of quotes, down to 1.0000, were compared\n")


def test_it_goes_on_where_it_was_interrupted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted as words are compared, it ends with 130 and says so; the same command compares no vector again."""
    cli.index(QUOTES)
    monkeypatch.setattr(pairs, "_BLOCK", 3)
    whole = cli("pair", "--conflicts")
    with monkeypatch.context() as patch:
        patch.setattr(groups, "is_part", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        done = cli("pair", "--conflicts")
    assert (done.code, done.out) == (130, "")
    assert done.err == "quotefind: interrupted; run the same command to continue (100 % done)\n"
    with monkeypatch.context() as patch:
        patch.setattr(pairs, "_near", None)
        resumed = cli("pair", "--conflicts")
    assert (resumed.code, resumed.out, resumed.err) == (0, whole.out, whole.err)


def test_the_report_is_the_same_in_a_pipe(cli: Cli) -> None:
    """The program itself writes to a pipe what it writes in this process."""
    cli.index(QUOTES)
    inside = cli("pair", "--conflicts")
    outside = run(FAKE_PROGRAM, "pair", "--conflicts", home=cli.home)
    assert (outside.code, outside.out, outside.err) == (0, inside.out, inside.err)
