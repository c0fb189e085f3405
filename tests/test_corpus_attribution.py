"""What is taken for an attribution, and what is not."""

import json
from pathlib import Path

import pytest

from quotefind.corpus.attribution import (
    Attribution,
    is_closed,
    name_attribution,
    own_line_attribution,
    parse_attribution,
    place_of,
    split_attribution,
)
from quotefind.corpus.author_names import is_likely_name, real_author

AFTER_A_QUOTE = [
    ("Be yourself. — Oscar Wilde", "Oscar Wilde", None),
    ("Be yourself. -- Oscar Wilde", "Oscar Wilde", None),
    ("Be yourself —Oscar Wilde", "Oscar Wilde", None),
    ("Be yourself. —— Oscar Wilde", "Oscar Wilde", None),
    ("Be yourself. — by Oscar Wilde", "Oscar Wilde", None),
    ("It is a truth. — Jane Austen, Pride and Prejudice", "Jane Austen", "Pride and Prejudice"),
    ("It is a truth. — Jane Austen, “Emma”", "Jane Austen", "Emma"),
    ("It is a truth. — Jane Austen, *Emma*", "Jane Austen", "Emma"),
    ("It is a truth. — Jane Austen, _Emma_", "Jane Austen", "Emma"),
    ("It is a truth. — Jane Austen, **Emma**", "Jane Austen", "Emma"),
    ("It is a truth. — Jane Austen, in 'Emma'", "Jane Austen", "Emma"),
    ('It is a truth. — Jane Austen in "Emma"', "Jane Austen", "Emma"),
    ('It is a truth. — Jane Austen from "Emma"', "Jane Austen", "Emma"),
    ("It is. — Jane Austen (1775-1817), Emma", "Jane Austen", "Emma"),
    ("Dream. — Martin Luther King, Jr.", "Martin Luther King, Jr.", None),
    ("Dream. — Martin Luther King, Jr., Speech", "Martin Luther King, Jr.", "Speech"),
    ("The path. — Oliver Wendell Holmes, Sr., Elsie Venner", "Oliver Wendell Holmes, Sr.", "Elsie Venner"),
    ("Loved. — Sammy Davis Jr.", "Sammy Davis Jr.", None),
    ("Heir. — Louis Auchincloss, III", "Louis Auchincloss, III", None),
    ("Law. — Rumpole, Esq.", "Rumpole, Esq.", None),
    ("Short. — T. S. E.", "T. S. E.", None),
    ("Hope never dies. — Anonymous", "Anonymous", None),
    ("Hope never dies. — anonymous", "anonymous", None),
    ("Haste makes waste. — Chinese proverb", "Chinese proverb", None),
    ("To be — or not to be. — William Shakespeare, Hamlet", "William Shakespeare", "Hamlet"),
    ("Nobody speaks. — Jean—Paul Sartre", "Jean—Paul Sartre", None),
    ("道可道，非常道。 — 老子, 道德經", "老子", "道德經"),
    ("Alles. — Johann Wolfgang von Goethe, «Faust»", "Johann Wolfgang von Goethe", "Faust"),
    ("Nothing. — de Gaulle", "de Gaulle", None),
    ("Know. — al-Ghazali", "al-Ghazali", None),
    ("anyone lived. — e. e. cummings", "e. e. cummings", None),
    ("Candy. — 50 Cent", "50 Cent", None),
    ("Frankly. — “Gone with the Wind”", None, "Gone with the Wind"),
    ('Surely. — "Airplane", Jim Abrahams', "Jim Abrahams", "Airplane"),
    ("In the beginning. — From the Talmud", None, "the Talmud"),
    ("Think. — Thomas Watson (Chairman, IBM), 1943", "Thomas Watson (Chairman, IBM)", "1943"),
    ('Fight. — "Ma" Ferguson, Governor', '"Ma" Ferguson', "Governor"),
    ("What's up? — Ryan O'Neill, \"What's Up Doc?\"", "Ryan O'Neill", "What's Up Doc?"),
    ("Rain is only news to the dry. ― C. Gamma", "C. Gamma", None),
    ("The kettle learns manners. ~Dora Delta", "Dora Delta", None),
    ("The kettle learns manners ~ Dora Delta", "Dora Delta", None),
    ("A promise made twice is worth half. - Ann Alpha", "Ann Alpha", None),
    ("A promise made twice is worth half. – Ann Alpha", "Ann Alpha", None),
    ("A promise is half. - Ann Alpha - The Kettle - Two Plays", "Ann Alpha", "The Kettle - Two Plays"),
    ("“Nobody ever tripped over a mountain.” – Ben Beta", "Ben Beta", None),
    ('"Ask the road, not the map" -Eve Epsilon', "Eve Epsilon", None),
    ('"Ask the road, not the map."—Eve Epsilon', "Eve Epsilon", None),
    ('"A borrowed coat has pockets." (Fay Zeta)', "Fay Zeta", None),
    ('"A borrowed coat has pockets." (Fay Zeta, The Coat)', "Fay Zeta", "The Coat"),
    ('"Ask the road." - Eve Epsilon - The Road', "Eve Epsilon", "The Road"),
    ("Ask the road. — Eve Epsilon — The Road", "Eve Epsilon", "The Road"),
    ("Ask the road. - Ludwig van Beethoven", "Ludwig van Beethoven", None),
    ("Ask the road. - Jean-Paul Sartre", "Jean-Paul Sartre", None),
    ("Haste makes waste. - Chinese proverb", "Chinese proverb", None),
    ("Haste makes waste. - anonymous", "anonymous", None),
    ("Thank you. — Eve Epsilon (https://example.org/eve)", "Eve Epsilon", None),
    ("Дорога длинная. - Лев Толстой", "Лев Толстой", None),
    ("「道は長い。」 - 松尾芭蕉", "松尾芭蕉", None),
]

