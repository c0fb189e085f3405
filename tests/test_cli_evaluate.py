"""`quotefind evaluate`: what is judged, which systems, what is written where, and how it ends."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ir_measures
import pytest
from cli_tools import CONTROL, FAKE_PROGRAM, SCRIPT, Cli, Run, environment, run, run_on_terminal, write_records

from quotefind.stores import open_index
from quotefind.text import quote_id

QUOTES: list[dict[str, Any]] = [
    {"text": "Love and love.", "tags": ["love"]},
    {"text": "Love and war.", "tags": ["love", "war"]},
    {"text": "War.", "tags": ["war"]},
    {"text": "The sea, the sea.", "tags": ["sea"]},
    {"text": "A turnip.", "tags": ["sea", "[/bold]\x1b[31m"]},
    {"text": "Time and hope.", "tags": ["time"]},
]
MEASURES = ["nDCG@10", "RR@10", "R@10", "R@100", "P@10"]
HEADER = ["system", *MEASURES, "95 % of nDCG@10", "p"]
# The program, with a model "slow" that says where it has begun and does not come to an end.
SLOW_PROGRAM = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(SCRIPT.parent)!r})
import cli_tools

class Slow(cli_tools.WordEncoder):
    def encode_quotes(self, texts, progress=cli_tools.silent):
        if self.name == "slow":
            Path("begun").touch()
            time.sleep(60)
        return super().encode_quotes(texts, progress)

    def encode_queries(self, texts):
        return super().encode_quotes(texts)

cli_tools.WordEncoder = Slow
cli_tools.main()
"""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, in this process and others: an empty directory."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def judged(cli: Cli, *rows: object) -> Path:
    """Write rows of judgements; without any, two queries of which one can be found."""
    return write_records(
        cli.folder / "judged.jsonl",
        rows or ({"query": "love", "relevant": ["Love and love."]}, {"query": "war", "relevant": ["A turnip."]}),
    )


def table(done: Run) -> dict[str, dict[str, str]]:
    """Return the first table of plain lines: cells by system and heading."""
    header, *rows = [line.split("\t") for line in done.lines]
    ends = next((number for number, row in enumerate(rows) if row[0] == "nDCG@10"), len(rows))
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows[:ends]}


