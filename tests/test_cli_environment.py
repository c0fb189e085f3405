"""Defaults that the environment gives: below the flags, and never out of place."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tools import Cli, write_records

from quotefind.paths import index_argument, index_location

QUOTES = [{"text": f"Love {number}.", "author": "Ann"} for number in range(6)]
QUOTES += [{"text": "Love looks not with the eyes, but with the mind.", "author": name} for name in ("Ann", "Bea")]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Commands with a default index of eight quotes, and one called poems of two."""
    made = Cli(tmp_path, monkeypatch)
    made.index(QUOTES)
    source = write_records(tmp_path / "poems.jsonl", [{"text": "Hope."}, {"text": "Hope and hope and love."}])
    assert made("index", source, "--index", "poems", "--quiet").code == 0
    return made


def test_the_index_of_the_environment_is_below_the_flag(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """QUOTEFIND_INDEX names the index of every command that has --index, which stands above it; empty, it is none."""
    monkeypatch.setenv("QUOTEFIND_INDEX", "poems")
    assert cli("info", "--json").json["quotes"] == 2
    assert cli("find", "love").lines == ["Hope and hope and love.", "Hope."]
    assert cli("info", "--json", "--index", "default").json["quotes"] == 8
    monkeypatch.setenv("QUOTEFIND_INDEX", "")
    assert cli("info", "--json").json["quotes"] == 8


def test_commands_in_messages_name_the_index_where_the_environment_names_another(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that a message tells is the right one under the environment in which it is told."""
    default, poems = index_location("default"), index_location("poems")
    assert (index_argument(default), index_argument(poems)) == ("", " --index poems")
    monkeypatch.setenv("QUOTEFIND_INDEX", "poems")
    assert (index_argument(default), index_argument(poems)) == (" --index default", "")
    monkeypatch.setenv("QUOTEFIND_INDEX", "./nosuch")
    assert cli("info").err.rstrip().endswith("To make it: quotefind index SOURCE…")


def test_the_number_of_the_environment_is_below_the_flag(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """QUOTEFIND_TOP is how many hits of find and pairs of pair are shown; -k stands above it."""
    monkeypatch.setenv("QUOTEFIND_TOP", "2")
    assert len(cli("find", "love").lines) == 2
    assert len(cli("find", "love", "-k", "3").lines) == 3
    assert len(cli("pair").lines) == 2
    assert len(cli("pair", "love").lines) == 2
    assert len(cli("pair", "-k", "4").lines) == 4


def test_the_number_of_the_environment_is_for_hits_and_pairs_alone(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where -k means something else, or would be refused, QUOTEFIND_TOP means nothing."""
    whole = cli("pair", "--conflicts", "--format", "jsonl").out
    assert whole.count("\n") >= 1
    monkeypatch.setenv("QUOTEFIND_TOP", "1")
    monkeypatch.setenv("QUOTEFIND_INDEX", "default")
    assert cli("pair", "--conflicts", "--format", "jsonl").out == whole
    assert cli("pair", "love", "hope").code == 0
    assert cli("pair", "--top", "3", "love", "hope").code == 2
    assert cli("pair", "--index", "default", "love", "hope").code == 2
    (cli.folder / "pairs.tsv").write_text("Love.\tHope.\n")
    assert cli("pair", "--pairs", "pairs.tsv").code == 0
    assert cli("tag", "--forget").code in (0, 1)


def test_the_format_of_the_environment_is_below_the_flag(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """QUOTEFIND_FORMAT is how results are written; --format stands above it."""
    monkeypatch.setenv("QUOTEFIND_FORMAT", "json")
    assert [hit["rank"] for hit in cli("find", "love", "-k", "2").json] == [1, 2]
    assert cli("find", "love", "-k", "1", "--format", "plain").lines == ["Love 0. — Ann"]
    assert cli("pair", "love", "hope").json[0]["score"] == 0
    assert cli("topics").json[0]["size"] == len(QUOTES)
    assert cli("find", "-", "-k", "1", stdin="love\nhope\n").json[1]["query"] == "hope"


@pytest.mark.parametrize("style", ["table", "plain", "markdown", "trec"])
def test_a_format_that_a_command_cannot_write_is_no_default_there(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    """What the environment says is passed over where it does not fit; on the command line it is refused."""
    (cli.folder / "pairs.tsv").write_text("Love.\tHope.\n")
    usual = cli("pair", "--pairs", "pairs.tsv").out
    monkeypatch.setenv("QUOTEFIND_FORMAT", style)
    assert cli("pair", "--pairs", "pairs.tsv").out == usual
    assert cli("pair", "--pairs", "pairs.tsv", "--format", style).code == 2
    assert cli("tag", "--forget").code in (0, 1)
    assert cli("tag", "--forget", "--format", "json").code == 2
    for command in (["pair"], ["topics"], ["pair", "--conflicts"]):
        assert cli(*command).code == 0
        assert (cli(*command, "--format", style).code == 2) == (style == "trec")
    assert cli("find", "love").code == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("QUOTEFIND_TOP", "many"), ("QUOTEFIND_TOP", "0"), ("QUOTEFIND_FORMAT", "xml"), ("QUOTEFIND_INDEX", " ")],
)
def test_a_wrong_value_is_wrong_usage(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that cannot be used is refused as on the command line, and the message names the variable."""
    monkeypatch.setenv(name, value)
    done = cli("find", "love")
    assert (done.code, done.out) == (2, ""), done
    assert name in done.err


def test_help_names_the_variables(cli: Cli) -> None:
    """--help says which variable gives the default of an option."""
    said = cli("find", "--help").out
    for name in ("QUOTEFIND_INDEX", "QUOTEFIND_FORMAT", "QUOTEFIND_TOP"):
        assert name in said
    assert "QUOTEFIND_TOP" not in cli("tag", "--help").out
