"""Bytes that nobody would write, thrown at everything that reads: the readers, the attributions, pairs and requests.

The inputs are made by atheris (libFuzzer): it mutates the samples below and keeps what reaches new lines of the
program. Each target runs in a process of its own. The first two bytes of an input of a reader choose how it is read:
encoding, delimiter, as a stream or as a file, compressed or not, once or twice.

A finding is: an error that is none of the program's own; a quote that is not normalised, not valid Unicode, or on a
line that is not there; a message of several lines; another answer to the same input; whatever takes more than a second
of CPU time. Findings of a kind are counted once. The script ends with 1 where there are any.

To reach: a million inputs, no finding.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import importlib.util
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

_SLOW = 1.0  # seconds of CPU time
_LONGEST = 4096  # bytes of an input
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "latin-1", "utf-16", "utf-7", "shift_jis", "cp1252")
_FORMATS = {
    "txt": ['Know thyself. -- Thales\n“To be,”  she said — Jane Austen, "Emma"\n— Ed Lee\n'],
    "fortune": ['Know _\bthyself.\n\t\t-- Thales, "A\n\t\tBook"\n\t[Sic.]\n%\n-- a\n-- b\n%\n'],
    "csv": ['text,author,tags,year\n"a ""b"", c\nd",Thales,"x;y|z",-300\n\'=1+1,,,\n'],
    "tsv": ["quote\tby\tsource\nKnow thyself\tThales\t'@x(y)\n"],
    "json": [
        '{"v": 1, "quotes": ["a\\ud83d\\ude00", {"text": "b", "year": -3, "tags": ["x"]}]}',
        '[\n"a", {"by": null}]',
        '[{"title": "T", "author": {"name": "A"}, "highlights": [{"text": "a", "page": 3}, "b"]}]',
        '{"quote": {"0": "a", "1": "b"}, "author": {"0": "Twain, Mark", "1": null}}',
        '{"love": ["a b c d"], "Mark Twain": [{"q": "e", "a": "F, G", "created_at": 1601892900000}]}',
        '{"columns": ["quote"], "data": [["a"], [1]]}',
    ],
    "jsonl": ['"a \\u0000 \\ud800"\n{"text": "b", "author": "c", "tags": "#x,y", "year": "300 BC"}\n[1e999, NaN]\n'],
    "yaml": [
        "# c\n- a b c d\n- text: |\n    b\n    c\n  author: {name: D}\n  year: 1999-03-01\n  tags: [x, {name: y}]\n"
    ],
    "toml": [
        'title = "x"\n[[quotes]]\ntext = "a"\nauthor = "B, C"\nyear = 1999-03-01\n[[quotes]]\ntext = """b\n"c" """\n'
    ],
    "md": [
        "# T\n> Be *yourself* [a](b) `c`\n> — **Oscar Wilde**, *Letters*\n\n- x\n  > > y<br>&amp; ![z](w)\n\n-- Me\n",
        "---\nauthor: \"[[A|b]]\"\ntags: [x, 'y']\nbook:\n  - c # d\n---\n"
        "> [!quote]- T, *W*\n> a ==b== %%c%% [[d#e]] ^f-1\n",
        "# T\n## Metadata\n- Author: [[A]]\n## Highlights\n- x ([Page 3](y))\n    - Tags: [[b]] #c\n    - Note: n\n",
        "# T\n##### A, B\n## C\n### Page 3 @ 01 March 2022 05:19 PM\n*x*\n\n---\nn\n",
        "+++\nauthor = 'A'\n[b]\ntags = ['c d']\n+++\n### W by A. B\n> x  \n> y\n\n- C D\n#### E F\n",
        "x — location: [1](kindle://y) ^r-1\n\nn\n---\n1. a - B\n   - C\n",
    ],
    "org": [
        "#+title: T\n#+author: A\n#+filetags: :a:b:\n#+begin_quote\n/a/ [[b][c]]\\\\\n,* d[fn:1]\n- E\n#+end_quote\n"
        "#+BEGIN_QUOTE\nx\n#+END_QUOTE\n\n--- Y, /Z/\n* h\n",
    ],
    "kindle": [
        "\ufeffT (U) (A, B; C)\n- Your Highlight on page 1 | Location 1,234-36 | Added on x\n\nwords\n==========\n"
        "T (U) (A, B; C)\n- Ihre Notiz auf Seite xi | bei Position 1236\n\nnote\n==========\n"
        "T (U) (A, B; C)\n- 7ページ｜位置No. 1230-1240のハイライト | z\n\nmore words\n==========\n",
    ],
    "kindle-notebook": [
        "<div class='bookTitle'>T</div><div class=authors>A, B; C</div><h2 class='sectionHeading'>S</h2>"
        "<h3 class='noteHeading'>Highlight(<span>y</span>) - s &gt; Page x &middot; Location 1,2</div>"
        "<div class='noteText'>w<br>x</h3><div class=noteHeading>Note - Location 12</div><div class=noteText>n</div>",
        '"Your Kindle Notes For:",,,\nT,,,\nby A,,,\n-----------,,,\n,,,\na,b,c,d\n"Highlight (Y)","Page 9","*","w"\n'
        '"Note","Page 9","","n"\n',
    ],
    "html": [
        "<figure><blockquote cite=x><p>a<br>b <q>c</q><sup>[1]</sup></p><footer>— A, <cite>B</cite></footer>"
        "</blockquote><figcaption>by <i>C</i></figcaption></figure><p>&mdash; D</p>",
        "<li><q>a b c d</q> (<cite>A</cite>, <em>B</em>)</li><pre>x\n y</pre>"
        "<blockquote><p class='author'>Z</blockquote>",
        "<!doctype html><![if x]><!--c--><script>s</script><blockquote>w -- A</blockquote><cite>E</cite> by F",
    ],
    "moon-reader": [
        "1\nindent:false\n#\n1\nT\n/a/T - A.epub\n/a/t\n2\n0\n4\n13\n-256\n1551608133000\n\n#\nw<BR>x\n0\n0\n0\n#\n2\n",
    ],
    "koreader": [
        '-- c\nreturn {\n["annotations"] = {[1] = {["drawer"] = "x", ["text"] = "a\\\n\\195\\169", note = [[n]]}},\n'
        "stats = {title = 't', authors = \"a\\nb\"; 1.5, -0x1F, nil, true}}\n",
        'return {bookmarks={{datetime="1",text="n"}},highlight={[3]={{datetime="1",text="b"}}}}',
        '{"documents": [{"title": "t", "author": "a", "entries": [{"text": "x", "note": "y", "sort": "highlight"}]}]}',
    ],
    "readwise": [
        'Highlight,Book Title,Book Author,Note,Tags,Document tags\n"a\nb",T,A,n,".x, y #z","[\'p\', \'q\']"\n',
        "Highlight,Note,Location Type,Location\nH,.h1,page,1\na,.c1 .t n,page,2\nb,.c2,page,2\n![](x),,order,3\n",
        '{"results": [{"title": "T", "book_tags": [{"name": "b"}], "highlights": [{"text": "h", "note": ".h2"}, '
        '{"text": "a\\ud83d\\ude00", "note": ".x n", "location": 3, "location_type": "page", "is_deleted": false}]}]}',
    ],
    "bookcision": [
        '{"asin": "B", "title": "T", "authors": "A, B", "highlights": [{"text": "a\\ud83d\\ude00", "isNoteOnly"'
        ': false, "location": {"value": 3}, "note": null}, {"text": "", "isNoteOnly": true}, 3]}',
    ],
    "foliate": [
        '{"annotations": [{"value": "v", "text": "a", "note": "n", "created": "2024-01-05T10:00:00Z"}], '
        '"metadata": {"title": {"en": "T"}, "author": [{"name": {"de": "A"}}, "B, C"]}}',
    ],
    "readest": [
        '{"$format": "x", "book": {"title": "T", "author": "A"}, "annotations": [{"type": "annotation", "text": '
        '"a\\nb", "page": 3, "createdAt": 1704448800000}, {"type": "bookmark", "text": "b"}]}',
    ],
    "calibre": [
        '{"type": "calibre_highlights", "version": 1, "highlights": [{"type": "highlight", "highlighted_text": "a", '
        '"notes": "n", "timestamp": "2021-09-01T06:22:52.491Z", "toc_family_titles": ["x", "y"]}, {"removed": true}]}',
    ],
    "jotquote": ["# c\na | B | C | d, e\nf|G\n"],
    "tfortune": ["a\n  -- B\n---- c d, e\nf -- G\n----\n"],
    "kobo": [],
    "apple-books": [],
    "parquet": [],
    "arrow": [],
}
_OTHERS = {
    "attribution": [
        'words -- Author, "Work"',
        "Sammy Davis, Jr. (1925–1990), in “A, B”",
        'x — de la Mare (d. 1956), *The "Inner" Book*, ch. 3',
    ],
    "pairs": ['query\tquote\n"a""\nb"\tc\n', '{"query": "a", "quote": "b"}\n["a", "b"]\n', "a,b\nc,d\n"],
    "requests": ["love\nwar\r\n\n", "love\0war\nand peace\0"],
}
_TOKENS = (
    '"',
    "''",
    "%\\x0a",
    "\\x00",
    "\\xcc\\x81",
    "\\xed\\xa0\\x80",
    "\\xe2\\x80\\x94",
    "\\\\ud800",
    "> ",
    "-- ",
    "[",
    "{",
)


def main() -> None:
    """Run the targets one after the other and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=55_000, metavar="N", help="inputs of each target (%(default)s)")
    parser.add_argument("--targets", nargs="*", default=[*_FORMATS, *_OTHERS], metavar="NAME", help="only these")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the inputs of findings here")
    parser.add_argument("--smallest", action="store_true", help="only the samples, as they are; needs no atheris")
    given = parser.parse_args()
    if not given.smallest and importlib.util.find_spec("atheris") is None:
        sys.exit("The fuzzer needs atheris, which is no part of the program: pip install atheris")
    rows: list[list[str]] = []
    findings: dict[str, str] = {}
    for target in given.targets:
        measure.say(f"{target}: {given.inputs:,} inputs")
        found = _run(target, 0 if given.smallest else given.inputs, given.keep)
        rows.append(
            [
                target,
                f"{found['inputs']:,}",
                f"{found['inputs'] / found['seconds']:,.0f}/s",
                *(f"{found[name]:,}" for name in ("quotes", "bad", "refused")),
                measure.seconds(float(found["slowest"])),
                str(len(found["findings"])),
            ]
        )
        findings |= {f"{target}: {kind}": text for kind, text in found["findings"].items()}
    columns = ("target", "inputs", "rate", "quotes", "bad records", "sources refused", "slowest", "findings")
    measure.print_table("Fuzzing what reads", columns, rows, [f"{len(findings)} findings."])
    for kind, text in findings.items():
        print(f"\n{kind}\n\n{text}")
    sys.exit(bool(findings))