def files_below(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each file with its content, but for what readers of a database make."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.endswith(("-wal", "-shm")):
            yield str(path), path.read_bytes()


# What is judged


def test_json_lines(cli: Cli) -> None:
    """A file of judged queries is asked of three systems; in a pipe the table is lines with tabs."""
    cli.index(QUOTES)
    done = cli("evaluate", judged(cli))
    assert done.code == 0
    assert done.lines[0].split("\t") == HEADER
    assert [line.split("\t")[0] for line in done.lines[1:]] == ["cosine", "hybrid", "bm25"]
    found = table(done)
    assert list(found["bm25"].values()) == ["0.500", "0.500", "0.500", "0.500", "0.050", "0.000 to 1.000", "1.0000"]
    assert found["cosine"]["R@100"] == "1.000"
    assert found["cosine"]["p"] == ""
    assert done.err == (
        "quotefind: 2 queries on 2 topics, 6 quotes, model words; p is for the difference from cosine\n"
    )


def test_tags(cli: Cli) -> None:
    """--from-tags asks for each theme in each way, tells the ways apart, and its options reach it."""
    cli.index(QUOTES)
    done = cli("evaluate", "--from-tags", "--min-quotes", "2", "--template", "{}", "--template", "on {}")
    assert done.code == 0
    assert [line.split("\t")[0] for line in done.lines[4:]] == ["nDCG@10", "{}", "on {}"]
    assert "6 queries on 3 topics, 6 quotes" in done.err
    alone = cli("evaluate", "--from-tags", "--min-quotes", "2", "--template", "{}")
    assert len(alone.lines) == 4
    assert table(alone)["cosine"]["nDCG@10"] == done.lines[5].split("\t")[1]


def test_trec_files(cli: Cli) -> None:
    """--topics and --qrels judge by TREC's files, grades included."""
    cli.index(QUOTES)
    (cli.folder / "topics").write_text("<top>\n<num> Number: 7\n<title> love\nand war\n</top>\n", encoding="utf-8")
    grades = {"Love and war.": 1, "Love and love.": 3, "War.": -1}
    (cli.folder / "qrels").write_text(
        "".join(f"7 0 {quote_id(text, None)} {grade}\n" for text, grade in grades.items()), encoding="utf-8"
    )
    done = cli("evaluate", "--topics", "topics", "--qrels", "qrels", "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    cosine = done.json["systems"][0]["measures"]
    # "Love and war." is nearer than "Love and love.", which the grades want first.
    gained, ideal = 1 + 3 / math.log2(3), 3 + 1 / math.log2(3)
    assert cosine["nDCG@10"]["mean"] == pytest.approx(gained / ideal, abs=1e-6)
    assert (done.json["queries"], cosine["P@10"]["mean"]) == (1, 0.2)


def test_pairs_are_grouped_by_kind(cli: Cli) -> None:
    """Of a file of pairs the held-out ones are asked, and their kinds are told apart."""
    cli.index(QUOTES)
    rows = [
        {"query": "love", "quote": "Love and love.", "kind": "theme", "split": "held-out"},
        {"query": "turnips", "quote": "A turnip.", "kind": "request", "split": "held-out"},
        {"query": "war", "quote": "nowhere", "kind": "theme", "split": "train"},
    ]
    done = cli("evaluate", judged(cli, *rows), "--quiet")
    assert [line.split("\t")[0] for line in done.lines[4:]] == ["nDCG@10", "theme", "request"]
    assert done.lines[5] == "theme\t1.000\t1.000\t1.000"


def test_the_figures_are_those_of_the_runs(cli: Cli) -> None:
    """ir-measures, given the files of --runs, computes what --json says, for every system."""
    cli.index([*QUOTES, *({"text": f"Love {number} at sea.", "tags": ["love"]} for number in range(8))])
    done = cli("evaluate", "--from-tags", "--min-quotes", "1", "--model", "other", "--runs", "runs", "--json", "-q")
    assert done.code == 0
    qrels = list(ir_measures.read_trec_qrels("runs/qrels.txt"))
    wanted = [ir_measures.parse_measure(name) for name in MEASURES]
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "bm25.run",
        "cosine.run",
        "hybrid.run",
        "other-cosine.run",
        "other-hybrid.run",
        "qrels.txt",
        "topics.tsv",
    ]
    for system in done.json["systems"]:
        name = system["system"].replace(" ", "-")
        theirs = ir_measures.calc_aggregate(wanted, qrels, list(ir_measures.read_trec_run(f"runs/{name}.run")))
        ours = {measure: value["mean"] for measure, value in system["measures"].items()}
        assert ours == pytest.approx({str(measure): value for measure, value in theirs.items()}, abs=1e-6)
    again = cli("evaluate", "--topics", "runs/topics.tsv", "--qrels", "runs/qrels.txt", "--json", "-q").json
    assert [system["measures"]["nDCG@10"]["mean"] for system in again["systems"]] == [
        system["measures"]["nDCG@10"]["mean"] for system in done.json["systems"][:3]
    ]


# Other models


def test_models_are_compared_on_a_copy(cli: Cli, temporary: Path) -> None:
    """--model adds two systems with its name for each model; the index stays as it was, and no copy is left."""
    cli.index(QUOTES)
    before = dict(files_below(cli.home))
    done = cli("evaluate", judged(cli), "--model", "other", "--model", "third", "--model", "other")
    assert done.code == 0
    assert list(table(done)) == [
        "cosine",
        "hybrid",
        "bm25",
        "other cosine",
        "other hybrid",
        "third cosine",
        "third hybrid",
    ]
    assert table(done)["other cosine"] == {**table(done)["cosine"], "p": "1.0000"}
    assert dict(files_below(cli.home)) == before
    assert list(temporary.iterdir()) == []
    assert cli("info", "--json").json["model"] == "words"


def test_a_model_that_is_not_there(cli: Cli, temporary: Path) -> None:
    """A model that cannot be opened ends with 5, without a table, and no copy is left."""
    cli.index(QUOTES)
    done = cli("evaluate", judged(cli), "--model", "other", "--model", "nosuch")
    assert (done.code, done.out, done.err) == (5, "", "quotefind: There is no model 'nosuch'.\n")
    assert list(temporary.iterdir()) == []


def test_an_interrupt_leaves_no_copy(cli: Cli, temporary: Path) -> None:
    """Ctrl-C while the copy is encoded ends with 130, leaves no temporary file, and the index as it was."""
    cli.index(QUOTES)
    judged(cli)
    before = dict(files_below(cli.home))
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_PROGRAM, "evaluate", "judged.jsonl", "--model", "slow"],
        env=environment(cli.home, TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while not Path("begun").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert len(list(temporary.iterdir())) == 1
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.decode()) == (130, b"", "quotefind: interrupted\n")
    assert list(temporary.iterdir()) == []
    assert dict(files_below(cli.home)) == before


