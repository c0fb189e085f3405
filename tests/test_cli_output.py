"""What the commands write: each format exactly, on a terminal and in a pipe, whatever a corpus holds."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from cli_tools import CONTROL, FAKE_PROGRAM, Cli, run, run_on_terminal
from hypothesis import given
from hypothesis import strategies as st

from quotefind.cli import output
from quotefind.records import Quote
from quotefind.text import quote_id

QUOTES = [
    {"text": "Love is love at sea.", "author": "Ann Ash", "work": "Poems, 2", "year": 1850, "tags": ["love", "sea"]},
    {"text": 'War [sic] is no *love*, "he" said.', "author": "Ben Birch"},
    {"text": "Time and time again; love."},
]
# From here: python tests/cli_tools.py find love -k 3 --format …
JSON_LINES = [
    '{"query": "love", "rank": 1, "score": 0.894427, "id": "0a908b78ea7202c7", "text": "Love is love at sea.", '
    '"author": "Ann Ash", "work": "Poems, 2", "year": 1850, "tags": ["love", "sea"], "source": "SOURCE", "line": 1, '
    '"proposed": [], "note": null, "place": null, "added": null}',
    '{"query": "love", "rank": 2, "score": 0.707107, "id": "7e897da7b905c5b3", '
    '"text": "War [sic] is no *love*, \\"he\\" said.", '
    '"author": "Ben Birch", "work": null, "year": null, "tags": [], "source": "SOURCE", "line": 2, '
    '"proposed": [], "note": null, "place": null, "added": null}',
    '{"query": "love", "rank": 3, "score": 0.447214, "id": "ade126fd4e3b108a", "text": "Time and time again; love.", '
    '"author": null, "work": null, "year": null, "tags": [], "source": "SOURCE", "line": 3, '
    '"proposed": [], "note": null, "place": null, "added": null}',
]
GOLDEN = {
    "plain": """\
Love is love at sea. — Ann Ash, Poems, 2
War [sic] is no *love*, "he" said. — Ben Birch
Time and time again; love.
""",
    "json": "[\n" + ",\n".join(JSON_LINES) + "\n]\n",
    "jsonl": "".join(f"{line}\n" for line in JSON_LINES),
    "csv": """\
query,rank,score,id,text,author,work,year,tags,source,line,proposed,note,place,added
love,1,0.894427,0a908b78ea7202c7,Love is love at sea.,Ann Ash,"Poems, 2",1850,love; sea,SOURCE,1,,,,
love,2,0.707107,7e897da7b905c5b3,"War [sic] is no *love*, ""he"" said.",Ben Birch,,,,SOURCE,2,,,,
love,3,0.447214,ade126fd4e3b108a,Time and time again; love.,,,,,SOURCE,3,,,,
""",
    "tsv": """\
query\trank\tscore\tid\ttext\tauthor\twork\tyear\ttags\tsource\tline\tproposed\tnote\tplace\tadded
love\t1\t0.894427\t0a908b78ea7202c7\tLove is love at sea.\tAnn Ash\tPoems, 2\t1850\tlove; sea\tSOURCE\t1\t\t\t\t
love\t2\t0.707107\t7e897da7b905c5b3\t"War [sic] is no *love*, ""he"" said."\tBen Birch\t\t\t\tSOURCE\t2\t\t\t\t
love\t3\t0.447214\tade126fd4e3b108a\tTime and time again; love.\t\t\t\t\tSOURCE\t3\t\t\t\t
""",
    "markdown": """\
> Love is love at sea.
>
> — Ann Ash, *Poems, 2*

> War \\[sic\\] is no \\*love\\*, "he" said.
>
> — Ben Birch

> Time and time again; love.

""",
    "table": """\
love
|
      score           quote                                author, work
 ─────────────────────────────────────────────────────────────────────────────
  1   0.89 ███████·   Love is love at sea.                 Ann Ash
                                                           Poems, 2
|
  2   0.71 ██████··   War [sic] is no *love*, "he" said.   Ben Birch
|
  3   0.45 ████····   Time and time again; love.
