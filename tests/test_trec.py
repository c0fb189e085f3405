"""TREC's run files: those of `evaluate --runs`, and `find --format trec`."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

import ir_measures
import pytest
import pytrec_eval
from cli_tools import FAKE_PROGRAM, Cli, environment, run, run_on_terminal

from quotefind.errors import UsageError
from quotefind.training.evaluation import MEASURES, Result, System, evaluate
from quotefind.training.judgements import JudgedQuery
from quotefind.training.trec import make_directory, write_runs

QUOTES = [
    {"text": "Love and love.", "author": "Ann Ash"},
    {"text": "Love and war.", "author": "Zoë Birch"},
    {"text": "Love and war.", "author": "Ann Ash"},
    {"text": "War.", "author": "Carl Clay"},
    {"text": "The sea, the sea.", "author": "Carl Clay"},
]
QUERIES = [
    JudgedQuery("1", "a\tb\n c", {"d1": 2, "d2": 1}, topic="1"),
    JudgedQuery("2", "d", {"d3": 1}, topic="2"),
]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


def results_of(*names: str) -> list[Result]:
    """Return results of systems of these names, which found other quotes each."""
    return [Result(name, {}, {}, {"1": [f"d{number}"], "2": []}) for number, name in enumerate(names)]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a run or of judgements, which are separated by single blanks."""
    return [line.split(" ") for line in text.splitlines()]


# evaluate --runs


def test_the_files_are_what_trec_wants(tmp_path: Path) -> None:
    """Topics, judgements with their grades, and the run of each system stand in files of their own, one line each."""
    (result,) = evaluate([System("my system", lambda queries: [["d2", "x", "d1"], []][: len(queries)])], QUERIES)
    write_runs(tmp_path / "new" / "runs", QUERIES, [result])
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new" / "runs").iterdir()}
    assert written == {
        "topics.tsv": "1\ta b c\n2\td\n",
        "qrels.txt": "1 0 d1 2\n1 0 d2 1\n2 0 d3 1\n",
        "my-system.run": ("1 Q0 d2 1 1.000000 my-system\n1 Q0 x 2 0.500000 my-system\n1 Q0 d1 3 0.333333 my-system\n"),
    }


def test_trec_eval_finds_the_same_in_the_files(tmp_path: Path) -> None:
    """pytrec_eval and ir-measures, given the files alone, compute our means: ties, depth and grades are kept."""
    names = [f"{number:03x}" for number in range(120)]
    queries = [
        JudgedQuery(f"{number}.1", f"query {number}", {names[(7 * number + n) % 120]: 1 + n % 3 for n in range(9)}, "")
        for number in range(25)
    ]

    def rank(texts: list[str]) -> list[list[str]]:
        turns = [int(text.split()[1]) * 11 for text in texts]
        return [(names[turn % 120 :] + names[: turn % 120])[::-1][:100] for turn in turns]

    (result,) = evaluate([System("turned", rank)], queries)
    write_runs(tmp_path, queries, [result])
    with (tmp_path / "qrels.txt").open() as qrels, (tmp_path / "turned.run").open() as file:
        judged, ranked = pytrec_eval.parse_qrel(qrels), pytrec_eval.parse_run(file)
    values = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut_10", "recall_100"}).evaluate(ranked)
    assert len(values) == len(queries)
    for ours, theirs in (("nDCG@10", "ndcg_cut_10"), ("R@100", "recall_100")):
        mean = sum(value[theirs] for value in values.values()) / len(values)
        assert result.scores[ours].mean == pytest.approx(mean, abs=1e-12)
    aggregated = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(name) for name in MEASURES],
        list(ir_measures.read_trec_qrels(str(tmp_path / "qrels.txt"))),
        list(ir_measures.read_trec_run(str(tmp_path / "turned.run"))),
    )
    assert {name: score.mean for name, score in result.scores.items()} == pytest.approx(
        {str(name): value for name, value in aggregated.items()}, abs=1e-12
    )


