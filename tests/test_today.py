"""The quote of the day: the same for the same day and collection, each in its turn, and at once."""

from __future__ import annotations

import json
import random
import re
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_tools import CONTROL, PROGRAM, Cli, run, run_on_terminal
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library
from test_promises import LIGHT, modules, program

from quotefind import today as module
from quotefind.errors import IndexUnusableError, UsageError
from quotefind.index.filters import Filter, matching_rows
from quotefind.paths import index_location
from quotefind.records import Quote
from quotefind.stores import open_index
from quotefind.text import wrapped
from quotefind.today import PACK, choose, quote_of_the_day, start_id

DAY = date(2026, 11, 27)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The commands, with a fake encoder."""
    return Cli(tmp_path, monkeypatch)


def ids(count: int, seed: int = 0) -> list[str]:
    """Return `count` ids."""
    chance = random.Random(seed)
    return [f"{chance.getrandbits(64):016x}" for _ in range(count)]


def days(count: int) -> list[date]:
    """Return `count` days in a row."""
    return [DAY + timedelta(days) for days in range(count)]


# --- Which one ---


@pytest.mark.parametrize("count", [1, 2, 7, PACK])
def test_a_few_quotes_come_in_turn(count: int) -> None:
    """Of up to 1,000 quotes, each comes once before any comes again, whatever order they are given in."""
    names = ids(count)
    shown = [choose(names, day) for day in days(2 * count)]
    assert sorted(shown[:count]) == sorted(names)  # type: ignore[type-var]
    assert shown[count:] == shown[:count]
    assert [choose(reversed(names), day) for day in days(count)] == shown[:count]


def test_of_many_quotes_none_comes_again_soon() -> None:
    """Of 2,000 quotes none comes a second time within two months, and within ten years 7 of 10 have come."""
    for seed in range(5):
        names = ids(2000, seed)
        last: dict[str | None, int] = {}
        nearest = 10_000
        for number, day in enumerate(days(3653)):
            name = choose(names, day)
            nearest = min(nearest, number - last.get(name, -10_000))
            last[name] = number
        assert nearest > 60
        assert len(last) > 0.7 * len(names)


def test_another_quote_changes_few_days() -> None:
    """Of many quotes, one more takes over only days of the one behind it."""
    names = ids(3000)
    more = [*names, "8000000000000000"]
    changed = [day for day in days(3000) if choose(names, day) != choose(more, day)]
    assert len(changed) < 10
    assert {choose(more, day) for day in changed} <= {"8000000000000000"}


def test_what_is_chosen_never_changes() -> None:
    """These days have these places: another version of the program, or of Python, must not deal anew."""
    number = (DAY - date(1, 1, 1)).days + 1
    assert start_id(DAY) == f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" == "6557f78710e6eec7"
    assert start_id(date(1, 1, 1)) == "9e3779b97f4a7c15"
    assert choose(["b", "a", "c"], date(1, 1, 3)) == "a"


def test_nothing_is_chosen_of_nothing() -> None:
    """Without quotes there is none for the day."""
    assert choose([], DAY) is None


@pytest.mark.parametrize("pack", [1000, 3])
def test_the_index_chooses_as_the_list_does(library: Library, monkeypatch: pytest.MonkeyPatch, pack: int) -> None:
    """What SQLite finds is what is defined on the list of ids, with and without conditions, for few and many."""
    monkeypatch.setattr(module, "PACK", pack)
    records = [
        {"text": f"Number {n}.", "author": ["Ann Ash", "Zoë Birch"][n % 2], "tags": [["Été", "sea"][n % 3 % 2]]}
        for n in range(60)
    ]
    library.update(library.write("a.jsonl", *map(json.dumps, records)))
    for where in (Filter(), Filter(tags=("ete",)), Filter(authors=("birch",), tags=("SEA",)), Filter(max_chars=9)):
        names = [quote.id for quote in library.quotes() if where.admits(quote)]
        assert len(names) > pack or pack == 1000
        for day in days(80):
            quote = quote_of_the_day(library.directory, day, where)
            assert quote is not None
            assert quote.id == choose([name for name in names if name], day)
    assert quote_of_the_day(library.directory, DAY, Filter(tags=("nothing",))) is None


_WORDS = st.sampled_from(["Émile", "emil", "Bron", "bronte", "愛", "é", "the Sea", "sea", "1", "--", "ß", "Dr."])
_NAME = st.lists(_WORDS, min_size=1, max_size=2).map(" ".join)


@settings(max_examples=30, deadline=None)
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {"author": st.none() | _NAME, "work": st.none() | _NAME, "tags": st.lists(_NAME, max_size=2)}
        ),
        min_size=1,
        max_size=6,
    ),
    conditions=st.fixed_dictionaries(
        {
            name: st.lists(_NAME.filter(lambda text: text.strip("- ")), max_size=2).map(tuple)
            for name in ("authors", "works", "tags")
        },
        optional={"max_chars": st.integers(7, 9)},
    ),
)
def test_a_filter_means_the_same_without_a_database(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], conditions: dict[str, Any]
) -> None:
    """`Filter.admits` says of a quote what SQLite says."""
    from fake_encoder import FakeEncoder

    folder = tmp_path_factory.mktemp("filter")
    library = Library(folder / "index", folder / "sources", FakeEncoder())
    library.update(
        library.write("a.jsonl", *(json.dumps({"text": "Text " + "x" * n, **r}) for n, r in enumerate(records)))
    )
    where = Filter(**conditions)
    with open_index(library.directory) as index:
        rows, _ = matching_rows(index.connection, where)
    assert rows.tolist() == [row for row, quote in enumerate(library.quotes()) if where.admits(quote)]


# --- Newcomers, damage ---


def test_a_newcomer_sees_what_the_index_would_show(
    bundled_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before there is an index the bundled quotes answer, at once, exactly as they do once they are indexed."""
    wheres = [Filter(), Filter(tags=("Courage",)), Filter(authors=("shakespeare",), max_chars=120)]
    before = [quote_of_the_day(index_location(None), day, where) for day in days(5) for where in wheres]
    assert not home.exists()
    monkeypatch.setenv("QUOTEFIND_HOME", str(bundled_home))
    after = [quote_of_the_day(index_location(None), day, where) for day in days(5) for where in wheres]
    assert before == after
    assert None not in after