|
""",
}
LONG = {
    "text": "Love, who asks for nothing but incomprehensibilities [sic], is counterrevolutionary; 愛は海である 🌊.",
    "author": "Maximilian Featherstonehaugh-Cholmondeley",
    "work": "The Collected Correspondence, volume 12",
}
# What a terminal might obey, or rich might interpret, each with a word of its own behind it.
HOSTILE = {
    "markup": "love [sic] [bold]x[/bold] [/] :smile: [link=http://x.example]y[/link]",
    "escape sequence": "love \x1b[31mred\x1b[0m \x1b[2J\x1b[H\x07 end",
    "C1": "love \x9b31mred \x90q\x9c end",
    "OSC 8": "love \x1b]8;;http://x.example\x1b\\here\x1b]8;;\x1b\\ end",
    "OSC 52": "love \x1b]52;c;aGVsbG8=\x07 end",
    "direction": "love \u202egnp.exe\u202c \u2066a\u2069 \u200f end",
    "hidden": "love \U000e0041\U000e0042 \ufff9a\ufffab\ufffb \u206a end",
    "DCS": "love \x1bP1$r0m\x1b\\ \x1b]0;title\x07 \x9d52;c;aGk=\x9c end",
    "backspace": "love abc\b\b\bxyz\x7f end",
    "emoji and CJK": "love 👩‍👩‍👧‍👦 愛 ❤️ end",
    "markdown": "love `code` # <script>alert(1)</script> *x* _y_ \\z end",
}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


@pytest.fixture
def pipe_and_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose default index holds QUOTES, for commands that run as processes."""
    cli = Cli(tmp_path, monkeypatch)
    cli.index(QUOTES)
    return cli.home


def trimmed(table: str) -> str:
    """Return `table` without blanks at the ends of lines; a blank line between others is |, so that it is seen."""
    lines = [line.rstrip() for line in table.splitlines()]
    return "".join(f"{line or '|'}\n" for line in lines)


@pytest.mark.parametrize("style", [name for name in GOLDEN if name != "table"])
def test_each_format_is_exactly_this(cli: Cli, style: str) -> None:
    """Each format for programs and for writing is, byte for byte, what the documentation shows."""
    source = cli.index(QUOTES)
    found = cli("find", "love", "--format", style)
    assert found.out == GOLDEN[style].replace("SOURCE", str(source))
    assert (found.code, found.err) == (0, "")


def test_the_table_is_exactly_this(cli: Cli) -> None:
    """The table has rank, score with its bar, quote, author and work."""
    cli.index(QUOTES)
    found = cli("find", "love", "--format", "table", columns=80)
    assert trimmed(found.out) == GOLDEN["table"]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_word_is_lost_in_the_table(cli: Cli, columns: int) -> None:
    """At any width a table shows the whole quote, author and work, and no line is wider than the terminal."""
    cli.index([LONG])
    shown = cli("find", "love", "--format", "table", columns=columns).out
    width = max(len(line) + sum(ord(letter) > 0x2FFF for letter in line) for line in shown.splitlines())
    assert width <= columns
    # Words may be folded, and lines of two columns alternate: compare letters, in any order.
    for text in LONG.values():
        missing = [letter for letter in set(text) - {" "} if shown.count(letter) < text.count(letter)]
        assert missing == []
    if columns >= 80:
        for word in " ".join(LONG.values()).split():
            assert word in shown or len(word) > 15


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_text_reads_in_order_in_the_table(cli: Cli, columns: int) -> None:
    """Where the quote has a column of its own, its letters stand in it in their order, none left out."""
    cli.index([{"text": LONG["text"]}])
    lines = cli("find", "love", "--format", "table", columns=columns).out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("  1 "))
    body = re.sub(r"^  1   \d\.\d\d( [█·]{8})?", "", "\n".join(lines[first:]))
    assert "".join(body.split()) == "".join(LONG["text"].split())