@pytest.mark.parametrize(
    "names",
    [
        ("a/b cosine", "a-b cosine", "a b cosine"),
        ("same", "same", "same"),
        ("Model", "model", "model-2"),
        ("../../etc/passwd", "/", "", "..", "-", "\\"),
        ("/home/me/models/new cosine", "/home/me/models/old cosine", "C:\\models\\new hybrid"),
        ("été", "ete", "\x1b[31m", "a\nb", "a\tb", "[bold]", "*", "日本"),
        (f"{'long/' * 100}cosine", f"{'long/' * 100}hybrid", f"{'long/' * 99}cosine"),
    ],
)
def test_each_system_has_a_safe_file_of_its_own(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Whatever systems are called, their files lie in the directory, none is lost, and a run has six columns."""
    write_runs(tmp_path, QUERIES, results_of(*names))
    runs = sorted(tmp_path.glob("*.run"))
    assert len(runs) == len(names)
    assert len(list(tmp_path.iterdir())) == len(names) + 2
    assert len({path.name.lower() for path in runs}) == len(names)
    found = {rows(path.read_text(encoding="utf-8"))[0][2] for path in runs}
    assert found == {f"d{number}" for number in range(len(names))}
    for path in runs:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,110}\.run", path.name)
        assert [len(row) for row in rows(path.read_text(encoding="utf-8"))] == [6]
        assert rows(path.read_text(encoding="utf-8"))[0][5] == path.stem


def test_a_directory_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    """Where a file stands in the place of the directory, or of a run, the error names the directory."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=f"The runs cannot be written to {tmp_path / 'file'}: "):
        make_directory(tmp_path / "file")
    with pytest.raises(UsageError, match=f"The runs cannot be written to {tmp_path / 'file'}: "):
        write_runs(tmp_path / "file", QUERIES, [])
    (tmp_path / "runs" / "topics.tsv").mkdir(parents=True)
    with pytest.raises(UsageError, match=f"The runs cannot be written to {tmp_path / 'runs'}: Is a directory"):
        write_runs(tmp_path / "runs", QUERIES, [])


def test_files_are_written_anew(tmp_path: Path) -> None:
    """A second run into the same directory replaces what it writes, and keeps what is of others."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for _ in range(2):
        write_runs(tmp_path, QUERIES, results_of("a"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.run", "notes.txt", "qrels.txt", "topics.tsv"]
    assert (tmp_path / "a.run").read_text(encoding="utf-8") == "1 Q0 d0 1 1.000000 a\n"


# find --format trec


def test_one_request_is_number_1(cli: Cli) -> None:
    """The hits of one request are a run with six columns, under the number 1, their ids being those of the JSON."""
    cli.index(QUOTES)
    found = cli("find", "love", "-k", "3", "--format", "trec")
    hits = cli("find", "love", "-k", "3", "--format", "json").json
    assert (found.code, found.err) == (0, "")
    assert [row[:4] for row in rows(found.out)] == [["1", "Q0", hit["id"], str(hit["rank"])] for hit in hits]
    assert {row[5] for row in rows(found.out)} == {"quotefind"}


def test_the_score_is_the_cosine_but_for_ties(cli: Cli) -> None:
    """The score is the cosine to six digits; of equal ones each is a last digit lower, so that the order stays."""
    cli.index(QUOTES)
    hits = cli("find", "love war", "-k", "5", "--format", "json").json
    assert [hit["score"] for hit in hits] == [1, 1, 0.707107, 0.707107, 0]
    run_lines = rows(cli("find", "love war", "-k", "5", "--format", "trec").out)
    assert [row[4] for row in run_lines] == ["1.000000", "0.999999", "0.707107", "0.707106", "0.000000"]
    assert [row[2] for row in run_lines] == [hit["id"] for hit in hits]


@pytest.mark.parametrize("options", [[], ["--hybrid"], ["--diverse"], ["--one-per-author"], ["--hybrid", "--diverse"]])
def test_trec_eval_sees_our_order(cli: Cli, options: list[str]) -> None:
    """However hits are ranked, scores fall from hit to hit even in float32, far down, and among equal quotes."""
    cli.index({"text": "Love and war." if number % 2 else "Love.", "author": f"A{number}"} for number in range(2500))
    arguments = ["find", "love", "-k", "2500", *options]
    ours = [hit["id"] for hit in cli(*arguments, "--format", "json").json]
    ranked = pytrec_eval.parse_run(cli(*arguments, "--format", "trec").out.splitlines())["1"]
    assert len(ours) == len(ranked) == 2500
    assert sorted(ranked, key=lambda name: -ranked[name]) == ours
    assert len({f"{score:.6f}" for score in ranked.values()}) == 2500


def test_a_hybrid_run_is_in_its_order(cli: Cli) -> None:
    """Where the cosine did not make the order, the score is 1 / rank."""
    cli.index([{"text": "Of love."}, {"text": "Of love and turnips."}, {"text": "Love, love."}, {"text": "Sea."}])
    hits = cli("find", "love turnips", "--format", "json", "--hybrid").json
    found = rows(cli("find", "love turnips", "--format", "trec", "--hybrid").out)
    assert hits[0]["text"] == "Of love and turnips."
    assert [row[2] for row in found] == [hit["id"] for hit in hits]
    assert [row[4] for row in found] == ["1.000000", "0.500000", "0.333333", "0.250000"]


def test_requests_may_bring_their_numbers(cli: Cli) -> None:
    """What stands before a tab is the number and is not asked; a request without has its place for a number."""
    cli.index(QUOTES)
    asked = "301\tlove\n\nsea\nMB03 \t war\t time\n"
    found = cli("find", "-", "-k", "1", "--format", "trec", stdin=asked)
    hits = [cli("find", text, "-k", "1", "--format", "json").json[0]["id"] for text in ("love", "sea", "war\t time")]
    assert [(row[0], row[2]) for row in rows(found.out)] == list(zip(["301", "2", "MB03"], hits, strict=True))
    (cli.folder / "topics.tsv").write_text(asked, encoding="utf-8")
    assert cli("find", "--queries", "topics.tsv", "-k", "1", "--format", "trec").out == found.out
    assert (
        cli("find", "--queries", "topics.tsv", "--read0", "-k", "1", "--format", "trec").lines[0].startswith("301 Q0")
    )


def test_topics_of_evaluate_are_requests_of_find(cli: Cli, tmp_path: Path) -> None:
    """The topics that `evaluate --runs` writes, asked by `find`, give the run that it wrote."""
    cli.index([*QUOTES, *({"text": f"Love {number}.", "tags": ["love"]} for number in range(8))])
    assert cli("evaluate", "--from-tags", "--runs", tmp_path / "runs", "--quiet").code == 0
    for system, options in (("cosine", []), ("hybrid", ["--hybrid"])):
        found = cli("find", "--queries", tmp_path / "runs" / "topics.tsv", "-k", "100", "--format", "trec", *options)
        written = (tmp_path / "runs" / f"{system}.run").read_text(encoding="utf-8")
        assert [row[:4] for row in rows(found.out)] == [row[:4] for row in rows(written)]


def test_numbers_count_over_batches_and_requests_without_hits(cli: Cli) -> None:
    """What was asked is counted, not what was found, through all batches of 256; the encoder is opened once."""
    cli.index(QUOTES)
    words = ["sea" if number % 3 == 0 else f"nothing{number}" for number in range(1, 701)]
    cli.opened.clear()
    asked = "\n".join(words)
    found = cli("find", "-", "-k", "1", "--min-score", "0.9", "--format", "trec", stdin=asked)
    assert (found.code, found.err) == (0, "")
    assert [row[0] for row in rows(found.out)] == [str(number) for number in range(3, 701, 3)]
    assert len(cli.opened) == 1


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("1\tlove\n1\twar\n", "Two queries have the number 1"),
        ("2\tlove\nwar\n", "Two queries have the number 2"),
        ("topic 1\tlove\n", "must be the number of the query, a single word: 'topic 1'"),
        ("\x1b[31m7\tlove\n", r"a single word: '\x1b[31m7'"),
        ("a\u202e\tlove\n", r"a single word: 'a\u202e'"),
        ("a\x0bb\tlove\n", r"a single word: 'a\x0bb'"),
    ],
)
def test_a_number_that_would_spoil_the_run_is_refused(cli: Cli, asked: str, says: str) -> None:
    """A number that is given twice, or is not one printable word, is an error, and nothing of it is written."""
    cli.index(QUOTES)
    found = cli("find", "-", "-k", "1", "--format", "trec", stdin=asked)
    assert (found.code, found.out) == (3, "")
    assert says in found.err
    assert "\x1b" not in found.err


def test_numbers_are_compared_over_batches(cli: Cli) -> None:
    """A number that comes again in a later batch is found too."""
    cli.index(QUOTES)
    asked = "".join(f"{number}\tlove\n" for number in (*range(300), 7))
    found = cli("find", "-", "-k", "1", "--format", "trec", stdin=asked)
    assert (found.code, "Two queries have the number 7" in found.err) == (3, True)


def test_nothing_found_ends_with_1(cli: Cli) -> None:
    """A run without hits is empty, and the exit code says that nothing was found."""
    cli.index(QUOTES)
    found = cli("find", "hope", "--min-score", "0.9", "--format", "trec")
    assert (found.code, found.out, found.err) == (1, "", "quotefind: nothing found with these filters\n")


def test_like_needs_no_words(cli: Cli) -> None:
    """--like alone is a request like any other."""
    cli.index(QUOTES)
    found = cli("find", "--like", "War.", "-k", "2", "--format", "trec")
    assert [row[0] for row in rows(found.out)] == ["1", "1"]


def test_an_answer_comes_as_soon_as_it_is_asked(cli: Cli) -> None:
    """A program that writes one request and waits gets its lines at once, before it writes the next one."""
    cli.index(QUOTES)
    process = subprocess.Popen(
        [*FAKE_PROGRAM, "find", "-", "-k", "1", "--format", "trec"],
        env=environment(cli.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stop = threading.Timer(60, process.kill)
    stop.start()
    try:
        for number in ("11", "12"):
            process.stdin.write(f"{number}\tlove\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().startswith(f"{number} Q0 ".encode())
        process.communicate()
    finally:
        stop.cancel()
    assert process.returncode == 0


def test_a_run_is_the_same_on_a_terminal(cli: Cli) -> None:
    """A run is for programs: a terminal gets it as a pipe does, without colours."""
    cli.index(QUOTES)
    piped = run(FAKE_PROGRAM, "find", "love", "--format", "trec", home=cli.home)
    assert run_on_terminal(FAKE_PROGRAM, "find", "love", "--format", "trec", home=cli.home) == (0, piped.out)


@pytest.mark.parametrize(
    "arguments",
    [["pair"], ["pair", "love"], ["pair", "love", "war"], ["pair", "a", "b", "c"], ["pair", "--pairs", "pairs.tsv"]],
)
def test_pair_writes_no_runs(cli: Cli, arguments: list[str]) -> None:
    """A run holds rankings, which pairs are not: refused before anything is opened."""
    done = cli(*arguments, "--format", "trec")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "quotefind: --format trec works with find only, because it holds rankings.\n",
    )
    assert cli.opened == []
