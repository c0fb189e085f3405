"""The formats for programs: CSV, TSV, JSON, JSON Lines."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotefind.corpus import BadRecord, ReadOptions, read_stream
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import guard_formula, normalise


def read(text: str, input_format: str, **options: str) -> list[Quote | BadRecord]:
    """Return the records of `text`."""
    data = text.encode("utf-8", "surrogatepass")
    return list(read_stream(io.BytesIO(data), "-", ReadOptions(input_format=input_format, **options)))


def one(text: str, input_format: str, **options: str) -> Quote:
    """Return the only record of `text`, a quote."""
    [record] = read(text, input_format, **options)
    assert isinstance(record, Quote)
    return record


def problem(text: str, input_format: str, **options: str) -> str:
    """Return where and what is wrong with the only record of `text`."""
    [record] = read(text, input_format, **options)
    assert isinstance(record, BadRecord)
    return f"{record.where}: {record.problem}"


@pytest.mark.parametrize("text", ["text", "Quote", " QUOTATION ", "content", "Highlight"])
@pytest.mark.parametrize(
    ("author", "work", "tags"),
    [
        ("author", "work", "tags"),
        ("By", "Source", "Themes"),
        ("by", "book", "topics"),
        ("BY", "title", "category"),
        ("Book Author", "Book Title", "tags"),
    ],
)
def test_columns_and_keys_are_found_under_their_usual_names(text: str, author: str, work: str, tags: str) -> None:
    """A header of a table and the keys of an object are read alike, in any order and case."""
    fields = {tags: "love, #life;love|", work: " The  Book ", text: "Know thyself", "id": "7", author: "Thales"}
    expected = Quote("Know thyself", "Thales", "The Book", None, ("love", "life"), "-")
    table = io.StringIO()
    csv.writer(table).writerows([fields.keys(), fields.values()])
    for input_format, written in (("csv", table.getvalue()), ("jsonl", json.dumps(fields))):
        quote = one(written, input_format)
        assert quote == Quote(**{**_as_dict(expected), "line": 2 if input_format == "csv" else 1})


def _as_dict(quote: Quote) -> dict[str, object]:
    return {name: getattr(quote, name) for name in Quote.__dataclass_fields__}


def test_the_first_usual_name_wins() -> None:
    """Where several usual names are there, their order in the table of names decides, not that of the file."""
    quote = one('{"title": "c", "quote": "b", "text": "a", "work": "d"}', "jsonl")
    assert (quote.text, quote.work) == ("a", "d")


def test_columns_can_be_named() -> None:
    """The column options are obeyed by tables and objects, and then the usual names do not count."""
    options = {
        "text_column": "Zitat",
        "author_column": "wer",
        "work_column": "wo",
        "year_column": "wann",
        "tags_column": "was",
        "note_column": "notiz",
    }
    expected = ("Erkenne dich", "Thales", "Sprüche", -600, ("selbst",), "gut")
    header = "text,zitat,Wer,wo,wann,was,Notiz\n"
    for quote in (
        one(header + "x,Erkenne dich,Thales,Sprüche,600 BC,selbst,gut\n", "csv", **options),
        one(
            '{"zitat": "Erkenne dich", "wer": "Thales", "wo": "Sprüche", "wann": -600, "was": ["selbst"], '
            '"notiz": "gut"}',
            "jsonl",
            **options,
        ),
    ):
        assert (quote.text, quote.author, quote.work, quote.year, quote.tags, quote.note) == expected


def test_a_column_that_is_missing_is_an_error_that_lists_the_columns() -> None:
    """A table or a file of objects without a text, or without a named column, is an error that names a way out."""
    with pytest.raises(
        SourceError,
        match=r"^-:1: no column holds the text; the columns are 'Satz', 'Nr'; add --text-column Satz; if its first "
        r"line is not a header, add one, such as quote,author$",
    ):
        read("Satz,Nr\nKnow thyself.,7\n", "csv")
    with pytest.raises(SourceError, match=r"^-:1: no column 'who'; the columns are 'text', 'author'$"):
        read("text,author\na,b\n", "csv", author_column="who")
    message = r"^-:1: no key holds the text; the keys are 'Satz', 'Wer'; add --text-column Satz --author-column Wer$"
    for input_format in ("json", "jsonl"):
        with pytest.raises(SourceError, match=message):
            read('{"Satz": "Know thyself, friend.", "Wer": "Thales"}', input_format)
        with pytest.raises(SourceError, match=r"^-:1: no key 'x'; the keys are 'text'; add --text-column text$"):
            read('{"text": "a"}', input_format, text_column="x")
    assert one('{"text": "a"}', "jsonl", author_column="x").author is None


def test_rows_are_counted_by_their_first_line() -> None:
    """Blank rows are skipped, short ones filled up, long ones bad, and quoted newlines counted."""
    rows = 'text,author,tags\n\n"two\nlines",Me\n,,\nshort\na,b,c,d\n,Me,\nlast,"Me"\n'
    records = read(rows, "csv")
    assert [(r.line, r.text, r.author) if isinstance(r, Quote) else (r.where, r.problem) for r in records] == [
        (3, "two\nlines", "Me"),
        (6, "short", None),
        ("-:7", "4 cells, expected 3; put a cell that holds the separator in quotation marks"),
        ("-:8", "the text is empty; expected the words of a quote"),
        (9, "last", "Me"),
    ]


def test_a_row_that_is_none_is_bad_and_reading_goes_on() -> None:
    """A quotation mark in the wrong place costs its row only; one that is never closed is named by its line."""
    records = read('text\n"a" b\nfine\n"never\nclosed\n', "csv")
    assert [r.text if isinstance(r, Quote) else r.where for r in records] == ["-:2", "fine", "-:4"]


def test_a_long_cell_is_read() -> None:
    """A cell may be longer than the 128 KiB at which the csv module stops by default."""
    assert len(one("text\n" + "word " * 40_000, "csv").text) == 199_999


@pytest.mark.parametrize(
    ("year", "expected"),
    [
        (1850, 1850),
        (-300, -300),
        (1850.0, 1850),
        ("1850", 1850),
        ("1850.0", 1850),
        (" -300 ", -300),
        ("300 BC", -300),
        ("300 BCE", -300),
        ("c. 1850", 1850),
        ("1999-03-01", 1999),
        ("1863-11-19T15:00:00Z", 1863),
        ("19/11/1863", 1863),
        ("November 19, 1863", 1863),
        ("44 B.C.", -44),
        (True, None),
        (1.5, None),
        (12345, None),
        ("1850-51", None),
        ("12345", None),
        ("", None),
        (None, None),
    ],
)
def test_years_are_taken_where_they_are_plain(year: object, expected: int | None) -> None:
    """A year is a whole number, a date, or a string that is plainly one; any other value is an unknown year."""
    assert one(json.dumps({"text": "a", "year": year}), "jsonl").year == expected


def test_empty_fields_are_unknown() -> None:
    """Null, blanks and empty lists mean that nothing is known."""
    quote = one('{"text": " “a” ", "author": "", "work": " ", "year": null, "tags": ["", " #", "b", "#b"]}', "jsonl")
    assert quote == Quote("a", tags=("b",), source="-", line=1)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("7", "found a number; expected a string or an object"),
        ("null", "found null; expected a string or an object"),
        ("[]", "found a list; expected a string or an object"),
        ('""', "the text is empty; expected the words of a quote"),
        ('{"text": null}', "the text is null; expected a string"),
        ('{"text": 7}', "the text is a number; expected a string"),
        ('{"text": {"a": 1}}', "the text is an object; expected a string"),
        ('{"text": "a\\u0000b"}', "holds a NUL character; expected text"),
        ('{"text": "a", "author": "\\ud800"}', "holds half of a surrogate pair; expected text"),
    ],
)
def test_values_of_the_wrong_kind_make_a_bad_record(record: str, expected: str) -> None:
    """JSON and JSON Lines say the same of a record that is no quote."""
    assert problem(record, "jsonl") == f"-:1: {expected}"
    assert problem(f"[\n{record}\n]", "json") == f"-:2: {expected}"


@pytest.mark.parametrize("line", ["{", "nonsense", '"a" "b"', "1" * 5000, "[" * 100_000, '{"text": "a\tb"}'])
def test_a_line_that_is_no_json_is_bad_and_reading_goes_on(line: str) -> None:
    """A bad line of JSON Lines costs that line only, whatever is wrong with it."""
    records = read(f'"a"\n\n{line}\n"b"\n', "jsonl")
    assert [r.text if isinstance(r, Quote) else r.where for r in records] == ["a", "-:3", "b"]


def test_an_escaped_pair_is_a_character() -> None:
    r"""The two halves \ud83d\ude00 that JSON makes of an emoji are one character."""
    assert one('"so \\ud83d\\ude00"', "jsonl").text == "so \N{GRINNING FACE}"


def test_elements_of_json_have_their_own_lines() -> None:
    """Each element is named by the line on which it begins, however the array is laid out."""
    text = '[\n  "a", "b",\n  {\n    "text": "c"\n  },\n\n  7,\n  "d\\n"\n]\n'
    lines = [r.line if isinstance(r, Quote) else r.where for r in read(text, "json")]
    assert lines == [2, 2, 3, "-:7", 8]


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 1, "quotes": [], "entries": ["Know thyself."]}',
        '{"anything": ["Know thyself and no more."], "numbers": [1, 2]}',
        '{"anything": [{"text": "Know thyself."}], "files": ["one file in a list of files"]}',
        '{"tags": ["x"], "quotes": ["Know thyself."], "data": ["y"]}',
        '{"status": "ok", "data": {"total": 1, "quotes": [{"quote": "Know thyself."}]}}',
        '{"text": "Know thyself.", "author": "Thales"}',
    ],
)
def test_the_array_of_an_object_is_found(text: str) -> None:
    """A list under a usual name is read, otherwise one of objects with texts or of sentences; or the object itself."""
    assert one(text, "json").text.startswith("Know thyself")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": ["x"], "b": ["y"]}', r"^-:1: no key holds the text; the keys are 'a', 'b'; expected a text, or a list"),
        ('{"a": 1}', "^-:1: no key holds the text; the keys are 'a'; expected"),
        ('{"name": "my-package", "files": ["dist", "src"], "keywords": ["one", "two words"]}', "no key holds the text"),
        ("{}", "the keys are none"),
        ("\n7", "^-:2: expected an array of strings or objects, or an object that holds one$"),
        ('[\n"a"\n"b"]', "^-:3: not valid JSON at column 1: Expecting ',' delimiter"),
        ('["a",]', "^-:1: not valid JSON at column 6: Expecting value"),
        ('[\n"a",', "^-:2: not valid JSON at column 5: Expecting value"),
        ('["a"', "^-:1: not valid JSON at column 5: Expecting ',' delimiter"),
        ('["a"]\n]', "^-:2: not valid JSON: expected the end, found ']'"),
        ('{"a": ["b"]} x', "expected the end"),
        ('{7: ["a"]}', "Expecting property name enclosed in double quotes"),
        ('{"a" ["a"]}', "Expecting ':' delimiter"),
        ("[" * 100_000, "^-:1: nested too deeply"),
        ("[" + "1" * 5000 + "]", "^-:1: cannot be read"),
    ],
)
def test_json_that_cannot_be_walked_is_an_error_at_its_line(text: str, message: str) -> None:
    """Where JSON breaks, nothing after it can be trusted, so the source is in error, with line and expectation."""
    with pytest.raises(SourceError, match=message):
        read(text, "json")


def _as_table(delimiter: str) -> Callable[[list[dict[str, object]]], str]:
    def write(records: list[dict[str, object]]) -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["text", "author", "year", "tags"])
        writer.writerows([guard_formula(str(r["text"])), r["author"], r["year"], "|".join(r["tags"])] for r in records)  # type: ignore[arg-type]
        return out.getvalue()

    return write


WRITERS: dict[str, Callable[[list[dict[str, object]]], str]] = {
    "csv": _as_table(","),
    "tsv": _as_table("\t"),
    "json": lambda records: json.dumps({"quotes": records}, indent=1),
    "jsonl": lambda records: "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records),
}
_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)
_QUOTE_TEXT = _TEXT.filter(lambda text: any(map(str.isalnum, normalise(text))))
_RECORD = st.fixed_dictionaries(
    {
        "text": _QUOTE_TEXT,
        "author": st.none() | st.sampled_from(["Jane Austen", "老子", 'Ed "Too\nTall" Jones', "a,b\tc"]),
        "year": st.none() | st.integers(-9999, 9999),
        "tags": st.lists(st.sampled_from(["love", "hope", "été"]), unique=True),
    }
)


@pytest.mark.parametrize("name", WRITERS)
@given(records=st.lists(_RECORD, max_size=4))
def test_records_come_back_as_they_were_written(name: str, records: list[dict[str, object]]) -> None:
    """Whatever is in the cells, newlines, quotation marks, separators, it comes back as a normalised quote."""
    found = read(WRITERS[name](records), name)
    expected = [
        (
            normalise(str(r["text"]), keep_lines=True),
            " ".join(str(r["author"]).split()) if r["author"] else None,
            r["year"],
            r["tags"],
        )
        for r in records
    ]
    assert [(q.text, q.author, q.year, list(q.tags)) for q in found if isinstance(q, Quote)] == expected
    assert len(found) == len(records)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "jsonl",
            '{"text": "One", "place": "ch. 2,  p. 91", "added": "2019-03-03 10:15:33"}\n'
            '{"text": "Two", "added": "May"}',
        ),
        ("csv", 'text,place,added\nOne,"ch. 2,  p. 91",2019-03-03 10:15:33\nTwo,,May'),
    ],
)
def test_place_and_day_are_read(name: str, text: str) -> None:
    """The keys or columns `place` and `added` are read; a day that is no date is left out."""
    assert [(q.place, q.added) for q in read(text, name) if isinstance(q, Quote)] == [
        ("ch. 2, p. 91", "2019-03-03T10:15:33"),
        (None, None),
    ]