def _run(target: str, inputs: int, keep: Path | None) -> dict[str, Any]:
    """Run one target in a process of its own and return what it counted."""
    with tempfile.TemporaryDirectory(prefix="quotefind-fuzz-") as temporary:
        folder = Path(temporary)
        (folder / "seeds").mkdir()
        for number, sample in enumerate([*map(str.encode, (_FORMATS | _OTHERS)[target]), *_binary_samples(target)]):
            for how in (b"\0\0", b"\0\7"):
                (folder / "seeds" / f"{number}-{how[1]}").write_bytes(how + sample)
        (folder / "tokens").write_text("".join(f'"{_quoted(token)}"\n' for token in _TOKENS), encoding="ascii")
        command = [sys.executable, __file__, "--child", target, str(inputs), temporary]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        report = folder / "report.json"
        if not report.exists() or done.returncode:
            sys.exit(f"{target} ended with {done.returncode}:\n{done.stderr.decode(errors='replace')[-3000:]}")
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            for path in folder.glob("finding-*"):
                (keep / f"{target}-{path.name}").write_bytes(path.read_bytes())
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return found


def _binary_samples(target: str) -> list[bytes]:
    """Return the files to begin with of a format that is no text."""
    if target == "kobo":
        connection = sqlite3.connect(":memory:")
        connection.executescript(
            "PRAGMA page_size = 512; CREATE TABLE content (ContentID TEXT PRIMARY KEY, Title TEXT, Attribution TEXT);"
            "CREATE TABLE Bookmark (VolumeID TEXT, Text TEXT, Annotation TEXT, Hidden BOOL);"
            "INSERT INTO content VALUES ('a', 'T', 'A'); INSERT INTO Bookmark VALUES ('a', 'x', 'n', 'false');"
        )
        return [connection.serialize()]
    if target == "apple-books":
        connection = sqlite3.connect(":memory:")
        connection.executescript(
            "PRAGMA page_size = 512; CREATE TABLE ZAEANNOTATION (ZANNOTATIONASSETID TEXT, ZANNOTATIONSELECTEDTEXT TEXT,"
            "ZANNOTATIONNOTE TEXT, ZFUTUREPROOFING5 TEXT, ZANNOTATIONCREATIONDATE REAL);"
            "INSERT INTO ZAEANNOTATION VALUES ('a', 'x', 'n', 'c', 604924800.5);"
        )
        return [connection.serialize()]
    if target not in ("parquet", "arrow"):
        return []
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"quote": ["a", None], "by": ["B", "C"], "tags": [["d"], []], "year": [1, 2]})
    samples = []
    for write in (pyarrow.ipc.new_file, pyarrow.ipc.new_stream):
        out = io.BytesIO()
        with write(out, table.schema) as writer:
            writer.write_table(table)
        samples.append(out.getvalue())
    if target == "parquet":
        out = io.BytesIO()
        parquet.write_table(table, out)
        samples = [out.getvalue()]
    return samples


