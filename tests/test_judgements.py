"""Judged queries: from JSON Lines, from files of pairs, from TREC's files, and from the tags of an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from library import Library

from quotefind.errors import SourceError, UsageError
from quotefind.index.interface import Index
from quotefind.stores import open_index
from quotefind.tagging import TEMPLATES
from quotefind.text import quote_id
from quotefind.training.judgements import JudgedQuery, from_json_lines, from_tags, from_trec

QUOTES = [
    {"text": "Love and war.", "author": "Ann Ash", "tags": ["love", "War"]},
    {"text": "Time and hope.", "author": "Ben Birch", "tags": ["hope", "été"]},
    {"text": "Time and hope.", "author": "Carl Clay", "tags": ["hope"]},
    {"text": "The sea.", "tags": ["hope", "deep-sea", "love"]},
    {"text": "facade"},
]
LOVE, TIME_BIRCH, TIME_CLAY, SEA, FACADE = (
    quote_id(str(quote["text"]), str(quote["author"]) if "author" in quote else None) for quote in QUOTES
)


@pytest.fixture
def index(library: Library) -> Iterator[Index]:
    """An index of QUOTES."""
    library.update(library.write("quotes.jsonl", *map(json.dumps, QUOTES)))
    with open_index(library.directory) as opened:
        yield opened


def lines(path: Path, *values: object) -> Path:
    """Write `values` to `path`, texts as they are and all else as JSON, one a line; return it."""
    written = [value if isinstance(value, str) else json.dumps(value) for value in values]
    path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
    return path


def answers(queries: list[JudgedQuery]) -> dict[str, set[str]]:
    """Return the ids of what answers each query, by its text."""
    return {query.text: set(query.relevant) for query in queries}


# JSON Lines


@pytest.mark.parametrize(
    ("relevant", "expected"),
    [
        ([LOVE], {LOVE}),
        (LOVE, {LOVE}),
        ([LOVE.upper()], {LOVE}),
        ([LOVE[:6]], {LOVE}),
        ([LOVE[:9], SEA], {LOVE, SEA}),
        (["Love and war."], {LOVE}),
        (['  "Love  and\twar." '], {LOVE}),
        (["Time and hope."], {TIME_BIRCH, TIME_CLAY}),
        ([TIME_CLAY], {TIME_CLAY}),
        (["facade"], {FACADE}),
        (["The sea.", SEA, LOVE], {LOVE, SEA}),
    ],
)
def test_answers_are_ids_or_texts(index: Index, tmp_path: Path, relevant: object, expected: set[str]) -> None:
    """An answer is an id, the beginning of one, or a text however it is set in type; a text is that of all authors."""
    file = lines(tmp_path / "judged.jsonl", {"query": "q", "relevant": relevant})
    (query,) = from_json_lines(file, index)
    assert (query.text, dict(query.relevant)) == ("q", dict.fromkeys(expected, 1))


def test_lines_with_one_query_are_put_together(index: Index, tmp_path: Path) -> None:
    """The answers of a query may stand in several lines; the order is that of the first of each, the ids count on."""
    file = lines(
        tmp_path / "judged.jsonl",
        {"query": "b", "relevant": [LOVE]},
        {"query": "a", "relevant": ["The sea."]},
        {"query": "b", "relevant": [SEA, LOVE]},
    )
    queries = from_json_lines(file, index)
    assert [(query.id, query.text) for query in queries] == [("1", "b"), ("2", "a")]
    assert answers(queries) == {"b": {LOVE, SEA}, "a": {SEA}}


def test_a_file_may_come_from_windows(index: Index, tmp_path: Path) -> None:
    """A byte order mark, CRLF, blank lines and no line end behind the last line are no fault of a file."""
    first, last = (json.dumps({"query": query, "relevant": LOVE}) for query in ("q", "other"))
    path = tmp_path / "judged.jsonl"
    path.write_bytes(f"\ufeff{first}\r\n\r\n  \r\n{last}".encode())
    assert answers(from_json_lines(path, index)) == {"q": {LOVE}, "other": {LOVE}}


def test_a_file_of_pairs_is_judged_by_what_is_held_out(index: Index, tmp_path: Path) -> None:
    """Of pairs with a split, those to train with are not asked, whatever they hold; `kind` is the group."""
    file = lines(
        tmp_path / "pairs.jsonl",
        {"query": "a", "quote": "Love and war.", "kind": "theme", "split": "held-out"},
        {"query": "b", "quote": "Not in this index.", "kind": "theme", "split": "train"},
        {"query": "c", "quote": "The sea.", "kind": "request", "split": "test"},
        {"query": "d", "quote": "The sea.", "split": "training"},
        {"query": "e", "quote": "The sea."},
    )
    queries = from_json_lines(file, index)
    assert answers(queries) == {"a": {LOVE}, "c": {SEA}, "e": {SEA}}
    assert [query.group for query in queries] == ["theme", "request", ""]


def test_requests_for_one_quote_are_one_topic(index: Index, tmp_path: Path) -> None:
    """What is not independent is one topic: what `topic` says, else requests for one `quote`, else the same query."""
    file = lines(
        tmp_path / "judged.jsonl",
        {"query": "a", "quote": "Love and war."},
        {"query": "b", "quote": "Love and war."},
        {"query": "c", "quote": "The sea."},
        {"query": "d", "relevant": "The sea."},
        {"query": "e", "relevant": "The sea."},
        {"query": "f", "quote": "The sea.", "topic": "water"},
        {"query": "g", "relevant": [LOVE], "topic": "water"},
        {"query": "a", "quote": "The sea."},
    )
    topics = [query.topic for query in from_json_lines(file, index)]
    assert topics[0] == topics[1]
    assert topics[5:] == ["water", "water"]
    assert len(set(topics)) == 5


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["q", "Love and war."]', "expected an object"),
        ({"relevant": [LOVE]}, "expected an object with query and relevant"),
        ({"query": "q"}, "expected an object with query and relevant"),
        ({"query": " ", "relevant": [LOVE]}, "expected an object with query and relevant"),
        ({"query": 5, "relevant": [LOVE]}, "expected an object with query and relevant"),
        ({"query": "q", "relevant": []}, "expected an object with query and relevant"),
        ({"query": "q", "relevant": None}, "expected an object with query and relevant"),
        ({"query": "q", "relevant": {LOVE: 1}}, "expected an object with query and relevant"),
        ({"query": "q", "relevant": [LOVE, 5]}, "'5' is not a text"),
        ({"query": "q", "relevant": [None]}, "'None' is not a text"),
        ({"query": "q\ud800", "relevant": [LOVE]}, "is not a text"),
        ({"query": "q", "relevant": ["\udfff"]}, "is not a text"),
        ({"query": "q", "relevant": [LOVE, "Love."]}, "no quote of this index has the id or the text 'Love.'"),
        ({"query": "q", "relevant": ["0123456789abcdef"]}, "has the id or the text '0123456789abcdef'"),
        ({"query": "q", "relevant": [LOVE[:5]]}, "no quote of this index has the id"),
        ({"query": "q", "relevant": [""]}, "no quote of this index has the id or the text ''"),
        ({"query": "q", "quote": "\x1b[31m" * 90}, r"'\x1b[31m"),
    ],
)
def test_a_bad_line_is_named(index: Index, tmp_path: Path, line: object, says: str) -> None:
    """Whatever is wrong with a line, the error says which file and line, and what was expected or is not there."""
    file = lines(tmp_path / "judged.jsonl", {"query": "q", "relevant": [LOVE]}, "", line)
    with pytest.raises(SourceError) as caught:
        from_json_lines(file, index)
    assert str(caught.value).startswith(f"{file}:3: ")
    assert says in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < len(str(file)) + 400


@pytest.mark.parametrize("reader", ["judged", "topics", "qrels"])
def test_bytes_that_are_no_utf_8_are_named(index: Index, tmp_path: Path, reader: str) -> None:
    """In each of the files the line is named that is not UTF-8."""
    good = {
        "judged": json.dumps({"query": "q", "relevant": [LOVE]}),
        "topics": "1\tlove",
        "qrels": f"1 0 {LOVE} 1",
    }
    files = {name: lines(tmp_path / name, text) for name, text in good.items()}
    bad = files[reader]
    bad.write_bytes(bad.read_bytes() + b"\n\xe9t\xe9\n")
    read = {
        "judged": lambda: from_json_lines(bad, index),
        "topics": lambda: from_trec(bad, files["qrels"], index),
        "qrels": lambda: from_trec(files["topics"], bad, index),
    }
    with pytest.raises(SourceError) as caught:
        read[reader]()
    assert str(caught.value).startswith(f"{bad}:3: not valid UTF-8")


def test_a_file_without_queries_is_an_error(index: Index, tmp_path: Path) -> None:
    """Nothing to ask is no success: a file that is empty, not there, a folder, or all for training is an error."""
    empty = lines(tmp_path / "empty.jsonl", "", " ")
    training = lines(tmp_path / "training.jsonl", {"query": "q", "quote": "The sea.", "split": "train"})
    for path, says in (
        (empty, "no judged queries."),
        (training, "no judged queries, only pairs to train with."),
        (tmp_path / "nosuch.jsonl", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
    ):
        with pytest.raises(SourceError) as caught:
            from_json_lines(path, index)
        assert str(path) in str(caught.value)
        assert says in str(caught.value)


# TREC

# As on TREC's own disks: nothing but the whole topic is closed, and a title may go on in the next line.
CLASSIC = """
<top>