NOT_AFTER_A_QUOTE = [
    "Life is short — make it sweet.",
    "Life is short — make it sweet",
    "Life is short — Make it sweet.",
    "Life is short -- Make it sweet!",
    "Is life short — Or is it sweet?",
    "I have one rule — I think so",
    "Two things matter — They are love and work",
    'She had one answer -- "Never"',
    "“He left — Mother stayed”",
    '"He left -- Mother stayed"',
    "(He left — Mother stayed)",
    "Well-known words—Oscar Wilde",
    "Old words - Oscar Wilde",
    "Old words – Oscar Wilde",
    "Old words (Oscar Wilde)",
    "Old words. (Oscar Wilde)",
    "To be - or not - to be",
    "Well-worn - and often mended - coats are still coats.",
    "Discipline is – Freedom",
    "Success is - Going On",
    "He came home. - And then he left",
    '"Are you there?" - "Yes."',
    '"Are you there?" - Yes',
    "- Are you there? - Peter",
    "- Hello. - Good morning. - Peter",
    "I have one answer — Silence",
    "It takes a while ~10 minutes",
    '"I did not say it." (Laughter)',
    '"I did not say it." (1999)',
    '"I did not say it." (sic)',
    "Love - Hope - Faith",
    "Stop. - Now!",
    "She was 5 - 3 ahead. - Then she lost",
    "This is the end —",
    "This is the end — ...",
    "This goes on — Oscar,",
    "This goes on — Oscar:",
    "Words — A Very Long Row Of Words That Never Was A Name, Work",
    "Words — " + "A" * 101,
    "— Oscar Wilde",
    "No dash at all",
]


@pytest.mark.parametrize(("line", "author", "work"), AFTER_A_QUOTE)
def test_a_name_after_a_dash_is_an_attribution(line: str, author: str | None, work: str | None) -> None:
    """After the last dash, author and work are recognised and their marks dropped."""
    words, attribution = split_attribution(line)
    assert attribution == Attribution(author, work)
    assert line.startswith(words)
    assert words[-1] not in " —-(~"


@pytest.mark.parametrize("line", NOT_AFTER_A_QUOTE)
def test_a_sentence_with_a_dash_in_it_stays_whole(line: str) -> None:
    """What follows a dash and does not look like a name is left in the words."""
    assert split_attribution(line) == (line, None)


@pytest.mark.parametrize(
    ("credit", "author", "work"),
    [
        ("Carole Wallach.", "Carole Wallach", None),
        ("Jack Handey, The New Mexican, 1988.", "Jack Handey", "The New Mexican, 1988"),
        ("former Chief Justice Earl Warren", "former Chief Justice Earl Warren", None),
        ("bell hooks, All About Love", "bell hooks", "All About Love"),
        ("Fred Brooks, Jr.", "Fred Brooks, Jr.", None),
        ("Norman Cousins,", "Norman Cousins", None),
        ('"Sniglets", Rich Hall & Friends', "Rich Hall & Friends", "Sniglets"),
        ('"The Progressive", March, 1987', None, '"The Progressive", March, 1987'),
        ("seen on a wall in Paris", None, "seen on a wall in Paris"),
        ("Larry Wall in str.c from the perl source code", "Larry Wall", "str.c from the perl source code"),
        ("Larry Wall in <1997@wall.org>", "Larry Wall", "<1997@wall.org>"),
        ("attributed to Mark Twain", "Mark Twain", None),
    ],
)
def test_an_attribution_on_its_own_line_may_be_freer(credit: str, author: str | None, work: str | None) -> None:
    """On a line of its own an attribution may begin in lower case, be longer, and end in a full stop."""
    assert parse_attribution(credit, own_line=True) == Attribution(author, work)


