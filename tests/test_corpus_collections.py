"""The collections people have: Readwise, Kobo, KOReader, jotquote, tfortune, Org, Obsidian, Parquet and Arrow."""

from __future__ import annotations

import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quotefind.corpus import BadRecord, Listing, ReadOptions, Reason, Skipped, files_of, read_file, read_stream
from quotefind.corpus.lua import read_lua
from quotefind.errors import ModelError, SourceError
from quotefind.records import Quote

FIXTURES = Path(__file__).parent / "fixtures"


def records(data: str | bytes, name: str, **options: Any) -> list[Quote | BadRecord]:
    """Return the records of `data` in the format `name`."""
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
    return list(read_stream(io.BytesIO(raw), "-", ReadOptions(input_format=name, **options)))


def quotes(data: str | bytes, name: str, **options: Any) -> list[Quote]:
    """Return the quotes of `data`, in which nothing is bad."""
    found = records(data, name, **options)
    assert [record for record in found if isinstance(record, BadRecord)] == []
    return [record for record in found if isinstance(record, Quote)]


def refusal(data: bytes, name: str) -> str:
    """Return why `data` cannot be read in the format `name`, or nothing."""
    try:
        records(data, name)
    except SourceError as error:
        return str(error)
    return ""


def credits_of(data: str, name: str) -> list[tuple[str, str | None, str | None]]:
    """Return text, author and work of each quote in `data`."""
    return [(quote.text, quote.author, quote.work) for quote in quotes(data, name)]


# Readwise


def test_a_readwise_file_is_read_without_an_option() -> None:
    """Its columns are known by their names: words over lines, the note, and the tags of highlight and document."""
    path = FIXTURES / "readwise.csv"
    first, second, third, fourth = read_file(path, ReadOptions())
    assert first == Quote(
        "Silly things do cease to be silly\nif they are done by sensible people in an impudent way.",
        "Jane Austen",
        "Emma",
        tags=("favorite", "Deep Work", "novel"),
        source=str(path),
        line=2,
        note="for the talk; ask Ruth",
        place="location 3140",
        added="2019-03-03T10:15:51+00:00",
    )
    assert [(quote.tags, quote.note) for quote in (second, third, fourth) if isinstance(quote, Quote)] == [
        (("fiction", "Utopia"), None),
        (("science", "old books"), None),
        ((), "it's true"),
    ]
    options = ReadOptions(input_format="readwise")
    assert list(read_file(path, options)) == [first, second, third, fourth]


def test_readwise_without_document_tags_and_what_readwise_imports() -> None:
    """The older export lacks the last column; the file that Readwise itself imports has other names."""
    older = "Highlight,Book Title,Book Author,Amazon Book ID,Note,Color,Tags,Location Type,Location,Highlighted at\n"
    [quote] = quotes(f"{older}Know thyself.,Sayings,Thales,B00,,yellow,#wisdom,page,3,2020-01-01\n", "csv")
    expected = Quote("Know thyself.", "Thales", "Sayings", tags=("wisdom",), source="-", line=2)
    assert quote == replace(expected, place="p. 3", added="2020-01-01")
    [quote] = quotes("Highlight,Title,Author,URL,Note,Location\nKnow thyself.,Sayings,Thales,,why?,3\n", "readwise")
    assert (quote.author, quote.work, quote.note) == ("Thales", "Sayings", "why?")


def test_a_table_that_is_not_of_readwise_is_refused_as_one() -> None:
    """With --input-format readwise a table without its column of highlights is an error that names the columns."""
    with pytest.raises(SourceError, match=r"-:1: no column 'Highlight'; the columns are 'quote', 'by'"):
        records("quote,by\na,b\n", "readwise")
    [quote] = quotes("Zitat\nErkenne dich selbst.\n", "readwise", text_column="Zitat")
    assert quote.text == "Erkenne dich selbst."


def test_tags_named_by_an_option_are_all_tags() -> None:
    """Where --tags-column says which column holds the tags, those of the document are left out."""
    [quote] = quotes("Highlight,Tags,Document tags,Kind\nKnow thyself.,a,b,c\n", "csv", tags_column="Kind")
    assert quote.tags == ("c",)


# Kobo