<num> Number: 301
<title> International Organized
 Crime & a < b

<desc> Description:
Identify organizations <that> participate in international criminal
activity.

<narr> Narrative:
A relevant document must as a minimum identify the organization. <title> is no title here.
</top>

<top>
<head> Tipster Topic Description
<num> Number:  051
<dom> Domain:  International Economics
<title> Topic:  Airbus Subsidies
<desc> Description:
A document will discuss government assistance.
</top>
"""
CLOSED = """<top lang="en"><num>301</num><title>International Organized Crime & a < b</title></top>
<TOP><NUM> 051 </NUM><TITLE>Airbus
Subsidies</TITLE></TOP>"""
UNCLOSED = CLASSIC.replace("</top>", "")
TABBED = "301\tInternational Organized Crime & a < b\n051 \t Airbus Subsidies \n"


@pytest.mark.parametrize("text", [CLASSIC, CLOSED, UNCLOSED, TABBED, f"\ufeff{TABBED}", TABBED.replace("\n", "\r\n")])
def test_topics_are_read_as_trec_writes_them(index: Index, tmp_path: Path, text: str) -> None:
    """Topics are lines with a tab or <top> elements, closed or not, with labels and titles of several lines."""
    topics = tmp_path / "topics"
    topics.write_bytes(text.encode())
    qrels = lines(tmp_path / "qrels", f"301 0 {LOVE} 1", f"051 0 {SEA} 1")
    queries = from_trec(topics, qrels, index)
    assert [(query.id, query.text, query.topic) for query in queries] == [
        ("301", "International Organized Crime & a < b", "301"),
        ("051", "Airbus Subsidies", "051"),
    ]
    assert [set(query.relevant) for query in queries] == [{LOVE}, {SEA}]


def test_grades_are_kept(index: Index, tmp_path: Path) -> None:
    """A grade above 0 is kept as it is; 0 and below, such as TREC's -2 for spam, is no answer, known here or not."""
    topics = lines(tmp_path / "topics", "1\tlove", "2\ttime", "3\tsea", "4\tnobody judged this")
    qrels = lines(
        tmp_path / "qrels",
        f"1 0 {LOVE} 3",
        f"1 0 {SEA}\t1 ",
        f"1 Q0 {FACADE} 0",
        f"1 0 {TIME_CLAY} -2",
        "1 0 clueweb09-en0000-00-00000 -2",
        f"3 0 {SEA} 0",
        f"2 0 {TIME_BIRCH} 2",
        f"5 0 {LOVE} 1",
    )
    queries = from_trec(topics, qrels, index)
    assert {query.id: dict(query.relevant) for query in queries} == {"1": {LOVE: 3, SEA: 1}, "2": {TIME_BIRCH: 2}}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 0", "expected four columns"),
        (f"1 0 {LOVE}", "expected four columns"),
        (f"1 0 {LOVE} 1 run", "expected four columns"),
        (f"1 0 {LOVE} high", "expected four columns"),
        (f"1 0 {LOVE} 0.5", "expected four columns"),
        (f"1 0 {LOVE} 1000000000", "grade (-9999 to 9999)"),
        ("1 0 0123456789abcdef 1", "no quote of this index has the id '0123456789abcdef'"),
        (f"1 0 {LOVE[:8]} 1", f"no quote of this index has the id '{LOVE[:8]}'"),
        ("1 0 \x1b[31m 1", r"no quote of this index has the id '\x1b[31m'"),
        (f"1 0 {SEA} 2", "already has another grade for topic 1"),
        (f"1 0 {SEA} 0", "already has another grade for topic 1"),
    ],
)
def test_a_bad_judgement_is_named(index: Index, tmp_path: Path, line: str, says: str) -> None:
    """A judgement that cannot be read, of a quote that is not here, or against another one, is named with its line."""
    topics = lines(tmp_path / "topics", "1\tlove")
    qrels = lines(tmp_path / "qrels", f"1 0 {SEA} 1", "", line)
    with pytest.raises(SourceError) as caught:
        from_trec(topics, qrels, index)
    assert str(caught.value).startswith(f"{qrels}:3: ")
    assert says in str(caught.value)


