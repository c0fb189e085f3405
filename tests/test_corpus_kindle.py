"""The clippings of a Kindle, in eight languages and with the traps that importers have fallen into."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from quotefind.corpus import BadRecord, Listing, ReadOptions, files_of, format_of, read_file, read_stream
from quotefind.corpus.kindle import split_book
from quotefind.records import Quote

FIXTURES = Path(__file__).parent / "fixtures" / "kindle"

# Of each fixture: the words, the note, the author and the work of its first book, and the words and author of another.
# Each has a highlight, the same longer, a note, a bookmark; and a highlight with a location only.
LANGUAGES = {
    "en": (
        "Silly things do cease to be silly if they are done by sensible people in an impudent way.",
        "for the talk in May",
        "Jane Austen",
        "Emma",
        "Strength is the outcome of need; security sets a premium on feebleness.",
        "H. G. Wells",
    ),
    "de": (
        "Es irrt der Mensch, solang er strebt.",
        "für den Vortrag im Mai",
        "Johann Wolfgang von Goethe",
        "Faust: Der Tragödie erster Teil",
        "Jemand mußte Josef K. verleumdet haben.",
        "Franz Kafka",
    ),
    "fr": (
        "Le cœur a ses raisons que la raison ne connaît point.",
        "pour la conférence de mai",
        "Blaise Pascal",
        "Pensées",
        "Il faut cultiver notre jardin.",
        "Voltaire",
    ),
    "es": (
        "En un lugar de la Mancha, de cuyo nombre no quiero acordarme",
        "para la charla de mayo",
        "Miguel de Cervantes",
        "Don Quijote de la Mancha",
        "Que toda la vida es sueño, y los sueños, sueños son.",
        "Pedro Calderón de la Barca",
    ),
    "it": (
        "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura",
        "per la conferenza di maggio",
        "Dante Alighieri",
        "La Divina Commedia",
        "Chi ha carico di casa non può dormire quando vuole.",
        "Giovanni Verga",
    ),
    "pt": (
        "Amor é fogo que arde sem se ver",
        "para a palestra de maio",
        "Luís de Camões",
        "Sonetos",
        "A vida é uma ópera, e uma grande ópera.",
        "Machado de Assis",
    ),
    "ja": (
        "吾輩は猫である。名前はまだ無い。",
        "五月の講演に",
        "夏目漱石",
        "吾輩は猫である (新潮文庫)",
        "智に働けば角が立つ。",
        "夏目漱石",
    ),
    "zh": (
        "学而时习之，不亦说乎？",
        "五月演讲用",
        "孔子",
        "论语 (中华经典藏书)",
        "千里之行，始于足下。",
        "老子",
    ),
}

# Of each fixture: the place of its first quote, and the place and the date of the other one.
PLACES = {
    "en": ("p. 205, location 3140-3142", "location 1234-1236", "2011-12-05T19:12:00"),
    "de": ("p. 17, location 317-318", "location 12-13", "2019-03-04T21:12:45"),
    "fr": ("p. 88, location 1340-1342", "location 2210-2211", "2019-03-04T08:27:45"),
    "es": ("p. 31, location 471-473", "location 90-91", "2019-03-04T00:43:38"),
    "it": ("p. 5, location 72-74", "location 166-167", "2019-03-04T15:32:02"),
    "pt": ("p. 11, location 160-161", "location 333-334", "2019-03-04T13:16:48"),
    "ja": ("p. 7, location 98-99", "location 12-13", "2019-03-04T17:51:55"),
    "zh": ("p. 3, location 40-41", "location 220-221", "2019-03-04T18:35:21"),
}

Found = list[tuple[int | None, str, str | None] | BadRecord]


def records(*entries: tuple[str, str, str]) -> list[Quote | BadRecord]:
    """Return the records of clippings made of (title, label, words)."""
    text = "".join(f"{title}\n- {label}\n\n{words}\n==========\n" for title, label, words in entries)
    return list(read_stream(io.BytesIO(text.encode()), "-", ReadOptions(input_format="kindle")))


def found(*entries: tuple[str, str]) -> Found:
    """Return line, text and note of the quotes in clippings of one book made of (label, words)."""
    made = records(*(("Emma (Jane Austen)", label, words) for label, words in entries))
    return [(record.line, record.text, record.note) if isinstance(record, Quote) else record for record in made]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_read(language: str) -> None:
    """Labels in eight languages, with byte order marks and CRLF: words, note, names, place and date of the longest."""
    path = FIXTURES / f"{language}.txt"
    first, second = read_file(path, ReadOptions(input_format="kindle"))
    words, note, author, work, other, another = LANGUAGES[language]
    place, other_place, other_date = PLACES[language]
    assert first == Quote(
        words, author, work, source=str(path), line=6, note=note, place=place, added="2019-03-03T10:15:51"
    )
    assert isinstance(second, Quote)
    assert (second.place, second.added) == (other_place, other_date)
    assert (second.text, second.author, second.note, second.line) == (other, another, None, 21)


def test_one_file_may_hold_all_languages(tmp_path: Path) -> None:
    """A file that outlived the language of its device, found by its name in a folder, loses nothing."""
    path = tmp_path / "My Clippings.txt"
    path.write_bytes(b"".join((FIXTURES / f"{language}.txt").read_bytes() for language in LANGUAGES))
    assert files_of(tmp_path) == Listing([path])
    texts = [record.text for record in read_file(path, ReadOptions()) if isinstance(record, Quote)]
    assert texts == [text for facts in LANGUAGES.values() for text in (facts[0], facts[4])]


@pytest.mark.parametrize(
    "name",
    ["My Clippings.txt", "my clippings.TXT", "My Clippings (2).txt", "Meine Clippings.txt", "Mis recortes.txt.gz"],
)
def test_well_known_names_say_what_it_is(name: str) -> None:
    """The names that the device gives the file go before its suffix; another .txt file is lines of text."""
    assert format_of(Path(name), ReadOptions()).name == "kindle"
    assert format_of(Path("clippings.txt"), ReadOptions()).name == "txt"
    assert format_of(Path(name), ReadOptions(input_format="txt")).name == "txt"


def test_of_resized_highlights_the_longest_stays() -> None:
    """However often it was resized, the longest stays, of equal ones the last; another place or book is another."""
    assert found(
        ("Your Highlight on page 1 | Location 10-11 | Added", "Know"),
        ("Your Highlight on page 1 | Location 10-14 | Added", "“Know thyself and nothing else”"),
        ("Your Highlight on page 1 | Location 10-12 | Added", "Know thyself"),
        ("Your Highlight on page 1 | Location 11-14 | Added", "thyself and nothing"),
        ("Your Highlight on page 9 | Location 90-91 | Added", "know"),
        ("Your Highlight on page 1 | Location 10-14 | Added", "Know thyself and nothing else"),
    ) == [(21, "know", None), (26, "Know thyself and nothing else", None)]
    two = records(("A (X)", "Your Highlight on page 1", "Know"), ("B (X)", "Your Highlight on page 1", "Know thyself"))
    assert [record.text for record in two if isinstance(record, Quote)] == ["Know", "Know thyself"]


def test_words_that_only_share_a_place_both_stay() -> None:
    """Two sentences of one page, or two that overlap in a word, are two quotes."""
    assert found(
        ("Your Highlight on page 12 | Added", "One sentence here."),
        ("Your Highlight on page 12-13 | Added", "here. Another sentence."),
    ) == [(1, "One sentence here.", None), (6, "here. Another sentence.", None)]


def test_a_note_goes_to_the_highlight_on_its_place() -> None:
    """It goes to the one that ends there, else to one that reaches over it, of several the nearest; the last counts."""
    assert found(
        ("Your Note on Location 14 | Added", "before its highlight"),
        ("Your Highlight on Location 10-14 | Added", "ends there"),
        ("Your Highlight on Location 12-20 | Added", "reaches over it"),
        ("Your Note on Location 15 | Added", "inside"),
        ("Your Note on Location 15 | Added", "inside, corrected"),
        ("Your Note on Location 20 | Added", "and at its end"),
        ("Your Note on Location 99 | Added", "alone"),
    ) == [
        (6, "ends there", "before its highlight"),
        (11, "reaches over it", "inside, corrected and at its end"),
    ]
    assert found(
        ("Your Highlight on page 3 | Added", "first of the page"),
        ("Your Highlight on page 3 | Added", "second of the page"),
        ("Your Note on page 3 | Added", "of the second"),
        ("Your Highlight on page 3 | Added", "third of the page"),
        ("Your Highlight on page xvi-xvi | Added", "of the preface"),
        ("Your Note on page xvi | Added", "of the preface too"),
    ) == [
        (1, "first of the page", None),
        (6, "second of the page", "of the second"),
        (16, "third of the page", None),
        (21, "of the preface", "of the preface too"),
    ]


def test_the_note_of_a_resized_highlight_is_not_lost() -> None:
    """A note that was written at the shorter highlight stands beside the longer one."""
    assert found(
        ("Your Highlight on Location 10-11 | Added", "Know"),
        ("Your Note on Location 11 | Added", "mine"),
        ("Your Highlight on Location 10-12 | Added", "Know thyself"),
    ) == [(11, "Know thyself", "mine")]


@pytest.mark.parametrize(
    ("short", "place"),
    [
        ("Your Highlight Loc. 1234-56 | Added", 1250),
        ("Your Highlight Loc. 1998-02 | Added", 2001),
        ("Your Highlight on Location 1,234-1,256 | Added", 1240),
        ("Your Highlight on page 7 | Location 1234-1256", 7),
        ("Your Highlight on page ix | Location 1234–1256 | Added", 1256),
    ],
)
def test_places_are_written_in_many_ways(short: str, place: int) -> None:
    """Ends that are written short, digits in groups, no date, pages in Roman numerals: the note finds its highlight."""
    assert found((short, "words"), (f"Your Note on Location {place} | Added", "note")) == [(1, "words", "note")]


def test_a_language_that_is_not_known_is_decided_by_structure() -> None:
    """What has words is a highlight, what has none a bookmark; a date that nobody can read loses nothing."""
    assert found(
        ("Þú merktir á síðu 5 | staðsetning 60-61 | Bætt við: í gær", "Deyr fé, deyja frændur"),
        ("Bókamerki á síðu 5 | staðsetning 60 | Bætt við: í gær", ""),
        ("Your Highlight on page 9 | Location 99-99 | Added on the 32nd of Nevermonth", "and so on"),
    ) == [(1, "Deyr fé, deyja frændur", None), (11, "and so on", None)]


def test_what_holds_no_words_is_no_quote() -> None:
    """Pictures, signs and the message of a publisher's limit are passed over; words before the message stay."""
    limit = "<You have reached the clipping limit for this item>"
    assert found(
        ("Your Highlight on Location 1-2 | Added", ""),
        ("Your Highlight on Location 3-4 | Added", "***"),
        ("Your Highlight on Location 5-6 | Added", limit),
        ("Your Highlight on Location 7-8 | Added", f"The beginning {limit}"),
        ("Your Bookmark on Location 9 | Added", "not empty, but a bookmark"),
    ) == [(16, "The beginning", None)]