@pytest.fixture
def kobo(tmp_path: Path) -> Path:
    """A database with the tables of a Kobo, in the mode in which it keeps it."""
    path = tmp_path / "KoboReader.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("""
        PRAGMA journal_mode = WAL;
        CREATE TABLE content (ContentID TEXT PRIMARY KEY, ContentType TEXT, Title TEXT, Attribution TEXT);
        CREATE TABLE Bookmark (
            BookmarkID TEXT NOT NULL PRIMARY KEY, VolumeID TEXT NOT NULL, ContentID TEXT NOT NULL, Text TEXT,
            Annotation TEXT, ExtraAnnotationData BLOB, DateCreated TEXT, Hidden BOOL NOT NULL DEFAULT 0, Type TEXT,
            ChapterProgress REAL NOT NULL DEFAULT 0.125
        );
        INSERT INTO content VALUES ('emma', 6, 'Emma', 'Jane Austen'), ('emma!1', 9, 'part1.xhtml', NULL),
            ('emma!1-1', 899, 'Chapter 1', NULL), ('odd', 6, NULL, ''), ('odd!1', 9, 'OEBPS/part 1.html', NULL);
        INSERT INTO Bookmark (
            BookmarkID, VolumeID, ContentID, Text, Annotation, ExtraAnnotationData, DateCreated, Hidden, Type
        ) VALUES
            ('1', 'emma', 'emma!1', char(10) || '  Silly things
do cease to be silly ' || char(160), NULL, NULL,
                '2020-05-01T10:11:12.123', 'false', 'highlight'),
            ('2', 'emma', 'emma!1', 'One half of the world cannot understand',
                'the pleasures' || char(10) || 'of the other', x'00ff', '2020-05-01T10:11:12Z', 'false', 'note'),
            ('3', 'emma', 'emma!1', NULL, NULL, NULL, '2020', 'false', 'dogear'),
            ('4', 'emma', 'emma!1', ' ' || char(10), NULL, zeroblob(5000000), '2020', 'false', 'markup'),
            ('5', 'emma', 'emma!1', 'deleted', NULL, NULL, '2020', 'true', 'highlight'),
            ('6', 'emma', 'emma!1', 'deleted too', NULL, NULL, '2020', 1, 'highlight'),
            ('7', 'gone', 'gone!1', 'of a book that is not there any more', NULL, NULL, '2020', 0, 'highlight'),
            ('8', 'odd', 'odd!1', 'without a title', NULL, NULL, '2020', 0, 'highlight');
    """)
    connection.close()
    return path


def test_a_kobo_is_read(kobo: Path) -> None:
    """Highlights have title, author, note, chapter and date; bookmarks, drawings and what was deleted are none."""
    assert files_of(kobo.parent) == Listing([kobo])
    assert list(read_file(kobo, ReadOptions())) == [
        Quote(
            "Silly things do cease to be silly",
            "Jane Austen",
            "Emma",
            source=str(kobo),
            line=1,
            place="Chapter 1, 12%",
            added="2020-05-01T10:11:12",
        ),
        Quote(
            "One half of the world cannot understand",
            "Jane Austen",
            "Emma",
            source=str(kobo),
            line=2,
            note="the pleasures of the other",
            place="Chapter 1, 12%",
            added="2020-05-01T10:11:12+00:00",
        ),
        Quote("of a book that is not there any more", source=str(kobo), line=3),
        Quote("without a title", source=str(kobo), line=4),
    ]


def test_a_kobo_is_left_as_it_was(kobo: Path) -> None:
    """A database that may not be written to is read, and nothing is made beside it."""
    before = kobo.read_bytes()
    kobo.chmod(0o400)
    assert len(list(read_file(kobo, ReadOptions()))) == 4
    assert kobo.read_bytes() == before
    assert [path.name for path in kobo.parent.iterdir()] == ["KoboReader.sqlite"]


def test_highlights_in_the_log_of_a_kobo_are_read(kobo: Path) -> None:
    """What only the log beside the database holds is read too, and both are left as they were."""
    connection = sqlite3.connect(kobo)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("UPDATE Bookmark SET Text = 'newest of all' WHERE Text LIKE 'without a title%'")
    connection.commit()
    log = kobo.with_name(f"{kobo.name}-wal")
    before = kobo.read_bytes(), log.read_bytes()
    texts = [quote.text for quote in read_file(kobo, ReadOptions()) if isinstance(quote, Quote)]
    assert "newest of all" in texts
    assert "without a title" not in texts
    assert (kobo.read_bytes(), log.read_bytes()) == before
    connection.close()


def test_other_programs_files_are_recognised_in_messages() -> None:
    """The line between the clippings of a Kindle is named with the format to ask for."""
    kindle = list(read_stream(io.BytesIO(b"a quote\n==========\n"), "-", ReadOptions(input_format="txt")))
    assert isinstance(kindle[1], BadRecord)
    assert "--input-format kindle" in kindle[1].problem


def test_a_kobo_of_an_older_version_is_read(tmp_path: Path) -> None:
    """Columns that an older database lacks are not asked for; a text that is no UTF-8 is a bad record."""
    path = tmp_path / "koboreader.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE content (ContentID TEXT)")
        connection.execute("CREATE TABLE Bookmark (VolumeID TEXT, Text TEXT)")
        connection.execute("INSERT INTO Bookmark VALUES ('a', 'Know thyself.'), ('a', CAST(x'ff41' AS TEXT)), ('a', 7)")
    connection.close()
    good, broken, number = read_file(path, ReadOptions())
    assert good == Quote("Know thyself.", source=str(path), line=1)
    assert broken == BadRecord(f"{path}:2", "not valid utf-8; if the file has another encoding, add --encoding NAME")
    assert isinstance(number, Quote)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("CREATE TABLE other (a)", "no table Bookmark"),
        ("CREATE TABLE Bookmark (VolumeID, Text)", "no table content"),
        ("CREATE TABLE Bookmark (VolumeID); CREATE TABLE content (ContentID)", "without the columns of highlights"),
        (
            "CREATE TABLE content (ContentID); CREATE VIEW Bookmark AS SELECT 'a' VolumeID, 'b' Text",
            "no table Bookmark",
        ),
    ],
)
def test_another_database_is_refused(tmp_path: Path, schema: str, problem: str) -> None:
    """A database without the tables of a Kobo, or with views in their place, is an error that says so."""
    path = tmp_path / "KoboReader.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    connection.close()
    with pytest.raises(
        SourceError, match=rf"KoboReader\.sqlite: .*{problem}.*; expected the KoboReader.sqlite of a Kobo"
    ):
        list(read_file(path, ReadOptions()))


def test_a_database_made_to_harm_comes_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A join that would take for ever is given up; the source is refused, not the program stopped."""
    path = tmp_path / "KoboReader.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("""
        CREATE TABLE content (ContentID TEXT, Title TEXT);
        CREATE TABLE Bookmark (VolumeID TEXT, Text TEXT);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)
        INSERT INTO content SELECT 'a', 'T' FROM n;
        INSERT INTO Bookmark SELECT 'a', 'x' FROM content;
    """)
    connection.close()
    monkeypatch.setattr("quotefind.corpus.database._MOST_STEPS", 5_000_000)
    with pytest.raises(SourceError, match="not a readable database"):
        list(read_file(path, ReadOptions()))


def test_a_damaged_database_is_an_error(tmp_path: Path) -> None:
    """Whatever bytes of it are changed, it is read or refused in one line."""
    path = tmp_path / "KoboReader.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("""
        PRAGMA page_size = 512;
        CREATE TABLE content (ContentID TEXT PRIMARY KEY, Title TEXT);
        CREATE TABLE Bookmark (VolumeID TEXT, Text TEXT);
        INSERT INTO content VALUES ('a', 'Sayings');
        INSERT INTO Bookmark VALUES ('a', 'Know thyself.'), ('a', 'Nothing in excess.'), ('b', 'Seize the moment.');
    """)
    connection.close()
    sound = path.read_bytes()
    for old, new in ((b"Bookmark", b"Book\nark"), (b"sqlite_auto", b"sqlite\nauto")):
        assert refusal(sound.replace(old, new), "kobo").startswith("-: no")
        assert "\n" not in refusal(sound.replace(old, new), "kobo")
    assert [quote.work for quote in quotes(sound, "kobo")] == ["Sayings", "Sayings", None]
    for at in range(0, len(sound), 7):
        refused = refusal(sound[:at] + b"\xff" * 9 + sound[at + 9 :], "kobo")
        assert refused == "" or refused.startswith("-: ")
        assert "\n" not in refused


# KOReader

SIDECAR = r"""-- we can read Lua syntax here!
return {
    ["annotations"] = {
        [1] = {
            ["chapter"] = "One",
            ["datetime"] = "2024-08-01 10:00:00",
            ["drawer"] = "lighten",
            ["page"] = "/body/DocFragment[3]/body/p[1]/text().0",
            ["pageno"] = 12,
            ["text"] = "Silly things do \"cease\" to be\
silly",
        },
        [2] = {
            ["datetime"] = "2024-08-01 10:05:00",
            ["page"] = "/body/DocFragment[3]/body/p[9]/text().0",
            ["text"] = "in One",
        },
        [3] = {
            ["color"] = "yellow",
            ["datetime"] = "2024-08-01 10:06:00",
            ["drawer"] = "lighten",
            ["note"] = "for the talk",
            ["text"] = "Caf\195\169 society",
        },
        [10] = { ["drawer"] = "lighten", ["text"] = "" },
    },
    ["doc_props"] = {
        ["authors"] = "Jane Austen\
Another Lady",
        ["title"] = "Sanditon",
    },
    ["percent_finished"] = -1.5e-3,
    ["gamma"] = -nan,
    ["stats"] = { ["title"] = "", ["performance_in_pages"] = {} },
    ["summary"] = { status = "reading", ["modified"] = nil; [0] = true },
}
"""
OLDER = """return {
    ["bookmarks"] = {
        [1] = {["datetime"] = "2021-01-01 10:00:02", ["notes"] = "third", ["text"] = "mine", ["highlighted"] = true},
        [2] = {["datetime"] = "2021-01-01 10:00:01", ["text"] = "Seite 3 first @ 2021-01-01 10:00:01"},
        [3] = {["datetime"] = "2021-01-01 10:00:00", ["page"] = 9, ["notes"] = "", ["text"] = ""},
    },
    ["highlight"] = {
        [12] = {[1] = {["datetime"] = "2021-01-01 10:00:02", ["drawer"] = "lighten", ["text"] = "third"}},
        [3] = {
            [1] = {["datetime"] = "2021-01-01 10:00:01", ["text"] = "first"},
            [2] = {["datetime"] = "2021-01-01 10:00:03", ["text"] = "second"},
        },
    },
    ["stats"] = {["authors"] = "Jane Austen", ["title"] = "Emma"},
}
"""


def test_the_sidecar_of_koreader_is_read(tmp_path: Path) -> None:
    """Annotations that are drawn are highlights, their notes are notes, the bookmarks of pages are none."""
    folder = tmp_path / "Sanditon.sdr"
    folder.mkdir()
    path = folder / "metadata.epub.lua"
    path.write_text(SIDECAR)
    (folder / "metadata.epub.lua.old").write_text(SIDECAR)
    assert files_of(tmp_path) == Listing([path], [Skipped(folder / "metadata.epub.lua.old", Reason.UNKNOWN)])
    authors = "Jane Austen, Another Lady"
    assert list(read_file(path, ReadOptions())) == [
        Quote(
            'Silly things do "cease" to be silly',
            authors,
            "Sanditon",
            source=str(path),
            line=4,
            place="One, p. 12",
            added="2024-08-01T10:00:00",
        ),
        Quote(
            "Café society",
            authors,
            "Sanditon",
            source=str(path),
            line=18,
            note="for the talk",
            added="2024-08-01T10:06:00",
        ),
    ]


def test_the_older_sidecar_is_read() -> None:
    """Highlights by page, in their order; what KOReader itself wrote into the bookmark, in any language, is no note."""
    found = quotes(OLDER, "koreader")
    assert [(quote.text, quote.note, quote.place, quote.added) for quote in found] == [
        ("first", None, "p. 3", "2021-01-01T10:00:01"),
        ("second", None, "p. 3", "2021-01-01T10:00:03"),
        ("third", "mine", "p. 12", "2021-01-01T10:00:02"),
    ]
    assert {(quote.author, quote.work) for quote in found} == {("Jane Austen", "Emma")}


def test_what_koreader_exports_is_read() -> None:
    """The JSON file of one book or of several, each quote at its line; bookmarks and pictures are no quotes."""
    emma = {
        "title": "Emma",
        "author": "Jane Austen",
        "entries": [
            {"text": "Silly things", "note": "mine", "chapter": "One", "page": 3, "time": 1_609_495_201},
            {"text": "in One", "sort": "bookmark"},
            {"sort": "highlight", "image": "x.png"},
        ],
    }
    other = {"title": "Walden", "author": "Henry\nDavid", "entries": {}}
    several = {
        "created_on": 1,
        "version": "json/1.0.0",
        "documents": [other, emma, {**other, "entries": [{"text": "b"}]}],
    }
    expected = Quote(
        "Silly things", "Jane Austen", "Emma", None, (), "-", 5, note="mine", place="One, p. 3",
        added="2021-01-01T10:00:01+00:00",
    )  # fmt: skip
    assert quotes(json.dumps(emma, indent=1), "koreader") == [expected]
    found = quotes(json.dumps(several, indent=1), "koreader")
    assert [(quote.text, quote.author, quote.work) for quote in found] == [
        ("Silly things", "Jane Austen", "Emma"),
        ("b", "Henry, David", "Walden"),
    ]
    text = json.dumps(several, indent=1).split("\n")
    assert all(quote.text in text[quote.line or 0] for quote in found)  # the line behind the brace
    with pytest.raises(SourceError, match=r"-:1: no entries; expected what KOReader exports"):
        records('{"quotes": []}', "koreader")


def test_what_koreader_exports_is_recognised_by_its_keys(tmp_path: Path) -> None:
    """A .json file with the keys of KOReader is read as one of KOReader, without an option."""
    path = tmp_path / "highlights.json"
    path.write_text(
        '{"documents": [{"title": "Emma", "author": "Jane Austen", "entries": [{"text": "Silly things"}]}]}'
    )
    [quote] = read_file(path, ReadOptions())
    assert (quote.author, quote.work) == ("Jane Austen", "Emma")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('return {annotations = os.execute("x")}', "expected , or }"),
        ("return {[1] = {}} print(1)", "expected the end, found 'p'"),
        ("print(1)", "expected a table"),
        ("return {\n'a", "2: not a Lua table: unterminated string"),
        ("return {[[a", "unterminated string"),
        ("return {a = ", "expected a value, found 'the end'"),
        ("return {[{}] = 1}", "expected a key"),
        ("return {[1] 2}", "expected = after a key"),
        (r"return {'\q'}", "not an escape sequence"),
        (r"return {'\999'}", "not a byte"),
        ("return " + "{" * 500, "nested too deeply"),
        ("return {1 2}", "expected , or }"),
    ],
)
def test_lua_is_read_and_never_run(text: str, problem: str) -> None:
    """Whatever is more than a table of values is an error at its line."""
    with pytest.raises(SourceError, match=r"^-:[0-9]+: not a Lua table: ") as caught:
        records(text, "koreader")
    assert problem in str(caught.value)


def test_the_values_of_lua() -> None:
    """Strings in all their forms, numbers, comments, keys and list items come out as Lua reads them."""
    text = r"""--[==[ a long
    comment ]==] return { 'a\'b', [==[
x]]y]==], "tab\9\x41\z
      end", 0x1F, -2, .5e1, true, false, nil, inf, math.huge; name = "n", ["k\n"] = 1, [2.5] = 2, -- comment
    };"""
    found = read_lua(text, "-")
    assert [found[number] for number in range(1, 12)] == [
        "a'b", "x]]y", "tab\tAend", 31, -2, 5, True, False, None, None, None,
    ]  # fmt: skip
    assert (found["name"], found["k\n"], found[2.5]) == ("n", 1, 2)


# jotquote and tfortune


def test_jotquote_is_a_line_a_quote() -> None:
    """Four fields, of which the last two may be missing; comments and blank lines are none; others are bad."""
    text = """# my quotes
