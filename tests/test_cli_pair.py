"""`quotefind pair`: two texts, many, files of pairs, the closest pairs of an index, and the nearest quotes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from cli_tools import FAKE_PROGRAM, PROGRAM, Cli, environment, run, write_records

# The closest pairs, in order: the same words under two names, then 3 and 4.
QUOTES = [
    {"text": "The war.", "author": "Ann Ash", "work": "Poems"},
    {"text": "The war!", "author": "Ben Birch"},
    {"text": "War and war and love.", "author": "Ann Ash"},
    {"text": "The sea.", "author": "Ben Birch", "tags": ["water"]},
    {"text": "The sea, the sea."},
]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "0.7071\n"),
        (["--format", "plain"], "0.7071\n"),
        (["--format", "table"], "0.7071\n"),
        (["--format", "json"], '[\n{"rank": 1, "score": 0.707107, "a": "love war", "b": "love"}\n]\n'),
        (["--format", "jsonl"], '{"rank": 1, "score": 0.707107, "a": "love war", "b": "love"}\n'),
        (["--format", "csv"], "rank,score,a,b\n1,0.707107,love war,love\n"),
        (["--format", "tsv"], "rank\tscore\ta\tb\n1\t0.707107\tlove war\tlove\n"),
        (["--format", "markdown"], "> love war\n\n> love\n\n(0.7071)\n\n"),
    ],
)
def test_two_texts_give_their_score(cli: Cli, arguments: list[str], expected: str) -> None:
    """For people the score is just the number; the other formats hold one pair; no index is made."""
    done = cli("pair", "love war", "love", *arguments)
    assert (done.code, done.out, done.err) == (0, expected, "")
    assert not cli.home.exists()


SQUARES = {
    "plain": "1.0000\t0.7071\t0.4082\n0.7071\t1.0000\t0.0000\n0.4082\t0.0000\t1.0000\n",
    "json": '{"texts": ["love war", "love", "war, at\\tsea | king"], '
    '"scores": [[1.0, 0.707107, 0.408248], [0.707107, 1.0, 0.0], [0.408248, 0.0, 1.0]]}\n',
    "jsonl": """\
{"text": "love war", "scores": [1.0, 0.707107, 0.408248]}
{"text": "love", "scores": [0.707107, 1.0, 0.0]}
{"text": "war, at\\tsea | king", "scores": [0.408248, 0.0, 1.0]}
""",
    "csv": """\
text,love war,love,"war, at\tsea | king"
love war,1.0,0.707107,0.408248
love,0.707107,1.0,0.0
"war, at\tsea | king",0.408248,0.0,1.0
""",
    "tsv": """\
text\tlove war\tlove\t"war, at\tsea | king"
love war\t1.0\t0.707107\t0.408248
love\t0.707107\t1.0\t0.0
"war, at\tsea | king"\t0.408248\t0.0\t1.0
""",
    "markdown": """\