def test_an_entry_that_is_none_is_named_by_its_line() -> None:
    """Without the line that says what it is, with a NUL or in another encoding it is a bad record, the rest is read."""
    label = b"- Your Highlight on Location 1-2 | Added\n\n"
    data = b"Emma\nwords\n==========\nA\n%sa\0b\n==========\nB\n%s\xff\n==========\nC\n%slast" % ((label,) * 3)
    first, second, third, last = read_stream(io.BytesIO(data), "-", ReadOptions(input_format="kindle"))
    assert isinstance(first, BadRecord)
    assert (first.where, first.problem[:15]) == ("-:1", "not a clipping;")
    assert second == BadRecord("-:4", "holds a NUL character; expected text")
    assert third == BadRecord("-:9", "not valid utf-8; if the file has another encoding, add --encoding NAME")
    assert last == Quote("last", None, "C", source="-", line=14, place="location 1-2")


@pytest.mark.parametrize(
    ("line", "title", "author"),
    [
        ("Emma (Austen, Jane)", "Emma", "Jane Austen"),
        ("Emma (Penguin (UK) Classics) (Jane Austen)", "Emma (Penguin (UK) Classics)", "Jane Austen"),
        ("飘（上下） (外国文学名著名译丛书) ((美)米切尔)", "飘（上下） (外国文学名著名译丛书)", "(美)米切尔"),
        ("规模（杰弗里·韦斯特）", "规模", "杰弗里·韦斯特"),
        (
            "Roadside Picnic (Strugatsky, Arkady; Strugatsky, Boris)",
            "Roadside Picnic",
            "Arkady Strugatsky, Boris Strugatsky",
        ),
        ("The Left Hand (Le Guin, Ursula K.)", "The Left Hand", "Ursula K. Le Guin"),
        ("Cien años (García Márquez, Gabriel)", "Cien años", "Gabriel García Márquez"),
        ("Letters (Jane Austen, Charlotte Brontë)", "Letters", "Jane Austen, Charlotte Brontë"),
        ("Why We Can't Wait (Martin Luther King, Jr.)", "Why We Can't Wait", "Martin Luther King, Jr."),
        ("Articles (2021-04-02)", "Articles (2021-04-02)", None),
        ("Articles (2021-04-02) (P2K)", "Articles (2021-04-02)", "P2K"),
        ("Livre (Inconnu(e))", "Livre", None),
        ("notes.pdf  ", "notes.pdf", None),
        ("Emma (Austen", "Emma (Austen", None),
        ("Emma) x (y", "Emma) x (y", None),
        ("(Austen, Jane)", "(Austen, Jane)", None),
        ("Building a Brain (Ann Writer) (z-lib.org)", "Building a Brain", "Ann Writer"),
        ("Building a Brain (Z-Library) (Writer, Ann)", "Building a Brain", "Ann Writer"),
        ("Building a Brain (www.b-ok.cc)", "Building a Brain", None),
        ("Building a Brain (Ann Writer) (Library Genesis) (libgen.li)", "Building a Brain", "Ann Writer"),
        ("Book Title (2015) (Author Name)", "Book Title (2015)", "Author Name"),
        ("", "", None),
    ],
)
def test_title_and_author(line: str, title: str, author: str | None) -> None:
    """The author is in the last brackets, family name first or last; a year or a download site is no author."""
    assert split_book(line) == (title, author)


