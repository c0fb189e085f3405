"""Opening, decompressing and decoding, the same for all formats."""

import gzip
import io
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotefind.corpus import FORMATS, BadRecord, ReadOptions, format_of, read_file, read_stream
from quotefind.corpus.options import Remark
from quotefind.errors import SourceError, UsageError
from quotefind.records import Quote

SAMPLES = {
    "txt": "Know thyself. -- Thales\n",
    "fortune": "Know thyself.\n\t\t-- Thales\n%\n",
    "tfortune": "Know thyself.\n\t\t-- Thales\n----\n",
    "jotquote": "Know thyself. | Thales | |\n",
    "csv": "text,author\nKnow thyself.,Thales\n",
    "tsv": "text\tauthor\nKnow thyself.\tThales\n",
    "readwise": "Highlight,Book Author\nKnow thyself.,Thales\n",
    "json": '[{"text": "Know thyself.", "author": "Thales"}]',
    "jsonl": '{"text": "Know thyself.", "author": "Thales"}\n',
    "yaml": "- text: Know thyself.\n  author: Thales\n",
    "toml": "quotes = [{text = 'Know thyself.', author = 'Thales'}]\n",
    "md": "> Know thyself.\n>\n> -- Thales\n",
    "org": "#+begin_quote\nKnow thyself.\n-- Thales\n#+end_quote\n",
    "kindle": "Sayings (Thales)\n- Your Highlight on page 1\n\nKnow thyself.\n==========\n",
    "koreader": "return {stats={authors='Thales'}, annotations={{drawer='x', text='Know thyself.'}}}\n",
    "moon-reader": "1\n#\n1\nSayings\n/Sayings - Thales.epub\n/s.epub\n2\n0\n4\n13\n-256\n1551608133000\n\n\n"
    "Know thyself.\n0\n0\n0",
    "calibre": '{"highlights": [{"type": "highlight", "highlighted_text": "Know thyself."}]}',
    "html": "<blockquote>Know thyself. <cite>Thales</cite></blockquote>\n",
}
HEADED = ("csv", "tsv", "readwise")
# What a sample says besides the text and its author.
MORE: dict[str, dict[str, object]] = {
    "calibre": {"author": None},
    "kindle": {"work": "Sayings", "place": "p. 1"},
    "moon-reader": {"work": "Sayings", "place": "ch. 3", "added": "2019-03-03T10:15:33+00:00", "line": 3},
}


def stream(data: bytes, input_format: str, encoding: str = "utf-8") -> list[Quote | BadRecord]:
    """Return the records of `data` as standard input."""
    return list(read_stream(io.BytesIO(data), "-", ReadOptions(input_format=input_format, encoding=encoding)))