def _quoted(token: str) -> str:
    return token.replace('"', '\\"')


def _child(target: str, inputs: int, folder: Path) -> None:
    """Fuzz `target` in this process, which ends where all inputs were tried."""
    if not inputs:
        samples = sorted((folder / "seeds").iterdir())
        watch = _Watch(target, len(samples), folder)
        for sample in samples:
            watch.try_it(sample.read_bytes())
    import atheris

    with atheris.instrument_imports(include=["quotefind", "markdown_it"]):
        from quotefind.corpus import FORMATS

        for name in {FORMATS[name].reader[0] for name in _FORMATS} | {"pair_rows"}:
            importlib.import_module(f"quotefind.corpus.{name}")
        importlib.import_module("quotefind.cli.query_stream")
        importlib.import_module("markdown_it")
    watch = _Watch(target, inputs, folder)
    options = ["-timeout=60", f"-max_len={_LONGEST}", f"-dict={folder / 'tokens'}", str(folder / "seeds")]
    atheris.Setup([sys.argv[0], *options], watch.try_it)
    atheris.Fuzz()


class _Watch:
    """Gives inputs to a target, counts what comes out of it, and writes it down at the end."""

    def __init__(self, target: str, inputs: int, folder: Path) -> None:
        self._inputs = inputs
        self._folder = folder
        self._call: Callable[[bytes, _Watch], None] = {
            "attribution": _try_attribution,
            "pairs": _try_pairs,
            "requests": _try_requests,
        }.get(target) or (lambda data, watch: _try_reader(data, target, watch))
        self._findings: dict[str, str] = {}
        self._slowest = 0.0
        self._tried = 0
        self._started = time.monotonic()
        self.file = folder / f"input.{target}"
        self.quotes = self.bad = self.refused = 0

    def try_it(self, data: bytes) -> None:
        """Give one input to the target."""
        started = time.process_time()
        try:
            self._call(data, self)
        except Exception as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "quotefind" in frame.filename]
            place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
            self._note(f"{type(error).__name__} at {place}", data, traceback.format_exc(limit=-4))
        seconds = time.process_time() - started
        self._slowest = max(self._slowest, seconds)
        if seconds > _SLOW:
            self._note("slow", data, f"{seconds:.1f} s")
        self._tried += 1
        if self._tried == self._inputs:
            self._finish()

    def _note(self, kind: str, data: bytes, text: str) -> None:
        if kind not in self._findings:
            self._findings[kind] = f"{text}\ninput: {data!r}"
            (self._folder / f"finding-{len(self._findings)}").write_bytes(data)

    def _finish(self) -> None:
        report = {
            "inputs": self._tried,
            "seconds": time.monotonic() - self._started,
            "quotes": self.quotes,
            "bad": self.bad,
            "refused": self.refused,
            "slowest": self._slowest,
            "findings": self._findings,
        }
        (self._folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
        os._exit(0)  # libFuzzer knows no other end of success


def _try_reader(data: bytes, target: str, watch: _Watch) -> None:
    from quotefind.corpus import FORMATS, ReadOptions
    from quotefind.errors import SourceError

    how = int.from_bytes(data[:2], "little")
    body = data[2:]
    encoding = _ENCODINGS[how & 7 if how & 8 else 0]
    options = ReadOptions(
        input_format=target,
        encoding=encoding,
        delimiter=";" if how & 16 else None,
        max_bytes=3000 if how & 32 else 10**9,
    )
    try:
        records = _read(body, how >> 8, options, watch.file)
    except SourceError as error:
        _expect("\n" not in str(error), "a message of several lines")
        watch.refused += 1
        return
    if how & 64:
        _expect(records == _read(body, how >> 8, options, watch.file), "another answer to the same input")
    # Lines are those of the text, so only where bytes are characters can they be counted here.
    counts = encoding == "utf-8" and not how >> 8 & 2 and not FORMATS[target].binary
    lines = body.count(b"\n") + body.count(b"\r") + 1 if counts else None
    for record in records:
        _check(record, lines, watch)


def _read(body: bytes, way: int, options: Any, file: Path) -> list[Any]:
    """Return the records of `body`: as a stream, or as a file, compressed, or said to be compressed."""
    from quotefind.corpus import read_file, read_stream

    if not way & 1:
        return list(read_stream(io.BytesIO(body), "-", options))
    path = file.with_suffix(f"{file.suffix}.gz") if way & 2 else file
    path.write_bytes(gzip.compress(body, 1) if way & 2 and way & 4 else body)
    return list(read_file(path, options, size=len(body) // 2 if way & 8 else None))


def _check(record: Any, lines: int | None, watch: _Watch) -> None:
    from quotefind.records import Quote
    from quotefind.text import normalise

    if not isinstance(record, Quote):
        watch.bad += 1
        _expect("\n" not in record.problem, "a problem of several lines")
        record.problem.encode()
        return
    watch.quotes += 1
    texts = [text for text in (record.text, record.author, record.work, record.note, *record.tags) if text is not None]
    _expect(all(texts), "an empty field")
    _expect("\0" not in "".join(texts), "a NUL")
    "".join(texts).encode()
    _expect(normalise(record.text, keep_lines=True) == record.text, "a text that is not normalised")
    _expect(lines is None or 1 <= (record.line or 0) <= lines, "a line that is not there")


def _try_attribution(data: bytes, watch: _Watch) -> None:
    from quotefind.corpus.attribution import parse_attribution, split_attribution

    text = data[2:].decode(errors="replace")
    words, attribution = split_attribution(text)
    for found in (attribution, parse_attribution(text), parse_attribution(text, own_line=True)):
        _expect(found is None or bool(found.author or found.work), "an attribution that says nothing")
    _expect(bool(words.strip()) == bool(text.strip()), "no words left")
    watch.quotes += attribution is not None


def _try_pairs(data: bytes, watch: _Watch) -> None:
    from quotefind.corpus.pair_rows import FORMATS, read_rows
    from quotefind.errors import SourceError

    how = data[0] if data else 0
    try:
        for row in read_rows(io.BytesIO(data[2:]), FORMATS[how % 3], header=not how & 4):
            watch.quotes += 1
            "".join(row.texts).encode()
    except SourceError as error:
        str(error).encode(errors="backslashreplace")
        watch.refused += 1


def _try_requests(data: bytes, watch: _Watch) -> None:
    from quotefind.cli.query_stream import _split

    separator = b"\0" if data[:1] > b"\x7f" else b"\n"
    parts = list(_split(io.BytesIO(data[2:]), separator))
    watch.quotes += len(parts)
    lost = data[2:].replace(separator, b"") != b"".join(parts).replace(separator, b"")
    _expect(not lost, "a request that was lost")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