def test_an_index_that_only_others_may_write(cli: Cli) -> None:
    """Nothing but reading is asked of the index: an evaluation works where it cannot be written."""
    cli.index(QUOTES)
    directory = cli.home / "indexes" / "default"
    for path in directory.iterdir():
        path.chmod(0o400)
    directory.chmod(0o500)
    try:
        done = cli("evaluate", judged(cli), "--model", "other", "--no-refresh", "--quiet")
    finally:
        directory.chmod(0o700)
    assert (done.code, done.err, len(done.lines)) == (0, "", 6)


@pytest.mark.parametrize(("tags", "warned"), [(True, True), (False, False)])
def test_figures_from_what_a_model_was_trained_with_are_not_left_alone(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tags: bool, warned: bool
) -> None:
    """Asked for the tags of the bundled quotes, the shipped model, which learned these, gets a warning on stderr."""
    monkeypatch.setattr("quotefind.encoders.resolve.DEFAULT_MODEL", "other")
    assert cli("index", "bundled", "--quiet").code == 0
    text = "Happy families are all alike; every unhappy family is unhappy in its own way."
    how = (
        ["--from-tags", "--min-quotes", "40", "--template", "{}"]
        if tags
        else [judged(cli, {"query": text, "quote": text})]
    )
    done = cli("evaluate", *how, "--quiet", "--model", "other")
    assert done.code == 0
    assert ("other was trained on the bundled quotes and their tags" in done.err) is warned
    assert cli("evaluate", *how, "--quiet").err == ""


# What is written


def test_json(cli: Cli) -> None:
    """--json alone stands on stdout, valid and on one line; means lie in their intervals, only the first has no p."""
    cli.index(QUOTES)
    done = cli("evaluate", "--from-tags", "--min-quotes", "1", "--json")
    assert (done.code, done.err, len(done.lines)) == (0, "", 1)
    assert list(done.json) == ["model", "quotes", "queries", "topics", "systems"]
    assert [done.json[key] for key in list(done.json)[:4]] == ["words", 6, 20, 5]
    assert [system["system"] for system in done.json["systems"]] == ["cosine", "hybrid", "bm25"]
    for number, system in enumerate(done.json["systems"]):
        assert list(system) == ["system", "measures", "groups"]
        assert list(system["measures"]) == MEASURES
        assert list(system["groups"])[:2] == ["{}", "quotes about {}"]
        for score in system["measures"].values():
            assert list(score) == ["mean", "low", "high", "p"]
            assert 0 <= score["low"] <= score["mean"] <= score["high"] <= 1
            assert (score["p"] is None) is (number == 0)


def test_the_same_again(cli: Cli) -> None:
    """The same evaluation gives the same figures to the last digit, intervals and p too, in another process as well."""
    cli.index(QUOTES)
    arguments = ["evaluate", "--from-tags", "--min-quotes", "1", "--json", "--model", "other"]
    once = cli(*arguments)
    assert once.code == 0
    assert run(FAKE_PROGRAM, *arguments, home=cli.home).out == once.out


def test_quiet(cli: Cli) -> None:
    """--quiet leaves the table alone."""
    cli.index(QUOTES)
    done = cli("evaluate", judged(cli), "--quiet")
    assert (done.code, done.err, len(done.lines)) == (0, "", 4)


def test_a_terminal_gets_a_table(cli: Cli) -> None:
    """On a terminal there are tables without tabs; the model's name is whole, and no figure is cut at 80 columns."""
    cli.index(QUOTES)
    arguments = ["evaluate", "--from-tags", "--min-quotes", "1", "--model", "other-model-with-a-long-name"]
    plain = run(FAKE_PROGRAM, *arguments, "--quiet", home=cli.home)
    code, shown = run_on_terminal(FAKE_PROGRAM, *arguments, home=cli.home, columns=80, NO_COLOR="1")
    assert code == 0
    assert "\t" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    figures = re.findall(r"\d\.\d{3,4}\b", plain.out)
    assert sorted(re.findall(r"\d\.\d{3,4}\b", shown)) == sorted(figures)
    joined = "".join(line[:18].strip() for line in shown.splitlines())
    assert "other-model-with-a-long-name" in joined
    assert "─" in shown


def test_a_narrow_terminal_gets_lines(cli: Cli) -> None:
    """Where a table would lose figures there are plain lines, as in a pipe."""
    cli.index(QUOTES)
    arguments = ["evaluate", "--from-tags", "--min-quotes", "1", "--quiet"]
    plain = run(FAKE_PROGRAM, *arguments, home=cli.home)
    assert run_on_terminal(FAKE_PROGRAM, *arguments, home=cli.home, columns=60) == (0, plain.out)


