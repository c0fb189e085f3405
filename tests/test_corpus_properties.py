"""Files as programs and people write them, then damaged: what every reader holds to, whatever it is given."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quotefind.corpus import FORMATS, BadRecord, ReadOptions, read_file, read_stream
from quotefind.corpus.fields import LONGEST_NAME
from quotefind.errors import SourceError
from quotefind.records import Quote
from quotefind.text import guard_formula, normalise, unguard_formula

# Characters that mean something somewhere, and some of every kind.
_CHARACTERS = st.sampled_from("ab Z7.,;:|\t\"'“”—-%>#*_`[](){}<&\\=+@\n\r\0\x1b\u2028\u202eé\u0301\u200d👩愛\ud800") | (
    st.characters()
)
_TEXTS = st.text(_CHARACTERS, max_size=30)
_NAMES = (
    st.sampled_from(["Jane Austen", "— J. S. Mill", 'Ed "Too Tall" Jones, Jr.', "", "x" * (LONGEST_NAME + 1)]) | _TEXTS
)
_KEYS = st.sampled_from(["text", "Quote", "author", "by", "work", "year", "tags", "", "other"]) | _TEXTS
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def tables(draw: st.DrawFn, delimiter: str) -> str:
    """Draw a table in one of the dialects of the csv module."""
    out = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]))
    writer = csv.writer(
        out,
        delimiter=draw(st.just(delimiter) | st.sampled_from(",;\t")),
        quoting=quoting,
        doublequote=draw(st.booleans()),
        escapechar="\\",
        lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"])),
    )
    writer.writerow(draw(st.lists(_KEYS, min_size=1, max_size=4)))
    writer.writerows(draw(st.lists(st.lists(_TEXTS, max_size=5), max_size=4)))
    return out.getvalue()


def _lines(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(*parts).map("".join), max_size=6).map("".join)


_DASH = st.sampled_from([" — ", " -- ", "\n\t-- ", "\n> — ", "\n\n- ", " "])
_ENDS = st.sampled_from(["\n", "\r\n", "\n\n", ""])
_HIGHLIGHTS = (
    ("bookcision", "highlights", "text"),
    ("foliate", "annotations", "text"),
    ("readest", "booknotes", "text"),
    ("calibre", "annotations", "highlighted_text"),
)


def _highlights(key: str, text: str) -> st.SearchStrategy[str]:
    """Draw the JSON of a book with highlights under `key`, whose words are under `text`."""
    value = _VALUES | _NAMES | st.lists(_NAMES, max_size=2) | st.dictionaries(st.sampled_from(["name", "en"]), _NAMES)
    entry = st.dictionaries(st.sampled_from([text, "note", "notes", "location", "type", "page", "createdAt"]), value)
    book = st.dictionaries(st.sampled_from(["title", "authors", "author", "metadata", "book"]), value)
    entries = st.lists(entry | value, max_size=4)
    return st.tuples(book, entries).map(lambda drawn: json.dumps({**drawn[0], key: drawn[1]}, indent=1))


WRITTEN: dict[str, st.SearchStrategy[str]] = {
    "txt": _lines(_TEXTS, _DASH, _NAMES, _ENDS),
    "fortune": _lines(_TEXTS, _DASH, _NAMES, st.sampled_from(["\n%\n", "\n%%\n", "%\n", "\n% \n", "\b\b_\n"])),
    "csv": tables(","),
    "tsv": tables("\t"),
    "json": _VALUES.map(json.dumps)
    | st.lists(_VALUES, max_size=4).map(lambda v: json.dumps(v, ensure_ascii=False, indent=1)),
    "jsonl": _lines(_VALUES.map(lambda v: json.dumps(v, ensure_ascii=False)), _ENDS),
    "md": _lines(
        st.sampled_from(
            [
                "> ",
                ">",
                "> > ",
                "- > ",
                "> - ",
                "# ",
                "> ```\n",
                "> [a]: ",
                "> [!quote] ",
                "---\nauthor: ",
                "tags: [",
                "",
            ]
        ),
        _TEXTS,
        _DASH,
        _NAMES,
        _ENDS | st.sampled_from(["\n---\n", " ^id-1\n", "]]\n"]),
    ),
    "tfortune": _lines(_TEXTS, _DASH, _NAMES, st.sampled_from(["\n---- a, b\n", "\n----\n", "----\n", "\n---- \n"])),
    "jotquote": _lines(_TEXTS, st.sampled_from(["|", " | ", "||"]), _NAMES, st.sampled_from(["|x|a,b\n", "\n", "\n#"])),
    "readwise": tables(","),
    "org": _lines(
        st.sampled_from(["#+begin_quote\n", "  #+BEGIN_QUOTE\n", "* ", "#+author: ", "#+filetags: :", ""]),
        _TEXTS,
        st.sampled_from(["\n--- ", "\n- ", "\n#+end_quote\n— ", "[[", " /", "\n,*", "\n"]),
        _NAMES,
        st.sampled_from(["\n#+end_quote\n", "\n#+END_QUOTE", "]]\n", "\n"]),
    ),
    "kindle": _lines(
        _NAMES,
        st.sampled_from([" (A, B)\n", "\n", " ((\n"]),
        st.sampled_from(
            [
                "- Your Highlight on page 1-3 | Location 9\n",
                "- Ihre Notiz auf Seite 2\n",
                "- 99-1|\n",
                "- Bookmark xi\n",
            ]
        ),
        _TEXTS,
        st.sampled_from(["\n==========\n", "\n=========\n", "\n", "\n==========\n\ufeff"]),
    ),
    "kindle-notebook": _lines(
        st.sampled_from(
            ["<div class=bookTitle>", "<div class='authors'>", "<h2 class=sectionHeading>", '"Kindle",,,\n']
        ),
        _NAMES,
        st.sampled_from(["<div class=noteHeading>Highlight(x) - ", "</div>", "Note - ", "----------\na,b,c,d\n"]),
        st.sampled_from(["Page 3 · Location 4", "<div class=noteText>", '"Highlight (x)","Page 9","",']),
        _TEXTS,
        _ENDS | st.sampled_from(["</div>\n", "</h3>", '"']),
    ),
    "html": _lines(
        st.sampled_from(
            ["<blockquote>", "<q>", "<figure><blockquote><p>", "<li><q>", "<pre>", "<p class=author>", "<!--"]
        ),
        _TEXTS,
        st.sampled_from(
            ["<br>— ", "<footer>", "</q> <cite>", "</blockquote><p>- ", "<figcaption><i>", "<sup>", "</p>"]
        ),
        _NAMES,
        _ENDS | st.sampled_from(["</blockquote>\n", "</footer>", "</figure>", "</cite>", "&#0;", "<"]),
    ),
    "moon-reader": _lines(
        st.sampled_from(["#\n1\n", "1\nindent:false\n", "#\n", ""]),
        _NAMES,
        st.sampled_from(["\n/a/b - c.epub\n\n2\n0\n4\n13\n-256\n1551608133000\n\n", "\n0\n0\n", "\n1\n2\n3\n4\n"]),
        _TEXTS,
        st.sampled_from(["\n", "<BR>", "\n0\n0\n0\n"]),
    ),
    "yaml": _VALUES.map(json.dumps)
    | _lines(
        st.sampled_from(["- text: ", "- quote: ", "  author: ", "  tags: [", "- ", "quotes:\n", "---\n", "&a ", "? "]),
        _VALUES.map(json.dumps) | _TEXTS | _NAMES,
        st.sampled_from(["\n", "]\n", " # by\n", ": |\n  ", ": >-\n  "]),
    ),
    "toml": _lines(
        st.sampled_from(
            ["[[quotes]]\n", "[[quotes]]\ntext = ", "text = ", "author = ", "quotes = [", "[Jane Austen]\n"]
        ),
        _VALUES.map(json.dumps) | _TEXTS.map(lambda text: f"'''{text}'''"),
        st.sampled_from(["\n", "]\n", " # by\n", "\r\n"]),
    ),
    **{name: _highlights(key, text) for name, key, text in _HIGHLIGHTS},
    "koreader": _lines(
        st.sampled_from(
            ["{", "return {annotations={{drawer=1,text=", "--", "[[", "[1]=", '{"entries":[{"text":', '"\\']
        ),
        _VALUES.map(json.dumps),
        st.sampled_from([",note=", "}", ",", ";", '},{"text":', "=", "--\n"]),
        _VALUES.map(json.dumps),
        st.sampled_from(["}}}\n", "}", "]]", "}]}", ""]),
    ),
}


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """Draw a file of the format `name`, in UTF-8, some of its bytes replaced, removed or repeated."""
    data = draw(WRITTEN[name]).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at + draw(st.integers(0, 5)) :]
    return data


def read(data: bytes, name: str, **options: object) -> list[Quote | BadRecord] | str:
    """Return the records of `data`, or why it is no source."""
    made = ReadOptions(input_format=name, **options)  # type: ignore[arg-type]
    try:
        return list(read_stream(io.BytesIO(data), "-", made))
    except SourceError as error:
        return str(error)


def check(records: list[Quote | BadRecord] | str, lines: int) -> None:
    """Assert that `records` are what a reader may yield for a text of so many lines."""
    if isinstance(records, str):
        assert records.startswith("-:")
        assert "\n" not in records
        return
    for record in records:
        if isinstance(record, BadRecord):
            assert "\n" not in record.problem
            record.problem.encode()
            line = int(record.where.removeprefix("-:"))
        else:
            assert record.text == normalise(record.text, keep_lines=True) != ""
            fields = [text for text in (record.author, record.work, record.place, *record.tags) if text is not None]
            assert all(text and text == " ".join(text.split()) and "\0" not in text for text in fields)
            assert all(len(text) <= LONGEST_NAME for text in fields)
            assert record.note is None or (record.note and record.note == " ".join(record.note.split()))
            "".join([record.text, *fields, record.note or ""]).encode()
            assert record.source == "-"
            assert record.line is not None
            line = record.line
        assert 1 <= line <= lines


def test_every_format_is_written_here() -> None:
    """The tests below cover every format of the table that holds text."""
    assert sorted(WRITTEN) == sorted(name for name, entry in FORMATS.items() if not entry.binary)


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=60)
@given(data=st.data())
def test_readers_yield_sound_quotes_or_say_what_is_wrong(name: str, data: st.DataObject) -> None:
    """Of a damaged file only sound quotes, bad records and errors of sources come out, the same each time."""
    written = data.draw(damaged(name))
    records = read(written, name)
    check(records, written.count(b"\n") + written.count(b"\r") + 1)
    assert read(written, name) == records


def unpacked(path: Path, name: str) -> list[Quote | BadRecord] | str:
    """Return the records of a file as `read` does."""
    try:
        found = list(read_file(path, ReadOptions(input_format=name)))
    except SourceError as error:
        return str(error).replace(str(path), "-")
    return [
        replace(record, source="-")
        if isinstance(record, Quote)
        else replace(record, where=f"-{record.where[len(str(path)) :]}")
        for record in found
    ]


@pytest.mark.parametrize("name", WRITTEN)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data(), cut=st.integers(1, 8))
def test_what_is_packed_is_what_was_written(tmp_path: Path, name: str, data: st.DataObject, cut: int) -> None:
    """A compressed file holds what the file holds; one that is cut off is an error."""
    written = data.draw(damaged(name))
    path = tmp_path / "packed.gz"
    path.write_bytes(gzip.compress(written, 1))
    assert unpacked(path, name) == read(written, name)
    path.write_bytes(path.read_bytes()[:-cut])
    assert isinstance(unpacked(path, name), str)


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=30)
@given(data=st.data(), encoding=st.sampled_from(["latin-1", "utf-16", "utf-7", "shift_jis", "cp1252", "utf-8-sig"]))
def test_readers_decode_or_say_that_they_cannot(name: str, data: st.DataObject, encoding: str) -> None:
    """In another encoding than was said, or in that one, the same holds."""
    written = data.draw(WRITTEN[name]).encode(encoding, "replace")
    said = data.draw(st.just(encoding) | st.just("utf-8"))
    check_lines = len(written) + 1  # in another encoding, a line end may be any byte
    records = read(written, name, encoding=said)
    if not isinstance(records, str) or records.startswith("-:"):
        check(records, check_lines)
    else:
        assert "not valid" in records


# Of each format that is read record by record: what a file begins with, and how a text is written there.
_HEADERS = {"csv": "text,author\n", "tsv": "text\tauthor\n"}
_RECORDS = {"txt": "{}\n", "fortune": "{}\n%\n", "jsonl": "{}\n", "csv": "{}\n", "tsv": "{}\n"}
_BROKEN = {
    "txt": ["\0", "***", "caf\udce9"],
    "fortune": ["a\0", "caf\udce9"],
    "jsonl": ["{", "[1", '"a" b', "7", "[" * 5000, '{"by": "x"}', '"\\u0000"', '"caf\udce9"'],
    "csv": ['"a" b', "a,b,c,d,e", "***", "\0", "caf\udce9"],
    "tsv": ['"a" b', "a\tb\tc", "***", "\0", "caf\udce9"],
}


@pytest.mark.parametrize("name", _RECORDS)
@settings(max_examples=40)
@given(data=st.data())
def test_reading_goes_on_after_a_bad_record(name: str, data: st.DataObject) -> None:
    """A bad record costs only itself, wherever it is, also one whose bytes do not decode in a file of UTF-8."""
    sound = [f"café {number}" for number in range(4)]
    parts = [json.dumps(text, ensure_ascii=False) if name == "jsonl" else text for text in sound]
    broken = data.draw(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(_BROKEN[name])), max_size=4))
    for at, text in broken:
        parts.insert(at, text)
    written = _HEADERS.get(name, "") + "".join(_RECORDS[name].format(part) for part in parts)
    records = read(written.encode("utf-8", "surrogateescape"), name)
    assert [record.text for record in records if isinstance(record, Quote)] == sound
    assert len(records) == len(parts)


_CELLS = st.text(st.sampled_from("'=＝+-@＋－＠(|)\t\r a1é") | st.characters(exclude_categories=("Cs",)), max_size=12)


@given(cell=_CELLS)
def test_a_guard_is_taken_off_again(cell: str) -> None:
    """What is guarded for a spreadsheet comes back, begins with no formula, and nothing else is changed."""
    guarded = guard_formula(cell)
    assert unguard_formula(guarded) == cell
    assert guarded in (cell, f"'{cell}")
    assert guarded.lstrip("\t\r")[:1] not in ("=", "＝")
    assert guarded[:1] not in ("+", "-", "@") or not {"(", "|"} & set(guarded)


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t")])
@given(
    texts=st.lists(
        _CELLS.map(normalise).filter(lambda text: any(map(str.isalnum, text)) and "\0" not in text), max_size=5
    )
)
def test_what_is_written_for_spreadsheets_is_read_back(name: str, delimiter: str, texts: list[str]) -> None:
    """A table that find wrote, indexed again, holds the same texts, formulas and apostrophes among them."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["query", "text"])
    writer.writerows(["?", guard_formula(text)] for text in texts)
    records = read(out.getvalue().encode(), name)
    assert [record.text for record in records if isinstance(record, Quote)] == texts