@pytest.mark.parametrize(
    ("label", "place"),
    [
        ("Uw markering op pagina 100 t/m 105 | Toegevoegd op vrijdag 5 januari 2024 22:42:22", "pp. 100-105"),
        ("Tu subrayado en las páginas 100 a 105 | Añadido el viernes, 5 de enero de 2024 22:42:22", "pp. 100-105"),
        ("Ваш выделенный отрывок на странице 100 до 105 | Добавлено: пятница, 5 января 2024 г. в 22:42:22",
         "pp. 100-105"),
        ("Votre surlignement sur la page 7 | emplacement 100 à 105 | Ajouté le vendredi 5 janvier 2024 22:42:22",
         "p. 7, location 100-105"),
        ("Ihre Markierung bei Position 1998-02 | Hinzugefügt am Freitag, 5. Januar 2024 22:42:22",
         "location 1998-2002"),
        ("Your Highlight on page xvi-xvi | Added on Friday, January 05, 2024 10:42:22 PM", "p. xvi"),
        ("Your Highlight on page 107| Added on Friday, 5 January 24 22:42", "p. 107"),
        ("65페이지｜위치 1001-1003의 하이라이트 | 2024년 1월 5일 금요일 오후 10:42:22에 추가됨",
         "p. 65, location 1001-1003"),
    ],
)  # fmt: skip
def test_ranges_and_dates_of_other_languages(label: str, place: str) -> None:
    """A word for "to" between two numbers makes a range in any language; a date without a full year is left out."""
    [quote] = records(("Emma (Jane Austen)", label, "words"))
    assert isinstance(quote, Quote)
    assert quote.place == place
    assert quote.added == (None if " 24 " in label else "2024-01-05T22:42:22")


def test_a_note_after_a_range_with_a_word_finds_its_highlight() -> None:
    """A note within "100 t/m 105" belongs to that highlight."""
    assert found(
        ("Uw markering op locatie 100 t/m 105 | Toegevoegd op vrijdag 5 januari 2024 22:42:22", "words"),
        ("Uw notitie op locatie 103 | Toegevoegd op vrijdag 5 januari 2024 22:43:22", "mine"),
    ) == [(1, "words", "mine")]


def test_verse_keeps_its_lines_and_prose_does_not() -> None:
    """Line breaks in a highlight are those of paragraphs, which are folded, or of a poem, which are kept."""
    verse = "Nay, if you read this line, remember not\nThe hand that writ it; for I love you so,\nThat I in your sweet"
    prose = f"{'long words ' * 20}end.\nand the next paragraph goes on for a while, too"
    first, second = found(("Your Highlight on page 1 | Added", verse), ("Your Highlight on page 2 | Added", prose))
    assert not isinstance(first, BadRecord)
    assert not isinstance(second, BadRecord)
    assert (first[1], second[1]) == (verse, prose.replace("\n", " "))