The best way out is always through. | Robert Frost | A Servant to Servants | motivation, 5stars

Know thyself.|Thales||
Hope is the thing with feathers. | Emily Dickinson
no stroke
a | b | c | d | e
 | Nobody | |
"""
    assert records(text, "jotquote") == [
        Quote(
            "The best way out is always through.",
            "Robert Frost",
            "A Servant to Servants",
            tags=("motivation", "5stars"),
            source="-",
            line=2,
        ),
        Quote("Know thyself.", "Thales", source="-", line=4),
        Quote("Hope is the thing with feathers.", "Emily Dickinson", source="-", line=5),
        BadRecord("-:6", "no |; expected quote | author | publication | tag, tag"),
        BadRecord("-:7", "more than 4 fields; expected quote | author | publication | tag, tag"),
        BadRecord("-:8", "the text is empty; expected the words of a quote"),
    ]


def test_tfortune_entries_end_with_their_tags() -> None:
    """A line of four dashes and tags ends an entry; a tag may hold blanks; attributions stand where they do."""
    text = """Anyone who sees a drawing
---- never ends --
here.    -- Ada Lovelace
---- math, state of sin,#x
To be is to do.
\t\t-- Plato
----
-----
  /\\_/\\
---- pictures
% is no end
"""
    assert records(text, "tfortune") == [
        Quote("Anyone who sees a drawing", tags=("never ends --",), source="-", line=1),
        Quote("here.", "Ada Lovelace", tags=("math", "state of sin", "x"), source="-", line=3),
        Quote("To be is to do.", "Plato", source="-", line=5),
        Quote("% is no end", source="-", line=11),
    ]
    problem = "not valid utf-8; if the file has another encoding, add --encoding NAME"
    assert records("Know thyself.\n---- caf\udce9 «»\n", "tfortune") == [BadRecord("-:1", problem)]


# Org

ORG = """#+TITLE: Meditations
#+Author: Marcus Aurelius
#+filetags: :stoics:books:

* Book 4
#+BEGIN_QUOTE
The /universe/ is [[https://x.y/z][change]];\\\\
our life is =what our thoughts= make it.[fn:1]
# a comment
#+END_QUOTE
"""


def test_org_quote_blocks() -> None:
    """Markup, links, footnotes and comments go; without an attribution it is by the author of the note's book."""
    [quote] = quotes(ORG, "org")
    assert quote == Quote(
        "The universe is change;\nour life is what our thoughts make it.",
        "Marcus Aurelius",
        "Meditations",
        tags=("stoics", "books"),
        source="-",
        line=6,
    )


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("Be *yourself*\n--- Oscar Wilde\n", ("Be yourself", "Oscar Wilde", None)),
        ("Be yourself\n\n— Oscar Wilde, /Letters/\n", ("Be yourself", "Oscar Wilde", "Letters")),
        ("Be yourself\n- Oscar Wilde\n", ("Be yourself", "Oscar Wilde", None)),
        ("- be kind\n- be bold\n", ("- be kind - be bold", None, None)),
        ("Be yourself -- Oscar Wilde\n", ("Be yourself -- Oscar Wilde"[:11], "Oscar Wilde", None)),
        (",* no headline\n,#+begin_quote\n", ("* no headline #+begin_quote", None, None)),
        ("a,*b* c/d/e 2*3*4\n", ("a,*b* c/d/e 2*3*4", None, None)),
    ],
)
def test_org_attributions(block: str, expected: tuple[str, str | None, str | None]) -> None:
    """The attribution stands behind a dash in the last line of the block; emphasis only stands around words."""
    assert credits_of(f"#+begin_quote\n{block}#+end_quote\n", "org") == [expected]


