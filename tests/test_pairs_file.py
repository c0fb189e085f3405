"""Pairs to train with, read from files: columns, formats, splits, and what is wrong with a row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotefind.errors import SourceError, UsageError
from quotefind.text import normalise
from quotefind.training.pairs_file import TrainingPair, read_pairs

COLUMNS = [("sentence_0", "sentence_1"), ("query", "quote"), ("anchor", "positive")]
TEXTS = [("quotes about hope", "Hope is the thing with feathers."), ("the sea", "The sea is everything, and more.")]
ROW = b'{"query": "hope", "quote": "Hope."'


def written(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]], *, end: str = "\n") -> Path:
    """Write `rows` in the format that the suffix of `path` says; return the path."""
    if path.suffix in (".jsonl", ".ndjson"):
        text = "".join(json.dumps(dict(zip(columns, row, strict=True))) + end for row in rows)
    else:
        stream = io.StringIO()
        delimiter = "\t" if path.suffix == ".tsv" else ","
        writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerows([columns, *rows])
        text = stream.getvalue()
    path.write_bytes(text.encode())
    return path


def one(folder: Path, **values: object) -> TrainingPair:
    """Read the one pair that a row of JSON with these values beside its two texts makes."""
    path = folder / "one.jsonl"
    path.write_text(json.dumps({"query": "hope", "quote": "Hope.", "split": "train", **values}), encoding="utf-8")
    (pair,) = read_pairs(path)
    return pair


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson", "csv", "tsv"])
@pytest.mark.parametrize("columns", COLUMNS, ids="-".join)
def test_every_format_and_every_pair_of_names(tmp_path: Path, suffix: str, columns: tuple[str, str]) -> None:
    """The texts come from the two named columns, in order, wherever these stand and whatever stands beside them."""
    path = written(
        tmp_path / f"pairs.{suffix}", ["id", columns[1], "note", columns[0]], [("1", b, "", a) for a, b in TEXTS]
    )
    assert read_pairs(path, held_out=0) == [TrainingPair(*texts) for texts in TEXTS]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv"])
def test_a_byte_order_mark_and_foreign_line_ends(tmp_path: Path, suffix: str) -> None:
    """A mark at the beginning is no part of the first column, a carriage return none of the last."""
    path = written(tmp_path / f"pairs.{suffix}", COLUMNS[1], TEXTS, end="\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_pairs(path, held_out=0) == [TrainingPair(*texts) for texts in TEXTS]


def test_the_format_can_be_said(tmp_path: Path) -> None:
    """`input_format` counts, whatever the name of the file says; a name that says nothing is a usage error."""
    path = written(tmp_path / "pairs.csv", COLUMNS[0], TEXTS).rename(tmp_path / "pairs.txt")
    with pytest.raises(UsageError, match=r"tsv, csv or jsonl.*--input-format"):
        read_pairs(path)
    assert len(read_pairs(path, input_format="csv")) == 2


def test_texts_are_normalised(tmp_path: Path) -> None:
    """Texts come in NFC, their white space folded, the quotation marks around them dropped."""
    assert one(tmp_path, query="  cafe\u0301\t au\nlait ", quote="“Hope.”") == TrainingPair("café au lait", "Hope.")


@pytest.mark.parametrize(
    ("values", "negatives"),
    [
        ({}, ()),
        ({"negative": "War, and fear."}, ("War, and fear.",)),
        ({"negative_1": "War.", "negative_2": " Fear. ", "negative_10": ""}, ("War.", "Fear.")),
        ({"negatives": ["War, and fear.", "“Dust.”", ""]}, ("War, and fear.", "Dust.")),
        ({"negatives": "War, and fear."}, ("War, and fear.",)),
        ({"negatives": None, "negative": None}, ()),
        ({"negatives": [], "negative_x": "no", "not_negative": "no"}, ()),
    ],
)
def test_negatives(tmp_path: Path, values: dict[str, object], negatives: tuple[str, ...]) -> None:
    """Negatives come from `negative`, `negative_1`… and the list `negatives`; a text with commas is one."""
    assert one(tmp_path, **values).negatives == negatives


def test_negatives_in_a_table(tmp_path: Path) -> None:
    """A table holds a negative a column, or one in `negatives`, commas and all."""
    path = written(
        tmp_path / "pairs.csv",
        ["query", "quote", "negative_1", "negatives"],
        [("hope", "Hope.", "War, and fear.", "Dust, a lot."), ("sea", "The sea.", "War.", "Dust.")],
    )
    assert [pair.negatives for pair in read_pairs(path)] == [("War, and fear.", "Dust, a lot."), ("War.", "Dust.")]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (None, set()),
        ("", set()),
        ([], set()),
        (["Hope", " growing  OLDER ", "", "hope"], {"hope", "growing older"}),
        ("Hope, growing older", {"hope", "growing older"}),
        ("hope; Fear|#dust,", {"hope", "fear", "dust"}),
        ("Straße", {"strasse"}),
    ],
)
def test_tags(tmp_path: Path, tags: object, expected: set[str]) -> None:
    """Tags are a list, or a text with commas, semicolons or bars between them, as in a source; case does not matter."""
    assert one(tmp_path, tags=tags).tags == expected


@pytest.mark.parametrize(
    ("tag", "expected"), [(None, None), ("", None), ("  ", None), (" Growing \n OLDER", "growing older")]
)
def test_a_tag(tmp_path: Path, tag: object, expected: str | None) -> None:
    """A tag is compared without case and without superfluous blanks; an empty one is none."""
    assert one(tmp_path, tag=tag).tag == expected


@pytest.mark.parametrize(
    ("name", "held_out"),
    [
        *((name, False) for name in ("train", "training")),
        *((name, True) for name in ("held-out", "heldout", "dev", "validation", "eval", "test")),
    ],
)
def test_the_names_of_a_split(tmp_path: Path, name: str, held_out: bool) -> None:
    """The usual names of a split say what is held out, whatever share would be."""
    path = written(tmp_path / "pairs.csv", ["query", "quote", "split"], [("a", "A.", "train"), ("b", "B.", name)])
    for share in (0.0, 0.9):
        assert [pair.held_out for pair in read_pairs(path, held_out=share)] == [False, held_out]


def test_without_a_split_a_share_of_the_quotes_is_held_out(tmp_path: Path) -> None:
    """The share is of quotes, not of rows; the same are held out in another order, and among others."""
    rows = [(f"request {n}", f"Quote {n % 500}.") for n in range(1000)]
    pairs = read_pairs(written(tmp_path / "a.jsonl", COLUMNS[1], rows), held_out=0.2)
    held_out = {pair.quote for pair in pairs if pair.held_out}
    assert 70 <= len(held_out) <= 130
    assert held_out.isdisjoint(pair.quote for pair in pairs if not pair.held_out)
    other = read_pairs(written(tmp_path / "b.csv", COLUMNS[0], rows[600:200:-1]), held_out=0.2)
    assert {pair.quote for pair in other if pair.held_out} == held_out & {pair.quote for pair in other}
    smaller = read_pairs(tmp_path / "a.jsonl", held_out=0.1)
    assert {pair.quote for pair in smaller if pair.held_out} < held_out
    assert not any(pair.held_out for pair in read_pairs(tmp_path / "a.jsonl", held_out=0))


GOOD = ROW + b"}\n"
BAD_LINES = {
    "not JSON": (b"nonsense", "not JSON"),
    "cut": (ROW, "not JSON"),
    "a text": (b'"hope"', "expected an object or array with two texts"),
    "one column": (b'{"query": "hope"}', "expected an object or array with two texts"),
    "other columns": (b'{"request": "hope", "answer": "Hope."}', "expected the columns.*found request, answer"),
    "an array": (b'["hope", "Hope."]', "expected the columns.*found column_1, column_2"),
    "half of the columns": (b'{"query": "hope", "positive": "Hope."}', "expected the columns.*found query, positive"),
    "an empty request": (b'{"query": " ", "quote": "Hope."}', "expected a text in 'query'"),
    "an empty quote": (b'{"query": "hope", "quote": ""}', "expected a text in 'quote'"),
    "no quote": (b'{"query": "hope", "quote": null}', "expected a text in 'quote'"),
    "a number": (b'{"query": 7, "quote": "Hope."}', "expected a text in 'query'"),
    "a lone surrogate": (b'{"query": "hope", "quote": "\\ud800"}', "'quote' is not valid UTF-8"),
    "Latin-1": (b'{"query": "caf\xe9", "quote": "Hope."}', "'query' is not valid UTF-8"),
    "a surrogate negative": (ROW + b', "negative": "\\udfff"}', "'negative' is not valid UTF-8"),
    "a Latin-1 negative": (ROW + b', "negatives": ["War.", "caf\xe9"]}', "'negatives' is not valid UTF-8"),
    "a surrogate tag": (ROW + b', "tag": "\\ud800"}', "'tag' is not valid UTF-8"),
    "a surrogate among tags": (ROW + b', "tags": ["hope", "\\ud800"]}', "'tags' is not valid UTF-8"),
    "a number as negative": (ROW + b', "negative_1": 7}', "expected a text in 'negative_1'"),
    "an object as negatives": (ROW + b', "negatives": {"a": "b"}}', "expected a text in 'negatives'"),
    "a number in the negatives": (ROW + b', "negatives": [7]}', "expected a text in 'negatives'"),
    "the quote as negative": (ROW + b', "negatives": ["War.", " HOPE."]}', "the quote is among its own negatives"),
    "one negative more": (ROW + b', "negative": "War."}', r"expected as many negatives.*first row \(0\), found 1"),
    "a list as tag": (ROW + b', "tag": ["hope"]}', "expected a text in 'tag'"),
    "a number as tags": (ROW + b', "tags": 7}', "the tags are a number; expected a list of strings or one string"),
    "a number in the tags": (ROW + b', "tags": ["a", 7]}', "a tag is a number; expected a string"),
    "another split": (ROW + b', "split": "Hold-out"}', "unknown split 'Hold-out'; expected train or held-out"),
    "a list as split": (ROW + b', "split": ["train"]}', r"unknown split \['train'\]; expected train or held-out"),
    "a split here only": (ROW + b', "split": "train"}', "only some rows have a split"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_of_json(tmp_path: Path, name: str) -> None:
    """A line that is no pair is an error that names file and line and says what was expected."""
    path = tmp_path / "pairs.jsonl"
    line, message = BAD_LINES[name]
    path.write_bytes(GOOD + b"\n" + line + b"\n" + GOOD)
    with pytest.raises(SourceError, match=rf"^{path}:3: {message}"):
        read_pairs(path)


def test_a_split_that_ends(tmp_path: Path) -> None:
    """A row without split behind rows that have one is an error, too."""
    path = written(tmp_path / "pairs.csv", ["query", "quote", "split"], [("a", "A.", "train"), ("b", "B.", "")])
    with pytest.raises(SourceError, match=rf"^{path}:3: only some rows have a split"):
        read_pairs(path)


BAD_TABLES = {
    "no header": (b"quotes about hope,Hope is.\n", 1, "expected the columns.*found column_1, column_2"),
    "an unknown header": (b"request,answer\nhope,Hope.\n", 2, "expected the columns.*found request, answer"),
    "one column": (b"query\nhope\n", 1, "expected two columns, found 1"),
    "a cell too many": (b"query,quote\nhope,Hope.\nsea,The sea, it is.\n", 3, "expected 2 columns, found 3"),
    "a cell too few": (b"query,quote\nhope\n", 2, "expected a text in 'quote'"),
    "an empty cell": (b"query,quote\nhope,Hope.\n\nsea,\n", 4, "expected a text in 'quote'"),
    "behind lines in a cell": (b'query,quote\n"hope\nand",Hope.\n"sea\nand",\n', 4, "expected a text in 'quote'"),
    "a cell without end": (b'query,quote\nhope,"' + b"x" * 140_000 + b"\n", 2, "not a CSV row"),
    "Latin-1": (b"query,quote\nhope,caf\xe9\n", 2, "'quote' is not valid UTF-8"),
    "a Latin-1 negative": (b"query,quote,negative\nhope,Hope.,caf\xe9\n", 2, "'negative' is not valid UTF-8"),
    "a Latin-1 tag": (b"query,quote,tags\nhope,Hope.,caf\xe9\n", 2, "'tags' is not valid UTF-8"),
    "a negative missing": (b"query,quote,negative\na,A.,B.\nc,C.,\n", 3, r"expected as many negatives.*\(1\), found 0"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_row_of_a_table(tmp_path: Path, name: str) -> None:
    """A row that is no pair is an error that names file and line, that of its beginning, and says what was expected."""
    path = tmp_path / "pairs.csv"
    data, line, message = BAD_TABLES[name]
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"^{path}:{line}: {message}"):
        read_pairs(path)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"query,quote\n", b"query,quote,split\na,A.,dev\nb,B.,test\n"])
def test_nothing_to_train_with(tmp_path: Path, data: bytes) -> None:
    """A file without pairs, or of which all are held out, is an error that names it."""
    path = tmp_path / "pairs.csv"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=f"^{path}: no pairs to train with"):
        read_pairs(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, and a folder, are errors that name them and say why."""
    with pytest.raises(SourceError, match=f"{tmp_path}/none.jsonl cannot be read: No such file"):
        read_pairs(tmp_path / "none.jsonl")
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        read_pairs(tmp_path, input_format="csv")


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(normalise)


@given(rows=st.lists(st.tuples(words, words), min_size=1), suffix=st.sampled_from(["jsonl", "csv", "tsv"]))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], suffix: str
) -> None:
    """Whatever two texts a row holds, in whatever format, they are read, normalised, in the order of the file."""
    path = written(tmp_path_factory.getbasetemp() / f"any.{suffix}", COLUMNS[1], rows)
    assert [(pair.query, pair.quote) for pair in read_pairs(path, held_out=0)] == [
        (normalise(a), normalise(b)) for a, b in rows
    ]