|  | text | 1 | 2 | 3 |
| ---: | --- | ---: | ---: | ---: |
| 1 | love war | 1.00 | 0.71 | 0.41 |
| 2 | love | 0.71 | 1.00 | 0.00 |
| 3 | war, at␉sea \\| king | 0.41 | 0.00 | 1.00 |
""",
}


@pytest.mark.parametrize("style", SQUARES)
def test_more_texts_give_the_square(cli: Cli, style: str) -> None:
    """Three texts give all nine scores, in each format exactly, unwrapped in a pipe."""
    done = cli("pair", "love war", "love", "war, at\tsea | king", "--format", style, columns=20)
    assert (done.code, done.out, done.err) == (0, SQUARES[style], "")


def test_the_square_as_a_table(cli: Cli) -> None:
    """As a table each text stands in the row with its number, and the columns have these numbers."""
    lines = cli("pair", "love war", "love", "sea", "--format", "table", columns=60).lines
    cells = [line.split() for line in lines if line.strip() and "─" not in line]
    assert cells == [
        ["text", "1", "2", "3"],
        ["1", "love", "war", "1.00", "0.71", "0.00"],
        ["2", "love", "0.71", "1.00", "0.00"],
        ["3", "sea", "0.00", "0.00", "1.00"],
    ]


def test_the_texts_of_a_square_may_repeat(cli: Cli) -> None:
    """A text that is given twice has its own row and column in every format."""
    for style in ("plain", "jsonl", "csv"):
        rows = cli("pair", "love", "love", "war", "--format", style).lines
        assert len(rows) == (4 if style == "csv" else 3)
    assert cli("pair", "love", "love", "war", "--format", "csv").lines[1] == "love,1.0,1.0,0.0"


def test_the_model_of_two_texts_can_be_named(cli: Cli) -> None:
    """--model reaches the encoder that compares texts; without it, it is the default one."""
    assert cli("pair", "love", "war", "--model", "other").code == 0
    assert cli("pair", "love", "war").code == 0
    assert cli.opened == [("other", "cpu"), (None, "cpu")]


FILES = {
    # name: (content, arguments, output)
    "known.tsv": (
        "sentence_0\tsentence_1\tlabel\nlove\tlove war\tx\nlove\tsea\t\n",
        [],
        "sentence_0\tsentence_1\tlabel\tscore\nlove\tlove war\tx\t0.707107\nlove\tsea\t\t0.0\n",
    ),
    "behind.csv": (
        'id,query,quote\n7,love,"love, ""war"""\n',
        [],
        'id,query,quote,score\n7,love,"love, ""war""",0.707107\n',
    ),
    "scored.csv": (
        "anchor,positive,score\nlove,war,5\n",
        [],
        "anchor,positive,score,cosine_score\nlove,war,5,0.0\n",
    ),
    "none.tsv": ("Love me.\tlove war\nlove\tlove\n", [], "Love me.\tlove war\t0.707107\nlove\tlove\t1.0\n"),
    "single.tsv": ("love\twar\nlove\tlove\n", ["--no-header"], "love\twar\t0.0\nlove\tlove\t1.0\n"),
    "short.tsv": ("a\tb\tnote\nlove\twar\n", [], "a\tb\tnote\tscore\nlove\twar\t\t0.0\n"),
    "lines.csv": ('a,b\n"love\nwar",war\n', [], 'a,b,score\n"love\nwar",war,0.707107\n'),
    "bom.csv": ("\ufeffa,b\nlove,war\n", [], "a,b,score\nlove,war,0.0\n"),
    "rows.jsonl": (
        '{"a": "love", "b": "war", "more": [1, {"x": null}]}\n\n{"b": "love", "a": "love"}\n',
        [],
        '{"a": "love", "b": "war", "more": [1, {"x": null}], "score": 0.0}\n{"b": "love", "a": "love", "score": 1.0}\n',
    ),
    "arrays.ndjson": ('["love", "war"]\n', [], '{"column_1": "love", "column_2": "war", "score": 0.0}\n'),
    "other.dat": ("a,b\nlove,war\n", ["--input-format", "csv"], "a,b,score\nlove,war,0.0\n"),
    "as-json.tsv": ("a\tb\nlove\twar\n", ["--format", "json"], '[\n{"a": "love", "b": "war", "score": 0.0}\n]\n'),
    "as-csv.tsv": ("a\tb\nlove\twar\n", ["--format", "csv"], "a,b,score\nlove,war,0.0\n"),
    "cells.jsonl": (
        '{"a": "love", "b": "war", "c": [1, {"x": null}], "d": ["x", "y"], "e": true, "f": {"g": "h"}}\n'
        '{"b": "love", "a": "love"}\n',
        ["--format", "csv"],
        'a,b,c,d,e,f,score\nlove,war,"[1, {""x"": null}]",x; y,true,"{""g"": ""h""}",0.0\nlove,love,,,,,1.0\n',
    ),
    "as-jsonl.csv": ("a,b\nlove,war\n", ["--format", "jsonl"], '{"a": "love", "b": "war", "score": 0.0}\n'),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_pairs_is_scored_row_by_row(cli: Cli, name: str) -> None:
    """Each row comes back with all its columns and its score behind, in the format it came in or the one wanted."""
    content, arguments, expected = FILES[name]
    Path(name).write_bytes(content.encode())
    done = cli("pair", "--pairs", name, *arguments)
    assert (done.code, done.out, done.err) == (0, expected, "")