def test_org_attributions_behind_the_block() -> None:
    """It may stand in the line behind the block, also after a blank one; another line there is no attribution."""
    block = "  #+Begin_Quote :x y\n  Know thyself.\n  #+End_Quote\n"
    assert credits_of(f"{block}--- Thales\n{block}\n— Thales\n{block}- an item\n{block}", "org") == [
        ("Know thyself.", "Thales", None),
        ("Know thyself.", "Thales", None),
        ("Know thyself.", None, None),
        ("Know thyself.", None, None),
    ]


@pytest.mark.parametrize("more", ["#+email: me@example.org\n", "#+OPTIONS: toc:nil\n", ""])
def test_the_writer_of_an_org_document_is_not_who_it_quotes(more: str) -> None:
    """In a document that is to be exported, or that has a title only, author and title are those of the document."""
    author = "#+author: Me\n" if more else ""
    text = f"{more}#+title: My quotes\n{author}#+begin_quote\nKnow thyself.\n#+end_quote\n"
    assert credits_of(text, "org") == [("Know thyself.", None, None)]


def test_an_org_block_without_an_end_costs_itself_only() -> None:
    """The next headline ends it, with an error at the line where it began; empty blocks and drawings are none."""
    text = "#+begin_quote\nopen\n* Next\n#+begin_quote\n#+end_quote\n#+begin_quote\n***\n#+end_quote\n#+begin_quote\n"
    problem = "a quote block without an end; expected #+end_quote"
    assert records(text, "org") == [BadRecord("-:1", problem), BadRecord("-:9", problem)]


