"""`quotefind formats`, what a format that is not known gets, and mappings that are saved with a source."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from cli_tools import Cli

from quotefind.cli.formats import FORMAT_KEYS
from quotefind.corpus import FORMATS, ReadOptions, read_stream
from quotefind.corpus.examples import EXAMPLES
from quotefind.records import Quote


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The program with a fake encoder, in an empty directory."""
    return Cli(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if not entry.binary])
def test_every_example_is_read_as_what_it_is_an_example_of(name: str) -> None:
    """The example of a format that holds text is read by its reader, with an author where the format has one."""
    found = list(read_stream(io.BytesIO(EXAMPLES[name].encode()), "-", ReadOptions(input_format=name)))
    assert all(isinstance(record, Quote) for record in found)
    first = found[0]
    assert isinstance(first, Quote)
    assert (first.text, first.author) == ("Know thyself.", None if name == "calibre" else "Thales")


def test_every_format_has_an_example() -> None:
    """The examples are those of the table, in its order; of what is no text it is the command that reads it."""
    assert list(EXAMPLES) == list(FORMATS)
    assert [name for name in FORMATS if EXAMPLES[name].startswith("$ quotefind index ")] == [
        "apple-books",
        "kobo",
        "parquet",
        "arrow",
    ]


def test_formats_are_listed_for_programs(cli: Cli) -> None:
    """JSON holds name, files, description and example of each, in this order; plain lines hold the same."""
    done = cli("formats", "--format", "json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert [tuple(record) for record in found] == [FORMAT_KEYS] * len(FORMATS)
    assert [record["name"] for record in found] == list(FORMATS)
    kindle = next(record for record in found if record["name"] == "kindle")
    assert kindle["files"][0] == "My Clippings*.txt"
    assert kindle["example"] == EXAMPLES["kindle"]
    lines = cli("formats").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == list(FORMATS)
    assert all(len(line.split("\t")) == len(FORMAT_KEYS) for line in lines)


@pytest.mark.parametrize("style", ["csv", "tsv", "jsonl", "markdown", "table"])
def test_formats_are_listed_in_every_style(cli: Cli, style: str) -> None:
    """Each other style names every format and shows an example."""
    done = cli("formats", "-f", style)
    assert done.code == 0
    assert [name for name in FORMATS if name not in done.out] == []
    assert "Know thyself." in done.out


def test_formats_are_no_rankings(cli: Cli) -> None:
    """A run file of formats is wrong usage."""
    done = cli("formats", "--format", "trec")
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (
            "quotes.XLSX",
            "a spreadsheet cannot be read; save it as CSV; if its columns have unusual names, add --text-co",
        ),
        ("notes.docx", "a text document cannot be read; save it as plain text, one quote per line"),
        ("notes.pdf", "a PDF cannot be read; copy the quotes into a text file, one per line"),
        ("walden.epub", "a book cannot be read; export your highlights from the reading app and index that file"),
        ("all.zip", "an archive cannot be read; unpack it and index its files"),
        ("page.jpg", "a picture cannot be read; type the quotes into a text file, one per line"),
    ],
)
def test_a_file_that_is_not_read_gets_a_sentence_that_says_what_to_do(cli: Cli, name: str, advice: str) -> None:
    """Documents, books and archives are common mistakes, so each is named with the way out."""
    Path(name).write_text("x")
    done = cli("index", name)
    assert (done.code, f"{name}: {advice}" in done.err) == (3, True)


def test_an_unknown_file_gets_a_message_that_says_how_to_map_it(cli: Cli) -> None:
    """A suffix that is not known, or a table without a column of texts: what there is, and the options that help."""
    Path("notes.log").write_text("x")
    done = cli("index", "notes.log")
    assert done.code == 3
    assert "add --input-format NAME, such as txt (one quote per line)" in done.err
    Path("quotes.csv").write_text("Worte;Wer\nlove is love;Me\n")
    done = cli("index", "quotes.csv")
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "the columns are 'Worte', 'Wer'; add --text-column Worte --author-column Wer; if its" in done.err
    done = cli("index", "quotes.csv", "--text-column", "Worte", "--author-column", "Wer")
    assert (done.code, "quotes.csv: cells are separated by semicolon (1 in the header)" in done.err) == (0, True)
    assert "quotes.csv: text from 'Worte', author from 'Wer'\n" in done.err
    done = cli("index", "quotes.csv", "--input-format", "spreadsheet")
    assert done.code == 2
    assert "the formats are txt, " in done.err


def test_a_mapping_is_saved_with_its_source(cli: Cli) -> None:
    """A refresh reads a table with the columns that were said when it was indexed, whatever came since."""
    path = Path("quotes.csv")
    mapping = ("--delimiter", ";", "--text-column", "Zitat", "--author-column", "Wer", "--tags-column", "Thema")
    path.write_text("Nr;Zitat;Wer;Thema\n1;love is love;Ich;Liebe\n")
    assert cli("index", "quotes.csv", *mapping).code == 0
    Path("other.csv").write_text("quote,author\nthe sea,Me\n")
    assert cli("index", "other.csv").code == 0
    path.write_text("Nr;Wer;Thema;Zitat\n1;Ich;Liebe;love is love\n2;Du;See;the sea is love\n")
    assert cli("index").code == 0
    [hit] = json.loads(cli("find", "love", "--author", "Du", "--format", "json").out)
    assert (hit["text"], hit["author"], hit["tags"]) == ("the sea is love", "Du", ["See"])
    path.write_text("Nr;Text;Wer\n1;love;Ich\n")
    done = cli("index")
    assert done.code == 3
    assert "quotes.csv:1: no column 'Zitat'; the columns are 'Nr', 'Text', 'Wer'" in done.err
