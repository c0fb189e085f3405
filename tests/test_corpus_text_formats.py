"""The formats for people: text, fortunes, Markdown."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotefind.corpus import BadRecord, ReadOptions, files_of, read_file, read_stream
from quotefind.records import Quote
from quotefind.text import normalise

Facts = tuple[int | None, str, str | None, str | None]
FORTUNES = Path("/usr/share/games/fortunes")


def facts(text: str, input_format: str) -> list[Facts | BadRecord]:
    """Return line, text, author and work of each quote in `text`, and the bad records."""
    records = read_stream(io.BytesIO(text.encode()), "-", ReadOptions(input_format=input_format))
    return [(r.line, r.text, r.author, r.work) if isinstance(r, Quote) else r for r in records]


def test_text_is_one_quote_a_line() -> None:
    """Blank lines are skipped but counted, and marks around a quote are dropped."""
    text = "First  one\n\n \t\n“Second one” — Jane Austen, Emma\nLife is short — make it sweet.\n"
    assert facts(text, "txt") == [
        (1, "First one", None, None),
        (4, "Second one", "Jane Austen", "Emma"),
        (5, "Life is short — make it sweet.", None, None),
    ]


def test_tags_below_a_quote_that_was_copied_are_its_tags() -> None:
    """A line of tags right below an attribution, as a web page of quotes shows them, and its likes are no quotes."""
    text = "“One.”\n― Ann Alpha\ntags: love, long life\n1,234 likes\nLike\n\n“Two.”\n― Ben Beta\n"
    one, two = read_stream(io.BytesIO(text.encode()), "-", ReadOptions(input_format="txt"))
    assert one == Quote("One.", "Ann Alpha", tags=("love", "long life"), source="-", line=1)
    assert two == Quote("Two.", "Ben Beta", source="-", line=7)


def test_text_without_words_is_no_quote() -> None:
    """A line of signs, a line with a NUL, and an attribution alone are bad records that say why."""
    records = facts("***\na\0b\n-- Oscar Wilde\n-- he left.\n", "txt")
    assert records[:3] == [
        BadRecord("-:1", "the text holds no letter and no digit; expected the words of a quote"),
        BadRecord("-:2", "holds a NUL character; expected text"),
        BadRecord("-:3", "an attribution without a quote before it; expected both on one line, or the quote above it"),
    ]
    assert records[3:] == [(4, "-- he left.", None, None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“One.”\n― Ann Alpha, Letters\n\n“Two.”\n― Ben Beta\n", [("One.", "Ann Alpha"), ("Two.", "Ben Beta")]),
        ("Ann said:\n“One.”\n― Ann Alpha\n", [("Ann said:", None), ("One.", "Ann Alpha")]),
        ("「道は長い。」―松尾芭蕉\n", [("道は長い。", "松尾芭蕉")]),
        ("One.\n- Ann Alpha\n\nTwo.\n– Ben Beta\n", [("One.", "Ann Alpha"), ("Two.", "Ben Beta")]),
        ("One.\n~ Ann Alpha\nTwo.\n—— Ben Beta\n", [("One.", "Ann Alpha"), ("Two.", "Ben Beta")]),
        ("One.\n(Ann Alpha)\n\nTwo.\nby Ben Beta\n", [("One.", "Ann Alpha"), ("Two.", "Ben Beta")]),
        ("One.\n\n— Ann Alpha\n\nTwo.\n\n— Ben Beta\n", [("One.", "Ann Alpha"), ("Two.", "Ben Beta")]),
        ("“One,\nand two.”\n― Ann Alpha\n", [("One, and two.", "Ann Alpha")]),
        ("“One,\nand two.” — Ann Alpha\n", [("One, and two.", "Ann Alpha")]),
        ("One, and a great many more words than one line can hold\nwithout a break.\n- Ann Alpha\n",
         [("One, and a great many more words than one line can hold without a break.", "Ann Alpha")]),
        ("One, and a great many more words than one line can hold\nwithout a break. — Ann Alpha\nTwo.\n",
         [("One, and a great many more words than one line can hold without a break.", "Ann Alpha"), ("Two.", None)]),
        ("“One,\nTwo.\nThree. — Ben\nFour.\n", [("“One,", None), ("Two.", None), ("Three.", "Ben"), ("Four.", None)]),
        ("One,\nand\nTwo\nThree.\n— Ann\n", [("One,", None), ("and", None), ("Two", None), ("Three.", "Ann")]),
        ("One.\nTwo.\nThree.\n— Ann Alpha\n", [("One.", None), ("Two.", None), ("Three.", "Ann Alpha")]),
        ("One.\nTwo. — Ben Beta\nThree.\n— Ann\n", [("One.", None), ("Two.", "Ben Beta"), ("Three.", "Ann")]),
        ("- One.\n- Two.\n- Three\n", [("One.", None), ("Two.", None), ("Three", None)]),
        ("- One.\n  - Ann Alpha\n- Two.\n  — Ben Beta\n", [("One.", "Ann Alpha"), ("Two.", "Ben Beta")]),
        ("1. One.\n2) Two.\n3. Three - Ann Alpha\n", [("One.", None), ("Two.", None), ("Three - Ann Alpha", None)]),
        ("12. Zwölf.\n3. Oktober 1990.\n", [("12. Zwölf.", None), ("3. Oktober 1990.", None)]),
        ("* One. — Ann Alpha\n• Two.\n", [("One.", "Ann Alpha"), ("Two.", None)]),
        ("One - Ann Alpha\nTwo – Ben Beta\nThree - four - five\n",
         [("One", "Ann Alpha"), ("Two", "Ben Beta"), ("Three - four - five", None)]),
        ("Discipline is – freedom\nOne.\n", [("Discipline is – freedom", None), ("One.", None)]),
        ("Ann\tOne and two.\nBen\tAnd three.\n", [("One and two.", "Ann"), ("And three.", "Ben")]),
        ("One and two.\t— Ann\nAnd three.\t— Ben\n", [("One and two.", "Ann"), ("And three.", "Ben")]),
        ("author\tquote\nAnn Alpha\tOne and two.\n", [("One and two.", "Ann Alpha")]),
        ("Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:\n- Shakespeare\n",
         [("Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:", "Shakespeare")]),
    ],
)  # fmt: skip
def test_text_as_people_write_it(text: str, expected: list[tuple[str, str | None]]) -> None:
    """Attributions below a text, markers of lists, habits of a file, tabs and verse are recognised."""
    assert [(fact[1], fact[2]) for fact in facts(text, "txt") if isinstance(fact, tuple)] == expected


_WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(
    lambda words: any(map(str.isalnum, normalise(words))) and not set("-–—―%~()*•‣◦▪·+\t") & set(words)
)


@given(texts=st.lists(_WORDS, max_size=5))
def test_text_and_fortunes_come_back_as_they_were_written(texts: list[str]) -> None:
    """What is written a line, or an entry, each comes back normalised and in order."""
    texts = [text for text in texts if not text.strip()[:1].isdigit()]  # which may begin an item of a list
    for input_format, separator in (("txt", "\n\n"), ("fortune", "\n%\n")):
        found = facts(separator.join(texts), input_format)
        assert [quote[1] for quote in found if isinstance(quote, tuple)] == [normalise(text) for text in texts]


def test_fortunes_are_entries_between_percent_signs() -> None:
    """Wrapped entries are folded, named by their first line of text, blank ones and drawings skipped."""
    text = "%\n%%\n\nTo be\nis to do.\n\t\t-- Plato\n% \n  /\\_/\\\n ( o.o )\n%\n /\\ \n%\n100% sure\n%\n"
    assert facts(text.replace("o.o", "-.-"), "fortune") == [
        (4, "To be is to do.", "Plato", None),
        (13, "100% sure", None, None),
    ]


@pytest.mark.parametrize(
    ("entry", "text", "author", "work"),
    [
        ('Hi.\n\t\t-- Mark Twain, "Pudd\'nhead\n\t\tWilson"\n', "Hi.", "Mark Twain", "Pudd'nhead Wilson"),
        ("Hi.\n\t— Mark Twain\n", "Hi.", "Mark Twain", None),
        ("Hi.\n-- Mark Twain,\n   A Tramp Abroad\n", "Hi.", "Mark Twain", "A Tramp Abroad"),
        ("Hi.\n-- B. Hebbard, The System,\nVol. 14\n", "Hi.", "B. Hebbard", "The System, Vol. 14"),
        ("Hi.\n\n\t\t-- Mark Twain\n\n", "Hi.", "Mark Twain", None),
        ('"Hi."  -- Yogi Berra\n', "Hi.", "Yogi Berra", None),
        ("Hi.\n\t\t-- Ed Lee\n\t[A greeting.]\n", "Hi. [A greeting.]", "Ed Lee", None),
        ("Hi.\n\t\t-- a coffee cup\n", "Hi.", "a coffee cup", None),
        ("Because\n\t-- I am ill.\n\t-- My cat is ill.\n", "Because -- I am ill. -- My cat is ill.", None, None),
        ("A man creates\n-- he hates us.\n\t\t-- Ed Lee\n", "A man creates -- he hates us.", "Ed Lee", None),
        ("Ten percent\n-- the rest is overhead.\n", "Ten percent -- the rest is overhead.", None, None),
        ("Dear X:\n\t\t-- Angry\n\nDear Angry:\nNo.\n", "Dear X:\n-- Angry\n\nDear Angry:\nNo.", None, None),
        ("Garbage In -- Gospel Out\n", "Garbage In -- Gospel Out", None, None),
        ("Never trust a smile -- Mark Twain\n", "Never trust a smile", "Mark Twain", None),
        ("Hi.\n\t~ Mark Twain\n", "Hi.", "Mark Twain", None),
        ("Roses are red,\nViolets are blue.\n\t-- Ed Lee\n", "Roses are red,\nViolets are blue.", "Ed Lee", None),
        ("Q:\tWho is\n\tthere?\nA:\tMe.\n", "Q: Who is there?\nA: Me.", None, None),
        ("I ___\b\b\bam _\bn.\n\t\t-- Honor'\be\n", "I am n.", "Honoré", None),
    ],
)
def test_fortunes_end_with_their_attribution(entry: str, text: str, author: str | None, work: str | None) -> None:
    """The last lines that begin with a dash are the attribution, unless they are a list, a reply or a sentence."""
    assert facts(entry, "fortune") == [(1, text, author, work)]


@pytest.mark.skipif(not FORTUNES.is_dir(), reason="no fortunes are installed")
def test_the_installed_fortunes_are_read() -> None:
    """The real fortunes are read as a folder, none of them is bad, and at least two in five have an author."""
    listing = files_of(FORTUNES)
    records = [record for path in listing.files for record in read_file(path, ReadOptions())]
    assert listing.skipped == []
    assert [record for record in records if isinstance(record, BadRecord)] == []
    authors = [record.author for record in records if isinstance(record, Quote) and record.author]
    assert len(authors) > 0.4 * len(records)
    assert all(len(author.split()) <= 8 for author in authors)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> Be *yourself*.\n> — Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be\n> yourself.\n>\n> -- **Oscar Wilde**, *Letters*\n", (1, "Be yourself.", "Oscar Wilde", "Letters")),
        ("> Be yourself.\n— Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be yourself.\n\n— Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be yourself.\n\n― Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be yourself.\n\n- Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be yourself.\n\n- Oscar Wilde\n- Mark Twain\n", (1, "Be yourself.", None, None)),
        ("> Be yourself.\n\n- be bold\n", (1, "Be yourself.", None, None)),
        ("> Be yourself.\n\nA paragraph.\n", (1, "Be yourself.", None, None)),
        ("> Be yourself.\n> – Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be yourself.\n>\n> - Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> - Be kind\n> - Be bold\n", (1, "Be kind Be bold", None, None)),
        ("> Be yourself. — Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be yourself.<br>— Oscar Wilde\n", (1, "Be yourself.", "Oscar Wilde", None)),
        ("> Be [yourself](http://x.y) &amp; `free`\n", (1, "Be yourself & free", None, None)),
        ("> # Rule\n> Be yourself\n", (1, "Rule Be yourself", None, None)),
        ("> Outer\n> > inner\n>\n> — Oscar Wilde\n", (1, "Outer inner", "Oscar Wilde", None)),
        ("# T\n\ntext\n\n* a\n\n  > Be yourself\n", (7, "Be yourself", None, None)),
        ("> Code:\n>\n> ```\n> not this\n> ```\n", (1, "Code:", None, None)),
        ("> Life is short —\n> — make it sweet.\n", (1, "Life is short — — make it sweet.", None, None)),
    ],
)
def test_markdown_block_quotes_are_the_quotes(text: str, expected: Facts) -> None:
    """The outermost block quotes lose their markup, and a dash at their end or behind them names the author."""
    assert facts(text, "md") == [expected]


def test_markdown_without_block_quotes_holds_none() -> None:
    """Paragraphs, code and block quotes of nothing but code are no quotes."""
    assert facts("# Title\n\nText — Oscar Wilde\n\n    > code\n\n> ```\n> code\n> ```\n", "md") == []


def test_markdown_that_does_not_decode_is_bad_at_its_quote() -> None:
    """Foreign bytes make only the block quote bad in which, or behind which as its credit, they stand."""
    data = b"caf\xe9\n\n> one\n\n> caf\xe9\n\n> two\n\n\x97\n\n> three\n\n-- Ren\xe9\n\n" + "«» «»".encode()
    records = list(read_stream(io.BytesIO(data), "-", ReadOptions(input_format="md")))
    assert [r.text if isinstance(r, Quote) else r.where for r in records] == ["one", "-:5", "two", "-:11"]
