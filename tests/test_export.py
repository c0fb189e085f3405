"""Exported and indexed again: the same collection, or what was lost is counted; fortune and strfile agree."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from boundaries import at_boundary
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library

from quotefind.corpus import FORMATS, ReadOptions, read_file, read_stream
from quotefind.corpus.fields import make_quote
from quotefind.errors import UsageError
from quotefind.export.exporting import Exported, choose_format, export_quotes
from quotefind.export.rendering import FILE_FORMATS
from quotefind.export.replacing import replacing
from quotefind.export.strfile import StrfileIndex
from quotefind.index.filters import Filter
from quotefind.index.interface import Index
from quotefind.paths import bundled_quotes
from quotefind.records import Quote
from quotefind.stores import open_index
from quotefind.text import quote_id

STRFILE = shutil.which("strfile", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/games")
FORTUNE = shutil.which("fortune", path=f"{os.environ.get('PATH', '')}:/usr/games:/usr/bin")
WITH_STRFILE = pytest.mark.skipif(STRFILE is None, reason="strfile is not installed: apt-get install fortune-mod")
WITH_FORTUNE = pytest.mark.skipif(FORTUNE is None, reason="fortune is not installed: apt-get install fortune-mod")
COMPLETE = [name for name, file_format in FILE_FORMATS.items() if file_format.complete]
DETAILS = ("tags", "year", "note", "place", "added")

# What is hard to say in one format or another.
TRICKY = [
    Quote("Love is a smoke — Ann Ash"),
    Quote("Love is a sea — Ann Ash", "Zoë Birch", "Poems -- and more"),
    Quote("— a list"),
    Quote("- an item", "Ann Ash"),
    Quote("1. first, 2) second", "Ann Ash", "in the beginning"),
    Quote("% of all, and 100 %", "Ann Ash, the Elder", "Letters", -44, ("a, b", "c; d", "e|f", "[g]", "h")),
    Quote("# no heading, > no quote, <br> &amp; `code` *b* _i_ [x](y) \\ ~~~", "Ann *Ash*", "*Poems*"),
    Quote("=1+2|x", "@SUM(A1)", "-1+(2)", 0, ("=tag", "+t(")),
    Quote('"Yes," he said, "no."', "some body", "Hello."),
    Quote("שלום \u202e \u200f עולם", "קהלת"),
    Quote("A bell \x07, a backspace \b, an escape \x1b[31m."),
    Quote("\ufeffA mark of byte order", "Ann Ash"),
    Quote("The words, and no author", None, "Poems"),
    Quote("The words, and no author, again.", None, "Poems", 1900),
    Quote("It ends in a word -- and a name", "Ann Ash, Jr.", "Poems, ch. 1", 9999, ('["x"]',)),
    Quote("long " * 60 + "- end", "Ann Ash", "A title of more than a hundred characters, " * 3 + "which ends here"),
    Quote('“marked” and «marked» and ‘marked’ and "marked" — Ann Ash'),
    Quote("w" * 300),
    Quote("O for a Muse of fire,\nthat would ascend\n\nThe brightest heaven", "Ann Ash", "Poems", place="ch. 2, p. 91"),
    Quote("- one,\n# two,\n1. three\n===\n% four", added="2019-03-03T10:15:33"),
]


class Shelf:
    """Quotes in the place of an index."""

    def __init__(self, quotes: Sequence[Quote]) -> None:
        """Hold `quotes`, each with its id."""
        self.held = [replace(quote, id=quote_id(quote.text, quote.author)) for quote in quotes]

    def rows_where(self, _: Filter) -> Any:
        """Return the rows of all."""
        return np.arange(len(self.held))

    def quotes(self, rows: Sequence[int]) -> list[Quote]:
        """Return the quotes in `rows`."""
        return [self.held[row] for row in rows]


def exported(quotes: Sequence[Quote], name: str) -> tuple[bytes, Exported]:
    """Return what `quotes` are in the format `name`, and what is said of it."""
    stream = io.BytesIO()
    said = export_quotes(cast("Index", Shelf(quotes)), stream, FILE_FORMATS[name])
    return stream.getvalue(), said


def parts(quote: Quote, *, complete: bool = True) -> tuple[object, ...]:
    """Return what a quote says on one line, with or without what only a `complete` format has a place for."""
    details = [getattr(quote, detail) for detail in DETAILS] if complete else []
    return (" ".join(quote.text.split()), quote.author, quote.work, *details)


def check_read_again(quotes: Sequence[Quote], name: str) -> Exported:
    """Assert that `quotes` come back from the format `name`, but for those that were counted; return the counts."""
    file_format = FILE_FORMATS[name]
    data, said = exported(quotes, name)
    read = list(read_stream(io.BytesIO(data), "-", ReadOptions(input_format=file_format.parser)))
    assert len(read) == len(quotes) == said.quotes, data
    assert all(isinstance(record, Quote) for record in read), read
    complete = file_format.complete
    changed, folded = [], 0
    for quote, found in zip(quotes, read, strict=True):
        if not isinstance(found, Quote) or parts(found, complete=complete) != parts(quote, complete=complete):
            changed.append(quote)
        else:
            folded += found.text != quote.text
    assert said.changed == len(changed), changed
    assert said.examples == [quote_id(quote.text, quote.author) for quote in changed][:3]
    lost = {
        detail: sum(
            getattr(found, detail, None) != getattr(quote, detail) for found, quote in zip(read, quotes, strict=True)
        )
        for detail in (() if complete else DETAILS)
    }
    assert {what: count for what, count in said.lost.items() if count} == {
        what: count for what, count in (lost | {"lines": folded}).items() if count
    }
    return said


# --- What is exported and indexed again ---

_CHARACTERS = st.sampled_from("ab Z7.,;:|\t\"'“”«»—-%>#*_`[](){}<&\\=+@~!\n\x1b\b\u2028\u202eé\u0301\u200d愛א") | (
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)
_TEXTS = st.text(_CHARACTERS, max_size=40) | st.builds(
    "{}{}{}".format,
    st.text(_CHARACTERS, max_size=20),
    st.sampled_from([" — ", " -- ", "\n- ", " %\n"]),
    st.sampled_from(["Ann Ash", "Ann Ash, Poems", "his last word", '"Poems"']),
)
_NAMES = (
    st.none() | st.sampled_from(["Jane Austen", "Ed “Too Tall” Jones, Jr.", "bell hooks", "Plato (427-347)"]) | _TEXTS
)
_TAGS = st.lists(
    st.sampled_from(["love", "#1", "a; b", "[x]", '["x"]', "=1"]) | st.text(_CHARACTERS, max_size=8), max_size=3
)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """Draw what a reader would make of fields that are anything at all."""
    year = draw(st.none() | st.integers(-9999, 9999))
    text, note = draw(_TEXTS.map("a{}".format) | _TEXTS), draw(st.none() | _TEXTS)
    place, added = draw(_NAMES), draw(st.none() | st.datetimes().map(str))
    made = make_quote(
        "-", 1, text, draw(_NAMES), draw(_NAMES), year, draw(_TAGS), note, place, added, keep_lines=draw(st.booleans())
    )
    return made if isinstance(made, Quote) else Quote("A text")


@pytest.mark.parametrize("name", COMPLETE)
@settings(deadline=None)
@given(collection=st.lists(quotes(), max_size=4))
def test_what_is_exported_comes_back(name: str, collection: list[Quote]) -> None:
    """JSON Lines, JSON, CSV and TSV give back every text, with its lines, and every other field there can be."""
    said = check_read_again(collection, name)
    assert (said.changed, +said.lost) == (0, {})


@pytest.mark.parametrize("name", sorted(set(FILE_FORMATS) - set(COMPLETE)))
@settings(deadline=None)
@given(collection=st.lists(quotes(), max_size=4))
def test_what_does_not_come_back_is_counted(name: str, collection: list[Quote]) -> None:
    """Markdown, plain and fortune give back text, author and work, or say of how many quotes they could not."""
    check_read_again(collection, name)


def test_a_quote_does_not_swallow_the_next_one() -> None:
    """A quote whose attribution is not recognised, so that its line seems to go on, stays apart from the next one."""
    odd = Quote("—00000000", None, "00000000000000000000000»0", source="-", line=1)
    check_read_again([odd, Quote("a", source="-", line=1)], "plain")


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_the_hard_cases_come_back(name: str) -> None:
    """Dashes, marks, formulas, markup, `%` and controls: what a format could take otherwise is said otherwise."""
    # There is no way for a title in emphasis, nor for a backspace in a fortune; nor, all on one line, for a name that
    # does not begin as names do.
    lost = {"markdown": 1, "plain": 3, "fortune": 2}
    assert check_read_again(TRICKY, name).changed == lost.get(name, 0)


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_the_bundled_quotes_come_back(name: str) -> None:
    """All of the bundled quotes can be said in every format."""
    bundled = [quote for quote in read_file(bundled_quotes(), ReadOptions()) if isinstance(quote, Quote)]
    assert len(bundled) > 1000
    assert check_read_again(bundled, name).changed == 0


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_an_index_of_the_export_is_the_same_collection(library: Library, tmp_path: Path, name: str) -> None:
    """An index of what was exported has the same ids, and in complete formats the same years and tags."""
    from quotefind.escaping import to_json

    source = library.write(
        "a.jsonl",
        *(
            to_json(dict(zip(("text", "author", "work", *DETAILS), (quote.text, *parts(quote)[1:]), strict=True)))
            for quote in TRICKY
        ),
    )
    library.update(source)
    file_format = FILE_FORMATS[name]
    output = tmp_path / f"out{(*file_format.suffixes, '')[0]}"
    with open_index(library.directory) as index:
        said = export_quotes(index, output, file_format if not file_format.suffixes else None)
    again = Library(tmp_path / "again", tmp_path / "more", library.encoder)
    again.update(output)
    before, after = library.quotes(), again.quotes()
    assert len(after) == len(before) == len(TRICKY) == said.quotes
    assert (
        sum(
            parts(a, complete=file_format.complete) != parts(b, complete=file_format.complete)
            for a, b in zip(before, after, strict=True)
        )
        == said.changed
    )
    if not said.changed:
        assert [quote.id for quote in after] == [quote.id for quote in before]


def test_a_tag_that_begins_with_a_number_sign_is_stable() -> None:
    """However many number signs a tag begins with, none is left, so that reading it once more changes nothing."""
    made = make_quote("-", 1, "A text", tags=["##a", "# #b", "c#"])
    assert isinstance(made, Quote)
    assert made.tags == ("a", "b", "c#")


def test_a_list_of_tags_in_a_cell_holds_no_nul() -> None:
    """A JSON array in a cell brings in nothing that no text can hold; what only looks like one is split as ever."""
    for cell in ('["a\\u0000"]', '["\\ud800"]', "[1]", "[a, b]", "[" * 900 + "]" * 5):
        made = make_quote("-", 1, "A text", tags=cell)
        assert isinstance(made, Quote)
        assert "\0" not in "".join(made.tags)
        "".join(made.tags).encode()
    assert cast("Quote", make_quote("-", 1, "A text", tags="[a, b]")).tags == ("[a", "b]")
    assert cast("Quote", make_quote("-", 1, "A text", tags='["a, b", "c"]')).tags == ("a, b", "c")


# --- Formats ---


def test_formats_are_chosen_by_suffix() -> None:
    """The suffix says the format, or a name where it says none, a stream is JSON Lines; anything else is an error."""
    assert {
        name: choose_format(Path(f"x{name}"), None).name for name in (".jsonl", ".CSV", ".tsv", ".json", ".md", ".txt")
    } == {
        ".jsonl": "jsonl",
        ".CSV": "csv",
        ".tsv": "tsv",
        ".json": "json",
        ".md": "markdown",
        ".txt": "plain",
    }
    assert choose_format(None, None).name == "jsonl"
    assert choose_format(Path("x.out"), "csv").name == "csv"
    with pytest.raises(UsageError, match=r"x\.txt is the name of a txt file; rename the csv file"):
        choose_format(Path("x.txt"), "csv")
    assert choose_format(Path("x"), "fortune").name == "fortune"
    with pytest.raises(UsageError, match=r"x\.pdf: the name implies no format"):
        choose_format(Path("x.pdf"), None)
    with pytest.raises(UsageError, match=r"needs a name without a suffix"):
        choose_format(Path("x.txt"), "fortune")


def test_every_format_has_a_reader() -> None:
    """What is written in a format, a parser of `index` reads."""
    assert {file_format.parser for file_format in FILE_FORMATS.values()} <= set(FORMATS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "jsonl",
            '{"id": "ID", "text": "Love.", "author": "Ann Ash", "work": "Poems", "year": 1900, "tags": ["a", "b"], '
            '"note": null, "place": null, "added": null}\n',
        ),
        (
            "json",
            '[\n{"id": "ID", "text": "Love.", "author": "Ann Ash", "work": "Poems", "year": 1900, "tags": ["a", "b"], '
            '"note": null, "place": null, "added": null}'
            "\n]\n",
        ),
        ("csv", "id,text,author,work,year,tags,note,place,added\nID,Love.,Ann Ash,Poems,1900,a; b,,,\n"),
        (
            "tsv",
            "id\ttext\tauthor\twork\tyear\ttags\tnote\tplace\tadded\nID\tLove.\tAnn Ash\tPoems\t1900\ta; b\t\t\t\n",
        ),
        ("markdown", "> Love.\n>\n> — Ann Ash, *Poems*\n"),
        ("plain", "Love. — Ann Ash, Poems\n"),
        ("fortune", "Love.\n\t\t-- Ann Ash, Poems\n%\n"),
    ],
)
def test_the_usual_way_is_the_plain_one(name: str, expected: str) -> None:
    """A quote that is easy to say is said in the way that people write it."""
    quote = Quote("Love.", "Ann Ash", "Poems", 1900, ("a", "b"))
    data, _ = exported([quote], name)
    assert data.decode() == expected.replace("ID", quote_id(quote.text, quote.author))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("json", '"text": "Roses are red,\\nViolets are blue.\\n\\nSo are you.", "author": "Ann Ash", "work": "Poems"'),
        ("csv", '"Roses are red,\nViolets are blue.\n\nSo are you.",Ann Ash,Poems,,,,p. 9,'),
        ("markdown", "> Roses are red,  \n> Violets are blue.\n>\n> So are you.\n>\n> — Ann Ash, *Poems*"),
        ("plain", "Roses are red, Violets are blue. So are you. — Ann Ash, Poems\n"),
        ("fortune", "Roses are red,\nViolets are blue.\n\nSo are you.\n\t\t-- Ann Ash, Poems\n%\n"),
    ],
)
def test_verse_keeps_its_lines(name: str, expected: str) -> None:
    """Every format but plain, which has a line for each quote, writes the lines of verse."""
    text = "Roses are red,\nViolets are blue.\n\nSo are you."
    data, _ = exported([Quote(text, "Ann Ash", "Poems", place="p. 9")], name)
    assert expected in data.decode()


@pytest.mark.parametrize("text", ["a\b", "a\b-", "\ba", "a\x1b\x07\x7f\x9b b", "\x01a\n\x02b", "-\b-\ba\b_\b-"])
@pytest.mark.parametrize("name", FILE_FORMATS)
def test_a_control_character_loses_no_quote(name: str, text: str) -> None:
    """A quote with control characters comes back in every format, or is counted as changed; it never disappears."""
    check_read_again([Quote(text), Quote("Another text.")], name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("jsonl", ""), ("json", "[]\n"), ("csv", "id,text,author,work,year,tags,note,place,added\n"), ("markdown", "")],
)
def test_nothing_is_a_sound_file(name: str, expected: str) -> None:
    """A stream without quotes is an empty array, a header, or nothing."""
    data, said = exported([], name)
    assert (data.decode(), said.quotes) == (expected, 0)


# --- Fortune ---


def fortune_file(folder: Path, held: Sequence[Quote] = TRICKY) -> Path:
    """Export `held` as a fortune file in `folder`; return it."""
    export_quotes(cast("Index", Shelf(held)), folder / "mine", FILE_FORMATS["fortune"])
    return folder / "mine"


@WITH_STRFILE
@pytest.mark.parametrize("held", [TRICKY, TRICKY[:1], [Quote(f"Number {n} of many quotes") for n in range(700)]])
def test_the_index_is_that_of_strfile(tmp_path: Path, held: list[Quote]) -> None:
    """NAME.dat is byte for byte what strfile writes."""
    mine = fortune_file(tmp_path, held)
    subprocess.run([str(STRFILE), "-s", mine, tmp_path / "theirs.dat"], check=True)
    assert (tmp_path / "mine.dat").read_bytes() == (tmp_path / "theirs.dat").read_bytes()


@WITH_STRFILE
def test_the_index_of_an_empty_file_is_that_of_strfile(tmp_path: Path) -> None:
    """So it is for a file without strings."""
    (tmp_path / "empty").touch()
    subprocess.run([str(STRFILE), "-s", tmp_path / "empty", tmp_path / "theirs.dat"], check=True)
    assert StrfileIndex().table() == (tmp_path / "theirs.dat").read_bytes()


@WITH_FORTUNE
def test_fortune_reads_it(tmp_path: Path) -> None:
    """The real program prints each of the quotes, whole, and nothing else."""
    held = [Quote("Love is a smoke.", "Ann Ash", "Poems"), Quote("War — 100 % of it."), Quote("愛 is é.", "Zoë Birch")]
    mine = fortune_file(tmp_path, held)
    expected = {"Love is a smoke.\n\t\t-- Ann Ash, Poems\n", "War — 100 % of it.\n", "愛 is é.\n\t\t-- Zoë Birch\n"}
    matching = subprocess.run([str(FORTUNE), "-m", ".", mine], capture_output=True, text=True, check=False)
    assert set(matching.stdout.split("%\n")) - {""} == expected
    one = subprocess.run([str(FORTUNE), mine], capture_output=True, text=True, check=True)
    assert one.stdout in expected


def test_a_line_of_a_fortune_is_never_its_end(tmp_path: Path) -> None:
    """Where breaking lines would leave `%` alone on one, the text stays on one line."""
    text = f"{'x' * 76} % {'y' * 76}"
    mine = fortune_file(tmp_path, [Quote(text)])
    assert mine.read_text() == f"{text}\n%\n"


def test_a_fortune_file_has_a_limit() -> None:
    """An index of 32-bit offsets that would overflow is an error, not a wrong index."""
    index = StrfileIndex()
    index.add(2**31)
    with pytest.raises(UsageError, match="4 GiB"):
        index.add(2**31)


# --- Files ---


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """An error at any change of the disk leaves the old files or the new ones whole, and nothing beside them."""
    old = fortune_file(tmp_path, [Quote("Old.")])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    new = tmp_path / "new"
    new.mkdir()
    fortune_file(new, [Quote("New.")])
    after = {path.name: path.read_bytes() for path in new.iterdir()}
    shutil.rmtree(new)

    def fail() -> None:
        raise OSError(28, "No space left on device")

    for number in range(1, 100):
        try:
            with at_boundary(number, fail):
                fortune_file(tmp_path, [Quote("New.")])
        except OSError:
            found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
            assert all(found[name] in (before[name], after[name]) for name in before)
            assert set(found) == set(before)
            fortune_file(tmp_path, [Quote("Old.")])
        else:
            break
    assert number > 3
    assert old.read_bytes() == after["mine"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_file_keeps_its_permissions_and_a_link_its_place(tmp_path: Path) -> None:
    """A file that is replaced keeps its mode, a new one has that of the umask, a link goes on leading to it."""
    file, link, fresh = tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.txt"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    before = os.umask(0o027)
    try:
        with replacing(link, fresh) as streams:
            for stream in streams:
                stream.write(b"new")
            assert file.read_text() == "old"
    finally:
        os.umask(before)
    assert (link.is_symlink(), file.read_text(), fresh.read_text()) == (True, "new", "new")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, fresh)] == [0o640, 0o640]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    """Where the block is left by an error, nothing is put in place, and nothing stays beside."""
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with replacing(tmp_path / "a.txt") as (stream,):
            stream.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """What is no regular file is not replaced by one."""
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(tmp_path / "pipe") as (stream,):
            stream.write(b"new")
        assert os.read(reading, 10) == b"new"
    finally:
        os.close(reading)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