def sample(name: str, source: str) -> list[Quote]:
    """Return what each sample holds, read from `source`."""
    quote = Quote("Know thyself.", "Thales", source=source, line=2 if name in HEADED else 1)
    return [replace(quote, **MORE.get(name, {}))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("all-books.txt", b"Sayings (Thales)\n- Your Highlight on page 1\n\nKnow thyself.\n==========\n", "kindle"),
        ("quotes.txt", b"Know thyself.\n==========\nNothing in excess.\n", "txt"),
        ("export", b"SQLite format 3\0" + bytes(84), "kobo"),
        ("export.bin", b"PAR1", "parquet"),
        ("export.tmp", b"ARROW1\0\0", "arrow"),
        ("export.bak", b"\xef\xbb\xbfsep=;\r\nquote;author\r\n", "csv"),
        ("export.bak", "sep=;\nquote;author\n".encode("utf-16"), "csv"),
        ("quotes", b'[\n {"text": "Know thyself."}\n]', "json"),
        ("quotes", b'["Know thyself."]', "json"),
        ("quotes", b'{"text": "Know thyself."}\n{"text": "Nothing in excess."}\n', "jsonl"),
        ("quotes.gz", gzip.compress(b'{"quotes": []}', mtime=0), "json"),
        ("notes.txt", b'{"quotes": []}', "txt"),
        ("book.lua.old", b'-- we can read Lua syntax here!\nreturn {\n    ["stats"] = {}}', "koreader"),
    ],
)
def test_a_signature_says_what_the_name_does_not(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    """The first bytes decide where the name is unknown, and of a .txt file where they are those of a Kindle."""
    (tmp_path / name).write_bytes(content)
    assert format_of(tmp_path / name, ReadOptions()).name == expected


def test_the_input_format_beats_a_signature(tmp_path: Path) -> None:
    """What the user says is never overruled by what a file looks like."""
    (tmp_path / "a.txt").write_text(SAMPLES["kindle"])
    assert format_of(tmp_path / "a.txt", ReadOptions(input_format="txt")).name == "txt"


def test_every_format_has_a_sample_here() -> None:
    """The tests below cover the general formats of the table that hold text; those of reading apps have their own."""
    assert {name for name, entry in FORMATS.items() if entry.suffixes and not entry.binary} <= set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_read_from_file_and_stream(tmp_path: Path, name: str) -> None:
    """A file, the same compressed, and a stream hold the same quotes, each with its source and line."""
    path = tmp_path / "sample"
    path.write_text(SAMPLES[name])
    packed = tmp_path / "sample.gz"
    packed.write_bytes(gzip.compress(SAMPLES[name].encode()))
    options = ReadOptions(input_format=name)
    assert list(read_file(path, options)) == sample(name, str(path))
    assert list(read_file(packed, options)) == sample(name, str(packed))
    assert stream(SAMPLES[name].encode(), name) == sample(name, "-")


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_marks_and_newlines_of_other_systems_are_no_part_of_a_text(name: str, newline: str) -> None:
    """A byte order mark is dropped, and every kind of newline counts as one."""
    assert stream(SAMPLES[name].replace("\n", newline).encode("utf-8-sig"), name) == sample(name, "-")


@pytest.mark.parametrize("name", SAMPLES)
def test_an_empty_file_holds_nothing(name: str) -> None:
    """Nothing, and nothing but blank lines, yields nothing."""
    assert stream(b"", name) == []
    assert stream(b"\n \n\n", name) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_bytes_of_another_encoding_are_named_by_their_line(name: str) -> None:
    """A record that does not decode is bad at its line, the message names --encoding, and that helps."""
    latin = SAMPLES[name].replace("Know", "Caf\xe9").encode("latin-1")
    [record] = stream(latin, name, "ascii")
    line = sample(name, "-")[0].line
    assert record == BadRecord(f"-:{line}", "not valid ascii; if the file has another encoding, add --encoding NAME")
    assert isinstance(record, BadRecord)
    assert record.is_undecodable
    [quote] = stream(latin, name, "latin-1")
    assert isinstance(quote, Quote)
    assert quote.text == "Caf\xe9 thyself."


def test_reading_goes_on_after_a_record_that_does_not_decode() -> None:
    """In a file that is UTF-8 elsewhere, only the record with the damaged bytes is bad."""
    records = stream("Óne thing\n".encode() + b"Caf\xe9\n" + "Two thíngs\n".encode(), "txt")
    assert [r.text if isinstance(r, Quote) else r.where for r in records] == ["Óne thing", "-:2", "Two thíngs"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Être ou ne pas être, c’est la question. — Molière\nL’homme est né libre. — Rousseau\n"),
        ("cp1252", "Übung macht den Meister. — Jürgen Müller\n"),
        ("cp1250", "Żyj i daj żyć innym. — Łukasz\nMądry Polak po szkodzie, źdźbło. — Wiśniewski\n"),
        ("cp1254", "Damlaya damlaya göl olur. — Atasözü\nAğaç yaşken eğilir. — Işık\n"),
        ("cp1251", "Красота спасёт мир. — Достоевский\n"),
        ("shift_jis", "吾輩は猫である。名前はまだ無い。 — 夏目漱石\n"),
        ("gb18030", "学而时习之，不亦说乎？ — 孔子\n有朋自远方来，不亦乐乎？ — 孔子\n"),
    ],
)
def test_the_likely_encoding_of_bytes_that_are_not_utf_8_is_used_and_said(encoding: str, text: str) -> None:
    """Text of the usual encodings of many languages is read as it was written, with one remark."""
    remarks: list[Remark] = []
    options = ReadOptions(input_format="jotquote")
    data = text.replace(" — ", " | ").encode(encoding)
    found = list(read_stream(io.BytesIO(data), "old.txt", options, tell=remarks.append))
    assert [f"{q.text} — {q.author}\n" for q in found if isinstance(q, Quote)] == text.splitlines(keepends=True)
    expected = f"old.txt: not UTF-8; read as {encoding}. If letters are wrong, add --encoding NAME"
    assert [remark.text for remark in remarks] == [expected]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    """Text with a mark of UTF-16, UTF-32 or UTF-8 needs no option, and nothing is said of it."""
    remarks: list[Remark] = []
    data = "quote,author\nThe café is open.,André\n".encode(encoding)
    [quote] = read_stream(io.BytesIO(data), "-", ReadOptions(input_format="csv"), tell=remarks.append)
    assert isinstance(quote, Quote)
    assert (quote.text, quote.author) == ("The café is open.", "André")
    assert "UTF-8" not in "".join(remark.text for remark in remarks)