# Obsidian


def test_an_obsidian_note_on_a_book() -> None:
    """What it says of itself at its top holds for the quotes that do not say it themselves, and its tags for all."""
    path = FIXTURES / "obsidian.md"
    book = {"author": "Marcus Aurelius", "work": "Meditations"}
    common = {"tags": ("stoicism", "book"), "source": str(path)}
    assert list(read_file(path, ReadOptions())) == [
        Quote("The universe is change; our life is what our thoughts make it.", **book, **common, line=10),
        Quote("Begin at once to live.", **book, **common, line=15, place="Seneca, Letters"),
        Quote("First say to yourself what you would be.", "Epictetus", **common, line=21),
        Quote("No man is free who is not master of himself.", "Epictetus", **common, line=25),
        Quote("Know thyself.", **book, **common, line=29),
    ]


@pytest.mark.parametrize(
    ("top", "author", "work", "tags"),
    [
        ("author: Thales\ntitle: 'Sayings'\n", "Thales", "Sayings", ()),
        (
            "author:\n  - Thales\n  - '[[Solon|Solon of Athens]]'\nbook: Sayings # a comment\n",
            "Thales, Solon of Athens",
            "Sayings",
            (),
        ),
        ('authors: ["Thales", Solon]\nsource: https://x.y/z\n', "Thales, Solon", None, ()),
        ("author: '[[people/Thales#Life]]'\n", "Thales", None, ()),
        ("title: My quotes\ntags: 'a, #b c'\n", None, None, ("a", "b", "c")),
        ("tags:\n  - anger\n  - self control\n", None, None, ("anger", "self control")),
        ("tags: [self control, '[[anger]]']\n", None, None, ("self control", "anger")),
        ("kindle-sync:\n  title: Sayings\n  author: Thales\n", "Thales", "Sayings", ()),
        ("author: [[Thales]]\nbook: '[[Sayings|The Sayings]]'\n", "Thales", "The Sayings", ()),
        ("author: Thales\ntitle: Cosmos: a voyage\n", "Thales", "Cosmos: a voyage", ()),
        ("author: Unknown\ntitle: Sayings\n", None, "Sayings", ()),
        ("book: Sayings\ntags:\n- wise/men\n- old\n", None, "Sayings", ("wise/men", "old")),
        ("layout: post\nauthor: Me\ntitle: My page\ntags: [a]\n", None, None, ("a",)),
        ("nested:\n  author: Thales\nother: |\n  text\nauthor: null\n", None, None, ()),
        ("author: &a [*a, *a]\n<<: *a\n", None, None, ()),
    ],
)
def test_front_matter(top: str, author: str | None, work: str | None, tags: tuple[str, ...]) -> None:
    """Author, book and tags in the ways in which notes write them; not the writer of a page that is to be published."""
    [quote] = quotes(f"---\n{top}---\n> Know thyself.\n", "md")
    assert (quote.author, quote.work, quote.tags) == (author, work, tags)
    assert quote.line == top.count("\n") + 3