def test_an_index_that_is_missing_is_an_error(home: Path, tmp_path: Path) -> None:
    """Only the default index is stood in for; and not where its database was lost, but its matrix is there."""
    with pytest.raises(IndexUnusableError, match="There is no index in"):
        quote_of_the_day(tmp_path / "nowhere", DAY)
    default = home / "indexes" / "default"
    default.mkdir(parents=True)
    assert quote_of_the_day(default, DAY) is not None
    (default / "vectors-1.npy").write_bytes(b"x" * 2000)
    with pytest.raises(IndexUnusableError, match="any longer"):
        quote_of_the_day(default, DAY)


def test_a_changed_quote_is_not_shown(library: Library) -> None:
    """A quote that does not match its checksum is an error that says what mends it."""
    library.update(library.write("a.txt", "Hope is the thing with feathers."))
    path = library.directory / "index.sqlite"
    data = path.read_bytes()
    assert data.count(b"feathers") >= 1
    path.write_bytes(data.replace(b"the thing with feathers", b"the thing with leathers"))
    with pytest.raises(IndexUnusableError, match="does not match its checksum"):
        quote_of_the_day(library.directory, DAY)


def test_a_damaged_database_is_an_error(library: Library) -> None:
    """A database that is none is reported as everywhere."""
    library.update(library.write("a.txt", "Hope is the thing with feathers."))
    (library.directory / "index.sqlite").write_bytes(b"no database at all, " * 500)
    with pytest.raises(IndexUnusableError, match="index its sources again"):
        quote_of_the_day(library.directory, DAY)


# --- The command ---

RECORDS = [
    {
        "text": "Love [b]and[/b] \x1b[31mlove.",
        "author": "Ann Ash",
        "work": "Poems",
        "year": 1900,
        "tags": ["love", "a"],
    },
    {"text": "War.", "tags": ["war"]},
]


def test_today_shows_the_quote_of_this_day(cli: Cli) -> None:
    """Without --date it is the local day; plain, JSON, JSON Lines, CSV and Markdown hold the same quote."""
    cli.index(RECORDS)
    shown = cli("today")
    assert shown.code == 0
    assert shown.out in [cli("today", "--date", str(day)).out for day in (date.today(), date.today() - timedelta(1))]
    tag = ("today", "--tag", "Love", "--date", "2026-11-27")
    assert cli(*tag).out == "Love [b]and[/b] ␛[31mlove. — Ann Ash, Poems\n"
    (found,) = cli(*tag, "--format", "json").json
    assert list(found) == [
        *("id", "text", "author", "work", "year", "tags", "source", "line", "proposed", "note", "place", "added")
    ]
    assert (found["text"], found["year"], found["tags"]) == (RECORDS[0]["text"], 1900, ["love", "a"])
    assert json.loads(cli(*tag, "-f", "jsonl").out) == found
    assert cli(*tag, "-f", "csv").lines[0] == "id,text,author,work,year,tags,source,line,proposed,note,place,added"
    assert cli(*tag, "-f", "markdown").out.startswith("> Love \\[b\\]and")