HOSTILE = "love \x1b[31m[/bold] \x9b2J \u202egnp.exe\u202c \x07 :smile: [link=x]y[/link]"


def hostile(cli: Cli) -> list[str]:
    """Index QUOTES, and return what evaluates them with hostile queries, groups and a hostile name of a model."""
    cli.index(QUOTES)
    rows = [
        {"query": HOSTILE, "relevant": ["Love and love."], "kind": HOSTILE},
        {"query": "war", "relevant": ["War."], "kind": "other\tgroup\nhere"},
    ]
    return ["evaluate", str(judged(cli, *rows)), "--model", "[/x]\x1b[31m"]


@pytest.mark.parametrize("columns", [60, 100])
def test_hostile_text_does_nothing_to_a_terminal(cli: Cli, columns: int) -> None:
    """Escape sequences and markup in queries, groups and names of models are shown, and obeyed by nobody."""
    code, shown = run_on_terminal(FAKE_PROGRAM, *hostile(cli), home=cli.home, columns=columns, NO_COLOR="1")
    assert code == 0
    assert not CONTROL.search(shown.replace("\t", " "))
    whole = "".join(shown.split())
    for text in ("[/x]␛[31m", "[/bold]", ":smile:", "other␉group␊here"):
        assert text in whole


def test_hostile_text_does_nothing_to_a_bar(cli: Cli) -> None:
    """Of a progress bar nothing comes but what the bar itself is made of; no name is taken for its markup."""
    code, shown = run_on_terminal(FAKE_PROGRAM, *hostile(cli), home=cli.home, stream="stderr", NO_COLOR="1")
    assert code == 0
    assert not CONTROL.search(re.sub(r"\x1b\[(\?25[lh]|[0-9]*[KAm])|\r", "", shown))


def test_hostile_text_keeps_the_lines_of_a_pipe(cli: Cli) -> None:
    """Tabs and line ends in names stand in their cells as signs, so that each row is a line with as many tabs."""
    piped = run(FAKE_PROGRAM, *hostile(cli), home=cli.home)
    assert not CONTROL.search(piped.out.replace("\t", ""))
    assert [line.count("\t") for line in piped.lines] == [7] * 6 + [5] * 3


def test_hostile_text_in_json(cli: Cli) -> None:
    """JSON carries the names of groups unchanged, their controls escaped."""
    cli.index(QUOTES)
    done = cli("evaluate", judged(cli, {"query": HOSTILE, "quote": "War.", "kind": HOSTILE}), "--json")
    assert not CONTROL.search(done.out)
    assert list(done.json["systems"][0]["groups"]) == [HOSTILE]


def test_hostile_text_in_an_error(cli: Cli) -> None:
    """What an error quotes from a file does nothing to a terminal."""
    cli.index(QUOTES)
    done = cli("evaluate", judged(cli, {"query": "q", "quote": HOSTILE}))
    assert (done.code, done.out) == (3, "")
    assert not CONTROL.search(done.err)


def test_progress_is_for_terminals_only(cli: Cli) -> None:
    """On a terminal a bar shows what goes on, and it is gone at the end; elsewhere there is none."""
    cli.index(QUOTES)
    arguments = ["evaluate", str(judged(cli)), "--model", "other"]
    code, shown = run_on_terminal(FAKE_PROGRAM, *arguments, home=cli.home, stream="stderr")
    assert code == 0
    assert "ranking" in shown
    assert shown.rstrip().endswith("p is for the difference from cosine")
    assert run_on_terminal(FAKE_PROGRAM, *arguments, "--quiet", home=cli.home, stream="stderr") == (0, "")