@pytest.mark.parametrize("credit", ["", " ", "...", "I have to floss my cat.", "it is my night to pet the dog"])
def test_a_sentence_on_its_own_line_is_no_attribution(credit: str) -> None:
    """A sentence of a list is not taken for a name, wherever it is."""
    assert parse_attribution(credit, own_line=True) is None


def test_after_quotation_marks_an_attribution_may_be_long() -> None:
    """Marks around the whole text leave no doubt that what follows is no part of it, however long a title it names."""
    credit = f"Ann Ash, {'a long title, ' * 10}and its end"
    expected = Attribution("Ann Ash", credit.removeprefix("Ann Ash, "))
    for words in ("“Love is a smoke”", '"Love is a smoke"', "「愛」"):
        assert split_attribution(f"{words} — {credit}") == (words, expected)
    for words in ("Love is a smoke.", 'He said "love"', '"Love" is a "smoke"', '""'):
        assert split_attribution(f"{words} — {credit}") == (f"{words} — {credit}", None)


def test_after_quotation_marks_and_a_hyphen_an_attribution_may_be_long() -> None:
    """After a hyphen, too, a long title is an attribution if marks enclose the text, and none if they do not."""
    credit = f"Ann Ash, {'a long title, ' * 10}and its end"
    expected = Attribution("Ann Ash", credit.removeprefix("Ann Ash, "))
    assert split_attribution(f"“Love is a smoke” - {credit}") == ("“Love is a smoke”", expected)
    assert split_attribution(f"Love is a smoke. - {credit}") == (f"Love is a smoke. - {credit}", None)


def test_a_credit_that_cannot_be_divided_is_a_work() -> None:
    """A bracket that is not closed leaves no author to cut off: all of it is the work."""
    credit = "The Sea (an unfinished poem"
    assert parse_attribution(credit, own_line=True) == Attribution(None, credit)


@pytest.mark.parametrize(
    ("words", "closed"), [("Be yourself.", True), ("“Be”", True), ("Be yourself", False), ("", False)]
)
def test_words_are_closed_by_a_stop_or_a_mark(words: str, closed: bool) -> None:
    """Only a mark at the end closes words, and no words are not closed."""
    assert is_closed(words) is closed


@pytest.mark.parametrize("marks", ["“”", '""', "«»", "「」", "『』"])
def test_a_dash_within_quotation_marks_attributes_nothing(marks: str) -> None:
    """A name after a dash that comes before the closing mark is part of the text."""
    line = f"{marks[0]}Love is a smoke — Ann Ash{marks[1]}"
    assert split_attribution(line) == (line, None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("— Ann Alpha", Attribution("Ann Alpha", None)),
        ("—— Ann Alpha", Attribution("Ann Alpha", None)),
        ("― Ann Alpha, Letters", Attribution("Ann Alpha", "Letters")),
        ("  -- Ann Alpha", Attribution("Ann Alpha", None)),
        ("- Ann Alpha", Attribution("Ann Alpha", None)),
        ("– Ann Alpha, *Letters*", Attribution("Ann Alpha", "Letters")),
        ("~ Ann Alpha", Attribution("Ann Alpha", None)),
        ("(Ann Alpha, *Letters*)", Attribution("Ann Alpha", "Letters")),
        ("By Ann Alpha", Attribution("Ann Alpha", None)),
        ("- be kind", None),
        ("- Be kind to everyone", None),
        ("- Be kind.", None),
        ("(laughing)", None),
        ("By and by it rained", None),
        ("Ann Alpha", None),
    ],
)
def test_an_attribution_may_be_a_line_of_its_own(line: str, expected: Attribution | None) -> None:
    """It begins with any dash or "by", or is in brackets; an item of a list is none."""
    assert own_line_attribution(line) == expected


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Sara Example", Attribution("Sara Example", None)),
        ("The Great Gatsby by F. Scott Example", Attribution("F. Scott Example", "The Great Gatsby")),
        ("_Sara Example, The Promise_", Attribution("Sara Example", "The Promise")),
        ('Bertrand Example, "Unpopular Essays", 1950', Attribution("Bertrand Example", "Unpopular Essays", year=1950)),
        ("Sara Example — The Promise", Attribution("Sara Example", "The Promise")),
        ("Sara Example (1900–1980)", Attribution("Sara Example", None)),
        ("Section 4.4.2 (p. 19)", Attribution(None, None, "Section 4.4.2 (p. 19)")),
        ("My Favorite Literary Quotes", None),
        ("Courage", None),
        ("Love and life", None),
        ("On anger", None),
        ("https://example.org", None),
        ("What is life?", None),
    ],
)
def test_a_heading_may_name_the_author(heading: str, expected: Attribution | None) -> None:
    """It is a name, a work by a name, or a place; a topic, a sentence or an address is none."""
    assert name_attribution(heading) == expected