@pytest.mark.parametrize("style", ["table", "plain", "markdown"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_control_character_reaches_a_reader(cli: Cli, style: str, text: str) -> None:
    """Formats for people hold no control character of a corpus, wherever it stands, and lose no other."""
    cli.index([{"text": text, "author": f"A{text}", "work": f"W{text}"}])
    found = cli("find", "love", f"?{text}", "--format", style, columns=1000)
    shown = found.out + found.err
    assert CONTROL.findall(shown) == []
    plain = re.sub(r"\\(.)", r"\1", shown) if style == "markdown" else shown
    for word in CONTROL.sub(" ", text).replace("\\", " ").split():
        assert plain.replace("\\", " ").count(word) >= 3


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_data_formats_hold_the_text_unchanged(cli: Cli, text: str) -> None:
    """JSON, JSON Lines, CSV and TSV give back the very text, and JSON does so in characters that do nothing."""
    cli.index([{"text": text}])
    for style in ("json", "jsonl"):
        found = cli("find", "love", "--format", style)
        (record,) = json.loads(found.out) if style == "json" else map(json.loads, found.lines)
        assert record["text"] == text
        assert CONTROL.findall(found.out) == []
    for style, delimiter in (("csv", ","), ("tsv", "\t")):
        rows = csv.DictReader(io.StringIO(cli("find", "love", "--format", style).out, newline=""), delimiter=delimiter)
        assert [row["text"] for row in rows] == [text]


@pytest.mark.parametrize("style", ["csv", "tsv", "json", "jsonl"])
def test_a_terminal_never_gets_the_controls_of_a_table_of_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    """Where CSV and the like go to a terminal, its escape sequences are made harmless."""
    cli = Cli(tmp_path, monkeypatch)
    cli.index([{"text": text} for text in HOSTILE.values()])
    code, shown = run_on_terminal(FAKE_PROGRAM, "find", "love", "-k", "20", "--format", style, home=cli.home)
    assert code == 0
    assert "gnp.exe" in shown
    assert set(CONTROL.findall(shown)) <= ({"\t"} if style == "tsv" else set())


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_gives_any_text_back(text: str) -> None:
    """Any text comes back from the JSON that is written for it, and nothing in it is a control character."""
    written = output.to_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert CONTROL.search(written) is None


def test_what_emoji_and_scripts_need_stays() -> None:
    """Joiners, variation selectors and combining characters are shown as they are."""
    text = "👩‍👩‍👧 ❤️ می‌خواهم é 葛󠄀"
    assert output.printable(text) == text


FORMULAS = ["=1+1", '=HYPERLINK("http://x")', "+1(2)", "-2+3|cmd", "@SUM(A1)", "'=1+1", "＝1+1"]
WORDS_ONLY = ["-- a dash", "+ hope", "@home", "'tis", "a=b", "-1", "1+1(2)"]


@pytest.mark.parametrize(("style", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_a_spreadsheet_runs_no_quote(cli: Cli, style: str, delimiter: str) -> None:
    """A text that would be a formula gets an apostrophe in CSV and TSV, no other does, and indexing takes it off."""
    texts = [f"{start} love" for start in (*FORMULAS, *WORDS_ONLY)]
    # With the id that quotefind gives it, an author is read as it is, also one that begins with a dash.
    cli.index([{"id": quote_id(text, text), "text": text, "author": text} for text in texts])
    written = cli("find", "=love", "-k", "99", "--format", style).out
    rows = {row["text"]: row for row in csv.DictReader(io.StringIO(written, newline=""), delimiter=delimiter)}
    expected = {f"{'' if text.startswith(tuple(WORDS_ONLY)) else chr(39)}{text}" for text in texts}
    assert rows.keys() == expected
    for row in rows.values():
        assert (row["author"], row["query"]) == (row["text"], "'=love")
        assert float(row["score"]) <= 1
    Path(f"again.{style}").write_text(written, encoding="utf-8")
    assert cli("index", f"again.{style}", "--index", "again", "--quiet").code == 0
    found = cli("find", "love", "-k", "99", "--index", "again", "--format", "jsonl")
    assert sorted(found.texts) == sorted(texts)
    assert all(hit["author"] == hit["text"] for hit in map(json.loads, found.lines))


def test_pairs_of_an_index_are_guarded_and_columns_of_a_file_are_not(cli: Cli) -> None:
    """Pairs of an index are guarded as hits are; a file of pairs keeps its columns as they came."""
    cli.index([{"text": "=1+1 love"}, {"text": "@a(b) love"}])
    assert cli("pair", "--format", "csv").out.splitlines()[1].split(",")[2:4] == ["'=1+1 love", "'@a(b) love"]
    scored = cli("pair", "--pairs", "-", stdin="query\tquote\n=1+1 love\t-love\n")
    assert scored.lines[1].split("\t")[:2] == ["=1+1 love", "-love"]


@pytest.mark.parametrize("code", [0x7F, 0x2028, 0xFEFF, 0xE0001, 0xE007F])
def test_json_escapes_are_those_of_json(code: int) -> None:
    """What is escaped in JSON comes back, also beyond the 16 bits of one escape."""
    assert json.loads(output.to_json(chr(code))) == chr(code)
    assert chr(code) not in output.to_json(chr(code))


@given(st.text())
def test_printable_shows_one_harmless_character_for_each(text: str) -> None:
    """What is made printable keeps its length and every harmless character, and holds no control or surrogate."""
    shown = output.printable(text)
    assert len(shown) == len(text)
    assert all(
        a == b or CONTROL.match(a) or a == "\n" or "\ud800" <= a <= "\udfff" for a, b in zip(text, shown, strict=True)
    )
    assert CONTROL.search(shown) is None
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("json", "[]\n"),
        ("jsonl", ""),
        ("plain", ""),
        ("table", ""),
        ("markdown", ""),
        ("csv", "query,rank,score,id,text,author,work,year,tags,source,line,proposed,note,place,added\n"),
        ("tsv", "query\trank\tscore\tid\ttext\tauthor\twork\tyear\ttags\tsource\tline\tproposed\tnote\tplace\tadded\n"),
    ],
)
def test_nothing_found_is_said_on_stderr_only(cli: Cli, style: str, expected: str) -> None:
    """Without hits stdout holds an empty value of the format, stderr says so, and the exit code is 1."""
    cli.index(QUOTES)
    found = cli("find", "love", "--author", "nobody", "--format", style)
    assert (found.code, found.out, found.err) == (1, expected, "quotefind: nothing found with these filters\n")


def test_nothing_found_without_conditions(cli: Cli) -> None:
    """An index that holds only what is left out says just that nothing was found."""
    cli.index(QUOTES[:1])
    found = cli("find", "--like", "Love is love at sea.")
    assert (found.code, found.out, found.err) == (1, "", "quotefind: nothing found\n")


def test_keys_stand_in_their_documented_order(cli: Cli) -> None:
    """A hit in JSON has exactly the keys that other programs read, in order, null or [] where unknown."""
    cli.index(QUOTES)
    first, *_, last = cli("find", "love", "--format", "json").json
    documented = "query, rank, score, id, text, author, work, year, tags, source, line, proposed, note, place, added"
    assert list(first) == list(output.HIT_KEYS) == documented.split(", ")
    assert {key: last[key] for key in ("author", "work", "year", "tags")} == {
        "author": None,
        "work": None,
        "year": None,
        "tags": [],
    }


def test_a_pipe_gets_plain_lines_whatever_columns_says(pipe_and_terminal: Path) -> None:
    """In a pipe plain lines are the default, neither wrapped nor cut at COLUMNS=20."""
    found = run(FAKE_PROGRAM, "find", "love", home=pipe_and_terminal, COLUMNS="20")
    assert (found.code, found.out, found.err) == (0, GOLDEN["plain"], "")


def test_a_terminal_gets_a_coloured_table(pipe_and_terminal: Path) -> None:
    """On a terminal the default is the table, as wide as the terminal, with colours."""
    code, shown = run_on_terminal(FAKE_PROGRAM, "find", "love", home=pipe_and_terminal, columns=80)
    assert code == 0
    assert "\x1b[" in shown
    assert trimmed(re.sub(r"\x1b\[[\d;]*m", "", shown)) == GOLDEN["table"]


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(pipe_and_terminal: Path, variables: dict[str, str]) -> None:
    """NO_COLOR and TERM=dumb leave no escape code on a terminal, and all of the words."""
    code, shown = run_on_terminal(FAKE_PROGRAM, "find", "love", home=pipe_and_terminal, columns=80, **variables)
    assert code == 0
    assert CONTROL.findall(shown) == []
    assert trimmed(shown) == GOLDEN["table"]


def test_info_on_a_terminal_is_a_table(pipe_and_terminal: Path) -> None:
    """Names and values stand side by side on a terminal, without the tabs of a pipe."""
    code, shown = run_on_terminal(FAKE_PROGRAM, "info", home=pipe_and_terminal, NO_COLOR="1")
    assert code == 0
    assert ["quotes", "3"] in [line.split() for line in shown.splitlines()]
    assert "\t" not in shown


VERSE = {
    "text": "Love is *red*,\nlove is blue.\n\n# love",
    "author": "Ann Ash",
    "work": "Poems",
    "place": "ch. 2, p. 91",
}


def test_verse_for_people_is_exactly_this() -> None:
    """Plain lines have slashes between the lines of verse, Markdown hard breaks; the place follows the work."""
    quote = Quote(**VERSE)
    assert output.plain_line(quote) == "Love is *red*, / love is blue. // # love — Ann Ash, Poems, ch. 2, p. 91"
    assert output.block_quote(quote) == (
        "> Love is \\*red\\*,  \n> love is blue.\n>\n> \\# love\n>\n> — Ann Ash, *Poems*, ch. 2, p. 91\n"
    )
    assert str(output.byline(quote)) == "Ann Ash\nPoems, ch. 2, p. 91"


def test_verse_keeps_its_lines_in_the_table(cli: Cli) -> None:
    """The table shows verse in lines."""
    cli.index([VERSE])
    lines = trimmed(cli("find", "love", "--format", "table", columns=90).out).splitlines()
    assert [re.sub("^.{22}| {3}.*$", "", line).strip() for line in lines[4:8]] == [
        "Love is *red*,",
        "love is blue.",
        "|",
        "# love",
    ]


def test_verse_for_programs_has_its_lines(cli: Cli) -> None:
    """JSON and CSV hold the line breaks, TSV has slashes, so that a hit is a line."""
    cli.index([VERSE])
    (hit,) = cli("find", "love", "--format", "json").json
    assert hit["text"] == VERSE["text"]
    (row,) = csv.DictReader(io.StringIO(cli("find", "love", "--format", "csv").out))
    assert row["text"] == VERSE["text"]
    assert cli("find", "love", "--format", "tsv").lines[1].split("\t")[4] == "Love is *red*, / love is blue. // # love"


@pytest.mark.parametrize("style", ["table", "plain", "markdown"])
def test_only_line_breaks_of_a_text_are_obeyed(cli: Cli, style: str) -> None:
    """In a text of several lines every other control character is still made visible."""
    cli.index([{"text": "love\n\x1b[31mred\x07\nend", "place": "p.\x1b[2J 9"}])
    assert CONTROL.findall(cli("find", "love", "--format", style, columns=80).out) == []


def test_the_table_of_conflicts_keeps_lines(cli: Cli) -> None:
    """Two wordings of verse are shown in lines, with what differs marked."""
    words = "Roses are red and love is blue,\nsugar is sweet and so are {}."
    cli.index([{"text": words.format("you"), "author": "Ann Ash"}, {"text": words.format("we"), "author": "Ben Birch"}])
    shown = cli("pair", "--conflicts", "--format", "table", columns=120).out
    assert "Roses are red and love is blue,   " in shown
    assert "sugar is sweet and so are _we.\\_" in shown or "sugar is sweet and so are _we._" in shown


def test_a_table_where_columns_is_zero(pipe_and_terminal: Path) -> None:
    """COLUMNS=0 says nothing about the width: the table has 80 columns, as it has with COLUMNS=80."""
    arguments = ("find", "love", "--format", "table")
    zero, eighty = (run(FAKE_PROGRAM, *arguments, home=pipe_and_terminal, COLUMNS=columns) for columns in ("0", "80"))
    assert zero.out == eighty.out != ""