@pytest.mark.parametrize(
    "text",
    [
        "---\nauthor: Me\n> Know thyself.\n",
        "--- \n\n> Know thyself.\n",
        "text\n\n---\nauthor: Me\n---\n> Know thyself.\n",
    ],
)
def test_what_is_not_at_the_top_or_has_no_end_is_no_front_matter(text: str) -> None:
    """A line of dashes elsewhere, or one without its counterpart, is what it is in Markdown."""
    assert [quote.author for quote in quotes(text, "md")] == [None]


def test_front_matter_that_does_not_decode_is_a_bad_record() -> None:
    """Its bytes are named at line 1, and do not reach the quotes."""
    first, second = records("---\nauthor: Caf\udce9\n---\n> Know thyself.\n\n«»\n", "md")
    assert first == BadRecord("-:1", "not valid utf-8; if the file has another encoding, add --encoding NAME")
    assert second == Quote("Know thyself.", source="-", line=4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> [!quote]\n> Know thyself.\n", [("Know thyself.", None, None)]),
        ("> [!QUOTE]+ Thales\n>\n> Know thyself.\n", [("Know thyself.", "Thales", None)]),
        ("> [!cite|right]- — Thales, *Sayings*\n> Know thyself.\n", [("Know thyself.", "Thales", "Sayings")]),
        ("> [!quote] Quote\n> Know thyself.\n> — Thales\n", [("Know thyself.", "Thales", None)]),
        ("> [!quote] On wisdom\n> Know thyself.\n\n— Thales\n", [("Know thyself.", "Thales", None)]),
        ("> [!quote] Know thyself. — Thales\n", [("Know thyself.", "Thales", None)]),
        ("> [!note] Mine\n> not a quote\n", []),
        ("> [!TIP]\n> not a quote\n", []),
        ("> Know [[thyself|yourself]] ==well==%% really %%. ![[a.png]] ^q-1\n", [("Know yourself well.", None, None)]),
        ("> Know thyself.\n> — [[people/Thales]]\n^q-1\n", [("Know thyself.", "Thales", None)]),
        ("> 2 ^ 3 is 8, and x = y\n", [("2 ^ 3 is 8, and x = y", None, None)]),
    ],
)
def test_call_outs_and_links(text: str, expected: list[tuple[str, str | None, str | None]]) -> None:
    """A quote call-out is a quotation, its title an attribution; others are the note's own words; links show words."""
    assert credits_of(text, "md") == expected