def test_a_judgement_may_be_repeated(index: Index, tmp_path: Path) -> None:
    """The same judgement twice says nothing new, and is no error."""
    topics = lines(tmp_path / "topics", "1\tlove")
    qrels = lines(tmp_path / "qrels", f"1 0 {SEA} 1", f"1 0 {SEA} 1")
    assert answers(from_trec(topics, qrels, index)) == {"love": {SEA}}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("1\tlove\n\n2 sea\n", 3, "expected the number of a topic, a tab and its text"),
        ("1\tlove\n2\t \n", 2, "expected the number of a topic, a tab and its text"),
        ("1\tlove\n\tsea\n", 2, "expected the number of a topic, a tab and its text"),
        ("1\tlove\n2\tsea\n1\twar\n", 3, "topic 1 occurs twice"),
        ("<top>\n<num> 1\n<title> love\n</top>\n\n<top>\n<num> 2\n</top>\n", 6, "without <num> or <title>"),
        ("\n\n<top>\n<title> love\n</top>\n", 3, "without <num> or <title>"),
        ("<top><num>1<title></top>", 1, "without <num> or <title>"),
        ("<top><num>1<title>a</top>\n<top><num>1<title>b</top>", 2, "topic 1 occurs twice"),
        ("<topics>\n<topic number='1'><query>love</query></topic>\n</topics>", 1, "expected <top> elements"),
    ],
)
def test_a_bad_topic_is_named(index: Index, tmp_path: Path, text: str, line: int, says: str) -> None:
    """A topic without number or text, or with the number of another, is named with the line where it begins."""
    topics = tmp_path / "topics"
    topics.write_text(text, encoding="utf-8")
    qrels = lines(tmp_path / "qrels", f"1 0 {SEA} 1")
    with pytest.raises(SourceError) as caught:
        from_trec(topics, qrels, index)
    assert str(caught.value).startswith(f"{topics}:{line}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("judged", ["", "1 0 ID 0\n", "9 0 ID 1\n"])
def test_topics_without_any_answer_are_an_error(index: Index, tmp_path: Path, judged: str) -> None:
    """Where no topic has an answer there is nothing to measure, and both files are named."""
    topics = lines(tmp_path / "topics", "1\tlove")
    qrels = tmp_path / "qrels"
    qrels.write_text(judged.replace("ID", LOVE), encoding="utf-8")
    with pytest.raises(SourceError, match=f"{qrels}: has no answer to any topic in {topics}"):
        from_trec(topics, qrels, index)


# Tags


def test_each_theme_is_asked_for_in_each_way(index: Index) -> None:
    """What carries a theme answers each of its requests, which are one topic, and the way of asking is their group."""
    queries = from_tags(index, templates=["{}", "on {}, {}!"], min_quotes=2)
    assert [(query.id, query.text, query.topic, query.group) for query in queries] == [
        ("1.1", "hope", "hope", "{}"),
        ("1.2", "on hope, hope!", "hope", "on {}, {}!"),
        ("2.1", "love", "love", "{}"),
        ("2.2", "on love, love!", "love", "on {}, {}!"),
    ]
    assert [set(query.relevant) for query in queries] == 2 * [{TIME_BIRCH, TIME_CLAY, SEA}] + 2 * [{LOVE, SEA}]
    assert {grade for query in queries for grade in query.relevant.values()} == {1}


def test_the_ways_of_asking_are_those_of_the_model_card(index: Index) -> None:
    """Unless told otherwise the bare theme and three openings of the model card are asked, in plain words."""
    queries = from_tags(index, min_quotes=1)
    asked = [query.text for query in queries if query.topic == "deep sea"]
    assert asked == [
        "deep sea",
        "quotes about deep sea",
        "I need a quote about the importance of deep sea.",
        "Searching for a quote that captures the essence of deep sea.",
    ]
    assert [query.group for query in queries[:4]] == list(TEMPLATES)
    assert {query.topic for query in queries} == {"love", "war", "hope", "ete", "deep sea"}


def test_braces_of_a_theme_are_no_place(index: Index) -> None:
    """Other braces in a template are only text."""
    assert from_tags(index, templates=["{0} {x} {}"], min_quotes=3)[0].text == "{0} {x} hope"


@pytest.mark.parametrize(
    ("quotes", "tagged", "asked"),
    [(20, 7, False), (20, 8, True), (60, 50, True), (60, 51, False), (520, 52, True), (520, 53, False)],
)
def test_a_theme_is_neither_rare_nor_common(library: Library, quotes: int, tagged: int, asked: bool) -> None:
    """A theme is asked for if at least 8 quotes carry it, and at most 50 or a tenth of all, whichever is more."""
    records = ({"text": f"Quote {number}.", "tags": ["hope"] * (number < tagged)} for number in range(quotes))
    library.update(library.write("quotes.jsonl", *map(json.dumps, records)))
    most = max(50, quotes // 10)
    says = f"at least 8 quotes and at most {most}; see --min-quotes"
    with open_index(library.directory) as opened, nullcontext() if asked else pytest.raises(UsageError, match=says):
        (query,) = from_tags(opened, templates=["{}"])
        assert len(query.relevant) == tagged


@pytest.mark.parametrize(
    ("templates", "says"),
    [(["{}", "quotes about X"], "'quotes about X' has no {}"), ([""], "'' has no {}"), ([], "no template")],
)
def test_a_template_needs_a_place_for_the_theme(index: Index, templates: list[str], says: str) -> None:
    """A template that would ask the same for every theme is refused, and so is none at all."""
    with pytest.raises(UsageError, match=says):
        from_tags(index, templates=templates, min_quotes=1)


def test_ids_by_tag_follows_the_index(library: Library) -> None:
    """The tags are folded, those of removed quotes are gone, and those that a source corrected are the new ones."""
    library.update(library.write("quotes.jsonl", *map(json.dumps, QUOTES)))
    with open_index(library.directory) as opened:
        assert opened.ids_by_tag() == {
            "love": [LOVE, SEA],
            "war": [LOVE],
            "hope": [TIME_BIRCH, TIME_CLAY, SEA],
            "ete": [TIME_BIRCH],
            "deep sea": [SEA],
        }
        assert list(opened.ids_by_tag()) == ["deep sea", "ete", "hope", "love", "war"]
    changed: list[dict[str, object]] = [{**QUOTES[0], "tags": ["hope"]}, *QUOTES[2:]]
    library.update(library.write("quotes.jsonl", *map(json.dumps, changed)))
    with open_index(library.directory) as opened:
        found = {tag: set(ids) for tag, ids in opened.ids_by_tag().items()}
    assert found == {"hope": {LOVE, TIME_CLAY, SEA}, "deep sea": {SEA}, "love": {SEA}}
