"""The formats for programs: CSV, TSV, JSON, JSON Lines."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotefind.corpus import BadRecord, ReadOptions, Remark, read_stream
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import guard_formula, normalise, quote_id


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


# What people's files look like: keys of many languages, nested layouts, values of every kind.

FACTS = ("text", "author", "work", "year", "tags", "note", "place", "added")


def facts(text: str, input_format: str, **options: str) -> list[dict[str, object]]:
    """Return what is known of each quote in `text`, in which nothing is bad."""
    found = read(text, input_format, **options)
    assert [record for record in found if isinstance(record, BadRecord)] == []
    return [
        {name: value for name in FACTS if (value := getattr(quote, name)) not in (None, ())}
        for quote in found
        if isinstance(quote, Quote)
    ]


def remarks(text: str, input_format: str | None = None) -> list[str]:
    """Return what is said of a whole file that holds `text`."""
    told: list[Remark] = []
    options = ReadOptions(input_format=input_format)
    assert list(read_stream(io.BytesIO(text.encode()), "a", options, tell=told.append))
    return [remark.text for remark in told]


@pytest.mark.parametrize(
    "keys",
    [
        ("quoteText", "quoteAuthor"),
        ("quote_text", "author_name"),
        ("Quote-Text", "AUTHOR"),
        ("q", "a"),
        ("body", "attribution"),
        ("content", "authors"),
        ("en", "author"),
        ("hitokoto", "from_who"),
        ("Zitat", "Autor"),
        ("citation", "auteur"),
        ("cita", "autor"),
        ("Citazione", "Autore"),
        ("Citação", "autor"),
        ("citaat", "auteur"),
        ("CYTAT", "Autor"),
        ("Цитата", "Автор"),
        ("名言", "作者"),
        ("言葉", "著者"),
        ("명언", "저자"),
        ("söz", "yazar"),
    ],
)
@pytest.mark.parametrize("input_format", ["json", "csv", "yaml"])
def test_text_and_author_are_known_in_many_languages(keys: tuple[str, str], input_format: str) -> None:
    """Keys and columns are compared without case, accents and marks between their words."""
    text, author = keys
    written = {
        "json": json.dumps([{"id": 1, text: "Know thyself.", author: "Thales"}]),
        "csv": f"id,{text},{author}\n1,Know thyself.,Thales\n",
        "yaml": f"- id: 1\n  {text}: Know thyself.\n  {author}: Thales\n",
    }
    assert facts(written[input_format], input_format) == [{"text": "Know thyself.", "author": "Thales"}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"author": {"id": 1, "name": "Jane Example"}}, {"author": "Jane Example"}),
        ({"author": {"firstName": "Jane", "lastName": "Example"}}, {"author": "Jane Example"}),
        ({"author": ["Jane", "John"]}, {"author": "Jane, John"}),
        ({"authors": [{"name": "Jane"}, {"name": "John"}]}, {"author": "Jane, John"}),
        ({"author": "Marx &amp; Engels"}, {"author": "Marx & Engels"}),
        ({"anime": "Naruto", "character": "Iruka"}, {"author": "Iruka", "work": "Naruto"}),
        ({"author": "null"}, {}),
        ({"author": "N/A"}, {}),
        ({"book_title": "T"}, {"work": "T"}),
        ({"bookTitle": "T"}, {"work": "T"}),
        ({"book": {"title": "T", "isbn": 7}}, {"work": "T"}),
        ({"source": 1984}, {"work": "1984"}),
        ({"tags": [{"id": 1, "name": "writing"}, {"name": "art"}]}, {"tags": ("writing", "art")}),
        ({"tags": {"name": "writing"}}, {"tags": ("writing",)}),
        ({"tags": {"love": True, "war": False}}, {"tags": ("love",)}),
        ({"categories": "love, war"}, {"tags": ("love", "war")}),
        ({"genre": "x", "topic": "y"}, {"tags": ("y", "x")}),
        ({"labels": ["a"], "keywords": ["b"]}, {"tags": ("a", "b")}),
        ({"year": "1999-03-01"}, {"year": 1999}),
        ({"note": ["a", "b"]}, {"note": "a; b"}),
        ({"chapter": 2, "page": 91}, {"place": "ch. 2, p. 91"}),
        ({"chapter": "Economy", "location": "1204"}, {"place": "Economy, location 1204"}),
        ({"location": "3", "Location Type": "page"}, {"place": "p. 3"}),
        ({"Highlighted at": "2020-10-05 10:15:00"}, {"added": "2020-10-05T10:15:00"}),
        ({"dateAdded": "2020-10-05"}, {"added": "2020-10-05"}),
        ({"created_at": 1601892900000}, {"added": "2020-10-05T10:15:00+00:00"}),
    ],
)
def test_values_are_read_as_they_are_meant(fields: dict[str, object], expected: dict[str, object]) -> None:
    """Names in objects and lists, dates as years, numbers as places, and what programs write for nothing."""
    assert facts(json.dumps([{"text": "Know thyself.", **fields}]), "json") == [{"text": "Know thyself.", **expected}]


@pytest.mark.parametrize(
    ("cell", "author", "work"),
    [
        ("J.K. Rowling,", "J.K. Rowling", None),
        ("- Mark Twain", "Mark Twain", None),
        ("― Rumi", "Rumi", None),
        ("Mark Twain (1835-1910)", "Mark Twain", None),
        ("Einstein, Albert", "Albert Einstein", None),
        ("Rowling, J. K.", "J. K. Rowling", None),
        ("Saint-Exupéry, Antoine de", "Antoine de Saint-Exupéry", None),
        ("King, Martin Luther, Jr.", "Martin Luther King, Jr.", None),
        ("Martin Luther King, Jr.", "Martin Luther King, Jr.", None),
        ("Oscar Wilde, The Picture of Dorian Gray", "Oscar Wilde", "The Picture of Dorian Gray"),
        ("Plato, Republic", "Plato", "Republic"),
        ("Hegel, The Science of Logic (1812)", "Hegel", "The Science of Logic (1812)"),
        ("Marcus Aurelius, Meditations, Book 4", "Marcus Aurelius", "Meditations, Book 4"),
        ("Neil Gaiman, Terry Pratchett", "Neil Gaiman, Terry Pratchett", None),
        ("Jane Doe, engineer", "Jane Doe, engineer", None),
        ("Plato (Republic, Book VII)", "Plato (Republic, Book VII)", None),
        ("Unknown", None, None),
        ("nan", None, None),
    ],
)
def test_an_author_cell_is_read_as_people_write_it(cell: str, author: str | None, work: str | None) -> None:
    """Dashes and dates around a name go, a reversed name is turned, a work after a comma is one; the rest is kept."""
    quote = one(f'quote,author\nKnow thyself.,"{cell}"\n', "csv")
    assert (quote.text, quote.author, quote.work) == ("Know thyself.", author, work)


def test_entities_of_html_become_characters() -> None:
    """Texts that were taken from web pages have entities, which are not meant; quotefind itself writes none."""
    assert one('["Can&#8217;t &amp; won&rsquo;t, &c; &nonsense;"]', "json").text == "Can’t & won’t, &c; &nonsense;"
    text = "In HTML, write &amp; for it."
    assert one(json.dumps([{"id": quote_id(text, None), "text": text}]), "json").text == text


def test_what_quotefind_wrote_keeps_its_author() -> None:
    """A row with the id of its text and author was written by quotefind, and its author is not read as a cell."""
    author = "Einstein, Albert"
    record = {"id": quote_id("Know thyself.", author), "text": "Know thyself.", "author": author}
    assert one(json.dumps([record]), "json").author == author


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"title": "Walden", "author": "Thoreau", "highlights": ["Simplify, simplify."]},
            [{"text": "Simplify, simplify.", "author": "Thoreau", "work": "Walden"}],
        ),
        ({"title": "My quotes", "quotes": ["Simplify, simplify."]}, [{"text": "Simplify, simplify."}]),
        (
            [
                {"title": "Walden", "authors": ["Thoreau"], "highlights": [{"text": "Simplify.", "page": 3}]},
                {"title": "Emma", "highlights": [{"text": "Silly things.", "note": "mine"}]},
            ],
            [
                {"text": "Simplify.", "author": "Thoreau", "work": "Walden", "place": "p. 3"},
                {"text": "Silly things.", "work": "Emma", "note": "mine"},
            ],
        ),
        (
            {"love": ["All you need is love."], "life": [{"quote": "Life is short.", "author": "Seneca"}]},
            [
                {"text": "All you need is love.", "tags": ("love",)},
                {"text": "Life is short.", "author": "Seneca", "tags": ("life",)},
            ],
        ),
        (
            {"Mark Twain": ["The report was an exaggeration."], "Oscar Wilde": [{"text": "Be yourself."}]},
            [
                {"text": "The report was an exaggeration.", "author": "Mark Twain"},
                {"text": "Be yourself.", "author": "Oscar Wilde"},
            ],
        ),
        (
            [{"name": "Mark Twain", "quotes": ["Write."]}, {"name": "Courage", "quotes": ["Dare."]}],
            [{"text": "Write.", "author": "Mark Twain"}, {"text": "Dare.", "tags": ("Courage",)}],
        ),
        (
            {"Nothing in excess, says the stone.": "Albert Camus", "Know thyself, says the god.": "Jane Austen"},
            [
                {"text": "Nothing in excess, says the stone.", "author": "Albert Camus"},
                {"text": "Know thyself, says the god.", "author": "Jane Austen"},
            ],
        ),
        ({"1": {"quote": "One."}, "2": {"quote": "Two."}}, [{"text": "One."}, {"text": "Two."}]),
        (
            {"quote": {"0": "One.", "1": "Two."}, "author": {"0": "A", "1": None}},
            [{"text": "One.", "author": "A"}, {"text": "Two."}],
        ),
        (
            {"quote": ["One.", "Two."], "author": ["A", "B"]},
            [{"text": "One.", "author": "A"}, {"text": "Two.", "author": "B"}],
        ),
        (
            {"columns": ["author", "quote"], "index": [0], "data": [["A", "One."]]},
            [{"text": "One.", "author": "A"}],
        ),
        ([["quote", "author"], ["One.", "A"]], [{"text": "One.", "author": "A"}]),
        ({"data": {"quotes": [{"text": "One."}]}, "status": 200}, [{"text": "One."}]),
        (
            {"metadata": {"title": "T", "author": "A"}, "annotations": [{"text": "One."}]},
            [{"text": "One.", "author": "A", "work": "T"}],
        ),
        (
            [{"text": ["First line", "second line"], "author": "A"}],
            [{"text": "First line\nsecond line", "author": "A"}],
        ),
    ],
)
def test_nested_layouts_are_understood(value: object, expected: list[dict[str, object]]) -> None:
    """What is said beside a list holds for its quotes; keys of lists are tags, or authors if they are people."""
    assert facts(json.dumps(value), "json") == expected
    assert facts(json.dumps(value), "yaml") == expected  # JSON is YAML


def test_elements_of_nested_lists_have_their_own_lines() -> None:
    """Each quote is named by its line, however deep it is."""
    text = '[\n {"title": "A",\n  "highlights": [\n   "One.",\n   {"text": "Two."}]},\n {"highlights": ["Three."]}\n]'
    assert [(q.text, q.line) for q in read(text, "json") if isinstance(q, Quote)] == [
        ("One.", 4),
        ("Two.", 5),
        ("Three.", 6),
    ]


def test_what_keys_became_is_said() -> None:
    """Where keys became tags or authors, the user is told."""
    assert remarks('{"love": ["All you need is love."], "life": ["Life is very short."]}') == [
        "a:1: each key ('love', 'life') became a tag of its quotes"
    ]


def test_objects_on_lines_are_read_whatever_the_file_is_called() -> None:
    """A .json file with one object per line, as databases export it, is read as JSON Lines."""
    assert facts('{"quote": "One."}\n{"quote": "Two."}\n', "json") == [{"text": "One."}, {"text": "Two."}]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("input_format", ["csv", "tsv"])
def test_the_header_shows_what_separates_cells(separator: str, input_format: str) -> None:
    """Whatever a table is called, its header line decides; it is said where that is not the usual separator."""
    text = f'quote{separator}author\n"Wise; or, so | it, seems"{separator}A\n'
    assert facts(text, input_format) == [{"text": "Wise; or, so | it, seems", "author": "A"}]
    usual = "," if input_format == "csv" else "\t"
    said = [remark for remark in remarks(text, input_format) if "separated by" in remark]
    assert len(said) == (separator != usual)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sep=;\nquote;author\nOne;A\n", [{"text": "One", "author": "A"}]),
        ("sep=,\r\nquote,author\r\nOne,A\r\n", [{"text": "One", "author": "A"}]),
        ('quote, author\n"One, two", "Jane"\n', [{"text": "One, two", "author": "Jane"}]),
        ("quote,author\nOne,A,,\n", [{"text": "One", "author": "A"}]),
        ("quote\nOne, two, three\n", [{"text": "One, two, three"}]),
        ("\n\nquote,author\nOne,A\n", [{"text": "One", "author": "A"}]),
        ('quote,author\n"One\ntwo",A\n', [{"text": "One\ntwo", "author": "A"}]),
    ],
)
def test_tables_are_read_as_spreadsheets_write_them(text: str, expected: list[dict[str, object]]) -> None:
    """A line for Excel, blanks after separators, empty cells at the end, one column, blank lines before the header."""
    assert facts(text, "csv") == expected


def test_the_columns_that_were_used_and_not_used_are_named() -> None:
    """A remark names the columns; where all have the names of their fields, there is nothing to say."""
    assert remarks("id,QUOTE,Autor,GENRE,lang\n7,One,A,x,en\n", "csv") == [
        "a: text from 'QUOTE', author from 'Autor', tags from 'GENRE'; not used: 'lang'"
    ]
    assert remarks("text,author,tags\nOne,A,x\n", "csv") == []
    assert remarks('{"text": "One", "who": "A"}\n{"text": "Two", "lang": "en"}\n', "jsonl") == [
        "a: text from 'text', author from 'who'; not used: 'lang'"
    ]


# YAML and TOML


def test_quotes_of_yaml_have_their_lines() -> None:
    """Each element is named by its line; a block of lines keeps them."""
    text = "# my quotes\n- One.\n- quote: |\n    Two\n    lines\n  author: A\n- text: 7\n"
    first, second, third = read(text, "yaml")
    assert first == Quote("One.", source="-", line=2)
    assert second == Quote("Two\nlines", "A", source="-", line=3)
    assert third == BadRecord("-:7", "the text is a number; expected a string")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [b]\nquotes: *x\n", r"^-:2: an alias \(\*x\) is not supported"),
        ("- text: a\n  author: b: c\n", r"^-:2: not valid YAML: "),
        ("[" * 100, "nested too deeply"),
        ("- name: x\n  uses: y\n", r"^-:1: no key holds the text"),
    ],
)
def test_yaml_that_cannot_be_read_is_an_error(text: str, message: str) -> None:
    """Aliases, deep nesting, wrong syntax and files of other things are refused, with their line."""
    with pytest.raises(SourceError, match=message):
        read(text, "yaml")


def test_nothing_in_yaml_is_run() -> None:
    """What asks for an object of Python is a list like others, which is not a quote."""
    first, second = read("- !!python/object/apply:os.system [touch hacked]\n- One.\n", "yaml")
    assert first == BadRecord("-:1", "found a list; expected a string or an object")
    assert second == Quote("One.", source="-", line=2)


def test_toml_is_read() -> None:
    """Arrays of tables have the lines of their headers; a list of strings is read too."""
    text = 'title = "x"\n\n[[quotes]]\ntext = "One."\nauthor = "A"\nyear = 1999-03-01\n\n[[quotes]]\ntext = "Two."\n'
    assert read(text, "toml") == [
        Quote("One.", "A", year=1999, source="-", line=3),
        Quote("Two.", source="-", line=8),
    ]
    assert facts('quotes = ["One."]\n', "toml") == [{"text": "One."}]
    with pytest.raises(SourceError, match=r"^-: not valid TOML: Invalid value"):
        read("quotes = [\n", "toml")
