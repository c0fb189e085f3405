"""What is taken for an attribution, and what is not."""

import pytest

from quotefind.corpus.attribution import Attribution, parse_attribution, split_attribution

BEHIND_A_QUOTE = [
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
    ("It is. — Jane Austen (1775-1817), Emma", "Jane Austen", "Emma"),
    ("It is. — Jane Austen, Emma, chapter 1", "Jane Austen", "Emma, chapter 1"),
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
]

NOT_BEHIND_A_QUOTE = [
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
    "This is the end —",
    "This is the end — ...",
    "This goes on — Oscar,",
    "This goes on — Oscar:",
    "Words — A Very Long Row Of Words That Never Was A Name, Work",
    "Words — " + "A" * 101,
    "— Oscar Wilde",
    "No dash at all",
]


@pytest.mark.parametrize(("line", "author", "work"), BEHIND_A_QUOTE)
def test_a_name_behind_a_dash_is_an_attribution(line: str, author: str | None, work: str | None) -> None:
    """Behind the last dash, author and work are told apart and their marks dropped."""
    words, attribution = split_attribution(line)
    assert attribution == Attribution(author, work)
    assert line.startswith(words)
    assert words[-1] not in " —-"


@pytest.mark.parametrize("line", NOT_BEHIND_A_QUOTE)
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
    """A sentence of a list is not taken for a name, wherever it stands."""
    assert parse_attribution(credit, own_line=True) is None


def test_behind_quotation_marks_an_attribution_may_be_long() -> None:
    """Marks around the whole text leave no doubt that what follows is no part of it, however long a title it names."""
    credit = f"Ann Ash, {'a long title, ' * 10}and its end"
    expected = Attribution("Ann Ash", credit.removeprefix("Ann Ash, "))
    for words in ("“Love is a smoke”", '"Love is a smoke"', "「愛」"):
        assert split_attribution(f"{words} — {credit}") == (words, expected)
    for words in ("Love is a smoke.", 'He said "love"', '"Love" is a "smoke"', '""'):
        assert split_attribution(f"{words} — {credit}") == (f"{words} — {credit}", None)


@pytest.mark.parametrize("marks", ["“”", '""', "«»", "「」", "『』"])
def test_a_dash_within_quotation_marks_attributes_nothing(marks: str) -> None:
    """A name behind a dash that stands before the closing mark is part of the text."""
    line = f"{marks[0]}Love is a smoke — Ann Ash{marks[1]}"
    assert split_attribution(line) == (line, None)