def test_conditions_hold_together(cli: Cli) -> None:
    """--tag and --tag are one option, repeatable; all conditions must hold; nothing found ends with 1."""
    cli.index(RECORDS)
    for arguments in (["--tag", "war"], ["--tag", "war"], ["--tag", "peace", "--tag", "WAR"], ["--max-chars", "4"]):
        assert cli("today", *arguments).out == "War.\n"
    done = cli("today", "--tag", "war", "--author", "Ash")
    assert (done.code, done.out, done.err) == (1, "", "quotefind: nothing found with these filters\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--date", "tomorrow"], "--date 'tomorrow' is not a date"),
        (["--date", "2026-02-30"], "Write it as YYYY-MM-DD"),
        (["--format", "trec"], "--format trec works with find only"),
        (["--tag", "--"], "names nothing"),
    ],
)
def test_wrong_usage_ends_with_2(cli: Cli, arguments: list[str], says: str) -> None:
    """What is no day, no format of a quote or no tag is refused."""
    cli.index(RECORDS)
    done = cli("today", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_an_index_is_not_refreshed(cli: Cli) -> None:
    """The greeting of a shell answers from what is there, whatever has happened to the sources."""
    cli.index(RECORDS)
    (cli.folder / "quotes.jsonl").unlink()
    opened = len(cli.opened)
    done = cli("today", "--tag", "war")
    assert (done.out, done.err, len(cli.opened)) == ("War.\n", "", opened)


def test_a_terminal_gets_whole_words(cli: Cli) -> None:
    """On a terminal lines are broken between words, the attribution stands below, and nothing is obeyed."""
    cli.index([{"text": "\x1b[31mLove and war and the sea and time and hope and a king.", "author": "Ann Ash"}])
    code, shown = run_on_terminal(PROGRAM, "today", home=cli.home, columns=24)
    assert (code, CONTROL.search(shown)) == (0, None)
    assert shown.splitlines() == ["␛[31mLove and war and", "the sea and time and", "hope and a king.", "— Ann Ash"]


@pytest.mark.parametrize("tag", [[], ["--tag", "hope"]])
def test_it_loads_nothing_heavy(bundled_home: Path, home: Path, tag: list[str]) -> None:
    """With an index and without one it imports neither NumPy, a model, rich's tables nor what reads Markdown."""
    heavy = LIGHT - {"sqlite3"} | {"rich", "markdown_it"}
    shown = set()
    for place in (bundled_home, home):
        done = run(program(), "today", "--date", "2026-11-27", *tag, home=place)
        assert done.code == 0, done
        assert modules(done) & heavy == set()
        shown.add(done.out)
    assert len(shown) == 1
    assert not home.exists()


def test_the_day_is_that_of_the_place(cli: Cli) -> None:
    """The day is the local one, as the time zone of whoever asks says."""
    cli.index([{"text": f"Number {n}."} for n in range(5)])
    statement = "import datetime; from quotefind.__main__ import main; main()"
    east, west = (
        run((sys.executable, "-c", statement), "today", home=cli.home, TZ=zone).out for zone in ("<+14>-14", "<-12>12")
    )
    assert east != west  # 26 hours apart, never the same day


@given(text=st.lists(st.text("abé愛%-", min_size=1, max_size=30), min_size=1).map(" ".join), width=st.integers(1, 40))
def test_wrapping_only_breaks_at_blanks(text: str, width: int) -> None:
    """Wrapped text is the same words; a line is within the width or a single word."""
    lines = wrapped(text, width).split("\n")
    assert " ".join(lines) == text
    assert all(len(line) <= width or " " not in line for line in lines), lines


def test_an_empty_name_is_refused(home: Path) -> None:
    """An index needs a name."""
    with pytest.raises(UsageError, match="is empty"):
        quote_of_the_day(index_location(" "), DAY)
    assert re.search("default$", str(index_location(None)))
    assert not home.exists()


def test_proposed_tags_count_where_that_is_asked_for() -> None:
    """A tag that was only proposed admits a quote with `proposed` alone; `untagged` admits no quote with tags."""
    tagged, proposed = Quote("A text", tags=("Love",)), Quote("Another", proposed=("Love",))
    admitted = [
        [quote for quote in (tagged, proposed) if where.admits(quote)]
        for where in (Filter(tags=("love",)), Filter(tags=("love",), proposed=True), Filter(untagged=True))
    ]
    assert admitted == [[tagged], [tagged, proposed], [proposed]]