@pytest.mark.parametrize("name", [name for name in FILES if not FILES[name][1]])
def test_standard_input_is_scored_alike(cli: Cli, name: str) -> None:
    """The same rows from standard input, whose format is named, give the same."""
    content, _, expected = FILES[name]
    kind = "jsonl" if name.endswith(("jsonl", "ndjson")) else name[-3:]
    done = cli("pair", "--pairs", "-", "--input-format", kind, stdin=content.encode())
    assert (done.code, done.out, done.err) == (0, expected, "")


def test_standard_input_is_tsv_unless_named(cli: Cli) -> None:
    """Rows on standard input are TSV where nothing else is said."""
    assert cli("pair", "--pairs", "-", stdin="love here\twar\n").out == "love here\twar\t0.0\n"


def test_a_header_that_is_guessed_is_said(cli: Cli) -> None:
    """A first line of single words that are no known names is taken for the header, and stderr says so."""
    done = cli("pair", "--pairs", "-", stdin="left\tright\nlove\twar\n")
    assert done.out == "left\tright\tscore\nlove\twar\t0.0\n"
    assert done.err == (
        "quotefind: using standard input:1 as the header, and its first two columns; --no-header if it is a pair\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("short.tsv", "a\tb\nlove\twar\nlove\n", "short.tsv:3: expected a text in 'b'"),
        ("long.tsv", "a\tb\nlove\twar\tsea\n", "long.tsv:2: expected 2 columns, found 3"),
        ("one.tsv", "love\n", "one.tsv:1: expected two columns, found 1"),
        ("empty.csv", "a,b\nlove,  \n", "empty.csv:2: expected a text in 'b'"),
        ("number.jsonl", '{"a": "love", "b": 3}\n', "number.jsonl:1: expected a text in 'b'"),
        ("half.jsonl", '{"a": "love", "b": "\\ud800"}\n', "half.jsonl:1: 'b' is not valid UTF-8"),
        ("broken.jsonl", '\n{"a": "love"\n', "broken.jsonl:2: not JSON"),
        ("scalar.jsonl", "7\n", "scalar.jsonl:1: expected an object or array with two texts"),
        ("folded.csv", 'a,b\n"love\nwar",sea\nlove\n', "folded.csv:4: expected a text in 'b'"),
        ("latin.csv", b"a,b\nlove,\xe9\n", "latin.csv:2: 'b' is not valid UTF-8"),
        ("missing.csv", None, "missing.csv cannot be read: No such file or directory"),
    ],
)
def test_a_bad_row_ends_with_3(cli: Cli, name: str, content: str | bytes | None, says: str) -> None:
    """A row that is no pair ends with 3 and says path:line and what was expected."""
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = cli("pair", "--pairs", name)
    assert done.code == 3
    assert done.err.startswith(f"quotefind: {says}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("before", [1, 1024])
@pytest.mark.parametrize("style", ["csv", "tsv"])
def test_a_row_with_other_keys_does_not_fit_a_table(cli: Cli, style: str, before: int) -> None:
    """A later row of JSON Lines with a key that the header has not ends with 3 and names row, key and way out."""
    write_records(Path("a.jsonl"), [{"a": "love", "b": "war"}] * before + [{"a": "love", "b": "war", "c": 1}])
    done = cli("pair", "--pairs", "a.jsonl", "--format", style)
    assert (done.code, len(done.lines)) == (3, before + 1)
    assert done.err == f"quotefind: Row {before + 1} has c, which the first row lacks. Use --format jsonl.\n"
    assert len(cli("pair", "--pairs", "a.jsonl", "--format", "jsonl").lines) == before + 1


@pytest.mark.parametrize(("style", "expected"), [("json", []), ("jsonl", None), ("csv", None)])
def test_no_rows_give_nothing(cli: Cli, style: str, expected: object) -> None:
    """A file without rows ends with 1 and an empty value of the format."""
    done = cli("pair", "--pairs", "-", "--format", style, stdin="")
    assert (done.code, done.err) == (1, "quotefind: no pairs found\n")
    assert (json.loads(done.out) if done.out else None) == expected


def test_rows_are_streamed(cli: Cli) -> None:
    """Rows of a file of any length come out in their order, batch by batch, with one encoder."""
    write_records(Path("many.jsonl"), ({"a": "love", "b": "war " * (n % 3), "n": n} for n in range(1, 3000) if n % 3))
    rows = [json.loads(line) for line in cli("pair", "--pairs", "many.jsonl").lines]
    assert [row["n"] for row in rows] == [n for n in range(1, 3000) if n % 3]
    assert {row["score"] for row in rows} == {0.0}
    assert cli.opened == [(None, "cpu")]


def test_a_closed_pipe_ends_the_scoring(cli: Cli) -> None:
    """Whoever reads one scored row and goes away causes no message and exit code 0."""
    write_records(Path("many.jsonl"), ({"a": "love", "b": "war", "n": n} for n in range(50_000)))
    with subprocess.Popen(
        [*FAKE_PROGRAM, "pair", "--pairs", "many.jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(cli.home),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


MINED = [
    {
        "rank": 1,
        "score": 1.0,
        "a": "The war.",
        "b": "The war!",
        "a_id": "e63574ab19ec7cb4",
        "a_author": "Ann Ash",
        "b_id": "2c3c9bc23fb7d9dd",
        "b_author": "Ben Birch",
        "conflict": True,
    },
    {
        "rank": 2,
        "score": 1.0,
        "a": "The sea.",
        "b": "The sea, the sea.",
        "a_id": "3e2a1c1fd4b3dd1f",
        "a_author": "Ben Birch",
        "b_id": "0d7b0bd8f1e4b6c2",
        "b_author": None,
        "conflict": False,
    },
]


def test_an_index_gives_its_closest_pairs(cli: Cli) -> None:
    """Without texts come the closest pairs of the index, with both ids and authors; differing names are a conflict."""
    cli.index(QUOTES)
    ids = {hit["text"]: hit["id"] for hit in cli("find", "love", "-k", "9", "--format", "json").json}
    found = cli("pair", "-k", "2", "--format", "json").json
    expected = [{**pair, "a_id": ids[pair["a"]], "b_id": ids[pair["b"]]} for pair in MINED]
    assert found == expected
    assert list(found[0]) == list(MINED[0])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [(0, 1), (3, 4), (0, 2), (1, 2), (0, 3)]),
        (["-k", "1"], [(0, 1)]),
        (["--min-score", "0.8"], [(0, 1), (3, 4), (0, 2), (1, 2)]),
        (["--min-score", "0.99", "-k", "20"], [(0, 1), (3, 4)]),
        (["--author", "ash"], [(0, 2)]),
        (["--author", "ash", "--author", "birch", "-k", "1"], [(0, 1)]),
        (["--max-chars", "13", "-k", "1"], [(0, 1)]),
        (["--max-chars", "7"], []),
        (["--work", "poems"], []),
        (["--tag", "water"], []),
    ],
)
def test_options_of_mining(cli: Cli, arguments: list[str], expected: list[tuple[int, int]]) -> None:
    """Number, threshold and filters of pairs mean what they mean for hits; no pairs end with 1."""
    cli.index(QUOTES)
    done = cli("pair", *arguments, "--format", "jsonl")
    texts = [quote["text"] for quote in QUOTES]
    assert [tuple(texts.index(pair[side]) for side in "ab") for pair in map(json.loads, done.lines)] == expected
    assert (done.code, done.err) == ((0, "") if expected else (1, "quotefind: no pairs found\n"))