# Parquet and Arrow

COLUMNS = {
    "quote": ["Know thyself.", "Nothing in excess.", None, "a\0b"],
    "by": ["Thales", None, "Nobody", "Nobody"],
    "tags": [["wisdom", "self"], [], None, None],
    "year": [-600, None, 2, 2],
    "note": ["mine", "", None, None],
    "vector": [[0.5], [0.25], [1.0], [1.0]],
}
ROWS = [
    Quote("Know thyself.", "Thales", None, -600, ("wisdom", "self"), "-", 1, note="mine"),
    Quote("Nothing in excess.", source="-", line=2),
    BadRecord("-:3", "the text is null; expected a string"),
    BadRecord("-:4", "holds a NUL character; expected text"),
]


def written(kind: str, columns: dict[str, list[Any]]) -> bytes:
    """Return a table as a file of this kind."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    table = pa.table(columns)
    out = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(table, out, row_group_size=2)
    elif kind == "feather":
        feather.write_feather(table, out, compression="lz4", chunksize=2)
    else:
        with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(out, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "file", "stream", "feather"])
def test_parquet_and_arrow_tables_are_read(kind: str) -> None:
    """Columns by their usual names, lists as tags, over several parts; rows have numbers; a bad one costs itself."""
    name = "parquet" if kind == "parquet" else "arrow"
    assert records(written(kind, COLUMNS), name) == ROWS
    mapped = written(kind, {"Zitat": ["Erkenne dich selbst."], "Wer": ["Thales"]})
    [quote] = quotes(mapped, name, text_column="zitat", author_column="Wer")
    assert (quote.text, quote.author) == ("Erkenne dich selbst.", "Thales")
    with pytest.raises(SourceError, match=r"no column 'Satz'; the columns are 'Zitat', 'Wer'$"):
        records(mapped, name, text_column="Satz")


def test_a_damaged_table_is_an_error() -> None:
    """Bytes that are changed or missing are errors of one line that name the source, and never more than that."""
    for kind in ("parquet", "file", "stream"):
        sound = written(kind, COLUMNS)
        for at in range(0, len(sound), 41):
            for data in (sound[:at], sound[:at] + b"\xff\xff" + sound[at + 2 :]):
                refused = refusal(data, "parquet" if kind == "parquet" else "arrow")
                assert refused == "" or refused.startswith("-: ")
                assert "\n" not in refused


def test_a_parquet_file_that_unpacks_to_too_much_is_refused() -> None:
    """What one part of it takes unpacked counts as what is read."""
    data = written("parquet", {"text": ["word " * 20_000] * 20})
    with pytest.raises(SourceError, match=r"unpacks to .* bytes at once; .*--max-bytes N"):
        records(data, "parquet", max_bytes=len(data) + 1)


def test_without_pyarrow_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the error says how to install it, and has the exit code of optional parts."""
    monkeypatch.setattr("quotefind.extras.util.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"pip install 'quotefind\[arrow\]'") as caught:
        records(b"PAR1", "parquet")
    assert caught.value.exit_code == 5
