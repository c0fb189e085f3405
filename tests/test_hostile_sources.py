"""Sources that never end, grow, lie or hold what no quote holds: refused clearly, in little memory and time."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_tools import FAKE_PROGRAM, Cli, run
from library import Library

from quotefind.corpus import FORMATS, BadRecord, ReadOptions, Remark, files_of, read_file, read_stream
from quotefind.corpus.fields import LONGEST_NAME, LONGEST_TEXT, MOST_TAGS
from quotefind.corpus.lines import LONGEST_RECORD, Lines, each_line
from quotefind.corpus.pair_rows import read_rows
from quotefind.errors import SourceError
from quotefind.index.changes import is_stale
from quotefind.records import Quote
from quotefind.stores import open_index

# The lines of a highlight of Moon+ Reader before its text.
_MOON = "1\nT\n/T.epub\n/t.epub\n2\n0\n4\n13\n-256\n1551608133000\n\n\n"
# Of each format: what comes before a text, after it, and a sound record after it.
AROUND = {
    "txt": ("", "\n", "fine\n"),
    "fortune": ("", "\n%\n", "fine\n%\n"),
    "tfortune": ("", "\n---- tag\n", "fine\n---- tag\n"),
    "jotquote": ("", " | A | | tag\n", "fine | A\n"),
    "csv": ("text\n", "\n", "fine\n"),
    "tsv": ("text\n", "\n", "fine\n"),
    "readwise": ("Highlight\n", "\n", "fine\n"),
    "json": ('["', '",', '"fine"]'),
    "jsonl": ('"', '"\n', '"fine"\n'),
    "md": ("> ", "\n\n", "> fine\n"),
    "org": ("#+begin_quote\n", "\n#+end_quote\n", "#+begin_quote\nfine\n#+end_quote\n"),
    "kindle": (
        "T (A)\n- Your Highlight on page 1\n\n",
        "\n==========\n",
        "T (A)\n- Your Highlight on page 2\n\nfine\n",
    ),
    "kindle-notebook": (
        "<div class=bookTitle>T</div><div class=noteHeading>Highlight - Page 1</div><div class=noteText>",
        "</div>\n",
        "<div class=noteHeading>Highlight - Page 2</div><div class=noteText>fine</div>\n",
    ),
    "html": ("<blockquote>", "</blockquote>\n", "<blockquote>fine</blockquote>\n"),
    "moon-reader": (f"#\n{_MOON}", "\n0\n0\n0\n", f"#\n{_MOON}fine\n0\n0\n0\n"),
    "bookcision": ('{"highlights": [{"text": "', '"},', '{"text": "fine"}]}'),
    "foliate": ('{"annotations": [{"text": "', '"},', '{"text": "fine"}]}'),
    "readest": ('{"booknotes": [{"text": "', '"},', '{"text": "fine"}]}'),
    "calibre": ('{"highlights": [{"highlighted_text": "', '"},', '{"highlighted_text": "fine"}]}'),
    "koreader": ('return {annotations={{drawer=1,text="', '"},{drawer=1,text="', 'fine"}}}'),
}
# Those that are read at any place, once all of it was copied.
BINARY = ("apple-books", "kobo", "parquet", "arrow")
# Those that are read as a whole or not at all, and may be 4 million characters long.
WHOLE = ("yaml", "toml")


class Endless(io.RawIOBase):
    """A stream that goes on with `unit` for ever; `read_bytes` counts what was taken."""

    def __init__(self, unit: bytes) -> None:
        """Repeat `unit`."""
        self.unit = unit
        self.read_bytes = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill `buffer`."""
        block = (self.unit * (len(buffer) // len(self.unit) + 1))[: len(buffer)]
        buffer[:] = block
        self.read_bytes += len(block)
        return len(block)


def records_of(data: bytes | io.RawIOBase, name: str, **options: object) -> list[Quote | BadRecord]:
    """Return the records of `data`, in the format `name`."""
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    return list(read_stream(stream, "-", ReadOptions(input_format=name, **options)))  # type: ignore[arg-type]


def told(records: list[Quote | BadRecord]) -> list[str]:
    """Return the texts of quotes, and what is wrong with the others."""
    return [record.text if isinstance(record, Quote) else f"{record.where}: {record.problem}" for record in records]


def test_every_format_is_tried_here() -> None:
    """The tests below cover every format of the table."""
    assert sorted([*AROUND, *BINARY, *WHOLE]) == sorted(FORMATS)
    assert [name for name, entry in FORMATS.items() if entry.binary] == [*BINARY]


@pytest.mark.parametrize("name", AROUND)
def test_no_more_than_max_bytes_are_read(name: str) -> None:
    """A source of just so many bytes is read, and one byte more is an error that names the source and the option."""
    before, behind, after = AROUND[name]
    data = f"{before}one{behind}{after}".encode()
    assert told(records_of(data, name, max_bytes=len(data))) == ["one", "fine"]
    with pytest.raises(SourceError, match=rf"^-: more than {len(data) - 1} bytes .*--max-bytes N$"):
        records_of(data, name, max_bytes=len(data) - 1)


@pytest.mark.parametrize("unit", [b"\0", b"x\n", b"\n", b'"', b"> ", b"[", b'"a"\n', b"{", b"x|y\n"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_without_end_ends_at_max_bytes(name: str, unit: bytes) -> None:
    """Whatever comes for ever, the reader stops within a buffer of the limit, or before that at what is no record."""
    stream = Endless(unit)
    with pytest.raises(SourceError):
        records_of(stream, name, max_bytes=100_000)
    assert stream.read_bytes < 100_000 + 2 * io.DEFAULT_BUFFER_SIZE


def test_a_gzip_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    """A few hundred bytes that unpack to a line of 100 MB are refused, at the line or at the limit, in flat memory."""
    resource = pytest.importorskip("resource", reason="Windows has another way to measure memory")
    path = tmp_path / "bomb.txt.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        for _ in range(100):
            out.write(b"x" * 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    records = read_file(path, ReadOptions())
    with pytest.raises(SourceError, match=r"bomb\.txt\.gz: unpacks to more than 200 times its size"):
        list(records)
    with pytest.raises(SourceError, match=r"bomb\.txt\.gz: more than 1,000,000 bytes"):
        list(read_file(path, ReadOptions(input_format="json", max_bytes=1_000_000)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 50_000_000


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize("unit", ["word ", "a -- b ", "\u0338\u0301", "![", '\\"'])
def test_a_text_of_ten_million_characters_is_a_bad_record(name: str, unit: str) -> None:
    """It costs only itself, and is refused within seconds, whatever it is made of."""
    before, behind, after = AROUND[name]
    unit = unit if "json" in name else unit.replace('\\"', "'")
    text = f"x{unit * (10_000_000 // len(unit))}"
    first, *others = told(records_of(f"{before}{text}{behind}{after}".encode(), name))
    assert first.startswith(f"-:{2 if name in ('csv', 'tsv', 'readwise', 'moon-reader') else 1}: ")
    assert "characters; expected" in first
    assert others == ["fine"]


def test_lengths_are_bounded() -> None:
    """A text, a name and a list of tags have their bounds, and what is just as long is a quote."""
    sound = {
        "text": "x" * LONGEST_TEXT,
        "author": "a" * LONGEST_NAME,
        "work": "w" * LONGEST_NAME,
        "tags": ["t" * LONGEST_NAME, *map(str, range(MOST_TAGS - 1))],
    }
    [quote] = records_of(json.dumps(sound).encode(), "jsonl")
    assert isinstance(quote, Quote)
    longer = {
        "text": "the text has 200,001 characters; expected at most 200,000",
        "author": "the author has 1,001 characters; expected at most 1,000",
        "work": "the work has 1,001 characters; expected at most 1,000",
        "tags": "there are more than 1,000 tags; expected fewer",
    }
    for key, problem in longer.items():
        value = sound[key]
        record = {**sound, key: [*value, "one"] if isinstance(value, list) else f"{value}x"}
        assert told(records_of(json.dumps(record).encode(), "jsonl")) == [f"-:1: {problem}"]


@pytest.mark.parametrize("name", AROUND)
def test_piles_of_accents_are_refused(name: str) -> None:
    """A hundred thousand unordered accents, a minute to normalise, are refused at once; a hundred are a letter."""
    before, behind, after = AROUND[name]
    pile = "\u0338\u0301" * 50
    found = told(records_of(f"{before}x{pile}{behind}{after}".encode(), name))
    assert len(found) == 2
    assert found[0].startswith("x")
    found = told(records_of(f"{before}x{pile * 900}{behind}{after}".encode(), name))
    assert found[0].endswith("the text piles more than 100 accents on one letter; expected letters")
    assert found[1:] == ["fine"]


def test_a_record_of_many_lines_has_an_end_too() -> None:
    """Entries and rows that go on over lines without end are refused before they fill the memory."""
    lines = "line\n" * (LONGEST_RECORD // 5 + 10)
    found = told(records_of(f"{lines}%\nfine\n%\n".encode(), "fortune"))
    assert found == ["-:1: longer than 2,000,000 characters; expected a record with an end", "fine"]
    cells = '"a\n",' * (LONGEST_RECORD // 5 + 10)
    records = told(records_of(f"text\n{cells}\n".encode(), "csv"))
    assert records[0] == "-:2: longer than 2,000,000 characters; expected a record with an end"


def test_lines_go_on_behind_one_that_is_too_long() -> None:
    """The rest of a line that was refused is passed over, and lines keep their numbers."""
    found = [(number, str(line)) for number, line in each_line(io.StringIO("ab\nabcdefgh\nc\nabcdefgh"), 4)]
    refused = "longer than 4 characters; expected a record with an end"
    assert found == [(1, "ab\n"), (2, refused), (3, "c\n"), (4, refused)]
    lines = Lines(io.StringIO("abc\n"), 4)
    assert (next(lines), lines.number) == ("abc\n", 1)


def test_messages_do_not_grow_with_the_source() -> None:
    """A header or an object of thousands of keys is listed by its first ones."""
    keys = [f"{number}{'k' * 1000}" for number in range(1000)]
    for data, name in ((json.dumps(dict.fromkeys(keys, "some words")), "jsonl"), (",".join(keys), "csv")):
        with pytest.raises(SourceError, match="…") as caught:
            records_of(data.encode(), name)
        assert len(str(caught.value)) < 2000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO that was put where a file had been looked at is refused, and nobody waits for its writer."""
    path = tmp_path / "a.txt"
    path.write_text("Hope\n")
    assert files_of(tmp_path).files == [path]
    records = read_file(path, ReadOptions())
    path.unlink()
    os.mkfifo(path)
    failed: list[str] = []

    def read() -> None:
        try:
            list(records)
        except SourceError as error:
            failed.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    assert failed == [f"{path}: no longer a file; read a pipe as - with --input-format NAME"]


def test_what_is_added_while_a_file_is_read_comes_the_next_time(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is indexed is what was hashed: lines added in between are left out, and the next run sees them."""
    path = library.write("log.txt", "Hope is here")
    whole = read_file

    def grown(
        file: Path, options: ReadOptions, *, size: int | None, tell: Callable[[Remark], None] | None
    ) -> Iterator[Quote | BadRecord]:
        with path.open("a", encoding="utf-8") as out:
            out.write("\nDust was added\n")
        return whole(file, options, size=size, tell=tell)

    monkeypatch.setattr("quotefind.index.changes.read_file", grown)
    library.update(path)
    monkeypatch.undo()
    assert library.texts() == ["Hope is here"]
    with open_index(library.directory) as index:
        assert is_stale(index)
    library.update()
    assert library.texts() == ["Dust was added", "Hope is here"]


def test_a_file_that_grows_as_fast_as_it_is_read_has_an_end(tmp_path: Path) -> None:
    """A file to which every record read adds another is read up to the size it had."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"Hope is here\n" * 2000)
    count = 0
    for _ in read_file(path, ReadOptions(), size=path.stat().st_size):
        count += 1
        with path.open("ab") as out:
            out.write(b"Hope is here\n")
        assert count <= 2000
    assert count == 2000


def test_the_limit_is_remembered_and_may_be_missing(library: Library) -> None:
    """An index of an older version, whose sources have no limit, is read as it was, and is not stale."""
    library.update(library.write("a.txt", "Hope"))
    from quotefind.index.local.writer import open_to_write

    with open_to_write(library.directory, library.models) as writer:
        (text,) = writer.connection.execute("SELECT options FROM sources").fetchone()
        older = json.loads(text)
        assert older.pop("max_bytes") == ReadOptions().max_bytes == 1_000_000_000
        writer.connection.execute("UPDATE sources SET options = ?", (json.dumps(older),))
    with open_index(library.directory) as index:
        assert not is_stale(index)


def test_a_text_that_stands_there_very_often_is_compared_once(library: Library) -> None:
    """A file of twenty thousand equal lines takes a second; comparing each with each took more than a minute."""
    path = library.write("same.txt", *["Hope is here"] * 20_000)
    started = time.process_time()
    summary = library.update(path)
    assert (summary.added, summary.repeats) == (1, 19_999)
    assert time.process_time() - started < 20


def test_max_bytes_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--max-bytes refuses a file and standard input with exit code 3, is remembered, and can be raised."""
    cli = Cli(tmp_path, monkeypatch)
    Path("a.txt").write_text("love is love\n" * 10)
    refused = cli("index", "a.txt", "--max-bytes", "50")
    assert refused.code == 3
    problem = "more than 50 bytes (unpacked); to read it, raise --max-bytes N"
    assert refused.err == f"quotefind: {tmp_path / 'a.txt'}: {problem}\n"
    refused = cli("index", "-", "--input-format", "txt", "--max-bytes", "5", stdin="love is love\n")
    assert (refused.code, "-: more than 5 bytes" in refused.err) == (3, True)
    assert cli("index", "a.txt", "--max-bytes", "130").code == 0
    with Path("a.txt").open("a") as out:
        out.write("sea\n")
    assert cli("index").code == 3
    assert cli("index", "a.txt", "--max-bytes", "1000").code == 0
    assert cli("index", "a.txt", "--max-bytes", "0").code == 2


@pytest.mark.parametrize("arguments", [("find", "-"), ("find", "-", "--read0"), ("pair", "--pairs", "-")])
def test_a_request_or_row_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A stream of one line without end is an error of the source, in memory that does not grow with it."""
    cli = Cli(tmp_path, monkeypatch)
    cli.index([{"text": "love"}])
    done = run(FAKE_PROGRAM, *arguments, home=cli.home, stdin=b"x" * 5_000_000)
    assert (done.code, done.out) == (3, "")
    assert "longer than" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_device_of_requests_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--queries may be a pipe, and a device that never ends is refused at its first line."""
    cli = Cli(tmp_path, monkeypatch)
    cli.index([{"text": "love"}])
    done = cli("find", "--queries", "/dev/zero")
    assert (done.code, done.err) == (3, "quotefind: /dev/zero:1: the query is longer than 100,000 bytes.\n")


@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl"])
def test_a_row_of_a_million_characters_is_the_longest(kind: str) -> None:
    """Rows of pairs have the same bound in every format, also where their cells hold line ends."""
    for text in ("x" * 1_000_001, '"a\n' + "x\n" * 500_000):
        with pytest.raises(SourceError, match=r"^standard input:1: .*(longer than 1,000,000|not JSON)"):
            list(read_rows(io.BytesIO(text.encode()), kind))
    pile = "x" + "\u0338\u0301" * 1000
    with pytest.raises(SourceError, match="accents on one letter"):
        list(read_rows(io.BytesIO(json.dumps([pile, "b"]).encode()), "jsonl"))