def test_mined_pairs_as_lines_and_as_a_table(cli: Cli) -> None:
    """Plain lines have score and both quotes with their names; the table marks where names differ."""
    cli.index(QUOTES)
    assert cli("pair", "-k", "1").out == "1.0000\tThe war. — Ann Ash, Poems\tThe war! — Ben Birch\n"
    table = cli("pair", "-k", "2", "--format", "table", columns=80).out
    assert table.count("names differ") == 1
    assert table.index("names differ") < table.index("The sea.")
    header, *rows = cli("pair", "-k", "2", "--format", "csv").lines
    assert header == ",".join(MINED[0])
    assert [row.rpartition(",")[2] for row in rows] == ["true", "false"]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("json", "[]\n"),
        ("jsonl", ""),
        ("plain", ""),
        ("table", ""),
        ("csv", ",".join(MINED[0]) + "\n"),
        ("tsv", "\t".join(MINED[0]) + "\n"),
    ],
)
def test_no_pairs_are_said_on_stderr_only(cli: Cli, style: str, expected: str) -> None:
    """An index of one quote has no pairs: an empty value, a message, exit code 1."""
    cli.index(QUOTES[:1])
    done = cli("pair", "--format", style)
    assert (done.code, done.out, done.err) == (1, expected, "quotefind: no pairs found\n")