# How it ends


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Give exactly one set of judgements: FILE, --from-tags, or --topics with --qrels"),
        (["judged.jsonl", "--from-tags"], "Give exactly one set of judgements"),
        (["judged.jsonl", "--topics", "t", "--qrels", "q"], "Give exactly one set of judgements"),
        (["--from-tags", "--topics", "t", "--qrels", "q"], "Give exactly one set of judgements"),
        (["judged.jsonl", "--qrels", "q"], "Give exactly one set of judgements"),
        (["--topics", "t"], "--topics and --qrels must be given together"),
        (["--qrels", "q"], "--topics and --qrels must be given together"),
        (["judged.jsonl", "--template", "on {}"], "--template and --min-quotes work with --from-tags only"),
        (["judged.jsonl", "--min-quotes", "3"], "--template and --min-quotes work with --from-tags only"),
        (["--topics", "t", "--qrels", "q", "--template", "{}"], "work with --from-tags only"),
        (["--from-tags", "--min-quotes", "0"], "--min-quotes"),
        (["--from-tags", "--template", "quotes about X"], "has no {} for the tag"),
        (["--from-tags", "--min-quotes", "7"], "No tag of this index has at least 7 quotes"),
        (["judged.jsonl", "--runs", "judged.jsonl"], "The runs cannot be written to judged.jsonl"),
        (["judged.jsonl", "other.jsonl"], "other.jsonl"),
        (["judged.jsonl", "--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_ends_with_2(cli: Cli, arguments: list[str], says: str) -> None:
    """What does not go together, or would do nothing, is refused with a sentence, before any model is opened."""
    cli.index(QUOTES)
    judged(cli)
    cli.opened.clear()
    done = cli("evaluate", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert cli.opened == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch.jsonl"],
        ["."],
        ["bad.jsonl"],
        ["--topics", "topics", "--qrels", "nosuch"],
        ["--topics", "bad.jsonl", "--qrels", "qrels"],
        ["--topics", "topics", "--qrels", "bad.jsonl"],
    ],
)
def test_a_file_that_cannot_be_read_ends_with_3(cli: Cli, arguments: list[str]) -> None:
    """A file that is not there, or holds a bad line, is named, with the line; no model is opened for it."""
    cli.index(QUOTES)
    Path("bad.jsonl").write_text("nonsense\n", encoding="utf-8")
    Path("topics").write_text("1\tlove\n", encoding="utf-8")
    Path("qrels").write_text(f"1 0 {quote_id('War.', None)} 1\n", encoding="utf-8")
    cli.opened.clear()
    done = cli("evaluate", *arguments)
    assert (done.code, done.out) == (3, "")
    assert re.match(r"quotefind: (bad\.jsonl:1: |(nosuch(\.jsonl)?|\.) cannot be read: )", done.err)
    assert cli.opened == []


def test_no_index_ends_with_4(cli: Cli) -> None:
    """Without the index that is named there is nothing to ask."""
    done = cli("evaluate", judged(cli), "--index", "poems")
    assert (done.code, done.out) == (4, "")
    assert "There is no index in" in done.err


def test_without_ir_measures_it_ends_with_5(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the optional part is missing, the command that installs it is named, before anything is encoded."""
    cli.index(QUOTES)
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    cli.opened.clear()
    done = cli("evaluate", judged(cli), "--model", "other", "--runs", "runs")
    assert (done.code, done.out) == (5, "")
    assert done.err == "quotefind: Evaluation needs ir-measures. To install it: pip install 'quotefind[train]'\n"
    assert cli.opened == []
    assert not Path("runs").exists()


def test_a_stale_index_is_refreshed(cli: Cli) -> None:
    """What is asked is what the sources hold now, which is told, unless --no-refresh asks for the index as it is."""
    source = cli.index(QUOTES)
    judged(cli, {"query": "king", "relevant": ["A king."]})
    write_records(source, [*QUOTES, {"text": "A king."}])
    os.utime(source, (2e9, 2e9))
    as_it_is = cli("evaluate", "judged.jsonl", "--no-refresh")
    assert (as_it_is.code, "no quote of this index has the id or the text 'A king.'" in as_it_is.err) == (3, True)
    done = cli("evaluate", "judged.jsonl", "--json")
    assert (done.code, done.json["quotes"]) == (0, 7)
    assert done.err == "quotefind: The index was out of date and has been refreshed: 1 added.\n"


def test_the_real_model_beats_chance_and_is_named(bundled_home: Path, tmp_path: Path) -> None:
    """With the real model a request in other words than the quote's is answered, by the cosine if not by words."""
    with open_index(bundled_home / "indexes" / "default") as index:
        model = index.manifest.model
    file = write_records(
        tmp_path / "judged.jsonl",
        [
            {
                "query": "a novel's opening on households that are glad and those that are not",
                "relevant": [
                    "Happy families are all alike; every unhappy family is unhappy in its own way.",
                ],
            }
        ],
    )
    done = run((sys.executable, "-m", "quotefind"), "evaluate", file, "--json", home=bundled_home)
    assert (done.code, done.err) == (0, "")
    assert done.json["model"] == model
    assert done.json["systems"][0]["measures"]["RR@10"]["mean"] >= 0.5
    assert done.json["topics"] == 1