@pytest.mark.parametrize(
    ("credit", "work", "place"),
    [
        ("Ann Alpha, Letters, p. 12", "Letters", "p. 12"),
        ("Ann Alpha, Letters, ch. 2, p. 91", "Letters", "ch. 2, p. 91"),
        ("Ann Alpha, Letters (p. 12–14)", "Letters", "p. 12–14"),
        ("Ann Alpha, Letters, Kapitel 3, S. 40", "Letters", "Kapitel 3, S. 40"),
        ("Ann Alpha, Letters, chapter IX", "Letters", "chapter IX"),
        ("Ann Alpha, p. 12", None, "p. 12"),
        ("Ann Alpha, Letters, vol. 14", "Letters, vol. 14", None),
        ("Ann Alpha, 1984", "1984", None),
    ],
)
def test_a_place_ends_an_attribution(credit: str, work: str | None, place: str | None) -> None:
    """A chapter, a page or a section at the end is the place in the work, and no part of its title."""
    assert parse_attribution(credit) == Attribution("Ann Alpha", work, place)


@pytest.mark.parametrize("words", ["p. 12", "Section 4.4.2 (p. 19)", "chapter IX", "Seite 40", "§ 12", "Location 37"])
def test_a_place_alone_is_one(words: str) -> None:
    """Chapters, pages, sections and locations are places; names and titles are none."""
    assert place_of(words) == words
    assert place_of(f"Ann {words}") is None


def test_most_lines_decide_what_a_hyphen_means() -> None:
    """With `loose`, a hyphen needs no stop before it; a definition keeps its dash all the same."""
    assert split_attribution("Old words - Oscar Wilde", loose=True) == ("Old words", Attribution("Oscar Wilde", None))
    assert split_attribution("Old words. (Oscar Wilde)", loose=True)[1] == Attribution("Oscar Wilde", None)
    assert split_attribution("Discipline is – Freedom", loose=True)[1] is None
    assert split_attribution("Well-worn - and often mended", loose=True)[1] is None


@pytest.mark.parametrize(
    "name",
    [
        *("Unknown", "Anonymous", "anonymous.", "Author unknown", "[Unknown]", "null", "nan", "N/A", "None", "?", "-"),
        *("Unbekannt", "Inconnu", "Desconocido", "Sconosciuto", "Onbekend", "Desconhecido", "Неизвестный", "Okänd"),
        *("Ukendt", "Nieznany", "Neznámý", "未知", "不明", "Auteur inconnu", "Anónimo", "غير معروف", "Άγνωστος"),
        *("z-lib.org", "Z-Library", "libgen", "libgen.li", "Library Genesis", "Anna's Archive", "PDFDrive.com"),
        *("Unknown (z-lib.org)", "https://example.org/quotes", "www.example.org"),
    ],
)
def test_nobody_is_no_author(name: str) -> None:
    """What people, calibre and download sites write for an unknown author names nobody."""
    assert real_author(name) is None


@pytest.mark.parametrize(
    ("name", "author"),
    [
        ("Jane Austen (z-lib.org)", "Jane Austen"),
        ("Jane Austen [libgen.li]", "Jane Austen"),
        ("Chinese proverb", "Chinese proverb"),
        ("Anna", "Anna"),
        ("Nan Goldin", "Nan Goldin"),
        ("Thomas Watson (Chairman, IBM)", "Thomas Watson (Chairman, IBM)"),
    ],
)
def test_somebody_is_an_author(name: str, author: str) -> None:
    """A name stays as it is, without the site that the file is from."""
    assert real_author(name) == author


def test_the_bundled_authors_look_like_names() -> None:
    """Of 266 real authors nearly all are recognised by how they are written; the topics of the quotes are not."""
    folder = Path(__file__).parents[1] / "quotes"
    lines = (folder / "quotes.jsonl").read_text(encoding="utf-8").splitlines()
    authors = {json.loads(line)["author"] for line in lines}
    assert sum(map(is_likely_name, authors)) > 0.97 * len(authors)
    topics = (folder / "tags.txt").read_text(encoding="utf-8").split("\n")
    assert [topic for topic in topics if is_likely_name(topic.capitalize())] == []