def test_one_text_gives_the_nearest_quotes(cli: Cli) -> None:
    """One text gives what goes best with it in the index, itself left out, as pairs."""
    cli.index(QUOTES)
    found = cli("pair", "The war.", "-k", "2", "--format", "json").json
    assert [(pair["rank"], pair["a"], pair["b"]) for pair in found] == [
        (1, "The war.", "The war!"),
        (2, "The war.", "War and war and love."),
    ]
    assert list(found[0]) == list(MINED[0])
    assert {(pair["a_id"], pair["a_author"], pair["conflict"]) for pair in found} == {(None, None, False)}
    assert cli("pair", "war", "--author", "birch", "-k", "1").out == "1.0000\twar\tThe war! — Ben Birch\n"
    assert cli("pair", "love", "--min-score", "1").code == 1


def test_a_stale_index_is_refreshed_before_mining(cli: Cli) -> None:
    """Like find, pair brings the index up to date first, unless --no-refresh."""
    source = cli.index(QUOTES[:1])
    write_records(source, QUOTES[:2])
    os.utime(source, ns=(0, 1))
    assert cli("pair", "--no-refresh").code == 1
    done = cli("pair", "--format", "jsonl")
    assert (done.code, len(done.lines)) == (0, 1)
    assert done.err == "quotefind: The index was out of date and has been refreshed: 1 added.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["love", ""], 2, "A text to compare is empty."),
        (["love", " ", "war"], 2, "A text to compare is empty."),
        ([""], 2, "A text to compare is empty."),
        (["love", "--pairs", "a.tsv"], 2, "not both"),
        (["--pairs", "a.txt"], 2, "--input-format"),
        (["--pairs", "a.tsv", "--input-format", "xml"], 2, "--input-format"),
        (["--pairs", "a.tsv", "--format", "plain"], 2, "--format"),
        (["--pairs", "a.tsv", "--format", "table"], 2, "--format"),
        (["--model", "other"], 2, "--model"),
        (["love", "--model", "other"], 2, "--model"),
        (["love", "war", "--min-score", "0.9"], 2, "--min-score is for searching an index"),
        (["love", "war", "--author", "x"], 2, "--author is for searching an index"),
        (["love", "war", "--work", "x"], 2, "--work is for searching an index"),
        (["love", "war", "--tag", "x"], 2, "--tag is for searching an index"),
        (["love", "war", "--max-chars", "9"], 2, "--max-chars is for searching an index"),
        (["love", "war", "sea", "-k", "3"], 2, "--top is for searching an index"),
        (["love", "war", "--index", "y"], 2, "--index is for searching an index"),
        (["love", "war", "--no-refresh"], 2, "--no-refresh is for searching an index"),
        (["--pairs", "a.tsv", "-k", "3"], 2, "--top is for searching an index"),
        (["--input-format", "csv"], 2, "--input-format is for --pairs"),
        (["love", "war", "--no-header"], 2, "--no-header is for --pairs"),
        (["-k", "0"], 2, "--top"),
        (["--min-score", "2"], 2, "--min-score"),
        (["--index", "gone"], 4, "There is no index in"),
        (["love", "--index", "gone"], 4, "There is no index in"),
        (["love", "war", "--model", "nosuch"], 5, "There is no model 'nosuch'"),
    ],
)
def test_what_cannot_be_paired(cli: Cli, arguments: list[str], code: int, says: str) -> None:
    """Each mistake has its exit code, nothing on stdout, and a message that names it."""
    cli.index(QUOTES)
    done = cli("pair", *arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_the_real_model_scores_the_example_of_its_card(home_with_model: Path) -> None:
    """With the real model related texts score high, others low, in a process of its own."""
    near = run(PROGRAM, "pair", "A happy family", "Happy families are all alike.", home=home_with_model)
    far = run(PROGRAM, "pair", "A happy family", "The ship struck a rock at night.", home=home_with_model)
    assert (near.code, near.err, far.code, far.err) == (0, "", 0, "")
    assert float(near.out) > 0.5 > 0.2 > float(far.out)