def test_a_text_that_is_held_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that needs all of a text gets no more than its format allows; the error says what to do."""
    monkeypatch.setitem(FORMATS, "json", replace(FORMATS["json"], longest=20))
    assert len(stream(b'["Know thyself."]', "json")) == 1
    with pytest.raises(SourceError, match="-: more than 20 characters; split it into smaller files"):
        stream(b'["Know thyself, and others."]', "json")


def test_json_with_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values take many times the memory of their text, so they are counted before they are made."""
    monkeypatch.setattr("quotefind.corpus.json_file._MOST_VALUES", 100)
    with pytest.raises(SourceError, match=r"-: more than 100 values, too many to hold in memory; .* JSON Lines"):
        stream(b"[" + b"[]," * 60 + b"[]]", "json")


def test_a_gzip_file_that_unpacks_to_many_times_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What grows out of proportion is not read to its end, whatever the limit in bytes is."""
    monkeypatch.setattr("quotefind.corpus.reading._UNPACKED", 1000)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"Know thyself.\n" * 1_000_000, mtime=0))
    with pytest.raises(SourceError, match=r"a\.txt\.gz: unpacks to more than 200 times its size; .* gunzip"):
        list(read_file(path, ReadOptions()))
    path.write_bytes(gzip.compress(b"".join(b"Know %d\n" % n for n in range(1000))))
    assert len(list(read_file(path, ReadOptions()))) == 1000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_megabyte_of_compressed_json_stays_within_memory(tmp_path: Path) -> None:
    """A file of a megabyte that unpacks to 900 is refused with less than half a gigabyte of memory."""
    path = tmp_path / "bomb.json.gz"
    with gzip.open(path, "wb", 9) as out:
        for _ in range(900):
            out.write(b"[]," * 333_333)
    code = (
        "import re, sys; from pathlib import Path; from quotefind.corpus import ReadOptions, read_file\n"
        "try: list(read_file(Path(sys.argv[1]), ReadOptions()))\n"
        "except Exception as error: print(error)\n"
        # Not ru_maxrss: a new process begins with that of its parent, which ran other tests.
        "print(int(re.search(r'VmHWM:\\s*(\\d+) kB', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    message, megabytes = done.stdout.splitlines()
    assert "split it" in message
    assert int(megabytes) < 500


def test_utf_16_is_read_when_said() -> None:
    """An encoding of two bytes a character works, and half a character at the end is an error."""
    data = "Know thyself. — Thales\n".encode("utf-16")
    assert stream(data, "txt", "utf-16") == sample("txt", "-")
    with pytest.raises(SourceError, match="-: not valid utf-16"):
        stream(data[:-1], "txt", "utf-16")


@pytest.mark.parametrize("encoding", ["klingon", "hex", "rot13", "a\0b", ""])
def test_an_encoding_that_there_is_not_is_wrong_usage(tmp_path: Path, encoding: str) -> None:
    """An unknown encoding, or a codec that is not for text, is refused before anything is read."""
    with pytest.raises(UsageError, match="--encoding"):
        read_file(tmp_path / "a.txt", ReadOptions(encoding=encoding))
    with pytest.raises(UsageError, match="--encoding"):
        read_stream(io.BytesIO(), "-", ReadOptions(input_format="txt", encoding=encoding))


def test_a_stream_needs_a_format() -> None:
    """Standard input without a format is wrong usage, and the message says the option."""
    with pytest.raises(UsageError, match="--input-format"):
        read_stream(io.BytesIO(), "-", ReadOptions())
    with pytest.raises(UsageError, match="the formats are"):
        read_stream(io.BytesIO(), "-", ReadOptions(input_format="pdf"))


def test_a_stream_is_left_open() -> None:
    """The reader does not close a stream that is not its own, finished or not."""
    binary = io.BytesIO(b"One\nTwo\n")
    options = ReadOptions(input_format="txt")
    records = read_stream(binary, "-", options)
    next(records)
    records.close()  # type: ignore[attr-defined]
    assert not binary.closed


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:12] + b"\xff\xff" + b[14:], lambda b: b"no gzip" + b]
)
def test_a_damaged_gzip_file_is_an_error(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    """A gzip file that is cut, changed or none is an error that names it."""
    path = tmp_path / "a.txt.gz"
    path.write_bytes(damage(gzip.compress(b"Know thyself.\n" * 50, mtime=0)))
    with pytest.raises(SourceError, match=r"a\.txt\.gz: a damaged gzip file"):
        list(read_file(path, ReadOptions()))


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """A file that vanished, or a folder in its place, is an error that names it."""
    (tmp_path / "folder.txt").mkdir()
    for name in ("gone.txt", "folder.txt"):
        with pytest.raises(SourceError, match=name):
            list(read_file(tmp_path / name, ReadOptions()))


@given(data=st.binary(max_size=200), name=st.sampled_from(list(SAMPLES)), encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_no_bytes_break_a_reader(data: bytes, name: str, encoding: str) -> None:
    """Whatever the bytes are, a reader yields records or raises an error of ours."""
    try:
        records = stream(data, name, encoding)
    except SourceError:
        return
    for record in records:
        if isinstance(record, Quote):
            json.dumps(asdict(record), ensure_ascii=False).encode()  # no half characters
        else:
            assert "\n" not in record.problem


_LIKELY = st.text(alphabet=' \t\n\r">-—%,:[]{}\\u0dtextquo*_`#é\ud800\0', max_size=80)


@given(text=_LIKELY, name=st.sampled_from(list(SAMPLES)), start=st.booleans())
def test_no_likely_text_breaks_a_reader(text: str, name: str, start: bool) -> None:
    """Texts made of the characters that matter to the formats do not break a reader either."""
    data = (SAMPLES[name] * start + text).encode("utf-8", "surrogatepass")
    try:
        stream(data, name)
    except SourceError:
        return


def test_importing_the_package_is_cheap() -> None:
    """Importing the readers imports neither numpy, rich nor markdown-it."""
    code = "import sys, quotefind.corpus; print(*{'numpy', 'rich', 'markdown_it'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_options_are_remembered_as_json() -> None:
    """The options of a source survive being kept as JSON."""
    options = ReadOptions(input_format="csv", text_column="Zitat", encoding="latin-1")
    assert ReadOptions(**json.loads(json.dumps(asdict(options)))) == options
